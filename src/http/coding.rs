//! Content codings undone (RFC 9110 §8.4): bounded, and a slice at a time, so that no answer holds
//! up the calls beside it.

use std::io::{self, BufRead, Read};

use brotli_decompressor::{
    Allocator, BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc,
};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::{HeaderMap, header};
use tokio::task::yield_now;

use super::fault::Reason;

/// Why a body could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreadable {
    TooLong,
    TooManyCodings,
    Corrupt(Coding),
}

impl From<&Unreadable> for Reason {
    fn from(why: &Unreadable) -> Self {
        Self::new(match why {
            Unreadable::TooLong => "the answer is longer than 1 MiB",
            Unreadable::TooManyCodings => "the answer has more than 5 content codings",
            Unreadable::Corrupt(Coding::Gzip) => "the answer is not valid gzip",
            Unreadable::Corrupt(Coding::Deflate) => "the answer is not valid deflate",
            Unreadable::Corrupt(Coding::Brotli) => "the answer is not valid br",
        })
    }
}

/// What an answer may be coded with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

impl Coding {
    /// Words that are no coding (`UTF-8`, `none`, `binary`) are set by mistake, or change nothing.
    fn named(word: &[u8]) -> Option<Self> {
        match word.to_ascii_lowercase().as_slice() {
            b"gzip" | b"x-gzip" => Some(Self::Gzip),
            b"deflate" => Some(Self::Deflate),
            b"br" => Some(Self::Brotli),
            _ => None,
        }
    }

    fn reader<'a>(self, body: &'a mut Slices<'_>) -> Box<dyn Read + Send + 'a> {
        match self {
            Self::Gzip => Box::new(GzDecoder::new(body)),
            // zlib as the standard has it, raw deflate as some servers send it.
            Self::Deflate if body.rest.first().is_some_and(|first| first & 0x0f == 8) => {
                Box::new(ZlibDecoder::new(body))
            }
            Self::Deflate => Box::new(DeflateDecoder::new(body)),
            Self::Brotli => Box::new(BrotliDecoder::new(body)),
        }
    }
}

/// The codings that an answer names, in the order they were applied; at most as many as `fetch`
/// takes.
pub(super) fn codings(headers: &HeaderMap) -> Result<Vec<Coding>, Unreadable> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter();
    let words = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let codings = words.filter_map(|word| Coding::named(word.trim_ascii()));
    let codings: Vec<_> = codings.take(MOST_CODINGS + 1).collect();
    if codings.len() > MOST_CODINGS { Err(Unreadable::TooManyCodings) } else { Ok(codings) }
}

/// Undoes `codings`, giving at most `limit` bytes. A failure comes with what could be decoded, or
/// what could not.
pub(super) async fn decode(
    mut body: Vec<u8>,
    codings: &[Coding],
    limit: usize,
) -> Result<Vec<u8>, (Unreadable, Vec<u8>)> {
    for coding in codings.iter().rev() {
        let mut decoded = Vec::new();
        match undo(*coding, &body, &mut decoded, limit).await {
            Ok(()) => body = decoded,
            Err(why) if decoded.is_empty() => return Err((why, body)),
            Err(why) => return Err((why, decoded)),
        }
    }
    Ok(body)
}

async fn undo(
    coding: Coding,
    body: &[u8],
    decoded: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Unreadable> {
    let mut body = Slices { rest: body, open: body.len().min(SLICE_OF_BODY) };
    let mut out = vec![0; SLICE_OF_TEXT];
    let is = |error: &io::Error, kind| error.kind() == kind;
    while !body.rest.is_empty() {
        let mut reader = coding.reader(&mut body);
        loop {
            match reader.read(&mut out) {
                Ok(0) => break,
                Ok(read) => decoded.extend_from_slice(&out[..read]),
                Err(e) if is(&e, io::ErrorKind::WouldBlock) => {}
                // Taken as far as it goes, as `fetch` does: that the answer is whole is known from
                // its framing.
                Err(e) if is(&e, io::ErrorKind::UnexpectedEof) && !decoded.is_empty() => {
                    return Ok(());
                }
                Err(e) if is(&e, io::ErrorKind::OutOfMemory) => return Err(Unreadable::TooLong),
                Err(_) => return Err(Unreadable::Corrupt(coding)),
            }
            if decoded.len() > limit {
                decoded.truncate(limit);
                return Err(Unreadable::TooLong);
            }
            yield_now().await;
        }
        drop(reader);
        // Members follow one another (RFC 1952 §2.2); what follows them and is none is ignored.
        if coding != Coding::Gzip || !body.rest.starts_with(&[0x1f, 0x8b]) {
            break;
        }
        yield_now().await;
    }
    Ok(())
}

/// A body that is read slice by slice: at the end of each it reports once that it would block.
struct Slices<'a> {
    rest: &'a [u8],
    /// How much may be read before that.
    open: usize,
}

