//! The strategies: what gives the headers of an outbound request. A closed set.

pub mod client_credentials;
mod jti;
pub mod shared_secret;
pub mod signed_jwt;

use std::{
    future::{Future, ready},
    io,
    pin::Pin,
};

pub use self::{
    client_credentials::ClientCredentials, shared_secret::SharedSecret, signed_jwt::SignedJwt,
};
use crate::{
    errand::Errands,
    error::{ArgumentError, Key0Error},
    http::Client,
    http::headers::HeaderLine,
    message::Message,
    now::Now,
    secret::Secret,
    signing_pool::SigningPool,
};

/// What waiting strategies wait on. The border owns it and passes it in.
#[derive(Clone)]
pub struct Io {
    /// Connections.
    pub http: Client,
    /// Threads for signatures that take long.
    pub signing: SigningPool,
    /// Where a load sends what only the caller's side can do.
    pub errands: Errands,
}

/// Headers on their way, or why there are none.
pub type Headers = Pin<Box<dyn Future<Output = Result<Vec<HeaderLine>, Key0Error>> + Send>>;

/// A strategy.
#[derive(Clone, Debug)]
pub enum Auth {
    /// No headers.
    None,
    /// A constant header.
    SharedSecret(SharedSecret),
    /// A new JWT for every call.
    SignedJwt(SignedJwt),
    /// An OAuth 2.0 access token, fetched and kept.
    ClientCredentials(ClientCredentials),
}

impl Auth {
    /// What an issuer's deprecated `secret` and `headerName` mean.
    ///
    /// # Errors
    /// For what no header can hold, by field.
    pub fn legacy(
        secret: Option<Secret>,
        header_name: Option<String>,
    ) -> Result<Self, ArgumentError> {
        let Some(secret) = secret else { return Ok(Self::None) };
        let header_name = header_name.unwrap_or_else(|| LEGACY_HEADER.to_owned());
        SharedSecret::new(header_name, secret).map(Self::SharedSecret)
    }

    /// Whether it makes requests of its own, over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        matches!(self, Self::ClientCredentials(strategy) if strategy.is_https())
    }

    /// Whether it has to ask its caller's side for something at times.
    #[must_use]
    pub fn has_errands(&self) -> bool {
        matches!(self, Self::ClientCredentials(strategy) if strategy.has_errands())
    }

    /// Whose token is waited for, where one is: scheme, host and port.
    #[must_use]
    pub fn token_origin(&self) -> Option<String> {
        match self {
            Self::ClientCredentials(strategy) => Some(strategy.origin()),
            _ => None,
        }
    }

    /// The header's value, where it is ready without waiting, for a call that verifies servers or
    /// does not.
    #[must_use]
    pub fn peek(&self, now: Now, verifies: bool) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::SharedSecret(strategy) => Some(strategy.header().value),
            Self::SignedJwt(strategy) => strategy.peek(now),
            Self::ClientCredentials(strategy) => strategy.peek(now, verifies),
        }
    }

    /// Forgets a token that is kept, or only the one that goes out as this `Bearer …`.
    pub fn invalidate(&self, authorization: Option<&str>) {
        if let Self::ClientCredentials(strategy) = self {
            strategy.invalidate(authorization);
        }
    }

    /// Why a call cannot even begin: the system has no thread or descriptor for it.
    #[must_use]
    pub fn refused(&self, error: &io::Error) -> Key0Error {
        match self {
            Self::ClientCredentials(strategy) => strategy.refused(error),
            _ => Key0Error::internal(&error.to_string()),
        }
    }

    /// What signs the header's value, for a thread of the signing pool, where nothing else of it waits.
    #[must_use]
    pub fn job(
        &self,
        now: Now,
    ) -> Option<impl FnOnce() -> Result<Secret, Key0Error> + Send + use<>> {
        match self {
            Self::SignedJwt(strategy) => Some(strategy.job(now)),
            _ => None,
        }
    }

    /// The headers, waited for. A signature or a fetch starts at once, on the caller's thread, so
    /// that later callers find it. Call it inside a tokio runtime.
    #[must_use]
    pub fn headers(&self, now: Now, io: &Io) -> Headers {
        let ready_line = match self {
            Self::SharedSecret(strategy) => Some(strategy.header()),
            _ => self.peek(now, io.http.environment().verifies()).map(authorization),
        };
        if let Some(line) = ready_line {
            return Box::pin(ready(Ok(vec![line])));
        }
        match self {
            Self::None | Self::SharedSecret(_) => Box::pin(ready(Ok(Vec::new()))),
            Self::SignedJwt(strategy) => {
                let signed = strategy.sign(now, &io.signing);
                Box::pin(async { Ok(vec![authorization(signed.await?)]) })
            }
            Self::ClientCredentials(strategy) => {
                let token = strategy.token(now, io);
                Box::pin(async { Ok(vec![authorization(token.await?)]) })
            }
        }
    }
}

/// `Authorization: Bearer …` (RFC 6750 §2.1).
fn authorization(value: Secret) -> HeaderLine {
    HeaderLine { name: "Authorization".to_owned(), value }
}

/// The SDK's name for the header of the deprecated `secret`.
const LEGACY_HEADER: &str = "X-Internal-Auth";

/// For the buyer: the function that stands for `field` gave none.
fn not_had(field: &'static str) -> Message {
    Message::new(field).with(" could not be had")
}
