//! `jti`s: random UUIDs (RFC 9562 §5.4). Their random bytes come by the block, since AWS-LC's
//! generator takes as long for sixteen as for a thousand.

use std::cell::RefCell;

use uuid::{Builder, Uuid};
use zeroize::Zeroize as _;

use crate::access_token_issuer::SignError;

thread_local! {
    /// A thread has its own: no lock, and no two give the same bytes.
    static BLOCK: RefCell<Block> = const { RefCell::new(Block { bytes: [0; SIZE], left: 0 }) };
}

struct Block {
    bytes: [u8; SIZE],
    /// How many of them nobody has had.
    left: usize,
}

/// What `Uuid::encode_buffer` gives.
pub type Buffer = [u8; Uuid::encode_buffer().len()];

/// A UUID that nobody else has, as text.
///
/// # Errors
/// Where the system has no random bytes.
pub fn next(buffer: &mut Buffer) -> Result<&str, SignError> {
    let random = BLOCK.with_borrow_mut(Block::take)?;
    Ok(Builder::from_random_bytes(random).into_uuid().hyphenated().encode_lower(buffer))
}

impl Block {
    fn take(&mut self) -> Result<[u8; 16], SignError> {
        if self.left == 0 {
            aws_lc_rs::rand::fill(&mut self.bytes).map_err(|_| SignError::NoRandomness)?;
            self.left = SIZE;
        }
        self.left -= 16;
        let mut random = [0; 16];
        let taken = &mut self.bytes[self.left..][..16];
        random.copy_from_slice(taken);
        // What has become an identifier cannot be read here again.
        taken.zeroize();
        Ok(random)
    }
}

/// Of 64 identifiers.
const SIZE: usize = 1024;

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, thread};

    use uuid::Variant;

    use super::*;

    fn some() -> Vec<String> {
        let one = || next(&mut Uuid::encode_buffer()).unwrap().to_owned();
        (0..SIZE / 16 * 3).map(|_| one()).collect()
    }

    #[test]
    fn each_is_a_random_uuid_of_its_own_over_blocks_and_threads() {
        let other = thread::spawn(some);
        let all = [some(), other.join().unwrap()].concat();
        for text in &all {
            let id = Uuid::parse_str(text).unwrap();
            assert_eq!((id.get_version_num(), id.get_variant()), (4, Variant::RFC4122));
        }
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), all.len());
    }

    #[test]
    fn what_was_given_is_zeroed() {
        let mut block = Block { bytes: [0; SIZE], left: 0 };
        let given = block.take().unwrap();
        assert_ne!(given, [0; 16]);
        assert_eq!(block.bytes[block.left..], [0; 16]);
        assert_ne!(block.bytes[..block.left], [0; SIZE - 16]);
    }
}
