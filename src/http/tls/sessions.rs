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

#[cfg(test)]
mod tests {
    use rcgen::generate_simple_self_signed;
    use rustls::{
        ClientConnection, ServerConfig, ServerConnection, crypto::aws_lc_rs::default_provider,
        pki_types::PrivatePkcs8KeyDer,
    };

    use super::{super::config_with, *};

    /// A server that gives so many tickets in one handshake.
    fn server(tickets: usize) -> ServerConnection {
        let identity = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.cert.into()], key.into())
            .unwrap();
        config.send_tls13_tickets = tickets;
        ServerConnection::new(Arc::new(config)).unwrap()
    }

    /// What a client of `sessions` has to say to `server`, and is answered, until both are done.
    fn shake_hands(sessions: &Arc<Sessions>, name: &'static str, mut server: ServerConnection) {
        let mut config = config_with(None);
        config.resumption = Resumption::store(sessions.clone());
        let name = ServerName::try_from(name).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        while client.wants_write() || server.wants_write() {
            let mut said = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut said).unwrap();
            }
            let mut said = said.as_slice();
            while !said.is_empty() {
                server.read_tls(&mut said).unwrap();
                server.process_new_packets().unwrap();
            }
            let mut answered = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut answered).unwrap();
            }
            let mut answered = answered.as_slice();
            while !answered.is_empty() {
                client.read_tls(&mut answered).unwrap();
                client.process_new_packets().unwrap();
            }
        }
    }

    #[test]
    fn of_all_servers_tickets_the_last_256_are_kept_and_each_is_taken_once() {
        let sessions = Arc::new(Sessions {
            others: ClientSessionMemoryCache::new(MOST_TICKETS),
            tickets: Mutex::default(),
        });
        shake_hands(&sessions, "first.test", server(10));
        shake_hands(&sessions, "localhost", server(250));
        let taken = |name: &'static str| {
            let name = ServerName::try_from(name).unwrap();
            std::iter::from_fn(|| sessions.take_tls13_ticket(&name)).count()
        };
        assert_eq!([taken("localhost"), taken("first.test")], [250, 6]);
        assert_eq!([taken("localhost"), taken("first.test")], [0, 0]);
    }
}
