//! Where waiting happens: one thread with a tokio runtime for each environment that ever waits.
//!
//! An environment is a Node.js thread with the addon in it. Its runtime starts at the first call
//! that waits and ends with the environment, its tasks and connections with it: so workers come
//! and go without effect on each other, and nothing is left to be shared.

use std::{
    cell::RefCell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::mpsc,
    task::{Context, Poll},
    thread,
    time::Duration,
};

use napi::{
    Env, Error, Status,
    bindgen_prelude::{Either, Function, JsObjectValue as _, Object, ToNapiValue},
};
use tokio::{runtime::Handle, sync::oneshot};

use super::outcome::ErrorRecord;
use crate::{
    auth::Io,
    error::Key0Error,
    http::{Client, tls::TlsEnvironment},
    signing_pool::SigningPool,
};

thread_local! {
    /// There is one environment a thread, however often the addon is loaded into it.
    static ENVIRONMENT: RefCell<Option<Environment>> = const { RefCell::new(None) };
}

struct Environment {
    handle: Handle,
    io: Io,
    /// Dropped, it ends the thread.
    shutdown: oneshot::Sender<()>,
    ended: mpsc::Receiver<()>,
}

/// A promise of what the call gives that `start` begins, or of `lost()` where it panics.
///
/// `start` runs at once, on this thread: so calls find what earlier calls began.
pub fn spawn<T, F>(
    env: &Env,
    tls: TlsEnvironment,
    start: impl FnOnce(&Io) -> F,
    lost: fn() -> T,
) -> napi::Result<Object<'_>>
where
    T: ToNapiValue + Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (handle, mut io) =
        with(*env, |environment| (environment.handle.clone(), environment.io.clone()))?;
    io.http = io.http.for_environment(tls);
    let (deferred, promise) = env.create_deferred()?;
    let started = {
        let _entered = handle.enter();
        catch_unwind(AssertUnwindSafe(|| start(&io))).ok()
    };
    handle.spawn(async move {
        let value = match started {
            Some(future) => Caught(pin!(future)).await,
            None => None,
        };
        let value = value.unwrap_or_else(lost);
        let warnings = io.http.take_warnings();
        deferred.resolve(move |env| {
            for warning in warnings {
                warn(env, &warning);
            }
            Ok(value)
        });
    });
    Ok(promise)
}

/// A promise of what `job` gives on a thread of the signing pool, or of `lost()`; a record where
/// there is no thread.
pub fn spawn_signing<T: ToNapiValue + Send + 'static>(
    env: &Env,
    job: impl FnOnce() -> T + Send + 'static,
    lost: fn() -> T,
) -> napi::Result<Either<Object<'_>, ErrorRecord>> {
    let signing = with(*env, |environment| environment.io.signing.clone())?;
    let ready = match signing.ready() {
        Ok(ready) => ready,
        Err(lost) => return Ok(Either::B(Key0Error::internal(&lost.to_string()).into())),
    };
    let (deferred, promise) = env.create_deferred()?;
    ready.spawn(move || {
        let value = catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|_| lost());
        deferred.resolve(move |_| Ok(value));
    });
    Ok(Either::A(promise))
}

fn with<T>(env: Env, read: impl FnOnce(&Environment) -> T) -> napi::Result<T> {
    ENVIRONMENT.with_borrow_mut(|slot| {
        let environment = match slot {
            Some(environment) => environment,
            None => slot.insert(start(env)?),
        };
        Ok(read(environment))
    })
}

fn start(env: Env) -> napi::Result<Environment> {
    // Its code has to stay in memory for as long as its threads run.
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("key0-files")
        .build()
        .map_err(cannot_start)?;
    let handle = runtime.handle().clone();
    let (shutdown, stop) = oneshot::channel();
    let (ended_sender, ended) = mpsc::channel();
    thread::Builder::new()
        .name("key0".to_owned())
        .spawn(move || {
            // An error is the sender's going away: the same word.
            let _ = runtime.block_on(stop);
            // A certificate file that hangs cannot be cancelled: its thread is left behind.
            runtime.shutdown_background();
            let _ = ended_sender.send(());
        })
        .map_err(cannot_start)?;
    env.add_env_cleanup_hook((), |()| end())?;
    let io = Io { http: Client::new(), signing: SigningPool::default() };
    Ok(Environment { handle, io, shutdown, ended })
}

/// Ends this thread's environment; its calls under way are dropped with their sockets.
fn end() {
    let environment = ENVIRONMENT.try_with(RefCell::take);
    if let Ok(Some(Environment { shutdown, ended, .. })) = environment {
        drop(shutdown);
        // So that no thread of ours runs on into the process's exit. It takes microseconds.
        let _ = ended.recv_timeout(LONGEST_END);
    }
}

fn cannot_start(error: impl std::fmt::Display) -> Error {
    Error::new(Status::GenericFailure, format!("the runtime's thread cannot be started: {error}"))
}

/// `process.emitWarning(warning)`. A runtime without it has no warnings.
fn warn(env: Env, warning: &str) {
    let emit = || -> napi::Result<()> {
        let process: Object<'_> = env.get_global()?.get_named_property("process")?;
        let emit: Function<'_, &str, ()> = process.get_named_property("emitWarning")?;
        emit.apply(process, warning)
    };
    let _ = emit();
}

/// A future whose panic is `None`.
struct Caught<'a, F>(Pin<&'a mut F>);

impl<F: Future> Future for Caught<'_, F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = || self.0.as_mut().poll(context);
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(Some),
            Err(_) => Poll::Ready(None),
        }
    }
}

const LONGEST_END: Duration = Duration::from_millis(100);
