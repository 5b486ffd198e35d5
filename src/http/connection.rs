//! One connection to an origin, spoken to by hyper's HTTP/1.1.

use std::{io, sync::Arc};

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
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::{
    Target,
    body::OneFrame,
    connect::{ConnectFailed, connect},
    fault::{Fault, Reason},
    resolver::Resolver,
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
    requests: SendRequest<OneFrame>,
    answer: Arc<Answer>,
    made: Instant,
}

impl Connection {
    /// Connects to `target`, over TLS where there is a configuration for it.
    pub async fn open(
        resolver: &Resolver,
        target: &Target,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, OpenFailed> {
        let tcp = connect(resolver, target.host(), target.port()).await;
        let tcp = tcp.map_err(OpenFailed::Connect)?;
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
        let (requests, connection) = Builder::new()
            .title_case_headers(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            // `fetch` takes a line without a name, too, and `Head` makes more of them.
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(OpenFailed::Http)?;
        // Its errors are those of the request under way.
        tokio::spawn(connection);
        Ok(Self { requests, answer, made: Instant::now() })
    }

    /// Writes `request`, and waits for the head of its answer.
    pub async fn send(
        &mut self,
        request: hyper::Request<OneFrame>,
    ) -> Result<hyper::Response<Incoming>, TrySendError<hyper::Request<OneFrame>>> {
        self.answer.reset();
        let mut response = self.requests.try_send_request(request).await?;
        if self.answer.is_old() {
            // Without `Connection: keep-alive` its connection is not used again.
            *response.version_mut() = Version::HTTP_10;
        }
        Ok(response)
    }

    /// Whether a byte came since the last request began.
    pub fn is_answering(&self) -> bool {
        self.answer.has_begun()
    }

    /// Whether the next request may go here, as far as this end knows: it is open, its last answer
    /// is whole, and its last request has gone out.
    pub fn is_ready(&self) -> bool {
        self.requests.is_ready()
    }

    /// When its handshakes were over.
    pub fn made(&self) -> Instant {
        self.made
    }
}
