//! The token request over sockets: one for all, and what is repeated.

use key0_native::{
    auth::{Auth, Io},
    error::{Code, Key0Error},
    http::Client,
    signing_pool::SigningPool,
};

use crate::support::{Clock, Peer, Server, answer, client_credentials, gate, now, signal};

fn io() -> Io {
    Io { http: Client::new(), signing: SigningPool::default() }
}

fn granted() -> Vec<u8> {
    answer("200 OK", r#"{"access_token":"a","expires_in":3600}"#)
}

async fn header(auth: &Auth, io: &Io) -> Result<String, Key0Error> {
    let lines = auth.headers(now(), io).await?;
    Ok(lines[0].value.expose().to_owned())
}

#[tokio::test]
async fn a_thousand_callers_on_a_cold_cache_are_one_request() {
    let (go, gate) = gate();
    let server = Server::new(move |peer| {
        while peer.request().is_some() {
            peer.wait_for(&gate);
            peer.write(&granted());
        }
    });
    let (auth, io) = (client_credentials(&server.url()), io());
    let callers: Vec<_> = (0..1000)
        .map(|_| {
            let (auth, io) = (auth.clone(), io.clone());
            tokio::spawn(async move { header(&auth, &io).await })
        })
        .collect();
    // All of them wait before the server says a word.
    tokio::task::yield_now().await;
    go.send(()).unwrap();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "Bearer a");
    }
    assert_eq!(header(&auth, &io).await.unwrap(), "Bearer a");
    assert_eq!(auth.peek(now()).unwrap().value.expose(), "Bearer a");
    let requests = server.requests();
    assert_eq!(requests.len(), 1);
    let form = "grant_type=client_credentials&client_id=id&client_secret=canary-secret";
    assert_eq!(requests[0].body, form.as_bytes());
    assert!(requests[0].head.contains("\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
}

#[tokio::test]
async fn a_request_whose_connection_broke_before_an_answer_is_sent_once_more() {
    let lost_first = |peer: &mut Peer| {
        peer.request();
        if peer.number > 0 {
            peer.write(&granted());
        }
    };
    let server = Server::new(lost_first);
    assert_eq!(header(&client_credentials(&server.url()), &io()).await.unwrap(), "Bearer a");
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_request_that_is_lost_twice_fails() {
    let server = Server::answering_once("");
    let (auth, io) = (client_credentials(&server.url()), io());
    let origin = server.origin();
    let sentence = format!(
        "no answer from {origin}: ECONNRESET, \
        the connection was closed before the answer was whole"
    );
    fails(header(&auth, &io).await, &sentence, (Some("ECONNRESET"), true));
    assert_eq!(server.requests().len(), 2);
    // Nothing is remembered.
    fails(header(&auth, &io).await, &sentence, (Some("ECONNRESET"), true));
    assert_eq!(server.requests().len(), 4);
}

#[tokio::test]
async fn an_answer_that_began_is_not_asked_for_again() {
    for (bytes, code, reason) in [
        ("nonsense\r\n\r\n", None, "invalid HTTP version parsed"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
            Some("ECONNRESET"),
            "ECONNRESET, the connection was closed before the answer was whole",
        ),
    ] {
        let server = Server::answering_once(bytes);
        let sentence = format!("cannot read the answer of {}: {reason}", server.origin());
        fails(header(&client_credentials(&server.url()), &io()).await, &sentence, (code, true));
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn ten_seconds_cover_everything_the_body_and_the_repetition_included() {
    let clock = Clock::stop();
    let (at, mut signals) = signal();
    let (go, gate) = gate();
    let server = Server::new(move |peer| {
        peer.request();
        at.give();
        if peer.number == 0 {
            return peer.wait_for(&gate);
        }
        peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{");
        peer.wait_for_end();
    });
    let (auth, io) = (client_credentials(&server.url()), io());
    let call = tokio::spawn(async move { header(&auth, &io).await });
    signals.next().await;
    clock.advance(6.0).await;
    go.send(()).unwrap();
    signals.next().await;
    clock.advance(3.999).await;
    assert!(!call.is_finished());
    clock.advance(0.001).await;
    fails(call.await.unwrap(), "no token after 10 s", (Some("ETIMEDOUT"), true));
}

#[tokio::test]
async fn the_first_callers_leaving_leaves_the_fetch_to_the_others() {
    let (go, gate) = gate();
    let (at, mut signals) = signal();
    let server = Server::new(move |peer| {
        peer.request();
        at.give();
        peer.wait_for(&gate);
        peer.write(&granted());
    });
    let (auth, io) = (client_credentials(&server.url()), io());
    let begin = || {
        let (auth, io) = (auth.clone(), io.clone());
        tokio::spawn(async move { header(&auth, &io).await })
    };
    let first = begin();
    signals.next().await;
    let second = begin();
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    go.send(()).unwrap();
    assert_eq!(second.await.unwrap().unwrap(), "Bearer a");
    assert_eq!(server.requests().len(), 1);
}

#[track_caller]
fn fails(result: Result<String, Key0Error>, reason: &str, (code, sent): (Option<&str>, bool)) {
    let error = result.unwrap_err();
    assert_eq!(error.message, format!("Failed to authenticate via OAuth: {reason}"));
    assert_eq!((error.code, error.http_status), (Code::InternalError, 500));
    let cause = error.cause.unwrap();
    assert_eq!((cause.code, cause.sent), (code, Some(sent)));
}
