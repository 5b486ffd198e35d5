//! Why there are no credentials: the contract's table of errors.

use std::time::Duration;

use crate::{
    error::{Cause, Code, Key0Error},
    http::{Fault, fault::Phase, headers::Unsendable, redirects::Misdirected, reply::Described},
    json,
    message::Message,
    redact::Excerpt,
};

/// How a call fails.
#[derive(Clone, Debug, PartialEq)]
pub enum IssueError {
    /// With an error of ours.
    Key0(Key0Error),
    /// With the caller's own error, which the shell has kept.
    CallersOwn,
}

/// Why there are no credentials.
#[derive(Debug)]
pub(super) enum Failure {
    Backend {
        answer: Described,
        body: Excerpt,
        /// Why the token that was rejected could not be replaced.
        no_fresh_token: Option<String>,
    },
    NoToken {
        answer: Described,
    },
    NotJson {
        answer: Described,
        invalid: json::Invalid,
    },
    TimedOut {
        phase: Phase,
        limit: Duration,
    },
    Fault(Fault),
    Misdirected {
        misdirected: Misdirected,
        status: u16,
    },
    Headers(Unsendable),
    /// A strategy's own.
    Auth(Key0Error),
    /// The caller's `auth` gave up.
    Aborted,
    /// The caller's `auth` failed, with this message.
    Rejected(String),
    /// `JSON.stringify` threw.
    Params,
    /// The caller's `auth` failed with a `Key0Error`.
    CallersOwn,
}

impl Failure {
    pub fn without_fresh_token(mut self, why: Option<String>) -> Self {
        if let Self::Backend { no_fresh_token, .. } = &mut self {
            *no_fresh_token = why;
        }
        self
    }

    /// The contract's table. `sent` tells whether bytes of a request went out.
    pub fn into_error(self, sent: bool) -> IssueError {
        let (code, http_status) = match &self {
            Self::Auth(error) => return IssueError::Key0(error.clone()),
            Self::CallersOwn => return IssueError::CallersOwn,
            Self::TimedOut { .. } | Self::Aborted => (Code::TokenIssueTimeout, 504),
            Self::Fault(fault) if fault.says_time_is_over() => (Code::TokenIssueTimeout, 504),
            _ => (Code::TokenIssueFailed, 502),
        };
        let cause = Some(self.cause(sent));
        IssueError::Key0(Key0Error { code, message: self.message(), http_status, cause })
    }

    /// For the buyer.
    fn message(&self) -> Message {
        const NETWORK: Message = Message::new("Network error: ");
        match self {
            Self::Backend { answer, .. } => {
                Message::new("Backend failed to issue token: ").with(answer.status)
            }
            Self::NoToken { .. } => "Backend response missing 'token' field".into(),
            Self::TimedOut { .. } | Self::Aborted => TIMED_OUT,
            Self::Fault(fault) if fault.says_time_is_over() => TIMED_OUT,
            Self::NotJson { .. } => NETWORK.with("the answer is not JSON"),
            Self::Fault(fault) => NETWORK.with(fault.message()),
            Self::Misdirected { misdirected, .. } => NETWORK.with(misdirected.message()),
            Self::Rejected(message) if message.trim().is_empty() => {
                NETWORK.with("auth failed and did not say why")
            }
            Self::Rejected(message) => Message::quoting_the_caller("Network error: ", message),
            Self::Params => NETWORK.with("params cannot be sent as JSON"),
            Self::Headers(unsendable) => NETWORK.with(unsendable.message()),
            Self::Auth(error) => error.message.clone(),
            Self::CallersOwn => "auth failed".into(),
        }
    }

    /// For the seller.
    fn cause(&self, sent: bool) -> Cause {
        let cause = match self {
            Self::Backend { answer, body, no_fresh_token } => {
                let cause = match no_fresh_token {
                    Some(why) => Cause::new(format_args!("{answer}; no fresh token: {why}")),
                    None => Cause::new(answer),
                };
                Cause { status: Some(answer.status), ..cause.quoting(body.clone()) }
            }
            Self::NoToken { answer } => Cause {
                status: Some(answer.status),
                ..Cause::new(format_args!("{answer}: no usable token in it"))
            },
            Self::NotJson { answer, invalid } => Cause {
                status: Some(answer.status),
                ..Cause::new(format_args!("{answer}: {invalid}"))
            },
            Self::TimedOut { phase, limit } => phase.cause(*limit),
            Self::Fault(fault) => fault.cause(),
            Self::Misdirected { misdirected, status } => {
                Cause { status: Some(*status), ..Cause::new(misdirected) }
            }
            Self::Aborted | Self::Rejected(_) | Self::Params => Cause::of_the_caller(),
            Self::Headers(_) => Cause::new("the headers that auth gave cannot be sent"),
            Self::Auth(_) | Self::CallersOwn => Cause::default(),
        };
        Cause { sent: Some(sent || cause.sent == Some(true)), ..cause }
    }
}

/// Why `params` cannot be sent: `JSON.stringify` threw.
#[must_use]
pub fn unsendable() -> IssueError {
    Failure::Params.into_error(false)
}

/// A fault of our own: a panic, a lost task.
#[must_use]
pub fn internal_error() -> Key0Error {
    Key0Error {
        code: Code::TokenIssueFailed,
        message: "Network error: internal error".into(),
        http_status: 502,
        ..Key0Error::internal("the call ended without a result")
    }
}

const TIMED_OUT: Message = Message::new("Remote token issuance timed out");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn params_that_cannot_be_sent_are_said_so() {
        let IssueError::Key0(error) = unsendable() else { panic!("no error of ours") };
        assert_eq!(error.message, "Network error: params cannot be sent as JSON");
        assert_eq!(error.cause, Some(Cause::of_the_caller()));
    }
}
