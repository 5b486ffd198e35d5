//! `createRemoteTokenIssuer`: fetches credentials from the seller's backend, once a payment.

use std::{future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tokio::time::{Instant, timeout_at};

use crate::{
    auth::{Auth, ClientCredentials, Io, client_credentials::LONGEST_FETCH},
    error::{ArgumentError, Cause, Code, Key0Error},
    http::{
        Client, Endpoint, Exchange, Fault, Reply, Request, Sent, Step,
        along::{Along, What},
        courier::Courier,
        fault::Phase,
        headers::{self, HeaderLine, Unsendable},
        redirects::{Misdirected, Redirects},
        reply::Described,
        tls::OwnTls,
    },
    json,
    message::Message,
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
    /// The CAs and the certificate of its own.
    pub tls: Option<OwnTls>,
}

/// `timeoutMs` as the caller gave it.
#[derive(Clone, Debug, Default)]
pub enum Timeout {
    /// Not given.
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
    /// Where the headers come from.
    pub auth: CallAuth<F>,
    /// The time of the call.
    pub now: Now,
    /// Who sends its requests, where that is not our client.
    pub courier: Option<Courier>,
    /// What goes along with its requests.
    pub along: Option<Along>,
}

/// Where a call's headers come from.
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
        let endpoint = Endpoint::parse("url", &config.url)?.with_tls(config.tls.clone());
        let timeout = timeout(&config.timeout_ms)?;
        let headers = endpoint.headers("application/json");
        let idempotency_key = config.idempotency_key;
        Ok(Self(Arc::new(Settings { endpoint, headers, timeout, idempotency_key })))
    }

    /// The same with other CAs and another certificate: files that have changed.
    #[must_use]
    pub fn with_tls(&self, tls: Option<OwnTls>) -> Self {
        let Settings { endpoint, headers, timeout, idempotency_key } = &*self.0;
        Self(Arc::new(Settings {
            endpoint: endpoint.clone().with_tls(tls),
            headers: headers.clone(),
            timeout: *timeout,
            idempotency_key: *idempotency_key,
        }))
    }

    /// Whether its requests go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.endpoint.target().is_https()
    }

    /// Why a call cannot even begin: the system has no thread or descriptor for it.
    #[must_use]
    pub fn refused(&self, error: &io::Error) -> IssueError {
        let fault = Fault::connecting(error, self.0.endpoint.target().origin(), false);
        Failure::Fault(fault).into_error(false)
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
        let Call { body, auth, now, courier, along } = call;
        let waits_for = match &auth {
            CallAuth::Strategy(auth) => auth.token_origin().map_or(Phase::Auth, Phase::Token),
            CallAuth::Given(_) => Phase::Auth,
        };
        let until = self.headers_until(&auth, now);
        let (auth, renewal) = match auth {
            CallAuth::Strategy(auth) => {
                let headers = auth.headers(now, io);
                (CallAuth::Strategy(headers), Renewal::of(auth, now, io))
            }
            CallAuth::Given(given) => (CallAuth::Given(given), None),
        };
        let settings = self.0.clone();
        let http = match &courier {
            Some(courier) => io.http.through(courier.clone()),
            None => io.http.clone(),
        };
        let http = match along {
            Some(along) => http.with(along),
            None => http,
        };
        async move {
            let (limit, deadline) = (settings.timeout, deadline(now, settings.timeout));
            let sent = Sent::default();
            let lines = async {
                match auth {
                    CallAuth::Strategy(headers) => headers.await.map_err(Failure::Auth),
                    CallAuth::Given(given) => lines(given.await, &settings),
                }
            };
            let lines = match until {
                Some(until) => timeout_at(until, lines).await.ok(),
                None => Some(lines.await),
            };
            let lines = match lines {
                Some(Ok(_)) if deadline <= Instant::now() => None,
                lines => lines,
            };
            let lines = lines.unwrap_or(Err(Failure::TimedOut { phase: waits_for, limit }));
            let body = body.map(Bytes::from);
            let issued = async {
                let lines = lines?;
                if let Some(courier) = courier {
                    courier.spell(lines.iter().map(|line| line.name.clone()));
                }
                let mut issue = Issue::new(&settings, body.clone(), lines)?;
                let issued = issue.drive(&http, deadline, &sent).await;
                let Some(renewal) = renewal.filter(|_| issue.is_unauthorized(&issued)) else {
                    return issued;
                };
                http.notes(settings.endpoint.target().origin()).note(|| Some(What::Rejected));
                // Boxed, since hardly any call comes here.
                match Box::pin(renewal.headers(&issue.lines, deadline)).await {
                    Ok(lines) => {
                        let mut again = Issue::new(&settings, body, lines)?;
                        Box::pin(again.drive(&http, deadline, &sent)).await
                    }
                    // Nothing is under way, so it is no timeout: the engine may try again.
                    Err(why) => issued.map_err(|rejected| rejected.without_fresh_token(why)),
                }
            };
            issued.await.map_err(|why| why.into_error(sent.get()))
        }
    }

    /// When waiting for the headers is over, where it does not end by itself.
    ///
    /// A token fetch does. Where that is in time, or in the same moment, its failure is the one to
    /// tell: nothing was sent, and the engine may try again. A caller's own function may wait for a
    /// fetch, too, whose failure then comes back through JavaScript.
    fn headers_until<F>(&self, auth: &CallAuth<F>, now: Now) -> Option<Instant> {
        let timeout = self.0.timeout;
        match auth {
            _ if timeout < LONGEST_FETCH => Some(deadline(now, timeout)),
            CallAuth::Strategy(Auth::ClientCredentials(_)) => None,
            CallAuth::Strategy(_) => Some(deadline(now, timeout)),
            CallAuth::Given(_) => Some(deadline(now, timeout + AFTERWARDS)),
        }
    }
}

