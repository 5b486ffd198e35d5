//! How a token comes to be kept: out of the store that processes share, or by token requests.

use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout_at};

use super::{
    ClientCredentials, Config, LONGEST_FETCH,
    failure::Failure,
    grant::Grant,
    request::TokenRequest,
    sealing::Sealing,
    store::{Claim, Session},
};
use crate::{
    auth::Io,
    errand::{Answer, Errand, Errands},
    fault_injection,
    http::{
        Client, Sent,
        along::{Notes, What},
        fault::Phase,
        tls::OwnTls,
    },
    now::Now,
    secret::Secret,
    token_cache::{AccessToken, Ticket},
};

/// One load, begun by a call.
pub(super) struct Load {
    strategy: ClientCredentials,
    obtained: Now,
    deadline: Instant,
    http: Client,
    errands: Errands,
}

impl Load {
    pub fn new(strategy: ClientCredentials, obtained: Now, io: &Io) -> Self {
        // Counted from the call, as its issuer's own time is.
        let deadline = Instant::from_std(obtained.mono) + LONGEST_FETCH;
        let (http, errands) = (io.http.clone(), io.errands.clone());
        Self { strategy, obtained, deadline, http, errands }
    }

    /// Loads a token other than `replaced`, and ends `ticket` with it.
    pub async fn run(self, mut ticket: Ticket<Failure>, replaced: Option<Secret>) {
        let mut session = None;
        let loaded = self.load(replaced, &mut session).await;
        fault_injection::point("token fetch");
        if let (Err(failure), Some(cool_down)) = (&loaded, self.strategy.policy.cool_down)
            && let Some(time) = cool_down.after(failure)
        {
            ticket.cool_down(time);
        }
        let token = loaded.as_ref().ok().cloned();
        self.notes().note(|| token.as_ref().map(kept));
        ticket.finish(loaded, Instant::now().into_std());
        // Whoever waits here has the token by now; other processes get it next.
        if let Some(session) = session {
            session.end(token.as_ref(), self.now()).await;
        }
    }

    /// `claimed` is the store's session where other processes wait for the token.
    async fn load(
        &self,
        replaced: Option<Secret>,
        claimed: &mut Option<Session>,
    ) -> Result<AccessToken, Failure> {
        let (config, grant) = self.grant().await?;
        if let Some(store) = self.strategy.policy.store {
            let verifies = self.http.environment().verifies();
            let rejected = self.strategy.cache(verifies).rejected();
            let unwanted = rejected.into_iter().chain(replaced).collect();
            let tls = grant.endpoint.tls().map_or("", OwnTls::id);
            let key = Sealing::new(&config, verifies, tls);
            let (errands, notes) = (self.errands.clone(), self.notes());
            let session = key.ok().map(|key| Session::new(key, store, errands, notes));
            if let Some(session) = session {
                match session.claim(unwanted, self.obtained, self.deadline).await {
                    Claim::Token { token, whole } => return Ok(self.due(token, whole)),
                    Claim::Fetch(session) => *claimed = Some(session),
                }
            }
        }
        self.fetch(grant).await.map(|token| self.due(token, None))
    }

    fn due(&self, token: AccessToken, whole: Option<f64>) -> AccessToken {
        match self.strategy.policy.refresh_ahead {
            Some(ahead) => ahead.applied(token, whole),
            None => token,
        }
    }

    /// Requests, repeated as the policy says, and never past the deadline.
    async fn fetch(&self, mut grant: Arc<Grant>) -> Result<AccessToken, Failure> {
        let mut done = 0;
        loop {
            let failure = match self.request(grant).await {
                Ok(token) => return Ok(token),
                Err(failure) => failure,
            };
            done += 1;
            let retry = self.strategy.policy.retry;
            let delay = retry.and_then(|retry| retry.delay(done, &failure, self.now()));
            let Some(delay) = delay.filter(|delay| Instant::now() + *delay < self.deadline) else {
                return Err(failure);
            };
            self.notes().note(|| Some(What::Pauses(delay)));
            sleep(delay).await;
            grant = self.grant().await?.1;
        }
    }

    async fn request(&self, grant: Arc<Grant>) -> Result<AccessToken, Failure> {
        let sent = Sent::default();
        let mut exchange = TokenRequest::new(grant, self.obtained)?;
        let driven = timeout_at(self.deadline, self.http.drive(&mut exchange, &sent)).await;
        driven.unwrap_or_else(|_| {
            let origin = exchange.redirects.request().target.origin().to_string();
            let phase = Phase::at(origin, sent.is_under_way());
            Err(Failure::TimedOut { phase, sent: sent.get() })
        })
    }

    /// What the next request is made of: the secret or key is the function's, where there is one.
    async fn grant(&self) -> Result<(Arc<Config>, Arc<Grant>), Failure> {
        let ClientCredentials { config, grant, policy, .. } = &self.strategy;
        let Some(field) = policy.asks else { return Ok((config.clone(), grant.clone())) };
        self.notes().note(|| Some(What::Asks(field)));
        let failed = |why: &str| Failure::Asked { field, why: format!("{field} {why}") };
        let secret = match timeout_at(self.deadline, self.errands.run(Errand::Secret)).await {
            Ok(Answer::Text(secret)) => secret,
            Ok(Answer::Other(_)) => return Err(failed("gave no string")),
            Ok(Answer::Failed(why)) => return Err(failed(&format!("failed: {why}"))),
            Err(_) => return Err(failed("gave nothing within 10 s")),
        };
        let config = config.with_secret(field, secret);
        match Grant::new(&config).and_then(|new| new.with_tls(grant.endpoint.tls().cloned())) {
            Ok(grant) => Ok((Arc::new(config), Arc::new(grant))),
            Err(error) => Err(Failure::Asked { field, why: error.to_string() }),
        }
    }

    fn notes(&self) -> Notes {
        self.http.notes(self.strategy.grant.endpoint.target().origin())
    }

    fn now(&self) -> Now {
        self.obtained.later(Instant::now().into_std())
    }
}

/// Until when `token` is kept, if it is.
fn kept(token: &AccessToken) -> What {
    match token.usable() {
        Some(seconds) if seconds <= 0.0 => What::NotKept,
        usable => What::Kept(usable.map(|it| token.obtained().wall_ms + it * 1000.0)),
    }
}
