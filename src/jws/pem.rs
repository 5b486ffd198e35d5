//! PEM (RFC 7468) as people have it: from files, and from environment variables that lost its line
//! breaks, turned them into blanks, or escaped them.

use base64::prelude::{BASE64_STANDARD_NO_PAD, Engine as _};
use zeroize::Zeroizing;

use super::key_error::Material;

/// What stands between one BEGIN and its END.
#[derive(Clone, Copy)]
pub(crate) struct Section<'a> {
    /// The words after BEGIN.
    pub label: &'a str,
    body: &'a str,
}

impl<'a> Section<'a> {
    /// The sections of `text`, in order.
    pub fn all(text: &'a str) -> impl Iterator<Item = Self> {
        sections(text)
    }

    /// The first section of `text` whose label ends with `kind`, else the first: a key may stand
    /// beside its certificate or its parameters.
    pub fn find(text: &'a str, kind: &str) -> Result<Self, Material> {
        let Some((before, _)) = text.split_once(BEGIN) else {
            let text = text.trim_start_matches(|c: char| c.is_whitespace() || QUOTES.contains(&c));
            return Err(if text.starts_with(BEGIN_IN_BASE64) {
                Material::Base64
            } else {
                Material::NoPem
            });
        };
        if before.ends_with(QUOTES) {
            return Err(Material::Quotes);
        }
        sections(text)
            .find(|section| section.label.ends_with(kind))
            .or_else(|| sections(text).next())
            .ok_or(Material::Damaged)
    }

    /// True where a passphrase hides the body (RFC 1421 §4.6.1.1).
    pub fn is_encrypted(self) -> bool {
        self.body.contains("4,ENCRYPTED")
    }

    /// The body decoded, its line breaks in whatever form.
    pub fn der(self) -> Result<Zeroizing<Vec<u8>>, Material> {
        let mut base64 = Zeroizing::new(String::with_capacity(self.body.len()));
        // The first part follows no backslash, but begins with a blank, or the M of all DER.
        for part in self.body.split('\\') {
            base64.extend(part.strip_prefix(['n', 'r']).unwrap_or(part).split_whitespace());
        }
        let der = BASE64_STANDARD_NO_PAD.decode(base64.trim_end_matches('='));
        der.map(Zeroizing::new).map_err(|_| Material::Damaged)
    }
}

fn sections(text: &str) -> impl Iterator<Item = Section<'_>> {
    text.split(BEGIN).skip(1).filter_map(|section| {
        let (label, rest) = section.split_once(DASHES)?;
        let (body, _end) = rest.split_once(DASHES)?;
        Some(Section { label, body })
    })
}

const DASHES: &str = "-----";
const BEGIN: &str = "-----BEGIN ";
/// Its first nine bytes, which do not depend on what follows.
const BEGIN_IN_BASE64: &str = "LS0tLS1CRUdJ";
const QUOTES: [char; 3] = ['"', '\'', '`'];
