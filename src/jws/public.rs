//! What everyone may know, in each form in which it is taken for an HMAC secret: whoever knows it
//! could sign.

use base64::{
    alphabet,
    engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    der::{BIT_STRING, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, element},
    key_error::Material,
};
use crate::json;

/// The public key or certificate that `secret` is, or is an encoding of.
pub(super) fn known_to_everyone(secret: &str) -> Option<Material> {
    in_text(secret).or_else(|| {
        let decoded = decoded(secret)?;
        in_bytes(&decoded).or_else(|| in_text(str::from_utf8(&decoded).ok()?))
    })
}

fn in_text(text: &str) -> Option<Material> {
    // Most secrets have no blank: they pay little.
    let words = has_any(text, |byte| byte.is_ascii_whitespace());
    let key = || is_jwk(text) || words && is_ssh(text);
    words.then(|| armour(text)).flatten().or_else(|| key().then_some(Material::PublicKey))
}

/// The first label of PEM (RFC 7468 §2), or of what resembles it, that is no private key's.
fn armour(text: &str) -> Option<Material> {
    let b = text.bytes().enumerate().filter(|(_, byte)| byte | 0x20 == b'b');
    b.map(|(at, _)| at).find_map(|at| {
        let (begin, label) = text.get(at..)?.split_at_checked(BEGIN.len())?;
        if !begin.eq_ignore_ascii_case(BEGIN) || !label.starts_with(blank) {
            return None;
        }
        let mut words = label.split_ascii_whitespace();
        let mut word = words.next()?;
        if KINDS.iter().any(|kind| word.eq_ignore_ascii_case(kind)) {
            word = words.next()?;
        }
        if begins_with(word, "CERTIFICATE") {
            return Some(Material::Certificate);
        }
        let is_key = word.eq_ignore_ascii_case("PUBLIC") && begins_with(words.next()?, "KEY");
        is_key.then_some(Material::PublicKey)
    })
}

