//! What every token request is made of: its form, its headers, and who asks.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderValue, header};
use url::form_urlencoded::Serializer;

use super::{
    Config,
    authentication::{Assertion, Authentication, JWT_BEARER},
    config::Dialect,
};
use crate::{
    error::ArgumentError,
    http::{Endpoint, Request, headers, tls::OwnTls},
    redact::Redactor,
    secret::Secret,
};

#[derive(Clone)]
pub(super) struct Grant {
    pub endpoint: Endpoint,
    /// All of the form that does not change from one request to the next.
    form: Secret,
    headers: Arc<HeaderMap>,
    authentication: Authentication,
    pub dialect: Dialect,
    client_id: String,
    client_secret: Option<Secret>,
    /// What a server may quote of the rest.
    extra: Vec<Secret>,
    /// The field that ends in a line break, as secret files do.
    pub ends_in_line_break: Option<&'static str>,
}

impl Grant {
    pub fn new(config: &Config) -> Result<Self, ArgumentError> {
        let endpoint = Endpoint::parse("tokenUrl", &config.token_url)?.with_tls(config.tls.clone());
        let Config { client_id, authentication: credentials, dialect, .. } = config;
        if client_id.is_empty() {
            return Err(ArgumentError::of_type("clientId", "must be a non-empty string"));
        }
        if credentials.method.needs_certificate() {
            shows_certificate(&endpoint)?;
        }
        let token_url = endpoint.target().url().as_str();
        let scope = config.scopes.join(" ");
        let authentication = Authentication::new(credentials, client_id, token_url, &scope)?;
        dialect.check()?;
        let client_secret =
            credentials.client_secret.clone().filter(|_| credentials.method.needs_secret());
        let secret = client_secret.as_ref().map_or("", Secret::expose);
        let ends_in_line_break = [("clientSecret", secret), ("clientId", client_id)]
            .into_iter()
            .find_map(|(field, value)| value.ends_with(['\r', '\n']).then_some(field));
        let mut headers = endpoint.headers("application/x-www-form-urlencoded");
        add_headers(&mut headers, config, &authentication)?;
        let params = config.extra_params.iter().map(|(_, value)| value.clone());
        let extra = params.chain(config.headers.iter().map(|line| line.value.clone())).collect();
        Ok(Self {
            form: form(&fields(config, &scope, &authentication)?).into(),
            headers: headers.into(),
            authentication,
            dialect: dialect.clone(),
            client_id: client_id.clone(),
            client_secret,
            extra,
            ends_in_line_break,
            endpoint,
        })
    }

    /// The same with other CAs and another certificate.
    ///
    /// # Errors
    /// Where it would be shown by a certificate that is no longer there.
    pub fn with_tls(&self, tls: Option<OwnTls>) -> Result<Self, ArgumentError> {
        let endpoint = self.endpoint.clone().with_tls(tls);
        if matches!(self.authentication, Authentication::Id) {
            shows_certificate(&endpoint)?;
        }
        Ok(Self { endpoint, ..self.clone() })
    }

    /// What signs an assertion for each request, where they have any.
    pub fn assertion(&self) -> Option<&Arc<Assertion>> {
        match &self.authentication {
            Authentication::Assertion(assertion) | Authentication::Grant(assertion) => {
                Some(assertion)
            }
            _ => None,
        }
    }

    /// One request, with the assertion that was signed for it alone.
    pub fn request(&self, assertion: Option<&Secret>) -> Request {
        Request {
            method: http::Method::POST,
            target: self.endpoint.target().clone(),
            headers: self.headers.clone(),
            body: assertion.map_or_else(|| self.form.clone(), |it| self.form_with(it)).bytes(),
        }
    }

    /// A JWT has no character that a form escapes.
    fn form_with(&self, assertion: &Secret) -> Secret {
        let is_grant = matches!(self.authentication, Authentication::Grant(_));
        let field = if is_grant { "&assertion=" } else { "&client_assertion=" };
        let (form, assertion) = (self.form.expose(), assertion.expose());
        let mut whole = String::with_capacity(form.len() + field.len() + assertion.len());
        whole.extend([form, field, assertion]);
        whole.into()
    }

