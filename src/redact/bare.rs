//! A text with no escape left in it, in one pass however deep they were nested.

use super::{
    escape,
    reading::{Place, Reading, ends},
    work,
};

/// `text` without any escape, those made by undoing others included, and without backslashes. Which
/// of those belong together depends on the order in which encoders came; so none is kept, and a line
/// break is the letter of its escape, in a text and in what is sought there.
pub fn bare(text: &Reading) -> Reading {
    let mut bare = Bare { reading: Reading::with_capacity(text.bytes.len()), start: None };
    for (byte, place) in text.bytes.iter().zip(&text.places) {
        bare.push(*byte, *place);
    }
    let bare = bare.reading;
    let mut reading = Reading::with_capacity(bare.bytes.len());
    for (byte, place) in bare.bytes.iter().zip(&bare.places) {
        if *byte != b'\\' {
            reading.push_byte(letter(*byte), *place);
        }
    }
    reading.ends = ends(&bare.bytes).into_iter().map(|end| reading.before(&bare, end)).collect();
    reading
}

struct Bare {
    /// What has been read so far; an escape at its end is undone as soon as it is whole.
    reading: Reading,
    /// The last byte that an escape may begin with.
    start: Option<usize>,
}

impl Bare {
    fn push(&mut self, byte: u8, place: Place) {
        self.reading.push_byte(byte, place);
        if escape::starts(byte) && !self.undo_last() {
            self.start = Some(self.reading.bytes.len() - 1);
        }
        while self.undo_last() || self.drop_backslash() {}
    }

    /// Drops one of no escape before the last byte: it must not part what an earlier one began.
    fn drop_backslash(&mut self) -> bool {
        let [.., b'\\', last] = *self.reading.bytes.as_slice() else { return false };
        if escape::starts(last) || escape::begins(&[b'\\', last]) {
            return false;
        }
        let length = self.reading.bytes.len();
        let place = self.reading.whole(length - 1..length);
        self.reading.truncate(length - 2);
        self.reading.push_byte(last, place);
        self.start = self.last_start();
        true
    }

    /// Undoes the escape at the end, where it has just become whole.
    fn undo_last(&mut self) -> bool {
        let length = self.reading.bytes.len();
        let Some(start) = self.start.filter(|start| length - start <= escape::LONGEST) else {
            return false;
        };
        match self.reading.bytes[start..] {
            [b'&', .., last] if last != b';' => return false,
            [b'\\', last] if last == b'\\' || last.is_ascii_alphabetic() => return false,
            _ => {}
        }
        work::add(1);
        let Some((read, what)) = escape::at(&self.reading.bytes[start..]) else { return false };
        if start + read < length {
            return false;
        }
        let place = self.reading.whole(start..length);
        self.reading.truncate(start);
        self.reading.push(what, place);
        self.start = self.last_start();
        true
    }

    fn last_start(&self) -> Option<usize> {
        let bytes = &self.reading.bytes;
        let earliest = bytes.len().saturating_sub(escape::LONGEST);
        (earliest..bytes.len()).rev().find(|i| escape::starts(bytes[*i]))
    }
}

/// The letter of the escape that stands for `byte`, where there is one.
fn letter(byte: u8) -> u8 {
    match byte {
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0b => b'v',
        0x0c => b'f',
        b'\r' => b'r',
        other => other,
    }
}
