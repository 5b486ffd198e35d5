//! Escapes, as peers and their frameworks write them: percent, JSON, JavaScript and HTML. Each is
//! read by its form alone; which of them a text uses is not known.

use std::{collections::HashMap, sync::LazyLock};

/// What an escape stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unescaped {
    /// A byte of UTF-8, or of Latin-1.
    Byte(u8),
    /// A code point, or half of a surrogate pair.
    Point(u32),
}

/// The longest escape that is read, in bytes: it bounds the work at each place.
pub const LONGEST: usize = 16;

/// True where an escape may begin.
pub fn starts(byte: u8) -> bool {
    matches!(byte, b'%' | b'\\' | b'&')
}

/// The escape at the start of `text`: its length, and what it stands for.
pub fn at(text: &[u8]) -> Option<(usize, Unescaped)> {
    match text {
        [b'%', b'u', rest @ ..] => Some((6, Unescaped::Point(digits(rest, 4, 16)?))),
        [b'%', rest @ ..] => Some((3, byte(rest, 2, 16)?)),
        [b'\\', rest @ ..] => backslash(rest),
        [b'&', rest @ ..] => {
            let end = rest.iter().take(LONGEST - 1).position(|b| *b == b';')?;
            Some((end + 2, Unescaped::Point(entity(&rest[..end])?)))
        }
        _ => None,
    }
}

