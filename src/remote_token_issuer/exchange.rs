//! The issuing exchange: its request, its answers.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method};
use tokio::time::{Instant, timeout_at};

use super::{Settings, failure::Failure};
use crate::{
    http::{
        Client, Exchange, Fault, Reply, Request, Sent, Step,
        fault::Phase,
        headers::{self, HeaderLine},
        redirects::Redirects,
    },
    json,
    redact::Redactor,
};

/// One issue and its redirects.
pub(super) struct Issue<'a> {
    redirects: Redirects,
    settings: &'a Settings,
    pub lines: Vec<HeaderLine>,
}

impl<'a> Issue<'a> {
    pub fn new(
        settings: &'a Settings,
        body: Option<Bytes>,
        lines: Vec<HeaderLine>,
    ) -> Result<Self, Failure> {
        let mut headers = settings.headers.clone();
        let params = body.as_deref().filter(|_| settings.idempotency_key);
        if let Some(key) = params.and_then(|params| key(str::from_utf8(params).ok()?)) {
            Arc::make_mut(&mut headers).insert(IDEMPOTENCY_KEY, key);
        }
        if !lines.is_empty() {
            headers::merge(Arc::make_mut(&mut headers), &lines).map_err(Failure::Headers)?;
        }
        let redirects = Redirects::new(Request {
            method: Method::POST,
            target: settings.endpoint.target().clone(),
            headers,
            body: body.unwrap_or_default(),
        });
        Ok(Self { redirects, settings, lines })
    }

    pub async fn drive(
        &mut self,
        http: &Client,
        deadline: Instant,
        sent: &Sent,
    ) -> Result<String, Failure> {
        let driven = timeout_at(deadline, http.drive(self, sent)).await;
        driven.unwrap_or_else(|_| {
            let origin = self.redirects.request().target.origin().to_string();
            let phase = Phase::at(origin, sent.is_under_way());
            Err(Failure::TimedOut { phase, limit: self.settings.timeout })
        })
    }

    /// Whether the POST itself was refused for its token (RFC 6750 §3.1). Behind a 303 the backend
    /// has served it.
    pub fn is_unauthorized(&self, issued: &Result<String, Failure>) -> bool {
        self.redirects.request().method == Method::POST
            && matches!(issued, Err(Failure::Backend { answer, .. }) if answer.status == 401)
    }

    fn read(&self, reply: &Reply) -> Result<String, Failure> {
        let redactor = || redactor(self.settings, &self.lines);
        let described = || {
            let origin = self.redirects.request().target.origin().to_string();
            reply.described(origin, &redactor())
        };
        if !reply.is_success() {
            // A coded body may lack its end and be taken as far as it goes.
            let body = redactor().excerpt(&reply.text, true);
            return Err(Failure::Backend { answer: described(), body, no_fresh_token: None });
        }
        if let Some(fault) = &reply.broken {
            return Err(Failure::Fault(fault.clone().scrubbed(redactor)));
        }
        let members = json::pick(&reply.text, ["token", "tokenType"])
            .map_err(|invalid| Failure::NotJson { answer: described(), invalid })?;
        let [token, token_type] = members
            .unwrap_or_default()
            .map(|value| value.filter(|value| value.is_truthy()).map(json::Value::text));
        let token = token.ok_or_else(|| Failure::NoToken { answer: described() })?;
        let token_type = token_type.unwrap_or("\"Bearer\"");
        Ok([r#"{"token":"#, token, r#","tokenType":"#, token_type, "}"].concat())
    }
}

impl Exchange for Issue<'_> {
    type Output = Result<String, Failure>;

    fn begin(&mut self) -> Request {
        self.redirects.request().clone()
    }

    fn answered(&mut self, answer: Result<Reply, Fault>) -> Step<Self::Output> {
        let Self { redirects, settings, lines } = self;
        let reply = match answer {
            Ok(reply) => reply,
            Err(fault) => {
                let fault = fault.scrubbed(|| redactor(settings, lines));
                return Step::Done(Err(Failure::Fault(fault)));
            }
        };
        match redirects.follow(&reply, || redactor(settings, lines)) {
            Ok(Some(request)) => Step::Send(Box::new(request)),
            Ok(None) => Step::Done(self.read(&reply)),
            Err(misdirected) => {
                Step::Done(Err(Failure::Misdirected { misdirected, status: reply.status }))
            }
        }
    }
}

/// A redactor that knows the call's secrets. It is made only where something is quoted.
pub(super) fn redactor(settings: &Settings, lines: &[HeaderLine]) -> Redactor {
    let mut redactor = Redactor::default();
    settings.endpoint.hide_in(&mut redactor);
    for line in lines {
        redactor.hide_header(&line.value);
    }
    redactor
}

/// `challengeId`, where a header can hold it: the engine repeats a call whose connection broke
/// after the backend had issued, and only this lets a backend notice.
fn key(params: &str) -> Option<HeaderValue> {
    let [id] = json::pick(params, ["challengeId"]).ok()??;
    headers::value(&id?.as_string()?).ok().filter(|value| !value.is_empty())
}

/// Draft of the HTTP API working group, as payment gateways have it.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

#[cfg(test)]
mod tests {
    use std::io;

