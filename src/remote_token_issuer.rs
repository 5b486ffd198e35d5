//! `createRemoteTokenIssuer`: fetches credentials from the seller's backend, once a payment.

mod exchange;
mod failure;
mod given;
mod renewal;
mod timeout;

use std::{future::Future, io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use tokio::time::{Instant, timeout_at};

use self::{exchange::Issue, failure::Failure, given::lines, renewal::Renewal};
pub use self::{
    failure::{IssueError, internal_error, unsendable},
    given::{Given, GivenValue},
    timeout::Timeout,
};
use crate::{
    auth::{Auth, Headers, Io, client_credentials::LONGEST_FETCH},
    error::ArgumentError,
    http::{
        Client, Endpoint, Fault, Sent,
        along::{Along, What},
        courier::Courier,
        fault::Phase,
        tls::OwnTls,
    },
    now::Now,
};

/// A backend that issues credentials. Clones share its configuration.
#[derive(Clone, Debug)]
pub struct RemoteTokenIssuer(Arc<Settings>);

#[derive(Debug)]
struct Settings {
    endpoint: Endpoint,
    headers: Arc<HeaderMap>,
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
pub enum CallAuth<F> {
    /// From a strategy of this package.
    Strategy(Auth),
    /// From the caller's own function, whose promise is waited for.
    Given(F),
    /// From a strategy that only the caller's side can ask: it is watched, or others send its
    /// requests.
    Asked(F, Auth),
}

/// Headers that are waited for.
enum Awaited<F> {
    Strategy(Headers),
    Given(F),
}

/// A call whose strategy has begun. What waits for it is kilobytes, and made by [`Begun::issue`]
/// alone, where they are needed.
pub struct Begun<F> {
    settings: Arc<Settings>,
    http: Client,
    courier: Option<Courier>,
    headers: Awaited<F>,
    renewal: Option<Box<Renewal>>,
    /// What it waits for until there are headers.
    waits_for: Phase,
    /// And until when, where that does not end by itself.
    until: Option<Instant>,
    body: Option<String>,
    now: Now,
}

impl RemoteTokenIssuer {
    /// Reads the configuration once.
    ///
    /// # Errors
    /// A `TypeError` or `RangeError` that names the field.
    pub fn new(config: &Config) -> Result<Self, ArgumentError> {
        let endpoint = Endpoint::parse("url", &config.url)?.with_tls(config.tls.clone());
        let timeout = config.timeout_ms.duration()?;
        let headers = endpoint.headers("application/json").into();
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

    /// Begins to issue: a strategy starts at once, on the tokio runtime that this is called in.
    pub fn begin<F: Future<Output = Given> + Send>(&self, call: Call<F>, io: &Io) -> Begun<F> {
        let Call { body, auth, now, courier, along } = call;
        let waits_for = match &auth {
            CallAuth::Strategy(auth) => auth.token_origin().map_or(Phase::Auth, Phase::Token),
            CallAuth::Given(_) | CallAuth::Asked(..) => Phase::Auth,
        };
        let until = self.headers_until(&auth, now);
        let (headers, renewal) = match auth {
            CallAuth::Strategy(auth) => {
                let headers = auth.headers(now, io);
                (Awaited::Strategy(headers), Renewal::of(auth, now, io, false))
            }
            CallAuth::Given(given) => (Awaited::Given(given), None),
            CallAuth::Asked(given, auth) => {
                (Awaited::Given(given), Renewal::of(auth, now, io, true))
            }
        };
        let http = io.http.for_call(courier.clone(), along);
        let settings = self.0.clone();
        Begun { settings, http, courier, headers, renewal, waits_for, until, body, now }
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
            CallAuth::Given(_) | CallAuth::Asked(..) => Some(deadline(now, timeout + AFTERWARDS)),
        }
    }
}

impl<F: Future<Output = Given> + Send> Begun<F> {
    /// Issues: the JSON text of `{ token, tokenType }`. One deadline covers everything, auth
    /// included.
    ///
    /// # Errors
    /// As the contract's table has it.
    pub async fn issue(self) -> Result<String, IssueError> {
        let Self { settings, http, courier, headers, renewal, waits_for, until, body, now } = self;
        let (limit, deadline) = (settings.timeout, deadline(now, settings.timeout));
        let sent = Sent::default();
        let lines = async {
            match headers {
                Awaited::Strategy(headers) => headers.await.map_err(Failure::Auth),
                Awaited::Given(given) => lines(given.await, &settings),
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
            http.note(settings.endpoint.target().origin(), What::Rejected);
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

fn deadline(now: Now, timeout: Duration) -> Instant {
    let begun = Instant::from_std(now.mono);
    // Past the clock's range: thirty years are long enough.
    begun.checked_add(timeout).unwrap_or_else(|| begun + THIRTY_YEARS)
}

/// For what comes back through JavaScript, its event loop a little busy.
const AFTERWARDS: Duration = Duration::from_millis(50);
const THIRTY_YEARS: Duration = Duration::from_hours(30 * 365 * 24);

#[cfg(test)]
mod tests {
    use std::future::{Pending, pending};

    use tokio::{net::TcpListener, time::sleep};

    use super::*;
    use crate::{
        auth::{ClientCredentials, client_credentials},
        errand::Errands,
        error::{Cause, Code, Key0Error},
        http::{Resolver, tls::TlsEnvironment},
        signing_pool::SigningPool,
    };

    pub(super) fn issuer(timeout_ms: Timeout) -> Result<RemoteTokenIssuer, ArgumentError> {
        RemoteTokenIssuer::new(&Config {
            url: "http://user:p4ssword@h/issue".to_owned(),
            timeout_ms,
            idempotency_key: true,
            tls: None,
        })
    }

    #[track_caller]
    pub(super) fn key0(error: IssueError) -> Key0Error {
        let IssueError::Key0(error) = error else { panic!("no error of ours") };
        error
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
                .begin(Call { body: None, auth, now, courier: None, along: None }, &io())
                .issue()
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

    // What one thread gives another, and what a thousand calls under way have a thousand times.
    #[tokio::test]
    async fn a_call_is_small() {
        let auth = CallAuth::<Pending<Given>>::Strategy(Auth::None);
        let now = Now { wall_ms: 0.0, mono: Instant::now().into_std() };
        let begun = issuer(Timeout::Default)
            .unwrap()
            .begin(Call { body: None, auth, now, courier: None, along: None }, &io());
        let sizes = (size_of_val(&begun), size_of_val(&begun.issue()));
        assert!(sizes.0 <= 256 && sizes.1 <= 2_816, "{sizes:?} bytes");
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
        let issuer = || issuer_for(&origin, Timeout::Number(500.0));
        let none = || CallAuth::<Pending<Given>>::Strategy(Auth::None);
        let error = issued(issuer(), none()).await;
        timed_out(&error);
        let words = format!("timed out after 500 ms, waiting for the answer of {origin}");
        assert_eq!(error.cause, Some(late(&words, true)));
        let error = issued(issuer(), oauth(&origin)).await;
        timed_out(&error);
        let words = format!("timed out after 500 ms, waiting for the token of {origin}");
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
            let issued = issuer_for(&origin, Timeout::Default).begin(call, &io()).issue().await;
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
        let own = issuer(Timeout::Default).unwrap().begin(call, &io()).issue().await;
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
}
