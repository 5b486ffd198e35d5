//! A certificate (RFC 5280 §4), read as far as whom to trust depends on it.

use std::collections::HashSet;

use rustls::pki_types::{SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, TrustAnchor};
use webpki::RawPublicKeyEntity;

use super::{
    der::{
        BIT_STRING, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, UTC_TIME,
        Value, field, fields, whole_bytes,
    },
    general_name::GeneralName,
    name::Name,
    verdict::{self, Verdict},
};

#[derive(Debug)]
pub(super) struct Certificate<'a> {
    pub subject: Name,
    /// The content of the field that `subject` was read from.
    pub subject_der: &'a [u8],
    pub issuer: Name,
    pub serial: Option<&'a [u8]>,
    /// The first and the last second, since 1970.
    pub valid: (i64, i64),
    /// The key as a `SubjectPublicKeyInfo`.
    pub key: &'a [u8],
    pub version_1: bool,
    pub extensions: Extensions<'a>,
    /// None for a root that is known without its certificate.
    signed: Option<Signed<'a>>,
}

/// Those of RFC 5280 §4.2 that matter here. None where a certificate has no such extension.
#[derive(Debug, Default)]
pub(super) struct Extensions<'a> {
    pub basic_constraints: Option<BasicConstraints>,
    /// The first byte of the bits.
    pub key_usage: Option<u8>,
    pub extended_key_usage: Option<Vec<&'a [u8]>>,
    pub subject_alt_name: Option<Vec<GeneralName<'a>>>,
    pub name_constraints: Option<NameConstraints<'a>>,
    /// Netscape's, from before the others.
    pub cert_type: Option<u8>,
    pub key_identifier: Option<&'a [u8]>,
    pub authority: Authority<'a>,
    /// One that nobody may pass over, and that nobody here knows.
    pub unknown_critical: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct BasicConstraints {
    pub ca: bool,
    pub path_length: Option<usize>,
}

#[derive(Debug)]
pub(super) struct NameConstraints<'a> {
    pub permitted: Vec<Subtree<'a>>,
    pub excluded: Vec<Subtree<'a>>,
}

/// A name and those below it.
#[derive(Debug)]
pub(super) struct Subtree<'a> {
    pub base: GeneralName<'a>,
    /// Whether it says how far below. Nobody does.
    pub is_bounded: bool,
}

/// What a certificate says of its issuer's.
#[derive(Debug, Default)]
pub(super) struct Authority<'a> {
    key_identifier: Option<&'a [u8]>,
    issuer: Option<Name>,
    serial: Option<&'a [u8]>,
}

#[derive(Debug)]
struct Signed<'a> {
    content: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Certificate<'a> {
    /// Reads a certificate; None where it is none.
    pub fn parse(der: &'a [u8]) -> Option<Self> {
        let mut whole = Reader::new(der);
        let mut outer = whole.inside(SEQUENCE)?;
        let content = outer.value(SEQUENCE)?;
        let algorithm = outer.content(SEQUENCE)?;
        let signature = whole_bytes(outer.content(BIT_STRING)?)?;

        let mut inner = Reader::new(content.content);
        let version = match inner.inside(fields(0)) {
            Some(mut version) => {
                let number = version.content(INTEGER)?;
                version.end()?;
                number
            }
            None => &[0],
        };
        let &[version @ 0..=2] = version else {
            return None;
        };
        let serial = inner.content(INTEGER)?;
        // Said twice, of which one is not signed.
        if inner.content(SEQUENCE)? != algorithm {
            return None;
        }
        let issuer = Name::parse(inner.content(SEQUENCE)?)?;
        let mut validity = inner.inside(SEQUENCE)?;
        let valid = (time(validity.any()?)?, time(validity.any()?)?);
        validity.end()?;
        let subject_der = inner.content(SEQUENCE)?;
        let key = inner.value(SEQUENCE)?.whole;
        // Unique identifiers, which nobody uses.
        let _ = inner.value(field(1));
        let _ = inner.value(field(2));
        let extensions = match inner.inside(fields(3)) {
            Some(mut extensions) => {
                let list = extensions.inside(SEQUENCE)?;
                extensions.end()?;
                Extensions::parse(list)?
            }
            None => Extensions::default(),
        };
        whole.end()?;
        outer.end()?;
        inner.end()?;
        Some(Self {
            subject: Name::parse(subject_der)?,
            subject_der,
            issuer,
            serial: Some(serial),
            valid,
            key,
            version_1: version == 0,
            extensions,
            signed: Some(Signed { content: content.whole, algorithm, signature }),
        })
    }

    /// A root of which no more is known; `key` is its key as a `SubjectPublicKeyInfo`.
    pub fn of_anchor(anchor: &'a TrustAnchor<'_>, key: &'a [u8]) -> Option<Self> {
        let subject = Name::parse(&anchor.subject)?;
        let name_constraints = anchor.name_constraints.as_deref();
        let authority = BasicConstraints { ca: true, path_length: None };
        Some(Self {
            issuer: subject.clone(),
            subject,
            subject_der: &anchor.subject,
            serial: None,
            valid: (0, i64::MAX),
            key,
            version_1: false,
            extensions: Extensions {
                basic_constraints: Some(authority),
                name_constraints: match name_constraints {
                    Some(content) => Some(NameConstraints::parse(Reader::new(content))?),
                    None => None,
                },
                ..Extensions::default()
            },
            signed: None,
        })
    }

    /// Whether it is its own issuer, as far as it says.
    pub fn is_self_signed(&self) -> bool {
        self.names_as_issuer(self)
    }

    /// Whether its issuer is called as it is.
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether `other` is whom it names as its issuer, and the key too where it names that.
    pub fn names_as_issuer(&self, other: &Self) -> bool {
        /// Whether they agree, where both are known.
        fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.zip(other).is_none_or(|(one, other)| one == other)
        }
        let Authority { key_identifier, issuer, serial } = &self.extensions.authority;
        self.issuer == other.subject
            && agree(key_identifier.as_ref(), other.extensions.key_identifier.as_ref())
            && agree(serial.as_ref(), other.serial.as_ref())
            && issuer.as_ref().is_none_or(|it| *it == other.issuer)
    }

    /// Refuses it where the key of `issuer` has not signed it.
    pub fn check_signature(
        &self,
        issuer: &Certificate<'_>,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Verdict> {
        let Some(Signed { content, algorithm, signature }) = &self.signed else {
            return Err(verdict::BAD_SIGNATURE);
        };
        let algorithms =
            algorithms.iter().filter(|it| it.signature_alg_id().as_ref() == *algorithm);
        check_signature(issuer.key, algorithms, content, signature)
    }

    /// Whether these seconds since 1970 are within its dates.
    pub fn is_valid_at(&self, now: i64) -> bool {
        self.valid.0 <= now && now < self.valid.1
    }

    /// Whether it may be used for what this bit of the keyUsage says.
    pub fn may(&self, usage: u8) -> bool {
        self.extensions.key_usage.is_none_or(|bits| bits & usage != 0)
    }
}

