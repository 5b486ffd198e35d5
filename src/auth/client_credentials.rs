//! `oauthClientCredentialsAuth`: the client credentials grant (RFC 6749 §4.4).

use std::{fmt, future::Future, sync::Arc, time::Duration};

use http::Method;
use tokio::time::timeout;
use url::form_urlencoded::Serializer;

use crate::{
    error::{ArgumentError, Cause, Code, Key0Error},
    fault_injection,
    http::{
        Client, Endpoint, Exchange, Fault, Reply, Request, Step,
        client::Sent,
        fault::Stage,
        headers,
        redirects::{Misdirected, Redirects},
    },
    json,
    now::Now,
    redact::{Excerpt, Redactor},
    secret::Secret,
    token_cache::{AccessToken, Failed, Found, Ticket, TokenCache},
};

/// A client of an OAuth 2.0 server, and its token.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    grant: Arc<Grant>,
    cache: TokenCache<Failure>,
}

/// What every token request is made of.
struct Grant {
    endpoint: Endpoint,
    /// The form, client secret included.
    body: Secret,
    redactor: Redactor,
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
        let body = Secret::from(form(config));
        let mut redactor = Redactor::default();
        redactor.hide_pair(client_id, client_secret);
        endpoint.hide_in(&mut redactor);
        let ends_in_line_break =
            [("clientSecret", client_secret.expose()), ("clientId", client_id.as_str())]
                .into_iter()
                .find_map(|(field, value)| value.ends_with(['\r', '\n']).then_some(field));
        let grant = Grant { endpoint, body, redactor, ends_in_line_break };
        Ok(Self { grant: Arc::new(grant), cache: TokenCache::default() })
    }

    /// True where calls need the environment's TLS settings.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.grant.endpoint.url().scheme() == "https"
    }

    /// `Bearer …`, where a token is at hand.
    #[must_use]
    pub fn peek(&self, now: Now) -> Option<Secret> {
        self.cache.peek(now).map(|token| bearer(&token))
    }

    /// `Bearer …`, fetched where there is no token; all who wait share one request.
    ///
    /// The fetch begins at once, on the tokio runtime that this is called in, and no caller's
    /// leaving ends it: what is given back only waits.
    ///
    /// # Errors
    /// `INTERNAL_ERROR` 500.
    pub fn token(
        &self,
        now: Now,
        client: &Client,
    ) -> impl Future<Output = Result<Secret, Key0Error>> + Send + use<> {
        let found = match self.cache.find(now) {
            Found::Fresh(token) => Ok(token),
            Found::UnderWay(waiter) => Err(waiter),
            Found::Missing(ticket, waiter) => {
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
                Ok(token) => Ok(bearer(&token)),
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
    let result = timeout(DEADLINE, client.drive(&mut exchange, &sent)).await;
    fault_injection::point("token fetch");
    ticket.finish(result.unwrap_or_else(|_| Err(Failure::TimedOut { sent: sent.get() })));
}

fn bearer(token: &AccessToken) -> Secret {
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
        let Grant { redactor, ends_in_line_break, .. } = &*self.grant;
        if !reply.is_success() {
            return Err(Failure::Refused {
                status: reply.status,
                body: redactor.excerpt(&reply.text, reply.broken.is_some()),
                hint: ends_in_line_break.filter(|_| (400..500).contains(&reply.status)),
            });
        }
        if let Some(fault) = &reply.broken {
            return Err(Failure::Fault(fault.clone().scrubbed(redactor)));
        }
        let members = ["access_token", "expires_in", "error", "error_description"];
        let origin = || crate::http::origin(&self.redirects.request().url);
        let members = json::pick(&reply.text, members)
            .map_err(|invalid| Failure::NotJson { origin: origin(), invalid })?;
        let [token, lifetime, error, description] = members.unwrap_or_default();
        let token = token.and_then(json::Value::as_string).map(Secret::from);
        let token = token.filter(|token| !token.expose().is_empty());
        let Some((token, lifetime)) = token.zip(lifetime.and_then(json::Value::as_number)) else {
            let quoted = |value: Option<json::Value<'_>>| {
                redactor.excerpt(&value.and_then(json::Value::as_string).unwrap_or_default(), false)
            };
            return Err(Failure::Incomplete {
                error: quoted(error),
                description: quoted(description),
                hint: ends_in_line_break.filter(|_| error.is_some()),
            });
        };
        match headers::value(token.expose()) {
            Ok(value) if !value.is_empty() => Ok(AccessToken::new(token, self.obtained, lifetime)),
            Ok(_) => Err(Failure::UnusableToken("is blank")),
            Err(problem) => Err(Failure::UnusableToken(problem)),
        }
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
            Err(fault) => {
                return Step::Done(Err(Failure::Fault(fault.scrubbed(&self.grant.redactor))));
            }
        };
        match self.redirects.follow(&reply, &self.grant.redactor) {
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
            url: self.endpoint.url().clone(),
            headers: self.endpoint.headers("application/x-www-form-urlencoded"),
            body: self.body.bytes(),
        }
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
        status: u16,
        /// With this body.
        body: Excerpt,
        /// The field that ends in a line break.
        hint: Option<&'static str>,
    },
    /// A 2xx that is no JSON.
    NotJson {
        /// Whose.
        origin: String,
        /// Where it stops being JSON.
        invalid: json::Invalid,
    },
    /// A 2xx without token or lifetime.
    Incomplete {
        /// The server's `error` (RFC 6749 §5.2), empty for none.
        error: Excerpt,
        /// The server's `error_description`, empty for none.
        description: Excerpt,
        /// The field that ends in a line break.
        hint: Option<&'static str>,
    },
    /// A token that no header can hold.
    UnusableToken(&'static str),
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
        /// Whether bytes went out.
        sent: bool,
    },
    /// The fetch ended without a result.
    Vanished,
}

