//! The backend and OAuth server of `npm run bench`, on one thread of a process of its own:
//! `server <key.pem> <cert.pem>` prints its two ports as JSON, `{"http":…,"https":…}`. For each line
//! on stdin it prints one: `counts`, what came since the last time; `drop`, once every connection is
//! told to close. It ends with stdin.

use std::{cell::RefCell, convert::Infallible, future::pending, pin::pin, rc::Rc, sync::Arc};

use http_body_util::{BodyExt as _, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, BufReader, stdin},
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::{LocalSet, spawn_local},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        HandshakeKind, ServerConfig,
        crypto::aws_lc_rs::Ticketer,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    },
};

#[derive(Default, Serialize)]
struct Counts {
    connections: u64,
    full_handshakes: u64,
    resumed_handshakes: u64,
    requests: u64,
    token_requests: u64,
    hanging: u64,
}

/// What the connections share.
#[derive(Clone)]
struct Shared {
    counts: Rc<RefCell<Counts>>,
    /// Changes where every connection has to close.
    dropped: watch::Receiver<()>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    LocalSet::new().run_until(serve()).await;
}

async fn serve() {
    let files: Vec<_> = std::env::args().skip(1).collect();
    let (dropper, dropped) = watch::channel(());
    let shared = Shared { counts: Rc::default(), dropped };
    let (http, https) = (listener(), listener());
    let ports = [&http, &https].map(|listener| listener.local_addr().unwrap().port());
    spawn_local(accept(http, None, shared.clone()));
    spawn_local(accept(https, Some(acceptor(&files[0], &files[1])), shared.clone()));
    println!(r#"{{"http":{},"https":{}}}"#, ports[0], ports[1]);
    let mut lines = BufReader::new(stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "drop" {
            dropper.send_replace(());
        }
        let counts = shared.counts.take();
        println!("{}", serde_json::to_string(&counts).unwrap());
    }
}

/// With room for a burst.
fn listener() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(4096).unwrap()
}

fn acceptor(key: &str, cert: &str) -> TlsAcceptor {
    let chain = vec![CertificateDer::from_pem_file(cert).unwrap()];
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let builder = ServerConfig::builder().with_no_client_auth();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.ticketer = Ticketer::new().unwrap();
    Arc::new(config).into()
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Shared) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        shared.counts.borrow_mut().connections += 1;
        let (tls, shared) = (tls.clone(), shared.clone());
        spawn_local(async move {
            let Some(tls) = tls else { return connection(stream, shared).await };
            let Ok(stream) = tls.accept(stream).await else { return };
            match stream.get_ref().1.handshake_kind() {
                Some(HandshakeKind::Resumed) => {
                    shared.counts.borrow_mut().resumed_handshakes += 1;
                }
                _ => shared.counts.borrow_mut().full_handshakes += 1,
            }
            connection(stream, shared).await;
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin, shared: Shared) {
    let Shared { counts, mut dropped } = shared;
    let answer = |request| answer(request, counts.clone());
    let service = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
    let mut service = pin!(service);
    // Only what comes from now on counts.
    dropped.mark_unchanged();
    tokio::select! {
        _ = service.as_mut() => return,
        _ = dropped.changed() => service.as_mut().graceful_shutdown(),
    }
    let _ = service.await;
}

async fn answer(
    request: Request<Incoming>,
    counts: Rc<RefCell<Counts>>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let path = request.uri().path();
    let hangs = path == "/hang";
    let (body, is_token) = match path {
        "/token" => (TOKEN, true),
        "/kept-token" => (KEPT_TOKEN, true),
        _ => (ISSUED, false),
    };
    let _ = request.into_body().collect().await;
    {
        let mut counts = counts.borrow_mut();
        counts.requests += 1;
        counts.token_requests += u64::from(is_token);
        counts.hanging += u64::from(hangs);
    }
    if hangs {
        pending::<()>().await;
    }
    let mut response = Response::new(Full::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    // Longer than the rounds of the other sides take: every round finds its connections.
    response.headers_mut().insert("keep-alive", HeaderValue::from_static("timeout=60"));
    Ok(response)
}

const ISSUED: &str = r#"{"token":"key-1","tokenType":"Bearer"}"#;
/// No cache keeps such a token, though all who wait for it share it.
const TOKEN: &str = r#"{"access_token":"at-1","token_type":"Bearer","expires_in":10}"#;
const KEPT_TOKEN: &str = r#"{"access_token":"at-1","token_type":"Bearer","expires_in":86400}"#;
