//! Why no answer came, or not the whole of it: in words of our own, with Node's name for it.

mod reason;

use std::{error::Error, fmt, io, net::SocketAddr, sync::Arc, time::Duration};

pub use self::reason::Reason;
pub(super) use self::reason::{CLOSED, LONG_HEAD, NO_HTTP};
use super::tls;
use crate::{
    error::{Cause, Syscall},
    message::Message,
    redact::Redactor,
};

/// A request without a usable answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// How far it came.
    pub stage: Stage,
    /// Whom it was for: scheme, host and port.
    pub origin: String,
    /// Why it failed.
    pub reason: Reason,
    /// What the seller wants to know besides, maybe in the peer's words: never for the buyer.
    pub detail: Option<Box<str>>,
    /// What the system was asked for in vain, where Node's errors tell.
    pub syscall: Option<Box<Syscall>>,
    /// `false` only where it is certain that no byte of the exchange's requests left.
    pub sent: bool,
    /// What the caller's own `fetch` threw.
    pub thrown: Option<Box<Thrown>>,
    /// Whether this client has no TLS version, suite, group or kind of key that the server has:
    /// another one may have it.
    pub is_of_dialect: bool,
}

/// What the caller's own `fetch` threw, which the shell has kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thrown {
    /// Its words, the caller's own.
    pub message: Arc<str>,
    /// Whether it says that the time was over.
    pub is_timeout: bool,
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
    /// The host's name could not be looked up.
    pub fn looking_up(reason: impl Into<Reason>, hostname: &str, origin: &str, sent: bool) -> Self {
        let syscall = Some(Box::new(Syscall::GetAddrInfo(hostname.to_owned())));
        Self { syscall, ..Self::of(Stage::Connecting, origin, reason.into(), sent) }
    }

    /// No connection to that address.
    pub fn dialling(
        reason: impl Into<Reason>,
        address: SocketAddr,
        origin: &str,
        sent: bool,
    ) -> Self {
        let syscall = Some(Box::new(Syscall::Connect(address)));
        Self { syscall, ..Self::of(Stage::Connecting, origin, reason.into(), sent) }
    }

    /// There is no connection for another reason, or for one that `error` holds: TLS.
    pub fn connecting(error: &(dyn Error + 'static), origin: &str, sent: bool) -> Self {
        let detail = tls_error(error).and_then(tls::detail).map(Box::from);
        Self { detail, ..Self::of(Stage::Connecting, origin, error.into(), sent) }
    }

    /// A connection, and not one byte of an answer.
    pub fn before_answer(error: &(dyn Error + 'static), origin: &str, sent: bool) -> Self {
        Self::of(Stage::Awaiting, origin, error.into(), sent).on_a_connection()
    }

    /// An answer that stopped, or is none of HTTP.
    pub fn inside_answer(error: &(dyn Error + 'static), origin: &str) -> Self {
        Self::of(Stage::Reading, origin, error.into(), true).on_a_connection()
    }

    /// A body that is whole and cannot be used.
    pub fn unreadable(why: impl Into<Reason>, origin: &str) -> Self {
        Self::of(Stage::Reading, origin, why.into(), true)
    }

    pub(super) fn of(stage: Stage, origin: &str, reason: Reason, sent: bool) -> Self {
        let (origin, syscall, thrown) = (origin.to_owned(), None, None);
        let (detail, is_of_dialect) = (None, false);
        Self { stage, origin, reason, detail, syscall, sent, thrown, is_of_dialect }
    }

    /// The sentence for the buyer.
    #[must_use]
    pub fn message(&self) -> Message {
        match &self.thrown {
            Some(thrown) if thrown.message.trim().is_empty() => "fetch did not say why".into(),
            Some(thrown) => Message::quoting_the_caller(
                "",
                &Redactor::default().excerpt(&thrown.message, false),
            ),
            None => Message::new("").with(self.reason),
        }
    }

    /// The same without what the call was made with, in the words of the caller's `fetch`.
    #[must_use]
    pub fn scrubbed(mut self, redactor: impl FnOnce() -> Redactor) -> Self {
        if let Some(thrown) = &mut self.thrown {
            thrown.message = redactor().excerpt(&thrown.message, false).to_string().into();
        }
        self
    }

    /// Whether the caller's own `fetch` has given up.
    #[must_use]
    pub fn says_time_is_over(&self) -> bool {
        self.thrown.as_ref().is_some_and(|thrown| thrown.is_timeout)
    }

    /// The cause that goes with the error.
    #[must_use]
    pub fn cause(&self) -> Cause {
        if self.thrown.is_some() {
            return Cause { sent: Some(self.sent), ..Cause::of_the_caller() };
        }
        Cause {
            is_of_dialect: self.is_of_dialect,
            code: self.reason.code,
            syscall: self.syscall.clone(),
            sent: Some(self.sent),
            ..Cause::new(self)
        }
    }

    /// Node tells which half of a connection broke, where the system said so.
    fn on_a_connection(self) -> Self {
        let syscall = match self.reason.code {
            Some("EPIPE") => Some(Syscall::Write),
            Some("ECONNRESET" | "ETIMEDOUT") if self.reason.number.is_some() => Some(Syscall::Read),
            _ => None,
        };
        Self { syscall: syscall.map(Box::new), ..self }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, origin, reason, detail, .. } = self;
        match stage {
            Stage::Connecting => write!(f, "connecting to {origin}: {reason}")?,
            Stage::Awaiting => write!(f, "waiting for the answer of {origin}: {reason}")?,
            Stage::Reading => write!(f, "reading the answer of {origin}: {reason}")?,
        }
        detail.iter().try_for_each(|detail| write!(f, ": {detail}"))
    }
}

/// What a call was waiting for when its time was over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The caller's `auth` had not given its headers.
    Auth,
    /// The token endpoint of this origin had not given a token.
    Token(String),
    /// There was no connection to this origin.
    Connecting(String),
    /// This origin had not answered, or not wholly.
    Awaiting(String),
}

