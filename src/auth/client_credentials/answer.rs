//! What a token server's answer says.

use super::{
    config::Dialect,
    failure::{Failure, Lack, Refusal, registered},
    request::TokenRequest,
};
use crate::{
    http::{Reply, headers, reply::Described},
    json,
    redact::Redactor,
    secret::Secret,
    token_cache::AccessToken,
};

impl TokenRequest {
    pub fn read(&self, reply: &Reply) -> Result<AccessToken, Failure> {
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
        let members = json::pick(&reply.text, ["access_token", "expires_in", "token_type"])
            .map_err(|invalid| Failure::NotJson { answer: self.described(reply), invalid })?;
        let dialect = &self.grant.dialect;
        let [token, lifetime, token_type] = members.unwrap_or_default();
        let text = token.and_then(json::Value::as_string).map(Secret::from);
        let text = text.filter(|text| !text.expose().is_empty());
        let lack = match &text {
            None => lack("access_token", "a non-empty string", token),
            Some(_) => lack("expires_in", "a number", lifetime),
        };
        let Some((token, lifetime)) = text.zip(dialect.lifetime(lifetime)) else {
            let refusal = Box::new(self.refusal(reply));
            let hint = hint.filter(|_| refusal.error.is_some());
            return Err(Failure::Incomplete { refusal, lack, hint });
        };
        let problem = match headers::value(token.expose()) {
            Ok(value) if !value.is_empty() => None,
            Ok(_) => Some("is blank"),
            Err(problem) => Some(problem),
        };
        if let Some(problem) = problem {
            return Err(Failure::UnusableToken { answer: self.described(reply), problem });
        }
        if let Some(said) = dialect.other_than_bearer(token_type) {
            let said = self.redactor(reply).excerpt(&said, false);
            return Err(Failure::NotBearer { answer: self.described(reply), said });
        }
        let token = AccessToken::new(token, self.obtained, lifetime);
        Ok(match dialect.buffer(lifetime) {
            Some(seconds) => token.buffered(seconds),
            None => token,
        })
    }

    /// What the server says of itself (RFC 6749 §5.2), whatever its status.
    fn refusal(&self, reply: &Reply) -> Refusal {
        let members = json::pick(&reply.text, ["error", "error_description", "error_uri"]);
        let text =
            |member: Option<json::Value<'_>>| member?.as_string().filter(|it| !it.is_empty());
        let [error, description, uri] = members.ok().flatten().unwrap_or_default().map(text);
        let redactor = self.redactor(reply);
        let quoted = |text: String| redactor.excerpt(&text, false);
        Refusal {
            answer: self.described(reply),
            code: error.as_deref().and_then(registered),
            error: error.map(quoted),
            description: description.map(quoted),
            uri: uri.map(quoted),
            retry_after: reply.retry_after.clone(),
        }
    }

    fn described(&self, reply: &Reply) -> Described {
        reply.described(self.redirects.request().target.origin().to_string(), &self.redactor(reply))
    }

    /// The request's, which also knows what token `reply` has.
    fn redactor(&self, reply: &Reply) -> Redactor {
        let mut redactor = self.grant.redactor(self.assertion.as_ref());
        if let Ok(Some([Some(token)])) = json::pick(&reply.text, ["access_token"])
            && let Some(token) = token.as_string().map(Secret::from)
        {
            redactor.hide(&token);
        }
        redactor
    }
}

/// What is said where this value of that field cannot be used.
fn lack(field: &'static str, wanted: &'static str, value: Option<json::Value<'_>>) -> Lack {
    let found = value.map(|value| match value.text() {
        "\"\"" => "an empty one",
        _ => value.kind(),
    });
    Lack { field, wanted, found }
}

impl Dialect {
    /// In seconds: a JSON number; where there is a default, a numeric string too, or that.
    fn lifetime(&self, expires_in: Option<json::Value<'_>>) -> Option<f64> {
        let said = expires_in.and_then(json::Value::as_number);
        said.or_else(|| {
            let default = self.default_lifetime?;
            let text = expires_in.and_then(json::Value::as_string);
            // A number as JSON has it: "inf" and "Infinity" are no lifetime.
            let is_number = |text: &str| {
                text.trim_start_matches(['+', '-']).starts_with(|c: char| c.is_ascii_digit())
            };
            let text = text.as_deref().map(str::trim).filter(|text| is_number(text));
            Some(text.and_then(|text| text.parse().ok()).unwrap_or(default))
        })
    }

    /// How long before its end a token that lives so long is no longer used, where that is an
    /// option.
    pub(super) fn buffer(&self, lifetime: f64) -> Option<f64> {
        self.expiry_buffer.map(|seconds| seconds.min(LARGEST_SHARE * lifetime.max(0.0)))
    }

    /// What `token_type` says, where it has to be `Bearer` (RFC 6749 §7.1, in any case) and is not.
    fn other_than_bearer(&self, token_type: Option<json::Value<'_>>) -> Option<String> {
        let said = token_type.and_then(json::Value::as_string).unwrap_or_default();
        (self.bearer_only && !said.eq_ignore_ascii_case("bearer")).then_some(said)
    }
}

/// Of a lifetime that `expiryBufferSeconds` may take: a token of 30 s is used for 15 at least.
const LARGEST_SHARE: f64 = 0.5;
