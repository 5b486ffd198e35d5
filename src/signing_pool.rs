//! A few threads for work that would hold the event loop: RS256 takes 0.35 ms a signature.
//!
//! Not tokio's blocking pool, which panics where the system has no thread to give, and takes twice
//! as long to hand a job over and its result back (20 µs, here 10).

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, LazyLock, Mutex, PoisonError},
    thread,
};

use tokio::sync::oneshot;

use crate::lock::lock;

/// Threads that start with the first jobs, one a job, and end with the last clone.
#[derive(Clone, Default)]
pub struct SigningPool(Arc<Owner>);

#[derive(Default)]
struct Owner(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    is_over: bool,
}

type Job = Box<dyn FnOnce() + Send>;

/// Why a job has no result.
#[derive(Debug)]
pub enum Lost {
    /// It panicked.
    Panicked,
    /// The system has no thread to give. Later it may.
    NoThread(io::Error),
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked => f.write_str("a signing job panicked"),
            Self::NoThread(error) => write!(f, "no thread to sign on: {error}"),
        }
    }
}

impl SigningPool {
    /// Runs `job` on a thread of the pool, from now on.
    ///
    /// # Errors
    /// Where the job panicked, or there is no thread.
    pub fn run<T: Send + 'static, J: FnOnce() -> T + Send + 'static>(
        &self,
        job: J,
    ) -> impl Future<Output = Result<T, Lost>> + Send + use<T, J> {
        let begun = self.ready().map(|ready| {
            let (result, receiver) = oneshot::channel();
            ready.spawn(move || {
                // Whoever waited may have left.
                let _ = result.send(job());
            });
            receiver
        });
        async { begun?.await.map_err(|_| Lost::Panicked) }
    }

    /// The pool with a thread in it.
    ///
    /// # Errors
    /// Where the system has none to give.
    pub fn ready(&self) -> Result<Ready<'_>, Lost> {
        let mut state = lock(&self.0.0.state);
        if state.threads < most_threads() {
            let shared = self.0.0.clone();
            match thread::Builder::new().name("key0-sign".to_owned()).spawn(move || work(&shared)) {
                Ok(_) => state.threads += 1,
                Err(error) if state.threads == 0 => return Err(Lost::NoThread(error)),
                // The others have the work, and the next job asks again.
                Err(_) => {}
            }
        }
        Ok(Ready(&self.0.0))
    }
}

/// A pool with at least one thread.
pub struct Ready<'a>(&'a Shared);

impl Ready<'_> {
    /// Runs `job` on a thread of the pool, without anybody waiting.
    pub fn spawn(self, job: impl FnOnce() + Send + 'static) {
        lock(&self.0.state).jobs.push_back(Box::new(job));
        self.0.changed.notify_one();
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        lock(&self.0.state).is_over = true;
        self.0.changed.notify_all();
    }
}

fn work(shared: &Shared) {
    let mut state = lock(&shared.state);
    loop {
        if let Some(job) = state.jobs.pop_front() {
            drop(state);
            // The waiter learns of a panic by its dropped channel; the thread goes on.
            let _ = catch_unwind(AssertUnwindSafe(job));
            state = lock(&shared.state);
        } else if state.is_over {
            return;
        } else {
            state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// As many as can compute at once; asked once, since it reads files.
fn most_threads() -> usize {
    static MOST: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS));
    *MOST
}

/// More would only take turns: signing is pure computation.
const MOST_THREADS: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_give_their_results() {
        let pool = SigningPool::default();
        assert_eq!(pool.run(|| 1 + 1).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn a_panic_loses_one_job_and_no_thread() {
        let pool = SigningPool::default();
        for _ in 0..10 {
            let lost = pool.run(|| panic!("on purpose")).await;
            assert!(matches!(lost, Err::<(), _>(Lost::Panicked)));
        }
        assert_eq!(pool.run(|| 1).await.unwrap(), 1);
    }

    #[test]
    fn no_more_threads_start_than_compute_at_once() {
        let pool = SigningPool::default();
        let (go_on, gate) = std::sync::mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        for _ in 0..3 * MOST_THREADS {
            let gate = gate.clone();
            pool.ready().unwrap().spawn(move || assert!(lock(&gate).recv().is_err()));
        }
        assert_eq!(lock(&pool.0.0.state).threads, most_threads());
        drop(go_on);
    }

    #[test]
    fn the_threads_end_with_the_last_clone() {
        let pool = SigningPool::default();
        let (ended, end) = std::sync::mpsc::channel::<()>();
        // A thread's own value is dropped when it ends.
        thread_local!(static ENDED: std::cell::RefCell<Option<std::sync::mpsc::Sender<()>>> =
            const { std::cell::RefCell::new(None) });
        pool.ready().unwrap().spawn(move || ENDED.set(Some(ended)));
        drop(pool.clone());
        assert!(pool.ready().is_ok());
        drop(pool);
        assert!(end.recv().is_err());
    }
}
