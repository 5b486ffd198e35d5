//! Names of any kind (RFC 5280 §4.2.1.6).

use super::{
    der::{Reader, SEQUENCE, Value, field, fields},
    name::Name,
};

#[derive(Debug)]
pub(super) enum GeneralName<'a> {
    Directory(Name),
    /// One of another kind, as its bytes.
    Other(u8, &'a [u8]),
}

impl<'a> GeneralName<'a> {
    /// Reads one. None for what is of no kind there is: passed over it would constrain nobody.
    pub fn parse(value: Value<'a>) -> Option<Self> {
        if value.tag == DIRECTORY {
            let mut inside = Reader::new(value.content);
            let name = Name::parse(inside.content(SEQUENCE)?)?;
            inside.end()?;
            return Some(Self::Directory(name));
        }
        OTHERS.contains(&value.tag).then_some(Self::Other(value.tag, value.content))
    }

    /// Reads the content of `GeneralNames`.
    pub fn parse_all(names: Reader<'a>) -> Option<Vec<Self>> {
        names.all()?.into_iter().map(Self::parse).collect()
    }

    /// Its tag.
    pub fn kind(&self) -> u8 {
        match self {
            Self::Directory(_) => DIRECTORY,
            Self::Other(kind, _) => *kind,
        }
    }
}

pub(super) const MAIL: u8 = field(1);
pub(super) const HOST: u8 = field(2);
const DIRECTORY: u8 = fields(4);
pub(super) const URI: u8 = field(6);
pub(super) const ADDRESS: u8 = field(7);
/// With `otherName`, `x400Address`, `ediPartyName` and `registeredID`.
const OTHERS: [u8; 8] = [fields(0), MAIL, HOST, fields(3), fields(5), URI, ADDRESS, field(8)];