impl Failure {
    fn error(&self) -> Key0Error {
        Key0Error {
            code: Code::InternalError,
            message: format!("Failed to authenticate via OAuth: {self}"),
            http_status: 500,
            cause: Some(self.cause()),
        }
    }

    fn cause(&self) -> Cause {
        let (status, sent) = match self {
            Self::Fault(fault) => return fault.cause(),
            Self::Refused { status, .. } | Self::Misdirected { status, .. } => {
                (Some(*status), true)
            }
            Self::TimedOut { sent } => {
                let code = Some("ETIMEDOUT");
                return Cause { message: self.to_string(), code, status: None, sent: Some(*sent) };
            }
            Self::Vanished => {
                return Cause { message: format!("internal: {self}"), ..Cause::default() };
            }
            Self::NotJson { .. } | Self::Incomplete { .. } | Self::UnusableToken(_) => (None, true),
        };
        Cause { message: self.to_string(), code: None, status, sent: Some(sent) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = match self {
            Self::Refused { status, body, hint } => {
                write!(f, "OAuth token request failed: {status}")?;
                if !body.is_empty() {
                    write!(f, " {body}")?;
                }
                hint
            }
            Self::Incomplete { error, description, hint } => {
                f.write_str("Invalid OAuth response: missing access_token or expires_in")?;
                match (error.is_empty(), description.is_empty()) {
                    (true, true) => {}
                    (false, true) => write!(f, " ({error})")?,
                    (true, false) => write!(f, " ({description})")?,
                    (false, false) => write!(f, " ({error}: {description})")?,
                }
                hint
            }
            Self::NotJson { origin, invalid } => {
                return write!(f, "the answer of {origin} is not JSON: {invalid}");
            }
            Self::UnusableToken(problem) => {
                return write!(f, "Invalid OAuth response: access_token {problem}");
            }
            Self::Fault(fault) => return fault.fmt(f),
            Self::Misdirected { misdirected, .. } => return misdirected.fmt(f),
            Self::TimedOut { .. } => {
                return write!(f, "no token after {} s", DEADLINE.as_secs());
            }
            Self::Vanished => return f.write_str("the token request ended without a result"),
        };
        match hint {
            Some(field) => write!(f, " ({field} ends in a line break)"),
            None => Ok(()),
        }
    }
}

/// For the whole exchange, the body included; the SDK's.
const DEADLINE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

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
        let now = Now { wall_ms: 0.0, mono: Instant::now() };
        TokenRequest::new(strategy(client_secret).grant, now)
    }

    /// What a token request ends with whose one answer is this.
    fn answered(client_secret: &str, status: u16, text: &str) -> Result<AccessToken, String> {
        let reply = Reply { status, text: text.to_owned(), ..Reply::default() };
        match exchange(client_secret).answered(Ok(reply)) {
            Step::Done(result) => result.map_err(|failure| failure.error().message),
            Step::Send(_) => panic!("it goes on"),
        }
    }

    #[track_caller]
    fn fails(status: u16, text: &str, sentence: &str) {
        let message = answered("s3cr3t!", status, text).unwrap_err();
        assert_eq!(message, format!("Failed to authenticate via OAuth: {sentence}"));
    }

    fn lost(stage: Stage) -> Result<Reply, Fault> {
        let (origin, reason) = ("http://h".to_owned(), "gone".to_owned());
        Err(Fault { stage, origin, reason, code: Some("ECONNRESET"), sent: true })
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
            let token = answered("s3cr3t!", 200, &text).unwrap();
            assert_eq!(token.token().expose(), "t", "{lifetime}");
        }
    }

    #[test]
    fn a_missing_field_is_said_so_with_the_servers_own_words() {
        let sentence = "Invalid OAuth response: missing access_token or expires_in";
        for text in [
            "null",
            r#"{"access_token":"t"}"#,
            r#"{"access_token":"","expires_in":1}"#,
            r#"{"access_token":"t","expires_in":"3600"}"#,
        ] {
            fails(200, text, sentence);
        }
        let text = r#"{"error":"invalid_client","error_description":"not s3cr3t!"}"#;
        fails(200, text, &format!("{sentence} (invalid_client: not [redacted])"));
    }

    #[test]
    fn a_token_that_no_header_can_hold_is_not_shown() {
        let problem = "has a line break or another control character inside";
        let text = r#"{"access_token":"a\nb","expires_in":60}"#;
        fails(200, text, &format!("Invalid OAuth response: access_token {problem}"));
    }

    // B32
    #[test]
    fn a_refused_client_whose_secret_ends_in_a_line_break_is_told() {
        let message = answered("s3cr3t!\n", 401, "invalid_client").unwrap_err();
        let sentence = "OAuth token request failed: 401 invalid_client \
            (clientSecret ends in a line break)";
        assert_eq!(message, format!("Failed to authenticate via OAuth: {sentence}"));
        fails(401, "", "OAuth token request failed: 401");
    }

    #[test]
    fn a_request_lost_before_its_answer_is_sent_once_more_and_not_again() {
        let mut exchange = exchange("s3cr3t!");
        let first = exchange.begin();
        let Step::Send(second) = exchange.answered(lost(Stage::Awaiting)) else {
            panic!("it is not sent again")
        };
        assert_eq!((&second.url, &second.body), (&first.url, &first.body));
        assert!(matches!(exchange.answered(lost(Stage::Awaiting)), Step::Done(Err(_))));
    }

    #[test]
    fn a_request_that_found_no_server_or_whose_answer_broke_is_not_sent_again() {
        for stage in [Stage::Connecting, Stage::Reading] {
            assert!(matches!(exchange("s3cr3t!").answered(lost(stage)), Step::Done(Err(_))));
        }
    }
}
