//! A socket to the first address of a host that answers.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    net::TcpStream,
    task::JoinSet,
    time::{Instant, sleep_until},
};
use url::Host;

use super::{
    along::{Notes, What},
    fault::Reason,
    resolver::{LookupFailed, Resolver},
};

/// Why there is no socket.
#[derive(Debug)]
pub(super) enum ConnectFailed {
    /// The name has no address.
    Lookup { hostname: String, failed: LookupFailed },
    /// No address answers. Node tells of the first one.
    Unreachable { address: SocketAddr, error: io::Error },
}

impl ConnectFailed {
    /// Whether there is no descriptor to be had.
    pub fn is_for_want_of_descriptors(&self) -> bool {
        let code = match self {
            Self::Lookup { failed, .. } => failed.0.code(),
            Self::Unreachable { error, .. } => Reason::of(error).code(),
        };
        matches!(code, Some("EMFILE" | "ENFILE"))
    }
}

/// Connects to `host`: all its addresses are tried, of both families in turn, each 250 ms after
/// the one before or at that one's failure (RFC 8305 §5).
pub(super) async fn connect(
    resolver: &Resolver,
    host: Host<&str>,
    port: u16,
    notes: &Notes,
) -> Result<TcpStream, ConnectFailed> {
    let addresses = match host {
        Host::Ipv4(address) => vec![SocketAddr::from((address, port))],
        Host::Ipv6(address) => vec![SocketAddr::from((address, port))],
        Host::Domain(name) => {
            let found = resolver.look_up(name).await;
            let found = found
                .map_err(|failed| ConnectFailed::Lookup { hostname: name.to_owned(), failed })?;
            let found = in_turn(found.into_iter().map(|it| with_port(it, port)).collect());
            notes.note(|| Some(What::Resolved(found.clone())));
            found
        }
    };
    race(addresses).await
}

/// Keeps the zone of a link-local address.
fn with_port(mut address: SocketAddr, port: u16) -> SocketAddr {
    address.set_port(port);
    address
}

/// Both families in turn, beginning with the one that the system puts first (RFC 8305 §4).
fn in_turn(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let is_first = addresses.first().is_some_and(SocketAddr::is_ipv4);
    let (mut one, mut other): (Vec<_>, Vec<_>) =
        addresses.into_iter().rev().partition(|address| address.is_ipv4() == is_first);
    let mut turns = Vec::with_capacity(one.len() + other.len());
    while let Some(address) = one.pop().or_else(|| other.pop()) {
        turns.push(address);
        turns.extend(other.pop());
    }
    turns
}

