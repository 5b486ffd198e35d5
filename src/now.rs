//! The two clocks, read at the border and passed in: the core never asks for the time.

use std::time::Instant;

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// `Date.now()`: milliseconds since 1970, also a faked one.
    pub wall_ms: f64,
    /// The monotonic clock, which no one sets.
    pub mono: Instant,
}

impl Now {
    /// The same moment, so much later on both clocks.
    #[must_use]
    pub fn later(self, mono: Instant) -> Self {
        let passed = mono.saturating_duration_since(self.mono);
        Self { wall_ms: self.wall_ms + passed.as_secs_f64() * 1000.0, mono }
    }

    /// Whole seconds since 1970, as JWTs count (RFC 7519 §2, `NumericDate`).
    #[must_use]
    pub fn seconds(self) -> f64 {
        (self.wall_ms / 1000.0).floor()
    }
}
