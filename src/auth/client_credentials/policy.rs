//! What a client's configuration says of when tokens are asked for: again after a failure, ahead
//! of their end, or not for a while.

use std::time::Duration;

use super::failure::Failure;
use crate::{error::ArgumentError, http::Fault, now::Now, random, token_cache::AccessToken};

/// When tokens are asked for, and of whom. The default is the SDK's.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// The field whose function gives the secret or key, where one does.
    pub asks: Option<&'static str>,
    /// How failed requests are repeated.
    pub retry: Option<Retry>,
    /// When a token is replaced before its end.
    pub refresh_ahead: Option<RefreshAhead>,
    /// For how long a refusal is remembered.
    pub cool_down: Option<CoolDown>,
    /// The store that processes share.
    pub store: Option<Store>,
}

/// What a store can do beside `get` and `set`.
#[derive(Clone, Copy, Debug)]
pub struct Store {
    /// Whether it has locks, so that one process fetches and the others wait.
    pub locks: bool,
}

/// `retry`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Retry {
    attempts: u32,
    /// In milliseconds.
    least: f64,
    most: f64,
}

impl Retry {
    /// Attempts are 3, delays from 100 to 2,000 ms, where they are not given.
    ///
    /// # Errors
    /// A `RangeError` that names the field.
    pub fn new(
        attempts: Option<f64>,
        min_delay_ms: Option<f64>,
        max_delay_ms: Option<f64>,
    ) -> Result<Self, ArgumentError> {
        let attempts = attempts.unwrap_or(3.0);
        let attempts = (1..=MOST_ATTEMPTS).find(|n| f64::from(*n).to_bits() == attempts.to_bits());
        let attempts = attempts.ok_or_else(|| {
            ArgumentError::of_range("retry.attempts", "must be a whole number from 1 to 20")
        })?;
        let milliseconds = |field, given: Option<f64>, default| match given.unwrap_or(default) {
            ms if (0.0..=LONGEST_DELAY).contains(&ms) => Ok(ms),
            _ => Err(ArgumentError::of_range(field, "must be from 0 to 60000 milliseconds")),
        };
        let least = milliseconds("retry.minDelayMs", min_delay_ms, 100.0)?;
        let most = milliseconds("retry.maxDelayMs", max_delay_ms, least.max(2_000.0))?;
        if most < least {
            let problem = "must not be below retry.minDelayMs";
            return Err(ArgumentError::of_range("retry.maxDelayMs", problem));
        }
        Ok(Self { attempts, least, most })
    }

    /// How long to wait before the next request, after `done` of them; `None` for no other one.
    pub(super) fn delay(&self, done: u32, failure: &Failure, now: Now) -> Option<Duration> {
        if done >= self.attempts || !is_passing(failure) {
            return None;
        }
        // At most 19: no overflow.
        let doubled = (self.least * f64::from(1_u32 << (done - 1).min(31))).min(self.most);
        let jittered = doubled * (0.5 + random::fraction() / 2.0);
        let asked = failure.retry_after().and_then(|value| retry_after(value, now));
        let ms = asked.map_or(jittered, |asked| jittered.max(asked.min(self.most)));
        Duration::try_from_secs_f64(ms / 1000.0).ok()
    }
}

/// Whether the same request may succeed a little later: no connection, or none that lasted, 429
/// and 5xx.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::Refused { refusal, .. } => {
            matches!(refusal.answer.status, 429 | 500..=599)
        }
        Failure::Fault(Fault { reason, .. }) => {
            reason.code().is_some_and(|code| CONNECTION_CODES.contains(&code))
        }
        _ => false,
    }
}

/// `Retry-After` in milliseconds (RFC 9110 §10.2.3).
fn retry_after(value: &str, now: Now) -> Option<f64> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u32>() {
        return Some(f64::from(seconds) * 1000.0);
    }
    let until = imf_date(value)? * 1000.0;
    Some((until - now.wall_ms).max(0.0))
}

/// Seconds since 1970 of the one date form that is sent today, `Sun, 06 Nov 1994 08:49:37 GMT`
/// (RFC 9110 §5.6.7).
fn imf_date(text: &str) -> Option<f64> {
    let fields: Vec<_> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = fields[..] else { return None };
    let month = MONTHS.iter().position(|name| *name == month)?;
    let (day, year): (u32, u32) = (day.parse().ok()?, year.parse().ok()?);
    let clock: Vec<u32> = time.split(':').map(|it| it.parse().ok()).collect::<Option<_>>()?;
    let [hour, minute, second] = clock[..] else { return None };
    if !(1970..=9999).contains(&year) || day > 31 || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let is_leap = |year: u32| {
        year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
    };
    let years: u32 = (1970..year).map(|year| 365 + u32::from(is_leap(year))).sum();
    let leap_day = u32::from(month > 1 && is_leap(year));
    let days = years + DAYS_BEFORE[month] + leap_day + day - 1;
    Some(f64::from(days) * 86_400.0 + f64::from(hour * 3600 + minute * 60 + second))
}

