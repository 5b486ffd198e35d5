//! The TLS configuration of one environment, read once however many calls wait for it.

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
};

use rustls::ClientConfig;
use tokio::sync::watch;

use super::{TlsEnvironment, client_config};
use crate::lock::lock;

/// A configuration that is read on a thread of its own, since reading roots takes long: no caller's
/// leaving ends it.
#[derive(Default)]
pub(in crate::http) struct SharedConfig {
    reading: Mutex<Option<Reading>>,
}

type Reading = watch::Receiver<Option<Read>>;

#[derive(Clone)]
struct Read {
    config: Arc<ClientConfig>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl SharedConfig {
    /// The configuration for `environment`, which has to be the same one every time.
    ///
    /// # Errors
    /// Where the system gives no thread; the next call asks again.
    pub async fn get(&self, environment: &TlsEnvironment) -> io::Result<Arc<ClientConfig>> {
        let mut reading = self.reading(environment)?;
        match reading.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(read)) => Ok(read.config.clone()),
            _ => Err(io::Error::other("the certificates could not be read")),
        }
    }

    /// Begins to read, where nobody has. Where that is not to be had, `get` says why.
    pub fn begin(&self, environment: &TlsEnvironment) {
        let _ = self.reading(environment);
    }

    fn reading(&self, environment: &TlsEnvironment) -> io::Result<Reading> {
        let mut slot = lock(&self.reading);
        // A thread that panicked has let go of its end.
        if let Some(reading) = &*slot
            && (reading.has_changed().is_ok() || reading.borrow().is_some())
        {
            return Ok(reading.clone());
        }
        let (sender, reading) = watch::channel(None);
        let environment = environment.clone();
        thread::Builder::new().name("key0-roots".to_owned()).spawn(move || {
            let (config, warnings) = client_config(&environment);
            let warnings = Arc::new(Mutex::new(warnings));
            sender.send_replace(Some(Read { config: Arc::new(config), warnings }));
        })?;
        *slot = Some(reading.clone());
        Ok(reading)
    }

    /// What there is to warn of, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        let slot = lock(&self.reading);
        let read = slot.as_ref().and_then(|reading| reading.borrow().clone());
        read.map(|read| std::mem::take(&mut *lock(&read.warnings))).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    // D23
    #[tokio::test]
    async fn it_is_read_once_whoever_leaves() {
        let (shared, environment) = (SharedConfig::default(), TlsEnvironment::default());
        shared.begin(&environment);
        let reading = lock(&shared.reading).clone().unwrap();
        for _ in 0..100 {
            let mut leaving = pin!(shared.get(&environment));
            let _ = leaving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let first = shared.get(&environment).await.unwrap();
        let second = shared.get(&environment).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(lock(&shared.reading).as_ref().unwrap().same_channel(&reading));
    }

    #[tokio::test]
    async fn it_is_read_again_where_the_thread_that_read_it_panicked() {
        let (shared, environment) = (SharedConfig::default(), TlsEnvironment::default());
        let (lost, reading) = watch::channel(None);
        *lock(&shared.reading) = Some(reading);
        let waiting = tokio::spawn(async move {
            let early = shared.get(&environment).await.is_err();
            (early, shared.get(&environment).await.is_ok())
        });
        tokio::task::yield_now().await;
        drop(lost);
        assert_eq!(waiting.await.unwrap(), (true, true));
    }
}
