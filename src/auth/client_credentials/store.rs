//! The store that processes share: which of them fetches a token while the others wait.
//!
//! Nothing depends on it. What fails, is late or lies counts as a store without a token, and is
//! reported; a load goes on with its own request.

use std::{future::pending, time::Duration};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use tokio::time::{Instant, sleep, timeout};

use super::{policy::Store, sealing::Sealing};
use crate::{
    errand::{Answer, Errand, Errands},
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
    /// Tokens that are of no use: rejected, or about to be replaced.
    unwanted: Vec<Secret>,
    /// The call's beginning.
    begun: Now,
    /// Whose lock it is that this load has, or may have: who asked for it in vain may.
    owner: Option<String>,
    standing: Standing,
}

/// What there is to do in the store while a load fetches.
#[derive(Clone, Copy)]
enum Standing {
    /// Nothing: it has no locks, or is of no use.
    Alone,
    /// This load has the lock, and has to keep it.
    Owner,
    /// Another has had the lock for long, and may still come first.
    Impatient,
}

/// A token of another process.
pub(super) struct Found {
    /// As from now on.
    pub token: AccessToken,
    /// For how many seconds it was used from its beginning on.
    pub whole: Option<f64>,
}

/// The store is of no use at this load.
struct Useless;

impl Session {
    pub fn new(
        key: Sealing,
        store: Store,
        errands: Errands,
        unwanted: Vec<Secret>,
        begun: Now,
    ) -> Self {
        let (owner, standing) = (None, Standing::Alone);
        Self { errands, store, key, unwanted, begun, owner, standing }
    }

    /// A token; else there is the duty to fetch one, which one process at a time has where the
    /// store has locks.
    pub async fn claim(&mut self, deadline: Instant) -> Option<Found> {
        let patience = deadline.saturating_duration_since(Instant::now()) / 2;
        match timeout(patience, self.seek()).await {
            Ok(Ok(Some(found))) => {
                self.unlock().await;
                return Some(found);
            }
            Ok(Ok(None)) if self.store.locks => self.standing = Standing::Owner,
            Ok(Ok(None) | Err(Useless)) => {}
            // Half of the time is left for a fetch; a second token harms nobody.
            Err(_) => self.standing = Standing::Impatient,
        }
        None
    }

