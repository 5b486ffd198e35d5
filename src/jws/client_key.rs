//! Keys with which an OAuth client signs who it is (RFC 7523 §3): a secret, or a private key of
//! three kinds.

use std::fmt::Write as _;

use aws_lc_rs::{
    digest::{self, SHA256},
    error::Unspecified,
    hmac,
    rand::SystemRandom,
    rsa::KeyPair as RsaKeyPair,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256, RSA_PSS_SHA256,
    },
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

use super::{
    key_error::{KeyError, Material, Needed},
    pem::Section,
    rsa,
};
use crate::{error::ArgumentError, secret::Secret};

/// A key and its algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
pub enum ClientKey {
    /// `client_secret_jwt`: the secret's bytes as they are.
    Hs256(Box<hmac::Key>),
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256(RsaKeyPair),
    /// RSASSA-PSS with SHA-256.
    Ps256(RsaKeyPair),
    /// ECDSA on P-256 with SHA-256.
    Es256(EcdsaKeyPair),
    /// Ed25519.
    EdDsa(Ed25519KeyPair),
}

impl ClientKey {
    /// For HS256.
    #[must_use]
    pub fn of_secret(secret: &Secret) -> Self {
        Self::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes())))
    }

    /// Out of PEM: PKCS#8, PKCS#1 or SEC1. Without `algorithm` `RS256`, `ES256` or `EdDSA`, as the key
    /// is.
    ///
    /// # Errors
    /// Where the key is none that signs, or `algorithm` none that it signs with.
    pub fn of_pem(pem: &Secret, algorithm: Option<&str>) -> Result<Self, ArgumentError> {
        let unusable = |found| KeyError::Unusable(Needed::ClientKey, found);
        let key = match rsa::private_key(pem.expose()) {
            Ok(key) => Self::Rs256(key),
            Err(Material::Algorithm("EC")) => ec(pem.expose()).map_err(unusable)?,
            Err(Material::Algorithm("Ed25519")) => ed25519(pem.expose()).map_err(unusable)?,
            Err(found) => return Err(unusable(found).into()),
        };
        match (algorithm, key) {
            (Some("PS256"), Self::Rs256(key)) => Ok(Self::Ps256(key)),
            (Some(name), key) if name != key.algorithm() => {
                Err(ArgumentError::of_type("algorithm", key.algorithms()))
            }
            (_, key) => Ok(key),
        }
    }

    /// Whether it signs in 0.35 ms, rather than in a tenth of that.
    #[must_use]
    pub const fn is_slow(&self) -> bool {
        matches!(self, Self::Rs256(_) | Self::Ps256(_))
    }

    /// A JWT of these claims, JSON text of an object, that names its key as `name` does.
    ///
    /// # Errors
    /// Where AWS-LC fails.
    pub fn sign(&self, name: &KeyName, claims: &str) -> Result<Secret, Unspecified> {
        let header = format!(r#"{{"alg":"{}","typ":"JWT"{}}}"#, self.algorithm(), name.0);
        let header = BASE64_URL_SAFE_NO_PAD.encode(header);
        let mut token = format!("{header}.{}", BASE64_URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::from(token))
    }

    fn signature(&self, signed: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        let rsa = |key: &RsaKeyPair, padding| {
            let mut signature = vec![0; key.public_modulus_len()];
            key.sign(padding, &random, signed, &mut signature).map(|()| signature)
        };
        match self {
            Self::Hs256(key) => Ok(hmac::sign(key, signed).as_ref().to_vec()),
            Self::Rs256(key) => rsa(key, &RSA_PKCS1_SHA256),
            Self::Ps256(key) => rsa(key, &RSA_PSS_SHA256),
            Self::Es256(key) => Ok(key.sign(&random, signed)?.as_ref().to_vec()),
            Self::EdDsa(key) => Ok(key.sign(signed).as_ref().to_vec()),
        }
    }

    /// The public half, as its certificate has it; nothing of a secret.
    fn public(&self) -> &[u8] {
        match self {
            Self::Hs256(_) => &[],
            Self::Rs256(key) | Self::Ps256(key) => key.public_key().as_ref(),
            Self::Es256(key) => key.public_key().as_ref(),
            Self::EdDsa(key) => key.public_key().as_ref(),
        }
    }

    const fn algorithm(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "HS256",
            Self::Rs256(_) => "RS256",
            Self::Ps256(_) => "PS256",
            Self::Es256(_) => "ES256",
            Self::EdDsa(_) => "EdDSA",
        }
    }

    /// What `algorithm` may be, continuing a sentence that begins with it.
    const fn algorithms(&self) -> &'static str {
        match self {
            Self::Hs256(_) => "must be HS256 for a secret",
            Self::Rs256(_) | Self::Ps256(_) => "must be RS256 or PS256 for an RSA key",
            Self::Es256(_) => "must be ES256 for an EC key",
            Self::EdDsa(_) => "must be EdDSA for an Ed25519 key",
        }
    }
}

