//! Hashing of keys.

use std::hash::Hasher;

use foldhash::SharedSeed;
use foldhash::fast::FoldHasher;

use super::KeyBytes;

/// The seed of all hashes; equal seeds give equal hashes.
#[derive(Clone, Debug)]
pub struct Seed {
    shared: SharedSeed,
    own: u64,
}

impl Seed {
    /// Creates a seed from a random number, which must not be known to those who choose the keys.
    pub fn new(random: u64) -> Self {
        Self { shared: SharedSeed::from_u64(random), own: random.rotate_left(32) }
    }

    /// Returns half of the hash, the part that is stored.
    #[inline]
    pub(crate) fn short_hash(&self, key: KeyBytes<'_>) -> u32 {
        // The hash comes from a product, whose upper half is better mixed.
        u32::try_from(self.hash(key) >> 32).unwrap_or(u32::MAX)
    }

    #[inline]
    pub(crate) fn hasher(&self) -> FoldHasher<'_> {
        FoldHasher::with_seed(self.own, &self.shared)
    }

    pub(crate) fn hash(&self, key: KeyBytes<'_>) -> u64 {
        let mut hasher = self.hasher();
        match key {
            Some(bytes) => hasher.write(bytes),
            None => hasher.write_u64(0),
        }
        hasher.finish()
    }
}

/// Expands a stored hash for a hash table, which uses the lowest and the highest bits.
#[inline]
pub(super) fn full_hash(half: u32) -> u64 {
    u64::from(half) << 32 | u64::from(half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_seed_gives_other_hashes() {
        assert_ne!(Seed::new(1).hash(Some(b"/")), Seed::new(2).hash(Some(b"/")));
    }
}