async fn race(addresses: Vec<SocketAddr>) -> Result<TcpStream, ConnectFailed> {
    let mut failures: Vec<Option<io::Error>> = addresses.iter().map(|_| None).collect();
    let mut attempts = JoinSet::new();
    let mut left = addresses.iter().copied().enumerate();
    let mut due = Instant::now();
    loop {
        let is_last_out = left.len() == 0;
        tokio::select! {
            biased;
            Some(ended) = attempts.join_next() => match ended {
                Ok((_, Ok(stream))) => return Ok(stream),
                Ok((number, Err(error))) => {
                    failures[number] = Some(error);
                    if attempts.is_empty() && left.len() == 0 {
                        break;
                    }
                    if number + 1 == addresses.len() {
                        due = Instant::now() + LAST_CHANCE;
                    } else if left.len() > 0 {
                        due = Instant::now();
                    }
                }
                // It is aborted by nobody: it panicked.
                Err(_) => {}
            },
            () = sleep_until(due), if !is_last_out => {
                if let Some((number, address)) = left.next() {
                    attempts.spawn(async move { (number, open(address).await) });
                    due = Instant::now() + HEAD_START;
                }
            }
            // The last one has failed, and the others had their head starts, and a little more.
            () = sleep_until(due), if is_last_out && failures.last().is_some_and(Option::is_some) => {
                break;
            }
            else => break,
        }
    }
    let silent = || io::Error::from(io::ErrorKind::TimedOut);
    let error = failures.into_iter().next().flatten().unwrap_or_else(silent);
    Err(ConnectFailed::Unreachable { address: addresses[0], error })
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A request is one write: nothing is gained by waiting for more.
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// What RFC 8305 §8 recommends.
const HEAD_START: Duration = Duration::from_millis(250);
/// For those before the last one when that has failed. Node gives them nothing more: it would be
/// late by all that they are given.
const LAST_CHANCE: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    fn addresses(text: &[&str]) -> Vec<SocketAddr> {
        text.iter().map(|address| address.parse().unwrap()).collect()
    }

    #[test]
    fn families_take_turns_beginning_with_the_systems_first() {
        let given = ["[::1]:1", "[::2]:1", "[::3]:1", "1.0.0.1:1", "1.0.0.2:1"];
        let turns = ["[::1]:1", "1.0.0.1:1", "[::2]:1", "1.0.0.2:1", "[::3]:1"];
        assert_eq!(in_turn(addresses(&given)), addresses(&turns));
        let given = ["1.0.0.1:1", "1.0.0.2:1", "[::1]:1"];
        let turns = ["1.0.0.1:1", "[::1]:1", "1.0.0.2:1"];
        assert_eq!(in_turn(addresses(&given)), addresses(&turns));
        assert_eq!(in_turn(addresses(&["1.0.0.1:1"])), addresses(&["1.0.0.1:1"]));
    }

    /// An address of its own that refuses.
    async fn refusing() -> SocketAddr {
        TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
    }

    /// A listener that accepts nobody and whose queue is full: connecting to it never ends.
    fn dead() -> (SocketAddr, Vec<Box<dyn std::any::Any>>) {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = std::net::TcpStream::connect(address).unwrap();
        (address, vec![Box::new(listener) as Box<dyn std::any::Any>, Box::new(queued)])
    }

    async fn timed(addresses: Vec<SocketAddr>) -> (Result<SocketAddr, String>, Duration) {
        let begun = Instant::now();
        let result = race(addresses).await;
        let result = result.map(|stream| stream.peer_addr().unwrap()).map_err(|failed| {
            let ConnectFailed::Unreachable { address, error } = failed else {
                panic!("{failed:?}")
            };
            format!("{address} {:?}", error.kind())
        });
        (result, begun.elapsed())
    }

    #[tokio::test]
    async fn the_next_address_is_tried_at_once_where_one_refuses() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = alive.local_addr().map(|address| (alive, address)).unwrap();
        let (result, took) = timed(vec![refusing().await, refusing().await, alive.1]).await;
        assert_eq!(result, Ok(alive.1));
        assert!(took < HEAD_START, "{took:?}");
    }

    // D20
    #[tokio::test]
    async fn a_dead_address_costs_a_quarter_of_a_second() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let alive = alive.local_addr().map(|address| (alive, address)).unwrap();
        let (silent, _held) = dead();
        let (result, took) = timed(vec![silent, alive.1]).await;
        assert_eq!(result, Ok(alive.1));
        assert!(took >= HEAD_START && took < 3 * HEAD_START, "{took:?}");
    }

    #[tokio::test]
    async fn where_the_last_one_fails_too_the_first_ones_failure_is_told() {
        let (one, two) = (refusing().await, refusing().await);
        let (result, took) = timed(vec![one, two]).await;
        assert_eq!(result, Err(format!("{one} ConnectionRefused")));
        assert!(took < HEAD_START, "{took:?}");
        let (silent, _held) = dead();
        let (result, took) = timed(vec![silent, two]).await;
        assert_eq!(result, Err(format!("{silent} TimedOut")));
        assert!(took >= HEAD_START + LAST_CHANCE && took < 4 * HEAD_START, "{took:?}");
    }
}
