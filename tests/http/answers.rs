//! Answers as servers, proxies and broken connections send them.

use std::io::Write as _;

use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};

use crate::support::{Caller, Server, answer, failed, gate, issued, signal, token};

const RESET: (Option<&str>, Option<u16>, bool) = (Some("ECONNRESET"), None, true);

/// B22
#[tokio::test]
async fn answers_of_1xx_are_skipped() {
    let hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
        HTTP/1.1 102 Processing\r\n\r\n";
    let server = Server::answering([hints.as_slice(), &token("t")].concat());
    assert_eq!(Caller::new(&server.url()).issue().await, issued("t"));

    let (go, gate) = gate();
    let (hinted, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        peer.write(hints);
        hinted.give();
        peer.wait_for(&gate);
        peer.write(&token("t"));
    });
    let call = Caller::new(&server.url()).begin();
    signals.next().await;
    go.send(()).unwrap();
    assert_eq!(call.await.unwrap(), issued("t"));
}

/// B22
#[tokio::test]
async fn a_101_is_an_answer_like_any_other_non_2xx() {
    for headers in ["", "Connection: Upgrade\r\nUpgrade: websocket\r\n"] {
        let head = format!("HTTP/1.1 101 Switching Protocols\r\n{headers}\r\n");
        let server = Server::new(move |peer| {
            peer.request();
            peer.write(head.as_bytes());
            peer.wait_for_end();
        });
        let caller = Caller::new(&server.url());
        for _ in 0..2 {
            let sentence = "Backend failed to issue token: 101";
            failed(caller.issue().await, sentence, (None, Some(101), true));
        }
        assert_eq!((server.requests().len(), server.connections()), (2, 2));
    }
}

