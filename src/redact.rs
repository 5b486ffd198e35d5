//! What may be quoted of a peer: [`Excerpt`], the only form in which its bytes enter an error, and
//! the [`Redactor`] that makes it.

use std::fmt;

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// Text of a peer, scrubbed of what the call was made with and *then* cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt(String);

impl Excerpt {
    /// True when there is nothing to quote.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one call was made with, in every form in which a peer may send it back.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    needles: Vec<Secret>,
}

impl Redactor {
    /// Hides `secret`: raw, percent- or form-encoded, JSON- or HTML-escaped, and in base64.
    /// A secret shorter than 6 characters would hide ordinary words and is left alone.
    pub fn hide(&mut self, secret: &str) {
        let secret = secret.trim_matches(BLANKS);
        if secret.chars().count() < SHORTEST {
            return;
        }
        self.push(secret.to_owned());
        // Hosts and content codings are read in lower case.
        self.push(secret.to_ascii_lowercase());
        self.hide_base64(secret);
    }

    /// Hides `secret`, also as a part of the base64 of `id:secret` (RFC 7617 §2).
    pub fn hide_pair(&mut self, id: &str, secret: &str) {
        self.hide(secret);
        if secret.chars().count() >= SHORTEST {
            self.hide_base64(&Zeroizing::new(format!("{id}:{secret}")));
        }
    }

    /// Hides a header's value, and of `Bearer x` and `Basic x` also `x`.
    pub fn hide_header(&mut self, value: &str) {
        self.hide(value);
        if let Some((scheme, credentials)) = value.trim_matches(BLANKS).split_once(' ')
            && (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("basic"))
        {
            self.hide(credentials);
        }
    }

    /// `text` with every hidden secret replaced by `[redacted]`, then cut at 8,192 bytes. Where
    /// `cut` says that the text may have been cut inside a secret, the first characters of one at
    /// its end are hidden too.
    #[must_use]
    pub fn excerpt(&self, text: &str, cut: bool) -> Excerpt {
        let mut out = String::new();
        let mut rest = &text[..floor(text, LONGEST_READ)];
        let cut = cut || rest.len() < text.len();
        // A little beyond the cut, so that the cut is known to be one.
        while out.len() <= LONGEST
            && let Some(next) = rest.chars().next()
        {
            let longest = self.needles.iter().filter_map(|needle| found(needle, rest, cut)).max();
            if let Some(length) = longest {
                out.push_str(REDACTED);
                rest = rest[length..].trim_start_matches('=');
            } else {
                out.push(next);
                rest = &rest[next.len_utf8()..];
            }
        }
        if out.len() > LONGEST {
            out.truncate(floor(&out, LONGEST));
            out.push('…');
        }
        Excerpt(out)
    }

    fn hide_base64(&mut self, text: &str) {
        let latin1: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
        let latin1 = Zeroizing::new(latin1.unwrap_or_default());
        for bytes in [text.as_bytes(), &latin1] {
            if !bytes.is_empty() {
                self.push(BASE64_STANDARD_NO_PAD.encode(bytes));
                self.push(BASE64_URL_SAFE_NO_PAD.encode(bytes));
            }
        }
    }

    fn push(&mut self, needle: String) {
        let needle = Secret::from(needle);
        if !self.needles.iter().any(|known| known.expose() == needle.expose()) {
            self.needles.push(needle);
        }
    }
}

/// The length of `needle` at the start of `text`, however each of its characters is written there.
/// At the end of a text that was cut its first characters are enough.
fn found(needle: &Secret, text: &str, cut: bool) -> Option<usize> {
    let mut ends = vec![0];
    let mut next = Vec::new();
    for (matched, wanted) in needle.expose().chars().enumerate() {
        if cut && matched >= SHORTEST && ends.contains(&text.len()) {
            return Some(text.len());
        }
        next.clear();
        for &end in &ends {
            for length in spellings(wanted, &text[end..]) {
                if !next.contains(&(end + length)) {
                    next.push(end + length);
                }
            }
        }
        std::mem::swap(&mut ends, &mut next);
        if ends.is_empty() {
            return None;
        }
    }
    ends.into_iter().max()
}

