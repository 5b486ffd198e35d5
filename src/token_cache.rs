//! One access token, fetched once for all who wait: 1,000 callers on a cold cache make 1 request.
//!
//! Nothing here knows HTTP. A load is a slot with an id: beginning it gives a [`Ticket`], and what
//! the ticket ends with goes to everybody who waits, once. A failure is shared and not remembered.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::sync::watch;

use crate::{fault_injection, lock::lock, now::Now, secret::Secret};

/// A token and how long it is good for.
#[derive(Clone, Debug)]
pub struct AccessToken {
    token: Secret,
    obtained: Now,
    /// In seconds; `None` has no end.
    lifetime: Option<f64>,
    /// The seconds before its end in which it is not used.
    buffer: f64,
}

impl AccessToken {
    /// `obtained` is the moment before the token was asked for. A lifetime that is infinite or
    /// beyond 2^53 seconds has no end.
    #[must_use]
    pub fn new(token: Secret, obtained: Now, lifetime_seconds: f64) -> Self {
        let lifetime = (lifetime_seconds < TWO_TO_53).then_some(lifetime_seconds);
        Self { token, obtained, lifetime, buffer: BUFFER_SECONDS }
    }

    /// The same, not used in its last `seconds`, in place of 10.
    #[must_use]
    pub fn buffered(self, seconds: f64) -> Self {
        Self { buffer: seconds, ..self }
    }

    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// True while both clocks are before the end less the buffer, and the wall clock not before the
    /// beginning: a token from the future is not trusted.
    #[must_use]
    pub fn is_fresh(&self, now: Now) -> bool {
        let Self { obtained, lifetime, buffer, .. } = self;
        let usable = lifetime.map_or(f64::INFINITY, |lifetime| lifetime - buffer);
        let wall = (now.wall_ms - obtained.wall_ms) / 1000.0;
        let mono = now.mono.saturating_duration_since(obtained.mono).as_secs_f64();
        wall >= 0.0 && wall < usable && mono < usable
    }
}

/// The kept token and the load under way. `E` is what a load fails with.
pub struct TokenCache<E>(Arc<Mutex<State<E>>>);

struct State<E> {
    token: Option<AccessToken>,
    load: Option<Load<E>>,
    last_id: u64,
}

struct Load<E> {
    id: u64,
    result: watch::Receiver<LoadResult<E>>,
}

type LoadResult<E> = Option<Result<AccessToken, Arc<E>>>;

/// What a caller finds.
pub enum Cached<E> {
    /// A token that may be used.
    Fresh(AccessToken),
    /// A load under way.
    UnderWay(Waiter<E>),
    /// Nothing: whoever holds the ticket has to load.
    Missing(Ticket<E>, Waiter<E>),
}

/// The duty to end a load. Dropped, it ends it as vanished: a task that panicked, an environment
/// that ended.
pub struct Ticket<E> {
    cache: TokenCache<E>,
    id: u64,
    result: watch::Sender<LoadResult<E>>,
}

/// Waits for a load; dropping it leaves the load to the others.
pub struct Waiter<E>(watch::Receiver<LoadResult<E>>);

/// How a load failed for one who waited.
#[derive(Debug)]
pub enum Failed<E> {
    /// With this, which all who waited share.
    Load(Arc<E>),
    /// Without a result.
    Vanished,
}

impl<E> TokenCache<E> {
    /// The kept token, where it may be used.
    #[must_use]
    pub fn peek(&self, now: Now) -> Option<AccessToken> {
        self.state().token.as_ref().filter(|token| token.is_fresh(now)).cloned()
    }

