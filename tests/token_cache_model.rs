//! The token cache against a model that a reader can hold in the head: any interleaving of calls,
//! both clocks, results, failures, callers that leave and tasks that vanish.
//!
//! `loom` and `shuttle` do not fit: they explore only locks of their own, and the channel on which
//! callers wait is tokio's. The cache decides everything under one lock, so an interleaving is an
//! order of its operations, and those are what `proptest` draws; threads race in the last test.

#![expect(clippy::expect_used, reason = "a test says what it expects")]

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use key0_native::{
    now::Now,
    token_cache::{AccessToken, Cached, Failed, Ticket, TokenCache},
};
use proptest::prelude::*;

/// What happens, in any order. Times are in eighths of a second, which floats hold exactly.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A caller asks, and waits where it must.
    Call,
    /// The runtime looks at a waiter.
    Poll(prop::sample::Index),
    /// A waiter's deadline comes.
    Leave(prop::sample::Index),
    /// Both clocks go on.
    Pass(u32),
    /// Somebody sets the wall clock.
    SetWall(i32),
    /// The load under way gives a token of that lifetime; `None` has no end.
    Succeed(Option<u32>),
    /// It fails.
    Fail,
    /// Its task is gone.
    Vanish,
    /// Its owner drops it while callers wait; another cache starts empty.
    Abandon,
}

fn event() -> impl Strategy<Value = Event> {
    // Around the 10 s of the buffer, and far from them.
    let eighths = prop_oneof![0..200u32, 70..90u32, 0..30_000u32];
    prop_oneof![
        6 => Just(Event::Call),
        3 => any::<prop::sample::Index>().prop_map(Event::Poll),
        2 => any::<prop::sample::Index>().prop_map(Event::Leave),
        3 => eighths.clone().prop_map(Event::Pass),
        1 => (-40_000..40_000i32).prop_map(Event::SetWall),
        4 => prop::option::weighted(0.9, eighths).prop_map(Event::Succeed),
        2 => Just(Event::Fail),
        1 => Just(Event::Vanish),
        1 => Just(Event::Abandon),
    ]
}

/// How a load ended, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Token,
    Failure,
    Vanished,
}

/// The rules, and nothing of how they are kept.
#[derive(Default)]
struct Model {
    wall: i64,
    mono: i64,
    loads: usize,
    /// The number of the load under way, and when it began on both clocks.
    under_way: Option<(usize, i64, i64)>,
    /// The load that gave the kept token, when that began, and its lifetime.
    token: Option<(usize, i64, i64, Option<i64>)>,
    ended: HashMap<usize, End>,
}

impl Model {
    fn fresh(&self) -> Option<usize> {
        let (load, wall, mono, lifetime) = self.token?;
        let usable = lifetime.map_or(i64::MAX, |lifetime| lifetime - 80);
        let (wall, mono) = (self.wall - wall, self.mono - mono);
        (wall >= 0 && wall < usable && mono < usable).then_some(load)
    }

    fn end(&mut self, end: End, lifetime: Option<i64>) -> Option<usize> {
        let (load, wall, mono) = self.under_way.take()?;
        match end {
            End::Token => self.token = Some((load, wall, mono, lifetime)),
            End::Failure => self.token = None,
            End::Vanished => {}
        }
        self.ended.insert(load, end);
        Some(load)
    }
}

type Cache = TokenCache<usize>;

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// A caller that waits for the load of that number.
struct Waiting {
    load: usize,
    result: Pin<Box<dyn Future<Output = Result<AccessToken, Failed<usize>>>>>,
    woken: Arc<Woken>,
    polled: bool,
}

impl Waiting {
    fn poll(&mut self) -> Poll<End> {
        self.polled = true;
        self.woken.0.store(false, Ordering::Release);
        let waker = Waker::from(self.woken.clone());
        self.result.as_mut().poll(&mut Context::from_waker(&waker)).map(|result| match result {
            Ok(token) => {
                assert_eq!(token.token().expose(), self.load.to_string(), "another load's token");
                End::Token
            }
            Err(Failed::Load(load)) => {
                assert_eq!(*load, self.load, "another load's failure");
                End::Failure
            }
            Err(Failed::Vanished) => End::Vanished,
        })
    }

