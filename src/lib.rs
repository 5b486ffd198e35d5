//! The core of `@key0ai/native`.
pub mod error;
pub mod json;
pub mod now;
pub mod secret;
