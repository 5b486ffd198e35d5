//! `createRemoteTokenIssuer`: fetches credentials from the seller's backend, once a payment.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::time::{Instant, timeout_at};

use crate::{
    auth::{Auth, Io},
    error::{Cause, Code, ConfigError, Key0Error},
    http::{
        Endpoint, Exchange, Fault, Reply, Request, Step,
        client::Sent,
        default_headers,
        headers::{self, HeaderLine, Unsendable},
        origin,
        redirects::{Misdirected, Redirects},
    },
    json,
    now::Now,
    secret::{Excerpt, Redactor},
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
}

/// What JavaScript configures, but for `auth`.
#[derive(Clone, Debug)]
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
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let endpoint = Endpoint::parse("url", &config.url)?;
        let timeout = timeout(&config.timeout_ms)?;
        let mut headers = default_headers();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        // Base64 is a header value.
        if let Some(Ok(value)) = endpoint.authorization().map(|v| headers::value(v.expose())) {
            headers.insert(header::AUTHORIZATION, value);
        }
        let idempotency_key = config.idempotency_key;
        Ok(Self(Arc::new(Settings { endpoint, headers, timeout, idempotency_key })))
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
fn timeout(given: &Timeout) -> Result<Duration, ConfigError> {
    let out_of_range = || {
        ConfigError::of_range("timeoutMs", "must be a number of milliseconds above 0 and finite")
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
        let mut redactor = Redactor::default();
        issuer.endpoint.hide_in(&mut redactor);
        for line in lines {
            redactor.hide_header(line.value.expose());
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
            return Err(Failure::Fault(fault.clone()));
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
            Err(fault) => return Step::Done(Err(Failure::Fault(fault))),
        };
        match self.redirects.follow(&reply) {
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
