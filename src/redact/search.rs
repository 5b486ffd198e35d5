//! Where the needles stand in a text, in whatever way they are written there.

use std::ops::Range;

use super::{
    SHORTEST,
    automaton::{Automaton, State},
    reading::Reading,
    readings::readings_in_every_order,
    work,
};

/// Where `text` has a needle: as it reads when unescaped, in base64 or in hexadecimal; and where it
/// has a token that nobody knew. Where it was `cut`, the first characters of one at its end count,
/// too. Ranges of whole characters, rising, with something between them.
pub fn secrets(text: &str, cut: bool, automaton: &Automaton) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (depth, reading) in readings_in_every_order(text.as_bytes()).iter().enumerate() {
        let length = text.len();
        let mut search = Search { length, cut, automaton, depth, reading, found: &mut found };
        search.plain();
        search.packed(&BASE64);
        search.packed(&HEXADECIMAL);
        search.tokens();
    }
    merged(text, found)
}

struct Search<'a> {
    length: usize,
    cut: bool,
    automaton: &'a Automaton,
    /// How often the escapes of the text have been undone.
    depth: usize,
    reading: &'a Reading,
    found: &'a mut Vec<Range<usize>>,
}

/// Bytes written in digits of fewer bits.
struct Packing {
    bits: usize,
    /// As many digits as are a whole number of bytes: a secret may begin at any of them.
    phases: usize,
    digit: fn(u8) -> Option<u8>,
}

const BASE64: Packing = Packing { bits: 6, phases: 4, digit: base64_digit };
const HEXADECIMAL: Packing = Packing { bits: 4, phases: 2, digit: hexadecimal_digit };

impl Search<'_> {
    fn plain(&mut self) {
        let mut state = State::default();
        for (i, byte) in self.reading.bytes.iter().enumerate() {
            state = self.automaton.step(state, *byte);
            if state != State::default() {
                self.look(state, i + 1, |length| i + 1 - length);
            }
        }
    }

    /// Each run of digits, read as bytes from each place where a byte may begin.
    fn packed(&mut self, packing: &Packing) {
        let shortest = (SHORTEST * 8).div_ceil(packing.bits);
        let mut run = Vec::new();
        for (i, byte) in self.reading.bytes.iter().enumerate() {
            work::add(1);
            if let Some(digit) = (packing.digit)(*byte) {
                run.push((i, digit));
            } else if !matches!(byte, b'\r' | b'\n') {
                // Base64 may be broken into lines (RFC 2045 §6.8).
                self.run(packing, &run, shortest);
                run.clear();
            }
        }
        self.run(packing, &run, shortest);
    }

    fn run(&mut self, packing: &Packing, run: &[(usize, u8)], shortest: usize) {
        if run.len() < shortest || self.was_seen(run) {
            return;
        }
        for phase in 0..packing.phases {
            let digits = &run[phase..];
            let (mut state, mut bits, mut read, mut bytes) = (State::default(), 0, 0_u16, 0);
            for (i, digit) in digits {
                read = read << packing.bits | u16::from(*digit);
                bits += packing.bits;
                if bits < 8 {
                    continue;
                }
                bits -= 8;
                bytes += 1;
                state = self.automaton.step(state, (read >> bits).to_le_bytes()[0]);
                if state != State::default() {
                    self.look(state, i + 1, |length| digits[(bytes - length) * 8 / packing.bits].0);
                }
            }
            // The bits of a character that the cut has taken the end of.
            if let Some((last, _)) = digits.last() {
                self.look_at_cut(state, last + 1, |l| digits[(bytes - l) * 8 / packing.bits].0);
            }
        }
    }

    /// True for digits that stand in the text as they are: its first reading had them, too.
    fn was_seen(&self, run: &[(usize, u8)]) -> bool {
        let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { return true };
        let place = self.reading.place(*first..last + 1);
        let is_as_written = place.len() == last + 1 - first;
        let ended_there = place.end == self.length || !self.may_be_cut(last + 1);
        self.depth > 0 && is_as_written && ended_there
    }

    /// True from the first place on where a cut may have ended a secret.
    fn may_be_cut(&self, end: usize) -> bool {
        self.cut && self.reading.ends.last().is_some_and(|first| end >= *first)
    }

    /// Notes what has been read of the needles at `end`; `start` says where so many bytes began.
    fn look(&mut self, state: State, end: usize, start: impl Fn(usize) -> usize) {
        let length = self.automaton.found(state);
        if length > 0 {
            let padding = self.reading.bytes[end..].iter().take_while(|byte| **byte == b'=');
            self.note(self.reading.place(start(length)..end + padding.count()));
        }
        self.look_at_cut(state, end, start);
    }

    fn look_at_cut(&mut self, state: State, end: usize, start: impl Fn(usize) -> usize) {
        if !self.may_be_cut(end) {
            return;
        }
        let depth = self.automaton.depth(state);
        if depth >= SHORTEST && self.reading.ends.contains(&end) {
            self.note(self.reading.place(start(depth)..end).start..self.length);
        }
    }

    /// Hides the values of the tokens that an answer carries itself (RFC 6749 §5.1).
    fn tokens(&mut self) {
        let bytes = self.reading.bytes.as_slice();
        let mut at = 0;
        while let Some(next) = bytes[at..].iter().position(|byte| *byte == b'_') {
            let name_end = at + next + SUFFIX.len();
            work::add(next + 1);
            at += next + 1;
            if bytes.get(at - 1..name_end).is_some_and(|b| b.eq_ignore_ascii_case(SUFFIX))
                && PREFIXES.iter().any(|prefix| ends_with(&bytes[..at - 1], prefix))
                && let Some(value) = value(bytes, name_end)
            {
                work::add(value.end - at);
                at = value.end;
                let place = self.reading.place(value.clone());
                if self.cut && value.end == bytes.len() {
                    self.note(place.start..self.length);
                } else if value.len() >= SHORTEST {
                    self.note(place);
                }
            }
        }
    }

    fn note(&mut self, place: Range<usize>) {
        match self.found.last_mut() {
            // A needle of equal characters is found at each of them.
            Some(last) if last.start <= place.start && place.start <= last.end => {
                last.end = last.end.max(place.end);
            }
            _ => self.found.push(place),
        }
    }
}

