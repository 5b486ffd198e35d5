//! For backends: the header in, the claims out, in two wordings. `validateKey0Token` speaks to the
//! backend, `validateToken` to the buyer.

use crate::{
    error::{Cause, Code, Key0Error, PlainError},
    fault_injection,
    json::{self, Value},
    jws::{Algorithm, Rejection, VerifyingKey},
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
    fn key(&self) -> Result<VerifyingKey, PlainError> {
        let algorithm = Algorithm::named(self.algorithm.as_deref())
            .map_err(|error| PlainError { message: error.to_string(), ..PlainError::default() })?;
        Ok(match algorithm {
            Algorithm::Hs256 => VerifyingKey::hs256(self.secret.as_ref())?,
            Algorithm::Rs256 => VerifyingKey::rs256(self.public_key.as_ref())?,
        })
    }
}

/// The claims of the Bearer token in `auth_header`, as JSON text; the five of Key0 are there.
///
/// # Errors
/// A plain sentence; where the token is refused, the cause says why.
pub fn validate_key0_token(
    auth_header: Option<&str>,
    config: &ValidatorConfig,
    now: Now,
) -> Result<String, PlainError> {
    let error = |message: &str| PlainError { message: message.to_owned(), ..PlainError::default() };
    let token = bearer(auth_header).ok_or_else(|| error(NO_TOKEN))?;
    let claims = config.key()?.verify(token, now).map_err(|rejection| PlainError {
        cause: Some(rejection.into()),
        ..error(match rejection {
            Rejection::Expired => "Token expired",
            _ => "Invalid token signature",
        })
    })?;
    match missing_claim(&claims) {
        None => Ok(claims),
        Some(name) => Err(error(&format!("Invalid token: missing claim {name}"))),
    }
}

/// The claims of the Bearer token in `auth_header`, as JSON text, where `secret` signed it.
///
/// # Errors
/// What the SDK's HTTP integrations answer to the buyer, 401 always; the cause says why.
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
    let token = bearer(auth_header).ok_or_else(|| refuse(Code::InvalidRequest, NO_TOKEN, None))?;
    let key = VerifyingKey::hs256(secret)
        .map_err(|error| invalid(Cause { message: error.to_string(), ..Cause::default() }))?;
    key.verify(token, now).map_err(|rejection| match rejection {
        Rejection::Expired => {
            refuse(Code::ChallengeExpired, "Access token expired", Some(rejection.into()))
        }
        _ => invalid(rejection.into()),
    })
}

/// The token after exactly `Bearer ` (RFC 6750 §2.1).
fn bearer(auth_header: Option<&str>) -> Option<&str> {
    fault_injection::point("validate");
    auth_header?.strip_prefix("Bearer ").filter(|token| !token.is_empty())
}

/// The first of Key0's claims that is absent or falsy.
fn missing_claim(claims: &str) -> Option<&'static str> {
    let values = json::pick(claims, CLAIMS).ok().flatten().unwrap_or_default();
    let missing = values.iter().position(|value| !value.is_some_and(Value::is_truthy))?;
    CLAIMS.get(missing).copied()
}

