//! Promises that other threads settle. One thread-safe function an environment carries all results:
//! napi's own deferred makes and closes one for each promise, and Bun walks the list of all for it.
//!
//! Each result is one call of that function, so that the runtime runs microtasks between two, as
//! after any callback. The network thread makes these calls once it has done all that was ready: to
//! wake the JavaScript thread for each result costs more than the result. The function keeps the
//! event loop alive while a promise is under way, and not longer.

use std::{
    cell::RefCell,
    collections::VecDeque,
    ffi::c_void,
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use napi::{
    Env, Error, JsValue as _, Status,
    bindgen_prelude::{Function, JsObjectValue as _, Object, ToNapiValue},
    check_status, sys,
};
use napi_derive::napi;
use tokio::{sync::Notify, task};

use crate::lock::lock;

thread_local! {
    /// There is one environment a thread, however often the addon is loaded into it.
    static PROMISES: RefCell<Option<Promises>> = const { RefCell::new(None) };
}

/// What the JavaScript thread knows of its promises.
struct Promises {
    function: Handle,
    under_way: usize,
    results: Arc<Results>,
}

/// Where results wait for the JavaScript thread.
struct Results {
    queue: Mutex<VecDeque<Next>>,
    /// Results of the network thread that the JavaScript thread was not told of.
    untold: AtomicUsize,
    /// Tells [`at_turns_end`] of the first of those.
    first_untold: Notify,
    /// None once the environment ends: what comes then is dropped.
    function: Mutex<Option<Handle>>,
}

/// A thread-safe function.
#[derive(Clone, Copy)]
struct Handle(sys::napi_threadsafe_function);

#[expect(unsafe_code, reason = "any thread may call it, which it is for")]
// SAFETY: it is called under the lock of `Results::function`, out of which it is taken before the
// environment ends; all else with it happens on the JavaScript thread.
unsafe impl Send for Handle {}

/// A promise's other end. Dropped, it settles as a call that was lost does.
pub struct Deferred<T: ToNapiValue + Send + 'static> {
    promise: Option<Promise>,
    lost: fn() -> T,
    results: Arc<Results>,
}

/// A promise that was not settled, and the environment that made it.
struct Promise {
    env: sys::napi_env,
    deferred: sys::napi_deferred,
}

#[expect(unsafe_code, reason = "other threads carry the pointers, and do not look at them")]
// SAFETY: only `settle`, on the JavaScript thread that made them, uses the pointers.
unsafe impl Send for Promise {}

/// What the JavaScript thread does next for another one.
enum Next {
    Settle(Settled),
    Run(Box<dyn FnOnce(Env) + Send>),
}

/// The way to a JavaScript thread. It keeps no event loop alive.
pub struct Queue(Arc<Results>);

struct Settled {
    promise: Promise,
    value: Value,
    warnings: Vec<String>,
}

/// What becomes a value of JavaScript, on its thread.
type Value = Box<dyn FnOnce(sys::napi_env) -> napi::Result<sys::napi_value> + Send>;

/// Makes the function when the addon is loaded: the first call's async context is not kept by it.
#[napi(module_exports)]
pub fn open(_exports: Object<'_>, env: Env) -> napi::Result<()> {
    PROMISES.with_borrow_mut(|slot| {
        if slot.is_none() {
            let function = function(env)?;
            let results = Arc::new(Results {
                queue: Mutex::default(),
                untold: AtomicUsize::default(),
                first_untold: Notify::new(),
                function: Mutex::new(Some(function)),
            });
            *slot = Some(Promises { function, under_way: 0, results });
            // Registered after the function's own hook, so that it runs before that.
            env.add_env_cleanup_hook((), |()| close())?;
        }
        Ok(())
    })
}

/// A promise, and what settles it. `lost` is what it gives where that is dropped.
pub fn promise<T: ToNapiValue + Send + 'static>(
    env: &Env,
    lost: fn() -> T,
) -> napi::Result<(Deferred<T>, Object<'_>)> {
    let (env, mut deferred, mut promise) = (env.raw(), ptr::null_mut(), ptr::null_mut());
    #[expect(unsafe_code, reason = "napi settles such a promise only by a function of its own")]
    // SAFETY: `env` is that of the native call that this runs in. Hooks of `async_hooks` run in it,
    // which may call, too: nothing is borrowed.
    check_status!(unsafe { sys::napi_create_promise(env, &raw mut deferred, &raw mut promise) })?;
    PROMISES.with_borrow_mut(|promises| {
        let ended = || Error::new(Status::Closing, "the environment has ended".to_owned());
        let promises = promises.as_mut().ok_or_else(ended)?;
        promises.begin(env);
        let results = promises.results.clone();
        Ok((
            Deferred { promise: Some(Promise { env, deferred }), lost, results },
            Object::from_raw(env, promise),
        ))
    })
}

