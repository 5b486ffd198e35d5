//! `oauthClientCredentialsAuth`: the client credentials grant (RFC 6749 §4.4).

use std::{fmt, future::Future, io, sync::Arc, time::Duration};

use http::Method;
use tokio::time::{Instant, timeout_at};
use url::form_urlencoded::Serializer;

use crate::{
    error::{ArgumentError, Cause, Code, Key0Error},
    fault_injection,
    http::{
        Client, Endpoint, Exchange, Fault, Reply, Request, Sent, Step,
        fault::{Phase, Stage},
        headers,
        redirects::{Misdirected, Redirects},
        reply::Described,
    },
    json,
    message::Message,
    now::Now,
    redact::{Excerpt, Redactor},
    secret::Secret,
    token_cache::{AccessToken, Cached, Failed, Ticket, TokenCache},
};

/// A client of an OAuth 2.0 server, and its token.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    grant: Arc<Grant>,
    /// Of servers that were verified.
    verified: TokenCache<Failure>,
    /// Of those that were not: no verified call gets a token that anybody may have given.
    unverified: TokenCache<Failure>,
}

/// What every token request is made of.
struct Grant {
    endpoint: Endpoint,
    /// The form, client secret included.
    body: Secret,
    client_id: String,
    client_secret: Secret,
    /// The field that ends in a line break, as secret files do.
    ends_in_line_break: Option<&'static str>,
}

/// What JavaScript configures. Without `Debug`: a URL may have a password.
#[derive(Clone)]
pub struct Config {
    /// The token endpoint.
    pub token_url: String,
    /// Sent byte for byte.
    pub client_id: String,
    /// Sent byte for byte.
    pub client_secret: Secret,
    /// Joined by a space; left out when empty.
    pub scopes: Vec<String>,
    /// Left out when empty.
    pub audience: Option<String>,
}

impl ClientCredentials {
    /// Reads the configuration once.
    ///
    /// # Errors
    /// A `TypeError` that names the field.
    pub fn new(config: &Config) -> Result<Self, ArgumentError> {
        let endpoint = Endpoint::parse("tokenUrl", &config.token_url)?;
        let Config { client_id, client_secret, .. } = config;
        for (field, value) in
            [("clientId", client_id.as_str()), ("clientSecret", client_secret.expose())]
        {
            if value.is_empty() {
                return Err(ArgumentError::of_type(field, "must be a non-empty string"));
            }
        }
        let ends_in_line_break =
            [("clientSecret", client_secret.expose()), ("clientId", client_id.as_str())]
                .into_iter()
                .find_map(|(field, value)| value.ends_with(['\r', '\n']).then_some(field));
        let body = Secret::from(form(config));
        let (client_id, client_secret) = (client_id.clone(), client_secret.clone());
        let grant = Grant { endpoint, body, client_id, client_secret, ends_in_line_break };
        let (verified, unverified) = Default::default();
        Ok(Self { grant: Arc::new(grant), verified, unverified })
    }

    /// Whether its requests go over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.grant.endpoint.target().is_https()
    }

    /// The token endpoint's scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> String {
        self.grant.endpoint.target().origin().to_string()
    }

    /// `Bearer …`, where a token is at hand, for a call that verifies servers or does not.
    #[must_use]
    pub fn peek(&self, now: Now, verifies: bool) -> Option<Secret> {
        self.cache(verifies).peek(now).map(|token| authorization(&token))
    }

    /// Why a call cannot even begin: the system has no thread or descriptor for it.
    #[must_use]
    pub fn refused(&self, error: &io::Error) -> Key0Error {
        Failure::Fault(Fault::connecting(error, self.grant.endpoint.target().origin(), false))
            .error()
    }

    fn cache(&self, verifies: bool) -> &TokenCache<Failure> {
        if verifies { &self.verified } else { &self.unverified }
    }

    /// `Bearer …`, fetched where there is no token; all who wait share one request.
    ///
    /// The fetch begins at once, on the tokio runtime that this is called in, and no caller's
    /// leaving ends it: the future only waits.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` 500.
    pub fn token(
        &self,
        now: Now,
        client: &Client,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        let found = match self.cache(client.environment().verifies()).find(now) {
            Cached::Fresh(token) => Ok(token),
            Cached::UnderWay(waiter) => Err(waiter),
            Cached::Missing(ticket, waiter) => {
                tokio::spawn(load(ticket, self.grant.clone(), now, client.clone()));
                Err(waiter)
            }
        };
        async {
            let waited = match found {
                Ok(token) => Ok(token),
                Err(waiter) => waiter.wait().await,
            };
            match waited {
                Ok(token) => Ok(authorization(&token)),
                Err(Failed::Load(failure)) => Err(failure.error()),
                Err(Failed::Vanished) => Err(Failure::Vanished.error()),
            }
        }
    }
}

