//! The driver of an exchange: each request over a connection, each answer read and bounded.

use std::{pin::pin, sync::Arc, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use tokio::{select, time::timeout, try_join};

use super::{
    Exchange, Fault, Reply, Request, Sent, Step, Target,
    along::{Along, Notes, What},
    body::OneFrame,
    connect::connect,
    connection::{Connection, OpenFailed},
    courier::Courier,
    keep_alive,
    pool::{Pool, Turn, Waiting},
    reply,
    resolver::Resolver,
    tls::{self, SharedConfig, TlsEnvironment},
};
use crate::fault_injection;

/// Connections to all origins, made for one TLS environment, so that none that was made without
/// verification serves a call that asks for it. Clones share them.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    /// Who sends its requests, where this client does not.
    courier: Option<Courier>,
    along: Option<Along>,
}

struct Shared {
    environment: TlsEnvironment,
    tls: SharedConfig,
    resolver: Resolver,
    pool: Pool<Connection, OpenFailed>,
}

impl Client {
    /// A client without connections.
    #[must_use]
    pub fn new(environment: TlsEnvironment, resolver: Resolver) -> Self {
        let (tls, pool) = (SharedConfig::default(), Pool::default());
        let shared = Arc::new(Shared { environment, tls, resolver, pool });
        Self { shared, courier: None, along: None }
    }

    /// The environment that its connections are made for.
    #[must_use]
    pub fn environment(&self) -> &TlsEnvironment {
        &self.shared.environment
    }

    /// The same for one call: who sends its requests, where that is not this, and what goes along.
    #[must_use]
    pub fn for_call(&self, courier: Option<Courier>, along: Option<Along>) -> Self {
        Self { shared: self.shared.clone(), courier, along }
    }

    /// Notes what is done for `origin`, where somebody watches.
    #[must_use]
    pub fn notes(&self, origin: &Arc<str>) -> Notes {
        Notes::new(self.along.as_ref(), origin)
    }

    /// Tells those who watch the call of a step.
    pub(crate) fn note(&self, origin: &Arc<str>, what: What) {
        if let Some(along) = &self.along {
            along.note(origin, what);
        }
    }

    /// Begins to read the certificates that TLS trusts, which takes milliseconds.
    pub fn prepare_tls(&self) {
        self.shared.tls.begin(&self.shared.environment);
    }