/// Refuses a `signature` of `message` that `key`, a `SubjectPublicKeyInfo`, has made by none of
/// these.
pub(super) fn check_signature<'b>(
    key: &[u8],
    algorithms: impl IntoIterator<Item = &'b &'b dyn SignatureVerificationAlgorithm>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), Verdict> {
    let info = SubjectPublicKeyInfoDer::from(key);
    let Ok(entity) = RawPublicKeyEntity::try_from(&info) else {
        return Err(verdict::MALFORMED);
    };
    let mut verdict = verdict::UNSUPPORTED_SIGNATURE;
    for algorithm in algorithms {
        match entity.verify_signature(*algorithm, message, signature) {
            Ok(()) => return Ok(()),
            Err(webpki::Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_)) => {}
            Err(_) if is_short_rsa(key) => {}
            Err(_) => verdict = verdict::BAD_SIGNATURE,
        }
    }
    Err(verdict)
}

/// Whether a `SubjectPublicKeyInfo` is of RSA and has less than 2,048 bits, which AWS-LC refuses.
pub(super) fn is_short_rsa(key: &[u8]) -> bool {
    let mut algorithm = Reader::new(key).inside(SEQUENCE).and_then(|mut it| it.inside(SEQUENCE));
    // With 2,048 there are 256 bytes of modulus alone.
    key.len() < 256 && algorithm.as_mut().and_then(|it| it.content(OID)) == Some(RSA_ENCRYPTION)
}

impl<'a> Extensions<'a> {
    fn parse(mut list: Reader<'a>) -> Option<Self> {
        let mut read = Self::default();
        let mut seen = HashSet::new();
        while !list.is_empty() {
            let mut extension = list.inside(SEQUENCE)?;
            let id = extension.content(OID)?;
            let critical = extension.flag()?;
            let value = Reader::new(extension.content(OCTET_STRING)?);
            extension.end()?;
            if !seen.insert(id) {
                return None;
            }
            if !read.extension(id, value)? {
                read.unknown_critical |= critical;
            }
        }
        Some(read)
    }

    /// Whether OpenSSL knows the extension `id`; None where its value is broken.
    fn extension(&mut self, id: &[u8], mut value: Reader<'a>) -> Option<bool> {
        let kind = match id {
            [0x55, 0x1d, kind] => kind,
            CERT_TYPE => {
                self.cert_type = Some(bits(value.content(BIT_STRING)?)?);
                return Some(true);
            }
            _ => return Some(false),
        };
        match kind {
            14 => self.key_identifier = Some(value.content(OCTET_STRING)?),
            15 => {
                let usage = value.content(BIT_STRING)?;
                // It has to allow something.
                usage.get(1..)?.iter().find(|bits| **bits != 0)?;
                self.key_usage = Some(bits(usage)?);
            }
            17 => {
                self.subject_alt_name = Some(GeneralName::parse_all(value.inside(SEQUENCE)?)?);
            }
            19 => self.basic_constraints = Some(BasicConstraints::parse(value.inside(SEQUENCE)?)?),
            30 => self.name_constraints = Some(NameConstraints::parse(value.inside(SEQUENCE)?)?),
            35 => self.authority = Authority::parse(value.inside(SEQUENCE)?)?,
            37 => {
                let usages = value.inside(SEQUENCE)?.all()?.into_iter();
                let usages = usages.map(|it| (it.tag == OID).then_some(it.content));
                self.extended_key_usage = Some(usages.collect::<Option<_>>()?);
            }
            // Policies and lists of revoked certificates: OpenSSL knows them, and Node does not
            // ask it for them.
            31 | 32 | 33 | 36 | 54 => {}
            _ => return Some(false),
        }
        Some(true)
    }
}

