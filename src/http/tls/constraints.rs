//! What a CA may vouch for, where its certificate says (RFC 5280 §4.2.1.10), as OpenSSL reads it.

use super::{
    certificate::{Certificate, NameConstraints, Subtree},
    general_name::{ADDRESS, GeneralName, HOST, MAIL, URI},
    host, name,
    verdict::{self, Verdict},
};

/// Refuses `certificate` where a name in it is none that `constraints` allow. Each name costs one
/// of `comparisons` for each subtree, since a server may show thousands of both.
pub(super) fn check(
    certificate: &Certificate<'_>,
    constraints: &NameConstraints<'_>,
    comparisons: &mut usize,
) -> Result<(), Verdict> {
    let subject = GeneralName::Directory(certificate.subject.clone());
    let subject = Some(subject).filter(|_| !certificate.subject.is_empty());
    let addresses = name::mail_addresses(certificate.subject_der);
    let addresses = addresses.ok_or(verdict::UNSUPPORTED_NAME_SYNTAX)?;
    let addresses: Vec<_> = addresses.iter().map(|it| GeneralName::Other(MAIL, it)).collect();
    let names = certificate.extensions.subject_alt_name.iter().flatten();
    let subtrees = constraints.permitted.len() + constraints.excluded.len();
    for name in subject.iter().chain(&addresses).chain(names) {
        *comparisons = comparisons.checked_sub(subtrees).ok_or(verdict::TOO_MANY_NAMES)?;
        check_name(name, constraints)?;
    }
    Ok(())
}

/// Names of a kind that no subtree is of are free.
fn check_name(name: &GeneralName<'_>, constraints: &NameConstraints<'_>) -> Result<(), Verdict> {
    let mut outside = None;
    for base in bases(&constraints.permitted, name) {
        let inside = contains(base?, name)?;
        outside = Some(outside.unwrap_or(true) && !inside);
    }
    if outside == Some(true) {
        return Err(verdict::PERMITTED_VIOLATION);
    }
    for base in bases(&constraints.excluded, name) {
        let base = base?;
        if contains(base, name)? || stands_for(name, base) {
            return Err(verdict::EXCLUDED_VIOLATION);
        }
    }
    Ok(())
}

/// The bases among `subtrees` that are of the kind of `name`.
fn bases<'a>(
    subtrees: &'a [Subtree<'a>],
    name: &GeneralName<'_>,
) -> impl Iterator<Item = Result<&'a GeneralName<'a>, Verdict>> {
    let kind = name.kind();
    subtrees
        .iter()
        .filter(move |subtree| subtree.base.kind() == kind)
        .map(|it| if it.is_bounded { Err(verdict::SUBTREE_MINMAX) } else { Ok(&it.base) })
}

fn contains(base: &GeneralName<'_>, name: &GeneralName<'_>) -> Result<bool, Verdict> {
    match (base, name) {
        (GeneralName::Directory(base), GeneralName::Directory(name)) => Ok(name.is_below(base)),
        (&GeneralName::Other(kind, base), &GeneralName::Other(_, name)) => match kind {
            HOST => Ok(host_is_below(host::without_end(name), host::without_end(base))),
            MAIL => mail_is_below(name, base),
            ADDRESS => address_is_in(name, base),
            URI => uri_is_below(name, base),
            _ => Err(verdict::UNSUPPORTED_CONSTRAINT_TYPE),
        },
        _ => Ok(false),
    }
}

/// Whether `name` is a wildcard for `base` among others. OpenSSL passes over these, others do not
/// (CVE-2025-61727).
fn stands_for(name: &GeneralName<'_>, base: &GeneralName<'_>) -> bool {
    match (name, base) {
        (GeneralName::Other(HOST, name), GeneralName::Other(_, base)) => host::matches(base, name),
        _ => false,
    }
}

fn host_is_below(host: &[u8], base: &[u8]) -> bool {
    let Some(above) = host.len().checked_sub(base.len()) else {
        return false;
    };
    let (above, end) = host.split_at(above);
    end.eq_ignore_ascii_case(base)
        && (base.is_empty() || above.is_empty() || base[0] == b'.' || above.ends_with(b"."))
}

/// An address is below its host, whatever its user; below another address only if it is that.
fn mail_is_below(address: &[u8], base: &[u8]) -> Result<bool, Verdict> {
    let at = |text: &[u8]| text.iter().rposition(|&byte| byte == b'@');
    let (user, host) = address.split_at(at(address).ok_or(verdict::UNSUPPORTED_NAME_SYNTAX)?);
    let host = &host[1..];
    if base.starts_with(b".") {
        return Ok(host.len() > base.len() && host_is_below(host, base));
    }
    let base_host = match at(base) {
        Some(0) => &base[1..],
        Some(at) if base[..at] != *user => return Ok(false),
        Some(at) => &base[at + 1..],
        None => base,
    };
    Ok(host.eq_ignore_ascii_case(base_host))
}

fn uri_is_below(uri: &[u8], base: &[u8]) -> Result<bool, Verdict> {
    let start = uri.iter().position(|&byte| byte == b':');
    let host = start.and_then(|start| uri[start..].strip_prefix(b"://"));
    let host = host.ok_or(verdict::UNSUPPORTED_NAME_SYNTAX)?;
    let end = host.iter().position(|byte| matches!(byte, b':' | b'/')).unwrap_or(host.len());
    let host = &host[..end];
    if host.is_empty() {
        return Err(verdict::UNSUPPORTED_NAME_SYNTAX);
    }
    if base.starts_with(b".") {
        return Ok(host.len() > base.len() && host_is_below(host, base));
    }
    Ok(host.eq_ignore_ascii_case(base))
}

/// A base is an address and a mask, one after the other.
fn address_is_in(address: &[u8], base: &[u8]) -> Result<bool, Verdict> {
    if ![4, 16].contains(&address.len()) {
        return Err(verdict::UNSUPPORTED_NAME_SYNTAX);
    }
    if ![8, 32].contains(&base.len()) {
        return Err(verdict::UNSUPPORTED_CONSTRAINT_SYNTAX);
    }
    let (network, mask) = base.split_at(base.len() / 2);
    let mut bytes = address.iter().zip(network).zip(mask);
    Ok(network.len() == address.len()
        && bytes.all(|((one, other), mask)| (one ^ other) & mask == 0))
}
