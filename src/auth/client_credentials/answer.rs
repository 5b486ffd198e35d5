//! What a token server's answer says.

use super::{
    failure::{Failure, Refusal, registered},
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