/// True for what a cut leaves of an escape: `%2`, `\u00`, `&#x2`.
pub fn begins(text: &[u8]) -> bool {
    let all = |digits: &[u8], radix| digits.iter().all(|d| char::from(*d).is_digit(radix));
    match text {
        [b'\\', b'u', b'{', rest @ ..]
        | [b'%' | b'\\', b'u', rest @ ..]
        | [b'\\', b'U' | b'x', rest @ ..]
        | [b'&', b'#', b'x' | b'X', rest @ ..]
        | [b'%', rest @ ..] => all(rest, 16),
        [b'\\'] => true,
        [b'&', b'#', rest @ ..] => all(rest, 10),
        [b'&', rest @ ..] => rest.iter().all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}

fn backslash(rest: &[u8]) -> Option<(usize, Unescaped)> {
    let control = |byte| Some((2, Unescaped::Byte(byte)));
    match *rest.first()? {
        b'u' if rest.get(1) == Some(&b'{') => {
            let end = rest.iter().take(10).position(|b| *b == b'}')?;
            Some((end + 2, Unescaped::Point(number(&rest[2..end], 16)?)))
        }
        b'u' => Some((6, Unescaped::Point(digits(&rest[1..], 4, 16)?))),
        b'U' => Some((10, Unescaped::Point(digits(&rest[1..], 8, 16)?))),
        b'x' => Some((4, byte(&rest[1..], 2, 16)?)),
        b'b' => control(0x08),
        b't' => control(b'\t'),
        b'n' => control(b'\n'),
        b'v' => control(0x0b),
        b'f' => control(0x0c),
        b'r' => control(b'\r'),
        // Before others it is more often a path's or a domain's own.
        other @ (b'"' | b'\'' | b'`' | b'/' | b'\\' | b'$') => control(other),
        _ => None,
    }
}

fn entity(name: &[u8]) -> Option<u32> {
    match name {
        [b'#', b'x' | b'X', rest @ ..] => number(rest, 16),
        [b'#', rest @ ..] => number(rest, 10),
        _ => NAMED.get(name).copied(),
    }
}

fn byte(text: &[u8], count: usize, radix: u32) -> Option<Unescaped> {
    digits(text, count, radix)?.try_into().ok().map(Unescaped::Byte)
}

fn digits(text: &[u8], count: usize, radix: u32) -> Option<u32> {
    number(text.get(..count)?, radix)
}

fn number(digits: &[u8], radix: u32) -> Option<u32> {
    let add = |value: u32, digit: &u8| {
        value.checked_mul(radix)?.checked_add(char::from(*digit).to_digit(radix)?)
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

/// HTML's names of the characters up to U+00FF.
static NAMED: LazyLock<HashMap<&[u8], u32>> = LazyLock::new(|| {
    let pairs = NAMES.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(n, point)| Some((n.as_bytes(), number(point.as_bytes(), 16)?))).collect()
});

const NAMES: &str = "\
    Tab=09 NewLine=0a excl=21 QUOT=22 quot=22 num=23 dollar=24 percnt=25 AMP=26 amp=26 apos=27 \
    lpar=28 rpar=29 ast=2a midast=2a plus=2b comma=2c period=2e sol=2f colon=3a semi=3b LT=3c \
    lt=3c equals=3d GT=3e gt=3e quest=3f commat=40 lbrack=5b lsqb=5b bsol=5c rbrack=5d rsqb=5d \
    Hat=5e UnderBar=5f lowbar=5f grave=60 lbrace=7b lcub=7b verbar=7c vert=7c rbrace=7d rcub=7d \
    nbsp=a0 iexcl=a1 cent=a2 pound=a3 curren=a4 yen=a5 brvbar=a6 sect=a7 Dot=a8 DoubleDot=a8 \
    die=a8 uml=a8 COPY=a9 copy=a9 ordf=aa laquo=ab not=ac shy=ad REG=ae circledR=ae reg=ae macr=af \
    strns=af deg=b0 PlusMinus=b1 plusmn=b1 pm=b1 sup2=b2 sup3=b3 acute=b4 micro=b5 para=b6 \
    CenterDot=b7 centerdot=b7 middot=b7 Cedilla=b8 cedil=b8 sup1=b9 ordm=ba raquo=bb frac14=bc \
    frac12=bd half=bd frac34=be iquest=bf Agrave=c0 Aacute=c1 Acirc=c2 Atilde=c3 Auml=c4 Aring=c5 \
    angst=c5 AElig=c6 Ccedil=c7 Egrave=c8 Eacute=c9 Ecirc=ca Euml=cb Igrave=cc Iacute=cd Icirc=ce \
    Iuml=cf ETH=d0 Ntilde=d1 Ograve=d2 Oacute=d3 Ocirc=d4 Otilde=d5 Ouml=d6 times=d7 Oslash=d8 \
    Ugrave=d9 Uacute=da Ucirc=db Uuml=dc Yacute=dd THORN=de szlig=df agrave=e0 aacute=e1 acirc=e2 \
    atilde=e3 auml=e4 aring=e5 aelig=e6 ccedil=e7 egrave=e8 eacute=e9 ecirc=ea euml=eb igrave=ec \
    iacute=ed icirc=ee iuml=ef eth=f0 ntilde=f1 ograve=f2 oacute=f3 ocirc=f4 otilde=f5 ouml=f6 \
    div=f7 divide=f7 oslash=f8 ugrave=f9 uacute=fa ucirc=fb uuml=fc yacute=fd thorn=fe yuml=ff";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_is_read_by_its_form() {
        let read = |text: &str| at(text.as_bytes());
        for text in [
            "%2F",
            "%2f",
            "%u002F",
            r"\/",
            r"\u002f",
            r"\u{2F}",
            r"\U0000002F",
            r"\x2F",
            "&sol;",
            "&#47;",
            "&#047;",
            "&#x2F;",
            "&#X002f;",
        ] {
            let (length, what) = read(text).unwrap();
            assert_eq!(length, text.len(), "{text}");
            let slash = matches!(what, Unescaped::Byte(b'/') | Unescaped::Point(0x2f));
            assert!(slash, "{text} is {what:?}");
            assert_eq!(read(&format!("{text}2")), Some((length, what)), "{text}2");
            for cut in 1..length {
                assert_eq!(read(&text[..cut]), None, "{text} at {cut}");
                assert!(begins(&text.as_bytes()[..cut]), "{text} at {cut}");
            }
        }
    }

    #[test]
    fn what_is_none_stays() {
        for text in
            ["%", "%2", "%zz", r"\101", r"\", r"\s", r"\u12", r"\u{}", r"\9", "&x", "&#;", "&#x;"]
        {
            assert_eq!(at(text.as_bytes()), None, "{text}");
        }
        assert_eq!(at(format!("&#{}47;", "0".repeat(LONGEST)).as_bytes()), None);
    }

    #[test]
    fn names_are_htmls() {
        for (text, point) in [("&amp;", '&'), ("&AMP;", '&'), ("&apos;", '\''), ("&auml;", 'ä')] {
            let expected = Unescaped::Point(point.into());
            assert_eq!(at(text.as_bytes()), Some((text.len(), expected)));
        }
        assert_eq!(NAMED.len(), NAMES.split(' ').count());
    }
}
