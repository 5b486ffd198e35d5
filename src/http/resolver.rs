//! The system's `getaddrinfo`, on threads of its own: it cannot be cancelled, and a silent name
//! server must not use up the threads that other names need. Calls of one name share its lookup.
//! One that says nothing for a second gets another beside it, for a query may be lost and the
//! system's own patience is long.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::{SocketAddr, ToSocketAddrs as _},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};
use tower_service::Service;

use super::fault::LookupFailed;
use crate::lock::lock;

/// Asks the system for names.
#[derive(Clone, Default)]
pub(super) struct SystemResolver {
    under_way: Arc<Mutex<HashMap<String, UnderWay>>>,
}

/// The lookups of one name, in the order in which they began.
struct UnderWay {
    looked: watch::Sender<Looked>,
    started: u32,
    ended: u32,
    /// When the next one begins.
    due: Instant,
}

/// What became of them.
enum Looked {
    Nothing,
    /// For those who came before the lookup of this number began, or with it. A later one may find
    /// what this one did not.
    Failed(u32, LookupFailed),
    /// For all.
    Found(Vec<SocketAddr>),
}

impl Looked {
    fn of(&self, number: u32) -> Option<Result<Vec<SocketAddr>, LookupFailed>> {
        match self {
            Self::Found(addresses) => Some(Ok(addresses.clone())),
            Self::Failed(failed, error) if *failed >= number => Some(Err(error.clone())),
            _ => None,
        }
    }
}

/// What asks the system.
trait LookUp: Fn() -> io::Result<Vec<SocketAddr>> + Clone + Send + 'static {}

impl<F: Fn() -> io::Result<Vec<SocketAddr>> + Clone + Send + 'static> LookUp for F {}

impl Service<Name> for SystemResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = LookupFailed;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, LookupFailed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), LookupFailed>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolver = self.clone();
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let host = name.clone();
            let look_up = move || Ok((&*host, 0).to_socket_addrs()?.collect());
            resolver.shared(name, look_up).await.map(Vec::into_iter)
        })
    }
}

impl SystemResolver {
    /// What the lookups of `name` give that are under way. `look_up` begins one where there is none,
    /// and another where the last has said nothing for too long.
    async fn shared(
        &self,
        name: String,
        look_up: impl LookUp,
    ) -> Result<Vec<SocketAddr>, LookupFailed> {
        let Joined { mut looked, number, mut due } = self.join(&name, &look_up)?;
        loop {
            let is_over = |looked: &Looked| looked.of(number).is_some();
            // Past it there is one more to wait for.
            if let Ok(over) = timeout_at(due, looked.wait_for(is_over)).await {
                let result = over.ok().and_then(|looked| looked.of(number));
                return result.unwrap_or(Err(LookupFailed::Lost));
            }
            let joined = self.join(&name, &look_up)?;
            // Where all were over at that very moment, their result is here already.
            due = joined.due;
        }
    }

    /// Begins a lookup where one is due.
    fn join(&self, name: &str, look_up: &impl LookUp) -> Result<Joined, LookupFailed> {
        let mut all = lock(&self.under_way);
        let now = Instant::now();
        let lookups = all.entry(name.to_owned()).or_insert_with(|| UnderWay {
            looked: watch::Sender::new(Looked::Nothing),
            started: 0,
            ended: 0,
            due: now,
        });
        if now >= lookups.due {
            let (sender, number) = (lookups.looked.clone(), lookups.started + 1);
            match self.start(name.to_owned(), number, sender, look_up.clone()) {
                Ok(()) => lookups.started = number,
                // The others may find it.
                Err(_) if lookups.ended < lookups.started => {}
                Err(error) => {
                    all.remove(name);
                    return Err(LookupFailed::NoThread(error.to_string()));
                }
            }
            lookups.due = now + patience(lookups.started);
        }
        let UnderWay { looked, started, due, .. } = lookups;
        Ok(Joined { looked: looked.subscribe(), number: *started, due: *due })
    }

    /// On a thread: no caller's leaving ends it.
    fn start(
        &self,
        name: String,
        number: u32,
        sender: watch::Sender<Looked>,
        look_up: impl LookUp,
    ) -> io::Result<()> {
        let under_way = self.under_way.clone();
        let run = move || {
            let result = match catch_unwind(AssertUnwindSafe(look_up)) {
                Ok(result) => result.map_err(|error| LookupFailed::Unknown(error.to_string())),
                Err(_) => Err(LookupFailed::Lost),
            };
            let mut all = lock(&under_way);
            let Some(lookups) = all.get_mut(&name) else { return };
            if !lookups.looked.same_channel(&sender) {
                return;
            }
            lookups.ended += 1;
            if number == lookups.started {
                // Who comes now asks anew.
                lookups.due = Instant::now();
            }
            if result.is_ok() || lookups.ended == lookups.started {
                // Nothing is remembered: that is the name server's business.
                all.remove(&name);
            }
            sender.send_if_modified(|looked| {
                *looked = match (result, &*looked) {
                    (Ok(addresses), _) => Looked::Found(addresses),
                    (Err(_), Looked::Failed(later, _)) if *later > number => return false,
                    (Err(error), _) => Looked::Failed(number, error),
                };
                true
            });
        };
        thread::Builder::new().name("key0-dns".to_owned()).spawn(run).map(drop)
    }
}

