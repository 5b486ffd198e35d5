//! Tokens that others made: ours are the same, letter by letter. (RFC 7515 §A.1, whose key is no
//! text, is verified in `src/jws.rs`.)

use std::time::Instant;

use key0_native::{
    access_token_issuer::{AccessTokenIssuer, IssuerConfig},
    jws::{SigningKey, VerifyingKey},
    now::Now,
    secret::Secret,
    validate_token::{ValidatorConfig, validate_key0_token},
};

fn secret(text: &str) -> Secret {
    Secret::from(text.to_owned())
}

fn at(seconds: f64) -> Now {
    Now { wall_ms: seconds * 1000.0, mono: Instant::now() }
}

#[test]
fn rfc_7515_a_2_is_signed_and_verified() {
    let payload =
        "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
    let private_key = secret(include_str!("fixtures/rfc7515-a2.pem"));
    let key = SigningKey::rs256(Some(&private_key));
    assert_eq!(key.ok().unwrap().sign(payload).unwrap().expose(), RFC_7515_A_2);
    let public_key = secret(include_str!("fixtures/rfc7515-a2-public.pem"));
    let key = VerifyingKey::rs256(Some(&public_key));
    let verified = key.ok().unwrap().verify(RFC_7515_A_2, at(1_300_819_379.0));
    assert_eq!(verified.unwrap(), payload);
}

#[test]
fn hs256_is_that_of_jose() {
    same_as_jose(
        IssuerConfig { secret: Some(secret(SECRET)), ..IssuerConfig::default() },
        &ValidatorConfig { secret: Some(secret(SECRET)), ..ValidatorConfig::default() },
        JOSE_HS256,
    );
}

#[test]
fn rs256_is_that_of_jose() {
    same_as_jose(
        IssuerConfig {
            private_key: Some(secret(include_str!("fixtures/rsa.pem"))),
            algorithm: Some("RS256".to_owned()),
            ..IssuerConfig::default()
        },
        &ValidatorConfig {
            public_key: Some(secret(include_str!("fixtures/rsa-public.pem"))),
            algorithm: Some("RS256".to_owned()),
            ..ValidatorConfig::default()
        },
        JOSE_RS256,
    );
}

#[track_caller]
fn same_as_jose(issuer: IssuerConfig, validator: &ValidatorConfig, theirs: &str) {
    let now = at(1_700_000_000.0);
    let ours = AccessTokenIssuer::new(issuer).and_then(|issuer| issuer.sign(CLAIMS, 60.0, now));
    assert_eq!(ours.map(|token| token.expose().to_owned()), Ok(theirs.to_owned()));
    assert_eq!(
        validate_key0_token(Some(&format!("Bearer {theirs}")), validator, now),
        Ok(CLAIMS.replace('}', r#","iat":1700000000,"exp":1700000060}"#))
    );
}

const SECRET: &str = "a secret of thirty-two characters";

/// As `JSON.stringify` gives them.
const CLAIMS: &str =
    r#"{"sub":"s","jti":"j","resourceId":"r","planId":"p","txHash":"t","note":"é\ud800"}"#;

const RFC_7515_A_2: &str = "\
    eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGF\
    tcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu\
    3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdi\
    uB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--x\
    i12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5A\
    XLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// `new SignJWT(claims).setProtectedHeader({ alg }).setIssuedAt(1700000000)
/// .setExpirationTime(1700000060).sign(key)` of jose 6.
const JOSE_HS256: &str = "\
    eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzIiwianRpIjoiaiIsInJlc291cmNlSWQiOiJyIiwicGxhbklkIjo\
    icCIsInR4SGFzaCI6InQiLCJub3RlIjoiw6lcdWQ4MDAiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDA\
    wMDA2MH0.bgzkqJ5O2NDgy0roRFwsZjP0Ypg-EhhXrdtHv54O2t4";

/// The same, with `fixtures/rsa.pem`.
const JOSE_RS256: &str = "\
    eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJzIiwianRpIjoiaiIsInJlc291cmNlSWQiOiJyIiwicGxhbklkIjo\
    icCIsInR4SGFzaCI6InQiLCJub3RlIjoiw6lcdWQ4MDAiLCJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDA\
    wMDA2MH0.NZ6xqTk7sBc93qTeUlZymLm537UrTWoKbECqyMIQbzTv__C9wfkkvzY_-c27FgjeXXn1wgJXsxw\
    8wrJy11qLBkS7o57jI11qELAv5qLZlaUHRytE2dwXNvNZQ29hH_LH6XqKGxlGnrb5dhCqZusOJC7WeKsd1qS\
    hBy3KfmLq59y1AhPgfZxpAInHZcsdq99vTX1mxDHQlX8oPDNSag-qruIZ2svB2SbcH2gwK3GDJ0m73oNnrtg\
    TpP3i4MZMpaQVmpVtsktCYS6bIFP4CeZXrs-ez2q8J6hIM8-jwykOXQPHbWPrGHdSYEAVXE0QRRLAnWq9Yy_\
    wkK7DjgU3eLNPtA";
