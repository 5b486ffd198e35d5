//! What must not be read by others: [`Secret`].

use std::{fmt, mem, sync::Arc};

use bytes::Bytes;
use zeroize::Zeroize as _;

/// A text that is never shown: `Debug` prints `[redacted]`, clones share one allocation, and that
/// is zeroed when the last one goes.
#[derive(Clone)]
pub struct Secret(Arc<Text>);

/// `Zeroizing<String>` would be zeroed byte by byte, which is 0.15 µs a header; this is as a whole.
struct Text(String);

impl Drop for Text {
    fn drop(&mut self) {
        let mut bytes = mem::take(&mut self.0).into_bytes();
        bytes.as_mut_slice().zeroize();
        bytes.spare_capacity_mut().zeroize();
    }
}

impl Secret {
    /// The text itself. Each use is a place where a secret leaves its type: onto the wire, into a
    /// key, or into a [`Redactor`](crate::redact::Redactor).
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0.0
    }

    /// Its bytes, to be sent: no copy of them, and zeroed with it.
    #[must_use]
    pub fn bytes(&self) -> Bytes {
        struct Shared(Secret);
        impl AsRef<[u8]> for Shared {
            fn as_ref(&self) -> &[u8] {
                self.0.expose().as_bytes()
            }
        }
        Bytes::from_owner(Shared(self.clone()))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Arc::new(Text(text)))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

const REDACTED: &str = "[redacted]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_of_a_secret_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::from("canary".to_owned())), "[redacted]");
    }

    #[test]
    fn its_bytes_are_no_copy() {
        let secret = Secret::from("canary".to_owned());
        assert_eq!(secret.bytes().as_ptr(), secret.expose().as_ptr());
    }
}