/// What tells a server which of a client's keys has signed: members of the header, as JSON, each
/// behind a comma.
#[derive(Clone, Debug, Default)]
pub struct KeyName(String);

impl KeyName {
    /// By the key's id (RFC 7515 §4.1.4), and by the thumbprint of its certificate, which is PEM
    /// (§4.1.8).
    ///
    /// # Errors
    /// Where that is no certificate, or not the key's.
    pub fn new(
        key: &ClientKey,
        kid: Option<&str>,
        certificate: Option<&str>,
    ) -> Result<Self, ArgumentError> {
        let mut members = String::new();
        if let Some(kid) = kid {
            let _ = write!(members, r#","kid":{}"#, serde_json::Value::from(kid));
        }
        if let Some(pem) = certificate {
            let section = Section::all(pem).find(|section| section.label == "CERTIFICATE");
            let der = section.and_then(|section| section.der().ok());
            let unusable = |problem| ArgumentError::of_type("certificate", problem);
            let der = der.ok_or_else(|| unusable("holds no certificate in PEM"))?;
            // It stands in there as it is, and nothing else that long does by chance.
            let public = key.public();
            if public.is_empty() || !der.windows(public.len()).any(|bytes| bytes == public) {
                return Err(unusable("is not that of privateKey"));
            }
            let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&SHA256, &der));
            let _ = write!(members, r#","x5t#S256":"{thumbprint}""#);
        }
        Ok(Self(members))
    }
}

/// A key on P-256, in PKCS#8 or SEC1 (RFC 5915 §3).
fn ec(pem: &str) -> Result<ClientKey, Material> {
    let section = Section::find(pem, "PRIVATE KEY")?;
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let key = match section.label {
        "EC PRIVATE KEY" if section.is_encrypted() => return Err(Material::Encrypted),
        "EC PRIVATE KEY" => EcdsaKeyPair::from_private_key_der(algorithm, &section.der()?),
        "PRIVATE KEY" => EcdsaKeyPair::from_pkcs8(algorithm, &section.der()?),
        _ => return Err(Material::Damaged),
    };
    key.map(ClientKey::Es256).map_err(|_| Material::Curve)
}

