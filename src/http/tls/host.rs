//! Whose certificate it is, by Node's rules (`tls.checkServerIdentity`, RFC 6125), and how rustls
//! is told of a host.

use std::net::IpAddr;

use rustls::pki_types::{DnsName, ServerName};

use super::{
    certificate::Certificate,
    general_name::{ADDRESS, GeneralName, HOST},
    verdict::{self, Refusal},
};

/// A host as rustls takes it, and whether a server may be told (SNI).
///
/// Node takes labels that begin or end in `-`, rustls does not. Such a host goes by an alias that
/// nobody can have, and the server is not told.
pub(super) fn server_name(host: &str) -> Option<(ServerName<'static>, bool)> {
    // An IPv6 address stands in brackets.
    let host = host.strip_prefix('[').and_then(|it| it.strip_suffix(']')).unwrap_or(host);
    // One that is called like an alias would pass for the host behind it.
    if !host.ends_with(ALIAS)
        && let Ok(name) = ServerName::try_from(host.to_owned())
    {
        return Some((name, true));
    }
    let hex: Vec<_> = host.bytes().map(|byte| format!("{byte:02x}")).collect();
    // A label has 63 characters at most.
    let labels: Vec<_> = hex.chunks(31).map(<[_]>::concat).collect();
    let alias = labels.join(".") + ALIAS;
    Some((ServerName::try_from(alias).ok()?, false))
}

/// The host behind a name of [`server_name`].
fn host_of(name: &DnsName<'_>) -> String {
    let decoded = name.as_ref().strip_suffix(ALIAS).and_then(|alias| {
        let hex = alias.replace('.', "");
        let byte = |at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
        String::from_utf8((0..hex.len()).step_by(2).map(byte).collect::<Option<_>>()?).ok()
    });
    decoded.unwrap_or_else(|| name.as_ref().to_owned())
}

/// Refuses a certificate that is another host's.
pub(super) fn check(certificate: &Certificate<'_>, name: &ServerName<'_>) -> Result<(), Refusal> {
    let Some(names) = &certificate.extensions.subject_alt_name else {
        return Err(verdict::NO_ALT_NAME.into());
    };
    let of = |kind| {
        names.iter().filter_map(move |name| match name {
            GeneralName::Other(it, name) if *it == kind => Some(*name),
            _ => None,
        })
    };
    let is_its_own = match name {
        ServerName::DnsName(name) => {
            let host = host_of(name);
            of(HOST).any(|pattern| matches(host.as_bytes(), pattern))
        }
        ServerName::IpAddress(address) => match IpAddr::from(*address) {
            IpAddr::V4(address) => of(ADDRESS).any(|it| it == address.octets()),
            IpAddr::V6(address) => of(ADDRESS).any(|it| it == address.octets()),
        },
        _ => false,
    };
    if is_its_own { Ok(()) } else { Err(verdict::OTHER_NAME.because(said(names))) }
}

/// Whose the certificate is, for the seller's log: the first names alone, and nothing in them that a
/// log might read as its own.
fn said(names: &[GeneralName<'_>]) -> String {
    let shown: Vec<_> = names.iter().filter_map(shown).collect();
    let first = shown.iter().take(NAMES_SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match shown.len() {
        0 => "it is for no host".to_owned(),
        1..=NAMES_SHOWN => format!("it is for {first}"),
        all => format!("it is for {first} and {} more", all - NAMES_SHOWN),
    }
}

/// A name that can be a host's.
fn shown(name: &GeneralName<'_>) -> Option<String> {
    let octets: &[u8] = match name {
        GeneralName::Other(HOST, name) => {
            let graphic = |byte: &u8| if byte.is_ascii_graphic() { char::from(*byte) } else { '?' };
            // Longer than any name in the DNS.
            return Some(name.iter().take(253).map(graphic).collect());
        }
        GeneralName::Other(ADDRESS, address) => address,
        _ => return None,
    };
    let v4 = || Some(IpAddr::from(<[u8; 4]>::try_from(octets).ok()?));
    let v6 = || Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?));
    v4().or_else(v6).map(|address| address.to_string())
}

