//! The driver of an exchange: each request over a connection, each answer read and bounded.

use std::{
    collections::HashMap,
    convert::Infallible,
    error::Error,
    io,
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Method, header};
use http_body::{Body, Frame, SizeHint};
use hyper::{Uri, body::Incoming};
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::{select, sync::OnceCell, task::yield_now};
use url::{Host, Position, Url};

use super::{
    Exchange, Fault, Reply, Request, Step,
    connection::Connection,
    fault::LookupFailed,
    origin,
    pool::{self, Pool, Route},
    reply,
    resolver::SystemResolver,
    tls::{self, TlsEnvironment},
};
use crate::{fault_injection, lock::lock};

/// Connections to all origins. Clones share them; each call names the environment that made it.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    environment: Arc<TlsEnvironment>,
}

struct Shared {
    connector: HttpConnector<SystemResolver>,
    idle: Pool<Connection>,
    tls: Mutex<HashMap<Arc<TlsEnvironment>, TlsConfig>>,
    warnings: Mutex<Vec<String>>,
}

/// Read at the first call that needs it.
type TlsConfig = Arc<OnceCell<Arc<rustls::ClientConfig>>>;

/// Whether a byte of a call's requests may have left.
#[derive(Clone, Debug, Default)]
pub struct Sent(Arc<AtomicU8>);

