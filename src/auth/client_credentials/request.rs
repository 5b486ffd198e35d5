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
    repeated: bool,
}

impl TokenRequest {
    /// # Errors
    /// Where no assertion can be signed.
    pub fn new(grant: Arc<Grant>, obtained: Now) -> Result<Self, Failure> {
        let (request, assertion) = grant.request(obtained).map_err(|_| Failure::Unsigned)?;
        let redirects = Redirects::new(request);
        Ok(Self { grant, obtained, redirects, assertion, repeated: false })
    }

    /// The last request once more, with an assertion of its own: a server takes each only once.
    fn again(&mut self) -> Result<Request, Failure> {
        let mut request = self.redirects.request().clone();
        if self.assertion.is_some() && request.method == Method::POST {
            let (fresh, assertion) =
                self.grant.request(self.obtained).map_err(|_| Failure::Unsigned)?;
            (request.body, self.assertion) = (fresh.body, assertion);
        }
        Ok(request)
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
                return match self.again() {
                    Ok(request) => Step::Send(Box::new(request)),
                    Err(failure) => Step::Done(Err(failure)),
                };
            }
            Err(fault) => {
                let fault = fault.scrubbed(|| self.grant.redactor(self.assertion.as_ref()));
                return Step::Done(Err(Failure::Fault(fault)));
            }
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