/// The form, as `URLSearchParams` serializes it.
fn form(config: &Config) -> String {
    let Config { client_id, client_secret, scopes, audience, .. } = config;
    let (client_secret, scope) = (client_secret.expose(), scopes.join(" "));
    let audience = audience.as_deref().unwrap_or_default();
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", client_id),
        ("client_secret", client_secret),
        ("scope", &scope),
        ("audience", audience),
    ];
    // Reserved whole, three bytes for one: what a growing `String` leaves behind is not zeroed.
    let room = fields.iter().map(|(name, value)| name.len() + 3 * value.len() + 2).sum();
    let mut form = Serializer::new(String::with_capacity(room));
    form.extend_pairs(fields.into_iter().filter(|(_, value)| !value.is_empty()));
    form.finish()
}

async fn load(ticket: Ticket<Failure>, grant: Arc<Grant>, now: Now, client: Client) {
    let sent = Sent::default();
    let mut exchange = TokenRequest::new(grant, now);
    // Counted from the call, as its issuer's own time is.
    let deadline = Instant::from_std(now.mono) + LONGEST_FETCH;
    let result = timeout_at(deadline, client.drive(&mut exchange, &sent)).await;
    fault_injection::point("token fetch");
    ticket.finish(result.unwrap_or_else(|_| {
        let origin = exchange.redirects.request().target.origin().to_string();
        let phase = Phase::at(origin, sent.is_under_way());
        Err(Failure::TimedOut { phase, sent: sent.get() })
    }));
}

fn authorization(token: &AccessToken) -> Secret {
    format!("Bearer {}", token.token().expose()).into()
}

/// One token request, its redirects, and its one repetition.
pub struct TokenRequest {
    grant: Arc<Grant>,
    obtained: Now,
    redirects: Redirects,
    repeated: bool,
}

impl TokenRequest {
    fn new(grant: Arc<Grant>, obtained: Now) -> Self {
        let redirects = Redirects::new(grant.request());
        Self { grant, obtained, redirects, repeated: false }
    }

    fn read(&self, reply: &Reply) -> Result<AccessToken, Failure> {
        let hint = self.grant.ends_in_line_break;
        if !reply.is_success() {
            let body = self.redactor(reply).excerpt(&reply.text, true);
            let hint = hint.filter(|_| (400..500).contains(&reply.status));
            let refusal = Box::new(self.refusal(reply));
            return Err(Failure::Refused { refusal, body, hint });
        }
        if let Some(fault) = &reply.broken {
            return Err(Failure::Fault(fault.clone()));
        }
        let members = json::pick(&reply.text, ["access_token", "expires_in"])
            .map_err(|invalid| Failure::NotJson { answer: self.described(reply), invalid })?;
        let [token, lifetime] = members.unwrap_or_default();
        let token = token.and_then(json::Value::as_string).map(Secret::from);
        let token = token.filter(|token| !token.expose().is_empty());
        let Some((token, lifetime)) = token.zip(lifetime.and_then(json::Value::as_number)) else {
            let refusal = Box::new(self.refusal(reply));
            let hint = hint.filter(|_| refusal.error.is_some());
            return Err(Failure::Incomplete { refusal, hint });
        };
        match headers::value(token.expose()) {
            Ok(value) if !value.is_empty() => {
                return Ok(AccessToken::new(token, self.obtained, lifetime));
            }
            Ok(_) => Err("is blank"),
            Err(problem) => Err(problem),
        }
        .map_err(|problem| Failure::UnusableToken { answer: self.described(reply), problem })
    }

    /// What the server says of itself (RFC 6749 §5.2), whatever its status.
    fn refusal(&self, reply: &Reply) -> Refusal {
        let members = json::pick(&reply.text, ["error", "error_description"]);
        let text =
            |member: Option<json::Value<'_>>| member?.as_string().filter(|it| !it.is_empty());
        let [error, description] = members.ok().flatten().unwrap_or_default().map(text);
        let redactor = self.redactor(reply);
        let quoted = |text: String| redactor.excerpt(&text, false);
        Refusal {
            answer: self.described(reply),
            code: error.as_deref().and_then(registered),
            error: error.map(quoted),
            description: description.map(quoted),
        }
    }

