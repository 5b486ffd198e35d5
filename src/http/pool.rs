//! The connections to all origins: those that wait for their next request, each for as long as its
//! server keeps it and no moment longer, and the calls that wait for a connection.
//!
//! A call that finds none idle joins those who wait, and begins a connect where fewer are under way
//! than calls wait. It is served by whatever comes first: a connection that another call has done
//! with, or a new one. A connect whose call was served otherwise goes on for the next who waits. So
//! a steady load makes about as many connections as it has calls under way, however long a
//! handshake takes.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::{Instant, timeout_at},
};

use super::keep_alive::IDLE_WITHOUT_HINT;
use crate::lock::lock;

/// What a pool keeps.
pub(super) trait Pooled: Send + 'static {
    /// Nobody has it from now on: `reaper` is told where its end may have come.
    fn rest(&mut self, reaper: &Arc<Notify>);

    /// Whether it can be used again, as far as this end knows.
    fn is_open(&mut self) -> bool;
}

/// The connections `C`, and the calls that wait for one. `E` is what connecting fails with.
pub(super) struct Pool<C, E>(Arc<Shared<C, E>>);

struct Shared<C, E> {
    state: Mutex<State<C, E>>,
    /// Tells the reaper of a connection that ends before the next one it knew of, or has ended.
    sooner: Arc<Notify>,
}

struct State<C, E> {
    /// Those with a connection, a call or a connect; the others are forgotten. Few, as a rule: to
    /// compare a name with them takes less than to hash it.
    origins: BTreeMap<Arc<str>, Origin<C, E>>,
    /// Idle connections of all origins.
    idle: usize,
    calls: u64,
    clearings: u64,
    /// When the reaper looks next, while there is one.
    next: Option<Instant>,
}

struct Origin<C, E> {
    /// In the order in which they came back, each with the end of its time.
    idle: Vec<(Instant, C)>,
    /// In the order in which they came.
    waiting: VecDeque<Waiter<C, E>>,
    /// Connects under way.
    connecting: usize,
}

struct Waiter<C, E> {
    call: u64,
    /// Whether a connect under way was begun for it.
    connects: bool,
    turn: oneshot::Sender<Turn<C, E>>,
}

/// What ends a call's waiting.
pub(super) enum Turn<C, E> {
    /// A connection, good until then; a new one, or one that another call has done with.
    Served { connection: C, until: Instant, is_new: bool },
    /// Its own connect failed.
    Failed(E),
    /// The connect that it counted on failed: it has to begin its own.
    Uncovered,
}

/// A call that waits for a connection. Dropped, it leaves, and its connect ends.
pub(super) struct Waiting<C: Pooled, E: Send + 'static> {
    pool: Pool<C, E>,
    origin: Arc<str>,
    call: u64,
    turn: oneshot::Receiver<Turn<C, E>>,
    is_covered: bool,
    connect: Option<oneshot::Sender<()>>,
}

/// The duty to end a connect. Dropped, it ends it without a result.
pub(super) struct Connecting<C: Pooled, E: Send + 'static> {
    pool: Pool<C, E>,
    origin: Arc<str>,
    call: u64,
    is_over: bool,
}