fn deadline(now: Now, timeout: Duration) -> Instant {
    let begun = Instant::from_std(now.mono);
    // Past the clock's range: thirty years are long enough.
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
fn lines(given: Given, settings: &Settings) -> Result<Vec<HeaderLine>, Failure> {
    match given {
        Given::Headers(headers) => headers
            .into_iter()
            .map(|(name, value)| match value {
                GivenValue::Text(text) => Ok(HeaderLine { name, value: text.into() }),
                GivenValue::Unusable(kind) => {
                    Err(Failure::Headers(Unsendable::of(&name, |name| Unsendable::Value {
                        name,
                        kind,
                    })))
                }
            })
            .collect(),
        Given::Unusable(kind) => Err(Failure::Headers(Unsendable::NoHeaders(kind))),
        Given::Rejected { name, .. } if name == "Key0Error" => Err(Failure::CallersOwn),
        Given::Rejected { name, .. } if name == "AbortError" => Err(Failure::Aborted),
        Given::Rejected { message, .. } => {
            Err(Failure::Rejected(redactor(settings, &[]).excerpt(&message, false)))
        }
    }
}

/// One issue and its redirects.
struct Issue<'a> {
    redirects: Redirects,
    settings: &'a Settings,
    lines: Vec<HeaderLine>,
}

impl<'a> Issue<'a> {
    fn new(
        settings: &'a Settings,
        body: Option<Bytes>,
        lines: Vec<HeaderLine>,
    ) -> Result<Self, Failure> {
        let mut headers = settings.headers.clone();
        let params = body.as_deref().filter(|_| settings.idempotency_key);
        if let Some(key) = params.and_then(|params| key(str::from_utf8(params).ok()?)) {
            headers.insert(IDEMPOTENCY_KEY, key);
        }
        headers::merge(&mut headers, &lines).map_err(Failure::Headers)?;
        let redirects = Redirects::new(Request {
            method: Method::POST,
            target: settings.endpoint.target().clone(),
            headers,
            body: body.unwrap_or_default(),
        });
        Ok(Self { redirects, settings, lines })
    }

