//! Steps of calls, and whoever listens to them as they happen: `NODE_DEBUG=key0`.

use std::{cell::RefCell, rc::Rc};

use napi::{
    Env,
    bindgen_prelude::{FnArgs, Function, FunctionRef},
};
use napi_derive::napi;

use super::settle;
use crate::http::along::{Step, Tell, What};

/// What was done.
#[napi(object, object_from_js = false)]
pub struct StepRecord {
    /// How long after the call's beginning, in milliseconds.
    pub after_ms: f64,
    /// With whom.
    pub origin: String,
    /// What, in words.
    pub what: String,
    /// Of an answer.
    pub status: Option<u16>,
}

type Listener = FunctionRef<FnArgs<(String, StepRecord)>, ()>;

thread_local! {
    /// There is one environment a thread.
    static LISTENER: RefCell<Option<Rc<Listener>>> = const { RefCell::new(None) };
}

/// Has `listener` told of each step of the calls that have a kind, with that, as it happens.
#[napi]
pub fn listen_to_steps(
    env: Env,
    listener: Function<'_, FnArgs<(String, StepRecord)>, ()>,
) -> napi::Result<()> {
    let listener = Rc::new(listener.create_ref()?);
    LISTENER.with_borrow_mut(|slot| *slot = Some(listener));
    // Its reference goes before its environment does.
    env.add_env_cleanup_hook((), |()| drop(LISTENER.try_with(RefCell::take)))?;
    Ok(())
}

/// What tells this thread's listener, if it has one, from any thread.
pub(super) fn tell(kind: String) -> Option<Tell> {
    let is_there = LISTENER.with_borrow(Option::is_some);
    let queue = settle::queue().filter(|_| is_there)?;
    Some(Box::new(move |step: &Step| {
        let (kind, step) = (kind.clone(), StepRecord::from(step));
        queue.run(move |env| told(env, kind, step));
    }))
}

fn told(env: Env, kind: String, step: StepRecord) {
    // It may load the package anew, which has another listen: nothing is borrowed while it runs.
    let listener = LISTENER.with_borrow(Clone::clone);
    let listener = listener.as_ref().and_then(|it| it.borrow_back(&env).ok());
    // What it throws is nothing to a call.
    let _ = listener.map(|it| it.call((kind, step).into()));
}

impl From<&Step> for StepRecord {
    fn from(Step { after, origin, what }: &Step) -> Self {
        let status = match what {
            What::Answered(status) => Some(*status),
            _ => None,
        };
        let what = what.to_string();
        Self { after_ms: after.as_secs_f64() * 1000.0, origin: origin.to_string(), what, status }
    }
}
