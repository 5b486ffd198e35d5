//! `AccessTokenIssuer`: signs access tokens, and verifies those that HS256 signed.

use std::{
    borrow::Cow,
    fmt::{self, Write as _},
    sync::Arc,
};

use crate::{
    error::{ArgumentError, ArgumentErrorKind, PlainError},
    fault_injection, json,
    jws::{Algorithm, KeyError, Rejection, SigningKey, VerifyingKey, recent},
    now::Now,
    secret::Secret,
};

/// What `new AccessTokenIssuer` takes. The key that the algorithm does not use is not looked at.
#[derive(Clone, Debug, Default)]
pub struct IssuerConfig {
    /// For HS256: its UTF-8 bytes are the key, never trimmed.
    pub secret: Option<Secret>,
    /// For RS256: PEM in PKCS#8 or PKCS#1.
    pub private_key: Option<Secret>,
    /// `HS256`, which is the default, or `RS256`.
    pub algorithm: Option<String>,
}

/// Signs with a key that was parsed at creation. Clones share it.
#[derive(Clone)]
pub struct AccessTokenIssuer(Arc<Keys>);

struct Keys {
    signing: SigningKey,
    /// None for RS256, whose issuer has no public key.
    verifying: Option<VerifyingKey>,
}

impl AccessTokenIssuer {
    /// Parses the key.
    ///
    /// # Errors
    /// Names what is missing, too short or not usable.
    pub fn new(config: IssuerConfig) -> Result<Self, ArgumentError> {
        let IssuerConfig { secret, private_key, algorithm } = config;
        let keys = match Algorithm::named(algorithm.as_deref())? {
            Algorithm::Hs256 => {
                let secret = secret.as_ref();
                if secret.is_some_and(|secret| secret.expose().encode_utf16().count() < SHORTEST) {
                    return Err(plain(
                        "secret",
                        "ACCESS_TOKEN_SECRET must be at least 32 characters",
                    ));
                }
                let signing = SigningKey::hs256(secret)?;
                Keys { signing, verifying: Some(VerifyingKey::hs256(secret)?) }
            }
            Algorithm::Rs256 => {
                Keys { signing: SigningKey::rs256(private_key.as_ref())?, verifying: None }
            }
        };
        Ok(Self(Arc::new(keys)))
    }

    /// True for RS256, which takes a hundred times as long: off the event loop.
    #[must_use]
    pub fn signs_slowly(&self) -> bool {
        matches!(self.0.signing, SigningKey::Rs256(_))
    }

    /// The token of `claims`, JSON text of an object, with `iat` and `exp` in place of its own.
    /// Every other letter of it is kept.
    ///
    /// # Errors
    /// Where `claims` is no object with the strings `sub` and `jti`, or a time is no finite number.
    pub fn sign(&self, claims: &str, ttl_seconds: f64, now: Now) -> Result<Secret, SignError> {
        self.sign_members("", &[&without_times(claims)?], ttl_seconds, now)
    }

    /// The same of what stands between the braces, known to be claims without times, in pieces; the
    /// token stands behind `scheme`.
    ///
    /// # Errors
    /// Where a time is no finite number.
    pub(crate) fn sign_members(
        &self,
        scheme: &str,
        members: &[&str],
        ttl_seconds: f64,
        now: Now,
    ) -> Result<Secret, SignError> {
        fault_injection::point("sign");
        let iat = now.seconds();
        let exp = iat + ttl_seconds;
        for (field, time) in [("Date.now()", iat), ("ttlSeconds", exp)] {
            if !time.is_finite() {
                return Err(ArgumentError::of_range(field, "must be a finite number").into());
            }
        }
        let len: usize = members.iter().map(|piece| piece.len()).sum();
        let mut payload = String::with_capacity(len + TIMES_LEN);
        payload.push('{');
        payload.extend(members.iter().copied());
        for (name, time) in [(",\"iat\":", iat), (",\"exp\":", exp)] {
            payload.push_str(name);
            push_number(&mut payload, time);
        }
        payload.push('}');
        self.0.signing.sign_behind(scheme, &payload).map_err(|_| SignError::Failed)
    }

