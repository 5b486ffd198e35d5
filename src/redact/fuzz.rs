//! The redactor against a model: encoders as peers have them, which say of every character whether
//! it is the secret's.

use std::{
    hash::{BuildHasher as _, RandomState},
    ops::Range,
};

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};

use super::{Redactor, SHORTEST, automaton::Automaton, is_long, readings::readings, search};

// Two halves, for two threads.
#[test]
fn a_secret_is_hidden_through_three_encoders_and_any_cut() {
    fuzz(0);
}

#[test]
fn nothing_but_the_secret_is_hidden_wherever_the_text_is_cut() {
    fuzz(1);
}

fn fuzz(half: usize) {
    let seed = RandomState::new().hash_one(half);
    (0..CASES / 2).for_each(|case| run(seed.wrapping_add(case)));
}

const CASES: u64 = 100_000;

/// Characters that one encoder gave for one, and which of the secret's they hold.
#[derive(Clone, Debug)]
struct Piece {
    text: String,
    secret: Option<Range<usize>>,
}

fn run(seed: u64) {
    let mut random = Random(seed);
    let secret = secret(&mut random);
    let (pieces, used) = encoded(&secret, &mut random);
    let whole: String = pieces.iter().map(|piece| piece.text.as_str()).collect();
    let cut = random.one_in(2).then(|| random.below(whole.len() + 1));
    let end = cut.unwrap_or(whole.len());
    let text = String::from_utf8_lossy(&whole.as_bytes()[..end]);

    let mut redactor = Redactor::default();
    redactor.hide(&secret.clone().into());
    let needles = redactor.needles(text.len()).unwrap();
    let hidden = search::secrets(&text, cut.is_some(), &Automaton::new(&needles));
    let case = || format!("case {seed:#x}: {secret:?} through {used:?} in {text:?}: {hidden:?}");

    let spans = spans(&pieces);
    let is_there = |i: &usize| spans.iter().all(|(at, held)| !held.contains(i) || at.end <= end);
    let characters = (0..secret.chars().count()).take_while(is_there).count();
    let beginning: String = secret.chars().take(characters).collect();
    if beginning == secret || counts(&beginning) {
        for (at, _) in spans.iter().filter(|(at, _)| at.start < end) {
            // A backslash too many may be left before it.
            let inside = |h: &Range<usize>| {
                let left = &whole[at.start..h.start.clamp(at.start, at.end)];
                reads_as_nothing(left) && h.start <= at.end && at.end.min(end) <= h.end
            };
            assert!(hidden.iter().any(inside), "shown at {at:?}, {}", case());
        }
    }
    // A wrong order may read what stands just behind as the end of the secret, or as padding.
    let first = spans.first().unwrap().0.start;
    let most = if cut.is_some() { text.len() } else { just_behind(&pieces) };
    for h in &hidden {
        assert!(first <= h.start && h.end <= most, "too much at {h:?}, {}", case());
    }
    // What a cut leaves of an escape, or of several, may read as the secret's next character.
    let cuts_none = end == whole.len() || spans.iter().any(|(at, _)| at.end == end);
    let is_plain = secret.is_ascii() && !secret.contains(['%', '&', '\\']);
    if is_plain && cuts_none && characters < SHORTEST {
        assert_eq!(hidden, [], "{}", case());
    }
}

/// The secret somewhere in a text that three encoders have had, and which.
fn encoded(secret: &str, random: &mut Random) -> (Vec<Piece>, Vec<&'static str>) {
    let (before, after) = (context(random), context(random));
    let mut pieces = if random.one_in(4) {
        packed(&before, secret, &after, random)
    } else {
        plain(&before, secret, &after)
    };
    let mut used = Vec::new();
    for _ in 0..3 {
        let (name, encode) = random.pick(&ENCODERS);
        used.push(name);
        for piece in &mut pieces {
            piece.text = piece.text.chars().map(|c| encode(c, random)).collect();
        }
    }
    (pieces, used)
}

/// True for what is long enough to be hidden, however it is read.
fn counts(secret: &str) -> bool {
    readings(secret.as_bytes()).iter().all(|reading| is_long(&reading.bytes))
}

fn reads_as_nothing(text: &str) -> bool {
    readings(text.as_bytes()).last().unwrap().bytes.is_empty()
}

/// Where the first few pieces behind the secret end.
fn just_behind(pieces: &[Piece]) -> usize {
    let last = pieces.iter().rposition(|piece| piece.secret.is_some()).unwrap();
    pieces.iter().take(last + 7).map(|piece| piece.text.len()).sum()
}

/// Where the secret's pieces stand.
fn spans(pieces: &[Piece]) -> Vec<(Range<usize>, Range<usize>)> {
    let mut at = 0;
    let span = |piece: &Piece| {
        let start = at;
        at += piece.text.len();
        piece.secret.clone().map(|held| (start..at, held))
    };
    pieces.iter().filter_map(span).collect()
}

fn secret(random: &mut Random) -> String {
    let letters = "abcXYZ019";
    let alphabet = match random.below(4) {
        0 => letters,
        1 => "ab01/+=-_.~",
        2 => "aX1 \"'\\&<>%/+=;:{}#,x25u0n",
        _ => "aX9é密\u{1f600}ß",
    };
    let inner = (0..4 + random.below(9)).map(|_| random.char(alphabet)).collect::<String>();
    let secret = format!("{}{inner}{}", random.char(letters), random.char(letters));
    if counts(&secret) { secret } else { self::secret(random) }
}

