//! The head of an answer, mended in place before hyper reads it: hyper is stricter than `fetch`.
//!
//! Header lines that nobody here reads lose their names, and hyper skips lines without a name. So
//! their number has no bound but that of the head's bytes: hyper takes a hundred lines, or makes
//! room for as many as it is told to at every answer, used or not (3 µs for 2,000). Versions that
//! are no `HTTP/1.1` become that one.

use memchr::memchr;

/// The headers that are read, by hyper or by us. Others do not reach `http::Response`.
const READ: [&str; 8] = [
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "keep-alive",
    "location",
    "retry-after",
    "transfer-encoding",
];
const LONGEST_NAME: usize = "transfer-encoding".len();
/// Which lengths their names have.
const LENGTHS: u32 = {
    let (mut lengths, mut i) = (0, 0);
    while i < READ.len() {
        lengths |= 1 << READ[i].len();
        i += 1;
    }
    lengths
};
const ALL: u8 = u8::MAX >> (8 - READ.len());
/// In bytes. Node's `fetch` takes 16 KiB, Bun's more than 100 KB.
const LONGEST_HEAD: usize = 256 * 1024;

/// How far the bytes of an answer have come.
#[derive(Default)]
pub(super) struct Head {
    at: At,
    /// The status, as far as it is known.
    status: u16,
    is_old: bool,
    /// In bytes, as far as it came.
    length: usize,
}

enum At {
    /// Behind that many bytes of the status line.
    Status(usize),
    /// At the beginning of a header line.
    Line,
    /// Behind that many bytes of a name, which may become these of [`READ`].
    Name(usize, u8),
    /// In the rest of a line.
    Rest,
    /// Behind the head, or in bytes that are no head.
    Behind,
}

impl Default for At {
    fn default() -> Self {
        Self::Status(0)
    }
}

impl Head {
    /// Whether the answer's version is another than `HTTP/1.1`.
    pub fn is_old(&self) -> bool {
        self.is_old
    }

    /// Whether it is longer than any honest head.
    pub fn is_too_long(&self) -> bool {
        self.length > LONGEST_HEAD
    }

    /// Mends the next bytes of the answer. Those that may be part of its body stay as they are.
    pub fn mend(&mut self, mut bytes: &mut [u8]) {
        while !matches!(self.at, At::Behind) {
            if matches!(self.at, At::Status(0))
                && let Some(status) = usual_status(bytes)
            {
                (self.status, self.at) = (status, At::Rest);
            } else if matches!(self.at, At::Line) && is_read(bytes) {
                self.at = At::Rest;
            }
            if matches!(self.at, At::Rest) {
                let end = memchr(b'\n', bytes);
                self.length += end.unwrap_or(bytes.len());
                let Some(end) = end else { return };
                bytes = &mut bytes[end..];
            }
            let Some((byte, rest)) = bytes.split_first_mut() else { return };
            self.length += 1;
            self.at = match (&self.at, *byte) {
                // Empty lines before an answer are skipped by hyper.
                (At::Status(0), b'\r' | b'\n') => At::Status(0),
                (At::Status(_) | At::Name(..) | At::Rest, b'\n') | (At::Line, b'\r') => At::Line,
                (At::Status(seen), _) => self.status_line(*seen, byte),
                (At::Line, b'\n') => self.end(),
                // Part of the line before.
                (At::Line, b' ' | b'\t') | (At::Name(..), b'\r') | (At::Rest, _) => At::Rest,
                (At::Line, _) => name(0, ALL, byte),
                (At::Behind, _) => return,
                (At::Name(length, possible), _) => name(*length, *possible, byte),
            };
            bytes = rest;
        }
    }

    fn status_line(&mut self, seen: usize, byte: &mut u8) -> At {
        match (seen, *byte) {
            (0..5, _) if *byte != b"HTTP/"[seen] => return At::Behind,
            (5 | 7, b'0' | b'2'..=b'9') => {
                self.is_old = true;
                *byte = b'1';
            }
            (9..12, b'0'..=b'9') => self.status = self.status * 10 + u16::from(*byte - b'0'),
            (12.., _) => return At::Rest,
            _ => {}
        }
        At::Status(seen + 1)
    }

    /// What follows the head: of an interim answer the next head.
    fn end(&mut self) -> At {
        let status = std::mem::take(&mut self.status);
        if !(100..200).contains(&status) {
            return At::Behind;
        }
        self.length = 0;
        At::Status(0)
    }
}

/// The status of a line that begins as nearly all do; other lines are read byte by byte.
fn usual_status(line: &[u8]) -> Option<u16> {
    let digits = line.strip_prefix(b"HTTP/1.1 ")?.first_chunk::<3>()?;
    let is_number = digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |status, digit| status * 10 + u16::from(digit - b'0')))
}

