//! The core of `@key0ai/native`.

pub mod access_token_issuer;
pub mod auth;
pub mod error;
mod fault_injection;
pub mod http;
#[cfg(all(feature = "node", not(test)))]
#[expect(clippy::needless_pass_by_value, reason = "napi's functions own their arguments")]
mod js;
pub mod json;
pub mod jws;
pub mod now;
pub mod remote_token_issuer;
pub mod secret;
pub mod signing_pool;
pub mod token_cache;
pub mod validate_token;