/// The way to this thread, where it is JavaScript's.
pub fn queue() -> Option<Queue> {
    PROMISES.with_borrow(|promises| Some(Queue(promises.as_ref()?.results.clone())))
}

impl Queue {
    /// Runs this on the JavaScript thread, after what was settled before; never where that ends first.
    pub fn run(&self, run: impl FnOnce(Env) + Send + 'static) {
        self.0.push(Next::Run(Box::new(run)));
    }
}

/// How many promises of this thread are under way.
pub fn under_way() -> usize {
    PROMISES.with_borrow(|promises| promises.as_ref().map_or(0, |promises| promises.under_way))
}

/// A task that tells this JavaScript thread of results. A turn's first result wakes it; it runs
/// behind the tasks that were ready by then, and tells of theirs, too.
pub fn at_turns_end() -> impl Future<Output = ()> + Send + use<> {
    let results =
        PROMISES.with_borrow(|promises| promises.as_ref().map(|promises| promises.results.clone()));
    async move {
        while let Some(results) = &results {
            results.first_untold.notified().await;
            results.tell(results.untold.swap(0, Ordering::AcqRel));
        }
    }
}

impl Promises {
    fn begin(&mut self, env: sys::napi_env) {
        if self.under_way == 0 {
            #[expect(unsafe_code, reason = "the event loop lives while a promise is under way")]
            // SAFETY: on the JavaScript thread, before its environment ends.
            unsafe {
                sys::napi_ref_threadsafe_function(env, self.function.0);
            }
        }
        self.under_way += 1;
    }

    fn end(&mut self, env: sys::napi_env) {
        self.under_way -= 1;
        if self.under_way == 0 {
            #[expect(unsafe_code, reason = "and may end afterwards")]
            // SAFETY: on the JavaScript thread, before its environment ends.
            unsafe {
                sys::napi_unref_threadsafe_function(env, self.function.0);
            }
        }
    }
}

impl<T: ToNapiValue + Send + 'static> Deferred<T> {
    /// Settles the promise, once these warnings are emitted.
    pub fn settle(mut self, value: T, warnings: Vec<String>) {
        self.give(value, warnings);
    }

    fn give(&mut self, value: T, warnings: Vec<String>) {
        if let Some(promise) = self.promise.take() {
            #[expect(unsafe_code, reason = "napi's derived conversions are unsafe to call")]
            // SAFETY: `settle` calls it in a callback of the environment that it passes.
            let value = Box::new(|env| unsafe { T::to_napi_value(env, value) });
            self.results.push(Next::Settle(Settled { promise, value, warnings }));
        }
    }
}

impl<T: ToNapiValue + Send + 'static> Drop for Deferred<T> {
    fn drop(&mut self) {
        if self.promise.is_some() {
            self.give((self.lost)(), Vec::new());
        }
    }
}

impl Results {
    fn push(&self, next: Next) {
        lock(&self.queue).push_back(next);
        if task::try_id().is_none() {
            self.tell(1);
        } else if self.untold.fetch_add(1, Ordering::AcqRel) == 0 {
            self.first_untold.notify_one();
        }
    }

    /// Calls the function, so many times.
    fn tell(&self, count: usize) {
        let mut function = lock(&self.function);
        for _ in 0..count {
            let Some(Handle(raw)) = *function else { break };
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            #[expect(unsafe_code, reason = "wakes the JavaScript thread")]
            // SAFETY: it is open for as long as it is in there, and the lock is held.
            let status = unsafe { sys::napi_call_threadsafe_function(raw, ptr::null_mut(), mode) };
            if status == sys::Status::napi_closing {
                // The refusal has released it.
                *function = None;
            }
        }
    }
}

