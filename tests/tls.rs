//! Whom TLS trusts, by handshakes over loopback sockets with certificates made on the spot.
#![cfg(test)]

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use key0_native::http::tls::{TlsEnvironment, client_config, node_code, reason};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::ResolvesServerCert,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use tempfile::{NamedTempFile, TempDir};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

#[tokio::test]
async fn a_server_of_an_extra_ca_is_trusted() {
    let ca = ca("ca");
    let server = serve(issued(&server_params(), &[&ca]), BOTH).await;
    let file = pem_file(&ca.pem());
    assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED);
    assert_eq!(outcome(&extra(&file), server, "127.0.0.1").await, TRUSTED);
}

#[tokio::test]
async fn a_server_below_an_intermediate_is_trusted() {
    let root = ca("root");
    let intermediate = intermediate("intermediate", &root);
    let server = serve(issued(&server_params(), &[&intermediate, &root]), BOTH).await;
    assert_eq!(outcome(&extra(&pem_file(&root.pem())), server, "localhost").await, TRUSTED);
}

#[tokio::test]
async fn a_server_of_nobody_known_is_refused_with_what_its_chain_lacks() {
    let root = ca("root");
    let intermediate = intermediate("intermediate", &root);
    let environment = TlsEnvironment::default();

    let mut alone = issued(&server_params(), &[&intermediate]);
    alone.chain.truncate(1);
    let server = serve(alone, BOTH).await;
    assert_eq!(
        outcome(&environment, server, "localhost").await,
        refused("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"),
    );

    let server = serve(issued(&server_params(), &[&intermediate]), BOTH).await;
    assert_eq!(
        outcome(&environment, server, "localhost").await,
        refused("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate"),
    );

    let server = serve(issued(&server_params(), &[&intermediate, &root]), BOTH).await;
    assert_eq!(
        outcome(&environment, server, "localhost").await,
        refused("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
    );
}

#[tokio::test]
async fn issuers_that_form_a_ring_are_refused() {
    let (key_a, key_b) = (key(), key());
    let a = rcgen::Issuer::new(ca_params("a"), &key_a);
    let b = rcgen::Issuer::new(ca_params("b"), &key_b);
    let a_by_b = ca_params("a").signed_by(&key_a, &b).unwrap();
    let b_by_a = ca_params("b").signed_by(&key_b, &a).unwrap();
    let leaf_key = key();
    let leaf = server_params().signed_by(&leaf_key, &a).unwrap();
    let chain = [&leaf, &a_by_b, &b_by_a].map(|it| it.der().clone()).to_vec();
    let server = serve(Identity { chain, key: leaf_key, pem: leaf.pem() }, BOTH).await;
    assert_eq!(
        outcome(&TlsEnvironment::default(), server, "localhost").await,
        refused("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate"),
    );
}

#[tokio::test]
async fn a_ca_of_the_same_name_with_another_key_does_not_vouch() {
    let server = serve(issued(&server_params(), &[&ca("ca")]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&ca("ca").pem())), server, "localhost").await,
        refused("CERT_SIGNATURE_FAILURE", "certificate signature failure"),
    );
}

#[tokio::test]
async fn a_certificate_out_of_its_dates_is_refused() {
    let ca = ca("ca");
    let file = pem_file(&ca.pem());

    let server = serve(issued(&expired(server_params()), &[&ca]), BOTH).await;
    assert_eq!(outcome(&extra(&file), server, "localhost").await, has_expired());

    let mut params = server_params();
    params.not_before = date_time_ymd(4000, 1, 1);
    let server = serve(issued(&params, &[&ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&file), server, "localhost").await,
        refused("CERT_NOT_YET_VALID", "certificate is not yet valid"),
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let ca = ca("ca");
    let server = serve(issued(&server_params(), &[&ca]), BOTH).await;
    let file = pem_file(&ca.pem());
    let environment = extra(&file);
    assert_eq!(outcome(&environment, server, "other.example").await, wrong_name());
    assert_eq!(outcome(&environment, server, "127.0.0.2").await, wrong_name());
}

#[tokio::test]
async fn a_common_name_is_not_read() {
    let ca = ca("ca");
    let server = serve(issued(&params("localhost", &[]), &[&ca]), BOTH).await;
    assert_eq!(outcome(&extra(&pem_file(&ca.pem())), server, "localhost").await, wrong_name());
}

#[tokio::test]
async fn a_certificate_for_clients_alone_is_refused() {
    let ca = ca("ca");
    let mut params = server_params();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let server = serve(issued(&params, &[&ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&ca.pem())), server, "localhost").await,
        refused("INVALID_PURPOSE", "unsuitable certificate purpose"),
    );
}

#[tokio::test]
async fn a_ca_certificate_that_a_known_ca_issued_is_refused_as_a_servers() {
    let ca = ca("ca");
    let server = serve(issued(&with(server_params(), AUTHORITY), &[&ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&ca.pem())), server, "localhost").await,
        refused("INVALID_PURPOSE", "unsuitable certificate purpose: a CA's, used by a server"),
    );
}