    /// What there is to warn of, each once.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        self.shared.tls.take_warnings()
    }

    /// Drives `exchange` to its end.
    pub async fn drive<E: Exchange>(&self, exchange: &mut E, sent: &Sent) -> E::Output {
        let mut request = exchange.begin();
        loop {
            sent.begin();
            if let Some(along) = &self.along {
                along.add_to(&mut request);
            }
            let origin = request.target.origin().clone();
            let answer = self.send(request, sent).await;
            let status = answer.as_ref().ok().map(|reply| reply.status);
            if let Some(status) = status {
                self.note(&origin, What::Answered(status));
            }
            match exchange.answered(answer) {
                Step::Send(next) => request = *next,
                Step::Done(output) => return output,
            }
            self.note(&origin, if status.is_some() { What::Redirected } else { What::Retried });
        }
    }

    /// Writes `request` once and reads its answer, bounded.
    async fn send(&self, request: Request, sent: &Sent) -> Result<Reply, Fault> {
        if let Some(courier) = &self.courier {
            self.note(request.target.origin(), What::HandedOver);
            return courier.send(request, sent).await;
        }
        let target = request.target.clone();
        let origin = target.origin();
        let mut request = to_hyper(request, sent.clone());
        loop {
            let (mut connection, is_new) = self
                .connection(&target)
                .await
                .map_err(|failed| failed.into_fault(origin, sent.get()))?;
            fault_injection::point("http");
            self.note(origin, if is_new { What::Connected } else { What::Reused });
            self.note(origin, What::Sent);
            let mut error = match connection.send(request).await {
                Ok(response) => {
                    let limit = keep_alive::idle_limit(response.version(), response.headers());
                    let (reply, whole) = reply::read(response, &mut connection, origin).await;
                    if let Some(limit) = limit.filter(|_| whole) {
                        let made = connection.made();
                        self.shared.pool.put(&target.shared_by, connection, made, limit);
                    }
                    return Ok(reply);
                }
                Err(error) => error,
            };
            match error.take_message() {
                // Closed meanwhile: it was handed back, and not a byte of it has left.
                Some(unsent) if !is_new => {
                    self.note(origin, What::Retried);
                    request = unsent;
                }
                _ if connection.is_answering() => {
                    return Err(Fault::inside_answer(error.error(), origin));
                }
                _ => return Err(Fault::before_answer(error.error(), origin, sent.get())),
            }
        }
    }

    /// A connection for one request, and whether it is a new one.
    async fn connection(&self, target: &Arc<Target>) -> Result<(Connection, bool), OpenFailed> {
        let pool = &self.shared.pool;
        while let Some(mut connection) = pool.take(&target.shared_by) {
            if connection.is_ready().await {
                return Ok((connection, false));
            }
        }
        loop {
            let mut waiting = pool.wait(&target.shared_by);
            // Zero is no timeout for tokio: its timers are a millisecond late.
            let covered = if waiting.is_covered() {
                timeout(PATIENCE, waiting.turn()).await.ok()
            } else {
                None
            };
            let turn = if let Some(turn) = covered {
                turn
            } else {
                self.connect(&mut waiting, target);
                waiting.turn().await
            };
            match turn {
                Some(Turn::Served { connection, is_new, .. }) => return Ok((connection, is_new)),
                Some(Turn::Failed(failed)) => return Err(failed),
                Some(Turn::Uncovered) => {}
                None => return Err(OpenFailed::Lost),
            }
        }
    }

    /// Begins a connect for a call that waits. Where the call is served otherwise the connect goes
    /// on, for the next one; where the call leaves it ends.
    fn connect(&self, waiting: &mut Waiting<Connection, OpenFailed>, target: &Arc<Target>) {
        let (connecting, call) = waiting.connect();
        let (client, target) = (self.clone(), target.clone());
        tokio::spawn(async move {
            let mut open = pin!(client.open(&target));
            let result = select! {
                biased;
                result = &mut open => Some(result),
                served = call => match served {
                    Ok(()) => timeout(LONGEST_UNUSED, open).await.ok(),
                    Err(_) => None,
                },
            };
            if let Some(result) = result {
                connecting.finish(result);
            }
        });
    }

    async fn open(&self, target: &Target) -> Result<Connection, OpenFailed> {
        let Shared { environment, tls: shared_config, resolver, pool } = &*self.shared;
        let socket = async || {
            let notes = self.notes(target.origin());
            let socket = loop {
                let seen = pool.clearings();
                match connect(resolver, target.host(), target.port(), &notes).await {
                    // Idle connections have those that it lacks.
                    Err(failed) if failed.is_for_want_of_descriptors() && pool.clear(seen) => {}
                    socket => break socket.map_err(OpenFailed::Connect)?,
                }
            };
            if target.is_https() {
                notes.note(|| socket.peer_addr().ok().map(What::Reached));
            }
            Ok(socket)
        };
        let config = async || {
            let config = match &target.tls {
                _ if !target.is_https() => return Ok(None),
                Some(own) => own.config(environment, shared_config).await,
                None => shared_config.get(environment).await,
            };
            config.map(Some).map_err(OpenFailed::Roots)
        };
        loop {
            // The first call of a process need not wait for its roots before it connects.
            let (socket, config) = try_join!(socket(), config())?;
            match Connection::open(socket, target, config).await {
                // Once: the next configuration has them. Nothing of a request has left.
                Err(OpenFailed::Tls(error)) if tls::is_for_want_of_folders(&error) => {
                    shared_config.read_folders(environment).await.map_err(OpenFailed::Roots)?;
                }
                opened => return opened,
            }
        }
    }
}

fn to_hyper(request: Request, sent: Sent) -> http::Request<OneFrame> {
    let Request { method, target, headers, body } = request;
    let has_no_body = body.is_empty();
    let mut request = http::Request::new(OneFrame::new(body, sent));
    *request.uri_mut() = target.path.clone();
    // Room at once for those that the connection needs, too.
    *request.headers_mut() = HeaderMap::with_capacity(headers.len() + 2);
    let ours = request.headers_mut();
    ours.insert(header::HOST, target.host.clone());
    if has_no_body && method == Method::POST {
        ours.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    for (name, value) in &*headers {
        ours.insert(name, value.clone());
    }
    *request.method_mut() = method;
    request
}

/// For how long a call counts on a connect that was begun for another: many times what one takes.
const PATIENCE: Duration = Duration::from_secs(1);
/// For how long a connect goes on that no call needs at the moment: a server that shuts down may
/// leave it in its handshake, and wait for its end.
const LONGEST_UNUSED: Duration = Duration::from_secs(3);
