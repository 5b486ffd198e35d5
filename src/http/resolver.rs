//! The system's `getaddrinfo`, on threads of its own: it cannot be cancelled, and a silent name
//! server must not use up the threads that other names need. Calls of one name share its lookup;
//! one that has said nothing for a second gets another beside it, for a query may be lost, and the
//! system's own patience is long. So there are a few threads a name, and names are configured ones.

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
    time::{Duration, Instant},
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::watch;
use tower_service::Service;

use super::{client::lock, fault::LookupFailed};

/// Asks the system for names.
#[derive(Clone, Default)]
pub(super) struct SystemResolver {
    under_way: Arc<Mutex<HashMap<String, UnderWay>>>,
}

/// The lookups of one name; the first that ends is the result of all.
struct UnderWay {
    looked: watch::Sender<Looked>,
    /// When the last of them began.
    began: Instant,
}

type Looked = Option<Result<Vec<SocketAddr>, String>>;

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
            let look_up = move || Ok((host, 0).to_socket_addrs()?.collect());
            let addresses = resolver.shared(name, Instant::now(), look_up).await;
            addresses.map(Vec::into_iter).map_err(LookupFailed)
        })
    }
}

impl SystemResolver {
    /// What the lookup of `name` that is under way gives; `look_up` where there is none, or none
    /// that began in the last second.
    async fn shared(
        &self,
        name: String,
        now: Instant,
        look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    ) -> Result<Vec<SocketAddr>, String> {
        let mut receiver = {
            let mut all = lock(&self.under_way);
            if let Some(UnderWay { looked, began }) = all.get_mut(&name) {
                if now.saturating_duration_since(*began) >= PATIENCE {
                    self.start(name, looked.clone(), look_up)?;
                    *began = now;
                }
                looked.subscribe()
            } else {
                let (looked, receiver) = watch::channel(None);
                self.start(name.clone(), looked.clone(), look_up)?;
                all.insert(name, UnderWay { looked, began: now });
                receiver
            }
        };
        match receiver.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(looked)) => looked.clone(),
            _ => Err(LOOKUP_LOST.to_owned()),
        }
    }

    /// On a thread: no caller's leaving ends it.
    fn start(
        &self,
        name: String,
        sender: watch::Sender<Looked>,
        look_up: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send + 'static,
    ) -> Result<(), String> {
        let under_way = self.under_way.clone();
        let run = move || {
            let looked = catch_unwind(AssertUnwindSafe(look_up))
                .unwrap_or_else(|_| Err(io::Error::other(LOOKUP_LOST)))
                .map_err(|error| error.to_string());
            // Nothing is remembered: that is the name server's business.
            let mut all = lock(&under_way);
            if all.get(&name).is_some_and(|current| current.looked.same_channel(&sender)) {
                all.remove(&name);
            }
            drop(all);
            sender.send_replace(Some(looked));
        };
        let thread = thread::Builder::new().name("key0-dns".to_owned()).spawn(run);
        thread.map(drop).map_err(|error| format!("no thread for the lookup: {error}"))
    }
}

/// After which a lookup is not waited for alone. A second is many times what one takes.
const PATIENCE: Duration = Duration::from_secs(1);

