//! `oauthClientCredentialsAuth`: the client credentials grant (RFC 6749 §4.4).

mod answer;
mod authentication;
pub mod config;
mod failure;
mod grant;
mod request;
#[cfg(test)]
mod tests;

use std::{future::Future, io, sync::Arc, time::Duration};

use tokio::time::{Instant, timeout_at};

pub use self::{authentication::Method, config::Config};
use self::{failure::Failure, grant::Grant, request::TokenRequest};
use crate::{
    error::{ArgumentError, Key0Error},
    fault_injection,
    http::{Client, Fault, Sent, fault::Phase, tls::OwnTls},
    now::Now,
    secret::Secret,
    token_cache::{AccessToken, Cached, Failed, Ticket, TokenCache},
};

/// A client of an OAuth 2.0 server, and its token.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    grant: Arc<Grant>,
    /// Of servers that were verified.
    verified: TokenCache<Failure>,
    /// Of those that were not: no verified call gets a token that anybody may have given.
    unverified: TokenCache<Failure>,
}
impl ClientCredentials {
    /// Reads the configuration once.
    ///
    /// # Errors
    /// A `TypeError` that names the field.
    pub fn new(config: &Config) -> Result<Self, ArgumentError> {
        let grant = Grant::new(config)?;
        let (verified, unverified) = Default::default();
        Ok(Self { grant: Arc::new(grant), verified, unverified })
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
        self.cache(verifies).peek(now).map(|token| authorization(&token))
    }

    /// Why a call cannot even begin: the system has no thread or descriptor for it.
    #[must_use]
    pub fn refused(&self, error: &io::Error) -> Key0Error {
        Failure::Fault(Fault::connecting(error, self.grant.endpoint.target().origin(), false))
            .error()
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
        client: &Client,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        let found = match self.cache(client.environment().verifies()).find(now) {
            Cached::Fresh(token) => Ok(token),
            Cached::UnderWay(waiter) => Err(waiter),
            Cached::Missing(ticket, waiter) => {
                tokio::spawn(load(ticket, self.grant.clone(), now, client.clone()));
                Err(waiter)
            }
        };
        async {
            let waited = match found {
                Ok(token) => Ok(token),
                Err(waiter) => waiter.wait().await,
            };
            match waited {
                Ok(token) => Ok(authorization(&token)),
                Err(Failed::Load(failure)) => Err(failure.error()),
                Err(Failed::Vanished) => Err(Failure::Vanished.error()),
            }
        }
    }
}

async fn load(ticket: Ticket<Failure>, grant: Arc<Grant>, now: Now, client: Client) {
    let sent = Sent::default();
    let mut exchange = match TokenRequest::new(grant, now) {
        Ok(exchange) => exchange,
        Err(failure) => return ticket.finish(Err(failure)),
    };
    // Counted from the call, as its issuer's own time is.
    let deadline = Instant::from_std(now.mono) + LONGEST_FETCH;
    let result = timeout_at(deadline, client.drive(&mut exchange, &sent)).await;
    fault_injection::point("token fetch");
    ticket.finish(result.unwrap_or_else(|_| {
        let origin = exchange.redirects.request().target.origin().to_string();
        let phase = Phase::at(origin, sent.is_under_way());
        Err(Failure::TimedOut { phase, sent: sent.get() })
    }));
}

fn authorization(token: &AccessToken) -> Secret {
    format!("Bearer {}", token.token().expose()).into()
}

/// For the whole exchange, the body included; the SDK's.
pub const LONGEST_FETCH: Duration = Duration::from_secs(10);
