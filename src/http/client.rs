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
use tokio::{sync::OnceCell, task::yield_now, time::timeout};

use super::{
    Exchange, Fault, Reply, Request, Step, origin, reply,
    resolver::SystemResolver,
    routes::{self, Lease, RouteKey, Routes},
    tls::{self, TlsEnvironment},
};
use crate::fault_injection;

/// Connections to all origins. Clones share them; each call names the environment that made it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    environment: Arc<TlsEnvironment>,
}

struct Shared {
    resolver: Arc<dyn Resolve>,
    routes: Routes,
    tls: Mutex<HashMap<Arc<TlsEnvironment>, Arc<OnceCell<rustls::ClientConfig>>>>,
    warnings: Mutex<Vec<String>>,
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
            routes: Routes::default(),
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
        let lease = self.lease(&key, sent).await?;
        settle().await;
        fault_injection::point("http");
        match lease.client.execute(to_reqwest(request, sent.clone())).await {
            Ok(response) => Ok(self.receive(response, &key, lease).await),
            Err(error) => {
                lease.closed();
                Err(Fault::from_request(&error, &key.origin, sent.get()))
            }
        }
    }

    /// Reads an answer, and decides what becomes of its connection.
    async fn receive(&self, response: reqwest::Response, key: &RouteKey, lease: Lease) -> Reply {
        let idle = routes::idle_limit(response.version(), response.headers());
        let (reply, end) = read(response, &key.origin).await;
        match (end, idle) {
            (End::Whole, Some(idle)) => {
                self.shared.routes.learn(key, idle);
                lease.idle(idle);
            }
            (End::Whole, None) | (End::Closed, _) => lease.closed(),
            (End::Dropped, _) => drop(lease),
        }
        reply
    }

    async fn lease(&self, key: &RouteKey, sent: &Sent) -> Result<Lease, Fault> {
        if let Some(lease) = self.shared.routes.lease(key) {
            return Ok(lease);
        }
        // Without https none is needed; `reqwest` would read the system's roots for one.
        let tls = match &key.environment {
            Some(environment) => self.tls(environment).await,
            None => tls::trusting_nobody(),
        };
        // While TLS was being set up another call may have come first.
        let leased = self.shared.routes.lease_or_make(key, |idle| self.make(idle, tls));
        leased.map_err(|error| Fault::no_client(&error, &key.origin, sent.get()))
    }

    fn make(
        &self,
        idle: Duration,
        tls: rustls::ClientConfig,
    ) -> Result<reqwest::Client, reqwest::Error> {
        #[expect(clippy::disallowed_methods, reason = "here alone, with `no_proxy`")]
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .http1_only()
            .http1_title_case_headers()
            .http1_max_headers(2000)
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .http1_allow_spaces_after_header_name_in_responses(true)
            // `fetch` takes a line without a name, too.
            .http1_ignore_invalid_headers_in_responses(true)
            .pool_idle_timeout(idle)
            .dns_resolver(self.shared.resolver.clone())
            .tls_backend_preconfigured(tls)
            .build()
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

/// How an answer ended.
enum End {
    /// To its last byte.
    Whole,
    /// With its connection.
    Closed,
    /// Nobody read on.
    Dropped,
}

async fn read(mut response: reqwest::Response, origin: &str) -> (Reply, End) {
    let status = response.status().as_u16();
    let location = response.headers().get(header::LOCATION);
    if let Some(location) = location.filter(|_| reply::redirects(status)) {
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        let reply = Reply { status, location: Some(location), ..Reply::default() };
        return (reply, drain(response).await);
    }
    let codings = codings(response.headers());
    let limit = reply::limit(status);
    let success = (200..300).contains(&status);
    let mut body = Vec::new();
    let mut broken = None;
    let end = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => body.extend_from_slice(&chunk),
            Ok(None) => break End::Whole,
            Err(error) => {
                broken = Some(Fault::from_body(&error, origin));
                break End::Closed;
            }
        }
        if body.len() > limit {
            broken = Some(Fault::unreadable(&reply::Unreadable::TooLong, origin));
            body.truncate(limit);
            break End::Dropped;
        }
    };
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
    (Reply { status, location: None, text: reply::text(&body), broken }, end)
}

/// Reads the body of a redirect, where that is quickly done: its connection can be used again.
async fn drain(mut response: reqwest::Response) -> End {
    if response.content_length().is_none_or(|length| length > LONGEST_DRAINED) {
        return End::Dropped;
    }
    let rest = async { while let Ok(Some(_)) = response.chunk().await {} };
    match timeout(LONGEST_DRAIN, rest).await {
        Ok(()) => End::Whole,
        Err(_) => End::Dropped,
    }
}

fn codings(headers: &HeaderMap) -> Vec<String> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|coding| String::from_utf8_lossy(coding).trim().to_ascii_lowercase())
        .collect()
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

/// In bytes.
const LONGEST_DRAINED: u64 = 16 * 1024;
/// What has been sent is here by then; what has not is not worth the wait.
const LONGEST_DRAIN: Duration = Duration::from_millis(50);
