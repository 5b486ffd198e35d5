//! What is said against a peer: Node's name for it, and the reason in words.

use std::{fmt, io, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
    PeerMisbehaved,
};

use super::alerts;

/// Node's name for a TLS failure, the one that its `fetch` has in `cause.code`:
///
/// | failure | code |
/// |---|---|
/// | the dates of a certificate | `CERT_HAS_EXPIRED`, `CERT_NOT_YET_VALID` |
/// | no subjectAltName is the host's | `ERR_TLS_CERT_ALTNAME_INVALID` |
/// | unknown: self-signed | `DEPTH_ZERO_SELF_SIGNED_CERT` |
/// | unknown: a chain up to its root | `SELF_SIGNED_CERT_IN_CHAIN` |
/// | unknown: a chain without its root | `UNABLE_TO_GET_ISSUER_CERT_LOCALLY` |
/// | unknown: no chain at all; or it cannot be read | `UNABLE_TO_VERIFY_LEAF_SIGNATURE` |
/// | a signature | `CERT_SIGNATURE_FAILURE` |
/// | not made for servers, or issued by what is no CA | `INVALID_PURPOSE` |
/// | too far below a CA | `PATH_LENGTH_EXCEEDED`, `INVALID_CA` |
/// | another reason against a certificate | `UNSPECIFIED` |
/// | no TLS at all (plain HTTP) | `ERR_SSL_WRONG_VERSION_NUMBER` |
/// | a version before TLS 1.2 | `ERR_SSL_UNSUPPORTED_PROTOCOL` |
/// | an alert | `ERR_SSL_…`, as OpenSSL calls those that servers send to clients |
/// | another breach of the protocol | `EPROTO` |
#[must_use]
pub fn node_code(error: &Error) -> &'static str {
    verdict(error).code
}

/// The reason for a TLS failure in words, OpenSSL's and Node's where they have any, since people
/// search for those. Names no host.
#[must_use]
pub fn reason(error: &Error) -> &'static str {
    verdict(error).words
}

/// Whether `error`, of a handshake, is the want of a version, suite, group or kind of key that both
/// have, so that another client may have one. That a server is not trusted never is.
pub(in crate::http) fn is_of_dialect(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    match error {
        Some(Error::PeerIncompatible(_)) => true,
        Some(Error::AlertReceived(alert)) => matches!(
            alert,
            AlertDescription::HandshakeFailure
                | AlertDescription::ProtocolVersion
                | AlertDescription::InsufficientSecurity
        ),
        Some(Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))) => {
            cause.downcast_ref() == Some(&UNSUPPORTED_SIGNATURE)
        }
        _ => false,
    }
}

/// OpenSSL's words for Node's `code`, where this package has them.
pub(in crate::http) fn of_node(code: &str) -> Option<(&'static str, &'static str)> {
    let found = OF_CERTIFICATES.iter().find(|verdict| verdict.code == code);
    found.map(|verdict| (verdict.words, verdict.code)).or_else(|| alerts::words(code))
}

/// What is said against a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    code: &'static str,
    words: &'static str,
}

impl Verdict {
    const fn new(code: &'static str, words: &'static str) -> Self {
        Self { code, words }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words)
    }
}

impl std::error::Error for Verdict {}

impl From<Verdict> for Error {
    fn from(verdict: Verdict) -> Self {
        CertificateError::Other(OtherError(Arc::new(verdict))).into()
    }
}

fn verdict(error: &Error) -> Verdict {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            cause.downcast_ref().copied().unwrap_or(MALFORMED)
        }
        Error::InvalidCertificate(_) => MALFORMED,
        Error::NoCertificatesPresented => Verdict::new("EPROTO", "the peer shows no certificate"),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => Verdict::new("ERR_SSL_WRONG_VERSION_NUMBER", "wrong version number"),
        Error::InvalidMessage(_) => {
            Verdict::new("EPROTO", "a message of the peer's cannot be read")
        }
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            Verdict::new("ERR_SSL_UNEXPECTED_MESSAGE", "unexpected message")
        }
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => Verdict::new("ERR_SSL_UNSUPPORTED_PROTOCOL", "unsupported protocol"),
        Error::PeerIncompatible(_) => {
            Verdict::new("EPROTO", "the peer asks for what is not supported")
        }
        Error::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedCipherSuite) => {
            Verdict::new("ERR_SSL_WRONG_CIPHER_RETURNED", "wrong cipher returned")
        }
        Error::PeerMisbehaved(_) => Verdict::new("EPROTO", "the peer breaks the protocol"),
        Error::AlertReceived(alert) => match alerts::node(*alert) {
            Some((code, words)) => Verdict::new(code, words),
            None => Verdict::new("EPROTO", "an unknown alert of the peer's"),
        },
        Error::DecryptError => {
            Verdict::new("EPROTO", "a message of the peer's cannot be decrypted")
        }
        Error::PeerSentOversizedRecord => {
            Verdict::new("EPROTO", "a record of the peer's is too long")
        }
        _ => Verdict::new("EPROTO", "the handshake failed"),
    }
}

pub(super) const EXPIRED: Verdict = Verdict::new("CERT_HAS_EXPIRED", "certificate has expired");
pub(super) const NOT_YET_VALID: Verdict =
    Verdict::new("CERT_NOT_YET_VALID", "certificate is not yet valid");
pub(super) const OTHER_NAME: Verdict = Verdict::new(
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "Hostname/IP does not match certificate's altnames",
);
pub(super) const NO_ALT_NAME: Verdict = Verdict::new(
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "the certificate has no subjectAltName, and its common name is not read",
);
pub(super) const SELF_SIGNED: Verdict =
    Verdict::new("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate");
