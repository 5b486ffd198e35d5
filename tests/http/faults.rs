//! What fails before an answer, Node's name for it, and whether the request had left.

use std::{
    future::pending,
    net::{TcpListener, TcpStream, ToSocketAddrs as _},
    sync::Arc,
};

use bytes::Bytes;
use http::{HeaderMap, Method};
use key0_native::{
    http::{Client, Exchange, Fault, Reply, Request, Step, client::Sent, fault::Stage},
    remote_token_issuer::Timeout,
};
use reqwest::dns::{Name, Resolve, Resolving};

use crate::support::{
    Caller, Clock, Peer, Server, answer, failed, issued, signal, timed_out, token,
};

#[tokio::test]
async fn a_refused_connection_is_econnrefused_and_nothing_was_sent() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let why = TcpStream::connect(address).unwrap_err();
    let sentence =
        format!("Network error: cannot connect to http://{address}: ECONNREFUSED, {why}");
    let caller = Caller::new(&format!("http://{address}"));
    for body in [Some("{}"), None] {
        let result = caller.issue_with(body, &[]).await;
        failed(result, &sentence, (Some("ECONNREFUSED"), None, false));
    }
}

#[tokio::test]
async fn an_unknown_name_is_enotfound_and_nothing_was_sent() {
    let why = ("nope.invalid", 80).to_socket_addrs().unwrap_err();
    let sentence =
        format!("Network error: cannot connect to http://nope.invalid: ENOTFOUND, {why}");
    let result = Caller::new("http://nope.invalid/?q=canary").issue().await;
    failed(result, &sentence, (Some("ENOTFOUND"), None, false));
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_a_tls_failure_and_nothing_was_sent() {
    let server = Server::new(|peer| peer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = Caller::new(&format!("https://{}", server.address())).issue().await.unwrap_err();
    let cause = error.cause.unwrap();
    assert_eq!((cause.code, cause.sent), (Some("ERR_SSL_WRONG_VERSION_NUMBER"), Some(false)));
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_econnreset_and_the_post_is_not_repeated() {
    one_post_is_lost(|peer| drop(peer.request())).await;
}

#[tokio::test]
async fn a_reset_connection_is_econnreset_and_the_post_is_not_repeated() {
    let server = Server::new(|peer| {
        peer.head();
        peer.wait_for_body();
    });
    let error = Caller::new(&server.url()).issue().await.unwrap_err();
    let cause = error.cause.unwrap();
    let start = format!("no answer from {}: ECONNRESET, Connection reset", server.origin());
    assert!(cause.message.starts_with(&start), "{}", cause.message);
    assert_eq!((cause.code, cause.sent), (Some("ECONNRESET"), Some(true)));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_closes_on_a_post_is_econnreset_and_the_post_is_not_repeated() {
    let server = Server::new(|peer| {
        peer.request();
        peer.write(&token("t"));
        peer.request();
    });
    let caller = Caller::new(&server.url());
    assert_eq!(caller.issue().await, issued("t"));
    failed(caller.issue().await, &closed(&server), (Some("ECONNRESET"), None, true));
    assert_eq!((server.requests().len(), server.connections()), (2, 1));
}

#[tokio::test]
async fn whatever_a_server_answers_the_post_is_written_once() {
    for bytes in [
        answer("500 Oops", "x"),
        answer("408 Request Timeout", ""),
        answer("425 Too Early", ""),
        answer("429 Slow\r\nRetry-After: 0", ""),
        answer("503 Busy\r\nRetry-After: 0\r\nConnection: close", ""),
        answer("200 OK", "no JSON"),
        answer("200 OK", "{}"),
        b"nonsense\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nConte".to_vec(),
        Vec::new(),
    ] {
        let server = Server::answering_once(bytes);
        assert!(Caller::new(&server.url()).issue().await.is_err());
        assert_eq!(server.requests().len(), 1);
    }
}

async fn one_post_is_lost(serve: impl Fn(&mut Peer) + Send + Sync + 'static) {
    let server = Server::new(serve);
    let caller = Caller::new(&server.url());
    for requests in 1..=2 {
        failed(caller.issue().await, &closed(&server), (Some("ECONNRESET"), None, true));
        assert_eq!((server.requests().len(), server.connections()), (requests, requests));
    }
}

#[tokio::test]
async fn at_the_deadline_the_request_to_a_silent_server_was_sent() {
    for body in [Some("{}"), None] {
        let clock = Clock::stop();
        let (at, mut signals) = signal();
        let server = Server::new(move |peer| {
            peer.request();
            at.give();
            peer.wait_for_end();
        });
        let caller = Caller::new(&server.url());
        let call = tokio::spawn(async move { caller.issue_with(body, &[]).await });
        signals.next().await;
        clock.advance(9.999).await;
        assert!(!call.is_finished());
        clock.advance(0.001).await;
        timed_out(call.await.unwrap(), true);
        assert_eq!(server.requests().len(), 1);
        drop(clock);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn at_the_deadline_within_an_answer_the_request_was_sent() {
    for half in ["HTTP/1.1 100 Continue\r\n\r\n", OK_AND_HALF, ERROR_AND_HALF] {
        let clock = Clock::stop();
        let (at, mut signals) = signal();
        let server = Server::new(move |peer| {
            peer.request();
            peer.write(half.as_bytes());
            at.give();
            peer.wait_for_end();
        });
        let call = Caller::new(&server.url()).begin();
        signals.next().await;
        clock.advance(10.0).await;
        timed_out(call.await.unwrap(), true);
        drop(clock);
        tokio::time::resume();
    }
}

#[tokio::test]
async fn at_the_deadline_in_a_handshake_nothing_was_sent() {
    let clock = Clock::stop();
    let (at, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.wait_for_body();
        at.give();
        peer.wait_for_end();
    });
    let call = Caller::new(&format!("https://{}", server.address())).begin();
    signals.next().await;
    clock.advance(10.0).await;
    timed_out(call.await.unwrap(), false);
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_in_a_lookup_nothing_was_sent() {
    struct Silent;
    impl Resolve for Silent {
        fn resolve(&self, _: Name) -> Resolving {
            Box::pin(pending())
        }
    }
    let http = Client::with_resolver(Arc::new(Silent));
    let caller = Caller::with("http://silent.example", Timeout::Default, http);
    for body in [Some("{}"), None] {
        timed_out(caller.issue_with(body, &[]).await, false);
    }
}

#[tokio::test]
async fn the_flag_outlives_a_call_that_is_given_up() {
    for body in ["{}", ""] {
        let (at, mut signals) = signal();
        let server = Server::new(move |peer| {
            peer.request();
            at.give();
            peer.wait_for_end();
        });
        let sent = Sent::default();
        let mut exchange = One(request(&server, body));
        let client = Client::new();
        tokio::select! {
            biased;
            _ = client.drive(&mut exchange, &sent) => unreachable!("the server is silent"),
            () = signals.next() => {}
        }
        assert!(sent.get());
    }
}

#[tokio::test]
async fn how_far_a_request_came_is_told_by_its_stage() {
    for (bytes, stage) in [
        ("", Stage::Awaiting),
        ("nonsense\r\n\r\n", Stage::Reading),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", Stage::Reading),
    ] {
        let server = Server::answering_once(bytes);
        let sent = Sent::default();
        let client = Client::new();
        let fault = client.drive(&mut One(request(&server, "{}")), &sent).await;
        let fault = fault.and_then(|reply| reply.broken.map_or(Ok(()), Err)).unwrap_err();
        assert_eq!((fault.stage, fault.origin, fault.sent), (stage, server.origin(), true));
    }
}

/// One request, and what came of it.
struct One(Request);

impl Exchange for One {
    type Output = Result<Reply, Fault>;

    fn begin(&mut self) -> Request {
        self.0.clone()
    }

    fn answered(&mut self, answer: Result<Reply, Fault>) -> Step<Self::Output> {
        Step::Done(answer)
    }
}

fn request(server: &Server, body: &'static str) -> Request {
    Request {
        method: Method::POST,
        url: server.url().parse().unwrap(),
        headers: HeaderMap::new(),
        body: Bytes::from_static(body.as_bytes()),
    }
}

fn closed(server: &Server) -> String {
    let origin = server.origin();
    format!(
        "Network error: no answer from {origin}: \
        ECONNRESET, the connection was closed before the answer was whole"
    )
}

const OK_AND_HALF: &str = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{\"token\":\"t\"}";
const ERROR_AND_HALF: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 99\r\n\r\nhalf";
