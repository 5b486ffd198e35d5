//! The CAs that a call trusts: Mozilla's, the system's, and those that variables name.

use std::{
    collections::{HashMap, HashSet},
    env, fs, io, mem,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::pki_types::{CertificateDer, TrustAnchor};

use super::{
    certificate::Certificate,
    environment::TlsEnvironment,
    name::Name,
    pem::{self, Entry},
};

/// The CAs that a call trusts, and servers' certificates that are listed themselves.
///
/// More of them never let a server be refused: what files alone vouch for needs no folder.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// Who may vouch for others, if their extensions say so.
    roots: HashMap<Name, Vec<Root>>,
    /// All that was read: each vouches for itself.
    listed: HashSet<Arc<[u8]>>,
    /// Those not read yet.
    folders: Vec<Folder>,
}

#[derive(Clone, Debug)]
struct Folder {
    path: PathBuf,
    /// Whether `SSL_CERT_DIR` names it. Else it is the system's, and nobody is warned of it.
    is_named: bool,
}

#[derive(Clone, Debug)]
enum Root {
    Listed(Arc<[u8]>),
    /// With its key as a `SubjectPublicKeyInfo`.
    Mozillas(&'static TrustAnchor<'static>, Arc<[u8]>),
}

impl Trust {
    /// Reads the files that `environment` names, or the system's, and says in `warnings` what could
    /// not be read. Folders are left: they take several times as long, and hardly ever hold what no
    /// file does.
    pub fn of_files(environment: &TlsEnvironment, warnings: &mut Vec<String>) -> Self {
        let mut trust = Self::default();
        for anchor in webpki_roots::TLS_SERVER_ROOTS {
            let key = sequence(&anchor.subject_public_key_info);
            if let Some(Certificate { subject, .. }) = Certificate::of_anchor(anchor, &key) {
                trust.roots.entry(subject).or_default().push(Root::Mozillas(anchor, key.into()));
            }
        }
        let file = environment.ssl_cert_file.as_deref().filter(|it| !it.is_empty());
        let dirs = environment.ssl_cert_dir.as_deref().filter(|it| !it.is_empty());
        let extra = environment.node_extra_ca_certs.as_deref().filter(|it| !it.is_empty());
        if file.is_none() && dirs.is_none() {
            trust.add_systems();
        }
        if let Some(file) = file.map(Path::new) {
            warnings.extend(warning("SSL_CERT_FILE", file, trust.read_file(file)));
        }
        let dirs = dirs.into_iter().flat_map(env::split_paths);
        for path in dirs.filter(|it| !it.as_os_str().is_empty()) {
            match fs::read_dir(&path) {
                Ok(_) => trust.folders.push(Folder { path, is_named: true }),
                Err(error) => warnings.push(format!("SSL_CERT_DIR: {}", unreadable(&path, &error))),
            }
        }
        if let Some(file) = extra.map(Path::new) {
            warnings.extend(warning("NODE_EXTRA_CA_CERTS", file, trust.read_file(file)));
        }
        trust
    }

    /// Whether it is all that a call trusts.
    pub fn is_whole(&self) -> bool {
        self.folders.is_empty()
    }

    /// The same with what is in the folders that were left.
    pub fn with_folders(&self, warnings: &mut Vec<String>) -> Self {
        let mut whole = self.clone();
        for Folder { path, is_named } in mem::take(&mut whole.folders) {
            let read = whole.read_folder(&path);
            if is_named {
                warnings.extend(warning("SSL_CERT_DIR", &path, read));
            }
        }
        whole
    }

    /// Whether this very certificate is trusted.
    pub fn lists(&self, certificate: &CertificateDer<'_>) -> bool {
        self.listed.contains(certificate.as_ref())
    }

