//! What stderr learns of a panic: where it was. Its words may quote what was worked on, as those of
//! a slice in the middle of a character do; the call's own error says that it was internal.

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