    /// Looks at it; true where it has its result, which must be its load's.
    fn settles(&mut self, model: &Model) -> bool {
        let expected = model.ended.get(&self.load).copied();
        // Who has been looked at once is not looked at again before it is woken.
        assert!(!self.polled || expected.is_none() || self.woken.0.load(Ordering::Acquire));
        match self.poll() {
            Poll::Ready(end) => {
                assert_eq!(Some(end), expected, "load {}", self.load);
                true
            }
            Poll::Pending => {
                assert_eq!(expected, None, "load {} has ended, its waiter waits", self.load);
                false
            }
        }
    }
}

/// The cache beside its model.
struct Pair {
    cache: Cache,
    model: Model,
    start: Instant,
    ticket: Option<(Ticket<usize>, Now)>,
    waiting: Vec<Waiting>,
    /// Loads of caches that are gone.
    abandoned: Vec<(Ticket<usize>, Now, usize)>,
}

impl Pair {
    fn new() -> Self {
        let model = Model { wall: 1_700_000_000 * 8, ..Model::default() };
        let (cache, start) = (Cache::default(), Instant::now());
        let (waiting, abandoned) = (Vec::new(), Vec::new());
        Self { cache, model, start, ticket: None, waiting, abandoned }
    }

    #[expect(clippy::cast_precision_loss, reason = "eighths of a second stay far below 2^53")]
    fn now(&self) -> Now {
        let since = Duration::from_millis(125 * self.model.mono.unsigned_abs());
        Now { wall_ms: self.model.wall as f64 * 125.0, mono: self.start + since }
    }

    fn call(&mut self) {
        let now = self.now();
        let peeked = self.cache.peek(now).map(|token| token.token().expose().to_owned());
        assert_eq!(peeked, self.model.fresh().map(|load| load.to_string()), "peek");
        let waiter = match self.cache.find(now) {
            Cached::Fresh(token) => {
                let expected = self.model.fresh().map(|load| load.to_string());
                assert_eq!(Some(token.token().expose().to_owned()), expected, "past its time");
                return;
            }
            Cached::UnderWay(waiter) => waiter,
            Cached::Due(..) | Cached::Failed(_) => unreachable!("nothing asked for it"),
            Cached::Missing(ticket, waiter) => {
                assert!(self.model.under_way.is_none(), "two loads under way");
                self.model.loads += 1;
                self.model.under_way = Some((self.model.loads, self.model.wall, self.model.mono));
                self.ticket = Some((ticket, now));
                waiter
            }
        };
        assert_eq!(self.model.fresh(), None, "a load although there is a token");
        let load =
            self.model.under_way.map(|(load, ..)| load).expect("there is something to wait for");
        let result = Box::pin(waiter.wait());
        self.waiting.push(Waiting { load, result, woken: Arc::default(), polled: false });
    }

    /// Ends the load under way, and those of caches that are gone.
    fn end(&mut self, end: End, lifetime: Option<u32>) {
        let ended = self.model.end(end, lifetime.map(i64::from));
        let current = self
            .ticket
            .take()
            .map(|(ticket, began)| (ticket, began, ended.expect("a ticket is a load under way")));
        assert_eq!(current.is_some(), ended.is_some());
        let now = self.now().mono;
        for (ticket, began, load) in self.abandoned.drain(..).chain(current) {
            self.model.ended.insert(load, end);
            match end {
                End::Token => {
                    let seconds = lifetime.map_or(1e300, |eighths| f64::from(eighths) / 8.0);
                    let token = AccessToken::new(load.to_string().into(), began, seconds);
                    ticket.finish(Ok(token), now);
                }
                End::Failure => ticket.finish(Err(load), now),
                End::Vanished => drop(ticket),
            }
        }
    }

    /// The cache's owner goes; what is under way has to end all the same, and not in the next one.
    fn abandon(&mut self) {
        self.cache = Cache::default();
        self.model.token = None;
        let load = self.model.under_way.take().map(|(load, ..)| load);
        if let Some((ticket, began)) = self.ticket.take() {
            self.abandoned.push((ticket, began, load.expect("a ticket is a load under way")));
        }
    }

