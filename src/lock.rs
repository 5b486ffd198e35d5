//! A lock that a panic elsewhere cannot poison.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks `mutex`. What it guards has to be whole at every step, since a panic may have left it.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
