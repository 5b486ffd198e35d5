//! The store that processes share: whose token has which key, how a value is sealed, and which
//! process fetches while the others wait.
//!
//! Nothing depends on it. What fails, is late or lies counts as a store without a token, and is
//! reported; a load goes on with its own request.

use std::time::Duration;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt},
};
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use tokio::time::{Instant, sleep, timeout};

use super::{Config, config::Dialect, policy::Store};
use crate::{
    errand::{Answer, Errand, Errands},
    http::headers,
    json,
    now::Now,
    random,
    secret::Secret,
    token_cache::AccessToken,
};

/// A load's dealings with the store.
pub(super) struct Session {
    errands: Errands,
    store: Store,
    key: Sealing,
    /// Who has the lock, where this load has it.
    owner: Option<String>,
}

/// What a load finds.
pub(super) enum Claim {
    /// A token of another process.
    Token {
        /// As from now on.
        token: AccessToken,
        /// For how many seconds it was used from its beginning on.
        whole: Option<f64>,
    },
    /// None: it has to fetch one, and to end the session with it.
    Fetch(Session),
}

/// The store is of no use at this load.
struct Useless;

impl Session {
    pub fn new(key: Sealing, store: Store, errands: Errands) -> Self {
        Self { errands, store, key, owner: None }
    }

    /// A token that is none of `unwanted`; else the duty to fetch one, which one process at a time
    /// has where the store has locks. `begun` is the call's beginning.
    pub async fn claim(mut self, unwanted: Vec<Secret>, begun: Now, deadline: Instant) -> Claim {
        let now = Instant::now();
        let patience = deadline.saturating_duration_since(now) / 2;
        match timeout(patience, self.seek(&unwanted, begun)).await {
            Ok(Ok(Some((token, whole)))) => {
                self.unlock().await;
                Claim::Token { token, whole }
            }
            // Whoever had the lock for so long may be gone; a second token harms nobody.
            Ok(Ok(None) | Err(Useless)) | Err(_) => Claim::Fetch(self),
        }
    }

    async fn seek(
        &mut self,
        unwanted: &[Secret],
        begun: Now,
    ) -> Result<Option<(AccessToken, Option<f64>)>, Useless> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(found) = self.get(unwanted, begun).await? {
                return Ok(Some(found));
            }
            if !self.store.locks || self.owner.is_some() {
                return Ok(None);
            }
            if self.lock().await? {
                // Whoever had it may have stored a token just before.
                continue;
            }
            sleep(pause.mul_f64(0.5 + random::fraction() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Stores `token` where there is one, and gives the lock back.
    pub async fn end(mut self, token: Option<&AccessToken>, now: Now) {
        if let Some(token) = token
            && let Some(ttl_ms) = ttl_ms(token, now)
            && let Ok(value) = self.key.seal(token)
        {
            let key = self.key.name.clone();
            let _ = self.run("set", Errand::Set { key, value, ttl_ms }).await;
        }
        self.unlock().await;
    }

    async fn get(
        &self,
        unwanted: &[Secret],
        begun: Now,
    ) -> Result<Option<(AccessToken, Option<f64>)>, Useless> {
        let key = self.key.name.clone();
        let Answer::Text(sealed) = self.run("get", Errand::Get { key }).await? else {
            return Ok(None);
        };
        let now = begun.later(Instant::now().into_std());
        let Some((token, whole)) = self.key.open(sealed.expose(), begun, now) else {
            self.report("get", "a value that is none of this client's, or from the future");
            return Ok(None);
        };
        let is_unwanted = || {
            let value = token.authorization().expose();
            unwanted.iter().any(|other| other.expose() == value)
        };
        Ok((token.is_fresh(now) && !is_unwanted()).then_some((token, whole)))
    }

    async fn lock(&mut self) -> Result<bool, Useless> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Useless)?;
        let owner = BASE64_URL_SAFE_NO_PAD.encode(random);
        let ttl_ms = LOCKED.as_secs_f64() * 1000.0;
        let lock = Errand::Lock { key: self.key.lock(), owner: owner.clone(), ttl_ms };
        let is_taken = matches!(self.run("lock", lock).await?, Answer::Other(true));
        self.owner = is_taken.then_some(owner);
        Ok(is_taken)
    }

