//! What of a call counts as a secret.

use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD, Engine as _};
use zeroize::Zeroizing;

use crate::secret::Secret;

/// One thing that a call was made with. It is taken apart only where something is quoted.
#[derive(Clone, Debug)]
pub enum Known {
    /// A secret.
    Text(Secret),
    /// One that may go as Basic credentials (RFC 7617 §2), behind this id.
    Pair(Secret, Secret),
    /// A header's value.
    Header(Secret),
    /// An address, without credentials and fragment.
    Url(Secret),
}

impl Known {
    /// Gives `add` every part of it that would be a secret alone.
    pub fn parts(&self, add: &mut dyn FnMut(&str)) {
        match self {
            Self::Text(secret) => add(secret.expose()),
            Self::Pair(id, secret) => pair(id.expose(), secret.expose(), add),
            Self::Header(value) => header(value.expose(), add),
            Self::Url(url) => address(url.expose(), add),
        }
    }
}

fn pair(id: &str, secret: &str, add: &mut dyn FnMut(&str)) {
    add(secret);
    let mut pair = Zeroizing::new(String::with_capacity(id.len() + 1 + secret.len()));
    pair.extend([id, ":", secret]);
    add(&pair);
}

/// A value, the elements of an array that was joined, and the pairs of a cookie.
fn header(value: &str, add: &mut dyn FnMut(&str)) {
    credentials(value, add);
    if value.contains(SEPARATORS) {
        value.split(SEPARATORS).for_each(|part| credentials(part, add));
    }
}

/// `x`, `<scheme> x`, `name=x`, `<scheme> name="x"`.
fn credentials(text: &str, add: &mut dyn FnMut(&str)) {
    let text = text.trim();
    token(text, add);
    named(text, add);
    if let Some((scheme, rest)) = text.split_once([' ', '\t'])
        && is_token(scheme)
    {
        let rest = rest.trim();
        token(rest, add);
        named(rest, add);
        if scheme.eq_ignore_ascii_case("basic") {
            basic(rest, add);
        }
    }
}

fn named(text: &str, add: &mut dyn FnMut(&str)) {
    if let Some((name, value)) = text.split_once('=')
        && is_token(name.trim())
    {
        token(value.trim().trim_matches('"'), add);
    }
}

/// A token, the payload and signature of a JWT, and the halves of `key:secret`.
fn token(text: &str, add: &mut dyn FnMut(&str)) {
    add(text);
    if text.starts_with(JWT) {
        text.split('.').skip(1).for_each(&mut *add);
    }
    if text.contains(':') {
        text.split(':').for_each(add);
    }
}

/// User name and password of Basic credentials: some services take a key for a user name.
fn basic(credentials: &str, add: &mut dyn FnMut(&str)) {
    let unpadded = credentials.trim_end_matches('=');
    let mut decoded = Zeroizing::new(vec![0; unpadded.len()]);
    let length = BASE64_STANDARD_NO_PAD
        .decode_slice(unpadded, &mut decoded)
        .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode_slice(unpadded, &mut decoded));
    let Ok(length) = length else { return };
    let text = match str::from_utf8(&decoded[..length]) {
        Ok(text) => Zeroizing::new(text.to_owned()),
        Err(_) => latin1(&decoded[..length]),
    };
    if let Some((name, password)) = text.split_once(':') {
        add(name);
        add(password);
    }
}

fn latin1(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len()));
    text.extend(bytes.iter().map(|byte| char::from(*byte)));
    text
}

/// Values of the query, and long segments of the path: webhooks have their key there.
fn address(url: &str, add: &mut dyn FnMut(&str)) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    // What comes before the path of an http URL has two slashes.
    let segments = path.split('/').skip(3);
    segments.filter(|segment| segment.len() >= SHORTEST_SEGMENT).for_each(&mut *add);
    let value = |pair| str::split_once(pair, '=').map_or(pair, |(_, value)| value);
    query.split('&').map(value).for_each(add);
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

const SEPARATORS: [char; 2] = [',', ';'];
/// `{"` in base64url, as the header of each one begins.
const JWT: &str = "eyJ";
/// In characters: shorter ones are words of an API.
const SHORTEST_SEGMENT: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts that are long enough to be hidden.
    fn parts(known: &Known) -> Vec<String> {
        let mut parts = Vec::new();
        known.parts(&mut |part| {
            if part.len() >= 6 && !parts.iter().any(|p| p == part) {
                parts.push(part.to_owned());
            }
        });
        parts
    }

    fn secret(text: &str) -> Secret {
        text.to_owned().into()
    }

    #[track_caller]
    fn header_has(value: &str, expected: &[&str]) {
        assert_eq!(parts(&Known::Header(secret(value))), expected);
    }

    #[test]
    fn a_header_hides_what_stands_behind_any_scheme() {
        for scheme in ["Bearer", "Token", "ApiKey", "Key", "Bot", "DPoP", "SSWS", "X"] {
            let value = format!("{scheme} s3cr3t-1");
            header_has(&value, &[&value, "s3cr3t-1"]);
        }
        header_has(
            r#"Token token="s3cr3t-1", nonce="s3cr3t-2""#,
            &[
                r#"Token token="s3cr3t-1", nonce="s3cr3t-2""#,
                r#"token="s3cr3t-1", nonce="s3cr3t-2""#,
                r#"s3cr3t-1", nonce="s3cr3t-2"#,
                r#"Token token="s3cr3t-1""#,
                r#"token="s3cr3t-1""#,
                "s3cr3t-1",
                r#"nonce="s3cr3t-2""#,
                "s3cr3t-2",
            ],
        );
    }

    #[test]
    fn a_header_hides_each_cookie_and_each_element() {
        let value = "session=s3cr3t-1; x=1; theme=s3cr3t=2";
        let pairs = ["session=s3cr3t-1", "s3cr3t-1", "theme=s3cr3t=2", "s3cr3t=2"];
        header_has(value, &[&[value, &value[8..]], pairs.as_slice()].concat());
        header_has("s3cr3t-1,s3cr3t-2", &["s3cr3t-1,s3cr3t-2", "s3cr3t-1", "s3cr3t-2"]);
        header_has(
            "sso-key key-12:s3cr3t",
            &["sso-key key-12:s3cr3t", "sso-key key-12", "s3cr3t", "key-12:s3cr3t", "key-12"],
        );
    }

    #[test]
    fn a_basic_header_hides_what_it_holds() {
        header_has(
            "Basic dXNlci0xOnA0c3N3b3Jk",
            &["Basic dXNlci0xOnA0c3N3b3Jk", "dXNlci0xOnA0c3N3b3Jk", "user-1", "p4ssword"],
        );
        header_has("basic aWQ65OT25OT2", &["basic aWQ65OT25OT2", "aWQ65OT25OT2", "ääöääö"]);
    }

    #[test]
    fn a_jwt_hides_payload_and_signature() {
        header_has(
            "Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0",
            &[
                "Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0",
                "eyJhbGciOi.eyJzdWIi.c2lnbmF0",
                "eyJzdWIi",
                "c2lnbmF0",
            ],
        );
    }

    #[test]
    fn an_address_hides_query_values_and_long_segments() {
        let url = "http://host.example/hooks/0123456789abcdefghij/v2?code=s3cr3t-1&x=1&s3cr3t-2";
        let expected = ["0123456789abcdefghij", "s3cr3t-1", "s3cr3t-2"];
        assert_eq!(parts(&Known::Url(secret(url))), expected);
    }
}
