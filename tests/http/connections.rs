//! Which connection a request goes to.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use key0_native::{http::Client, remote_token_issuer::Timeout};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::support::{Caller, Clock, Server, answer, gate, issued, signal, token};

#[tokio::test]
async fn an_idle_connection_is_used_for_a_second_and_a_half_where_the_server_says_nothing() {
    let clock = Clock::stop();
    let server = Server::answering(token("t"));
    let caller = Caller::new(&server.url());
    assert_eq!(connections_of(&caller, &server, &clock, 1.4).await, [0, 0, 0]);
    clock.advance(1.6).await;
    assert_eq!(connections_of(&caller, &server, &clock, 1.6).await, [1, 2, 3]);
}

#[tokio::test]
async fn an_idle_connection_is_used_for_a_second_less_than_the_server_says() {
    let clock = Clock::stop();
    let server = Server::answering(hinting("Keep-Alive: timeout=5, max=100"));
    let caller = Caller::new(&server.url());
    // The hint comes with the first answer, whose connection is not kept.
    assert_eq!(connections_of(&caller, &server, &clock, 3.9).await, [0, 1, 1]);
    clock.advance(4.1).await;
    assert_eq!(connections_of(&caller, &server, &clock, 4.1).await, [2, 3, 4]);
}

#[tokio::test]
async fn no_connection_is_kept_where_the_servers_word_leaves_nothing() {
    let clock = Clock::stop();
    let server = Server::answering(hinting("Keep-Alive: timeout=1"));
    let caller = Caller::new(&server.url());
    assert_eq!(connections_of(&caller, &server, &clock, 0.0).await, [0, 1, 2]);
}

#[tokio::test]
async fn no_connection_is_kept_where_the_server_says_close() {
    let clock = Clock::stop();
    let server = Server::answering(hinting("Connection: close"));
    let caller = Caller::new(&server.url());
    assert_eq!(connections_of(&caller, &server, &clock, 0.0).await, [0, 1, 2]);
}

#[tokio::test]
async fn a_second_answer_to_one_request_is_no_answer_to_the_next() {
    after_bytes_that_nobody_asked_for(token("stolen")).await;
}

#[tokio::test]
async fn bytes_that_nobody_asked_for_end_the_connection() {
    after_bytes_that_nobody_asked_for(b"x".to_vec()).await;
}

