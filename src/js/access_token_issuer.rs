//! The handle of an `AccessTokenIssuer`.

use napi::{
    Env,
    bindgen_prelude::{Either, Object, Unknown},
};
use napi_derive::napi;

use super::{
    config,
    outcome::{ErrorRecord, Outcome, lost, outcome},
    runtime,
    text::{self, Text},
};
use crate::{
    access_token_issuer::{AccessTokenIssuer, IssuerConfig, SignError},
    error::ArgumentError,
    jws::{Algorithm, KeyError, Material, Needed},
    now::Now,
    secret::Secret,
};

/// An issuer with its key, parsed once.
#[napi(js_name = "Issuer")]
pub struct AccessTokenIssuerHandle {
    pub(super) issuer: AccessTokenIssuer,
}

/// `new AccessTokenIssuer(…)`, of a bare secret or of the fields of a configuration.
#[napi]
pub fn access_token_issuer(
    bare: Unknown<'_>,
    secret: Unknown<'_>,
    private_key: Unknown<'_>,
    algorithm: Unknown<'_>,
) -> Outcome<AccessTokenIssuerHandle> {
    let new = || -> Result<_, ArgumentError> {
        let algorithm = config::optional_string("algorithm", algorithm)?;
        let (key, needed) = match Algorithm::named(algorithm.as_deref())? {
            Algorithm::Hs256 => (secret, Needed::Secret),
            Algorithm::Rs256 => (private_key, Needed::PrivateKey),
        };
        if config::is_object(key) {
            return Err(KeyError::Unusable(needed, Material::Object).into());
        }
        AccessTokenIssuer::new(IssuerConfig {
            // Fields that the algorithm does not use may have any type.
            secret: config::secret_if_string(bare).or_else(|| {
                // The SDK calls an empty field a missing one, and an empty bare secret too short.
                config::secret_if_string(secret).filter(|secret| !secret.expose().is_empty())
            }),
            private_key: config::secret_if_string(private_key),
            algorithm,
        })
    };
    outcome(|| new().map(|issuer| AccessTokenIssuerHandle { issuer }))
}

#[napi]
impl AccessTokenIssuerHandle {
    /// True where signing belongs on another thread: `signLater` instead of `sign`.
    #[napi(getter)]
    pub fn signs_slowly(&self) -> bool {
        self.issuer.signs_slowly()
    }

    /// Signs claims, given as JSON.
    #[napi(ts_return_type = "Outcome<string>")]
    pub fn sign(
        &self,
        claims: Unknown<'_>,
        ttl_seconds: Unknown<'_>,
        now_ms: f64,
    ) -> Outcome<Text> {
        outcome(|| -> Result<_, SignError> {
            let ttl_seconds = config::number("ttlSeconds", ttl_seconds)?;
            sign(&self.issuer, text::read(claims).as_deref(), ttl_seconds, config::now(now_ms))
        })
    }

    /// The same on a thread of the signing pool.
    #[napi(ts_return_type = "Promise<string | ErrorRecord> | ErrorRecord")]
    pub fn sign_later<'env>(
        &self,
        env: &'env Env,
        claims: Unknown<'_>,
        ttl_seconds: Unknown<'_>,
        now_ms: f64,
    ) -> napi::Result<Either<Object<'env>, ErrorRecord>> {
        let ttl_seconds = match config::number("ttlSeconds", ttl_seconds) {
            Ok(ttl_seconds) => ttl_seconds,
            Err(error) => return Ok(Either::B(error.into())),
        };
        let (issuer, claims) = (self.issuer.clone(), text::read(claims));
        let now = config::now(now_ms);
        let job = move || outcome(|| sign(&issuer, claims.as_deref(), ttl_seconds, now));
        runtime::spawn_signing(env, job, || Either::B(lost()))
    }

    /// The payload as JSON.
    #[napi(ts_return_type = "Outcome<string>")]
    pub fn verify(&self, token: Unknown<'_>, now_ms: f64) -> Outcome<Text> {
        // A value that is no string is refused as an empty token is.
        let token = text::read(token).unwrap_or_default();
        outcome(|| self.issuer.verify(&token, config::now(now_ms)).map(Text::from))
    }

    /// The payload as JSON. Entries of `fallbackSecrets` that are no strings are absent.
    #[napi]
    pub fn verify_with_fallback(
        &self,
        token: Unknown<'_>,
        fallback_secrets: Unknown<'_>,
        now_ms: f64,
    ) -> Outcome<String> {
        let secrets = match config::array("fallbackSecrets", fallback_secrets) {
            Ok(secrets) => secrets,
            Err(error) => return Either::B(error.into()),
        };
        let secrets: Vec<Secret> =
            secrets.into_iter().filter_map(config::secret_if_string).collect();
        let token = text::read(token).unwrap_or_default();
        outcome(|| self.issuer.verify_with_fallback(&token, &secrets, config::now(now_ms)))
    }
}

fn sign(
    issuer: &AccessTokenIssuer,
    claims: Option<&str>,
    ttl_seconds: f64,
    now: Now,
) -> Result<Text, SignError> {
    // `JSON.stringify` gives `undefined` for a function or a symbol: as if there were no claims.
    issuer.sign(claims.unwrap_or("null"), ttl_seconds, now).map(Text::from)
}