impl Sent {
    /// False only while it is certain that none did.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::EVER != 0
    }

    /// The same of the last request alone: a redirect may lead to where nobody listens.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.0.load(Ordering::Acquire) & Self::NOW != 0
    }

    /// The next request.
    fn begin(&self) {
        self.0.fetch_and(!Self::NOW, Ordering::AcqRel);
    }

    fn set(&self) {
        self.0.store(Self::EVER | Self::NOW, Ordering::Release);
    }

    const EVER: u8 = 1;
    const NOW: u8 = 2;
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new() -> Self {
        let mut connector = HttpConnector::new_with_resolver(SystemResolver::default());
        // Also for https: what it gives is TCP.
        connector.enforce_http(false);
        connector.set_nodelay(true);
        let shared = Shared {
            connector,
            idle: Pool::default(),
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
            sent.begin();
            match exchange.answered(self.send(request, sent).await) {
                Step::Send(next) => request = *next,
                Step::Done(output) => return output,
            }
        }
    }

    /// Writes `request` once and reads its answer, bounded.
    async fn send(&self, request: Request, sent: &Sent) -> Result<Reply, Fault> {
        let url = request.url.clone();
        let route = Route {
            environment: (url.scheme() == "https").then(|| self.environment.clone()),
            origin: origin(&url),
        };
        let mut request = to_hyper(request, sent.clone())
            .map_err(|error| Fault::connecting(&error, &route.origin, sent.get()))?;
        loop {
            let (mut connection, reused) = self.connection(&url, &route, sent).await?;
            fault_injection::point("http");
            let mut error = match connection.send(request).await {
                Ok(response) => return Ok(self.receive(response, route, connection).await),
                Err(error) => error,
            };
            match error.take_message() {
                // Closed meanwhile: it was handed back, and not a byte of it has left.
                Some(unsent) if reused => request = unsent,
                _ if connection.is_answering() => {
                    return Err(Fault::inside_answer(error.error(), &route.origin));
                }
                _ => return Err(Fault::before_answer(error.error(), &route.origin, sent.get())),
            }
        }
    }

    /// A connection for one request, and whether it has carried others.
    async fn connection(
        &self,
        url: &Url,
        route: &Route,
        sent: &Sent,
    ) -> Result<(Connection, bool), Fault> {
        if let Some(connection) = self.idle(route).await {
            return Ok((connection, true));
        }
        // What is begun here and not used is closed: a server that shuts down would wait for it.
        select! {
            connection = self.freed(route) => Ok((connection, true)),
            connected = self.connect(url, route, sent) => Ok((connected?, false)),
        }
    }

    /// An idle connection that is still open.
    async fn idle(&self, route: &Route) -> Option<Connection> {
        while let Some(connection) = self.shared.idle.take(route) {
            settle().await;
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    /// The next one.
    async fn freed(&self, route: &Route) -> Connection {
        loop {
            let connection = self.shared.idle.freed(route).await;
            settle().await;
            if connection.is_ready() {
                return connection;
            }
        }
    }

    async fn connect(&self, url: &Url, route: &Route, sent: &Sent) -> Result<Connection, Fault> {
        let tls = match &route.environment {
            Some(environment) => Some(self.tls(environment).await),
            None => None,
        };
        let opened = Connection::open(&self.shared.connector, url, tls).await;
        opened.map_err(|error| unconnected(&*error, url, &route.origin, sent.get()))
    }

    /// Reads an answer, and decides what becomes of its connection.
    async fn receive(
        &self,
        response: http::Response<Incoming>,
        route: Route,
        connection: Connection,
    ) -> Reply {
        let limit = pool::idle_limit(response.version(), response.headers());
        let (reply, whole) = reply::read(response, &route.origin).await;
        if let Some(limit) = limit.filter(|_| whole) {
            let made = connection.made();
            self.shared.idle.put(route, connection, made, limit);
        }
        reply
    }

    /// The TLS configuration for `environment`: reading roots takes long, so it happens once and
    /// on a thread where nothing else waits.
    async fn tls(&self, environment: &Arc<TlsEnvironment>) -> Arc<rustls::ClientConfig> {
        let cell = lock(&self.shared.tls).entry(environment.clone()).or_default().clone();
        let init = async {
            let environment = environment.clone();
            let read = tokio::task::spawn_blocking(move || tls::client_config(&environment));
            let (config, warnings) = read.await.unwrap_or_else(|error| {
                (tls::trusting_nobody(), vec![format!("TLS roots could not be read: {error}")])
            });
            lock(&self.shared.warnings).extend(warnings);
            Arc::new(config)
        };
        cell.get_or_init(|| init).await.clone()
    }
}

impl Default for Client {
    fn default() -> Self {
        Self::new()
    }
}

/// Why there is no connection, with what Node's errors name.
fn unconnected(error: &(dyn Error + 'static), url: &Url, origin: &str, sent: bool) -> Fault {
    let mut causes = std::iter::successors(Some(error), |&error| error.source());
    let address = match url.host() {
        Some(Host::Domain(host)) => {
            return match causes.find_map(|cause| cause.downcast_ref::<LookupFailed>()) {
                Some(failed) => Fault::looking_up(failed, host, origin, sent),
                None => Fault::connecting(error, origin, sent),
            };
        }
        Some(Host::Ipv4(address)) => IpAddr::from(address),
        Some(Host::Ipv6(address)) => IpAddr::from(address),
        None => return Fault::connecting(error, origin, sent),
    };
    match causes.find_map(|cause| cause.downcast_ref::<io::Error>()) {
        Some(failed) if failed.raw_os_error().is_some() => {
            let port = url.port_or_known_default().unwrap_or_default();
            Fault::dialling(failed, SocketAddr::new(address, port), origin, sent)
        }
        _ => Fault::connecting(error, origin, sent),
    }
}

fn to_hyper(request: Request, sent: Sent) -> Result<http::Request<OneFrame>, http::Error> {
    let Request { method, url, headers, body } = request;
    let mut request = http::Request::builder()
        .uri(
            Uri::builder()
                .path_and_query(&url[Position::BeforePath..Position::AfterQuery])
                .build()?,
        )
        .method(method)
        .header(header::HOST, &url[Position::BeforeHost..Position::AfterPort])
        .body(OneFrame { body: Some(body).filter(|body| !body.is_empty()), sent })?;
    if request.body().body.is_none() && request.method() == Method::POST {
        request.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    request.headers_mut().extend(headers);
    Ok(request)
}

/// Lets idle connections see what has reached this machine: a close, or bytes that nobody asked
/// for, which the next request would take for its answer. The first turn is the reactor's, the
/// second that of the connections it woke.
async fn settle() {
    yield_now().await;
    yield_now().await;
}

/// A body of one frame, or of none, that tells when the connection first looks at it: hyper asks
/// whether there is a body just before it writes the head.
pub(super) struct OneFrame {
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
