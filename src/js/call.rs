//! A call that JavaScript has a part in: it sends the requests, or may stop the call.

use std::{
    future::pending,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use napi::{
    Env, ValueType,
    bindgen_prelude::{Either, Object, Uint8Array, Unknown},
};
use napi_derive::napi;
use tokio::sync::{Mutex as AsyncMutex, oneshot};

use super::{
    config,
    outcome::{ErrorRecord, Outcome},
    runtime, steps,
};
use crate::{
    auth::Io,
    http::{
        Client,
        along::{Along, Step, Tell, What},
        courier::{AnswerHead, Courier, Errand, Errands, Thwarted, courier},
        headers::HeaderLine,
    },
    lock::lock,
    now::Now,
};

/// What JavaScript does in a call.
#[napi(js_name = "Call")]
pub struct CallHandle {
    courier: Option<Courier>,
    errands: Option<Arc<AsyncMutex<Errands>>>,
    /// The request that waits for its answer.
    errand: Arc<Mutex<Option<Errand>>>,
    stop: Option<oneshot::Sender<()>>,
    stopped: Option<oneshot::Receiver<()>>,
    elapsed: Duration,
    headers: Option<Vec<HeaderLine>>,
    traced: usize,
    along: Option<Along>,
    /// Who is told of its steps as they happen.
    tell: Option<Tell>,
}

/// A request for JavaScript to send.
#[napi(object, object_from_js = false)]
pub struct RequestRecord {
    /// `POST` or `GET`.
    pub method: String,
    /// Where to, without credentials.
    pub url: String,
    /// Names and values in turn.
    pub headers: Vec<String>,
    /// Empty for none.
    pub body: String,
}

/// The head of an answer.
#[napi(object, object_to_js = false)]
pub struct HeadRecord {
    /// The status code, as `fetch` gave it.
    pub status: u32,
    /// The value of `Location`, if any.
    pub location: Option<String>,
    /// The value of `Content-Type`, empty for none.
    pub content_type: String,
    /// The value of `Retry-After`, if any.
    pub retry_after: Option<String>,
}

/// What a `fetch` rejected with.
#[napi(object, object_to_js = false)]
pub struct ThwartedRecord {
    /// Whether the function is the caller's.
    pub is_callers: bool,
    /// The error's `name`.
    pub name: String,
    /// The error's `message`.
    pub message: String,
    /// The message of its cause.
    pub detail: String,
    /// Of it or its cause.
    pub code: Option<String>,
    /// As Node's errors have it.
    pub syscall: Option<String>,
    /// As Node's errors have it.
    pub hostname: Option<String>,
    /// As Node's errors have it.
    pub address: Option<String>,
    /// As Node's errors have it.
    pub port: Option<u32>,
    /// Whether a head had come.
    pub has_answer: bool,
}

/// What was done.
#[napi(object, object_from_js = false)]
pub struct StepRecord {
    /// How long after the call's beginning, in milliseconds.
    pub after_ms: f64,
    /// With whom.
    pub origin: String,
    /// What, in words.
    pub what: String,
    /// Of an answer.
    pub status: Option<u16>,
}

#[napi]
impl CallHandle {
    /// `sends`: JavaScript sends the requests. `elapsedMs` is how much of the call's time is over.
    /// `headers` are names and values in turn, for requests that have none of that name; the last
    /// `traced` of the headers go along with the token request of an issue, too. With a `kind` whoever
    /// listens is told of its steps as they happen.
    #[napi(constructor)]
    pub fn new(
        sends: bool,
        elapsed_ms: f64,
        headers: Option<Vec<String>>,
        traced: Option<u32>,
        kind: Option<String>,
    ) -> Self {
        let (courier, errands) = sends.then(courier).unzip();
        let (stop, stopped) = oneshot::channel();
        let errands = errands.map(|errands| Arc::new(AsyncMutex::new(errands)));
        let elapsed = Duration::try_from_secs_f64(elapsed_ms / 1000.0).unwrap_or_default();
        let (stop, stopped) = (Some(stop), Some(stopped));
        let headers = headers.map(|flat| {
            let line = |line: &[String]| HeaderLine {
                name: line[0].clone(),
                value: line[1].clone().into(),
            };
            flat.chunks_exact(2).map(line).collect()
        });
        let traced = traced.and_then(|traced| usize::try_from(traced).ok()).unwrap_or_default();
        let (errand, along) = (Arc::default(), None);
        let tell = kind.and_then(steps::tell);
        Self { courier, errands, errand, stop, stopped, elapsed, headers, traced, along, tell }
    }

    /// Waits for the next request: an empty text tells that the call is over.
    #[napi(ts_return_type = "Promise<string | ErrorRecord> | ErrorRecord | string")]
    pub fn next<'env>(
        &self,
        env: &'env Env,
        environment: Option<Vec<Option<String>>>,
    ) -> napi::Result<Either<Object<'env>, Outcome<String>>> {
        let Some(errands) = self.errands.clone() else { return Ok(Either::B(over())) };
        let slot = self.errand.clone();
        let start = |_: &Io| {
            Box::pin(async move {
                let Some(errand) = errands.lock().await.recv().await else { return over() };
                let url = errand.url().to_owned();
                *lock(&slot) = Some(errand);
                Either::A(url)
            }) as runtime::Call<_>
        };
        let refused = |_: &io::Error| over();
        runtime::spawn(env, config::tls_environment(environment), start, over, refused)
    }

    /// The request that `next` told of.
    #[napi]
    pub fn request(&self) -> Option<RequestRecord> {
        lock(&self.errand).as_ref().map(|errand| RequestRecord {
            method: errand.method().to_owned(),
            url: errand.url().to_owned(),
            headers: errand.headers(),
            body: String::from_utf8_lossy(errand.body()).into_owned(),
        })
    }

    /// The answer to the last request, as far as it came.
    #[napi]
    pub fn answered(&self, head: HeadRecord, body: Uint8Array, broken: Option<ThwartedRecord>) {
        let HeadRecord { status, location, content_type, retry_after } = head;
        let head = AnswerHead { status: code(status), location, content_type, retry_after };
        if let Some(errand) = lock(&self.errand).take() {
            let broken = broken.map(Thwarted::from);
            errand.answered(head, body.to_vec(), broken);
        }
    }

    /// Why there is no answer to the last request.
    #[napi]
    pub fn thwarted(&self, thwarted: ThwartedRecord) {
        if let Some(errand) = lock(&self.errand).take() {
            errand.thwarted(thwarted.into());
        }
    }

    /// What was done until now, a line a step, where the call was given headers.
    #[napi]
    pub fn steps(&self) -> Vec<StepRecord> {
        let steps = self.along.as_ref().map(Along::steps).unwrap_or_default();
        steps.iter().map(StepRecord::from).collect()
    }

    /// Ends the call.
    #[napi]
    pub fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl CallHandle {
    /// Who sends the call's requests, where JavaScript does. Dropped with the call, it ends `next`.
    pub(super) fn courier(&mut self) -> Option<Courier> {
        self.courier.take()
    }

    /// What goes along with the token request of an issue.
    pub(super) fn along_with_token(&self, now: Now) -> Option<Along> {
        let headers = self.headers.as_ref()?;
        let traced = headers.get(headers.len().checked_sub(self.traced)?..)?;
        (!traced.is_empty()).then(|| Along::new(now.mono, traced, None))
    }

    /// What goes along with the requests of a call that is watched.
    pub(super) fn along(&mut self, now: Now) -> Option<Along> {
        let headers = self.headers.take()?;
        self.along = Some(Along::new(now.mono, &headers, self.tell.take()));
        self.along.clone()
    }

    /// Settles when the call is to end.
    pub(super) fn stopped(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let stopped = self.stopped.take();
        async move {
            let is_stopped = match stopped {
                Some(stopped) => stopped.await.is_ok(),
                None => false,
            };
            // Its sender dropped, nobody can stop the call any more.
            if !is_stopped {
                pending::<()>().await;
            }
        }
    }

    /// The moment at which the call began.
    pub(super) fn begun(&self, now: Now) -> Now {
        Now { mono: now.mono.checked_sub(self.elapsed).unwrap_or(now.mono), ..now }
    }
}

