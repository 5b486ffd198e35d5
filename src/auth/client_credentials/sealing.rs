//! A token as a store has it: under a name that tells nobody whose it is, in a value that opens for
//! the client's own processes alone.

use std::io::Write as _;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use zeroize::Zeroizing;

use super::{Config, config::Dialect};
use crate::{
    http::{headers, tls::OwnTls},
    json,
    now::Now,
    secret::Secret,
    token_cache::AccessToken,
};

/// The store's key and the cipher's, both out of the client's secret or key: who reads the store learns
/// nothing of the client, and who writes to it cannot make a value that opens.
pub(super) struct Sealing {
    pub name: String,
    cipher: RandomizedNonceKey,
    /// Which knows for how long before its end a token is not used.
    dialect: Dialect,
}

impl Sealing {
    /// For calls that verify servers or do not, and have these CAs and this certificate.
    pub fn new(config: &Config, verifies: bool, tls: Option<&OwnTls>) -> Result<Self, Unspecified> {
        // It has the method in it: a secret and a key that are the same bytes seal otherwise.
        let identity = identity(config, verifies, tls.map_or("", OwnTls::id));
        let material = match config.authentication.material() {
            Some(secret) => secret.expose().as_bytes(),
            None => tls.and_then(OwnTls::key).ok_or(Unspecified)?,
        };
        let derived = Salt::new(HKDF_SHA256, SALT).extract(material);
        let derive = |purpose: &[u8]| {
            let mut key = [0; 32];
            derived.expand(&[purpose, &identity], Bytes32)?.fill(&mut key)?;
            Ok::<_, Unspecified>(key)
        };
        let name = BASE64_URL_SAFE_NO_PAD.encode(derive(b"name")?);
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &derive(b"value")?)?;
        Ok(Self { name: format!("key0:token:{name}"), cipher, dialect: config.dialect.clone() })
    }

    /// The name of the lock that goes with it.
    pub fn lock(&self) -> String {
        format!("{}:lock", self.name)
    }

    pub fn seal(&self, token: &AccessToken) -> Result<String, Unspecified> {
        let value = token.token().expose();
        let obtained = token.obtained().wall_ms;
        let lifetime = token.lifetime().map_or("null".to_owned(), |it| it.to_string());
        // Room at once, for JSON of six bytes a character: what a growing buffer leaves is not zeroed.
        let mut sealed = Vec::with_capacity(6 * value.len() + 128 + AES_256_GCM.tag_len());
        sealed.extend_from_slice(br#"{"token":"#);
        serde_json::to_writer(&mut sealed, value).map_err(|_| Unspecified)?;
        write!(sealed, r#","obtained":{obtained},"lifetime":{lifetime}}}"#)
            .map_err(|_| Unspecified)?;
        // It is overwritten where it stands.
        let aad = Aad::from(self.name.as_bytes());
        let nonce = self.cipher.seal_in_place_append_tag(aad, &mut sealed)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode([nonce.as_ref(), sealed.as_slice()].concat()))
    }

    /// The token as from `begun` on, and for how many seconds it was used in all.
    pub fn open(&self, sealed: &str, begun: Now, now: Now) -> Option<(AccessToken, Option<f64>)> {
        if sealed.len() > LONGEST_VALUE {
            return None;
        }
        let mut sealed = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?);
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(self.name.as_bytes());
        let text = self.cipher.open_in_place(nonce, aad, sealed).ok()?;
        let text = Secret::from(str::from_utf8(text).ok()?.to_owned());
        let [token, obtained, lifetime] =
            json::pick(text.expose(), ["token", "obtained", "lifetime"]).ok()??;
        let token = Secret::from(token?.as_string()?);
        headers::value(token.expose()).ok()?;
        let age = (now.wall_ms - obtained?.as_number()?) / 1000.0;
        if age < -CLOCKS_APART {
            return None;
        }
        let lifetime = lifetime?.as_number().unwrap_or(f64::INFINITY);
        let kept = |rest| {
            let token = AccessToken::new(token.clone(), begun, rest);
            match self.dialect.buffer(lifetime) {
                Some(seconds) => token.buffered(seconds),
                None => token,
            }
        };
        Some((kept(lifetime - age.max(0.0)), kept(lifetime).usable()))
    }
}