    /// The claims of a token that this issuer signed, as JSON text.
    ///
    /// # Errors
    /// Where the token is refused, with the code of `jose`; on an RS256 issuer always.
    pub fn verify(&self, token: &str, now: Now) -> Result<String, PlainError> {
        fault_injection::point("verify");
        let Some(key) = &self.0.verifying else {
            return Err(PlainError {
                message: "RS256 verification requires public key, use validateKey0Token instead"
                    .to_owned(),
                code: Some(KeyError::CODE),
                ..PlainError::default()
            });
        };
        Ok(key.verify(token, now)?)
    }

    /// The claims of a token that this issuer signed, or one of `fallback_secrets`: how secrets are
    /// rotated. Secrets that cannot be used are skipped.
    ///
    /// # Errors
    /// Where no secret verifies the token; code and cause say what came nearest to it.
    pub fn verify_with_fallback(
        &self,
        token: &str,
        fallback_secrets: &[Secret],
        now: Now,
    ) -> Result<String, PlainError> {
        let fallbacks =
            fallback_secrets.iter().filter_map(|s| recent(Algorithm::Hs256, Some(s)).ok());
        let own = self.0.verifying.iter().map(|key| key.verify(token, now));
        let mut nearest = None;
        for result in own.chain(fallbacks.map(|key| key.verify(token, now))) {
            match result {
                Ok(claims) => return Ok(claims),
                Err(rejection) => nearest = Some(rejection),
            }
            // Only a signature can fit another key: whatever else is wrong is wrong for every one.
            if nearest != Some(Rejection::Signature) {
                break;
            }
        }
        let message = "Token verification failed with all secrets".to_owned();
        Err(match nearest {
            Some(nearest) => PlainError { message, cause: Some(nearest.into()), ..nearest.into() },
            None => PlainError { message, code: Some(KeyError::CODE), ..PlainError::default() },
        })
    }
}

/// Why nothing was signed.
#[derive(Clone, Debug, PartialEq)]
pub enum SignError {
    /// The caller's fault.
    Argument(ArgumentError),
    /// AWS-LC failed.
    Failed,
    /// The system has no random bytes, of which a token's `jti` is made.
    NoRandomness,
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argument(error) => error.fmt(f),
            Self::Failed => f.write_str("signing failed"),
            Self::NoRandomness => f.write_str("there are no random bytes"),
        }
    }
}

impl From<ArgumentError> for SignError {
    fn from(error: ArgumentError) -> Self {
        Self::Argument(error)
    }
}

/// Shows no key.
impl fmt::Debug for AccessTokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokenIssuer").finish_non_exhaustive()
    }
}

/// What stands between the braces of `claims`, but for `iat` and `exp`.
fn without_times(claims: &str) -> Result<Cow<'_, str>, ArgumentError> {
    let no_object = || ArgumentError::of_type("claims", "must be an object");
    let picked = json::pick(claims, ["sub", "jti", "iat", "exp"]).ok().flatten();
    let [sub, jti, iat, exp] = picked.ok_or_else(no_object)?;
    for (name, value) in [("sub", sub), ("jti", jti)] {
        if !value.is_some_and(json::Value::is_string) {
            return Err(ArgumentError::of_type(name, "must be a string"));
        }
    }
    if iat.or(exp).is_none()
        && let Some(inside) = claims.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'))
    {
        // The usual case, without a second reading.
        return Ok(Cow::Borrowed(inside));
    }
    let rest = json::without(claims, &["iat", "exp"]).ok().flatten();
    rest.map(Cow::Owned).ok_or_else(no_object)
}

/// A number in decimals. Whole ones, as nearly all times are, take a third of the time so.
fn push_number(text: &mut String, number: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "compared with what it was")]
    let whole = number as i64;
    #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "exact below 2^53")]
    let is_whole = whole.unsigned_abs() < 1 << 53 && whole as f64 == number;
    // Writing to a string cannot fail.
    let _ = if is_whole { write!(text, "{whole}") } else { write!(text, "{number}") };
}

fn plain(field: &'static str, sentence: &str) -> ArgumentError {
    ArgumentError { field, problem: sentence.to_owned(), kind: ArgumentErrorKind::Plain }
}

