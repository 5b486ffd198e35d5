//! Counts what a search does, for the tests that hold it linear. Elsewhere it does nothing.

/// So many steps have been made.
#[cfg(not(test))]
#[inline]
pub fn add(_: usize) {}

#[cfg(test)]
pub use counted::{add, count};

#[cfg(test)]
mod counted {
    use std::cell::Cell;

    thread_local! {
        static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    pub fn add(steps: usize) {
        STEPS.set(STEPS.get() + steps);
    }

    /// The steps of `run`.
    pub fn count(run: impl FnOnce()) -> usize {
        let before = STEPS.get();
        run();
        STEPS.get() - before
    }
}
