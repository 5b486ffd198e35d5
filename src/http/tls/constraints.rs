//! What a CA may vouch for, where its certificate says (RFC 5280 §4.2.1.10), as OpenSSL reads it.

use super::{
    certificate::{Certificate, DIRECTORY_NAME, NameConstraints, directory_name},
    der::{Reader, Value, field},
    name,
    verdict::{self, Verdict},
};

/// Refuses `certificate` where a name in it is none that `constraints` allow.
pub(super) fn check(
    certificate: &Certificate<'_>,
    constraints: &NameConstraints<'_>,
) -> Result<(), Verdict> {
    if !certificate.subject.is_empty() {
        let subject = Subject::Directory(&certificate.subject);
        check_name(&subject, constraints)?;
    }
    let addresses = name::mail_addresses(certificate.subject_der);
    for address in addresses.ok_or(verdict::UNSUPPORTED_NAME_SYNTAX)? {
        check_name(&Subject::Text(MAIL, address), constraints)?;
    }
    for value in certificate.extensions.subject_alt_name.iter().flatten() {
        let directory;
        let name = if value.tag == DIRECTORY_NAME {
            directory = directory_name(*value).ok_or(verdict::UNSUPPORTED_NAME_SYNTAX)?;
            Subject::Directory(&directory)
        } else {
            Subject::Text(value.tag, value.content)
        };
        check_name(&name, constraints)?;
    }
    Ok(())
}

/// One name of a certificate.
enum Subject<'a> {
    Directory(&'a name::Name),
    /// With the tag of its kind.
    Text(u8, &'a [u8]),
}

/// Names of a kind that no subtree is of are free.
fn check_name(name: &Subject<'_>, constraints: &NameConstraints<'_>) -> Result<(), Verdict> {
    let mut outside = None;
    for base in subtrees(&constraints.permitted, name) {
        let inside = contains(base?, name)?;
        outside = Some(outside.unwrap_or(true) && !inside);
    }
    if outside == Some(true) {
        return Err(verdict::PERMITTED_VIOLATION);
    }
    for base in subtrees(&constraints.excluded, name) {
        if contains(base?, name)? {
            return Err(verdict::EXCLUDED_VIOLATION);
        }
    }
    Ok(())
}

/// The bases among `subtrees` that are of the kind of `name`.
fn subtrees<'a>(
    subtrees: &[Value<'a>],
    name: &Subject<'_>,
) -> impl Iterator<Item = Result<Value<'a>, Verdict>> {
    let kind = match name {
        Subject::Directory(_) => DIRECTORY_NAME,
        Subject::Text(kind, _) => *kind,
    };
    subtrees.iter().filter_map(move |subtree| {
        let mut fields = Reader::new(subtree.content);
        let Some(base) = fields.any() else {
            return Some(Err(verdict::UNSUPPORTED_CONSTRAINT_SYNTAX));
        };
        if base.tag != kind {
            return None;
        }
        // How far below the base a name may be: nobody writes that.
        Some(if fields.is_empty() { Ok(base) } else { Err(verdict::SUBTREE_MINMAX) })
    })
}

fn contains(base: Value<'_>, name: &Subject<'_>) -> Result<bool, Verdict> {
    let text = match name {
        Subject::Directory(name) => {
            let base = directory_name(base).ok_or(verdict::UNSUPPORTED_CONSTRAINT_SYNTAX)?;
            return Ok(name.is_below(&base));
        }
        Subject::Text(_, text) => *text,
    };
    match base.tag {
        HOST => Ok(host_is_below(text, base.content)),
        MAIL => mail_is_below(text, base.content),
        ADDRESS => Ok(address_is_in(text, base.content)),
        URI => uri_is_below(text, base.content),
        _ => Err(verdict::UNSUPPORTED_CONSTRAINT_TYPE),
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
    let start = uri.windows(3).position(|it| it == b"://");
    let host = &uri[start.ok_or(verdict::UNSUPPORTED_NAME_SYNTAX)? + 3..];
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
fn address_is_in(address: &[u8], base: &[u8]) -> bool {
    if base.len() != 2 * address.len() {
        return false;
    }
    let (network, mask) = base.split_at(address.len());
    address.iter().zip(network).zip(mask).all(|((one, other), mask)| (one ^ other) & mask == 0)
}

const MAIL: u8 = field(1);
/// `dNSName` among `GeneralNames`.
pub(super) const HOST: u8 = field(2);
const URI: u8 = field(6);
/// `iPAddress` among `GeneralNames`.
pub(super) const ADDRESS: u8 = field(7);
