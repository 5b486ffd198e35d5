//! One access token, fetched once for all who wait: 1,000 callers on a cold cache make 1 request.
//!
//! Nothing here knows HTTP. A load is a slot with an id: beginning it gives a [`Ticket`], and what
//! the ticket ends with goes to everybody who waits, once. A failure is shared and not remembered,
//! unless its ticket says so. A token may be due to be replaced before its end: then one caller
//! gets a ticket with it, and the others go on with the token.

mod token;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use tokio::sync::watch;

pub use self::token::AccessToken;
use crate::{fault_injection, lock::lock, now::Now, random, secret::Secret};

/// The kept token and the load under way. `E` is what a load fails with.
pub struct TokenCache<E>(Arc<Mutex<State<E>>>);

struct State<E> {
    token: Option<AccessToken>,
    load: Option<Load<E>>,
    last_id: u64,
    /// The last token that was rejected, as a header: a store may still have it.
    rejected: Option<Secret>,
    /// Attempts in a row that failed to replace a token, and when the next one may begin.
    failures: u32,
    next: Option<Instant>,
    /// A failure that is given at once until then.
    cooling: Option<(Instant, Arc<E>)>,
}

impl<E> State<E> {
    fn fresh(&self, now: Now) -> Option<&AccessToken> {
        self.token.as_ref().filter(|token| token.is_fresh(now))
    }

    /// Whether it is time to replace `token`, and nobody does.
    fn replaces(&self, token: &AccessToken, now: Now) -> bool {
        token.is_due(now)
            && self.load.is_none()
            && self.next.is_none_or(|next| next <= now.mono)
            && self.cooled(now).is_none()
    }

    fn cooled(&self, now: Now) -> Option<&Arc<E>> {
        let (until, failure) = self.cooling.as_ref()?;
        (now.mono < *until).then_some(failure)
    }

    fn is_under_way(&self, id: u64) -> bool {
        self.load.as_ref().is_some_and(|load| load.id == id)
    }
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
    /// Such a token, which whoever holds the ticket replaces meanwhile.
    Due(AccessToken, Ticket<E>),
    /// A failure that is remembered for a while.
    Failed(Arc<E>),
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
    /// Whether the kept token is still good.
    replaces: bool,
    cool_down: Option<Duration>,
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
    /// The kept token, where it may be used and is not to be replaced by whoever asks now.
    #[must_use]
    pub fn peek(&self, now: Now) -> Option<AccessToken> {
        let state = self.state();
        state.fresh(now).filter(|token| !state.replaces(token, now)).cloned()
    }

    /// The last token that was rejected, as a header.
    #[must_use]
    pub fn rejected(&self) -> Option<Secret> {
        self.state().rejected.clone()
    }

    /// Forgets the kept token, or only the one that goes out as `authorization`: a fresher one, and
    /// a load under way, are not what was rejected.
    pub fn invalidate(&self, authorization: Option<&str>) {
        let mut state = self.state();
        let forgotten = state.token.take_if(|token| {
            authorization.is_none_or(|rejected| token.authorization().expose() == rejected)
        });
        if let Some(token) = forgotten {
            state.rejected = Some(token.authorization().clone());
        }
    }

    /// What there is for a caller; begins a load where there is nothing.
    #[must_use]
    pub fn find(&self, now: Now) -> Cached<E> {
        let mut state = self.state();
        fault_injection::point("token cache");
        let token = state.fresh(now).cloned();
        if let Some(token) = token {
            if !state.replaces(&token, now) {
                return Cached::Fresh(token);
            }
            return Cached::Due(token, self.begin(&mut state, true).0);
        }
        if let Some(load) = &state.load {
            return Cached::UnderWay(Waiter(load.result.clone()));
        }
        if let Some(failure) = state.cooled(now) {
            return Cached::Failed(failure.clone());
        }
        let (ticket, waiter) = self.begin(&mut state, false);
        Cached::Missing(ticket, waiter)
    }

    fn begin(&self, state: &mut State<E>, replaces: bool) -> (Ticket<E>, Waiter<E>) {
        let (sender, receiver) = watch::channel(None);
        state.last_id += 1;
        let id = state.last_id;
        state.load = Some(Load { id, result: receiver.clone() });
        let ticket = Ticket { cache: self.clone(), id, result: sender, replaces, cool_down: None };
        (ticket, Waiter(receiver))
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        lock(&self.0)
    }
}

impl<E> Ticket<E> {
    /// Lets the failure that this ends with be remembered for so long.
    pub fn cool_down(&mut self, time: Duration) {
        self.cool_down = Some(time);
    }

