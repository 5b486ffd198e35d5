//! `createRemoteTokenIssuer`: fetches credentials from the seller's backend, once a payment.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::{Instant, timeout_at};

use crate::{
    auth::{Auth, Io},
    error::{ArgumentError, Cause, Code, Key0Error},
    http::{
        Endpoint, Exchange, Fault, Reply, Request, Step,
        client::Sent,
        headers::{self, HeaderLine, Unsendable},
        origin,
        redirects::{Misdirected, Redirects},
    },
    json,
    now::Now,
    redact::{Excerpt, Redactor},
};

/// A backend that issues credentials. Clones share its configuration.
#[derive(Clone, Debug)]
pub struct RemoteTokenIssuer(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    endpoint: Endpoint,
    headers: HeaderMap,
    timeout: Duration,
    idempotency_key: bool,
    /// Knows what the URL holds.
    redactor: Redactor,
}

/// What JavaScript configures, but for `auth`. Without `Debug`: a URL may have a password.
#[derive(Clone)]
pub struct Config {
    /// Where to POST.
    pub url: String,
    /// As the caller gave it.
    pub timeout_ms: Timeout,
    /// Whether `challengeId` goes out as `Idempotency-Key`.
    pub idempotency_key: bool,
}

/// `timeoutMs` as the caller gave it.
#[derive(Clone, Debug, Default)]
pub enum Timeout {
    /// Not at all.
    #[default]
    Default,
    /// As a number.
    Number(f64),
    /// As a string, from the environment.
    Text(String),
}

/// One call.
pub struct Call<F> {
    /// `JSON.stringify(params)`: `None` for `undefined`.
    pub body: Option<String>,
    /// Whence the headers come.
    pub auth: CallAuth<F>,
    /// When.
    pub now: Now,
}

/// Whence a call's headers come.
pub enum CallAuth<F, S = Auth> {
    /// From a strategy of this package.
    Strategy(S),
    /// From the caller's own function, whose promise is waited for.
    Given(F),
}

/// What the caller's function gave.
pub enum Given {
    /// These headers.
    Headers(Vec<(String, GivenValue)>),
    /// What can give none: `a string`, `a symbol`, `a function`.
    Unusable(&'static str),
    /// A rejection with this name and message.
    Rejected {
        /// The error's `name`.
        name: String,
        /// The error's `message`, or the value as text.
        message: String,
    },
}

/// What the caller's function gave for one header.
pub enum GivenValue {
    /// A string, or what becomes one as `fetch` makes it.
    Text(String),
    /// What no header can be: `null`, `undefined`, `a symbol`, …
    Unusable(&'static str),
}

/// How a call fails.
#[derive(Clone, Debug, PartialEq)]
pub enum IssueError {
    /// With an error of ours.
    Key0(Key0Error),
    /// With the caller's own error, which the shell has kept.
    CallersOwn,
}

impl RemoteTokenIssuer {
    /// Reads the configuration once.
    ///
    /// # Errors
    /// A `TypeError` or `RangeError` that names the field.
    pub fn new(config: &Config) -> Result<Self, ArgumentError> {
        let endpoint = Endpoint::parse("url", &config.url)?;
        let timeout = timeout(&config.timeout_ms)?;
        let headers = endpoint.headers("application/json");
        let idempotency_key = config.idempotency_key;
        let mut redactor = Redactor::default();
        endpoint.hide_in(&mut redactor);
        Ok(Self(Arc::new(Settings { endpoint, headers, timeout, idempotency_key, redactor })))
    }

    /// True where calls need the environment's TLS settings.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.endpoint.url().scheme() == "https"
    }

