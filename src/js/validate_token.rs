//! Verifying, for backends.

use napi::bindgen_prelude::Unknown;
use napi_derive::napi;

use super::{
    config,
    outcome::{Outcome, outcome},
    text::Text,
};
use crate::validate_token::{self, ValidatorConfig};

/// `validateKey0Token`: the payload as JSON.
#[napi(ts_return_type = "Outcome<string>")]
pub fn validate_key0_token(
    auth_header: Unknown<'_>,
    secret: Unknown<'_>,
    public_key: Unknown<'_>,
    algorithm: Unknown<'_>,
    now_ms: f64,
) -> Outcome<Text> {
    let header = config::string("authHeader", auth_header).ok();
    let keys = ValidatorConfig {
        secret: config::secret_if_string(secret),
        public_key: config::secret_if_string(public_key),
        algorithm: config::algorithm(algorithm),
    };
    let now = config::now(now_ms);
    outcome(|| validate_token::validate_key0_token(header.as_deref(), &keys, now).map(Text::from))
}

/// `validateToken`: the payload as JSON.
#[napi(ts_return_type = "Outcome<string>")]
pub fn validate_token(auth_header: Unknown<'_>, secret: Unknown<'_>, now_ms: f64) -> Outcome<Text> {
    let header = config::string("authHeader", auth_header).ok();
    let secret = config::secret_if_string(secret);
    let now = config::now(now_ms);
    outcome(|| {
        validate_token::validate_token(header.as_deref(), secret.as_ref(), now).map(Text::from)
    })
}
