//! Verifying, for backends.

use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

use super::{
    config,
    outcome::{Outcome, outcome},
    text::{self, Text},
};
use crate::{
    error::Code,
    jws::{Algorithm, KeyError, Material, Needed},
    validate_token::{self, ValidatorConfig},
};

/// `validateKey0Token`: the payload as JSON.
#[napi(ts_return_type = "Outcome<string>")]
pub fn validate_key0_token(
    auth_header: Unknown<'_>,
    secret: Unknown<'_>,
    public_key: Unknown<'_>,
    algorithm: Unknown<'_>,
    now_ms: f64,
) -> Outcome<Text> {
    let header = text::read(auth_header);
    let keys = ValidatorConfig {
        secret: config::secret_if_string(secret),
        public_key: config::secret_if_string(public_key),
        algorithm: config::algorithm(algorithm),
    };
    let now = config::now(now_ms);
    let object = || match Algorithm::named(keys.algorithm.as_deref()) {
        Ok(Algorithm::Hs256) if config::is_object(secret) => Some(Needed::Secret),
        Ok(Algorithm::Rs256) if config::is_object(public_key) => Some(Needed::PublicKey),
        _ => None,
    };
    outcome(|| {
        let valid = validate_token::validate_key0_token(header.as_deref(), &keys, now);
        valid.map(Text::from).map_err(|error| match object() {
            // The core was given no key then.
            Some(needed) if error.code == Some(KeyError::CODE) => {
                KeyError::Unusable(needed, Material::Object).into()
            }
            _ => error,
        })
    })
}

/// `validateToken`: the payload as JSON.
#[napi(ts_return_type = "Outcome<string>")]
pub fn validate_token(auth_header: Unknown<'_>, secret: Unknown<'_>, now_ms: f64) -> Outcome<Text> {
    let header = text::read(auth_header);
    let key = config::secret_if_string(secret);
    let now = config::now(now_ms);
    outcome(|| {
        let valid = validate_token::validate_token(header.as_deref(), key.as_ref(), now);
        valid.map(Text::from).map_err(|error| {
            if error.code == Code::InternalError && config::is_object(secret) {
                let object = KeyError::Unusable(Needed::Secret, Material::Object);
                return validate_token::unusable_secret(object);
            }
            error
        })
    })
}
