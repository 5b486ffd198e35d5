//! One token request as an exchange.

use std::sync::Arc;

use super::{failure::Failure, grant::Grant};
use crate::{
    http::{Exchange, Fault, Reply, Request, Step, fault::Stage, redirects::Redirects},
    now::Now,
    token_cache::AccessToken,
};

/// One token request, its redirects, and its one repetition.
pub(super) struct TokenRequest {
    pub grant: Arc<Grant>,
    pub obtained: Now,
    pub redirects: Redirects,
    repeated: bool,
}

impl TokenRequest {
    pub fn new(grant: Arc<Grant>, obtained: Now) -> Self {
        let redirects = Redirects::new(grant.request());
        Self { grant, obtained, redirects, repeated: false }
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
            // just as the request left.
            Err(fault) if fault.stage == Stage::Awaiting && !self.repeated => {
                self.repeated = true;
                return Step::Send(Box::new(self.redirects.request().clone()));
            }
            Err(fault) => return Step::Done(Err(Failure::Fault(fault))),
        };
        match self.redirects.follow(&reply, || self.grant.redactor()) {
            Ok(Some(request)) => Step::Send(Box::new(request)),
            Ok(None) => Step::Done(self.read(&reply)),
            Err(misdirected) => {
                Step::Done(Err(Failure::Misdirected { misdirected, status: reply.status }))
            }
        }
    }
}