impl BufRead for Slices<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.open == 0 && !self.rest.is_empty() {
            self.open = self.rest.len().min(SLICE_OF_BODY);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(&self.rest[..self.open])
    }

    fn consume(&mut self, amount: usize) {
        self.rest = &self.rest[amount..];
        self.open -= amount;
    }
}

impl Read for Slices<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
}

/// The crate's own reader tells neither a cut stream nor one with bytes behind it from a bad one.
struct BrotliDecoder<R> {
    body: R,
    state: BrotliState<Bounded, StandardAlloc, StandardAlloc>,
}

/// Refuses a window that no answer needs which is short enough: its size is that of what has been
/// decoded and of the block that begins, and a peer may announce 16 MiB of that in ten bytes.
#[derive(Default)]
struct Bounded {
    alloc: StandardAlloc,
    has_refused: bool,
}

impl Allocator<u8> for Bounded {
    type AllocatedMemory = <StandardAlloc as Allocator<u8>>::AllocatedMemory;

    fn alloc_cell(&mut self, length: usize) -> Self::AllocatedMemory {
        self.has_refused |= length > LARGEST_WINDOW;
        if self.has_refused {
            Self::AllocatedMemory::default()
        } else {
            self.alloc.alloc_cell(length)
        }
    }

    fn free_cell(&mut self, cell: Self::AllocatedMemory) {
        self.alloc.free_cell(cell);
    }
}

impl<R: BufRead> BrotliDecoder<R> {
    fn new(body: R) -> Self {
        let other = StandardAlloc::default;
        Self { body, state: BrotliState::new_strict(Bounded::default(), other(), other()) }
    }
}

impl<R: BufRead> Read for BrotliDecoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            let body = self.body.fill_buf()?;
            let (mut unread, mut read, mut room, mut written) = (body.len(), 0, out.len(), 0);
            let is_over = body.is_empty();
            let result = BrotliDecompressStream(
                &mut unread,
                &mut read,
                body,
                &mut room,
                &mut written,
                out,
                &mut 0,
                &mut self.state,
            );
            self.body.consume(read);
            if written > 0 {
                return Ok(written);
            }
            match result {
                BrotliResult::ResultSuccess => return Ok(0),
                BrotliResult::ResultFailure if self.state.alloc_u8.has_refused => {
                    return Err(io::ErrorKind::OutOfMemory.into());
                }
                BrotliResult::ResultFailure => return Err(io::ErrorKind::InvalidData.into()),
                BrotliResult::NeedsMoreInput if is_over => {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
            }
        }
    }
}

