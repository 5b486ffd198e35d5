//! What does a connection's work: the call that has it, or the pool's reaper while nobody has.
//!
//! A task of the connection's own would be woken by every request and every answer, and would wake
//! the call in turn.

use std::{
    future::Future as _,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    thread,
};

use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::sync::Notify;

use super::{body::OneFrame, wire::Wire};
use crate::lock::lock;

/// Hyper's part of a connection. Its errors are those of the request under way.
pub(super) struct Driver {
    /// None once it has ended.
    http: Option<Box<Http>>,
    news: Arc<News>,
    /// Tells `news`.
    waker: Waker,
}

type Http = http1::Connection<TokioIo<Wire>, OneFrame>;

impl Driver {
    pub fn new(http: Http) -> Self {
        let news = Arc::<News>::default();
        // Nothing has looked at it yet.
        news.came.store(true, Ordering::Release);
        Self { http: Some(Box::new(http)), waker: Waker::from(news.clone()), news }
    }

    /// A call has it from now on, and will look at it first of all.
    pub fn begin(&self) {
        *lock(&self.news.reader) = Reader::Nobody;
    }

    /// Does what there is to do. The call of `context` is told when there is more.
    pub fn work(&mut self, context: &Context<'_>) {
        if self.http.is_some() {
            self.news.tell_call(context.waker());
            self.poll();
        }
    }

    /// Nobody has it from now on: `reaper` is told when there is something to do.
    pub fn rest(&self, reaper: &Arc<Notify>) {
        self.news.tell_reaper(reaper);
    }

    /// Whether it is open, once what there is to do is done.
    pub fn is_open(&mut self) -> bool {
        if self.news.came.swap(false, Ordering::AcqRel) {
            self.poll();
        }
        self.http.is_some()
    }

    /// Whether it is open once it has read, whatever it was told.
    pub fn looks_open(&mut self) -> bool {
        self.poll();
        self.http.is_some()
    }

    fn poll(&mut self) {
        if let Some(http) = &mut self.http
            && Pin::new(http).poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            self.http = None;
        }
    }
}

/// Says goodbye, as TLS asks for; the sender of requests is gone before.
impl Drop for Driver {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.begin();
            self.poll();
        }
    }
}

/// Where what happens on one connection is told.
#[derive(Default)]
struct News {
    /// Since it was looked at last.
    came: AtomicBool,
    reader: Mutex<Reader>,
}

#[derive(Default)]
enum Reader {
    #[default]
    Nobody,
    Call(Waker),
    Reaper(Arc<Notify>),
}

impl News {
    fn tell_call(&self, waker: &Waker) {
        let mut reader = lock(&self.reader);
        match &mut *reader {
            Reader::Call(known) => known.clone_from(waker),
            reader => *reader = Reader::Call(waker.clone()),
        }
        self.came.store(false, Ordering::Release);
    }

    fn tell_reaper(&self, reaper: &Arc<Notify>) {
        *lock(&self.reader) = Reader::Reaper(reaper.clone());
        if self.came.load(Ordering::Acquire) {
            reaper.notify_one();
        }
    }
}

impl Wake for News {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let told = lock(&self.reader);
        self.came.store(true, Ordering::Release);
        match &*told {
            Reader::Nobody => {}
            Reader::Call(waker) => waker.wake_by_ref(),
            Reader::Reaper(reaper) => reaper.notify_one(),
        }
    }
}
