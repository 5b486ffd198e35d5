//! Files of trusted certificates, read as OpenSSL reads them.

use std::{
    fs::{self, Metadata, OpenOptions},
    io::{self, Read as _},
    path::Path,
};

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    certificate::SERVER_AUTH,
    der::{OID, Reader, SEQUENCE, fields},
};

/// What a file holds.
pub(super) enum Entry {
    /// A certificate in DER.
    Certificate(Vec<u8>),
    /// One that its own trust settings keep from vouching for servers.
    NotForServers,
    /// What is called a certificate and cannot be decoded.
    Broken,
}

/// The certificates of a file, in order. Text around them, keys and whatever else is passed over.
///
/// # Errors
/// Also for what is no regular file, which may have no end or never answer, and for one that is
/// too large: neither is read.
pub(super) fn read(file: &Path) -> io::Result<Vec<Entry>> {
    acceptable(&fs::metadata(file)?)?;
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, libc::O_NONBLOCK);
    let opened = options.open(file)?;
    // Another one may have taken its place.
    let metadata = opened.metadata()?;
    acceptable(&metadata)?;
    // Files of /proc have no length before they are read; of others all is read at once, and then
    // that there is no more.
    let mut text =
        Vec::with_capacity(usize::try_from(metadata.len()).map_or(0, |length| length + 1));
    if opened.take(LARGEST + 1).read_to_end(&mut text)? as u64 > LARGEST {
        return Err(too_large());
    }
    Ok(entries(&text))
}

fn acceptable(metadata: &Metadata) -> io::Result<()> {
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    if metadata.len() > LARGEST {
        return Err(too_large());
    }
    Ok(())
}

fn too_large() -> io::Error {
    io::Error::other("it is larger than 16 MiB")
}

fn entries(text: &[u8]) -> Vec<Entry> {
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text);
    let mut entries = Vec::new();
    // The label of the section that is being read, and its base64 so far.
    let mut section: Option<(&[u8], Vec<u8>)> = None;
    for line in text.split(|byte| matches!(byte, b'\n' | b'\r')).map(<[u8]>::trim_ascii_end) {
        if let Some(label) = label(line, b"-----BEGIN ") {
            // The one before it has no end.
            entries.extend(section.take().map(|_| Entry::Broken));
            section = LABELS.contains(&label).then(|| (label, Vec::new()));
        } else if let Some(end) = label(line, b"-----END ") {
            let section = section.take();
            entries.extend(section.map(
                |(label, base64)| {
                    if label == end { entry(&base64) } else { Entry::Broken }
                },
            ));
        } else if let Some((_, base64)) = &mut section {
            base64.extend_from_slice(line.trim_ascii());
        }
    }
    entries.extend(section.map(|_| Entry::Broken));
    entries
}

fn label<'a>(line: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    line.strip_prefix(start)?.strip_suffix(b"-----")
}

fn entry(base64: &[u8]) -> Entry {
    let der = BASE64.decode(base64).unwrap_or_default();
    let mut reader = Reader::new(&der);
    let Some(certificate) = reader.value(SEQUENCE) else {
        return Entry::Broken;
    };
    // What follows in a `TRUSTED CERTIFICATE`.
    match reader.inside(SEQUENCE).map_or(Some(false), excludes_servers) {
        Some(false) => Entry::Certificate(certificate.whole.to_vec()),
        Some(true) => Entry::NotForServers,
        None => Entry::Broken,
    }
}

/// OpenSSL's `X509_CERT_AUX`: the uses for which a certificate is trusted, where it names any, and
/// those for which it is not. None where they cannot be read.
fn excludes_servers(mut settings: Reader<'_>) -> Option<bool> {
    let mut names_servers = |tag| {
        let uses = settings.inside(tag).map(Reader::all);
        uses.map(|uses| {
            let uses = uses.filter(|uses| uses.iter().all(|one| one.tag == OID))?;
            Some(uses.iter().any(|one| one.content == SERVER_AUTH || one.content == ANY_USAGE))
        })
    };
    let (trusted, rejected) = (names_servers(SEQUENCE), names_servers(fields(0)));
    Some(!trusted.unwrap_or(Some(true))? || rejected.unwrap_or(Some(false))?)
}

/// 10,000 certificates.
const LARGEST: u64 = 16 * 1024 * 1024;
const LABELS: [&[u8]; 3] = [b"CERTIFICATE", b"X509 CERTIFICATE", b"TRUSTED CERTIFICATE"];
const ANY_USAGE: &[u8] = b"\x55\x1d\x25\x00";
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::{
        super::{der::OCTET_STRING, forge::tlv},
        *,
    };

    #[test]
    fn what_its_own_settings_say_of_servers_holds_and_what_cannot_be_read_is_broken() {
        let certificate = tlv(SEQUENCE, &[]);
        let of = |settings: &[&[u8]]| {
            let settings = tlv(SEQUENCE, settings);
            match entry(BASE64.encode([certificate.clone(), settings].concat()).as_bytes()) {
                Entry::Certificate(_) => "trusted",
                Entry::NotForServers => "not for servers",
                Entry::Broken => "broken",
            }
        };
        let servers = &tlv(OID, &[SERVER_AUTH]);
        let clients = &tlv(OID, &[b"\x2b\x06\x01\x05\x05\x07\x03\x02"]);
        let [trusted, rejected] = [SEQUENCE, fields(0)];
        assert_eq!(of(&[]), "trusted");
        assert_eq!(of(&[&tlv(trusted, &[clients, servers])]), "trusted");
        assert_eq!(of(&[&tlv(rejected, &[clients])]), "trusted");
        assert_eq!(of(&[&tlv(trusted, &[])]), "not for servers");
        assert_eq!(of(&[&tlv(trusted, &[clients])]), "not for servers");
        assert_eq!(of(&[&tlv(rejected, &[clients, servers])]), "not for servers");
        assert_eq!(of(&[&tlv(rejected, &[&tlv(OID, &[ANY_USAGE])])]), "not for servers");
        let other = &tlv(OCTET_STRING, &[]);
        assert_eq!(of(&[&tlv(rejected, &[other, servers])]), "broken");
        assert_eq!(of(&[&tlv(rejected, &[servers, &[6, 9]])]), "broken");
        assert_eq!(of(&[&tlv(trusted, &[servers, other])]), "broken");
    }
}