/// A call among those that wait for a name.
struct Joined {
    looked: watch::Receiver<Looked>,
    /// Of the lookup that is its own.
    number: u32,
    /// When there will be another.
    due: Instant,
}

/// How long the lookup of that number is the last. Where the system never comes back, each stays a
/// thread: so the time doubles from the eighth on.
fn patience(number: u32) -> Duration {
    PATIENCE.saturating_mul(1 << number.saturating_sub(8).min(16))
}

/// Many times what a lookup takes.
const PATIENCE: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn address(port: u16) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], port))]
    }

    /// Lookups that end when they are told how, each by its number.
    fn scripted(count: usize) -> (Vec<mpsc::Sender<Option<u16>>>, impl LookUp) {
        let (ends, waits): (Vec<_>, Vec<_>) = (0..count).map(|_| mpsc::channel()).unzip();
        let waits = Arc::new(Mutex::new(waits.into_iter()));
        let look_up = move || {
            let wait = lock(&waits).next().expect("as many as there are");
            match wait.recv() {
                Ok(Some(port)) => Ok(address(port)),
                _ => Err(io::Error::other("unknown name")),
            }
        };
        (ends, look_up)
    }

    fn unknown() -> Result<Vec<SocketAddr>, LookupFailed> {
        Err(LookupFailed::Unknown("unknown name".to_owned()))
    }

    fn calls(
        resolver: &SystemResolver,
        count: usize,
        look_up: &impl LookUp,
    ) -> Vec<tokio::task::JoinHandle<Result<Vec<SocketAddr>, LookupFailed>>> {
        let call = |_| {
            let (resolver, look_up) = (resolver.clone(), look_up.clone());
            tokio::spawn(async move { resolver.shared("name".to_owned(), look_up).await })
        };
        (0..count).map(call).collect()
    }

    /// Until so many callers wait for the name.
    async fn joined(resolver: &SystemResolver, count: usize) {
        let waiting =
            || lock(&resolver.under_way).get("name").map(|all| all.looked.receiver_count());
        while waiting() != Some(count) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Until so many of the name's lookups have begun.
    async fn begun(resolver: &SystemResolver, count: u32) {
        while lock(&resolver.under_way).get("name").is_none_or(|all| all.started < count) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn calls_of_a_silent_name_share_a_lookup_and_hold_up_no_other() {
        let resolver = SystemResolver::default();
        // A slow machine may begin some more, each after a second.
        let (ends, look_up) = scripted(10);
        let waiting = calls(&resolver, 600, &look_up);
        joined(&resolver, 600).await;
        let other = resolver.shared("other".to_owned(), || Ok(address(1))).await;
        assert_eq!(other, Ok(address(1)));
        ends[0].send(Some(2)).unwrap();
        for call in waiting {
            assert_eq!(call.await.unwrap(), Ok(address(2)));
        }
    }

    #[tokio::test]
    async fn more_silent_names_than_a_pool_has_threads_hold_up_no_other() {
        let resolver = SystemResolver::default();
        let mut silences = Vec::new();
        for name in 0..600 {
            let (silence, silent) = mpsc::channel::<()>();
            silences.push(silence);
            let (resolver, silent) = (resolver.clone(), Arc::new(Mutex::new(silent)));
            let look_up = move || {
                let _ = lock(&silent).recv();
                Ok(Vec::new())
            };
            tokio::spawn(async move { resolver.shared(name.to_string(), look_up).await });
        }
        while lock(&resolver.under_way).len() < 600 {
            tokio::task::yield_now().await;
        }
        let other = resolver.shared("other".to_owned(), || Ok(address(1))).await;
        assert_eq!(other, Ok(address(1)));
    }

    #[tokio::test]
    async fn a_lookup_goes_on_without_the_call_that_began_it() {
        let resolver = SystemResolver::default();
        let (ends, look_up) = scripted(10);
        let [first, second] = calls(&resolver, 2, &look_up).try_into().unwrap();
        joined(&resolver, 2).await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        ends[0].send(Some(1)).unwrap();
        assert_eq!(second.await.unwrap(), Ok(address(1)));
    }

    // The clock goes on by itself where all wait for it.
    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_says_nothing_gets_another_beside_it_for_one_caller_too() {
        let resolver = SystemResolver::default();
        let start = Instant::now();
        let (ends, look_up) = scripted(4);
        let [call] = calls(&resolver, 1, &look_up).try_into().unwrap();
        for (count, seconds) in [(2, 1), (3, 2), (4, 3)] {
            begun(&resolver, count).await;
            assert_eq!(start.elapsed().as_secs(), seconds);
        }
        tokio::time::resume();
        ends[1].send(Some(2)).unwrap();
        assert_eq!(call.await.unwrap(), Ok(address(2)));
        // What the others find is nobody's, and ends no later lookup.
        let (next, look_up) = scripted(1);
        let later = calls(&resolver, 2, &look_up);
        joined(&resolver, 2).await;
        drop(ends);
        thread::sleep(Duration::from_millis(20));
        next[0].send(Some(3)).unwrap();
        for call in later {
            assert_eq!(call.await.unwrap(), Ok(address(3)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_fails_fails_its_own_callers_and_not_those_of_a_newer_one() {
        let resolver = SystemResolver::default();
        let (ends, look_up) = scripted(2);
        let [old] = calls(&resolver, 1, &look_up).try_into().unwrap();
        begun(&resolver, 2).await;
        tokio::time::resume();
        let [new] = calls(&resolver, 1, &look_up).try_into().unwrap();
        joined(&resolver, 2).await;
        ends[0].send(None).unwrap();
        assert_eq!(old.await.unwrap(), unknown());
        assert!(!new.is_finished());
        ends[1].send(Some(1)).unwrap();
        assert_eq!(new.await.unwrap(), Ok(address(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_beside_a_silent_lookup_is_everybodys_and_not_remembered() {
        let resolver = SystemResolver::default();
        let (ends, look_up) = scripted(3);
        let [old] = calls(&resolver, 1, &look_up).try_into().unwrap();
        begun(&resolver, 2).await;
        tokio::time::resume();
        let [new] = calls(&resolver, 1, &look_up).try_into().unwrap();
        joined(&resolver, 2).await;
        ends[1].send(None).unwrap();
        assert_eq!(new.await.unwrap(), unknown());
        assert_eq!(old.await.unwrap(), unknown());
        ends[2].send(Some(1)).unwrap();
        let [next] = calls(&resolver, 1, &look_up).try_into().unwrap();
        assert_eq!(next.await.unwrap(), Ok(address(1)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_failure_does_not_hide_a_newer_one() {
        let resolver = SystemResolver::default();
        let (ends, look_up) = scripted(3);
        let [old] = calls(&resolver, 1, &look_up).try_into().unwrap();
        begun(&resolver, 3).await;
        tokio::time::resume();
        let [new] = calls(&resolver, 1, &look_up).try_into().unwrap();
        joined(&resolver, 2).await;
        // The callers' own thread sleeps: they see the last word alone.
        for number in [2, 1] {
            ends[number].send(None).unwrap();
            thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(new.await.unwrap(), unknown());
        assert_eq!(old.await.unwrap(), unknown());
    }

    #[test]
    fn a_system_that_never_comes_back_costs_ever_fewer_threads() {
        let seconds: Vec<_> = [1, 8, 9, 10, 12].map(|number| patience(number).as_secs()).into();
        assert_eq!(seconds, [1, 1, 2, 4, 16]);
        assert!(patience(u32::MAX) > Duration::from_hours(18));
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_lookup_that_fails_fails_those_who_wait() {
        let resolver = SystemResolver::default();
        let (ends, look_up) = scripted(2);
        let waiting = calls(&resolver, 2, &look_up);
        joined(&resolver, 2).await;
        begun(&resolver, 2).await;
        tokio::time::resume();
        for end in ends {
            end.send(None).unwrap();
        }
        for call in waiting {
            assert_eq!(call.await.unwrap(), unknown());
        }
        while !lock(&resolver.under_way).is_empty() {
            tokio::task::yield_now().await;
        }
    }

    // B25
    #[tokio::test]
    async fn nothing_is_remembered() {
        let resolver = SystemResolver::default();
        let (ends, look_up) = scripted(3);
        for (end, expected) in
            [(None, unknown()), (Some(1), Ok(address(1))), (Some(2), Ok(address(2)))]
        {
            let [call] = calls(&resolver, 1, &look_up).try_into().unwrap();
            ends.iter().find(|sender| sender.send(end).is_ok()).unwrap();
            assert_eq!(call.await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_lookup_that_panics_fails_those_who_wait() {
        let resolver = SystemResolver::default();
        let looked = resolver.shared("name".to_owned(), || panic!("on purpose")).await;
        assert_eq!(looked, Err(LookupFailed::Lost));
        let next = resolver.shared("name".to_owned(), || Ok(address(1))).await;
        assert_eq!(next, Ok(address(1)));
    }
}
