//! Converts JavaScript's values to the core's. A wrong type is reported here, with its field.

use std::time::Instant;

use napi::{
    JsValue as _, ValueType,
    bindgen_prelude::{FromNapiValue, JsObjectValue as _, Object, Unknown},
};

use super::text;
use crate::{
    error::ArgumentError, http::tls::TlsEnvironment, now::Now, remote_token_issuer::Timeout,
    secret::Secret,
};

/// Both clocks; `wall_ms` is the shell's `Date.now()`.
pub fn now(wall_ms: f64) -> Now {
    Now { wall_ms, mono: Instant::now() }
}

/// The options of a function: a plain object of the shell's, which has read each of the caller's
/// fields once. A field is named where it is taken, and nowhere else at the border.
pub struct Fields<'env> {
    object: Object<'env>,
    /// What a field's name begins with that the object's does not.
    prefix: &'static str,
}

impl<'env> Fields<'env> {
    /// Of the object that the shell made.
    pub fn new(object: Object<'env>) -> Self {
        Self::within("", object)
    }

    /// Of an object that is an option itself: its fields are named with the option's name.
    pub fn within(prefix: &'static str, object: Object<'env>) -> Self {
        Self { object, prefix }
    }

    /// The field's value, `undefined` where there is none.
    pub fn get(&self, field: &'static str) -> Result<Unknown<'env>, ArgumentError> {
        let name = field.strip_prefix(self.prefix).unwrap_or(field);
        self.object
            .get_named_property_unchecked(name)
            .map_err(|error| ArgumentError::of_type(field, unreadable(&error)))
    }

    /// What `read` makes of the field.
    pub fn read<T>(
        &self,
        field: &'static str,
        read: impl FnOnce(&'static str, Unknown<'env>) -> Result<T, ArgumentError>,
    ) -> Result<T, ArgumentError> {
        read(field, self.get(field)?)
    }
}

/// A string.
pub fn string(field: &'static str, value: Unknown<'_>) -> Result<String, ArgumentError> {
    text::read(value).ok_or_else(|| mistyped(field, "a string", kind(value)))
}

/// A string, or nothing.
pub fn optional_string(
    field: &'static str,
    value: Unknown<'_>,
) -> Result<Option<String>, ArgumentError> {
    match kind(value) {
        ValueType::Undefined | ValueType::Null => Ok(None),
        _ => string(field, value).map(Some),
    }
}

/// The value, where it is there at all: `null` is.
pub fn unless_undefined(value: Unknown<'_>) -> Option<Unknown<'_>> {
    (kind(value) != ValueType::Undefined).then_some(value)
}

/// A string where the value is truthy, nothing otherwise.
pub fn truthy_string(
    field: &'static str,
    value: Unknown<'_>,
) -> Result<Option<String>, ArgumentError> {
    if is_truthy(value) { string(field, value).map(Some) } else { Ok(None) }
}

/// JavaScript's truthiness.
pub fn is_truthy(value: Unknown<'_>) -> bool {
    value.coerce_to_bool().unwrap_or(false)
}

/// `true`, and nothing else that is truthy.
pub fn is_true(value: Unknown<'_>) -> bool {
    kind(value) == ValueType::Boolean && is_truthy(value)
}

/// `false`, and nothing else that is falsy.
pub fn is_false(value: Unknown<'_>) -> bool {
    kind(value) == ValueType::Boolean && !is_truthy(value)
}

/// A function, which stays where it is.
pub fn function(field: &'static str, value: Unknown<'_>) -> Result<(), ArgumentError> {
    match kind(value) {
        ValueType::Function => Ok(()),
        other => Err(mistyped(field, "a function", other)),
    }
}

/// A string where it is one, nothing otherwise.
pub fn secret_if_string(value: Unknown<'_>) -> Option<Secret> {
    text::read(value).map(Secret::from)
}

/// Whether it is no text, and more than a missing one: a `KeyObject`, a `Buffer`, a JWK.
pub fn is_object(value: Unknown<'_>) -> bool {
    kind(value) == ValueType::Object
}

/// The algorithm's name, for the core to judge; for a value of another type the type's name.
pub fn algorithm(value: Unknown<'_>) -> Option<String> {
    match kind(value) {
        ValueType::Undefined | ValueType::Null => None,
        _ => Some(primitive_text(value).unwrap_or_else(str::to_owned)),
    }
}

/// A number.
pub fn number(field: &'static str, value: Unknown<'_>) -> Result<f64, ArgumentError> {
    match kind(value) {
        ValueType::Number => cast(field, value),
        other => Err(mistyped(field, "a finite number", other)),
    }
}

/// A time as it was given.
pub fn timeout(field: &'static str, value: Unknown<'_>) -> Result<Timeout, ArgumentError> {
    match kind(value) {
        ValueType::Undefined | ValueType::Null => Ok(Timeout::Default),
        ValueType::Number => cast(field, value).map(Timeout::Number),
        ValueType::String => cast(field, value).map(Timeout::Text),
        other => Err(mistyped(field, "a number or a numeric string", other)),
    }
}

/// An array of anything.
pub fn array<'env>(
    field: &'static str,
    value: Unknown<'env>,
) -> Result<Vec<Unknown<'env>>, ArgumentError> {
    if kind(value) != ValueType::Object || !value.is_array().unwrap_or(false) {
        return Err(mistyped(field, "an array of strings", kind(value)));
    }
    cast(field, value)
}

