use super::{
    config::Authentication,
    failure::{INCOMPLETE, REGISTERED, registered},
    grant::form,
    request::TokenRequest,
    *,
};
use crate::{
    error::{Cause, Code},
    http::{
        Exchange as _, Reply, Step,
        fault::{Phase, Reason, Stage},
    },
    redact::{Excerpt, Redactor},
    token_cache::AccessToken,
};

fn strategy(client_secret: &str) -> ClientCredentials {
    ClientCredentials::new(&Config {
        token_url: "http://h/token".to_owned(),
        client_id: "an id".to_owned(),
        authentication: Authentication {
            client_secret: Some(client_secret.to_owned().into()),
            ..Authentication::default()
        },
        scopes: vec!["a".to_owned(), "b c".to_owned()],
        audience: Some(String::new()),
        ..Config::default()
    })
    .unwrap()
}

fn exchange(client_secret: &str) -> TokenRequest {
    let now = Now { wall_ms: 0.0, mono: std::time::Instant::now() };
    TokenRequest::new(strategy(client_secret).grant, now, None)
}

fn reply(status: u16, text: &str) -> Reply {
    let content_type = "text/plain".to_owned();
    Reply { status, text: text.to_owned(), content_type, ..Reply::default() }
}

/// What a token request ends with whose one answer is this.
fn answered(client_secret: &str, answer: Result<Reply, Fault>) -> Result<AccessToken, Failure> {
    match exchange(client_secret).answered(answer) {
        Step::Done(result) => result,
        Step::Send(_) => panic!("it goes on"),
    }
}

#[track_caller]
fn fails(answer: Result<Reply, Fault>, message: &str, cause: Cause) {
    is(&answered("s3cr3t!", answer).unwrap_err(), message, Cause { sent: Some(true), ..cause });
}

#[track_caller]
fn is(failure: &Failure, message: &str, cause: Cause) {
    let error = failure.error();
    assert_eq!(error.message, format!("Failed to authenticate via OAuth: {message}").as_str());
    assert_eq!((error.code, error.http_status), (Code::InternalError, 500));
    assert_eq!(error.cause, Some(cause));
}

/// The cause that an answer with this status gives.
fn answer(status: u16, words: &str) -> Cause {
    let message = format!("http://h answered {status} (text/plain, {words}");
    Cause { status: Some(status), ..Cause::new(message) }
}

fn excerpt(text: &str) -> Excerpt {
    Redactor::default().excerpt(text, false)
}

fn lost(stage: Stage) -> Result<Reply, Fault> {
    let reset = Reason::named("ECONNRESET");
    Err(Fault { stage, ..Fault::unreadable(reset, "http://h") })
}

#[test]
fn the_form_is_serialized_as_url_search_params_does() {
    let request = exchange("s&=+é").begin();
    assert_eq!(
        request.body,
        "grant_type=client_credentials&client_id=an+id&client_secret=s%26%3D%2B%C3%A9\
        &scope=a+b+c"
    );
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
}

// D15
#[test]
fn the_form_never_moves_while_it_grows() {
    let fields = [("client_id", "密".repeat(100)), ("client_secret", "&".repeat(10_000))];
    let reserved: usize =
        fields.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let fields = fields.map(|(name, value)| (name, Secret::from(value)));
    assert_eq!(form(&fields).capacity(), reserved);
}

