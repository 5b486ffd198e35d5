//! One connection to an origin, spoken to by hyper's HTTP/1.1.

use std::{
    future::{Future as _, poll_fn},
    io,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Body as _;
use hyper::{
    Version,
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, SendRequest},
    },
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::{
    net::TcpStream,
    sync::Notify,
    task::{self, yield_now},
    time::Instant,
};
use tokio_rustls::TlsConnector;

use super::{
    Target,
    body::OneFrame,
    connect::ConnectFailed,
    driver::Driver,
    fault::{Fault, Reason},
    pool::Pooled,
    tls,
    wire::{Answer, Stream, Wire},
};

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum OpenFailed {
    /// No socket.
    Connect(ConnectFailed),
    /// A host whose name is too long for TLS.
    Name,
    /// The handshake failed: TLS's reasons are inside.
    Tls(io::Error),
    /// No roots, for want of a thread to read them.
    Roots(io::Error),
    /// HTTP could not begin.
    Http(hyper::Error),
    /// It ended without a result.
    Lost,
}

impl OpenFailed {
    /// The fault of the call that has no connection.
    pub fn into_fault(self, origin: &str, sent: bool) -> Fault {
        match self {
            Self::Connect(ConnectFailed::Lookup { hostname, failed }) => {
                Fault::looking_up(failed.0, &hostname, origin, sent)
            }
            Self::Connect(ConnectFailed::Unreachable { address, error }) => {
                Fault::dialling(&error, address, origin, sent)
            }
            Self::Name => Fault::connecting(&NO_NAME, origin, sent),
            Self::Tls(error) => {
                let is_of_dialect = !sent && tls::is_of_dialect(&error);
                Fault { is_of_dialect, ..Fault::connecting(&error, origin, sent) }
            }
            Self::Roots(error) => Fault::connecting(&error, origin, sent),
            Self::Http(error) => Fault::connecting(&error, origin, sent),
            Self::Lost => Fault::connecting(&LOST, origin, sent),
        }
    }
}

const NO_NAME: Reason = Reason::new("the host's name is too long for TLS");
const LOST: Reason = Reason::new("connecting ended without a result");

/// A connection that carries one request at a time. Dropped, it is closed.
pub(super) struct Connection {
    /// Before `driver`, which ends at its drop.
    requests: SendRequest<OneFrame>,
    driver: Driver,
    answer: Arc<Answer>,
    made: Instant,
}

impl Connection {
    /// Over `tcp` to `target`, and over TLS where there is a configuration for it.
    pub async fn open(
        tcp: TcpStream,
        target: &Target,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, OpenFailed> {
        let stream: Box<dyn Stream> = match tls {
            Some(tls) => {
                let host = target.url().host_str().unwrap_or_default();
                let (tls, name) = tls::target(&tls, host).ok_or(OpenFailed::Name)?;
                let secured = TlsConnector::from(tls).connect(name, tcp).await;
                Box::new(secured.map_err(OpenFailed::Tls)?)
            }
            None => Box::new(tcp),
        };
        let answer = Arc::<Answer>::default();
        let wire = Wire::new(stream, answer.clone());
        let (requests, http) = Builder::new()
            .title_case_headers(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            // `fetch` takes a line without a name, too, and `Head` makes more of them.
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(OpenFailed::Http)?;
        let (driver, made) = (Driver::new(http), Instant::now());
        Ok(Self { requests, driver, answer, made })
    }

    /// Whether to send a request on it after others. What has reached this machine is read before:
    /// its end, or bytes that nobody asked for, which a request would take for its answer. In a task
    /// the driver does that as it sends, and hands the request back.
    pub async fn is_ready(&mut self) -> bool {
        if task::try_id().is_some() {
            // The reactor's turn; the driver reads before it writes.
            yield_now().await;
            return true;
        }
        // That turn is another thread's, and a look at the socket takes less.
        self.answer.look();
        self.driver.begin();
        self.driver.looks_open() && self.answer.is_silent()
    }

    /// Writes `request`, and waits for the head of its answer. It is handed back where the
    /// connection has ended meanwhile.
    pub async fn send(
        &mut self,
        request: hyper::Request<OneFrame>,
    ) -> Result<hyper::Response<Incoming>, TrySendError<hyper::Request<OneFrame>>> {
        self.answer.reset();
        self.driver.begin();
        let mut answered = pin!(self.requests.try_send_request(request));
        let driven = poll_fn(|context| {
            self.driver.work(context);
            answered.as_mut().poll(context)
        });
        let mut response = driven.await?;
        if self.answer.is_old() {
            // Without `Connection: keep-alive` its connection is not used again.
            *response.version_mut() = Version::HTTP_10;
        }
        Ok(response)
    }

    /// The next piece of the answer's body, trailers passed over.
    pub async fn chunk(&mut self, body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
        let mut frame = |context: &mut Context<'_>| {
            if let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(context) {
                return Poll::Ready(frame);
            }
            self.driver.work(context);
            Pin::new(&mut *body).poll_frame(context)
        };
        loop {
            match poll_fn(&mut frame).await? {
                Ok(frame) => {
                    if let Ok(data) = frame.into_data() {
                        return Some(Ok(data));
                    }
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Whether a byte came since the last request began.
    pub fn is_answering(&self) -> bool {
        self.answer.has_begun()
    }

    /// When its handshakes were over.
    pub fn made(&self) -> Instant {
        self.made
    }
}

impl Pooled for Connection {
    fn rest(&mut self, reaper: &Arc<Notify>) {
        self.driver.rest(reaper);
    }

    fn is_open(&mut self) -> bool {
        self.driver.is_open()
    }
}
