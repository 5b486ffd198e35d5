//! Certificates with whatever in them, for tests.

use std::time::Duration;

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use rustls::{
    Error,
    client::danger::ServerCertVerifier as _,
    crypto::{CryptoProvider, aws_lc_rs::default_provider},
    pki_types::{CertificateDer, UnixTime},
};

use super::{
    der::{
        BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, SEQUENCE, SET, UTC_TIME, UTF8_STRING,
        fields,
    },
    general_name::HOST,
    host,
    trust::Trust,
    verifier::Verifier,
};

/// One value of DER, of parts that are.
pub(super) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let bytes = content.len().to_be_bytes();
    let bytes = &bytes[bytes.iter().take_while(|it| **it == 0).count()..];
    let length = match u8::try_from(content.len()) {
        Ok(length @ 0..=0x7f) => vec![length],
        _ => [&[0x80 | u8::try_from(bytes.len()).unwrap()], bytes].concat(),
    };
    [&[tag][..], &length, &content].concat()
}

pub(super) struct Key(EcdsaKeyPair);

impl Key {
    pub fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn info(&self) -> Vec<u8> {
        let curve = b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
        let point = tlv(BIT_STRING, &[&[0], self.0.public_key().as_ref()]);
        tlv(SEQUENCE, &[&tlv(SEQUENCE, &[curve]), &point])
    }

    /// Signs what stands in a certificate, whatever that is.
    pub fn sign(&self, content: &[u8]) -> Vec<u8> {
        let signature = self.0.sign(&SystemRandom::new(), content).unwrap();
        tlv(SEQUENCE, &[content, ECDSA_SHA256, &tlv(BIT_STRING, &[&[0], signature.as_ref()])])
    }
}

/// What a certificate says, each part as it stands there.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub version: Vec<u8>,
    pub issuer: Vec<u8>,
    pub valid: Vec<u8>,
    pub subject: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
}

impl Draft {
    pub fn new(subject: &str, issuer: &str, extensions: &[Vec<u8>]) -> Self {
        let (from, to) = (&tlv(UTC_TIME, &[b"200101000000Z"]), &tlv(UTC_TIME, &[FOREVER]));
        Self {
            version: tlv(fields(0), &[&[INTEGER, 1, 2]]),
            issuer: name(issuer),
            valid: tlv(SEQUENCE, &[from, to]),
            subject: name(subject),
            extensions: extensions.to_vec(),
        }
    }

    /// What an issuer signs, for the holder of `key`.
    pub fn content(&self, key: &Key) -> Vec<u8> {
        let (serial, key) = (&[INTEGER, 1, 1], &key.info());
        let list = tlv(fields(3), &[&tlv(SEQUENCE, &[&self.extensions.concat()])]);
        let list = if self.extensions.is_empty() { &[][..] } else { &list };
        let Self { version, issuer, valid, subject, .. } = self;
        tlv(SEQUENCE, &[version, serial, ECDSA_SHA256, issuer, valid, subject, key, list])
    }
}

/// A `Name` of one common name; an empty one of none.
pub(super) fn name(common_name: &str) -> Vec<u8> {
    if common_name.is_empty() {
        return tlv(SEQUENCE, &[]);
    }
    let value = tlv(UTF8_STRING, &[common_name.as_bytes()]);
    tlv(SEQUENCE, &[&tlv(SET, &[&tlv(SEQUENCE, &[&[OID, 3, 0x55, 4, 3], &value])])])
}

/// An extension of RFC 5280 §4.2.1, by the last number of its identifier.
pub(super) fn extension(kind: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { &[BOOLEAN, 1, 0xff][..] } else { &[] };
    tlv(SEQUENCE, &[&[OID, 3, 0x55, 0x1d, kind], critical, &tlv(OCTET_STRING, &[value])])
}

pub(super) fn alt_names(names: &[Vec<u8>]) -> Vec<u8> {
    extension(17, false, &tlv(SEQUENCE, &[&names.concat()]))
}

pub(super) fn host_name(host: &str) -> Vec<u8> {
    tlv(HOST, &[host.as_bytes()])
}

pub(super) fn constraints(permitted: &[Vec<u8>], excluded: &[Vec<u8>]) -> Vec<u8> {
    let subtrees = |number, bases: &[Vec<u8>]| {
        let bases: Vec<_> = bases.iter().map(|base| tlv(SEQUENCE, &[base])).collect();
        if bases.is_empty() { Vec::new() } else { tlv(fields(number), &[&bases.concat()]) }
    };
    extension(30, true, &tlv(SEQUENCE, &[&subtrees(0, permitted), &subtrees(1, excluded)]))
}

pub(super) fn authority() -> Vec<u8> {
    extension(19, true, &tlv(SEQUENCE, &[&[BOOLEAN, 1, 0xff]]))
}

pub(super) fn provider() -> CryptoProvider {
    default_provider()
}

/// What is said of a server that is called `host` and shows `chain`, where `roots` are trusted.
pub(super) fn verify(roots: &[Vec<u8>], chain: &[Vec<u8>], host: &str) -> Result<(), Error> {
    let mut trust = Trust::default();
    for root in roots {
        trust.add(root);
    }
    let algorithms = provider().signature_verification_algorithms;
    let verifier = Verifier { trust: Some(trust.into()), algorithms };
    let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let (host, _) = host::server_name(host).unwrap();
    let now = UnixTime::since_unix_epoch(NOW);
    verifier.verify_server_cert(&chain[0], &chain[1..], &host, &[], now).map(|_| ())
}

const ECDSA_SHA256: &[u8] = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
/// 14 January 2027.
pub(super) const NOW: Duration = Duration::from_hours(500_000);
const FOREVER: &[u8] = b"491231235959Z";