/// Where the value stands whose name ends at `at`: in quotes behind a colon or `=`, or behind `=`
/// alone as forms have it.
fn value(bytes: &[u8], mut at: usize) -> Option<Range<usize>> {
    let blanks =
        |at: usize| at + bytes[at..].iter().take_while(|b| b.is_ascii_whitespace()).count();
    let is_quote = |at: usize| bytes.get(at).filter(|byte| matches!(byte, b'"' | b'\''));
    if is_quote(at).is_some() {
        at += 1;
    }
    at = blanks(at);
    let separator = *bytes.get(at).filter(|byte| matches!(byte, b':' | b'='))?;
    at = blanks(at + 1);
    if let Some(quote) = is_quote(at) {
        let start = at + 1;
        let mut end = start;
        while let Some(byte) = bytes.get(end).filter(|byte| *byte != quote) {
            end += if *byte == b'\\' { 2 } else { 1 };
        }
        return Some(start..end.min(bytes.len())).filter(|value| !value.is_empty());
    }
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'&,;<>}]".contains(byte);
    let length = bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at);
    (separator == b'=' && length > 0).then_some(at..at + length)
}

fn ends_with(bytes: &[u8], suffix: &[u8]) -> bool {
    let start = bytes.len().saturating_sub(suffix.len());
    bytes[start..].eq_ignore_ascii_case(suffix)
}

/// Both alphabets (RFC 4648 §4, §5).
fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}

fn hexadecimal_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit.to_le_bytes()[0])
}

fn merged(text: &str, mut found: Vec<Range<usize>>) -> Vec<Range<usize>> {
    found.sort_unstable_by_key(|place| place.start);
    let mut merged: Vec<Range<usize>> = Vec::new();
    for place in found {
        let (start, end) =
            (text.floor_char_boundary(place.start), text.ceil_char_boundary(place.end));
        match merged.last_mut() {
            Some(last) if start <= last.end => last.end = last.end.max(end),
            _ => merged.push(start..end),
        }
    }
    merged
}

const PREFIXES: [&[u8]; 3] = [b"access", b"refresh", b"id"];
const SUFFIX: &[u8] = b"_token";
