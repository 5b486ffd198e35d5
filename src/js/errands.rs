//! What a load or a call asks of JavaScript: errands, which the call that began it hands over.
//!
//! A call that needs none settles as ever. Where one comes up, its promise gives [`ErrandsHandle`]
//! in place of an outcome: the shell does the errands in the caller's async context, and takes the
//! outcome from the handle. They may go on when that has come: a load outlives calls.

use std::{convert::identity, io, sync::Arc};

use napi::{
    Env,
    bindgen_prelude::{Either, Either3, Object, Unknown},
};
use napi_derive::napi;
use tokio::{
    select,
    sync::{Mutex, mpsc::UnboundedReceiver, oneshot},
};

use super::{
    config,
    outcome::{ErrorRecord, Outcome},
    outgoing::OutgoingHandle,
    runtime::{self, Call},
    text::Text,
};
use crate::{
    auth::Io,
    errand::{Answer, Errand, Errands, Pending},
    http::tls::TlsEnvironment,
};

/// A call's outcome, or errands to be done meanwhile.
pub type Settled = Either3<Text, ErrorRecord, ErrandsHandle>;

/// A promise of what the call gives that `start` begins, and of errands where it may have them.
pub fn spawn<C: FnOnce() -> Call<Outcome<Text>> + Send + 'static>(
    env: &Env,
    has_errands: bool,
    environment: Option<Vec<Option<String>>>,
    start: impl FnOnce(&Io) -> C,
    lost: fn() -> Settled,
    refused: impl FnOnce(&io::Error) -> Settled,
) -> napi::Result<Either<Object<'_>, Settled>> {
    let tls = config::tls_environment(environment);
    if !has_errands {
        return runtime::spawn(env, tls, start, settled, lost, refused);
    }
    let same = tls.clone();
    let start = |io: &Io| {
        let (errands, pending) = Errands::channel();
        let outcome = start(&Io { errands, ..io.clone() });
        move || Box::pin(with_errands(outcome(), pending, same, lost)) as Call<Settled>
    };
    runtime::spawn(env, tls, start, identity, lost, refused)
}

async fn with_errands(
    mut outcome: Call<Outcome<Text>>,
    mut pending: UnboundedReceiver<Pending>,
    tls: TlsEnvironment,
    lost: fn() -> Settled,
) -> Settled {
    let (sender, receiver) = oneshot::channel();
    let handle = |first, rest| {
        let queue = Arc::new(Mutex::new(Queue { first, rest }));
        Either3::C(ErrandsHandle { queue, outcome: Some(receiver), tls, lost })
    };
    let first = select! {
        biased;
        first = pending.recv() => match first {
            Some(first) => first,
            // No load was begun, or it has ended.
            None => return settled(outcome.await),
        },
        outcome = &mut outcome => {
            if pending.is_closed() {
                return settled(outcome);
            }
            // A load goes on, and may still have errands.
            let _ = sender.send(outcome);
            return handle(None, pending);
        }
    };
    tokio::spawn(async move {
        // The shell may be gone.
        let _ = sender.send(outcome.await);
    });
    handle(Some(first), pending)
}

fn settled(outcome: Outcome<Text>) -> Settled {
    match outcome {
        Either::A(value) => Either3::A(value),
        Either::B(record) => Either3::B(record),
    }
}

/// Errands to be done, and the outcome of the call that they came up in.
#[napi(js_name = "Errands")]
pub struct ErrandsHandle {
    queue: Arc<Mutex<Queue>>,
    outcome: Option<oneshot::Receiver<Outcome<Text>>>,
    /// The call's own: for its runtime nothing changes.
    tls: TlsEnvironment,
    /// What the call gives where it is lost.
    lost: fn() -> Settled,
}

struct Queue {
    first: Option<Pending>,
    rest: UnboundedReceiver<Pending>,
}