    /// Issues: the JSON text of `{ token, tokenType }`. One deadline covers everything, auth
    /// included.
    ///
    /// A strategy begins at once, on the tokio runtime that this is called in.
    ///
    /// # Errors
    /// As the contract's table has it.
    pub fn issue<F: Future<Output = Given> + Send>(
        &self,
        call: Call<F>,
        io: &Io,
    ) -> impl Future<Output = Result<String, IssueError>> + Send + use<F> {
        let Call { body, auth, now } = call;
        let auth = match auth {
            CallAuth::Strategy(auth) => CallAuth::Strategy(auth.headers(now, io)),
            CallAuth::Given(given) => CallAuth::Given(given),
        };
        let (settings, http) = (self.0.clone(), io.http.clone());
        async move {
            let sent = Sent::default();
            let exchange = async {
                let lines = match auth {
                    CallAuth::Strategy(headers) => headers.await.map_err(Failure::Auth)?,
                    CallAuth::Given(given) => lines(given.await)?,
                };
                http.drive(&mut Issue::new(&settings, body, &lines)?, &sent).await
            };
            let result = timeout_at(deadline(now, settings.timeout), exchange).await;
            result.unwrap_or(Err(Failure::TimedOut)).map_err(|why| why.into_error(sent.get()))
        }
    }
}

fn deadline(now: Now, timeout: Duration) -> Instant {
    let begun = Instant::from_std(now.mono);
    // Beyond what the clock can count: thirty years are long enough.
    begun.checked_add(timeout).unwrap_or_else(|| begun + THIRTY_YEARS)
}

/// `timeoutMs` in milliseconds, above 0 and finite.
fn timeout(given: &Timeout) -> Result<Duration, ArgumentError> {
    let out_of_range = || {
        ArgumentError::of_range("timeoutMs", "must be a number of milliseconds above 0 and finite")
    };
    let milliseconds = match given {
        Timeout::Default => return Ok(DEFAULT_TIMEOUT),
        Timeout::Number(number) => *number,
        // `Number("0x10")` and the like are nobody's timeout.
        Timeout::Text(text) => text.trim().parse().map_err(|_| out_of_range())?,
    };
    if !(milliseconds > 0.0 && milliseconds.is_finite()) {
        return Err(out_of_range());
    }
    let milliseconds = milliseconds.min(TWO_TO_53);
    Duration::try_from_secs_f64(milliseconds / 1000.0).map_err(|_| out_of_range())
}

/// What the caller's function gave, as lines; what `fetch` would refuse, or send the word
/// "undefined" for, is refused by name.
fn lines(given: Given) -> Result<Vec<HeaderLine>, Failure> {
    match given {
        Given::Headers(headers) => headers
            .into_iter()
            .map(|(name, value)| match value {
                GivenValue::Text(text) => Ok(HeaderLine { name, value: text.into() }),
                GivenValue::Unusable(kind) => Err(Failure::HeaderValue { name, kind }),
            })
            .collect(),
        Given::Unusable(kind) => Err(Failure::NotHeaders(kind)),
        Given::Rejected { name, .. } if name == "Key0Error" => Err(Failure::CallersOwn),
        Given::Rejected { name, .. } if name == "AbortError" => Err(Failure::TimedOut),
        Given::Rejected { message, .. } => Err(Failure::Rejected(message)),
    }
}

/// One issue and its redirects.
struct Issue {
    redirects: Redirects,
    redactor: Redactor,
}

impl Issue {
    fn new(issuer: &Settings, body: Option<String>, lines: &[HeaderLine]) -> Result<Self, Failure> {
        let mut redactor = issuer.redactor.clone();
        for line in lines {
            redactor.hide_header(&line.value);
        }
        let mut headers = issuer.headers.clone();
        if let Some(key) = body.as_deref().filter(|_| issuer.idempotency_key).and_then(key) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        headers::merge(&mut headers, lines).map_err(Failure::Header)?;
        let redirects = Redirects::new(Request {
            method: Method::POST,
            url: issuer.endpoint.url().clone(),
            headers,
            body: body.map(Bytes::from).unwrap_or_default(),
        });
        Ok(Self { redirects, redactor })
    }

