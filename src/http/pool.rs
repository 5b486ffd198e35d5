//! Connections that wait for their next request: each for as long as its server keeps it, and no
//! moment longer, used again or not.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Version, header};
use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

use super::tls::TlsEnvironment;
use crate::lock::lock;

/// What decides whether two requests may share a connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Route {
    pub origin: String,
    /// For https alone.
    pub environment: Option<Arc<TlsEnvironment>>,
}

/// The idle connections to all origins.
pub(super) struct Pool<C> {
    idle: Arc<Mutex<Idle<C>>>,
    sooner: Arc<Notify>,
}

struct Idle<C> {
    routes: HashMap<Route, Connections<C>>,
    /// When the task looks that drops those whose time is over, while there is one.
    next: Option<Instant>,
}

struct Connections<C> {
    /// In the order in which they came back, each with the end of its time.
    idle: Vec<(Instant, C)>,
    /// For those who would rather have one that comes back than make their own.
    freed: Arc<Notify>,
}

impl<C: Send + 'static> Pool<C> {
    /// The connection that came back last, so that the others end.
    pub fn take(&self, route: &Route) -> Option<C> {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        let connections = &mut idle.routes.get_mut(route)?.idle;
        while let Some((until, connection)) = connections.pop() {
            if now < until {
                return Some(connection);
            }
        }
        None
    }

    /// The next connection that comes back.
    pub async fn freed(&self, route: &Route) -> C {
        let freed = lock(&self.idle).routes.entry(route.clone()).or_default().freed.clone();
        loop {
            freed.notified().await;
            if let Some(connection) = self.take(route) {
                return connection;
            }
        }
    }

    /// Keeps `connection`, made then, for `limit` at most, and drops it where nobody takes it.
    pub fn put(&self, route: Route, connection: C, made: Instant, limit: Duration) {
        let until = (Instant::now() + limit).min(made + LONGEST_USE);
        let mut idle = lock(&self.idle);
        let connections = idle.routes.entry(route).or_default();
        connections.idle.push((until, connection));
        connections.freed.notify_one();
        match idle.next {
            Some(next) if next <= until => {}
            Some(_) => self.sooner.notify_one(),
            None => {
                idle.next = Some(until);
                tokio::spawn(reap(Arc::downgrade(&self.idle), self.sooner.clone()));
            }
        }
    }
}

impl<C> Idle<C> {
    /// Drops what has had its time. The next such moment; `None` when nothing is left.
    fn expire(&mut self, now: Instant) -> Option<Instant> {
        self.routes.retain(|_, Connections { idle, freed }| {
            idle.retain(|(until, _)| now < *until);
            !idle.is_empty() || Arc::strong_count(freed) > 1
        });
        let idle = self.routes.values().flat_map(|connections| &connections.idle);
        self.next = idle.map(|(until, _)| *until).min();
        self.next
    }
}

/// Ends with the last idle connection, or with the pool.
async fn reap<C>(idle: Weak<Mutex<Idle<C>>>, sooner: Arc<Notify>) {
    while let Some(next) = idle.upgrade().and_then(|idle| lock(&idle).expire(Instant::now())) {
        let _ = timeout_at(next, sooner.notified()).await;
    }
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        let idle = Idle { routes: HashMap::new(), next: None };
        Self { idle: Arc::new(Mutex::new(idle)), sooner: Arc::default() }
    }
}

impl<C> Default for Connections<C> {
    fn default() -> Self {
        Self { idle: Vec::new(), freed: Arc::default() }
    }
}

