//! How a token comes to be kept: out of the store that processes share, or by token requests.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use tokio::{
    select,
    time::{Instant, sleep, timeout_at},
};

use super::{
    ClientCredentials, Config, LONGEST_FETCH,
    failure::Failure,
    grant::Grant,
    request::TokenRequest,
    sealing::Sealing,
    store::{Found, Session},
};
use crate::{
    auth::Io,
    errand::{Answer, Errand},
    fault_injection,
    http::{
        Sent,
        along::{Notes, What},
        fault::Phase,
    },
    now::Now,
    secret::Secret,
    signing_pool::Lost,
    token_cache::{AccessToken, Ticket},
};

/// One load, begun by a call.
pub(super) struct Load {
    strategy: ClientCredentials,
    obtained: Now,
    deadline: Instant,
    io: Io,
}

impl Load {
    pub fn new(strategy: ClientCredentials, obtained: Now, io: &Io) -> Self {
        // Counted from the call, as its issuer's own time is.
        let deadline = Instant::from_std(obtained.mono) + LONGEST_FETCH;
        Self { strategy, obtained, deadline, io: io.clone() }
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
            let is_shared = session.end(token.as_ref(), self.now()).await;
            self.strategy.is_unshared.store(token.is_some() && !is_shared, Relaxed);
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
            let verifies = self.io.http.environment().verifies();
            let rejected = self.strategy.cache(verifies).rejected();
            let unwanted = rejected.into_iter().chain(replaced).collect();
            if let Ok(key) = Sealing::new(&config, verifies, grant.endpoint.tls()) {
                let (errands, notes) = (self.io.errands.clone(), self.notes());
                let session = Session::new(key, store, errands, unwanted, self.obtained, notes);
                return self.load_beside(session, grant, claimed).await;
            }
        }
        self.fetch(grant).await.map(|token| self.due(token, None))
    }

    async fn load_beside(
        &self,
        mut session: Session,
        grant: Arc<Grant>,
        claimed: &mut Option<Session>,
    ) -> Result<AccessToken, Failure> {
        if !self.strategy.is_unshared.load(Relaxed)
            && let Some(Found { token, whole }) = session.claim(self.deadline).await
        {
            return Ok(self.due(token, whole));
        }
        let fetched = select! {
            biased;
            fetched = self.fetch(grant) => fetched,
            Found { token, whole } = session.beside() => {
                session.end(None, self.now()).await;
                return Ok(self.due(token, whole));
            }
        };
        *claimed = Some(session);
        fetched.map(|token| self.due(token, None))
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
        let assertion = self.assertion(&grant).await?;
        let mut exchange = TokenRequest::new(grant, self.obtained, assertion);
        loop {
            let driven = timeout_at(self.deadline, self.io.http.drive(&mut exchange, &sent)).await;
            if exchange.wants_assertion {
                self.io.http.note(exchange.redirects.request().target.origin(), What::Retried);
                let assertion = self.assertion(&exchange.grant).await?;
                exchange.renew(assertion);
                continue;
            }
            return driven.unwrap_or_else(|_| {
                let origin = exchange.redirects.request().target.origin().to_string();
                let phase = Phase::at(origin, sent.is_under_way());
                Err(Failure::TimedOut { phase, sent: sent.get() })
            });
        }
    }

    /// One for a request, where it has any.
    async fn assertion(&self, grant: &Grant) -> Result<Option<Secret>, Failure> {
        let Some(assertion) = grant.assertion().cloned() else { return Ok(None) };
        let (is_slow, now) = (assertion.is_slow(), self.obtained);
        let signed = self.computed(is_slow, move || assertion.sign(now)).await?;
        signed.map(Some).map_err(|_| Failure::Unsigned)
    }

    /// What `job` gives: on a signing thread where it is slow, since other calls wait for this one.
    async fn computed<T: Send + 'static>(
        &self,
        is_slow: bool,
        job: impl Fn() -> T + Clone + Send + 'static,
    ) -> Result<T, Failure> {
        if is_slow {
            match timeout_at(self.deadline, self.io.signing.run(job.clone())).await {
                Ok(Ok(given)) => return Ok(given),
                Ok(Err(Lost::Panicked)) => return Err(Failure::Unsigned),
                Err(_) => {
                    let origin = self.strategy.grant.endpoint.target().origin().to_string();
                    return Err(Failure::TimedOut { phase: Phase::Token(origin), sent: false });
                }
                // That others wait a little is better than no token.
                Ok(Err(Lost::NoThread(_))) => {}
            }
        }
        Ok(job())
    }

    /// What the next request is made of: the secret or key is the function's, where there is one.
    async fn grant(&self) -> Result<(Arc<Config>, Arc<Grant>), Failure> {
        let ClientCredentials { config, grant, policy, .. } = &self.strategy;
        let Some(field) = policy.asks else { return Ok((config.clone(), grant.clone())) };
        self.notes().note(|| Some(What::Asks(field)));
        let failed = |why: &str| Failure::Asked { field, why: format!("{field} {why}") };
        let secret = match timeout_at(self.deadline, self.io.errands.run(Errand::Secret)).await {
            Ok(Answer::Text(secret)) => secret,
            Ok(Answer::Other(_)) => return Err(failed("gave no string")),
            Ok(Answer::Failed(why)) => return Err(failed(&format!("failed: {why}"))),
            Err(_) => return Err(failed("gave nothing within 10 s")),
        };
        let config = config.with_secret(field, secret);
        // An RSA key takes as long to be read as to sign.
        let is_slow = config.authentication.method.needs_private_key();
        let (config, tls) = (Arc::new(config), grant.endpoint.tls().cloned());
        let read = {
            let config = config.clone();
            move || Grant::new(&config).and_then(|grant| grant.with_tls(tls.clone()))
        };
        match self.computed(is_slow, read).await? {
            Ok(grant) => Ok((config, Arc::new(grant))),
            Err(error) => Err(Failure::Asked { field, why: error.to_string() }),
        }
    }

    fn notes(&self) -> Notes {
        self.io.http.notes(self.strategy.grant.endpoint.target().origin())
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

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        task::yield_now,
    };

    use super::*;
    use crate::{
        auth::client_credentials::{Method, Policy, config::Authentication},
        errand::Errands,
        http::{Client, Resolver, tls::TlsEnvironment},
        lock::lock,
        signing_pool::SigningPool,
    };

    const RSA: &str = include_str!("../../../tests/fixtures/rsa.pem");

    /// A token endpoint, and the forms that came until now. It answers none to the first where it
    /// `breaks`.
    async fn endpoint(breaks: bool) -> (String, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let forms = Arc::new(Mutex::new(Vec::new()));
        let seen = forms.clone();
        tokio::spawn(async move {
            let mut is_broken = breaks;
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                let form = loop {
                    head.push(stream.read_u8().await.unwrap());
                    if head.ends_with(b"\r\n\r\n") {
                        let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
                        let (_, length) = head.split_once("content-length: ").unwrap();
                        let length = length.split("\r\n").next().unwrap().parse().unwrap();
                        let mut form = vec![0; length];
                        stream.read_exact(&mut form).await.unwrap();
                        break String::from_utf8(form).unwrap();
                    }
                };
                lock(&seen).push(form);
                if std::mem::take(&mut is_broken) {
                    continue;
                }
                let answer = "HTTP/1.1 200 OK\r\ncontent-length: 36\r\nconnection: close\r\n\r\n\
                    {\"access_token\":\"t\",\"expires_in\":10}";
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        (url, forms)
    }

    fn client(token_url: &str, authentication: Authentication) -> ClientCredentials {
        ClientCredentials::governed(
            Config {
                token_url: token_url.to_owned(),
                client_id: "id".to_owned(),
                authentication,
                ..Config::default()
            },
            Policy::default(),
        )
        .unwrap()
    }

    fn with_key(token_url: &str, algorithm: &str) -> ClientCredentials {
        let authentication = Authentication {
            method: Method::PrivateKeyJwt,
            private_key: Some(RSA.to_owned().into()),
            algorithm: Some(algorithm.to_owned()),
            ..Authentication::default()
        };
        client(token_url, authentication)
    }

    fn io(errands: Errands) -> Io {
        let http = Client::new(TlsEnvironment::default(), Resolver::default());
        Io { http, signing: SigningPool::default(), errands }
    }

    fn now() -> Now {
        Now { wall_ms: 1_700_000_000_000.0, mono: std::time::Instant::now() }
    }

    /// Lets no thread of the pool do anything until it is dropped.
    fn occupied(pool: &SigningPool) -> mpsc::Sender<()> {
        let (gate, closed) = mpsc::channel::<()>();
        let closed = Arc::new(Mutex::new(closed));
        for _ in 0..8 {
            let closed = closed.clone();
            pool.ready().unwrap().spawn(move || assert!(lock(&closed).recv().is_err()));
        }
        gate
    }

    /// How many fields of that name came.
    fn count(forms: &Mutex<Vec<String>>, field: &str) -> usize {
        lock(forms).iter().filter(|form| form.contains(field)).count()
    }

    // One thread has all: the network's.
    #[tokio::test]
    async fn an_rsa_key_does_not_hold_the_networks_thread() {
        let (url, forms) = endpoint(false).await;
        let io = io(Errands::default());
        let gate = occupied(&io.signing);
        let signed = ["RS256", "PS256"].map(|algorithm| {
            let strategy = with_key(&url, algorithm);
            tokio::spawn(strategy.token(now(), &io))
        });
        let secret = Some("s3cr3t".to_owned().into());
        let other = client(&url, Authentication { client_secret: secret, ..Default::default() });
        for _ in 0..10 {
            assert!(other.token(now(), &io).await.is_ok());
        }
        // While nothing is signed ten other calls are done; a signature in between would be here.
        assert_eq!((count(&forms, "client_secret="), count(&forms, "client_assertion=")), (10, 0));
        drop(gate);
        for signed in signed {
            assert!(signed.await.unwrap().is_ok());
        }
        assert_eq!(count(&forms, "client_assertion="), 2);
    }

    #[tokio::test]
    async fn a_signature_that_does_not_come_in_time_is_a_timeout() {
        let (url, forms) = endpoint(false).await;
        let io = io(Errands::default());
        let _gate = occupied(&io.signing);
        let Now { wall_ms, mono } = now();
        let long_ago = Now { wall_ms, mono: mono.checked_sub(LONGEST_FETCH).unwrap() };
        let error = with_key(&url, "RS256").token(long_ago, &io).await.unwrap_err();
        let said = error.message.to_string();
        assert!(said.ends_with("no token within 10 s"), "{said}");
        let cause = error.cause.unwrap();
        let origin = url.strip_suffix("/token").unwrap();
        assert!(cause.message.contains(&format!("waiting for the token of {origin}")), "{cause:?}");
        assert_eq!((cause.sent, lock(&forms).len()), (Some(false), 0));
    }

    #[tokio::test]
    async fn nor_does_one_that_a_function_gives_and_that_is_read_each_time() {
        let (url, forms) = endpoint(false).await;
        let (errands, mut pending) = Errands::channel();
        let io = io(errands);
        let gate = occupied(&io.signing);
        let policy = Policy { asks: Some("privateKey"), ..Policy::default() };
        let method = Method::PrivateKeyJwt;
        let config = Config {
            token_url: url.clone(),
            client_id: "id".to_owned(),
            authentication: Authentication { method, ..Authentication::default() },
            ..Config::default()
        };
        let strategy = ClientCredentials::governed(config, policy).unwrap();
        let token = tokio::spawn(strategy.token(now(), &io));
        let (_, answer) = pending.recv().await.unwrap();
        // A key that cannot be read: were it read here, the call would have ended.
        answer.send(Answer::Text("no key".to_owned().into())).unwrap();
        for _ in 0..100 {
            yield_now().await;
        }
        assert!(!token.is_finished());
        drop(gate);
        assert!(token.await.unwrap().is_err());
        assert_eq!(lock(&forms).len(), 0);
    }

    #[tokio::test]
    async fn a_repeated_request_has_a_signature_of_its_own() {
        let (url, forms) = endpoint(true).await;
        let strategy = with_key(&url, "RS256");
        assert!(strategy.token(now(), &io(Errands::default())).await.is_ok());
        let forms = lock(&forms);
        assert_eq!(forms.len(), 2);
        assert_ne!(forms[0], forms[1]);
    }
}