/// Everything that decides what a token is good for, each part with its length before it.
fn identity(config: &Config, verifies: bool, tls: &str) -> Vec<u8> {
    let Config { token_url, client_id, authentication, scopes, audience, resource, .. } = config;
    let sorted = |texts: &mut Vec<&str>| {
        texts.sort_unstable();
        texts.dedup();
    };
    let mut scopes = scopes.iter().flat_map(|scope| scope.split_whitespace()).collect();
    let mut resource = resource.iter().map(String::as_str).collect();
    sorted(&mut scopes);
    sorted(&mut resource);
    let mut extra: Vec<_> =
        config.extra_params.iter().map(|(name, value)| [name.as_str(), value.expose()]).collect();
    let headers = config.headers.iter().map(|line| [line.name.as_str(), line.value.expose()]);
    let mut headers: Vec<_> = headers.collect();
    // Those of one name stay in their order.
    extra.sort_by_key(|[name, _]| *name);
    headers.sort_by_key(|[name, _]| *name);
    let method = format!("{:?}", authentication.method);
    let servers = if verifies { "verified" } else { "unverified" };
    let grant_type = format!("{:?}", authentication.grant_type);
    let [audience, subject, assertion_audience] =
        [audience, &authentication.subject, &authentication.assertion_audience]
            .map(|it| it.as_deref().unwrap_or_default());
    let lists = [
        &[
            token_url.as_str(),
            client_id,
            &method,
            servers,
            tls,
            audience,
            &grant_type,
            subject,
            assertion_audience,
        ][..],
        &scopes,
        &resource,
        extra.as_flattened(),
        headers.as_flattened(),
    ];
    let mut identity = Vec::new();
    let number = |identity: &mut Vec<u8>, length: usize| {
        identity.extend_from_slice(&(length as u64).to_be_bytes());
    };
    for list in lists {
        number(&mut identity, list.len());
        for part in list {
            number(&mut identity, part.len());
            identity.extend_from_slice(part.as_bytes());
        }
    }
    identity
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

/// Another form of values has another number: old and new ones never meet.
const SALT: &[u8] = b"@key0ai/native shared token cache 1";
/// A token is part of an answer of 1 MiB, whose escapes may double it, and base64 adds a third.
/// Redis keeps 512 MiB, which would hold up other calls.
const LONGEST_VALUE: usize = 3 << 20;
/// In seconds: a token from further in the future is not trusted.
const CLOCKS_APART: f64 = 10.0;

#[cfg(test)]
pub(super) mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::{
        auth::client_credentials::{GrantType, Method, config::Authentication},
        http::tls::TlsOptions,
    };

    macro_rules! fixture {
        ($name:literal) => {
            include_str!(concat!("../../../tests/fixtures/", $name))
        };
    }

    const CERTIFICATE: &str = fixture!("certificate.pem");

    pub fn config() -> Config {
        Config {
            token_url: "https://h/token".to_owned(),
            client_id: "id".to_owned(),
            authentication: Authentication {
                client_secret: Some("s3cr3t".to_owned().into()),
                ..Authentication::default()
            },
            scopes: vec!["a".to_owned(), "b".to_owned()],
            ..Config::default()
        }
    }

    pub fn sealing(config: &Config) -> Sealing {
        Sealing::new(config, true, None).unwrap()
    }

    pub fn now() -> Now {
        Now { wall_ms: 1_700_000_000_000.0, mono: Instant::now().into_std() }
    }

    pub fn after(now: Now, seconds: f64) -> Now {
        Now { wall_ms: now.wall_ms + seconds * 1000.0, ..now }
    }

    pub fn token(text: &str, lifetime: f64) -> AccessToken {
        AccessToken::new(text.to_owned().into(), now(), lifetime)
    }

    /// A client that is known by its certificate.
    fn of_certificate() -> Config {
        let method = Method::TlsClientAuth;
        Config {
            authentication: Authentication { method, ..Authentication::default() },
            ..config()
        }
    }

    fn tls(key: &str, passphrase: Option<&str>) -> OwnTls {
        let secret = |text: &str| Secret::from(text.to_owned());
        let options = TlsOptions {
            ca: None,
            cert: Some(CERTIFICATE.to_owned()),
            key: Some(secret(key)),
            passphrase: passphrase.map(secret),
        };
        // Its time has come by then.
        OwnTls::new(&options, after(now(), 1e8)).unwrap()
    }

    #[test]
    fn a_client_that_is_known_by_its_certificate_seals_with_the_key_in_each_of_its_forms() {
        let sealing = |tls: &OwnTls| Sealing::new(&of_certificate(), true, Some(tls)).unwrap();
        let key = sealing(&tls(fixture!("rsa.pem"), None));
        let sealed = key.seal(&token("t", 3600.0)).unwrap();
        for (pem, passphrase) in
            [(fixture!("rsa-pkcs1.pem"), None), (fixture!("rsa-encrypted.pem"), Some("test"))]
        {
            let other = sealing(&tls(pem, passphrase));
            assert_eq!(other.name, key.name);
            assert!(other.open(&sealed, now(), now()).is_some());
        }
    }

    #[test]
    fn a_sealed_token_opens_with_what_is_left_of_its_life() {
        let (key, begun) = (sealing(&config()), now());
        let sealed = key.seal(&token("t\"\\é", 3610.0)).unwrap();
        let (opened, whole) = key.open(&sealed, begun, after(begun, 600.0)).unwrap();
        assert_eq!(opened.token().expose(), "t\"\\é");
        assert_eq!((opened.lifetime(), whole), (Some(3010.0), Some(3600.0)));
        let endless = key.seal(&token("t", f64::INFINITY)).unwrap();
        let (opened, whole) = key.open(&endless, begun, after(begun, 1e9)).unwrap();
        assert_eq!((opened.lifetime(), whole), (None, None));
        // The same token is never sealed to the same text.
        assert_ne!(endless, key.seal(&token("t", f64::INFINITY)).unwrap());
    }

    #[test]
    fn every_changed_byte_and_every_cut_keeps_a_value_shut() {
        let (key, begun) = (sealing(&config()), now());
        let sealed = key.seal(&token("t", 3600.0)).unwrap();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&sealed).unwrap();
        for i in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[i] ^= 1;
            let changed = BASE64_URL_SAFE_NO_PAD.encode(changed);
            assert!(key.open(&changed, begun, begun).is_none(), "byte {i}");
            let cut = BASE64_URL_SAFE_NO_PAD.encode(&bytes[..i]);
            assert!(key.open(&cut, begun, begun).is_none(), "cut at {i}");
        }
    }

    #[test]
    fn the_longest_token_opens_and_what_is_longer_is_not_read() {
        let (key, begun) = (sealing(&config()), now());
        let sealed = key.seal(&token(&"\"".repeat(1 << 20), 3600.0)).unwrap();
        assert!(key.open(&sealed, begun, begun).is_some());
        let longer = key.seal(&token(&"\"".repeat(5 << 18), 3600.0)).unwrap();
        assert!(key.open(&longer, begun, begun).is_none());
    }

    #[test]
    fn whatever_decides_what_a_token_is_good_for_has_a_name_and_a_key_of_its_own() {
        let secret = |secret: &str| Authentication {
            client_secret: Some(secret.to_owned().into()),
            ..Authentication::default()
        };
        let text = |text: &str| text.to_owned();
        let others = [
            Config { token_url: text("https://h/token2"), ..config() },
            Config { client_id: text("id2"), ..config() },
            Config { authentication: secret("other"), ..config() },
            Config {
                authentication: Authentication { subject: Some(text("x")), ..secret("s3cr3t") },
                ..config()
            },
            Config {
                authentication: Authentication {
                    grant_type: GrantType::JwtBearer,
                    ..secret("s3cr3t")
                },
                ..config()
            },
            Config { scopes: vec![text("a")], ..config() },
            Config { scopes: vec![text("ab")], ..config() },
            Config { audience: Some(text("x")), ..config() },
            Config { resource: vec![text("x")], ..config() },
            Config { extra_params: vec![(text("x"), text("y").into())], ..config() },
            Config { extra_params: vec![(text("xy"), String::new().into())], ..config() },
        ];
        let mut keys: Vec<_> = others.iter().chain([&config()]).map(sealing).collect();
        keys.push(Sealing::new(&config(), false, None).unwrap());
        let ca = TlsOptions { ca: Some(CERTIFICATE.to_owned()), ..TlsOptions::default() };
        let with_ca = OwnTls::new(&ca, now()).unwrap();
        let with_key = tls(fixture!("rsa.pem"), None);
        keys.push(Sealing::new(&config(), true, Some(&with_ca)).unwrap());
        keys.push(Sealing::new(&config(), true, Some(&with_key)).unwrap());
        keys.push(Sealing::new(&of_certificate(), true, Some(&with_key)).unwrap());
        for (i, key) in keys.iter().enumerate() {
            let sealed = key.seal(&token("t", 3600.0)).unwrap();
            for (j, other) in keys.iter().enumerate() {
                assert_eq!(key.name == other.name, i == j, "{i} {j}");
                assert_eq!(other.open(&sealed, now(), now()).is_some(), i == j, "{i} {j}");
            }
        }
        // What is not secret opens nothing.
        assert!(Sealing::new(&of_certificate(), true, Some(&with_ca)).is_err());
        let reordered = Config { scopes: vec![text("b a"), text("a")], ..config() };
        assert_eq!(sealing(&reordered).name, sealing(&config()).name);
    }
}
