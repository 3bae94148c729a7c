//! The installation's key for keyed hashes: made at the first start, sent to gates in `Welcome`, shown to nobody.
//!
//! The file `hash.key` (mode 0600) is one line: `gatehouse-hash-key`, the key's id in decimal, and the key as 32
//! hexadecimal digits. Replacing it rotates the key: the id stands in every record.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;

use crate::data::{DataError, DataFolder};

const FILE: &str = "hash.key";
const WORD: &str = "gatehouse-hash-key";

/// A key for keyed hashes, and its id. Printing it shows the id only.
#[derive(Clone)]
pub struct HashKey {
    id: u32,
    bytes: [u8; 16],
}

/// Why the key cannot be had.
#[derive(Debug)]
pub enum HashKeyError {
    /// The file cannot be read or written.
    Data(DataError),
    /// The file is not one line of the form above. What it holds is not repeated.
    Malformed,
    /// Others than the owner may read the file.
    Exposed {
        /// Its permission bits.
        mode: u32,
    },
    /// The operating system gave no random bytes.
    Random(io::Error),
}

impl HashKey {
    /// Reads the key of this data folder, or makes one where there is none.
    ///
    /// # Errors
    /// See [`HashKeyError`].
    pub fn open(data: &DataFolder) -> Result<Self, HashKeyError> {
        let Some(text) = data.read(FILE, 256).map_err(HashKeyError::Data)? else {
            return Self::create(data);
        };
        let path = data.path().join(FILE);
        let mode = std::fs::metadata(path).map_err(HashKeyError::Random)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(HashKeyError::Exposed { mode });
        }
        Self::parse(&text).ok_or(HashKeyError::Malformed)
    }

    /// Names the key; never 0.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The key itself, for `Welcome` and for nothing that is stored.
    #[must_use]
    pub fn reveal(&self) -> [u8; 16] {
        self.bytes
    }

    fn create(data: &DataFolder) -> Result<Self, HashKeyError> {
        let mut random = [0; 20];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut random)).map_err(HashKeyError::Random)?;
        let [a, b, c, d, bytes @ ..] = random;
        let key = Self { id: u32::from_le_bytes([a, b, c, d]).max(1), bytes };
        data.replace(FILE, key.line().as_bytes(), 0o600).map_err(HashKeyError::Data)?;
        Ok(key)
    }

    fn line(&self) -> String {
        format!("{WORD} {} {:032x}\n", self.id, u128::from_be_bytes(self.bytes))
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split_ascii_whitespace();
        let (word, id, key) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
        let fits = word == WORD && id != 0 && key.len() == 32 && words.next().is_none();
        let bytes = u128::from_str_radix(key, 16).ok()?.to_be_bytes();
        fits.then_some(Self { id, bytes })
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl fmt::Display for HashKeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Data(error) => error.fmt(f),
            Self::Malformed => write!(f, "`{FILE}` in the data folder is not a key; remove it to have a new one made"),
            Self::Exposed { mode } => {
                write!(f, "`{FILE}` in the data folder has mode {mode:04o}, others can read it; set it to 0600")
            }
            Self::Random(error) => write!(f, "cannot make a key: {error}"),
        }
    }
}

impl std::error::Error for HashKeyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_survives_a_restart_and_is_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolder::open(dir.path()).unwrap();
        let made = HashKey::open(&data).unwrap();
        let found = HashKey::open(&data).unwrap();
        assert_eq!((made.id(), made.reveal()), (found.id(), found.reveal()));
        assert_ne!(made.id(), 0);
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let key = format!("{:032x}", u128::from_be_bytes(made.reveal()));
        assert!(!format!("{made:?}").contains(&key));
    }

    #[test]
    fn a_key_that_others_can_read_and_a_file_that_is_no_key_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataFolder::open(dir.path()).unwrap();
        let key = HashKey::open(&data).unwrap().line();
        data.replace(FILE, key.as_bytes(), 0o644).unwrap();
        assert!(matches!(HashKey::open(&data), Err(HashKeyError::Exposed { mode: 0o644 })));
        for bad in ["", "gatehouse-hash-key 1 12", "other 1 00112233445566778899aabbccddeeff", &key.repeat(2)] {
            data.replace(FILE, bad.as_bytes(), 0o600).unwrap();
            assert!(matches!(HashKey::open(&data), Err(HashKeyError::Malformed)), "{bad}");
        }
    }
}
