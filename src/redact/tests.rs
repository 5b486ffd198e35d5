use super::*;

fn secret(text: &str) -> Secret {
    text.to_owned().into()
}

fn hiding(text: &str) -> Redactor {
    let mut redactor = Redactor::default();
    redactor.hide(&secret(text));
    redactor
}

fn with_header(value: &str) -> Redactor {
    let mut redactor = Redactor::default();
    redactor.hide_header(&secret(value));
    redactor
}

fn with_url(url: &str) -> Redactor {
    let mut redactor = Redactor::default();
    crate::http::Endpoint::parse("url", url).unwrap().hide_in(&mut redactor);
    redactor
}

#[track_caller]
fn shows(redactor: &Redactor, text: &str, expected: &str) {
    assert_eq!(redactor.excerpt(text, false).to_string(), expected);
}

#[track_caller]
fn shows_cut(redactor: &Redactor, text: &str, expected: &str) {
    assert_eq!(redactor.excerpt(text, true).to_string(), expected, "{text}");
}

#[track_caller]
fn hides(secret: &str, sent: &str) {
    shows(&hiding(secret), &format!("<{sent}>"), "<[redacted]>");
}

#[test]
fn debug_of_a_redactor_shows_nothing() {
    let mut redactor = with_header("canary-secret");
    redactor.hide_pair("id", &secret("canary-secret"));
    redactor.hide_url(&Url::parse("http://h/?canary-secret").unwrap());
    assert!(!format!("{redactor:?}").contains("canary"));
}

