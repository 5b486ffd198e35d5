//! What an excerpt costs at worst: `cargo bench --no-default-features --bench redact`. The contract
//! allows 20 ms, since it runs on the one network thread.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use key0_native::redact::Redactor;

fn main() {
    println!("milliseconds for 64 KiB, the best of five");
    let redactors = redactors();
    let names: Vec<_> = redactors.iter().map(|(name, _)| *name).collect();
    println!("{:>24} {}", "", names.join(" | "));
    for (name, part) in TEXTS {
        let text = format!("&%{}", part.repeat(LENGTH / part.len()));
        let times: Vec<_> = redactors
            .iter()
            .map(|(name, redactor)| {
                let time = (0..5).map(|_| time(redactor, &text)).min().unwrap_or_default();
                format!("{:>1$.1}", time.as_secs_f64() * 1e3, name.len())
            })
            .collect();
        println!("{name:>24} {}", times.join(" | "));
    }
}

fn time(redactor: &Redactor, text: &str) -> Duration {
    let start = Instant::now();
    black_box(redactor.excerpt(black_box(text), true));
    start.elapsed()
}

fn redactors() -> Vec<(&'static str, Redactor)> {
    let jwt = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJrZXkwIn0.c2lnbmF0dXJlLXNpZ25hdHVyZQ";
    let with = |values: &[String]| {
        let mut redactor = Redactor::default();
        for value in values {
            redactor.hide_header(&value.clone().into());
        }
        redactor
    };
    let many: Vec<_> = (0..1000).map(|i| format!("Bearer s3cr3t-{i}-s3cr3t")).collect();
    vec![
        ("no secret", Redactor::default()),
        ("two", with(&[jwt.to_owned(), "kQ7+Zr/4mNw9xT2=ab'c".to_owned()])),
        ("100,000 equal", with(&[format!("Bearer {}", "a".repeat(100_000))])),
        ("100,000 escaped", with(&["%25".repeat(33_333)])),
        ("1,000 headers", with(&many)),
    ]
}

const LENGTH: usize = 64 * 1024;
const TEXTS: [(&str, &str); 14] = [
    ("words", "some words "),
    ("one character", "a"),
    ("backslashes", "\\"),
    ("percent", "%25"),
    ("percent, deep", "25"),
    ("entities", "&amp;"),
    ("entities, deep", "amp;"),
    ("no entities", "&#x0000000"),
    ("JavaScript", r"\u{5c}"),
    ("JSON in a page", r"{\&quot;a\&quot;:\&quot;%20\&quot;},"),
    ("mixed", "%5c&#92;\\\\%26#x5c;"),
    ("base64", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn"),
    ("base64, escaped", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn%2525252B"),
    ("tokens", r#"access_token=x"access_token":""#),
];
