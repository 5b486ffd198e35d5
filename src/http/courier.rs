//! Requests that somebody else sends: the caller's `fetch`, or the runtime's own.
//!
//! The exchange, its deadline, its redirects and its answer's bounds are the same as over our own
//! connections: only sending is another's business.

use std::{
    fmt,
    future::pending,
    sync::{Arc, OnceLock},
};

use http::{HeaderName, header};
use tokio::sync::oneshot;

use super::{
    ACCEPTED, Fault, Reply, Request, Sent, USER_AGENT,
    fault::{self, Reason, Stage, Thrown},
    reply, tls,
};
use crate::error::Syscall;

/// Hands a call's requests to those who send them. Clones share one call.
#[derive(Clone)]
pub struct Courier {
    hand_over: HandOver,
    spelled: Spelled,
}

/// Gives a request to whoever sends it; `false` where nobody is there.
type HandOver = Arc<dyn Fn(Outgoing) -> bool + Send + Sync>;

/// The caller's spelling of header names.
type Spelled = Arc<OnceLock<Vec<String>>>;

/// A request on its way, and who waits for its answer.
pub struct Outgoing {
    request: Request,
    spelled: Spelled,
    answer: oneshot::Sender<Result<Reply, Thwarted>>,
    left: Option<oneshot::Receiver<()>>,
}

/// The head of an answer, as far as it is read.
#[derive(Clone, Debug, Default)]
pub struct AnswerHead {
    /// The status code.
    pub status: u16,
    /// The value of `Location`, if any.
    pub location: Option<String>,
    /// The value of `Content-Type`, empty for none.
    pub content_type: String,
    /// The value of `Retry-After`, if any.
    pub retry_after: Option<String>,
}

/// What `fetch` rejected with, as far as it can be told.
#[derive(Clone, Debug, Default)]
pub struct Thwarted {
    /// Whether the function is the caller's: then its words are, too.
    pub is_callers: bool,
    /// The error's `name`.
    pub name: String,
    /// The error's `message`.
    pub message: String,
    /// The message of its cause.
    pub detail: String,
    /// Its `code`, or its cause's.
    pub code: Option<String>,
    /// What that error has beside its code.
    pub syscall: Option<String>,
    /// The name that was looked up.
    pub hostname: Option<String>,
    /// The address that a connection was tried to.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Whether a head of an answer had come.
    pub has_answer: bool,
}

impl Courier {
    /// One whose requests are handed over so.
    pub fn new(hand_over: impl Fn(Outgoing) -> bool + Send + Sync + 'static) -> Self {
        Self { hand_over: Arc::new(hand_over), spelled: Spelled::default() }
    }

    /// Names of headers as the caller spells them: mocks compare them.
    pub fn spell(&self, names: impl Iterator<Item = String>) {
        let _ = self.spelled.set(names.collect());
    }

    /// Has `request` sent, and waits for its answer.
    pub(super) async fn send(&self, request: Request, sent: &Sent) -> Result<Reply, Fault> {
        let origin = request.target.origin().clone();
        let before = sent.get();
        let (answer, answered) = oneshot::channel();
        let (_here, left) = oneshot::channel();
        let spelled = self.spelled.clone();
        if !(self.hand_over)(Outgoing { request, spelled, answer, left: Some(left) }) {
            return Err(Fault::connecting(&NOBODY, &origin, before));
        }
        // From now on nobody can tell whether a byte of it has left.
        sent.set();
        let Ok(answer) = answered.await else {
            // A promise that never settles is collected as garbage, and is no answer either way.
            return pending().await;
        };
        match answer {
            Ok(reply) => Ok(reply),
            Err(thwarted) => {
                let fault = thwarted.into_fault(&origin, before);
                if !fault.sent {
                    sent.take_back();
                }
                Err(fault)
            }
        }
    }
}

impl Outgoing {
    /// `POST` or `GET`.
    #[must_use]
    pub fn method(&self) -> &str {
        self.request.method.as_str()
    }

    /// Where to, without credentials and fragment.
    #[must_use]
    pub fn url(&self) -> &str {
        self.request.target.url().as_str()
    }

    /// Names and values in turn, one character a byte. What `fetch` says of itself is left to it.
    #[must_use]
    pub fn headers(&self) -> Vec<String> {
        let is_ours = |name: &HeaderName, value: &[u8]| match *name {
            header::USER_AGENT => value == USER_AGENT.as_bytes(),
            header::ACCEPT => value == ACCEPTED.as_bytes(),
            _ => false,
        };
        let lines = self.request.headers.iter();
        let lines = lines.filter(|(name, value)| !is_ours(name, value.as_bytes()));
        lines
            .flat_map(|(name, value)| {
                let value = value.as_bytes().iter().map(|byte| char::from(*byte)).collect();
                [self.spelling(name), value]
            })
            .collect()
    }

