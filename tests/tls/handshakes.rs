//! What is spoken, and what a peer that does not speak it is told by.

use key0_native::http::tls::{TlsEnvironment, client_config};
use rustls::HandshakeKind;

use crate::support::*;

#[tokio::test]
async fn reject_unauthorized_0_trusts_everyone_with_one_warning() {
    let environment = TlsEnvironment {
        node_tls_reject_unauthorized: Some("0".to_owned()),
        node_extra_ca_certs: Some("/missing".to_owned()),
        ..TlsEnvironment::default()
    };
    assert_eq!(
        client_config(&environment).1,
        ["Setting the NODE_TLS_REJECT_UNAUTHORIZED environment variable to '0' makes TLS \
            connections and HTTPS requests insecure by disabling certificate verification."]
    );
    for version in BOTH {
        let server = serve(self_signed(&expired(params("a", &[]))), &[version]).await;
        let session = connect(client_config(&environment).0, server, "localhost").await.unwrap();
        assert_eq!(session.version, version.version);
    }
}

#[tokio::test]
async fn reject_unauthorized_of_any_other_value_verifies() {
    let server = serve(self_signed(&server_params()), BOTH).await;
    for value in ["1", "", "false", "00", " 0"] {
        let environment = TlsEnvironment {
            node_tls_reject_unauthorized: Some(value.to_owned()),
            ..TlsEnvironment::default()
        };
        let seen = outcome(&environment, server, "localhost").await;
        assert_eq!(seen, refused("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"));
    }
}

#[tokio::test]
async fn tls_1_2_and_1_3_are_spoken_and_http_1_1_alone_is_offered() {
    let ca = ca("ca");
    let file = pem_file(&ca.pem());
    let environment = extra(&file);
    for version in BOTH {
        let server = serve(issued(&server_params(), &[&ca]), &[version]).await;
        let session = connect(client_config(&environment).0, server, "localhost").await.unwrap();
        assert_eq!(session.version, version.version);
        assert_eq!(session.protocol.as_deref(), Some(b"http/1.1".as_slice()));
    }
}

#[tokio::test]
async fn a_second_connection_resumes_the_first_ones_session() {
    let ca = ca("ca");
    let file = pem_file(&ca.pem());
    let (config, _) = client_config(&extra(&file));
    for version in BOTH {
        let server = serve(issued(&server_params(), &[&ca]), &[version]).await;
        let first = connect(config.clone(), server, "localhost").await.unwrap();
        let second = connect(config.clone(), server, "localhost").await.unwrap();
        assert_eq!((first.kind, second.kind), (HandshakeKind::Full, HandshakeKind::Resumed));
    }
}

#[tokio::test]
async fn connections_that_are_made_at_once_resume_a_session_each() {
    let ca = ca("ca");
    let file = pem_file(&ca.pem());
    let (config, _) = client_config(&extra(&file));
    let server = serve(issued(&server_params(), &[&ca]), &BOTH[1..]).await;
    let at_once = async || {
        let connects: Vec<_> = (0..32)
            .map(|_| {
                let config = config.clone();
                tokio::spawn(
                    async move { connect(config, server, "localhost").await.unwrap().kind },
                )
            })
            .collect();
        let mut kinds = Vec::new();
        for connect in connects {
            kinds.push(connect.await.unwrap());
        }
        kinds
    };
    at_once().await;
    assert_eq!(at_once().await, [HandshakeKind::Resumed; 32]);
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_has_the_wrong_version() {
    let server = answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    assert_eq!(
        outcome(&TlsEnvironment::default(), server, "localhost").await,
        refused("ERR_SSL_WRONG_VERSION_NUMBER", "wrong version number"),
    );
}

#[tokio::test]
async fn a_server_of_tls_1_1_is_refused() {
    // A ServerHello of RFC 4346 §7.4.1.3, without extensions.
    let mut hello = b"\x16\x03\x02\x00\x2a\x02\x00\x00\x26\x03\x02".to_vec();
    hello.extend([7; 32]);
    hello.extend(b"\x00\xc0\x13\x00");
    let server = answer(hello.leak()).await;
    assert_eq!(
        outcome(&TlsEnvironment::default(), server, "localhost").await,
        refused("ERR_SSL_UNSUPPORTED_PROTOCOL", "unsupported protocol"),
    );
}

#[tokio::test]
async fn a_servers_alert_has_nodes_name() {
    for (alert, code, words) in [
        (10, "ERR_SSL_SSLV3_ALERT_UNEXPECTED_MESSAGE", "sslv3 alert unexpected message"),
        (40, "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "sslv3 alert handshake failure"),
        (70, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "tlsv1 alert protocol version"),
        (112, "ERR_SSL_TLSV1_UNRECOGNIZED_NAME", "tlsv1 unrecognized name"),
        (116, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "tlsv13 alert certificate required"),
        (99, "EPROTO", "an unknown alert of the peer's"),
    ] {
        // An alert record, fatal (RFC 5246 §7.2).
        let server = answer(vec![0x15, 3, 3, 0, 2, 2, alert].leak()).await;
        assert_eq!(
            outcome(&TlsEnvironment::default(), server, "localhost").await,
            refused(code, words),
        );
    }
}

#[tokio::test]
async fn a_server_is_told_its_host_but_for_an_address_and_for_what_rustls_takes_for_none() {
    let ca = ca("ca");
    let hosts = ["localhost", "a_b.test", "127.0.0.1", "::1", "abc-.corp.test", "-x.corp.test"];
    let file = pem_file(&ca.pem());
    let environment = extra(&file);
    let server = serve(issued(&params("server", &hosts), &[&ca]), BOTH).await;
    for (host, told) in [
        ("localhost", "localhost"),
        ("localhost.", "localhost"),
        ("a_b.test", "a_b.test"),
        ("127.0.0.1", "nobody"),
        ("[::1]", "nobody"),
        ("abc-.corp.test", "nobody"),
        ("-x.corp.test", "nobody"),
    ] {
        let session = connect(client_config(&environment).0, server, host).await.unwrap();
        assert_eq!(session.told, told, "{host}");
    }
    for host in ["abd-.corp.test", "[::2]"] {
        assert_eq!(outcome(&environment, server, host).await, wrong_name(), "{host}");
    }
}

#[tokio::test]
async fn a_session_of_one_host_is_not_resumed_for_another() {
    let ca = ca("ca");
    let file = pem_file(&ca.pem());
    let (config, _) = client_config(&extra(&file));
    let server = serve(issued(&params("server", &["a-.test", "b-.test"]), &[&ca]), BOTH).await;
    let kind = async |host| connect(config.clone(), server, host).await.unwrap().kind;
    assert_eq!(kind("a-.test").await, HandshakeKind::Full);
    assert_eq!(kind("b-.test").await, HandshakeKind::Full);
    assert_eq!(kind("b-.test").await, HandshakeKind::Resumed);
}

#[tokio::test]
async fn a_session_of_an_unverified_handshake_is_not_resumed_by_a_verified_one() {
    let server = serve(self_signed(&server_params()), BOTH).await;
    let unverified = TlsEnvironment {
        node_tls_reject_unauthorized: Some("0".to_owned()),
        ..TlsEnvironment::default()
    };
    connect(client_config(&unverified).0, server, "localhost").await.unwrap();
    assert_eq!(
        outcome(&TlsEnvironment::default(), server, "localhost").await,
        refused("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
    );
}
