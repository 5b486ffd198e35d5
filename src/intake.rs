//! How calls come to the network thread. One that is alone is polled by its caller first, so that
//! its request leaves at once on a connection that is warm: to wake another thread takes longer.
//! Calls that come while others are under way are handed over, and one wake-up serves all that came
//! meanwhile.

use std::{
    future::Future,
    mem,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Wake, Waker},
    time::Duration,
};

use tokio::{join, runtime::Handle, sync::Notify, time::sleep};

use crate::lock::lock;

/// A call, and what its result is for.
type Call = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Makes a call a task of the runtime that it is run in.
type Spawn = Box<dyn FnOnce() + Send>;

/// Where calls wait for the network thread.
#[derive(Default)]
pub struct Intake {
    calls: Mutex<Vec<Spawn>>,
    first: Notify,
    pulse: Pulse,
}

impl Intake {
    /// Polls what `call` makes on this thread, which has entered the runtime; the network thread goes
    /// on with it.
    pub fn begin<F>(self: &Arc<Self>, call: impl FnOnce() -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut call: Call = Box::pin(call());
        self.pulse.keep();
        let polled = Arc::new(PolledOnce { state: Mutex::default(), intake: self.clone() });
        let waker = Waker::from(polled.clone());
        if call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() {
            polled.rest(call);
        }
    }

    /// Gives what `call` makes to the network thread, which makes it: kilobytes that one thread makes
    /// and another drops cost both. It never ends one, since who wakes a call may hold a lock that
    /// its end takes.
    pub fn hand_over<F>(&self, call: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let spawn = Box::new(|| drop(tokio::spawn(call())));
        let mut calls = lock(&self.calls);
        calls.push(spawn);
        let is_first = calls.len() == 1;
        drop(calls);
        if is_first {
            self.first.notify_one();
        }
    }

    /// Takes the calls, as a task of the runtime.
    pub async fn serve(self: Arc<Self>) {
        let taking = async {
            let mut taken = Vec::new();
            loop {
                self.first.notified().await;
                mem::swap(&mut *lock(&self.calls), &mut taken);
                for spawn in taken.drain(..) {
                    spawn();
                }
            }
        };
        join!(taking, self.pulse.beat());
    }

    /// Drops what is left once the runtime of `handle` is gone, which has woken all that rested.
    pub fn end(&self, handle: &Handle) {
        // What a call leaves to others begins tasks, which end at once.
        let _entered = handle.enter();
        loop {
            let left = mem::take(&mut *lock(&self.calls));
            if left.is_empty() {
                break;
            }
        }
    }
}

/// A call that was polled once, and goes to the network thread when it is woken.
struct PolledOnce {
    state: Mutex<State>,
    intake: Arc<Intake>,
}

#[derive(Default)]
enum State {
    #[default]
    Polled,
    Woken,
    Resting(Call),
}

impl PolledOnce {
    fn rest(&self, call: Call) {
        let mut state = lock(&self.state);
        match *state {
            State::Woken => self.intake.hand_over(|| call),
            _ => *state = State::Resting(call),
        }
    }
}

impl Wake for PolledOnce {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let before = mem::replace(&mut *lock(&self.state), State::Woken);
        if let State::Resting(call) = before {
            self.intake.hand_over(|| call);
        }
    }
}

/// A timer that is near for as long as calls begin here. tokio wakes the network thread for each new
/// timer that is nearer than all others; beside this one the deadline of a call never is.
#[derive(Default)]
struct Pulse {
    is_beating: AtomicBool,
    is_wanted: AtomicBool,
    begins: Notify,
}

impl Pulse {
    fn keep(&self) {
        self.is_wanted.store(true, Ordering::SeqCst);
        self.begin();
    }

    async fn beat(&self) {
        loop {
            self.begins.notified().await;
            while self.is_wanted.swap(false, Ordering::SeqCst) {
                sleep(PULSE).await;
            }
            self.is_beating.store(false, Ordering::SeqCst);
            // Who came in between has told nobody.
            if self.is_wanted.load(Ordering::SeqCst) {
                self.begin();
            }
        }
    }

