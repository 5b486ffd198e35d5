//! Lets tests ask for a panic.

use napi_derive::napi;

/// The next call that comes to `point` panics with these words.
#[napi]
pub fn panic_at(point: String, words: String) {
    crate::fault_injection::panic_at(point, words);
}
