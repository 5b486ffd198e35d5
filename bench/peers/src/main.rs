//! What hyper and aws-lc-rs bring in place of reqwest, hyper-util's own client and jsonwebtoken:
//! the same work by each in turn, medians of five rounds, CPU of this process.

use std::{
    fs,
    future::Future,
    hint::black_box,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    sync::Arc,
    time::Instant,
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, body::Bytes};
use hyper_util::{client::legacy, rt::TokioExecutor};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use key0_native::{
    access_token_issuer::{AccessTokenIssuer, IssuerConfig},
    auth::{Auth, Io},
    http::{Client, Resolver, tls::TlsEnvironment},
    now::Now,
    remote_token_issuer::{Call, CallAuth, Config, Given, RemoteTokenIssuer, Timeout},
    signing_pool::SigningPool,
};
use serde::{Deserialize, Serialize};

const ROUNDS: usize = 5;
const CALLS: usize = 20_000;
const AT_ONCE: usize = 64;
const BODY: &str =
    r#"{"requestId":"r","challengeId":"c","resourceId":"p","planId":"b","txHash":"0x1"}"#;

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    jti: &'a str,
    iat: u64,
    exp: u64,
}

fn now() -> Now {
    Now { wall_ms: 1_700_000_000_000.0, mono: Instant::now() }
}

/// User and system time of this process, in microseconds.
fn cpu() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| {
        let stat = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default()
    });
    threads.sum::<f64>() / 1000.0
}

/// Microseconds of CPU a call, and calls a second.
async fn load<F: Future<Output = ()> + 'static>(call: impl Fn() -> F + 'static) -> (f64, f64) {
    let (call, began, before) = (std::rc::Rc::new(call), Instant::now(), cpu());
    let local = tokio::task::LocalSet::new();
    for _ in 0..AT_ONCE {
        let call = call.clone();
        local.spawn_local(async move {
            for _ in 0..CALLS / AT_ONCE {
                call().await;
            }
        });
    }
    local.await;
    ((cpu() - before) / CALLS as f64, CALLS as f64 / began.elapsed().as_secs_f64())
}

fn median(mut values: Vec<(f64, f64)>) -> (f64, f64) {
    values.sort_by(|one, other| one.0.total_cmp(&other.0));
    values[values.len() / 2]
}

fn signed(what: &str, calls: usize, sides: [(&str, &dyn Fn()); 2]) {
    let mut samples = [Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        for (side, (_, sign)) in sides.iter().enumerate() {
            let before = cpu();
            for _ in 0..calls {
                sign();
            }
            if round > 0 {
                samples[side].push(((cpu() - before) / calls as f64, 0.0));
            }
        }
    }
    for ((name, _), samples) in sides.iter().zip(samples) {
        println!("{what:22} {name:22} {:7.1} µs of CPU", median(samples).0);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/../connections-server.mjs");
    let mut server = Command::new("node")
        .args([server, "0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is on the PATH");
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = serde_json::from_str::<[u16; 3]>(&line).unwrap()[0];
    let url = format!("http://127.0.0.1:{port}/");

    let config = Config { url: url.clone(), timeout_ms: Timeout::Default, idempotency_key: true };
    let issuer = RemoteTokenIssuer::new(&config).unwrap();
    let http = Client::new(TlsEnvironment::default(), Resolver::default());
    let io = Arc::new(Io { http, signing: SigningPool::default() });
    let ours = move || {
        let auth = CallAuth::<std::future::Pending<Given>>::Strategy(Auth::None);
        let call = Call { body: Some(BODY.to_owned()), auth, now: now() };
        let issued = issuer.issue(call, &io);
        async { drop(black_box(issued.await.unwrap())) }
    };
    let legacy = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let uri: hyper::Uri = url.parse().unwrap();
    let by_legacy = move || {
        let request = Request::post(uri.clone())
            .header("content-type", "application/json")
            .body(Full::from(BODY))
            .unwrap();
        let answer = legacy.request(request);
        async {
            let body = answer.await.unwrap().into_body().collect().await.unwrap().to_bytes();
            drop(black_box(serde_json::from_slice::<Token>(&body).unwrap().token));
        }
    };
    let reqwest = reqwest::Client::new();
    let by_reqwest = move || {
        let request = reqwest.post(&url).header("content-type", "application/json").body(BODY);
        async {
            let body = request.send().await.unwrap().bytes().await.unwrap();
            drop(black_box(serde_json::from_slice::<Token>(&body).unwrap().token));
        }
    };

    let (ours, by_legacy, by_reqwest) = (Arc::new(ours), Arc::new(by_legacy), Arc::new(by_reqwest));
    // For a profiler: one side alone.
    if std::env::args().nth(1).as_deref() == Some("ours") {
        for _ in 0..10 {
            let call = ours.clone();
            println!("{:?}", load(move || call()).await);
        }
        return;
    }
    let mut samples = [Vec::new(), Vec::new(), Vec::new()];
    for round in 0..=ROUNDS {
        let (one, two, three) = (ours.clone(), by_legacy.clone(), by_reqwest.clone());
        let round_of =
            [load(move || one()).await, load(move || two()).await, load(move || three()).await];
        // The first warms up.
        if round > 0 {
            for (samples, sample) in samples.iter_mut().zip(round_of) {
                samples.push(sample);
            }
        }
    }
    let names = ["this package's core", "hyper-util's client", "reqwest"];
    for (name, samples) in names.iter().zip(samples) {
        let (cpu, rate) = median(samples);
        println!("{:22} {name:22} {cpu:7.1} µs of CPU {rate:9.0} a second", "issue, 64 at a time");
    }
    drop(server.stdin.take());
    server.wait().unwrap();

    let pem = include_str!("../../../tests/fixtures/rsa.pem");
    let claims = Claims { sub: "s", jti: "j", iat: 1_700_000_000, exp: 1_700_000_060 };
    let text = r#"{"sub":"s","jti":"j"}"#;
    let rsa = AccessTokenIssuer::new(IssuerConfig {
        private_key: Some(pem.to_owned().into()),
        algorithm: Some("RS256".to_owned()),
        ..IssuerConfig::default()
    });
    let rsa = rsa.unwrap();
    let rsa_key = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
    signed(
        "RS256 token, 2048 bits",
        300,
        [
            ("this package's core", &|| drop(black_box(rsa.sign(text, 60.0, now()).unwrap()))),
            ("jsonwebtoken", &|| {
                let header = Header::new(Algorithm::RS256);
                drop(black_box(encode(&header, &claims, &rsa_key).unwrap()));
            }),
        ],
    );
    let secret = "a secret of thirty-two characters";
    let hmac = AccessTokenIssuer::new(IssuerConfig {
        secret: Some(secret.to_owned().into()),
        ..IssuerConfig::default()
    });
    let hmac = hmac.unwrap();
    let hmac_key = EncodingKey::from_secret(secret.as_bytes());
    signed(
        "HS256 token",
        50_000,
        [
            ("this package's core", &|| drop(black_box(hmac.sign(text, 60.0, now()).unwrap()))),
            ("jsonwebtoken", &|| {
                drop(black_box(encode(&Header::default(), &claims, &hmac_key).unwrap()));
            }),
        ],
    );
}