    fn happens(&mut self, event: Event) {
        match event {
            Event::Call => self.call(),
            Event::Poll(which) => {
                if !self.waiting.is_empty() {
                    let which = which.index(self.waiting.len());
                    if self.waiting[which].settles(&self.model) {
                        self.waiting.swap_remove(which);
                    }
                }
            }
            Event::Leave(which) => {
                if !self.waiting.is_empty() {
                    self.waiting.swap_remove(which.index(self.waiting.len()));
                }
            }
            Event::Pass(eighths) => {
                self.model.wall += i64::from(eighths);
                self.model.mono += i64::from(eighths);
            }
            Event::SetWall(eighths) => self.model.wall += i64::from(eighths),
            Event::Succeed(lifetime) => self.end(End::Token, lifetime),
            Event::Fail => self.end(End::Failure, None),
            Event::Vanish => self.end(End::Vanished, None),
            Event::Abandon => self.abandon(),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_cache_is_its_model_whatever_happens(
        events in prop::collection::vec(event(), 1..120),
    ) {
        let mut pair = Pair::new();
        for event in events {
            pair.happens(event);
        }
        // Whatever was under way ends at last, and so does every wait.
        pair.end(End::Vanished, None);
        for waiting in &mut pair.waiting {
            assert!(waiting.settles(&pair.model), "a waiter was lost");
        }
    }
}

/// Some threads may find a load under way, or the token it gave, or nothing once more; each gets
/// what its own load ended with.
#[test]
fn threads_that_race_share_one_load_at_a_time() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 500;
    let now = Now { wall_ms: 1_700_000_000_000.0, mono: Instant::now() };
    for round in 0..ROUNDS {
        let (cache, barrier) = (Cache::default(), Barrier::new(THREADS));
        let (under_way, loads) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let ended = [End::Token, End::Failure, End::Vanished][round % 3];
        let race = || {
            barrier.wait();
            let (ticket, waiter) = match cache.find(now) {
                Cached::Fresh(token) => {
                    return (End::Token, Some(token.token().expose().to_owned()));
                }
                Cached::UnderWay(waiter) => (None, waiter),
                Cached::Due(..) | Cached::Failed(_) => unreachable!("nothing asked for it"),
                Cached::Missing(ticket, waiter) => (Some(ticket), waiter),
            };
            if let Some(ticket) = ticket {
                let load = loads.fetch_add(1, Ordering::AcqRel);
                assert_eq!(under_way.fetch_add(1, Ordering::AcqRel), 0, "two loads");
                thread::yield_now();
                assert!(cache.peek(now).is_none(), "a token while there is a load");
                // The next load may begin within the end of this one, not before.
                under_way.fetch_sub(1, Ordering::AcqRel);
                match ended {
                    End::Token => {
                        let token = AccessToken::new(load.to_string().into(), now, 60.0);
                        ticket.finish(Ok(token), now.mono);
                        let kept = cache.peek(now).map(|token| token.token().expose().to_owned());
                        assert_eq!(kept, Some(load.to_string()), "the token is not kept");
                    }
                    End::Failure => ticket.finish(Err(load), now.mono),
                    End::Vanished => drop(ticket),
                }
            }
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
            let wait = async { tokio::time::timeout(Duration::from_secs(20), waiter.wait()).await };
            match runtime.expect("a runtime").block_on(wait).expect("a waiter was lost") {
                Ok(token) => (End::Token, Some(token.token().expose().to_owned())),
                Err(Failed::Load(_)) => (End::Failure, None),
                Err(Failed::Vanished) => (End::Vanished, None),
            }
        };
        let results: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(race)).collect();
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        let token = (ended == End::Token).then(|| "0".to_owned());
        assert_eq!(results, vec![(ended, token.clone()); THREADS]);
        assert_eq!(cache.peek(now).map(|token| token.token().expose().to_owned()), token);
        if ended == End::Token {
            assert_eq!(loads.load(Ordering::Acquire), 1, "a token was there, and was loaded again");
        }
    }
}