    /// The roots that may have issued `certificate`; first those whose dates hold.
    pub fn issuers(&self, certificate: &Certificate<'_>, now: i64) -> Vec<Certificate<'_>> {
        let roots = self.roots.get(&certificate.issuer).into_iter().flatten();
        let mut issuers: Vec<_> = roots
            .filter_map(|root| match root {
                Root::Listed(root) => Certificate::parse(root),
                Root::Mozillas(anchor, key) => Certificate::of_anchor(anchor, key),
            })
            .filter(|root| certificate.names_as_issuer(root))
            .collect();
        issuers.sort_by_key(|root| !root.is_valid_at(now));
        issuers
    }

    /// The system's certificates. No variable of this call's names them, so nobody is warned: many
    /// a container has no store at all.
    #[cfg(any(windows, target_os = "macos"))]
    fn add_systems(&mut self) {
        for certificate in rustls_native_certs::load_native_certs().certs {
            self.add(&certificate);
        }
    }

    /// The same: the first bundle that there is, and later the folders, where certificates stand
    /// that belong to no bundle.
    #[cfg(not(any(windows, target_os = "macos")))]
    fn add_systems(&mut self) {
        if let Some(bundle) = BUNDLES.into_iter().map(Path::new).find(|path| path.exists()) {
            let _ = self.read_file(bundle);
        }
        let folders = FOLDERS.map(|path| Folder { path: path.into(), is_named: false });
        self.folders.extend(folders);
    }

    /// Counts the certificates. What is none is skipped: a comment, a key.
    fn read_file(&mut self, file: &Path) -> Result<usize, String> {
        let entries = pem::read(file).map_err(|error| unreadable(file, &error))?;
        let announced = entries.len();
        let read = entries
            .into_iter()
            .filter(|entry| match entry {
                Entry::Certificate(der) => self.add(der),
                Entry::NotForServers => true,
                Entry::Broken => false,
            })
            .count();
        match announced - read {
            0 => Ok(read),
            lost => {
                Err(format!("{lost} of {announced} certificates in {} are broken", file.display()))
            }
        }
    }

    /// Reads every file there, and tells the first problem.
    fn read_folder(&mut self, dir: &Path) -> Result<usize, String> {
        let entries = fs::read_dir(dir).map_err(|error| unreadable(dir, &error))?;
        let files = entries.flatten().map(|entry| entry.path()).filter(|path| {
            // `openssl rehash` links to each file of a directory again.
            let again = fs::read_link(path).is_ok_and(|target| target.components().count() == 1);
            !again && path.is_file()
        });
        let read: Vec<_> = files.map(|file| self.read_file(&file)).collect();
        read.into_iter().sum()
    }

    /// Whether it is a certificate; it is added then.
    pub fn add(&mut self, der: &[u8]) -> bool {
        if self.listed.contains(der) {
            return true;
        }
        let Some(Certificate { subject, .. }) = Certificate::parse(der) else {
            return false;
        };
        let der: Arc<[u8]> = der.into();
        self.roots.entry(subject).or_default().push(Root::Listed(der.clone()));
        self.listed.insert(der)
    }
}

fn warning(variable: &str, path: &Path, read: Result<usize, String>) -> Option<String> {
    match read {
        Ok(0) => Some(format!("{variable}: {} holds no certificate", path.display())),
        Ok(_) => None,
        Err(problem) => Some(format!("{variable}: {problem}")),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be read: {error}", path.display())
}

/// The content of a SEQUENCE with its tag and length.
fn sequence(content: &[u8]) -> Vec<u8> {
    let [.., high, low] = content.len().to_be_bytes();
    [&[0x30, 0x82, high, low], content].concat()
}

/// Debian and Alpine, Fedora and RHEL, SUSE, Alpine's and others' old place.
#[cfg(not(any(windows, target_os = "macos")))]
const BUNDLES: [&str; 5] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
#[cfg(not(any(windows, target_os = "macos")))]
const FOLDERS: [&str; 2] = ["/etc/ssl/certs", "/etc/pki/tls/certs"];

#[cfg(test)]
mod tests {
    use rustls::pki_types::UnixTime;

    use super::{super::chain, *};

    fn whole(environment: &TlsEnvironment) -> Trust {
        Trust::of_files(environment, &mut Vec::new()).with_folders(&mut Vec::new())
    }

    fn listed(environment: &TlsEnvironment) -> HashSet<Arc<[u8]>> {
        whole(environment).listed
    }

    #[test]
    fn mozillas_roots_and_the_systems_are_trusted() {
        let trust = whole(&TlsEnvironment::default());
        let roots = trust.roots.values().flatten();
        let mozillas = roots.filter(|root| matches!(root, Root::Mozillas(..))).count();
        assert_eq!(mozillas, webpki_roots::TLS_SERVER_ROOTS.len());
        let systems = rustls_native_certs::load_native_certs().certs;
        assert_eq!(trust.listed, systems.iter().map(|it| it.as_ref().into()).collect());
    }

    #[test]
    fn a_file_or_directory_takes_the_place_of_the_systems_even_where_it_cannot_be_read() {
        let missing = Some("/missing".to_owned());
        let file = TlsEnvironment { ssl_cert_file: missing.clone(), ..TlsEnvironment::default() };
        let dir = TlsEnvironment { ssl_cert_dir: missing, ..TlsEnvironment::default() };
        assert!(listed(&file).is_empty() && listed(&dir).is_empty());
    }

    #[test]
    fn a_certificate_that_is_read_twice_is_kept_once() {
        let ca = rcgen::generate_simple_self_signed([]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, ca.cert.pem().repeat(2)).unwrap();
        let path = file.path().to_str().map(str::to_owned);
        let trust = whole(&TlsEnvironment {
            ssl_cert_file: path.clone(),
            node_extra_ca_certs: path,
            ..TlsEnvironment::default()
        });
        assert_eq!(trust.listed, HashSet::from([ca.cert.der().as_ref().into()]));
        let kept = trust.roots.values().flatten().filter(|it| matches!(it, Root::Listed(_)));
        assert_eq!(kept.count(), 1);
    }

    /// A root with most of what a root may have, and a server below it with names of each kind.
    fn chain() -> (rcgen::Certificate, rcgen::Certificate) {
        use rcgen::{
            BasicConstraints, CertificateParams, CidrSubnet, DnType, ExtendedKeyUsagePurpose,
            GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
        };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        params.distinguished_name.push(DnType::CommonName, "root");
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![
                GeneralSubtree::DnsName("localhost".to_owned()),
                GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
                GeneralSubtree::Rfc822Name("a@b.test".to_owned()),
            ],
            excluded_subtrees: vec![GeneralSubtree::DnsName(".test".to_owned())],
        });
        let root = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.use_authority_key_identifier_extension = true;
        params.subject_alt_names.push(SanType::Rfc822Name("a@b.test".try_into().unwrap()));
        params.subject_alt_names.push(SanType::URI("https://b.test/".try_into().unwrap()));
        let leaf = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
        (root, leaf)
    }

