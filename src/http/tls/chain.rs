//! The way from a server's certificate to one that is trusted, sought and judged as OpenSSL does
//! (RFC 5280 §6, `x509_vfy.c`), so that what Node's `fetch` takes is taken and what it refuses has
//! its code.
//!
//! Not webpki's: that takes six certificates between at most and 100 signatures, compares names by
//! their bytes, knows no keyUsage of a root, and no URI or mail address in name constraints.

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};

use super::{
    certificate::{BasicConstraints, Certificate, SERVER_AUTH},
    constraints,
    trust::Trust,
    verdict::{self, Verdict},
};

/// Refuses a server's certificate that is neither trusted itself nor issued by who is; the host in
/// it is not looked at.
pub(super) fn verify(
    trust: &Trust,
    end_entity: &CertificateDer<'_>,
    certificate: &Certificate<'_>,
    sent: &[CertificateDer<'_>],
    algorithms: &[&dyn SignatureVerificationAlgorithm],
    now: UnixTime,
) -> Result<(), Verdict> {
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if trust.lists(end_entity) {
        return judge(&[certificate], true, now, &mut 0, |_, _| Ok(()));
    }
    let sent: Vec<_> = sent.iter().filter_map(|der| Certificate::parse(der)).collect();
    let (signatures, comparisons) = (SIGNATURES, COMPARISONS);
    Search { trust, algorithms, now, sent: &sent, signatures, comparisons }.run(certificate)
}

/// What a server shows, for its way to be sought.
struct Search<'a> {
    trust: &'a Trust,
    algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
    /// Seconds since 1970.
    now: i64,
    /// What was sent beside the server's certificate, in any order.
    sent: &'a [Certificate<'a>],
    /// How many signatures may still be looked at.
    signatures: usize,
    /// How many names may still be compared with constraints, on all ways together: whoever has a
    /// server's certificate may show a hundred that lead to its root.
    comparisons: usize,
}

impl Search<'_> {
    /// Refuses the certificate that no way leads up from.
    fn run(mut self, end_entity: &Certificate<'_>) -> Result<(), Verdict> {
        if self.leads_up(&[end_entity]) { Ok(()) } else { Err(self.why_not(end_entity)) }
    }

    /// Whether a way that stands every test goes on from `chain`, of which each certificate is
    /// signed by the next. Whatever is tried costs a signature, so there is an end to it.
    fn leads_up(&mut self, chain: &[&Certificate<'_>]) -> bool {
        let Some(last) = chain.last() else {
            return false;
        };
        for root in self.trust.issuers(last, self.now) {
            if self.signed(last, &root) {
                let chain: Vec<_> = chain.iter().copied().chain([&root]).collect();
                if judge(&chain, true, self.now, &mut self.comparisons, |_, _| Ok(())).is_ok() {
                    return true;
                }
            }
        }
        for issuer in issuers(last, self.sent, self.now) {
            let known = chain.iter().any(|it| std::ptr::eq(*it, issuer));
            // No way through it holds, and whoever has its key may show any number of them.
            if !known && is_authority(issuer, false) && self.signed(last, issuer) {
                let chain: Vec<_> = chain.iter().copied().chain([issuer]).collect();
                if self.leads_up(&chain) {
                    return true;
                }
            }
        }
        false
    }

    fn signed(&mut self, certificate: &Certificate<'_>, issuer: &Certificate<'_>) -> bool {
        let Some(rest) = self.signatures.checked_sub(1) else {
            return false;
        };
        self.signatures = rest;
        certificate.check_signature(issuer, self.algorithms).is_ok()
    }

    /// What OpenSSL says: it goes one way only, which each time the most likely issuer shows.
    fn why_not(&self, end_entity: &Certificate<'_>) -> Verdict {
        let mut chain = vec![end_entity];
        let root = loop {
            if chain.len() > DEPTH {
                return verdict::CHAIN_TOO_LONG;
            }
            let Some(last) = chain.last().filter(|it| !it.is_self_signed()) else {
                break None;
            };
            if let Some(root) = self.trust.issuers(last, self.now).into_iter().next() {
                break Some(root);
            }
            let fresh = |it: &&Certificate<'_>| !chain.iter().any(|seen| std::ptr::eq(*seen, *it));
            match issuers(last, self.sent, self.now).into_iter().find(fresh) {
                Some(issuer) => chain.push(issuer),
                None => break None,
            }
        };
        let chain: Vec<_> = chain.into_iter().chain(&root).collect();
        let signature = |certificate: &Certificate<'_>, issuer: &Certificate<'_>| {
            certificate.check_signature(issuer, self.algorithms)
        };
        let mut comparisons = COMPARISONS;
        let judged = judge(&chain, root.is_some(), self.now, &mut comparisons, signature);
        judged.err().unwrap_or(verdict::TOO_MANY)
    }
}

/// Those of `among` that may have issued `certificate`; first those whose dates hold.
fn issuers<'a, 'b>(
    certificate: &Certificate<'_>,
    among: &'b [Certificate<'a>],
    now: i64,
) -> Vec<&'b Certificate<'a>> {
    let mut issuers: Vec<_> = among.iter().filter(|it| certificate.names_as_issuer(it)).collect();
    issuers.sort_by_key(|it| !it.is_valid_at(now));
    issuers
}

