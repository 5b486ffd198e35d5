//! What rustls asks about a server: whether it is trusted, is the one that was called, and has its
//! certificate's key.

use std::sync::Arc;

use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};

use super::{
    certificate::{Certificate, check_signature, is_short_rsa},
    chain, host,
    trust::Trust,
    verdict::{self, Verdict},
};

/// Verifies servers by what a [`Trust`] holds.
#[derive(Debug)]
pub(super) struct Verifier {
    /// None where verification is turned off.
    pub(super) trust: Option<Arc<Trust>>,
    /// For the signatures in certificates and handshakes.
    pub(super) algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(trust) = &self.trust {
            let certificate = Certificate::parse(end_entity).ok_or(verdict::MALFORMED)?;
            let algorithms = self.algorithms.all;
            chain::verify(trust, end_entity, &certificate, intermediates, algorithms, now)
                .map_err(|verdict| {
                    if trust.is_whole() { verdict.into() } else { verdict::wants_folders() }
                })?;
            host::check(&certificate, server_name)?;
        }
        Ok(ServerCertVerified::assertion())
    }

    // With verification off the signature would prove a key that nobody asked for, and not every
    // certificate that a development server may have can be read.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.trust.is_some() {
            let key = Certificate::parse(cert).ok_or(verdict::MALFORMED)?.key;
            let schemes = self.algorithms.mapping.iter().filter(|(it, _)| *it == dss.scheme);
            let algorithms = schemes.flat_map(|(_, algorithms)| *algorithms);
            check_signature(key, algorithms, message, dss.signature()).map_err(|_| without(key))?;
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if self.trust.is_some() {
            let key = Certificate::parse(cert).ok_or(verdict::MALFORMED)?.key;
            let info = SubjectPublicKeyInfoDer::from(key);
            verify_tls13_signature_with_raw_key(message, &info, dss, &self.algorithms)
                .map_err(|_| without(key))?;
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// What is said of a server that has not shown that `key` is its own.
fn without(key: &[u8]) -> Verdict {
    if is_short_rsa(key) { verdict::UNSUPPORTED_SIGNATURE } else { verdict::NOT_ITS_KEY }
}