    /// What there is for a caller; begins a load where there is nothing.
    #[must_use]
    pub fn find(&self, now: Now) -> Cached<E> {
        let mut state = self.state();
        fault_injection::point("token cache");
        if let Some(token) = state.token.as_ref().filter(|token| token.is_fresh(now)) {
            return Cached::Fresh(token.clone());
        }
        if let Some(load) = &state.load {
            return Cached::UnderWay(Waiter(load.result.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        state.last_id += 1;
        let id = state.last_id;
        state.load = Some(Load { id, result: receiver.clone() });
        let ticket = Ticket { cache: self.clone(), id, result: sender };
        Cached::Missing(ticket, Waiter(receiver))
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        lock(&self.0)
    }
}

impl<E> Ticket<E> {
    /// Ends the load: keeps a token, and tells all who wait.
    pub fn finish(self, result: Result<AccessToken, E>) {
        let result = result.map_err(Arc::new);
        {
            let mut state = self.cache.state();
            if state.load.as_ref().is_some_and(|load| load.id == self.id) {
                state.load = None;
                state.token = result.as_ref().ok().cloned();
            }
        }
        self.result.send_replace(Some(result));
    }
}

impl<E> Drop for Ticket<E> {
    fn drop(&mut self) {
        // After `finish` the slot is empty or another's.
        let mut state = self.cache.state();
        if state.load.as_ref().is_some_and(|load| load.id == self.id) {
            state.load = None;
        }
    }
}

impl<E> Waiter<E> {
    /// The load's result.
    ///
    /// # Errors
    /// The load's failure.
    pub async fn wait(mut self) -> Result<AccessToken, Failed<E>> {
        match self.0.wait_for(Option::is_some).await {
            Ok(result) => match &*result {
                Some(Ok(token)) => Ok(token.clone()),
                Some(Err(error)) => Err(Failed::Load(error.clone())),
                None => Err(Failed::Vanished),
            },
            Err(_) => Err(Failed::Vanished),
        }
    }
}

impl<E> Default for TokenCache<E> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(State { token: None, load: None, last_id: 0 })))
    }
}

impl<E> Clone for TokenCache<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> fmt::Debug for TokenCache<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache").finish_non_exhaustive()
    }
}

