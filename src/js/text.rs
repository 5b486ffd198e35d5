//! Texts on their way to JavaScript, made strings where they stand, without a copy in between; and
//! strings on their way here, read in one call.

use std::{mem::MaybeUninit, ptr, slice};

use napi::{
    JsValue as _,
    bindgen_prelude::{FromNapiValue as _, ToNapiValue, Unknown},
    check_status, sys,
};
use zeroize::Zeroize as _;

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

/// The string that `value` is; none where it is something else.
#[expect(unsafe_code, reason = "napi's own conversion asks for the length first")]
pub fn read(value: Unknown<'_>) -> Option<String> {
    let raw = value.value();
    let mut short = [MaybeUninit::<u8>::uninit(); SHORT];
    let start = short.as_mut_ptr().cast::<u8>();
    let mut len = 0;
    // SAFETY: `value` is of the call that this runs in; the pointer and the length are of one array.
    let status = unsafe {
        sys::napi_get_value_string_utf8(raw.env, raw.value, start.cast(), SHORT, &raw mut len)
    };
    if status != sys::Status::napi_ok {
        return None;
    }
    // SAFETY: so many bytes of it were written.
    let bytes = unsafe { slice::from_raw_parts_mut(start, len) };
    // A longer string was cut before a letter that had no room.
    let text = if len + LONGEST_LETTER < SHORT {
        String::from_utf8(bytes.to_vec()).ok()
    } else {
        // SAFETY: as above.
        unsafe { String::from_napi_value(raw.env, raw.value) }.ok()
    };
    // It may be a secret.
    bytes.zeroize();
    text
}

/// As a token is, as a rule. V8 asks for no length where there is room for three bytes a letter.
const SHORT: usize = 2048;
/// In bytes, with the zero behind it.
const LONGEST_LETTER: usize = 5;