    fn described(&self, reply: &Reply) -> Described {
        reply.described(self.redirects.request().target.origin().to_string(), &self.redactor(reply))
    }

    /// The grant's, which also knows what token `reply` has.
    fn redactor(&self, reply: &Reply) -> Redactor {
        let mut redactor = self.grant.redactor();
        if let Ok(Some([Some(token)])) = json::pick(&reply.text, ["access_token"])
            && let Some(token) = token.as_string().map(Secret::from)
        {
            redactor.hide(&token);
        }
        redactor
    }
}

impl Exchange for TokenRequest {
    type Output = Result<AccessToken, Failure>;

    fn begin(&mut self) -> Request {
        self.redirects.request().clone()
    }

    fn answered(&mut self, answer: Result<Reply, Fault>) -> Step<Self::Output> {
        let reply = match answer {
            Ok(reply) => reply,
            // A second token harms nobody, and the server may have closed an idle connection
            // just as the request left.
            Err(fault) if fault.stage == Stage::Awaiting && !self.repeated => {
                self.repeated = true;
                return Step::Send(Box::new(self.redirects.request().clone()));
            }
            Err(fault) => return Step::Done(Err(Failure::Fault(fault))),
        };
        match self.redirects.follow(&reply, || self.grant.redactor()) {
            Ok(Some(request)) => Step::Send(Box::new(request)),
            Ok(None) => Step::Done(self.read(&reply)),
            Err(misdirected) => {
                Step::Done(Err(Failure::Misdirected { misdirected, status: reply.status }))
            }
        }
    }
}

impl Grant {
    fn request(&self) -> Request {
        Request {
            method: Method::POST,
            target: self.endpoint.target().clone(),
            headers: self.endpoint.headers("application/x-www-form-urlencoded"),
            body: self.body.bytes(),
        }
    }

    /// A redactor that knows the request's secrets. It is made only where something is quoted.
    fn redactor(&self) -> Redactor {
        let mut redactor = Redactor::default();
        redactor.hide_pair(&self.client_id, &self.client_secret);
        self.endpoint.hide_in(&mut redactor);
        redactor
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// Why there is no token.
#[derive(Debug)]
pub enum Failure {
    /// The server answered, but no 2xx.
    Refused {
        /// What it answered.
        refusal: Box<Refusal>,
        /// With this body.
        body: Excerpt,
        /// The field that ends in a line break.
        hint: Option<&'static str>,
    },
    /// A 2xx that is no JSON.
    NotJson {
        /// Which.
        answer: Described,
        /// Where it stops being JSON.
        invalid: json::Invalid,
    },
    /// A 2xx without token or lifetime.
    Incomplete {
        /// Which.
        refusal: Box<Refusal>,
        /// The field that ends in a line break.
        hint: Option<&'static str>,
    },
    /// A token that no header can hold.
    UnusableToken {
        /// Whose.
        answer: Described,
        /// In words that continue "the token …".
        problem: &'static str,
    },
    /// No answer, or not the whole of it.
    Fault(Fault),
    /// Sent elsewhere.
    Misdirected {
        /// Where.
        misdirected: Misdirected,
        /// The status that said so.
        status: u16,
    },
    /// Past the deadline.
    TimedOut {
        /// What it was at.
        phase: Phase,
        /// Whether bytes went out.
        sent: bool,
    },
    /// The fetch ended without a result.
    Vanished,
}

/// What a token server says where it gives no token.
#[derive(Debug)]
pub struct Refusal {
    answer: Described,
    /// Its `error`, where that is registered.
    code: Option<&'static str>,
    error: Option<Excerpt>,
    description: Option<Excerpt>,
}

/// For the seller.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.answer.fmt(f)?;
        for words in [&self.error, &self.description].into_iter().flatten() {
            write!(f, ": {words}")?;
        }
        Ok(())
    }
}

impl Failure {
    fn error(&self) -> Key0Error {
        Key0Error {
            code: Code::InternalError,
            message: Message::new("Failed to authenticate via OAuth: ").with(self.message()),
            http_status: 500,
            cause: Some(self.cause()),
        }
    }