impl<C: Pooled, E: Send + 'static> Pool<C, E> {
    /// An idle connection: the most recent first, so that surplus ones expire.
    pub fn take(&self, origin: &str) -> Option<C> {
        let now = Instant::now();
        let mut state = lock(&self.0.state);
        let State { origins, idle, .. } = &mut *state;
        let connections = &mut origins.get_mut(origin)?.idle;
        while let Some((until, connection)) = connections.pop() {
            *idle -= 1;
            if now < until {
                return Some(connection);
            }
        }
        None
    }

    /// Joins those who wait for a connection to `origin`.
    pub fn wait(&self, origin: &Arc<str>) -> Waiting<C, E> {
        let (sender, turn) = oneshot::channel();
        let mut state = lock(&self.0.state);
        state.calls += 1;
        let call = state.calls;
        let known = state.origins.entry(origin.clone()).or_default();
        known.waiting.push_back(Waiter { call, connects: false, turn: sender });
        let is_covered = known.connecting >= known.waiting.len();
        let (pool, origin) = (self.clone(), origin.clone());
        Waiting { pool, origin, call, turn, is_covered, connect: None }
    }

    /// Gives `connection`, made then, to whoever waits, or keeps it for `limit` at most.
    pub fn put(&self, origin: &Arc<str>, connection: C, made: Instant, limit: Duration) {
        let until = (Instant::now() + limit).min(made + LONGEST_USE);
        self.offer(&mut lock(&self.0.state), origin, connection, until, false);
    }

    /// How often idle connections have given way to others.
    pub fn clearings(&self) -> u64 {
        lock(&self.0.state).clearings
    }

    /// Ends all idle connections, for others need their descriptors. Whether there were any, or were
    /// some after the first so many clearings, which have given way to many at once.
    pub fn clear(&self, clearings: u64) -> bool {
        let mut state = lock(&self.0.state);
        for known in state.origins.values_mut() {
            known.idle.clear();
        }
        state.origins.retain(|_, known| !known.is_empty());
        if std::mem::take(&mut state.idle) > 0 {
            state.clearings += 1;
        }
        state.clearings > clearings
    }

    fn offer(
        &self,
        state: &mut State<C, E>,
        origin: &Arc<str>,
        mut connection: C,
        mut until: Instant,
        is_new: bool,
    ) {
        let known = state.origins.entry(origin.clone()).or_default();
        while let Some(waiter) = known.waiting.pop_front() {
            match waiter.turn.send(Turn::Served { connection, until, is_new }) {
                Err(Turn::Served { connection: unwanted, .. }) => connection = unwanted,
                _ => return,
            }
        }
        if let Some(limit) = surplus_limit(known.idle.len(), state.idle) {
            until = until.min(Instant::now() + limit);
        }
        connection.rest(&self.0.sooner);
        known.idle.push((until, connection));
        state.idle += 1;
        match state.next {
            Some(next) if next <= until => {}
            Some(_) => self.0.sooner.notify_one(),
            None => {
                state.next = Some(until);
                tokio::spawn(reap(Arc::downgrade(&self.0), self.0.sooner.clone()));
            }
        }
    }
}

impl<C: Pooled, E: Send + 'static> Waiting<C, E> {
    /// Whether a connect is under way for it, or one for a call that needs it no more.
    pub fn is_covered(&self) -> bool {
        self.is_covered
    }

    /// A connect of its own begins. The receiver learns what becomes of the call meanwhile: served
    /// by another connection, or, by an error, gone.
    pub fn connect(&mut self) -> (Connecting<C, E>, oneshot::Receiver<()>) {
        let (served, owner) = oneshot::channel();
        (self.is_covered, self.connect) = (true, Some(served));
        let mut state = lock(&self.pool.0.state);
        let known = state.origins.entry(self.origin.clone()).or_default();
        known.connecting += 1;
        if let Some(position) = known.position(self.call) {
            known.waiting[position].connects = true;
        }
        let (pool, origin) = (self.pool.clone(), self.origin.clone());
        (Connecting { pool, origin, call: self.call, is_over: false }, owner)
    }

    /// What ends the waiting; `None` where the connect ended without a result.
    pub async fn turn(&mut self) -> Option<Turn<C, E>> {
        let turn = (&mut self.turn).await.ok();
        if let (Some(Turn::Served { .. }), Some(connect)) = (&turn, self.connect.take()) {
            // Where it was its own, nobody hears this.
            let _ = connect.send(());
        }
        turn
    }
}

impl<C: Pooled, E: Send + 'static> Drop for Waiting<C, E> {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.0.state);
        if let Some(known) = state.origins.get_mut(&self.origin) {
            known.leave(self.call);
        }
        // What it was given as it left is for the next.
        if let Ok(Turn::Served { connection, until, is_new }) = self.turn.try_recv() {
            self.pool.offer(&mut state, &self.origin, connection, until, is_new);
        }
        state.forget(&self.origin);
    }
}

impl<C: Pooled, E: Send + 'static> Connecting<C, E> {
    /// A connection goes to its own call, or else to the first who waits; a failure to its own call
    /// alone, since others have not waited for it as long.
    pub fn finish(mut self, result: Result<C, E>) {
        self.is_over = true;
        let pool = self.pool.clone();
        let mut state = lock(&pool.0.state);
        let own = state.connected(&self.origin, self.call);
        match (result, own) {
            (Ok(connection), own) => {
                let until = Instant::now() + IDLE_WITHOUT_HINT;
                let turn = Turn::Served { connection, until, is_new: true };
                let unwanted = match own {
                    Some(own) => own.turn.send(turn).err(),
                    None => Some(turn),
                };
                if let Some(Turn::Served { connection, until, .. }) = unwanted {
                    pool.offer(&mut state, &self.origin, connection, until, true);
                }
            }
            (Err(error), Some(own)) => {
                let _ = own.turn.send(Turn::Failed(error));
            }
            (Err(_), None) => state.uncover(&self.origin),
        }
        state.forget(&self.origin);
    }
}

