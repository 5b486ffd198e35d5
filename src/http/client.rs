//! The one place that touches `reqwest`: connections, their pools and their lives.

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body::{Body, Frame, SizeHint};
use reqwest::dns::Resolve;
use tokio::{sync::OnceCell, task::yield_now, time::Instant};

use super::{
    Exchange, Fault, Reply, Request, Step, origin, reply,
    resolver::SystemResolver,
    tls::{self, TlsEnvironment},
};

/// Connections to all origins. Clones share them; each call names the environment that made it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    environment: Arc<TlsEnvironment>,
}

struct Shared {
    resolver: Arc<dyn Resolve>,
    routes: Mutex<HashMap<RouteKey, Route>>,
    tls: Mutex<HashMap<Arc<TlsEnvironment>, Arc<OnceCell<rustls::ClientConfig>>>>,
    warnings: Mutex<Vec<String>>,
}

/// What decides whether two calls may share a connection.
#[derive(Clone, PartialEq, Eq, Hash)]
struct RouteKey {
    origin: String,
    /// For https alone.
    environment: Option<Arc<TlsEnvironment>>,
}

/// `reqwest` fixes the idle limit for a client, and never asks DNS again while connections last:
/// so there is a client for each origin and limit, and a new one after a minute.
struct Route {
    client: reqwest::Client,
    idle: Duration,
    made: Instant,
}

/// Whether a byte of a call's requests may have left.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicBool>);

impl Sent {
    /// False only while it is certain that none did.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Client {
    /// A client without connections that asks the system for names.
    #[must_use]
    pub fn new() -> Self {
        Self::with_resolver(Arc::new(SystemResolver::default()))
    }

    /// The same with another resolver.
    pub fn with_resolver(resolver: Arc<dyn Resolve>) -> Self {
        let shared = Shared {
            resolver,
            routes: Mutex::default(),
            tls: Mutex::default(),
            warnings: Mutex::default(),
        };
        Self { shared: Arc::new(shared), environment: Arc::default() }
    }

    /// The same connections for a call made in `environment`.
    #[must_use]
    pub fn for_environment(&self, environment: TlsEnvironment) -> Self {
        Self { shared: self.shared.clone(), environment: Arc::new(environment) }
    }

    /// What there is to warn of, each once.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.shared.warnings))
    }

    /// Drives `exchange` to its end.
    pub async fn drive<E: Exchange>(&self, exchange: &mut E, sent: &Sent) -> E::Output {
        let mut request = exchange.begin();
        loop {
            match exchange.answered(self.send(request, sent).await) {
                Step::Send(next) => request = *next,
                Step::Done(output) => return output,
            }
        }
    }

    /// Writes `request` once and reads its answer, bounded.
    async fn send(&self, request: Request, sent: &Sent) -> Result<Reply, Fault> {
        let origin = origin(&request.url);
        let key = RouteKey {
            environment: (request.url.scheme() == "https").then(|| self.environment.clone()),
            origin,
        };
        let client = self.client(&key, sent).await?;
        settle().await;
        let result = client.execute(to_reqwest(request, sent.clone())).await;
        let response = result.map_err(|e| Fault::from_request(&e, &key.origin, sent.get()))?;
        self.learn(&key, response.headers());
        Ok(read(response, &key.origin).await)
    }

    /// The client for `key`: a new one where there is none, or where its first connection may be
    /// a minute old. Calls under way keep the old one.
    async fn client(&self, key: &RouteKey, sent: &Sent) -> Result<reqwest::Client, Fault> {
        if let Some(route) = lock(&self.shared.routes).get(key)
            && route.made.elapsed() < LONGEST_USE
        {
            return Ok(route.client.clone());
        }
        let tls = match &key.environment {
            Some(environment) => Some(self.tls(environment).await),
            None => None,
        };
        let mut routes = lock(&self.shared.routes);
        // While TLS was being set up another call may have come first.
        let idle = match routes.get(key) {
            Some(route) if route.made.elapsed() < LONGEST_USE => return Ok(route.client.clone()),
            Some(route) => route.idle,
            None => IDLE_WITHOUT_HINT,
        };
        let route =
            self.route(idle, tls).map_err(|e| Fault::no_client(&e, &key.origin, sent.get()))?;
        let client = route.client.clone();
        routes.retain(|_, route| route.made.elapsed() < LONGEST_REMEMBERED);
        routes.insert(key.clone(), route);
        Ok(client)
    }

    /// Takes the server's word on how long an idle connection lasts.
    fn learn(&self, key: &RouteKey, headers: &HeaderMap) {
        let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
        if headers.get(header::CONNECTION).is_some_and(closes) {
            return;
        }
        let idle = idle_limit(headers.get("keep-alive"));
        let mut routes = lock(&self.shared.routes);
        if let Some(route) = routes.get(key)
            && route.idle != idle
        {
            let tls = key.environment.as_ref().and_then(|environment| {
                lock(&self.shared.tls).get(environment).and_then(|cell| cell.get().cloned())
            });
            // A client that cannot be made now fails at the next call, which says so.
            match self.route(idle, tls) {
                Ok(route) => routes.insert(key.clone(), route),
                Err(_) => routes.remove(key),
            };
        }
    }

    fn route(
        &self,
        idle: Duration,
        tls: Option<rustls::ClientConfig>,
    ) -> Result<Route, reqwest::Error> {
        #[expect(clippy::disallowed_methods, reason = "here alone, with `no_proxy`")]
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .http1_title_case_headers()
            .http1_max_headers(2000)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            .pool_idle_timeout(idle)
            .dns_resolver(self.shared.resolver.clone());
        if idle.is_zero() {
            builder = builder.pool_max_idle_per_host(0);
        }
        // Without https none is needed; `reqwest` would still read the system's roots for one.
        builder = builder.tls_backend_preconfigured(tls.unwrap_or_else(tls::trusting_nobody));
        Ok(Route { client: builder.build()?, idle, made: Instant::now() })
    }

    /// The TLS configuration for `environment`: reading roots takes long, so it happens once and
    /// on a thread where nothing else waits.
    async fn tls(&self, environment: &Arc<TlsEnvironment>) -> rustls::ClientConfig {
        let cell = lock(&self.shared.tls).entry(environment.clone()).or_default().clone();
        let init = async {
            let environment = environment.clone();
            let read = tokio::task::spawn_blocking(move || tls::client_config(&environment));
            let (config, warnings) = read.await.unwrap_or_else(|error| {
                (tls::trusting_nobody(), vec![format!("TLS roots could not be read: {error}")])
            });
            lock(&self.shared.warnings).extend(warnings);
            config
        };
        cell.get_or_init(|| init).await.clone()
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

fn to_reqwest(Request { method, url, mut headers, body }: Request, sent: Sent) -> reqwest::Request {
    if body.is_empty() && method == Method::POST {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    let mut request = reqwest::Request::new(method, url);
    *request.headers_mut() = headers;
    let body = Some(body).filter(|body| !body.is_empty());
    *request.body_mut() = Some(reqwest::Body::wrap(OneFrame { body, sent }));
    request
}

/// Lets idle connections see what has reached this machine: a close, or bytes that nobody asked
/// for, which the next request would take for its answer. The first turn is the reactor's, the
/// second that of the connections it woke.
async fn settle() {
    yield_now().await;
    yield_now().await;
}

async fn read(mut response: reqwest::Response, origin: &str) -> Reply {
    let status = response.status().as_u16();
    let location = response.headers().get(header::LOCATION);
    if let Some(location) = location.filter(|_| reply::redirects(status)) {
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        return Reply { status, location: Some(location), ..Reply::default() };
    }
    let codings = codings(response.headers());
    let limit = reply::limit(status);
    let success = (200..300).contains(&status);
    let mut body = Vec::new();
    let mut broken = None;
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) => {
                broken = Some(Fault::from_body(&error, origin));
                break;
            }
        }
        if body.len() > limit {
            broken = Some(Fault::unreadable(&reply::Unreadable::TooLong, origin));
            body.truncate(limit);
            break;
        }
    }
    match reply::decode(&body, &codings, limit) {
        Ok(decoded) => body = decoded,
        Err((why, decoded)) => {
            broken = broken.or_else(|| Some(Fault::unreadable(&why, origin)));
            // Of a failure whatever came is quoted.
            if !success && !decoded.is_empty() {
                body = decoded;
            }
        }
    }
    Reply { status, location: None, text: reply::text(&body), broken }
}