#[tokio::test]
async fn a_chain_through_what_is_no_ca_is_refused() {
    let root = ca("root");
    let no_ca = CertifiedIssuer::signed_by(params("no CA", &[]), key(), &root).unwrap();
    let server = serve(issued(&server_params(), &[&no_ca]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&root.pem())), server, "localhost").await,
        refused("INVALID_CA", "invalid CA certificate"),
    );
}

#[tokio::test]
async fn a_chain_longer_than_its_ca_allows_is_refused() {
    let root = ca("root");
    let short = with(params("short", &[]), IsCa::Ca(BasicConstraints::Constrained(0)));
    let short = CertifiedIssuer::signed_by(short, key(), &root).unwrap();
    let below = intermediate("below", &short);
    let server = serve(issued(&server_params(), &[&below, &short]), BOTH).await;
    assert_eq!(
        outcome(&extra(&pem_file(&root.pem())), server, "localhost").await,
        refused("PATH_LENGTH_EXCEEDED", "path length constraint exceeded"),
    );
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused() {
    for is_ca in KINDS {
        let server = serve(self_signed(&with(server_params(), is_ca)), BOTH).await;
        assert_eq!(
            outcome(&TlsEnvironment::default(), server, "localhost").await,
            refused("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
            "{is_ca:?}",
        );
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_it_is_listed() {
    for is_ca in KINDS {
        let identity = self_signed(&with(server_params(), is_ca));
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED, "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_out_of_its_dates_is_refused() {
    for is_ca in KINDS {
        let identity = self_signed(&expired(with(server_params(), is_ca)));
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        assert_eq!(outcome(&extra(&file), server, "localhost").await, has_expired(), "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_for_another_name_is_refused() {
    for is_ca in KINDS {
        let identity = self_signed(&with(server_params(), is_ca));
        let file = pem_file(&identity.pem);
        let server = serve(identity, BOTH).await;
        let seen = outcome(&extra(&file), server, "other.example").await;
        assert_eq!(seen, wrong_name(), "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_without_its_key_is_refused() {
    for is_ca in KINDS {
        for version in BOTH {
            let identity = self_signed(&with(server_params(), is_ca));
            let file = pem_file(&identity.pem);
            let thief = Identity { key: key(), ..identity };
            let server = serve(thief, &[version]).await;
            assert_eq!(
                outcome(&extra(&file), server, "localhost").await,
                refused("CERT_SIGNATURE_FAILURE", "certificate signature failure"),
                "{is_ca:?}, {version:?}",
            );
        }
    }
}

#[tokio::test]
async fn another_self_signed_certificate_of_the_listed_name_is_refused() {
    for is_ca in KINDS {
        let listed = self_signed(&with(server_params(), is_ca));
        let server = serve(self_signed(&with(server_params(), is_ca)), BOTH).await;
        let seen = outcome(&extra(&pem_file(&listed.pem)), server, "localhost").await;
        assert!(seen.is_err(), "{is_ca:?}");
    }
}

#[tokio::test]
async fn a_listed_certificate_is_trusted_without_its_issuer() {
    let identity = issued(&server_params(), &[&ca("unlisted")]);
    let file = pem_file(&identity.pem);
    let server = serve(identity, BOTH).await;
    assert_eq!(outcome(&extra(&file), server, "localhost").await, TRUSTED);
}

#[tokio::test]
async fn a_listed_certificate_of_no_ca_vouches_for_no_other() {
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa] {
        let listed =
            CertifiedIssuer::self_signed(with(params("listed", &["localhost"]), is_ca), key())
                .unwrap();
        let mut forged = issued(&server_params(), &[&listed]);
        forged.chain.truncate(1);
        let server = serve(forged, BOTH).await;
        assert_eq!(
            outcome(&extra(&pem_file(&listed.pem())), server, "localhost").await,
            refused("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"),
            "{is_ca:?}",
        );
    }
}

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
async fn a_peer_that_does_not_speak_tls_has_the_wrong_version() {
    let server = answer(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    assert_eq!(
        outcome(&TlsEnvironment::default(), server, "localhost").await,
        refused(
            "ERR_SSL_WRONG_VERSION_NUMBER",
            "received corrupt message of type InvalidContentType"
        ),
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
        refused(
            "ERR_SSL_UNSUPPORTED_PROTOCOL",
            "peer is incompatible: ServerDoesNotSupportTls12Or13"
        ),
    );
}

#[tokio::test]
async fn a_servers_alert_has_nodes_name() {
    for (alert, code, words) in [
        (10, "EPROTO", "UnexpectedMessage"),
        (40, "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "HandshakeFailure"),
        (42, "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "BadCertificate"),
        (47, "ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER", "IllegalParameter"),
        (49, "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED", "AccessDenied"),
        (70, "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "ProtocolVersion"),
        (71, "ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY", "InsufficientSecurity"),
        (80, "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR", "InternalError"),
        (112, "ERR_SSL_TLSV1_UNRECOGNIZED_NAME", "UnrecognisedName"),
        (116, "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "CertificateRequired"),
        (120, "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL", "NoApplicationProtocol"),
    ] {
        // An alert record, fatal (RFC 5246 §7.2).
        let server = answer(vec![0x15, 3, 3, 0, 2, 2, alert].leak()).await;
        assert_eq!(
            outcome(&TlsEnvironment::default(), server, "localhost").await,
            refused(code, &format!("received fatal alert: {words}")),
        );
    }
}

/// What a handshake came to: nothing to say, or the code and the reason.
type Outcome = Result<(), (&'static str, String)>;

async fn outcome(environment: &TlsEnvironment, server: SocketAddr, host: &str) -> Outcome {
    match connect(client_config(environment).0, server, host).await {
        Ok(_) => Ok(()),
        Err(error) => Err((node_code(&error), reason(&error).to_owned())),
    }
}

const TRUSTED: Outcome = Ok(());

fn refused(code: &'static str, reason: &str) -> Outcome {
    Err((code, reason.to_owned()))
}

fn has_expired() -> Outcome {
    refused("CERT_HAS_EXPIRED", "certificate has expired")
}

fn wrong_name() -> Outcome {
    let reason = "Hostname/IP does not match certificate's altnames";
    refused("ERR_TLS_CERT_ALTNAME_INVALID", reason)
}

struct Session {
    version: ProtocolVersion,
    protocol: Option<Vec<u8>>,
    kind: HandshakeKind,
}

/// Shakes hands with `server` as the one called `host`, and reads what it says to its end.
async fn connect(
    config: ClientConfig,
    server: SocketAddr,
    host: &str,
) -> Result<Session, rustls::Error> {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let tcp = TcpStream::connect(server).await.unwrap();
    let exchange = async {
        let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
        let mut said = Vec::new();
        tls.read_to_end(&mut said).await?;
        assert_eq!(said, b"hello");
        let (_, session) = tls.get_ref();
        Ok(Session {
            version: session.protocol_version().unwrap(),
            protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            kind: session.handshake_kind().unwrap(),
        })
    };
    exchange.await.map_err(|error: std::io::Error| {
        error.downcast::<rustls::Error>().expect("no failure but one of TLS")
    })
}

/// A server that says hello to everyone who accepts `identity`.
async fn serve(identity: Identity, versions: &[&'static SupportedProtocolVersion]) -> SocketAddr {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let signing_key = provider
        .key_provider
        .load_private_key(PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap())
        .unwrap();
    let certified = CertifiedKey::new(identity.chain, signing_key);
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(resolver);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            // A client that refuses is what most of these tests are about.
            if let Ok(mut tls) = acceptor.accept(tcp).await {
                let _ = tls.write_all(b"hello").await;
                let _ = tls.shutdown().await;
            }
        }
    });
    address
}

/// A server that gives everyone the same bytes, whatever they say.
async fn answer(bytes: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(bytes).await.unwrap();
        // Until the client has gone: closing with its bytes unread would reset the connection.
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    });
    address
}

/// What a server shows, and the key with which it signs.
struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: KeyPair,
    /// The first of the chain.
    pem: String,
}

type Ca = CertifiedIssuer<'static, KeyPair>;

const AUTHORITY: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);
const KINDS: [IsCa; 3] = [AUTHORITY, IsCa::ExplicitNoCa, IsCa::NoCa];

fn ca(name: &str) -> Ca {
    CertifiedIssuer::self_signed(ca_params(name), key()).unwrap()
}

fn intermediate(name: &str, issuer: &Ca) -> Ca {
    CertifiedIssuer::signed_by(ca_params(name), key(), issuer).unwrap()
}

/// Signed by the first of `chain`, and shown together with all of it.
fn issued(params: &CertificateParams, chain: &[&Ca]) -> Identity {
    let key = key();
    let leaf = params.signed_by(&key, chain[0]).unwrap();
    let issuers = chain.iter().map(|it| it.der().clone());
    let chain = [leaf.der().clone()].into_iter().chain(issuers).collect();
    Identity { chain, key, pem: leaf.pem() }
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = key();
    let leaf = params.self_signed(&key).unwrap();
    Identity { chain: vec![leaf.der().clone()], key, pem: leaf.pem() }
}

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn server_params() -> CertificateParams {
    params("server", &["localhost", "127.0.0.1"])
}

fn ca_params(name: &str) -> CertificateParams {
    with(params(name, &[]), AUTHORITY)
}

fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

fn with(mut params: CertificateParams, is_ca: IsCa) -> CertificateParams {
    params.is_ca = is_ca;
    params
}

fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2001, 1, 1);
    params
}

fn extra(file: &NamedTempFile) -> TlsEnvironment {
    TlsEnvironment { node_extra_ca_certs: Some(shown(file)), ..TlsEnvironment::default() }
}

fn shown(file: impl AsRef<Path>) -> String {
    file.as_ref().to_str().unwrap().to_owned()
}

fn pem_file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    file
}
