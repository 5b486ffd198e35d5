//! Why something failed, in our own words and with Node's names.

use std::{error::Error, fmt, io};

use crate::{http::tls, message::Part};

/// Why, in our own words and with Node's code: no text of the system or a library is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reason {
    words: &'static str,
    pub(super) code: Option<&'static str>,
    /// The system's number, where it is the system that says so.
    pub(super) number: Option<i32>,
}

impl Reason {
    /// These words; Node has no name for it.
    #[must_use]
    pub const fn new(words: &'static str) -> Self {
        Self { words, code: None, number: None }
    }

    /// These words, and Node's name for it.
    #[must_use]
    pub const fn coded(words: &'static str, code: &'static str) -> Self {
        Self { code: Some(code), ..Self::new(words) }
    }

    /// What Node calls `code` (`ECONNREFUSED`, `EAI_AGAIN`, `EMFILE`, …).
    #[must_use]
    pub fn named(code: &'static str) -> Self {
        let words = WORDS.iter().find(|(known, _)| *known == code);
        Self::coded(words.map_or("the system refused", |(_, words)| words), code)
    }

    /// The same, where Node has that name for an error of the system.
    pub(in crate::http) fn known(code: &str) -> Option<Self> {
        WORDS
            .iter()
            .find(|(known, _)| *known == code)
            .map(|&(code, words)| Self::coded(words, code))
    }

    /// What `error` says, or the first error below it that says something known.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(known) = known(error) {
                return known;
            }
            next = error.source();
        }
        Self::new("the connection failed")
    }

    /// Node's name for it.
    #[must_use]
    pub fn code(self) -> Option<&'static str> {
        self.code
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)?;
        match (self.code, self.number) {
            (Some(code), _) => write!(f, " ({code})"),
            (None, Some(number)) => write!(f, " (system error {number})"),
            (None, None) => Ok(()),
        }
    }
}

impl Error for Reason {}

impl Part for Reason {}

impl From<&(dyn Error + 'static)> for Reason {
    fn from(error: &(dyn Error + 'static)) -> Self {
        Self::of(error)
    }
}

impl From<&io::Error> for Reason {
    fn from(error: &io::Error) -> Self {
        Self::of(error)
    }
}

fn known(error: &(dyn Error + 'static)) -> Option<Reason> {
    if let Some(reason) = error.downcast_ref::<Reason>() {
        return Some(*reason);
    }
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(Reason::coded(tls::reason(error), tls::node_code(error)));
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        // Another error travels inside one, and `source()` steps over it.
        let inner = error.get_ref().and_then(|inner| known(inner));
        return inner.or_else(|| of_the_system(error));
    }
    let error = error.downcast_ref::<hyper::Error>()?;
    if error.is_incomplete_message() || error.is_canceled() {
        return Some(CLOSED);
    }
    error.is_parse().then_some(NO_HTTP)
}

fn of_the_system(error: &io::Error) -> Option<Reason> {
    let number = error.raw_os_error();
    match error.kind() {
        io::ErrorKind::UnexpectedEof => return Some(CLOSED),
        // hyper's word for what it cannot read, such as the size of a chunk.
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData if number.is_none() => {
            return Some(NO_HTTP);
        }
        _ => {}
    }
    if let Some(code) = node_code(error) {
        return Some(Reason { number, ..Reason::named(code) });
    }
    number.map(|_| Reason { number, ..Reason::new("the system refused") })
}

pub(in crate::http) const NO_HTTP: Reason = Reason::new("the answer is not HTTP");
pub(in crate::http) const LONG_HEAD: Reason = Reason::new("the head of the answer is too long");
/// In the middle of a handshake or an answer, without a word.
pub(in crate::http) const CLOSED: Reason =
    Reason::coded("connection closed too early", "ECONNRESET");

/// Node's name for an error of the system.
fn node_code(error: &io::Error) -> Option<&'static str> {
    use io::ErrorKind as Kind;
    Some(match error.kind() {
        Kind::ConnectionRefused => "ECONNREFUSED",
        Kind::ConnectionReset => "ECONNRESET",
        Kind::ConnectionAborted => "ECONNABORTED",
        Kind::NotConnected => "ENOTCONN",
        Kind::BrokenPipe => "EPIPE",
        Kind::TimedOut => "ETIMEDOUT",
        Kind::HostUnreachable => "EHOSTUNREACH",
        Kind::NetworkUnreachable => "ENETUNREACH",
        Kind::NetworkDown => "ENETDOWN",
        Kind::AddrNotAvailable => "EADDRNOTAVAIL",
        Kind::AddrInUse => "EADDRINUSE",
        // The numbers of Unix, which the standard library has no kinds for.
        Kind::PermissionDenied if cfg!(unix) && error.raw_os_error() == Some(1) => "EPERM",
        Kind::PermissionDenied => "EACCES",
        Kind::InvalidInput => "EINVAL",
        Kind::OutOfMemory => "ENOMEM",
        Kind::WouldBlock => "EAGAIN",
        _ => match error.raw_os_error()? {
            23 if cfg!(unix) => "ENFILE",
            24 if cfg!(unix) => "EMFILE",
            10_024 if cfg!(windows) => "EMFILE",
            55 if cfg!(target_vendor = "apple") => "ENOBUFS",
            105 if cfg!(target_os = "linux") => "ENOBUFS",
            10_055 if cfg!(windows) => "ENOBUFS",
            _ => return None,
        },
    })
}

