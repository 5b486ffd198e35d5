//! HTTP/1.1 as both exchanges need it: addresses, requests, bounded answers, redirects, and the
//! driver of an exchange.
//!
//! An exchange does no I/O: it says what to send, is told what came of it, and says what to send
//! next or what the result is. [`Client`] drives it over sockets; tests drive it with values.

pub mod along;
mod body;
pub mod client;
mod coding;
mod connect;
mod connection;
pub mod courier;
mod driver;
pub mod fault;
mod head;
pub mod headers;
mod keep_alive;
mod lookup_threads;
mod pool;
pub mod redirects;
pub mod reply;
mod resolver;
pub mod tls;
mod wire;

use std::{fmt, sync::Arc};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use percent_encoding::percent_decode_str;
use url::{Host, Position, Url};
use zeroize::Zeroizing;

use self::tls::OwnTls;
pub use self::{body::Sent, client::Client, fault::Fault, reply::Reply, resolver::Resolver};
use crate::{error::ArgumentError, redact::Redactor, secret::Secret};

/// The next step of an exchange.
pub enum Step<T> {
    /// Send this request, and tell [`Exchange::answered`] what came of it.
    Send(Box<Request>),
    /// The result.
    Done(T),
}

/// A conversation with one peer that does no I/O itself.
pub trait Exchange {
    /// Its result.
    type Output;

    /// The first request.
    fn begin(&mut self) -> Request;

    /// Tells it the outcome of the last request, and asks for the next step.
    fn answered(&mut self, answer: Result<Reply, Fault>) -> Step<Self::Output>;
}

/// One request, to be written at most once.
#[derive(Clone)]
pub struct Request {
    /// `POST`, or `GET` after a redirect that asks for it.
    pub method: Method,
    /// Where to.
    pub target: Arc<Target>,
    /// All but those that the connection itself needs. Shared with those who may send it again.
    pub headers: Arc<HeaderMap>,
    /// Empty for none.
    pub body: Bytes,
}

/// Where requests go: the parts of it that every request needs, worked out once.
#[derive(Clone)]
pub struct Target {
    url: Url,
    origin: Arc<str>,
    /// `Host`'s value (RFC 9112 §3.2).
    host: HeaderValue,
    /// Path and query: the request target in origin form (RFC 9112 §3.2.1).
    path: Uri,
    /// The caller's own CAs and certificate.
    tls: Option<OwnTls>,
    /// Which connections its requests may share: those of its origin, made with the same `tls`.
    shared_by: Arc<str>,
}

impl Target {
    /// Of an http or https URL; credentials and fragment are dropped.
    ///
    /// # Errors
    /// In words that continue "the URL …".
    pub fn new(mut url: Url) -> Result<Self, &'static str> {
        url.set_fragment(None);
        // Both fail only for URLs without a host, which http does not have.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        // What URLs allow and HTTP's request line cannot carry: 64 KiB and more.
        let path = url[Position::BeforePath..Position::AfterQuery].parse();
        let path = path.map_err(|_| "is too long")?;
        // The URL standard allows these in a host, but no host has them in its name.
        if url.host_str().is_some_and(|host| host.contains(['$', '{', '}'])) {
            return Err("has a host with `$`, `{` or `}` in it, as of a variable that is not set");
        }
        let host = HeaderValue::from_str(&url[Position::BeforeHost..Position::AfterPort]);
        let host = host.map_err(|_| "has a host that no header can hold")?;
        let origin: Arc<str> = origin(&url).into();
        let shared_by = origin.clone();
        Ok(Self { url, origin, host, path, tls: None, shared_by })
    }

    /// The same, over TLS with these CAs and this certificate.
    #[must_use]
    pub fn with_tls(self, tls: Option<OwnTls>) -> Self {
        let shared_by = match &tls {
            Some(tls) => format!("{} {}", self.origin, tls.id()).into(),
            None => self.origin.clone(),
        };
        Self { tls, shared_by, ..self }
    }

    /// The address, without credentials and fragment.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Arc<str> {
        &self.origin
    }

    /// The name or address that requests go to.
    fn host(&self) -> Host<&str> {
        // Every http URL has a host.
        self.url.host().unwrap_or(Host::Domain(""))
    }

    fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Whether requests go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }
}

/// Without path and query, which may hold a secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Target").field(&self.origin).finish()
    }
}

/// A configured address, parsed once, its credentials taken out.
#[derive(Clone, Debug)]
pub struct Endpoint {
    target: Arc<Target>,
    credentials: Option<Credentials>,
}

#[derive(Clone, Debug)]
struct Credentials {
    username: Secret,
    password: Secret,
}

