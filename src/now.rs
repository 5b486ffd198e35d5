//! The two clocks, read at the border and passed in: the core never asks for the time. And a time
//! as people read it.

use std::{fmt, time::Instant};

/// A moment on both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// `Date.now()`: milliseconds since 1970, also a faked one.
    pub wall_ms: f64,
    /// The monotonic clock, which no one sets.
    pub mono: Instant,
}

impl Now {
    /// The same moment, so much later on both clocks. `Date.now()` has cut up to a millisecond off
    /// it, without which what was made in the meantime would seem to come from the future.
    #[must_use]
    pub fn later(self, mono: Instant) -> Self {
        let passed = mono.saturating_duration_since(self.mono);
        Self { wall_ms: self.wall_ms + passed.as_secs_f64() * 1000.0 + 1.0, mono }
    }

    /// Whole seconds since 1970, as JWTs count (RFC 7519 §2, `NumericDate`).
    #[must_use]
    pub fn seconds(self) -> f64 {
        (self.wall_ms / 1000.0).floor()
    }
}

/// Seconds since 1970, shown as in RFC 3339: `2026-11-27T14:10:54Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc(pub i64);

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(seconds) = *self;
        // Years of March to February in cycles of 400, so that a leap day is the last of its year.
        let days = seconds.div_euclid(DAY) + DAYS_BEFORE_1970;
        let (cycle, day) = (days.div_euclid(CYCLE), days.rem_euclid(CYCLE));
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let date = day - (153 * month + 2) / 5 + 1;
        let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
        let year = cycle * 400 + year + later;
        let second = seconds.rem_euclid(DAY);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

const DAY: i64 = 86_400;
/// From the first of March of the year 0.
const DAYS_BEFORE_1970: i64 = 719_468;
/// Days of 400 years.
const CYCLE: i64 = 146_097;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_later_is_not_before_what_the_clock_says_by_then() {
        // The call began at 7.9 ms, the clock says 9 at 9.1.
        let begun = Now { wall_ms: 7.0, mono: Instant::now() };
        let later = begun.later(begun.mono + Duration::from_micros(1_200));
        assert!(later.wall_ms >= 9.0, "{}", later.wall_ms);
    }

    #[test]
    fn a_time_is_shown_as_in_rfc_3339() {
        for (seconds, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (1_795_788_654, "2026-11-27T14:10:54Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Utc(seconds).to_string(), shown);
        }
    }
}