const WORDS: [(&str, &str); 24] = [
    ("EACCES", "permission denied"),
    ("EADDRINUSE", "address in use"),
    ("EADDRNOTAVAIL", "address not available"),
    ("EAGAIN", "no thread or memory left"),
    ("EAI_AGAIN", "host name cannot be looked up now"),
    ("EAI_FAIL", "host name cannot be looked up"),
    ("EAI_MEMORY", "no memory left for the host name's lookup"),
    ("ECONNABORTED", "connection aborted"),
    ("ECONNREFUSED", "connection refused"),
    ("ECONNRESET", "connection reset"),
    ("EHOSTUNREACH", "host unreachable"),
    ("EINVAL", "invalid address"),
    ("EMFILE", "too many open files in this process"),
    ("ENETDOWN", "network down"),
    ("ENETUNREACH", "network unreachable"),
    ("ENFILE", "too many open files in the system"),
    ("ENOBUFS", "no buffer space left"),
    ("ENOMEM", "no memory left"),
    ("ENOTCONN", "connection closed"),
    ("ENOTFOUND", "host name not found"),
    ("EPERM", "operation not permitted"),
    ("EPIPE", "connection closed while the request was sent"),
    ("EPROTO", "the handshake failed"),
    ("ETIMEDOUT", "connection timed out"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_in_our_words_with_nodes_name() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert_eq!(Reason::of(&refused).to_string(), "connection refused (ECONNREFUSED)");
        let named = |code| Reason::named(code).to_string();
        assert_eq!(named("EAI_AGAIN"), "host name cannot be looked up now (EAI_AGAIN)");
        assert_eq!(named("EXDEV"), "the system refused (EXDEV)");
    }

    #[test]
    fn what_others_say_is_not_quoted() {
        let other = io::Error::other("10.0.0.5");
        assert_eq!(Reason::of(&other).to_string(), "the connection failed");
        let chunk = io::Error::new(io::ErrorKind::InvalidInput, "Invalid chunk size line");
        assert_eq!(Reason::of(&chunk).to_string(), "the answer is not HTTP");
        let inside = io::Error::other(Reason::new("the answer does not end"));
        assert_eq!(Reason::of(&inside).to_string(), "the answer does not end");
        let library = io::Error::other(rustls::Error::General("10.0.0.5".to_owned()));
        assert_eq!(Reason::of(&library).to_string(), "the handshake failed (EPROTO)");
    }

    #[cfg(unix)]
    #[test]
    fn what_the_system_has_run_out_of_is_said_by_name() {
        for (number, reason) in [
            (1, "operation not permitted (EPERM)"),
            (13, "permission denied (EACCES)"),
            (22, "invalid address (EINVAL)"),
            (23, "too many open files in the system (ENFILE)"),
            (24, "too many open files in this process (EMFILE)"),
            (28, "the system refused (system error 28)"),
        ] {
            assert_eq!(Reason::of(&io::Error::from_raw_os_error(number)).to_string(), reason);
        }
    }

    #[test]
    fn the_table_is_sorted_and_has_each_code_once() {
        assert!(WORDS.is_sorted_by(|(one, _), (next, _)| one < next));
    }
}
