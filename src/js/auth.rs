//! Handles of the strategies.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use napi::{
    Env,
    bindgen_prelude::{Either, Object, Unknown},
};
use napi_derive::napi;

use super::{
    access_token_issuer::AccessTokenIssuerHandle,
    call::{self, CallHandle},
    config,
    outcome::{Outcome, lost, outcome},
    runtime,
};
use crate::{
    auth::{
        Auth, ClientCredentials, Io, SharedSecret, SignedJwt, client_credentials,
        signed_jwt::{self, Claims},
    },
    error::ArgumentError,
    http::{headers::HeaderLine, tls},
};

/// A strategy.
#[napi(js_name = "Auth")]
pub struct AuthHandle {
    pub(super) auth: Auth,
}

#[napi]
impl AuthHandle {
    /// `noAuth`
    #[napi(factory)]
    pub fn none() -> Self {
        Self { auth: Auth::None }
    }

    /// Begins to read the certificates that its calls will trust, where they need any.
    #[napi]
    pub fn prepare(&self, env: Env, environment: Vec<Option<String>>) {
        if self.auth.is_https() {
            runtime::prepare_tls(env, config::tls_environment(environment));
        }
    }

    /// The header's value, where it is ready, for a call whose environment has this
    /// `NODE_TLS_REJECT_UNAUTHORIZED`.
    #[napi]
    pub fn peek(&self, now_ms: f64, reject_unauthorized: Option<String>) -> Option<String> {
        let verifies = tls::verifies(reject_unauthorized.as_deref());
        let now = config::now(now_ms);
        let peek = || self.auth.peek(now, verifies).map(|line| header_value(&line));
        // After a panic the caller goes on to `load`, which meets it again and reports it.
        catch_unwind(AssertUnwindSafe(peek)).ok().flatten()
    }

    /// The header's value, waited for.
    #[napi(ts_return_type = "Promise<string | ErrorRecord> | ErrorRecord")]
    pub fn load<'env>(
        &self,
        env: &'env Env,
        now_ms: f64,
        environment: Vec<Option<String>>,
        part: Option<&mut CallHandle>,
    ) -> napi::Result<Either<Object<'env>, Outcome<String>>> {
        let now = config::now(now_ms);
        let now = part.as_ref().map_or(now, |part| part.begun(now));
        let courier = part.and_then(CallHandle::courier);
        let start = |io: &Io| {
            let io = Io { http: call::through(&io.http, courier), ..io.clone() };
            let headers = self.auth.headers(now, &io);
            async move {
                let lines = headers.await;
                let first = |lines: Vec<HeaderLine>| lines.first().map(header_value);
                let mut outcome = outcome(|| lines.map(|lines| first(lines).unwrap_or_default()));
                if let Either::B(record) = &mut outcome {
                    record.elapsed_since(now);
                }
                outcome
            }
        };
        let refused = |error: &io::Error| Either::B(self.auth.refused(error).into());
        let lost = || Either::B(lost());
        runtime::spawn(env, config::tls_environment(environment), start, lost, refused)
    }
}

fn header_value(line: &HeaderLine) -> String {
    line.value.expose().to_owned()
}

/// `sharedSecretAuth`
#[napi]
pub fn shared_secret(header_name: Unknown<'_>, secret: Unknown<'_>) -> Outcome<AuthHandle> {
    let new = || -> Result<_, ArgumentError> {
        let name = config::string("headerName", header_name)?;
        SharedSecret::new(name, config::string("secret", secret)?.into())
    };
    outcome(|| new().map(|strategy| AuthHandle { auth: Auth::SharedSecret(strategy) }))
}

/// The claims of `signedJwtAuth`, also for issuers of other packages.
#[napi(js_name = "Claims")]
pub struct ClaimsHandle {
    claims: Claims,
}

#[napi]
impl ClaimsHandle {
    /// The strategy that signs them with an issuer of this package.
    #[napi]
    pub fn signed_by(&self, issuer: &AccessTokenIssuerHandle) -> AuthHandle {
        let strategy = SignedJwt::new(issuer.issuer.clone(), self.claims.clone());
        AuthHandle { auth: Auth::SignedJwt(strategy) }
    }

    /// Claims for one token, as JSON.
    #[napi]
    pub fn json(&self) -> Outcome<String> {
        outcome(|| self.claims.json())
    }

    /// The lifetime of the tokens.
    #[napi(getter)]
    pub fn ttl_seconds(&self) -> f64 {
        self.claims.ttl_seconds()
    }
}

/// The claims of `signedJwtAuth(issuer, audience, ttlSeconds)`; the audience as JSON too.
#[napi]
pub fn signed_jwt(
    issuer_has_sign: bool,
    audience: Unknown<'_>,
    audience_json: Option<String>,
    ttl_seconds: Unknown<'_>,
) -> Outcome<ClaimsHandle> {
    let new = || -> Result<_, ArgumentError> {
        if !issuer_has_sign {
            return Err(ArgumentError::of_type("issuer", "must have a method sign"));
        }
        config::string("audience", audience)?;
        let ttl = config::unless_undefined(ttl_seconds);
        let ttl = ttl.map(|ttl| config::number("ttlSeconds", ttl)).transpose()?;
        Claims::new(audience_json.unwrap_or_default(), ttl)
    };
    outcome(|| new().map(|claims| ClaimsHandle { claims }))
}

/// `Bearer …` with the token that an issuer of another package gave.
#[napi]
pub fn bearer(token: Unknown<'_>) -> Outcome<String> {
    outcome(|| signed_jwt::bearer(&config::string("token of issuer.sign", token)?))
}

/// `oauthClientCredentialsAuth`
#[napi]
pub fn client_credentials(
    token_url: Unknown<'_>,
    client_id: Unknown<'_>,
    client_secret: Unknown<'_>,
    scopes: Unknown<'_>,
    audience: Unknown<'_>,
) -> Outcome<AuthHandle> {
    let new = || -> Result<_, ArgumentError> {
        ClientCredentials::new(&client_credentials::Config {
            token_url: config::string("tokenUrl", token_url)?,
            client_id: config::string("clientId", client_id)?,
            client_secret: config::string("clientSecret", client_secret)?.into(),
            scopes: config::strings("scopes", scopes)?,
            audience: config::optional_string("audience", audience)?,
        })
    };
    outcome(|| new().map(|strategy| AuthHandle { auth: Auth::ClientCredentials(strategy) }))
}
