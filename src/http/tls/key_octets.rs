//! What a private key consists of, in whichever form it is written.

use rustls::pki_types::PrivateKeyDer;

use super::der::{INTEGER, OCTET_STRING, Reader, SEQUENCE};

/// The same octets for the same key, in PKCS#8 (RFC 5958 §2), PKCS#1 or SEC1: of RSA the key as
/// PKCS#1 has it, of a curve the private number alone.
pub(super) fn octets<'a>(key: &'a PrivateKeyDer<'_>) -> Option<&'a [u8]> {
    let inner = match key {
        PrivateKeyDer::Pkcs8(der) => {
            let mut info = Reader::new(der.secret_pkcs8_der()).inside(SEQUENCE)?;
            info.content(INTEGER)?;
            info.content(SEQUENCE)?;
            info.content(OCTET_STRING)?
        }
        other => other.secret_der(),
    };
    // RFC 5915 §3: behind the number there may be its curve and its public half, or not.
    let number = |mut key: Reader<'a>| {
        key.content(INTEGER)?;
        key.content(OCTET_STRING)
    };
    Some(Reader::new(inner).inside(SEQUENCE).and_then(number).unwrap_or(inner))
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivatePkcs8KeyDer;

    use super::*;
    use crate::jws::Section;

    macro_rules! key {
        ($name:literal) => {{
            let pem = include_str!(concat!("../../../tests/fixtures/", $name));
            let section = Section::all(pem).find(|it| it.label.ends_with("PRIVATE KEY")).unwrap();
            let der = section.der().unwrap().to_vec();
            match section.label {
                "PRIVATE KEY" => PrivateKeyDer::from(PrivatePkcs8KeyDer::from(der)),
                "RSA PRIVATE KEY" => PrivateKeyDer::Pkcs1(der.into()),
                _ => PrivateKeyDer::Sec1(der.into()),
            }
        }};
    }

    #[test]
    fn are_the_same_in_every_form_of_a_key() {
        assert_eq!(octets(&key!("rsa.pem")), octets(&key!("rsa-pkcs1.pem")));
        // With its curve and its public half, as OpenSSL writes SEC1, and without both.
        let sec1 = key!("ec-sec1.pem");
        let number = octets(&sec1).unwrap();
        assert_eq!(number.len(), 32);
        let bare = [&[SEQUENCE, 37, INTEGER, 1, 1, OCTET_STRING, 32], number].concat();
        assert_eq!(octets(&PrivateKeyDer::Sec1(bare.clone().into())), Some(number));
        let info = [&[SEQUENCE, 46, INTEGER, 1, 0, SEQUENCE, 0, OCTET_STRING, 39], &*bare].concat();
        let info = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(info));
        assert_eq!(octets(&info), Some(number));
    }

    #[test]
    fn are_other_ones_of_another_key() {
        let keys = [key!("rsa.pem"), key!("ec.pem"), key!("ec-384.pem"), key!("ed25519.pem")];
        let mut all: Vec<_> = keys.iter().map(|key| octets(key).unwrap()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), keys.len());
        assert!(octets(&PrivateKeyDer::from(PrivatePkcs8KeyDer::from(vec![0x30, 0]))).is_none());
    }
}