/// The lengths of all ways in which `wanted` may be written at the start of `text`.
fn spellings(wanted: char, text: &str) -> impl Iterator<Item = usize> {
    let raw = text.starts_with(wanted).then(|| wanted.len_utf8());
    // What no UTF-8 was: a Latin-1 byte sent back as it came.
    let replaced =
        (!wanted.is_ascii() && text.starts_with('\u{fffd}')).then(|| '\u{fffd}'.len_utf8());
    let plus = (wanted == ' ' && text.starts_with('+')).then_some(1);
    let mut buffer = [0; 4];
    let utf8 = percent_encoded(wanted.encode_utf8(&mut buffer).as_bytes(), text);
    let latin1 = (!wanted.is_ascii())
        .then(|| u8::try_from(wanted).ok())
        .flatten()
        .and_then(|byte| percent_encoded(&[byte], text));
    let html = HTML
        .iter()
        .filter(move |(c, _)| *c == wanted)
        .filter_map(|(_, entity)| text.starts_with(entity).then_some(entity.len()));
    [raw, replaced, plus, utf8, latin1, json_escaped(wanted, text)]
        .into_iter()
        .flatten()
        .chain(html)
}

fn percent_encoded(bytes: &[u8], text: &str) -> Option<usize> {
    let text = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .all(|(i, byte)| {
            matches!(text.get(3 * i..3 * i + 3), Some([b'%', high, low])
            if hex(*high).zip(hex(*low)).is_some_and(|(h, l)| h * 16 + l == u32::from(*byte)))
        })
        .then_some(3 * bytes.len())
}

/// JSON's escapes (RFC 8259 §7), also doubled where JSON was quoted in JSON.
fn json_escaped(wanted: char, text: &str) -> Option<usize> {
    let escaped = text.trim_start_matches('\\');
    let slashes = text.len() - escaped.len();
    if slashes == 0 {
        return None;
    }
    let short = match wanted {
        '\u{8}' => 'b',
        '\u{c}' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        // Half of the slashes, or one, are the character itself.
        '\\' => return Some(slashes),
        other => other,
    };
    if escaped.starts_with(short) {
        return Some(slashes + short.len_utf8());
    }
    let mut end = slashes;
    for (i, unit) in wanted.encode_utf16(&mut [0; 2]).iter().enumerate() {
        if i > 0 {
            end += text[end..].len() - text[end..].trim_start_matches('\\').len();
        }
        let digits = text.as_bytes().get(end..end + 5)?.strip_prefix(b"u")?;
        let value = digits.iter().try_fold(0, |value, d| Some(value * 16 + hex(*d)?))?;
        if value != u32::from(*unit) {
            return None;
        }
        end += 5;
    }
    Some(end)
}

