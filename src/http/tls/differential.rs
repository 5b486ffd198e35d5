//! Our judgement beside others', on certificates made at random.

use std::time::{Duration, Instant};

use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::{
    der::{BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, OID, Reader, SEQUENCE, UTC_TIME, field},
    forge::{
        Draft, Key, NOW, alt_names, authority, constraints, extension, host_name, provider, tlv,
        verify,
    },
    general_name::ADDRESS,
};

/// What of a DER value can be changed: itself, or the values in it.
enum Node {
    Leaf(u8, Vec<u8>),
    Tree(u8, Vec<Node>),
}

impl Node {
    fn parse_all(content: &[u8]) -> Option<Vec<Self>> {
        let values = Reader::new(content).all()?;
        let nodes = values.into_iter().map(|value| {
            let has_others = value.tag & 0x20 != 0 || value.tag == OCTET_STRING;
            match Self::parse_all(value.content).filter(|_| has_others) {
                Some(nodes) => Self::Tree(value.tag, nodes),
                None => Self::Leaf(value.tag, value.content.to_vec()),
            }
        });
        Some(nodes.collect())
    }

    fn write(&self) -> Vec<u8> {
        match self {
            Self::Leaf(tag, content) => tlv(*tag, &[content]),
            Self::Tree(tag, nodes) => tlv(*tag, &[&write_all(nodes)]),
        }
    }

    fn count(&self) -> usize {
        match self {
            Self::Leaf(..) => 1,
            Self::Tree(_, nodes) => 1 + nodes.iter().map(Self::count).sum::<usize>(),
        }
    }
}

fn write_all(nodes: &[Node]) -> Vec<u8> {
    nodes.iter().flat_map(Node::write).collect()
}

