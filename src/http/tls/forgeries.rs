//! Certificates that a known CA has signed, and that are to be refused all the same.

use std::time::{Duration, Instant};

use super::{
    der::{
        BIT_STRING, BOOLEAN, GENERALIZED_TIME, INTEGER, OCTET_STRING, OID, SEQUENCE, UTC_TIME,
        UTF8_STRING, field, fields,
    },
    forge::{
        Draft, Key, alt_names, authority, constraints, extension, host_name, name, tlv, verify,
    },
    general_name::ADDRESS,
    reason,
};

/// What is said of a server called `a.example.com`: its root has `root` for extensions, a CA
/// between has `between`, and its own certificate is `leaf`.
fn said(
    root: &[Vec<u8>],
    between: &[Vec<u8>],
    leaf: &Draft,
    host: &str,
) -> Result<(), &'static str> {
    let keys = [Key::new(), Key::new(), Key::new()];
    let root = keys[0].sign(&Draft::new("root", "root", root).content(&keys[0]));
    let between = keys[0].sign(&Draft::new("between", "root", between).content(&keys[1]));
    let leaf = keys[1].sign(&leaf.content(&keys[2]));
    verify(&[root], &[leaf, between], host).map_err(|error| reason(&error))
}

fn server(extensions: &[Vec<u8>]) -> Draft {
    let names = alt_names(&[host_name("a.example.com")]);
    Draft::new("", "between", &[&[names], extensions].concat())
}

/// Of a server's certificate with these extensions beside its name.
fn of_leaf(extensions: &[Vec<u8>]) -> Result<(), &'static str> {
    said(&[authority()], &[authority()], &server(extensions), "a.example.com")
}

fn of_ca(extensions: &[Vec<u8>]) -> Result<(), &'static str> {
    said(&[authority()], extensions, &server(&[]), "a.example.com")
}

const OTHER_NAME: &str = "Hostname/IP does not match certificate's altnames";
const UNREADABLE: Result<(), &str> = Err("the certificate cannot be read");

#[test]
fn what_is_forged_here_would_be_trusted() {
    let usages = |usage: &[u8]| extension(37, false, &tlv(SEQUENCE, &[&tlv(OID, &[usage])]));
    assert_eq!(of_leaf(&[]), Ok(()));
    assert_eq!(of_leaf(&[usages(SERVER_AUTH)]), Ok(()));
    assert_eq!(of_leaf(&[extension(15, true, &[BIT_STRING, 2, 7, 0x80])]), Ok(()));
    assert_eq!(of_ca(&[authority(), extension(15, true, &[BIT_STRING, 2, 2, 0x04])]), Ok(()));
    assert_eq!(of_leaf(&[usages(CLIENT_AUTH)]), Err("unsuitable certificate purpose"));
}

const SERVER_AUTH: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x01";
const CLIENT_AUTH: &[u8] = b"\x2b\x06\x01\x05\x05\x07\x03\x02";

// The rest of a BIT STRING's last byte counts for nothing (X.690 §11.2.1, OpenSSL masks it).
#[test]
fn bits_that_are_said_to_be_unused_are_not_used() {
    assert_eq!(
        of_ca(&[authority(), extension(15, true, &[BIT_STRING, 2, 7, 0xff])]),
        Err("key usage does not include certificate signing"),
    );
    let usage = extension(15, true, &[BIT_STRING, 2, 6, 0x60]);
    assert_eq!(of_leaf(&[usage]), Err("unsuitable certificate purpose"));
    assert!(of_leaf(&[extension(15, true, &[BIT_STRING, 2, 8, 0xff])]).is_err());
}

#[test]
fn a_ca_that_says_it_in_no_or_in_two_bytes_is_none() {
    for boolean in [&[BOOLEAN, 0][..], &[BOOLEAN, 2, 0, 0xff]] {
        assert!(of_ca(&[extension(19, true, &tlv(SEQUENCE, &[boolean]))]).is_err(), "{boolean:?}");
    }
}

