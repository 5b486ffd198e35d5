//! Whom a call trusts: Mozilla's roots, the system's, and what variables name.

use std::{env, fs, io, path::Path, time::Duration};

use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime, pem::PemObject as _},
    server::ParsedCertificate,
};
use rustls_native_certs::load_native_certs;

use super::{
    TlsEnvironment,
    verdict::{explained, is_authority, is_unknown_issuer},
};

/// Whom a call trusts.
#[derive(Debug)]
pub(super) struct Trust {
    /// Who may vouch for others.
    roots: RootCertStore,
    /// All that was read: each vouches for itself.
    certificates: Vec<CertificateDer<'static>>,
}

impl Trust {
    /// Reads what `environment` names, and says in `warnings` what could not be read.
    pub(super) fn read(environment: &TlsEnvironment, warnings: &mut Vec<String>) -> Self {
        let mut trust = Self {
            roots: webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
            certificates: Vec::new(),
        };
        let file = environment.ssl_cert_file.as_deref().filter(|it| !it.is_empty());
        let dirs = environment.ssl_cert_dir.as_deref().filter(|it| !it.is_empty());
        let extra = environment.node_extra_ca_certs.as_deref().filter(|it| !it.is_empty());
        if file.is_none() && dirs.is_none() {
            // No variable of this call's names them, so nobody is warned: many a container has no
            // store at all. (This function itself looks at the variables of the process.)
            trust.add(load_native_certs().certs);
        }
        let mut warn = |variable, path: &Path, read: Result<usize, String>| match read {
            Ok(0) => warnings.push(format!("{variable}: {} holds no certificate", path.display())),
            Ok(_) => {}
            Err(problem) => warnings.push(format!("{variable}: {problem}")),
        };
        if let Some(file) = file.map(Path::new) {
            warn("SSL_CERT_FILE", file, trust.read_file(file));
        }
        let dirs = dirs.into_iter().flat_map(env::split_paths);
        for dir in dirs.filter(|it| !it.as_os_str().is_empty()) {
            warn("SSL_CERT_DIR", &dir, trust.read_dir(&dir));
        }
        if let Some(file) = extra.map(Path::new) {
            warn("NODE_EXTRA_CA_CERTS", file, trust.read_file(file));
        }
        trust
    }

    /// Refuses a server's certificate that is neither trusted itself nor issued by who is; the name
    /// in it is not looked at.
    pub(super) fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        algorithms: &[&dyn SignatureVerificationAlgorithm],
        now: UnixTime,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if self.certificates.contains(end_entity) {
            let error = alone(&certificate, now);
            return if is_unknown_issuer(&error) || is_authority(&error) {
                Ok(())
            } else {
                Err(error)
            };
        }
        verify_server_cert_signed_by_trust_anchor(
            &certificate,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )
        .map_err(|error| explained(error, end_entity, intermediates))
    }

    /// Counts the certificates. What is none is skipped: a comment, a key.
    fn read_file(&mut self, file: &Path) -> Result<usize, String> {
        let pem = fs::read(file).map_err(|error| unreadable(file, &error))?;
        let announced = pem
            .split(|byte| matches!(byte, b'\n' | b'\r'))
            .filter(|line| line.starts_with(b"-----BEGIN CERTIFICATE-----"))
            .count();
        let read = self.add(CertificateDer::pem_slice_iter(&pem).filter_map(Result::ok));
        match announced.saturating_sub(read) {
            0 => Ok(read),
            lost => {
                Err(format!("{lost} of {announced} certificates in {} are broken", file.display()))
            }
        }
    }

    /// Reads every file there, and tells the first problem.
    fn read_dir(&mut self, dir: &Path) -> Result<usize, String> {
        let entries = fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
        let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
        let read: Vec<_> = files.map(|file| self.read_file(&file)).collect();
        read.into_iter().sum()
    }

    /// Adds those that are certificates, and counts them.
    fn add(&mut self, certificates: impl IntoIterator<Item = CertificateDer<'static>>) -> usize {
        let mut added = 0;
        for certificate in certificates {
            // `openssl rehash` links to each file of a directory again.
            let known = self.certificates.contains(&certificate);
            if known
                || vouches_for_itself_alone(&certificate)
                || self.roots.add(certificate.clone()).is_ok()
            {
                added += 1;
                if !known {
                    self.certificates.push(certificate);
                }
            }
        }
        added
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

/// Whether a certificate says that it is no authority's (RFC 5280 §4.2.1.9). To webpki any would
/// do as a root, and who has the key of a server that is trusted as itself could sign for all
/// others: Debian's `ssl-cert` puts one for `localhost` into the system's store.
fn vouches_for_itself_alone(certificate: &CertificateDer<'_>) -> bool {
    let Ok(certificate) = ParsedCertificate::try_from(certificate) else {
        return false;
    };
    // The dates are looked at first: asked about the end of time, webpki tells the last moment at
    // which they hold, and asked about that one, what else there is.
    match alone(&certificate, UnixTime::since_unix_epoch(Duration::MAX)) {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => {
            !is_authority(&alone(&certificate, not_after))
        }
        _ => false,
    }
}

/// What webpki finds against a certificate that no root vouches for, in this order: its dates, that
/// it is an authority's, its purposes; and where there is nothing else, that its issuer is unknown.
fn alone(certificate: &ParsedCertificate<'_>, now: UnixTime) -> Error {
    let nobody = RootCertStore::empty();
    verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], now, &[])
        .err()
        .unwrap_or_else(|| CertificateError::UnknownIssuer.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(environment: &TlsEnvironment) -> Trust {
        Trust::read(environment, &mut Vec::new())
    }

    fn mozillas() -> Vec<rustls::pki_types::TrustAnchor<'static>> {
        webpki_roots::TLS_SERVER_ROOTS.to_vec()
    }

    #[test]
    fn mozillas_roots_and_the_systems_are_trusted() {
        let trust = read(&TlsEnvironment::default());
        let mut systems = load_native_certs().certs;
        systems.retain(|it| RootCertStore::empty().add(it.clone()).is_ok());
        assert!(trust.roots.roots.starts_with(&mozillas()));
        assert_eq!(trust.certificates, systems);
    }

    #[test]
    fn a_file_or_directory_takes_the_place_of_the_systems_even_where_it_cannot_be_read() {
        let missing = Some("/missing".to_owned());
        let file = TlsEnvironment { ssl_cert_file: missing.clone(), ..TlsEnvironment::default() };
        let dir = TlsEnvironment { ssl_cert_dir: missing, ..TlsEnvironment::default() };
        assert_eq!(read(&file).roots.roots, mozillas());
        assert_eq!(read(&dir).roots.roots, mozillas());
    }

    #[test]
    fn a_certificate_that_is_read_twice_is_kept_once() {
        let ca = rcgen::generate_simple_self_signed([]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, ca.cert.pem().repeat(2)).unwrap();
        let path = file.path().to_str().map(str::to_owned);
        let trust = read(&TlsEnvironment {
            ssl_cert_file: path.clone(),
            node_extra_ca_certs: path,
            ..TlsEnvironment::default()
        });
        assert_eq!(trust.certificates, [ca.cert.der().clone()]);
    }
}