/// Numbers that look like chance, the same ones for a seed (xorshift64*).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap() % limit
    }

    fn byte(&mut self) -> u8 {
        u8::try_from(self.below(256)).unwrap()
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// Changes the value that comes `at` values after the first of `nodes`.
fn change(nodes: &mut Vec<Node>, mut at: usize, chance: &mut Chance) {
    for index in 0..nodes.len() {
        let count = nodes[index].count();
        if at >= count {
            at -= count;
            continue;
        }
        if let (Node::Tree(_, inner), true) = (&mut nodes[index], at > 0) {
            return change(inner, at - 1, chance);
        }
        let copy = |node: &Node| Node::parse_all(&node.write()).unwrap().remove(0);
        match chance.below(9) {
            0 => drop(nodes.remove(index)),
            1 => nodes.insert(index, copy(&nodes[index])),
            2 => {
                let other = chance.below(nodes.len());
                nodes.swap(index, other);
            }
            3 => {
                let tag = [1, 2, 3, 4, 5, 6, 12, 0x30, 0x80, 0x81, 0x82, 0xa0, 0xa1, 0xa2, 0xa4];
                nodes.insert(
                    index,
                    Node::Leaf(tag[chance.below(tag.len())], vec![0; chance.below(3)]),
                );
            }
            4 => match &mut nodes[index] {
                Node::Leaf(tag, _) | Node::Tree(tag, _) => *tag ^= 1 << chance.below(8),
            },
            5 => {
                let tree = Node::Tree(SEQUENCE, vec![copy(&nodes[index])]);
                nodes[index] = tree;
            }
            _ => {
                let mut bytes = nodes[index].write().split_off(2);
                match chance.below(4) {
                    0 => bytes.truncate(chance.below(bytes.len() + 1)),
                    1 => bytes.insert(chance.below(bytes.len() + 1), chance.byte()),
                    _ if bytes.is_empty() => {}
                    2 => {
                        let at = chance.below(bytes.len());
                        bytes[at] ^= 1 << chance.below(8);
                    }
                    _ => {
                        let at = chance.below(bytes.len());
                        bytes[at] = [0, 1, 0x7f, 0x80, 0xff][chance.below(5)];
                    }
                }
                let tag = nodes[index].write()[0];
                nodes[index] = Node::Leaf(tag, bytes);
            }
        }
        return;
    }
}

fn webpki(roots: &[Vec<u8>], chain: &[Vec<u8>], host: &str) -> Result<(), webpki::Error> {
    let ders = |all: &[Vec<u8>]| all.iter().map(|it| CertificateDer::from(it.clone())).collect();
    let (roots, chain): (Vec<_>, Vec<_>) = (ders(roots), ders(chain));
    let anchors: Vec<_> = roots.iter().flat_map(|it| anchor_from_trusted_cert(it)).collect();
    let leaf = EndEntityCert::try_from(&chain[0])?;
    let algorithms = provider().signature_verification_algorithms.all;
    let usage = KeyUsage::server_auth();
    let now = UnixTime::since_unix_epoch(NOW);
    leaf.verify_for_usage(algorithms, &anchors, &chain[1..], now, usage, None, None)?;
    leaf.verify_is_valid_for_subject_name(&ServerName::try_from(host).unwrap())
}

/// A way from a server's certificate to its root, one of the three with a change or two in what it
/// says, which is signed again.
struct Changed {
    keys: [Key; 3],
    drafts: [Draft; 3],
    signed: [Vec<u8>; 3],
}

impl Changed {
    fn new() -> Self {
        let usages = |usage| {
            let usage = tlv(OID, &[b"\x2b\x06\x01\x05\x05\x07\x03", &[usage]]);
            extension(37, false, &tlv(SEQUENCE, &[&usage]))
        };
        let key_usage = |bits| extension(15, true, &[BIT_STRING, 2, 0, bits]);
        let id = |key: u8| extension(14, false, &tlv(OCTET_STRING, &[&[key; 4]]));
        let by = |key: u8| extension(35, false, &tlv(SEQUENCE, &[&tlv(field(0), &[&[key; 4]])]));
        let limit = extension(19, true, &tlv(SEQUENCE, &[&[BOOLEAN, 1, 0xff], &[INTEGER, 1, 0]]));
        let network = tlv(ADDRESS, &[&[10, 0, 0, 0, 255, 0, 0, 0]]);
        let names = constraints(
            &[host_name("example.com"), host_name("b.example")],
            &[host_name("c.example.com"), network],
        );
        let none = extension(19, true, &tlv(SEQUENCE, &[]));
        let server = alt_names(&[host_name(HOST), tlv(ADDRESS, &[&[11, 0, 0, 1]])]);
        let root = [authority(), id(0), key_usage(0x06)];
        let between = [limit, key_usage(0x04), usages(1), names, id(1), by(0)];
        let leaf = [none, server, usages(1), key_usage(0xa0), by(1)];
        // Without letters, since webpki compares names by their bytes.
        let drafts = [
            Draft::new("1", "1", &root),
            Draft::new("2", "1", &between),
            Draft::new("3", "2", &leaf),
        ];
        let keys = [Key::new(), Key::new(), Key::new()];
        let sign = |at: usize| keys[at.saturating_sub(1)].sign(&drafts[at].content(&keys[at]));
        let signed = [sign(0), sign(1), sign(2)];
        Self { keys, drafts, signed }
    }

    /// The root, and what the server shows.
    fn next(&self, chance: &mut Chance) -> ([Vec<u8>; 1], [Vec<u8>; 2]) {
        let at = chance.below(3);
        let mut nodes = Node::parse_all(&self.drafts[at].content(&self.keys[at])).unwrap();
        for _ in 0..=usize::from(chance.one_in(4)) {
            let count: usize = nodes.iter().map(Node::count).sum();
            change(&mut nodes, chance.below(count.max(1)), chance);
        }
        let mut signed = self.signed.clone();
        signed[at] = self.keys[at.saturating_sub(1)].sign(&write_all(&nodes));
        let [root, between, leaf] = signed;
        ([root], [leaf, between])
    }
}

// Of a root webpki reads next to nothing.
#[test]
fn whatever_is_changed_before_it_is_signed_is_taken_only_where_webpki_takes_it() {
    let (changed, mut chance) = (Changed::new(), Chance(SEED));
    let mut taken = 0;
    for case in 0..CASES {
        let (root, chain) = changed.next(&mut chance);
        let start = Instant::now();
        let ours = verify(&root, &chain, HOST);
        assert!(start.elapsed() < LONG, "seed {SEED}, case {case}: {:?}", start.elapsed());
        if ours.is_ok() && root[0] == changed.signed[0] {
            let theirs = webpki(&root, &chain, HOST);
            assert!(
                theirs.as_ref().err().is_none_or(is_style),
                "seed {SEED}, case {case}: {theirs:?} {chain:02x?}"
            );
            taken += 1;
        }
    }
    assert!(taken > CASES / 20, "{taken}");
}

/// What webpki refuses and OpenSSL takes: a boolean of 1, something behind an extension's value,
/// an underscore in a constraint.
fn is_style(error: &webpki::Error) -> bool {
    matches!(
        error,
        webpki::Error::BadDer
            | webpki::Error::TrailingData(_)
            | webpki::Error::UnsupportedCertVersion
            | webpki::Error::MalformedNameConstraint
            | webpki::Error::InvalidNetworkMaskConstraint
    )
}

/// What a certificate says, as numbers that mean the same for whoever reads them.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "they are chosen one by one")]
struct Fact {
    subject: usize,
    issuer: usize,
    key: usize,
    signer: usize,
    is_ca: bool,
    limit: Option<usize>,
    usage: Option<u8>,
    is_for_servers: bool,
    is_current: bool,
    is_odd: bool,
    hosts: Vec<&'static str>,
    permitted: Vec<&'static str>,
    excluded: Vec<&'static str>,
}

impl Fact {
    fn new(chance: &mut Chance) -> Self {
        let some = |chance: &mut Chance, times: usize, among: &[&'static str]| {
            let all = among.iter().filter(|_| chance.one_in(times));
            all.copied().collect::<Vec<_>>()
        };
        let (subject, issuer) = (chance.below(3), chance.below(3));
        Self {
            subject,
            issuer,
            key: if chance.one_in(8) { chance.below(3) } else { subject },
            signer: if chance.one_in(8) { chance.below(3) } else { issuer },
            is_ca: !chance.one_in(5),
            limit: chance.one_in(2).then(|| chance.below(2)),
            usage: chance.one_in(4).then(|| [0x04, 0x80, 0x84][chance.below(3)]),
            is_for_servers: !chance.one_in(10),
            is_current: !chance.one_in(10),
            is_odd: chance.one_in(12),
            hosts: some(chance, 2, &["a.example.com", "*.example.com", "b.test"]),
            permitted: some(chance, 5, &["example.com", "a.example.com", "test"]),
            excluded: some(chance, 12, &["example.com", "a.example.com", "test"]),
        }
    }

    fn certificate(&self, keys: &[Key]) -> Vec<u8> {
        let hosts = |hosts: &[&str]| hosts.iter().map(|it| host_name(it)).collect::<Vec<_>>();
        let is_ca: &[u8] = if self.is_ca { &[BOOLEAN, 1, 0xff] } else { &[] };
        let limit = self.limit.map(|it| vec![INTEGER, 1, u8::try_from(it).unwrap()]);
        let limit = limit.filter(|_| self.is_ca).unwrap_or_default();
        let mut extensions = vec![extension(19, true, &tlv(SEQUENCE, &[is_ca, &limit]))];
        extensions.extend(self.usage.map(|it| extension(15, true, &[BIT_STRING, 2, 0, it])));
        if !self.is_for_servers {
            let clients = tlv(OID, &[b"\x2b\x06\x01\x05\x05\x07\x03\x02"]);
            extensions.push(extension(37, false, &tlv(SEQUENCE, &[&clients])));
        }
        if self.is_odd {
            extensions.push(extension(99, true, &[]));
        }
        if !self.hosts.is_empty() {
            extensions.push(alt_names(&hosts(&self.hosts)));
        }
        if !self.permitted.is_empty() || !self.excluded.is_empty() {
            extensions.push(constraints(&hosts(&self.permitted), &hosts(&self.excluded)));
        }
        let name = |number: usize| format!("ca {number}");
        let mut draft = Draft::new(&name(self.subject), &name(self.issuer), &extensions);
        if !self.is_current {
            let past = tlv(UTC_TIME, &[b"200101000000Z"]);
            draft.valid = tlv(SEQUENCE, &[&past, &past]);
        }
        keys[self.signer].sign(&draft.content(&keys[self.key]))
    }

    fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    fn is_usable(&self) -> bool {
        self.is_for_servers && self.is_current && !self.is_odd
    }

    fn serves(&self, host: &str) -> bool {
        self.is_usable()
            && self.usage.is_none_or(|it| it & 0x80 != 0)
            && self.hosts.iter().any(|it| *it == host || wildcard_has(it, host))
    }

    fn may_vouch(&self) -> bool {
        self.is_usable() && self.is_ca && self.usage.is_none_or(|it| it & 0x04 != 0)
    }

    fn allows(&self, host: &str) -> bool {
        let is_below = |base: &&str| host == *base || host.ends_with(&format!(".{base}"));
        (self.permitted.is_empty() || self.permitted.iter().any(is_below))
            && !self.excluded.iter().any(|it| is_below(it) || wildcard_has(host, it))
    }
}

fn wildcard_has(pattern: &str, host: &str) -> bool {
    pattern == "*.example.com" && host == "a.example.com"
}

/// Every way up from the last of `chain`, until one holds.
fn leads_up<'a>(chain: &[&'a Fact], roots: &[&'a Fact], sent: &[&'a Fact]) -> bool {
    let last = chain[chain.len() - 1];
    let issued = |it: &&&Fact| it.subject == last.issuer && it.key == last.signer;
    let with = |next: &'a Fact| [chain, &[next]].concat();
    roots.iter().filter(issued).any(|root| holds(&with(root)))
        || (sent.iter().filter(issued))
            .filter(|next| !chain.iter().any(|it| std::ptr::eq(*it, **next)))
            .any(|next| leads_up(&with(next), roots, sent))
}

