//! Prints only the place of a panic to stderr. Its message may quote the data that was worked on, as
//! that of a slice inside a character does; the call's error says that the failure was internal.

use std::{
    io::{self, Write as _},
    panic,
};

/// This library's own hook: its standard library is linked into it, and no other's.
#[napi_derive::module_init]
fn init() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line()));
        let place = place.unwrap_or_default();
        // With stderr closed there is nobody to tell.
        let _ = writeln!(io::stderr(), "@key0ai/native: internal error{place}");
    }));
}
