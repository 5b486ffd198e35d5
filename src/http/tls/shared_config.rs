//! The TLS configuration of one environment, read once however many calls wait for it.

use std::{
    io,
    sync::{Arc, Mutex},
    thread,
};

use rustls::ClientConfig;
use tokio::sync::watch;

use super::{TlsEnvironment, config_with, files_trust, trust::Trust};
use crate::lock::lock;

/// A configuration that is read on a thread of its own, since reading roots takes long: no caller's
/// leaving ends it.
///
/// Files are read first, folders once a server shows what no file vouches for. That is hardly ever,
/// and folders take most of the time.
#[derive(Default)]
pub(in crate::http) struct SharedConfig {
    files: Reading,
    whole: Reading,
}

/// What is read once.
#[derive(Default)]
struct Reading {
    under_way: Mutex<Option<Receiver>>,
}

type Receiver = watch::Receiver<Option<Read>>;

#[derive(Clone)]
struct Read {
    config: Arc<ClientConfig>,
    trust: Option<Arc<Trust>>,
    warnings: Arc<Mutex<Vec<String>>>,
}

impl SharedConfig {
    /// The configuration for `environment`, which has to be the same one every time.
    ///
    /// # Errors
    /// Where the system gives no thread; the next call asks again.
    pub async fn get(&self, environment: &TlsEnvironment) -> io::Result<Arc<ClientConfig>> {
        if let Some(whole) = self.whole.ended() {
            return Ok(whole.config);
        }
        Ok(end_of(self.files(environment)?).await?.config)
    }

    /// Reads what was left, after which `get` gives a configuration that trusts it, too.
    ///
    /// # Errors
    /// As `get` has them.
    pub async fn read_folders(&self, environment: &TlsEnvironment) -> io::Result<()> {
        let files = end_of(self.files(environment)?).await?;
        let whole = self.whole.begin(Box::new(move || {
            let mut warnings = Vec::new();
            let trust = files.trust.map(|trust| trust.with_folders(&mut warnings));
            Read::new(trust, warnings)
        }));
        end_of(whole?).await?;
        Ok(())
    }

    /// Begins to read, where nobody has. Where that is not to be had, `get` says why.
    pub fn begin(&self, environment: &TlsEnvironment) {
        let _ = self.files(environment);
    }

    fn files(&self, environment: &TlsEnvironment) -> io::Result<Receiver> {
        let environment = environment.clone();
        self.files.begin(Box::new(move || {
            let mut warnings = Vec::new();
            let trust = files_trust(&environment, &mut warnings);
            Read::new(trust, warnings)
        }))
    }

    /// What there is to warn of, each once.
    pub fn take_warnings(&self) -> Vec<String> {
        let read = [&self.files, &self.whole].into_iter().filter_map(Reading::ended);
        read.flat_map(|read| std::mem::take(&mut *lock(&read.warnings))).collect()
    }
}

impl Reading {
    /// Begins to read, where nobody has.
    fn begin(&self, read: Box<dyn FnOnce() -> Read + Send>) -> io::Result<Receiver> {
        let mut slot = lock(&self.under_way);
        // A thread that panicked has let go of its end.
        if let Some(receiver) = &*slot
            && (receiver.has_changed().is_ok() || receiver.borrow().is_some())
        {
            return Ok(receiver.clone());
        }
        let (sender, receiver) = watch::channel(None);
        thread::Builder::new().name("key0-roots".to_owned()).spawn(move || {
            sender.send_replace(Some(read()));
        })?;
        *slot = Some(receiver.clone());
        Ok(receiver)
    }

    /// What was read, where it has been.
    fn ended(&self) -> Option<Read> {
        lock(&self.under_way).as_ref().and_then(|receiver| receiver.borrow().clone())
    }
}

async fn end_of(mut receiver: Receiver) -> io::Result<Read> {
    match receiver.wait_for(Option::is_some).await.as_deref() {
        Ok(Some(read)) => Ok(read.clone()),
        _ => Err(io::Error::other("the certificates could not be read")),
    }
}

impl Read {
    fn new(trust: Option<Trust>, warnings: Vec<String>) -> Self {
        let trust = trust.map(Arc::new);
        let config = Arc::new(config_with(trust.clone()));
        Self { config, trust, warnings: Arc::new(Mutex::new(warnings)) }
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
        let reading = lock(&shared.files.under_way).clone().unwrap();
        for _ in 0..100 {
            let mut leaving = pin!(shared.get(&environment));
            let _ = leaving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        }
        let first = shared.get(&environment).await.unwrap();
        let second = shared.get(&environment).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert!(lock(&shared.files.under_way).as_ref().unwrap().same_channel(&reading));
    }

    #[tokio::test]
    async fn it_is_read_again_where_the_thread_that_read_it_panicked() {
        let (shared, environment) = (SharedConfig::default(), TlsEnvironment::default());
        let (lost, reading) = watch::channel(None);
        *lock(&shared.files.under_way) = Some(reading);
        let waiting = tokio::spawn(async move {
            let early = shared.get(&environment).await.is_err();
            (early, shared.get(&environment).await.is_ok())
        });
        tokio::task::yield_now().await;
        drop(lost);
        assert_eq!(waiting.await.unwrap(), (true, true));
    }
}
