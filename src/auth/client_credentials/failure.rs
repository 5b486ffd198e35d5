//! Why there is no token, for the buyer and for the seller.

use std::fmt;

use super::LONGEST_FETCH;
use crate::{
    auth::not_had,
    error::{Cause, Code, Key0Error},
    http::{Fault, fault::Phase, redirects::Misdirected, reply::Described},
    json,
    message::Message,
    redact::Excerpt,
};

/// Why there is no token.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server answered, but no 2xx.
    Refused {
        /// What it answered.
        refusal: Box<Refusal>,
        /// With this body.
        body: Excerpt,
        /// The field that ends in a line break.
        hint: Option<&'static str>,
    },
    /// A 2xx that is no JSON.
    NotJson {
        /// Which.
        answer: Described,
        /// Where it stops being JSON.
        invalid: json::Invalid,
    },
    /// A 2xx without token or lifetime.
    Incomplete {
        /// Which.
        refusal: Box<Refusal>,
        /// What it lacks.
        lack: Lack,
        /// The field that ends in a line break.
        hint: Option<&'static str>,
    },
    /// A token that no header can hold.
    UnusableToken {
        /// Whose.
        answer: Described,
        /// In words that continue "the token …".
        problem: &'static str,
    },
    /// A token of another type than the configuration wants.
    NotBearer {
        /// Whose.
        answer: Described,
        /// Its `token_type`, empty for none.
        said: Excerpt,
    },
    /// No assertion could be signed.
    Unsigned,
    /// No answer, or not the whole of it.
    Fault(Fault),
    /// Sent elsewhere.
    Misdirected {
        /// Where.
        misdirected: Misdirected,
        /// The status that said so.
        status: u16,
    },
    /// Past the deadline.
    TimedOut {
        /// What it was at.
        phase: Phase,
        /// Whether bytes went out.
        sent: bool,
    },
    /// The function that stands for a secret gave none that can be used.
    Asked {
        /// The field that it stands for.
        field: &'static str,
        /// In words for the seller.
        why: String,
    },
    /// The fetch ended without a result.
    Vanished,
}

/// What a token server says where it gives no token.
#[derive(Debug)]
pub(super) struct Refusal {
    pub answer: Described,
    /// Its `error`, where that is registered.
    pub code: Option<&'static str>,
    pub error: Option<Excerpt>,
    pub description: Option<Excerpt>,
    pub uri: Option<Excerpt>,
    /// `Retry-After`, as it came.
    pub retry_after: Option<String>,
}

impl Refusal {
    fn says_why(&self) -> bool {
        self.error.is_some() || self.description.is_some()
    }
}

/// For the seller.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answer.fmt(f)?;
        for words in [&self.error, &self.description, &self.uri].into_iter().flatten() {
            write!(f, ": {words}")?;
        }
        Ok(())
    }
}

/// What a 2xx has in place of a field, for the seller.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lack {
    pub field: &'static str,
    pub wanted: &'static str,
    /// What stands there, if anything does.
    pub found: Option<&'static str>,
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, wanted, found } = self;
        match found {
            Some(found) => write!(f, "{field} must be {wanted}, got {found}"),
            None => write!(f, "it has no {field}"),
        }
    }
}

impl Failure {
    pub fn error(&self) -> Key0Error {
        Key0Error {
            code: Code::InternalError,
            message: Message::new("Failed to authenticate via OAuth: ").with(self.message()),
            http_status: 500,
            cause: Some(self.cause()),
        }
    }

    /// When the server wants to be asked again.
    pub fn retry_after(&self) -> Option<&str> {
        match self {
            Self::Refused { refusal, .. } => refusal.retry_after.as_deref(),
            _ => None,
        }
    }

