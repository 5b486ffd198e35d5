//! What rustls asks about a server: whether it is trusted, is the one that was called, and has its
//! certificate's key.

use rustls::{
    DigitallySignedStruct, Error, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key},
    pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime},
};

use super::{
    certificate::{Certificate, verifies},
    host,
    trust::Trust,
    verdict,
};

/// Asks a [`Trust`].
#[derive(Debug)]
pub(super) struct Verifier {
    /// None where verification is turned off.
    pub(super) trust: Option<Trust>,
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
            trust.verify(end_entity, &certificate, intermediates, self.algorithms.all, now)?;
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
            let mut algorithms = self.algorithms.mapping.iter();
            let signed = algorithms.find(|(scheme, _)| *scheme == dss.scheme).is_some_and(|it| {
                it.1.iter().any(|algorithm| verifies(key, *algorithm, message, dss.signature()))
            });
            if !signed {
                return Err(verdict::NOT_ITS_KEY.into());
            }
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
            let key = SubjectPublicKeyInfoDer::from(key);
            verify_tls13_signature_with_raw_key(message, &key, dss, &self.algorithms)
                .map_err(|_| verdict::NOT_ITS_KEY)?;
        }
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
