//! An answer, bounded: at most 1 MiB of a 2xx, at most 64 KiB of anything else, read and decoded.

use std::{fmt, future::poll_fn, pin::Pin, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    Fault,
    coding::{self, Unreadable},
};
use crate::redact::{Excerpt, Redactor};

/// What came back, as far as it came.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Where a 301, 302, 303, 307 or 308 leads; such an answer's body is not read.
    pub location: Option<String>,
    /// The body as text: UTF-8 with U+FFFD for what is not, without one leading byte order mark.
    pub text: String,
    /// The value of `Content-Type`, empty for none.
    pub content_type: String,
    /// Why the body is not whole. A non-2xx is an answer all the same.
    pub broken: Option<Fault>,
}

impl Reply {
    /// True for 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a cause tells of it: nothing of its body.
    #[must_use]
    pub fn described(&self, origin: String, redactor: &Redactor) -> Described {
        let content_type = redactor.excerpt(&self.content_type, false);
        Described { origin, status: self.status, content_type, length: self.text.len() }
    }
}

/// An answer, but for its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    origin: String,
    /// The status code.
    pub status: u16,
    content_type: Excerpt,
    length: usize,
}

impl fmt::Display for Described {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, status, content_type, length } = self;
        write!(f, "{origin} answered {status} (")?;
        if content_type.is_empty() {
            f.write_str("no content type")?;
        } else {
            content_type.fmt(f)?;
        }
        write!(f, ", {length} bytes)")
    }
}

/// The answer, and whether it came to its last byte.
pub(super) async fn read(response: http::Response<Incoming>, origin: &str) -> (Reply, bool) {
    let (head, mut incoming) = response.into_parts();
    let status = head.status.as_u16();
    let location = head.headers.get(header::LOCATION);
    if let Some(location) = location.filter(|_| redirects(status)) {
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        let reply = Reply { status, location: Some(location), ..Reply::default() };
        return (reply, drain(incoming).await);
    }
    let codings = coding::codings(&head.headers);
    let content_type = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default()).into_owned();
    let limit = limit(status);
    let success = (200..300).contains(&status);
    let mut body = Vec::new();
    let mut broken = None;
    let whole = loop {
        match chunk(&mut incoming).await {
            None => break true,
            Some(Ok(chunk)) => body.extend_from_slice(&chunk),
            Some(Err(error)) => {
                broken = Some(Fault::inside_answer(&error, origin));
                break false;
            }
        }
        if body.len() > limit {
            broken = Some(Fault::unreadable(&Unreadable::TooLong, origin));
            body.truncate(limit);
            break false;
        }
    };
    match coding::decode(&body, &codings, limit) {
        Ok(decoded) => body = decoded,
        Err((why, decoded)) => {
            broken = broken.or_else(|| Some(Fault::unreadable(&why, origin)));
            // Of a failure whatever came is quoted.
            if !success && !decoded.is_empty() {
                body = decoded;
            }
        }
    }
    (Reply { status, location: None, text: text(&body), content_type, broken }, whole)
}

/// Reads the body of a redirect, where that is quickly done: its connection can be used again.
async fn drain(mut body: Incoming) -> bool {
    if body.size_hint().exact().is_none_or(|length| length > LONGEST_DRAINED) {
        return false;
    }
    let rest = async {
        loop {
            match chunk(&mut body).await {
                None => break true,
                Some(Ok(_)) => {}
                Some(Err(_)) => break false,
            }
        }
    };
    timeout(LONGEST_DRAIN, rest).await.unwrap_or(false)
}

/// The next piece of `body`, trailers passed over.
async fn chunk(body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
    loop {
        match poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await? {
            Ok(frame) => {
                if let Ok(data) = frame.into_data() {
                    return Some(Ok(data));
                }
            }
            Err(error) => return Some(Err(error)),
        }
    }
}

/// The most that is read of an answer with this status, in bytes.
fn limit(status: u16) -> usize {
    if (200..300).contains(&status) { 1024 * 1024 } else { 64 * 1024 }
}

/// The redirects that are followed.
fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// `body` as `Response.text()` gives it.
fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).into_owned()
}

/// In bytes.
const LONGEST_DRAINED: u64 = 16 * 1024;
/// What has been sent is here by then; what has not is not worth the wait.
const LONGEST_DRAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_loses_one_byte_order_mark() {
        assert_eq!(text(b"\xef\xbb\xbf{}"), "{}");
        assert_eq!(text(b"\xef\xbb\xbf\xef\xbb\xbf{}"), "\u{feff}{}");
        assert_eq!(text(b"\xe4"), "\u{fffd}");
    }
}
