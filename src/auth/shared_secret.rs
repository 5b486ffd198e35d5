//! `sharedSecretAuth`: a constant header, checked once.

use crate::{
    auth::not_had,
    error::{ArgumentError, Cause, Code, Key0Error},
    http::headers::{self, HeaderLine},
    secret::Secret,
};

/// A header with a secret that both sides know.
#[derive(Clone, Debug)]
pub struct SharedSecret(HeaderLine);

impl SharedSecret {
    /// Name and value stay exactly as given; an empty value is a value.
    ///
    /// # Errors
    /// For what no header can hold, by argument.
    pub fn new(header_name: String, secret: Secret) -> Result<Self, ArgumentError> {
        headers::name(&header_name).map_err(|why| ArgumentError::of_type("headerName", why))?;
        headers::value(secret.expose()).map_err(|why| ArgumentError::of_type("secret", why))?;
        Ok(Self(HeaderLine { name: header_name, value: secret }))
    }

    /// What whoever runs the service should know, where the value is sent as nothing.
    #[must_use]
    pub fn warning(&self) -> Option<&'static str> {
        self.0.value.expose().trim_ascii().is_empty().then_some(EMPTY)
    }

    /// The header.
    #[must_use]
    pub fn header(&self) -> HeaderLine {
        self.0.clone()
    }
}

/// The function that stands for the secret threw. Its words, which may name a vault, are no buyer's.
#[must_use]
pub fn secret_not_had() -> Key0Error {
    Key0Error {
        code: Code::InternalError,
        message: not_had("secret"),
        http_status: 500,
        cause: Some(Cause::of_the_caller()),
    }
}

const EMPTY: &str = "the secret given to sharedSecretAuth is empty, so its header proves nothing: \
    is a variable of the environment set to nothing?";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn refused(name: &str, secret: &str, sentence: &str) {
        let error = SharedSecret::new(name.to_owned(), secret.to_owned().into()).unwrap_err();
        assert_eq!(error.to_string(), sentence);
    }

    #[test]
    fn name_and_value_stay_as_given() {
        let strategy = SharedSecret::new("x-API".to_owned(), " s\n".to_owned().into()).unwrap();
        let line = strategy.header();
        assert_eq!((line.name.as_str(), line.value.expose()), ("x-API", " s\n"));
    }

    #[test]
    fn the_empty_string_is_a_value() {
        for (secret, warning) in [("", Some(EMPTY)), (" \r\n", Some(EMPTY)), (" s", None)] {
            let strategy = SharedSecret::new("X-A".to_owned(), secret.to_owned().into()).unwrap();
            assert_eq!(strategy.warning(), warning);
        }
    }

    #[test]
    fn what_no_header_can_hold_is_refused_by_argument() {
        refused("X A", "s", "headerName is not a header name (an HTTP token)");
        refused("", "s", "headerName is not a header name (an HTTP token)");
        let control = "secret has a line break or another control character inside";
        refused("X-A", "s\r\nX-B: 1", control);
        refused("X-A", "s\0", control);
        refused("X-A", "密", "secret has a character above U+00FF, which no header can hold");
    }
}
