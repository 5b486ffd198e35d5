//! The sides of `npm run bench` without JavaScript: `side <name>`. A line of JSON on stdin is a
//! round to run, `{"work":…,"url":…,"atOnce":…,"ms":…}`; the line on stdout is what was measured.
//! It ends with stdin.

use std::{
    cell::RefCell,
    future::{Future, Pending},
    hint::black_box,
    io::{BufRead as _, stdin},
    rc::Rc,
    sync::Arc,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use aws_lc_rs::{hmac, rand::SystemRandom, rsa, signature::RSA_PKCS1_SHA256};
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{
    client::legacy::{Client as Legacy, connect::HttpConnector},
    rt::TokioExecutor,
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use key0_native::{
    access_token_issuer::{AccessTokenIssuer, IssuerConfig},
    auth::{Auth, Io, SignedJwt, signed_jwt::Claims as AuthClaims},
    http::{Client, Resolver, tls::TlsEnvironment},
    now::Now,
    remote_token_issuer::{Call, CallAuth, Config, Given, RemoteTokenIssuer, Timeout},
    signing_pool::SigningPool,
    validate_token::{ValidatorConfig, validate_key0_token},
};
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::{runtime::Builder, task::LocalSet, time::timeout};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Round {
    work: String,
    url: Option<String>,
    at_once: usize,
    ms: u64,
}

/// Calls a second, microseconds of CPU a call, and microseconds of waiting.
#[derive(Serialize)]
struct Sample {
    rate: f64,
    cpu: f64,
    p50: f64,
    p99: f64,
}

/// An operation that waits for nothing.
type Sync = Box<dyn Fn()>;

fn main() {
    let name = std::env::args().nth(1).unwrap_or_default();
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut kept: Option<(String, Kept)> = None;
    for line in stdin().lock().lines() {
        let round: Round = serde_json::from_str(&line.unwrap()).unwrap();
        let work = format!("{} {:?}", round.work, round.url);
        if kept.as_ref().is_none_or(|(of, _)| *of != work) {
            kept = Some((work, Kept::new(&name, &round)));
        }
        let Some((_, side)) = &kept else { unreachable!() };
        let sample = match side {
            Kept::Issuer(issuer, io) => {
                let (issuer, io) = (issuer.clone(), io.clone());
                runtime.block_on(waited(move || issue(&issuer, &io), &round))
            }
            Kept::Reqwest(client) => {
                let (client, url) = (client.clone(), round.url.clone().unwrap_or_default());
                runtime.block_on(waited(move || by_reqwest(&client, &url), &round))
            }
            Kept::Legacy(client) => {
                let (client, url) = (client.clone(), round.url.clone().unwrap_or_default());
                runtime.block_on(waited(move || by_legacy(&client, &url), &round))
            }
            Kept::Strategy(auth, io) => {
                let (auth, io) = (auth.clone(), io.clone());
                runtime.block_on(waited(move || header(&auth, &io), &round))
            }
            Kept::Sync(call) => at_once(call, &round),
            Kept::Threads(sign) => on_threads(sign, &round),
        };
        println!("{}", serde_json::to_string(&sample).unwrap());
    }
}

/// What a side keeps between rounds of one work.
enum Kept {
    Issuer(RemoteTokenIssuer, Arc<Io>),
    Reqwest(reqwest::Client),
    Legacy(Legacy<HttpConnector, Full<Bytes>>),
    Strategy(Auth, Arc<Io>),
    Sync(Sync),
    Threads(Arc<dyn Fn() + Send + std::marker::Sync>),
}

impl Kept {
    fn new(name: &str, round: &Round) -> Self {
        match (name, round.work.as_str()) {
            ("core", "issue") => {
                let url = round.url.clone().unwrap_or_default();
                let timeout_ms = Timeout::Default;
                let config = Config { url, timeout_ms, idempotency_key: true, tls: None };
                Self::Issuer(RemoteTokenIssuer::new(&config).unwrap(), io())
            }
            ("core", "header-rs256") => Self::Strategy(strategy(rs256_issuer()), io()),
            ("core", "header-hs256") => {
                let auth = strategy(hs256_issuer());
                Self::Sync(Box::new(move || drop(black_box(auth.peek(now(), true)))))
            }
            ("core", "verify-hs256") => {
                let token = hs256_issuer().sign(CLAIMS, 3600.0, now()).unwrap();
                let line = format!("Bearer {}", token.expose());
                let secret = Some(SECRET.to_owned().into());
                let config = ValidatorConfig { secret, ..ValidatorConfig::default() };
                Self::Sync(Box::new(move || {
                    black_box(validate_key0_token(Some(&line), &config, now()).unwrap());
                }))
            }
            ("core", "verify-rs256") => {
                let token = rs256_issuer().sign(CLAIMS, 3600.0, now()).unwrap();
                let line = format!("Bearer {}", token.expose());
                let public_key = Some(PUBLIC_PEM.to_owned().into());
                let algorithm = Some("RS256".to_owned());
                let config = ValidatorConfig { public_key, algorithm, secret: None };
                Self::Sync(Box::new(move || {
                    black_box(validate_key0_token(Some(&line), &config, now()).unwrap());
                }))
            }
            ("reqwest", "issue") => Self::Reqwest(reqwest::Client::new()),
            ("legacy", "issue") => {
                let mut connector = HttpConnector::new();
                connector.set_nodelay(true);
                Self::Legacy(Legacy::builder(TokioExecutor::new()).build(connector))
            }
            ("jsonwebtoken", work) => Self::Sync(by_jsonwebtoken(work)),
            ("aws-lc", "header-hs256") => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
                Self::Sync(Box::new(move || {
                    black_box(hmac::sign(&key, black_box(SIGNED)));
                }))
            }
            ("aws-lc", "header-rs256") => {
                let der = rsa_der();
                let key = rsa::KeyPair::from_pkcs8(&der).unwrap();
                Self::Threads(Arc::new(move || {
                    let mut signature = vec![0; key.public_modulus_len()];
                    let random = SystemRandom::new();
                    key.sign(&RSA_PKCS1_SHA256, &random, SIGNED, &mut signature).unwrap();
                    black_box(signature);
                }))
            }
            (name, work) => panic!("{name} has no {work}"),
        }
    }
}

fn by_jsonwebtoken(work: &str) -> Sync {
    let (algorithm, encoding, decoding) = if work.ends_with("hs256") {
        let secret = SECRET.as_bytes();
        (Algorithm::HS256, EncodingKey::from_secret(secret), DecodingKey::from_secret(secret))
    } else {
        let private = EncodingKey::from_rsa_pem(PEM.as_bytes()).unwrap();
        let public = DecodingKey::from_rsa_pem(PUBLIC_PEM.as_bytes()).unwrap();
        (Algorithm::RS256, private, public)
    };
    let header = Header::new(algorithm);
    let sign = move || encode(&header, &Claims::now(), &encoding).unwrap();
    if work.starts_with("header") {
        return Box::new(move || drop(black_box(sign())));
    }
    let (token, validation) = (sign(), Validation::new(algorithm));
    Box::new(move || {
        black_box(decode::<Claims>(&token, &decoding, &validation).unwrap());
    })
}

fn now() -> Now {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Now { wall_ms: since.as_millis() as f64, mono: Instant::now() }
}

fn io() -> Arc<Io> {
    // As it would be in the process that the other sides are.
    let node_extra_ca_certs = std::env::var("NODE_EXTRA_CA_CERTS").ok();
    let environment = TlsEnvironment { node_extra_ca_certs, ..TlsEnvironment::default() };
    let http = Client::new(environment, Resolver::default());
    Arc::new(Io { http, signing: SigningPool::default(), errands: Default::default() })
}

fn hs256_issuer() -> AccessTokenIssuer {
    let secret = Some(SECRET.to_owned().into());
    AccessTokenIssuer::new(IssuerConfig { secret, ..IssuerConfig::default() }).unwrap()
}

fn rs256_issuer() -> AccessTokenIssuer {
    let private_key = Some(PEM.to_owned().into());
    let algorithm = Some("RS256".to_owned());
    let config = IssuerConfig { private_key, algorithm, ..IssuerConfig::default() };
    AccessTokenIssuer::new(config).unwrap()
}

fn strategy(issuer: AccessTokenIssuer) -> Auth {
    let claims = AuthClaims::new("\"b\"".to_owned(), Some(3600.0)).unwrap();
    Auth::SignedJwt(SignedJwt::new(issuer, claims))
}

fn issue(issuer: &RemoteTokenIssuer, io: &Io) -> impl Future<Output = ()> + use<> {
    let auth = CallAuth::<Pending<Given>>::Strategy(Auth::None);
    let issued = issuer.begin(
        Call { body: Some(BODY.to_owned()), auth, now: now(), courier: None, along: None },
        io,
    );
    async { drop(black_box(issued.issue().await.unwrap())) }
}

fn header(auth: &Auth, io: &Io) -> impl Future<Output = ()> + use<> {
    let headers = auth.headers(now(), io);
    async { drop(black_box(headers.await.unwrap())) }
}

fn by_reqwest(client: &reqwest::Client, url: &str) -> impl Future<Output = ()> + use<> {
    let request = client.post(url).header("content-type", "application/json").body(BODY);
    let answer = request.timeout(Duration::from_secs(10)).send();
    async {
        let body = answer.await.unwrap().bytes().await.unwrap();
        drop(black_box(serde_json::from_slice::<Issued>(&body).unwrap().token));
    }
}

/// By the client of hyper-util, which reqwest is around.
fn by_legacy(
    client: &Legacy<HttpConnector, Full<Bytes>>,
    url: &str,
) -> impl Future<Output = ()> + use<> {
    let request = Request::post(url).header("content-type", "application/json");
    let answer = client.request(request.body(BODY.into()).unwrap());
    async {
        let answered = async { answer.await.unwrap().collect().await.unwrap().to_bytes() };
        let body = timeout(Duration::from_secs(10), answered).await.unwrap();
        drop(black_box(serde_json::from_slice::<Issued>(&body).unwrap().token));
    }
}

/// So many calls at once, each lane's next when its last one has ended.
async fn waited<F>(call: impl Fn() -> F + 'static, round: &Round) -> Sample
where
    F: Future<Output = ()> + 'static,
{
    let shared = Rc::new((call, RefCell::new(Vec::new())));
    let (began, before) = (Instant::now(), cpu());
    let end = began + Duration::from_millis(round.ms);
    let lanes = LocalSet::new();
    for _ in 0..round.at_once {
        let shared = shared.clone();
        lanes.spawn_local(async move {
            let (call, times) = &*shared;
            let mut last = Instant::now();
            while last < end {
                call().await;
                let now = Instant::now();
                times.borrow_mut().push((now - last).as_secs_f64() * 1e6);
                last = now;
            }
        });
    }
    lanes.await;
    sample(shared.1.take(), 1, began, before)
}

/// One after the other on this thread; a clock is read for each batch.
fn at_once(call: &Sync, round: &Round) -> Sample {
    let (began, before) = (Instant::now(), cpu());
    let end = began + Duration::from_millis(round.ms);
    let (mut times, mut last) = (Vec::new(), began);
    while last < end {
        for _ in 0..BATCH {
            call();
        }
        let now = Instant::now();
        times.push((now - last).as_secs_f64() * 1e6 / BATCH as f64);
        last = now;
    }
    sample(times, BATCH, began, before)
}

/// On as many threads as the addon signs on.
fn on_threads(call: &Arc<dyn Fn() + Send + std::marker::Sync>, round: &Round) -> Sample {
    let (began, before) = (Instant::now(), cpu());
    let end = began + Duration::from_millis(round.ms);
    let count = thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
    let threads: Vec<_> = (0..count)
        .map(|_| {
            let call = call.clone();
            thread::spawn(move || {
                let (mut times, mut last) = (Vec::new(), Instant::now());
                while last < end {
                    call();
                    let now = Instant::now();
                    times.push((now - last).as_secs_f64() * 1e6);
                    last = now;
                }
                times
            })
        })
        .collect();
    let times = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    sample(times, 1, began, before)
}

fn sample(mut times: Vec<f64>, batch: usize, began: Instant, before: f64) -> Sample {
    let cpu = cpu() - before;
    let calls = (times.len() * batch) as f64;
    let rate = calls / began.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    Sample { rate, cpu: cpu / calls, p50: at(0.5), p99: at(0.99) }
}

/// User and system time of this process, in microseconds.
fn cpu() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// The key as PKCS#8.
fn rsa_der() -> Vec<u8> {
    use tokio_rustls::rustls::pki_types::{PrivatePkcs8KeyDer, pem::PemObject as _};
    let der = PrivatePkcs8KeyDer::from_pem_slice(PEM.as_bytes()).unwrap();
    der.secret_pkcs8_der().to_vec()
}

#[derive(Deserialize)]
struct Issued {
    token: String,
}

#[derive(Deserialize, Serialize)]
struct Claims {
    sub: String,
    jti: String,
    iat: u64,
    exp: u64,
}

impl Claims {
    fn now() -> Self {
        let iat = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (sub, jti) =
            ("key0-service".to_owned(), "3b241101-e2bb-4255-8caf-4136c566a962".to_owned());
        Self { sub, jti, iat, exp: iat + 3600 }
    }
}

const BATCH: usize = 64;
const SECRET: &str = "a secret of thirty-two characters";
const PEM: &str = include_str!("../../../../tests/fixtures/rsa.pem");
const PUBLIC_PEM: &str = include_str!("../../../../tests/fixtures/rsa-public.pem");
const BODY: &str =
    r#"{"requestId":"r","challengeId":"c","resourceId":"p","planId":"b","txHash":"0x1"}"#;
const CLAIMS: &str =
    r#"{"sub":"key0-service","jti":"j","resourceId":"b","planId":"system","txHash":"system-auth"}"#;
/// As long as what a token's signature is over.
const SIGNED: &[u8] = &[b'x'; 300];