/// `refreshAhead`
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RefreshAhead {
    /// So many seconds before the token is used for the last time.
    Seconds(f64),
    /// This part of the time for which it is used.
    Fraction(f64),
}

impl RefreshAhead {
    /// Below 1 a fraction, from 1 on seconds.
    ///
    /// # Errors
    /// A `RangeError`.
    pub fn new(given: f64) -> Result<Self, ArgumentError> {
        match given {
            given if given > 0.0 && given < 1.0 => Ok(Self::Fraction(given)),
            given if given >= 1.0 && given.is_finite() => Ok(Self::Seconds(given)),
            _ => Err(ArgumentError::of_range(
                "refreshAhead",
                "must be a number of seconds from 1 on, or a fraction between 0 and 1",
            )),
        }
    }

    /// The token with the moment at which it is due, a little other one for each process. Of a
    /// token that was shared, `whole` is the time for which it was used from its beginning on.
    pub(super) fn applied(self, token: AccessToken, whole: Option<f64>) -> AccessToken {
        let Some(whole) = whole.or_else(|| token.usable()) else { return token };
        let ahead = match self {
            Self::Seconds(seconds) => seconds,
            Self::Fraction(part) => whole * part,
        };
        // Never more than half of it: a short-lived token is not to be fetched at every call.
        let ahead = ahead.min(whole / 2.0);
        token.due_before_end(ahead * (0.75 + random::fraction() / 4.0))
    }
}

/// `coolDownMs`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoolDown(Duration);

impl CoolDown {
    /// `None` for 0.
    ///
    /// # Errors
    /// A `RangeError`.
    pub fn new(ms: f64) -> Result<Option<Self>, ArgumentError> {
        if !(0.0..=LONGEST_COOL_DOWN).contains(&ms) {
            let problem = "must be from 0 to 3600000 milliseconds";
            return Err(ArgumentError::of_range("coolDownMs", problem));
        }
        let time = Duration::try_from_secs_f64(ms / 1000.0).unwrap_or_default();
        Ok((time > Duration::ZERO).then_some(Self(time)))
    }

    /// For how long this failure is remembered: `invalid_client` and 429 are.
    pub(super) fn after(self, failure: &Failure) -> Option<Duration> {
        let (Failure::Refused { refusal, .. } | Failure::Incomplete { refusal, .. }) = failure
        else {
            return None;
        };
        let cools = refusal.answer.status == 429 || refusal.code == Some("invalid_client");
        cools.then_some(self.0)
    }
}

