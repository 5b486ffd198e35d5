//! RSA keys for RS256, out of PEM, and the name of what is none.

use aws_lc_rs::{
    error::KeyRejected,
    rsa::KeyPair,
    signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256},
};

use super::{
    der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE, element},
    key_error::Material,
    pem::Section,
};

/// A private key, in PKCS#8 or PKCS#1.
pub(super) fn private_key(pem: &str) -> Result<KeyPair, Material> {
    let section = Section::find(pem, "PRIVATE KEY")?;
    match section.label {
        "RSA PRIVATE KEY" if section.is_encrypted() => Err(Material::Encrypted),
        "ENCRYPTED PRIVATE KEY" => Err(Material::Encrypted),
        "OPENSSH PRIVATE KEY" => Err(Material::OpenSsh),
        "PRIVATE KEY" => {
            KeyPair::from_der(of_a_fit_length(key_inside(&section.der()?)?)?).map_err(damaged)
        }
        "RSA PRIVATE KEY" => KeyPair::from_der(of_a_fit_length(&section.der()?)?).map_err(damaged),
        other => Err(named(other)),
    }
}

/// A public key, as `SubjectPublicKeyInfo` or in PKCS#1.
pub(super) fn public_key(pem: &str) -> Result<ParsedPublicKey, Material> {
    let parse = |der| ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).map_err(damaged);
    let section = Section::find(pem, "PUBLIC KEY")?;
    match section.label {
        "PUBLIC KEY" => parse(of_a_fit_length(key_inside(&section.der()?)?)?),
        "RSA PUBLIC KEY" => parse(of_a_fit_length(&section.der()?)?),
        other => Err(named(other)),
    }
}

/// What a label names that is not read here.
fn named(label: &str) -> Material {
    match label {
        "EC PRIVATE KEY" | "EC PARAMETERS" => Material::Algorithm("EC"),
        "DSA PRIVATE KEY" => Material::Algorithm("DSA"),
        _ if label.ends_with("CERTIFICATE") => Material::Certificate,
        _ if label.ends_with("PUBLIC KEY") => Material::PublicKey,
        _ if label.ends_with("PRIVATE KEY") => Material::PrivateKey,
        _ => Material::Other,
    }
}

fn damaged(_: KeyRejected) -> Material {
    Material::Damaged
}

/// The RSA key inside a `PrivateKeyInfo` (RFC 5208 §5) or `SubjectPublicKeyInfo` (RFC 5280 §4.1).
fn key_inside(der: &[u8]) -> Result<&[u8], Material> {
    let read = || {
        let (info, _) = element(SEQUENCE, der)?;
        let (algorithm, key) = element(SEQUENCE, after_version(info))?;
        let (oid, _) = element(OBJECT_IDENTIFIER, algorithm)?;
        // The first byte of a bit string counts the unused bits of its last.
        let bits = || element(BIT_STRING, key)?.0.get(1..);
        Some((oid, element(OCTET_STRING, key).map(|(key, _)| key).or_else(bits)?))
    };
    let (oid, key) = read().ok_or(Material::Damaged)?;
    if oid == RSA_ENCRYPTION {
        return Ok(key);
    }
    let name = OTHERS.iter().find(|(known, _)| *known == oid).map(|(_, name)| name);
    Err(name.map_or(Material::Other, |name| Material::Algorithm(name)))
}

/// `der`, an RSA key (RFC 8017 §A.1), where its length is one for RS256: RFC 7518 §3.3 says the
/// least, AWS-LC the most.
fn of_a_fit_length(der: &[u8]) -> Result<&[u8], Material> {
    let read = || {
        let (numbers, _) = element(SEQUENCE, der)?;
        let (modulus, _) = element(INTEGER, after_version(numbers))?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.get(zeros)?;
        Some(8 * (modulus.len() - zeros) - first.leading_zeros() as usize)
    };
    match read().ok_or(Material::Damaged)? {
        2048..=8192 => Ok(der),
        bits => Err(Material::Bits(bits)),
    }
}