    use super::{
        super::tests::{issuer, key0},
        *,
    };
    use crate::{
        error::{Cause, Code},
        http::fault::Reason,
        remote_token_issuer::{IssueError, RemoteTokenIssuer, Timeout},
    };

    fn issue<'a>(settings: &'a Settings, body: &str) -> Issue<'a> {
        let line = HeaderLine { name: "X-A".to_owned(), value: "canary-secret".to_owned().into() };
        Issue::new(settings, Some(body.to_owned().into()), vec![line]).unwrap()
    }

    /// What an issue ends with whose one answer is this.
    fn answered(answer: Result<Reply, Fault>) -> Result<String, IssueError> {
        let RemoteTokenIssuer(settings) = issuer(Timeout::Default).unwrap();
        let mut issue = issue(&settings, "{}");
        issue.begin();
        match issue.answered(answer) {
            Step::Done(result) => result.map_err(|failure| failure.into_error(true)),
            Step::Send(_) => panic!("it goes on"),
        }
    }

    fn reply(status: u16, text: &str) -> Reply {
        let content_type = "text/html".to_owned();
        Reply { status, text: text.to_owned(), content_type, ..Reply::default() }
    }

    #[track_caller]
    fn fails(answer: Result<Reply, Fault>, message: &str, cause: Cause) {
        let error = key0(answered(answer).unwrap_err());
        assert_eq!(error.message, message);
        assert_eq!((error.code, error.http_status), (Code::TokenIssueFailed, 502));
        assert_eq!(error.cause.unwrap(), Cause { sent: Some(true), ..cause });
    }

    /// The cause that an answer with this status gives.
    fn answer(status: u16, words: &str) -> Cause {
        let message = format!("http://h answered {status} (text/html, {words}");
        Cause { status: Some(status), ..Cause::new(message) }
    }

    #[test]
    fn the_request_is_the_contracts() {
        let RemoteTokenIssuer(settings) = issuer(Timeout::Default).unwrap();
        let body = r#"{"challengeId":"\u0063-1","challengeId":" c-2 "}"#;
        let request = issue(&settings, body).begin();
        assert_eq!(
            (request.method, request.target.url().as_str()),
            (Method::POST, "http://h/issue")
        );
        let header = |name: &str| request.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("idempotency-key"), "c-2");
        assert_eq!(header("authorization"), "Basic dXNlcjpwNHNzd29yZA==");
        assert_eq!(header("accept"), "application/json, */*");
        assert_eq!(header("x-a"), "canary-secret");
    }

    #[test]
    fn a_challenge_that_no_header_can_hold_gives_no_idempotency_key() {
        for id in ["\"\"", "\" \"", "\"\\ud800\"", "\"a\\nb\"", "\"密\"", "7", "null"] {
            assert_eq!(key(&format!(r#"{{"challengeId":{id}}}"#)), None, "{id}");
        }
        assert_eq!(key("[]"), None);
    }

    #[test]
    fn any_truthy_token_is_passed_on_as_it_stands() {
        for token in ["\"t\"", "{\"a\":[1.0]}", "7", "true", "\"\\ud800\""] {
            let issued = answered(Ok(reply(200, &format!(r#"{{"token":{token},"x":0}}"#))));
            assert_eq!(issued, Ok(format!(r#"{{"token":{token},"tokenType":"Bearer"}}"#)));
        }
        let typed = answered(Ok(reply(201, r#"{"token":1,"tokenType":"DPoP"}"#)));
        assert_eq!(typed, Ok(r#"{"token":1,"tokenType":"DPoP"}"#.to_owned()));
    }

    #[test]
    fn no_usable_token_is_said_so_and_nothing_of_the_answer_quoted() {
        for text in ["{}", "null", "[]", r#"{"token":""}"#, r#"{"token":0}"#] {
            let cause = answer(200, &format!("{} bytes): no usable token in it", text.len()));
            fails(Ok(reply(200, text)), "Backend response missing 'token' field", cause);
        }
        let bare = Reply { content_type: String::new(), ..reply(201, "{}") };
        let words = "http://h answered 201 (no content type, 2 bytes): no usable token in it";
        let cause = Cause { status: Some(201), ..Cause::new(words) };
        fails(Ok(bare), "Backend response missing 'token' field", cause);
    }

    #[test]
    fn a_non_2xx_is_its_status_and_quoted_in_the_cause_without_the_calls_secrets() {
        let text = "no canary-secret,\nno p4ssword";
        let body = Redactor::default().excerpt("no [redacted],\nno [redacted]", false);
        let cause = answer(500, "29 bytes)").quoting(body);
        fails(Ok(reply(500, text)), "Backend failed to issue token: 500", cause);
        for status in [302, 101] {
            let message = format!("Backend failed to issue token: {status}");
            fails(Ok(reply(status, "")), &message, answer(status, "0 bytes)"));
        }
    }

    #[test]
    fn a_non_2xx_keeps_its_status_where_its_body_broke() {
        let broken = Some(Fault::unreadable(Reason::new("gone"), "http://h"));
        let cut = Reply { broken, ..reply(503, "no pl") };
        let body = Redactor::default().excerpt("no pl", false);
        let cause = answer(503, "5 bytes)").quoting(body);
        fails(Ok(cut), "Backend failed to issue token: 503", cause);
    }

    #[test]
    fn a_content_type_is_scrubbed_and_on_one_line() {
        let content_type = "text/x;\ta=canary-secret".to_owned();
        let words = "http://h answered 200 (text/x; a=[redacted], 2 bytes): no usable token in it";
        let cause = Cause { status: Some(200), ..Cause::new(words) };
        let reply = Reply { content_type, ..reply(200, "{}") };
        fails(Ok(reply), "Backend response missing 'token' field", cause);
    }

    #[test]
    fn what_is_no_json_is_a_network_error() {
        let cause = answer(200, "6 bytes): invalid JSON at line 1 column 1");
        fails(Ok(reply(200, "<html>")), "Network error: the answer is not JSON", cause);
    }

    #[test]
    fn a_fault_is_a_network_error_and_never_repeated() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let lost = Fault::before_answer(&refused, "http://h", true);
        let cause = Cause {
            code: Some("ECONNREFUSED"),
            ..Cause::new("waiting for the answer of http://h: connection refused (ECONNREFUSED)")
        };
        fails(Err(lost), "Network error: connection refused (ECONNREFUSED)", cause);
        let broken = Some(Fault::unreadable(Reason::new("the answer is too odd"), "http://h"));
        let cut = Reply { broken, ..reply(200, r#"{"token":1}"#) };
        let cause = Cause::new("reading the answer of http://h: the answer is too odd");
        fails(Ok(cut), "Network error: the answer is too odd", cause);
    }

    #[test]
    fn a_redirect_elsewhere_is_a_network_error() {
        let moved = Reply { location: Some("http://i/".to_owned()), ..reply(307, "") };
        let cause = Cause { status: Some(307), ..Cause::new("http://h redirected to http://i") };
        fails(Ok(moved), "Network error: redirected to another origin", cause);
    }
}