const NO_TOKEN: &str = "Missing or malformed Authorization header";
const CLAIMS: [&str; 5] = ["sub", "jti", "resourceId", "planId", "txHash"];

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

    fn plain(token: &str) -> Result<String, Key0Error> {
        validate_token(Some(&format!("Bearer {token}")), Some(&secret(SECRET)), at(NOW))
    }

    fn error(message: &str, cause: Option<Cause>) -> PlainError {
        PlainError { message: message.to_owned(), cause, ..PlainError::default() }
    }

    fn invalid_signature(rejection: Rejection) -> PlainError {
        error("Invalid token signature", Some(rejection.into()))
    }

    fn key0_error(code: Code, message: &'static str, cause: Option<Cause>) -> Key0Error {
        Key0Error { code, message: message.into(), http_status: 401, cause }
    }

    fn invalid_token(cause: impl Into<Cause>) -> Key0Error {
        key0_error(Code::InvalidRequest, "Invalid access token", Some(cause.into()))
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
                Err(error(message, None)),
                "{header:?}"
            );
            assert_eq!(
                validate_token(header, None, at(NOW)),
                Err(key0_error(Code::InvalidRequest, message, None)),
                "{header:?}"
            );
        }
    }

    #[test]
    fn blanks_padding_and_a_second_token_are_malformed() {
        let good = token(HS256, CLAIMS, SECRET);
        assert_eq!(key0(&good, &hs256(Some(SECRET))).unwrap(), CLAIMS);
        assert_eq!(plain(&good).unwrap(), CLAIMS);
        for token in [
            format!(" {good}"),
            format!("{good} "),
            format!("{good}\n"),
            format!("{good}="),
            format!("{} {}", &good[..30], &good[30..]),
            format!("{good}, Bearer {good}"),
            " ".to_owned(),
            "a".to_owned(),
        ] {
            assert_eq!(
                key0(&token, &hs256(Some(SECRET))),
                Err(invalid_signature(Rejection::Malformed)),
                "{token}"
            );
            assert_eq!(plain(&token), Err(invalid_token(Rejection::Malformed)), "{token}");
        }
    }

    #[test]
    fn a_missing_key_is_named_before_the_token_is_looked_at() {
        for text in [None, Some("")] {
            assert_eq!(
                key0("?", &hs256(text)),
                Err(error("HS256 algorithm requires secret", None))
            );
            assert_eq!(
                key0("?", &rs256(text)),
                Err(error("RS256 algorithm requires publicKey", None))
            );
        }
    }

    #[test]
    fn an_empty_secret_verifies_nothing() {
        let token = token(HS256, CLAIMS, "");
        assert_eq!(
            key0(&token, &hs256(Some(""))),
            Err(error("HS256 algorithm requires secret", None))
        );
        let cause =
            || Cause { message: "HS256 algorithm requires secret".to_owned(), ..Cause::default() };
        let header = format!("Bearer {token}");
        for empty in [None, Some(secret(""))] {
            assert_eq!(
                validate_token(Some(&header), empty.as_ref(), at(NOW)),
                Err(invalid_token(cause()))
            );
        }
    }

    #[test]
    fn an_unusable_key_is_the_backends_fault() {
        let unusable = "secret is not usable: public key: everyone may know it";
        let forged = token(HS256, CLAIMS, PUBLIC_KEY);
        assert_eq!(key0(&forged, &hs256(Some(PUBLIC_KEY))), Err(error(unusable, None)));
        let cause = Cause { message: unusable.to_owned(), ..Cause::default() };
        assert_eq!(
            validate_token(Some(&format!("Bearer {forged}")), Some(&secret(PUBLIC_KEY)), at(NOW)),
            Err(invalid_token(cause))
        );
        assert_eq!(
            key0("?", &rs256(Some(SECRET))),
            Err(error(
                "publicKey is not usable: no PEM: RS256 verifies with an RSA public key",
                None
            ))
        );
    }

    #[test]
    fn an_unknown_algorithm_is_named() {
        let config = ValidatorConfig { algorithm: Some("HS512".to_owned()), ..hs256(Some(SECRET)) };
        assert_eq!(key0("?", &config), Err(error("algorithm must be HS256 or RS256", None)));
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
        let refused = Err(invalid_signature(Rejection::AlgorithmNotAllowed));
        assert!(key0(rsa.expose(), &both("RS256")).is_ok());
        assert_eq!(key0(rsa.expose(), &both("HS256")), refused);
        assert!(key0(&hmac, &both("HS256")).is_ok());
        assert_eq!(key0(&hmac, &both("RS256")), refused);
        let neither = ValidatorConfig { algorithm: None, ..both("") };
        assert!(key0(&hmac, &neither).is_ok());
    }

    #[test]
    fn an_expired_token_is_called_expired() {
        let token = token(HS256, r#"{"exp":1700000000}"#, SECRET);
        let cause = || Some(Cause::from(Rejection::Expired));
        assert_eq!(key0(&token, &hs256(Some(SECRET))), Err(error("Token expired", cause())));
        assert_eq!(
            plain(&token),
            Err(key0_error(Code::ChallengeExpired, "Access token expired", cause()))
        );
    }

    #[test]
    fn everything_else_is_an_invalid_token_whose_cause_says_why() {
        for (header, payload, by, rejection) in [
            (r#"{"alg":"none"}"#, CLAIMS, SECRET, Rejection::AlgorithmNotAllowed),
            (r#"{"alg":"HS256","crit":["x"]}"#, CLAIMS, SECRET, Rejection::Critical),
            (HS256, CLAIMS, "another", Rejection::Signature),
            (HS256, "[]", SECRET, Rejection::NotAnObject),
            (HS256, r#"{"exp":"4102444800"}"#, SECRET, Rejection::NotANumber("exp")),
            (HS256, r#"{"nbf":1700000001}"#, SECRET, Rejection::NotYetValid),
        ] {
            let token = token(header, payload, by);
            assert_eq!(key0(&token, &hs256(Some(SECRET))), Err(invalid_signature(rejection)));
            assert_eq!(plain(&token), Err(invalid_token(rejection)));
        }
    }

    #[test]
    fn each_of_the_five_claims_is_needed() {
        for name in ["sub", "jti", "resourceId", "planId", "txHash"] {
            let missing = Err(error(&format!("Invalid token: missing claim {name}"), None));
            let member = format!("\"{name}\":\"{}\"", &name[..1]);
            assert!(CLAIMS.contains(&member));
            let without = CLAIMS.replace(&member, "\"other\":1");
            assert_eq!(key0(&token(HS256, &without, SECRET), &hs256(Some(SECRET))), missing);
            for falsy in ["\"\"", "null", "false", "0", "-0.0"] {
                let claims = CLAIMS.replace(&member, &format!("\"{name}\":{falsy}"));
                assert_eq!(key0(&token(HS256, &claims, SECRET), &hs256(Some(SECRET))), missing);
            }
            for truthy in ["\"0\"", "\"\\ud800\"", "1", "true", "[]", "{}"] {
                let claims = CLAIMS.replace(&member, &format!("\"{name}\":{truthy}"));
                let result = key0(&token(HS256, &claims, SECRET), &hs256(Some(SECRET)));
                assert_eq!(result.unwrap(), claims);
            }
        }
    }

    #[test]
    fn the_first_missing_claim_is_named() {
        assert_eq!(
            key0(&token(HS256, "{}", SECRET), &hs256(Some(SECRET))),
            Err(error("Invalid token: missing claim sub", None))
        );
    }

    #[test]
    fn an_expired_token_without_claims_is_expired() {
        let token = token(HS256, r#"{"exp":1}"#, SECRET);
        assert_eq!(key0(&token, &hs256(Some(SECRET))).unwrap_err().message, "Token expired");
    }

    #[test]
    fn claims_are_own_properties() {
        let inherited = format!(r#"{{"__proto__":{CLAIMS}}}"#);
        assert_eq!(
            key0(&token(HS256, &inherited, SECRET), &hs256(Some(SECRET))),
            Err(error("Invalid token: missing claim sub", None))
        );
        let beside = CLAIMS.replacen('{', r#"{"__proto__":{"sub":""},"#, 1);
        let result = key0(&token(HS256, &beside, SECRET), &hs256(Some(SECRET)));
        assert_eq!(result.unwrap(), beside);
    }

    #[test]
    fn the_last_of_duplicate_claims_counts() {
        let config = hs256(Some(SECRET));
        let last_empty = CLAIMS.replace('}', r#","sub":""}"#);
        assert_eq!(
            key0(&token(HS256, &last_empty, SECRET), &config).unwrap_err().message,
            "Invalid token: missing claim sub"
        );
        let last_full = CLAIMS.replacen('{', r#"{"sub":"","#, 1);
        assert_eq!(key0(&token(HS256, &last_full, SECRET), &config).unwrap(), last_full);
    }

    #[test]
    fn validate_token_asks_for_no_claim() {
        assert_eq!(plain(&token(HS256, "{}", SECRET)).unwrap(), "{}");
    }

    #[test]
    fn secrets_of_any_length_verify() {
        let token = token(HS256, CLAIMS, "x");
        assert_eq!(key0(&token, &hs256(Some("x"))).unwrap(), CLAIMS);
    }

    #[test]
    fn an_iat_in_the_future_is_given_back() {
        let claims = CLAIMS.replace('}', r#","iat":1700000120,"exp":1700000600}"#);
        let token = token(HS256, &claims, SECRET);
        assert_eq!(key0(&token, &hs256(Some(SECRET))).unwrap(), claims);
        assert_eq!(plain(&token).unwrap(), claims);
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", hs256(Some("canary"))).contains("canary"));
        assert!(!format!("{:?}", rs256(Some("canary"))).contains("canary"));
    }
}
