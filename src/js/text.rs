//! Texts on their way to JavaScript: made strings where they stand, without a copy in between.

use std::ptr;

use napi::{bindgen_prelude::ToNapiValue, check_status, sys};

use crate::secret::Secret;

/// A text that becomes a string.
pub enum Text {
    /// Zeroed once it has.
    Secret(Secret),
    /// As claims are.
    Plain(String),
}

impl From<Secret> for Text {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

#[expect(
    unsafe_code,
    reason = "napi's own conversion of a `String` decodes what is ASCII as UTF-8"
)]
impl ToNapiValue for Text {
    unsafe fn to_napi_value(env: sys::napi_env, text: Self) -> napi::Result<sys::napi_value> {
        let text = match &text {
            Self::Secret(secret) => secret.expose(),
            Self::Plain(text) => text,
        };
        let mut value = ptr::null_mut();
        let (start, len) = (text.as_ptr().cast(), text.len().cast_signed());
        // SAFETY: the pointer and the length are of one text, which lives on; `env` is the caller's.
        check_status!(unsafe {
            if text.is_ascii() {
                sys::napi_create_string_latin1(env, start, len, &raw mut value)
            } else {
                sys::napi_create_string_utf8(env, start, len, &raw mut value)
            }
        })?;
        Ok(value)
    }
}