    /// Ends the load at this moment: keeps a token, and tells all who wait. A token that this
    /// failed to replace stays.
    pub fn finish(self, result: Result<AccessToken, E>, ended: Instant) {
        let result = result.map_err(Arc::new);
        {
            let mut state = self.cache.state();
            if state.is_under_way(self.id) {
                state.load = None;
                match &result {
                    Ok(token) => {
                        state.token = Some(token.clone());
                        (state.failures, state.next, state.cooling) = (0, None, None);
                    }
                    Err(failure) => {
                        state.token.take_if(|_| !self.replaces);
                        state.failures = state.failures.saturating_add(1);
                        state.next = Some(ended + backoff(state.failures));
                        let until = self.cool_down.and_then(|time| ended.checked_add(time));
                        state.cooling = until.map(|until| (until, failure.clone()));
                    }
                }
            }
        }
        self.result.send_replace(Some(result));
    }
}

/// How long nobody tries to replace a token after so many failures in a row.
fn backoff(failures: u32) -> Duration {
    let longest = FIRST_BACKOFF * 2_u32.pow(failures.clamp(1, 7) - 1);
    longest.min(LONGEST_BACKOFF).mul_f64(0.5 + random::fraction() / 2.0)
}

impl<E> Drop for Ticket<E> {
    fn drop(&mut self) {
        // After `finish` the slot is empty or another's.
        let mut state = self.cache.state();
        if state.is_under_way(self.id) {
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
        Self(Arc::new(Mutex::new(State {
            token: None,
            load: None,
            last_id: 0,
            rejected: None,
            failures: 0,
            next: None,
            cooling: None,
        })))
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

/// A token that could not be replaced is good for a while: the server is asked at leisure.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::{
        token::tests::{after, begun, token},
        *,
    };

    type Cache = TokenCache<&'static str>;

    #[track_caller]
    fn missing(cache: &Cache, now: Now) -> (Ticket<&'static str>, Waiter<&'static str>) {
        match cache.find(now) {
            Cached::Missing(ticket, waiter) => (ticket, waiter),
            _ => panic!("there is a token, a load or a failure"),
        }
    }

    #[track_caller]
    fn under_way(cache: &Cache, now: Now) -> Waiter<&'static str> {
        match cache.find(now) {
            Cached::UnderWay(waiter) => waiter,
            _ => panic!("no load is under way"),
        }
    }

    fn text(result: Result<AccessToken, Failed<&'static str>>) -> Result<String, String> {
        match result {
            Ok(token) => Ok(token.token().expose().to_owned()),
            Err(Failed::Load(error)) => Err((*error).to_owned()),
            Err(Failed::Vanished) => Err("vanished".to_owned()),
        }
    }

