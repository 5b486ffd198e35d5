//! A text as it reads when its escapes are undone, and where each of its bytes stood.

use std::ops::Range;

use zeroize::Zeroizing;

use super::{
    escape::{self, Unescaped},
    work,
};

/// A text at one depth of unescaping.
pub struct Reading {
    /// The text: UTF-8, but for bytes that an escape named and for halves of surrogate pairs.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Where each byte stood in the text, in bytes.
    pub places: Vec<Place>,
    /// Where a secret may stop that a cut has taken the end of: at the text's own end, and before
    /// what the cut has left of an escape. Falling.
    pub ends: Vec<usize>,
}

/// Where a byte stood: all of what it was read from.
#[derive(Clone, Copy)]
pub struct Place {
    start: u32,
    end: u32,
}

impl Reading {
    /// The text as it stands.
    pub fn new(text: &[u8]) -> Self {
        let mut reading = Self::with_capacity(text.len());
        for (i, byte) in text.iter().enumerate() {
            let start = u32::try_from(i).unwrap_or(u32::MAX);
            reading.push_byte(*byte, Place { start, end: start + 1 });
        }
        reading.ends = ends(&reading.bytes);
        reading
    }

    /// An escape is never shorter than what it stands for, so that nothing grows later: what a
    /// growing `Vec` leaves behind is not zeroed.
    pub fn with_capacity(length: usize) -> Self {
        let bytes = Zeroizing::new(Vec::with_capacity(length));
        Self { bytes, places: Vec::with_capacity(length), ends: Vec::new() }
    }

    /// Where these bytes stood in the text.
    pub fn place(&self, bytes: Range<usize>) -> Range<usize> {
        let last = bytes.end.saturating_sub(1).max(bytes.start);
        self.places[bytes.start].start as usize..self.places[last].end as usize
    }

    /// Where the place of `other` is in this reading of the same text.
    pub fn before(&self, other: &Self, end: usize) -> usize {
        let place = other.places.get(end).map_or(u32::MAX, |place| place.start);
        self.places.partition_point(|own| own.start < place)
    }

    pub fn is_same(&self, other: &Self) -> bool {
        self.bytes == other.bytes && self.ends == other.ends
    }

    /// The same with the escapes that begin with one of these undone once; `None` where it has
    /// none.
    pub fn unescaped(&self, starts: &[u8]) -> Option<Self> {
        if !self.bytes.iter().any(|byte| starts.contains(byte)) {
            return None;
        }
        let mut next = Self::with_capacity(self.bytes.len());
        let mut i = 0;
        while let Some(&byte) = self.bytes.get(i) {
            work::add(1);
            if starts.contains(&byte)
                && let Some((length, what)) = escape::at(&self.bytes[i..])
            {
                next.push(what, self.whole(i..i + length));
                i += length;
            } else {
                next.push_byte(byte, self.places[i]);
                i += 1;
            }
        }
        next.ends = ends(&next.bytes);
        (next.bytes.len() < self.bytes.len()).then_some(next)
    }

    pub fn whole(&self, bytes: Range<usize>) -> Place {
        Place { start: self.places[bytes.start].start, end: self.places[bytes.end - 1].end }
    }

    pub fn push(&mut self, what: Unescaped, place: Place) {
        let char = match what {
            Unescaped::Byte(byte) => return self.push_byte(byte, place),
            // Half of a surrogate pair, as UTF-8 would have it.
            Unescaped::Point(point @ 0xd800..0xe000) => {
                let [second, third] = [point >> 6, point].map(|p| 0x80 | p.to_le_bytes()[0] & 0x3f);
                return [0xed, second, third].into_iter().for_each(|b| self.push_byte(b, place));
            }
            Unescaped::Point(point) => char::from_u32(point).unwrap_or(REPLACEMENT),
        };
        self.push_char(char, place);
    }

    pub fn push_byte(&mut self, byte: u8, place: Place) {
        self.bytes.push(byte);
        self.places.push(place);
        if let [.., 0xed, second @ 0xb0..0xc0, third] = *self.bytes.as_slice()
            && let Some(high) = high_half(&self.bytes[..self.bytes.len() - 3])
        {
            let start = self.bytes.len() - 6;
            let place = self.whole(start..start + 6);
            let low = u32::from(second & 0x0f) << 6 | u32::from(third & 0x3f);
            self.truncate(start);
            let point = 0x1_0000 + (high << 10) + low;
            self.push_char(char::from_u32(point).unwrap_or(REPLACEMENT), place);
        }
    }

    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
        self.places.truncate(length);
    }

    fn push_char(&mut self, char: char, place: Place) {
        let mut buffer = [0; 4];
        let bytes = char.encode_utf8(&mut buffer).as_bytes();
        self.bytes.extend_from_slice(bytes);
        self.places.extend(std::iter::repeat_n(place, bytes.len()));
    }
}

/// What the first half of a surrogate pair at the end of `bytes` says.
fn high_half(bytes: &[u8]) -> Option<u32> {
    let [.., 0xed, second @ 0xa0..0xb0, third] = bytes else { return None };
    Some(u32::from(second & 0x0f) << 6 | u32::from(third & 0x3f))
}

pub fn ends(bytes: &[u8]) -> Vec<usize> {
    let mut ends = vec![bytes.len()];
    while ends.len() < MOST_NESTED
        && let Some(end) = ends.last().and_then(|end| before_cut_escape(&bytes[..*end]))
    {
        ends.push(end);
    }
    ends
}

/// Where the escape begins that `bytes` end inside of.
fn before_cut_escape(bytes: &[u8]) -> Option<usize> {
    if bytes.ends_with("\u{fffd}".as_bytes()) || high_half(bytes).is_some() {
        return Some(bytes.len() - 3);
    }
    let earliest = bytes.len().saturating_sub(escape::LONGEST);
    let start = (earliest..bytes.len()).rev().find(|i| escape::starts(bytes[*i]))?;
    let rest = &bytes[start..];
    (escape::begins(rest) && escape::at(rest).is_none()).then_some(start)
}

const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;
/// Escapes that a cut may have gone through at once, each inside the next.
const MOST_NESTED: usize = 8;