#[test]
fn a_lifetime_is_any_json_number() {
    for lifetime in ["3600", "3.6e3", "0", "-5", "1e400"] {
        let text = format!(r#"{{"access_token":"t","expires_in":{lifetime}}}"#);
        let token = answered("s3cr3t!", Ok(reply(200, &text))).unwrap();
        assert_eq!(token.token().expose(), "t", "{lifetime}");
    }
}

#[test]
fn a_missing_field_is_said_so() {
    for (text, lack) in [
        ("null", "it has no access_token"),
        (r#"{"expires_in":1}"#, "it has no access_token"),
        (r#"{"access_token":"t"}"#, "it has no expires_in"),
        (
            r#"{"access_token":"","expires_in":1}"#,
            "access_token must be a non-empty string, got an empty one",
        ),
        (
            r#"{"access_token":[1],"expires_in":1}"#,
            "access_token must be a non-empty string, got an array",
        ),
        (
            r#"{"access_token":{},"expires_in":1}"#,
            "access_token must be a non-empty string, got an object",
        ),
        (
            r#"{"access_token":7,"expires_in":1}"#,
            "access_token must be a non-empty string, got a number",
        ),
        (
            r#"{"access_token":"t","expires_in":"3600"}"#,
            "expires_in must be a number, got a string",
        ),
        (r#"{"access_token":"t","expires_in":null}"#, "expires_in must be a number, got null"),
        (r#"{"access_token":"t","expires_in":true}"#, "expires_in must be a number, got a boolean"),
    ] {
        let cause = answer(200, &format!("{} bytes): {lack}", text.len()));
        fails(Ok(reply(200, text)), INCOMPLETE.as_str(), cause);
    }
}

#[test]
fn of_a_servers_own_words_the_message_has_registered_codes_alone() {
    let text = r#"{"error":"invalid_client","error_description":"not s3cr3t!,\r\nno"}"#;
    let cause = answer(200, "67 bytes): invalid_client: not [redacted],  no");
    fails(Ok(reply(200, text)), &format!("{INCOMPLETE} (invalid_client)"), cause);
    let body = excerpt(&text.replace("s3cr3t!", "[redacted]"));
    let cause = answer(400, "67 bytes): invalid_client: not [redacted],  no");
    let message = "OAuth token request failed: 400 invalid_client";
    fails(Ok(reply(400, text)), message, cause.quoting(body));

    let text = r#"{"error":"10.0.0.5","error_description":7}"#;
    let cause = answer(200, "42 bytes): 10.0.0.5");
    fails(Ok(reply(200, text)), INCOMPLETE.as_str(), cause);
    let cause = answer(400, "42 bytes): 10.0.0.5").quoting(excerpt(text));
    fails(Ok(reply(400, text)), "OAuth token request failed: 400", cause);
}

#[test]
fn every_registered_code_is_one() {
    for code in REGISTERED {
        assert_eq!(registered(code), Some(code));
    }
    for other in ["", "invalid", "Invalid_client", "invalid_client ", "unsupported_token_type"] {
        assert_eq!(registered(other), None);
    }
}

#[test]
fn a_token_that_comes_with_a_refusal_is_not_quoted() {
    let text = r#"{"access_token":"canary-token","error_description":"canary-token"}"#;
    let cause = answer(200, "66 bytes): [redacted]");
    fails(Ok(reply(200, text)), INCOMPLETE.as_str(), cause);
    let body = excerpt(&text.replace("canary-token", "[redacted]"));
    let cause = answer(403, "66 bytes): [redacted]").quoting(body);
    fails(Ok(reply(403, text)), "OAuth token request failed: 403", cause);
}

#[test]
fn a_non_2xx_keeps_its_status_where_its_body_broke() {
    let broken = lost(Stage::Reading).err();
    let cause = answer(502, "5 bytes)").quoting(excerpt("no cl"));
    let cut = Reply { broken, ..reply(502, "no cl") };
    fails(Ok(cut), "OAuth token request failed: 502", cause);
    fails(Ok(reply(502, "")), "OAuth token request failed: 502", answer(502, "0 bytes)"));
}

#[test]
fn what_is_no_json_is_said_so() {
    let cause = answer(200, "1 bytes): invalid JSON at line 1 column 1");
    fails(Ok(reply(200, "<")), "the answer is not JSON", cause);
}

#[test]
fn a_token_that_no_header_can_hold_is_not_shown() {
    for (token, problem) in [
        ("a\\nb", "has a line break or another control character inside"),
        ("\u{100}", "has a character above U+00FF, which no header can hold"),
        (" ", "is blank"),
    ] {
        let text = format!(r#"{{"access_token":"{token}","expires_in":60}}"#);
        let cause = format!("{} bytes): its access_token {problem}", text.len());
        let message = format!("Invalid OAuth response: access_token {problem}");
        fails(Ok(reply(200, &text)), &message, answer(200, &cause));
    }
}

#[test]
fn faults_and_redirects_are_told_without_their_origin() {
    let cause = Cause {
        code: Some("ECONNRESET"),
        ..Cause::new("reading the answer of http://h: connection reset (ECONNRESET)")
    };
    fails(lost(Stage::Reading), "connection reset (ECONNRESET)", cause);
    let moved = Reply { location: Some("http://i/".to_owned()), ..reply(307, "") };
    let cause = Cause { status: Some(307), ..Cause::new("http://h redirected to http://i") };
    fails(Ok(moved), "redirected to another origin", cause);
}

#[test]
fn a_fetch_past_its_time_names_what_it_waited_for() {
    let phase = Phase::Connecting("http://h".to_owned());
    let cause = Cause {
        code: Some("ETIMEDOUT"),
        sent: Some(false),
        ..Cause::new("timed out after 10000 ms, connecting to http://h")
    };
    is(&Failure::TimedOut { phase, sent: false }, "no token within 10 s", cause);
    let vanished = "the token request ended without a result";
    let cause = Cause::new("internal: the task that fetched it is gone");
    is(&Failure::Vanished, vanished, cause);
}

// B32
#[test]
fn a_refused_client_whose_secret_ends_in_a_line_break_is_told() {
    let refused = answered("s3cr3t!\n", Ok(reply(401, r#"{"error":"invalid_client"}"#)));
    assert_eq!(
        refused.unwrap_err().message(),
        "OAuth token request failed: 401 invalid_client (clientSecret ends in a line break)"
    );
    let text = r#"{"error":"invalid_client"}"#;
    let incomplete = answered("s3cr3t!\n", Ok(reply(200, text))).unwrap_err().message();
    let sentence = format!("{INCOMPLETE} (invalid_client) (clientSecret ends in a line break)");
    assert_eq!(incomplete, sentence.as_str());
    let down = answered("s3cr3t!\n", Ok(reply(503, ""))).unwrap_err();
    assert_eq!(down.message(), "OAuth token request failed: 503");
}

#[test]
fn a_request_lost_before_its_answer_is_sent_once_more_and_not_again() {
    let mut exchange = exchange("s3cr3t!");
    let first = exchange.begin();
    let Step::Send(second) = exchange.answered(lost(Stage::Awaiting)) else {
        panic!("it is not sent again")
    };
    assert_eq!((second.target.url(), &second.body), (first.target.url(), &first.body));
    assert!(matches!(exchange.answered(lost(Stage::Awaiting)), Step::Done(Err(_))));
}

#[test]
fn a_request_that_found_no_server_or_whose_answer_broke_is_not_sent_again() {
    for stage in [Stage::Connecting, Stage::Reading] {
        assert!(matches!(exchange("s3cr3t!").answered(lost(stage)), Step::Done(Err(_))));
    }
}
