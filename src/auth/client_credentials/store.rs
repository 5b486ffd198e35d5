//! The store that processes share: which of them fetches a token while the others wait.
//!
//! Nothing depends on it. What fails, is late or lies counts as a store without a token, and is
//! reported; a load goes on with its own request.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use tokio::time::{Instant, sleep, timeout};

use super::{policy::Store, sealing::Sealing};
use crate::{
    errand::{Answer, Errand, Errands},
    http::along::{Notes, What},
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
    notes: Notes,
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
    pub fn new(key: Sealing, store: Store, errands: Errands, notes: Notes) -> Self {
        Self { errands, store, key, owner: None, notes }
    }

    /// A token that is none of `unwanted`; else the duty to fetch one, which one process at a time
    /// has where the store has locks. `begun` is the call's beginning.
    pub async fn claim(mut self, unwanted: Vec<Secret>, begun: Now, deadline: Instant) -> Claim {
        let now = Instant::now();
        let patience = deadline.saturating_duration_since(now) / 2;
        match timeout(patience, self.seek(&unwanted, begun)).await {
            Ok(Ok(Some((token, whole)))) => {
                self.unlock().await;
                self.notes.note(|| Some(What::Stored));
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
            if pause == FIRST_PAUSE {
                self.notes.note(|| Some(What::Locked));
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
            Ok(Answer::Failed(_)) => {
                self.notes.note(|| Some(What::NoStore(operation)));
                Err(Useless)
            }
            Ok(answer) => Ok(answer),
            Err(_) => {
                self.notes.note(|| Some(What::NoStore(operation)));
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

/// A store that answers later is no help: a token server takes no longer. A busy process may.
const PATIENCE: Duration = Duration::from_secs(1);
/// When the next one may take over from a process that died. A fetch that takes longer is made
/// twice.
const LOCKED: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// Thirty days: of a token without an end, too.
const LONGEST_KEPT_MS: f64 = 30.0 * 86_400_000.0;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;
    use crate::{
        auth::client_credentials::sealing::tests::{after, config, now, sealing, token},
        errand::Pending,
    };

    /// Does errands for many processes, each of which takes 10 ms, until all have gone.
    async fn serve(mut errands: UnboundedReceiver<Pending>) -> HashMap<&'static str, usize> {
        let mut values: HashMap<String, (String, Instant)> = HashMap::new();
        let mut count = HashMap::new();
        while let Some((errand, answer)) = errands.recv().await {
            sleep(Duration::from_millis(10)).await;
            let now = Instant::now();
            let until = |ttl_ms: f64| now + Duration::try_from_secs_f64(ttl_ms / 1000.0).unwrap();
            values.retain(|_, (_, until)| *until > now);
            let (kind, done) = match errand {
                Errand::Get { key } => (
                    "get",
                    values.get(&key).map_or(Answer::Other(false), |(value, _)| {
                        Answer::Text(value.clone().into())
                    }),
                ),
                Errand::Set { key, value, ttl_ms } => {
                    values.insert(key, (value, until(ttl_ms)));
                    ("set", Answer::Other(false))
                }
                Errand::Lock { key, owner, ttl_ms } => {
                    let is_free = !values.contains_key(&key);
                    if is_free {
                        values.insert(key, (owner, until(ttl_ms)));
                    }
                    ("lock", Answer::Other(is_free))
                }
                Errand::Unlock { key, owner } => {
                    if values.get(&key).is_some_and(|(value, _)| *value == owner) {
                        values.remove(&key);
                    }
                    ("unlock", Answer::Other(false))
                }
                Errand::Secret | Errand::Report { .. } => ("other", Answer::Other(false)),
            };
            *count.entry(kind).or_default() += 1;
            // Whoever asked may have gone.
            let _ = answer.send(done);
        }
        count
    }

    fn session(errands: &Errands) -> Session {
        Session::new(sealing(&config()), Store { locks: true }, errands.clone(), Notes::default())
    }

    /// A process of the fleet that looks for a token; where it has to fetch one, that takes a while.
    async fn member(errands: Errands, fetch: Duration) -> bool {
        let begun = now();
        let deadline = Instant::now() + Duration::from_secs(10);
        match session(&errands).claim(Vec::new(), begun, deadline).await {
            Claim::Token { .. } => false,
            Claim::Fetch(session) => {
                sleep(fetch).await;
                session.end(Some(&token("t", 3600.0)), begun).await;
                true
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_process_of_many_fetches() {
        let (errands, pending) = Errands::channel();
        let server = tokio::spawn(serve(pending));
        let fetch = Duration::from_millis(300);
        let members: Vec<_> =
            (0..20).map(|_| tokio::spawn(member(errands.clone(), fetch))).collect();
        let mut fetches = 0;
        for member in members {
            fetches += usize::from(member.await.unwrap());
        }
        assert_eq!(fetches, 1);
        drop(errands);
        let count = server.await.unwrap();
        assert_eq!((count["set"], count["unlock"]), (1, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_dies_with_the_lock_is_replaced_when_that_ends() {
        let (errands, pending) = Errands::channel();
        let server = tokio::spawn(serve(pending));
        let dying = tokio::spawn(member(errands.clone(), Duration::from_hours(1)));
        sleep(Duration::from_millis(100)).await;
        dying.abort();
        let begun = Instant::now();
        assert!(member(errands.clone(), Duration::ZERO).await);
        let waited = begun.elapsed();
        assert!(waited > LOCKED / 2 && waited < LOCKED + LONGEST_PAUSE * 2, "{waited:?}");
        drop(errands);
        assert_eq!(server.await.unwrap()["set"], 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_given_back_by_its_owner_alone() {
        let (errands, pending) = Errands::channel();
        let server = tokio::spawn(serve(pending));
        // It holds the lock for longer than that lasts; meanwhile another one takes it.
        let slow = tokio::spawn(member(errands.clone(), LOCKED * 2));
        sleep(LOCKED + Duration::from_millis(100)).await;
        let other = tokio::spawn(member(errands.clone(), LOCKED * 2));
        assert!(slow.await.unwrap());
        let mut late = session(&errands);
        assert!(!late.lock().await.is_ok_and(|taken| taken));
        // By now there is the slow one's token, but whoever has begun to fetch goes on.
        assert!(other.await.unwrap());
        drop((late, errands));
        server.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_costs_its_patience_once() {
        let (errands, pending) = Errands::channel();
        let begun = Instant::now();
        let deadline = begun + Duration::from_secs(10);
        let claim = session(&errands).claim(Vec::new(), now(), deadline).await;
        assert!(matches!(claim, Claim::Fetch(_)));
        assert_eq!(begun.elapsed(), PATIENCE);
        drop(pending);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_does_errands_is_a_store_that_fails() {
        let begun = Instant::now();
        let claim = session(&Errands::default()).claim(Vec::new(), now(), begun + PATIENCE).await;
        assert!(matches!(claim, Claim::Fetch(_)));
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[test]
    fn a_store_keeps_a_token_for_as_long_as_it_is_used_and_a_month_at_most() {
        let begun = now();
        assert_eq!(ttl_ms(&token("t", 3610.0), after(begun, 1.5)), Some(3_598_500.0));
        assert_eq!(ttl_ms(&token("t", 10.0), begun), None);
        assert_eq!(ttl_ms(&token("t", 3610.0), after(begun, 3600.0)), None);
        for lifetime in [f64::INFINITY, 1e12] {
            assert_eq!(ttl_ms(&token("t", lifetime), begun), Some(LONGEST_KEPT_MS));
        }
    }
}
