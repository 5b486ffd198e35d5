//! What goes along with a call that somebody watches: headers for its requests, and a list of what
//! was done.

use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use http::HeaderMap;

use super::{Request, headers::HeaderLine};
use crate::{lock::lock, now::Utc};

/// What goes along with a call. Clones share it.
#[derive(Clone)]
pub struct Along(Arc<Inner>);

struct Inner {
    begun: Instant,
    headers: HeaderMap,
    steps: Mutex<Vec<Step>>,
    tell: Option<Tell>,
}

/// Who is told of each step as it happens.
pub type Tell = Box<dyn Fn(&Step) + Send + Sync>;

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

/// A step of a call. None has a secret, or a word of a peer.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The name has these addresses.
    Resolved(Vec<SocketAddr>),
    /// TCP to this address stands, and TLS begins.
    Reached(SocketAddr),
    /// A new connection stands.
    Connected,
    /// An idle connection was taken.
    Reused,
    /// A request was written.
    Sent,
    /// A request was handed to a `fetch`.
    HandedOver,
    /// An answer of this status was read.
    Answered(u16),
    /// The request goes out again: its connection was closed before it left, or broke.
    Retried,
    /// A redirect is followed.
    Redirected,
    /// The backend has rejected the token: another one is asked for.
    Rejected,
    /// Another call loads the token.
    Shared,
    /// The token goes out, and is replaced meanwhile.
    Due,
    /// The last load failed, and none begins so soon.
    Cooling,
    /// The function that stands for this field is asked.
    Asks(&'static str),
    /// The next attempt begins after so long.
    Pauses(Duration),
    /// The store had a token.
    Stored,
    /// Another process has the store's lock.
    Locked,
    /// The store failed at this operation.
    NoStore(&'static str),
    /// The token is kept until then, in milliseconds since 1970; without one for as long as it goes.
    Kept(Option<f64>),
    /// The token's time is over before it could be used again.
    NotKept,
}

/// Notes what is done for one origin.
#[derive(Clone, Default)]
pub struct Notes(Option<(Along, Arc<str>)>);

impl Notes {
    /// Of the call that `along` goes with.
    #[must_use]
    pub fn new(along: Option<&Along>, origin: &Arc<str>) -> Self {
        Self(along.map(|along| (along.clone(), origin.clone())))
    }

    /// Notes a step, if it is one. Nothing is built where nobody watches.
    pub fn note(&self, what: impl FnOnce() -> Option<What>) {
        if let Self(Some((along, origin))) = self
            && let Some(what) = what()
        {
            along.note(origin, what);
        }
    }
}

impl Along {
    /// Of a call that began at `begun`. Headers that cannot be sent are left out, and of one name all
    /// but the first.
    #[must_use]
    pub fn new(begun: Instant, lines: &[HeaderLine], tell: Option<Tell>) -> Self {
        let mut map = HeaderMap::new();
        // Whom a request is for is not for those who watch to say.
        for line in lines.iter().filter(|line| !line.name.eq_ignore_ascii_case("host")) {
            if let Ok((name, value)) = line.read()
                && !map.contains_key(&name)
            {
                // A map that is full goes as it is.
                let _ = map.try_insert(name, value);
            }
        }
        Self(Arc::new(Inner { begun, headers: map, steps: Mutex::default(), tell }))
    }

    /// What was done until now.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        lock(&self.0.steps).clone()
    }

    /// Notes a step.
    pub(super) fn note(&self, origin: &Arc<str>, what: What) {
        let Inner { begun, steps, tell, .. } = &*self.0;
        let step = Step { after: begun.elapsed(), origin: origin.clone(), what };
        if let Some(tell) = tell {
            tell(&step);
        }
        lock(steps).push(step);
    }

    /// Puts the headers where the request has none of that name.
    pub(super) fn add_to(&self, request: &mut Request) {
        for (name, value) in &self.0.headers {
            if !request.headers.contains_key(name) {
                // A map that is full goes as it is.
                let headers = Arc::make_mut(&mut request.headers);
                let _ = headers.try_insert(name.clone(), value.clone());
            }
        }
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolved(addresses) => {
                let ips: Vec<_> = addresses.iter().map(|it| it.ip().to_string()).collect();
                write!(f, "resolved to {}", ips.join(", "))
            }
            Self::Reached(address) => write!(f, "reached {address}"),
            Self::Connected => f.write_str("connected"),
            Self::Reused => f.write_str("reused a connection"),
            Self::Sent => f.write_str("sent"),
            Self::HandedOver => f.write_str("sent by fetch"),
            Self::Answered(status) => write!(f, "answered {status}"),
            Self::Retried => f.write_str("retried"),
            Self::Redirected => f.write_str("redirected"),
            Self::Rejected => f.write_str("rejected the token, another one is asked for"),
            Self::Shared => f.write_str("waits for the load of another call"),
            Self::Due => f.write_str("is due, and replaced in the background"),
            Self::Cooling => f.write_str("failed just before, and is not asked again yet"),
            Self::Asks(field) => write!(f, "asks for {field}"),
            Self::Pauses(delay) => write!(f, "is asked again after {} ms", delay.as_millis()),
            Self::Stored => f.write_str("found in the shared cache"),
            Self::Locked => f.write_str("waits for another process, which fetches it"),
            Self::NoStore(operation) => write!(f, "the shared cache failed at {operation}"),
            Self::Kept(Some(until_ms)) => {
                #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
                let until = Utc((until_ms / 1000.0).floor().min(LATEST) as i64);
                write!(f, "cached until {until}")
            }
            Self::Kept(None) => f.write_str("cached without an end"),
            Self::NotKept => f.write_str("not cached, it ends too soon"),
        }
    }
}

/// The end of the year 9999, in seconds since 1970.
const LATEST: f64 = 253_402_300_799.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_is_told_as_it_is_noted_and_kept() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let hears = told.clone();
        let tell: Tell = Box::new(move |step| lock(&hears).push(step.what.to_string()));
        let along = Along::new(Instant::now(), &[], Some(tell));
        let origin: Arc<str> = "http://h".into();
        along.note(&origin, What::Sent);
        Notes::new(Some(&along), &origin).note(|| Some(What::Answered(200)));
        Notes::new(None, &origin).note(|| panic!("nobody watches"));
        assert_eq!(*lock(&told), ["sent", "answered 200"]);
        let whats: Vec<_> = along.steps().into_iter().map(|step| step.what).collect();
        assert_eq!(whats, [What::Sent, What::Answered(200)]);
    }

    #[test]
    fn addresses_and_times_are_shown_as_people_write_them() {
        let address = |text: &str| text.parse().unwrap();
        for (what, words) in [
            (What::Resolved(vec![address("[fd00::5]:443")]), "resolved to fd00::5"),
            (What::Reached(address("10.0.0.5:443")), "reached 10.0.0.5:443"),
            (What::Kept(Some(1_795_788_654_321.0)), "cached until 2026-11-27T14:10:54Z"),
            (What::Kept(Some(1e300)), "cached until 9999-12-31T23:59:59Z"),
            (What::Pauses(Duration::from_millis(250)), "is asked again after 250 ms"),
        ] {
            assert_eq!(what.to_string(), words);
        }
    }
}