/// One `*` within the first label stands for part of it or for the whole, but never for a host of
/// two labels, nor within Punycode.
pub(super) fn matches(host: &[u8], pattern: &[u8]) -> bool {
    let (host, whole) = (without_end(host), without_end(pattern));
    if !pattern.iter().all(u8::is_ascii_graphic)
        || whole.split(|it| *it == b'.').any(<[_]>::is_empty)
    {
        return false;
    }
    let first = |name: &[u8]| name.iter().position(|it| *it == b'.').unwrap_or(name.len());
    let (label, above) = host.split_at(first(host));
    let (pattern, pattern_above) = whole.split_at(first(whole));
    if !above.eq_ignore_ascii_case(pattern_above) {
        return false;
    }
    let mut parts = pattern.split(|&byte| byte == b'*');
    let is_punycode = pattern.windows(4).any(|it| it.eq_ignore_ascii_case(b"xn--"));
    match (parts.next(), parts.next(), parts.next()) {
        (Some(start), Some(end), None) if !is_punycode => {
            above.split(|&byte| byte == b'.').count() > 2
                && label.len().checked_sub(end.len()).is_some_and(|until| {
                    start.len() <= until
                        && label[..start.len()].eq_ignore_ascii_case(start)
                        && label[until..].eq_ignore_ascii_case(end)
                })
        }
        (_, Some(_), _) if !is_punycode => false,
        _ => label.eq_ignore_ascii_case(pattern),
    }
}

/// Without the dot at the end, which says that nothing is left out.
pub(super) fn without_end(host: &[u8]) -> &[u8] {
    host.strip_suffix(b".").unwrap_or(host)
}

/// As many as one looks at.
const NAMES_SHOWN: usize = 5;

/// Under a domain that does not exist, and never will (RFC 6761 §6.4).
const ALIAS: &str = ".host.invalid";

#[cfg(test)]
mod tests {
    use super::{super::general_name::MAIL, *};

    #[test]
    fn names_match_as_node_matches_them() {
        for (host, pattern) in [
            ("a.example.com", "A.example.COM"),
            ("a.example.com.", "a.example.com"),
            ("a.example.com", "a.example.com."),
            ("a.example.com", "*.example.com"),
            ("abc.example.com", "a*c.example.com"),
            ("ac.example.com", "a*c.example.com"),
            ("localhost", "localhost"),
            ("x-.wild.test", "*.wild.test"),
            ("a_b.example.com", "a_b.example.com"),
            ("xn--a.example.com", "xn--a.example.com"),
            ("xn--a.example.com", "*.example.com"),
        ] {
            assert!(matches(host.as_bytes(), pattern.as_bytes()), "{host} {pattern}");
        }
        for (host, pattern) in [
            ("a.b.example.com", "*.example.com"),
            ("example.com", "*.com"),
            ("example.com", "*.example.com"),
            ("a.example.com", "a.*.com"),
            ("abc.example.com", "a*b*c.example.com"),
            ("ab.example.com", "ab*b.example.com"),
            ("xn--ab.example.com", "xn--a*.example.com"),
            ("a.example.com", ""),
            ("a..com", "a..com"),
            ("a.example.com", "a.example.com\0"),
            ("a.example.com", "a.example.com.evil.com"),
            ("\u{e9}.example.com", "\u{e9}.example.com"),
        ] {
            assert!(!matches(host.as_bytes(), pattern.as_bytes()), "{host} {pattern}");
        }
    }

    #[test]
    fn the_names_of_another_hosts_certificate_are_told_up_to_five() {
        let host = |name| GeneralName::Other(HOST, name);
        assert_eq!(said(&[]), "it is for no host");
        assert_eq!(said(&[GeneralName::Other(MAIL, b"a@b.c")]), "it is for no host");
        let addresses = [&[10, 0, 0, 1][..], &[0; 16], &[1; 5]];
        let addresses = addresses.map(|octets| GeneralName::Other(ADDRESS, octets));
        assert_eq!(said(&addresses), "it is for 10.0.0.1, ::");
        let odd = "a\n\u{e9} b".as_bytes();
        assert_eq!(said(&[host(odd)]), "it is for a????b");
        assert_eq!(said(&[host(&[b'a'; 300])]), format!("it is for {}", "a".repeat(253)));
        let seven = [&b"a"[..], b"b", b"c", b"d", b"e", b"f", b"g"].map(host);
        assert_eq!(said(&seven), "it is for a, b, c, d, e and 2 more");
        assert_eq!(said(&seven[..5]), "it is for a, b, c, d, e");
    }

    #[test]
    fn a_host_that_rustls_refuses_goes_by_an_alias_and_is_not_told() {
        for host in
            ["abc-.corp.test", "x-.wild.test", "-a.test", &format!("{}-.test", "a".repeat(62))]
        {
            let (name, told) = server_name(host).unwrap();
            let ServerName::DnsName(name) = name else { panic!("{host}") };
            assert_eq!((host_of(&name).as_str(), told), (host, false));
        }
        for host in ["localhost", "a_b.test", "127.0.0.1", "[::1]", "xn--mnchen-3ya.example"] {
            assert!(server_name(host).unwrap().1, "{host}");
        }
        let (name, _) = server_name("a.host.invalid").unwrap();
        let ServerName::DnsName(name) = name else { panic!() };
        assert_eq!(host_of(&name), "a.host.invalid");
    }
}