const LOOKUP_LOST: &str = "the lookup ended without a result";

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    fn address(port: u16) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], port))]
    }

    #[tokio::test]
    async fn calls_of_a_silent_name_are_one_lookup_and_hold_up_no_other() {
        let (resolver, now) = (SystemResolver::default(), Instant::now());
        let (silence, silent) = mpsc::channel();
        let silent = Arc::new(Mutex::new(silent));
        let lookups = Arc::new(AtomicUsize::new(0));
        let started: Vec<_> = (0..600)
            .map(|_| {
                let (resolver, lookups) = (resolver.clone(), lookups.clone());
                let silent = silent.clone();
                let look_up = move || {
                    lookups.fetch_add(1, Ordering::Relaxed);
                    let () = lock(&silent).recv().unwrap();
                    Ok(address(2))
                };
                tokio::spawn(
                    async move { resolver.shared("silent".to_owned(), now, look_up).await },
                )
            })
            .collect();
        tokio::task::yield_now().await;
        let other = resolver.shared("other".to_owned(), now, || Ok(address(1))).await;
        assert_eq!(other, Ok(address(1)));
        silence.send(()).unwrap();
        for waiting in started {
            assert_eq!(waiting.await.unwrap(), Ok(address(2)));
        }
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn more_silent_names_than_a_pool_has_threads_hold_up_no_other() {
        let (resolver, now) = (SystemResolver::default(), Instant::now());
        let mut silences = Vec::new();
        for name in 0..600 {
            let (silence, silent) = mpsc::channel::<()>();
            silences.push(silence);
            let resolver = resolver.clone();
            let look_up = move || {
                let _ = silent.recv();
                Ok(Vec::new())
            };
            tokio::spawn(async move { resolver.shared(name.to_string(), now, look_up).await });
        }
        while lock(&resolver.under_way).len() < 600 {
            tokio::task::yield_now().await;
        }
        let other = resolver.shared("other".to_owned(), now, || Ok(address(1))).await;
        assert_eq!(other, Ok(address(1)));
    }

    #[tokio::test]
    async fn a_lookup_goes_on_without_the_call_that_began_it() {
        let (resolver, now) = (SystemResolver::default(), Instant::now());
        let (answer, answered) = mpsc::channel();
        let first = tokio::spawn({
            let resolver = resolver.clone();
            let look_up = move || Ok(answered.recv().unwrap());
            async move { resolver.shared("name".to_owned(), now, look_up).await }
        });
        tokio::task::yield_now().await;
        let second = tokio::spawn({
            let resolver = resolver.clone();
            async move { resolver.shared("name".to_owned(), now, || Ok(address(2))).await }
        });
        tokio::task::yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        answer.send(address(1)).unwrap();
        assert_eq!(second.await.unwrap(), Ok(address(1)));
    }

    #[tokio::test]
    async fn a_lookup_that_says_nothing_for_a_second_gets_another_beside_it() {
        let (resolver, now) = (SystemResolver::default(), Instant::now());
        let (silence, silent) = mpsc::channel::<()>();
        let first = tokio::spawn({
            let resolver = resolver.clone();
            let look_up = move || {
                let _ = silent.recv();
                Ok(address(1))
            };
            async move { resolver.shared("name".to_owned(), now, look_up).await }
        });
        tokio::task::yield_now().await;
        let early = tokio::spawn({
            let (resolver, now) = (resolver.clone(), now + Duration::from_millis(999));
            async move { resolver.shared("name".to_owned(), now, || Ok(address(2))).await }
        });
        tokio::task::yield_now().await;
        let later = now + PATIENCE;
        let third = resolver.shared("name".to_owned(), later, || Ok(address(3))).await;
        assert_eq!(third, Ok(address(3)));
        // Those who waited have it, too.
        assert_eq!(first.await.unwrap(), Ok(address(3)));
        assert_eq!(early.await.unwrap(), Ok(address(3)));
        // What the first one finds at last is nobody's, and ends no other lookup.
        let (answer, answered) = mpsc::channel();
        let fourth = tokio::spawn({
            let resolver = resolver.clone();
            let look_up = move || Ok(answered.recv().unwrap());
            async move { resolver.shared("name".to_owned(), later, look_up).await }
        });
        tokio::task::yield_now().await;
        drop(silence);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(lock(&resolver.under_way).len(), 1);
        answer.send(address(4)).unwrap();
        assert_eq!(fourth.await.unwrap(), Ok(address(4)));
    }

    // B25
    #[tokio::test]
    async fn nothing_is_remembered() {
        let (resolver, now) = (SystemResolver::default(), Instant::now());
        let look_up = |looked| resolver.shared("name".to_owned(), now, move || looked);
        let error = look_up(Err(io::Error::other("unknown name"))).await;
        assert_eq!(error, Err("unknown name".to_owned()));
        assert_eq!(look_up(Ok(address(1))).await, Ok(address(1)));
        assert_eq!(look_up(Ok(address(2))).await, Ok(address(2)));
    }

    #[tokio::test]
    async fn a_lookup_that_panics_fails_those_who_wait() {
        let (resolver, now) = (SystemResolver::default(), Instant::now());
        let looked = resolver.shared("name".to_owned(), now, || panic!("on purpose")).await;
        assert_eq!(looked, Err(LOOKUP_LOST.to_owned()));
        let next = resolver.shared("name".to_owned(), now, || Ok(address(1))).await;
        assert_eq!(next, Ok(address(1)));
    }
}
