//! The `tls` option: a call's own trusted CAs, and the certificate that shows a server who calls.

use std::{
    fmt::{self, Write as _},
    io,
    sync::{Arc, Mutex},
};

use aws_lc_rs::digest::{self, SHA256};
use rustls::{
    ClientConfig,
    client::ResolvesClientCert,
    crypto::aws_lc_rs::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    sign::{CertifiedKey, SingleCertAndKey},
};
use zeroize::Zeroizing;

use super::{
    SharedConfig, TlsEnvironment,
    certificate::Certificate,
    config_with,
    encrypted_key::{self, Closed},
    key_octets, sessions,
    trust::Trust,
};
use crate::{error::ArgumentError, jws::Section, lock::lock, now::Now, secret::Secret};

/// `tls` as JavaScript has it, each part in PEM.
#[derive(Clone, Default)]
pub struct TlsOptions {
    /// Trusted in place of Mozilla's, the system's and those that variables name.
    pub ca: Option<String>,
    /// The client's certificate, and those between it and its root.
    pub cert: Option<String>,
    /// The key of the first.
    pub key: Option<Secret>,
    /// Of an encrypted key.
    pub passphrase: Option<Secret>,
}

/// The same, parsed. Clones share it.
#[derive(Clone)]
pub struct OwnTls(Arc<Parsed>);

struct Parsed {
    /// A digest of the certificates, which tell their key, too: connections made with others are
    /// not shared.
    id: String,
    /// With its own CAs; None where those of the environment are trusted.
    config: Option<Arc<ClientConfig>>,
    identity: Option<Arc<dyn ResolvesClientCert>>,
    /// The private key's octets, whatever its form and its passphrase.
    key: Option<Zeroizing<Vec<u8>>>,
    /// The environment's configuration, and the same with the identity.
    derived: Mutex<Option<(Arc<ClientConfig>, Arc<ClientConfig>)>>,
}

impl OwnTls {
    /// # Errors
    /// By field, for what cannot be used: nothing at all, a wrong pair, a certificate whose time is
    /// over, an encrypted key without its passphrase.
    pub fn new(options: &TlsOptions, now: Now) -> Result<Self, ArgumentError> {
        let ca = options.ca.as_deref().map(|pem| certificates("tls.ca", pem)).transpose()?;
        let trust = ca.as_deref().map(trust).transpose()?;
        let identity = identity(options, now)?;
        if trust.is_none() && identity.is_none() {
            return Err(ArgumentError::of_type("tls", "must have ca, or cert and key"));
        }
        let chain = identity.as_ref().map(|it| &*it.certified.cert);
        let id = id(ca.as_deref(), chain);
        let (identity, key) = identity
            .map(|Identity { certified, octets }| {
                let resolver: Arc<dyn ResolvesClientCert> =
                    Arc::new(SingleCertAndKey::from(certified));
                (resolver, octets)
            })
            .unzip();
        let config = trust.map(|trust| {
            Arc::new(with_identity(config_with(Some(trust.into())), identity.as_ref()))
        });
        let derived = Mutex::default();
        Ok(Self(Arc::new(Parsed { id, config, identity, key, derived })))
    }

    /// Tells these options from others.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Whether a server is shown who calls.
    #[must_use]
    pub fn has_certificate(&self) -> bool {
        self.0.identity.is_some()
    }

    /// What nobody knows who lacks the private key; the same in each of its forms.
    #[must_use]
    pub fn key(&self) -> Option<&[u8]> {
        self.0.key.as_ref().map(|key| key.as_slice())
    }

    /// The configuration for calls with these variables.
    ///
    /// # Errors
    /// As [`SharedConfig::get`] has them.
    pub(in crate::http) async fn config(
        &self,
        environment: &TlsEnvironment,
        shared: &SharedConfig,
    ) -> io::Result<Arc<ClientConfig>> {
        if let Some(config) = self.0.config.as_ref().filter(|_| environment.verifies()) {
            return Ok(config.clone());
        }
        let base = shared.get(environment).await?;
        let mut derived = lock(&self.0.derived);
        if let Some((of, config)) = &*derived
            && Arc::ptr_eq(of, &base)
        {
            return Ok(config.clone());
        }
        let config = Arc::new(with_identity(ClientConfig::clone(&base), self.0.identity.as_ref()));
        *derived = Some((base, config.clone()));
        Ok(config)
    }
}

