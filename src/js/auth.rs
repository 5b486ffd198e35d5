//! Handles of the strategies.

use std::{
    cell::RefCell,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::atomic::{AtomicBool, Ordering},
};

use napi::{
    Env,
    bindgen_prelude::{Either, Function, Object, Unknown},
};
use napi_derive::napi;

use super::{
    access_token_issuer::AccessTokenIssuerHandle,
    call::CallHandle,
    config::{self, Fields},
    errands::{self, Settled},
    outcome::{ErrorRecord, Outcome, lost, outcome},
    own_tls::{self, own_tls},
    runtime, settle,
    text::Text,
};
use crate::{
    auth::{
        Auth, ClientCredentials, Io, SharedSecret, SignedJwt,
        client_credentials::{
            self, GrantType, Method, Policy,
            config::{Authentication, Dialect},
            policy::{CoolDown, RefreshAhead, Retry, Store},
        },
        shared_secret,
        signed_jwt::{self, Claims},
    },
    error::ArgumentError,
    http::{headers::HeaderLine, tls},
    secret::Secret,
};

/// A process is told once that a secret is empty.
static EMPTY_SECRET_TOLD: AtomicBool = AtomicBool::new(false);

/// A strategy.
#[napi(js_name = "Auth")]
pub struct AuthHandle {
    /// Issuers that have it see what becomes of it.
    pub(super) auth: Rc<RefCell<Auth>>,
}

impl From<Auth> for AuthHandle {
    fn from(auth: Auth) -> Self {
        Self { auth: Rc::new(RefCell::new(auth)) }
    }
}

#[napi]
impl AuthHandle {
    /// `noAuth`
    #[napi(factory)]
    pub fn none() -> Self {
        Auth::None.into()
    }

    /// Begins to read the certificates that its calls will trust, where they need any.
    #[napi]
    pub fn prepare(&self, env: Env, environment: Option<Vec<Option<String>>>) {
        if self.auth.borrow().is_https() {
            runtime::prepare_tls(env, config::tls_environment(environment));
        }
    }

    /// The `tls` option as it is now. Where it cannot be used, what was used before stays.
    #[napi]
    pub fn set_tls(&self, tls: Object<'_>, now_ms: f64) -> Outcome<()> {
        outcome(|| {
            let tls = own_tls::parsed(tls, config::now(now_ms))?;
            if let Auth::ClientCredentials(strategy) = &mut *self.auth.borrow_mut() {
                strategy.set_tls(Some(tls))?;
            }
            Ok::<_, ArgumentError>(())
        })
    }

    /// A function that gives the header's value where it is ready, for a call whose environment has
    /// this `NODE_TLS_REJECT_UNAUTHORIZED`. It knows its strategy, so that no call has to find out
    /// whether its receiver is one.
    #[napi(
        getter,
        ts_return_type = "(nowMs: number, rejectUnauthorized?: string) => string | null"
    )]
    pub fn peek<'env>(&self, env: &'env Env) -> napi::Result<Peek<'env>> {
        let auth = self.auth.borrow().clone();
        env.create_function_from_closure("peek", move |call| {
            let now = config::now(call.get(0)?);
            let reject_unauthorized: Option<String> =
                if call.length() > 1 { call.get(1)? } else { None };
            let verifies = tls::verifies(reject_unauthorized.as_deref());
            let peek = || auth.peek(now, verifies).map(Text::from);
            // After a panic the caller goes on to `load`, which meets it again and reports it.
            Ok(catch_unwind(AssertUnwindSafe(peek)).ok().flatten())
        })
    }

    /// Forgets the token: only the one that goes out as `authorization`, where that is a string.
    #[napi]
    pub fn invalidate(&self, authorization: Unknown<'_>) {
        let rejected = config::secret_if_string(authorization);
        self.auth.borrow().invalidate(rejected.as_ref().map(Secret::expose));
    }

    /// The header's value, waited for.
    #[napi(ts_return_type = "Promise<string | ErrorRecord | Errands> | ErrorRecord")]
    pub fn load<'env>(
        &self,
        env: &'env Env,
        now_ms: f64,
        environment: Option<Vec<Option<String>>>,
        part: Option<&CallHandle>,
    ) -> napi::Result<Either<Object<'env>, Settled>> {
        let now = config::now(now_ms);
        let job = self.auth.borrow().job(now);
        if let Some(sign) = job {
            // Its promise is settled by the thread that signs.
            let job = move || outcome(|| sign().map(Text::from));
            return Ok(match runtime::spawn_signing(env, job, || Either::B(lost()))? {
                Either::A(promise) => Either::A(promise),
                Either::B(record) => Either::B(Settled::B(record)),
            });
        }
        let now = part.map_or(now, |part| part.begun(now));
        let sends = part.is_some_and(CallHandle::sends);
        let along = part.and_then(|part| part.along(now));
        let start = |io: &Io| {
            let courier = sends.then(|| io.errands.courier());
            let io = Io { http: io.http.for_call(courier, along), ..io.clone() };
            let headers = self.auth.borrow().headers(now, &io);
            let wait = async move || {
                let lines = headers.await;
                let first =
                    |lines: Vec<HeaderLine>| lines.into_iter().next().map(|line| line.value);
                let mut outcome = outcome(|| {
                    lines.map(|lines| {
                        first(lines).map_or_else(|| Text::from(String::new()), Text::from)
                    })
                });
                if let Either::B(record) = &mut outcome {
                    record.elapsed_since(now);
                }
                outcome
            };
            move || Box::pin(wait()) as runtime::Call<_>
        };
        let refused = |error: &io::Error| Settled::B(self.auth.borrow().refused(error).into());
        let lost = || Settled::B(lost());
        let has_errands = sends || self.auth.borrow().has_errands();
        errands::spawn(env, has_errands, environment, start, lost, refused)
    }
}

