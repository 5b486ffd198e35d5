//! Distinguished names, compared as OpenSSL compares them (RFC 5280 §7.1): by their text, whatever
//! its string type, its case and its blanks.

use super::der::{
    self, BMP_STRING, IA5_STRING, OID, PRINTABLE_STRING, Reader, SEQUENCE, SET, T61_STRING,
    UNIVERSAL_STRING, UTF8_STRING, VISIBLE_STRING,
};

/// A name's parts, each in a form that is equal for what is the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name(Vec<Vec<u8>>);

impl Name {
    /// Reads the content of a `Name`.
    pub fn parse(content: &[u8]) -> Option<Self> {
        Reader::new(content).all()?.into_iter().map(part).collect::<Option<_>>().map(Self)
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is `base` or below it.
    pub fn is_below(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }
}

/// The values in a name that are mail addresses.
pub(super) fn mail_addresses(content: &[u8]) -> Option<Vec<&[u8]>> {
    let mut addresses = Vec::new();
    for part in Reader::new(content).all()? {
        for attribute in Reader::new(part.content).all()? {
            let mut attribute = Reader::new(attribute.content);
            if attribute.content(OID)? == EMAIL_ADDRESS {
                addresses.push(attribute.any()?.content);
            }
        }
    }
    Some(addresses)
}

fn part(set: der::Value<'_>) -> Option<Vec<u8>> {
    if set.tag != SET {
        return None;
    }
    let attributes = Reader::new(set.content).all()?;
    let mut attributes: Vec<_> = attributes.into_iter().map(attribute).collect::<Option<_>>()?;
    attributes.sort_unstable();
    Some(attributes.concat())
}

fn attribute(sequence: der::Value<'_>) -> Option<Vec<u8>> {
    if sequence.tag != SEQUENCE {
        return None;
    }
    let mut fields = Reader::new(sequence.content);
    let kind = fields.value(OID)?;
    let value = fields.any()?;
    fields.end()?;
    let (tag, text) = match value.tag {
        UTF8_STRING | PRINTABLE_STRING | IA5_STRING | VISIBLE_STRING => {
            (UTF8_STRING, folded(value.content))
        }
        // OpenSSL takes it for Latin-1.
        T61_STRING => (UTF8_STRING, folded(text(value.content, 1)?.as_bytes())),
        BMP_STRING => (UTF8_STRING, folded(text(value.content, 2)?.as_bytes())),
        UNIVERSAL_STRING => (UTF8_STRING, folded(text(value.content, 4)?.as_bytes())),
        tag => (tag, value.content.to_vec()),
    };
    let length = u32::try_from(text.len()).ok()?.to_be_bytes();
    Some([kind.whole, &[tag], &length, &text].concat())
}

/// Characters of `width` bytes each; None where the last one is cut.
fn text(bytes: &[u8], width: usize) -> Option<String> {
    let code = |bytes: &[u8]| bytes.iter().fold(0, |code: u32, &byte| code << 8 | u32::from(byte));
    let characters = bytes.chunks_exact(width);
    let is_whole = characters.remainder().is_empty();
    let known = |code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
    is_whole.then(|| characters.map(code).map(known).collect())
}

/// In lower case, with one blank for several and none at the ends.
fn folded(text: &[u8]) -> Vec<u8> {
    let words = text.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(&b' ').to_ascii_lowercase()
}

const EMAIL_ADDRESS: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x09\x01";

#[cfg(test)]
mod tests {
    use super::*;

    fn common_name(tag: u8, text: &[u8]) -> Vec<u8> {
        let value = [&[tag, u8::try_from(text.len()).unwrap()], text].concat();
        let length = u8::try_from(value.len()).unwrap();
        [&[SET, length + 7, SEQUENCE, length + 5, OID, 3, 0x55, 4, 3], value.as_slice()].concat()
    }

    fn name(tag: u8, text: &[u8]) -> Name {
        Name::parse(&common_name(tag, text)).unwrap()
    }

    #[test]
    fn names_are_equal_whatever_their_string_type_case_and_blanks() {
        let plain = name(UTF8_STRING, b"my ca");
        assert_eq!(name(PRINTABLE_STRING, b" My  CA "), plain);
        assert_eq!(name(BMP_STRING, b"\0M\0y\0 \0C\0A"), plain);
        assert_eq!(name(UNIVERSAL_STRING, b"\0\0\0m\0\0\0y\0\0\0 \0\0\0c\0\0\0a"), plain);
        assert_eq!(name(T61_STRING, b"caf\xe9"), name(UTF8_STRING, "Café".as_bytes()));
        assert_ne!(name(UTF8_STRING, b"myca"), plain);
        assert_ne!(name(OID, b"my ca"), plain);
    }

    #[test]
    fn a_name_with_a_cut_character_is_none() {
        for (tag, text) in [(BMP_STRING, &b"\0M\0"[..]), (UNIVERSAL_STRING, b"M")] {
            assert_eq!(Name::parse(&common_name(tag, text)), None);
        }
    }

    #[test]
    fn a_name_is_below_those_that_it_begins_with() {
        let parts = [common_name(UTF8_STRING, b"a"), common_name(UTF8_STRING, b"b")];
        let both = Name::parse(&parts.concat()).unwrap();
        assert!(both.is_below(&name(PRINTABLE_STRING, b"A")));
        assert!(both.is_below(&both) && both.is_below(&Name(Vec::new())));
        assert!(!both.is_below(&name(UTF8_STRING, b"b")));
        assert!(!name(UTF8_STRING, b"a").is_below(&both));
    }
}
