//! Handles of the strategies.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use napi::{
    Env,
    bindgen_prelude::{Either, Function, Object, Unknown},
};
use napi_derive::napi;

use super::{
    access_token_issuer::AccessTokenIssuerHandle,
    config::{self, Fields},
    outcome::{Outcome, lost, outcome},
    runtime,
    text::Text,
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
    pub fn prepare(&self, env: Env, environment: Option<Vec<Option<String>>>) {
        if self.auth.is_https() {
            runtime::prepare_tls(env, config::tls_environment(environment));
        }
    }

    /// A function that gives the header's value where it is ready, for a call whose environment has
    /// this `NODE_TLS_REJECT_UNAUTHORIZED`. It knows its strategy, so that no call has to find out
    /// whether its receiver is one.
    #[napi(
        getter,
        ts_return_type = "(nowMs: number, rejectUnauthorized?: string) => string | null"
    )]
    pub fn peek<'env>(&self, env: &'env Env) -> napi::Result<Peek<'env>> {
        let auth = self.auth.clone();
        env.create_function_from_closure("peek", move |call| {
            let now = config::now(call.get(0)?);
            let reject_unauthorized: Option<String> =
                if call.length() > 1 { call.get(1)? } else { None };
            let verifies = tls::verifies(reject_unauthorized.as_deref());
            let peek = || auth.peek(now, verifies).map(|line| Text::from(line.value));
            // After a panic the caller goes on to `load`, which meets it again and reports it.
            Ok(catch_unwind(AssertUnwindSafe(peek)).ok().flatten())
        })
    }

    /// The header's value, waited for.
    #[napi(ts_return_type = "Promise<string | ErrorRecord> | ErrorRecord")]
    pub fn load<'env>(
        &self,
        env: &'env Env,
        now_ms: f64,
        environment: Option<Vec<Option<String>>>,
    ) -> napi::Result<Either<Object<'env>, Outcome<Text>>> {
        let now = config::now(now_ms);
        let start = |io: &Io| {
            let headers = self.auth.headers(now, io);
            Box::pin(async {
                let lines = headers.await;
                let first =
                    |lines: Vec<HeaderLine>| lines.into_iter().next().map(|line| line.value);
                outcome(|| {
                    lines.map(|lines| {
                        first(lines).map_or_else(|| Text::from(String::new()), Text::from)
                    })
                })
            }) as runtime::Call
        };
        let refused = |error: &io::Error| Either::B(self.auth.refused(error).into());
        let lost = || Either::B(lost());
        runtime::spawn(env, config::tls_environment(environment), start, lost, refused)
    }
}

type Peek<'env> = Function<'env, (f64, Option<String>), Option<Text>>;

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
pub fn client_credentials(config: Object<'_>) -> Outcome<AuthHandle> {
    let new = || -> Result<_, ArgumentError> {
        let fields = Fields::new(config);
        ClientCredentials::new(&client_credentials::Config {
            token_url: fields.read("tokenUrl", config::string)?,
            client_id: fields.read("clientId", config::string)?,
            client_secret: fields.read("clientSecret", config::string)?.into(),
            scopes: fields.read("scopes", config::strings)?,
            audience: fields.read("audience", config::optional_string)?,
        })
    };
    outcome(|| new().map(|strategy| AuthHandle { auth: Auth::ClientCredentials(strategy) }))
}