type Peek<'env> = Function<'env, (f64, Option<String>), Option<Text>>;

/// `sharedSecretAuth`
#[napi]
pub fn shared_secret(
    env: Env,
    header_name: Unknown<'_>,
    secret: Unknown<'_>,
) -> Outcome<AuthHandle> {
    let new = || -> Result<_, ArgumentError> {
        let name = config::string("headerName", header_name)?;
        let strategy = SharedSecret::new(name, config::string("secret", secret)?.into())?;
        if let Some(warning) = strategy.warning()
            && !EMPTY_SECRET_TOLD.swap(true, Ordering::Relaxed)
        {
            settle::warn(env, warning);
        }
        Ok(Auth::SharedSecret(strategy).into())
    };
    outcome(new)
}

/// That the function which stands for a shared secret threw, as an error.
#[napi]
pub fn secret_not_had() -> ErrorRecord {
    shared_secret::secret_not_had().into()
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
        Auth::SignedJwt(strategy).into()
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
pub fn client_credentials(config: Object<'_>, now_ms: f64) -> Outcome<AuthHandle> {
    let new = || -> Result<_, ArgumentError> {
        let fields = Fields::new(config);
        let token_url = fields.read("tokenUrl", config::string)?;
        let client_id = fields.read("clientId", config::string)?;
        let (authentication, asks) = authentication(&fields)?;
        let config = client_credentials::Config {
            token_url,
            client_id,
            authentication,
            scopes: fields.read("scopes", config::strings)?,
            audience: fields.read("audience", config::optional_string)?,
            resource: fields.read("resource", config::one_or_more)?,
            extra_params: fields
                .read("extraParams", config::pairs)?
                .into_iter()
                .map(|(name, value)| (name, value.into()))
                .collect(),
            headers: fields
                .read("headers", config::pairs)?
                .into_iter()
                .map(|(name, value)| HeaderLine { name, value: value.into() })
                .collect(),
            dialect: Dialect {
                default_lifetime: fields
                    .read("defaultExpiresInSeconds", config::optional_number)?,
                expiry_buffer: fields.read("expiryBufferSeconds", config::optional_number)?,
                bearer_only: Dialect::bearer_only(
                    fields.read("tokenType", config::optional_string)?.as_deref(),
                )?,
            },
            tls: own_tls(&fields, config::now(now_ms))?,
        };
        ClientCredentials::governed(config, policy(&fields, asks)?)
    };
    outcome(|| new().map(|strategy| Auth::ClientCredentials(strategy).into()))
}

/// `clientAuthentication` and what belongs to it, and the field that a function stands for.
/// Options of another method are not read.
fn authentication(
    fields: &Fields<'_>,
) -> Result<(Authentication, Option<&'static str>), ArgumentError> {
    let name = fields.read("clientAuthentication", config::optional_string)?;
    let method = Method::named(name.as_deref())?;
    let field = match method {
        _ if method.needs_secret() => Some("clientSecret"),
        _ if method.needs_private_key() => Some("privateKey"),
        _ => None,
    };
    let is_function = |field: &&'static str| {
        fields.get(field).is_ok_and(|value| config::function(field, value).is_ok())
    };
    let asks = field.filter(is_function);
    let secret = |field, is_needed: bool| {
        let is_given = is_needed && asks.is_none();
        let value = is_given.then(|| fields.read(field, config::string)).transpose()?;
        Ok::<_, ArgumentError>(value.map(Secret::from))
    };
    let optional = |field| match method {
        Method::SecretJwt | Method::PrivateKeyJwt => fields.read(field, config::optional_string),
        _ => Ok(None),
    };
    let authentication = Authentication {
        method,
        client_secret: secret("clientSecret", method.needs_secret())?,
        private_key: secret("privateKey", method.needs_private_key())?,
        algorithm: optional("algorithm")?,
        kid: optional("kid")?,
        certificate: optional("certificate")?,
        assertion_audience: optional("assertionAudience")?,
        grant_type: GrantType::named(
            fields.read("grantType", config::optional_string)?.as_deref(),
            method,
        )?,
        subject: optional("subject")?,
    };
    Ok((authentication, asks))
}

/// When tokens are asked for, and of whom. The shell has made `cache` a list of
/// its methods.
fn policy(fields: &Fields<'_>, asks: Option<&'static str>) -> Result<Policy, ArgumentError> {
    let number = |field| fields.read(field, config::optional_number);
    let retry = fields.read("retry", config::optional_object)?.map(|_| {
        let [attempts, least, most] = RETRY.map(number);
        Retry::new(attempts?, least?, most?)
    });
    let refresh_ahead = number("refreshAhead")?.map(RefreshAhead::new);
    let cool_down = number("coolDownMs")?.map(CoolDown::new);
    let store = config::unless_undefined(fields.get("cache")?).map(|methods| {
        let methods = config::strings("cache", methods)?;
        let has = |wanted: [&str; 2]| wanted.iter().all(|name| methods.iter().any(|it| it == name));
        if !has(["get", "set"]) {
            return Err(ArgumentError::of_type("cache", "must have the methods get and set"));
        }
        Ok(Store { locks: has(["lock", "unlock"]) })
    });
    Ok(Policy {
        asks,
        retry: retry.transpose()?,
        refresh_ahead: refresh_ahead.transpose()?,
        cool_down: cool_down.transpose()?.flatten(),
        store: store.transpose()?,
    })
}

/// As the shell names them.
const RETRY: [&str; 3] = ["retry.attempts", "retry.minDelayMs", "retry.maxDelayMs"];