/// Judges a chain from a server's certificate up. Of several faults the last one is told, as Node
/// has OpenSSL go on after each.
fn judge(
    chain: &[&Certificate<'_>],
    trusted: bool,
    now: i64,
    comparisons: &mut usize,
    signature: impl Fn(&Certificate<'_>, &Certificate<'_>) -> Result<(), Verdict>,
) -> Result<(), Verdict> {
    let Some((last, below)) = chain.split_last() else {
        return Err(verdict::MALFORMED);
    };
    let mut verdict = Ok(());
    let mut refuse = |fault| verdict = Err(fault);
    if !trusted {
        refuse(match (last.is_self_signed(), below.len()) {
            (true, 0) => verdict::SELF_SIGNED,
            (true, _) => verdict::SELF_SIGNED_IN_CHAIN,
            (false, _) => verdict::NO_ISSUER,
        });
    }

    // `check_extensions`
    let mut cas = 0;
    for (depth, certificate) in chain.iter().enumerate() {
        let extensions = &certificate.extensions;
        if extensions.unknown_critical {
            refuse(verdict::UNHANDLED_EXTENSION);
        }
        if depth > 0 && !is_authority(certificate, depth + 1 == chain.len()) {
            refuse(verdict::INVALID_CA);
        }
        if !suits(certificate, depth > 0) {
            refuse(verdict::INVALID_PURPOSE);
        }
        let limit = extensions.basic_constraints.and_then(|it| it.path_length);
        if depth > 1 && limit.is_some_and(|limit| cas > limit) {
            refuse(verdict::PATH_TOO_LONG);
        }
        if depth > 0 && !certificate.is_self_issued() {
            cas += 1;
        }
    }

    // `internal_verify`
    if !trusted && below.is_empty() && !last.is_self_signed() {
        refuse(verdict::UNVERIFIED_LEAF);
    }
    for (depth, certificate) in chain.iter().enumerate().rev() {
        match chain.get(depth + 1) {
            Some(issuer) => {
                if !issuer.may(KEY_CERT_SIGN) {
                    refuse(verdict::NO_CERT_SIGN);
                }
                if let Err(fault) = signature(certificate, issuer) {
                    refuse(fault);
                }
            }
            // Nobody vouches for it, so its dates do not matter.
            None if !trusted && depth > 0 && !certificate.is_self_signed() => continue,
            None => {}
        }
        if now < certificate.valid.0 {
            refuse(verdict::NOT_YET_VALID.at(certificate.valid.0, depth > 0));
        }
        if certificate.valid.1 <= now {
            refuse(verdict::EXPIRED.at(certificate.valid.1, depth > 0));
        }
    }

    // `check_name_constraints`
    for (depth, certificate) in chain.iter().enumerate().rev() {
        if depth > 0 && certificate.is_self_issued() {
            continue;
        }
        for above in &chain[depth + 1..] {
            if let Some(constraints) = &above.extensions.name_constraints
                && let Err(fault) = constraints::check(certificate, constraints, comparisons)
            {
                refuse(fault);
            }
        }
    }
    verdict
}

/// `check_ca`: by its basicConstraints, and where it has none only the last of a chain.
fn is_authority(certificate: &Certificate<'_>, last: bool) -> bool {
    let extensions = &certificate.extensions;
    certificate.may(KEY_CERT_SIGN)
        && match extensions.basic_constraints {
            Some(BasicConstraints { ca, .. }) => ca,
            // Those from before there were any.
            None if certificate.version_1 => last && certificate.is_self_signed(),
            None if extensions.key_usage.is_some() => last,
            None => last && extensions.cert_type.is_some_and(|it| it & SSL_CA != 0),
        }
}

/// `check_purpose_ssl_server`: whether it may vouch for a server, or be one's.
fn suits(certificate: &Certificate<'_>, issuer: bool) -> bool {
    let extensions = &certificate.extensions;
    let for_servers = extensions
        .extended_key_usage
        .as_ref()
        .is_none_or(|usages| usages.iter().any(|it| *it == SERVER_AUTH || GATED.contains(it)));
    for_servers
        && if issuer {
            is_authority(certificate, true)
        } else {
            extensions.cert_type.is_none_or(|it| it & SSL_SERVER != 0)
                && certificate.may(DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | KEY_AGREEMENT)
        }
}

/// OpenSSL's.
const DEPTH: usize = 100;
/// OpenSSL's `NAME_CHECK_MAX`, there for two certificates, here for all.
const COMPARISONS: usize = 1 << 20;
/// How many signatures are verified for one server at most, whatever it sends: some hundredths of a
/// second, with P-521, which costs most, a third of one. A chain of ten certificates needs nine, and
/// CAs of one name without key identifiers need one each.
const SIGNATURES: usize = 256;

const DIGITAL_SIGNATURE: u8 = 0x80;
const KEY_ENCIPHERMENT: u8 = 0x20;
const KEY_AGREEMENT: u8 = 0x08;
const KEY_CERT_SIGN: u8 = 0x04;
/// Of Netscape's certificate types.
const SSL_SERVER: u8 = 0x40;
const SSL_CA: u8 = 0x04;
/// Microsoft's and Netscape's Server Gated Cryptography.
const GATED: [&[u8]; 2] =
    [b"\x2b\x06\x01\x04\x01\x82\x37\x0a\x03\x03", b"\x60\x86\x48\x01\x86\xf8\x42\x04\x01"];
