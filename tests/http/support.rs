//! A peer that speaks bytes, a caller, and a clock that stands still.

use std::{
    any::Any,
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    panic::resume_unwind,
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use key0_native::{
    auth::{Auth, ClientCredentials, Io, client_credentials},
    error::{Code, Key0Error},
    http::Client,
    now::Now,
    remote_token_issuer::{
        Call, CallAuth, Config, Given, GivenValue, IssueError, RemoteTokenIssuer, Timeout,
    },
    signing_pool::SigningPool,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// A server on a port of its own, each connection on a thread of its own. When it goes, all of
/// them end, and a panic of one is the test's.
pub struct Server {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    requests: Mutex<Vec<Received>>,
    connections: AtomicUsize,
    streams: Mutex<Vec<Weak<TcpStream>>>,
    ended: AtomicBool,
}

/// A request as it came in.
#[derive(Clone)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
    /// Which connection it came on, from 0.
    pub connection: usize,
}

/// One connection, seen from the server.
pub struct Peer {
    /// Which it is, from 0.
    pub number: usize,
    stream: Arc<TcpStream>,
    state: Arc<State>,
}

impl Server {
    pub fn new(serve: impl Fn(&mut Peer) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State::default());
        let accepting = thread::spawn({
            let state = state.clone();
            move || accept(&listener, &state, &Arc::new(serve))
        });
        Self { address, state, accepting: Some(accepting) }
    }

    /// Answers every request with these bytes.
    pub fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |peer| {
            while peer.request().is_some() {
                peer.write(&answer);
            }
        })
    }

    /// Answers every connection's one request with these bytes, and closes.
    pub fn answering_once(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::new(move |peer| {
            peer.request();
            peer.write(&answer);
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn requests(&self) -> Vec<Received> {
        self.state.requests.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        for stream in self.state.streams.lock().unwrap().drain(..).filter_map(|it| it.upgrade()) {
            // A connection that has ended cannot be ended.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
        let panicked = self.accepting.take().unwrap().join().err();
        if let Some(panicked) = panicked.filter(|_| !thread::panicking()) {
            resume_unwind(panicked);
        }
    }
}

fn accept<F>(listener: &TcpListener, state: &Arc<State>, serve: &Arc<F>)
where
    F: Fn(&mut Peer) + Send + Sync + 'static,
{
    let mut threads = Vec::new();
    loop {
        let stream = Arc::new(listener.accept().unwrap().0);
        let mut streams = state.streams.lock().unwrap();
        if state.ended.load(Ordering::SeqCst) {
            break;
        }
        streams.push(Arc::downgrade(&stream));
        drop(streams);
        let number = state.connections.fetch_add(1, Ordering::SeqCst);
        let mut peer = Peer { number, stream, state: state.clone() };
        let serve = serve.clone();
        threads.push(thread::spawn(move || serve(&mut peer)));
    }
    let panicked: Vec<Box<dyn Any + Send>> =
        threads.into_iter().filter_map(|thread| thread.join().err()).collect();
    if let Some(panicked) = panicked.into_iter().next() {
        resume_unwind(panicked);
    }
}

impl Peer {
    /// The next request, whole; `None` where the client closed instead.
    pub fn request(&mut self) -> Option<Received> {
        let head = self.read_head()?;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        (&*self.stream).read_exact(&mut body).ok()?;
        Some(self.record(head, body))
    }

    /// The head of the next request; what follows it stays in the socket.
    pub fn head(&mut self) -> Option<Received> {
        let head = self.read_head()?;
        Some(self.record(head, Vec::new()))
    }

    /// The client may have left: writing to nobody is no failure of the server.
    pub fn write(&mut self, bytes: &[u8]) {
        let _ = (&*self.stream).write_all(bytes);
    }

    /// Writes on until the client leaves.
    pub fn write_for_ever(&mut self, bytes: &[u8]) {
        while (&*self.stream).write_all(bytes).is_ok() {}
    }

    /// Waits until there is something to read: closing then is a reset.
    pub fn wait_for_body(&mut self) {
        assert_eq!(self.stream.peek(&mut [0]).unwrap(), 1);
    }

    /// Waits until the client closes; whatever it still sends is swallowed.
    pub fn wait_for_end(&mut self) {
        let mut buffer = [0; 64 * 1024];
        while (&*self.stream).read(&mut buffer).is_ok_and(|read| read > 0) {}
    }

    /// Says that nothing more comes.
    pub fn close(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Waits for a word of the test, or for the test's end.
    pub fn wait_for(&mut self, gate: &Gate) {
        let gate = gate.0.lock().unwrap();
        while !self.state.ended.load(Ordering::SeqCst)
            && gate.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout)
        {
        }
    }

    fn read_head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            if (&*self.stream).read(&mut byte).ok().filter(|&read| read > 0).is_none() {
                assert!(head.is_empty(), "half a head: {head:?}");
                return None;
            }
            head.push(byte[0]);
        }
        // One character a byte.
        Some(head.into_iter().map(char::from).collect())
    }

    fn record(&self, head: String, body: Vec<u8>) -> Received {
        let received = Received { head, body, connection: self.number };
        self.state.requests.lock().unwrap().push(received.clone());
        received
    }
}

/// A whole answer with its length.
pub fn answer(status: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A whole 200 with this token.
pub fn token(token: &str) -> Vec<u8> {
    answer("200 OK", format!(r#"{{"token":"{token}"}}"#))
}

/// What an issuer gives for [`token`].
pub fn issued(token: &str) -> Result<String, Key0Error> {
    Ok(format!(r#"{{"token":"{token}","tokenType":"Bearer"}}"#))
}

/// An issuer and its connections.
#[derive(Clone)]
pub struct Caller {
    issuer: RemoteTokenIssuer,
    io: Io,
}

impl Caller {
    pub fn new(url: &str) -> Self {
        Self::with(url, Timeout::Default, Client::new())
    }

    pub fn with(url: &str, timeout_ms: Timeout, http: Client) -> Self {
        let config = Config { url: url.to_owned(), timeout_ms, idempotency_key: true };
        let issuer = RemoteTokenIssuer::new(&config).unwrap();
        Self { issuer, io: Io { http, signing: SigningPool::default() } }
    }

    /// Posts `{}`.
    pub async fn issue(&self) -> Result<String, Key0Error> {
        self.issue_with(Some("{}"), &[]).await
    }

    pub async fn issue_with(
        &self,
        body: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<String, Key0Error> {
        let owned = |(name, value): &(&str, &str)| {
            ((*name).to_owned(), GivenValue::Text((*value).to_owned()))
        };
        let headers = headers.iter().map(owned).collect();
        let call = Call {
            body: body.map(str::to_owned),
            auth: CallAuth::Given(async { Given::Headers(headers) }),
            now: now(),
        };
        self.issuer.issue(call, &self.io).await.map_err(|error| match error {
            IssueError::Key0(error) => error,
            IssueError::CallersOwn => unreachable!("the caller rejects nothing here"),
        })
    }

    /// Begins a call that may be given up.
    pub fn begin(&self) -> tokio::task::JoinHandle<Result<String, Key0Error>> {
        let caller = self.clone();
        tokio::spawn(async move { caller.issue().await })
    }
}

pub fn now() -> Now {
    Now { wall_ms: 1.7e12, mono: Instant::now() }
}

/// A client of the OAuth server at `url`.
pub fn client_credentials(url: &str) -> Auth {
    let config = client_credentials::Config {
        token_url: url.to_owned(),
        client_id: "id".to_owned(),
        client_secret: "canary-secret".to_owned().into(),
        scopes: Vec::new(),
        audience: None,
    };
    Auth::ClientCredentials(ClientCredentials::new(&config).unwrap())
}

/// An error of the issuer, by its whole sentence, its cause's code, status and `sent`.
#[track_caller]
pub fn failed(
    result: Result<String, Key0Error>,
    message: &str,
    (code, status, sent): (Option<&str>, Option<u16>, bool),
) {
    let error = result.unwrap_err();
    assert_eq!(error.message, message);
    assert_eq!((error.code, error.http_status), (Code::TokenIssueFailed, 502));
    let cause = error.cause.unwrap();
    assert_eq!((cause.code, cause.status, cause.sent), (code, status, Some(sent)));
}

/// The issuer's deadline, and whether bytes had gone out.
#[track_caller]
pub fn timed_out(result: Result<String, Key0Error>, sent: bool) {
    let error = result.unwrap_err();
    assert_eq!(error.message, "Remote token issuance timed out");
    assert_eq!((error.code, error.http_status), (Code::TokenIssueTimeout, 504));
    let cause = error.cause.unwrap();
    assert_eq!((cause.code, cause.status, cause.sent), (Some("ETIMEDOUT"), None, Some(sent)));
}

/// Tells the test that a server's thread has come somewhere.
#[derive(Clone)]
pub struct Signal(UnboundedSender<()>);

pub struct Signals(UnboundedReceiver<()>);

pub fn signal() -> (Signal, Signals) {
    let (sender, receiver) = unbounded_channel();
    (Signal(sender), Signals(receiver))
}

impl Signal {
    pub fn give(&self) {
        // The test may have ended.
        let _ = self.0.send(());
    }
}

impl Signals {
    /// Waits for one while connections go on.
    pub async fn next(&mut self) {
        self.0.recv().await.unwrap();
    }

    /// Waits for one and holds the runtime's only thread: the client sees nothing meanwhile.
    pub fn next_while_nothing_else_runs(&mut self) {
        while self.0.try_recv().is_err() {
            thread::yield_now();
        }
    }
}

/// Lets a server's thread go on, once a word.
pub fn gate() -> (mpsc::Sender<()>, Gate) {
    let (sender, receiver) = mpsc::channel();
    (sender, Gate(Mutex::new(receiver)))
}

pub struct Gate(Mutex<mpsc::Receiver<()>>);

/// Tokio's clock stands still until it is told to go on, though sockets wait: it would run ahead
/// by itself, but never while a blocking task does.
pub struct Clock(#[expect(dead_code, reason = "its going ends the task")] mpsc::Sender<()>);

impl Clock {
    pub fn stop() -> Self {
        tokio::time::pause();
        let (sender, receiver) = mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || receiver.recv());
        Self(sender)
    }

    #[expect(clippy::unused_self, reason = "a clock that was stopped")]
    pub async fn advance(&self, seconds: f64) {
        tokio::time::advance(Duration::from_millis((seconds * 1000.0).round() as u64)).await;
    }
}
