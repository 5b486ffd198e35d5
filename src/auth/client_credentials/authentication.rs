//! Client authentication (RFC 6749 §2.3, RFC 7523 §2.2, RFC 8705 §2): how the client shows the
//! token endpoint who it is.

use std::sync::Arc;

use aws_lc_rs::error::Unspecified;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::config;
use crate::{
    error::ArgumentError,
    jws::{ClientKey, KeyName},
    now::Now,
    secret::Secret,
};

/// The methods, by their registered names (RFC 7591 §2, RFC 8705 §2.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Method {
    /// Id and secret in the form.
    #[default]
    SecretPost,
    /// Id and secret in `Authorization`.
    SecretBasic,
    /// An assertion, signed with the secret.
    SecretJwt,
    /// An assertion, signed with a private key.
    PrivateKeyJwt,
    /// The certificate of the connection.
    TlsClientAuth,
}

impl Method {
    /// The method of that name.
    ///
    /// # Errors
    /// For every other name.
    pub fn named(name: Option<&str>) -> Result<Self, ArgumentError> {
        match name {
            None | Some("client_secret_post") => Ok(Self::SecretPost),
            Some("client_secret_basic") => Ok(Self::SecretBasic),
            Some("client_secret_jwt") => Ok(Self::SecretJwt),
            Some("private_key_jwt") => Ok(Self::PrivateKeyJwt),
            Some("tls_client_auth") => Ok(Self::TlsClientAuth),
            Some(_) => Err(ArgumentError::of_type(
                "clientAuthentication",
                "must be client_secret_post, client_secret_basic, client_secret_jwt, \
                 private_key_jwt or tls_client_auth",
            )),
        }
    }

    /// Whether it shows a secret, or signs with it.
    #[must_use]
    pub fn needs_secret(self) -> bool {
        matches!(self, Self::SecretPost | Self::SecretBasic | Self::SecretJwt)
    }

    /// Whether it signs with a private key.
    #[must_use]
    pub fn needs_private_key(self) -> bool {
        self == Self::PrivateKeyJwt
    }

    /// Whether the client's certificate shows who it is.
    #[must_use]
    pub fn needs_certificate(self) -> bool {
        self == Self::TlsClientAuth
    }
}

/// The grants, by their registered names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantType {
    /// RFC 6749 §4.4.
    #[default]
    ClientCredentials,
    /// RFC 7523 §2.1: an assertion is the grant itself, as Google's service accounts have it.
    JwtBearer,
}

impl GrantType {
    /// The grant of that name, for a client of that method.
    ///
    /// # Errors
    /// For every other name, and for an assertion of a client that signs none.
    pub fn named(name: Option<&str>, method: Method) -> Result<Self, ArgumentError> {
        match name {
            None | Some("client_credentials") => Ok(Self::ClientCredentials),
            Some(JWT_BEARER_GRANT) if method.needs_private_key() => Ok(Self::JwtBearer),
            Some(_) => Err(ArgumentError::of_type(
                "grantType",
                format!("must be client_credentials or, with private_key_jwt, {JWT_BEARER_GRANT}"),
            )),
        }
    }

    /// Its registered name.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::JwtBearer => JWT_BEARER_GRANT,
        }
    }
}

/// What a request has to have, worked out once.
#[derive(Clone)]
pub(super) enum Authentication {
    /// The id alone in the form: the connection shows the rest.
    Id,
    /// Id and secret in the form.
    Form(Secret),
    /// `Authorization`'s value.
    Basic(Secret),
    /// An assertion of its own for each request, beside the grant.
    Assertion(Arc<Assertion>),
    /// The same, which is the grant.
    Grant(Arc<Assertion>),
}

/// What assertions are made of (RFC 7523 §3).
pub(super) struct Assertion {
    key: ClientKey,
    name: KeyName,
    /// Those that are the same in all, as JSON without its braces.
    claims: String,
}

