//! Redirects (RFC 9110 §15.4): followed within the origin, so that no secret goes elsewhere.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, header};
use url::Url;

use super::{Reply, Request, Target, origin};
use crate::{
    message::Message,
    redact::{Excerpt, Redactor},
};

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

    /// Another body for that request, and for where it is redirected to.
    pub fn replace_body(&mut self, body: Bytes) {
        self.request.body = body;
    }

    /// The request that `reply` asks for, `None` where it is no redirect. `redactor` hides what a
    /// server may put into an address to have it shown.
    ///
    /// # Errors
    /// Where it leads elsewhere, or for the sixth time.
    pub fn follow(
        &mut self,
        reply: &Reply,
        redactor: impl FnOnce() -> Redactor,
    ) -> Result<Option<Request>, Misdirected> {
        let Some(location) = &reply.location else { return Ok(None) };
        let target = self.request.target.clone();
        let from = || target.origin().to_string();
        let url = target.url().join(location);
        let url = url.map_err(|_| Misdirected::Unusable { from: from() })?;
        if !permitted(target.url(), &url) {
            let to = redactor().excerpt(&origin(&url), false);
            return Err(Misdirected::OtherOrigin { from: from(), to });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Misdirected::Credentials { from: from() });
        }
        if self.followed == MOST_REDIRECTS {
            return Err(Misdirected::TooMany { from: from() });
        }
        self.followed += 1;
        let next = Target::new(url).map_err(|_| Misdirected::Unusable { from: from() })?;
        self.request.target = next.with_tls(target.tls.clone()).into();
        if matches!(reply.status, 301..=303) {
            self.request.method = Method::GET;
            self.request.body = Bytes::new();
            Arc::make_mut(&mut self.request.headers).remove(header::CONTENT_TYPE);
        }
        Ok(Some(self.request.clone()))
    }
}

/// A redirect that is not followed, so that no secret goes there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misdirected {
    /// To another origin than the one that was called.
    OtherOrigin {
        /// The origin that redirected.
        from: String,
        /// The origin that it leads to.
        to: Excerpt,
    },
    /// To an address with credentials in it.
    Credentials {
        /// The origin that redirected.
        from: String,
    },
    /// To something that is not an address.
    Unusable {
        /// The origin that redirected.
        from: String,
    },
    /// Once too often.
    TooMany {
        /// The origin that redirected.
        from: String,
    },
}

impl Misdirected {
    /// The sentence for the buyer.
    #[must_use]
    pub fn message(&self) -> Message {
        match self {
            Self::OtherOrigin { .. } => "redirected to another origin".into(),
            Self::Credentials { .. } => "redirected to a URL with credentials".into(),
            Self::Unusable { .. } => "redirected to what is not a URL".into(),
            Self::TooMany { .. } => {
                Message::new("more than ").with(MOST_REDIRECTS).with(" redirects")
            }
        }
    }
}

/// The cause for the seller.
impl fmt::Display for Misdirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherOrigin { from, to } => write!(f, "{from} redirected to {to}"),
            Self::Credentials { from } => write!(f, "{from} redirected to a URL with credentials"),
            Self::Unusable { from } => write!(f, "{from} redirected to what is not a URL"),
            Self::TooMany { from } => write!(f, "{from} redirected {} times", MOST_REDIRECTS + 1),
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
            headers: headers.into(),
            body: Bytes::from_static(b"{}"),
        })
    }

    fn to(status: u16, location: &str) -> Reply {
        Reply { status, location: Some(location.to_owned()), ..Reply::default() }
    }

    #[track_caller]
    fn refused(from: &str, location: &str, message: &str, cause: &str) {
        let error = redirects(from).follow(&to(307, location), Redactor::default).err().unwrap();
        assert_eq!(error.message(), message);
        assert_eq!(error.to_string(), cause);
    }

    #[test]
    fn a_303_becomes_a_get_without_body_and_content_type() {
        for status in [301, 302, 303] {
            let request = redirects("http://h/a")
                .follow(&to(status, "b#f"), Redactor::default)
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
                .follow(&to(status, "/a/"), Redactor::default)
                .unwrap()
                .unwrap();
            assert_eq!((request.method, &request.body[..]), (Method::POST, &b"{}"[..]));
            assert!(request.headers.contains_key(header::CONTENT_TYPE));
        }
    }

    #[test]
    fn http_may_become_https_on_the_same_host_name() {
        let mut redirects = redirects("http://h:8080/");
        assert!(redirects.follow(&to(308, "https://h:8443/"), Redactor::default).is_ok());
        let back = redirects.follow(&to(308, "http://h:8080/"), Redactor::default).err().unwrap();
        assert_eq!(back.to_string(), "https://h:8443 redirected to http://h:8080");
    }

    #[test]
    fn another_origin_is_refused() {
        for (from, location, to) in [
            ("http://h", "http://h:81/", "http://h:81"),
            ("http://h", "http://i/?q=secret", "http://i"),
            ("http://h", "//user:pass@i/", "http://i"),
            ("https://h", "http://h/", "http://h"),
            ("http://h", "ftp://h/", "ftp://h"),
            ("http://h", "data:text/plain,x", "data:"),
        ] {
            let cause = format!("{from} redirected to {to}");
            refused(from, location, "redirected to another origin", &cause);
        }
    }

    #[test]
    fn the_origin_that_a_redirect_leads_to_is_scrubbed() {
        let mut redactor = Redactor::default();
        redactor.hide(&"canary-secret".to_owned().into());
        let reply = to(307, "http://canary-secret/");
        let error = redirects("http://h/").follow(&reply, || redactor).err().unwrap();
        assert_eq!(error.to_string(), "http://h redirected to http://[redacted]");
    }

    #[test]
    fn credentials_in_a_location_are_refused_and_not_shown() {
        let cause = "http://h redirected to a URL with credentials";
        refused("http://h", "http://u:p@h/", "redirected to a URL with credentials", cause);
    }

    #[test]
    fn a_location_that_is_no_url_is_refused() {
        let cause = "http://h redirected to what is not a URL";
        refused("http://h", "http://", "redirected to what is not a URL", cause);
    }

    #[test]
    fn the_sixth_redirect_is_refused() {
        let mut redirects = redirects("http://h/");
        for _ in 0..5 {
            assert!(redirects.follow(&to(307, "/"), Redactor::default).unwrap().is_some());
        }
        let error = redirects.follow(&to(307, "/"), Redactor::default).err().unwrap();
        assert_eq!(error.message(), "more than 5 redirects");
        assert_eq!(error.to_string(), "http://h redirected 6 times");
    }

    #[test]
    fn a_reply_without_location_is_no_redirect() {
        let reply = Reply { status: 302, ..Reply::default() };
        assert!(redirects("http://h/").follow(&reply, Redactor::default).unwrap().is_none());
    }
}
