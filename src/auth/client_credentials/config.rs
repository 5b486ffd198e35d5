//! What JavaScript configures.

use super::authentication::{GrantType, Method};
use crate::{
    error::ArgumentError,
    http::{headers::HeaderLine, tls::OwnTls},
    secret::Secret,
};

/// A client of a token endpoint. Without `Debug`: a URL may have a password.
#[derive(Clone, Default)]
pub struct Config {
    /// The token endpoint.
    pub token_url: String,
    /// Sent byte for byte.
    pub client_id: String,
    /// How the client shows who it is, and what with.
    pub authentication: Authentication,
    /// Joined by a space; left out when empty.
    pub scopes: Vec<String>,
    /// Left out when empty.
    pub audience: Option<String>,
    /// Each a field of its own (RFC 8707 §2).
    pub resource: Vec<String>,
    /// Further fields of the form.
    pub extra_params: Vec<(String, Secret)>,
    /// Further headers of the request.
    pub headers: Vec<HeaderLine>,
    /// How the answer is read.
    pub dialect: Dialect,
    /// The CAs and the certificate of its own.
    pub tls: Option<OwnTls>,
}

/// `clientAuthentication` and the options that belong to it.
#[derive(Clone, Default)]
pub struct Authentication {
    /// Which of them.
    pub method: Method,
    /// Of the methods with a secret: sent or signed with byte for byte.
    pub client_secret: Option<Secret>,
    /// Of `private_key_jwt`, in PEM.
    pub private_key: Option<Secret>,
    /// Of an assertion; without it what the key is.
    pub algorithm: Option<String>,
    /// The id of the key, in an assertion's header.
    pub kid: Option<String>,
    /// The key's certificate in PEM, whose thumbprint goes into an assertion's header.
    pub certificate: Option<String>,
    /// Whom an assertion is for; without it the token endpoint.
    pub assertion_audience: Option<String>,
    /// What an assertion is: who asks, or what is asked for, too. Like `subject` it is part of what
    /// a token is good for.
    pub grant_type: GrantType,
    /// On whose behalf, with a grant that is an assertion.
    pub subject: Option<String>,
}

impl Config {
    /// The same with this secret or key as `field`.
    pub(super) fn with_secret(&self, field: &str, secret: Secret) -> Self {
        let mut config = self.clone();
        let Authentication { client_secret, private_key, .. } = &mut config.authentication;
        *(if field == "privateKey" { private_key } else { client_secret }) = Some(secret);
        config
    }

    /// The same with something in place of what a function will give, to be checked: of a private
    /// key an assertion that a secret signs.
    pub(super) fn with_stand_in(&self, field: &str) -> Self {
        let mut config = self.with_secret("clientSecret", field.to_owned().into());
        if field == "privateKey" {
            config.authentication.method = Method::SecretJwt;
            config.authentication.algorithm = None;
            config.authentication.certificate = None;
        }
        config
    }
}

impl Authentication {
    /// What nobody else knows, where that is not the key of the client's certificate.
    pub(super) fn material(&self) -> Option<&Secret> {
        if self.method.needs_private_key() {
            return self.private_key.as_ref();
        }
        self.client_secret.as_ref().filter(|_| self.method.needs_secret())
    }
}

/// What a server may say otherwise than the SDK wants it, and what it must say.
#[derive(Clone, Debug, Default)]
pub struct Dialect {
    /// The lifetime where `expires_in` says none; with it a numeric string says one, too.
    pub default_lifetime: Option<f64>,
    /// How long before its end a token is no longer used, in seconds.
    pub expiry_buffer: Option<f64>,
    /// Whether `token_type` must be `Bearer`.
    pub bearer_only: bool,
}

impl Dialect {
    /// What `tokenType` means.
    ///
    /// # Errors
    /// For every other type than Bearer: a token of another would need another header.
    pub fn bearer_only(token_type: Option<&str>) -> Result<bool, ArgumentError> {
        match token_type {
            None => Ok(false),
            Some(name) if name.eq_ignore_ascii_case("bearer") => Ok(true),
            Some(_) => Err(ArgumentError::of_type("tokenType", "must be Bearer")),
        }
    }

    /// # Errors
    /// By field, for numbers that are no durations.
    pub(super) fn check(&self) -> Result<(), ArgumentError> {
        let wrong = |problem| move |field| ArgumentError::of_range(field, problem);
        let seconds = |value: Option<f64>, holds: fn(f64) -> bool| {
            value.is_none_or(|seconds| seconds.is_finite() && holds(seconds))
        };
        if !seconds(self.default_lifetime, |seconds| seconds > 0.0) {
            let problem = "must be a number of seconds above 0 and finite";
            return Err(wrong(problem)("defaultExpiresInSeconds"));
        }
        if !seconds(self.expiry_buffer, |seconds| seconds >= 0.0) {
            let problem = "must be a number of seconds, 0 or above and finite";
            return Err(wrong(problem)("expiryBufferSeconds"));
        }
        Ok(())
    }
}