    /// For the buyer.
    pub fn message(&self) -> Message {
        let (message, hint) = match self {
            Self::Refused { refusal, hint, .. } => {
                let status = refusal.answer.status;
                let message = Message::new("OAuth token request failed: ").with(status);
                let message = match refusal.code {
                    Some(code) => message.with(" ").with(code),
                    None => message,
                };
                (message, hint)
            }
            Self::Incomplete { refusal, hint, .. } => {
                let message = INCOMPLETE;
                let message = match refusal.code {
                    Some(code) => message.with(" (").with(code).with(")"),
                    None => message,
                };
                (message, hint)
            }
            Self::NotJson { .. } => return "the answer is not JSON".into(),
            Self::UnusableToken { problem, .. } => {
                return Message::new("Invalid OAuth response: access_token ").with(*problem);
            }
            Self::NotBearer { .. } => {
                return "Invalid OAuth response: token_type is not Bearer".into();
            }
            Self::Unsigned => return "the client assertion could not be signed".into(),
            Self::Fault(fault) => return fault.message(),
            Self::Misdirected { misdirected, .. } => return misdirected.message(),
            Self::TimedOut { .. } => return "no token within 10 s".into(),
            Self::Asked { field, .. } => return not_had(field),
            Self::Vanished => return "the token request ended without a result".into(),
        };
        match hint {
            Some(field) => message.with(" (").with(*field).with(" ends in a line break)"),
            None => message,
        }
    }

    /// For the seller.
    fn cause(&self) -> Cause {
        let of = |answer: &Described, cause: Cause| Cause {
            status: Some(answer.status),
            sent: Some(true),
            ..cause
        };
        match self {
            Self::Refused { refusal, body, .. } => {
                of(&refusal.answer, Cause::new(refusal).quoting(body.clone()))
            }
            // What the server says of itself is why.
            Self::Incomplete { refusal, .. } if refusal.says_why() => {
                of(&refusal.answer, Cause::new(refusal))
            }
            Self::Incomplete { refusal, lack, .. } => {
                of(&refusal.answer, Cause::new(format_args!("{refusal}: {lack}")))
            }
            Self::NotJson { answer, invalid } => {
                of(answer, Cause::new(format_args!("{answer}: {invalid}")))
            }
            Self::UnusableToken { answer, problem } => {
                of(answer, Cause::new(format_args!("{answer}: its access_token {problem}")))
            }
            Self::NotBearer { answer, said } if said.is_empty() => {
                of(answer, Cause::new(format_args!("{answer}: it has no token_type")))
            }
            Self::NotBearer { answer, said } => {
                of(answer, Cause::new(format_args!("{answer}: its token_type is {said}")))
            }
            Self::Unsigned => Cause {
                sent: Some(false),
                ..Cause::new("internal: the client assertion could not be signed")
            },
            Self::Fault(fault) => fault.cause(),
            Self::Misdirected { misdirected, status } => {
                Cause { status: Some(*status), sent: Some(true), ..Cause::new(misdirected) }
            }
            Self::TimedOut { phase, sent } => {
                Cause { sent: Some(*sent), ..phase.cause(LONGEST_FETCH) }
            }
            Self::Asked { why, .. } => Cause { sent: Some(false), ..Cause::new(why) },
            Self::Vanished => Cause::new("internal: the task that fetched it is gone"),
        }
    }
}

/// `error`, where it is a code of the OAuth registry that a token endpoint or a resource answers:
/// a list, since any other text is the server's own.
pub(super) fn registered(error: &str) -> Option<&'static str> {
    REGISTERED.into_iter().find(|known| *known == error)
}

pub(super) const INCOMPLETE: Message =
    Message::new("Invalid OAuth response: missing access_token or expires_in");

/// Of RFC 6749 (§4.1.2.1, §5.2), 6750 (§3.1), 8628 (§3.5), 8707 (§2) and 9449 (§5, §8).
pub(super) const REGISTERED: [&str; 18] = [
    "access_denied",
    "authorization_pending",
    "expired_token",
    "insufficient_scope",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "use_dpop_nonce",
];
