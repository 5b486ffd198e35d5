//! TLS sessions to resume: a handshake that resumes one verifies no signature.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

use rustls::{
    NamedGroup,
    client::{
        ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
        Tls13ClientSessionValue,
    },
    pki_types::ServerName,
};

use crate::lock::lock;

/// As rustls keeps sessions, but for tickets of TLS 1.3, of which each is good for one handshake:
/// rustls keeps eight of a server, and a service that calls 64 times at once needs as many.
pub(super) fn resumption() -> Resumption {
    Resumption::store(Arc::new(Sessions {
        others: ClientSessionMemoryCache::new(MOST_TICKETS),
        tickets: Mutex::default(),
    }))
}

struct Sessions {
    others: ClientSessionMemoryCache,
    /// Of all servers, the oldest first.
    tickets: Mutex<VecDeque<(ServerName<'static>, Tls13ClientSessionValue)>>,
}

impl ClientSessionStore for Sessions {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.others.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        self.others.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, session: Tls12ClientSessionValue) {
        self.others.set_tls12_session(server, session);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.others.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.others.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, ticket: Tls13ClientSessionValue) {
        let mut tickets = lock(&self.tickets);
        if tickets.len() == MOST_TICKETS {
            tickets.pop_front();
        }
        tickets.push_back((server, ticket));
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let mut tickets = lock(&self.tickets);
        let latest = tickets.iter().rposition(|(of, _)| of == server)?;
        tickets.remove(latest).map(|(_, ticket)| ticket)
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

/// As many as there are idle connections at most.
const MOST_TICKETS: usize = 256;
