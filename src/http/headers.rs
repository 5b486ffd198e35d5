//! Header names and values by `fetch`'s rules, and how the caller's lines meet ours.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use zeroize::Zeroizing;

use crate::{
    message::{Message, Part},
    secret::Secret,
};

/// One header as a strategy gives it.
#[derive(Clone, Debug)]
pub struct HeaderLine {
    /// As the caller spells it.
    pub name: String,
    /// As the caller gave it; what is sent has no blanks at its ends.
    pub value: Secret,
}

impl HeaderLine {
    /// Its name and its value, as they go out.
    ///
    /// # Errors
    /// Where it cannot be sent.
    pub fn read(&self) -> Result<(HeaderName, HeaderValue), Unsendable> {
        let unsendable =
            |problem| Unsendable::of(&self.name, |name| Unsendable::Header { name, problem });
        let name = name(&self.name).map_err(unsendable)?;
        if OF_THE_CONNECTION.contains(&name) {
            return Err(unsendable("is not for a caller to set: it belongs to the connection"));
        }
        let value = value(self.value.expose()).map_err(unsendable)?;
        Ok((name, value))
    }
}

/// What cannot be sent of what a caller's `auth` gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsendable {
    /// Something that can give no headers: `a string`, `a function`, …
    NoHeaders(&'static str),
    /// This many headers.
    TooMany(usize),
    /// A name that is none, in words that continue "the name …".
    Name(&'static str),
    /// A value that is no text: `null`, `a symbol`, …
    Value {
        /// The header's name.
        name: GivenName,
        /// What it is.
        kind: &'static str,
    },
    /// A header, in words that continue "the header …" and show nothing of its value.
    Header {
        /// Its name.
        name: GivenName,
        /// Why.
        problem: &'static str,
    },
}

impl Unsendable {
    /// What `problem` makes of the name `text`, where it is one.
    pub fn of(text: &str, problem: impl FnOnce(GivenName) -> Self) -> Self {
        GivenName::new(text).map_or_else(Self::Name, problem)
    }

    /// Says so.
    #[must_use]
    pub fn message(&self) -> Message {
        const GAVE: Message = Message::new("auth gave ");
        match self {
            Self::NoHeaders(kind) => GAVE.with(*kind).with(" instead of headers"),
            Self::TooMany(count) => GAVE.with(*count).with(" headers, more than can be sent"),
            Self::Name(problem) => GAVE.with("a header whose name ").with(*problem),
            Self::Value { name, kind } => {
                let header = GAVE.with("the header ").with(name.clone());
                header.with(" the value ").with(*kind).with(", which is no string")
            }
            Self::Header { name, problem } => {
                GAVE.with("the header ").with(name.clone()).with(", which ").with(*problem)
            }
        }
    }
}

impl Unsendable {
    /// The same of an option, continuing a sentence that begins with its name.
    #[must_use]
    pub fn of_option(&self) -> String {
        match self {
            Self::NoHeaders(kind) => format!("must be an object of strings, not {kind}"),
            Self::TooMany(count) => format!("has {count} entries, more than can be sent"),
            Self::Name(problem) => format!("has a name that {problem}"),
            Self::Value { name, kind } => format!("has {name} with {kind}, which is no string"),
            Self::Header { name, problem } => format!("has {name}, which {problem}"),
        }
    }
}

/// The name of a header that the caller gave, as a message may show it: an HTTP token, since what
/// is none may be a value in the wrong place or a whole line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenName(String);

impl GivenName {
    /// `text`, which the caller gave for a header's name.
    ///
    /// # Errors
    /// In words that continue "the name …".
    pub fn new(text: &str) -> Result<Self, &'static str> {
        name(text)?;
        // A token is ASCII.
        let shown = text.get(..LONGEST_SHOWN).map(|start| format!("\"{start}…\""));
        Ok(Self(shown.unwrap_or_else(|| format!("\"{text}\""))))
    }
}