    /// Whether `trust` takes what may be a certificate.
    fn takes(trust: &Trust, der: &[u8]) -> bool {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let algorithms = provider.signature_verification_algorithms.all;
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_hours(500_000));
        Certificate::parse(der).is_some_and(|certificate| {
            let end_entity = CertificateDer::from(der);
            chain::verify(trust, &end_entity, &certificate, &[], algorithms, now).is_ok()
        })
    }

    /// `der` cut at each place, and with each byte changed.
    fn changed(der: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (0..der.len()).flat_map(move |at| {
            let change = |bits: u8| {
                let mut changed = der.to_vec();
                changed[at] ^= bits;
                changed
            };
            [der[..at].to_vec(), change(0x01), change(0x80)]
        })
    }

    // Whatever it is, it is no longer what the root has signed.
    #[test]
    fn a_servers_certificate_with_any_byte_changed_is_refused() {
        let (root, leaf) = chain();
        let mut trust = Trust::default();
        assert!(trust.add(root.der()));
        assert!(takes(&trust, leaf.der()));
        for changed in changed(leaf.der()) {
            assert!(!takes(&trust, &changed), "{changed:?}");
        }
        assert!(!takes(&trust, &[leaf.der(), [0].as_slice()].concat()));
    }

    #[test]
    fn a_root_with_any_byte_changed_brings_nothing_down() {
        let (root, leaf) = chain();
        for changed in changed(root.der()) {
            let mut trust = Trust::default();
            trust.add(&changed);
            takes(&trust, leaf.der());
        }
    }
}
