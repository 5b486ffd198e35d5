//! The token request's own part: its form, and who asks.

use std::fmt;

use http::Method;
use url::form_urlencoded::Serializer;

use super::Config;
use crate::{
    error::ArgumentError,
    http::{Endpoint, Request},
    redact::Redactor,
    secret::Secret,
};

/// What every token request is made of.
pub(super) struct Grant {
    pub endpoint: Endpoint,
    /// The form, client secret included.
    body: Secret,
    client_id: String,
    client_secret: Secret,
    /// The field that ends in a line break, as secret files do.
    pub ends_in_line_break: Option<&'static str>,
}

impl Grant {
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
        Ok(Self { endpoint, body, client_id, client_secret, ends_in_line_break })
    }

    pub fn request(&self) -> Request {
        Request {
            method: Method::POST,
            target: self.endpoint.target().clone(),
            headers: self.endpoint.headers("application/x-www-form-urlencoded"),
            body: self.body.bytes(),
        }
    }

    /// A redactor that knows the request's secrets. It is made only where something is quoted.
    pub fn redactor(&self) -> Redactor {
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

/// The form, as `URLSearchParams` serializes it.
pub(super) fn form(config: &Config) -> String {
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