impl Endpoint {
    /// Reads `text` as a WHATWG URL of http or https.
    ///
    /// # Errors
    /// A `TypeError` that names `field` and shows nothing of the text.
    pub fn parse(field: &'static str, text: &str) -> Result<Self, ArgumentError> {
        let unusable = |problem: &str| ArgumentError::of_type(field, problem);
        let url = Url::parse(text).map_err(|_| unusable("is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(unusable("must be an http or https URL"));
        }
        let decoded = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let credentials = (!url.username().is_empty() || url.password().is_some()).then(|| {
            let password = url.password().map(decoded).unwrap_or_default();
            Credentials { username: decoded(url.username()).into(), password: password.into() }
        });
        let target = Arc::new(Target::new(url).map_err(unusable)?);
        Ok(Self { target, credentials })
    }

    /// The same, over TLS with these CAs and this certificate.
    #[must_use]
    pub fn with_tls(self, tls: Option<OwnTls>) -> Self {
        if tls.is_none() && self.target.tls.is_none() {
            return self;
        }
        let target = Target::clone(&self.target).with_tls(tls);
        Self { target: Arc::new(target), ..self }
    }

    /// The CAs and the certificate that it has of its own.
    #[must_use]
    pub fn tls(&self) -> Option<&OwnTls> {
        self.target.tls.as_ref()
    }

    /// Where its requests go.
    #[must_use]
    pub fn target(&self) -> &Arc<Target> {
        &self.target
    }

    /// What a request to it says of itself, its body of that type; a strategy's own headers win.
    #[must_use]
    pub fn headers(&self, content_type: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static(ACCEPTED));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        // Base64 is a header value.
        if let Some(Ok(value)) = self.authorization().map(|v| headers::value(v.expose())) {
            headers.insert(header::AUTHORIZATION, value);
        }
        headers
    }

    /// `Authorization`'s value for the credentials of the URL (RFC 7617).
    fn authorization(&self) -> Option<Secret> {
        let Credentials { username, password } = self.credentials.as_ref()?;
        let pair = Zeroizing::new(format!("{}:{}", username.expose(), password.expose()));
        Some(format!("Basic {}", BASE64_STANDARD.encode(pair.as_bytes())).into())
    }

    /// Hides user name, password, query values and long segments of the path.
    pub fn hide_in(&self, redactor: &mut Redactor) {
        redactor.hide_url(&self.target.url);
        if let Some(Credentials { username, password }) = &self.credentials {
            redactor.hide(username);
            redactor.hide_pair(username.expose(), password);
        }
    }
}

/// Scheme, host and port of `url`; of other schemes all that may be shown.
#[must_use]
pub fn origin(url: &Url) -> String {
    if url.origin().is_tuple() {
        url.origin().ascii_serialization()
    } else {
        url[..Position::AfterScheme].to_owned() + ":"
    }
}

const ACCEPTED: &str = "application/json, */*";
/// Gateways refuse requests without one.
const USER_AGENT: &str = concat!("key0-native/", env!("CARGO_PKG_VERSION"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_read_as_whatwg_urls() {
        let url = |text: &str| Endpoint::parse("url", text).unwrap().target().url().to_string();
        assert_eq!(
            url(" HTTP://127.0.0.1:80/a%20b//c?x=1&y=%2F#frag\n"),
            "http://127.0.0.1/a%20b//c?x=1&y=%2F"
        );
        assert_eq!(url("http://127.0.0.1:9"), "http://127.0.0.1:9/");
        assert_eq!(url("http:///x"), "http://x/");
        assert_eq!(url("http://münchen.example/ü"), "http://xn--mnchen-3ya.example/%C3%BC");
        assert_eq!(url("http://h:0/"), "http://h:0/");
    }

    #[test]
    fn what_is_no_http_url_is_refused_by_field() {
        let error = |text: &str| Endpoint::parse("tokenUrl", text).unwrap_err().to_string();
        for text in ["", "//x", "x", "http://", "http://a b/"] {
            assert_eq!(error(text), "tokenUrl is not a URL", "{text}");
        }
        for text in ["unix:/s", "http+unix://s", "file:///x", "ftp://x"] {
            assert_eq!(error(text), "tokenUrl must be an http or https URL", "{text}");
        }
        assert_eq!(error(&format!("http://h/{}", "x".repeat(70_000))), "tokenUrl is too long");
        let unset =
            "tokenUrl has a host with `$`, `{` or `}` in it, as of a variable that is not set";
        assert_eq!(error("http://${HOST}/"), unset);
        assert_eq!(error("http://{{host}}.example/"), unset);
    }

    #[test]
    fn credentials_of_a_url_become_basic_authorization() {
        let endpoint = Endpoint::parse("url", "http://us%C3%A9r:p%40ss@h/").unwrap();
        assert_eq!(endpoint.target().url().as_str(), "http://h/");
        let expected = format!("Basic {}", BASE64_STANDARD.encode("usér:p@ss"));
        assert_eq!(endpoint.authorization().unwrap().expose(), expected);
        assert!(!format!("{endpoint:?}").contains("p@ss"));
        let keyed = Endpoint::parse("url", "http://key@h/hooks/abc?code=def").unwrap();
        assert!(!["key", "abc", "def"].iter().any(|it| format!("{keyed:?}").contains(it)));
    }
}
