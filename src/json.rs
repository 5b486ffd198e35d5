//! JSON as `JSON.parse` takes it, read without building a tree: the members of the top object by
//! name, as the text they stand in. So depth costs nothing, digits stay, duplicates are allowed
//! (the last wins), and a key that is no Unicode text is one that nobody asked for.

use std::{borrow::Cow, fmt, ops::Range};

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The text is no JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid {
    line: usize,
    column: usize,
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid JSON at line {} column {}", self.line, self.column)
    }
}

/// A value's text, known to be valid.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// Shows nothing: the value may be a token.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Value(..)")
    }
}

impl<'a> Value<'a> {
    /// What it is, in words.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self.0.as_bytes().first() {
            Some(b'"') => "a string",
            Some(b'{') => "an object",
            Some(b'[') => "an array",
            Some(b't' | b'f') => "a boolean",
            Some(b'n') => "null",
            _ => "a number",
        }
    }

    /// The text as it stands in the source, for `JSON.parse`.
    #[must_use]
    pub fn text(self) -> &'a str {
        self.0
    }

    /// The string, where it is one and is Unicode (a lone surrogate is not).
    #[must_use]
    pub fn as_string(self) -> Option<String> {
        serde_json::from_str(self.0).ok()
    }

    /// True for a string, a lone surrogate in it or not.
    #[must_use]
    pub fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    /// The number, where it is one: `1e400` is infinite, as JavaScript has it.
    #[must_use]
    pub fn as_number(self) -> Option<f64> {
        self.0.starts_with(|c: char| c == '-' || c.is_ascii_digit()).then(|| self.0.parse().ok())?
    }

    /// JavaScript's truthiness.
    #[must_use]
    pub fn is_truthy(self) -> bool {
        match self.0 {
            "null" | "false" | "\"\"" => false,
            _ => self.as_number() != Some(0.0),
        }
    }
}

/// The members `names` of the top object: `None` where `text` is JSON, but no object.
///
/// # Errors
/// Where the text is no JSON.
pub fn pick<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Result<Option<Picked<'a, N>>, Invalid> {
    Ok(pick_both(text, names, [])?.map(|(picked, [])| picked))
}

/// Two such lists, in one reading.
///
/// # Errors
/// Where the text is no JSON.
pub fn pick_both<'a, const N: usize, const M: usize>(
    text: &'a str,
    first: [&str; N],
    second: [&str; M],
) -> Result<Option<(Picked<'a, N>, Picked<'a, M>)>, Invalid> {
    let mut picked = ([None; N], [None; M]);
    let is_object = each(text, |name, value| {
        let place = |names: &[&str]| names.iter().position(|wanted| wanted.as_bytes() == name);
        if let Some(i) = place(&first) {
            picked.0[i] = Some(Value(value));
        }
        if let Some(i) = place(&second) {
            picked.1[i] = Some(Value(value));
        }
    })?;
    Ok(is_object.then_some(picked))
}

/// The members of some names, in their order.
pub type Picked<'a, const N: usize> = [Option<Value<'a>>; N];

/// What stands between the braces of the top object, but for the members `names`, every other
/// letter kept; `None` where `text` is JSON, but no object.
///
/// # Errors
/// Where the text is no JSON.
pub fn without(text: &str, names: &[&str]) -> Result<Option<String>, Invalid> {
    let mut kept = String::with_capacity(text.len());
    let mut start = 0;
    let is_object = each(text, |name, value| {
        let Range { start: value, end } = span(text, value);
        if !names.iter().any(|unwanted| unwanted.as_bytes() == name) {
            if !kept.is_empty() {
                kept.push(',');
            }
            kept.push_str(text[start..value].trim_start_matches([' ', '\t', '\n', '\r', '{', ',']));
            kept.push_str(&text[value..end]);
        }
        start = end;
    })?;
    Ok(is_object.then_some(kept))
}

