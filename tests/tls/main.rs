//! Whom TLS trusts, by handshakes over loopback sockets with certificates made on the spot.
#![cfg(test)]

mod chains;
mod files;
mod handshakes;
mod listed;
mod support;