#[test]
fn what_stands_where_nothing_may_stand_is_refused_and_not_passed_over() {
    let ca = [BOOLEAN, 1, 0xff];
    let none = [INTEGER, 1, 0];
    for fields in [&[&ca[..], &[4, 0], &none][..], &[&ca, &none, &none], &[&ca, &[INTEGER, 0]]] {
        assert!(of_ca(&[extension(19, true, &tlv(SEQUENCE, fields))]).is_err(), "{fields:?}");
    }
    let permitted = tlv(fields(0), &[&tlv(SEQUENCE, &[&host_name("other.example")])]);
    let excluded = tlv(fields(1), &[&tlv(SEQUENCE, &[&host_name("none.example")])]);
    for parts in [[&excluded, &permitted], [&permitted, &permitted]] {
        let parts = parts.map(Vec::as_slice);
        let constraints = extension(30, true, &tlv(SEQUENCE, &parts));
        assert!(of_ca(&[authority(), constraints]).is_err(), "{parts:?}");
    }
    let id = &[OID, 3, 0x55, 0x1d, 9];
    let odd = tlv(SEQUENCE, &[id, &[OCTET_STRING, 0], &[BOOLEAN, 1, 0xff]]);
    assert!(of_leaf(&[odd]).is_err());
    let critical = tlv(SEQUENCE, &[id, &[BOOLEAN, 0], &[OCTET_STRING, 0]]);
    assert!(of_leaf(&[critical]).is_err());
    let subtree = tlv(OCTET_STRING, &[&host_name("none.example")]);
    let excluded = extension(30, true, &tlv(SEQUENCE, &[&tlv(fields(1), &[&subtree])]));
    assert!(of_ca(&[authority(), excluded]).is_err());
    let usage = tlv(OCTET_STRING, &[SERVER_AUTH]);
    assert!(of_leaf(&[extension(37, false, &tlv(SEQUENCE, &[&usage]))]).is_err());
}

#[test]
fn a_version_that_there_is_not_is_refused() {
    let one = |number: &[u8]| tlv(fields(0), &[&tlv(INTEGER, &[number])]);
    let two = tlv(fields(0), &[&[INTEGER, 1, 2], &[INTEGER, 1, 2]]);
    for version in [one(&[]), one(&[3]), one(&[2, 0]), one(&[0xff]), two] {
        let leaf = Draft { version, ..server(&[]) };
        assert_eq!(said(&[authority()], &[authority()], &leaf, "a.example.com"), UNREADABLE);
    }
}

#[test]
fn a_name_of_a_kind_that_there_is_not_constrains_all() {
    for tag in [fields(2), fields(6), fields(7), field(4), field(9), UTF8_STRING] {
        let base = tlv(tag, &[b"other.example"]);
        let permitted = constraints(std::slice::from_ref(&base), &[]);
        let excluded = constraints(&[], &[base]);
        assert!(of_ca(&[authority(), permitted]).is_err(), "{tag:x}");
        assert!(of_ca(&[authority(), excluded]).is_err(), "{tag:x}");
    }
}

#[test]
fn an_excluded_range_of_addresses_that_cannot_be_read_excludes_all() {
    let leaf = Draft::new("", "between", &[alt_names(&[tlv(field(7), &[&[127, 0, 0, 1]])])]);
    for base in [&[127, 0, 0, 1][..], &[127, 0, 0, 1, 0xff, 0xff, 0xff], &[]] {
        let excluded = constraints(&[], &[tlv(field(7), &[base])]);
        assert!(
            said(&[authority()], &[authority(), excluded], &leaf, "127.0.0.1").is_err(),
            "{base:?}",
        );
    }
}