/// A private key's structure begins with its version, a public key's does not.
fn after_version(content: &[u8]) -> &[u8] {
    match element(INTEGER, content) {
        Some(([0 | 1], rest)) => rest,
        _ => content,
    }
}

/// RFC 8017 §A.1.
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
/// RFC 8017 §A.2.3, RFC 5480 §2.1.1, RFC 8410 §3, RFC 3279 §2.3.2.
const OTHERS: [(&[u8], &str); 5] = [
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], "RSA-PSS"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1], "EC"),
    (&[0x2b, 0x65, 0x70], "Ed25519"),
    (&[0x2b, 0x65, 0x71], "Ed448"),
    (&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1], "DSA"),
];

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine as _};

    use super::*;
    use crate::{
        jws::{SigningKey, VerifyingKey},
        secret::Secret,
    };

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/", $name))
        };
    }

    const PKCS8: &str = fixture!("rsa.pem");
    const PKCS1: &str = fixture!("rsa-pkcs1.pem");
    const SPKI: &str = fixture!("rsa-public.pem");
    const PUBLIC_PKCS1: &str = fixture!("rsa-public-pkcs1.pem");
    const CERTIFICATE: &str = fixture!("certificate.pem");

    /// The words after `privateKey is not usable: `, empty for a usable key.
    fn private(pem: &str) -> String {
        let key = SigningKey::rs256(Some(&Secret::from(pem.to_owned())));
        said(key.err(), "privateKey is not usable: ")
    }

    /// The words after `publicKey is not usable: `, empty for a usable key.
    fn public(pem: &str) -> String {
        let key = VerifyingKey::rs256(Some(&Secret::from(pem.to_owned())));
        said(key.err(), "publicKey is not usable: ")
    }

    fn said(error: Option<crate::jws::KeyError>, field: &str) -> String {
        let sentence = error.map(|error| error.to_string());
        sentence.map(|s| s.strip_prefix(field).unwrap().to_owned()).unwrap_or_default()
    }

    /// What files and environment variables make of a PEM.
    fn forms(pem: &str) -> Vec<String> {
        let escaped = pem.replace('\n', "\\n");
        vec![
            pem.to_owned(),
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.replace('\n', " "),
            pem.replace('\n', ""),
            pem.replace('\n', "\n  "),
            format!(" \n\t{pem}\n \n"),
            format!("\u{feff}{pem}"),
            format!("Bag Attributes\n    localKeyID: 01\n{pem}"),
            format!("{escaped}\n"),
            pem.replace('\n', "\\r\\n"),
            escaped.replace('\\', "\\\\"),
            escaped.replace('\\', "\\\\\\\\"),
            escaped.replace('/', "\\/"),
        ]
    }

    #[test]
    fn a_key_is_read_in_every_form() {
        for form in [PKCS8, PKCS1].into_iter().flat_map(forms) {
            assert_eq!(private(&form), "", "{form}");
        }
        for form in [SPKI, PUBLIC_PKCS1].into_iter().flat_map(forms) {
            assert_eq!(public(&form), "", "{form}");
        }
    }

    #[test]
    fn every_form_is_the_same_key() {
        let signature = |pem: &str| {
            let key = SigningKey::rs256(Some(&Secret::from(pem.to_owned()))).ok().unwrap();
            key.sign("{}").unwrap().expose().to_owned()
        };
        let expected = signature(PKCS8);
        for form in [PKCS8, PKCS1].into_iter().flat_map(forms) {
            assert_eq!(signature(&form), expected);
        }
    }

    #[test]
    fn a_key_may_stand_beside_its_certificate() {
        for pem in [format!("{CERTIFICATE}{PKCS8}"), format!("{PKCS1}{CERTIFICATE}")] {
            assert_eq!(private(&pem), "");
        }
        for pem in [format!("{CERTIFICATE}{SPKI}"), format!("{PKCS8}{PUBLIC_PKCS1}")] {
            assert_eq!(public(&pem), "");
        }
        let joined = format!("{CERTIFICATE}{PKCS8}").replace('\n', "");
        assert_eq!(private(&joined), "");
    }

    #[test]
    fn quotes_and_base64_are_named() {
        for quote in ['"', '\'', '`'] {
            for form in [PKCS8.trim(), &PKCS8.replace('\n', "\\n")] {
                let quoted = format!("{quote}{form}{quote}");
                assert_eq!(private(&quoted), "quotes around the PEM: remove them");
                assert_eq!(public(&quoted), "quotes around the PEM: remove them");
            }
        }
        let base64 = BASE64_STANDARD.encode(PKCS8);
        for form in [base64.clone(), format!("\n{base64}"), format!("\"{base64}\"")] {
            assert_eq!(private(&form), "base64 of a PEM: decode it first");
            assert_eq!(public(&form), "base64 of a PEM: decode it first");
        }
    }

    #[test]
    fn what_is_no_rsa_private_key_is_named() {
        for (pem, sentence) in [
            (fixture!("rsa-encrypted.pem"), "encrypted private key: decrypt it first"),
            (fixture!("rsa-encrypted-legacy.pem"), "encrypted private key: decrypt it first"),
            (fixture!("ec.pem"), "EC key: RS256 needs RSA"),
            (fixture!("ec-sec1.pem"), "EC key: RS256 needs RSA"),
            (
                "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----",
                "EC key: RS256 needs RSA",
            ),
            (fixture!("ed25519.pem"), "Ed25519 key: RS256 needs RSA"),
            (fixture!("rsa-pss.pem"), "RSA-PSS key: RS256 needs RSA"),
            ("-----BEGIN DSA PRIVATE KEY-----\n-----", "DSA key: RS256 needs RSA"),
            (fixture!("openssh.pem"), "OpenSSH private key: convert it to PKCS#8 first"),
            (SPKI, "public key: RS256 signs with an RSA private key"),
            (PUBLIC_PKCS1, "public key: RS256 signs with an RSA private key"),
            (CERTIFICATE, "certificate: RS256 signs with an RSA private key"),
            (
                "-----BEGIN TRUSTED CERTIFICATE-----\n-----",
                "certificate: RS256 signs with an RSA private key",
            ),
            (
                "-----BEGIN CERTIFICATE REQUEST-----\n-----",
                "PEM of another kind: RS256 signs with an RSA private key",
            ),
            ("an HMAC secret", "no PEM: RS256 signs with an RSA private key"),
            (" ", "no PEM: RS256 signs with an RSA private key"),
            (fixture!("rsa-1024.pem"), "RSA key of 1024 bits: RS256 needs 2048 to 8192"),
            (fixture!("rsa-2047.pem"), "RSA key of 2047 bits: RS256 needs 2048 to 8192"),
            (fixture!("rsa-8192.pem"), ""),
            (fixture!("rsa-8193.pem"), "RSA key of 8193 bits: RS256 needs 2048 to 8192"),
        ] {
            for form in forms(pem) {
                assert_eq!(private(&form), sentence, "{form}");
            }
        }
    }

    #[test]
    fn what_is_no_rsa_public_key_is_named() {
        for (pem, sentence) in [
            (PKCS8, "private key: RS256 verifies with an RSA public key"),
            (PKCS1, "private key: RS256 verifies with an RSA public key"),
            (fixture!("rsa-encrypted.pem"), "private key: RS256 verifies with an RSA public key"),
            (fixture!("openssh.pem"), "private key: RS256 verifies with an RSA public key"),
            (CERTIFICATE, "certificate: RS256 verifies with an RSA public key"),
            (fixture!("ec-public.pem"), "EC key: RS256 needs RSA"),
            (fixture!("ec-sec1.pem"), "EC key: RS256 needs RSA"),
            (fixture!("rsa-pss-public.pem"), "RSA-PSS key: RS256 needs RSA"),
            ("an HMAC secret", "no PEM: RS256 verifies with an RSA public key"),
            (fixture!("rsa-1024-public.pem"), "RSA key of 1024 bits: RS256 needs 2048 to 8192"),
            (fixture!("rsa-2047-public.pem"), "RSA key of 2047 bits: RS256 needs 2048 to 8192"),
            (fixture!("rsa-8192-public.pem"), ""),
            (fixture!("rsa-8193-public.pem"), "RSA key of 8193 bits: RS256 needs 2048 to 8192"),
        ] {
            for form in forms(pem) {
                assert_eq!(public(&form), sentence, "{form}");
            }
        }
    }

    #[test]
    fn other_algorithms_are_named_by_their_identifier() {
        let element = |tag: u8, content: &[u8]| {
            [&[tag, u8::try_from(content.len()).unwrap()], content].concat()
        };
        let key = |oid: &[u8]| {
            let algorithm = element(SEQUENCE, &element(OBJECT_IDENTIFIER, oid));
            let parts = [element(INTEGER, &[0]), algorithm, element(OCTET_STRING, &[])];
            let base64 = BASE64_STANDARD.encode(element(SEQUENCE, &parts.concat()));
            format!("-----BEGIN PRIVATE KEY-----\n{base64}\n-----END PRIVATE KEY-----")
        };
        assert_eq!(private(&key(&[0x2b, 0x65, 0x71])), "Ed448 key: RS256 needs RSA");
        assert_eq!(
            private(&key(&[0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1])),
            "DSA key: RS256 needs RSA"
        );
        assert_eq!(
            private(&key(&[0x2b, 0x65, 0x6e])),
            "PEM of another kind: RS256 signs with an RSA private key"
        );
    }

    #[test]
    fn a_damaged_key_is_called_damaged() {
        let middle = PKCS8.len() / 2;
        for pem in [
            &PKCS8[..PKCS8.len() - 40],
            &PKCS8.replacen(&PKCS8[middle..middle + 4], "", 1),
            &PKCS8.replacen(&PKCS8[middle..=middle], "!", 1),
            // A changed prime: every length is right, the numbers are not.
            &flipped(PKCS8, 900),
            &PKCS8.replace("PRIVATE KEY", "RSA PRIVATE KEY"),
            &PKCS1.replace("RSA PRIVATE KEY", "PRIVATE KEY"),
            "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY",
            "-----BEGIN PRIVATE KEY-----",
            // Lengths that lie: beyond the end, of more bytes than an address has, indefinite.
            "-----BEGIN PRIVATE KEY-----MIID-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----MIn//////////////////w-----END PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----MIAAAA-----END RSA PRIVATE KEY-----",
        ] {
            assert_eq!(private(pem), "damaged PEM: RS256 signs with an RSA private key", "{pem}");
        }
        for pem in [
            &SPKI[..SPKI.len() - 40],
            &SPKI.replace("PUBLIC KEY", "RSA PUBLIC KEY"),
            &PUBLIC_PKCS1.replace("RSA PUBLIC KEY", "PUBLIC KEY"),
            &PKCS8.replace("PRIVATE KEY", "PUBLIC KEY"),
            &PKCS1.replace("PRIVATE KEY", "PUBLIC KEY"),
        ] {
            assert_eq!(public(pem), "damaged PEM: RS256 verifies with an RSA public key", "{pem}");
        }
    }

    #[test]
    fn no_message_shows_what_was_given() {
        for canary in [
            "canary",
            "-----BEGIN canary-----\n-----END canary-----",
            "-----BEGIN PRIVATE KEY-----\ncanary!\n-----END PRIVATE KEY-----",
            "\"canary-----BEGIN PRIVATE KEY-----",
        ] {
            assert!(!private(canary).contains("canary"));
            assert!(!public(canary).contains("canary"));
        }
    }

    /// `pem` with one letter of its body changed.
    fn flipped(pem: &str, at: usize) -> String {
        let other = if &pem[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &pem[..at], &pem[at + 1..])
    }
}
