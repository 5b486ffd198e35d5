//! The handle of a remote issuer.
#![expect(clippy::too_many_arguments, reason = "an object of them costs more")]

use std::{cell::RefCell, io, pin::pin, rc::Rc};

use napi::{
    Env, JsValue as _,
    bindgen_prelude::{ClassInstance, Either, Function, Object},
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
    text::{self, Text},
};
use crate::{
    auth::{Auth, Io},
    error::ArgumentError,
    now::Now,
    remote_token_issuer::{
        Call, CallAuth, Config, IssueError, RemoteTokenIssuer, internal_error, unsendable,
    },
    secret::Secret,
};

/// A remote issuer.
#[napi(js_name = "RemoteIssuer")]
pub struct RemoteIssuerHandle {
    issuer: Rc<RefCell<RemoteTokenIssuer>>,
    /// `None` where the caller's `auth` is asked at each call.
    auth: Option<Rc<RefCell<Auth>>>,
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
        let auth = auth.map(|auth| Rc::new(RefCell::new(auth)));
        Ok::<_, ArgumentError>(RemoteIssuerHandle { issuer: Rc::new(RefCell::new(issuer)), auth })
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
        if self.issuer.borrow().is_https() {
            runtime::prepare_tls(env, config::tls_environment(environment));
        }
    }

    /// The `tls` option as it is now. Where it cannot be used, what was used before stays.
    #[napi]
    pub fn set_tls(&self, tls: Object<'_>, now_ms: f64) -> Outcome<()> {
        outcome(|| {
            let tls = own_tls::parsed(tls, config::now(now_ms))?;
            let issuer = self.issuer.borrow().with_tls(Some(tls));
            self.issuer.replace(issuer);
            Ok::<_, ArgumentError>(())
        })
    }

    /// A function that issues with the headers of `strategy`: it gives the JSON of `{ token,
    /// tokenType }`. It knows both, so that no call has to find out what they are. `body` is
    /// `JSON.stringify(params)`. Where `strategy` cannot be asked here, it is what `given` comes from.
    #[napi(
        ts_return_type = "(body: string | undefined, nowMs: number, environment: Array<string | undefined> | undefined, part: Call | undefined, given?: Given) => Promise<string | ErrorRecord | Errands> | ErrorRecord"
    )]
    pub fn issue<'env>(
        &self,
        env: &'env Env,
        strategy: Option<&AuthHandle>,
    ) -> napi::Result<Function<'env, Arguments, Promised>> {
        let issuer = self.issuer.clone();
        let auth = strategy.map(|strategy| strategy.auth.clone()).or_else(|| self.auth.clone());
        env.create_function_from_closure("issue", move |call| {
            // The shell gives a string or nothing.
            let body = text::read(call.get(0)?);
            let now = config::now(call.get(1)?);
            let environment = call.get(2)?;
            let part: Option<ClassInstance<'_, CallHandle>> = call.get(3)?;
            let given: Option<ClassInstance<'_, GivenHandle>> =
                if call.length() > 4 { call.get(4)? } else { None };
            issue(call.env, &issuer, auth.as_deref(), given, body, now, environment, part)
        })
    }
}

type Arguments = (String, f64, Option<Vec<Option<String>>>);
/// What the call returns at once. A closure has no name for how long that lives.
type Promised = Either<Object<'static>, Settled>;

/// One call of that function.
fn issue(
    env: &Env,
    issuer: &RefCell<RemoteTokenIssuer>,
    auth: Option<&RefCell<Auth>>,
    given: Option<ClassInstance<'_, GivenHandle>>,
    body: Option<String>,
    now: Now,
    environment: Option<Vec<Option<String>>>,
    part: Option<ClassInstance<'_, CallHandle>>,
) -> napi::Result<Promised> {
    let part = part.as_deref();
    let sends = part.is_some_and(CallHandle::sends);
    let now = part.map_or(now, |part| part.begun(now));
    let token = part.and_then(|part| part.along_with_token(now));
    let along = part.and_then(|part| part.along(now));
    let waits = given.is_some();
    let has_errands = sends || auth.is_some_and(|auth| waits || auth.borrow().has_errands());
    let stopped = part.map(CallHandle::stopped);
    let start = |io: &Io| {
        let auth = auth.map(RefCell::borrow);
        let auth = match (given, auth.as_deref()) {
            (Some(mut given), None) => CallAuth::Given(given.wait()),
            (Some(mut given), Some(auth)) => CallAuth::Asked(given.wait(), auth.clone()),
            (None, auth) => CallAuth::Strategy(auth.cloned().unwrap_or(Auth::None)),
        };
        let courier = sends.then(|| io.errands.courier());
        let call = Call { body, auth, now, courier, along };
        let begun = match token {
            None => issuer.borrow().begin(call, io),
            token => {
                let io = Io { http: io.http.for_call(None, token), ..io.clone() };
                issuer.borrow().begin(call, &io)
            }
        };
        let issue = async move || {
            let mut issuing = pin!(begun.issue());
            let result = match stopped {
                None => issuing.await,
                Some(stopped) => select! {
                    biased;
                    result = &mut issuing => result,
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
    let refused = |error: &io::Error| Settled::B(issuer.borrow().refused(error).into());
    let promised = errands::spawn(env, has_errands, environment, start, lost, refused)?;
    Ok(match promised {
        Either::A(promise) => Either::A(Object::from_raw(env.raw(), promise.raw())),
        Either::B(settled) => Either::B(settled),
    })
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
