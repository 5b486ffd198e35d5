//! What may be quoted of a peer: [`Excerpt`], the only form in which its bytes enter an error, and
//! the [`Redactor`] that makes it.
//!
//! A text is compared as it reads when its escapes are undone (`reading`), by one search for all
//! secrets (`search`, `automaton`); `known` says what of a call is one. The work is linear in both.

mod automaton;
mod bare;
mod escape;
#[cfg(test)]
mod fuzz;
mod known;
mod reading;
mod readings;
mod search;
mod work;

use std::{fmt, ops::Range};

use url::Url;
use zeroize::Zeroizing;

use self::{automaton::Automaton, known::Known, readings::readings};
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

    /// True when nothing can be read in it.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.0.trim().is_empty()
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What one call was made with. It only holds on to it until something is quoted.
///
/// A secret shorter than 6 characters would hide ordinary words and is left alone.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    known: Vec<Known>,
}

impl Redactor {
    /// Hides `secret`.
    pub fn hide(&mut self, secret: &Secret) {
        self.known.push(Known::Text(secret.clone()));
    }

    /// Hides `secret`, and all of `id:secret` (RFC 7617 §2).
    pub fn hide_pair(&mut self, id: &str, secret: &Secret) {
        self.known.push(Known::Pair(id.to_owned().into(), secret.clone()));
    }

    /// Hides a header's value, and what of it stands behind a scheme or a name, in a cookie, in a
    /// list, in Basic credentials or in a JWT.
    pub fn hide_header(&mut self, value: &Secret) {
        self.known.push(Known::Header(value.clone()));
    }

    /// Hides the values of a query and the long segments of a path.
    pub fn hide_url(&mut self, url: &Url) {
        self.known.push(Known::Url(url.as_str().to_owned().into()));
    }

    /// `text` with every hidden secret replaced by `[redacted]`, then cut at 8,192 bytes. Where
    /// `cut` says that the text may have been cut inside a secret, the first characters of one at
    /// its end are hidden too.
    #[must_use]
    pub fn excerpt(&self, text: &str, cut: bool) -> Excerpt {
        let read = &text[..text.floor_char_boundary(LONGEST_READ)];
        if read.is_empty() {
            return Excerpt::default();
        }
        let Some(needles) = self.needles(read.len()) else {
            return Excerpt(REDACTED.to_owned());
        };
        let cut = cut || read.len() < text.len();
        let secrets = search::secrets(read, cut, &Automaton::new(&needles));
        Excerpt(quoted(read, &secrets))
    }

    /// What is sought in a text of this length; `None` where it is more than can be.
    fn needles(&self, longest: usize) -> Option<Vec<Zeroizing<Vec<u8>>>> {
        let mut needles = Needles { found: Vec::new(), room: MOST_KNOWN, longest };
        for known in &self.known {
            known.parts(&mut |part| needles.add(part));
            if needles.room == 0 {
                return None;
            }
        }
        Some(needles.found)
    }
}

struct Needles {
    found: Vec<Zeroizing<Vec<u8>>>,
    room: usize,
    longest: usize,
}

impl Needles {
    fn add(&mut self, part: &str) {
        if self.room == 0 {
            return;
        }
        let part = part.trim_matches(BLANKS);
        // Base64 goes without its padding, too.
        let bare = part.trim_end_matches('=');
        let part = if is_long(bare.as_bytes()) { bare } else { part };
        self.push(part.as_bytes());
        if part.is_ascii() {
            return;
        }
        // As a header has it, and as what came of it where UTF-8 was expected.
        if let Some(bytes) = latin1(part) {
            self.push(&bytes);
            self.push(lossy(&bytes).as_bytes());
        }
    }

    /// Each way to read it: what is left of a text when all is unescaped knows no backslash.
    fn push(&mut self, part: &[u8]) {
        let has_escapes = part.iter().any(|byte| escape::starts(*byte));
        // A longer one than the text is not in it; its beginning may be.
        let longest = if has_escapes { LONGEST_READ } else { self.longest + 1 };
        for mut reading in readings(&part[..part.len().min(longest)]) {
            reading.bytes.truncate(self.longest + 1);
            self.room = self.room.saturating_sub(reading.bytes.len() + EACH);
            if self.room > 0 && is_long(&reading.bytes) {
                self.found.push(reading.bytes);
            }
        }
    }
}

fn latin1(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(text.len()));
    for c in text.chars() {
        bytes.push(u8::try_from(c).ok()?);
    }
    Some(bytes)
}

/// As `String::from_utf8_lossy` has it, in memory that does not grow.
fn lossy(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(3 * bytes.len()));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

fn is_long(text: &[u8]) -> bool {
    str::from_utf8(text).map_or(text.len(), |text| text.chars().count()) >= SHORTEST
}

fn quoted(text: &str, secrets: &[Range<usize>]) -> String {
    let mut out = String::new();
    let mut end = 0;
    for secret in secrets {
        out.push_str(&text[end..secret.start]);
        out.push_str(REDACTED);
        end = secret.end;
    }
    out.push_str(&text[end..]);
    if out.len() > LONGEST {
        out.truncate(out.floor_char_boundary(LONGEST));
        out.push('…');
    }
    out
}

const REDACTED: &str = "[redacted]";
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];
/// In characters.
const SHORTEST: usize = 6;
/// In bytes: what an error quotes at most.
const LONGEST: usize = 8192;
/// In bytes: no more of an answer is looked at for an error.
const LONGEST_READ: usize = 64 * 1024;
/// In bytes, of all that is sought: it bounds the time. Where there is more, nothing is quoted.
const MOST_KNOWN: usize = 256 * 1024;
/// What one counts for beside its length.
const EACH: usize = 32;

#[cfg(test)]
mod tests;