/// B23
#[tokio::test]
async fn a_413_counts_while_the_body_is_still_being_sent() {
    let (go, gate) = gate();
    let server = Server::new(move |peer| {
        peer.head();
        peer.write(&answer("413 Content Too Large", "too large"));
        peer.wait_for(&gate);
    });
    let body = format!(r#"{{"challengeId":"c","blob":"{}"}}"#, "x".repeat(8_000_000));
    let result = Caller::new(&server.url()).issue_with(Some(&body), &[]).await;
    let sentence = "Backend failed to issue token: 413 too large";
    failed(result, sentence, (None, Some(413), true));
    go.send(()).unwrap();
    assert_eq!(server.requests().len(), 1);
}

/// B24
#[tokio::test]
async fn an_answer_without_length_ends_with_its_connection() {
    for head in ["HTTP/1.0 200 OK\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n", OK] {
        let server = Server::answering_once(format!("{head}\r\n{{\"token\":\"t\"}}"));
        let caller = Caller::new(&server.url());
        for _ in 0..3 {
            assert_eq!(caller.issue().await, issued("t"), "{head}");
        }
        assert_eq!((server.requests().len(), server.connections()), (3, 3), "{head}");
    }
}

/// B24
#[tokio::test]
async fn an_answer_without_length_that_ends_in_a_reset_is_a_network_error() {
    for head in ["HTTP/1.0 200 OK\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n", OK] {
        let server = Server::new(move |peer| {
            peer.head();
            peer.wait_for_body();
            peer.write(format!("{head}\r\n{{\"token\":\"t\"}}").as_bytes());
        });
        let result = Caller::new(&server.url()).issue().await;
        let cause = result.as_ref().unwrap_err().cause.clone().unwrap().message;
        // What the reset overtook is the system's business.
        let (read, none) = (unreadable(&server, ""), no_answer(&server, ""));
        assert!(cause.starts_with(&read) || cause.starts_with(&none), "{cause}");
        failed(result, &format!("Network error: {cause}"), RESET);
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn an_answer_cut_at_any_byte_is_a_network_error_and_never_repeated() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        d\r\n{\"token\":\"t\"}\r\n0\r\nX-T: 1\r\n\r\n";
    for whole in [token("t"), chunked.into()] {
        let head = whole.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let cut = whole.clone();
        let server = Server::new(move |peer| {
            peer.request();
            peer.write(&cut[..peer.number]);
        });
        let caller = Caller::new(&server.url());
        for length in 0..whole.len() {
            let sentence = if length < head { no_answer } else { unreadable };
            let sentence = sentence(&server, CUT);
            failed(caller.issue().await, &format!("Network error: {sentence}"), RESET);
        }
        assert_eq!(caller.issue().await, issued("t"));
        assert_eq!(server.requests().len(), whole.len() + 1);
    }
}

#[tokio::test]
async fn chunks_and_trailers_are_read_and_the_connection_is_kept() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n\
        5;name=value\r\n{\"tok\r\n8\r\nen\":\"t\"}\r\n0\r\nX-T: 1\r\n\r\n",
    );
    let caller = Caller::new(&server.url());
    for _ in 0..2 {
        assert_eq!(caller.issue().await, issued("t"));
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_is_no_answer_is_a_network_error() {
    for (bytes, reason) in [
        ("SSH-2.0-OpenSSH\r\n\r\n", "invalid HTTP version parsed"),
        ("HTTP/1.1 2OO OK\r\n\r\n", "invalid HTTP status-code parsed"),
        ("HTTP/1.1 200 OK\r\nno header\r\n\r\n", "invalid HTTP header parsed"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
            "invalid content-length parsed",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n",
            "Invalid chunk size line: Invalid Size",
        ),
    ] {
        let server = Server::answering_once(bytes);
        let sentence = format!("Network error: {}", unreadable(&server, reason));
        failed(Caller::new(&server.url()).issue().await, &sentence, (None, None, true));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn heads_are_read_as_leniently_as_fetch_reads_them() {
    let body = "\r\nContent-Length: 13\r\n\r\n{\"token\":\"t\"}";
    for head in [
        "HTTP/1.1 200 OK\r\nX-A: folded\r\n over\r\n\tlines".to_owned(),
        "HTTP/1.1 200 OK\r\nX-A : a".to_owned(),
        "HTTP/1.1 200\r\nX-A: no reason".to_owned(),
        "HTTP/1.1 200 \u{e4}\r\nX-A: \u{fc}".to_owned(),
        format!("HTTP/1.1 200 OK{}", "\r\nX-A: a".repeat(1999)),
    ] {
        let server = Server::answering(head.clone() + body);
        assert_eq!(Caller::new(&server.url()).issue().await, issued("t"), "{head:.60}");
    }
}

#[tokio::test]
async fn a_json_answer_may_begin_with_a_byte_order_mark_and_have_any_type() {
    for kind in ["text/html", "text/plain; charset=utf-16", "application/json"] {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 16\r\n\r\n");
        let body = b"\xef\xbb\xbf{\"token\":\"t\"}";
        let server = Server::answering([head.as_bytes(), body].concat());
        assert_eq!(Caller::new(&server.url()).issue().await, issued("t"));
    }
}

#[tokio::test]
async fn compressed_answers_are_decoded_though_nobody_asked_for_them() {
    let body = br#"{"token":"t"}"#;
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(body).unwrap();
    let gzip = gzip.finish().unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(body).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(body).unwrap();
    for (coding, body) in [
        ("gzip", gzip.clone()),
        ("X-GZIP", gzip.clone()),
        ("deflate", zlib.finish().unwrap()),
        ("deflate", raw.finish().unwrap()),
        ("identity", body.to_vec()),
    ] {
        let server = Server::answering(coded("200 OK", coding, &body));
        assert_eq!(Caller::new(&server.url()).issue().await, issued("t"), "{coding}");
        assert!(!server.requests()[0].head.contains("Accept-Encoding"));
    }

    let server = Server::answering(coded("200 OK", "br", b"x"));
    let reason = unreadable(&server, "its content coding \"br\" is not known");
    let sentence = format!("Network error: {reason}");
    failed(Caller::new(&server.url()).issue().await, &sentence, (None, None, true));

    let server = Server::answering(coded("502 Bad Gateway", "gzip", &gzip));
    let sentence = r#"Backend failed to issue token: 502 {"token":"t"}"#;
    failed(Caller::new(&server.url()).issue().await, sentence, (None, Some(502), true));
}

#[tokio::test]
async fn of_a_non_2xx_whatever_came_is_quoted() {
    for (bytes, quoted) in [
        ("HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\ncut", "500 cut"),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\n", "500"),
        ("HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ncut\r\n5\r\n", "500 cut"),
        ("HTTP/1.1 500 Oops\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\n???", "500 ???"),
        (
            "HTTP/1.1 500 Oops\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
            "500 plain",
        ),
        ("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", "500"),
        ("HTTP/1.1 204 No Content\r\nX: 1\r\n", ""),
    ] {
        let server = Server::answering_once(bytes);
        let result = Caller::new(&server.url()).issue().await;
        if quoted.is_empty() {
            let sentence = format!("Network error: {}", no_answer(&server, CUT));
            failed(result, &sentence, RESET);
        } else {
            let sentence = format!("Backend failed to issue token: {quoted}");
            failed(result, &sentence, (None, Some(500), true));
        }
    }
}

#[tokio::test]
async fn an_empty_2xx_is_not_json() {
    for bytes in ["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"]
    {
        let server = Server::answering(bytes);
        let status = bytes[9..12].parse().ok();
        let origin = server.origin();
        let sentence = format!(
            "Network error: the answer of {origin} is not JSON: invalid JSON at line 1 column 0"
        );
        failed(Caller::new(&server.url()).issue().await, &sentence, (None, status, true));
    }
}

fn coded(status: &str, coding: &str, body: &[u8]) -> Vec<u8> {
    answer(&format!("{status}\r\nContent-Encoding: {coding}"), body)
}

fn no_answer(server: &Server, reason: &str) -> String {
    format!("no answer from {}: {reason}", server.origin())
}

fn unreadable(server: &Server, reason: &str) -> String {
    format!("cannot read the answer of {}: {reason}", server.origin())
}

const OK: &str = "HTTP/1.1 200 OK\r\n";
const CUT: &str = "ECONNRESET, the connection was closed before the answer was whole";
