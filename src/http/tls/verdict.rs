//! What is said against a peer: Node's name for it, and the reason in words.

use std::{borrow::Cow, fmt, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
    pki_types::CertificateDer,
};
use webpki::EndEntityCert;

/// Node's name for a TLS failure, the one that its `fetch` has in `cause.code`:
///
/// | failure | code |
/// |---|---|
/// | the dates of a certificate | `CERT_HAS_EXPIRED`, `CERT_NOT_YET_VALID` |
/// | no subjectAltName is the host's | `ERR_TLS_CERT_ALTNAME_INVALID` |
/// | unknown: self-signed | `DEPTH_ZERO_SELF_SIGNED_CERT` |
/// | unknown: a chain up to its root | `SELF_SIGNED_CERT_IN_CHAIN` |
/// | unknown: a chain without its root | `UNABLE_TO_GET_ISSUER_CERT_LOCALLY` |
/// | unknown: no chain at all | `UNABLE_TO_VERIFY_LEAF_SIGNATURE` |
/// | a signature | `CERT_SIGNATURE_FAILURE` |
/// | not made for servers, or a CA's | `INVALID_PURPOSE` |
/// | issued by what is no CA, or too far below one | `INVALID_CA`, `PATH_LENGTH_EXCEEDED` |
/// | another reason against a certificate | `CERT_REVOKED`, `UNSPECIFIED` |
/// | no TLS at all (plain HTTP) | `ERR_SSL_WRONG_VERSION_NUMBER` |
/// | a version before TLS 1.2 | `ERR_SSL_UNSUPPORTED_PROTOCOL` |
/// | an alert | `ERR_SSL_…_ALERT_…`, as Node 20 spells those that servers send to clients |
/// | another breach of the protocol | `EPROTO` |
#[must_use]
pub fn node_code(error: &Error) -> &'static str {
    match error {
        Error::InvalidCertificate(_) => verdict(error).map_or("UNSPECIFIED", |it| it.code),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "ERR_SSL_WRONG_VERSION_NUMBER",
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "ERR_SSL_UNSUPPORTED_PROTOCOL",
        Error::AlertReceived(alert) => match alert {
            AlertDescription::HandshakeFailure => "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
            AlertDescription::BadCertificate => "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
            AlertDescription::IllegalParameter => "ERR_SSL_SSLV3_ALERT_ILLEGAL_PARAMETER",
            AlertDescription::AccessDenied => "ERR_SSL_TLSV1_ALERT_ACCESS_DENIED",
            AlertDescription::ProtocolVersion => "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
            AlertDescription::InsufficientSecurity => "ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY",
            AlertDescription::InternalError => "ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR",
            AlertDescription::UnrecognisedName => "ERR_SSL_TLSV1_UNRECOGNIZED_NAME",
            AlertDescription::NoApplicationProtocol => {
                "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
            }
            AlertDescription::CertificateRequired => "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
            _ => "EPROTO",
        },
        _ => "EPROTO",
    }
}

/// The reason for a TLS failure in words: of a certificate those of OpenSSL and Node, which people
/// search for. Names no host.
#[must_use]
pub fn reason(error: &Error) -> Cow<'static, str> {
    verdict(error).map_or_else(|| error.to_string().into(), |it| it.words.into())
}

/// What is said against a certificate.
#[derive(Clone, Copy, Debug)]
struct Verdict {
    code: &'static str,
    words: &'static str,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }
}

impl std::error::Error for Verdict {}

fn verdict(error: &Error) -> Option<Verdict> {
    use CertificateError as Of;
    let Error::InvalidCertificate(certificate) = error else {
        return None;
    };
    let (code, words) = match certificate {
        Of::Expired | Of::ExpiredContext { .. } => ("CERT_HAS_EXPIRED", "certificate has expired"),
        Of::NotValidYet | Of::NotValidYetContext { .. } => {
            ("CERT_NOT_YET_VALID", "certificate is not yet valid")
        }
        Of::NotValidForName | Of::NotValidForNameContext { .. } => {
            ("ERR_TLS_CERT_ALTNAME_INVALID", "Hostname/IP does not match certificate's altnames")
        }
        Of::Revoked => ("CERT_REVOKED", "certificate revoked"),
        Of::BadSignature => ("CERT_SIGNATURE_FAILURE", "certificate signature failure"),
        Of::InvalidPurpose | Of::InvalidPurposeContext { .. } => {
            ("INVALID_PURPOSE", "unsuitable certificate purpose")
        }
        Of::Other(OtherError(cause)) => match cause.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) => {
                ("INVALID_PURPOSE", "unsuitable certificate purpose: a CA's, used by a server")
            }
            Some(webpki::Error::EndEntityUsedAsCa) => ("INVALID_CA", "invalid CA certificate"),
            Some(webpki::Error::PathLenConstraintViolated) => {
                ("PATH_LENGTH_EXCEEDED", "path length constraint exceeded")
            }
            _ => return cause.downcast_ref().copied(),
        },
        _ => return None,
    };
    Some(Verdict { code, words })
}

/// `error`, where nobody known issued the certificate, with OpenSSL's four ways of that told apart
/// by what the server sent.
pub(super) fn explained(
    error: Error,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
) -> Error {
    if !is_unknown_issuer(&error) && !is_authority(&error) {
        return error;
    }
    let Ok(leaf) = EndEntityCert::try_from(end_entity) else {
        return error;
    };
    let sent: Vec<_> = intermediates.iter().flat_map(EndEntityCert::try_from).collect();
    let (mut last, mut depth) = (&leaf, 0);
    // As far as the chain goes, and no further than all that was sent: issuers may form a ring.
    while last.issuer() != last.subject()
        && depth < sent.len()
        && let Some(issuer) = sent.iter().find(|it| it.subject() == last.issuer())
    {
        (last, depth) = (issuer, depth + 1);
    }
    let (code, words) = match (last.issuer() == last.subject(), depth) {
        (true, 0) => ("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate"),
        // Not unknown, but webpki takes it for no server's.
        _ if is_authority(&error) => return error,
        (true, _) => ("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain"),
        (false, 0) => ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate"),
        (false, _) => {
            ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate")
        }
    };
    CertificateError::Other(OtherError(Arc::new(Verdict { code, words }))).into()
}

pub(super) fn is_unknown_issuer(error: &Error) -> bool {
    *error == Error::InvalidCertificate(CertificateError::UnknownIssuer)
}

pub(super) fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))
        if matches!(cause.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_name_of_its_own_is_unspecified_or_a_breach_of_the_protocol() {
        let unread: Error = CertificateError::BadEncoding.into();
        assert_eq!(node_code(&unread), "UNSPECIFIED");
        assert_eq!(reason(&unread), "invalid peer certificate: BadEncoding");
        assert_eq!(node_code(&Error::DecryptError), "EPROTO");
        assert_eq!(reason(&Error::DecryptError), "cannot decrypt peer's message");
        // No list of revoked certificates is read; a verifier that did would say so.
        assert_eq!(node_code(&CertificateError::Revoked.into()), "CERT_REVOKED");
    }
}