    /// For the buyer.
    fn message(&self) -> Message {
        let (message, hint) = match self {
            Self::Refused { refusal, hint, .. } => {
                let status = refusal.answer.status;
                let message = Message::new("OAuth token request failed: ").with(status);
                let message = match refusal.code {
                    Some(code) => message.with(" ").with(code),
                    None => message,
                };
                (message, hint)
            }
            Self::Incomplete { refusal, hint } => {
                let message = INCOMPLETE;
                let message = match refusal.code {
                    Some(code) => message.with(" (").with(code).with(")"),
                    None => message,
                };
                (message, hint)
            }
            Self::NotJson { .. } => return "the answer is not JSON".into(),
            Self::UnusableToken { problem, .. } => {
                return Message::new("Invalid OAuth response: access_token ").with(*problem);
            }
            Self::Fault(fault) => return fault.message(),
            Self::Misdirected { misdirected, .. } => return misdirected.message(),
            Self::TimedOut { .. } => return "no token within 10 s".into(),
            Self::Vanished => return "the token request ended without a result".into(),
        };
        match hint {
            Some(field) => message.with(" (").with(*field).with(" ends in a line break)"),
            None => message,
        }
    }

    /// For the seller.
    fn cause(&self) -> Cause {
        let of = |answer: &Described, cause: Cause| Cause {
            status: Some(answer.status),
            sent: Some(true),
            ..cause
        };
        match self {
            Self::Refused { refusal, body, .. } => {
                of(&refusal.answer, Cause::new(refusal).quoting(body.clone()))
            }
            Self::Incomplete { refusal, .. } => of(&refusal.answer, Cause::new(refusal)),
            Self::NotJson { answer, invalid } => {
                of(answer, Cause::new(format_args!("{answer}: {invalid}")))
            }
            Self::UnusableToken { answer, problem } => {
                of(answer, Cause::new(format_args!("{answer}: its access_token {problem}")))
            }
            Self::Fault(fault) => fault.cause(),
            Self::Misdirected { misdirected, status } => {
                Cause { status: Some(*status), sent: Some(true), ..Cause::new(misdirected) }
            }
            Self::TimedOut { phase, sent } => {
                Cause { sent: Some(*sent), ..phase.cause(LONGEST_FETCH) }
            }
            Self::Vanished => Cause::new("internal: the task that fetched it is gone"),
        }
    }
}

/// `error`, where it is a code of the OAuth registry that a token endpoint or a resource answers:
/// a list, since any other text is the server's own.
fn registered(error: &str) -> Option<&'static str> {
    REGISTERED.into_iter().find(|known| *known == error)
}

const INCOMPLETE: Message =
    Message::new("Invalid OAuth response: missing access_token or expires_in");

/// Of RFC 6749 (§4.1.2.1, §5.2), 6750 (§3.1), 8628 (§3.5), 8707 (§2) and 9449 (§5, §8).
const REGISTERED: [&str; 18] = [
    "access_denied",
    "authorization_pending",
    "expired_token",
    "insufficient_scope",
    "invalid_client",
    "invalid_dpop_proof",
    "invalid_grant",
    "invalid_request",
    "invalid_scope",
    "invalid_target",
    "invalid_token",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_response_type",
    "use_dpop_nonce",
];

/// For the whole exchange, the body included; the SDK's.
pub const LONGEST_FETCH: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fault::Reason;

    fn strategy(client_secret: &str) -> ClientCredentials {
        ClientCredentials::new(&Config {
            token_url: "http://h/token".to_owned(),
            client_id: "an id".to_owned(),
            client_secret: client_secret.to_owned().into(),
            scopes: vec!["a".to_owned(), "b c".to_owned()],
            audience: Some(String::new()),
        })
        .unwrap()
    }

    fn exchange(client_secret: &str) -> TokenRequest {
        let now = Now { wall_ms: 0.0, mono: std::time::Instant::now() };
        TokenRequest::new(strategy(client_secret).grant, now)
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
        let config = Config {
            token_url: "http://h/token".to_owned(),
            client_id: "密".repeat(100),
            client_secret: "&".repeat(10_000).into(),
            scopes: vec!["&".repeat(5000); 2],
            audience: Some("é".repeat(100)),
        };
        let sizes = ["grant_type", "client_id", "client_secret", "scope", "audience"].map(str::len);
        let values = 18 + 300 + 10_000 + 10_001 + 200;
        let reserved = sizes.iter().sum::<usize>() + 3 * values + 2 * sizes.len();
        assert_eq!(form(&config).capacity(), reserved);
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
        for text in [
            "null",
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"","expires_in":1}"#,
            r#"{"access_token":"t","expires_in":"3600"}"#,
        ] {
            let cause = answer(200, &format!("{} bytes)", text.len()));
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
        for other in ["", "invalid", "Invalid_client", "invalid_client ", "unsupported_token_type"]
        {
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
}