fn codings(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|coding| String::from_utf8_lossy(coding).trim().to_ascii_lowercase())
        .collect()
}

/// A second less than the server says, so that no request meets a closing connection; a server
/// that says nothing keeps 2 s at the least (gunicorn).
fn idle_limit(keep_alive: Option<&HeaderValue>) -> Duration {
    let timeout = keep_alive.and_then(|value| {
        value.to_str().ok()?.split(',').find_map(|parameter| {
            let (name, seconds) = parameter.split_once('=')?;
            let seconds = seconds.trim().trim_matches('"').parse::<u64>().ok()?;
            name.trim().eq_ignore_ascii_case("timeout").then_some(seconds)
        })
    });
    timeout.map_or(IDLE_WITHOUT_HINT, |seconds| {
        Duration::from_secs(seconds.saturating_sub(1)).min(LONGEST_IDLE)
    })
}

/// A body of one frame, or of none, that tells when the connection first looks at it: hyper asks
/// whether there is a body just before it writes the head.
struct OneFrame {
    body: Option<Bytes>,
    sent: Sent,
}

impl Body for OneFrame {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.body.take().map(|body| Ok(Frame::data(body))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent.set();
        self.body.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.body.as_ref().map_or(0, |body| body.len() as u64))
    }
}

/// A lock that a panic elsewhere cannot poison: what it guards is whole at every step.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long a connection may take new requests, so that DNS changes are seen under steady load.
const LONGEST_USE: Duration = Duration::from_mins(1);
/// How long the server's hint is remembered for an origin that is not called.
const LONGEST_REMEMBERED: Duration = Duration::from_mins(10);
const LONGEST_IDLE: Duration = Duration::from_mins(1);
const IDLE_WITHOUT_HINT: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn kept(hint: &str, milliseconds: u64) {
        let hint = HeaderValue::from_str(hint).unwrap();
        assert_eq!(idle_limit(Some(&hint)), Duration::from_millis(milliseconds));
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
        kept("timeout=18446744073709551615", 60_000);
    }

    #[test]
    fn it_is_not_kept_where_that_leaves_nothing() {
        kept("timeout=1", 0);
        kept("timeout=0", 0);
    }

    #[test]
    fn it_is_kept_a_second_and_a_half_where_the_server_says_nothing() {
        assert_eq!(idle_limit(None), Duration::from_millis(1500));
        kept("max=5", 1500);
        kept("timeout=soon", 1500);
    }
}
