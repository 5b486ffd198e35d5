//! Which client a request takes, and so which connection: `reqwest` fixes the idle limit and TLS
//! for a client, ignores what the server says of it, and never asks DNS again while connections
//! last. So each origin has a client of its own, replaced before it could do harm.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Version, header};
use tokio::time::Instant;

use super::{client::lock, tls::TlsEnvironment};

/// What decides whether two requests may share a connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RouteKey {
    pub origin: String,
    /// For https alone.
    pub environment: Option<Arc<TlsEnvironment>>,
}

/// The clients in use.
#[derive(Default)]
pub(super) struct Routes(Mutex<HashMap<RouteKey, Route>>);

/// A client and what is known of its connections. Requests under way keep it when it is replaced.
struct Route {
    client: reqwest::Client,
    made: Instant,
    /// How long the server keeps idle connections, as far as it has said.
    idle: Duration,
    connections: Arc<Connections>,
}

#[derive(Default)]
struct Connections {
    /// Until when each idle connection may be used, in the order in which they came back: the
    /// pool takes the last one first, and so does this.
    idle: Mutex<Vec<Instant>>,
    /// There is a connection that must not be used, and no way to close it alone.
    spoilt: AtomicBool,
}

/// A client for one request. Dropped before the request's answer is whole, it spoils the client:
/// what of that answer comes late must not be taken for another's.
pub(super) struct Lease {
    pub client: reqwest::Client,
    connections: Option<Arc<Connections>>,
}

impl Routes {
    /// A client whose next connection may be used.
    pub fn lease(&self, key: &RouteKey) -> Option<Lease> {
        lock(&self.0).get(key)?.lease()
    }

    /// The same; `make` makes a client with that idle limit where there is none.
    pub fn lease_or_make<E>(
        &self,
        key: &RouteKey,
        make: impl FnOnce(Duration) -> Result<reqwest::Client, E>,
    ) -> Result<Lease, E> {
        let mut routes = lock(&self.0);
        if let Some(lease) = routes.get(key).and_then(Route::lease) {
            return Ok(lease);
        }
        let idle = routes.get(key).map_or(LONGEST_IDLE, |route| route.idle);
        let client = make(idle)?;
        routes.retain(|_, route| route.made.elapsed() < LONGEST_REMEMBERED);
        let connections = Arc::default();
        let route = Route { client, made: Instant::now(), idle, connections };
        let lease = route.leased();
        routes.insert(key.clone(), route);
        Ok(lease)
    }

    /// Remembers for how long a connection may be idle.
    pub fn learn(&self, key: &RouteKey, idle: Duration) {
        if let Some(route) = lock(&self.0).get_mut(key) {
            route.idle = idle;
        }
    }
}

impl Route {
    fn lease(&self) -> Option<Lease> {
        let Connections { idle, spoilt } = &*self.connections;
        if lock(idle).pop().is_some_and(|until| until <= Instant::now()) {
            spoilt.store(true, Ordering::Release);
        }
        let usable = self.made.elapsed() < LONGEST_USE && !spoilt.load(Ordering::Acquire);
        usable.then(|| self.leased())
    }

    fn leased(&self) -> Lease {
        Lease { client: self.client.clone(), connections: Some(self.connections.clone()) }
    }
}

impl Lease {
    /// The answer is whole: its connection is idle for as long as that.
    pub fn idle(mut self, limit: Duration) {
        if let Some(connections) = self.connections.take() {
            lock(&connections.idle).push(Instant::now() + limit);
        }
    }

    /// The connection is closed, or never was.
    pub fn closed(mut self) {
        self.connections = None;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connections) = &self.connections {
            connections.spoilt.store(true, Ordering::Release);
        }
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
/// How long the server's word is remembered for an origin that is not called.
const LONGEST_REMEMBERED: Duration = Duration::from_mins(10);
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

    fn key() -> RouteKey {
        RouteKey { origin: "http://h".to_owned(), environment: None }
    }

    fn lease(routes: &Routes, count: &mut usize) -> Lease {
        let make = |_| {
            *count += 1;
            #[expect(clippy::disallowed_methods, reason = "no request is sent")]
            reqwest::Client::builder()
                .no_proxy()
                .tls_backend_preconfigured(crate::http::tls::trusting_nobody())
                .build()
        };
        routes.lease_or_make(&key(), make).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_kept_while_its_next_connection_may_be_used() {
        let (routes, mut made) = (Routes::default(), 0);
        lease(&routes, &mut made).idle(Duration::from_secs(4));
        tokio::time::advance(Duration::from_millis(3_999)).await;
        lease(&routes, &mut made).idle(Duration::from_secs(4));
        assert_eq!(made, 1);
        tokio::time::advance(Duration::from_secs(4)).await;
        assert!(routes.lease(&key()).is_none());
        assert!(routes.lease(&key()).is_none());
        lease(&routes, &mut made).closed();
        assert_eq!(made, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_older_connection_below_the_last_is_not_used_past_its_time() {
        let (routes, mut made) = (Routes::default(), 0);
        let (first, second) = (lease(&routes, &mut made), lease(&routes, &mut made));
        first.idle(Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(3)).await;
        second.idle(Duration::from_secs(4));
        tokio::time::advance(Duration::from_secs(2)).await;
        let last = lease(&routes, &mut made);
        assert_eq!(made, 1);
        let _below = lease(&routes, &mut made);
        assert_eq!(made, 2);
        last.closed();
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_replaced_after_a_minute_of_steady_use() {
        let (routes, mut made) = (Routes::default(), 0);
        for _ in 0..60 {
            lease(&routes, &mut made).idle(Duration::from_secs(4));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(made, 1);
        lease(&routes, &mut made).idle(Duration::from_secs(4));
        assert_eq!(made, 2);
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_spoils_its_client() {
        let (routes, mut made) = (Routes::default(), 0);
        drop(lease(&routes, &mut made));
        lease(&routes, &mut made).closed();
        lease(&routes, &mut made).closed();
        assert_eq!(made, 2);
    }
}