async fn after_bytes_that_nobody_asked_for(bytes: Vec<u8>) {
    let (go, gate) = gate();
    let (written, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        if peer.number > 0 {
            return peer.write(&token("second"));
        }
        peer.write(&token("first"));
        peer.wait_for(&gate);
        peer.write(&bytes);
        written.give();
        peer.wait_for_end();
    });
    let caller = Caller::new(&server.url());
    assert_eq!(caller.issue().await, issued("first"));
    go.send(()).unwrap();
    signals.next_while_nothing_else_runs();
    assert_eq!(caller.issue().await, issued("second"));
    assert_eq!((server.requests().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn two_answers_in_one_write_are_one() {
    let server = Server::new(|peer| {
        peer.request();
        peer.write(&match peer.number {
            0 => [token("first"), token("stolen")].concat(),
            _ => token("second"),
        });
        peer.wait_for_end();
    });
    let caller = Caller::new(&server.url());
    assert_eq!(caller.issue().await, issued("first"));
    assert_eq!(caller.issue().await, issued("second"));
    assert_eq!((server.requests().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_body_longer_than_its_length_ends_the_connection() {
    let server = Server::new(|peer| {
        peer.request();
        let body = if peer.number == 0 { r#"{"token":"a"}xx"# } else { r#"{"token":"b"}"# };
        peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{body}").as_bytes());
        peer.wait_for_end();
    });
    let caller = Caller::new(&server.url());
    assert_eq!(caller.issue().await, issued("a"));
    assert_eq!(caller.issue().await, issued("b"));
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_the_server_has_closed_gets_no_request() {
    let (go, gate) = gate();
    let (closed, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        peer.write(&token("t"));
        peer.wait_for(&gate);
        peer.close();
        closed.give();
    });
    let caller = Caller::new(&server.url());
    for requests in 1..=20 {
        assert_eq!(caller.issue().await, issued("t"));
        assert_eq!((server.requests().len(), server.connections()), (requests, requests));
        go.send(()).unwrap();
        signals.next_while_nothing_else_runs();
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_its_call_was_given_up_is_nobodys() {
    let (go, gate) = gate();
    let (at, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        if peer.number > 0 {
            return peer.write(&token("second"));
        }
        at.give();
        peer.wait_for(&gate);
        peer.write(&token("late"));
        at.give();
        peer.wait_for_end();
    });
    let caller = Caller::new(&server.url());
    let call = caller.begin();
    signals.next().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    signals.next_while_nothing_else_runs();
    assert_eq!(caller.issue().await, issued("second"));
    assert_eq!((server.requests().len(), server.connections()), (2, 2));
}

#[tokio::test]
async fn a_call_that_is_given_up_gives_its_socket_back() {
    for half in
        ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"]
    {
        let (at, mut signals) = signal();
        let server = Server::new(move |peer| {
            peer.request();
            peer.write(half.as_bytes());
            at.give();
            peer.wait_for_end();
            at.give();
        });
        let call = Caller::new(&server.url()).begin();
        signals.next().await;
        call.abort();
        signals.next().await;
    }
}

#[tokio::test]
async fn the_rest_of_an_error_too_long_to_quote_gives_its_socket_back() {
    let (at, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        peer.write(b"HTTP/1.1 500 Oops\r\n\r\n");
        peer.write_for_ever(&[b'x'; 4096]);
        at.give();
    });
    let error = Caller::new(&server.url()).issue().await.unwrap_err();
    assert_eq!(error.message, format!("Backend failed to issue token: 500 {}…", "x".repeat(8192)));
    signals.next().await;
}

/// B25
#[tokio::test]
async fn a_name_that_moves_is_followed_within_a_minute_of_steady_use() {
    let clock = Clock::stop();
    let (a, b) = (Server::answering(token("a")), Server::answering(token("b")));
    let name = Names::at(a.address());
    let http = Client::with_resolver(Arc::new(name.clone()));
    let caller = Caller::with("http://backend.example/", Timeout::Default, http);
    let mut moved = false;
    for second in 0..600 {
        if second == 60 {
            *name.0.lock().unwrap() = b.address();
        }
        let result = caller.issue().await;
        moved |= result == issued("b");
        assert_eq!(result, issued(if moved { "b" } else { "a" }), "after {second} s");
        clock.advance(1.0).await;
    }
    // The client of the first minute is replaced as the second begins.
    assert_eq!((a.requests().len(), b.requests().len()), (60, 540));
    assert_eq!((a.connections(), b.connections()), (1, 9));
}

#[tokio::test]
async fn a_connection_takes_no_request_later_than_a_minute_after_it_was_made() {
    let clock = Clock::stop();
    let server = Server::answering(hinting("Keep-Alive: timeout=100"));
    let caller = Caller::new(&server.url());
    assert_eq!(connections_of(&caller, &server, &clock, 29.9).await, [0, 1, 1]);
    clock.advance(30.1).await;
    assert_eq!(connections_of(&caller, &server, &clock, 0.0).await, [2, 2, 2]);
}

#[derive(Clone)]
struct Names(Arc<Mutex<SocketAddr>>);

impl Names {
    fn at(address: SocketAddr) -> Self {
        Self(Arc::new(Mutex::new(address)))
    }
}

impl Resolve for Names {
    fn resolve(&self, _: Name) -> Resolving {
        let address = *self.0.lock().unwrap();
        Box::pin(async move { Ok(Box::new([address].into_iter()) as Addrs) })
    }
}

fn hinting(header: &str) -> Vec<u8> {
    let mut answer = answer("200 OK", r#"{"token":"t"}"#);
    answer.splice(17..17, format!("{header}\r\n").into_bytes());
    answer
}

/// The connections of three calls, so many seconds apart.
async fn connections_of(
    caller: &Caller,
    server: &Server,
    clock: &Clock,
    seconds: f64,
) -> [usize; 3] {
    for call in 0..3 {
        if call > 0 {
            clock.advance(seconds).await;
        }
        assert_eq!(caller.issue().await, issued("t"));
    }
    let requests = server.requests();
    let last = requests.last_chunk::<3>().unwrap();
    last.each_ref().map(|request| request.connection)
}
