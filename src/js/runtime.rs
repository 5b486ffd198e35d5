//! Where waiting happens: one thread with a tokio runtime for each environment that ever waits.
//!
//! An environment is a Node.js thread with the addon in it. Its runtime starts at the first call
//! that waits and ends with the environment, its tasks and connections with it: so workers come
//! and go without effect on each other, and nothing is left to be shared.

use std::{
    cell::RefCell,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    rc::Rc,
    sync::{Arc, mpsc},
    task::{Context, Poll},
    thread,
    time::Duration,
};

use napi::{
    Env,
    bindgen_prelude::{Either, Object, ToNapiValue},
};
use tokio::{runtime::Handle, sync::oneshot};

use super::{
    outcome::{ErrorRecord, Outcome},
    settle,
    text::Text,
};
use crate::{
    auth::Io,
    errand::Errands,
    error::Key0Error,
    fault_injection,
    http::{Client, Resolver, tls::TlsEnvironment},
    intake::Intake,
    signing_pool::SigningPool,
};

thread_local! {
    /// There is one environment a thread, however often the addon is loaded into it.
    static ENVIRONMENT: RefCell<Option<Environment>> = const { RefCell::new(None) };
}

struct Environment {
    /// Counted apart from what is in them, whose counts the network thread writes, too.
    network: Rc<Network>,
    /// Its client is that of the variables that the last call had.
    io: Rc<Io>,
    resolver: Resolver,
    /// Dropped, it ends the thread.
    shutdown: oneshot::Sender<()>,
    ended: mpsc::Receiver<()>,
}

/// The network thread.
struct Network {
    handle: Handle,
    intake: Arc<Intake>,
}

/// A promise of what the call gives that `start` begins, as `into` makes it.
///
/// `start` runs at once, on this thread: so calls find what earlier calls began. What it gives makes
/// what waits, on the thread that polls it first: that is kilobytes.
pub fn spawn<O, T, C>(
    env: &Env,
    tls: TlsEnvironment,
    start: impl FnOnce(&Io) -> C,
    into: fn(O) -> T,
    lost: fn() -> T,
    refused: impl FnOnce(&io::Error) -> T,
) -> napi::Result<Either<Object<'_>, T>>
where
    O: 'static,
    T: ToNapiValue + Send + 'static,
    C: FnOnce() -> Call<O> + Send + 'static,
{
    let (network, io) = match with(*env, |environment| environment.for_call(tls)) {
        Ok(ready) => ready,
        Err(error) => return Ok(Either::B(refused(&error))),
    };
    let is_alone = settle::under_way() == 0;
    let (deferred, promise) = settle::promise(env, lost)?;
    let _entered = network.handle.enter();
    if let Ok(begun) = catch_unwind(AssertUnwindSafe(|| start(&io))) {
        let http = io.http.clone();
        let call = move || {
            // Else it would end what makes the calls of others.
            let making = || {
                fault_injection::point("make");
                begun()
            };
            let made = catch_unwind(AssertUnwindSafe(making));
            async move {
                if let Ok(waiting) = made
                    && let Some(value) = Caught(waiting).await
                {
                    deferred.settle(into(value), http.take_warnings());
                }
            }
        };
        if is_alone {
            network.intake.begin(call);
        } else {
            network.intake.hand_over(call);
        }
    }
    Ok(Either::A(promise))
}

/// A promise of what `job` gives on a thread of the signing pool, or of `lost()`; a record where
/// there is no thread.
pub fn spawn_signing(
    env: &Env,
    job: impl FnOnce() -> Outcome<Text> + Send + 'static,
    lost: fn() -> Outcome<Text>,
) -> napi::Result<Either<Object<'_>, ErrorRecord>> {
    let internal = |why: String| Ok(Either::B(Key0Error::internal(&why).into()));
    let signing = match with(*env, |environment| environment.io.signing.clone()) {
        Ok(signing) => signing,
        Err(error) => return internal(error.to_string()),
    };
    let ready = match signing.ready() {
        Ok(ready) => ready,
        Err(lost) => return internal(lost.to_string()),
    };
    let (deferred, promise) = settle::promise(env, lost)?;
    ready.spawn(move || {
        // A panic drops the deferred.
        if let Ok(outcome) = catch_unwind(AssertUnwindSafe(job)) {
            deferred.settle(outcome, Vec::new());
        }
    });
    Ok(Either::A(promise))
}

/// Begins to read the certificates that calls with these variables trust.
pub fn prepare_tls(env: Env, tls: TlsEnvironment) {
    // Where that cannot begin, the call that needs them says why.
    let _ = with(env, |environment| environment.for_call(tls).1.http.prepare_tls());
}

impl Environment {
    /// What a call with these variables waits on. When they change, so does the client: nothing
    /// that was made for others serves it, and nothing grows.
    fn for_call(&mut self, tls: TlsEnvironment) -> (Rc<Network>, Rc<Io>) {
        if *self.io.http.environment() != tls {
            let http = Client::new(tls, self.resolver.clone());
            self.io = Rc::new(Io { http, ..Io::clone(&self.io) });
        }
        (self.network.clone(), self.io.clone())
    }
}

fn with<T>(env: Env, call: impl FnOnce(&mut Environment) -> T) -> io::Result<T> {
    ENVIRONMENT.with_borrow_mut(|slot| {
        let environment = match slot {
            Some(environment) => environment,
            None => slot.insert(start(env)?),
        };
        Ok(call(environment))
    })
}

fn start(env: Env) -> io::Result<Environment> {
    // Its code has to stay in memory for as long as its threads run.
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let intake = Arc::<Intake>::default();
    let handle = runtime.handle().clone();
    let network = Rc::new(Network { handle: handle.clone(), intake: intake.clone() });
    runtime.spawn(intake.clone().serve());
    // Woken by a turn's first result, it runs behind all that was ready by then.
    runtime.spawn(settle::at_turns_end());
    let (shutdown, stop) = oneshot::channel();
    let (ended_sender, ended) = mpsc::channel();
    thread::Builder::new().name("key0".to_owned()).spawn(move || {
        // An error means that the sender was dropped, which also asks it to stop.
        let _ = runtime.block_on(stop);
        runtime.shutdown_background();
        intake.end(&handle);
        let _ = ended_sender.send(());
    })?;
    env.add_env_cleanup_hook((), |()| end()).map_err(|error| io::Error::other(error.reason))?;
    let resolver = Resolver::default();
    let http = Client::new(TlsEnvironment::default(), resolver.clone());
    let (signing, errands) = (SigningPool::default(), Errands::default());
    let io = Rc::new(Io { http, signing, errands });
    Ok(Environment { network, io, resolver, shutdown, ended })
}

/// Ends this thread's environment; its calls under way are dropped with their sockets.
fn end() {
    let environment = ENVIRONMENT.try_with(RefCell::take);
    if let Ok(Some(Environment { shutdown, ended, .. })) = environment {
        drop(shutdown);
        // Lets the thread end before the process exits, which takes microseconds.
        let _ = ended.recv_timeout(LONGEST_END);
    }
}

/// A call under way.
pub type Call<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A call whose panic is `None`.
struct Caught<T>(Call<T>);

impl<T> Future for Caught<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = || self.0.as_mut().poll(context);
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}

const LONGEST_END: Duration = Duration::from_millis(100);