/// Shows each member of the top object: its name, unescaped (WTF-8 where it holds a lone surrogate),
/// and its value's text. False where `text` is JSON, but no object.
fn each<'a>(text: &'a str, take: impl FnMut(&[u8], &'a str)) -> Result<bool, Invalid> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let is_object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    let read = if is_object {
        deserializer.deserialize_map(Members(take))
    } else {
        IgnoredAny::deserialize(&mut deserializer).map(|IgnoredAny| ())
    };
    let invalid = |e: serde_json::Error| Invalid { line: e.line(), column: e.column() };
    read.and_then(|()| deserializer.end()).map(|()| is_object).map_err(invalid)
}

/// Where `part`, a slice of `text`, stands in it.
fn span(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

struct Members<F>(F);

impl<'de, F: FnMut(&[u8], &'de str)> Visitor<'de> for Members<F> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }
    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while let Some((Name(name), value)) = map.next_entry::<_, &RawValue>()? {
            (self.0)(&name, value.get());
        }
        Ok(())
    }
}

/// A key as bytes: as text, serde would refuse a lone surrogate.
struct Name<'a>(Cow<'a, [u8]>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Name<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_bytes<E>(self, name: &'de [u8]) -> Result<Self::Value, E> {
                Ok(Name(Cow::Borrowed(name)))
            }
            fn visit_bytes<E>(self, name: &[u8]) -> Result<Self::Value, E> {
                Ok(Name(Cow::Owned(name.to_vec())))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Option<String> {
        let [value] = pick(text, ["a"]).unwrap().unwrap();
        value.map(|value| value.text().to_owned())
    }

    #[test]
    fn the_last_of_duplicate_keys_wins() {
        assert_eq!(one(r#"{"a":1,"b":2,"a":3}"#).unwrap(), "3");
    }

    #[test]
    fn keys_are_compared_after_unescaping() {
        assert_eq!(one(r#"{"\u0061":1}"#).unwrap(), "1");
    }

    #[test]
    fn a_key_with_a_lone_surrogate_is_skipped() {
        assert_eq!(one(r#"{"\ud800":0,"a":"\ud800"}"#).unwrap(), r#""\ud800""#);
    }

    #[test]
    fn depth_costs_nothing() {
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(one(&format!(r#"{{"x":{deep},"a":{deep}}}"#)).unwrap(), deep);
        assert_eq!(pick(&deep, ["a"]), Ok(None));
    }

    #[test]
    fn json_that_is_no_object_has_no_members() {
        for text in ["null", "[]", " \"a\" ", "1e400", "true"] {
            assert_eq!(pick(text, ["a"]), Ok(None), "{text}");
        }
    }

    #[test]
    fn what_json_parse_refuses_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "{}x",
            "{'a':1}",
            "{\"a\":01}",
            "NaN",
            "[1,]",
            "\u{feff}{}",
            "{\"a\":\"\n\"}",
        ] {
            assert!(pick(text, ["a"]).is_err(), "{text}");
        }
        assert_eq!(
            pick("{\n x", ["a"]).unwrap_err().to_string(),
            "invalid JSON at line 2 column 2"
        );
    }

    #[test]
    fn truthiness_is_javascripts() {
        for falsy in ["null", "false", "0", "-0", "0.0", "0e9", "1e-400", "\"\""] {
            assert!(!Value(falsy).is_truthy(), "{falsy}");
        }
        for truthy in ["true", "1", "-1", "1e400", "\"0\"", "\" \"", "{}", "[]", "\"\\u0000\""] {
            assert!(Value(truthy).is_truthy(), "{truthy}");
        }
    }

    #[test]
    fn numbers_are_javascripts() {
        assert_eq!(Value("1e400").as_number(), Some(f64::INFINITY));
        assert_eq!(Value("\"1\"").as_number(), None);
        assert_eq!(Value("3600.5").as_number(), Some(3600.5));
    }

    #[test]
    fn removing_members_keeps_every_other_letter() {
        let text = "{ \"iat\" : 1 , \"a\": 1.0e2,\"exp\":[{}],\"\\ud800\":{\"iat\":2} , \"iat\":3}";
        assert_eq!(
            without(text, &["iat", "exp"]).unwrap().unwrap(),
            "\"a\": 1.0e2,\"\\ud800\":{\"iat\":2}"
        );
        assert_eq!(without("{\"exp\":1}", &["exp"]).unwrap().unwrap(), "");
        assert_eq!(without("[]", &["exp"]), Ok(None));
    }
}
