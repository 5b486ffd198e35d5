//! What JavaScript gets: a value, or a record that the shell throws.

use std::panic::{AssertUnwindSafe, catch_unwind};

use napi::bindgen_prelude::Either;
use napi_derive::napi;

use crate::{
    access_token_issuer::SignError,
    error::{ArgumentError, ArgumentErrorKind, Cause, Key0Error, PlainError, Syscall},
    now::Now,
};

/// A value or a record.
pub type Outcome<T> = Either<T, ErrorRecord>;

/// An error for the shell to throw.
#[napi(object, object_from_js = false)]
#[derive(Default)]
pub struct ErrorRecord {
    /// The class: `Key0Error`, `TypeError`, `RangeError`, `Error`; `CallersOwn` for an error that
    /// the shell has kept.
    #[napi(ts_type = "'Key0Error' | 'TypeError' | 'RangeError' | 'Error' | 'CallersOwn'")]
    pub error: &'static str,
    /// The whole sentence.
    pub message: String,
    /// The SDK's code, or jose's.
    pub code: Option<String>,
    /// Of a `Key0Error`.
    pub http_status: Option<u32>,
    /// jose's name for the claim that failed.
    pub claim: Option<String>,
    /// The reason.
    pub cause: Option<CauseRecord>,
}

/// The reason of an error.
#[napi(object, object_from_js = false)]
pub struct CauseRecord {
    /// In words.
    pub message: String,
    /// True where the caller's own code threw: what the shell has kept says why.
    pub is_callers: bool,
    /// Node's or jose's name for it.
    pub code: Option<String>,
    /// What the system was asked for, as Node names it.
    pub syscall: Option<String>,
    /// The name that was looked up.
    pub hostname: Option<String>,
    /// The address that a connection was tried to.
    pub address: Option<String>,
    /// Its port.
    pub port: Option<u32>,
    /// The HTTP status.
    pub status: Option<u32>,
    /// What was answered with it.
    pub body: Option<String>,
    /// False only where it is certain that no byte of the request left.
    pub sent: Option<bool>,
    /// Where another client may speak the server's TLS, and nothing was sent: how much of the
    /// call's time is over, in milliseconds.
    pub dialect: Option<f64>,
}

impl ErrorRecord {
    /// Tells how long the call took, where it may be made again.
    pub fn elapsed_since(&mut self, begun: Now) {
        if let Some(dialect) = self.cause.as_mut().and_then(|cause| cause.dialect.as_mut()) {
            *dialect = begun.mono.elapsed().as_secs_f64() * 1000.0;
        }
    }
}

/// What `call` gives, as JavaScript gets it; a panic is a record like any other.
pub fn outcome<T, E: Into<ErrorRecord>>(call: impl FnOnce() -> Result<T, E>) -> Outcome<T> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Either::A(value),
        Ok(Err(error)) => Either::B(error.into()),
        Err(_) => Either::B(lost()),
    }
}

/// The record of a panic.
pub fn lost() -> ErrorRecord {
    Key0Error::internal("the call panicked").into()
}

impl From<ArgumentError> for ErrorRecord {
    fn from(error: ArgumentError) -> Self {
        let class = match error.kind {
            ArgumentErrorKind::Type => "TypeError",
            ArgumentErrorKind::Range => "RangeError",
            ArgumentErrorKind::Plain => "Error",
        };
        Self { error: class, message: error.to_string(), ..Self::default() }
    }
}

impl From<SignError> for ErrorRecord {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Argument(error) => error.into(),
            internal => Key0Error::internal(&internal.to_string()).into(),
        }
    }
}

impl From<Key0Error> for ErrorRecord {
    fn from(error: Key0Error) -> Self {
        Self {
            error: "Key0Error",
            message: error.message.into(),
            code: Some(error.code.name().to_owned()),
            http_status: Some(error.http_status.into()),
            claim: None,
            cause: error.cause.map(CauseRecord::from),
        }
    }
}

impl From<PlainError> for ErrorRecord {
    fn from(error: PlainError) -> Self {
        Self {
            error: "Error",
            message: error.message,
            code: error.code.map(str::to_owned),
            http_status: None,
            claim: error.claim.map(str::to_owned),
            cause: error.cause.map(CauseRecord::from),
        }
    }
}

impl From<Cause> for CauseRecord {
    fn from(cause: Cause) -> Self {
        let syscall = cause.syscall.as_ref().map(|syscall| syscall.name().to_owned());
        let (hostname, address) = match cause.syscall.map(|syscall| *syscall) {
            Some(Syscall::GetAddrInfo(hostname)) => (Some(hostname), None),
            Some(Syscall::Connect(address)) => (None, Some(address)),
            _ => (None, None),
        };
        Self {
            message: cause.message,
            is_callers: cause.is_callers,
            code: cause.code.map(str::to_owned),
            syscall,
            hostname,
            address: address.map(|address| address.ip().to_string()),
            port: address.map(|address| address.port().into()),
            status: cause.status.map(u32::from),
            body: cause.body.map(|body| body.to_string()),
            sent: cause.sent,
            dialect: cause.is_of_dialect.then_some(0.0),
        }
    }
}