/// A function that settles the next promise at each call, and keeps no event loop alive.
fn function(env: Env) -> napi::Result<Handle> {
    // Its code has to stay in memory for as long as other threads may call it.
    napi::bindgen_prelude::retain_current_module_for_unload_safety();
    let resource = resource(&env)?.raw();
    let (env, mut name, mut function) = (env.raw(), ptr::null_mut(), ptr::null_mut());
    #[expect(unsafe_code, reason = "napi's own thread-safe functions are called with values")]
    // SAFETY: `env` is that of the module's registration, which runs now; the callback needs no data.
    unsafe {
        let text = NAME.as_ptr().cast();
        check_status!(sys::napi_create_string_utf8(
            env,
            text,
            NAME.len().cast_signed(),
            &raw mut name
        ))?;
        check_status!(sys::napi_create_threadsafe_function(
            env,
            ptr::null_mut(),
            resource,
            name,
            0,
            1,
            ptr::null_mut(),
            None,
            ptr::null_mut(),
            Some(settle_next),
            &raw mut function,
        ))?;
        check_status!(sys::napi_unref_threadsafe_function(env, function))?;
    }
    Ok(Handle(function))
}

/// What `async_hooks` shows of it. Jest's `--detectOpenHandles` asks `hasRef` whether it is what
/// keeps a process alive.
fn resource(env: &Env) -> napi::Result<Object<'_>> {
    let mut resource = Object::new(env)?;
    let has_ref: Function<'_, (), bool> = env.create_function_from_closure("hasRef", |_| {
        let is_under_way = |promises: &RefCell<Option<Promises>>| {
            promises.borrow().as_ref().is_some_and(|promises| promises.under_way > 0)
        };
        Ok(PROMISES.try_with(is_under_way).unwrap_or(false))
    })?;
    resource.set_named_property("hasRef", has_ref)?;
    Ok(resource)
}

/// Ends this thread's promises, before the runtime frees the function: what other threads settle
/// from now on is dropped.
fn close() {
    let Ok(Some(promises)) = PROMISES.try_with(RefCell::take) else { return };
    if let Some(Handle(raw)) = lock(&promises.results.function).take() {
        #[expect(unsafe_code, reason = "the only release there is")]
        // SAFETY: nobody else has it any more, and the runtime frees it later.
        unsafe {
            let mode = sys::ThreadsafeFunctionReleaseMode::abort;
            sys::napi_release_threadsafe_function(raw, mode);
        }
    }
    let left = mem::take(&mut *lock(&promises.results.queue));
    drop(left);
}

/// Called on the JavaScript thread, once for each result; without an `env` where it has ended.
extern "C" fn settle_next(
    env: sys::napi_env,
    _callback: sys::napi_value,
    _context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() {
        return;
    }
    let next = || {
        PROMISES.try_with(|promises| {
            let mut promises = promises.try_borrow_mut().ok()?;
            let promises = promises.as_mut()?;
            let next = lock(&promises.results.queue).pop_front()?;
            if matches!(next, Next::Settle(_)) {
                promises.end(env);
            }
            Some(next)
        })
    };
    // A panic ends here: beyond is C.
    let _ = catch_unwind(AssertUnwindSafe(|| match next() {
        Ok(Some(Next::Settle(settled))) => settle(settled),
        Ok(Some(Next::Run(run))) => run(Env::from_raw(env)),
        Ok(None) | Err(_) => {}
    }));
}

fn settle(Settled { promise: Promise { env, deferred }, value, warnings }: Settled) {
    for warning in warnings {
        warn(Env::from_raw(env), &warning);
    }
    #[expect(unsafe_code, reason = "raw promises are settled raw")]
    // SAFETY: this is the thread that made the promise, in a callback of its environment, and a
    // `Settled` is the only one for its promise.
    unsafe {
        match value(env) {
            Ok(value) => {
                sys::napi_resolve_deferred(env, deferred, value);
            }
            // As a setter of `Object.prototype` may have it, which a record's fields meet.
            Err(error) => {
                if let Ok(error) = ToNapiValue::to_napi_value(env, error) {
                    sys::napi_reject_deferred(env, deferred, error);
                }
            }
        }
    }
}

/// `process.emitWarning(warning)`. A runtime without it has no warnings.
pub fn warn(env: Env, warning: &str) {
    let emit = || -> napi::Result<()> {
        let process: Object<'_> = env.get_global()?.get_named_property("process")?;
        let emit: Function<'_, &str, ()> = process.get_named_property("emitWarning")?;
        emit.apply(process, warning)
    };
    let _ = emit();
}

const NAME: &str = "key0";
