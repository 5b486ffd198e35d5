//! Redirects (RFC 9110 §15.4): followed within the origin, so that no secret goes elsewhere.

use std::fmt;

use bytes::Bytes;
use http::{Method, header};
use url::Url;

use super::{Reply, Request, Target, origin};
use crate::redact::{Excerpt, Redactor};

/// Follows redirects as the contract allows: within the origin, or from http to https on the same
/// host name; at most five.
pub struct Redirects {
    request: Request,
    followed: usize,
}

impl Redirects {
    /// Begins with the exchange's own request.
    #[must_use]
    pub fn new(request: Request) -> Self {
        Self { request, followed: 0 }
    }

    /// The request sent last.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The request that `reply` asks for, `None` where it is no redirect. `redactor` knows what a
    /// server may put into an address to have it shown.
    ///
    /// # Errors
    /// Where it leads elsewhere, or for the sixth time.
    pub fn follow(
        &mut self,
        reply: &Reply,
        redactor: &Redactor,
    ) -> Result<Option<Request>, Misdirected> {
        let Some(location) = &reply.location else { return Ok(None) };
        let from = self.request.target.url();
        let url = from.join(location).map_err(|_| Misdirected::Unusable)?;
        let shown = |url| redactor.excerpt(&origin(url), false);
        if !permitted(from, &url) {
            return Err(Misdirected::OtherOrigin(shown(&url)));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Misdirected::Credentials(shown(&url)));
        }
        if self.followed == MOST_REDIRECTS {
            return Err(Misdirected::TooMany);
        }
        self.followed += 1;
        self.request.target = Target::new(url).map_err(|_| Misdirected::Unusable)?.into();
        if matches!(reply.status, 301..=303) {
            self.request.method = Method::GET;
            self.request.body = Bytes::new();
            self.request.headers.remove(header::CONTENT_TYPE);
        }
        Ok(Some(self.request.clone()))
    }
}

/// A redirect that is not followed, so that no secret goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misdirected {
    /// To this origin, which is not the one that was called.
    OtherOrigin(Excerpt),
    /// To this origin, with credentials in the address.
    Credentials(Excerpt),
    /// To what is no address.
    Unusable,
    /// Once too often.
    TooMany,
}

impl fmt::Display for Misdirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherOrigin(to) => write!(f, "redirected to {to}, which is another origin"),
            Self::Credentials(to) => write!(f, "redirected to {to} with credentials in the URL"),
            Self::Unusable => f.write_str("redirected to what is not a URL"),
            Self::TooMany => write!(f, "more than {MOST_REDIRECTS} redirects"),
        }
    }
}

fn permitted(from: &Url, to: &Url) -> bool {
    from.origin() == to.origin()
        || (from.scheme(), to.scheme()) == ("http", "https") && from.host() == to.host()
}

const MOST_REDIRECTS: usize = 5;

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn redirects(url: &str) -> Redirects {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(header::AUTHORIZATION, "Bearer x".parse().unwrap());
        Redirects::new(Request {
            method: Method::POST,
            target: Target::new(Url::parse(url).unwrap()).unwrap().into(),
            headers,
            body: Bytes::from_static(b"{}"),
        })
    }

    fn to(status: u16, location: &str) -> Reply {
        Reply { status, location: Some(location.to_owned()), ..Reply::default() }
    }

    #[track_caller]
    fn refused(from: &str, location: &str, sentence: &str) {
        let error = redirects(from).follow(&to(307, location), &Redactor::default()).err().unwrap();
        assert_eq!(error.to_string(), sentence);
    }

    #[test]
    fn a_303_becomes_a_get_without_body_and_content_type() {
        for status in [301, 302, 303] {
            let request = redirects("http://h/a")
                .follow(&to(status, "b#f"), &Redactor::default())
                .unwrap()
                .unwrap();
            assert_eq!(request.method, Method::GET);
            assert_eq!(request.target.url().as_str(), "http://h/b");
            assert!(request.body.is_empty());
            assert!(!request.headers.contains_key(header::CONTENT_TYPE));
            assert!(request.headers.contains_key(header::AUTHORIZATION));
        }
    }

    #[test]
    fn a_307_repeats_the_request() {
        for status in [307, 308] {
            let request = redirects("http://h/a")
                .follow(&to(status, "/a/"), &Redactor::default())
                .unwrap()
                .unwrap();
            assert_eq!((request.method, &request.body[..]), (Method::POST, &b"{}"[..]));
            assert!(request.headers.contains_key(header::CONTENT_TYPE));
        }
    }

    #[test]
    fn http_may_become_https_on_the_same_host_name() {
        let mut redirects = redirects("http://h:8080/");
        assert!(redirects.follow(&to(308, "https://h:8443/"), &Redactor::default()).is_ok());
        let back =
            redirects.follow(&to(308, "http://h:8080/"), &Redactor::default()).err().unwrap();
        assert_eq!(
            back,
            Misdirected::OtherOrigin(Redactor::default().excerpt("http://h:8080", false))
        );
    }

    #[test]
    fn another_origin_is_refused() {
        let other = |to| format!("redirected to {to}, which is another origin");
        refused("http://h/", "http://h:81/", &other("http://h:81"));
        refused("http://h/", "http://i/?q=secret", &other("http://i"));
        refused("http://h/", "//user:pass@i/", &other("http://i"));
        refused("https://h/", "http://h/", &other("http://h"));
        refused("http://h/", "ftp://h/", &other("ftp://h"));
        refused("http://h/", "data:text/plain,x", &other("data:"));
    }

    #[test]
    fn credentials_in_a_location_are_refused_and_not_shown() {
        refused("http://h/", "http://u:p@h/", "redirected to http://h with credentials in the URL");
    }

    #[test]
    fn a_location_that_is_no_url_is_refused() {
        refused("http://h/", "http://", "redirected to what is not a URL");
    }

    #[test]
    fn the_sixth_redirect_is_refused() {
        let mut redirects = redirects("http://h/");
        for _ in 0..5 {
            assert!(redirects.follow(&to(307, "/"), &Redactor::default()).unwrap().is_some());
        }
        let error = redirects.follow(&to(307, "/"), &Redactor::default()).err().unwrap();
        assert_eq!(error.to_string(), "more than 5 redirects");
    }

    #[test]
    fn a_reply_without_location_is_no_redirect() {
        let reply = Reply { status: 302, ..Reply::default() };
        assert!(redirects("http://h/").follow(&reply, &Redactor::default()).unwrap().is_none());
    }
}
