//! Where trusted certificates are read from.

#[cfg(unix)]
use std::process::Command;
use std::{fs, path::Path};

use key0_native::http::tls::{TlsEnvironment, client_config};
use tempfile::TempDir;

use crate::support::*;

#[tokio::test]
async fn a_file_may_hold_several_certificates_and_what_is_none() {
    let (first, last) = (ca("first"), ca("last"));
    let junk = "-----BEGIN NOTES-----\n!\n-----END NOTES-----\n";
    let locked = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
        DEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    let text = format!(
        "# first\n{}{}{junk}{locked}# last\n{}",
        first.pem(),
        key().serialize_pem(),
        last.pem().trim_end(),
    );
    for text in [text.replace('\n', "\r\n"), text] {
        let file = pem_file(&text);
        let environment = extra(&file);
        assert_eq!(client_config(&environment).1, [] as [&str; 0]);
        for ca in [&first, &last] {
            let server = serve(issued(&server_params(), &[ca]), BOTH).await;
            assert_eq!(outcome(&environment, server, "localhost").await, TRUSTED);
        }
    }
}

#[tokio::test]
async fn a_broken_certificate_is_one_warning_and_the_others_are_trusted() {
    let ca = ca("ca");
    let no_base64 = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let no_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let file = pem_file(&format!("{no_base64}{no_der}{}", ca.pem()));
    let environment = extra(&file);
    assert_eq!(
        client_config(&environment).1,
        [format!("NODE_EXTRA_CA_CERTS: 2 of 3 certificates in {} are broken", shown(&file))]
    );
    let server = serve(issued(&server_params(), &[&ca]), BOTH).await;
    assert_eq!(outcome(&environment, server, "localhost").await, TRUSTED);
}

#[test]
fn a_file_or_directory_that_gives_nothing_is_one_warning() {
    let empty = pem_file("");
    let keys = pem_file(&key().serialize_pem());
    let dir = TempDir::new().unwrap();
    let missing = dir.path().join("missing");
    let why = fs::read(&missing).unwrap_err();
    let missing = missing.to_str().unwrap();

    let warnings = |environment| client_config(&environment).1;
    assert_eq!(
        warnings(TlsEnvironment {
            ssl_cert_file: Some(missing.to_owned()),
            node_extra_ca_certs: Some(missing.to_owned()),
            ..TlsEnvironment::default()
        }),
        [
            format!("SSL_CERT_FILE: {missing} cannot be read: {why}"),
            format!("NODE_EXTRA_CA_CERTS: {missing} cannot be read: {why}"),
        ]
    );
    assert_eq!(
        warnings(extra(&empty)),
        [format!("NODE_EXTRA_CA_CERTS: {} holds no certificate", shown(&empty))]
    );
    assert_eq!(
        warnings(extra(&keys)),
        [format!("NODE_EXTRA_CA_CERTS: {} holds no certificate", shown(&keys))]
    );
    assert_eq!(
        warnings(TlsEnvironment {
            ssl_cert_dir: Some(dir.path().to_str().unwrap().to_owned()),
            ..TlsEnvironment::default()
        }),
        [format!("SSL_CERT_DIR: {} holds no certificate", dir.path().display())]
    );
    assert_eq!(
        warnings(TlsEnvironment {
            ssl_cert_dir: Some(missing.to_owned()),
            ..TlsEnvironment::default()
        }),
        [format!("SSL_CERT_DIR: {missing} cannot be read: {why}")]
    );
}

#[test]
fn an_empty_variable_counts_as_unset() {
    let empty = Some(String::new());
    let environment = TlsEnvironment {
        ssl_cert_file: empty.clone(),
        ssl_cert_dir: empty.clone(),
        node_extra_ca_certs: empty.clone(),
        node_tls_reject_unauthorized: empty,
    };
    assert_eq!(client_config(&environment).1, [] as [&str; 0]);
}

#[tokio::test]
async fn the_systems_certificates_may_be_named_by_file_and_by_directories() {
    let cas = [ca("file"), ca("first"), ca("second"), ca("extra")];
    let (file, extra_file) = (pem_file(&cas[0].pem()), pem_file(&cas[3].pem()));
    let dirs = [TempDir::new().unwrap(), TempDir::new().unwrap()];
    fs::write(dirs[0].path().join("a.pem"), cas[1].pem()).unwrap();
    fs::write(dirs[1].path().join("b.crt"), cas[2].pem()).unwrap();
    // An empty entry, as in `PATH`, names nothing.
    let joined = [dirs[0].path(), Path::new(""), dirs[1].path()];
    let joined = std::env::join_paths(joined).unwrap().into_string().unwrap();
    let environment = TlsEnvironment {
        ssl_cert_file: Some(shown(&file)),
        ssl_cert_dir: Some(joined),
        ..extra(&extra_file)
    };
    assert_eq!(client_config(&environment).1, [] as [&str; 0]);
    for ca in &cas {
        let server = serve(issued(&server_params(), &[ca]), BOTH).await;
        assert_eq!(outcome(&environment, server, "localhost").await, TRUSTED);
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_or_too_large_is_one_warning_and_not_read() {
    let dir = TempDir::new().unwrap();
    let at = |name: &str| shown(dir.path().join(name));
    // Whoever opens it waits for a writer.
    assert!(Command::new("mkfifo").arg(at("fifo")).status().unwrap().success());
    fs::File::create(at("large")).unwrap().set_len(16 * 1024 * 1024 + 1).unwrap();
    for (path, why) in [
        (at("fifo"), "it is no regular file"),
        (shown(dir.path()), "it is no regular file"),
        ("/dev/zero".to_owned(), "it is no regular file"),
        (at("large"), "it is larger than 16 MiB"),
    ] {
        let environment = TlsEnvironment {
            ssl_cert_file: Some(path.clone()),
            node_extra_ca_certs: Some(path.clone()),
            ..TlsEnvironment::default()
        };
        assert_eq!(
            client_config(&environment).1,
            [
                format!("SSL_CERT_FILE: {path} cannot be read: {why}"),
                format!("NODE_EXTRA_CA_CERTS: {path} cannot be read: {why}"),
            ]
        );
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_regular_file_in_a_directory_is_passed_over() {
    let dir = TempDir::new().unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("fifo")).status().unwrap().success());
    fs::write(dir.path().join("ca.pem"), ca("ca").pem()).unwrap();
    let environment =
        TlsEnvironment { ssl_cert_dir: Some(shown(dir.path())), ..TlsEnvironment::default() };
    assert_eq!(client_config(&environment).1, [] as [&str; 0]);
}

#[test]
fn a_file_of_the_largest_size_is_read() {
    let file = pem_file(&ca("ca").pem());
    file.as_file().set_len(16 * 1024 * 1024).unwrap();
    assert_eq!(client_config(&extra(&file)).1, [] as [&str; 0]);
}
