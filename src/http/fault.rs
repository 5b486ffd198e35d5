//! Why no answer came, or not the whole of it, with Node's name for the reason.

use std::{error::Error, fmt, io};

use super::{reply::Unreadable, tls};
use crate::{error::Cause, redact::Redactor};

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
    /// There is no connection.
    pub(super) fn connecting(error: &(dyn Error + 'static), origin: &str, sent: bool) -> Self {
        Self::new(Stage::Connecting, origin, error, sent)
    }

    /// A connection, and not one byte of an answer.
    pub(super) fn before_answer(error: &(dyn Error + 'static), origin: &str, sent: bool) -> Self {
        Self::new(Stage::Awaiting, origin, error, sent)
    }

    /// An answer that stopped, or is none of HTTP.
    pub(super) fn inside_answer(error: &hyper::Error, origin: &str) -> Self {
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

    fn new(stage: Stage, origin: &str, error: &(dyn Error + 'static), sent: bool) -> Self {
        let (code, reason) = root(error);
        Self { stage, origin: origin.to_owned(), reason, code, sent }
    }

    /// The same without what `redactor` hides: a reason may quote a header of the answer.
    #[must_use]
    pub fn scrubbed(self, redactor: &Redactor) -> Self {
        let reason = redactor.excerpt(&self.reason, false).to_string();
        Self { reason, ..self }
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

/// A name without an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookupFailed {
    /// The resolver says so, in these words.
    Unknown(String),
    /// It could not be asked.
    NoThread(String),
    /// It gave no answer at all.
    Lost,
}

impl fmt::Display for LookupFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(words) => f.write_str(words),
            Self::NoThread(error) => write!(f, "no thread for the lookup: {error}"),
            Self::Lost => f.write_str("the lookup ended without a result"),
        }
    }
}

impl Error for LookupFailed {}

/// Node's code and the words of the lowest error that says something.
fn root(error: &(dyn Error + 'static)) -> (Option<&'static str>, String) {
    let mut lowest = error;
    loop {
        if let Some(known) = known(lowest) {
            return known;
        }
        match lowest.source() {
            Some(source) => lowest = source,
            None => return (None, lowest.to_string()),
        }
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<(Option<&'static str>, String)> {
    if let Some(error) = error.downcast_ref::<LookupFailed>() {
        let code = matches!(error, LookupFailed::Unknown(_)).then_some("ENOTFOUND");
        return Some((code, error.to_string()));
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some((Some(tls::node_code(error)), tls::reason(error).to_owned()));
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
