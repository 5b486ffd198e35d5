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
    sessions,
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
    /// A digest of the options: connections made with others are not shared.
    id: String,
    /// With its own CAs; None where those of the environment are trusted.
    config: Option<Arc<ClientConfig>>,
    identity: Option<Arc<dyn ResolvesClientCert>>,
    /// The environment's configuration, and the same with the identity.
    derived: Mutex<Option<(Arc<ClientConfig>, Arc<ClientConfig>)>>,
}

impl OwnTls {
    /// # Errors
    /// By field, for what cannot be used: nothing at all, a wrong pair, a certificate whose time is
    /// over, an encrypted key without its passphrase.
    pub fn new(options: &TlsOptions, now: Now) -> Result<Self, ArgumentError> {
        let trust = options.ca.as_deref().map(trust).transpose()?;
        let identity = identity(options, now)?;
        if trust.is_none() && identity.is_none() {
            return Err(ArgumentError::of_type("tls", "must have ca, or cert and key"));
        }
        let config =
            trust.map(|trust| Arc::new(with_identity(config_with(Some(trust)), identity.as_ref())));
        let (id, derived) = (options.id(), Mutex::default());
        Ok(Self(Arc::new(Parsed { id, config, identity, derived })))
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

impl TlsOptions {
    fn id(&self) -> String {
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|it| it.expose().to_owned());
        let parts =
            [self.ca.clone(), self.cert.clone(), secret(&self.key), secret(&self.passphrase)];
        let mut context = digest::Context::new(&SHA256);
        for part in parts.map(|part| Zeroizing::new(part.unwrap_or_default())) {
            context.update(&part.len().to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut id = String::new();
        for byte in context.finish().as_ref() {
            let _ = write!(id, "{byte:02x}");
        }
        id
    }
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

fn trust(pem: &str) -> Result<Trust, ArgumentError> {
    let mut trust = Trust::default();
    for der in certificates("tls.ca", pem)? {
        if !trust.add(&der) {
            return Err(damaged("tls.ca"));
        }
    }
    Ok(trust)
}

fn identity(
    options: &TlsOptions,
    now: Now,
) -> Result<Option<Arc<dyn ResolvesClientCert>>, ArgumentError> {
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
    let key = private_key(key, options.passphrase.as_ref())?;
    let key = any_supported_type(&key).map_err(|_| {
        let problem = "is damaged, or of a kind that TLS cannot use here";
        ArgumentError::of_type("tls.key", problem)
    })?;
    if key.public_key().is_none_or(|own| own.as_ref() != public) {
        return Err(ArgumentError::of_type("tls.key", "is not the key of tls.cert"));
    }
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    Ok(Some(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key)))))
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
