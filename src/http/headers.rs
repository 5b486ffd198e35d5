//! Header names and values by `fetch`'s rules, and how the caller's lines meet ours.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// One header as a strategy gives it.
#[derive(Clone, Debug)]
pub struct HeaderLine {
    /// As the caller spells it.
    pub name: String,
    /// As the caller gave it; what is sent has no blanks at its ends.
    pub value: Secret,
}

/// A header that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsendable {
    /// Its name.
    pub name: String,
    /// Why; shows nothing of the value.
    pub problem: &'static str,
}

/// `name`, where it is an HTTP token (RFC 9110 §5.6.2).
///
/// # Errors
/// In words that continue "the name …".
pub fn name(name: &str) -> Result<HeaderName, &'static str> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is not a header name (an HTTP token)")
}

/// `value` as it goes out: blanks at its ends dropped as `fetch` does, one byte a character.
///
/// # Errors
/// In words that continue "the value …" and show nothing of it.
pub fn value(value: &str) -> Result<HeaderValue, &'static str> {
    let trimmed = value.trim_matches([' ', '\t', '\r', '\n']);
    // Reserved whole, and zeroed with the value: it may be a secret.
    let mut bytes = Zeroizing::new(Vec::with_capacity(trimmed.len()));
    for c in trimmed.chars() {
        let byte = u8::try_from(c);
        bytes.push(byte.map_err(|_| "has a character above U+00FF, which no header can hold")?);
    }
    let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(bytes))
        .map_err(|_| "has a line break or another control character inside")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Puts the caller's `lines` over `ours`: one given replaces ours, two given of one name are
/// joined by `, `.
///
/// # Errors
/// The first that cannot be sent.
pub fn merge(ours: &mut HeaderMap, lines: &[HeaderLine]) -> Result<(), Unsendable> {
    let mut given = HeaderMap::with_capacity(lines.len());
    for line in lines {
        let unsendable = |problem| Unsendable { name: line.name.clone(), problem };
        let name = name(&line.name).map_err(unsendable)?;
        if OF_THE_CONNECTION.contains(&name) {
            return Err(unsendable("is not for a caller to set: it belongs to the connection"));
        }
        let value = value(line.value.expose()).map_err(unsendable)?;
        let joined = match given.remove(&name) {
            Some(first) => join(&first, &value).map_err(unsendable)?,
            None => value,
        };
        given.insert(name, joined);
    }
    for (name, value) in given {
        // `HeaderMap` names each header once here: nothing is repeated in it.
        if let Some(name) = name {
            ours.insert(name, value);
        }
    }
    Ok(())
}

fn join(first: &HeaderValue, second: &HeaderValue) -> Result<HeaderValue, &'static str> {
    let bytes = Zeroizing::new([first.as_bytes(), b", ", second.as_bytes()].concat());
    let mut value =
        HeaderValue::from_maybe_shared(Bytes::from_owner(bytes)).map_err(|_| "is too long")?;
    value.set_sensitive(true);
    Ok(value)
}

/// Framing and connection management (RFC 9110 §7.6.1, §10.1.1): a caller's word would make the
/// request ambiguous.
const OF_THE_CONNECTION: [HeaderName; 7] = [
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::EXPECT,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, value: &str) -> HeaderLine {
        HeaderLine { name: name.to_owned(), value: value.to_owned().into() }
    }

    #[test]
    fn blanks_and_line_breaks_at_the_ends_are_dropped() {
        assert_eq!(value(" \t s3cr3t \r\n").unwrap().as_bytes(), b"s3cr3t");
        assert_eq!(value("a\tb").unwrap().as_bytes(), b"a\tb");
        assert_eq!(value("").unwrap().as_bytes(), b"");
    }

    #[test]
    fn latin1_goes_out_as_one_byte() {
        assert_eq!(value("pässwörd\u{80}\u{ff}").unwrap().as_bytes(), b"p\xe4ssw\xf6rd\x80\xff");
    }

    #[test]
    fn what_no_header_can_hold_is_refused_and_not_shown() {
        for text in ["a\nb", "a\rb", "a\0b", "\0", "\x7f", "\x01x"] {
            let problem = "has a line break or another control character inside";
            assert_eq!(value(text).unwrap_err(), problem, "{text:?}");
        }
        for text in ["密", "\u{100}"] {
            let problem = "has a character above U+00FF, which no header can hold";
            assert_eq!(value(text).unwrap_err(), problem, "{text:?}");
        }
    }

    #[test]
    fn a_name_is_an_http_token() {
        assert!(name("X-A_!#$%&'*+.^`|~9").is_ok());
        for text in ["", "a b", "a:", "ä", "a\n", " a"] {
            assert_eq!(name(text).unwrap_err(), "is not a header name (an HTTP token)", "{text:?}");
        }
    }

    #[test]
    fn one_given_replaces_ours_and_two_given_are_joined() {
        let mut headers = HeaderMap::new();
        headers.insert("accept", "application/json".parse().unwrap());
        headers.insert("user-agent", "ours".parse().unwrap());
        let lines = [line("ACCEPT", "text/*"), line("X-A", "1"), line("x-a", "2")];
        merge(&mut headers, &lines).unwrap();
        assert_eq!(headers["accept"], "text/*");
        assert_eq!(headers["user-agent"], "ours");
        assert_eq!(headers["x-a"], "1, 2");
    }

    #[test]
    fn headers_of_the_connection_are_refused() {
        for name in [
            "content-length",
            "Transfer-Encoding",
            "CONNECTION",
            "expect",
            "te",
            "trailer",
            "upgrade",
        ] {
            let error = merge(&mut HeaderMap::new(), &[line(name, "1")]).unwrap_err();
            assert_eq!(error.name, name);
        }
        assert!(
            merge(&mut HeaderMap::new(), &[line("Host", "h"), line("Keep-Alive", "1")]).is_ok()
        );
    }
}