#[test]
fn a_host_is_excluded_with_a_dot_at_its_end_and_behind_a_wildcard_too() {
    let of = |base: &str, pattern: &str, host: &str| {
        let leaf = Draft::new("", "between", &[alt_names(&[host_name(pattern)])]);
        let excluded = constraints(&[], &[host_name(base)]);
        said(&[authority()], &[authority(), excluded], &leaf, host)
    };
    for (base, pattern, host) in [
        ("example.com", "a.example.com", "a.example.com"),
        ("example.com", "a.example.com.", "a.example.com"),
        ("example.com.", "a.example.com", "a.example.com"),
        ("a.example.com", "*.example.com", "a.example.com"),
        ("a.example.com", "*.example.com.", "a.example.com"),
        ("A.example.com", "a*.EXAMPLE.com", "a.example.com"),
    ] {
        assert_eq!(of(base, pattern, host), Err("excluded subtree violation"), "{base} {pattern}");
    }
    for (base, pattern, host) in [
        ("b.example.com", "a*.example.com", "a.example.com"),
        ("b.a.example.com", "*.example.com", "a.example.com"),
        ("ample.com", "a.example.com", "a.example.com"),
    ] {
        assert_eq!(of(base, pattern, host), Ok(()), "{base} {pattern}");
    }
}

#[test]
fn a_host_that_is_called_like_an_alias_is_not_the_one_behind_it() {
    let host = "612e6578616d706c652e636f6d.host.invalid";
    assert_eq!(said(&[authority()], &[authority()], &server(&[]), host), Err(OTHER_NAME));
    let leaf = Draft::new("", "between", &[alt_names(&[host_name(host)])]);
    assert_eq!(said(&[authority()], &[authority()], &leaf, host), Ok(()));
}

#[test]
fn a_name_is_the_hosts_byte_for_byte_and_of_its_kind() {
    let mapped = [&[0; 10][..], &[0xff, 0xff, 127, 0, 0, 1]].concat();
    let address = |bytes: &[u8]| tlv(ADDRESS, &[bytes]);
    for (host, name) in [
        ("127.0.0.1", host_name("127.0.0.1")),
        ("127.0.0.1", address(b"127.0.0.1")),
        ("127.0.0.1", address(&mapped)),
        ("127.0.0.1", address(&[127, 0, 0, 1, 255, 255, 255, 255])),
        ("[::ffff:127.0.0.1]", address(&[127, 0, 0, 1])),
        ("[::1]", host_name("::1")),
        ("a.example.com", host_name("a.example.com\0")),
        ("a.example.com", host_name("a.example.com\0.evil.example")),
        ("a.example.com", host_name(" a.example.com")),
        ("a.example.com", host_name("a.example.com ")),
        ("a.example.com", host_name("a.example.com, DNS:b.example.com")),
        ("a.example.com", host_name(".example.com")),
        ("a.example.com", host_name("*")),
        ("a.example.com", host_name("*.*.com")),
        ("a.example.com", host_name("*.com")),
        ("a.example.com", tlv(field(1), &[b"a.example.com"])),
        ("a.example.com", tlv(field(6), &[b"https://a.example.com"])),
        ("a.example.com", tlv(fields(4), &[&self::name("a.example.com")])),
    ] {
        // Its common name, which is not read.
        let leaf = Draft::new(host, "between", &[alt_names(&[name])]);
        let said = said(&[authority()], &[authority()], &leaf, host);
        assert_eq!(said, Err(OTHER_NAME), "{host} {leaf:02x?}");
    }
}

#[test]
fn a_day_that_there_is_not_is_refused() {
    for (tag, time) in [
        (UTC_TIME, "269901000000Z"),
        (UTC_TIME, "260001000000Z"),
        (UTC_TIME, "261300000000Z"),
        (UTC_TIME, "260199000000Z"),
        (UTC_TIME, "260231000000Z"),
        (UTC_TIME, "260101990000Z"),
        (UTC_TIME, "260101009900Z"),
        (UTC_TIME, "260101000099Z"),
        (GENERALIZED_TIME, "20269901000000Z"),
    ] {
        let mut leaf = server(&[]);
        let from = tlv(UTC_TIME, &[b"200101000000Z"]);
        leaf.valid = tlv(SEQUENCE, &[&from, &tlv(tag, &[time.as_bytes()])]);
        assert_eq!(
            said(&[authority()], &[authority()], &leaf, "a.example.com"),
            UNREADABLE,
            "{time}"
        );
    }
}

