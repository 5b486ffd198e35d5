//! One access token, fetched once for all who wait: 1,000 callers on a cold cache make 1 request.
//!
//! Nothing here knows HTTP. A load is a slot with an id: beginning it gives a [`Ticket`], and what
//! the ticket ends with goes to everybody who waits, once. A failure is shared and not remembered.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

use crate::{fault_injection, now::Now, secret::Secret};

/// A token and how long it is good for.
#[derive(Clone, Debug)]
pub struct AccessToken {
    token: Secret,
    obtained: Now,
    /// In seconds; `None` has no end.
    lifetime: Option<f64>,
}

impl AccessToken {
    /// `obtained` is the moment before the token was asked for. A lifetime that is infinite or
    /// beyond 2^53 seconds has no end.
    #[must_use]
    pub fn new(token: Secret, obtained: Now, lifetime_seconds: f64) -> Self {
        let lifetime = (lifetime_seconds < TWO_TO_53).then_some(lifetime_seconds);
        Self { token, obtained, lifetime }
    }

    /// The token itself.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// True while both clocks are before the end less 10 s, and the wall clock not before the
    /// beginning: a token from the future is not trusted.
    #[must_use]
    pub fn is_fresh(&self, now: Now) -> bool {
        let Self { obtained, lifetime, .. } = self;
        let usable = lifetime.map_or(f64::INFINITY, |lifetime| lifetime - BUFFER_SECONDS);
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
pub enum Found<E> {
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
    pub fn find(&self, now: Now) -> Found<E> {
        let mut state = self.state();
        fault_injection::point("token cache");
        if let Some(token) = state.token.as_ref().filter(|token| token.is_fresh(now)) {
            return Found::Fresh(token.clone());
        }
        if let Some(load) = &state.load {
            return Found::UnderWay(Waiter(load.result.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        state.last_id += 1;
        let id = state.last_id;
        state.load = Some(Load { id, result: receiver.clone() });
        let ticket = Ticket { cache: self.clone(), id, result: sender };
        Found::Missing(ticket, Waiter(receiver))
    }

    fn state(&self) -> MutexGuard<'_, State<E>> {
        // Nothing that is done under the lock can stop half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