fn ed25519(pem: &str) -> Result<ClientKey, Material> {
    let der = Section::find(pem, "PRIVATE KEY")?.der()?;
    // RFC 8410 §7 lets a key stand without its public half, as OpenSSL writes it.
    let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der);
    key.map(ClientKey::EdDsa).map_err(|_| Material::Damaged)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{
        self, ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256,
        UnparsedPublicKey, VerificationAlgorithm,
    };

    use super::*;

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../tests/fixtures/", $name))
        };
    }

    fn key(pem: &str, algorithm: Option<&str>) -> Result<ClientKey, String> {
        ClientKey::of_pem(&pem.to_owned().into(), algorithm).map_err(|error| error.to_string())
    }

    /// Whether what `key` signs verifies with its public half.
    fn verifies(key: &ClientKey) -> bool {
        let (algorithm, public): (&dyn VerificationAlgorithm, _) = match key {
            ClientKey::Hs256(_) => panic!("it has no public half"),
            ClientKey::Rs256(key) => (&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref()),
            ClientKey::Ps256(key) => (&RSA_PSS_2048_8192_SHA256, key.public_key().as_ref()),
            ClientKey::Es256(key) => (&ECDSA_P256_SHA256_FIXED, key.public_key().as_ref()),
            ClientKey::EdDsa(key) => (&signature::ED25519, key.public_key().as_ref()),
        };
        let token = key.sign(&KeyName::default(), "{}").unwrap();
        let (signed, signature) = token.expose().rsplit_once('.').unwrap();
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &signature).is_ok()
    }

    fn header(token: &Secret) -> String {
        let header = token.expose().split('.').next().unwrap();
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
    }

    #[test]
    fn every_kind_of_key_is_read_and_signs_with_its_algorithm() {
        for (pem, given, algorithm) in [
            (fixture!("rsa.pem"), None, "RS256"),
            (fixture!("rsa-pkcs1.pem"), Some("RS256"), "RS256"),
            (fixture!("rsa.pem"), Some("PS256"), "PS256"),
            (fixture!("ec.pem"), None, "ES256"),
            (fixture!("ec-sec1.pem"), Some("ES256"), "ES256"),
            (fixture!("ed25519.pem"), None, "EdDSA"),
            (fixture!("ed25519.pem"), Some("EdDSA"), "EdDSA"),
        ] {
            let key = key(pem, given).unwrap();
            assert!(verifies(&key), "{algorithm}");
            let said = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
            assert_eq!(header(&key.sign(&KeyName::default(), "{}").unwrap()), said);
        }
    }

    #[test]
    fn a_keys_id_may_be_any_text() {
        let key = ClientKey::of_secret(&"s".to_owned().into());
        let name = KeyName::new(&key, Some("a\"b\n"), None).unwrap();
        let header = header(&key.sign(&name, "{}").unwrap());
        assert_eq!(header, r#"{"alg":"HS256","typ":"JWT","kid":"a\"b\n"}"#);
    }

    // `openssl x509 -outform DER | openssl dgst -sha256 -binary | base64`, for URLs.
    #[test]
    fn a_certificate_names_its_key_by_its_thumbprint() {
        let own = key(fixture!("rsa.pem"), None).unwrap();
        let certificate = Some(fixture!("certificate.pem"));
        let name = KeyName::new(&own, None, certificate).unwrap();
        assert_eq!(name.0, r#","x5t#S256":"tP3-oWO0TDsstWr-vANOyL3yZFFhGc0kxq4B9CrvFcA""#);
        let other = key(fixture!("rfc7515-a2.pem"), None).unwrap();
        let refused = KeyName::new(&other, None, certificate).unwrap_err();
        assert_eq!(refused.to_string(), "certificate is not that of privateKey");
        let refused = KeyName::new(&own, None, Some(fixture!("rsa.pem"))).unwrap_err();
        assert_eq!(refused.to_string(), "certificate holds no certificate in PEM");
    }

    #[test]
    fn an_algorithm_that_the_key_does_not_have_is_refused() {
        for (pem, algorithm, sentence) in [
            (fixture!("rsa.pem"), "ES256", "algorithm must be RS256 or PS256 for an RSA key"),
            (fixture!("ec.pem"), "RS256", "algorithm must be ES256 for an EC key"),
            (fixture!("ed25519.pem"), "ed25519", "algorithm must be EdDSA for an Ed25519 key"),
        ] {
            assert_eq!(key(pem, Some(algorithm)).err().unwrap(), sentence);
        }
    }

    #[test]
    fn what_is_no_key_that_signs_is_named() {
        const NEED: &str = "private_key_jwt signs with a private key";
        const KINDS: &str = "RS256 and PS256 need RSA, ES256 EC on P-256, EdDSA Ed25519";
        for (pem, sentence) in [
            ("a secret", format!("no PEM: {NEED}")),
            (fixture!("rsa-public.pem"), format!("public key: {NEED}")),
            (fixture!("ec-public.pem"), format!("public key: {NEED}")),
            (fixture!("certificate.pem"), format!("certificate: {NEED}")),
            (fixture!("rsa-encrypted.pem"), "encrypted private key: decrypt it first".to_owned()),
            (fixture!("rsa-pss.pem"), format!("RSA-PSS key: {KINDS}")),
            (
                fixture!("rsa-1024.pem"),
                "RSA key of 1024 bits: RS256 and PS256 need 2048 to 8192".to_owned(),
            ),
            (
                fixture!("ec-384.pem"),
                "EC key that is damaged or of another curve: ES256 needs P-256".to_owned(),
            ),
            (&fixture!("ed25519.pem").replacen("MC4", "MC5", 1), format!("damaged PEM: {NEED}")),
        ] {
            let refused = key(pem, None).err().unwrap();
            assert_eq!(refused, format!("privateKey is not usable: {sentence}"));
        }
    }
}