impl BasicConstraints {
    fn parse(mut fields: Reader<'_>) -> Option<Self> {
        let ca = fields.flag()?;
        let path_length = match fields.content(INTEGER) {
            Some([] | [0x80..=0xff, ..]) => return None,
            Some(bytes) => Some(bytes.iter().fold(0_usize, |length, &byte| {
                length.saturating_mul(256).saturating_add(usize::from(byte))
            })),
            None => None,
        };
        fields.end()?;
        Some(Self { ca, path_length })
    }
}

impl<'a> NameConstraints<'a> {
    fn parse(mut subtrees: Reader<'a>) -> Option<Self> {
        let mut of = |number| match subtrees.inside(fields(number)) {
            Some(list) => list.all()?.into_iter().map(Subtree::parse).collect(),
            None => Some(Vec::new()),
        };
        let read = Self { permitted: of(0)?, excluded: of(1)? };
        subtrees.end()?;
        Some(read)
    }
}

impl<'a> Subtree<'a> {
    fn parse(value: Value<'a>) -> Option<Self> {
        let mut fields = Reader::new(value.content);
        if value.tag != SEQUENCE {
            return None;
        }
        let base = GeneralName::parse(fields.any()?)?;
        Some(Self { base, is_bounded: !fields.is_empty() })
    }
}

impl<'a> Authority<'a> {
    fn parse(mut reader: Reader<'a>) -> Option<Self> {
        let key_identifier = reader.content(field(0));
        let issuers = match reader.inside(fields(1)) {
            Some(names) => GeneralName::parse_all(names)?,
            None => Vec::new(),
        };
        let issuer = issuers.into_iter().find_map(|name| match name {
            GeneralName::Directory(name) => Some(name),
            GeneralName::Other(..) => None,
        });
        let serial = reader.content(field(2));
        reader.end()?;
        Some(Self { key_identifier, issuer, serial })
    }
}

/// The first byte of the bits, without those that are said to be unused.
fn bits(bit_string: &[u8]) -> Option<u8> {
    match bit_string {
        [0] => Some(0),
        [unused @ 0..=7, byte] => Some(byte & 0xff << unused),
        [0..=7, byte, ..] => Some(*byte),
        _ => None,
    }
}

/// Seconds since 1970 (RFC 5280 §4.1.2.5).
fn time(value: Value<'_>) -> Option<i64> {
    let (century, digits) = match (value.tag, value.content) {
        (UTC_TIME, text @ [tens, ..]) => (if *tens >= b'5' { "19" } else { "20" }, text),
        (GENERALIZED_TIME, text) => ("", text),
        _ => return None,
    };
    let text = [century.as_bytes(), digits.strip_suffix(b"Z")?].concat();
    if text.len() != 14 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to].iter().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))
    };
    let (year, month, day) = (number(0, 4), number(4, 6), number(6, 8));
    let (hour, minute, second) = (number(8, 10), number(10, 12), number(12, 14));
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Years that begin in March have their leap day at the end, and months of 153 days in five.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days = days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970;
    Some(((days * 24 + hour) * 60 + minute) * 60 + second)
}

pub(super) const SERVER_AUTH: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x01";
const RSA_ENCRYPTION: &[u8] = b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
const CERT_TYPE: &[u8] = b"\x60\x86\x48\x01\x86\xf8\x42\x01\x01";
/// From 1 March of the year 0.
const DAYS_TO_1970: i64 = 719_468;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_since_1970() {
        let seconds = |tag, text: &str| time(Value { tag, content: text.as_bytes(), whole: &[] });
        assert_eq!(seconds(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(seconds(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(seconds(UTC_TIME, "500101000000Z"), Some(-631_152_000));
        assert_eq!(seconds(GENERALIZED_TIME, "20240229120000Z"), Some(1_709_208_000));
        assert_eq!(seconds(GENERALIZED_TIME, "20240301000000Z"), Some(1_709_251_200));
        assert_eq!(seconds(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
        for text in ["7001010000Z", "700101000000", "700101000000+0100", "70010100000xZ", ""] {
            assert_eq!(seconds(UTC_TIME, text), None, "{text}");
        }
    }

    #[test]
    fn all_of_mozillas_roots_are_read() {
        for anchor in webpki_roots::TLS_SERVER_ROOTS {
            assert!(Certificate::of_anchor(anchor, &[]).is_some(), "{:?}", anchor.subject);
        }
    }
}
