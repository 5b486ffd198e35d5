//! The core of `@key0ai/native`: everything that the package does, and nothing of Node.
//!
//! How an issue walks: [`remote_token_issuer::RemoteTokenIssuer::issue`] asks [`auth::Auth`] for
//! headers, which answers at once ([`auth::Auth::peek`]) or waits: for a signature of the
//! [`signing_pool`], or for a load of the [`token_cache`]. The border brings the call to the network thread by the [`intake`]. The headers and the params become an
//! [`http::Exchange`], which does no I/O; [`http::Client`] drives it. What it ends with is the
//! credentials' JSON, or a failure with its facts, as an [`error`]: a [`message`] for the buyer and a
//! cause for the seller.
//!
//! Time comes in as [`now::Now`], what the caller's environment says of TLS as
//! [`http::tls::TlsEnvironment`]; secrets are [`secret::Secret`]s, and a peer's words reach a
//! cause only through a [`redact::Redactor`]. Tokens are signed and verified by [`jws`], for
//! [`access_token_issuer`] and [`validate_token`].
//!
//! The feature `node` adds the border, `src/js`, where napi's types live.

pub mod access_token_issuer;
pub mod auth;
pub mod errand;
pub mod error;
pub mod fault_injection;
pub mod http;
pub mod intake;
#[cfg(all(feature = "node", not(test)))]
#[expect(clippy::needless_pass_by_value, reason = "napi's functions own their arguments")]
mod js;
pub mod json;
pub mod jws;
mod lock;
pub mod message;
pub mod now;
pub mod random;
pub mod redact;
pub mod remote_token_issuer;
pub mod secret;
pub mod signing_pool;
pub mod token_cache;
pub mod validate_token;