impl Authentication {
    pub fn new(
        config: &config::Authentication,
        client_id: &str,
        token_url: &str,
        scope: &str,
    ) -> Result<Self, ArgumentError> {
        let secret = || present("clientSecret", config.client_secret.as_ref());
        let assertion = |key| {
            let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
            let audience = given(&config.assertion_audience);
            let audience = audience.as_deref().unwrap_or(token_url);
            let is_grant = config.grant_type == GrantType::JwtBearer;
            let claims = [
                ("iss", Some(client_id.to_owned())),
                ("sub", if is_grant { given(&config.subject) } else { Some(client_id.to_owned()) }),
                ("aud", Some(audience.to_owned())),
                ("scope", Some(scope.to_owned()).filter(|scope| is_grant && !scope.is_empty())),
            ];
            let claims = claims.into_iter().filter_map(|(name, value)| {
                Some(format!(r#""{name}":{},"#, serde_json::Value::from(value?)))
            });
            let name =
                KeyName::new(&key, given(&config.kid).as_deref(), config.certificate.as_deref())?;
            let assertion = Arc::new(Assertion { key, name, claims: claims.collect() });
            Ok(if is_grant { Self::Grant(assertion) } else { Self::Assertion(assertion) })
        };
        match config.method {
            Method::SecretPost => Ok(Self::Form(secret()?.clone())),
            Method::SecretBasic => Ok(Self::Basic(basic(client_id, secret()?))),
            Method::SecretJwt => match config.algorithm.as_deref() {
                None | Some("HS256") => assertion(ClientKey::of_secret(secret()?)),
                Some(_) => Err(ArgumentError::of_type("algorithm", "must be HS256 for a secret")),
            },
            Method::PrivateKeyJwt => {
                let pem = present("privateKey", config.private_key.as_ref())?;
                assertion(ClientKey::of_pem(pem, config.algorithm.as_deref())?)
            }
            Method::TlsClientAuth => Ok(Self::Id),
        }
    }

    /// The secret as the form has it.
    pub fn form_secret(&self) -> Option<&Secret> {
        match self {
            Self::Form(secret) => Some(secret),
            _ => None,
        }
    }

    /// Whether the form names the client: RFC 6749 §2.3.1 has Basic's id in its header alone, and
    /// an assertion that is the grant has it inside.
    pub fn names_client(&self) -> bool {
        !matches!(self, Self::Basic(_) | Self::Grant(_))
    }

    /// Whether the form says what is asked for.
    pub fn names_scope(&self) -> bool {
        !matches!(self, Self::Grant(_))
    }
}

impl Assertion {
    /// Whether a signature takes longer than a hop to another thread.
    pub fn is_slow(&self) -> bool {
        self.key.is_slow()
    }

    /// One, good for a minute, that no other request has.
    ///
    /// # Errors
    /// Where AWS-LC fails, or the clock is no number.
    pub fn sign(&self, now: Now) -> Result<Secret, Unspecified> {
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random)?;
        let jti = uuid::Builder::from_random_bytes(random).into_uuid();
        let jti = jti.hyphenated();
        let iat = now.seconds();
        let exp = iat + LIFETIME_SECONDS;
        if !exp.is_finite() {
            return Err(Unspecified);
        }
        let Self { key, name, claims } = self;
        key.sign(name, &format!(r#"{{{claims}"jti":"{jti}","iat":{iat},"exp":{exp}}}"#))
    }
}

fn present<'a>(
    field: &'static str,
    value: Option<&'a Secret>,
) -> Result<&'a Secret, ArgumentError> {
    value
        .filter(|value| !value.expose().is_empty())
        .ok_or_else(|| ArgumentError::of_type(field, "must be a non-empty string"))
}

/// Both halves form-encoded first (RFC 6749 §2.3.1): they may have a colon in them.
fn basic(client_id: &str, client_secret: &Secret) -> Secret {
    let secret = client_secret.expose();
    let mut pair = Zeroizing::new(String::with_capacity(3 * (client_id.len() + secret.len()) + 1));
    pair.extend(byte_serialize(client_id.as_bytes()));
    pair.push(':');
    pair.extend(byte_serialize(secret.as_bytes()));
    let mut value = String::with_capacity(BASIC.len() + pair.len().div_ceil(3) * 4);
    value.push_str(BASIC);
    BASE64_STANDARD.encode_string(pair.as_bytes(), &mut value);
    value.into()
}

/// `client_assertion_type` (RFC 7523 §2.2).
pub(super) const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const JWT_BEARER_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const BASIC: &str = "Basic ";
/// Longer than a fetch may take; Keycloak takes no more.
const LIFETIME_SECONDS: f64 = 60.0;