    fn begin(&self) {
        if !self.is_beating.swap(true, Ordering::SeqCst) {
            self.begins.notify_one();
        }
    }
}

/// Less than the deadline of nearly every call.
const PULSE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use std::{
        future::{Pending, pending, poll_fn},
        io::{Read as _, Write as _},
        net::{TcpListener, TcpStream},
        sync::mpsc,
        task::Poll,
        thread::{self, JoinHandle, ThreadId},
    };

    use tokio::{runtime::Builder, sync::oneshot};

    use super::*;
    use crate::{
        auth::{Auth, Io},
        errand::Errands,
        http::{Client, Resolver, tls::TlsEnvironment},
        now::Now,
        remote_token_issuer::{
            Call as Issue, CallAuth, Config, Given, IssueError, RemoteTokenIssuer, Timeout,
        },
        signing_pool::SigningPool,
    };

    /// A network thread.
    struct Network {
        intake: Arc<Intake>,
        handle: Handle,
        stop: oneshot::Sender<()>,
        thread: JoinHandle<()>,
    }

    impl Network {
        fn new() -> Self {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            let (handle, intake) = (runtime.handle().clone(), Arc::<Intake>::default());
            let (stop, stopped) = oneshot::channel();
            runtime.spawn(intake.clone().serve());
            let (ending, ended) = (intake.clone(), handle.clone());
            let thread = thread::spawn(move || {
                let _ = runtime.block_on(stopped);
                runtime.shutdown_background();
                ending.end(&ended);
            });
            Self { intake, handle, stop, thread }
        }

        /// What a call gives that begins here.
        fn begin<T: Send + 'static>(
            &self,
            call: impl Future<Output = T> + Send + 'static,
        ) -> mpsc::Receiver<T> {
            let (sender, receiver) = mpsc::channel();
            let _entered = self.handle.enter();
            self.intake.begin(|| async move { sender.send(call.await).unwrap() });
            receiver
        }

        fn id(&self) -> ThreadId {
            self.thread.thread().id()
        }

        fn end(self) {
            drop(self.stop);
            self.thread.join().unwrap();
        }
    }

    #[test]
    fn a_call_begins_on_its_callers_thread_and_goes_on_where_it_is_woken_for() {
        let network = Network::new();
        let threads = network.begin(async {
            let first = thread::current().id();
            sleep(Duration::from_millis(100)).await;
            (first, thread::current().id())
        });
        assert_eq!(threads.recv().unwrap(), (thread::current().id(), network.id()));
        network.end();
    }

    #[test]
    fn a_call_that_is_woken_while_it_is_polled_is_not_lost() {
        let network = Network::new();
        let mut is_first = true;
        let call = poll_fn(move |context| {
            if std::mem::take(&mut is_first) {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            Poll::Ready(thread::current().id())
        });
        assert_eq!(network.begin(call).recv().unwrap(), network.id());
        network.end();
    }

    #[test]
    fn calls_that_are_handed_over_are_all_made_and_polled_by_the_network_thread() {
        let network = Network::new();
        let (sender, threads) = mpsc::channel();
        for _ in 0..100 {
            let sender = sender.clone();
            let call = move || {
                let made_on = thread::current().id();
                async move { sender.send([made_on, thread::current().id()]).unwrap() }
            };
            network.intake.hand_over(call);
        }
        drop(sender);
        assert_eq!(threads.iter().collect::<Vec<_>>(), vec![[network.id(); 2]; 100]);
        network.end();
    }

    // A call holds sockets, and what wakes it when it ends may be another that ends.
    #[test]
    fn calls_that_rest_end_with_their_runtime() {
        let network = Network::new();
        let (first, second) = (Arc::new(()), Arc::new(()));
        let held = (first.clone(), second.clone());
        let (sender, receiver) = oneshot::channel::<()>();
        let _late = network.begin(async move {
            sleep(Duration::from_mins(1)).await;
            drop((held.0, sender));
        });
        let _later = network.begin(async move {
            let _ = receiver.await;
            pending::<()>().await;
            drop(held.1);
        });
        network.end();
        assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    }

    #[test]
    fn a_call_that_is_served_as_its_runtime_ends_leaves_its_connection_quietly() {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (handle, intake) = (runtime.handle().clone(), Arc::<Intake>::default());
        let issued = issue(&issuer(listener.local_addr().unwrap().port()), &io());
        let (sender, receiver) = mpsc::channel();
        let call = async move { sender.send(issued.await).unwrap() };
        let entered = handle.enter();
        intake.begin(|| call);
        drop(entered);
        // Nobody takes it once it is woken.
        runtime.block_on(async {
            while lock(&intake.calls).is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
        });
        runtime.shutdown_background();
        intake.end(&handle);
        assert!(receiver.recv().is_err());
    }

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"token\":\"t\"}";

    fn issuer(port: u16) -> RemoteTokenIssuer {
        let issuer = RemoteTokenIssuer::new(&Config {
            url: format!("http://127.0.0.1:{port}/issue"),
            timeout_ms: Timeout::Default,
            idempotency_key: true,
            tls: None,
        });
        issuer.unwrap()
    }

    fn io() -> Io {
        let http = Client::new(TlsEnvironment::default(), Resolver::default());
        Io { http, signing: SigningPool::default(), errands: Errands::default() }
    }

    fn issue(
        issuer: &RemoteTokenIssuer,
        io: &Io,
    ) -> impl Future<Output = Result<String, IssueError>> + Send + use<> {
        let now = Now { wall_ms: 0.0, mono: std::time::Instant::now() };
        let auth = CallAuth::<Pending<Given>>::Strategy(Auth::None);
        let body = Some("{}".to_owned());
        issuer.begin(Issue { body, auth, now, courier: None, along: None }, io).issue()
    }

    /// Answers one request on each of two connections, and writes `last` to the first before it
    /// closes that, when told to.
    fn server(last: &'static [u8]) -> (u16, mpsc::SyncSender<()>, JoinHandle<[String; 2]>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (close, closes) = mpsc::sync_channel(0);
        let serve = move || {
            let answer = |socket: &mut TcpStream| {
                let mut text = Vec::new();
                while !text.ends_with(b"{}") {
                    let mut piece = [0; 1024];
                    let count = socket.read(&mut piece).unwrap();
                    assert!(count > 0, "closed before a request");
                    text.extend(&piece[..count]);
                }
                socket.write_all(ANSWER).unwrap();
                String::from_utf8(text).unwrap()
            };
            let (mut first, _) = listener.accept().unwrap();
            let before = answer(&mut first);
            closes.recv().unwrap();
            first.write_all(last).unwrap();
            drop(first);
            closes.recv().unwrap();
            let (mut second, _) = listener.accept().unwrap();
            [before, answer(&mut second)]
        };
        (port, close, thread::spawn(serve))
    }

    /// Two issues, both begun here; before the second, the first one's connection ends while the
    /// network thread is busy, and cannot know of it.
    fn issues_around_an_end(last: &'static [u8]) {
        let (port, close, served) = server(last);
        let (issuer, io, network) = (issuer(port), io(), Network::new());
        let issue = || network.begin(issue(&issuer, &io));
        let token = Ok(r#"{"token":"t","tokenType":"Bearer"}"#.to_owned());
        assert_eq!(issue().recv().unwrap(), token);
        let (busy, is_busy) = mpsc::channel();
        let (free, frees) = mpsc::channel::<()>();
        network.handle.spawn(async move {
            busy.send(()).unwrap();
            frees.recv().unwrap();
        });
        is_busy.recv().unwrap();
        close.send(()).unwrap();
        // It has closed when it waits for this.
        close.send(()).unwrap();
        let second = issue();
        free.send(()).unwrap();
        assert_eq!(second.recv().unwrap(), token);
        let [before, after] = served.join().unwrap();
        assert_eq!(before, after);
        network.end();
    }

    #[test]
    fn a_call_sends_nothing_on_a_connection_whose_end_the_network_thread_has_not_seen() {
        issues_around_an_end(b"");
    }

    #[test]
    fn a_call_takes_nothing_for_its_answer_that_came_before_it() {
        issues_around_an_end(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n");
    }
}
