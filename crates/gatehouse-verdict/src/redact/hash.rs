//! Keyed hashes: they compare, and tell nothing to those without the key.

use core::fmt;
use core::hash::Hasher as _;

use siphasher::sip128::{Hasher128 as _, SipHasher24};

/// SipHash-2-4 with 128 bits of output under a secret key of 16 bytes. The key is never printed.
#[derive(Clone)]
pub struct KeyedHash {
    keyed: SipHasher24,
}

impl fmt::Debug for KeyedHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedHash(hidden)")
    }
}

impl KeyedHash {
    /// A hash under `key`.
    #[must_use]
    pub fn new(key: &[u8; 16]) -> Self {
        Self { keyed: SipHasher24::new_with_key(key) }
    }

    /// 32 hexadecimal digits for `value` among values of the same `kind` (no kind holds a zero byte).
    #[must_use]
    pub fn hex(&self, kind: &str, value: &[u8]) -> String {
        self.digits(kind, value).map(char::from).iter().collect()
    }

    /// The same where it stands: nothing is allocated.
    #[must_use]
    pub fn digits(&self, kind: &str, value: &[u8]) -> [u8; 32] {
        let mut hasher = self.keyed;
        hasher.write(kind.as_bytes());
        hasher.write(&[0]);
        hasher.write(value);
        let hash = hasher.finish128().as_u128();
        core::array::from_fn(|at| {
            let four = (hash >> (124 - 4 * at) & 15) as u8;
            if four < 10 { b'0' + four } else { b'a' - 10 + four }
        })
    }

    /// 12 hexadecimal digits (48 bits) for `value`: enough to see the same value again in a day's records.
    #[must_use]
    pub fn short(&self, value: &[u8]) -> String {
        let mut hasher = self.keyed;
        hasher.write(value);
        format!("{:012x}", hasher.finish128().as_u128() >> 80)
    }
}