const MOST_ATTEMPTS: u32 = 20;
/// In milliseconds.
const LONGEST_DELAY: f64 = 60_000.0;
const LONGEST_COOL_DOWN: f64 = 3_600_000.0;
/// Of faults that another connection may not have. Those of certificates are not among them.
const CONNECTION_CODES: [&str; 13] = [
    "EADDRNOTAVAIL",
    "EAI_AGAIN",
    "EAI_FAIL",
    "ECONNABORTED",
    "ECONNREFUSED",
    "ECONNRESET",
    "EHOSTUNREACH",
    "ENETDOWN",
    "ENETUNREACH",
    "ENOTCONN",
    "ENOTFOUND",
    "EPIPE",
    "ETIMEDOUT",
];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS_BEFORE: [u32; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::http::fault::Reason;

    fn now(wall_ms: f64) -> Now {
        Now { wall_ms, mono: Instant::now() }
    }

    fn fault(code: &'static str) -> Failure {
        Failure::Fault(Fault::unreadable(Reason::named(code), "http://h"))
    }

    #[test]
    fn delays_double_up_to_the_longest_and_are_never_all_the_same() {
        let retry = Retry::new(Some(20.0), Some(100.0), Some(1_000.0)).unwrap();
        let mut seen = Vec::new();
        for (done, most) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (19, 1_000)] {
            let delay = retry.delay(done, &fault("ECONNREFUSED"), now(0.0)).unwrap();
            let most = Duration::from_millis(most);
            assert!(delay >= most / 2 && delay <= most, "{done}: {delay:?}");
            seen.push(delay);
        }
        let again = retry.delay(19, &fault("ECONNREFUSED"), now(0.0)).unwrap();
        assert_ne!(Some(&again), seen.last());
        assert_eq!(retry.delay(20, &fault("ECONNREFUSED"), now(0.0)), None);
    }

    #[test]
    fn what_would_only_fail_again_is_not_repeated() {
        let retry = Retry::new(None, None, None).unwrap();
        for code in ["CERT_HAS_EXPIRED", "EPROTO", "EMFILE"] {
            assert_eq!(retry.delay(1, &fault(code), now(0.0)), None, "{code}");
        }
        assert_eq!(retry.delay(1, &Failure::Vanished, now(0.0)), None);
        assert!(retry.delay(2, &fault("EAI_AGAIN"), now(0.0)).is_some());
        assert_eq!(retry.delay(3, &fault("EAI_AGAIN"), now(0.0)), None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let at = now(784_111_777_000.0 - 2_500.0);
        assert_eq!(retry_after(" 7 ", at), Some(7_000.0));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", at), Some(2_500.0));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:30 GMT", at), Some(0.0));
        assert_eq!(imf_date("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800.0));
        assert_eq!(imf_date("Fri, 01 Mar 2024 00:00:00 GMT"), Some(1_709_251_200.0));
        for odd in [
            "",
            "-1",
            "1.5",
            "soon",
            "99999999999",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Foo 1994 08:49:37 GMT",
            "Sun, 06 Nov 99999 08:49:37 GMT",
            "Sun, 06 Nov 1994 8 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(retry_after(odd, at), None, "{odd}");
        }
    }

    #[test]
    fn retry_options_are_bounded_and_named() {
        let refused =
            |attempts, least, most| Retry::new(attempts, least, most).unwrap_err().to_string();
        for attempts in [0.0, 1.5, 21.0, -1.0, f64::NAN, f64::INFINITY] {
            let sentence = "retry.attempts must be a whole number from 1 to 20";
            assert_eq!(refused(Some(attempts), None, None), sentence);
        }
        let sentence = "retry.minDelayMs must be from 0 to 60000 milliseconds";
        assert_eq!(refused(None, Some(-1.0), None), sentence);
        let sentence = "retry.maxDelayMs must be from 0 to 60000 milliseconds";
        assert_eq!(refused(None, None, Some(f64::NAN)), sentence);
        let sentence = "retry.maxDelayMs must not be below retry.minDelayMs";
        assert_eq!(refused(None, Some(2.0), Some(1.0)), sentence);
        assert!(Retry::new(Some(1.0), Some(5_000.0), None).is_ok());
    }

    fn token(lifetime: f64) -> AccessToken {
        AccessToken::new("t".to_owned().into(), now(0.0), lifetime)
    }

    #[test]
    fn a_token_is_due_ahead_of_its_end_a_little_other_for_each_process() {
        let due = |given: f64, lifetime| {
            let ahead = RefreshAhead::new(given).unwrap();
            (0..50).map(|_| ahead.applied(token(lifetime), None).due().unwrap()).collect::<Vec<_>>()
        };
        let within = |dues: Vec<f64>, least: f64, most: f64| {
            assert!(dues.iter().all(|due| (least..=most).contains(due)), "{dues:?}");
            assert!(dues.iter().any(|due| due.to_bits() != dues[0].to_bits()));
        };
        within(due(100.0, 3610.0), 3_500.0, 3_525.0);
        within(due(0.2, 3610.0), 2_880.0, 3_060.0);
        // Never before half of it has passed.
        within(due(1e9, 3610.0), 1_800.0, 2_250.0);
        within(due(0.9, 3610.0), 1_800.0, 2_250.0);
        assert_eq!(RefreshAhead::Seconds(60.0).applied(token(f64::INFINITY), None).due(), None);
    }

    #[test]
    fn a_shared_token_is_due_when_its_whole_life_says_so() {
        let ahead = RefreshAhead::Fraction(0.5);
        let due = ahead.applied(token(1_010.0), Some(3_600.0)).due().unwrap();
        assert!(due <= 0.0);
    }

    #[test]
    fn refresh_ahead_and_cool_down_are_bounded_and_named() {
        for odd in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(
                RefreshAhead::new(odd).unwrap_err().to_string(),
                "refreshAhead must be a number of seconds from 1 on, or a fraction between 0 and 1"
            );
        }
        assert_eq!(RefreshAhead::new(1.0), Ok(RefreshAhead::Seconds(1.0)));
        for odd in [-1.0, f64::NAN, 3_600_001.0] {
            let sentence = "coolDownMs must be from 0 to 3600000 milliseconds";
            assert_eq!(CoolDown::new(odd).unwrap_err().to_string(), sentence);
        }
        assert_eq!(CoolDown::new(0.0), Ok(None));
    }
}
