//! For backends: the header in, the claims out, in two wordings. `validateKey0Token` speaks to the
//! backend, `validateToken` to the buyer.

use std::sync::Arc;

use crate::{
    error::{Cause, Code, Key0Error, PlainError},
    fault_injection,
    jws::{Algorithm, KeyError, Rejection, VerifyingKey, recent},
    message::Message,
    now::Now,
    secret::Secret,
};

/// What `validateKey0Token` takes. The key that the algorithm does not use is not looked at.
#[derive(Clone, Debug, Default)]
pub struct ValidatorConfig {
    /// For HS256.
    pub secret: Option<Secret>,
    /// For RS256: PEM.
    pub public_key: Option<Secret>,
    /// `HS256`, which is the default, or `RS256`.
    pub algorithm: Option<String>,
}

impl ValidatorConfig {
    fn key(&self) -> Result<Arc<VerifyingKey>, PlainError> {
        let algorithm = Algorithm::named(self.algorithm.as_deref())
            .map_err(|error| plain(&error.to_string(), KeyError::CODE))?;
        let key = match algorithm {
            Algorithm::Hs256 => &self.secret,
            Algorithm::Rs256 => &self.public_key,
        };
        Ok(recent(algorithm, key.as_ref())?)
    }
}

/// The claims of the Bearer token in `auth_header`, as JSON text; the five of Key0 are there.
///
/// # Errors
/// A plain sentence with a code; where the token is refused, the cause says why.
pub fn validate_key0_token(
    auth_header: Option<&str>,
    config: &ValidatorConfig,
    now: Now,
) -> Result<String, PlainError> {
    let token = bearer_token(auth_header).ok_or_else(|| plain(NO_TOKEN, NO_TOKEN_CODE))?;
    let verified = config.key()?.verify_with(token, now, CLAIMS);
    let (claims, named) = verified.map_err(|rejection| {
        let message = match rejection {
            Rejection::Expired(_) => "Token expired",
            _ => "Invalid token signature",
        };
        let cause = Some(rejection.into());
        PlainError { message: message.to_owned(), cause, ..rejection.into() }
    })?;
    // The first of Key0's claims that is absent or falsy.
    match CLAIMS.iter().zip(named).find(|(_, is_there)| !is_there) {
        None => Ok(claims),
        Some((name, _)) => Err(PlainError {
            claim: Some(*name),
            ..plain(&format!("Invalid token: missing claim {name}"), Rejection::CLAIM)
        }),
    }
}

/// The claims of the Bearer token in `auth_header`, as JSON text, where `secret` signed it.
///
/// # Errors
/// What the SDK's HTTP integrations answer to the buyer: 401, or 500 where there is no usable
/// secret. The cause says why.
pub fn validate_token(
    auth_header: Option<&str>,
    secret: Option<&Secret>,
    now: Now,
) -> Result<String, Key0Error> {
    let refuse = |code, message: &'static str, cause| Key0Error {
        code,
        message: message.into(),
        http_status: 401,
        cause,
    };
    let invalid = |cause| refuse(Code::InvalidRequest, "Invalid access token", Some(cause));
    let token =
        bearer_token(auth_header).ok_or_else(|| refuse(Code::InvalidRequest, NO_TOKEN, None))?;
    let key = recent(Algorithm::Hs256, secret).map_err(unusable_secret)?;
    key.verify(token, now).map_err(|rejection| match rejection {
        Rejection::Expired(_) => {
            refuse(Code::ChallengeExpired, "Access token expired", Some(rejection.into()))
        }
        _ => invalid(rejection.into()),
    })
}

/// No buyer's fault: every buyer would be refused.
pub(crate) fn unusable_secret(error: KeyError) -> Key0Error {
    let message = match error {
        KeyError::Missing(_) => "secret is not usable: there is none".into(),
        KeyError::Unusable(..) => Message::new("").with(error),
    };
    let cause = Some(Cause { code: Some(KeyError::CODE), ..Cause::new(error) });
    Key0Error { code: Code::InternalError, message, http_status: 500, cause }
}

fn plain(message: &str, code: &'static str) -> PlainError {
    PlainError { message: message.to_owned(), code: Some(code), ..PlainError::default() }
}

/// The token after exactly `Bearer ` (RFC 6750 §2.1).
fn bearer_token(auth_header: Option<&str>) -> Option<&str> {
    fault_injection::point("validate");
    auth_header?.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}

const NO_TOKEN: &str = "Missing or malformed Authorization header";
const NO_TOKEN_CODE: &str = "ERR_KEY0_AUTHORIZATION";
const CLAIMS: [&str; 5] = ["sub", "jti", "resourceId", "planId", "txHash"];