fn hex(digit: u8) -> Option<u32> {
    char::from(digit).to_digit(16)
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

const REDACTED: &str = "[redacted]";
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
/// In characters.
const SHORTEST: usize = 6;
/// In bytes: what a message quotes at most.
const LONGEST: usize = 8192;
/// In bytes: no more of an answer is looked at for a message.
const LONGEST_READ: usize = 64 * 1024;
const HTML: [(char, &str); 8] = [
    ('&', "&amp;"),
    ('<', "&lt;"),
    ('>', "&gt;"),
    ('"', "&quot;"),
    ('"', "&#34;"),
    ('\'', "&#39;"),
    ('\'', "&#x27;"),
    ('\'', "&apos;"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn hides(secret: &str, sent: &str) {
        let mut redactor = Redactor::default();
        redactor.hide(secret);
        assert_eq!(redactor.excerpt(&format!("<{sent}>"), false).to_string(), "<[redacted]>");
    }

    #[test]
    fn debug_of_a_redactor_shows_nothing() {
        let mut redactor = Redactor::default();
        redactor.hide("canary-secret");
        assert!(!format!("{redactor:?}").contains("canary"));
    }

    #[test]
    fn a_secret_is_hidden_in_every_spelling() {
        hides("s3cr3t/+=", "s3cr3t/+=");
        hides("s3cr3t/+=", "s3cr3t%2F%2b%3D");
        hides("s3cr3t/+=", "s3cr3t\\/+=");
        hides("two words", "two+words");
        hides("two words", "two%20words");
        hides("say \"hi\"", "say \\\"hi\\\"");
        hides("say \"hi\"", "say \\\\\\\"hi\\\\\\\"");
        hides("back\\slash", "back\\\\slash");
        hides("back\\slash", "back\\slash");
        hides("pässwörd", "p\\u00e4ssw\\u00F6rd");
        hides("pässwörd", "p%C3%A4ssw%c3%b6rd");
        hides("pässwörd", "p%E4ssw%F6rd");
        hides("pässwörd", "p\u{fffd}ssw\u{fffd}rd");
        hides("key\u{1f600}key", "key\\ud83d\\uDE00key");
        hides("Tom&Jerry's", "Tom&amp;Jerry&#39;s");
        hides("100%25sure", "100%25sure");
        hides("100%25sure", "100%2525sure");
        hides("s3cr3t!", "czNjcjN0IQ==");
        hides("??>>??>>", "Pz8-Pj8_Pj4");
        hides("??>>??>>", "Pz8+Pj8/Pj4=");
        hides("??>>??>>", "Pz8%2BPj8%2FPj4");
        hides("trimmed\r\n", "trimmed");
    }

    #[test]
    fn the_base64_of_id_and_secret_is_hidden() {
        let mut redactor = Redactor::default();
        redactor.hide_pair("id", "s3cr3t");
        assert_eq!(redactor.excerpt("Basic aWQ6czNjcjN0.", false).to_string(), "Basic [redacted].");
    }

    #[test]
    fn credentials_are_hidden_without_their_scheme_too() {
        let mut redactor = Redactor::default();
        redactor.hide_header("Bearer abcdef.ghi");
        assert_eq!(redactor.excerpt("token abcdef.ghi!", false).to_string(), "token [redacted]!");
        assert_eq!(redactor.excerpt("Bearer abcdef.ghi!", false).to_string(), "[redacted]!");
    }

    #[test]
    fn a_secret_of_five_characters_is_left_alone() {
        let mut redactor = Redactor::default();
        redactor.hide("token");
        assert_eq!(redactor.excerpt("no token here", false).to_string(), "no token here");
    }

    #[test]
    fn the_start_of_a_secret_at_the_end_of_a_cut_text_is_hidden() {
        let mut redactor = Redactor::default();
        redactor.hide("abcdefghij");
        assert_eq!(redactor.excerpt("x abcdefg", true).to_string(), "x [redacted]");
        assert_eq!(redactor.excerpt("x abcde", true).to_string(), "x abcde");
        assert_eq!(redactor.excerpt("x abcdefg", false).to_string(), "x abcdefg");
    }

    #[test]
    fn text_is_scrubbed_before_it_is_cut() {
        let mut redactor = Redactor::default();
        redactor.hide("canary-secret");
        let text = format!("{}canary-secret", "x".repeat(8185));
        let shown = redactor.excerpt(&text, false).to_string();
        assert_eq!(shown, format!("{}[redact…", "x".repeat(8185)));
    }

    #[test]
    fn the_cut_is_on_a_character_boundary() {
        let redactor = Redactor::default();
        assert_eq!(redactor.excerpt(&"x".repeat(8192), false).to_string(), "x".repeat(8192));
        let shown = redactor.excerpt(&format!("{}é", "x".repeat(8191)), false).to_string();
        assert_eq!(shown, format!("{}…", "x".repeat(8191)));
    }
}
