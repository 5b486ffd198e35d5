//! What a call fails with: [`Key0Error`], a record that the shell turns into a thrown error, and
//! what is wrong with a caller's argument: [`ArgumentError`].

use std::{fmt, net::SocketAddr};

use crate::{message::Message, redact::Excerpt};

/// The codes of the SDK that this package raises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The token endpoint failed, or a fault of our own.
    InternalError,
    /// The backend gave no credentials. The SDK's engine tries again.
    TokenIssueFailed,
    /// The backend may still be at work. The SDK's engine never tries again.
    TokenIssueTimeout,
    /// The buyer's request is not acceptable.
    InvalidRequest,
    /// The buyer's access token has ended.
    ChallengeExpired,
}

impl Code {
    /// The code as JavaScript has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InternalError => "INTERNAL_ERROR",
            Self::TokenIssueFailed => "TOKEN_ISSUE_FAILED",
            Self::TokenIssueTimeout => "TOKEN_ISSUE_TIMEOUT",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::ChallengeExpired => "CHALLENGE_EXPIRED",
        }
    }
}

/// A failed call, as the shell throws it.
#[derive(Clone, Debug, PartialEq)]
pub struct Key0Error {
    /// The SDK's code.
    pub code: Code,
    /// The whole sentence, for the buyer.
    pub message: Message,
    /// What the SDK's HTTP integrations answer.
    pub http_status: u16,
    /// The low-level reason, for the seller; never sent to a buyer.
    pub cause: Option<Cause>,
}

impl Key0Error {
    /// A fault of our own: a panic, a lost task.
    #[must_use]
    pub fn internal(what: &str) -> Self {
        Self {
            code: Code::InternalError,
            message: "Internal error".into(),
            http_status: 500,
            cause: Some(Cause::new(format_args!("internal: {what}"))),
        }
    }
}

/// Why, for people and programs that look closer: what logs and `console.error` show.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cause {
    /// The reason in words, on one line.
    pub message: String,
    /// Node's name for it (`ECONNREFUSED`, `CERT_HAS_EXPIRED`, …) or jose's (`ERR_JWT_EXPIRED`).
    pub code: Option<&'static str>,
    /// What the system was asked for in vain.
    pub syscall: Option<Box<Syscall>>,
    /// The status that a peer answered.
    pub status: Option<u16>,
    /// What it answered, where that was no 2xx.
    pub body: Option<Box<Excerpt>>,
    /// `false` only where it is certain that no byte of the request left.
    pub sent: Option<bool>,
    /// True where the caller's own code threw: the shell has that error, and shows its likeness.
    pub is_callers: bool,
    /// Whether nothing was sent because the server's TLS is not spoken here: another client may.
    pub is_of_dialect: bool,
}

/// What the system was asked for, as Node's errors name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Syscall {
    /// `getaddrinfo`: the addresses of this `hostname`.
    GetAddrInfo(String),
    /// `connect`: a connection to this `address` and `port`.
    Connect(SocketAddr),
    /// `read`, from a connection that stood.
    Read,
    /// `write`, to one.
    Write,
}

impl Syscall {
    /// Node's name for it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::GetAddrInfo(_) => "getaddrinfo",
            Self::Connect(_) => "connect",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl Cause {
    /// The reason in these words, which may quote a peer: line breaks become blanks, so that a log
    /// has one line of it.
    pub fn new(words: impl fmt::Display) -> Self {
        let message = words.to_string().replace(|c: char| c.is_control(), " ");
        Self { message, ..Self::default() }
    }

    /// The same with what a peer answered, where that is anything.
    #[must_use]
    pub fn quoting(self, body: Excerpt) -> Self {
        let body = (!body.is_empty()).then(|| Box::new(body));
        Self { body, ..self }
    }

    /// What the caller's own code threw, before anything was sent.
    #[must_use]
    pub fn of_the_caller() -> Self {
        Self { sent: Some(false), is_callers: true, ..Self::default() }
    }
}

/// A failure that JavaScript throws as a plain `Error`: verifying, and the issuer's own sentences.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlainError {
    /// The whole sentence.
    pub message: String,
    /// jose's code (`ERR_JWT_EXPIRED`, …), on which users of the SDK branch.
    pub code: Option<&'static str>,
    /// The claim that failed, as jose names it.
    pub claim: Option<&'static str>,
    /// The low-level reason.
    pub cause: Option<Cause>,
}

/// What is wrong with a caller's argument, at creation or at a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArgumentError {
    /// The argument or field, as JavaScript spells it.
    pub field: &'static str,
    /// What is wrong with it, continuing a sentence that begins with the field.
    pub problem: String,
    /// Which of JavaScript's errors says so.
    pub kind: ArgumentErrorKind,
}

/// JavaScript's errors for a wrong argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentErrorKind {
    /// `TypeError`
    Type,
    /// `RangeError`: the right type, out of bounds.
    Range,
    /// `Error`, whose whole sentence is the SDK's own: the field stands in `problem`.
    Plain,
}

impl ArgumentError {
    /// A `TypeError`: "`field` `problem`".
    pub fn of_type(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into(), kind: ArgumentErrorKind::Type }
    }

    /// A `RangeError`: "`field` `problem`".
    pub fn of_range(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into(), kind: ArgumentErrorKind::Range }
    }
}

impl fmt::Display for ArgumentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            ArgumentErrorKind::Plain => f.write_str(&self.problem),
            _ => write!(f, "{} {}", self.field, self.problem),
        }
    }
}
