//! Compact JWS (RFC 7515 §7.1) with the two algorithms of the SDK (RFC 7518 §3.1). Keys are parsed
//! once, and the algorithm belongs to the key: a token's `alg` agrees with it or is refused.

mod client_key;
mod der;
mod key_error;
mod pem;
mod public;
mod recent;
mod rejection;
mod rsa;

use std::string::FromUtf8Error;

use aws_lc_rs::{
    error::Unspecified,
    hmac,
    rand::SystemRandom,
    rsa::KeyPair,
    signature::{ParsedPublicKey, RSA_PKCS1_SHA256},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

pub(crate) use self::pem::Section;
pub use self::{
    client_key::{ClientKey, KeyName},
    key_error::{KeyError, Material, Needed},
    recent::recent,
    rejection::{Near, Rejection},
};
use crate::{error::ArgumentError, json, now::Now, secret::Secret};

/// The algorithms of the SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: one secret signs and verifies (RFC 7518 §3.2).
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256: a private key signs, its public key verifies (§3.3).
    Rs256,
}

impl Algorithm {
    /// The algorithm of that name, HS256 where none is given.
    ///
    /// # Errors
    /// For every other name.
    pub fn named(name: Option<&str>) -> Result<Self, ArgumentError> {
        match name {
            None | Some("HS256") => Ok(Self::Hs256),
            Some("RS256") => Ok(Self::Rs256),
            Some(_) => Err(ArgumentError::of_type("algorithm", "must be HS256 or RS256")),
        }
    }
}

/// A key that signs.
pub enum SigningKey {
    /// For HS256.
    Hs256(Box<hmac::Key>),
    /// For RS256.
    Rs256(KeyPair),
}

impl SigningKey {
    /// A key for HS256.
    ///
    /// # Errors
    /// Where the secret is missing, empty, or one that everyone may know.
    pub fn hs256(secret: Option<&Secret>) -> Result<Self, KeyError> {
        hmac_key(secret).map(Self::Hs256)
    }

    /// A key for RS256, out of PEM.
    ///
    /// # Errors
    /// Where the key is missing, or is no RSA private key of 2048 to 8192 bits.
    pub fn rs256(private_key: Option<&Secret>) -> Result<Self, KeyError> {
        let pem = given(private_key, Needed::PrivateKey)?;
        let key = rsa::private_key(pem);
        key.map(Self::Rs256).map_err(|found| KeyError::Unusable(Needed::PrivateKey, found))
    }

    /// The token of `payload`, whose header is `alg` alone.
    ///
    /// # Errors
    /// Where AWS-LC fails.
    pub fn sign(&self, payload: &str) -> Result<Secret, Unspecified> {
        self.sign_behind("", payload)
    }

    /// The same behind `scheme`, as a header has it.
    ///
    /// # Errors
    /// Where AWS-LC fails.
    pub fn sign_behind(&self, scheme: &str, payload: &str) -> Result<Secret, Unspecified> {
        let (header, signature_len) = match self {
            Self::Hs256(_) => (HS256_HEADER, hmac::HMAC_SHA256.tag_len()),
            Self::Rs256(key) => (RS256_HEADER, key.public_modulus_len()),
        };
        // Reserved whole: a growing string leaves copies behind that are not zeroed.
        let encoded_len = |len: usize| len.div_ceil(3) * 4;
        let mut token = String::with_capacity(
            scheme.len()
                + header.len()
                + encoded_len(payload.len())
                + 1
                + encoded_len(signature_len),
        );
        token.push_str(scheme);
        token.push_str(header);
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signed = &token.as_bytes()[scheme.len()..];
        let (tag, mut rsa);
        let signature = match self {
            Self::Hs256(key) => {
                tag = hmac::sign(key, signed);
                tag.as_ref()
            }
            Self::Rs256(key) => {
                rsa = vec![0; signature_len];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed, &mut rsa)?;
                &rsa
            }
        };
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Secret::from(token))
    }
}

/// A key that verifies.
pub enum VerifyingKey {
    /// For HS256.
    Hs256(Box<hmac::Key>),
    /// For RS256.
    Rs256(ParsedPublicKey),
}

impl VerifyingKey {
    /// A key for HS256.
    ///
    /// # Errors
    /// Where the secret is missing, empty, or one that everyone may know.
    pub fn hs256(secret: Option<&Secret>) -> Result<Self, KeyError> {
        hmac_key(secret).map(Self::Hs256)
    }

