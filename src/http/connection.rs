//! One connection to an origin, made by hyper's connector and spoken to by hyper's HTTP/1.1.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use hyper::{
    Uri,
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, SendRequest},
    },
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::ClientConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};
use tokio_rustls::TlsConnector;
use tower_service::Service as _;
use url::Url;

use super::{client::OneFrame, resolver::SystemResolver, tls};

/// A connection that carries one request at a time. Dropped, it is closed.
pub(super) struct Connection {
    requests: SendRequest<OneFrame>,
    /// Bytes that came since the last request began.
    answered: Arc<AtomicU64>,
    made: Instant,
}

impl Connection {
    /// Connects to the host of `url`, over TLS where there is a configuration for it.
    pub async fn open(
        connector: &HttpConnector<SystemResolver>,
        url: &Url,
        tls: Option<Arc<ClientConfig>>,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let tcp = connector.clone().call(Uri::try_from(url.as_str())?).await?.into_inner();
        let stream: Box<dyn Stream> = match tls {
            Some(tls) => {
                let host = url.host_str().unwrap_or_default();
                let (tls, name) =
                    tls::target(&tls, host).ok_or("the host's name is too long for TLS")?;
                Box::new(TlsConnector::from(tls).connect(name, tcp).await?)
            }
            None => Box::new(tcp),
        };
        let answered = Arc::<AtomicU64>::default();
        let wire = Wire { stream, answered: answered.clone() };
        let (requests, connection) = Builder::new()
            .title_case_headers(true)
            .max_headers(2000)
            .allow_obsolete_multiline_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            // `fetch` takes a line without a name, too.
            .ignore_invalid_headers_in_responses(true)
            .handshake(TokioIo::new(wire))
            .await?;
        // Its errors are those of the request under way.
        tokio::spawn(connection);
        Ok(Self { requests, answered, made: Instant::now() })
    }

    /// Writes `request`, and waits for the head of its answer.
    pub async fn send(
        &mut self,
        request: hyper::Request<OneFrame>,
    ) -> Result<hyper::Response<Incoming>, TrySendError<hyper::Request<OneFrame>>> {
        self.answered.store(0, Ordering::Release);
        self.requests.try_send_request(request).await
    }

    /// Whether a byte came since the last request began.
    pub fn is_answering(&self) -> bool {
        self.answered.load(Ordering::Acquire) > 0
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

/// TCP, or TLS over it: one type, so that hyper's code is there once.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Counts what comes over a stream, and stops a peer that sends without end: neither interim
/// answers nor the sizes of chunks count as part of an answer, so nothing else bounds them.
struct Wire {
    stream: Box<dyn Stream>,
    answered: Arc<AtomicU64>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = (buffer.filled().len() - before) as u64;
        if self.answered.fetch_add(came, Ordering::AcqRel) + came > LONGEST_ANSWER {
            return Poll::Ready(Err(io::Error::other("it does not end")));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// In bytes on the wire: 1 MiB of content in chunks of a byte each has seven.
const LONGEST_ANSWER: u64 = 8 * 1024 * 1024;