impl Phase {
    /// Where a request to `origin` is, whose bytes are under way or not.
    #[must_use]
    pub fn at(origin: String, is_under_way: bool) -> Self {
        if is_under_way { Self::Awaiting(origin) } else { Self::Connecting(origin) }
    }

    /// The cause that goes with the error: nothing came within `limit`.
    #[must_use]
    pub fn cause(&self, limit: Duration) -> Cause {
        Cause {
            code: Some("ETIMEDOUT"),
            ..Cause::new(format_args!("timed out after {} ms, {self}", limit.as_millis()))
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth => f.write_str("waiting for auth"),
            Self::Token(origin) => write!(f, "waiting for the token of {origin}"),
            Self::Connecting(origin) => write!(f, "connecting to {origin}"),
            Self::Awaiting(origin) => write!(f, "waiting for the answer of {origin}"),
        }
    }
}

/// The reason of TLS in `error`.
fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        let inside = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = inside.map(|inside| inside as _).or_else(|| error.source());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_has_nodes_fields() {
        let address = "[::1]:80".parse().unwrap();
        let refused = Reason::named("ECONNREFUSED");
        assert_eq!(
            Fault::dialling(refused, address, "http://h", false).cause(),
            Cause {
                code: Some("ECONNREFUSED"),
                syscall: Some(Box::new(Syscall::Connect(address))),
                sent: Some(false),
                ..Cause::new("connecting to http://h: connection refused (ECONNREFUSED)")
            }
        );
        let unknown = Reason::named("ENOTFOUND");
        assert_eq!(
            Fault::looking_up(unknown, "h", "http://h", true).cause(),
            Cause {
                code: Some("ENOTFOUND"),
                syscall: Some(Box::new(Syscall::GetAddrInfo("h".to_owned()))),
                sent: Some(true),
                ..Cause::new("connecting to http://h: host name not found (ENOTFOUND)")
            }
        );
    }

    #[cfg(unix)]
    #[test]
    fn of_a_connection_that_stood_the_cause_tells_which_half_broke() {
        let syscall = |error: &io::Error| {
            let fault = Fault::before_answer(error, "http://h", true);
            fault.cause().syscall.map(|syscall| syscall.name())
        };
        assert_eq!(syscall(&io::Error::from_raw_os_error(32)), Some("write"));
        let (reset, refused) = (io::ErrorKind::ConnectionReset, io::ErrorKind::ConnectionRefused);
        assert_eq!(syscall(&reset.into()), None, "hyper's own word, not the system's");
        assert_eq!(syscall(&refused.into()), None);
    }

    #[test]
    fn every_phase_names_its_target() {
        let origin = || "http://h".to_owned();
        for (phase, words) in [
            (Phase::Auth, "waiting for auth"),
            (Phase::Token(origin()), "waiting for the token of http://h"),
            (Phase::Connecting(origin()), "connecting to http://h"),
            (Phase::Awaiting(origin()), "waiting for the answer of http://h"),
        ] {
            let cause = phase.cause(Duration::from_millis(1_500));
            let message = format!("timed out after 1500 ms, {words}");
            assert_eq!(cause, Cause { code: Some("ETIMEDOUT"), ..Cause::new(message) });
        }
    }
}