// What becomes of each token is in tests/fixtures/jws-vectors.json.
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        access_token_issuer::{AccessTokenIssuer, IssuerConfig},
        jws::tests::{NOW, SECRET, at, secret, token},
    };

    const HS256: &str = r#"{"alg":"HS256"}"#;
    const CLAIMS: &str = r#"{"sub":"s","jti":"j","resourceId":"r","planId":"p","txHash":"t"}"#;
    const PUBLIC_KEY: &str = include_str!("../tests/fixtures/rsa-public.pem");

    fn hs256(text: Option<&str>) -> ValidatorConfig {
        ValidatorConfig { secret: text.map(secret), ..ValidatorConfig::default() }
    }

    fn rs256(pem: Option<&str>) -> ValidatorConfig {
        ValidatorConfig {
            public_key: pem.map(secret),
            algorithm: Some("RS256".to_owned()),
            ..ValidatorConfig::default()
        }
    }

    fn key0(token: &str, config: &ValidatorConfig) -> Result<String, PlainError> {
        validate_key0_token(Some(&format!("Bearer {token}")), config, at(NOW))
    }

    fn config_error(message: &str) -> PlainError {
        plain(message, "ERR_KEY0_CONFIG")
    }

    fn unusable(message: &'static str, reason: &str) -> Key0Error {
        Key0Error {
            code: Code::InternalError,
            message: message.into(),
            http_status: 500,
            cause: Some(Cause { code: Some("ERR_KEY0_CONFIG"), ..Cause::new(reason) }),
        }
    }

    #[test]
    fn a_header_without_scheme_or_token_is_looked_at_first() {
        let good = token(HS256, CLAIMS, SECRET);
        let message = "Missing or malformed Authorization header";
        for header in [
            None,
            Some(""),
            Some("Bearer"),
            Some("Bearer "),
            Some("Basic x"),
            Some(&*format!("Bearer{good}")),
            Some(&*format!("bearer {good}")),
            Some(&*format!("BEARER {good}")),
            Some(&*format!(" Bearer {good}")),
            Some(&*format!("Bearer\t{good}")),
            Some(&*good),
        ] {
            assert_eq!(
                validate_key0_token(header, &hs256(None), at(NOW)),
                Err(plain(message, "ERR_KEY0_AUTHORIZATION")),
                "{header:?}"
            );
            assert_eq!(
                validate_token(header, None, at(NOW)),
                Err(Key0Error {
                    code: Code::InvalidRequest,
                    message: message.into(),
                    http_status: 401,
                    cause: None,
                }),
                "{header:?}"
            );
        }
    }

    #[test]
    fn a_missing_key_is_named_before_the_token_is_looked_at() {
        for text in [None, Some("")] {
            assert_eq!(
                key0("?", &hs256(text)),
                Err(config_error("HS256 algorithm requires secret"))
            );
            assert_eq!(
                key0("?", &rs256(text)),
                Err(config_error("RS256 algorithm requires publicKey"))
            );
        }
    }

    #[test]
    fn an_empty_secret_verifies_nothing() {
        let token = token(HS256, CLAIMS, "");
        assert_eq!(
            key0(&token, &hs256(Some(""))),
            Err(config_error("HS256 algorithm requires secret"))
        );
        let header = format!("Bearer {token}");
        for empty in [None, Some(secret(""))] {
            assert_eq!(
                validate_token(Some(&header), empty.as_ref(), at(NOW)),
                Err(unusable(
                    "secret is not usable: there is none",
                    "HS256 algorithm requires secret"
                ))
            );
        }
    }

    #[test]
    fn an_unusable_key_is_the_backends_fault() {
        let sentence = "secret is not usable: public key: everyone may know it";
        let forged = token(HS256, CLAIMS, PUBLIC_KEY);
        assert_eq!(key0(&forged, &hs256(Some(PUBLIC_KEY))), Err(config_error(sentence)));
        assert_eq!(
            validate_token(Some(&format!("Bearer {forged}")), Some(&secret(PUBLIC_KEY)), at(NOW)),
            Err(unusable(sentence, sentence))
        );
        assert_eq!(
            key0("?", &rs256(Some(SECRET))),
            Err(config_error(
                "publicKey is not usable: no PEM: RS256 verifies with an RSA public key"
            ))
        );
    }

    #[test]
    fn an_unknown_algorithm_is_named() {
        let config = ValidatorConfig { algorithm: Some("HS512".to_owned()), ..hs256(Some(SECRET)) };
        assert_eq!(key0("?", &config), Err(config_error("algorithm must be HS256 or RS256")));
    }

    #[test]
    fn the_configured_algorithm_selects_the_key() {
        let key = IssuerConfig {
            private_key: Some(secret(include_str!("../tests/fixtures/rsa.pem"))),
            algorithm: Some("RS256".to_owned()),
            secret: None,
        };
        let rsa = AccessTokenIssuer::new(key).unwrap().sign(CLAIMS, 60.0, at(NOW)).unwrap();
        let hmac = token(HS256, CLAIMS, SECRET);
        let both = |algorithm: &str| ValidatorConfig {
            secret: Some(secret(SECRET)),
            public_key: Some(secret(PUBLIC_KEY)),
            algorithm: Some(algorithm.to_owned()),
        };
        let refused = Err(PlainError {
            message: "Invalid token signature".to_owned(),
            cause: Some(Rejection::AlgorithmNotAllowed.into()),
            ..Rejection::AlgorithmNotAllowed.into()
        });
        assert!(key0(rsa.expose(), &both("RS256")).is_ok());
        assert_eq!(key0(rsa.expose(), &both("HS256")), refused);
        assert!(key0(&hmac, &both("HS256")).is_ok());
        assert_eq!(key0(&hmac, &both("RS256")), refused);
        let neither = ValidatorConfig { algorithm: None, ..both("") };
        assert!(key0(&hmac, &neither).is_ok());
    }

    #[test]
    fn secrets_of_any_length_verify() {
        let token = token(HS256, CLAIMS, "x");
        assert_eq!(key0(&token, &hs256(Some("x"))).unwrap(), CLAIMS);
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", hs256(Some("canary"))).contains("canary"));
        assert!(!format!("{:?}", rs256(Some("canary"))).contains("canary"));
    }
}