pub(super) const SELF_SIGNED_IN_CHAIN: Verdict =
    Verdict::new("SELF_SIGNED_CERT_IN_CHAIN", "self-signed certificate in certificate chain");
pub(super) const NO_ISSUER: Verdict =
    Verdict::new("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "unable to get local issuer certificate");
pub(super) const UNVERIFIED_LEAF: Verdict =
    Verdict::new("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "unable to verify the first certificate");
pub(super) const BAD_SIGNATURE: Verdict =
    Verdict::new("CERT_SIGNATURE_FAILURE", "certificate signature failure");
pub(super) const NOT_ITS_KEY: Verdict = Verdict::new("ERR_SSL_BAD_SIGNATURE", "bad signature");
pub(super) const INVALID_CA: Verdict = Verdict::new("INVALID_CA", "invalid CA certificate");
pub(super) const INVALID_PURPOSE: Verdict =
    Verdict::new("INVALID_PURPOSE", "unsuitable certificate purpose");
pub(super) const PATH_TOO_LONG: Verdict =
    Verdict::new("PATH_LENGTH_EXCEEDED", "path length constraint exceeded");
pub(super) const CHAIN_TOO_LONG: Verdict =
    Verdict::new("CERT_CHAIN_TOO_LONG", "certificate chain too long");

/// Those whose codes are Node's.
const OF_CERTIFICATES: [Verdict; 23] = [
    EXPIRED,
    NOT_YET_VALID,
    OTHER_NAME,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
    NO_ISSUER,
    UNVERIFIED_LEAF,
    BAD_SIGNATURE,
    NOT_ITS_KEY,
    INVALID_CA,
    INVALID_PURPOSE,
    PATH_TOO_LONG,
    CHAIN_TOO_LONG,
    Verdict::new("ERR_SSL_WRONG_VERSION_NUMBER", "wrong version number"),
    Verdict::new("ERR_SSL_UNEXPECTED_MESSAGE", "unexpected message"),
    Verdict::new("ERR_SSL_UNSUPPORTED_PROTOCOL", "unsupported protocol"),
    Verdict::new("ERR_SSL_WRONG_CIPHER_RETURNED", "wrong cipher returned"),
    Verdict::new("UNABLE_TO_GET_ISSUER_CERT", "unable to get issuer certificate"),
    Verdict::new("CERT_REVOKED", "certificate revoked"),
    Verdict::new("CERT_UNTRUSTED", "certificate not trusted"),
    Verdict::new("ERROR_IN_CERT_NOT_BEFORE_FIELD", "format error in certificate's notBefore field"),
    Verdict::new("ERROR_IN_CERT_NOT_AFTER_FIELD", "format error in certificate's notAfter field"),
    Verdict::new("UNSPECIFIED", "the certificate is not accepted"),
];

/// Node's code for it says no more, either.
pub(super) const MALFORMED: Verdict =
    Verdict::new("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "the certificate cannot be read");

// Node has no names for these.
pub(super) const UNSUPPORTED_SIGNATURE: Verdict = Verdict::new(
    "UNSPECIFIED",
    "signed with a key or a digest of a kind that is not supported, or with RSA below 2048 bits",
);
pub(super) const TOO_MANY: Verdict =
    Verdict::new("UNSPECIFIED", "too many certificates may have issued it");
pub(super) const NO_CERT_SIGN: Verdict =
    Verdict::new("UNSPECIFIED", "key usage does not include certificate signing");
pub(super) const UNHANDLED_EXTENSION: Verdict =
    Verdict::new("UNSPECIFIED", "unhandled critical extension");
pub(super) const PERMITTED_VIOLATION: Verdict =
    Verdict::new("UNSPECIFIED", "permitted subtree violation");
pub(super) const EXCLUDED_VIOLATION: Verdict =
    Verdict::new("UNSPECIFIED", "excluded subtree violation");
pub(super) const SUBTREE_MINMAX: Verdict =
    Verdict::new("UNSPECIFIED", "name constraints minimum and maximum not supported");
pub(super) const TOO_MANY_NAMES: Verdict =
    Verdict::new("UNSPECIFIED", "too many names and name constraints");
pub(super) const UNSUPPORTED_CONSTRAINT_TYPE: Verdict =
    Verdict::new("UNSPECIFIED", "unsupported name constraint type");
pub(super) const UNSUPPORTED_CONSTRAINT_SYNTAX: Verdict =
    Verdict::new("UNSPECIFIED", "unsupported or invalid name constraint syntax");
pub(super) const UNSUPPORTED_NAME_SYNTAX: Verdict =
    Verdict::new("UNSPECIFIED", "unsupported or invalid name syntax");

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;

    use super::*;

    #[test]
    fn every_failure_is_said_in_words() {
        let failures = [
            CertificateError::BadEncoding.into(),
            Error::DecryptError,
            Error::NoCertificatesPresented,
            InvalidMessage::MissingData("x").into(),
            PeerIncompatible::NoKxGroupsInCommon.into(),
            PeerMisbehaved::InvalidKeyShare.into(),
            Error::AlertReceived(AlertDescription::Unknown(99)),
            Error::General("x".to_owned()),
            Error::PeerSentOversizedRecord,
        ];
        for failure in failures {
            let words = reason(&failure);
            // No name of a Rust type, as `Debug` would give it.
            assert!(!words.contains(|it: char| it.is_ascii_uppercase()), "{words}");
        }
        let unread: Error = CertificateError::BadEncoding.into();
        assert_eq!(node_code(&unread), "UNABLE_TO_VERIFY_LEAF_SIGNATURE");
        assert_eq!(node_code(&Error::DecryptError), "EPROTO");
    }
}
