//! Panics on purpose, for the tests of what becomes of one. Without the feature `fault-injection`,
//! which no release build can have, a point is nothing.

#[cfg(feature = "fault-injection")]
use std::sync::{Mutex, PoisonError};

#[cfg(all(feature = "fault-injection", not(debug_assertions)))]
compile_error!("fault-injection is for tests: no release build has it");

/// A place at which a test can have a panic.
///
/// # Panics
/// Where `panic_at` asked for it; without the feature never.
#[inline]
pub fn point(name: &str) {
    #[cfg(not(feature = "fault-injection"))]
    let _ = name;
    #[cfg(feature = "fault-injection")]
    {
        let mut wanted = WANTED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, words)) = wanted.take_if(|(point, _)| point == name) {
            drop(wanted);
            #[expect(clippy::panic, reason = "this is what it is for")]
            {
                panic!("{words}");
            }
        }
    }
}

/// Lets the next call that comes to `point` panic with these words.
#[cfg(feature = "fault-injection")]
pub fn panic_at(point: String, words: String) {
    *WANTED.lock().unwrap_or_else(PoisonError::into_inner) = Some((point, words));
}

#[cfg(feature = "fault-injection")]
static WANTED: Mutex<Option<(String, String)>> = Mutex::new(None);
