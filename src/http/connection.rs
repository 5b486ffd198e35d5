//! One connection to an origin, made by hyper's connector and spoken to by hyper's HTTP/1.1.

use std::{error::Error, sync::Arc};

use hyper::{
    Uri, Version,
    body::Incoming,
    client::conn::{
        TrySendError,
        http1::{Builder, SendRequest},
    },
};
use hyper_util::{client::legacy::connect::HttpConnector, rt::TokioIo};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::time::Instant;
use tokio_rustls::TlsConnector;
use tower_service::Service as _;
use url::Url;

use super::{
    client::OneFrame,
    resolver::SystemResolver,
    wire::{Answer, Stream, Wire},
};

/// A connection that carries one request at a time. Dropped, it is closed.
pub(super) struct Connection {
    requests: SendRequest<OneFrame>,
    answer: Arc<Answer>,
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
                // An IPv6 address stands in brackets.
                let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
                let name = ServerName::try_from(host)?;
                Box::new(TlsConnector::from(tls).connect(name, tcp).await?)
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
            .await?;
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