    async fn seek(&mut self) -> Result<Option<Found>, Useless> {
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(found) = self.get().await? {
                return Ok(Some(found));
            }
            if !self.store.locks || self.owner.is_some() {
                return Ok(None);
            }
            if self.lock().await? {
                // Whoever had it may have stored a token just before.
                continue;
            }
            self.owner = None;
            sleep(pause.mul_f64(0.5 + random::fraction() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// What goes on beside a fetch, until that ends: whoever has the lock keeps it, so that it is
    /// as long as the fetch is, and is soon another's where this process dies; whoever has lost
    /// patience looks on.
    pub async fn beside(&mut self) -> Found {
        match self.standing {
            Standing::Alone => {}
            Standing::Owner => {
                loop {
                    sleep(LOCKED / 3).await;
                    // It is another's by now, where this process was held up: two fetch.
                    if let Ok(false) = self.lock().await {
                        break;
                    }
                }
            }
            Standing::Impatient => {
                while let Ok(found) = self.get().await {
                    if let Some(found) = found {
                        return found;
                    }
                    sleep(LONGEST_PAUSE).await;
                }
            }
        }
        pending().await
    }

    /// Stores `token` where there is one, and gives the lock back. Whether that token lasts long
    /// enough to be shared.
    pub async fn end(mut self, token: Option<&AccessToken>, now: Now) -> bool {
        let ttl_ms = token.and_then(|token| ttl_ms(token, now));
        if let Some((token, ttl_ms)) = token.zip(ttl_ms)
            && let Ok(value) = self.key.seal(token)
        {
            let key = self.key.name.clone();
            let _ = self.run("set", Errand::Set { key, value, ttl_ms }).await;
        }
        self.unlock().await;
        ttl_ms.is_some()
    }

    async fn get(&self) -> Result<Option<Found>, Useless> {
        let key = self.key.name.clone();
        let Answer::Text(sealed) = self.run("get", Errand::Get { key }).await? else {
            return Ok(None);
        };
        let now = self.begun.later(Instant::now().into_std());
        let Some((token, whole)) = self.key.open(sealed.expose(), self.begun, now) else {
            self.report("get", "a value that is none of this client's, or from the future");
            return Ok(None);
        };
        let is_unwanted = || {
            let value = token.authorization().expose();
            self.unwanted.iter().any(|other| other.expose() == value)
        };
        Ok((token.is_fresh(now) && !is_unwanted()).then_some(Found { token, whole }))
    }

    /// Takes the lock, or keeps it for longer.
    async fn lock(&mut self) -> Result<bool, Useless> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random).map_err(|_| Useless)?;
        let owner = self.owner.get_or_insert_with(|| BASE64_URL_SAFE_NO_PAD.encode(random)).clone();
        let ttl_ms = LOCKED.as_secs_f64() * 1000.0;
        let lock = Errand::Lock { key: self.key.lock(), owner, ttl_ms };
        Ok(matches!(self.run("lock", lock).await?, Answer::Other(true)))
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

/// A store that answers later is no help: a token server takes no longer. A busy process may.
const PATIENCE: Duration = Duration::from_secs(1);
/// When the next one may take over from a process that died. Its owner extends it in time.
const LOCKED: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// Thirty days: of a token without an end, too.
const LONGEST_KEPT_MS: f64 = 30.0 * 86_400_000.0;

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::{select, sync::mpsc::UnboundedReceiver};

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
                    let is_taken = values.get(&key).is_none_or(|(value, _)| *value == owner);
                    if is_taken {
                        values.insert(key, (owner, until(ttl_ms)));
                    }
                    ("lock", Answer::Other(is_taken))
                }
                Errand::Unlock { key, owner } => {
                    if values.get(&key).is_some_and(|(value, _)| *value == owner) {
                        values.remove(&key);
                    }
                    ("unlock", Answer::Other(false))
                }
                _ => ("other", Answer::Other(false)),
            };
            *count.entry(kind).or_default() += 1;
            // Whoever asked may have gone.
            let _ = answer.send(done);
        }
        count
    }

    fn session(errands: &Errands) -> Session {
        let store = Store { locks: true };
        Session::new(sealing(&config()), store, errands.clone(), Vec::new(), now())
    }

    fn in_ten_seconds() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    /// A process of the fleet that looks for a token; where it has to fetch one, that takes a while.
    async fn member(errands: Errands, fetch: Duration) -> bool {
        let mut session = session(&errands);
        if session.claim(in_ten_seconds()).await.is_some() {
            return false;
        }
        let is_fetched = select! {
            biased;
            () = sleep(fetch) => true,
            _ = session.beside() => false,
        };
        let token = token("t", 3600.0);
        session.end(is_fetched.then_some(&token), now()).await;
        is_fetched
    }

    /// How many processes of twenty fetch, each of which would take so long, and how often each
    /// thing is asked of the store.
    async fn fetches(fetch: Duration) -> (usize, HashMap<&'static str, usize>) {
        let (errands, pending) = Errands::channel();
        let server = tokio::spawn(serve(pending));
        let members: Vec<_> =
            (0..20).map(|_| tokio::spawn(member(errands.clone(), fetch))).collect();
        let mut fetches = 0;
        for member in members {
            fetches += usize::from(member.await.unwrap());
        }
        drop(errands);
        (fetches, server.await.unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn one_process_of_many_fetches() {
        for fetch in [300, 4_000] {
            let (fetches, count) = fetches(Duration::from_millis(fetch)).await;
            assert_eq!((fetches, count["set"], count["unlock"]), (1, 1, 1));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_lost_patience_still_takes_what_another_fetched() {
        let begun = Instant::now();
        // From half of its ten seconds on everybody asks, and would be too late.
        let (fetches, count) = fetches(Duration::from_secs(7)).await;
        assert_eq!((fetches, count["set"]), (1, 1));
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());
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
        // Its process is held up for longer than the lock lasts; meanwhile another one takes it.
        let mut slow = session(&errands);
        assert!(slow.claim(in_ten_seconds()).await.is_none());
        sleep(LOCKED + Duration::from_millis(100)).await;
        let other = tokio::spawn(member(errands.clone(), LOCKED * 2));
        sleep(Duration::from_millis(100)).await;
        assert!(timeout(LOCKED, slow.beside()).await.is_err());
        slow.end(Some(&token("t", 3600.0)), now()).await;
        assert!(!session(&errands).lock().await.is_ok_and(|taken| taken));
        // By now there is the slow one's token, but whoever has begun to fetch goes on.
        assert!(other.await.unwrap());
        drop(errands);
        server.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_that_was_taken_unheard_is_given_back() {
        let (errands, mut pending) = Errands::channel();
        let asked = tokio::spawn(async move {
            let mut session = session(&errands);
            assert!(session.claim(in_ten_seconds()).await.is_none());
            session.end(None, now()).await;
        });
        let mut kept = Vec::new();
        while let Some((errand, answer)) = pending.recv().await {
            match errand {
                Errand::Get { .. } => _ = answer.send(Answer::Other(false)),
                errand => kept.push((errand, answer)),
            }
        }
        asked.await.unwrap();
        let owners: Vec<_> = kept
            .iter()
            .filter_map(|(errand, _)| match errand {
                Errand::Lock { owner, .. } | Errand::Unlock { owner, .. } => Some(owner),
                _ => None,
            })
            .collect();
        assert_eq!(owners.len(), 2);
        assert_eq!(owners[0], owners[1]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_costs_its_patience_once() {
        let (errands, pending) = Errands::channel();
        let begun = Instant::now();
        let mut session = session(&errands);
        assert!(session.claim(in_ten_seconds()).await.is_none());
        assert_eq!(begun.elapsed(), PATIENCE);
        // Nor is it asked while a token is fetched.
        assert!(timeout(LOCKED * 4, session.beside()).await.is_err());
        drop(session);
        drop(errands);
        let mut pending = pending;
        let mut asked = 0;
        while pending.recv().await.is_some() {
            asked += 1;
        }
        // The second tells of the first.
        assert_eq!(asked, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_who_does_errands_is_a_store_that_fails() {
        let begun = Instant::now();
        assert!(session(&Errands::default()).claim(begun + PATIENCE).await.is_none());
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
