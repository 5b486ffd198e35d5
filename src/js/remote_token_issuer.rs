//! The handle of a remote issuer.
#![expect(clippy::too_many_arguments, reason = "an object of them costs more")]

use std::{io, pin::pin};

use napi::{
    Env,
    bindgen_prelude::{Either, Object},
};
use napi_derive::napi;
use tokio::select;

use super::{
    auth::AuthHandle,
    call::{self, CallHandle},
    config::{self, Fields},
    errands::{self, Settled},
    given::GivenHandle,
    outcome::{ErrorRecord, Outcome, outcome},
    own_tls::{self, own_tls},
    runtime,
    text::Text,
};
use crate::{
    auth::{Auth, Io},
    error::ArgumentError,
    remote_token_issuer::{
        Call, CallAuth, Config, IssueError, RemoteTokenIssuer, internal_error, unsendable,
    },
    secret::Secret,
};

/// A remote issuer.
#[napi(js_name = "RemoteIssuer")]
pub struct RemoteIssuerHandle {
    issuer: RemoteTokenIssuer,
    /// `None` where the caller's `auth` is asked at each call.
    auth: Option<Auth>,
}

/// `createRemoteTokenIssuer`
#[napi]
pub fn remote_token_issuer(config: Object<'_>, now_ms: f64) -> Outcome<RemoteIssuerHandle> {
    outcome(|| {
        let fields = Fields::new(config);
        let issuer = RemoteTokenIssuer::new(&Config {
            url: fields.read("url", config::string)?,
            timeout_ms: fields.read("timeoutMs", config::timeout)?,
            idempotency_key: !config::is_false(fields.get("idempotencyKey")?),
            tls: own_tls(&fields, config::now(now_ms))?,
        })?;
        let auth = fields.get("auth")?;
        let auth = if config::is_truthy(auth) {
            config::function("auth", auth)?;
            None
        } else {
            let secret = fields.read("secret", config::truthy_string)?;
            let name = fields.read("headerName", config::truthy_string)?;
            Some(Auth::legacy(secret.map(Secret::from), name)?)
        };
        Ok::<_, ArgumentError>(RemoteIssuerHandle { issuer, auth })
    })
}

#[napi]
impl RemoteIssuerHandle {
    /// True where the caller's `auth` is asked at each call.
    #[napi(getter)]
    pub fn asks(&self) -> bool {
        self.auth.is_none()
    }

    /// Begins to read the certificates that its calls will trust, where they need any.
    #[napi]
    pub fn prepare(&self, env: Env, environment: Option<Vec<Option<String>>>) {
        if self.issuer.is_https() {
            runtime::prepare_tls(env, config::tls_environment(environment));
        }
    }

    /// The `tls` option as it is now. Where it cannot be used, what was used before stays.
    #[napi]
    pub fn set_tls(&mut self, tls: Object<'_>, now_ms: f64) -> Outcome<()> {
        outcome(|| {
            let tls = own_tls::parsed(tls, config::now(now_ms))?;
            self.issuer = self.issuer.with_tls(Some(tls));
            Ok::<_, ArgumentError>(())
        })
    }

    /// Issues: the JSON of `{ token, tokenType }`. `body` is `JSON.stringify(params)`. Where
    /// `strategy` cannot be asked here, it is what `given` comes from.
    #[napi(ts_return_type = "Promise<string | ErrorRecord | Errands> | ErrorRecord")]
    pub fn issue<'env>(
        &self,
        env: &'env Env,
        strategy: Option<&AuthHandle>,
        given: Option<&mut GivenHandle>,
        body: Option<String>,
        now_ms: f64,
        environment: Option<Vec<Option<String>>>,
        part: Option<&CallHandle>,
    ) -> napi::Result<Either<Object<'env>, Settled>> {
        let sends = part.is_some_and(CallHandle::sends);
        let now = config::now(now_ms);
        let now = part.map_or(now, |part| part.begun(now));
        let token = part.and_then(|part| part.along_with_token(now));
        let along = part.and_then(|part| part.along(now));
        let auth = strategy.map(|strategy| &strategy.auth).or(self.auth.as_ref());
        let has_errands = sends || auth.is_some_and(|auth| given.is_some() || auth.has_errands());
        let auth = match (given, auth) {
            (Some(given), None) => CallAuth::Given(given.wait()),
            (Some(given), Some(auth)) => CallAuth::Asked(given.wait(), auth.clone()),
            (None, auth) => CallAuth::Strategy(auth.cloned().unwrap_or(Auth::None)),
        };
        let stopped = part.map(CallHandle::stopped);
        let start = |io: &Io| {
            let courier = sends.then(|| io.errands.courier());
            let call = Call { body, auth, now, courier, along };
            let io = Io { http: io.http.for_call(None, token), ..io.clone() };
            let begun = self.issuer.begin(call, &io);
            let issue = async move || {
                let mut issued = pin!(begun.issue());
                let result = match stopped {
                    None => issued.await,
                    Some(stopped) => select! {
                        biased;
                        result = &mut issued => result,
                        () = stopped => return Either::B(call::stopped()),
                    },
                };
                let mut outcome = outcome(|| result.map(Text::from));
                if let Either::B(record) = &mut outcome {
                    record.elapsed_since(now);
                }
                outcome
            };
            move || Box::pin(issue()) as runtime::Call<_>
        };
        let lost = || Settled::B(internal_error().into());
        let refused = |error: &io::Error| Settled::B(self.issuer.refused(error).into());
        errands::spawn(env, has_errands, environment, start, lost, refused)
    }
}

/// That `params` cannot be sent, as an error: `JSON.stringify` threw.
#[napi(js_name = "unsendable")]
pub fn unsendable_params() -> ErrorRecord {
    unsendable().into()
}

impl From<IssueError> for ErrorRecord {
    fn from(error: IssueError) -> Self {
        match error {
            IssueError::Key0(error) => error.into(),
            IssueError::CallersOwn => Self { error: "CallersOwn", ..Self::default() },
        }
    }
}
