//! The threads that name lookups may hold, bounded over all names. A lookup cannot be cancelled, so
//! each name that a name server is silent about holds one for as long as the system is patient.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};

use crate::lock::lock;

/// A thread that a lookup may run on, until it is dropped.
pub(super) type Thread = OwnedSemaphorePermit;

/// All of them.
pub(super) struct Threads {
    /// For whichever name comes first.
    common: Arc<Semaphore>,
    /// For names that have been found before, and for few others that come when no thread is free.
    reserved: Arc<Semaphore>,
    newcomers: Mutex<Newcomers>,
}

/// Those who found no thread free, as they came.
struct Newcomers {
    waiting: Vec<u64>,
    count: u64,
    /// When the next of them may have a reserved thread.
    next: Instant,
}

impl Threads {
    /// A thread for a lookup, as soon as there is one.
    pub async fn one(&self, is_known: bool) -> Thread {
        if let Ok(thread) = self.common.clone().try_acquire_owned() {
            return thread;
        }
        // Semaphores that nobody closes give what they are asked for, sooner or later.
        if is_known {
            select! {
                Ok(thread) = self.common.clone().acquire_owned() => thread,
                Ok(thread) = self.reserved.clone().acquire_owned() => thread,
            }
        } else {
            select! {
                Ok(thread) = self.common.clone().acquire_owned() => thread,
                thread = self.reserved_for_a_newcomer() => thread,
            }
        }
    }

    /// The newest is the likeliest to be answered: the silent ones are those that came before.
    async fn reserved_for_a_newcomer(&self) -> Thread {
        let newcomer = Newcomer::among(&self.newcomers);
        let until = Instant::now() + LONGEST_NEW;
        let mut due = lock(&self.newcomers).next;
        while due < until {
            sleep_until(due).await;
            let mut newcomers = lock(&self.newcomers);
            let now = Instant::now();
            if now >= newcomers.next
                && newcomers.waiting.last() == Some(&newcomer.number)
                && self.reserved.available_permits() > FOR_KNOWN_NAMES
                && let Ok(thread) = self.reserved.clone().try_acquire_owned()
            {
                newcomers.next = now + BETWEEN_NEWCOMERS;
                return thread;
            }
            due = now + BETWEEN_NEWCOMERS;
        }
        drop(newcomer);
        std::future::pending().await
    }

    #[cfg(test)]
    pub fn free(&self) -> usize {
        self.common.available_permits()
    }
}

impl Default for Threads {
    fn default() -> Self {
        Self {
            common: Arc::new(Semaphore::new(MOST_THREADS - RESERVED)),
            reserved: Arc::new(Semaphore::new(RESERVED)),
            newcomers: Mutex::new(Newcomers {
                waiting: Vec::new(),
                count: 0,
                next: Instant::now(),
            }),
        }
    }
}

/// One of the newcomers, while it is new.
struct Newcomer<'a> {
    among: &'a Mutex<Newcomers>,
    number: u64,
}

impl<'a> Newcomer<'a> {
    fn among(newcomers: &'a Mutex<Newcomers>) -> Self {
        let mut all = lock(newcomers);
        all.count += 1;
        let number = all.count;
        all.waiting.push(number);
        Self { among: newcomers, number }
    }
}

impl Drop for Newcomer<'_> {
    fn drop(&mut self) {
        lock(self.among).waiting.retain(|number| *number != self.number);
    }
}

/// A service calls a handful of names, each for some milliseconds.
const MOST_THREADS: usize = 64;
const RESERVED: usize = 16;
/// Of the reserved ones, what newcomers leave.
const FOR_KNOWN_NAMES: usize = 4;
/// So that many silent names at once take one or two of the reserved threads, not all.
const BETWEEN_NEWCOMERS: Duration = Duration::from_millis(100);
/// Who has waited longer waits for a common thread.
const LONGEST_NEW: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    async fn all_common(threads: &Threads) -> Vec<Thread> {
        let mut held = Vec::new();
        while threads.free() > 0 {
            held.push(threads.one(false).await);
        }
        held
    }

    #[tokio::test(start_paused = true)]
    async fn the_newest_gets_a_reserved_thread_and_the_others_wait_for_a_common_one() {
        let threads = Arc::new(Threads::default());
        let mut held = all_common(&threads).await;
        let mut others = Vec::new();
        for _ in 0..3 {
            let threads = threads.clone();
            others.push(tokio::spawn(async move { threads.one(false).await }));
            tokio::task::yield_now().await;
        }
        let begun = Instant::now();
        let newest = threads.one(false).await;
        assert!(begun.elapsed() <= 2 * BETWEEN_NEWCOMERS, "{:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_mins(1)).await;
        // The first of them had one at once, and the next after the newest, while they were new.
        drop(newest);
        held.clear();
        for other in others {
            drop(other.await.unwrap());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn names_found_before_have_threads_that_nobody_else_gets() {
        let threads = Threads::default();
        let mut held = all_common(&threads).await;
        for _ in FOR_KNOWN_NAMES..RESERVED {
            held.push(threads.one(false).await);
        }
        let stranger = tokio::time::timeout(Duration::from_mins(1), threads.one(false));
        assert!(stranger.await.is_err());
        for _ in 0..FOR_KNOWN_NAMES {
            held.push(threads.one(true).await);
        }
        assert_eq!(held.len(), MOST_THREADS);
        let known = tokio::time::timeout(Duration::from_mins(1), threads.one(true));
        assert!(known.await.is_err());
    }
}