#[napi]
impl ErrandsHandle {
    /// The next errand, waited for; `null` when there will be none.
    #[napi(ts_return_type = "Promise<Errand | null> | null")]
    pub fn next<'env>(
        &self,
        env: &'env Env,
    ) -> napi::Result<Either<Object<'env>, Option<ErrandHandle>>> {
        let (queue, tls) = (self.queue.clone(), self.tls.clone());
        let next = async move {
            let mut queue = queue.lock().await;
            let first = queue.first.take();
            let next = if first.is_some() { first } else { queue.rest.recv().await };
            next.map(|errand| ErrandHandle::new(errand, tls))
        };
        let start = |_: &Io| || Box::pin(next) as Call<_>;
        runtime::spawn(env, self.tls.clone(), start, identity, || None, |_| None)
    }

    /// The call's outcome, waited for.
    #[napi(ts_return_type = "Promise<string | ErrorRecord> | ErrorRecord")]
    pub fn outcome<'env>(&mut self, env: &'env Env) -> napi::Result<Either<Object<'env>, Settled>> {
        let (outcome, lost) = (self.outcome.take(), self.lost);
        let waited = async move {
            match outcome {
                Some(outcome) => outcome.await.map_or_else(|_| lost(), settled),
                None => lost(),
            }
        };
        let start = |_: &Io| || Box::pin(waited) as Call<_>;
        runtime::spawn(env, self.tls.clone(), start, identity, lost, |_| lost())
    }
}

/// One errand. What it does not need is `null`.
#[napi(js_name = "Errand")]
pub struct ErrandHandle {
    /// `secret`, `token`, `send`, `get`, `set`, `lock`, `unlock`, `report`.
    #[napi(
        readonly,
        ts_type = "'secret' | 'token' | 'send' | 'get' | 'set' | 'lock' | 'unlock' | 'report'"
    )]
    pub kind: String,
    /// The store's key, or the lock's name.
    #[napi(readonly)]
    pub key: Option<String>,
    /// What to store.
    #[napi(readonly)]
    pub value: Option<String>,
    /// Whose lock.
    #[napi(readonly)]
    pub owner: Option<String>,
    /// For how many milliseconds.
    #[napi(readonly)]
    pub ttl_ms: Option<f64>,
    /// At which operation the store failed.
    #[napi(readonly)]
    pub operation: Option<String>,
    /// How.
    #[napi(readonly)]
    pub problem: Option<String>,
    outgoing: Option<OutgoingHandle>,
    answer: Option<oneshot::Sender<Answer>>,
}

#[napi]
impl ErrandHandle {
    /// The request to be sent: it is given once, and takes what comes of it.
    #[napi]
    pub fn outgoing(&mut self) -> Option<OutgoingHandle> {
        self.outgoing.take()
    }

    /// It is done, and this came of it.
    #[napi]
    pub fn done(&mut self, value: Unknown<'_>) {
        let answer = match config::secret_if_string(value) {
            Some(text) => Answer::Text(text),
            None => Answer::Other(config::is_true(value)),
        };
        self.give(answer);
    }

    /// It failed, with an error that says this.
    #[napi]
    pub fn failed(&mut self, message: String) {
        self.give(Answer::Failed(message));
    }

    fn give(&mut self, answer: Answer) {
        if let Some(sender) = self.answer.take() {
            // The load may have gone on without it.
            let _ = sender.send(answer);
        }
    }
}

impl ErrandHandle {
    fn new((errand, answer): Pending, tls: TlsEnvironment) -> Self {
        let none = Self {
            kind: String::new(),
            key: None,
            value: None,
            owner: None,
            ttl_ms: None,
            operation: None,
            problem: None,
            outgoing: None,
            answer: Some(answer),
        };
        let of = |kind: &str, key| Self { kind: kind.to_owned(), key, ..none };
        match errand {
            Errand::Secret => of("secret", None),
            Errand::Token => of("token", None),
            Errand::Send(outgoing) => {
                Self { outgoing: Some(OutgoingHandle::new(outgoing, tls)), ..of("send", None) }
            }
            Errand::Get { key } => of("get", Some(key)),
            Errand::Set { key, value, ttl_ms } => {
                Self { value: Some(value), ttl_ms: Some(ttl_ms), ..of("set", Some(key)) }
            }
            Errand::Lock { key, owner, ttl_ms } => {
                Self { owner: Some(owner), ttl_ms: Some(ttl_ms), ..of("lock", Some(key)) }
            }
            Errand::Unlock { key, owner } => Self { owner: Some(owner), ..of("unlock", Some(key)) },
            Errand::Report { operation, problem } => Self {
                operation: Some(operation.to_owned()),
                problem: Some(problem.to_owned()),
                ..of("report", None)
            },
        }
    }
}
