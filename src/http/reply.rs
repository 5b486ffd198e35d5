//! An answer, bounded: at most 1 MiB of a 2xx, at most 64 KiB of anything else, read and decoded.

use std::{error::Error as _, fmt, io, string::FromUtf8Error, time::Duration};

use http::{HeaderMap, HeaderValue, header};
use http_body::Body as _;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::{
    Fault,
    coding::{self, Unreadable},
    connection::Connection,
};
use crate::{
    json,
    redact::{Excerpt, Redactor},
};

/// What came back, as far as it came. Without `Debug`: it may be a token.
#[derive(Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Where a 301, 302, 303, 307 or 308 leads; such an answer's body is not read.
    pub location: Option<String>,
    /// The body as text: UTF-8 with U+FFFD for what is not, without a leading byte order mark.
    pub text: String,
    /// The value of `Content-Type`, empty for none.
    pub content_type: String,
    /// `Retry-After`, of a non-2xx.
    pub retry_after: Option<String>,
    /// Why the body is not whole. A non-2xx is an answer all the same.
    pub broken: Option<Fault>,
}

impl Reply {
    /// True for 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        is_success(self.status)
    }

    /// What a cause says of it, without its body.
    #[must_use]
    pub fn described(&self, origin: String, redactor: &Redactor) -> Described {
        let content_type = redactor.excerpt(&self.content_type, false);
        Described { origin, status: self.status, content_type, length: self.text.len() }
    }
}

/// An answer without its body.
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
pub(super) async fn read(
    response: http::Response<Incoming>,
    connection: &mut Connection,
    origin: &str,
) -> (Reply, bool) {
    let (head, mut incoming) = response.into_parts();
    let status = head.status.as_u16();
    if redirects(status)
        && let Some(location) = head.headers.get(header::LOCATION)
    {
        let location = String::from_utf8_lossy(location.as_bytes()).into_owned();
        let reply = Reply { status, location: Some(location), ..Reply::default() };
        return (reply, Box::pin(drain(incoming, connection)).await);
    }
    let codings = coding::codings(&head.headers);
    let content_type = head.headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default()).into_owned();
    let retry_after = if is_success(status) { None } else { head.headers.get(header::RETRY_AFTER) };
    let retry_after = retry_after.and_then(|it| it.to_str().ok()).map(str::to_owned);
    let limit = limit(status);
    let mut body = Vec::new();
    let mut broken = None;
    let mut is_reset = false;
    let whole = loop {
        match connection.chunk(&mut incoming).await {
            None => break true,
            Some(Ok(chunk)) => body.extend_from_slice(&chunk),
            Some(Err(error)) => {
                is_reset = resets(&error);
                broken = Some(Fault::inside_answer(&error, origin));
                break false;
            }
        }
        if body.len() > limit {
            broken = Some(too_long(origin));
            body.truncate(limit);
            break false;
        }
    };
    let decoded = match codings {
        Ok(codings) if codings.is_empty() => Ok(body),
        // A proxy that decodes may leave the header, and `gzip, UTF-8` may mean no coding at all.
        Ok(_) if is_whole(&text(body.clone())) => Ok(body),
        // Boxed, since most answers have none: every call has room for what it may wait for.
        Ok(codings) => Box::pin(coding::decode(body, &codings, limit)).await,
        Err(why) => Err((why, body)),
    };
    let body = decoded.unwrap_or_else(|(why, body)| {
        broken.get_or_insert_with(|| Fault::unreadable(&why, origin));
        body
    });
    let text = text(body);
    if is_reset && ends_with_its_connection(&head.headers) && is_whole(&text) {
        broken = None;
    }
    (Reply { status, location: None, text, content_type, retry_after, broken }, whole)
}

/// Whether nothing else tells the end of the body (RFC 9112 §6.3).
fn ends_with_its_connection(headers: &HeaderMap) -> bool {
    ![header::CONTENT_LENGTH, header::TRANSFER_ENCODING]
        .iter()
        .any(|name| headers.contains_key(name))
}

/// Whether `error` is a reset. A server that closes without having read everything sends one in
/// place of its end, and `fetch` takes it for that.
fn resets(error: &hyper::Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|source| source.kind() == io::ErrorKind::ConnectionReset)
}

/// Whether nothing can be missing: an object ends with its brace.
fn is_whole(text: &str) -> bool {
    json::pick(text, []).is_ok_and(|object| object.is_some())
}

/// Reads the body of a redirect, where that is quickly done: its connection can be used again.
async fn drain(mut body: Incoming, connection: &mut Connection) -> bool {
    if body.size_hint().exact().is_none_or(|length| length > LONGEST_DRAINED) {
        return false;
    }
    let rest = async {
        loop {
            match connection.chunk(&mut body).await {
                None => break true,
                Some(Ok(_)) => {}
                Some(Err(_)) => break false,
            }
        }
    };
    timeout(LONGEST_DRAIN, rest).await.unwrap_or(false)
}

/// The most that is read of an answer with this status, in bytes.
pub(super) fn limit(status: u16) -> usize {
    if is_success(status) { 1024 * 1024 } else { 64 * 1024 }
}

/// True for 200 to 299.
pub(super) fn is_success(status: u16) -> bool {
    (200..300).contains(&status)
}

/// That an answer is longer than its limit.
pub(super) fn too_long(origin: &str) -> Fault {
    Fault::unreadable(&Unreadable::TooLong, origin)
}

/// The redirects that are followed.
pub(super) fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// `body` as `Response.text()` gives it: Node's drops two byte order marks.
pub(super) fn text(mut body: Vec<u8>) -> String {
    for _ in 0..2 {
        if body.starts_with(b"\xef\xbb\xbf") {
            body.drain(..3);
        }
    }
    let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    String::from_utf8(body).unwrap_or_else(lossy)
}

/// In bytes.
const LONGEST_DRAINED: u64 = 16 * 1024;
/// Long enough for bytes that are under way; for others it is not worth the wait.
const LONGEST_DRAIN: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_loses_two_byte_order_marks() {
        let marked = |marks| text([b"\xef\xbb\xbf".repeat(marks), b"{}".to_vec()].concat());
        assert_eq!(marked(1), "{}");
        assert_eq!(marked(2), "{}");
        assert_eq!(marked(3), "\u{feff}{}");
        assert_eq!(text(b"\xe4".to_vec()), "\u{fffd}");
    }
}