/// A token is not used in its last seconds: it has to arrive, and to be good on arrival.
const BUFFER_SECONDS: f64 = 10.0;
/// Beyond it JavaScript's numbers have gaps, and no token lives 285 million years.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    type Cache = TokenCache<&'static str>;

    /// So many seconds after the token was obtained, on both clocks.
    fn after(obtained: Now, seconds: f64) -> Now {
        let mono = obtained.mono + std::time::Duration::try_from_secs_f64(seconds).unwrap();
        Now { wall_ms: obtained.wall_ms + seconds * 1000.0, mono }
    }

    fn begun() -> Now {
        Now { wall_ms: 1_700_000_000_000.0, mono: Instant::now() }
    }

    fn token(obtained: Now, lifetime: f64) -> AccessToken {
        AccessToken::new("token".to_owned().into(), obtained, lifetime)
    }

    #[track_caller]
    fn missing(cache: &Cache, now: Now) -> (Ticket<&'static str>, Waiter<&'static str>) {
        match cache.find(now) {
            Cached::Missing(ticket, waiter) => (ticket, waiter),
            Cached::Fresh(_) | Cached::UnderWay(_) => panic!("there is a token or a load"),
        }
    }

    #[track_caller]
    fn under_way(cache: &Cache, now: Now) -> Waiter<&'static str> {
        match cache.find(now) {
            Cached::UnderWay(waiter) => waiter,
            Cached::Fresh(_) | Cached::Missing(..) => panic!("no load is under way"),
        }
    }

    fn text(result: Result<AccessToken, Failed<&'static str>>) -> Result<String, String> {
        match result {
            Ok(token) => Ok(token.token().expose().to_owned()),
            Err(Failed::Load(error)) => Err((*error).to_owned()),
            Err(Failed::Vanished) => Err("vanished".to_owned()),
        }
    }

    #[test]
    fn a_token_is_fresh_until_ten_seconds_before_its_end() {
        let obtained = begun();
        let token = token(obtained, 3600.0);
        assert!(token.is_fresh(obtained));
        assert!(token.is_fresh(after(obtained, 3600.0 - 10.001)));
        assert!(!token.is_fresh(after(obtained, 3600.0 - 10.0)));
        assert!(!token.is_fresh(after(obtained, 3600.0 - 9.999)));
    }

    #[test]
    fn a_token_of_ten_seconds_or_less_is_never_fresh() {
        let obtained = begun();
        for lifetime in [10.0, 9.0, 0.0, -1.0, f64::NEG_INFINITY] {
            assert!(!token(obtained, lifetime).is_fresh(obtained), "{lifetime}");
        }
        assert!(token(obtained, 10.001).is_fresh(obtained));
    }

    #[test]
    fn a_lifetime_without_end_has_none() {
        let obtained = begun();
        let late = after(obtained, 1e9);
        for lifetime in [f64::INFINITY, 9_007_199_254_740_992.0, 1e300] {
            assert!(token(obtained, lifetime).is_fresh(late), "{lifetime}");
        }
    }

    // B26
    #[test]
    fn a_token_from_the_future_is_not_trusted() {
        let obtained = begun();
        let set_back = Now { wall_ms: obtained.wall_ms - 1.0, mono: obtained.mono };
        assert!(!token(obtained, 3600.0).is_fresh(set_back));
    }

    // B26
    #[test]
    fn either_clock_alone_ends_a_token() {
        let obtained = begun();
        let later = after(obtained, 4000.0);
        let token = token(obtained, 3600.0);
        assert!(!token.is_fresh(Now { mono: obtained.mono, ..later }));
        assert!(!token.is_fresh(Now { wall_ms: obtained.wall_ms, ..later }));
    }

    #[tokio::test]
    async fn a_thousand_callers_share_one_load() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let waiters: Vec<_> = (1..1000).map(|_| under_way(&cache, now)).collect();
        ticket.finish(Ok(token(now, 3600.0)));
        for waiter in waiters.into_iter().chain([first]) {
            assert_eq!(text(waiter.wait().await), Ok("token".to_owned()));
        }
        assert!(cache.peek(now).is_some());
    }

    #[tokio::test]
    async fn a_failure_is_shared_and_not_remembered() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let second = under_way(&cache, now);
        ticket.finish(Err("refused"));
        assert_eq!(text(first.wait().await), Err("refused".to_owned()));
        assert_eq!(text(second.wait().await), Err("refused".to_owned()));
        let (ticket, next) = missing(&cache, now);
        ticket.finish(Ok(token(now, 3600.0)));
        assert_eq!(text(next.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn the_first_callers_leaving_ends_nothing() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let second = under_way(&cache, now);
        drop(first);
        ticket.finish(Ok(token(now, 3600.0)));
        assert_eq!(text(second.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn a_waiter_that_leaves_half_way_leaves_the_load_to_the_others() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let leaving = tokio::spawn(under_way(&cache, now).wait());
        tokio::task::yield_now().await;
        leaving.abort();
        assert!(leaving.await.is_err());
        ticket.finish(Ok(token(now, 3600.0)));
        assert_eq!(text(first.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn whoever_arrives_after_the_end_finds_the_token_and_no_load() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        ticket.finish(Ok(token(now, 3600.0)));
        assert!(matches!(cache.find(now), Cached::Fresh(_)));
        assert_eq!(text(first.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn a_token_that_is_not_kept_reaches_those_who_waited() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        ticket.finish(Ok(token(now, 10.0)));
        assert_eq!(text(first.wait().await), Ok("token".to_owned()));
        assert!(matches!(cache.find(now), Cached::Missing(..)));
    }

    #[tokio::test]
    async fn a_load_whose_task_vanished_is_told_and_another_may_begin() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let second = under_way(&cache, now);
        let task = tokio::spawn(async move {
            let _ticket = ticket;
            panic!("on purpose");
        });
        assert!(task.await.is_err());
        assert_eq!(text(first.wait().await), Err("vanished".to_owned()));
        assert_eq!(text(second.wait().await), Err("vanished".to_owned()));
        let (ticket, next) = missing(&cache, now);
        ticket.finish(Ok(token(now, 3600.0)));
        assert_eq!(text(next.wait().await), Ok("token".to_owned()));
    }

    #[test]
    fn an_ended_loads_ticket_leaves_a_newer_load_alone() {
        let (cache, now) = (Cache::default(), begun());
        let (old, _) = missing(&cache, now);
        // As the end of an environment closes a slot while its ticket still lives.
        cache.state().load = None;
        let (new, _) = missing(&cache, now);
        old.finish(Ok(token(now, 3600.0)));
        assert!(cache.peek(now).is_none());
        let _waiter = under_way(&cache, now);
        new.finish(Ok(token(now, 3600.0)));
        assert!(cache.peek(now).is_some());
    }
}
