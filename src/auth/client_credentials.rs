//! `oauthClientCredentialsAuth`: the client credentials grant (RFC 6749 §4.4).

mod answer;
mod authentication;
pub mod config;
mod failure;
mod grant;
mod load;
pub mod policy;
mod request;
mod sealing;
mod store;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    future::Future,
    io,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

pub use self::{
    authentication::{GrantType, Method},
    config::Config,
    policy::Policy,
};
use self::{failure::Failure, grant::Grant, load::Load};
use crate::{
    auth::Io,
    error::{ArgumentError, Key0Error},
    http::{Fault, along::What, tls::OwnTls},
    now::Now,
    secret::Secret,
    token_cache::{Cached, Failed, TokenCache},
};

/// A client of an OAuth 2.0 server, and its token.
#[derive(Clone)]
pub struct ClientCredentials {
    grant: Arc<Grant>,
    config: Arc<Config>,
    policy: Policy,
    /// Of servers that were verified.
    verified: TokenCache<Failure>,
    /// Of those that were not: no verified call gets a token that anybody may have given.
    unverified: TokenCache<Failure>,
    /// The last token that was fetched is too short-lived to be shared: nobody waits for others'.
    is_unshared: Arc<AtomicBool>,
}

impl ClientCredentials {
    /// Reads the configuration once.
    ///
    /// # Errors
    /// A `TypeError` that names the field.
    pub fn new(config: &Config) -> Result<Self, ArgumentError> {
        Self::governed(config.clone(), Policy::default())
    }

    /// The same with a policy of its own. Where that asks for a secret or key, the configuration
    /// has none.
    ///
    /// # Errors
    /// A `TypeError` that names the field.
    pub fn governed(config: Config, policy: Policy) -> Result<Self, ArgumentError> {
        let grant = match policy.asks {
            Some(field) => Grant::new(&config.with_stand_in(field))?,
            None => Grant::new(&config)?,
        };
        let (verified, unverified, is_unshared) = Default::default();
        let (grant, config) = (Arc::new(grant), Arc::new(config));
        Ok(Self { grant, config, policy, verified, unverified, is_unshared })
    }

    /// Whether it has to ask its caller's side for something.
    #[must_use]
    pub fn has_errands(&self) -> bool {
        self.policy.asks.is_some() || self.policy.store.is_some()
    }

    /// Other CAs and another certificate from now on: files that have changed. Its token stays.
    ///
    /// # Errors
    /// Where it would be shown by a certificate that is no longer there; nothing is changed then.
    pub fn set_tls(&mut self, tls: Option<OwnTls>) -> Result<(), ArgumentError> {
        self.grant = Arc::new(self.grant.with_tls(tls)?);
        Ok(())
    }

    /// Whether its requests go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.grant.endpoint.target().is_https()
    }

    /// The token endpoint's scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        self.grant.endpoint.target().origin().to_string()
    }

    /// `Bearer …`, where a token is at hand, for a call that verifies servers or does not.
    #[must_use]
    pub fn peek(&self, now: Now, verifies: bool) -> Option<Secret> {
        self.cache(verifies).peek(now).map(|token| token.authorization().clone())
    }

    /// Forgets the token, or only the one that goes out as this `Bearer …`.
    pub fn invalidate(&self, authorization: Option<&str>) {
        for cache in [&self.verified, &self.unverified] {
            cache.invalidate(authorization);
        }
    }

    /// Why a call cannot even begin: the system has no thread or descriptor for it.
    #[must_use]
    pub fn refused(&self, error: &io::Error) -> Key0Error {
        Failure::Fault(Fault::connecting(error, self.grant.endpoint.target().origin(), false))
            .error()
    }

    /// What the caller's side says of a fetch, without the secrets of its requests.
    pub(crate) fn quoted(&self, words: &str) -> String {
        self.grant.redactor(None).excerpt(words, false).to_string()
    }

    fn cache(&self, verifies: bool) -> &TokenCache<Failure> {
        if verifies { &self.verified } else { &self.unverified }
    }

    /// `Bearer …`, fetched where there is no token; all who wait share one request.
    ///
    /// The fetch begins at once, on the tokio runtime that this is called in, and no caller's
    /// leaving ends it: the future only waits.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` 500.
    pub fn token(
        &self,
        now: Now,
        io: &Io,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        self.token_at(now, now, io)
    }

    /// The same for a call that was begun at `call` and comes back with a token that a server
    /// rejected. No token is obtained later on the wall clock than its call's beginning: that is
    /// the only `Date.now()` there is, and may be a fake one that stands still.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` 500.
    pub fn another_token(
        &self,
        rejected: &Secret,
        call: Now,
        mono: std::time::Instant,
        io: &Io,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        self.invalidate(Some(rejected.expose()));
        self.token_at(call.later(mono), Now { mono, ..call }, io)
    }

    fn token_at(
        &self,
        now: Now,
        obtained: Now,
        io: &Io,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        let load = |ticket, replaced| {
            tokio::spawn(Load::new(self.clone(), obtained, io).run(ticket, replaced));
        };
        let notes = io.http.notes(self.grant.endpoint.target().origin());
        let found = match self.cache(io.http.environment().verifies()).find(now) {
            Cached::Fresh(token) => Ok(token),
            Cached::Due(token, ticket) => {
                notes.note(|| Some(What::Due));
                load(ticket, Some(token.authorization().clone()));
                Ok(token)
            }
            Cached::UnderWay(waiter) => {
                notes.note(|| Some(What::Shared));
                Err(Ok(waiter))
            }
            Cached::Failed(failure) => {
                notes.note(|| Some(What::Cooling));
                Err(Err(failure))
            }
            Cached::Missing(ticket, waiter) => {
                load(ticket, None);
                Err(Ok(waiter))
            }
        };
        async {
            let waited = match found {
                Ok(token) => Ok(token),
                Err(Ok(waiter)) => waiter.wait().await,
                Err(Err(failure)) => Err(Failed::Load(failure)),
            };
            match waited {
                Ok(token) => Ok(token.authorization().clone()),
                Err(Failed::Load(failure)) => Err(failure.error()),
                Err(Failed::Vanished) => Err(Failure::Vanished.error()),
            }
        }
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("grant", &self.grant).finish_non_exhaustive()
    }
}

/// For the whole exchange, the body included; the SDK's.
pub const LONGEST_FETCH: Duration = Duration::from_secs(10);
