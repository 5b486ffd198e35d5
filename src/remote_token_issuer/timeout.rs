//! `timeoutMs`.

use std::time::Duration;

use crate::error::ArgumentError;

/// `timeoutMs` as the caller gave it.
#[derive(Clone, Debug, Default)]
pub enum Timeout {
    /// Not given.
    #[default]
    Default,
    /// As a number.
    Number(f64),
    /// As a string, from the environment.
    Text(String),
}

impl Timeout {
    /// In milliseconds, above 0 and finite.
    pub(super) fn duration(&self) -> Result<Duration, ArgumentError> {
        let out_of_range = || {
            let problem = "must be a number of milliseconds above 0 and finite";
            ArgumentError::of_range("timeoutMs", problem)
        };
        let milliseconds = match self {
            Self::Default => return Ok(DEFAULT_TIMEOUT),
            Self::Number(number) => *number,
            // `Number("0x10")` and the like are nobody's timeout.
            Self::Text(text) => text.trim().parse().map_err(|_| out_of_range())?,
        };
        if !(milliseconds > 0.0 && milliseconds.is_finite()) {
            return Err(out_of_range());
        }
        let milliseconds = milliseconds.min(TWO_TO_53);
        Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| out_of_range())
    }
}

/// The SDK's, well within the 15 s that its engine waits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Beyond it JavaScript's numbers have gaps.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_numbers_above_zero_also_as_text() {
        let ms = |given: Timeout| given.duration().map(|timeout| timeout.as_secs_f64() * 1000.0);
        let close = |given, expected: f64| (ms(given).unwrap() - expected).abs() < 1.0;
        assert!(close(Timeout::Default, 10_000.0));
        assert!(close(Timeout::Text(" 5e3 ".to_owned()), 5_000.0));
        assert!(close(Timeout::Number(4_294_967_296.5), 4_294_967_296.5));
        assert!(close(Timeout::Number(f64::MAX), TWO_TO_53));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let sentence = "timeoutMs must be a number of milliseconds above 0 and finite";
            assert_eq!(ms(Timeout::Number(wrong)).unwrap_err().to_string(), sentence);
        }
        assert!(ms(Timeout::Text("soon".to_owned())).is_err());
    }
}