impl fmt::Display for GivenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Part for GivenName {}

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
    if trimmed.is_ascii() {
        bytes.extend_from_slice(trimmed.as_bytes());
    } else {
        for c in trimmed.chars() {
            let byte = u8::try_from(c);
            bytes.push(byte.map_err(|_| "has a character above U+00FF, which no header can hold")?);
        }
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
    let mut replaceable: Vec<_> = ours.keys().cloned().collect();
    let mut repeats = false;
    let too_many = |_| Unsendable::TooMany(lines.len());
    for line in lines {
        let (name, value) = line.read()?;
        // What a full map refuses it refuses here, too.
        if let Some(known) = replaceable.iter().position(|known| *known == name) {
            ours.try_insert(replaceable.swap_remove(known), value).map_err(too_many)?;
        } else {
            repeats |= ours.try_append(name, value).map_err(too_many)?;
        }
    }
    if ours.keys_len() > MOST {
        return Err(Unsendable::TooMany(lines.len()));
    }
    if repeats { join(ours) } else { Ok(()) }
}

/// Makes one of each header that is there more than once.
fn join(headers: &mut HeaderMap) -> Result<(), Unsendable> {
    let count = headers.len();
    let mut given = std::mem::take(headers).into_iter().peekable();
    // The values behind a name's first come without it.
    while let Some((Some(name), first)) = given.next() {
        let mut values = vec![first];
        while let Some((_, value)) = given.next_if(|(name, _)| name.is_none()) {
            values.push(value);
        }
        let value = joined(&values).map_err(|problem| {
            Unsendable::of(name.as_str(), |name| Unsendable::Header { name, problem })
        })?;
        headers.try_insert(name, value).map_err(|_| Unsendable::TooMany(count))?;
    }
    Ok(())
}

fn joined(values: &[HeaderValue]) -> Result<HeaderValue, &'static str> {
    if let [alone] = values {
        return Ok(alone.clone());
    }
    let values: Vec<_> = values.iter().map(HeaderValue::as_bytes).collect();
    let joined = Zeroizing::new(values.join(&b", "[..]));
    let joined = HeaderValue::from_maybe_shared(Bytes::from_owner(joined));
    let mut joined = joined.map_err(|_| "is too long")?;
    joined.set_sensitive(true);
    Ok(joined)
}

/// A map has room for 24,576 names, the connection's own among them, and panics at more.
const MOST: usize = 24_500;
/// In characters: a name that a message shows whole.
const LONGEST_SHOWN: usize = 64;
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
            let problem = "which is not for a caller to set: it belongs to the connection";
            let sentence = format!("auth gave the header \"{name}\", {problem}");
            assert_eq!(error.message(), sentence.as_str());
        }
        assert!(
            merge(&mut HeaderMap::new(), &[line("Host", "h"), line("Keep-Alive", "1")]).is_ok()
        );
    }

    // D28
    #[test]
    fn more_headers_than_a_map_holds_are_refused() {
        let lines: Vec<_> = (0..40_000).map(|i| line(&format!("x-{i}"), "1")).collect();
        let merged = |lines: &[HeaderLine]| {
            let mut headers = HeaderMap::new();
            headers.insert("accept", "*/*".parse().unwrap());
            merge(&mut headers, lines).map(|()| headers.len())
        };
        assert_eq!(merged(&lines), Err(Unsendable::TooMany(40_000)));
        assert_eq!(merged(&lines[..MOST]), Err(Unsendable::TooMany(MOST)));
        assert_eq!(merged(&lines[..MOST - 1]), Ok(MOST));
        let full = [&lines[..24_575], &[line("Accept", "text/*")]].concat();
        assert_eq!(merged(&full), Err(Unsendable::TooMany(24_576)));
        // With those of the connection.
        assert!(HeaderMap::<HeaderValue>::try_with_capacity(MOST + 10).is_ok());
    }

    #[test]
    fn a_name_given_any_number_of_times_is_one_header() {
        let lines = vec![line("x-a", "1"); 40_000];
        let mut headers = HeaderMap::new();
        merge(&mut headers, &lines).unwrap();
        assert_eq!(headers["x-a"].len(), 40_000 * 3 - 2);
    }

    #[test]
    fn a_name_is_shown_where_it_is_one_and_not_beyond_64_characters() {
        assert_eq!(GivenName::new("X-A").unwrap().to_string(), "\"X-A\"");
        let long = GivenName::new(&"x".repeat(65)).unwrap().to_string();
        assert_eq!(long, format!("\"{}…\"", "x".repeat(64)));
        assert!(GivenName::new("Bearer abc").is_err());
    }
}
