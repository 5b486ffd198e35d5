//! The channel for what a caller's `auth` gives.

use std::future::{Future, pending};

use napi::{ValueType, bindgen_prelude::Unknown};
use napi_derive::napi;
use tokio::sync::oneshot;

use super::config;
use crate::remote_token_issuer::{Given, GivenValue};

/// What a caller's `auth` gives, on its way to a call that waits for it.
#[napi(js_name = "Given")]
pub struct GivenHandle {
    sender: Option<oneshot::Sender<Given>>,
    receiver: Option<oneshot::Receiver<Given>>,
}

#[napi]
impl GivenHandle {
    /// Nothing yet.
    #[napi(constructor)]
    pub fn new() -> Self {
        let (sender, receiver) = oneshot::channel();
        Self { sender: Some(sender), receiver: Some(receiver) }
    }

    /// These headers: names and values in turn.
    #[napi]
    pub fn headers(&mut self, entries: Vec<Unknown<'_>>) {
        let headers = entries.chunks_exact(2).map(|entry| {
            let value = match config::primitive_text(entry[1]) {
                Ok(text) => GivenValue::Text(text),
                Err(kind) => GivenValue::Unusable(kind),
            };
            (config::primitive_text(entry[0]).unwrap_or_default(), value)
        });
        self.give(Given::Headers(headers.collect()));
    }

    /// Something that is no object: nothing, or what can give no headers.
    #[napi]
    pub fn other(&mut self, value: Unknown<'_>) {
        let kind = config::kind(value);
        self.give(match kind {
            ValueType::String | ValueType::Symbol | ValueType::Function => {
                Given::Unusable(config::described(kind))
            }
            _ => Given::Headers(Vec::new()),
        });
    }

    /// A rejection.
    #[napi]
    pub fn rejected(&mut self, name: String, message: String) {
        self.give(Given::Rejected { name, message });
    }

    fn give(&mut self, given: Given) {
        if let Some(sender) = self.sender.take() {
            // The call may be over.
            let _ = sender.send(given);
        }
    }

    /// What will come, for the one call that waits for it.
    pub(super) fn wait(&mut self) -> impl Future<Output = Given> + Send + use<> {
        let receiver = self.receiver.take();
        async move {
            let given = match receiver {
                Some(receiver) => receiver.await.ok(),
                None => None,
            };
            match given {
                Some(given) => given,
                // The promise can never settle now, so the deadline ends the call.
                None => pending().await,
            }
        }
    }
}