    #[tokio::test]
    async fn a_thousand_callers_share_one_load() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let waiters: Vec<_> = (1..1000).map(|_| under_way(&cache, now)).collect();
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
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
        ticket.finish(Err("refused"), now.mono);
        assert_eq!(text(first.wait().await), Err("refused".to_owned()));
        assert_eq!(text(second.wait().await), Err("refused".to_owned()));
        let (ticket, next) = missing(&cache, now);
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
        assert_eq!(text(next.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn the_first_callers_leaving_ends_nothing() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        let second = under_way(&cache, now);
        drop(first);
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
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
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
        assert_eq!(text(first.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn whoever_arrives_after_the_end_finds_the_token_and_no_load() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
        assert!(matches!(cache.find(now), Cached::Fresh(_)));
        assert_eq!(text(first.wait().await), Ok("token".to_owned()));
    }

    #[tokio::test]
    async fn a_token_that_is_not_kept_reaches_those_who_waited() {
        let (cache, now) = (Cache::default(), begun());
        let (ticket, first) = missing(&cache, now);
        ticket.finish(Ok(token(now, 10.0)), now.mono);
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
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
        assert_eq!(text(next.wait().await), Ok("token".to_owned()));
    }

    #[test]
    fn a_rejected_token_is_forgotten_and_a_fresher_one_kept() {
        let (cache, now) = (Cache::default(), begun());
        missing(&cache, now).0.finish(Ok(token(now, 3600.0)), now.mono);
        cache.invalidate(Some("Bearer older"));
        assert!(cache.peek(now).is_some());
        cache.invalidate(Some("Bearer token"));
        assert!(cache.peek(now).is_none());
        missing(&cache, now).0.finish(Ok(token(now, 3600.0)), now.mono);
        cache.invalidate(None);
        let (ticket, _waiter) = missing(&cache, now);
        cache.invalidate(None);
        let _waiter = under_way(&cache, now);
        ticket.finish(Ok(token(now, 3600.0)), now.mono);
        assert!(cache.peek(now).is_some());
    }

    /// A cache whose token lives an hour and is to be replaced 100 s before 3,590 s have passed.
    fn due(now: Now) -> Cache {
        let cache = Cache::default();
        let token = token(now, 3600.0).due_before_end(100.0);
        missing(&cache, now).0.finish(Ok(token), now.mono);
        cache
    }

    #[test]
    fn a_due_token_is_given_to_all_and_a_ticket_to_one() {
        let now = begun();
        let cache = due(now);
        assert!(matches!(cache.find(after(now, 3489.9)), Cached::Fresh(_)));
        let late = after(now, 3490.0);
        assert!(cache.peek(late).is_none());
        let Cached::Due(old, ticket) = cache.find(late) else { panic!("it is not due") };
        assert_eq!(old.token().expose(), "token");
        assert!(cache.peek(late).is_some());
        assert!(matches!(cache.find(late), Cached::Fresh(_)));
        ticket.finish(Ok(AccessToken::new("new".to_owned().into(), late, 3600.0)), late.mono);
        assert_eq!(cache.peek(late).unwrap().token().expose(), "new");
    }

    #[tokio::test]
    async fn whoever_finds_a_due_token_at_its_end_waits_for_the_load() {
        let now = begun();
        let cache = due(now);
        let Cached::Due(_, ticket) = cache.find(after(now, 3500.0)) else { panic!("not due") };
        let end = after(now, 3590.0);
        let waiter = under_way(&cache, end);
        ticket.finish(Ok(token(end, 3600.0)), end.mono);
        assert_eq!(text(waiter.wait().await), Ok("token".to_owned()));
    }

    #[test]
    fn a_token_that_could_not_be_replaced_stays_and_the_next_attempt_waits_longer_and_longer() {
        let now = begun();
        let cache = due(now);
        let mut late = after(now, 3491.0);
        for (least, most) in [(0.5, 1.0), (1.0, 2.0), (2.0, 4.0), (4.0, 8.0), (8.0, 16.0)] {
            let Cached::Due(_, ticket) = cache.find(late) else { panic!("not due") };
            ticket.finish(Err("busy"), late.mono);
            assert!(cache.peek(after(late, least - 0.01)).is_some());
            late = after(late, most);
            assert!(cache.peek(late).is_none());
        }
        assert!(matches!(cache.find(late), Cached::Due(..)));
        for failures in [7, 8, u32::MAX] {
            let backoff = backoff(failures);
            assert!(backoff >= LONGEST_BACKOFF / 2 && backoff <= LONGEST_BACKOFF);
        }
    }

    #[test]
    fn a_failure_is_remembered_for_as_long_as_its_ticket_says() {
        let (cache, now) = (Cache::default(), begun());
        let (mut ticket, _) = missing(&cache, now);
        ticket.cool_down(Duration::from_secs(30));
        ticket.finish(Err("refused"), now.mono);
        let Cached::Failed(why) = cache.find(after(now, 29.9)) else { panic!("it asks again") };
        assert_eq!(*why, "refused");
        let later = after(now, 30.0);
        missing(&cache, later).0.finish(Err("busy"), later.mono);
        drop(missing(&cache, later));
    }

    #[test]
    fn a_remembered_failure_keeps_a_due_token_from_being_replaced() {
        let now = begun();
        let cache = due(now);
        let late = after(now, 3500.0);
        let Cached::Due(_, mut ticket) = cache.find(late) else { panic!("not due") };
        ticket.cool_down(Duration::from_mins(1));
        ticket.finish(Err("refused"), late.mono);
        assert!(matches!(cache.find(after(late, 59.9)), Cached::Fresh(_)));
        assert!(matches!(cache.find(after(late, 60.0)), Cached::Due(..)));
    }

    #[test]
    fn the_last_rejected_token_is_known() {
        let (cache, now) = (Cache::default(), begun());
        assert!(cache.rejected().is_none());
        missing(&cache, now).0.finish(Ok(token(now, 3600.0)), now.mono);
        cache.invalidate(Some("Bearer older"));
        assert!(cache.rejected().is_none());
        cache.invalidate(None);
        assert_eq!(cache.rejected().unwrap().expose(), "Bearer token");
    }

    #[test]
    fn an_ended_loads_ticket_leaves_a_newer_load_alone() {
        let (cache, now) = (Cache::default(), begun());
        let (old, _) = missing(&cache, now);
        // As the end of an environment closes a slot while its ticket still lives.
        cache.state().load = None;
        let (new, _) = missing(&cache, now);
        old.finish(Ok(token(now, 3600.0)), now.mono);
        assert!(cache.peek(now).is_none());
        let _waiter = under_way(&cache, now);
        new.finish(Ok(token(now, 3600.0)), now.mono);
        assert!(cache.peek(now).is_some());
    }
}