// Whatever stands in 64 KiB, which is all that a server may show: each name of the one against
// each subtree of the other would take minutes.
#[test]
fn a_certificate_of_many_names_and_one_of_many_constraints_are_looked_through_soon() {
    let wide = tlv(fields(4), &[&name("x")]);
    let long = tlv(fields(4), &[&tlv(SEQUENCE, &[&name("x")[2..].repeat(2_000)])]);
    let empty = tlv(fields(4), &[&name("")]);
    let host = host_name("");
    let mail = tlv(field(1), &[b"@"]);
    let uri = tlv(field(6), &[b"://a"]);
    for (names, bases) in [
        (vec![empty.clone(); 8_000], vec![empty.clone(); 5_000]),
        (vec![empty.clone(); 8_000], vec![long.clone()]),
        (vec![wide.clone(); 1_500], vec![wide.clone(); 1_500]),
        (vec![long.clone()], vec![wide.clone(); 1_500]),
        (vec![host.clone(); 16_000], vec![host.clone(); 8_000]),
        (vec![mail.clone(); 10_000], vec![mail.clone(); 6_000]),
        (vec![host_name("*.a.b"); 4_000], vec![host_name("b.a.b"); 3_000]),
        (vec![uri.clone(); 5_000], vec![uri.clone(); 4_000]),
        (vec![tlv(field(6), &[&[b'x'; 30_000]])], vec![uri.clone(); 4_000]),
    ] {
        for bases in [constraints(&bases, &[]), constraints(&[], &bases)] {
            let key = Key::new();
            let leaf = Draft::new("", "between", &[alt_names(&names)]);
            let chain = [leaf, Draft::new("between", "root", &[authority(), bases])];
            let chain = chain.map(|it| key.sign(&it.content(&key)));
            let start = Instant::now();
            assert!(verify(&[], &chain, "a.example.com").is_err());
            let took = start.elapsed();
            assert!(took < Duration::from_secs(5), "{took:?}");
        }
    }
}

// Whoever has a server's certificate, or a CA's with constraints, may sign what he likes with its
// key, and each of the ways up through that leads to the root.
#[test]
fn many_ways_with_many_names_and_constraints_are_looked_through_soon() {
    let keys = [Key::new(), Key::new()];
    let sign = |by: usize, draft: Draft| keys[by].sign(&draft.content(&keys[1]));
    let root = keys[0].sign(&Draft::new("root", "root", &[authority()]).content(&keys[0]));
    let mail = tlv(field(1), &[b"@"]);
    let names = alt_names(&vec![mail.clone(); 2_000]);
    let bases = constraints(&vec![mail.clone(); 500], &[]);
    for own in [vec![], vec![authority(), constraints(&[], &[mail])]] {
        let mut chain = vec![sign(1, Draft::new("", "own", std::slice::from_ref(&names)))];
        chain.push(sign(0, Draft::new("own", "root", &own)));
        for _ in 0..20 {
            chain.push(sign(1, Draft::new("own", "own", &[authority(), bases.clone()])));
        }
        let start = Instant::now();
        assert!(verify(std::slice::from_ref(&root), &chain, "a.example.com").is_err());
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[test]
fn a_certificate_of_many_extensions_is_read_soon() {
    let extension = |number: u16| {
        let [high, low] = number.to_be_bytes();
        tlv(SEQUENCE, &[&[OID, 3, 0x2b, high, low], &[OCTET_STRING, 0]])
    };
    let extensions: Vec<_> = (0..7_000).map(extension).collect();
    let start = Instant::now();
    assert_eq!(of_leaf(&extensions), Ok(()));
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}
