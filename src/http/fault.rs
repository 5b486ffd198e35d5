//! Why no answer came, or not the whole of it, with Node's name for the reason.

use std::{error::Error, fmt, io, iter};

use super::{reply::Unreadable, tls};
use crate::error::Cause;

/// A request without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How far it came.
    pub stage: Stage,
    /// Whom it was for: scheme, host and port.
    pub origin: String,
    /// The reason in words, without the address.
    pub reason: String,
    /// Node's name for the reason.
    pub code: Option<&'static str>,
    /// `false` only where it is certain that no byte of the exchange's requests left.
    pub sent: bool,
}

/// How far a request came before it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No connection: DNS, TCP or TLS.
    Connecting,
    /// The connection stood and broke before an answer.
    Awaiting,
    /// An answer began and could not be read.
    Reading,
}

impl Fault {
    /// What `reqwest` says of a request that got no answer's head.
    pub(super) fn from_request(error: &reqwest::Error, origin: &str, sent: bool) -> Self {
        let stage = match hyper(error) {
            _ if error.is_connect() => Stage::Connecting,
            Some(error) if error.is_parse() => Stage::Reading,
            _ => Stage::Awaiting,
        };
        Self::new(stage, origin, error, sent)
    }

    /// What `reqwest` says of an answer that stopped inside its body.
    pub(super) fn from_body(error: &reqwest::Error, origin: &str) -> Self {
        Self::new(Stage::Reading, origin, error, true)
    }

    /// A body that is whole and cannot be used.
    pub(super) fn unreadable(why: &Unreadable, origin: &str) -> Self {
        Self {
            stage: Stage::Reading,
            origin: origin.to_owned(),
            reason: why.to_string(),
            code: None,
            sent: true,
        }
    }

    /// The client for `origin` could not be made.
    pub(super) fn no_client(error: &reqwest::Error, origin: &str, sent: bool) -> Self {
        Self::new(Stage::Connecting, origin, error, sent)
    }

    fn new(stage: Stage, origin: &str, error: &reqwest::Error, sent: bool) -> Self {
        let (code, reason) = root(error);
        Self { stage, origin: origin.to_owned(), reason, code, sent }
    }

    /// The cause that goes with the error.
    #[must_use]
    pub fn cause(&self) -> Cause {
        Cause { message: self.to_string(), code: self.code, status: None, sent: Some(self.sent) }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, reason, .. } = self;
        match self.stage {
            Stage::Connecting => write!(f, "cannot connect to {origin}: "),
            Stage::Awaiting => write!(f, "no answer from {origin}: "),
            Stage::Reading => write!(f, "cannot read the answer of {origin}: "),
        }?;
        match self.code {
            Some(code) => write!(f, "{code}, {reason}"),
            None => f.write_str(reason),
        }
    }
}

/// A name that the resolver does not know, or could not look up.
#[derive(Debug)]
pub(super) struct LookupFailed(pub(super) String);

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for LookupFailed {}

/// What hyper says below `error`.
fn hyper(error: &reqwest::Error) -> Option<&hyper::Error> {
    iter::successors(error.source(), |&error| error.source()).find_map(<dyn Error>::downcast_ref)
}

/// Node's code and the words of the lowest error that says something.
///
/// The words of `reqwest` itself hold the URL with its query and hide the reason.
fn root(error: &reqwest::Error) -> (Option<&'static str>, String) {
    let mut lowest = None;
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(known) = known(error) {
            return known;
        }
        lowest = Some(error);
        next = error.source();
    }
    (None, lowest.map_or_else(|| "request failed".to_owned(), ToString::to_string))
}

fn known(error: &(dyn Error + 'static)) -> Option<(Option<&'static str>, String)> {
    if let Some(error) = error.downcast_ref::<LookupFailed>() {
        return Some((Some("ENOTFOUND"), error.to_string()));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some((Some(tls::node_code(error)), tls::reason(error).into_owned()));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // A TLS error travels inside one, and `source()` steps over it.
        return match error.get_ref() {
            Some(inner) => known(inner).or_else(|| code(error)),
            None => code(error),
        };
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_incomplete_message() || error.is_canceled() {
        let closed = "the connection was closed before the answer was whole";
        return Some((Some("ECONNRESET"), closed.to_owned()));
    }
    None
}

fn code(error: &io::Error) -> Option<(Option<&'static str>, String)> {
    let code = match error.kind() {
        io::ErrorKind::ConnectionRefused => "ECONNREFUSED",
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => "ECONNRESET",
        io::ErrorKind::ConnectionAborted => "ECONNABORTED",
        io::ErrorKind::BrokenPipe => "EPIPE",
        io::ErrorKind::TimedOut => "ETIMEDOUT",
        io::ErrorKind::HostUnreachable => "EHOSTUNREACH",
        io::ErrorKind::NetworkUnreachable => "ENETUNREACH",
        io::ErrorKind::AddrNotAvailable => "EADDRNOTAVAIL",
        io::ErrorKind::PermissionDenied => "EACCES",
        _ => return None,
    };
    Some((Some(code), error.to_string()))
}
