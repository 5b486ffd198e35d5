//! Why a token is refused.

use std::fmt;

use crate::{
    error::{Cause, PlainError},
    now::Utc,
};

/// Why a token is refused, in the order in which it is looked at. The words and codes are those of
/// `jose`, on which users of the SDK branch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rejection {
    /// Not three parts in base64url without padding, the first a JSON object with an `alg`.
    Malformed,
    /// Another `alg` than the key's, `none` included.
    AlgorithmNotAllowed,
    /// A `crit`: extensions are not understood (RFC 7515 §4.1.11).
    Critical,
    /// Signed by another key, or changed since.
    Signature,
    /// The payload is no JSON object.
    NotAnObject,
    /// The `iat`, `nbf` or `exp` of that name is no number (RFC 7519 §2, `NumericDate`).
    NotANumber(&'static str),
    /// Its `exp` has come (RFC 7519 §4.1.4).
    Expired(Option<Near>),
    /// Its `nbf` is still to come (RFC 7519 §4.1.5).
    NotYetValid(Option<Near>),
}

/// The times of a token that misses its own by so little that a clock may be wrong: seconds since
/// 1970.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Near {
    issued: Option<f64>,
    limit: f64,
    now: f64,
}

impl Near {
    /// The times, where the clock is within ten minutes of `limit`.
    pub(super) fn new(issued: Option<f64>, limit: f64, now: f64) -> Option<Self> {
        ((limit - now).abs() < TEN_MINUTES).then_some(Self { issued, limit, now })
    }

    /// In a sentence, after `what` happens at the limit.
    fn told(self, what: &str) -> String {
        #[expect(clippy::cast_possible_truncation, reason = "saturates")]
        let utc = |seconds: f64| Utc(seconds as i64);
        let Self { issued, limit, now } = self;
        let issued = issued.map(|issued| format!("issued at {}, ", utc(issued)));
        let issued = issued.unwrap_or_default();
        format!("{issued}{what} {}, while the clock says {}", utc(limit), utc(now))
    }
}

impl Rejection {
    /// jose's code for a claim that is not as it must be.
    pub(crate) const CLAIM: &str = "ERR_JWT_CLAIM_VALIDATION_FAILED";

    /// The times, for the cause alone.
    fn times(self) -> Option<String> {
        match self {
            Self::Expired(near) => near.map(|near| near.told("expired at")),
            Self::NotYetValid(near) => near.map(|near| near.told("valid from")),
            _ => None,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::Malformed | Self::Critical => "ERR_JWS_INVALID",
            Self::AlgorithmNotAllowed => "ERR_JOSE_ALG_NOT_ALLOWED",
            Self::Signature => "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
            Self::NotAnObject => "ERR_JWT_INVALID",
            Self::NotANumber(_) | Self::NotYetValid(_) => Self::CLAIM,
            Self::Expired(_) => "ERR_JWT_EXPIRED",
        }
    }

    fn claim(self) -> Option<&'static str> {
        match self {
            Self::NotANumber(claim) => Some(claim),
            Self::Expired(_) => Some("exp"),
            Self::NotYetValid(_) => Some("nbf"),
            _ => None,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "Invalid Compact JWS",
            Self::AlgorithmNotAllowed => "\"alg\" (Algorithm) Header Parameter value not allowed",
            Self::Critical => "\"crit\" (Critical) Header Parameter is not supported",
            Self::Signature => "signature verification failed",
            Self::NotAnObject => "JWT Claims Set must be a top-level JSON object",
            Self::NotANumber(claim) => return write!(f, "\"{claim}\" claim must be a number"),
            Self::Expired(_) => "\"exp\" claim timestamp check failed",
            Self::NotYetValid(_) => "\"nbf\" claim timestamp check failed",
        })
    }
}

impl From<Rejection> for PlainError {
    fn from(rejection: Rejection) -> Self {
        Self {
            message: rejection.to_string(),
            code: Some(rejection.code()),
            claim: rejection.claim(),
            // Without the times it would say the same again.
            cause: rejection.times().map(|_| rejection.into()),
        }
    }
}

impl From<Rejection> for Cause {
    fn from(rejection: Rejection) -> Self {
        let message = match rejection.times() {
            Some(times) => format!("{rejection}: {times}"),
            None => rejection.to_string(),
        };
        Self { message, code: Some(rejection.code()), ..Self::default() }
    }
}

/// Further off it is no clock's fault.
const TEN_MINUTES: f64 = 600.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_are_worded_and_coded_as_jose_does() {
        let invalid = "ERR_JWS_INVALID";
        let claim = "ERR_JWT_CLAIM_VALIDATION_FAILED";
        for (rejection, message, code, claim) in [
            (Rejection::Malformed, "Invalid Compact JWS", invalid, None),
            (
                Rejection::AlgorithmNotAllowed,
                "\"alg\" (Algorithm) Header Parameter value not allowed",
                "ERR_JOSE_ALG_NOT_ALLOWED",
                None,
            ),
            (
                Rejection::Critical,
                "\"crit\" (Critical) Header Parameter is not supported",
                invalid,
                None,
            ),
            (
                Rejection::Signature,
                "signature verification failed",
                "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
                None,
            ),
            (
                Rejection::NotAnObject,
                "JWT Claims Set must be a top-level JSON object",
                "ERR_JWT_INVALID",
                None,
            ),
            (Rejection::NotANumber("iat"), "\"iat\" claim must be a number", claim, Some("iat")),
            (
                Rejection::Expired(None),
                "\"exp\" claim timestamp check failed",
                "ERR_JWT_EXPIRED",
                Some("exp"),
            ),
            (
                Rejection::NotYetValid(None),
                "\"nbf\" claim timestamp check failed",
                claim,
                Some("nbf"),
            ),
        ] {
            let message = message.to_owned();
            let cause = Cause { message: message.clone(), code: Some(code), ..Cause::default() };
            assert_eq!(Cause::from(rejection), cause);
            let error = PlainError { message, code: Some(code), claim, cause: None };
            assert_eq!(PlainError::from(rejection), error);
        }
    }

    #[test]
    fn the_times_are_told_where_a_clock_may_be_wrong() {
        let now = 1_795_788_654.0;
        let near = |limit| Near::new(Some(now - 90.0), limit, now);
        for limit in [now, now - 599.0, now + 599.0] {
            assert!(near(limit).is_some(), "{limit}");
        }
        for limit in [now - 600.0, now + 600.0, f64::NAN, f64::INFINITY] {
            assert_eq!(near(limit), None);
        }
        let cause = |rejection| Cause::from(rejection).message;
        assert_eq!(
            cause(Rejection::Expired(near(now - 30.0))),
            "\"exp\" claim timestamp check failed: issued at 2026-11-27T14:09:24Z, expired at \
            2026-11-27T14:10:24Z, while the clock says 2026-11-27T14:10:54Z"
        );
        assert_eq!(
            cause(Rejection::NotYetValid(Near::new(None, now + 1.5, now))),
            "\"nbf\" claim timestamp check failed: valid from 2026-11-27T14:10:55Z, while the \
            clock says 2026-11-27T14:10:54Z"
        );
        let error = PlainError::from(Rejection::Expired(near(now)));
        assert_eq!(error.message, "\"exp\" claim timestamp check failed");
        assert_eq!(error.cause.map(|cause| cause.code), Some(Some("ERR_JWT_EXPIRED")));
    }
}
