//! One token request as an exchange.

use std::sync::Arc;

use http::Method;

use super::{failure::Failure, grant::Grant};
use crate::{
    http::{Exchange, Fault, Reply, Request, Step, fault::Stage, redirects::Redirects},
    now::Now,
    secret::Secret,
    token_cache::AccessToken,
};

/// One token request, its redirects, and its one repetition.
pub(super) struct TokenRequest {
    pub grant: Arc<Grant>,
    pub obtained: Now,
    pub redirects: Redirects,
    /// The assertion that went out last.
    pub assertion: Option<Secret>,
    /// Whether it has ended because its one repetition needs an assertion of its own.
    pub wants_assertion: bool,
    repeated: bool,
}

impl TokenRequest {
    pub fn new(grant: Arc<Grant>, obtained: Now, assertion: Option<Secret>) -> Self {
        let redirects = Redirects::new(grant.request(assertion.as_ref()));
        Self { grant, obtained, redirects, assertion, wants_assertion: false, repeated: false }
    }

    /// Begins where it has ended, with this assertion.
    pub fn renew(&mut self, assertion: Option<Secret>) {
        let body = self.grant.request(assertion.as_ref()).body;
        self.redirects.replace_body(body);
        (self.assertion, self.wants_assertion) = (assertion, false);
    }
}

impl Exchange for TokenRequest {
    type Output = Result<AccessToken, Failure>;

    fn begin(&mut self) -> Request {
        self.redirects.request().clone()
    }

    fn answered(&mut self, answer: Result<Reply, Fault>) -> Step<Self::Output> {
        let reply = match answer {
            Ok(reply) => reply,
            // A second token harms nobody, and the server may have closed an idle connection
            // just as the request left. What a caller's `fetch` says of itself is no such thing.
            Err(fault)
                if fault.stage == Stage::Awaiting && fault.thrown.is_none() && !self.repeated =>
            {
                self.repeated = true;
                let request = self.redirects.request();
                // A server takes each only once, and signing is not for the thread that is here.
                self.wants_assertion = self.assertion.is_some() && request.method == Method::POST;
                if self.wants_assertion {
                    return Step::Done(Err(Failure::Fault(fault)));
                }
                return Step::Send(Box::new(request.clone()));
            }
            Err(fault) => return Step::Done(Err(Failure::Fault(fault))),
        };
        let Self { redirects, grant, assertion, .. } = self;
        match redirects.follow(&reply, || grant.redactor(assertion.as_ref())) {
            Ok(Some(request)) => Step::Send(Box::new(request)),
            Ok(None) => Step::Done(self.read(&reply)),
            Err(misdirected) => {
                Step::Done(Err(Failure::Misdirected { misdirected, status: reply.status }))
            }
        }
    }
}
