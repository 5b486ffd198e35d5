//! Every token of `fixtures/jws-vectors.json`, at each function that verifies; and tokens that
//! others signed, letter by letter. (RFC 7515 §A.1, whose key is no text, is in `src/jws.rs`.)
#![cfg(test)]

use std::{fs, time::Instant};

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use key0_native::{
    access_token_issuer::{AccessTokenIssuer, IssuerConfig},
    error::{Cause, Code, Key0Error, PlainError},
    jws::{SigningKey, VerifyingKey},
    now::Now,
    secret::Secret,
    validate_token::{ValidatorConfig, validate_key0_token, validate_token},
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    secret: String,
    now: f64,
    #[serde(rename = "vectors")]
    all: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Vector {
    name: String,
    token: Option<String>,
    signed: Option<String>,
    header: Option<String>,
    payload: Option<String>,
    secret: Option<String>,
    hash: Option<String>,
    public_key: Option<String>,
    now: Option<f64>,
    gives: Option<String>,
    missing: Option<String>,
    code: Option<String>,
    claim: Option<String>,
}

impl Vector {
    fn token(&self, secret: &str) -> String {
        let encoded = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
        if let Some(token) = &self.token {
            return token.clone();
        }
        let header = self.header.as_deref().unwrap_or(r#"{"alg":"HS256"}"#);
        let signed = self.signed.clone().unwrap_or_else(|| {
            format!("{}.{}", encoded(header), encoded(self.payload.as_deref().unwrap()))
        });
        let hash = match self.hash.as_deref() {
            None => hmac::HMAC_SHA256,
            Some("sha384") => hmac::HMAC_SHA384,
            Some("sha512") => hmac::HMAC_SHA512,
            Some(other) => panic!("{other}"),
        };
        let secret = self.secret.as_deref().unwrap_or(secret);
        let tag = hmac::sign(&hmac::Key::new(hash, secret.as_bytes()), signed.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(tag))
    }

    fn gives(&self) -> String {
        self.gives.clone().or_else(|| self.payload.clone()).unwrap()
    }
}

fn vectors() -> Vectors {
    serde_json::from_str(include_str!("fixtures/jws-vectors.json")).unwrap()
}

/// What an error says beside its sentence.
type Facts = (Option<String>, Option<String>);

fn facts(code: Option<&str>, claim: Option<&str>) -> Facts {
    (code.map(str::to_owned), claim.map(str::to_owned))
}

#[test]
fn a_key_verifies_each_vector_as_it_says() {
    let Vectors { secret: own, now, all } = vectors();
    for vector in all {
        let key = match &vector.public_key {
            Some(name) => VerifyingKey::rs256(Some(&fixture(name))),
            None => VerifyingKey::hs256(Some(&secret(&own))),
        };
        let verified = key.ok().unwrap().verify(&vector.token(&own), at(vector.now.unwrap_or(now)));
        let wanted = match &vector.code {
            None => Ok(vector.gives()),
            Some(code) => Err(facts(Some(code), vector.claim.as_deref())),
        };
        let verified = verified.map_err(PlainError::from).map_err(|e| facts(e.code, e.claim));
        assert_eq!(verified, wanted, "{}", vector.name);
    }
}

#[test]
fn validate_key0_token_takes_each_vector_as_it_says() {
    let Vectors { secret: own, now, all } = vectors();
    for vector in all {
        let config = ValidatorConfig {
            secret: Some(secret(&own)),
            public_key: vector.public_key.as_deref().map(fixture),
            algorithm: vector.public_key.as_ref().map(|_| "RS256".to_owned()),
        };
        let header = format!("Bearer {}", vector.token(&own));
        let given = validate_key0_token(Some(&header), &config, at(vector.now.unwrap_or(now)));
        let (code, claim) = (vector.code.as_deref(), vector.claim.as_deref());
        let said =
            |message: &str| Err((message.to_owned(), facts(code, claim), code.map(String::from)));
        let wanted = match (code, &vector.missing) {
            (None, None) => Ok(vector.gives()),
            (None, Some(name)) => Err((
                format!("Invalid token: missing claim {name}"),
                facts(Some("ERR_JWT_CLAIM_VALIDATION_FAILED"), Some(name)),
                None,
            )),
            (Some("ERR_JWT_EXPIRED"), _) => said("Token expired"),
            (Some(_), _) => said("Invalid token signature"),
        };
        let given = given.map_err(|PlainError { message, code, claim, cause }| {
            (message, facts(code, claim), cause.and_then(|cause| cause.code).map(String::from))
        });
        assert_eq!(given, wanted, "{}", vector.name);
    }
}

#[test]
fn validate_token_takes_each_vector_as_it_says() {
    let Vectors { secret: own, now, all } = vectors();
    for vector in all.iter().filter(|vector| vector.public_key.is_none()) {
        let header = format!("Bearer {}", vector.token(&own));
        let now = at(vector.now.unwrap_or(now));
        let given = validate_token(Some(&header), Some(&secret(&own)), now);
        let wanted = match vector.code.as_deref() {
            None => Ok(vector.gives()),
            Some(code @ "ERR_JWT_EXPIRED") => {
                Err((Code::ChallengeExpired, "Access token expired".to_owned(), 401, code))
            }
            Some(code) => Err((Code::InvalidRequest, "Invalid access token".to_owned(), 401, code)),
        };
        let given = given.map_err(|Key0Error { code, message, http_status, cause, .. }| {
            let reason = cause.and_then(|cause: Cause| cause.code).unwrap_or_default();
            (code, String::from(message), http_status, reason)
        });
        assert_eq!(given, wanted, "{}", vector.name);
    }
}

fn fixture(name: &str) -> Secret {
    fs::read_to_string(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR")))
        .unwrap()
        .into()
}

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn at(seconds: f64) -> Now {
    Now { wall_ms: seconds * 1000.0, mono: Instant::now() }
}

#[test]
fn what_others_signed_is_signed_letter_by_letter() {
    let same = |issuer: IssuerConfig, name: &str| {
        let issuer = AccessTokenIssuer::new(issuer).unwrap();
        let token = issuer.sign(CLAIMS, 60.0, at(1_700_000_000.0)).unwrap();
        assert_eq!(token.expose(), vector(name));
    };
    same(
        IssuerConfig { secret: Some(secret(&vectors().secret)), ..IssuerConfig::default() },
        "jose's HS256",
    );
    same(
        IssuerConfig {
            private_key: Some(fixture("rsa.pem")),
            algorithm: Some("RS256".to_owned()),
            ..IssuerConfig::default()
        },
        "jose's RS256",
    );
    let payload =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let key = SigningKey::rs256(Some(&fixture("rfc7515-a2.pem"))).ok().unwrap();
    assert_eq!(key.sign(payload).unwrap().expose(), vector("RFC 7515 A.2"));
}

/// The token of that name.
fn vector(name: &str) -> String {
    let vector = vectors().all.into_iter().find(|vector| vector.name == name);
    vector.and_then(|vector| vector.token).unwrap()
}

/// As `JSON.stringify` gives them. jose's tokens are
/// `new SignJWT(claims).setProtectedHeader({ alg }).setIssuedAt(1700000000)
/// .setExpirationTime(1700000060).sign(key)` of jose 6, its RS256 with `fixtures/rsa.pem`.
const CLAIMS: &str =
    r#"{"sub":"s","jti":"j","resourceId":"r","planId":"p","txHash":"t","note":"é\ud800"}"#;
