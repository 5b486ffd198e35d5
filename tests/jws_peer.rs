//! Tokens made here, held against the `jsonwebtoken` crate, and its tokens against us.

#![cfg(test)]

use std::time::Instant;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use key0_native::{
    access_token_issuer::{AccessTokenIssuer, IssuerConfig},
    now::Now,
    validate_token::{ValidatorConfig, validate_key0_token},
};
use serde_json::{Value, json};

const SECRET: &str = "a secret of thirty-two characters";
const PRIVATE_KEY: &str = include_str!("fixtures/rsa-pkcs1.pem");
const PUBLIC_KEY: &str = include_str!("fixtures/rsa-public.pem");

fn now() -> Now {
    Now { wall_ms: 1_700_000_000_000.0, mono: Instant::now() }
}

fn claims() -> Value {
    json!({
        "sub": "s", "jti": "j", "resourceId": "r", "planId": "p", "txHash": "t",
        "iat": 1_700_000_000, "exp": 1_700_000_060,
    })
}

fn issuer(algorithm: &str) -> AccessTokenIssuer {
    AccessTokenIssuer::new(IssuerConfig {
        secret: Some(SECRET.to_owned().into()),
        private_key: Some(PRIVATE_KEY.to_owned().into()),
        algorithm: Some(algorithm.to_owned()),
    })
    .unwrap()
}

fn verified_there(token: &str, algorithm: Algorithm, key: &DecodingKey) -> Value {
    let mut validation = Validation::new(algorithm);
    validation.validate_exp = false;
    decode::<Value>(token, key, &validation).unwrap().claims
}

fn verified_here(token: &str, algorithm: &str) -> Value {
    let config = ValidatorConfig {
        secret: Some(SECRET.to_owned().into()),
        public_key: Some(PUBLIC_KEY.to_owned().into()),
        algorithm: Some(algorithm.to_owned()),
    };
    let claims = validate_key0_token(Some(&format!("Bearer {token}")), &config, now()).unwrap();
    serde_json::from_str(&claims).unwrap()
}

#[test]
fn hs256_tokens_agree() {
    let token = issuer("HS256").sign(&claims().to_string(), 60.0, now()).unwrap();
    let key = DecodingKey::from_secret(SECRET.as_bytes());
    assert_eq!(verified_there(token.expose(), Algorithm::HS256, &key), claims());

    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let token = encode(&Header::new(Algorithm::HS256), &claims(), &key).unwrap();
    assert_eq!(verified_here(&token, "HS256"), claims());
}

#[test]
fn rs256_tokens_agree() {
    let token = issuer("RS256").sign(&claims().to_string(), 60.0, now()).unwrap();
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).unwrap();
    assert_eq!(verified_there(token.expose(), Algorithm::RS256, &key), claims());

    let key = EncodingKey::from_rsa_pem(PRIVATE_KEY.as_bytes()).unwrap();
    let token = encode(&Header::new(Algorithm::RS256), &claims(), &key).unwrap();
    assert_eq!(verified_here(&token, "RS256"), claims());
}