    /// A redactor that knows the secrets of a request with that assertion. It is made only where
    /// something is quoted.
    pub fn redactor(&self, assertion: Option<&Secret>) -> Redactor {
        let mut redactor = Redactor::default();
        if let Some(assertion) = assertion {
            redactor.hide_header(assertion);
        }
        if let Some(secret) = &self.client_secret {
            redactor.hide_pair(&self.client_id, secret);
        }
        if let Authentication::Basic(value) = &self.authentication {
            redactor.hide_header(value);
        }
        for value in &self.extra {
            redactor.hide_header(value);
        }
        self.endpoint.hide_in(&mut redactor);
        redactor
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

/// RFC 8705 §2.1: the connection is the client's authentication.
fn shows_certificate(endpoint: &Endpoint) -> Result<(), ArgumentError> {
    if !endpoint.target().is_https() {
        let problem = "must be an https URL: tls_client_auth shows the client by its certificate";
        return Err(ArgumentError::of_type("tokenUrl", problem));
    }
    if !endpoint.tls().is_some_and(OwnTls::has_certificate) {
        let problem = "must have cert and key: tls_client_auth shows the client by them";
        return Err(ArgumentError::of_type("tls", problem));
    }
    Ok(())
}

/// The form's fields, those that are empty left out.
fn fields<'a>(
    config: &'a Config,
    scope: &str,
    authentication: &'a Authentication,
) -> Result<Vec<(&'a str, Secret)>, ArgumentError> {
    let Config { client_id, audience, resource, extra_params, .. } = config;
    let text = |text: &str| Secret::from(text.to_owned());
    let id = if authentication.names_client() { client_id } else { "" };
    let scope = if authentication.names_scope() { scope } else { "" };
    let grant_type = config.authentication.grant_type.name();
    let mut fields = vec![
        ("grant_type", text(grant_type)),
        ("client_id", text(id)),
        ("client_secret", authentication.form_secret().cloned().unwrap_or_else(|| text(""))),
        ("scope", text(scope)),
        ("audience", text(audience.as_deref().unwrap_or_default())),
    ];
    fields.extend(resource.iter().map(|resource| ("resource", text(resource))));
    for (name, value) in extra_params {
        if OWN_FIELDS.contains(&name.as_str()) {
            let problem = format!("must not have {name}, which has an option of its own");
            return Err(ArgumentError::of_type("extraParams", problem));
        }
        fields.push((name, value.clone()));
    }
    if matches!(authentication, Authentication::Assertion(_)) {
        fields.push(("client_assertion_type", text(JWT_BEARER)));
    }
    fields.retain(|(_, value)| !value.expose().is_empty());
    Ok(fields)
}

/// The form, as `URLSearchParams` serializes it.
pub(super) fn form(fields: &[(&str, Secret)]) -> String {
    let fields = || fields.iter().map(|(name, value)| (*name, value.expose()));
    // Reserved whole, three bytes for one: what a growing `String` leaves behind is not zeroed.
    let room = fields().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut form = Serializer::new(String::with_capacity(room));
    form.extend_pairs(fields());
    form.finish()
}

/// The caller's headers over ours, but for those that say what the request is.
fn add_headers(
    headers: &mut HeaderMap,
    config: &Config,
    authentication: &Authentication,
) -> Result<(), ArgumentError> {
    if let Authentication::Basic(value) = authentication {
        // Base64 is a header value.
        let value = headers::value(value.expose()).unwrap_or(HeaderValue::from_static(""));
        headers.insert(header::AUTHORIZATION, value);
    }
    let ours = match authentication {
        Authentication::Basic(_) => &[header::CONTENT_TYPE, header::AUTHORIZATION][..],
        _ => &[header::CONTENT_TYPE],
    };
    for line in &config.headers {
        if let Some(name) = ours.iter().find(|name| line.name.eq_ignore_ascii_case(name.as_str())) {
            let problem = format!("must not have {name}, which the request sets itself");
            return Err(ArgumentError::of_type("headers", problem));
        }
    }
    headers::merge(headers, &config.headers)
        .map_err(|unsendable| ArgumentError::of_type("headers", unsendable.of_option()))
}

/// Those that options set, and the grant itself.
const OWN_FIELDS: [&str; 9] = [
    "grant_type",
    "client_id",
    "client_secret",
    "scope",
    "audience",
    "resource",
    "assertion",
    "client_assertion",
    "client_assertion_type",
];