impl<C: Pooled, E: Send + 'static> Drop for Connecting<C, E> {
    fn drop(&mut self) {
        if !self.is_over {
            let mut state = lock(&self.pool.0.state);
            // Its own call learns of it by the sender's going away.
            drop(state.connected(&self.origin, self.call));
            state.uncover(&self.origin);
            state.forget(&self.origin);
        }
    }
}

impl<C, E> State<C, E> {
    /// One connect less. The call that it was begun for, where that still waits.
    fn connected(&mut self, origin: &Arc<str>, call: u64) -> Option<Waiter<C, E>> {
        let known = self.origins.get_mut(origin)?;
        known.connecting -= 1;
        known.leave(call)
    }

    /// Tells one who counted on a connect that there is none for it any more.
    fn uncover(&mut self, origin: &Arc<str>) {
        let Some(known) = self.origins.get_mut(origin) else { return };
        while known.connecting < known.waiting.len()
            && let Some(first) = known.waiting.iter().position(|waiter| !waiter.connects)
            && let Some(waiter) = known.waiting.remove(first)
        {
            if waiter.turn.send(Turn::Uncovered).is_ok() {
                return;
            }
        }
    }

    fn forget(&mut self, origin: &Arc<str>) {
        if self.origins.get(origin).is_some_and(Origin::is_empty) {
            self.origins.remove(origin);
        }
    }

    /// Drops what has had its time, or has ended before. The next such moment; `None` when nothing is left.
    fn expire(&mut self, now: Instant) -> Option<Instant>
    where
        C: Pooled,
    {
        self.origins.retain(|_, known| {
            known.idle.retain_mut(|(until, connection)| now < *until && connection.is_open());
            !known.is_empty()
        });
        let idle = self.origins.values().flat_map(|origin| &origin.idle);
        (self.idle, self.next) = (idle.clone().count(), idle.map(|(until, _)| *until).min());
        self.next
    }
}

impl<C, E> Origin<C, E> {
    /// Where a call waits. Calls are numbered as they come: thousands may wait at once.
    fn position(&self, call: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&call, |waiter| waiter.call).ok()
    }

    fn is_empty(&self) -> bool {
        self.idle.is_empty() && self.waiting.is_empty() && self.connecting == 0
    }

    /// A call waits no more.
    fn leave(&mut self, call: u64) -> Option<Waiter<C, E>> {
        let position = self.position(call)?;
        self.waiting.remove(position)
    }
}

/// For how long one more is kept beside so many of its origin and so many in all; `None` for as long
/// as its server says.
fn surplus_limit(of_origin: usize, in_all: usize) -> Option<Duration> {
    if of_origin < MOST_IDLE_OF_AN_ORIGIN && in_all < MOST_IDLE {
        None
    } else if in_all < MOST_SURPLUS {
        Some(SURPLUS_IDLE)
    } else {
        Some(EXCESS_IDLE)
    }
}

/// Ends with the last idle connection, or with the pool.
async fn reap<C: Pooled, E>(pool: Weak<Shared<C, E>>, sooner: Arc<Notify>) {
    while let Some(next) = pool.upgrade().and_then(|pool| lock(&pool.state).expire(Instant::now()))
    {
        let _ = timeout_at(next, sooner.notified()).await;
    }
}

impl<C, E> Default for Pool<C, E> {
    fn default() -> Self {
        let origins = BTreeMap::new();
        let state = State { origins, idle: 0, calls: 0, clearings: 0, next: None };
        Self(Arc::new(Shared { state: Mutex::new(state), sooner: Arc::default() }))
    }
}

impl<C, E> Clone for Pool<C, E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<C, E> Default for Origin<C, E> {
    fn default() -> Self {
        Self { idle: Vec::new(), waiting: VecDeque::new(), connecting: 0 }
    }
}