#[test]
fn a_secret_is_hidden_in_every_spelling() {
    hides("s3cr3t/+=", "s3cr3t/+=");
    hides("s3cr3t/+=", "S3CR3T/+=");
    hides("s3cr3t/+=", "s3cr3t%2F%2b%3D");
    hides("s3cr3t/+=", r"s3cr3t\/+=");
    hides("two words", "two+words");
    hides("two words", "two%20words");
    hides("say \"hi\"", r#"say \"hi\""#);
    hides("say \"hi\"", r#"say \\\"hi\\\""#);
    hides(r"back\slash", r"back\\slash");
    hides(r"back\slash", r"back\slash");
    hides("two\nlines", r"two\nlines");
    hides("pässwörd", r"p\u00e4ssw\u00F6rd");
    hides("pässwörd", r"p\xe4ssw\xF6rd");
    hides("pässwörd", "p&auml;ssw&ouml;rd");
    hides("pässwörd", "p%C3%A4ssw%c3%b6rd");
    hides("pässwörd", "p%E4ssw%F6rd");
    hides("pässwörd", "p\u{fffd}ssw\u{fffd}rd");
    hides("key\u{1f600}key", r"key\ud83d\uDE00key");
    hides("Tom&Jerry's", "Tom&amp;Jerry&#39;s");
    hides("100%25sure", "100%25sure");
    hides("100%25sure", "100%2525sure");
    hides("s3cr3t!", "czNjcjN0IQ==");
    hides("??>>??>>", "Pz8-Pj8_Pj4");
    hides("??>>??>>", "Pz8+Pj8/Pj4=");
    hides("??>>??>>", "Pz8%2BPj8%2FPj4%3D");
    hides("??>>??>>", "3f3F3e3E3f3F3e3E");
    hides("trimmed\r\n", "trimmed");
}

// D13
#[test]
fn a_secret_is_hidden_as_frameworks_escape_it() {
    for echoed in [
        // Go, Mustache, PHP, Python and Jinja, Ruby, Java.
        "kQ7&#43;Zr/4mNw9xT2=ab&#39;c",
        "kQ7+Zr&#x2F;4mNw9xT2&#x3D;ab&#39;c",
        "kQ7+Zr/4mNw9xT2=ab&#039;c",
        "kQ7+Zr/4mNw9xT2=ab&#x27;c",
        "kQ7&plus;Zr&sol;4mNw9xT2&equals;ab&apos;c",
        "kQ7&#0043;Zr&#X02f;4mNw9xT2&#61;ab&#x0027;c",
        r"kQ7\u002BZr/4mNw9xT2=ab\u0027c",
        r"kQ7\x2BZr\/4mNw9xT2\x3Dab\'c",
        r"kQ7\u{2b}Zr/4mNw9xT2\u{3D}ab\'c",
        "kQ7%252BZr%252F4mNw9xT2%253Dab%2527c",
        "kQ7%2525252BZr%2525252F4mNw9xT2%2525253Dab%25252527c",
        "a1E3K1pyLzRtTnc5eFQyPWFiJ2M",
        "6b51372b5a722f346d4e77397854323d61622763",
    ] {
        hides("kQ7+Zr/4mNw9xT2=ab'c", echoed);
    }
    // A page that prints JSON.
    hides(r#"a"b\c<d>"#, r"a\&quot;b\\c&lt;d&gt;");
}

#[test]
fn encoders_are_undone_in_the_order_in_which_they_came() {
    // JavaScript, JavaScript, HTML: with all undone at once a backslash goes to the wrong letter.
    hides("abcx64cdef", r"abc\\&#92;x75{78}64cdef");
    // JSON, percent, HTML.
    hides("say \"hi\"", "say %5C%22hi&#37;5C&#x25;22");
}

#[test]
fn what_several_encoders_have_touched_in_part_is_hidden() {
    hides("kQ7+Zr/4mNw9xT2", "kQ7%2BZr&#x2F;4m%25254Ew9\\u0078T%2532");
    hides("two\nlines", r"two\\\\nli%255cu006ees");
}

// D13
#[test]
fn a_secret_is_hidden_inside_longer_base64_and_hexadecimal() {
    let redactor = hiding("kQ7+Zr/4mNw9xT2=ab'c");
    for (before, expected) in [
        ("", "[redacted]9"),
        ("{", "e[redacted]fQ"),
        ("{{", "e3[redacted]0"),
        ("{{{", "e3t7[redacted]9"),
    ] {
        let text = format!("{before}kQ7+Zr/4mNw9xT2=ab'c}}");
        let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD_NO_PAD, text);
        shows(&redactor, &format!("<{encoded}>"), &format!("<{expected}>"));
    }
    shows(&redactor, "7b6b51372b5a722f346d4e77397854323d616227637d", "7b[redacted]7d");
    shows(&redactor, "\"a1E3K1pyLz\\r\\nRtTnc5eFQyPW\\r\\nFiJ2M=\"", "\"[redacted]\"");
}

// D13
#[test]
fn the_start_of_a_secret_at_a_cut_is_hidden() {
    let redactor = hiding("abcdefg/hij");
    shows_cut(&redactor, "x abcdef", "x [redacted]");
    shows_cut(&redactor, "x abcde", "x abcde");
    shows_cut(&redactor, "x abcdefg.", "x abcdefg.");
    shows(&redactor, "x abcdefg", "x abcdefg");
    for cut in
        ["%", "%2", "%25", "%252", r"\", r"\u", r"\u00", r"\x2", "&", "&#x2", "&so", "&amp;#"]
    {
        shows_cut(&redactor, &format!("x abcdefg{cut}"), "x [redacted]");
    }
    // In base64 a character is whole two letters later.
    shows_cut(&redactor, "x YWJjZGVm", "x [redacted]");
    shows_cut(&redactor, "x YWJjZGVmZ", "x [redacted]");
    shows_cut(&redactor, "x YWJjZGVmZ%2", "x [redacted]");
    shows_cut(&redactor, "x YWJjZGV", "x YWJjZGV");
    shows_cut(&redactor, "x 6162636465666", "x [redacted]");
    shows_cut(&hiding("pässwörd"), "x pässw\u{fffd}", "x [redacted]");
}

// D11
#[test]
fn credentials_are_hidden_without_their_scheme_too() {
    for scheme in ["Bearer", "Token", "ApiKey", "Key", "Bot", "DPoP", "SSWS"] {
        let redactor = with_header(&format!("{scheme} kQ7+Zr/4mNw9"));
        shows(&redactor, "invalid: kQ7+Zr/4mNw9", "invalid: [redacted]");
        shows(&redactor, &format!("not {scheme} kQ7+Zr/4mNw9!"), "not [redacted]!");
    }
    let redactor = with_header(r#"Token token="kQ7+Zr/4mNw9""#);
    shows(&redactor, "invalid token kQ7+Zr/4mNw9", "invalid token [redacted]");
    let redactor = with_header("session=kQ7+Zr/4mNw9; x=1");
    shows(&redactor, "no session kQ7%2BZr%2F4mNw9", "no session [redacted]");
    let redactor = with_header("s3cr3t-1,s3cr3t-2");
    shows(&redactor, "s3cr3t-2 after s3cr3t-1", "[redacted] after [redacted]");
    let redactor = with_header("Basic aWQ6a1E3Wnc5");
    shows(&redactor, "no user id:kQ7Zw9, no kQ7Zw9", "no user id:[redacted], no [redacted]");
    let redactor = with_header("Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0");
    shows(
        &redactor,
        "bad signature c2lnbmF0 of eyJzdWIi",
        "bad signature [redacted] of [redacted]",
    );
}

// D12
#[test]
fn what_a_url_holds_is_hidden() {
    for url in ["http://kQ7Zr4mNw9:@h/", "http://kQ7Zr4mNw9@h/"] {
        let redactor = with_url(url);
        shows(&redactor, "who is kQ7Zr4mNw9?", "who is [redacted]?");
        shows(&redactor, "Basic a1E3WnI0bU53OTo=.", "Basic [redacted].");
    }
    let redactor = with_url("http://h/a?code=kQ7%2BZr%2F4&v=2");
    shows(&redactor, "POST /a?code=kQ7%2BZr%2F4&v=2", "POST /a?code=[redacted]&v=2");
    shows(&redactor, "not kQ7+Zr/4", "not [redacted]");
    // As Fastify answers.
    let redactor = with_url("http://h/hooks/kQ7Zr4mNw9kQ7Zr4mNw9");
    shows(
        &redactor,
        r#"{"message":"Route POST:/hooks/kQ7Zr4mNw9kQ7Zr4mNw9 not found","statusCode":404}"#,
        r#"{"message":"Route POST:/hooks/[redacted] not found","statusCode":404}"#,
    );
    let redactor = with_url("http://us%40r-1:p%40ssword@h/");
    shows(&redactor, "us@r-1:p@ssword or p%40ssword", "[redacted] or [redacted]");
}

#[test]
fn the_base64_of_id_and_secret_is_hidden() {
    let mut redactor = Redactor::default();
    redactor.hide_pair("id", &secret("s3cr3t"));
    shows(&redactor, "Basic aWQ6czNjcjN0.", "Basic [redacted].");
    shows(&redactor, "not s3cr3t", "not [redacted]");
}

#[test]
fn a_token_that_nobody_knew_is_hidden() {
    let redactor = Redactor::default();
    let json = r#"{"access_token":"gho_16C7e42F","id_token": "e30.e30","scope":"a"}"#;
    let hidden = r#"{"access_token":"[redacted]","id_token": "[redacted]","scope":"a"}"#;
    shows(&redactor, json, hidden);
    shows(&redactor, &json.replace('"', "\\\""), &hidden.replace('"', "\\\""));
    shows(&redactor, &json.replace('"', "&quot;"), &hidden.replace('"', "&quot;"));
    shows(
        &redactor,
        r#"{"refresh_token":"a\"b\"cd","b":1}"#,
        r#"{"refresh_token":"[redacted]","b":1}"#,
    );
    shows(&redactor, "access_token=gho_16C7e42F&scope=a", "access_token=[redacted]&scope=a");
    shows_cut(&redactor, r#"{"access_token":"gho"#, r#"{"access_token":"[redacted]"#);
    for text in ["the access_token: expired", r#"{"access_token":null}"#, "id_token=x", "_token"] {
        shows(&redactor, text, text);
    }
}

#[test]
fn a_secret_of_five_characters_is_left_alone() {
    shows(&hiding("token"), "no token here", "no token here");
}

#[test]
fn text_is_scrubbed_before_it_is_cut() {
    let redactor = hiding("canary-secret");
    let text = format!("{}canary-secret", "x".repeat(8185));
    shows(&redactor, &text, &format!("{}[redact…", "x".repeat(8185)));
    let text = format!("{}canary-secret and more", "%".repeat(8185));
    shows(&redactor, &text, &format!("{}[redact…", "%".repeat(8185)));
}

#[test]
fn the_cut_is_on_a_character_boundary() {
    let redactor = Redactor::default();
    shows(&redactor, &"x".repeat(8192), &"x".repeat(8192));
    shows(&redactor, &format!("{}é", "x".repeat(8191)), &format!("{}…", "x".repeat(8191)));
}

// D14
#[test]
fn a_secret_of_any_length_is_hidden() {
    let long = "a".repeat(100_000);
    let redactor = hiding(&long);
    shows(&redactor, &format!("no {long}"), "no [redacted]");
    shows_cut(&redactor, &format!("no {}", &long[..60_000]), "no [redacted]");
    shows(&redactor, "no aaaaaaaaaa", "no aaaaaaaaaa");
    shows(&hiding(&long[..50_000]), &format!("no {} yes", &long[..50_000]), "no [redacted] yes");
}

#[test]
fn nothing_is_quoted_where_there_is_more_to_hide_than_can_be_sought() {
    let mut redactor = Redactor::default();
    for i in 0..40_000 {
        redactor.hide_header(&secret(&format!("s3cr3t-{i}")));
    }
    shows(&redactor, "no s3cr3t-39999", "[redacted]");
    shows(&redactor, "", "");
}

/// What a peer may send to keep the search busy, about `length` bytes of it.
fn hard(length: usize) -> Vec<String> {
    let digits = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZn";
    let deep = format!("%{}41{}", "25".repeat(9), digits.repeat(length / digits.len()));
    [
        "\\",
        "%25",
        "25",
        "&amp;",
        "amp;",
        "&aaaa;",
        "%5C%5C",
        r"\u005c",
        r"\u{",
        "&#x0000000",
        "a",
        "aaaaaaa=",
        "access_token=",
        r#"access_token":""#,
        "_",
        "0123456789abcdef",
        r#"{\"a\":\"&quot;%20x\"},"#,
        "%5c&#92;\\",
        "\\%26#x5c;",
        "some words ",
    ]
    .map(|part| format!("&%{}", part.repeat(length / part.len())))
    .into_iter()
    .chain([deep])
    .collect()
}

// D14
#[test]
fn the_work_is_bounded_whatever_the_text_and_the_secrets() {
    let mut redactor = with_header("Bearer eyJhbGciOi.eyJzdWIi.c2lnbmF0");
    for known in ["kQ7+Zr/4mNw9xT2=ab'c", "access_token"] {
        redactor.hide(&secret(known));
    }
    for (part, count) in [("a", 70_000), ("\\", 20_000), ("%25", 10_000)] {
        redactor.hide(&secret(&part.repeat(count)));
    }
    for text in hard(LONGEST_READ) {
        let steps = work::count(|| drop(redactor.excerpt(&text, true)));
        assert!(steps < 40 * LONGEST_READ, "{steps} steps for {text:.20}");
    }
}
