//! What goes along with a call that somebody watches: headers for its requests, and a list of what
//! was done.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::HeaderMap;

use super::{
    Request,
    headers::{self, HeaderLine},
};
use crate::lock::lock;

/// What goes along with a call. Clones share it.
#[derive(Clone)]
pub struct Along(Arc<Inner>);

struct Inner {
    begun: Instant,
    headers: HeaderMap,
    steps: Mutex<Vec<Step>>,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Step {
    /// How long after the call's beginning.
    pub after: Duration,
    /// With whom: scheme, host and port.
    pub origin: Arc<str>,
    /// What.
    pub what: What,
}

/// A step of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A new connection stands.
    Connected,
    /// An idle connection was taken.
    Reused,
    /// A request was written, or handed to `fetch`.
    Sent,
    /// An answer of this status was read.
    Answered(u16),
    /// The request goes out again: its connection was closed before it left, or broke.
    Retried,
    /// A redirect is followed.
    Redirected,
}

impl Along {
    /// Of a call that began at `begun`. Headers that cannot be sent are left out.
    #[must_use]
    pub fn new(begun: Instant, lines: &[HeaderLine]) -> Self {
        let mut map = HeaderMap::new();
        // Whom a request is for is not for those who watch to say.
        for line in lines.iter().filter(|line| !line.name.eq_ignore_ascii_case("host")) {
            let _ = headers::merge(&mut map, std::slice::from_ref(line));
        }
        Self(Arc::new(Inner { begun, headers: map, steps: Mutex::default() }))
    }

    /// What was done until now.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        lock(&self.0.steps).clone()
    }

    /// Notes a step.
    pub(super) fn note(&self, origin: &Arc<str>, what: What) {
        let after = self.0.begun.elapsed();
        lock(&self.0.steps).push(Step { after, origin: origin.clone(), what });
    }

    /// Puts the headers where the request has none of that name.
    pub(super) fn add_to(&self, request: &mut Request) {
        for (name, value) in &self.0.headers {
            if !request.headers.contains_key(name) {
                // A map that is full goes as it is.
                let _ = request.headers.try_insert(name.clone(), value.clone());
            }
        }
    }
}

impl std::fmt::Display for What {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connected => f.write_str("connected"),
            Self::Reused => f.write_str("reused a connection"),
            Self::Sent => f.write_str("sent"),
            Self::Answered(status) => write!(f, "answered {status}"),
            Self::Retried => f.write_str("retried"),
            Self::Redirected => f.write_str("redirected"),
        }
    }
}
