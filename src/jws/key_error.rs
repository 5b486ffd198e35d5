//! Why there is no key: nothing was given, or something else than what is needed.

use std::fmt;

use crate::{
    error::{ArgumentError, ArgumentErrorKind, PlainError},
    message::Part,
};

/// A key that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// No value, or an empty one.
    Missing(Needed),
    /// A value that is not that key.
    Unusable(Needed, Material),
}

/// The keys of the two algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needed {
    /// HS256, to sign and to verify.
    Secret,
    /// RS256, to sign.
    PrivateKey,
    /// RS256, to verify.
    PublicKey,
    /// An OAuth client's, to sign who it is.
    ClientKey,
}

/// What stands where a key is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Material {
    /// No text at all: a `KeyObject`, a `Buffer`, a JWK.
    Object,
    /// A text that is no PEM.
    NoPem,
    /// A PEM in quotes, as an environment file may leave it.
    Quotes,
    /// A PEM that was encoded once more.
    Base64,
    /// A PEM that cannot be decoded, or whose content is no key.
    Damaged,
    /// A private key behind a passphrase.
    Encrypted,
    /// A private key in OpenSSH's own format.
    OpenSsh,
    /// An X.509 certificate.
    Certificate,
    /// A public key.
    PublicKey,
    /// A private key.
    PrivateKey,
    /// A PEM of a kind that has no name here.
    Other,
    /// A key of another algorithm.
    Algorithm(&'static str),
    /// An EC key that is damaged, or not on P-256.
    Curve,
    /// An RSA key of so many bits.
    Bits(usize),
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Missing(Needed::Secret) => f.write_str("HS256 algorithm requires secret"),
            Self::Missing(key) => write!(f, "RS256 algorithm requires {}", key.field()),
            Self::Unusable(key, found) => write!(f, "{} {}", key.field(), key.problem(found)),
        }
    }
}

/// Nothing of what was given: our own words, and numbers.
impl Part for KeyError {}

/// A missing key is the SDK's own sentence.
impl From<KeyError> for ArgumentError {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Missing(key) => Self {
                field: key.field(),
                problem: error.to_string(),
                kind: ArgumentErrorKind::Plain,
            },
            KeyError::Unusable(key, found) => Self::of_type(key.field(), key.problem(found)),
        }
    }
}

impl From<KeyError> for PlainError {
    fn from(error: KeyError) -> Self {
        Self { message: error.to_string(), code: Some(KeyError::CODE), ..Self::default() }
    }
}

impl KeyError {
    /// What tells a fault of the service from one of its callers.
    pub const CODE: &str = "ERR_KEY0_CONFIG";
}

impl Needed {
    /// The argument or field, as JavaScript spells it.
    const fn field(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::PrivateKey | Self::ClientKey => "privateKey",
            Self::PublicKey => "publicKey",
        }
    }

    /// How an object that holds the key gives it as text.
    const fn as_text(self) -> &'static str {
        match self {
            Self::Secret => "give it as a string, a Buffer's by toString()",
            Self::PrivateKey | Self::ClientKey => {
                r#"give it as PEM, a KeyObject's by export({ type: "pkcs8", format: "pem" })"#
            }
            Self::PublicKey => {
                r#"give it as PEM, a KeyObject's by export({ type: "spki", format: "pem" })"#
            }
        }
    }

    /// What is wrong, continuing a sentence that begins with the field.
    fn problem(self, found: Material) -> String {
        let need = match self {
            Self::Secret => "everyone may know it",
            Self::PrivateKey => "RS256 signs with an RSA private key",
            Self::PublicKey => "RS256 verifies with an RSA public key",
            Self::ClientKey => "private_key_jwt signs with a private key",
        };
        let (rsa, kinds) = match self {
            Self::ClientKey => ("RS256 and PS256 need", CLIENT_KEYS),
            _ => ("RS256 needs", "RS256 needs RSA"),
        };
        let (what, advice) = match found {
            Material::Object => ("an object", self.as_text()),
            Material::NoPem => ("no PEM", need),
            Material::Quotes => ("quotes around the PEM", "remove them"),
            Material::Base64 => ("base64 of a PEM", "decode it first"),
            Material::Damaged => ("damaged PEM", need),
            Material::Encrypted => ("encrypted private key", "decrypt it first"),
            Material::OpenSsh => ("OpenSSH private key", "convert it to PKCS#8 first"),
            Material::Certificate => ("certificate", need),
            Material::PublicKey => ("public key", need),
            Material::PrivateKey => ("private key", need),
            Material::Other => ("PEM of another kind", need),
            Material::Curve => ("EC key that is damaged or of another curve", "ES256 needs P-256"),
            Material::Algorithm(name) => {
                return format!("is not usable: {name} key: {kinds}");
            }
            Material::Bits(bits) => {
                return format!("is not usable: RSA key of {bits} bits: {rsa} 2048 to 8192");
            }
        };
        format!("is not usable: {what}: {advice}")
    }
}

const CLIENT_KEYS: &str = "RS256 and PS256 need RSA, ES256 EC on P-256, EdDSA Ed25519";