/// Whether `line` begins with one of [`READ`], as most lines that reach it do: `name` takes it byte
/// by byte, which costs six times as much.
fn is_read(line: &[u8]) -> bool {
    let start = &line[..line.len().min(LONGEST_NAME + 1)];
    memchr(b':', start).is_some_and(|end| {
        LENGTHS & (1 << end) != 0
            && READ.iter().any(|name| name.as_bytes().eq_ignore_ascii_case(&line[..end]))
    })
}

/// Takes one more byte of a name, or spoils it where the name is none of [`READ`] now.
fn name(length: usize, possible: u8, byte: &mut u8) -> At {
    let names = || READ.iter().enumerate().filter(move |(i, _)| possible & (1 << i) != 0);
    if matches!(byte, b':' | b' ' | b'\t') && names().any(|(_, name)| name.len() == length) {
        return At::Rest;
    }
    let lower = byte.to_ascii_lowercase();
    let fits = |name: &str| name.as_bytes().get(length) == Some(&lower);
    let possible = names().filter(|(_, name)| fits(name)).fold(0, |set, (i, _)| set | 1 << i);
    if possible == 0 {
        // No character of a name (RFC 9110 §5.6.2).
        *byte = b'(';
        return At::Rest;
    }
    At::Name(length + 1, possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `answer` becomes, fed in pieces of each size.
    fn mended(answer: &str) -> String {
        let by = |size: usize| {
            let mut bytes = answer.as_bytes().to_vec();
            let mut head = Head::default();
            bytes.chunks_mut(size).for_each(|piece| head.mend(piece));
            String::from_utf8(bytes).unwrap()
        };
        let whole = by(answer.len());
        for size in 1..answer.len() {
            assert_eq!(by(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn lines_that_are_read_stay_in_any_case() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length : 2\r\n\
            TRANSFER-ENCODING\t: chunked\r\nLocation:\r\n /x\r\nKeep-Alive:timeout=5\n\r\n{}";
        assert_eq!(mended(answer), answer);
    }

    #[test]
    fn other_lines_lose_their_names() {
        let answer = "HTTP/1.1 200 OK\r\nDate: x\r\nContent: a\r\nContent-Lengths: 3\r\nC\r\n\
            : a\r\n\r\nDate: body";
        let expected = "HTTP/1.1 200 OK\r\n(ate: x\r\nContent( a\r\nContent-Length(: 3\r\nC\r\n\
            ( a\r\n\r\nDate: body";
        assert_eq!(mended(answer), expected);
    }

    #[test]
    fn folded_lines_stay() {
        let answer = "HTTP/1.1 200 OK\nLocation: a\n b\n\tc\n\n";
        assert_eq!(mended(answer), answer);
    }

    #[test]
    fn the_head_behind_an_interim_one_is_mended_too() {
        let interim = "\r\nHTTP/1.1 103 x\r\nLink: a\r\n\r\nHTTP/1.1 199\r\n\r\n";
        let answer = format!("{interim}HTTP/1.1 200 OK\r\nDate: x\r\n\r\nA: b");
        let expected = interim.replace("Link", "L(nk") + "HTTP/1.1 200 OK\r\n(ate: x\r\n\r\nA: b";
        assert_eq!(mended(&answer), expected);
    }

    #[test]
    fn other_versions_are_read_as_1_1_and_remembered() {
        for (version, is_old) in [("1.1", false), ("1.0", true), ("0.9", true), ("2.0", true)] {
            let mut answer = format!("HTTP/{version} 200 OK\r\n\r\n").into_bytes();
            let mut head = Head::default();
            head.mend(&mut answer);
            assert_eq!(answer, b"HTTP/1.1 200 OK\r\n\r\n", "{version}");
            assert_eq!(head.is_old(), is_old, "{version}");
        }
    }

    #[test]
    fn a_head_is_measured_and_interim_ones_and_bodies_are_not() {
        let is_too_long = |more: usize, size: usize| {
            let start = b"HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 OK\r\nA: ".to_vec();
            let value = vec![b'a'; LONGEST_HEAD - b"HTTP/1.1 200 OK\r\nA: \r\n\r\n".len() + more];
            let end = [b"\r\n\r\n".to_vec(), vec![b' '; LONGEST_HEAD]].concat();
            let mut head = Head::default();
            let mut answer = [start, value, end].concat();
            answer.chunks_mut(size).for_each(|piece| head.mend(piece));
            head.is_too_long()
        };
        for size in [1, 1_000, 10_000_000] {
            assert!(!is_too_long(0, size));
            assert!(is_too_long(1, size));
        }
    }

    #[test]
    fn what_is_no_http_stays() {
        for answer in
            ["SSH-2.0-OpenSSH_9.6\r\nDate: x\r\n", "{\"token\":\"t\"}\nA: b", "HTTP 1\nA:"]
        {
            assert_eq!(mended(answer), answer);
        }
    }
}