/// Of both members and the braces, as they usually are: `,"iat":1700000000`.
const TIMES_LEN: usize = 2 * 17 + 2;
/// In UTF-16 units, as `String.length` counts.
const SHORTEST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::tests::{NOW, SECRET, at, payload, secret, token};

    const CLAIMS: &str = r#"{"sub":"s","jti":"j","resourceId":"r","planId":"p","txHash":"t"}"#;
    const HS256: &str = r#"{"alg":"HS256"}"#;
    const RSA: &str = include_str!("../tests/fixtures/rsa.pem");

    fn hs256(text: &str) -> Result<AccessTokenIssuer, ArgumentError> {
        AccessTokenIssuer::new(IssuerConfig { secret: Some(secret(text)), ..Default::default() })
    }

    fn rs256(pem: &str) -> Result<AccessTokenIssuer, ArgumentError> {
        AccessTokenIssuer::new(IssuerConfig {
            private_key: Some(secret(pem)),
            algorithm: Some("RS256".to_owned()),
            ..Default::default()
        })
    }

    fn issuer() -> AccessTokenIssuer {
        hs256(SECRET).unwrap()
    }

    fn signed(claims: &str, ttl_seconds: f64) -> String {
        payload(issuer().sign(claims, ttl_seconds, at(NOW)).unwrap().expose())
    }

    #[track_caller]
    fn says(
        result: Result<AccessTokenIssuer, ArgumentError>,
        kind: ArgumentErrorKind,
        sentence: &str,
    ) {
        let error = result.unwrap_err();
        assert_eq!((error.to_string().as_str(), error.kind), (sentence, kind));
    }

    mod creation {
        use super::*;

        #[test]
        fn a_missing_key_is_named_as_the_sdk_names_it() {
            says(
                AccessTokenIssuer::new(IssuerConfig::default()),
                ArgumentErrorKind::Plain,
                "HS256 algorithm requires secret",
            );
            let empty = IssuerConfig { secret: Some(secret("")), ..Default::default() };
            says(
                AccessTokenIssuer::new(empty),
                ArgumentErrorKind::Plain,
                "ACCESS_TOKEN_SECRET must be at least 32 characters",
            );
            let rs256 = || Some("RS256".to_owned());
            let other = Some(secret(SECRET));
            for config in [
                IssuerConfig { algorithm: rs256(), secret: other, ..Default::default() },
                IssuerConfig { algorithm: rs256(), private_key: Some(secret("")), secret: None },
            ] {
                says(
                    AccessTokenIssuer::new(config),
                    ArgumentErrorKind::Plain,
                    "RS256 algorithm requires privateKey",
                );
            }
        }

        #[test]
        fn a_secret_has_32_utf_16_units() {
            let short = "ACCESS_TOKEN_SECRET must be at least 32 characters";
            for text in ["x".repeat(31), "é".repeat(31), "\u{1f600}".repeat(15) + "x"] {
                says(hs256(&text), ArgumentErrorKind::Plain, short);
            }
            for text in ["x".repeat(32), " ".repeat(32), "é".repeat(32), "\u{1f600}".repeat(16)] {
                assert!(hs256(&text).is_ok());
            }
        }

        #[test]
        fn an_unknown_algorithm_is_a_type_error() {
            for name in ["", "hs256", "HS512", "none", "PS256"] {
                let algorithm = Some(name.to_owned());
                let config =
                    IssuerConfig { algorithm, secret: Some(secret(SECRET)), private_key: None };
                says(
                    AccessTokenIssuer::new(config),
                    ArgumentErrorKind::Type,
                    "algorithm must be HS256 or RS256",
                );
            }
        }

        #[test]
        fn a_public_key_is_no_secret() {
            says(
                hs256(include_str!("../tests/fixtures/rsa-public.pem")),
                ArgumentErrorKind::Type,
                "secret is not usable: public key: everyone may know it",
            );
        }

        #[test]
        fn an_unusable_private_key_is_a_type_error() {
            says(
                rs256(SECRET),
                ArgumentErrorKind::Type,
                "privateKey is not usable: no PEM: RS256 signs with an RSA private key",
            );
        }

        #[test]
        fn the_key_that_the_algorithm_does_not_use_is_not_looked_at() {
            let hs256 = IssuerConfig {
                secret: Some(secret(SECRET)),
                private_key: Some(secret("no key")),
                algorithm: Some("HS256".to_owned()),
            };
            assert!(!AccessTokenIssuer::new(hs256).unwrap().signs_slowly());
            let rs256 = IssuerConfig {
                secret: Some(secret("short")),
                private_key: Some(secret(RSA)),
                algorithm: Some("RS256".to_owned()),
            };
            assert!(AccessTokenIssuer::new(rs256).unwrap().signs_slowly());
        }

        #[test]
        fn debug_shows_no_key() {
            let issuer = hs256("canary-secret-of-thirty-two-characters").unwrap();
            assert_eq!(format!("{issuer:?}"), "AccessTokenIssuer { .. }");
            let config = IssuerConfig { secret: Some(secret("canary")), ..IssuerConfig::default() };
            assert!(!format!("{config:?}").contains("canary"));
        }

        #[test]
        fn an_issuer_may_cross_threads() {
            fn crosses<T: Clone + Send + Sync + 'static>(_: T) {}
            crosses(issuer());
        }
    }

    mod sign {
        use super::*;

        #[test]
        fn the_header_is_the_algorithm_alone() {
            let token = issuer().sign(CLAIMS, 60.0, at(NOW)).unwrap();
            assert_eq!(token.expose(), self::token(HS256, &payload(token.expose()), SECRET));
            let token = rs256(RSA).unwrap().sign(CLAIMS, 60.0, at(NOW)).unwrap();
            assert!(token.expose().starts_with("eyJhbGciOiJSUzI1NiJ9."));
        }

        #[test]
        fn iat_and_exp_follow_the_claims() {
            assert_eq!(
                signed(CLAIMS, 60.0),
                CLAIMS.replace('}', r#","iat":1700000000,"exp":1700000060}"#)
            );
        }

        #[test]
        fn an_rs256_token_verifies_with_the_public_key() {
            let token = rs256(RSA).unwrap().sign(CLAIMS, 60.0, at(NOW)).unwrap();
            let public = secret(include_str!("../tests/fixtures/rsa-public.pem"));
            let key = VerifyingKey::rs256(Some(&public)).ok().unwrap();
            assert_eq!(key.verify(token.expose(), at(NOW)).unwrap(), signed(CLAIMS, 60.0));
        }

        #[test]
        fn the_callers_times_are_replaced() {
            for claims in [
                r#"{"sub":"s","jti":"j","exp":9999999999,"iat":1,"nbf":9999999999}"#,
                r#"{"exp":9999999999,"sub":"s","iat":1,"jti":"j","iat":2,"nbf":9999999999}"#,
                r#"{"\u0069at":1,"sub":"s","jti":"j","nbf":9999999999,"e\u0078p":9999999999}"#,
            ] {
                assert_eq!(
                    signed(claims, 60.0),
                    r#"{"sub":"s","jti":"j","nbf":9999999999,"iat":1700000000,"exp":1700000060}"#
                );
            }
            for claims in [r#"{"sub":"s","jti":"j","iat":1}"#, r#"{"sub":"s","jti":"j","exp":1}"#] {
                assert_eq!(
                    signed(claims, 60.0),
                    r#"{"sub":"s","jti":"j","iat":1700000000,"exp":1700000060}"#
                );
            }
        }

        #[test]
        fn every_other_letter_is_kept() {
            for kept in [
                r#""sub":"s","jti":"j","a":12345678901234567890,"b":1.0e2,"c":-0,"d":1e400"#,
                r#""sub":"\ud800","jti":"","\ud800":"\u0000","e":{"iat":1,"exp":2}"#,
                r#""__proto__":{"exp":1},"sub":"s","jti":"j","10":[],"2":"é😀""#,
                r#" "sub" : "s" , "jti":"j" "#,
            ] {
                let times = r#","iat":1700000000,"exp":1700000060"#;
                assert_eq!(signed(&format!("{{{kept}}}"), 60.0), format!("{{{kept}{times}}}"));
            }
        }

        #[test]
        fn a_lifetime_is_any_finite_number() {
            for (ttl, exp) in [
                (0.0, "1700000000"),
                (-0.0, "1700000000"),
                (-60.0, "1699999940"),
                (0.5, "1700000000.5"),
                (86400.0, "1700086400"),
                (1e22, "10000000000001700000000"),
            ] {
                let payload = signed(CLAIMS, ttl);
                assert!(payload.ends_with(&format!(r#","exp":{exp}}}"#)), "{payload}");
            }
            let payload = signed(CLAIMS, f64::MAX);
            let exp = payload.rsplit_once(':').unwrap().1.strip_suffix('}').unwrap();
            assert_eq!(exp.parse(), Ok(f64::MAX));
        }

        #[test]
        fn a_lifetime_that_is_not_finite_is_a_range_error() {
            for ttl in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(
                    issuer().sign(CLAIMS, ttl, at(NOW)).unwrap_err(),
                    ArgumentError::of_range("ttlSeconds", "must be a finite number").into()
                );
            }
        }

        #[test]
        fn a_clock_that_is_no_number_signs_nothing() {
            for now in [f64::NAN, f64::INFINITY] {
                assert_eq!(
                    issuer().sign(CLAIMS, 60.0, at(now)).unwrap_err(),
                    ArgumentError::of_range("Date.now()", "must be a finite number").into()
                );
            }
        }

        #[test]
        fn iat_is_in_whole_seconds() {
            let token = issuer().sign(CLAIMS, 0.25, at(NOW + 0.999)).unwrap();
            assert!(payload(token.expose()).ends_with(r#""iat":1700000000,"exp":1700000000.25}"#));
        }

        #[test]
        fn sub_and_jti_are_strings() {
            for (claims, field) in [
                (r#"{"jti":"j"}"#, "sub"),
                (r#"{"sub":null,"jti":"j"}"#, "sub"),
                (r#"{"sub":"s","sub":1,"jti":"j"}"#, "sub"),
                (r#"{"sub":"s"}"#, "jti"),
                (r#"{"sub":"s","jti":1}"#, "jti"),
                (r#"{"sub":"s","jti":["j"]}"#, "jti"),
                (r#"{"__proto__":{"sub":"s"},"jti":"j"}"#, "sub"),
                ("{}", "sub"),
            ] {
                assert_eq!(
                    issuer().sign(claims, 60.0, at(NOW)).unwrap_err(),
                    ArgumentError::of_type(field, "must be a string").into(),
                    "{claims}"
                );
            }
        }

        #[test]
        fn claims_are_an_object() {
            for claims in ["", "null", "[]", "\"sub\"", "1", "{", "undefined"] {
                assert_eq!(
                    issuer().sign(claims, 60.0, at(NOW)).unwrap_err(),
                    ArgumentError::of_type("claims", "must be an object").into(),
                    "{claims}"
                );
            }
        }

        #[test]
        fn five_thousand_levels_are_signed_and_verified() {
            let deep = format!("{}{}", r#"{"a":"#.repeat(5000), "1") + &"}".repeat(5000);
            for claims in [
                format!(r#"{{"sub":"s","jti":"j","deep":{deep}}}"#),
                format!(r#"{{"sub":"s","jti":"j","exp":{deep},"deep":{deep}}}"#),
            ] {
                let token = issuer().sign(&claims, 60.0, at(NOW)).unwrap();
                assert_eq!(
                    issuer().verify(token.expose(), at(NOW)).unwrap(),
                    format!(
                        r#"{{"sub":"s","jti":"j","deep":{deep},"iat":1700000000,"exp":1700000060}}"#
                    )
                );
            }
        }
    }

    mod verify {
        use super::*;

        #[test]
        fn its_own_token_is_verified_until_it_ends() {
            let token = issuer().sign(CLAIMS, 60.0, at(NOW)).unwrap();
            let verify = |now| issuer().verify(token.expose(), at(now));
            assert_eq!(verify(NOW + 59.999).unwrap(), signed(CLAIMS, 60.0));
            let expired = verify(NOW + 60.0).unwrap_err();
            assert_eq!((expired.code, expired.claim), (Some("ERR_JWT_EXPIRED"), Some("exp")));
        }

        #[test]
        fn an_nbf_among_the_claims_holds_it_back() {
            let claims = r#"{"sub":"s","jti":"j","nbf":1700000030}"#;
            let token = issuer().sign(claims, 60.0, at(NOW)).unwrap();
            let error = issuer().verify(token.expose(), at(NOW + 29.0)).unwrap_err();
            assert_eq!(
                (error.code, error.claim),
                (Some("ERR_JWT_CLAIM_VALIDATION_FAILED"), Some("nbf"))
            );
            assert!(issuer().verify(token.expose(), at(NOW + 30.0)).is_ok());
        }

        #[test]
        fn an_rs256_issuer_verifies_nothing() {
            let issuer = rs256(RSA).unwrap();
            let token = issuer.sign(CLAIMS, 60.0, at(NOW)).unwrap();
            assert_eq!(
                issuer.verify(token.expose(), at(NOW)).unwrap_err(),
                PlainError {
                    message:
                        "RS256 verification requires public key, use validateKey0Token instead"
                            .to_owned(),
                    code: Some("ERR_KEY0_CONFIG"),
                    ..PlainError::default()
                }
            );
        }
    }

    mod verify_with_fallback {
        use super::*;

        fn verify(
            issuer: &AccessTokenIssuer,
            token: &str,
            secrets: &[&str],
        ) -> Result<String, PlainError> {
            let secrets: Vec<_> = secrets.iter().map(|text| secret(text)).collect();
            issuer.verify_with_fallback(token, &secrets, at(NOW))
        }

        fn failed(nearest: Rejection) -> PlainError {
            let message = "Token verification failed with all secrets".to_owned();
            PlainError { message, cause: Some(nearest.into()), ..nearest.into() }
        }

        #[test]
        fn the_own_secret_and_each_fallback_verify() {
            for by in [SECRET, "first", "second"] {
                let token = token(HS256, r#"{"by":1}"#, by);
                assert_eq!(verify(&issuer(), &token, &["first", "second"]).unwrap(), r#"{"by":1}"#);
            }
        }

        #[test]
        fn unusable_fallbacks_are_skipped() {
            let public = include_str!("../tests/fixtures/rsa-public.pem");
            let secrets = ["", public, "last"];
            for (by, verified) in [("", false), (public, false), ("last", true)] {
                let result = verify(&issuer(), &token(HS256, "{}", by), &secrets);
                assert_eq!(
                    result,
                    if verified { Ok("{}".to_owned()) } else { Err(failed(Rejection::Signature)) }
                );
            }
        }

        #[test]
        fn a_token_of_another_secret_is_refused() {
            let token = token(HS256, "{}", "another");
            assert_eq!(verify(&issuer(), &token, &[]), Err(failed(Rejection::Signature)));
            assert_eq!(verify(&issuer(), &token, &["first"]), Err(failed(Rejection::Signature)));
        }

        #[test]
        fn what_is_wrong_besides_the_signature_is_the_cause() {
            let expired = token(HS256, r#"{"exp":1}"#, "second");
            assert_eq!(
                verify(&issuer(), &expired, &["first", "second", "third"]),
                Err(failed(Rejection::Expired(None)))
            );
            let none = token(r#"{"alg":"none"}"#, "{}", "first");
            assert_eq!(
                verify(&issuer(), &none, &["first"]),
                Err(failed(Rejection::AlgorithmNotAllowed))
            );
        }

        #[test]
        fn an_rs256_issuer_asks_the_fallbacks_alone() {
            let issuer = rs256(RSA).unwrap();
            let hs256 = token(HS256, "{}", "first");
            assert_eq!(verify(&issuer, &hs256, &["first"]).unwrap(), "{}");
            let nothing = verify(&issuer, &hs256, &[]).unwrap_err();
            assert_eq!((nothing.code, nothing.cause), (Some("ERR_KEY0_CONFIG"), None));
            let own = issuer.sign(CLAIMS, 60.0, at(NOW)).unwrap();
            assert_eq!(
                verify(&issuer, own.expose(), &["first"]),
                Err(failed(Rejection::AlgorithmNotAllowed))
            );
        }
    }
}
