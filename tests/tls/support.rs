//! Servers with certificates made on the spot, and what a handshake with them comes to.

use std::{fs, net::SocketAddr, path::Path, sync::Arc};

use key0_native::http::tls::{TlsEnvironment, client_config, node_code, reason, target};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::{
    ClientConfig, HandshakeKind, ProtocolVersion, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::ResolvesServerCert,
    sign::{CertifiedKey, SingleCertAndKey},
    version::{TLS12, TLS13},
};
use tempfile::NamedTempFile;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

pub const BOTH: &[&SupportedProtocolVersion] = &[&TLS12, &TLS13];

/// What a handshake came to: nothing to say, or the code and the reason.
pub type Outcome = Result<(), (&'static str, String)>;

pub async fn outcome(environment: &TlsEnvironment, server: SocketAddr, host: &str) -> Outcome {
    match connect(client_config(environment).0, server, host).await {
        Ok(_) => Ok(()),
        Err(error) => Err((node_code(&error), reason(&error).to_owned())),
    }
}

pub const TRUSTED: Outcome = Ok(());

pub fn refused(code: &'static str, reason: &str) -> Outcome {
    Err((code, reason.to_owned()))
}

pub fn has_expired() -> Outcome {
    refused("CERT_HAS_EXPIRED", "certificate has expired")
}

pub fn wrong_name() -> Outcome {
    let reason = "Hostname/IP does not match certificate's altnames";
    refused("ERR_TLS_CERT_ALTNAME_INVALID", reason)
}

pub struct Session {
    pub version: ProtocolVersion,
    pub protocol: Option<Vec<u8>>,
    pub kind: HandshakeKind,
    /// The host that the server was told.
    pub told: String,
}

/// Shakes hands with `server` as the one called `host`, and reads what it says to its end.
pub async fn connect(
    config: ClientConfig,
    server: SocketAddr,
    host: &str,
) -> Result<Session, rustls::Error> {
    let (config, name) = target(&Arc::new(config), host).unwrap();
    let tcp = TcpStream::connect(server).await.unwrap();
    let exchange = async {
        let mut tls = TlsConnector::from(config).connect(name, tcp).await?;
        let mut said = Vec::new();
        tls.read_to_end(&mut said).await?;
        let said = String::from_utf8(said).unwrap();
        let (_, session) = tls.get_ref();
        Ok(Session {
            version: session.protocol_version().unwrap(),
            protocol: session.alpn_protocol().map(<[u8]>::to_vec),
            kind: session.handshake_kind().unwrap(),
            told: said.strip_prefix("hello, ").unwrap().to_owned(),
        })
    };
    exchange.await.map_err(|error: std::io::Error| {
        error.downcast::<rustls::Error>().expect("no failure but one of TLS")
    })
}

/// A server that says hello to everyone who accepts `identity`, and the host that it was told.
pub async fn serve(
    identity: Identity,
    versions: &[&'static SupportedProtocolVersion],
) -> SocketAddr {
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
                let told = tls.get_ref().1.server_name().unwrap_or("nobody");
                let hello = format!("hello, {told}");
                let _ = tls.write_all(hello.as_bytes()).await;
                let _ = tls.shutdown().await;
            }
        }
    });
    address
}

/// A server that gives everyone the same bytes, whatever they say.
pub async fn answer(bytes: &'static [u8]) -> SocketAddr {
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
pub struct Identity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: KeyPair,
    /// The first of the chain.
    pub pem: String,
}

pub type Ca = CertifiedIssuer<'static, KeyPair>;

pub const AUTHORITY: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);
pub const KINDS: [IsCa; 3] = [AUTHORITY, IsCa::ExplicitNoCa, IsCa::NoCa];

pub fn ca(name: &str) -> Ca {
    CertifiedIssuer::self_signed(ca_params(name), key()).unwrap()
}

pub fn intermediate(name: &str, issuer: &Ca) -> Ca {
    CertifiedIssuer::signed_by(ca_params(name), key(), issuer).unwrap()
}

/// Signed by the first of `chain`, and shown together with all of it.
pub fn issued(params: &CertificateParams, chain: &[&Ca]) -> Identity {
    let key = key();
    let leaf = params.signed_by(&key, chain[0]).unwrap();
    let issuers = chain.iter().map(|it| it.der().clone());
    let chain = [leaf.der().clone()].into_iter().chain(issuers).collect();
    Identity { chain, key, pem: leaf.pem() }
}

pub fn self_signed(params: &CertificateParams) -> Identity {
    let key = key();
    let leaf = params.self_signed(&key).unwrap();
    Identity { chain: vec![leaf.der().clone()], key, pem: leaf.pem() }
}

pub fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

pub fn server_params() -> CertificateParams {
    params("server", &["localhost", "127.0.0.1"])
}

pub fn ca_params(name: &str) -> CertificateParams {
    with(params(name, &[]), AUTHORITY)
}

pub fn params(common_name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|&it| it.to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

pub fn with(mut params: CertificateParams, is_ca: IsCa) -> CertificateParams {
    params.is_ca = is_ca;
    params
}

pub fn expired(mut params: CertificateParams) -> CertificateParams {
    params.not_after = date_time_ymd(2001, 1, 1);
    params
}

pub fn extra(file: &NamedTempFile) -> TlsEnvironment {
    TlsEnvironment { node_extra_ca_certs: Some(shown(file)), ..TlsEnvironment::default() }
}

pub fn shown(file: impl AsRef<Path>) -> String {
    file.as_ref().to_str().unwrap().to_owned()
}

pub fn pem_file(text: &str) -> NamedTempFile {
    let file = NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    file
}