    async fn unlock(&mut self) {
        if let Some(owner) = self.owner.take() {
            let _ = self.run("unlock", Errand::Unlock { key: self.key.lock(), owner }).await;
        }
    }

    async fn run(&self, operation: &'static str, errand: Errand) -> Result<Answer, Useless> {
        match timeout(PATIENCE, self.errands.run(errand)).await {
            // Whoever did it has told of it.
            Ok(Answer::Failed(_)) => Err(Useless),
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.report(operation, "no answer within a second");
                Err(Useless)
            }
        }
    }

    fn report(&self, operation: &'static str, problem: &'static str) {
        self.errands.tell(Errand::Report { operation, problem });
    }
}

/// For how many milliseconds the store keeps it, where it is of use to anybody.
fn ttl_ms(token: &AccessToken, now: Now) -> Option<f64> {
    let age_ms = (now.wall_ms - token.obtained().wall_ms).max(0.0);
    let rest = token.usable().map_or(LONGEST_KEPT_MS, |seconds| seconds * 1000.0 - age_ms);
    let ttl_ms = rest.min(LONGEST_KEPT_MS).floor();
    (ttl_ms >= 1.0).then_some(ttl_ms)
}

/// The store's key and the cipher's, both out of the client's secret: who reads the store learns
/// nothing of the client, and who writes to it cannot make a value that opens.
pub(super) struct Sealing {
    name: String,
    cipher: RandomizedNonceKey,
    /// Which knows for how long before its end a token is not used.
    dialect: Dialect,
}

impl Sealing {
    /// For calls that verify servers or do not, and have these CAs and this certificate.
    pub fn new(config: &Config, verifies: bool, tls: &str) -> Result<Self, Unspecified> {
        let identity = identity(config, verifies, tls);
        let secret = config.authentication.material().ok_or(Unspecified)?;
        let derived = Salt::new(HKDF_SHA256, SALT).extract(secret.expose().as_bytes());
        let derive = |purpose: &[u8]| {
            let mut key = [0; 32];
            derived.expand(&[purpose, &identity], Bytes32)?.fill(&mut key)?;
            Ok::<_, Unspecified>(key)
        };
        let name = BASE64_URL_SAFE_NO_PAD.encode(derive(b"name")?);
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, &derive(b"value")?)?;
        Ok(Self { name: format!("key0:token:{name}"), cipher, dialect: config.dialect.clone() })
    }

    fn lock(&self) -> String {
        format!("{}:lock", self.name)
    }

    fn seal(&self, token: &AccessToken) -> Result<String, Unspecified> {
        let text = serde_json::to_string(token.token().expose()).map_err(|_| Unspecified)?;
        let obtained = token.obtained().wall_ms;
        let lifetime = token.lifetime().map_or("null".to_owned(), |it| it.to_string());
        let text = format!(r#"{{"token":{text},"obtained":{obtained},"lifetime":{lifetime}}}"#);
        // What was readable in it is overwritten where it stands.
        let mut sealed = text.into_bytes();
        sealed.reserve_exact(AES_256_GCM.tag_len());
        let aad = Aad::from(self.name.as_bytes());
        let nonce = self.cipher.seal_in_place_append_tag(aad, &mut sealed)?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode([nonce.as_ref(), sealed.as_slice()].concat()))
    }

    /// The token as from `begun` on, and for how many seconds it was used in all.
    fn open(&self, sealed: &str, begun: Now, now: Now) -> Option<(AccessToken, Option<f64>)> {
        let mut sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
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
    let audience = audience.as_deref().unwrap_or_default();
    let lists = [
        &[token_url.as_str(), client_id, &method, servers, tls, audience][..],
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
/// A store that answers later is no help: a token server takes no longer. A busy process may.
const PATIENCE: Duration = Duration::from_secs(1);
/// When the next one may take over from a process that died. A fetch that takes longer is made
/// twice.
const LOCKED: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// In seconds: a token from further in the future is not trusted.
const CLOCKS_APART: f64 = 10.0;
/// Thirty days: of a token without an end, too.
const LONGEST_KEPT_MS: f64 = 30.0 * 86_400_000.0;