fn holds(chain: &[&Fact]) -> bool {
    (1..chain.len()).all(|at| {
        let (issuer, below) = (chain[at], &chain[..at]);
        let cas = below[1..].iter().filter(|it| !it.is_self_issued()).count();
        let named = below.iter().enumerate().filter(|(at, it)| *at == 0 || !it.is_self_issued());
        issuer.may_vouch()
            && issuer.limit.is_none_or(|limit| cas <= limit)
            && named.flat_map(|(_, it)| &it.hosts).all(|host| issuer.allows(host))
    })
}

#[test]
fn a_server_is_trusted_exactly_where_a_way_that_holds_leads_to_a_root() {
    let mut chance = Chance(SEED);
    let keys = [Key::new(), Key::new(), Key::new()];
    let facts: Vec<_> = (0..60).map(|_| Fact::new(&mut chance)).collect();
    let ders: Vec<_> = facts.iter().map(|it| it.certificate(&keys)).collect();
    let mut trusted = 0;
    for case in 0..CASES {
        // Each may have issued the one before it, but for a few.
        let mut sent = vec![chance.below(facts.len())];
        for _ in 0..6 {
            let next = chance.below(facts.len() - 1);
            let may = |at: &usize| facts[*at].subject == facts[sent[sent.len() - 1]].issuer;
            let issuer = (next..facts.len()).chain(0..next).find(may).unwrap_or(next);
            sent.push(if chance.one_in(8) { next } else { issuer });
        }
        let roots = sent.split_off(4);
        let of = |all: &[usize]| all.iter().map(|at| &facts[*at]).collect::<Vec<_>>();
        let der = |all: &[usize]| all.iter().map(|at| ders[*at].clone()).collect::<Vec<_>>();
        let (known, shown) = (of(&roots), of(&sent));
        let expected = shown[0].serves(HOST)
            && (roots.contains(&sent[0]) || leads_up(&shown[..1], &known, &shown[1..]));
        let start = Instant::now();
        let ours = verify(&der(&roots), &der(&sent), HOST);
        assert!(start.elapsed() < LONG, "seed {SEED}, case {case}: {:?}", start.elapsed());
        assert_eq!(ours.is_ok(), expected, "seed {SEED}, case {case}: {known:#?} {shown:#?}");
        trusted += usize::from(expected);
    }
    assert!(trusted > CASES / 20, "{trusted}");
}

const HOST: &str = "a.example.com";
const SEED: u64 = 5;
const CASES: usize = 200;
/// Seconds, since a debug build verifies some hundred signatures in one.
const LONG: Duration = Duration::from_secs(5);
