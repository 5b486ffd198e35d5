//! A few threads for work that would hold the event loop: RS256 takes 0.35 ms a signature.
//!
//! Not tokio's blocking pool: name lookups wait there for as long as a name server is silent.

use std::{
    fmt,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, OnceLock, mpsc},
    thread,
};

use tokio::sync::oneshot;

use crate::lock::lock;

/// Threads that start with the first job and end with the last clone.
#[derive(Clone, Default)]
pub struct SigningPool(Arc<OnceLock<mpsc::Sender<Job>>>);

type Job = Box<dyn FnOnce() + Send>;

/// A job that ended without a result: it panicked, or no thread could be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a signing job was lost")
    }
}

impl SigningPool {
    /// Runs `job` on a thread of the pool, from now on.
    ///
    /// # Errors
    /// Where the job panicked.
    pub fn run<T: Send + 'static, J: FnOnce() -> T + Send + 'static>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<T, Lost>> + Send + use<T, J> {
        let (result, receiver) = oneshot::channel();
        self.spawn(move || {
            // Whoever waited may have left.
            let _ = result.send(job());
        });
        async { receiver.await.map_err(|_| Lost) }
    }

    /// Runs `job` on a thread of the pool, without anybody waiting.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        // Its threads hold the receiver as long as they run; without any, the job is dropped.
        let _ = self.0.get_or_init(start).send(Box::new(job));
    }
}

fn start() -> mpsc::Sender<Job> {
    let (sender, receiver) = mpsc::channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    for _ in 0..threads {
        let receiver = receiver.clone();
        // A thread that cannot be had leaves the work to the others.
        let _ = thread::Builder::new().name("key0-sign".to_owned()).spawn(move || work(&receiver));
    }
    sender
}

fn work(jobs: &Mutex<mpsc::Receiver<Job>>) {
    loop {
        let job = lock(jobs).recv();
        let Ok(job) = job else { return };
        // The waiter learns of a panic by its dropped channel; the thread goes on.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

/// More would only take turns: signing is pure computation.
const MOST_THREADS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_give_their_results() {
        let pool = SigningPool::default();
        assert_eq!(pool.run(|| 1 + 1).await, Ok(2));
    }

    #[tokio::test]
    async fn a_panic_loses_one_job_and_no_thread() {
        let pool = SigningPool::default();
        for _ in 0..10 {
            assert_eq!(pool.run(|| panic!("on purpose")).await, Err::<(), _>(Lost));
        }
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }
}
