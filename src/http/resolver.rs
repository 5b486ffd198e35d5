//! The system's `getaddrinfo`, on threads of its own: it cannot be cancelled, and a silent name
//! server must not use up the threads that other names need. Calls of one name share its lookup.
//! One that says nothing for a second gets another beside it, for a query may be lost and the
//! system's own patience is long.

use std::{
    collections::{HashMap, HashSet},
    io,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use tokio::{
    select,
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    fault::Reason,
    lookup_threads::{Thread, Threads},
};
use crate::lock::lock;

/// Asks the system for names. Clones share the lookups and the threads.
#[derive(Clone, Default)]
pub struct Resolver {
    names: Arc<Mutex<Names>>,
    threads: Arc<Threads>,
}

#[derive(Default)]
struct Names {
    under_way: HashMap<String, UnderWay>,
    /// Names that were found. What was found is the name server's business, and not remembered.
    found: HashSet<String>,
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

/// Why a name has no address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LookupFailed(pub(super) Reason);

impl LookupFailed {
    /// There is no such name, or it has no address.
    fn not_found() -> Self {
        Self(Reason::named("ENOTFOUND"))
    }

    /// The system cannot ask: it has no thread, descriptor or memory.
    fn of_the_system(error: &io::Error) -> Self {
        Self(error.into())
    }

    fn lost() -> Self {
        Self(Reason::new("the name lookup ended without a result"))
    }
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
trait LookUp: Fn() -> Result<Vec<SocketAddr>, LookupFailed> + Clone + Send + 'static {}

impl<F: Fn() -> Result<Vec<SocketAddr>, LookupFailed> + Clone + Send + 'static> LookUp for F {}

impl Resolver {
    /// The addresses of `name`, in the system's order; at least one.
    pub(super) async fn look_up(&self, name: &str) -> Result<Vec<SocketAddr>, LookupFailed> {
        let host = name.to_owned();
        self.shared(name, move || ask(&host)).await
    }

    /// What the lookups of `name` give that are under way. `look_up` begins one where there is none,
    /// and another where the last has said nothing for too long.
    async fn shared(
        &self,
        name: &str,
        look_up: impl LookUp,
    ) -> Result<Vec<SocketAddr>, LookupFailed> {
        let mut joined = self.join(name);
        let (number, mut due) = (joined.number, joined.due);
        loop {
            let turn = async {
                sleep_until(due).await;
                self.threads.one(joined.is_known).await
            };
            let is_over = |looked: &Looked| looked.of(number).is_some();
            select! {
                biased;
                over = joined.looked.wait_for(is_over) => {
                    let result = over.ok().and_then(|looked| looked.of(number));
                    return result.unwrap_or(Err(LookupFailed::lost()));
                }
                thread = turn => due = self.begin(name, thread, &look_up)?,
            }
        }
    }

    fn join<'a>(&'a self, name: &'a str) -> Joined<'a> {
        let mut names = lock(&self.names);
        let is_known = names.found.contains(name);
        let now = Instant::now();
        let lookups = names.under_way.entry(name.to_owned()).or_insert_with(|| UnderWay {
            looked: watch::Sender::new(Looked::Nothing),
            started: 0,
            ended: 0,
            due: now,
        });
        Joined {
            name,
            names: &self.names,
            looked: lookups.looked.subscribe(),
            number: lookups.started + u32::from(lookups.due <= now),
            due: lookups.due,
            is_known,
        }
    }

    /// Begins a lookup on that thread, where one is due. When the next one is.
    fn begin(
        &self,
        name: &str,
        thread: Thread,
        look_up: &impl LookUp,
    ) -> Result<Instant, LookupFailed> {
        let mut names = lock(&self.names);
        let now = Instant::now();
        let Some(lookups) = names.under_way.get_mut(name) else {
            // All were over at that very moment: their result is here already.
            return Ok(now + PATIENCE);
        };
        if now >= lookups.due {
            let (sender, number) = (lookups.looked.clone(), lookups.started + 1);
            match self.start(name.to_owned(), number, sender, thread, look_up.clone()) {
                Ok(()) => lookups.started = number,
                // The others may find it.
                Err(_) if lookups.ended < lookups.started => {}
                Err(error) => {
                    names.under_way.remove(name);
                    return Err(LookupFailed::of_the_system(&error));
                }
            }
            lookups.due = now + patience(lookups.started);
        }
        Ok(lookups.due)
    }

    /// On a thread: no caller's leaving ends it.
    fn start(
        &self,
        name: String,
        number: u32,
        sender: watch::Sender<Looked>,
        thread: Thread,
        look_up: impl LookUp,
    ) -> io::Result<()> {
        let names = self.names.clone();
        let run = move || {
            // Until all is said.
            let _held = thread;
            let result =
                catch_unwind(AssertUnwindSafe(look_up)).unwrap_or(Err(LookupFailed::lost()));
            let mut names = lock(&names);
            if result.is_ok() {
                names.remember(&name);
            }
            let Some(lookups) = names.under_way.get_mut(&name) else { return };
            if !lookups.looked.same_channel(&sender) {
                return;
            }
            lookups.ended += 1;
            if number == lookups.started {
                // Who comes now asks anew.
                lookups.due = Instant::now();
            }
            if result.is_ok() || lookups.ended == lookups.started {
                names.under_way.remove(&name);
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

impl Names {
    fn remember(&mut self, name: &str) {
        if self.found.len() >= MOST_FOUND {
            self.found.clear();
        }
        self.found.insert(name.to_owned());
    }
}

/// A call among those that wait for a name. The last one that leaves before a lookup has begun
/// takes the name with it.
struct Joined<'a> {
    name: &'a str,
    names: &'a Mutex<Names>,
    looked: watch::Receiver<Looked>,
    /// Of the lookup that is its own.
    number: u32,
    /// When there will be another.
    due: Instant,
    /// Whether the name has been found before.
    is_known: bool,
}

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        let mut names = lock(self.names);
        if names.under_way.get(self.name).is_some_and(|lookups| {
            // Others may have come since its own lookups ended.
            lookups.looked.subscribe().same_channel(&self.looked)
                && lookups.started == lookups.ended
                && lookups.looked.receiver_count() == 1
        }) {
            names.under_way.remove(self.name);
        }
    }
}

/// Blocks until the system has an answer.
fn ask(name: &str) -> Result<Vec<SocketAddr>, LookupFailed> {
    // Without it each address comes once for each kind of socket.
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    let found = getaddrinfo(Some(name), None, Some(hints)).map_err(|error| match error.kind() {
        LookupErrorKind::NoName | LookupErrorKind::NoData => LookupFailed::not_found(),
        LookupErrorKind::Again => LookupFailed(Reason::named("EAI_AGAIN")),
        LookupErrorKind::Memory => LookupFailed(Reason::named("EAI_MEMORY")),
        LookupErrorKind::System => LookupFailed::of_the_system(&error.into()),
        _ => LookupFailed(Reason::named("EAI_FAIL")),
    })?;
    let mut addresses: Vec<_> = found.flatten().map(|info| info.sockaddr).collect();
    addresses.dedup();
    if addresses.is_empty() { Err(LookupFailed::not_found()) } else { Ok(addresses) }
}

/// How long the lookup of that number is the last. Where the system never comes back, each stays a
/// thread: so the time doubles from the eighth on.
fn patience(number: u32) -> Duration {
    PATIENCE.saturating_mul(1 << number.saturating_sub(8).min(16))
}

/// Many times what a lookup takes.
const PATIENCE: Duration = Duration::from_secs(1);
/// A service calls a handful of names; beyond this many it is not a service that calls names again.
const MOST_FOUND: usize = 256;

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
                _ => Err(LookupFailed::not_found()),
            }
        };
        (ends, look_up)
    }

    fn unknown() -> Result<Vec<SocketAddr>, LookupFailed> {
        Err(LookupFailed::not_found())
    }

    fn calls(
        resolver: &Resolver,
        count: usize,
        look_up: &impl LookUp,
    ) -> Vec<tokio::task::JoinHandle<Result<Vec<SocketAddr>, LookupFailed>>> {
        let call = |_| {
            let (resolver, look_up) = (resolver.clone(), look_up.clone());
            tokio::spawn(async move { resolver.shared("name", look_up).await })
        };
        (0..count).map(call).collect()
    }

    /// Until so many callers wait for the name.
    async fn joined(resolver: &Resolver, count: usize) {
        let waiting =
            || lock(&resolver.names).under_way.get("name").map(|all| all.looked.receiver_count());
        while waiting() != Some(count) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Until so many of the name's lookups have begun.
    async fn begun(resolver: &Resolver, count: u32) {
        while lock(&resolver.names).under_way.get("name").is_none_or(|all| all.started < count) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn calls_of_a_silent_name_share_a_lookup_and_hold_up_no_other() {
        let resolver = Resolver::default();
        // A slow machine may begin some more, each after a second.
        let (ends, look_up) = scripted(10);
        let waiting = calls(&resolver, 600, &look_up);
        joined(&resolver, 600).await;
        let other = resolver.shared("other", || Ok(address(1))).await;
        assert_eq!(other, Ok(address(1)));
        ends[0].send(Some(2)).unwrap();
        for call in waiting {
            assert_eq!(call.await.unwrap(), Ok(address(2)));
        }
    }

    // D24
    #[tokio::test]
    async fn silent_names_take_a_bounded_number_of_threads_and_hold_up_no_other() {
        let resolver = Resolver::default();
        let found = || resolver.shared("found", || Ok(address(1)));
        assert_eq!(found().await, Ok(address(1)));
        let (silence, silent) = mpsc::channel::<()>();
        let silent = Arc::new(Mutex::new(silent));
        let mut calls = Vec::new();
        for name in 0..400 {
            let (resolver, silent) = (resolver.clone(), silent.clone());
            let look_up = move || {
                // All wait for the one lock, or for the word that never comes.
                let _ = lock(&silent).recv();
                Err(LookupFailed::not_found())
            };
            let call = async move { resolver.shared(&name.to_string(), look_up).await };
            calls.push(tokio::spawn(call));
        }
        while lock(&resolver.names).under_way.len() < 400 || resolver.threads.free() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(found().await, Ok(address(1)));
        // A name that is asked for now is found all the same.
        assert_eq!(resolver.shared("other", || Ok(address(2))).await, Ok(address(2)));
        // Those whose callers leave before a lookup has begun are forgotten.
        for call in &calls {
            call.abort();
        }
        for call in calls {
            assert!(call.await.is_err());
        }
        assert!(lock(&resolver.names).under_way.len() < 60);
        drop(silence);
    }

    #[tokio::test]
    async fn a_call_that_has_its_result_takes_the_name_from_no_later_one() {
        let resolver = Resolver::default();
        let (ends, look_up) = scripted(1);
        let [call] = calls(&resolver, 1, &look_up).try_into().unwrap();
        begun(&resolver, 1).await;
        let earlier = resolver.join("name");
        ends[0].send(Some(1)).unwrap();
        assert_eq!(call.await.unwrap(), Ok(address(1)));
        let later = resolver.join("name");
        drop(earlier);
        assert!(lock(&resolver.names).under_way.contains_key("name"));
        drop(later);
        assert!(lock(&resolver.names).under_way.is_empty());
    }

    #[tokio::test]
    async fn a_bounded_number_of_names_is_known_to_be_found() {
        let resolver = Resolver::default();
        for name in 0..=MOST_FOUND {
            let found = resolver.shared(&name.to_string(), || Ok(address(1))).await;
            assert_eq!(found, Ok(address(1)));
        }
        assert_eq!(lock(&resolver.names).found.len(), 1);
    }

    #[tokio::test]
    async fn a_lookup_goes_on_without_the_call_that_began_it() {
        let resolver = Resolver::default();
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
        let resolver = Resolver::default();
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
        let free = resolver.threads.free();
        drop(ends);
        // The callers' own thread waits, so that they see what is left in the end.
        while resolver.threads.free() < free + 3 {
            thread::yield_now();
        }
        next[0].send(Some(3)).unwrap();
        for call in later {
            assert_eq!(call.await.unwrap(), Ok(address(3)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_lookup_that_fails_fails_its_own_callers_and_not_those_of_a_newer_one() {
        let resolver = Resolver::default();
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
        let resolver = Resolver::default();
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
        let resolver = Resolver::default();
        let (ends, look_up) = scripted(3);
        let [old] = calls(&resolver, 1, &look_up).try_into().unwrap();
        begun(&resolver, 3).await;
        tokio::time::resume();
        let [new] = calls(&resolver, 1, &look_up).try_into().unwrap();
        joined(&resolver, 2).await;
        // The callers' own thread waits: they see the last word alone.
        for (number, ended) in [(2, 1), (1, 2)] {
            ends[number].send(None).unwrap();
            while lock(&resolver.names).under_way["name"].ended < ended {
                thread::yield_now();
            }
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
        let resolver = Resolver::default();
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
        while !lock(&resolver.names).under_way.is_empty() {
            tokio::task::yield_now().await;
        }
    }

    // B25
    #[tokio::test]
    async fn nothing_is_remembered() {
        let resolver = Resolver::default();
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
        let resolver = Resolver::default();
        let looked = resolver.shared("name", || panic!("on purpose")).await;
        assert_eq!(looked, Err(LookupFailed::lost()));
        let next = resolver.shared("name", || Ok(address(1))).await;
        assert_eq!(next, Ok(address(1)));
    }
}
