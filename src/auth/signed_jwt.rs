//! `signedJwtAuth`: a new short-lived JWT for every call.

use std::future::Future;

use uuid::Uuid;

use super::jti;
use crate::{
    access_token_issuer::{AccessTokenIssuer, SignError},
    error::{ArgumentError, Key0Error},
    now::Now,
    secret::Secret,
    signing_pool::SigningPool,
};

/// Signs with the caller's own issuer.
#[derive(Clone, Debug)]
pub struct SignedJwt {
    issuer: AccessTokenIssuer,
    claims: Claims,
}

/// The five claims, and how long they live.
#[derive(Clone, Debug)]
pub struct Claims {
    /// As JSON, which can hold what no Unicode text can: a lone surrogate.
    audience: String,
    ttl_seconds: f64,
}

impl Claims {
    /// `audience` is a string as JSON; `ttl_seconds` is 60 where it is absent.
    ///
    /// # Errors
    /// A `RangeError` where it is not finite.
    pub fn new(audience: String, ttl_seconds: Option<f64>) -> Result<Self, ArgumentError> {
        let ttl_seconds = ttl_seconds.unwrap_or(DEFAULT_TTL_SECONDS);
        if !ttl_seconds.is_finite() {
            return Err(ArgumentError::of_range("ttlSeconds", "must be a finite number"));
        }
        Ok(Self { audience, ttl_seconds })
    }

    /// The lifetime of the tokens.
    #[must_use]
    pub fn ttl_seconds(&self) -> f64 {
        self.ttl_seconds
    }

    /// Claims of their own for one token, as JSON.
    ///
    /// # Errors
    /// Where the system has no random bytes.
    pub fn json(&self) -> Result<String, SignError> {
        let mut jti = Uuid::encode_buffer();
        Ok(format!("{{{}}}", self.members(jti::next(&mut jti)?).concat()))
    }

    /// What stands between the braces.
    fn members<'a>(&'a self, jti: &'a str) -> [&'a str; 5] {
        [
            r#""sub":"key0-service","jti":""#,
            jti,
            r#"","resourceId":"#,
            &self.audience,
            r#","planId":"system","txHash":"system-auth""#,
        ]
    }
}

impl SignedJwt {
    /// Signs `claims` with `issuer`.
    #[must_use]
    pub fn new(issuer: AccessTokenIssuer, claims: Claims) -> Self {
        Self { issuer, claims }
    }

    /// `Bearer …`, where signing takes less than a hop to another thread.
    #[must_use]
    pub fn peek(&self, now: Now) -> Option<Secret> {
        if self.issuer.signs_slowly() {
            return None;
        }
        self.signed(now).ok()
    }

    /// `Bearer …`, signed on a thread of the pool.
    ///
    /// # Errors
    /// An internal one, where the pool lost the job or the clock is no number.
    pub fn sign(
        &self,
        now: Now,
        pool: &SigningPool,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        let signed = pool.run(self.job(now));
        async { signed.await.unwrap_or_else(|lost| Err(Key0Error::internal(&lost.to_string()))) }
    }

    /// What signs it, for a thread of the pool.
    pub fn job(&self, now: Now) -> impl FnOnce() -> Result<Secret, Key0Error> + Send + use<> {
        let strategy = self.clone();
        move || strategy.signed(now).map_err(|error| Key0Error::internal(&error.to_string()))
    }

    fn signed(&self, now: Now) -> Result<Secret, SignError> {
        let mut jti = Uuid::encode_buffer();
        let members = self.claims.members(jti::next(&mut jti)?);
        self.issuer.sign_members(SCHEME, &members, self.claims.ttl_seconds, now)
    }
}

/// `Bearer …` of a token that an issuer of others gave.
///
/// # Errors
/// Where it is empty: no request goes out without its token.
pub fn bearer(token: &str) -> Result<String, ArgumentError> {
    if token.is_empty() {
        return Err(ArgumentError::of_type("issuer.sign", "gave an empty token"));
    }
    Ok(format!("{SCHEME}{token}"))
}

/// RFC 6750 §2.1.
const SCHEME: &str = "Bearer ";

const DEFAULT_TTL_SECONDS: f64 = 60.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_are_the_sdks_five() {
        let claims = Claims::new(r#""https://b/\"x\"""#.to_owned(), None).unwrap();
        let value: serde_json::Value = serde_json::from_str(&claims.json().unwrap()).unwrap();
        let jti = value["jti"].as_str().unwrap();
        assert_eq!(Uuid::parse_str(jti).unwrap().get_version_num(), 4);
        assert_eq!(
            value,
            serde_json::json!({
                "sub": "key0-service",
                "jti": jti,
                "resourceId": "https://b/\"x\"",
                "planId": "system",
                "txHash": "system-auth",
            })
        );
        assert_ne!(claims.json(), claims.json());
    }

    #[test]
    fn tokens_live_a_minute_unless_told_otherwise() {
        assert_eq!(
            Claims::new("\"b\"".to_owned(), None).unwrap().ttl_seconds().to_bits(),
            60f64.to_bits()
        );
        assert_eq!(
            Claims::new("\"b\"".to_owned(), Some(-1.5)).unwrap().ttl_seconds().to_bits(),
            (-1.5f64).to_bits()
        );
    }

    #[test]
    fn a_lifetime_that_is_not_finite_is_refused() {
        for ttl in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let error = Claims::new("\"b\"".to_owned(), Some(ttl)).unwrap_err();
            assert_eq!(error.to_string(), "ttlSeconds must be a finite number");
        }
    }
}
