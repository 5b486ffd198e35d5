//! What goes out.

use key0_native::{http::Client, remote_token_issuer::Timeout};

use crate::support::{Caller, Received, Server, answer, issued, token};

#[tokio::test]
async fn a_call_is_one_post_with_our_headers_and_the_callers() {
    let server = Server::answering(token("t"));
    let caller = Caller::new(&format!("{}a%20b//c?x=1&y=%2F#fragment", server.url()));
    let body = r#"{"challengeId":"c"}"#;
    let headers = [("x-internal-auth", " s3cr3t\r\n"), ("X-Café".trim_end_matches("é"), "1")];
    assert_eq!(caller.issue_with(Some(body), &headers).await, issued("t"));
    let request = only(&server);
    assert_eq!(request.body, body.as_bytes());
    assert_eq!(
        lines(&request),
        [
            "POST /a%20b//c?x=1&y=%2F HTTP/1.1",
            "Accept: application/json, */*",
            "Content-Length: 19",
            "Content-Type: application/json",
            &format!("Host: {}", server.address()),
            "Idempotency-Key: c",
            &format!("User-Agent: key0-native/{}", env!("CARGO_PKG_VERSION")),
            "X-Caf: 1",
            "X-Internal-Auth: s3cr3t",
        ]
    );
}

#[tokio::test]
async fn an_empty_body_has_the_length_0() {
    let server = Server::answering(token("t"));
    assert_eq!(Caller::new(&server.url()).issue_with(None, &[]).await, issued("t"));
    let request = only(&server);
    assert_eq!(request.body, b"");
    let length = lines(&request).into_iter().filter(|line| line.starts_with("Content-Length"));
    assert_eq!(length.collect::<Vec<_>>(), ["Content-Length: 0"]);
    assert!(!request.head.contains("Transfer-Encoding"), "{}", request.head);
}

#[tokio::test]
async fn characters_up_to_u_00ff_go_out_as_one_byte() {
    let server = Server::answering(token("t"));
    let headers = [("X-A", "p\u{e4}ssw\u{f6}rd\u{80}\u{ff}")];
    assert_eq!(Caller::new(&server.url()).issue_with(Some("{}"), &headers).await, issued("t"));
    // Read as one character a byte.
    assert!(only(&server).head.contains("\r\nX-A: p\u{e4}ssw\u{f6}rd\u{80}\u{ff}\r\n"));
}

#[tokio::test]
async fn the_callers_own_headers_win_host_too() {
    let server = Server::answering(token("t"));
    let headers = [
        ("host", "backend.example"),
        ("accept", "text/json"),
        ("USER-AGENT", "shop/1"),
        ("content-type", "application/vnd.shop+json"),
        ("idempotency-key", "mine"),
        ("accept-encoding", "gzip"),
    ];
    let body = Some(r#"{"challengeId":"c"}"#);
    assert_eq!(Caller::new(&server.url()).issue_with(body, &headers).await, issued("t"));
    assert_eq!(
        lines(&only(&server)),
        [
            "POST / HTTP/1.1",
            "Accept-Encoding: gzip",
            "Accept: text/json",
            "Content-Length: 19",
            "Content-Type: application/vnd.shop+json",
            "Host: backend.example",
            "Idempotency-Key: mine",
            "User-Agent: shop/1",
        ]
    );
}

#[tokio::test]
async fn credentials_of_the_url_are_basic_authorization_unless_auth_gives_one() {
    let server = Server::answering(token("t"));
    let url = server.url().replace("http://", "http://user:p%40ss@");
    let caller = Caller::new(&url);
    assert_eq!(caller.issue().await, issued("t"));
    let headers = [("authorization", "Bearer x")];
    assert_eq!(caller.issue_with(Some("{}"), &headers).await, issued("t"));
    let sent = server.requests().into_iter().map(|request| {
        lines(&request).into_iter().filter(|line| line.starts_with("Authorization")).collect()
    });
    let sent: Vec<Vec<String>> = sent.collect();
    assert_eq!(sent, [["Authorization: Basic dXNlcjpwQHNz"], ["Authorization: Bearer x"]]);
}

#[tokio::test]
async fn a_307_repeats_the_post_and_a_303_becomes_a_get_without_body() {
    for (status, method, body) in
        [("307 R", "POST", "{}"), ("308 R", "POST", "{}"), ("303 R", "GET", "")]
    {
        let redirect = format!("HTTP/1.1 {status}\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n");
        let server = Server::new(move |peer| {
            while let Some(request) = peer.request() {
                if request.head.contains(" / HTTP") {
                    peer.write(redirect.as_bytes());
                } else {
                    peer.write(&token("t"));
                }
            }
        });
        assert_eq!(Caller::new(&server.url()).issue().await, issued("t"), "{status}");
        let requests = server.requests();
        assert_eq!(requests.len(), 2, "{status}");
        assert!(requests[1].head.starts_with(&format!("{method} /b HTTP/1.1\r\n")), "{status}");
        assert_eq!(requests[1].body, body.as_bytes(), "{status}");
        let typed = requests[1].head.contains("Content-Type");
        assert_eq!(typed, method == "POST", "{status}");
    }
}

#[tokio::test]
async fn a_307_for_ever_is_six_posts() {
    let server = Server::answering("HTTP/1.1 307 R\r\nLocation: /\r\nContent-Length: 0\r\n\r\n");
    let caller = Caller::with(&server.url(), Timeout::Default, Client::new());
    let error = caller.issue().await.unwrap_err();
    assert_eq!(error.message, "Network error: more than 5 redirects");
    let cause = error.cause.unwrap();
    assert_eq!((cause.code, cause.status, cause.sent), (None, Some(307), Some(true)));
    assert_eq!(server.requests().len(), 6);
}

#[tokio::test]
async fn no_secret_goes_to_another_origin() {
    let other = Server::answering(token("stolen"));
    let to = format!("HTTP/1.1 307 R\r\nLocation: {}?q\r\nContent-Length: 0\r\n\r\n", other.url());
    let server = Server::answering(to);
    let error = Caller::new(&server.url()).issue().await.unwrap_err();
    let sentence =
        format!("Network error: redirected to {}, which is another origin", other.origin());
    assert_eq!(error.message, sentence);
    assert_eq!((server.requests().len(), other.connections()), (1, 0));
}

#[tokio::test]
async fn a_3xx_without_location_is_a_plain_non_2xx() {
    let server = Server::answering(answer("302 Found", "nowhere"));
    let error = Caller::new(&server.url()).issue().await.unwrap_err();
    assert_eq!(error.message, "Backend failed to issue token: 302 nowhere");
}

#[track_caller]
fn only(server: &Server) -> Received {
    let mut requests = server.requests();
    assert_eq!(requests.len(), 1);
    requests.remove(0)
}

/// The request line, and the headers sorted.
fn lines(request: &Received) -> Vec<String> {
    let mut lines: Vec<String> = request.head.trim_end().lines().map(str::to_owned).collect();
    lines[1..].sort();
    lines
}