/// Of trusted CAs and of the client's certificates, which are its key's.
fn id(ca: Option<&[Vec<u8>]>, chain: Option<&[CertificateDer<'_>]>) -> String {
    let mut context = digest::Context::new(&SHA256);
    let mut add = |ders: &[&[u8]]| {
        context.update(&ders.len().to_be_bytes());
        for der in ders {
            context.update(&der.len().to_be_bytes());
            context.update(der);
        }
    };
    add(&ca.unwrap_or_default().iter().map(Vec::as_slice).collect::<Vec<_>>());
    add(&chain.unwrap_or_default().iter().map(AsRef::as_ref).collect::<Vec<_>>());
    let mut id = String::new();
    for byte in context.finish().as_ref() {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

impl fmt::Debug for OwnTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnTls").finish_non_exhaustive()
    }
}

/// Sessions of connections without that identity are not resumed.
fn with_identity(
    mut config: ClientConfig,
    identity: Option<&Arc<dyn ResolvesClientCert>>,
) -> ClientConfig {
    if let Some(identity) = identity {
        config.client_auth_cert_resolver = identity.clone();
    }
    config.resumption = sessions::resumption();
    config
}

fn trust(ca: &[Vec<u8>]) -> Result<Trust, ArgumentError> {
    let mut trust = Trust::default();
    for der in ca {
        if !trust.add(der) {
            return Err(damaged("tls.ca"));
        }
    }
    Ok(trust)
}

/// Who the client is.
struct Identity {
    certified: CertifiedKey,
    /// The private key's.
    octets: Zeroizing<Vec<u8>>,
}

fn identity(options: &TlsOptions, now: Now) -> Result<Option<Identity>, ArgumentError> {
    let (cert, key) = match (&options.cert, &options.key) {
        (None, None) => return Ok(None),
        (Some(cert), Some(key)) => (cert, key),
        (Some(_), None) => {
            return Err(ArgumentError::of_type("tls.key", "is missing: tls.cert needs it"));
        }
        (None, Some(_)) => {
            return Err(ArgumentError::of_type("tls.cert", "is missing: tls.key needs it"));
        }
    };
    let chain = certificates("tls.cert", cert)?;
    let first = chain.first().and_then(|der| Certificate::parse(der));
    let Certificate { valid: (_, last), key: public, .. } =
        first.ok_or_else(|| damaged("tls.cert"))?;
    // A clock that is no number lets no certificate be over.
    #[expect(clippy::cast_precision_loss, reason = "53 bits of seconds are long enough")]
    if now.seconds() > last as f64 {
        return Err(ArgumentError::of_type("tls.cert", "has expired"));
    }
    let der = private_key(key, options.passphrase.as_ref())?;
    let unusable = || {
        let problem = "is damaged, or of a kind that TLS cannot use here";
        ArgumentError::of_type("tls.key", problem)
    };
    let key = any_supported_type(&der).map_err(|_| unusable())?;
    if key.public_key().is_none_or(|own| own.as_ref() != public) {
        return Err(ArgumentError::of_type("tls.key", "is not the key of tls.cert"));
    }
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let octets = key_octets::octets(&der).ok_or_else(unusable)?;
    let octets = octets.to_vec().into();
    Ok(Some(Identity { certified: CertifiedKey::new(chain, key), octets }))
}

/// At least one. Keys beside them are passed over.
fn certificates(field: &'static str, pem: &str) -> Result<Vec<Vec<u8>>, ArgumentError> {
    let sections = Section::all(pem).filter(|section| section.label.ends_with("CERTIFICATE"));
    let certificates: Result<Vec<_>, _> =
        sections.map(|section| section.der().map(|der| der.to_vec())).collect();
    let certificates = certificates.map_err(|_| damaged(field))?;
    if certificates.is_empty() {
        return Err(ArgumentError::of_type(field, "holds no certificate in PEM"));
    }
    Ok(certificates)
}

fn private_key(
    pem: &Secret,
    passphrase: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, ArgumentError> {
    let wrong = |problem: &str| ArgumentError::of_type("tls.key", problem);
    let section = Section::all(pem.expose())
        .find(|section| section.label.ends_with("PRIVATE KEY"))
        .ok_or_else(|| wrong("holds no private key in PEM"))?;
    let der = section.der().map_err(|_| damaged("tls.key"));
    match section.label {
        _ if section.is_encrypted() => Err(wrong(OLD)),
        "ENCRYPTED PRIVATE KEY" => {
            let missing = || wrong("is encrypted: tls.passphrase is missing");
            let passphrase = passphrase.ok_or_else(missing)?;
            match encrypted_key::open(&der?, passphrase.expose()) {
                Ok(key) => Ok(PrivatePkcs8KeyDer::from(key.to_vec()).into()),
                Err(Closed::Unsupported) => Err(wrong(OLD)),
                Err(Closed::WrongPassphrase) => {
                    Err(ArgumentError::of_type("tls.passphrase", "does not open tls.key"))
                }
            }
        }
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(der?.to_vec()).into()),
        "RSA PRIVATE KEY" => Ok(PrivateKeyDer::Pkcs1(der?.to_vec().into())),
        "EC PRIVATE KEY" => Ok(PrivateKeyDer::Sec1(der?.to_vec().into())),
        "OPENSSH PRIVATE KEY" => Err(wrong("is in OpenSSH's own format: convert it to PKCS#8")),
        _ => Err(wrong("is of a kind that TLS cannot use here")),
    }
}

fn damaged(field: &'static str) -> ArgumentError {
    ArgumentError::of_type(field, "is damaged")
}

/// `openssl pkcs8 -topk8` writes what is read here.
const OLD: &str = "is encrypted in a way that is not supported: convert it to PKCS#8 with AES";
