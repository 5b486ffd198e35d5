//! Private keys behind a passphrase: PKCS#8 (RFC 5958 §3) by PBES2 (RFC 8018 §6.2) with PBKDF2 and
//! AES-CBC, which is what OpenSSL has written since 1.1.

use std::num::NonZeroU32;

use aws_lc_rs::{
    cipher::{
        AES_128, AES_192, AES_256, Algorithm, DecryptionContext, PaddedBlockDecryptingKey,
        UnboundCipherKey,
    },
    iv::FixedLength,
    pbkdf2,
};
use zeroize::Zeroizing;

use super::der::{INTEGER, OCTET_STRING, OID, Reader, SEQUENCE};

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    /// It is encrypted in a way that is not known here.
    Unsupported,
    /// The passphrase is another one.
    WrongPassphrase,
}

/// The `PrivateKeyInfo` inside an `EncryptedPrivateKeyInfo`.
pub(super) fn open(der: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, Closed> {
    let encrypted = Encrypted::parse(der).ok_or(Closed::Unsupported)?;
    let mut key = Zeroizing::new(vec![0; encrypted.cipher.1]);
    let Encrypted { prf, salt, iterations, cipher, iv, content } = encrypted;
    pbkdf2::derive(prf, iterations, salt, passphrase.as_bytes(), &mut key);
    let mut opened = Zeroizing::new(content.to_vec());
    let wrong = |_| Closed::WrongPassphrase;
    let key = UnboundCipherKey::new(cipher.0, &key).map_err(wrong)?;
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(key).map_err(wrong)?;
    let context = DecryptionContext::Iv128(FixedLength::from(iv));
    let length = key.decrypt(&mut opened, context).map_err(wrong)?.len();
    opened.truncate(length);
    // One in 256 wrong passphrases leaves a padding that may be one.
    Reader::new(&opened).value(SEQUENCE).ok_or(Closed::WrongPassphrase)?;
    Ok(opened)
}

struct Encrypted<'a> {
    prf: pbkdf2::Algorithm,
    salt: &'a [u8],
    iterations: NonZeroU32,
    /// With the length of its key.
    cipher: (&'static Algorithm, usize),
    iv: &'a [u8; 16],
    content: &'a [u8],
}

impl<'a> Encrypted<'a> {
    fn parse(der: &'a [u8]) -> Option<Self> {
        let mut info = Reader::new(der).inside(SEQUENCE)?;
        let mut algorithm = info.inside(SEQUENCE)?;
        let content = info.content(OCTET_STRING)?;
        (algorithm.content(OID)? == PBES2).then_some(())?;
        let mut parameters = algorithm.inside(SEQUENCE)?;
        let mut derivation = parameters.inside(SEQUENCE)?;
        (derivation.content(OID)? == PBKDF2).then_some(())?;
        let mut derivation = derivation.inside(SEQUENCE)?;
        let salt = derivation.content(OCTET_STRING)?;
        let iterations = number(derivation.content(INTEGER)?)?;
        // The key's length, which the cipher says as well.
        let _ = derivation.content(INTEGER);
        let prf = match derivation.inside(SEQUENCE) {
            Some(mut prf) => named(&PRFS, prf.content(OID)?)?,
            None => pbkdf2::PBKDF2_HMAC_SHA1,
        };
        let mut encryption = parameters.inside(SEQUENCE)?;
        let cipher = named(&CIPHERS, encryption.content(OID)?)?;
        let iv = encryption.content(OCTET_STRING)?.try_into().ok()?;
        Some(Self { prf, salt, iterations, cipher, iv, content })
    }
}

fn number(integer: &[u8]) -> Option<NonZeroU32> {
    let number = integer
        .iter()
        .try_fold(0_u32, |number, byte| number.checked_mul(256)?.checked_add(u32::from(*byte)))?;
    NonZeroU32::new(number).filter(|number| number.get() <= MOST_ITERATIONS)
}

fn named<T: Copy>(list: &[(&[u8], T)], oid: &[u8]) -> Option<T> {
    list.iter().find(|(known, _)| *known == oid).map(|(_, what)| *what)
}

/// Seconds of one core; OpenSSL writes 2,048 unless it is told otherwise.
const MOST_ITERATIONS: u32 = 10_000_000;
/// RFC 8018 §A.4, §A.2, §B.1.2; RFC 3565 §4.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 13];
const PBKDF2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 5, 12];
const PRFS: [(&[u8], pbkdf2::Algorithm); 4] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 7], pbkdf2::PBKDF2_HMAC_SHA1),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 9], pbkdf2::PBKDF2_HMAC_SHA256),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 10], pbkdf2::PBKDF2_HMAC_SHA384),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 11], pbkdf2::PBKDF2_HMAC_SHA512),
];
static CIPHERS: [(&[u8], (&Algorithm, usize)); 3] = [
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 2], (&AES_128, 16)),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 22], (&AES_192, 24)),
    (&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 1, 42], (&AES_256, 32)),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::Section;

    const PEM: &str = include_str!("../../../tests/fixtures/rsa-encrypted.pem");

    fn der() -> Zeroizing<Vec<u8>> {
        Section::all(PEM).next().unwrap().der().unwrap()
    }

    #[test]
    fn a_key_opens_with_its_passphrase_alone() {
        assert!(open(&der(), "test").is_ok());
        for other in ["", "Test", "test ", "tes"] {
            assert_eq!(open(&der(), other).unwrap_err(), Closed::WrongPassphrase);
        }
    }

    #[test]
    fn an_algorithm_that_is_not_known_is_told_from_a_wrong_passphrase() {
        for oid in [PBES2, PBKDF2] {
            let mut der = der();
            let at = der.windows(oid.len()).position(|window| window == oid).unwrap();
            der[at + oid.len() - 1] ^= 0x40;
            assert_eq!(open(&der, "test").unwrap_err(), Closed::Unsupported);
        }
    }

    #[test]
    fn iterations_that_would_take_minutes_are_not_begun() {
        assert_eq!(number(&[0x7f, 0xff, 0xff, 0xff]), None);
        assert_eq!(number(&[0xff; 5]), None);
        assert_eq!(number(&[0]), None);
        assert_eq!(number(&[0x08, 0x00]), NonZeroU32::new(2048));
    }

    // The octets behind the parameters are many, and each is decrypted: the first hundred will do.
    #[test]
    fn whatever_is_cut_or_changed_is_refused_in_good_order() {
        let der = der();
        for at in 0..100 {
            assert!(open(&der[..at], "test").is_err());
            let mut changed = der.to_vec();
            changed[at] ^= 0x80;
            let _ = open(&changed, "test");
        }
    }
}