/// The rest of the text may follow without a blank.
fn begins_with(word: &str, start: &str) -> bool {
    word.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// A line of `authorized_keys` or `known_hosts` (sshd(8)): a type, and its base64.
fn is_ssh(text: &str) -> bool {
    let keys = text.split_ascii_whitespace().skip(1);
    let mut pairs = text.split_ascii_whitespace().zip(keys);
    pairs.any(|(kind, key)| key.starts_with("AAAA") && is_ssh_type(kind))
}

fn is_ssh_type(word: &str) -> bool {
    ["ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"].iter().any(|start| word.starts_with(start))
}

/// A JWK without its private part, or a set of them (RFC 7517 §4, §5).
fn is_jwk(text: &str) -> bool {
    if !text.trim_ascii_start().starts_with('{') {
        return false;
    }
    let names = ["kty", "n", "x", "d", "keys"];
    let Ok(Some([kty, n, x, d, keys])) = json::pick(text, names) else { return false };
    if let Some(keys) = keys {
        let keys: Vec<&RawValue> = serde_json::from_str(keys.text()).unwrap_or_default();
        return !keys.is_empty() && keys.iter().all(|key| is_jwk(key.get()));
    }
    let kind = kty.and_then(json::Value::as_string);
    matches!(kind.as_deref(), Some("RSA" | "EC" | "OKP")) && n.or(x).is_some() && d.is_none()
}

/// Base64 or base64url, in lines or one, in quotes or none.
fn decoded(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let text = text.trim_matches(|c| blank(c) || QUOTES.contains(&c));
    if text.len() < SHORTEST {
        return None;
    }
    let is_url_safe = has_any(text, |byte| byte == b'-' || byte == b'_');
    let engine = if is_url_safe { &URL_SAFE } else { &STANDARD };
    let decoded = if has_any(text, |byte| byte.is_ascii_whitespace()) {
        let mut line = Zeroizing::new(String::with_capacity(text.len()));
        line.extend(text.split_ascii_whitespace());
        engine.decode(line.as_bytes())
    } else {
        engine.decode(text)
    };
    decoded.ok().map(Zeroizing::new)
}

fn in_bytes(bytes: &[u8]) -> Option<Material> {
    let is_key = is_public_key(bytes).is_some() || is_ssh_key(bytes).is_some();
    let is_certificate = || is_certificate(bytes).is_some();
    is_key
        .then_some(Material::PublicKey)
        .or_else(|| is_certificate().then_some(Material::Certificate))
}

/// `SubjectPublicKeyInfo` (RFC 5280 §4.1), or PKCS#1's two numbers (RFC 8017 §A.1.1).
fn is_public_key(der: &[u8]) -> Option<()> {
    let content = whole(SEQUENCE, der)?;
    if let Some((_, exponent)) = element(INTEGER, content) {
        whole(INTEGER, exponent)
    } else {
        let (algorithm, key) = element(SEQUENCE, content)?;
        element(OBJECT_IDENTIFIER, algorithm)?;
        whole(BIT_STRING, key)
    }
    .map(drop)
}

/// What is signed, by which algorithm, and the signature (RFC 5280 §4.1).
fn is_certificate(der: &[u8]) -> Option<()> {
    let (_, rest) = element(SEQUENCE, whole(SEQUENCE, der)?)?;
    let (algorithm, signature) = element(SEQUENCE, rest)?;
    element(OBJECT_IDENTIFIER, algorithm)?;
    whole(BIT_STRING, signature).map(drop)
}

/// A type, with its length before it (RFC 4253 §6.6).
fn is_ssh_key(bytes: &[u8]) -> Option<()> {
    let (length, rest) = bytes.split_first_chunk()?;
    let name = rest.get(..u32::from_be_bytes(*length).try_into().ok()?)?;
    is_ssh_type(str::from_utf8(name).ok()?).then_some(())
}

/// The content of an element that nothing follows.
fn whole(tag: u8, der: &[u8]) -> Option<&[u8]> {
    element(tag, der).filter(|(_, rest)| rest.is_empty()).map(|(content, _)| content)
}

fn blank(c: char) -> bool {
    c.is_ascii_whitespace()
}

/// Counted to the end, which compilers do many bytes at a time.
fn has_any(text: &str, is: impl Fn(u8) -> bool) -> bool {
    text.bytes().filter(|byte| is(*byte)).count() > 0
}

const BEGIN: &str = "BEGIN";
/// What may stand before the words PUBLIC KEY or CERTIFICATE.
const KINDS: [&str; 7] = ["RSA", "EC", "DSA", "SSH2", "PGP", "X509", "TRUSTED"];
const QUOTES: [char; 3] = ['"', '\'', '`'];
/// An Ed25519 key, the shortest there is, has 44 bytes of DER.
const SHORTEST: usize = 59;
/// The last letter of an unpadded text may hold bits that are not zero: it is read as OpenSSL does.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
static STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
static URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
    use proptest::prelude::*;

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/", $name))
        };
    }

    /// The DER inside a PEM.
    fn der(pem: &str) -> Vec<u8> {
        let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        BASE64_STANDARD.decode(body).unwrap()
    }

    /// In which a binary key gets into an environment variable.
    fn encodings(bytes: &[u8]) -> Vec<String> {
        let base64 = BASE64_STANDARD.encode(bytes);
        let lines: Vec<_> = base64.as_bytes().chunks(64).map(str::from_utf8).collect();
        let lines: Vec<_> = lines.into_iter().map(Result::unwrap).collect();
        vec![
            lines.join("\n"),
            format!(" {}\r\n", lines.join("\r\n")),
            format!("\"{base64}\""),
            BASE64_URL_SAFE_NO_PAD.encode(bytes),
            base64,
        ]
    }

    /// What editors, shells and environment files make of armour.
    fn spellings(pem: &str) -> Vec<String> {
        vec![
            pem.to_owned(),
            pem.to_lowercase(),
            pem.replace('\n', "\\n"),
            pem.replace('\n', " "),
            pem.replace(' ', "\t"),
            pem.replace(' ', "  "),
            format!("subject=/CN=test\n{pem}"),
        ]
    }

    const PUBLIC_KEYS: [&str; 4] = [
        fixture!("rsa-public.pem"),
        fixture!("rsa-public-pkcs1.pem"),
        fixture!("ec-public.pem"),
        fixture!("rsa-1024-public.pem"),
    ];
    const CERTIFICATE: &str = fixture!("certificate.pem");
    const PRIVATE_KEYS: [&str; 7] = [
        fixture!("rsa.pem"),
        fixture!("rsa-pkcs1.pem"),
        fixture!("rsa-encrypted.pem"),
        fixture!("ec.pem"),
        fixture!("ec-sec1.pem"),
        fixture!("ed25519.pem"),
        fixture!("openssh.pem"),
    ];

    #[track_caller]
    fn is(text: &str, found: Option<Material>) {
        assert_eq!(known_to_everyone(text), found, "{text}");
    }

    #[test]
    fn armour_is_found_in_every_spelling() {
        let x509 = CERTIFICATE.replace("CERTIFICATE", "X509 CERTIFICATE");
        let trusted = CERTIFICATE.replace("CERTIFICATE", "TRUSTED CERTIFICATE");
        let certificates = [CERTIFICATE, &x509, &trusted].map(|pem| (pem, Material::Certificate));
        let keys = PUBLIC_KEYS.map(|pem| (pem, Material::PublicKey));
        for (pem, found) in keys.into_iter().chain(certificates) {
            for text in spellings(pem) {
                is(&text, Some(found));
                for text in encodings(text.as_bytes()) {
                    is(&text, Some(found));
                }
            }
        }
        is("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", Some(Material::PublicKey));
    }

    #[test]
    fn der_is_found_in_base64() {
        let keys = PUBLIC_KEYS.map(|pem| (pem, Material::PublicKey));
        for (pem, found) in keys.into_iter().chain([(CERTIFICATE, Material::Certificate)]) {
            for text in encodings(&der(pem)) {
                is(&text, Some(found));
            }
        }
    }

    #[test]
    fn public_jwks_are_found() {
        let rsa = r#"{"kty":"RSA","n":"0vx7","e":"AQAB"}"#;
        let ec = r#"{ "crv":"P-256", "x":"MKBC", "y":"4Etl", "\u006bty":"EC" }"#;
        let okp = r#"{"kty":"OKP","crv":"Ed25519","x":"11qY"}"#;
        for key in [rsa, ec, okp] {
            is(key, Some(Material::PublicKey));
            is(&format!("\n {{\"keys\": [{key}, {rsa}]}}"), Some(Material::PublicKey));
            let long = key.replacen('{', r#"{"kid":"one that makes it long enough","#, 1);
            for text in encodings(long.as_bytes()) {
                is(&text, Some(Material::PublicKey));
            }
        }
    }

    #[test]
    fn keys_of_ssh_are_found() {
        let key = "AAAAC3NzaC1lZDI1NTE5AAAAIJ1nDEIcTkjBnNnGHxYNYx5UkZnFAtkOVYoPyc8FzvJ6";
        for kind in ["ssh-rsa", "ssh-ed25519", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"]
        {
            is(&format!("{kind} {key} me@here"), Some(Material::PublicKey));
            is(&format!("no-pty,command=\"x y\"\t{kind}\t{key}\n"), Some(Material::PublicKey));
            is(&format!("# mine\nhost,10.0.0.1 {kind} {key}\n"), Some(Material::PublicKey));
        }
        is(key, Some(Material::PublicKey));
    }

    #[test]
    fn private_keys_are_secrets() {
        for pem in PRIVATE_KEYS {
            is(pem, None);
            for text in spellings(pem).iter().flat_map(|text| encodings(text.as_bytes())) {
                is(&text, None);
            }
            if !pem.contains("PARAMETERS") {
                for text in encodings(&der(pem)) {
                    is(&text, None);
                }
            }
        }
        for jwk in [
            r#"{"kty":"RSA","n":"0vx7","e":"AQAB","d":"X4cT"}"#,
            r#"{"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T"}"#,
            r#"{"keys":[{"kty":"oct","k":"AyM1"},{"kty":"RSA","n":"0vx7","e":"AQAB"}]}"#,
            r#"{"keys":[]}"#,
        ] {
            is(jwk, None);
        }
    }

    #[test]
    fn words_alone_make_no_key_of_a_secret() {
        for text in [
            "let us begin with a birth certificate, and end with it",
            "beginner certificate of the public key holders' club",
            "BEGINCERTIFICATE of thirty-two characters or more",
            "-----BEGIN MESSAGE----- a public key is no certificate",
            "ssh-rsa is what I type, and this is no key of it at all",
            r#"{"kty":"a secret that looks like JSON, of some length"}"#,
            "{ a secret that begins with a brace, 60 characters or more ",
        ] {
            is(text, None);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn random_bytes_in_any_encoding_are_a_secret(bytes in prop::collection::vec(any::<u8>(), 16..600)) {
            let hex: String = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])).collect();
            for text in encodings(&bytes).into_iter().chain([hex]) {
                prop_assert_eq!(known_to_everyone(&text), None);
            }
        }

        /// Even those that begin as DER does.
        #[test]
        fn random_bytes_in_a_sequence_are_a_secret(bytes in prop::collection::vec(any::<u8>(), 64..127)) {
            let mut der = vec![SEQUENCE, u8::try_from(bytes.len()).unwrap()];
            der.extend(bytes);
            for text in encodings(&der) {
                prop_assert_eq!(known_to_everyone(&text), None);
            }
        }

        #[test]
        fn any_text_is_a_secret(text in "\\PC{0,200}") {
            prop_assert_eq!(known_to_everyone(&text), None);
        }
    }
}
