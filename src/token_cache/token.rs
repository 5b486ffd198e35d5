//! An access token, and how long it is good for.

use crate::{now::Now, secret::Secret};

/// A token and how long it is good for.
#[derive(Clone, Debug)]
pub struct AccessToken {
    token: Secret,
    /// `Bearer …`, made once and not at each call.
    authorization: Secret,
    obtained: Now,
    /// In seconds; `None` has no end.
    lifetime: Option<f64>,
    /// The seconds before its end in which it is not used.
    buffer: f64,
    /// When it is to be replaced, in seconds from `obtained` on.
    due: Option<f64>,
}

impl AccessToken {
    /// `obtained` is the moment before the token was asked for. A lifetime that is infinite or
    /// beyond 2^53 seconds has no end.
    #[must_use]
    pub fn new(token: Secret, obtained: Now, lifetime_seconds: f64) -> Self {
        let lifetime = (lifetime_seconds < TWO_TO_53).then_some(lifetime_seconds);
        let authorization = format!("Bearer {}", token.expose()).into();
        Self { token, authorization, obtained, lifetime, buffer: BUFFER_SECONDS, due: None }
    }

    /// The same, not used in its last `seconds`, in place of 10.
    #[must_use]
    pub fn buffered(self, seconds: f64) -> Self {
        Self { buffer: seconds, ..self }
    }

    /// The same, to be replaced so many seconds before it is used for the last time.
    #[must_use]
    pub fn due_before_end(self, seconds: f64) -> Self {
        let due = self.usable().map(|usable| usable - seconds);
        Self { due, ..self }
    }

    /// When it is to be replaced, in seconds from its beginning on.
    #[must_use]
    pub fn due(&self) -> Option<f64> {
        self.due
    }

    /// The moment before it was asked for.
    #[must_use]
    pub fn obtained(&self) -> Now {
        self.obtained
    }

    /// In seconds; `None` has no end.
    #[must_use]
    pub fn lifetime(&self) -> Option<f64> {
        self.lifetime
    }

    /// For how many seconds it is used.
    #[must_use]
    pub fn usable(&self) -> Option<f64> {
        self.lifetime.map(|lifetime| lifetime - self.buffer)
    }

    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// The value of the header `Authorization` that carries it (RFC 6750 §2.1).
    #[must_use]
    pub fn authorization(&self) -> &Secret {
        &self.authorization
    }

    /// True while both clocks are before the end less the buffer, and the wall clock not before the
    /// beginning: a token from the future is not trusted.
    #[must_use]
    pub fn is_fresh(&self, now: Now) -> bool {
        let usable = self.usable().unwrap_or(f64::INFINITY);
        let (wall, mono) = self.ages(now);
        wall >= 0.0 && wall < usable && mono < usable
    }

    /// Whether it is to be replaced.
    pub(super) fn is_due(&self, now: Now) -> bool {
        let (wall, mono) = self.ages(now);
        self.due.is_some_and(|due| wall.max(mono) >= due)
    }

    /// In seconds, on both clocks.
    fn ages(&self, now: Now) -> (f64, f64) {
        let wall = (now.wall_ms - self.obtained.wall_ms) / 1000.0;
        let mono = now.mono.saturating_duration_since(self.obtained.mono).as_secs_f64();
        (wall, mono)
    }
}

/// A token is not used in its last seconds: it has to arrive, and to be good on arrival.
const BUFFER_SECONDS: f64 = 10.0;
/// Beyond it JavaScript's numbers have gaps, and no token lives 285 million years.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
pub(super) mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    /// So many seconds after the token was obtained, on both clocks.
    pub(in super::super) fn after(obtained: Now, seconds: f64) -> Now {
        let mono = obtained.mono + Duration::try_from_secs_f64(seconds).unwrap();
        Now { wall_ms: obtained.wall_ms + seconds * 1000.0, mono }
    }

    pub(in super::super) fn begun() -> Now {
        Now { wall_ms: 1_700_000_000_000.0, mono: Instant::now() }
    }

    pub(in super::super) fn token(obtained: Now, lifetime: f64) -> AccessToken {
        AccessToken::new("token".to_owned().into(), obtained, lifetime)
    }

    #[test]
    fn a_token_is_fresh_until_ten_seconds_before_its_end() {
        let obtained = begun();
        let token = token(obtained, 3600.0);
        assert!(token.is_fresh(obtained));
        assert!(token.is_fresh(after(obtained, 3600.0 - 10.001)));
        assert!(!token.is_fresh(after(obtained, 3600.0 - 10.0)));
        assert!(!token.is_fresh(after(obtained, 3600.0 - 9.999)));
    }

    #[test]
    fn a_token_of_ten_seconds_or_less_is_never_fresh() {
        let obtained = begun();
        for lifetime in [10.0, 9.0, 0.0, -1.0, f64::NEG_INFINITY] {
            assert!(!token(obtained, lifetime).is_fresh(obtained), "{lifetime}");
        }
        assert!(token(obtained, 10.001).is_fresh(obtained));
    }

    #[test]
    fn a_lifetime_without_end_has_none() {
        let obtained = begun();
        let late = after(obtained, 1e9);
        for lifetime in [f64::INFINITY, 9_007_199_254_740_992.0, 1e300] {
            assert!(token(obtained, lifetime).is_fresh(late), "{lifetime}");
        }
    }

    // B26
    #[test]
    fn a_token_from_the_future_is_not_trusted() {
        let obtained = begun();
        let set_back = Now { wall_ms: obtained.wall_ms - 1.0, mono: obtained.mono };
        assert!(!token(obtained, 3600.0).is_fresh(set_back));
    }

    // B26
    #[test]
    fn either_clock_alone_ends_a_token() {
        let obtained = begun();
        let later = after(obtained, 4000.0);
        let token = token(obtained, 3600.0);
        assert!(!token.is_fresh(Now { mono: obtained.mono, ..later }));
        assert!(!token.is_fresh(Now { wall_ms: obtained.wall_ms, ..later }));
    }
}