/// For how long the connection of this answer may be idle, `None` where it is closed.
///
/// A second less than the server says, so that no request meets a closing connection; a server
/// that says nothing keeps 2 s at the least (gunicorn).
pub(super) fn idle_limit(version: Version, headers: &HeaderMap) -> Option<Duration> {
    let connection = headers.get_all(header::CONNECTION);
    let says = |wanted: &[u8]| {
        let mut options = connection.iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    if says(b"close") || version < Version::HTTP_11 && !says(b"keep-alive") {
        return None;
    }
    let seconds = headers.get("keep-alive").and_then(timeout);
    Some(seconds.map_or(IDLE_WITHOUT_HINT, |seconds| {
        Duration::from_secs(seconds.saturating_sub(1)).min(LONGEST_IDLE)
    }))
}

/// `timeout=` of `Keep-Alive` in seconds; one that is less than nothing is nothing.
fn timeout(keep_alive: &HeaderValue) -> Option<u64> {
    keep_alive.to_str().ok()?.split(',').find_map(|parameter| {
        let (name, seconds) = parameter.split_once('=')?;
        let seconds = seconds.trim().trim_matches('"').parse::<i128>().ok()?;
        let seconds = u64::try_from(seconds.max(0)).unwrap_or(u64::MAX);
        name.trim().eq_ignore_ascii_case("timeout").then_some(seconds)
    })
}

/// How long a connection may take new requests, so that DNS changes are seen under steady load.
const LONGEST_USE: Duration = Duration::from_mins(1);
const LONGEST_IDLE: Duration = Duration::from_mins(1);
const IDLE_WITHOUT_HINT: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        idle_limit(Version::HTTP_11, &headers.collect())
    }

    #[track_caller]
    fn kept(hint: &str, milliseconds: u64) {
        let expected = Some(Duration::from_millis(milliseconds));
        assert_eq!(limit(&[("keep-alive", hint)]), expected, "{hint}");
    }

    #[test]
    fn an_idle_connection_is_kept_a_second_less_than_the_server_says() {
        kept("timeout=5", 4_000);
        kept("timeout=5, max=100", 4_000);
        kept("max=100, Timeout = \"5\"", 4_000);
        kept("timeout=2", 1_000);
    }

    #[test]
    fn it_is_kept_a_minute_at_most() {
        kept("timeout=61", 60_000);
        kept("timeout=99999999999999999999", 60_000);
    }

    #[test]
    fn it_is_not_kept_where_that_leaves_nothing() {
        kept("timeout=1", 0);
        kept("timeout=0", 0);
        kept("timeout=-5", 0);
    }

    #[test]
    fn it_is_kept_a_second_and_a_half_where_the_server_says_nothing() {
        assert_eq!(limit(&[]), Some(Duration::from_millis(1500)));
        kept("max=5", 1500);
        kept("timeout=soon", 1500);
    }

    #[test]
    fn a_connection_that_the_server_closes_is_not_idle() {
        assert_eq!(limit(&[("connection", "Close")]), None);
        assert_eq!(limit(&[("connection", "x, close"), ("keep-alive", "timeout=5")]), None);
        assert_eq!(idle_limit(Version::HTTP_10, &HeaderMap::new()), None);
    }

    fn route(origin: &str) -> Route {
        Route { origin: origin.to_owned(), environment: None }
    }

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

    fn put<C: Send + 'static>(pool: &Pool<C>, route: Route, connection: C, milliseconds: u64) {
        pool.put(route, connection, Instant::now(), Duration::from_millis(milliseconds));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_taken_until_its_time_is_over() {
        let pool = Pool::default();
        put(&pool, route("http://a"), 1, 4_000);
        advance(3_999).await;
        assert_eq!(pool.take(&route("http://a")), Some(1));
        assert_eq!(pool.take(&route("http://a")), None);
        put(&pool, route("http://a"), 1, 4_000);
        advance(4_000).await;
        assert_eq!(pool.take(&route("http://a")), None);
    }

    // B25: the next one is made at the address that the name has then (resolver.rs).
    #[tokio::test(start_paused = true)]
    async fn a_connection_takes_no_request_a_minute_after_it_was_made_however_busy_it_was() {
        let (pool, made) = (Pool::default(), Instant::now());
        for _ in 0..60 {
            pool.put(route("http://a"), 1, made, Duration::from_secs(4));
            advance(999).await;
            assert_eq!(pool.take(&route("http://a")), Some(1));
        }
        pool.put(route("http://a"), 1, made, Duration::from_secs(4));
        advance(60).await;
        assert_eq!(pool.take(&route("http://a")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn no_other_origin_takes_it() {
        let pool = Pool::default();
        put(&pool, route("http://a"), 1, 4_000);
        assert_eq!(pool.take(&route("http://b")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_one_is_taken_first_and_none_past_its_time() {
        let pool = Pool::default();
        put(&pool, route("http://a"), 1, 4_000);
        put(&pool, route("http://a"), 2, 1_000);
        put(&pool, route("http://a"), 3, 4_000);
        assert_eq!(pool.take(&route("http://a")), Some(3));
        advance(1_000).await;
        assert_eq!(pool.take(&route("http://a")), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_dropped_when_its_time_is_over_whatever_comes_before_and_after() {
        let pool = Pool::default();
        let ((slow, slow_is_open), (quick, quick_is_open)) = (connection(), connection());
        put(&pool, route("http://a"), slow, 60_000);
        put(&pool, route("http://b"), quick, 1_500);
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
    async fn one_that_comes_back_when_all_had_gone_is_dropped_in_its_time_too() {
        let pool = Pool::default();
        for _ in 0..3 {
            let (connection, open) = connection();
            put(&pool, route("http://a"), connection, 1_500);
            advance(1_501).await;
            assert!(!is_open(&open));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_comes_back_goes_to_one_who_waits_for_it() {
        let pool = Arc::new(Pool::default());
        let waiter = |pool: Arc<Pool<i32>>| async move { pool.freed(&route("http://a")).await };
        let left = tokio::spawn(waiter(pool.clone()));
        let waits = tokio::spawn(waiter(pool.clone()));
        tokio::task::yield_now().await;
        left.abort();
        put(&pool, route("http://b"), 2, 4_000);
        put(&pool, route("http://a"), 1, 4_000);
        assert_eq!(waits.await.unwrap(), 1);
        assert_eq!(pool.take(&route("http://a")), None);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_was_taken_meanwhile_is_waited_for_again() {
        let pool = Arc::new(Pool::default());
        put(&pool, route("http://a"), 1, 1_000);
        pool.take(&route("http://a"));
        let waiting = pool.clone();
        let waits = tokio::spawn(async move { waiting.freed(&route("http://a")).await });
        advance(10_000).await;
        put(&pool, route("http://a"), 2, 4_000);
        assert_eq!(waits.await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_pool_drops_all_with_itself() {
        let pool = Pool::default();
        let (connection, open) = connection();
        put(&pool, route("http://a"), connection, 60_000);
        tokio::task::yield_now().await;
        drop(pool);
        assert!(!is_open(&open));
    }
}