fn context(random: &mut Random) -> String {
    let words: String =
        (0..random.below(7)).map(|_| random.char("qwrtz QWRTZ 78 <>\"'&%\\/.:é")).collect();
    let edge = |random: &mut Random| random.char(" \"'<>,()[]|").to_string();
    format!("{}{words}{}", edge(random), edge(random))
}

fn plain(before: &str, secret: &str, after: &str) -> Vec<Piece> {
    let outside = |c: char| Piece { text: c.into(), secret: None };
    let inside = |(i, c): (usize, char)| Piece { text: c.into(), secret: Some(i..i + 1) };
    before
        .chars()
        .map(outside)
        .chain(secret.chars().enumerate().map(inside))
        .chain(after.chars().map(outside))
        .collect()
}

/// In base64 or hexadecimal, somewhere in a longer text.
fn packed(before: &str, secret: &str, after: &str, random: &mut Random) -> Vec<Piece> {
    let bytes = [before, secret, after].concat();
    let (digits, bits) = match random.below(4) {
        0 => (BASE64_STANDARD_NO_PAD.encode(&bytes), 6),
        1 => (BASE64_URL_SAFE_NO_PAD.encode(&bytes), 6),
        2 => (hexadecimal(&bytes), 4),
        _ => (hexadecimal(&bytes).to_uppercase(), 4),
    };
    // Which character of the secret each byte belongs to.
    let owners: Vec<_> = std::iter::repeat_n(None, before.len())
        .chain(secret.chars().enumerate().flat_map(|(i, c)| vec![Some(i); c.len_utf8()]))
        .chain(std::iter::repeat_n(None, after.len()))
        .collect();
    let held = |i: usize| {
        let held = &owners[i * bits / 8..(((i + 1) * bits).div_ceil(8)).min(owners.len())];
        let held: Vec<usize> = held.iter().copied().flatten().collect();
        Some(*held.first()?..held.last()? + 1)
    };
    let outside = |c: char| Piece { text: c.into(), secret: None };
    let inside = |(i, c): (usize, char)| Piece { text: c.into(), secret: held(i) };
    [outside('"')]
        .into_iter()
        .chain(digits.chars().enumerate().map(inside))
        .chain([outside('"')])
        .collect()
}

fn hexadecimal(text: &str) -> String {
    text.bytes()
        .flat_map(|b| [b >> 4, b & 15])
        .filter_map(|d| char::from_digit(d.into(), 16))
        .collect()
}

type Encoder = fn(char, &mut Random) -> String;

const ENCODERS: [(&str, Encoder); 6] = [
    ("percent", |c, random| percent(c, random, false)),
    ("form", |c, random| percent(c, random, true)),
    ("json", json),
    ("html", html),
    ("javascript", javascript),
    ("nothing", |c, _| c.into()),
];

fn percent(c: char, random: &mut Random, form: bool) -> String {
    if form && c == ' ' {
        return "+".to_owned();
    }
    let keeps = c.is_ascii_alphanumeric() || "-_.~".contains(c) || !form && "/:=\"'<>".contains(c);
    if keeps && !random.one_in(8) {
        return c.into();
    }
    let upper = random.one_in(2);
    let byte = |b| if upper { format!("%{b:02X}") } else { format!("%{b:02x}") };
    c.to_string().bytes().map(byte).collect()
}

fn json(c: char, random: &mut Random) -> String {
    match c {
        '"' | '\\' => format!("\\{c}"),
        '/' if random.one_in(2) => "\\/".to_owned(),
        _ if c.is_ascii() && !random.one_in(8) || random.one_in(2) => c.into(),
        _ => c
            .encode_utf16(&mut [0; 2])
            .iter()
            .fold(String::new(), |s, u| s + &format!("\\u{u:04x}")),
    }
}

fn html(c: char, random: &mut Random) -> String {
    if !"&<>\"'".contains(c) && !random.one_in(6) {
        return c.into();
    }
    let named = [('&', "amp"), ('<', "lt"), ('>', "gt"), ('"', "quot"), ('\'', "apos")]
        .into_iter()
        .chain([('+', "plus"), ('/', "sol"), ('=', "equals"), ('%', "percnt"), ('é', "eacute")])
        .find(|(named, _)| *named == c);
    match (random.below(4), named) {
        (0, Some((_, name))) => format!("&{name};"),
        (0 | 1, _) => format!("&#{};", u32::from(c)),
        (2, _) => format!("&#{:03};", u32::from(c)),
        _ => format!("&#x{:X};", u32::from(c)),
    }
}

fn javascript(c: char, random: &mut Random) -> String {
    match c {
        '\\' | '\'' | '"' => format!("\\{c}"),
        _ if !random.one_in(6) => c.into(),
        _ if c.is_ascii() && random.one_in(2) => format!("\\x{:02x}", u32::from(c)),
        _ => format!("\\u{{{:x}}}", u32::from(c)),
    }
}

/// `SplitMix64`.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ z >> 31) % limit as u64).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn char(&mut self, alphabet: &str) -> char {
        let at = self.below(alphabet.chars().count());
        alphabet.chars().nth(at).unwrap()
    }
}