    /// A key for RS256, out of PEM.
    ///
    /// # Errors
    /// Where the key is missing, or is no RSA public key of 2048 to 8192 bits.
    pub fn rs256(public_key: Option<&Secret>) -> Result<Self, KeyError> {
        let pem = given(public_key, Needed::PublicKey)?;
        let key = rsa::public_key(pem);
        key.map(Self::Rs256).map_err(|found| KeyError::Unusable(Needed::PublicKey, found))
    }

    /// The claims of `token`, JSON text of an object, where this key signed it and it is in time.
    ///
    /// # Errors
    /// The first thing that is wrong, in the order of [`Rejection`].
    pub fn verify(&self, token: &str, now: Now) -> Result<String, Rejection> {
        self.verify_with(token, now, []).map(|(claims, [])| claims)
    }

    /// The same, and which of the claims of these names are there and truthy.
    ///
    /// # Errors
    /// As `verify`'s.
    pub fn verify_with<const N: usize>(
        &self,
        token: &str,
        now: Now,
        names: [&str; N],
    ) -> Result<(String, [bool; N]), Rejection> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Rejection::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(Rejection::Malformed)?;
        let (ours, alg) = match self {
            Self::Hs256(_) => (HS256_HEADER, "HS256"),
            Self::Rs256(_) => (RS256_HEADER, "RS256"),
        };
        // The header of every token of ours needs no reading.
        let fits =
            if ours.strip_suffix('.') == Some(header) { Ok(()) } else { fits(&text(header)?, alg) };
        // Whatever is no base64url is told first.
        let (payload, signature) = (text(payload)?, decoded(signature)?);
        fits?;
        match self {
            Self::Hs256(key) => hmac::verify(key, signed.as_bytes(), &signature),
            Self::Rs256(key) => key.verify_sig(signed.as_bytes(), &signature),
        }
        .map_err(|Unspecified| Rejection::Signature)?;
        let Ok(Some((times, others))) = json::pick_both(&payload, ["iat", "nbf", "exp"], names)
        else {
            return Err(Rejection::NotAnObject);
        };
        in_time(times, now)?;
        let truthy = others.map(|value| value.is_some_and(json::Value::is_truthy));
        Ok((payload, truthy))
    }
}

/// Whether a token with this header may be verified by a key of `algorithm`.
fn fits(header: &str, algorithm: &str) -> Result<(), Rejection> {
    let Ok(Some([alg, crit])) = json::pick(header, ["alg", "crit"]) else {
        return Err(Rejection::Malformed);
    };
    let alg = alg.filter(|alg| alg.is_string()).ok_or(Rejection::Malformed)?;
    if alg.as_string().as_deref() != Some(algorithm) {
        return Err(Rejection::AlgorithmNotAllowed);
    }
    if crit.is_some() { Err(Rejection::Critical) } else { Ok(()) }
}

/// The times of a payload, without leeway.
fn in_time([iat, nbf, exp]: json::Picked<'_, 3>, now: Now) -> Result<(), Rejection> {
    let number = |name, value: Option<json::Value<'_>>| {
        value.map(|value| value.as_number().ok_or(Rejection::NotANumber(name))).transpose()
    };
    let iat = number("iat", iat)?;
    let nbf = number("nbf", nbf)?;
    let exp = number("exp", exp)?;

    // Negated, so that a clock that is NaN refuses both.
    let now = now.seconds();
    let near = |limit: Option<f64>| Near::new(iat, limit?, now);
    if !exp.is_none_or(|exp| exp > now) {
        return Err(Rejection::Expired(near(exp)));
    }
    if !nbf.is_none_or(|nbf| nbf <= now) {
        return Err(Rejection::NotYetValid(near(nbf)));
    }
    Ok(())
}

/// The text of a part, read as JavaScript's `TextDecoder` reads it.
fn text(part: &str) -> Result<String, Rejection> {
    let mut bytes = decoded(part)?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    }
    let lossy = |error: FromUtf8Error| String::from_utf8_lossy(error.as_bytes()).into_owned();
    Ok(String::from_utf8(bytes).unwrap_or_else(lossy))
}

fn decoded(part: &str) -> Result<Vec<u8>, Rejection> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Rejection::Malformed)
}

/// The secret's bytes as they are, unless everyone may know them: a public key taken for a secret
/// lets everyone sign.
fn hmac_key(secret: Option<&Secret>) -> Result<Box<hmac::Key>, KeyError> {
    let secret = given(secret, Needed::Secret)?;
    match public::known_to_everyone(secret) {
        Some(found) => Err(KeyError::Unusable(Needed::Secret, found)),
        None => Ok(Box::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))),
    }
}

