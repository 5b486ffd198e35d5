//! DER (X.690), as far as certificates need it.

/// Reads values one after another; `None` where the next is not what was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

/// One value with its tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct Value<'a> {
    pub tag: u8,
    pub content: &'a [u8],
    /// Tag and length included.
    pub whole: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// None where something is left.
    pub fn end(self) -> Option<()> {
        self.is_empty().then_some(())
    }

    /// The next value, of any tag.
    pub fn any(&mut self) -> Option<Value<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        // Numbers above 30 take more bytes, and occur in no certificate.
        if tag & 0x1f == 0x1f {
            return None;
        }
        let mut length = usize::from(first);
        if first >= 0x80 {
            let (bytes, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
            if !(1..=4).contains(&bytes.len()) {
                return None;
            }
            length = bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
            rest = after;
        }
        let (content, rest) = rest.split_at_checked(length)?;
        let whole = &self.0[..self.0.len() - rest.len()];
        self.0 = rest;
        Some(Value { tag, content, whole })
    }

    /// The next value, of this tag.
    pub fn value(&mut self, tag: u8) -> Option<Value<'a>> {
        let mut ahead = *self;
        let value = ahead.any().filter(|value| value.tag == tag)?;
        *self = ahead;
        Some(value)
    }

    /// The content of the next value, of this tag.
    pub fn content(&mut self, tag: u8) -> Option<&'a [u8]> {
        Some(self.value(tag)?.content)
    }

    /// The next value where that is a BOOLEAN, as fields have it that are `DEFAULT FALSE`; None
    /// for one that is broken.
    pub fn flag(&mut self) -> Option<bool> {
        match self.content(BOOLEAN) {
            Some([byte]) => Some(*byte != 0),
            Some(_) => None,
            None => Some(false),
        }
    }

    /// A reader of what stands inside the next value, of this tag.
    pub fn inside(&mut self, tag: u8) -> Option<Self> {
        self.content(tag).map(Self)
    }

    /// The rest, as values of any tag.
    pub fn all(mut self) -> Option<Vec<Value<'a>>> {
        let mut values = Vec::new();
        while !self.is_empty() {
            values.push(self.any()?);
        }
        Some(values)
    }
}

/// The bytes of a BIT STRING of whole bytes.
pub(super) fn whole_bytes(bit_string: &[u8]) -> Option<&[u8]> {
    bit_string.strip_prefix(&[0])
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const T61_STRING: u8 = 0x14;
pub(super) const IA5_STRING: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const VISIBLE_STRING: u8 = 0x1a;
pub(super) const UNIVERSAL_STRING: u8 = 0x1c;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// The tag of a field `[number]` that holds a primitive value.
pub(super) const fn field(number: u8) -> u8 {
    0x80 | number
}

/// The tag of a field `[number]` that holds others.
pub(super) const fn fields(number: u8) -> u8 {
    0xa0 | number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_in_one_byte_and_in_up_to_four_more() {
        let long = [&[OCTET_STRING, 0x81, 200], [7; 200].as_slice(), &[OCTET_STRING, 0]].concat();
        let mut reader = Reader::new(&long);
        assert_eq!(reader.content(OCTET_STRING), Some([7; 200].as_slice()));
        assert!(reader.value(INTEGER).is_none());
        assert_eq!(reader.content(OCTET_STRING), Some([].as_slice()));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_cut_or_has_no_end_is_nothing() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 2, 0],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x82, 1],
            &[0x30, 0x85, 0, 0, 0, 0, 0],
            &[0x1f, 0x20, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert!(Reader::new(bytes).any().is_none(), "{bytes:?}");
        }
    }
}
