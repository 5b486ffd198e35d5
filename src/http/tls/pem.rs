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
    acceptable(&opened.metadata()?)?;
    let mut text = Vec::new();
    // Files of /proc have no length before they are read.
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
    if reader.inside(SEQUENCE).is_some_and(excludes_servers) {
        return Entry::NotForServers;
    }
    Entry::Certificate(certificate.whole.to_vec())
}

/// OpenSSL's `X509_CERT_AUX`: the uses for which a certificate is trusted, where it names any, and
/// those for which it is not.
fn excludes_servers(mut settings: Reader<'_>) -> bool {
    let mut names_servers = |tag| {
        let mut uses = settings.inside(tag)?;
        let mut found = false;
        while let Some(one) = uses.content(OID) {
            found |= one == SERVER_AUTH || one == ANY_USAGE;
        }
        Some(found)
    };
    names_servers(SEQUENCE) == Some(false) || names_servers(fields(0)) == Some(true)
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
