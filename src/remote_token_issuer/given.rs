//! What a caller's `auth` gives.

use super::failure::Failure;
use crate::http::headers::{HeaderLine, Unsendable};

/// What the caller's function gave.
pub enum Given {
    /// These headers.
    Headers(Vec<(String, GivenValue)>),
    /// What can give none: `a string`, `a symbol`, `a function`.
    Unusable(&'static str),
    /// A rejection with this name and message.
    Rejected {
        /// The error's `name`.
        name: String,
        /// The error's `message`, or the value as text.
        message: String,
    },
}

/// What the caller's function gave for one header.
pub enum GivenValue {
    /// A string, or what becomes one as `fetch` makes it.
    Text(String),
    /// What no header can be: `null`, `undefined`, `a symbol`, …
    Unusable(&'static str),
}

/// What the caller's function gave, as lines; what `fetch` would refuse, or send the word
/// "undefined" for, is refused by name.
pub(super) fn lines(given: Given) -> Result<Vec<HeaderLine>, Failure> {
    match given {
        Given::Headers(headers) => headers
            .into_iter()
            .map(|(name, value)| match value {
                GivenValue::Text(text) => Ok(HeaderLine { name, value: text.into() }),
                GivenValue::Unusable(kind) => {
                    Err(Failure::Headers(Unsendable::of(&name, |name| Unsendable::Value {
                        name,
                        kind,
                    })))
                }
            })
            .collect(),
        Given::Unusable(kind) => Err(Failure::Headers(Unsendable::NoHeaders(kind))),
        Given::Rejected { name, .. } if name == "Key0Error" => Err(Failure::CallersOwn),
        Given::Rejected { name, .. } if name == "AbortError" => Err(Failure::Aborted),
        Given::Rejected { message, .. } => Err(Failure::Rejected(message)),
    }
}
