//! A call that JavaScript has a part in: it sends the requests, or may stop the call.

use std::{
    cell::{Cell, OnceCell},
    future::pending,
    time::Duration,
};

use napi_derive::napi;
use tokio::sync::oneshot;

use super::{
    outcome::ErrorRecord,
    steps::{self, StepRecord},
};
use crate::{
    http::{
        along::{Along, Tell},
        headers::HeaderLine,
    },
    now::Now,
};

/// What JavaScript does in a call. It may do so while the call begins, as a hook of `async_hooks`
/// can: nothing borrows this mutably.
#[napi(js_name = "Call")]
pub struct CallHandle {
    sends: bool,
    stop: Cell<Option<oneshot::Sender<()>>>,
    stopped: Cell<Option<oneshot::Receiver<()>>>,
    elapsed: Duration,
    headers: Option<Vec<HeaderLine>>,
    traced: usize,
    along: OnceCell<Along>,
    /// Who is told of its steps as they happen.
    tell: Cell<Option<Tell>>,
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
        let (stop, stopped) = oneshot::channel();
        let elapsed = Duration::try_from_secs_f64(elapsed_ms / 1000.0).unwrap_or_default();
        let (stop, stopped) = (Cell::new(Some(stop)), Cell::new(Some(stopped)));
        let headers = headers.map(|flat| {
            let line = |line: &[String]| HeaderLine {
                name: line[0].clone(),
                value: line[1].clone().into(),
            };
            flat.chunks_exact(2).map(line).collect()
        });
        let traced = traced.and_then(|traced| usize::try_from(traced).ok()).unwrap_or_default();
        let (along, tell) = (OnceCell::new(), Cell::new(kind.and_then(steps::tell)));
        Self { sends, stop, stopped, elapsed, headers, traced, along, tell }
    }

    /// What was done until now, where the call is watched.
    #[napi]
    pub fn steps(&self) -> Vec<StepRecord> {
        let steps = self.along.get().map(Along::steps).unwrap_or_default();
        steps.iter().map(StepRecord::from).collect()
    }

    /// Ends the call.
    #[napi]
    pub fn stop(&self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

impl CallHandle {
    /// Whether JavaScript sends its requests.
    pub(super) fn sends(&self) -> bool {
        self.sends
    }

    /// What goes along with the token request of an issue.
    pub(super) fn along_with_token(&self, now: Now) -> Option<Along> {
        let headers = self.headers.as_ref()?;
        let traced = headers.get(headers.len().checked_sub(self.traced)?..)?;
        (!traced.is_empty()).then(|| Along::new(now.mono, traced, None))
    }

    /// What goes along with the requests of a call that is watched.
    pub(super) fn along(&self, now: Now) -> Option<Along> {
        let headers = self.headers.as_ref()?;
        let along = || Along::new(now.mono, headers, self.tell.take());
        Some(self.along.get_or_init(along).clone())
    }

    /// Settles when the call is to end.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
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

/// The record of a call that was stopped: the shell knows why.
pub(super) fn stopped() -> ErrorRecord {
    ErrorRecord { error: "CallersOwn", ..ErrorRecord::default() }
}