/// The key's text: empty is missing, since an empty secret lets everyone sign.
fn given(key: Option<&Secret>, needed: Needed) -> Result<&str, KeyError> {
    key.map(Secret::expose).filter(|key| !key.is_empty()).ok_or(KeyError::Missing(needed))
}

/// `{"alg":"HS256"}` and a dot.
const HS256_HEADER: &str = "eyJhbGciOiJIUzI1NiJ9.";
/// `{"alg":"RS256"}` and a dot.
const RS256_HEADER: &str = "eyJhbGciOiJSUzI1NiJ9.";

// What verifying gives is in tests/fixtures/jws-vectors.json.
#[cfg(test)]
pub(crate) mod tests {
    use std::time::Instant;

    use super::*;

    pub(crate) const SECRET: &str = "a secret of thirty-two characters";
    pub(crate) const NOW: f64 = 1_700_000_000.0;

    pub(crate) fn secret(text: &str) -> Secret {
        Secret::from(text.to_owned())
    }

    pub(crate) fn at(seconds: f64) -> Now {
        Now { wall_ms: seconds * 1000.0, mono: Instant::now() }
    }

    /// Signs what it is given, whatever that says.
    pub(crate) fn token(header: &str, payload: &str, secret: &str) -> String {
        let encoded = |part: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(part);
        let signed = format!("{}.{}", encoded(header.as_bytes()), encoded(payload.as_bytes()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let tag = hmac::sign(&key, signed.as_bytes());
        format!("{signed}.{}", encoded(tag.as_ref()))
    }

    pub(crate) fn payload(token: &str) -> String {
        let part = token.split('.').nth(1).unwrap();
        String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    const HS256: &str = r#"{"alg":"HS256"}"#;

    #[test]
    fn rfc_7515_a_1_verifies() {
        let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwj\
            AzZr1Z9CAow";
        let key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_URL_SAFE_NO_PAD.decode(key).unwrap());
        let token = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
            eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
            c19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(
            VerifyingKey::Hs256(Box::new(key)).verify(token, at(1_300_819_379.0)).unwrap(),
            "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"
        );
    }

    #[test]
    fn a_token_without_times_is_accepted_at_any_time() {
        let key = VerifyingKey::hs256(Some(&secret(SECRET))).ok().unwrap();
        for now in [0.0, -1.0, 1e300, f64::NAN] {
            assert_eq!(key.verify(&token(HS256, "{}", SECRET), at(now)).unwrap(), "{}");
        }
    }

    #[test]
    fn a_clock_that_is_no_number_lets_no_time_pass() {
        let key = VerifyingKey::hs256(Some(&secret(SECRET))).ok().unwrap();
        let refused = |payload| key.verify(&token(HS256, payload, SECRET), at(f64::NAN));
        assert_eq!(refused(r#"{"exp":1e400}"#), Err(Rejection::Expired(None)));
        assert_eq!(refused(r#"{"nbf":0}"#), Err(Rejection::NotYetValid(None)));
    }

    #[test]
    fn depth_costs_nothing() {
        let payload = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
        let key = VerifyingKey::hs256(Some(&secret(SECRET))).ok().unwrap();
        assert_eq!(key.verify(&token(HS256, &payload, SECRET), at(NOW)).unwrap(), payload);
    }

    #[test]
    fn a_secret_that_everyone_may_know_is_no_key() {
        for (text, sentence) in [
            (
                include_str!("../tests/fixtures/rsa-public.pem"),
                "secret is not usable: public key: everyone may know it",
            ),
            (
                include_str!("../tests/fixtures/certificate.pem"),
                "secret is not usable: certificate: everyone may know it",
            ),
        ] {
            let secret = secret(text);
            assert_eq!(SigningKey::hs256(Some(&secret)).err().unwrap().to_string(), sentence);
            assert_eq!(VerifyingKey::hs256(Some(&secret)).err().unwrap().to_string(), sentence);
        }
    }

    #[test]
    fn an_empty_secret_is_no_key() {
        for given in [None, Some(secret(""))] {
            let missing = Some(KeyError::Missing(Needed::Secret));
            assert_eq!(SigningKey::hs256(given.as_ref()).err(), missing);
            assert_eq!(VerifyingKey::hs256(given.as_ref()).err(), missing);
        }
    }
}
