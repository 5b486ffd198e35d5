//! An answer, bounded: at most 1 MiB of a 2xx, at most 64 KiB of anything else, decoded.

use std::io::{self, Read as _};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use super::Fault;

/// What came back, as far as it came. Without `Debug`: it may be a token.
#[derive(Clone, Default)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Where a 301, 302, 303, 307 or 308 leads; such an answer's body is not read.
    pub location: Option<String>,
    /// The body as text: UTF-8 with U+FFFD for what is not, without one leading byte order mark.
    pub text: String,
    /// Why the body is not whole. A non-2xx is an answer all the same.
    pub broken: Option<Fault>,
}

impl Reply {
    /// True for 200 to 299.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    TooLong,
    Coding(String),
    Corrupt(&'static str),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => f.write_str("it is longer than 1 MiB"),
            Self::Coding(name) => write!(f, "its content coding \"{name}\" is not known"),
            Self::Corrupt(coding) => write!(f, "it is not valid {coding}"),
        }
    }
}

/// The most that is read of an answer with this status, in bytes.
pub(super) fn limit(status: u16) -> usize {
    if (200..300).contains(&status) { 1024 * 1024 } else { 64 * 1024 }
}

/// The redirects that are followed.
pub(super) fn redirects(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Undoes `codings` (RFC 9110 §8.4, in the order they were applied), giving at most `limit` bytes.
/// A failure comes with what could be decoded.
pub(super) fn decode(
    body: &[u8],
    codings: &[String],
    limit: usize,
) -> Result<Vec<u8>, (Unreadable, Vec<u8>)> {
    let mut body = body.to_vec();
    for coding in codings.iter().rev() {
        let mut out = Vec::new();
        let decoded = match coding.as_str() {
            "" | "identity" => continue,
            _ if body.is_empty() => continue,
            "gzip" | "x-gzip" => gunzip(&body, &mut out, limit),
            "deflate" => inflate(&body, &mut out, limit),
            other => Err(Unreadable::Coding(other.to_owned())),
        };
        out.truncate(limit);
        match decoded {
            Ok(()) => body = out,
            Err(why) => return Err((why, out)),
        }
    }
    Ok(body)
}

/// `body` as `Response.text()` gives it.
pub(super) fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)).into_owned()
}

fn gunzip(mut body: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Unreadable> {
    loop {
        let mut member = GzDecoder::new(body);
        read(&mut member, out, limit, "gzip")?;
        let rest = member.into_inner();
        // Members follow one another (RFC 1952 §2.2); what follows them and is none is ignored.
        if rest.len() == body.len() || !rest.starts_with(&[0x1f, 0x8b]) {
            return Ok(());
        }
        body = rest;
    }
}

/// zlib as the standard has it, raw deflate as some servers send it.
fn inflate(body: &[u8], out: &mut Vec<u8>, limit: usize) -> Result<(), Unreadable> {
    if body.first().is_some_and(|first| first & 0x0f == 8) {
        read(ZlibDecoder::new(body), out, limit, "deflate")
    } else {
        read(DeflateDecoder::new(body), out, limit, "deflate")
    }
}

/// Reads on to the end or one byte beyond `limit`. A stream that lacks its end is taken as far as
/// it goes, as `fetch` does: that the answer is whole is known from its framing.
fn read(
    decoder: impl io::Read,
    out: &mut Vec<u8>,
    limit: usize,
    coding: &'static str,
) -> Result<(), Unreadable> {
    let room = (limit + 1).saturating_sub(out.len()) as u64;
    match decoder.take(room).read_to_end(out) {
        Err(e) if e.kind() != io::ErrorKind::UnexpectedEof => Err(Unreadable::Corrupt(coding)),
        _ if out.len() > limit => Err(Unreadable::TooLong),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };

    use super::*;

    fn gzip(body: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(body: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(body: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(body: impl AsRef<[u8]>, codings: &[&str]) -> Result<Vec<u8>, Unreadable> {
        let codings: Vec<String> = codings.iter().map(|&coding| coding.to_owned()).collect();
        decode(body.as_ref(), &codings, 1024 * 1024).map_err(|(why, _)| why)
    }

    #[test]
    fn known_codings_are_undone() {
        assert_eq!(decoded(gzip(b"{}"), &["gzip"]).unwrap(), b"{}");
        assert_eq!(decoded(gzip(b"{}"), &["x-gzip"]).unwrap(), b"{}");
        assert_eq!(decoded(zlib(b"{}"), &["deflate"]).unwrap(), b"{}");
        assert_eq!(decoded(deflate(b"{}"), &["deflate"]).unwrap(), b"{}");
        assert_eq!(decoded(gzip(&zlib(b"{}")), &["deflate", "gzip"]).unwrap(), b"{}");
        assert_eq!(decoded(b"{}", &["identity"]).unwrap(), b"{}");
        assert_eq!(decoded(Vec::new(), &["gzip"]).unwrap(), b"");
    }

    #[test]
    fn members_are_joined_and_what_follows_is_ignored() {
        let two = [gzip(b"{"), gzip(b"}"), b"\r\n".to_vec()].concat();
        assert_eq!(decoded(two, &["gzip"]).unwrap(), b"{}");
        let empty_first = [gzip(b""), gzip(b"{}")].concat();
        assert_eq!(decoded(empty_first, &["gzip"]).unwrap(), b"{}");
    }

    #[test]
    fn a_stream_without_its_end_is_taken_as_far_as_it_goes() {
        let whole = gzip(b"{\"token\":\"t\"}");
        let cut = whole[..whole.len() - 8].to_vec();
        assert_eq!(decoded(cut, &["gzip"]).unwrap(), b"{\"token\":\"t\"}");
    }

    #[test]
    fn an_unknown_coding_is_named() {
        let error = decoded(b"x", &["br"]).unwrap_err();
        assert_eq!(error.to_string(), "its content coding \"br\" is not known");
    }

    #[test]
    fn what_is_not_in_its_coding_is_refused() {
        assert_eq!(decoded(b"{\"token\":1}", &["gzip"]), Err(Unreadable::Corrupt("gzip")));
        assert_eq!(decoded(b"\x07{}", &["deflate"]), Err(Unreadable::Corrupt("deflate")));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let exact = gzip(&vec![b' '; 1024 * 1024]);
        assert_eq!(decoded(exact, &["gzip"]).unwrap().len(), 1024 * 1024);
        let bomb = gzip(&vec![b' '; 1024 * 1024 + 1]);
        assert_eq!(decoded(bomb, &["gzip"]), Err(Unreadable::TooLong));
        let members = gzip(&vec![b' '; 600_000]).repeat(2);
        assert_eq!(decoded(members, &["gzip"]), Err(Unreadable::TooLong));
    }

    #[test]
    fn text_loses_one_byte_order_mark() {
        assert_eq!(text(b"\xef\xbb\xbf{}"), "{}");
        assert_eq!(text(b"\xef\xbb\xbf\xef\xbb\xbf{}"), "\u{feff}{}");
        assert_eq!(text(b"\xe4"), "\u{fffd}");
    }
}
