//! What JavaScript configures.

use crate::secret::Secret;

/// What JavaScript configures. Without `Debug`: a URL may have a password.
#[derive(Clone)]
pub struct Config {
    /// The token endpoint.
    pub token_url: String,
    /// Sent byte for byte.
    pub client_id: String,
    /// Sent byte for byte.
    pub client_secret: Secret,
    /// Joined by a space; left out when empty.
    pub scopes: Vec<String>,
    /// Left out when empty.
    pub audience: Option<String>,
}
