//! The keys that validators used last. A backend verifies every request with the same one, and a
//! key costs more than a signature: PEM is parsed, and a secret is searched for what is none.

use std::sync::{Arc, Mutex};

use super::{Algorithm, KeyError, VerifyingKey};
use crate::{lock::lock, secret::Secret};

/// The key of `algorithm` that `text` is, parsed now or at one of the last calls.
///
/// # Errors
/// Where it is missing or no such key: that is not remembered.
pub fn recent(algorithm: Algorithm, text: Option<&Secret>) -> Result<Arc<VerifyingKey>, KeyError> {
    if let Some(key) = text.and_then(|text| lock(&RECENT).get(algorithm, text.expose())) {
        return Ok(key);
    }
    let key = Arc::new(match algorithm {
        Algorithm::Hs256 => VerifyingKey::hs256(text)?,
        Algorithm::Rs256 => VerifyingKey::rs256(text)?,
    });
    if let Some(text) = text {
        lock(&RECENT).put(Known { algorithm, text: text.clone(), key: key.clone() });
    }
    Ok(key)
}

static RECENT: Mutex<Recent> = Mutex::new(Recent(Vec::new()));

/// The latest first.
struct Recent(Vec<Known>);

struct Known {
    algorithm: Algorithm,
    text: Secret,
    key: Arc<VerifyingKey>,
}

impl Recent {
    fn get(&mut self, algorithm: Algorithm, text: &str) -> Option<Arc<VerifyingKey>> {
        let is_it = |known: &Known| known.algorithm == algorithm && known.text.expose() == text;
        let at = self.0.iter().position(is_it)?;
        self.0[..=at].rotate_right(1);
        Some(self.0[0].key.clone())
    }

    fn put(&mut self, known: Known) {
        self.0.truncate(MOST - 1);
        self.0.insert(0, known);
    }
}

/// A secret, one that it replaces, and those of some tenants.
const MOST: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::tests::{NOW, at, secret, token};

    #[test]
    fn the_last_eight_are_kept_and_each_is_found_by_its_text_and_algorithm() {
        let mut keys = Recent(Vec::new());
        let key = |text: &str| Arc::new(VerifyingKey::hs256(Some(&secret(text))).ok().unwrap());
        let put = |keys: &mut Recent, text: &str| {
            let algorithm = Algorithm::Hs256;
            keys.put(Known { algorithm, text: secret(text), key: key(text) });
        };
        for i in 0..MOST {
            put(&mut keys, &i.to_string());
        }
        // The oldest is used, so that the second oldest goes.
        assert!(keys.get(Algorithm::Hs256, "0").is_some());
        put(&mut keys, "new");
        let texts: Vec<_> = keys.0.iter().map(|known| known.text.expose()).collect();
        assert_eq!(texts, ["new", "0", "7", "6", "5", "4", "3", "2"]);
        for text in ["new", "0", "2"] {
            let key = keys.get(Algorithm::Hs256, text).unwrap();
            assert_eq!(
                key.verify(&token(r#"{"alg":"HS256"}"#, "{}", text), at(NOW)).unwrap(),
                "{}"
            );
            assert!(keys.get(Algorithm::Rs256, text).is_none());
        }
        assert!(keys.get(Algorithm::Hs256, "1").is_none());
    }

    #[test]
    fn what_is_no_key_is_not_remembered() {
        let pem = secret(include_str!("../../tests/fixtures/rsa-public.pem"));
        for _ in 0..2 {
            assert!(recent(Algorithm::Hs256, Some(&pem)).is_err());
            assert!(recent(Algorithm::Rs256, Some(&pem)).is_ok());
            assert!(recent(Algorithm::Hs256, None).is_err());
        }
    }
}