/// `http`, through whom the call's requests go where JavaScript sends them, with what goes along.
pub(super) fn through(http: &Client, courier: Option<Courier>, along: Option<Along>) -> Client {
    let http = courier.map_or_else(|| http.clone(), |courier| http.through(courier));
    match along {
        Some(along) => http.with(along),
        None => http,
    }
}

/// The record of a call that was stopped: the shell knows why.
pub(super) fn stopped() -> ErrorRecord {
    ErrorRecord { error: "CallersOwn", ..ErrorRecord::default() }
}

impl From<&Step> for StepRecord {
    fn from(Step { after, origin, what }: &Step) -> Self {
        let status = match what {
            What::Answered(status) => Some(*status),
            _ => None,
        };
        let what = what.to_string();
        Self { after_ms: after.as_secs_f64() * 1000.0, origin: origin.to_string(), what, status }
    }
}

impl From<ThwartedRecord> for Thwarted {
    fn from(record: ThwartedRecord) -> Self {
        let ThwartedRecord { is_callers, name, message, detail, code, .. } = record;
        let ThwartedRecord { syscall, hostname, address, port, has_answer, .. } = record;
        Self {
            is_callers,
            name,
            message,
            detail,
            code,
            syscall,
            hostname,
            address,
            port: port.and_then(|port| port.try_into().ok()),
            has_answer,
        }
    }
}

/// What a caller gave for `fetch`: a function, `false` or nothing.
#[napi]
pub fn check_fetch(fetch: Unknown<'_>) -> Option<ErrorRecord> {
    if matches!(config::kind(fetch), ValueType::Undefined | ValueType::Null)
        || config::is_false(fetch)
    {
        return None;
    }
    config::function("fetch", fetch).err().map(ErrorRecord::from)
}

/// How many bytes to read of the body of an answer with this head, and one more.
#[napi]
pub fn most_to_read(head: HeadRecord) -> u32 {
    let limit = Errand::limit(code(head.status), head.location.as_deref());
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// A status that is none is that of no answer.
fn code(status: u32) -> u16 {
    u16::try_from(status).unwrap_or_default()
}

/// What `next` tells once there are no more requests.
fn over() -> Outcome<String> {
    Either::A(String::new())
}