/// An array of strings, or nothing; numbers and the like become strings as `join` makes them.
pub fn strings(field: &'static str, value: Unknown<'_>) -> Result<Vec<String>, ArgumentError> {
    if matches!(kind(value), ValueType::Undefined | ValueType::Null) {
        return Ok(Vec::new());
    }
    let texts = array(field, value)?.into_iter().map(primitive_text).enumerate();
    texts
        .map(|(i, text)| {
            text.map_err(|kind| {
                ArgumentError::of_type(
                    field,
                    format!("must be an array of strings, [{i}] is {kind}"),
                )
            })
        })
        .collect()
}

/// A string or several, or nothing.
pub fn one_or_more(field: &'static str, value: Unknown<'_>) -> Result<Vec<String>, ArgumentError> {
    match kind(value) {
        ValueType::String => Ok(vec![cast(field, value)?]),
        _ => strings(field, value),
    }
}

/// Names with their texts, or nothing: the shell makes a flat list of whatever has them.
pub fn pairs(
    field: &'static str,
    value: Unknown<'_>,
) -> Result<Vec<(String, String)>, ArgumentError> {
    if matches!(kind(value), ValueType::Undefined | ValueType::Null) {
        return Ok(Vec::new());
    }
    if kind(value) != ValueType::Object || !value.is_array().unwrap_or(false) {
        return Err(mistyped(field, "an object of strings", kind(value)));
    }
    let list: Vec<Unknown<'_>> = cast(field, value)?;
    if list.len() % 2 == 1 {
        return Err(ArgumentError::of_type(field, "must be an object of strings"));
    }
    list.chunks_exact(2)
        .map(|pair| {
            let wrong = |problem| ArgumentError::of_type(field, problem);
            let name = primitive_text(pair[0]);
            let name = name.map_err(|_| wrong("must be an object of strings".to_owned()))?;
            match primitive_text(pair[1]) {
                Ok(text) => Ok((name, text)),
                // Not named: what stands in the wrong place may be a secret.
                Err(kind) => {
                    Err(wrong(format!("must be an object of strings, one value is {kind}")))
                }
            }
        })
        .collect()
}

/// An object of the shell's, or nothing.
pub fn optional_object<'env>(
    field: &'static str,
    value: Unknown<'env>,
) -> Result<Option<Object<'env>>, ArgumentError> {
    match kind(value) {
        ValueType::Undefined | ValueType::Null => Ok(None),
        ValueType::Object => cast(field, value).map(Some),
        other => Err(mistyped(field, "an object", other)),
    }
}

/// PEM, of which the shell has made a string, or nothing.
pub fn optional_pem(
    field: &'static str,
    value: Unknown<'_>,
) -> Result<Option<String>, ArgumentError> {
    match kind(value) {
        ValueType::Undefined | ValueType::Null => Ok(None),
        ValueType::String => cast(field, value).map(Some),
        other => Err(mistyped(field, "a string or a Buffer", other)),
    }
}

/// A number, or nothing.
pub fn optional_number(
    field: &'static str,
    value: Unknown<'_>,
) -> Result<Option<f64>, ArgumentError> {
    match kind(value) {
        ValueType::Undefined | ValueType::Null => Ok(None),
        _ => number(field, value).map(Some),
    }
}

/// A string, or what becomes one without running anybody's code; else what it is.
pub fn primitive_text(value: Unknown<'_>) -> Result<String, &'static str> {
    match kind(value) {
        ValueType::String => cast::<String>("", value).map_err(|_| "a string"),
        ValueType::Number | ValueType::Boolean | ValueType::BigInt => value
            .coerce_to_string()
            .and_then(|text| text.into_utf8()?.into_owned())
            .map_err(|_| "a value"),
        other => Err(described(other)),
    }
}

/// The four variables, in the order of the fields; absent ones are no strings, and nothing at all
/// where none is set.
pub fn tls_environment(variables: Option<Vec<Option<String>>>) -> TlsEnvironment {
    let Some(variables) = variables else { return TlsEnvironment::default() };
    let mut variables = variables.into_iter().map(|value| value.filter(|text| !text.is_empty()));
    let mut next = || variables.next().flatten();
    TlsEnvironment {
        ssl_cert_file: next(),
        ssl_cert_dir: next(),
        node_extra_ca_certs: next(),
        node_tls_reject_unauthorized: next(),
    }
}

/// What `value` is, in words: `null`, `a symbol`, …
pub fn described(kind: ValueType) -> &'static str {
    match kind {
        ValueType::Undefined => "undefined",
        ValueType::Null => "null",
        ValueType::Boolean => "a boolean",
        ValueType::Number => "a number",
        ValueType::String => "a string",
        ValueType::Symbol => "a symbol",
        ValueType::Function => "a function",
        ValueType::BigInt => "a bigint",
        _ => "an object",
    }
}

/// The type of `value`.
pub fn kind(value: Unknown<'_>) -> ValueType {
    value.get_type().unwrap_or(ValueType::Unknown)
}

fn mistyped(field: &'static str, wanted: &str, found: ValueType) -> ArgumentError {
    ArgumentError::of_type(field, format!("must be {wanted}, not {}", described(found)))
}

fn cast<T: FromNapiValue>(field: &'static str, value: Unknown<'_>) -> Result<T, ArgumentError> {
    let raw = value.value();
    #[expect(unsafe_code, reason = "the caller has looked at the type")]
    let cast = unsafe { T::from_napi_value(raw.env, raw.value) };
    cast.map_err(|error| ArgumentError::of_type(field, unreadable(&error)))
}

fn unreadable(error: &napi::Error) -> String {
    format!("cannot be read: {}", error.reason)
}