/// As for `fetch`, which read more of them as an attack.
const MOST_CODINGS: usize = 5;
/// In bytes: the 1 MiB of an answer, and what the decoder wants beside it.
const LARGEST_WINDOW: usize = 1024 * 1024 + 4096;
/// In bytes, at a time.
const SLICE_OF_BODY: usize = 1024;
const SLICE_OF_TEXT: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::{
        future::Future as _,
        io::Write as _,
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use flate2::{
        Compression,
        write::{DeflateEncoder, GzEncoder, ZlibEncoder},
    };
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn gzip(body: impl AsRef<[u8]>) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body.as_ref()).unwrap();
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

    /// `{"token":"t"}` as Node's `brotliCompressSync` makes it.
    const BROTLI: &[u8] = b"\x0b\x06\x80{\"token\":\"t\"}\x03";

    fn named(words: &[&str]) -> Result<Vec<Coding>, Unreadable> {
        let line = |word: &&str| HeaderValue::from_str(word).unwrap();
        let lines = words.iter().map(|word| (header::CONTENT_ENCODING, line(word)));
        codings(&lines.collect::<HeaderMap>())
    }

    /// What becomes of a body, and how often it let others go first.
    fn counted(body: impl AsRef<[u8]>, words: &[&str]) -> (Result<Vec<u8>, Unreadable>, usize) {
        let codings = named(words).unwrap();
        let mut decoded = pin!(decode(body.as_ref().to_vec(), &codings, 1024 * 1024));
        let mut context = Context::from_waker(Waker::noop());
        for turns in 0.. {
            if let Poll::Ready(result) = decoded.as_mut().poll(&mut context) {
                return (result.map_err(|(why, _)| why), turns);
            }
        }
        unreachable!()
    }

    fn decoded(body: impl AsRef<[u8]>, words: &[&str]) -> Result<Vec<u8>, Unreadable> {
        counted(body, words).0
    }

    #[test]
    fn known_codings_are_undone() {
        assert_eq!(decoded(gzip("{}"), &["gzip"]).unwrap(), b"{}");
        assert_eq!(decoded(gzip("{}"), &[" X-GZip\t"]).unwrap(), b"{}");
        assert_eq!(decoded(zlib(b"{}"), &["deflate"]).unwrap(), b"{}");
        assert_eq!(decoded(deflate(b"{}"), &["deflate"]).unwrap(), b"{}");
        assert_eq!(decoded(BROTLI, &["br"]).unwrap(), b"{\"token\":\"t\"}");
        assert_eq!(decoded(gzip(zlib(b"{}")), &["deflate, gzip"]).unwrap(), b"{}");
        assert_eq!(decoded(gzip(zlib(b"{}")), &["deflate", "gzip"]).unwrap(), b"{}");
        assert_eq!(decoded(WORDS, &["br"]).unwrap().len(), 98);
        assert_eq!(decoded(Vec::new(), &["gzip"]).unwrap(), b"");
    }

    #[test]
    fn other_words_are_skipped() {
        for word in ["identity", "", "UTF-8", "none", "zstd", "gzip;q=1", "a, b, c, d, e, f, g"] {
            assert_eq!(decoded(b"{}", &[word]).unwrap(), b"{}", "{word}");
            assert_eq!(decoded(gzip("{}"), &[word, "gzip", word]).unwrap(), b"{}", "{word}");
        }
    }

    #[test]
    fn more_than_five_codings_are_an_error_before_any_work() {
        let nested = (0..5).fold(b"{}".to_vec(), |body, _| gzip(body));
        assert_eq!(decoded(nested, &["gzip, gzip, gzip, none, gzip", "gzip"]).unwrap(), b"{}");
        let error = named(&["gzip,".repeat(700).as_str()]).unwrap_err();
        let reason = "the answer has more than 5 content codings";
        assert_eq!(Reason::from(&error).to_string(), reason);
    }

    #[test]
    fn members_are_joined_and_what_follows_is_ignored() {
        let two = [gzip("{"), gzip("}"), b"\r\n".to_vec()].concat();
        assert_eq!(decoded(two, &["gzip"]).unwrap(), b"{}");
        let empty_first = [gzip(""), gzip("{}")].concat();
        assert_eq!(decoded(empty_first, &["gzip"]).unwrap(), b"{}");
        assert_eq!(decoded([BROTLI, b"\r\n"].concat(), &["br"]).unwrap(), b"{\"token\":\"t\"}");
    }

    #[test]
    fn a_stream_without_its_end_is_taken_as_far_as_it_goes() {
        let whole = gzip("{\"token\":\"t\"}");
        let cut = &whole[..whole.len() - 8];
        assert_eq!(decoded(cut, &["gzip"]).unwrap(), b"{\"token\":\"t\"}");
        let cut = &BROTLI[..BROTLI.len() - 1];
        assert_eq!(decoded(cut, &["br"]).unwrap(), b"{\"token\":\"t\"}");
    }

    #[test]
    fn what_is_not_in_its_coding_is_refused() {
        let json = b"{\"token\":1}";
        assert_eq!(decoded(json, &["gzip"]), Err(Unreadable::Corrupt(Coding::Gzip)));
        assert_eq!(decoded(json, &["br"]), Err(Unreadable::Corrupt(Coding::Brotli)));
        assert_eq!(decoded(&gzip("{}")[..5], &["gzip"]), Err(Unreadable::Corrupt(Coding::Gzip)));
        assert_eq!(decoded(b"\x07{}", &["deflate"]), Err(Unreadable::Corrupt(Coding::Deflate)));
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let exact = gzip(vec![b' '; 1024 * 1024]);
        assert_eq!(decoded(exact, &["gzip"]).unwrap().len(), 1024 * 1024);
        let bomb = gzip(vec![b' '; 1024 * 1024 + 1]);
        assert_eq!(decoded(bomb, &["gzip"]), Err(Unreadable::TooLong));
        let members = gzip(vec![b' '; 600_000]).repeat(2);
        assert_eq!(decoded(members, &["gzip"]), Err(Unreadable::TooLong));
    }

    #[test]
    fn a_window_of_more_than_the_limit_is_refused() {
        // 1 MiB of zeros, and one more, in a block each, as Node's `brotliCompressSync` has them.
        let exact = b"\x5f\xff\xff\x8f\x7f\x02\x20\x1e\x0b\x04\x72\xef\x1f\0";
        assert_eq!(decoded(exact, &["br"]).unwrap().len(), 1024 * 1024);
        let more = b"\x9f\0\0\x10\xf8\x27\0\xe2\xb1\x40\x40\xf7\xfe\x01";
        assert_eq!(decoded(more, &["br"]), Err(Unreadable::TooLong));
        let mut decoder = BrotliDecoder::new(more.as_slice());
        assert_eq!(decoder.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::OutOfMemory);
        // A large window, which only a decoder that asks for it takes, of 1 GiB; and nothing in it.
        assert_eq!(decoded(b"\x11\xde", &["br"]), Err(Unreadable::Corrupt(Coding::Brotli)));
    }

    // D14
    #[test]
    fn no_more_than_a_slice_is_done_at_a_time() {
        let (text, turns) = counted(gzip(vec![b' '; 1024 * 1024]), &["gzip"]);
        assert_eq!(text.unwrap().len(), 1024 * 1024);
        assert!(turns >= 1024 * 1024 / SLICE_OF_TEXT, "{turns}");
        // Nothing comes of these, so only what goes in can be counted.
        let nothing = gzip("").repeat(50_000);
        let (text, turns) = counted(&nothing, &["gzip"]);
        assert_eq!(text.unwrap(), b"");
        assert!(turns >= nothing.len() / SLICE_OF_BODY, "{turns}");
        let blocks = [b"\0\0\0\xff\xff".repeat(200_000), b"\x03\0".to_vec()].concat();
        let (text, turns) = counted(&blocks, &["deflate"]);
        assert_eq!(text.unwrap(), b"");
        assert!(turns >= blocks.len() / SLICE_OF_BODY, "{turns}");
    }

    /// 98 bytes of English, in words of brotli's own dictionary.
    const WORDS: &[u8] =
        b"\x1ba\x00\x80\x8c\xd4b\xcd\x19\xee\x94\x22t{\xa9\xc3\xd2\xe7\x01\x17\x1fD\x91\
        \xc3\x9cI\xb01v~\x9eh\x84^\x91\x1f\x09\xb4\x90\xaf1r\xfc\xbc\xd4\xc0\x1d +\x03";

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn damaged_bodies_end(
            word in prop::sample::select(vec!["gzip", "deflate", "br"]),
            flips in prop::collection::vec((0..50_usize, any::<u8>()), 0..4),
            rest in prop::collection::vec(any::<u8>(), 0..40),
            cut in 0..90_usize,
        ) {
            let mut body = match word {
                "gzip" => gzip("{\"token\":\"t\"}".repeat(9)),
                "deflate" => zlib(b"the time of the people"),
                _ => WORDS.to_vec(),
            };
            for (at, byte) in flips {
                let at = at % body.len();
                body[at] = byte;
            }
            body.extend(rest);
            body.truncate(cut);
            let (text, turns) = counted(&body, &[word]);
            prop_assert!(text.map_or(0, |text| text.len()) <= 1024 * 1024);
            prop_assert!(turns < 2_000);
        }
    }
}
