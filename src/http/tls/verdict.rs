//! What is said against a peer: Node's name for it, and the reason in words.

use std::{fmt, io, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, Error, InvalidMessage, OtherError, PeerIncompatible,
    PeerMisbehaved,
};

use super::alerts;
use crate::now::Utc;

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
        Some(error) => refusal(error).is_some_and(|it| it.verdict == UNSUPPORTED_SIGNATURE),
        None => false,
    }
}

/// Whether `error`, of a handshake, is only that folders of trusted certificates were not read yet.
pub(in crate::http) fn is_for_want_of_folders(error: &io::Error) -> bool {
    let error = error.get_ref().and_then(|error| error.downcast_ref::<Error>());
    matches!(error, Some(Error::InvalidCertificate(CertificateError::Other(OtherError(cause))))
        if cause.is::<FoldersUnread>())
}

/// What ends a handshake that is to be made again once folders are read, and no verdict yet.
pub(super) fn wants_folders() -> Error {
    CertificateError::Other(OtherError(Arc::new(FoldersUnread))).into()
}

#[derive(Debug)]
struct FoldersUnread;

impl fmt::Display for FoldersUnread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no file vouches for it, and folders are still to be read")
    }
}

impl std::error::Error for FoldersUnread {}

/// OpenSSL's words for Node's `code`, where this package has them.
pub(in crate::http) fn of_node(code: &str) -> Option<(&'static str, &'static str)> {
    let found = OF_CERTIFICATES.iter().find(|verdict| verdict.code == code);
    found.map(|verdict| (verdict.words, verdict.code)).or_else(|| alerts::words(code))
}

/// What whoever runs the service wants to know besides: a fact of the certificate, or what to do.
/// For the cause alone, since it may be in the peer's words.
#[must_use]
pub fn detail(error: &Error) -> Option<&str> {
    refusal(error)?.detail.as_deref()
}

/// What is said against a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    code: &'static str,
    words: &'static str,
    more: More,
}

/// What goes with a verdict that concerns a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum More {
    Nothing,
    /// The authority is unknown: how to name it.
    Authority,
    /// The first second of a certificate whose time is to come, or the last of one whose time is over.
    Time {
        limit: i64,
        is_authoritys: bool,
    },
}

impl Verdict {
    const fn new(code: &'static str, words: &'static str) -> Self {
        Self { code, words, more: More::Nothing }
    }

    /// One that the authority's certificate would mend.
    const fn of_an_unknown_authority(code: &'static str, words: &'static str) -> Self {
        Self { more: More::Authority, ..Self::new(code, words) }
    }

    /// The same with the certificate's second that the clock is before, or behind.
    pub const fn at(self, limit: i64, is_authoritys: bool) -> Self {
        Self { more: More::Time { limit, is_authoritys }, ..self }
    }

    /// The same with `detail`.
    pub fn because(self, detail: String) -> Refusal {
        Refusal { verdict: self, detail: Some(detail) }
    }
}

/// A verdict, and what else the seller wants to know.
#[derive(Debug)]
pub(super) struct Refusal {
    verdict: Verdict,
    detail: Option<String>,
}

impl From<Verdict> for Refusal {
    fn from(verdict: Verdict) -> Self {
        let detail = match verdict.more {
            More::Nothing => None,
            More::Authority => Some(NAME_IT.to_owned()),
            More::Time { limit, is_authoritys } => {
                let whose = if is_authoritys { "an authority's" } else { "the server's" };
                let is_over = verdict.code == EXPIRED.code;
                let way = if is_over { "was valid until" } else { "is valid from" };
                Some(format!("{whose} {way} {}", Utc(limit)))
            }
        };
        Self { verdict, detail }
    }
}

/// In the words of the verdict.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verdict.words)
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

impl From<Verdict> for Error {
    fn from(verdict: Verdict) -> Self {
        Refusal::from(verdict).into()
    }
}

fn refusal(error: &Error) -> Option<&Refusal> {
    match error {
        Error::InvalidCertificate(CertificateError::Other(OtherError(cause))) => {
            cause.downcast_ref()
        }
        _ => None,
    }
}

fn verdict(error: &Error) -> Verdict {
    match error {
        Error::InvalidCertificate(_) => refusal(error).map_or(MALFORMED, |it| it.verdict),
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
    Verdict::of_an_unknown_authority("DEPTH_ZERO_SELF_SIGNED_CERT", "self-signed certificate");
pub(super) const SELF_SIGNED_IN_CHAIN: Verdict = Verdict::of_an_unknown_authority(
    "SELF_SIGNED_CERT_IN_CHAIN",
    "self-signed certificate in certificate chain",
);
pub(super) const NO_ISSUER: Verdict = Verdict::of_an_unknown_authority(
    "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
    "unable to get local issuer certificate",
);
pub(super) const UNVERIFIED_LEAF: Verdict = Verdict::of_an_unknown_authority(
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "unable to verify the first certificate",
);
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

const NAME_IT: &str = "NODE_EXTRA_CA_CERTS can name a PEM file with its authority's certificate";

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;

    use super::*;

    #[test]
    fn what_goes_with_a_verdict_is_a_detail_and_none_of_its_words() {
        for (verdict, detail) in [
            (EXPIRED.at(0, false), Some("the server's was valid until 1970-01-01T00:00:00Z")),
            (
                NOT_YET_VALID.at(86_400, true),
                Some("an authority's is valid from 1970-01-02T00:00:00Z"),
            ),
            (SELF_SIGNED, Some(NAME_IT)),
            (SELF_SIGNED_IN_CHAIN, Some(NAME_IT)),
            (NO_ISSUER, Some(NAME_IT)),
            (UNVERIFIED_LEAF, Some(NAME_IT)),
            (MALFORMED, None),
        ] {
            let error = Error::from(verdict);
            assert_eq!(super::detail(&error), detail);
            assert_eq!(reason(&error), verdict.words);
        }
        assert_eq!(super::detail(&Error::DecryptError), None);
    }

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
