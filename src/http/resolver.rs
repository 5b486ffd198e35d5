//! The system's `getaddrinfo`, one lookup of a name at a time: it cannot be cancelled, and a
//! silent name server must not use up the threads that other names need.

use std::{
    collections::HashMap,
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::{net::lookup_host, sync::watch};
use tower_service::Service;

use super::{client::lock, fault::LookupFailed};

/// Asks the system for names.
#[derive(Clone, Default)]
pub(super) struct SystemResolver {
    under_way: Arc<Mutex<HashMap<String, watch::Receiver<Looked>>>>,
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
            let lookup = async move { Ok(lookup_host((host, 0)).await?.collect()) };
            let addresses = resolver.shared(name, lookup).await;
            addresses.map(Vec::into_iter).map_err(LookupFailed)
        })
    }
}

impl SystemResolver {
    /// What the lookup of `name` that is under way gives; `lookup` where there is none.
    async fn shared(
        &self,
        name: String,
        lookup: impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    ) -> Result<Vec<SocketAddr>, String> {
        let mut receiver = {
            let mut all = lock(&self.under_way);
            match all.get(&name) {
                // Without its sender a lookup is lost: it panicked.
                Some(under_way) if under_way.has_changed().is_ok() => under_way.clone(),
                _ => {
                    let started = self.start(name.clone(), lookup);
                    all.insert(name, started.clone());
                    started
                }
            }
        };
        match receiver.wait_for(Option::is_some).await {
            Ok(looked) => looked.clone().unwrap_or_else(|| Err(LOOKUP_LOST.to_owned())),
            Err(_) => Err(LOOKUP_LOST.to_owned()),
        }
    }

    /// Spawned: no caller's leaving ends it.
    fn start(
        &self,
        name: String,
        lookup: impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'static,
    ) -> watch::Receiver<Looked> {
        let (sender, receiver) = watch::channel(None);
        let under_way = self.under_way.clone();
        tokio::spawn(async move {
            let looked = lookup.await.map_err(|error| error.to_string());
            // Nothing is remembered: that is the name server's business.
            lock(&under_way).remove(&name);
            sender.send_replace(Some(looked));
        });
        receiver
    }
}

const LOOKUP_LOST: &str = "the lookup ended without a result";

#[cfg(test)]
mod tests {
    use std::{
        future::pending,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::{sync::oneshot, task::yield_now};

    use super::*;

    fn address(port: u16) -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], port))]
    }

    #[tokio::test]
    async fn six_hundred_calls_of_a_silent_name_are_one_lookup_and_hold_up_no_other() {
        let resolver = SystemResolver::default();
        let lookups = Arc::new(AtomicUsize::new(0));
        for _ in 0..600 {
            let (resolver, lookups) = (resolver.clone(), lookups.clone());
            let silent = async move {
                lookups.fetch_add(1, Ordering::Relaxed);
                pending().await
            };
            tokio::spawn(async move { resolver.shared("silent".to_owned(), silent).await });
        }
        yield_now().await;
        let other = resolver.shared("other".to_owned(), async { Ok(address(1)) }).await;
        assert_eq!(other, Ok(address(1)));
        assert_eq!(lookups.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_lookup_goes_on_without_the_call_that_began_it() {
        let resolver = SystemResolver::default();
        let (answer, answered) = oneshot::channel();
        let lookup = async { Ok(answered.await.unwrap()) };
        let first = tokio::spawn({
            let resolver = resolver.clone();
            async move { resolver.shared("name".to_owned(), lookup).await }
        });
        yield_now().await;
        let second = tokio::spawn({
            let resolver = resolver.clone();
            async move { resolver.shared("name".to_owned(), async { Ok(address(2)) }).await }
        });
        yield_now().await;
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        answer.send(address(1)).unwrap();
        assert_eq!(second.await.unwrap(), Ok(address(1)));
    }

    // B25
    #[tokio::test]
    async fn nothing_is_remembered() {
        let resolver = SystemResolver::default();
        let look_up = |looked| resolver.shared("name".to_owned(), async { looked });
        let error = look_up(Err(io::Error::other("unknown name"))).await;
        assert_eq!(error, Err("unknown name".to_owned()));
        assert_eq!(look_up(Ok(address(1))).await, Ok(address(1)));
        assert_eq!(look_up(Ok(address(2))).await, Ok(address(2)));
    }

    #[tokio::test]
    async fn a_lookup_that_panics_fails_those_who_wait() {
        let resolver = SystemResolver::default();
        let lookup = async { panic!("on purpose") };
        let looked = resolver.shared("name".to_owned(), lookup).await;
        assert_eq!(looked, Err(LOOKUP_LOST.to_owned()));
        let next = resolver.shared("name".to_owned(), async { Ok(address(1)) }).await;
        assert_eq!(next, Ok(address(1)));
    }
}
