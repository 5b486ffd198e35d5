//! All the ways in which a text may read.

use super::{bare::bare, escape, reading::Reading};

/// `text` as it stands, with all its escapes undone once, twice, up to [`DEEPEST`] times, and as
/// often as there are any: the last reading holds what only some encoders have touched.
pub fn readings(text: &[u8]) -> Vec<Reading> {
    let mut readings = vec![Reading::new(text)];
    if !text.iter().any(|byte| escape::starts(*byte)) {
        return readings;
    }
    while readings.len() <= DEEPEST
        && let Some(next) = readings.last().and_then(|last| last.unescaped(b"%\\&"))
    {
        readings.push(next);
    }
    let bare = bare(&readings[0]);
    if readings.last().is_some_and(|last| !last.is_same(&bare)) {
        readings.push(bare);
    }
    readings
}

/// The same, and with one kind of escapes undone after the other, in every order: one of them is
/// what the first of up to [`DEEPEST`] encoders was given, to the letter. A long text has so many
/// of each kind that the work is bounded; then some are left out.
pub fn readings_in_every_order(text: &[u8]) -> Vec<Reading> {
    let mut readings = readings(text);
    let mut room = MOST_IN_ORDER;
    let mut next = vec![0];
    for _ in 0..DEEPEST {
        let mut following = Vec::new();
        for from in next {
            for kind in [b"%", b"\\", b"&"] {
                let Some(left) = room.checked_sub(readings[from].bytes.len()) else {
                    return readings;
                };
                room = left;
                let Some(reading) = readings[from].unescaped(kind) else { continue };
                let known = readings.iter().position(|known| known.is_same(&reading));
                let index = known.unwrap_or(readings.len());
                if known.is_none() {
                    readings.push(reading);
                }
                if !following.contains(&index) {
                    following.push(index);
                }
            }
        }
        next = following;
    }
    readings
}

/// Encoders that followed one another; what more of them have done, [`bare`] shows.
const DEEPEST: usize = 3;
/// In bytes, of all that is read for the sake of the order.
const MOST_IN_ORDER: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &[&str]) {
        let readings = readings(text.as_bytes());
        let texts: Vec<_> =
            readings.iter().map(|reading| String::from_utf8_lossy(&reading.bytes)).collect();
        assert_eq!(texts, expected);
        for reading in readings {
            assert_eq!(reading.place(0..reading.bytes.len()), 0..text.len());
        }
    }

    #[test]
    fn a_text_without_escapes_has_one_reading() {
        reads("100 percent", &["100 percent"]);
        reads("100% \\sure &c", &["100% \\sure &c", "100% sure &c"]);
    }

    #[test]
    fn escapes_are_undone_level_by_level() {
        reads("a%2525b", &["a%2525b", "a%25b", "a%b"]);
        reads(r"\\u0026#x27;x", &[r"\\u0026#x27;x", r"\u0026#x27;x", "&#x27;x", "'x"]);
        reads(r#"say \\\"hi"#, &[r#"say \\\"hi"#, r#"say \"hi"#, r#"say "hi"#]);
    }

    #[test]
    fn the_last_reading_has_no_escape_however_deep_they_are() {
        let text = format!("a%{}41", "25".repeat(9));
        let readings = readings(text.as_bytes());
        assert_eq!(readings.len(), 5);
        assert_eq!(readings[4].bytes.as_slice(), b"aA");
        assert_eq!(readings[4].place(1..2), 1..text.len());
    }

    #[test]
    fn a_surrogate_pair_is_one_character_in_any_spelling() {
        for text in [r"\ud83d\ude00", "&#55357;&#xDE00;", "%uD83D%uDE00", r"\u{1f600}"] {
            reads(text, &[text, "\u{1f600}"]);
        }
    }

    #[test]
    fn a_cut_inside_an_escape_is_seen() {
        let ends = |text: &str| readings(text.as_bytes()).remove(0).ends;
        assert_eq!(ends("abc"), [3]);
        assert_eq!(ends("abc%2"), [5, 3]);
        assert_eq!(ends(r"abc\&quo"), [8, 4, 3]);
        assert_eq!(ends(r"abc%\x3"), [7, 4, 3]);
        assert_eq!(ends("abc\u{fffd}"), [6, 3]);
        assert_eq!(ends("abc%2F"), [6]);
    }
}
