//! What a load or a call needs of the caller's side: a secret that a function gives, what a store
//! keeps, another token of a strategy that only the caller's side can ask, a request sent by a
//! `fetch`.
//!
//! Whoever needs it sends an [`Errand`] and waits for its [`Answer`]. Whoever began the load or the
//! call does them, in its own async context; the core knows only that an answer may be late or never come.

use std::future::pending;

use tokio::sync::{mpsc, oneshot};

use crate::{
    http::courier::{Courier, Outgoing},
    secret::Secret,
};

/// Something to be done.
#[derive(Debug)]
pub enum Errand {
    /// Ask the function that stands for the client's secret or key.
    Secret,
    /// Ask the call's strategy for the header's value once more: what it gave was rejected.
    Token,
    /// Send this request. It has a way of its own for what comes of it.
    Send(Box<Outgoing>),
    /// What the store has under `key`.
    Get {
        /// The store's key.
        key: String,
    },
    /// Let the store have `value` for `ttl_ms` milliseconds.
    Set {
        /// The store's key.
        key: String,
        /// Sealed.
        value: String,
        /// How long it is of use.
        ttl_ms: f64,
    },
    /// Take the lock `key` for `ttl_ms` milliseconds, where nobody has it.
    Lock {
        /// The lock's name.
        key: String,
        /// Who takes it.
        owner: String,
        /// When it is given back by itself.
        ttl_ms: f64,
    },
    /// Give the lock back, where it is still `owner`'s.
    Unlock {
        /// The lock's name.
        key: String,
        /// Who took it.
        owner: String,
    },
    /// Tell whoever listens that the store failed at this `operation`. Nobody waits for it.
    Report {
        /// `get`, `set`, `lock` or `unlock`.
        operation: &'static str,
        /// In our own words.
        problem: &'static str,
    },
}

/// What came of it.
#[derive(Debug)]
pub enum Answer {
    /// A text: the secret, the header's value, or what the store had.
    Text(Secret),
    /// Something else than a text; of a lock that it was taken, where that is true.
    Other(bool),
    /// It failed, with this error of the caller's code, or of nobody being there.
    Failed(String),
}

/// An errand, and where its answer goes.
pub type Pending = (Errand, oneshot::Sender<Answer>);

/// Where errands go. The default is nowhere.
#[derive(Clone, Debug, Default)]
pub struct Errands(Option<mpsc::UnboundedSender<Pending>>);

impl Errands {
    /// A way for errands, and its other end.
    #[must_use]
    pub fn channel() -> (Self, mpsc::UnboundedReceiver<Pending>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(Some(sender)), receiver)
    }

    /// Has `errand` done. Whoever waits says for how long: a promise that never settles is collected
    /// as garbage sooner or later, and is no answer either way.
    pub async fn run(&self, errand: Errand) -> Answer {
        let (sender, answer) = oneshot::channel();
        if !self.send(errand, sender) {
            return Answer::Failed("nobody is there".to_owned());
        }
        match answer.await {
            Ok(answer) => answer,
            Err(_) => pending().await,
        }
    }

    /// Who has requests sent by the caller's side.
    #[must_use]
    pub fn courier(&self) -> Courier {
        let errands = self.clone();
        Courier::new(move |request| {
            errands.send(Errand::Send(Box::new(request)), oneshot::channel().0)
        })
    }

    /// Has it done, and does not wait.
    pub fn tell(&self, errand: Errand) {
        self.send(errand, oneshot::channel().0);
    }

    /// Whether anybody is there to do it.
    fn send(&self, errand: Errand, answer: oneshot::Sender<Answer>) -> bool {
        self.0.as_ref().is_some_and(|sender| sender.send((errand, answer)).is_ok())
    }
}
