//! A request that JavaScript sends, by a `fetch`.

use std::convert::identity;

use napi::{
    Env, ValueType,
    bindgen_prelude::{Either, Object, Uint8Array, Unknown},
};
use napi_derive::napi;

use super::{config, outcome::ErrorRecord, runtime};
use crate::{
    auth::Io,
    http::{
        courier::{AnswerHead, Outgoing, Thwarted},
        tls::TlsEnvironment,
    },
};

/// A request on its way.
#[napi(js_name = "Outgoing")]
pub struct OutgoingHandle {
    /// None once it has its answer.
    outgoing: Option<Box<Outgoing>>,
    /// The call's own: for its runtime nothing changes.
    tls: TlsEnvironment,
}

/// A request for JavaScript to send.
#[napi(object, object_from_js = false)]
pub struct RequestRecord {
    /// `POST` or `GET`.
    pub method: String,
    /// Where to, without credentials.
    pub url: String,
    /// Names and values in turn.
    pub headers: Vec<String>,
    /// Empty for none.
    pub body: String,
}

/// The head of an answer.
#[napi(object, object_to_js = false)]
pub struct HeadRecord {
    /// The status code, as `fetch` gave it.
    pub status: u32,
    /// The value of `Location`, if any.
    pub location: Option<String>,
    /// The value of `Content-Type`, empty for none.
    pub content_type: String,
    /// The value of `Retry-After`, if any.
    pub retry_after: Option<String>,
}

/// What a `fetch` rejected with.
#[napi(object, object_to_js = false)]
pub struct ThwartedRecord {
    /// Whether the function is the caller's.
    pub is_callers: bool,
    /// The error's `name`.
    pub name: String,
    /// The error's `message`.
    pub message: String,
    /// The message of its cause.
    pub detail: String,
    /// Of it or its cause.
    pub code: Option<String>,
    /// As Node's errors have it.
    pub syscall: Option<String>,
    /// As Node's errors have it.
    pub hostname: Option<String>,
    /// As Node's errors have it.
    pub address: Option<String>,
    /// As Node's errors have it.
    pub port: Option<u32>,
    /// Whether a head had come.
    pub has_answer: bool,
}

#[napi]
impl OutgoingHandle {
    /// What is to be sent; `null` once that was done.
    #[napi]
    pub fn request(&self) -> Option<RequestRecord> {
        self.outgoing.as_ref().map(|outgoing| RequestRecord {
            method: outgoing.method().to_owned(),
            url: outgoing.url().to_owned(),
            headers: outgoing.headers(),
            body: String::from_utf8_lossy(outgoing.body()).into_owned(),
        })
    }

    /// Its answer, as far as it came.
    #[napi]
    pub fn answered(&mut self, head: HeadRecord, body: Uint8Array, broken: Option<ThwartedRecord>) {
        let HeadRecord { status, location, content_type, retry_after } = head;
        let head = AnswerHead { status: code(status), location, content_type, retry_after };
        if let Some(outgoing) = self.outgoing.take() {
            outgoing.answered(head, body.to_vec(), broken.map(Thwarted::from));
        }
    }

    /// Why it has none.
    #[napi]
    pub fn thwarted(&mut self, thwarted: ThwartedRecord) {
        if let Some(outgoing) = self.outgoing.take() {
            outgoing.thwarted(thwarted.into());
        }
    }

    /// Settles when nobody waits for the answer any more.
    #[napi(ts_return_type = "Promise<void> | void")]
    pub fn left<'env>(&mut self, env: &'env Env) -> napi::Result<Either<Object<'env>, ()>> {
        let Some(outgoing) = &mut self.outgoing else { return Ok(Either::B(())) };
        let left = outgoing.left();
        let start = |_: &Io| || Box::pin(left) as runtime::Call<_>;
        runtime::spawn(env, self.tls.clone(), start, identity, || (), |_| ())
    }
}

impl OutgoingHandle {
    pub(super) fn new(outgoing: Box<Outgoing>, tls: TlsEnvironment) -> Self {
        Self { outgoing: Some(outgoing), tls }
    }
}

impl From<ThwartedRecord> for Thwarted {
    fn from(record: ThwartedRecord) -> Self {
        let ThwartedRecord { is_callers, name, message, detail, code, .. } = record;
        let ThwartedRecord { syscall, hostname, address, port, has_answer, .. } = record;
        Self {
            is_callers,
            name,
            message,
            detail,
            code,
            syscall,
            hostname,
            address,
            port: port.and_then(|port| port.try_into().ok()),
            has_answer,
        }
    }
}

/// What a caller gave for `fetch`: a function, `false` or nothing.
#[napi]
pub fn check_fetch(fetch: Unknown<'_>) -> Option<ErrorRecord> {
    if matches!(config::kind(fetch), ValueType::Undefined | ValueType::Null)
        || config::is_false(fetch)
    {
        return None;
    }
    config::function("fetch", fetch).err().map(ErrorRecord::from)
}

/// How many bytes to read of the body of an answer with this head, and one more.
#[napi]
pub fn most_to_read(head: HeadRecord) -> u32 {
    let limit = Outgoing::limit(code(head.status), head.location.as_deref());
    u32::try_from(limit).unwrap_or(u32::MAX)
}

/// A status that is none is that of no answer.
fn code(status: u32) -> u16 {
    u16::try_from(status).unwrap_or_default()
}
