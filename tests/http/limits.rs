//! No answer costs more memory than it may.

use std::io::Write as _;

use flate2::{Compression, write::GzEncoder};
use key0_native::{http::Client, remote_token_issuer::Timeout};

use crate::support::{Caller, Server, answer, failed, issued, signal, timed_out};

const MIB: usize = 1024 * 1024;

#[tokio::test]
async fn an_answer_of_1_mib_is_read_and_one_byte_more_is_not() {
    for framing in [Framing::Length, Framing::Chunks, Framing::Close] {
        let server = Server::answering_once(framing.of(&token_of(MIB)));
        let whole = Caller::new(&server.url()).issue().await;
        assert_eq!(whole, issued(&"x".repeat(MIB - 12)), "{framing:?}");
        let server = Server::answering_once(framing.of(&token_of(MIB + 1)));
        failed(Caller::new(&server.url()).issue().await, &too_long(&server), (None, None, true));
    }
}

#[tokio::test]
async fn an_endless_answer_is_dropped() {
    let (at, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n{\"token\":\"");
        peer.write_for_ever(&[b'x'; 4096]);
        at.give();
    });
    failed(Caller::new(&server.url()).issue().await, &too_long(&server), (None, None, true));
    signals.next().await;
}

#[tokio::test]
async fn a_bomb_is_not_unpacked_beyond_1_mib() {
    let server = Server::answering(zipped(&token_of(MIB)));
    let whole = Caller::new(&server.url()).issue().await;
    assert_eq!(whole, issued(&"x".repeat(MIB - 12)));
    for size in [MIB + 1, 100 * MIB] {
        let server = Server::answering(zipped(&token_of(size)));
        failed(Caller::new(&server.url()).issue().await, &too_long(&server), (None, None, true));
    }
}

#[tokio::test]
async fn no_more_than_64_kib_of_an_error_are_waited_for() {
    for (size, ends) in [(64 * 1024, false), (64 * 1024 + 1, true)] {
        let server = Server::new(move |peer| {
            peer.request();
            peer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 1000000\r\n\r\n");
            peer.write(&vec![b'x'; size]);
            peer.wait_for_end();
        });
        // Where the answer ends only with the deadline, a short one does.
        let timeout = if ends { Timeout::Default } else { Timeout::Number(200.0) };
        let result = Caller::with(&server.url(), timeout, Client::new()).issue().await;
        if ends {
            let sentence = format!("Backend failed to issue token: 500 {}…", "x".repeat(8192));
            failed(result, &sentence, (None, Some(500), true));
        } else {
            timed_out(result, true);
        }
    }
}

#[tokio::test]
async fn heads_that_are_too_large_are_a_network_error_and_the_next_call_is_right() {
    for line in ["X-A: a\r\n".repeat(100_000), format!("X-A: {}\r\n", "a".repeat(1_000_000))] {
        let server = Server::new(move |peer| {
            peer.request();
            if peer.number == 0 {
                peer.write(format!("HTTP/1.1 200 OK\r\n{line}\r\n").as_bytes());
                peer.wait_for_end();
            } else {
                peer.write(&answer("200 OK", token_of(13)));
            }
        });
        let caller = Caller::new(&server.url());
        let origin = server.origin();
        let sentence =
            format!("Network error: cannot read the answer of {origin}: message head is too large");
        failed(caller.issue().await, &sentence, (None, None, true));
        assert_eq!(caller.issue().await, issued("x"));
    }
}

#[derive(Debug)]
enum Framing {
    Length,
    Chunks,
    Close,
}

impl Framing {
    fn of(&self, body: &[u8]) -> Vec<u8> {
        match self {
            Self::Length => answer("200 OK", body),
            Self::Chunks => {
                let mut all = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
                for chunk in body.chunks(10_000) {
                    all.extend(format!("{:x}\r\n", chunk.len()).as_bytes());
                    all.extend(chunk);
                    all.extend(b"\r\n");
                }
                all.extend(b"0\r\n\r\n");
                all
            }
            Self::Close => [b"HTTP/1.1 200 OK\r\n\r\n", body].concat(),
        }
    }
}

/// JSON with a token, of so many bytes.
fn token_of(size: usize) -> Vec<u8> {
    format!(r#"{{"token":"{}"}}"#, "x".repeat(size - 12)).into_bytes()
}

fn zipped(body: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(body).unwrap();
    answer("200 OK\r\nContent-Encoding: gzip", gzip.finish().unwrap())
}

fn too_long(server: &Server) -> String {
    let origin = server.origin();
    format!("Network error: cannot read the answer of {origin}: it is longer than 1 MiB")
}