    async fn drive(
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
    fn is_unauthorized(&self, issued: &Result<String, Failure>) -> bool {
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
        Ok(format!(r#"{{"token":{token},"tokenType":{token_type}}}"#))
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

/// What gives another token where the backend rejects the first.
struct Renewal {
    strategy: ClientCredentials,
    /// When the call began.
    call: Now,
    io: Io,
}

impl Renewal {
    /// Boxed, since hardly any call needs it.
    fn of(auth: Auth, call: Now, io: &Io) -> Option<Box<Self>> {
        match auth {
            Auth::ClientCredentials(strategy) => {
                Some(Box::new(Self { strategy, call, io: io.clone() }))
            }
            Auth::None | Auth::SharedSecret(_) | Auth::SignedJwt(_) => None,
        }
    }

    /// Headers with a token that is not the one in `lines`; else why there are none.
    async fn headers(
        self,
        lines: &[HeaderLine],
        deadline: Instant,
    ) -> Result<Vec<HeaderLine>, Option<String>> {
        let Self { strategy, call, io } = self;
        let rejected = lines.first().ok_or(None)?;
        let mono = Instant::now().into_std();
        let token = strategy.another_token(&rejected.value, call, mono, &io);
        match timeout_at(deadline, token).await {
            Ok(Ok(value)) => Ok(vec![HeaderLine { value, ..rejected.clone() }]),
            Ok(Err(error)) => Err(error.cause.map(|cause| cause.message)),
            Err(_) => Err(Some("none came in time".to_owned())),
        }
    }
}

/// A redactor that knows the call's secrets. It is made only where something is quoted.
fn redactor(settings: &Settings, lines: &[HeaderLine]) -> Redactor {
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

/// Why there are no credentials.
#[derive(Debug)]
enum Failure {
    Backend {
        answer: Described,
        body: Excerpt,
        /// Why the token that was rejected could not be replaced.
        no_fresh_token: Option<String>,
    },
    NoToken {
        answer: Described,
    },
    NotJson {
        answer: Described,
        invalid: json::Invalid,
    },
    TimedOut {
        phase: Phase,
        limit: Duration,
    },
    Fault(Fault),
    Misdirected {
        misdirected: Misdirected,
        status: u16,
    },
    Headers(Unsendable),
    /// A strategy's own.
    Auth(Key0Error),
    /// The caller's `auth` gave up.
    Aborted,
    /// The caller's `auth` failed, with this message.
    Rejected(Excerpt),
    /// `JSON.stringify` threw.
    Params,
    /// The caller's `auth` failed with a `Key0Error`.
    CallersOwn,
}

impl Failure {
    fn without_fresh_token(mut self, why: Option<String>) -> Self {
        if let Self::Backend { no_fresh_token, .. } = &mut self {
            *no_fresh_token = why;
        }
        self
    }

    /// The contract's table. `sent` tells whether bytes of a request went out.
    fn into_error(self, sent: bool) -> IssueError {
        let (code, http_status) = match &self {
            Self::Auth(error) => return IssueError::Key0(error.clone()),
            Self::CallersOwn => return IssueError::CallersOwn,
            Self::TimedOut { .. } | Self::Aborted => (Code::TokenIssueTimeout, 504),
            Self::Fault(fault) if fault.says_time_is_over() => (Code::TokenIssueTimeout, 504),
            _ => (Code::TokenIssueFailed, 502),
        };
        let cause = Some(self.cause(sent));
        IssueError::Key0(Key0Error { code, message: self.message(), http_status, cause })
    }

    /// For the buyer.
    fn message(&self) -> Message {
        const NETWORK: Message = Message::new("Network error: ");
        match self {
            Self::Backend { answer, .. } => {
                Message::new("Backend failed to issue token: ").with(answer.status)
            }
            Self::NoToken { .. } => "Backend response missing 'token' field".into(),
            Self::TimedOut { .. } | Self::Aborted => TIMED_OUT,
            Self::Fault(fault) if fault.says_time_is_over() => TIMED_OUT,
            Self::NotJson { .. } => NETWORK.with("the answer is not JSON"),
            Self::Fault(fault) => NETWORK.with(fault.message()),
            Self::Misdirected { misdirected, .. } => NETWORK.with(misdirected.message()),
            Self::Rejected(message) if message.is_blank() => {
                NETWORK.with("auth failed and did not say why")
            }
            Self::Rejected(message) => Message::quoting_the_caller("Network error: ", message),
            Self::Params => NETWORK.with("params cannot be sent as JSON"),
            Self::Headers(unsendable) => NETWORK.with(unsendable.message()),
            Self::Auth(error) => error.message.clone(),
            Self::CallersOwn => "auth failed".into(),
        }
    }

    /// For the seller.
    fn cause(&self, sent: bool) -> Cause {
        let cause = match self {
            Self::Backend { answer, body, no_fresh_token } => {
                let cause = match no_fresh_token {
                    Some(why) => Cause::new(format_args!("{answer}; no fresh token: {why}")),
                    None => Cause::new(answer),
                };
                Cause { status: Some(answer.status), ..cause.quoting(body.clone()) }
            }
            Self::NoToken { answer } => Cause {
                status: Some(answer.status),
                ..Cause::new(format_args!("{answer}: no usable token in it"))
            },
            Self::NotJson { answer, invalid } => Cause {
                status: Some(answer.status),
                ..Cause::new(format_args!("{answer}: {invalid}"))
            },
            Self::TimedOut { phase, limit } => phase.cause(*limit),
            Self::Fault(fault) => fault.cause(),
            Self::Misdirected { misdirected, status } => {
                Cause { status: Some(*status), ..Cause::new(misdirected) }
            }
            Self::Aborted | Self::Rejected(_) | Self::Params => Cause::of_the_caller(),
            Self::Headers(_) => Cause::new("the headers that auth gave cannot be sent"),
            Self::Auth(_) | Self::CallersOwn => Cause::default(),
        };
        Cause { sent: Some(sent || cause.sent == Some(true)), ..cause }
    }
}

/// Why `params` cannot be sent: `JSON.stringify` threw.
#[must_use]
pub fn unsendable() -> IssueError {
    Failure::Params.into_error(false)
}

/// A fault of our own: a panic, a lost task.
#[must_use]
pub fn internal_error() -> Key0Error {
    Key0Error {
        code: Code::TokenIssueFailed,
        message: "Network error: internal error".into(),
        http_status: 502,
        ..Key0Error::internal("the call ended without a result")
    }
}

const TIMED_OUT: Message = Message::new("Remote token issuance timed out");
/// Draft of the HTTP API working group, as payment gateways have it.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// The SDK's, well within the 15 s that its engine waits.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// For what comes back through JavaScript, its event loop a little busy.
const AFTERWARDS: Duration = Duration::from_millis(50);
/// Beyond it JavaScript's numbers have gaps.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;
const THIRTY_YEARS: Duration = Duration::from_hours(30 * 365 * 24);

#[cfg(test)]
mod tests {
    use std::{
        future::{Pending, pending},
        io,
    };

    use tokio::{net::TcpListener, time::sleep};

    use super::*;
    use crate::{
        auth::client_credentials,
        errand::Errands,
        http::{Resolver, fault::Reason, tls::TlsEnvironment},
        signing_pool::SigningPool,
    };

    fn issuer(timeout_ms: Timeout) -> Result<RemoteTokenIssuer, ArgumentError> {
        RemoteTokenIssuer::new(&Config {
            url: "http://user:p4ssword@h/issue".to_owned(),
            timeout_ms,
            idempotency_key: true,
            tls: None,
        })
    }

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
    fn key0(error: IssueError) -> Key0Error {
        let IssueError::Key0(error) = error else { panic!("no error of ours") };
        error
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

    fn io() -> Io {
        let http = Client::new(TlsEnvironment::default(), Resolver::default());
        Io { http, signing: SigningPool::default(), errands: Errands::default() }
    }

    async fn issued<F: Future<Output = Given> + Send>(
        issuer: RemoteTokenIssuer,
        auth: CallAuth<F>,
    ) -> Key0Error {
        let now = Now { wall_ms: 0.0, mono: Instant::now().into_std() };
        key0(
            issuer
                .issue(Call { body: None, auth, now, courier: None, along: None }, &io())
                .await
                .unwrap_err(),
        )
    }

    async fn with_auth(given: impl Future<Output = Given> + Send) -> Key0Error {
        issued(issuer(Timeout::Number(100.0)).unwrap(), CallAuth::Given(given)).await
    }

    async fn with_given(given: Given) -> Key0Error {
        with_auth(async { given }).await
    }

    #[track_caller]
    fn timed_out(error: &Key0Error) {
        assert_eq!(error.message, "Remote token issuance timed out");
        assert_eq!((error.code, error.http_status), (Code::TokenIssueTimeout, 504));
    }

    fn late(words: &str, sent: bool) -> Cause {
        Cause { code: Some("ETIMEDOUT"), sent: Some(sent), ..Cause::new(words) }
    }

    // A thousand calls under way are a thousand of these.
    #[tokio::test]
    async fn a_call_is_small() {
        let auth = CallAuth::<Pending<Given>>::Strategy(Auth::None);
        let now = Now { wall_ms: 0.0, mono: Instant::now().into_std() };
        let call = issuer(Timeout::Default)
            .unwrap()
            .issue(Call { body: None, auth, now, courier: None, along: None }, &io());
        let size = size_of_val(&call);
        assert!(size <= 3_072, "{size} bytes");
    }

    #[tokio::test(start_paused = true)]
    async fn the_deadline_covers_a_silent_auth() {
        let error = with_auth(pending()).await;
        timed_out(&error);
        assert_eq!(error.cause, Some(late("timed out after 100 ms, waiting for auth", false)));
    }

    /// A server that takes connections and never says a word.
    async fn silent() -> (TcpListener, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        (listener, origin)
    }

    fn issuer_for(origin: &str, timeout_ms: Timeout) -> RemoteTokenIssuer {
        let url = format!("{origin}/issue");
        RemoteTokenIssuer::new(&Config { url, timeout_ms, idempotency_key: false, tls: None })
            .unwrap()
    }

    fn oauth(origin: &str) -> CallAuth<Pending<Given>> {
        CallAuth::Strategy(Auth::ClientCredentials(
            ClientCredentials::new(&client_credentials::Config {
                token_url: format!("{origin}/token"),
                client_id: "id".to_owned(),
                authentication: client_credentials::config::Authentication {
                    client_secret: Some("s3cr3t!".to_owned().into()),
                    ..Default::default()
                },
                ..client_credentials::Config::default()
            })
            .unwrap(),
        ))
    }

    #[tokio::test]
    async fn past_the_deadline_the_cause_names_what_was_waited_for() {
        let (_listener, origin) = silent().await;
        let issuer = || issuer_for(&origin, Timeout::Number(50.0));
        let none = || CallAuth::<Pending<Given>>::Strategy(Auth::None);
        let error = issued(issuer(), none()).await;
        timed_out(&error);
        let words = format!("timed out after 50 ms, waiting for the answer of {origin}");
        assert_eq!(error.cause, Some(late(&words, true)));
        let error = issued(issuer(), oauth(&origin)).await;
        timed_out(&error);
        let words = format!("timed out after 50 ms, waiting for the token of {origin}");
        assert_eq!(error.cause, Some(late(&words, false)));
    }

    // D07
    #[tokio::test(start_paused = true)]
    async fn where_a_token_fetch_ends_in_the_same_moment_its_failure_is_told() {
        let (_listener, origin) = silent().await;
        for timeout_ms in [Timeout::Default, Timeout::Number(10_000.0)] {
            for _ in 0..50 {
                let error = issued(issuer_for(&origin, timeout_ms.clone()), oauth(&origin)).await;
                assert_eq!(error.message, "Failed to authenticate via OAuth: no token within 10 s");
                assert_eq!((error.code, error.http_status), (Code::InternalError, 500));
            }
        }
        timed_out(&issued(issuer_for(&origin, Timeout::Number(9_999.0)), oauth(&origin)).await);
    }

    // D07
    #[tokio::test(start_paused = true)]
    async fn a_token_fetch_that_a_callers_auth_waits_for_is_told_of_in_the_same_way() {
        let (_listener, origin) = silent().await;
        for _ in 0..50 {
            let CallAuth::Strategy(strategy) = oauth(&origin) else { panic!("no strategy") };
            let now = Now { wall_ms: 0.0, mono: Instant::now().into_std() };
            let headers = strategy.headers(now, &io());
            let given = async {
                let message = headers.await.unwrap_err().message.to_string();
                // Through JavaScript and back.
                sleep(Duration::from_millis(5)).await;
                Given::Rejected { name: "Key0Error".to_owned(), message }
            };
            let call =
                Call { body: None, auth: CallAuth::Given(given), now, courier: None, along: None };
            let issued = issuer_for(&origin, Timeout::Default).issue(call, &io()).await;
            assert_eq!(issued, Err(IssueError::CallersOwn));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_come_after_the_deadline_go_nowhere() {
        let (listener, origin) = silent().await;
        let given = async {
            sleep(Duration::from_millis(10_020)).await;
            Given::Headers(Vec::new())
        };
        let error = issued(issuer_for(&origin, Timeout::Default), CallAuth::Given(given)).await;
        timed_out(&error);
        let cause = late("timed out after 10000 ms, waiting for auth", false);
        assert_eq!(error.cause, Some(cause));
        assert!(timeout_at(Instant::now(), listener.accept()).await.is_err());
    }

    #[tokio::test]
    async fn what_auth_rejects_with_decides() {
        let rejected = |name: &str, message: &str| {
            let (name, message) = (name.to_owned(), message.to_owned());
            Given::Rejected { name, message }
        };
        let error = with_given(rejected("AbortError", "")).await;
        timed_out(&error);
        assert_eq!(error.cause, Some(Cause::of_the_caller()));
        let own = async { rejected("Key0Error", "") };
        let now = Now { wall_ms: 0.0, mono: Instant::now().into_std() };
        let call = Call { body: None, auth: CallAuth::Given(own), now, courier: None, along: None };
        let own = issuer(Timeout::Default).unwrap().issue(call, &io()).await;
        assert_eq!(own, Err(IssueError::CallersOwn));
        let error = with_given(rejected("Error", "no vault")).await;
        assert_eq!(error.message, "Network error: no vault");
        assert_eq!(error.cause, Some(Cause::of_the_caller()));
        let error = with_given(rejected("Error", " ")).await;
        assert_eq!(error.message, "Network error: auth failed and did not say why");
    }

    #[tokio::test]
    async fn headers_that_cannot_be_sent_are_named_and_their_values_not_shown() {
        let text = |text: &str| GivenValue::Text(text.to_owned());
        let header = |name: &str, value| Given::Headers(vec![(name.to_owned(), value)]);
        let many = (0..40_000).map(|i| (format!("x-{i}"), text("1"))).collect();
        for (given, problem) in [
            (
                header("X-A", text("canary\nsecret")),
                "the header \"X-A\", which has a line break or another control character inside",
            ),
            (
                header("Bearer canary", text("1")),
                "a header whose name is not a header name (an HTTP token)",
            ),
            (
                header("Bearer canary", GivenValue::Unusable("null")),
                "a header whose name is not a header name (an HTTP token)",
            ),
            (
                header("X-A", GivenValue::Unusable("null")),
                "the header \"X-A\" the value null, which is no string",
            ),
            (Given::Unusable("a string"), "a string instead of headers"),
            (Given::Headers(many), "40000 headers, more than can be sent"),
        ] {
            let error = with_given(given).await;
            assert_eq!(error.message, format!("Network error: auth gave {problem}").as_str());
            let cause = Cause::new("the headers that auth gave cannot be sent");
            assert_eq!(error.cause, Some(Cause { sent: Some(false), ..cause }));
        }
    }

    #[test]
    fn params_that_cannot_be_sent_are_said_so() {
        let error = key0(unsendable());
        assert_eq!(error.message, "Network error: params cannot be sent as JSON");
        assert_eq!(error.cause, Some(Cause::of_the_caller()));
    }
}
