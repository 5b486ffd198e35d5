//! The `tls` option at the border.

use napi::bindgen_prelude::Object;

use super::config::{self, Fields};
use crate::{
    error::ArgumentError,
    http::tls::{OwnTls, TlsOptions},
    now::Now,
    secret::Secret,
};

/// What the field `tls` means, where it is there: an object of the shell's.
pub fn own_tls(fields: &Fields<'_>, now: Now) -> Result<Option<OwnTls>, ArgumentError> {
    let tls = fields.read("tls", config::optional_object)?;
    tls.map(|tls| parsed(tls, now)).transpose()
}

/// The same of the object itself.
pub fn parsed(tls: Object<'_>, now: Now) -> Result<OwnTls, ArgumentError> {
    let fields = Fields::within("tls.", tls);
    let options = TlsOptions {
        ca: fields.read("tls.ca", config::optional_pem)?,
        cert: fields.read("tls.cert", config::optional_pem)?,
        key: fields.read("tls.key", config::optional_pem)?.map(Secret::from),
        passphrase: fields.read("tls.passphrase", config::optional_string)?.map(Secret::from),
    };
    OwnTls::new(&options, now)
}