    fn read(&self, reply: &Reply) -> Result<String, Failure> {
        let status = reply.status;
        if !reply.is_success() {
            return Err(Failure::Backend {
                status,
                body: self.redactor.excerpt(&reply.text, reply.broken.is_some()),
            });
        }
        if let Some(fault) = &reply.broken {
            return Err(Failure::Fault(fault.clone().scrubbed(&self.redactor)));
        }
        let members = json::pick(&reply.text, ["token", "tokenType"]).map_err(|invalid| {
            Failure::NotJson { origin: origin(&self.redirects.request().url), status, invalid }
        })?;
        let [token, token_type] = members
            .unwrap_or_default()
            .map(|value| value.filter(|value| value.is_truthy()).map(json::Value::text));
        let token = token.ok_or(Failure::NoToken { status })?;
        let token_type = token_type.unwrap_or("\"Bearer\"");
        Ok(format!(r#"{{"token":{token},"tokenType":{token_type}}}"#))
    }
}

impl Exchange for Issue {
    type Output = Result<String, Failure>;

    fn begin(&mut self) -> Request {
        self.redirects.request().clone()
    }

    fn answered(&mut self, answer: Result<Reply, Fault>) -> Step<Self::Output> {
        let reply = match answer {
            Ok(reply) => reply,
            Err(fault) => return Step::Done(Err(Failure::Fault(fault.scrubbed(&self.redactor)))),
        };
        match self.redirects.follow(&reply, &self.redactor) {
            Ok(Some(request)) => Step::Send(Box::new(request)),
            Ok(None) => Step::Done(self.read(&reply)),
            Err(misdirected) => {
                Step::Done(Err(Failure::Misdirected { misdirected, status: reply.status }))
            }
        }
    }
}

/// `challengeId`, where a header can hold it: the engine repeats a call whose connection broke
/// after the backend had issued, and only this lets a backend notice.
fn key(params: &str) -> Option<HeaderValue> {
    let [id] = json::pick(params, ["challengeId"]).ok()??;
    headers::value(&id?.as_string()?).ok().filter(|value| !value.is_empty())
}

/// Why there are no credentials.
#[derive(Debug)]
enum Failure {
    Backend { status: u16, body: Excerpt },
    NoToken { status: u16 },
    TimedOut,
    NotJson { origin: String, status: u16, invalid: json::Invalid },
    Fault(Fault),
    Misdirected { misdirected: Misdirected, status: u16 },
    Params(String),
    Header(Unsendable),
    HeaderValue { name: String, kind: &'static str },
    NotHeaders(&'static str),
    Rejected(String),
    Auth(Key0Error),
    CallersOwn,
}

impl Failure {
    /// The contract's table. `sent` tells whether bytes of a request went out.
    fn into_error(self, sent: bool) -> IssueError {
        let cause = match &self {
            Self::Auth(error) => return IssueError::Key0(error.clone()),
            Self::CallersOwn => return IssueError::CallersOwn,
            Self::Fault(fault) => Cause { sent: Some(sent || fault.sent), ..fault.cause() },
            Self::Backend { status, .. }
            | Self::NoToken { status }
            | Self::NotJson { status, .. }
            | Self::Misdirected { status, .. } => self.cause(Some(*status), sent),
            Self::TimedOut => Cause { code: Some("ETIMEDOUT"), ..self.cause(None, sent) },
            _ => self.cause(None, sent),
        };
        let (code, http_status) = match self {
            Self::TimedOut => (Code::TokenIssueTimeout, 504),
            _ => (Code::TokenIssueFailed, 502),
        };
        let message = match self {
            Self::Backend { .. } | Self::NoToken { .. } | Self::TimedOut => self.to_string(),
            _ => format!("Network error: {self}"),
        };
        IssueError::Key0(Key0Error { code, message, http_status, cause: Some(cause) })
    }

    fn cause(&self, status: Option<u16>, sent: bool) -> Cause {
        Cause { message: self.to_string(), code: None, status, sent: Some(sent) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backend { status, body } if body.is_empty() => {
                write!(f, "Backend failed to issue token: {status}")
            }
            Self::Backend { status, body } => {
                write!(f, "Backend failed to issue token: {status} {body}")
            }
            Self::NoToken { .. } => f.write_str("Backend response missing 'token' field"),
            Self::TimedOut => f.write_str("Remote token issuance timed out"),
            Self::NotJson { origin, invalid, .. } => {
                write!(f, "the answer of {origin} is not JSON: {invalid}")
            }
            Self::Fault(fault) => fault.fmt(f),
            Self::Misdirected { misdirected, .. } => misdirected.fmt(f),
            Self::Params(reason) => write!(f, "params cannot be sent as JSON: {reason}"),
            // It may be a value in the wrong place, or a whole line.
            Self::Header(Unsendable { name, .. }) | Self::HeaderValue { name, .. }
                if let Err(problem) = headers::name(name) =>
            {
                write!(f, "auth gave a header whose name {problem}")
            }
            Self::Header(Unsendable { name, problem }) => {
                write!(f, "auth gave the header {name:?}, which {problem}")
            }
            Self::HeaderValue { name, kind } => {
                write!(f, "auth gave the header {name:?} the value {kind}, which is no string")
            }
            Self::NotHeaders(kind) => write!(f, "auth gave {kind} instead of headers"),
            Self::Rejected(message) if message.trim().is_empty() => {
                f.write_str("auth failed and did not say why")
            }
            Self::Rejected(message) => f.write_str(message),
            Self::Auth(error) => f.write_str(&error.message),
            Self::CallersOwn => f.write_str("auth rejected with an error of its own"),
        }
    }
}

/// Why `params` cannot be sent: `JSON.stringify` threw this.
#[must_use]
pub fn unsendable(reason: String) -> IssueError {
    Failure::Params(reason).into_error(false)
}

/// A fault of our own: a panic, a lost task.
#[must_use]
pub fn internal_error() -> Key0Error {
    Key0Error {
        code: Code::TokenIssueFailed,
        message: "Network error: internal error".to_owned(),
        http_status: 502,
        ..Key0Error::internal("the call ended without a result")
    }
}

/// Draft of the HTTP API working group, as payment gateways have it.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The SDK's, well within the 15 s that its engine waits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Beyond it JavaScript's numbers have gaps.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;
const THIRTY_YEARS: Duration = Duration::from_hours(30 * 365 * 24);

#[cfg(test)]
mod tests {
    use std::{future::pending, time::Instant as StdInstant};

    use super::*;
    use crate::{http::fault::Stage, signing_pool::SigningPool};

    fn issuer(timeout_ms: Timeout) -> Result<RemoteTokenIssuer, ArgumentError> {
        RemoteTokenIssuer::new(&Config {
            url: "http://user:p4ssword@h/issue".to_owned(),
            timeout_ms,
            idempotency_key: true,
        })
    }

    fn issue(body: &str) -> Issue {
        let line = HeaderLine { name: "X-A".to_owned(), value: "canary-secret".to_owned().into() };
        let settings = issuer(Timeout::Default).unwrap().0;
        Issue::new(&settings, Some(body.to_owned()), &[line]).unwrap()
    }

    /// What an issue ends with whose one answer is this.
    fn answered(answer: Result<Reply, Fault>) -> Result<String, IssueError> {
        let mut issue = issue("{}");
        issue.begin();
        match issue.answered(answer) {
            Step::Done(result) => result.map_err(|failure| failure.into_error(true)),
            Step::Send(_) => panic!("it goes on"),
        }
    }

    fn reply(status: u16, text: &str) -> Reply {
        Reply { status, text: text.to_owned(), ..Reply::default() }
    }

    #[track_caller]
    fn fails(answer: Result<Reply, Fault>, sentence: &str, status: Option<u16>) {
        let Err(IssueError::Key0(error)) = answered(answer) else { panic!("no error of ours") };
        assert_eq!(error.message, sentence);
        assert_eq!((error.code, error.http_status), (Code::TokenIssueFailed, 502));
        assert_eq!(error.cause.unwrap().status, status);
    }

    #[test]
    fn the_request_is_the_contracts() {
        let request = issue(r#"{"challengeId":"\u0063-1","challengeId":" c-2 "}"#).begin();
        assert_eq!((request.method, request.url.as_str()), (Method::POST, "http://h/issue"));
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
    fn no_usable_token_is_said_so() {
        for text in ["{}", "null", "[]", r#"{"token":""}"#, r#"{"token":0}"#] {
            fails(Ok(reply(200, text)), "Backend response missing 'token' field", Some(200));
        }
    }

    #[test]
    fn a_non_2xx_is_quoted_without_the_calls_secrets() {
        let body = "no canary-secret, no p4ssword";
        let sentence = "Backend failed to issue token: 500 no [redacted], no [redacted]";
        fails(Ok(reply(500, body)), sentence, Some(500));
        fails(Ok(reply(302, "")), "Backend failed to issue token: 302", Some(302));
        fails(Ok(reply(101, "")), "Backend failed to issue token: 101", Some(101));
    }

    #[test]
    fn what_is_no_json_is_a_network_error() {
        let sentence = "Network error: the answer of http://h is not JSON: invalid JSON at line 1 \
            column 1";
        fails(Ok(reply(200, "<html>")), sentence, Some(200));
    }

    #[test]
    fn a_fault_is_a_network_error_and_never_repeated() {
        let fault = |stage| Fault {
            stage,
            origin: "http://h".to_owned(),
            reason: "gone".to_owned(),
            code: Some("ECONNRESET"),
            sent: true,
        };
        let lost = Err(fault(Stage::Awaiting));
        fails(lost, "Network error: no answer from http://h: ECONNRESET, gone", None);
        let cut = Reply { broken: Some(fault(Stage::Reading)), ..reply(200, r#"{"token":1}"#) };
        let sentence = "Network error: cannot read the answer of http://h: ECONNRESET, gone";
        fails(Ok(cut), sentence, None);
    }

    #[test]
    fn a_redirect_elsewhere_is_a_network_error() {
        let moved = Reply { location: Some("http://i/".to_owned()), ..reply(307, "") };
        let sentence = "Network error: redirected to http://i, which is another origin";
        fails(Ok(moved), sentence, Some(307));
    }

    #[test]
    fn timeouts_are_numbers_above_zero_also_as_text() {
        let ms = |given| issuer(given).map(|issuer| issuer.0.timeout.as_secs_f64() * 1000.0);
        let close = |given, expected: f64| (ms(given).unwrap() - expected).abs() < 1.0;
        assert!(close(Timeout::Default, 10_000.0));
        assert!(close(Timeout::Text(" 5e3 ".to_owned()), 5_000.0));
        assert!(close(Timeout::Number(4_294_967_296.5), 4_294_967_296.5));
        assert!(close(Timeout::Number(f64::MAX), TWO_TO_53));
        for wrong in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let sentence = "timeoutMs must be a number of milliseconds above 0 and finite";
            assert_eq!(ms(Timeout::Number(wrong)).unwrap_err().to_string(), sentence);
        }
        assert!(ms(Timeout::Text("soon".to_owned())).is_err());
    }

    async fn with_auth(given: impl Future<Output = Given> + Send) -> IssueError {
        let io = Io { http: crate::http::Client::new(), signing: SigningPool::default() };
        let now = Now { wall_ms: 0.0, mono: StdInstant::now() };
        let call = Call { body: None, auth: CallAuth::Given(given), now };
        issuer(Timeout::Number(100.0)).unwrap().issue(call, &io).await.unwrap_err()
    }

    #[track_caller]
    fn timed_out(error: IssueError) {
        let IssueError::Key0(error) = error else { panic!("no error of ours") };
        assert_eq!(error.message, "Remote token issuance timed out");
        assert_eq!((error.code, error.http_status), (Code::TokenIssueTimeout, 504));
        assert_eq!(error.cause.unwrap().sent, Some(false));
    }

    #[tokio::test]
    async fn the_deadline_covers_a_silent_auth() {
        timed_out(with_auth(pending()).await);
    }

    #[tokio::test]
    async fn what_auth_rejects_with_decides() {
        let rejected = |name: &str, message: &str| Given::Rejected {
            name: name.to_owned(),
            message: message.to_owned(),
        };
        timed_out(with_auth(async { rejected("AbortError", "") }).await);
        let own = with_auth(async { rejected("Key0Error", "") }).await;
        assert_eq!(own, IssueError::CallersOwn);
        let IssueError::Key0(error) = with_auth(async { rejected("Error", "no vault") }).await
        else {
            panic!("no error of ours")
        };
        assert_eq!(error.message, "Network error: no vault");
    }
}
