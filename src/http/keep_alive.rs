//! For how long a server keeps an idle connection.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Version, header};

/// For how long the connection of this answer may be idle, `None` where it is closed.
///
/// A second less than the server says, so that no request meets a closing connection.
pub(super) fn idle_limit(version: Version, headers: &HeaderMap) -> Option<Duration> {
    let connection = headers.get_all(header::CONNECTION);
    let says = |wanted: &[u8]| {
        let mut options = connection.iter().flat_map(|line| line.as_bytes().split(|b| *b == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted))
    };
    if says(b"close") || version < Version::HTTP_11 && !says(b"keep-alive") {
        return None;
    }
    let seconds = headers.get(KEEP_ALIVE).and_then(timeout);
    Some(seconds.map_or(IDLE_WITHOUT_HINT, |seconds| {
        Duration::from_secs(seconds.saturating_sub(1)).min(LONGEST_IDLE)
    }))
}

/// `timeout=` of `Keep-Alive` in seconds; one that is less than nothing is nothing.
fn timeout(keep_alive: &HeaderValue) -> Option<u64> {
    keep_alive.as_bytes().split(|byte| *byte == b',').find_map(|parameter| {
        let equals = parameter.iter().position(|byte| *byte == b'=')?;
        let (name, seconds) = (&parameter[..equals], &parameter[equals + 1..]);
        if !name.trim_ascii().eq_ignore_ascii_case(b"timeout") {
            return None;
        }
        let seconds = str::from_utf8(seconds.trim_ascii()).ok()?;
        let seconds = seconds.trim_matches('"').parse::<i128>().ok()?;
        Some(u64::try_from(seconds.max(0)).unwrap_or(u64::MAX))
    })
}

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const LONGEST_IDLE: Duration = Duration::from_mins(1);
/// A server that says nothing keeps 2 s at the least (gunicorn).
pub(super) const IDLE_WITHOUT_HINT: Duration = Duration::from_millis(1500);

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let headers = headers.iter().map(|(name, value)| {
            (header::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        });
        idle_limit(Version::HTTP_11, &headers.collect())
    }

    #[track_caller]
    fn kept(hint: &str, milliseconds: u64) {
        let expected = Some(Duration::from_millis(milliseconds));
        assert_eq!(limit(&[("keep-alive", hint)]), expected, "{hint}");
    }

    #[test]
    fn an_idle_connection_is_kept_a_second_less_than_the_server_says() {
        kept("timeout=5", 4_000);
        kept("timeout=5, max=100", 4_000);
        kept("max=100, Timeout = \"5\"", 4_000);
        kept("timeout=2", 1_000);
    }

    #[test]
    fn it_is_kept_a_minute_at_most() {
        kept("timeout=61", 60_000);
        kept("timeout=99999999999999999999", 60_000);
    }

    #[test]
    fn it_is_not_kept_where_that_leaves_nothing() {
        kept("timeout=1", 0);
        kept("timeout=0", 0);
        kept("timeout=-5", 0);
    }

    #[test]
    fn it_is_kept_a_second_and_a_half_where_the_server_says_nothing() {
        assert_eq!(limit(&[]), Some(Duration::from_millis(1500)));
        kept("max=5", 1500);
        kept("timeout=soon", 1500);
    }

    #[test]
    fn a_connection_that_the_server_closes_is_not_idle() {
        assert_eq!(limit(&[("connection", "Close")]), None);
        assert_eq!(limit(&[("connection", "x, close"), ("keep-alive", "timeout=5")]), None);
        assert_eq!(idle_limit(Version::HTTP_10, &HeaderMap::new()), None);
    }
}