/// How long a connection may take new requests, so that DNS changes are seen under steady load.
const LONGEST_USE: Duration = Duration::from_mins(1);
/// A service that calls one backend 64 times at once is a busy one.
const MOST_IDLE_OF_AN_ORIGIN: usize = 64;
/// A quarter of the descriptors that many systems give a process.
const MOST_IDLE: usize = 256;
/// What is beyond those, so that bursts which come again soon find theirs: as long as undici, which
/// Node's `fetch` is, keeps any without a hint.
const SURPLUS_IDLE: Duration = Duration::from_secs(4);
/// As many as Linux gives a process, where nobody has raised that.
const MOST_SURPLUS: usize = 1_024;
/// What is beyond all: many turns of a busy event loop, and soon gone.
const EXCESS_IDLE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn origin(name: &str) -> Arc<str> {
        name.into()
    }

    impl Pooled for u32 {
        fn rest(&mut self, _: &Arc<Notify>) {}

        fn is_open(&mut self) -> bool {
            true
        }
    }

    impl Pooled for Arc<()> {
        fn rest(&mut self, _: &Arc<Notify>) {}

        fn is_open(&mut self) -> bool {
            true
        }
    }

    /// A connection that its server ends; with what the pool is told by.
    #[derive(Clone, Default)]
    struct Ending(Arc<(AtomicBool, Mutex<Option<Arc<Notify>>>)>);

    impl Ending {
        fn end(&self) {
            self.0.0.store(true, Ordering::Relaxed);
            lock(&self.0.1).as_ref().unwrap().notify_one();
        }
    }

    impl Pooled for Ending {
        fn rest(&mut self, reaper: &Arc<Notify>) {
            *lock(&self.0.1) = Some(reaper.clone());
        }

        fn is_open(&mut self) -> bool {
            !self.0.0.load(Ordering::Relaxed)
        }
    }

    /// Of connections that are numbers.
    type Numbers = Pool<u32, &'static str>;

    /// A connection that tells whether it has been dropped.
    fn connection() -> (Arc<()>, Weak<()>) {
        let connection = Arc::new(());
        let open = Arc::downgrade(&connection);
        (connection, open)
    }

    fn is_open(open: &Weak<()>) -> bool {
        open.strong_count() > 0
    }

    async fn advance(milliseconds: u64) {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    }

    fn put<C: Pooled>(
        pool: &Pool<C, &'static str>,
        origin: &Arc<str>,
        connection: C,
        milliseconds: u64,
    ) {
        pool.put(origin, connection, Instant::now(), Duration::from_millis(milliseconds));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_taken_until_its_time_is_over() {
        let pool = Pool::<_, &'static str>::default();
        put(&pool, &origin("http://a"), 1, 4_000);
        advance(3_999).await;
        assert_eq!(pool.take("http://a"), Some(1));
        assert_eq!(pool.take("http://a"), None);
        put(&pool, &origin("http://a"), 1, 4_000);
        advance(4_000).await;
        assert_eq!(pool.take("http://a"), None);
    }

    // B25: the next one is made at the address that the name has then (resolver.rs).
    #[tokio::test(start_paused = true)]
    async fn a_connection_takes_no_request_a_minute_after_it_was_made_however_busy_it_was() {
        let (pool, made) = (Numbers::default(), Instant::now());
        for _ in 0..60 {
            pool.put(&origin("http://a"), 1, made, Duration::from_secs(4));
            advance(999).await;
            assert_eq!(pool.take("http://a"), Some(1));
        }
        pool.put(&origin("http://a"), 1, made, Duration::from_secs(4));
        advance(60).await;
        assert_eq!(pool.take("http://a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_other_origin_takes_it() {
        let pool = Pool::<_, &'static str>::default();
        put(&pool, &origin("http://a"), 1, 4_000);
        assert_eq!(pool.take("http://b"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_taken_first_and_none_past_its_time() {
        let pool = Pool::<_, &'static str>::default();
        put(&pool, &origin("http://a"), 1, 4_000);
        put(&pool, &origin("http://a"), 2, 1_000);
        put(&pool, &origin("http://a"), 3, 4_000);
        assert_eq!(pool.take("http://a"), Some(3));
        advance(1_000).await;
        assert_eq!(pool.take("http://a"), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_dropped_when_its_time_is_over_whatever_comes_before_and_after() {
        let pool = Pool::<_, &'static str>::default();
        let ((slow, slow_is_open), (quick, quick_is_open)) = (connection(), connection());
        put(&pool, &origin("http://a"), slow, 60_000);
        put(&pool, &origin("http://b"), quick, 1_500);
        advance(1_499).await;
        assert!(is_open(&quick_is_open));
        advance(2).await;
        assert!(!is_open(&quick_is_open));
        advance(58_000).await;
        assert!(is_open(&slow_is_open));
        advance(1_000).await;
        assert!(!is_open(&slow_is_open));
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_its_server_ends_is_dropped_at_once_and_no_longer_counted() {
        let pool = Pool::<_, &'static str>::default();
        let all = [Ending::default(), Ending::default()];
        for connection in &all {
            put(&pool, &origin("http://a"), connection.clone(), 60_000);
        }
        advance(1).await;
        all[0].end();
        advance(1).await;
        assert_eq!((lock(&pool.0.state).idle, Arc::strong_count(&all[0].0)), (1, 1));
        assert_eq!(Arc::strong_count(&all[1].0), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_back_when_all_had_gone_is_dropped_in_its_time_too() {
        let pool = Pool::<_, &'static str>::default();
        for _ in 0..3 {
            let (connection, open) = connection();
            put(&pool, &origin("http://a"), connection, 1_500);
            advance(1_501).await;
            assert!(!is_open(&open));
        }
    }

    /// A call that waits, and the connect that it begins.
    fn begun(pool: &Numbers) -> (Waiting<u32, &'static str>, Connecting<u32, &'static str>) {
        let mut waiting = pool.wait(&origin("http://a"));
        assert!(!waiting.is_covered());
        let (connecting, _) = waiting.connect();
        (waiting, connecting)
    }

    /// What a call that waits is served with, if it is already.
    async fn served(mut waiting: Waiting<u32, &'static str>) -> Result<(u32, bool), &'static str> {
        match timeout_at(Instant::now(), waiting.turn()).await {
            Ok(Some(Turn::Served { connection, is_new, .. })) => Ok((connection, is_new)),
            Ok(Some(Turn::Failed(error))) => Err(error),
            Ok(Some(Turn::Uncovered)) => Err("uncovered"),
            Ok(None) => Err("lost"),
            Err(_) => Err("waits"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_back_goes_to_the_first_who_waits_for_its_origin() {
        let pool = Numbers::default();
        let left = pool.wait(&origin("http://a"));
        let first = pool.wait(&origin("http://a"));
        let second = pool.wait(&origin("http://a"));
        drop(left);
        put(&pool, &origin("http://b"), 2, 4_000);
        put(&pool, &origin("http://a"), 1, 4_000);
        assert_eq!(served(second).await, Err("waits"));
        assert_eq!(served(first).await, Ok((1, false)));
        assert_eq!(pool.take("http://a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_one_goes_to_the_call_that_it_was_begun_for() {
        let pool = Numbers::default();
        let ((first, _first), (second, connecting)) = (begun(&pool), begun(&pool));
        connecting.finish(Ok(2));
        assert_eq!(served(first).await, Err("waits"));
        assert_eq!(served(second).await, Ok((2, true)));
    }

    // D19
    #[tokio::test(start_paused = true)]
    async fn a_connect_whose_call_was_served_otherwise_serves_the_next_who_waits() {
        let pool = Numbers::default();
        let (first, connecting) = begun(&pool);
        put(&pool, &origin("http://a"), 1, 4_000);
        assert_eq!(served(first).await, Ok((1, false)));
        let next = pool.wait(&origin("http://a"));
        assert!(next.is_covered());
        assert!(!pool.wait(&origin("http://a")).is_covered());
        connecting.finish(Ok(2));
        assert_eq!(served(next).await, Ok((2, true)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_one_that_nobody_needs_is_idle_for_a_second_and_a_half() {
        let pool = Numbers::default();
        for _ in 0..2 {
            let (left, connecting) = begun(&pool);
            drop(left);
            connecting.finish(Ok(1));
        }
        advance(1_499).await;
        assert_eq!(pool.take("http://a"), Some(1));
        advance(2).await;
        assert_eq!(pool.take("http://a"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connect_that_fails_fails_its_own_call_alone() {
        let pool = Numbers::default();
        let ((first, connecting), (second, _second)) = (begun(&pool), begun(&pool));
        connecting.finish(Err("refused"));
        assert_eq!(served(first).await, Err("refused"));
        assert_eq!(served(second).await, Err("waits"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_counted_on_a_connect_that_ends_without_a_connection_is_told() {
        for is_lost in [false, true] {
            let pool = Numbers::default();
            let (first, connecting) = begun(&pool);
            put(&pool, &origin("http://a"), 1, 4_000);
            assert_eq!(served(first).await, Ok((1, false)));
            let next = pool.wait(&origin("http://a"));
            if is_lost {
                drop(connecting);
            } else {
                connecting.finish(Err("refused"));
            }
            assert_eq!(served(next).await, Err("uncovered"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_connect_that_is_lost_is_told_to_its_call() {
        let (waiting, connecting) = begun(&Numbers::default());
        drop(connecting);
        assert_eq!(served(waiting).await, Err("lost"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connect_learns_whether_its_call_was_served_or_left() {
        let pool = Numbers::default();
        let mut waiting = pool.wait(&origin("http://a"));
        let (_connecting, call) = waiting.connect();
        put(&pool, &origin("http://a"), 1, 4_000);
        assert_eq!(served(waiting).await, Ok((1, false)));
        assert!(call.await.is_ok());
        let mut waiting = pool.wait(&origin("http://a"));
        let (_connecting, call) = waiting.connect();
        drop(waiting);
        assert!(call.await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_call_was_given_as_it_left_goes_to_the_next() {
        let pool = Numbers::default();
        let (left, next) = (pool.wait(&origin("http://a")), pool.wait(&origin("http://a")));
        put(&pool, &origin("http://a"), 1, 4_000);
        drop(left);
        assert_eq!(served(next).await, Ok((1, false)));
    }

    // D29
    #[tokio::test(start_paused = true)]
    async fn nothing_is_kept_of_an_origin_that_takes_no_connection() {
        let pool = Numbers::default();
        for number in 0..100 {
            let mut waiting = pool.wait(&origin(&format!("http://{number}")));
            let (connecting, _) = waiting.connect();
            if number % 2 == 0 {
                connecting.finish(Err("refused"));
                assert_eq!(served(waiting).await, Err("refused"));
            } else {
                drop(waiting);
                drop(connecting);
            }
        }
        assert!(lock(&pool.0.state).origins.is_empty());
    }

    // D29
    #[tokio::test(start_paused = true)]
    async fn sixty_four_stay_idle_for_an_origin_and_256_in_all() {
        let pool = Numbers::default();
        let idle = |pool: &Numbers| lock(&pool.0.state).idle;
        for connection in 0..3_000 {
            put(&pool, &origin("http://a"), connection, 60_000);
        }
        assert_eq!(idle(&pool), 3_000);
        advance(501).await;
        assert_eq!(idle(&pool), 1_024);
        advance(3_500).await;
        assert_eq!(idle(&pool), 64);
        for connection in 0..1_000 {
            put(&pool, &origin(&format!("http://{}", connection % 10)), connection, 60_000);
        }
        advance(501).await;
        assert_eq!(idle(&pool), 1_024);
        advance(3_500).await;
        assert_eq!(idle(&pool), 256);
        advance(60_000).await;
        assert_eq!(idle(&pool), 0);
        assert!(lock(&pool.0.state).origins.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn all_that_are_idle_give_way_at_once_and_later_ones_have_their_time() {
        let pool = Pool::<_, &'static str>::default();
        let ((first, first_is_open), (second, second_is_open)) = (connection(), connection());
        put(&pool, &origin("http://a"), first, 60_000);
        assert!(pool.clear(0));
        assert!(!is_open(&first_is_open));
        assert!(lock(&pool.0.state).origins.is_empty());
        assert!(pool.clear(0));
        assert!(!pool.clear(pool.clearings()));
        put(&pool, &origin("http://a"), second, 1_500);
        advance(1_499).await;
        assert!(is_open(&second_is_open));
        advance(2).await;
        assert!(!is_open(&second_is_open));
    }

    #[tokio::test(start_paused = true)]
    async fn the_pool_drops_all_with_itself() {
        let pool = Pool::<_, &'static str>::default();
        let (connection, open) = connection();
        put(&pool, &origin("http://a"), connection, 60_000);
        tokio::task::yield_now().await;
        drop(pool);
        assert!(!is_open(&open));
    }
}
