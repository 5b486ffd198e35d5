//! Why a token is refused.

use std::fmt;

use crate::error::{Cause, PlainError};

/// Why a token is refused, in the order in which it is looked at. The words and codes are those of
/// `jose`, on which users of the SDK branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    Expired,
    /// Its `nbf` is still to come (RFC 7519 §4.1.5).
    NotYetValid,
}

impl Rejection {
    /// jose's code for a claim that is not as it must be.
    pub(crate) const CLAIM: &str = "ERR_JWT_CLAIM_VALIDATION_FAILED";

    fn code(self) -> &'static str {
        match self {
            Self::Malformed | Self::Critical => "ERR_JWS_INVALID",
            Self::AlgorithmNotAllowed => "ERR_JOSE_ALG_NOT_ALLOWED",
            Self::Signature => "ERR_JWS_SIGNATURE_VERIFICATION_FAILED",
            Self::NotAnObject => "ERR_JWT_INVALID",
            Self::NotANumber(_) | Self::NotYetValid => Self::CLAIM,
            Self::Expired => "ERR_JWT_EXPIRED",
        }
    }

    fn claim(self) -> Option<&'static str> {
        match self {
            Self::NotANumber(claim) => Some(claim),
            Self::Expired => Some("exp"),
            Self::NotYetValid => Some("nbf"),
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
            Self::Expired => "\"exp\" claim timestamp check failed",
            Self::NotYetValid => "\"nbf\" claim timestamp check failed",
        })
    }
}

impl From<Rejection> for PlainError {
    fn from(rejection: Rejection) -> Self {
        Self {
            message: rejection.to_string(),
            code: Some(rejection.code()),
            claim: rejection.claim(),
            cause: None,
        }
    }
}

impl From<Rejection> for Cause {
    fn from(rejection: Rejection) -> Self {
        Self { message: rejection.to_string(), code: Some(rejection.code()), ..Self::default() }
    }
}

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
                Rejection::Expired,
                "\"exp\" claim timestamp check failed",
                "ERR_JWT_EXPIRED",
                Some("exp"),
            ),
            (Rejection::NotYetValid, "\"nbf\" claim timestamp check failed", claim, Some("nbf")),
        ] {
            let message = message.to_owned();
            let cause = Cause { message: message.clone(), code: Some(code), ..Cause::default() };
            assert_eq!(Cause::from(rejection), cause);
            let error = PlainError { message, code: Some(code), claim, cause: None };
            assert_eq!(PlainError::from(rejection), error);
        }
    }
}