    fn spelling(&self, name: &HeaderName) -> String {
        let spelled = self.spelled.get().into_iter().flatten();
        let mut given = spelled.filter(|it| it.eq_ignore_ascii_case(name.as_str()));
        given.next().cloned().unwrap_or_else(|| title_case(name.as_str()))
    }

    /// Empty for none.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.request.body
    }

    /// The most bytes that are read of an answer's body; none of a redirect's.
    #[must_use]
    pub fn limit(status: u16, location: Option<&str>) -> usize {
        match location {
            Some(_) if reply::redirects(status) => 0,
            _ => reply::limit(status),
        }
    }

    /// Its answer: `body` is what came of it, decoded, up to a byte more than its limit; `broken`
    /// is why it is not whole.
    pub fn answered(self, head: AnswerHead, mut body: Vec<u8>, broken: Option<Thwarted>) {
        let AnswerHead { status, location, content_type, retry_after } = head;
        let origin = self.request.target.origin();
        let location = location.filter(|_| reply::redirects(status));
        let mut broken = broken.map(|thwarted| thwarted.into_fault(origin, true));
        let limit = reply::limit(status);
        if body.len() > limit {
            body.truncate(limit);
            broken = Some(reply::too_long(origin));
        }
        let text = reply::text(body);
        let retry_after = retry_after.filter(|_| !reply::is_success(status));
        let answer = Reply { status, location, text, content_type, retry_after, broken };
        // The call may be over.
        let _ = self.answer.send(Ok(answer));
    }

    /// Why there is no answer.
    pub fn thwarted(self, thwarted: Thwarted) {
        let _ = self.answer.send(Err(thwarted));
    }

    /// Settles when nobody waits for the answer any more.
    pub fn left(&mut self) -> impl Future<Output = ()> + Send + use<> {
        let left = self.left.take();
        async move {
            if let Some(left) = left {
                let _ = left.await;
            }
        }
    }
}

// It has secrets.
impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").finish_non_exhaustive()
    }
}

impl Thwarted {
    fn into_fault(self, origin: &str, before: bool) -> Fault {
        let stage = |stage| if self.has_answer { Stage::Reading } else { stage };
        if self.is_callers && !self.is_of_a_runtime() {
            let Self { name, message, .. } = &self;
            let is_timeout = matches!(name.as_str(), "AbortError" | "TimeoutError");
            let thrown = Thrown { message: message.as_str().into(), is_timeout };
            let fault =
                Fault::of(stage(Stage::Awaiting), origin, Reason::new("fetch failed"), true);
            return Fault { thrown: Some(Box::new(thrown)), ..fault };
        }
        let (reason, at_least) = self.reason();
        let is_connecting = self.syscall.as_deref() == Some("connect");
        let stage = stage(if is_connecting { Stage::Connecting } else { at_least });
        let sent = stage != Stage::Connecting || before;
        let syscall = self.syscall().map(Box::new);
        Fault { syscall, ..Fault::of(stage, origin, reason, sent) }
    }

    /// Our words for it, and how far it is certain that the request came.
    fn reason(&self) -> (Reason, Stage) {
        match self.detail.as_str() {
            it if it.contains(DENOS_CONNECT) && it.contains("Connection refused") => {
                (Reason::named("ECONNREFUSED"), Stage::Connecting)
            }
            it if it.contains(DENOS_CONNECT) && it.contains("dns error") => {
                (Reason::named("ENOTFOUND"), Stage::Connecting)
            }
            it if it.contains(DENOS_CONNECT) => {
                (reason(self.code.as_deref().unwrap_or_default()).0, Stage::Connecting)
            }
            DENOS_RESET => (Reason::named("ECONNRESET"), Stage::Awaiting),
            NODES_HANDSHAKE => (fault::CLOSED, Stage::Connecting),
            NODES_PORT => (PORT, Stage::Connecting),
            it if it.starts_with(NODES_PARSER) => (fault::NO_HTTP, Stage::Reading),
            _ if self.message.starts_with(DENOS_PORT) => (PORT, Stage::Connecting),
            _ => reason(self.code.as_deref().unwrap_or_default()),
        }
    }

    /// Whether a runtime's own `fetch` has worded it, which a caller's function passes on.
    fn is_of_a_runtime(&self) -> bool {
        let has_code = self.code.is_some();
        match self.message.as_str() {
            _ if self.name != "TypeError" => false,
            // Node's and Deno's.
            "fetch failed" | "terminated" => {
                has_code
                    || [NODES_PORT, DENOS_RESET].contains(&self.detail.as_str())
                    || [DENOS, NODES_PARSER].iter().any(|words| self.detail.starts_with(words))
            }
            "error reading a body from connection" => true,
            message if message.starts_with(DENOS_PORT) => true,
            // Bun's.
            message => {
                self.code.as_deref().is_some_and(|code| tls::of_node(code).is_some())
                    || has_code
                        && (message.starts_with("getaddrinfo ")
                            || BUNS.iter().any(|words| message.contains(words)))
            }
        }
    }

    fn syscall(&self) -> Option<Syscall> {
        match self.syscall.as_deref()? {
            "getaddrinfo" => Some(Syscall::GetAddrInfo(self.hostname.clone()?)),
            "connect" => {
                let ip = self.address.as_deref()?.parse().ok()?;
                Some(Syscall::Connect(std::net::SocketAddr::new(ip, self.port?)))
            }
            "read" => Some(Syscall::Read),
            "write" => Some(Syscall::Write),
            _ => None,
        }
    }
}

/// Our words for the code of an error that a runtime's own `fetch` has, and how far it is certain
/// that the request came.
fn reason(code: &str) -> (Reason, Stage) {
    if let Some(reason) = Reason::known(code) {
        let may_stand = matches!(code, "ECONNRESET" | "EPIPE" | "ETIMEDOUT" | "EPROTO");
        return (reason, if may_stand { Stage::Awaiting } else { Stage::Connecting });
    }
    if let Some((words, code)) = tls::of_node(code) {
        // An alert may be the answer to a request, since TLS 1.3.
        let may_stand = code.contains("ALERT");
        let stage = if may_stand { Stage::Awaiting } else { Stage::Connecting };
        return (Reason::coded(words, code), stage);
    }
    match code {
        "UND_ERR_CONNECT_TIMEOUT" => (Reason::named("ETIMEDOUT"), Stage::Connecting),
        "ConnectionRefused" => (Reason::named("ECONNREFUSED"), Stage::Connecting),
        "UND_ERR_HEADERS_TIMEOUT" | "UND_ERR_BODY_TIMEOUT" => {
            (Reason::named("ETIMEDOUT"), Stage::Awaiting)
        }
        "UND_ERR_SOCKET" | "ConnectionClosed" => (fault::CLOSED, Stage::Awaiting),
        "UND_ERR_HEADERS_OVERFLOW" => (fault::LONG_HEAD, Stage::Reading),
        code if code.starts_with("HPE_") => (fault::NO_HTTP, Stage::Reading),
        code if code.starts_with("Z_") => (UNDECODABLE, Stage::Reading),
        "ZlibError" | "BrotliDecompressionError" | "ZstdDecompressionError" => {
            (UNDECODABLE, Stage::Reading)
        }
        "InvalidHTTPResponse" | "InvalidContentLength" => (fault::NO_HTTP, Stage::Reading),
        _ => (Reason::new("the connection failed"), Stage::Awaiting),
    }
}

/// `Content-Type`, as hyper and most people write it.
fn title_case(name: &str) -> String {
    let words = name.split('-').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_ascii_uppercase() + rest
    });
    words.collect::<Vec<_>>().join("-")
}

const UNDECODABLE: Reason = Reason::new("the answer is not valid in its content coding");
/// How Deno begins what it says, with the whole URL behind it.
const DENOS: &str = "error sending request ";
const DENOS_CONNECT: &str = "client error (Connect)";
const DENOS_RESET: &str = "Connection reset by peer (os error 104)";
const DENOS_PORT: &str = "Fetch failed: Requests to port ";
/// What Node says of a port that WHATWG's list has, and of answers that it cannot parse: newer ones
/// without a code.
const NODES_PORT: &str = "bad port";
const NODES_PARSER: &str = "Response does not match the HTTP/1.1 protocol";
/// What Node says where a connection ends within a handshake.
const NODES_HANDSHAKE: &str =
    "Client network socket disconnected before secure TLS connection was established";
const PORT: Reason = Reason::new("fetch calls no server at this port");
/// Of what Bun says; the last one stands behind the whole URL.
const BUNS: [&str; 4] = [
    "Does the server speak TLS on this port?",
    "Is the computer able to access the url?",
    "Was there a typo in the url or port?",
    "For more information, pass `verbose: true` in the second argument to fetch()",
];
const NOBODY: Reason = Reason::new("nobody is there to send it");
