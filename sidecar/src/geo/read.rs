//! One file of countries or systems: MMDB or CSV, told apart by content. What it says of networks goes to a [`Taker`].

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

use gatehouse_signals::address::Network;
use serde::Serialize;

use super::{csv, mmdb};

/// Largest file, bytes: databases of every city of the world are about 130 MB.
pub(super) const MAX_FILE_BYTES: u64 = 1 << 30;

/// Networks in all files together, neighbours that say the same counted once; at about 80 bytes each while the table is built.
pub(super) const MAX_NETWORKS: usize = 8 << 20;

/// What is said of one network: country, autonomous system.
pub(super) type Said = (Network, Option<[u8; 2]>, Option<u32>);

/// What kind of file it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// CSV: networks with the number of their autonomous system.
    AsnBlocks,
    /// CSV: networks with the number of a location.
    CountryBlocks,
    /// CSV: locations by number, with their country.
    Locations,
    /// MMDB, of the type that it names itself.
    Mmdb(String),
    /// CSV: `network,country,asn`.
    Simple,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// What it is.
    pub kind: Kind,
    /// When it was made: what it says itself, else when it was last written.
    pub built: SystemTime,
    /// Networks in it.
    pub networks: u64,
}

/// Why a file cannot be used.
#[derive(Debug)]
pub(super) enum GeoError {
    /// It cannot be read.
    Io(io::Error),
    /// It is an MMDB, and broken.
    Mmdb(maxminddb::MaxMindDbError),
    /// It is a CSV, and this line is wrong.
    Line {
        /// From 1, the header counted.
        line: u64,
        /// What is wrong with it.
        problem: String,
    },
    /// It is none of the files that can be used.
    Unknown(String),
    /// All files together hold more than [`MAX_NETWORKS`].
    TooMany,
}

/// Takes in what files say. Where a file lists its networks in order and once each, neighbours that say the same become one
/// network, which makes a hundredth of a database of cities.
#[derive(Debug, Default)]
pub(super) struct Taker {
    said: Vec<Said>,
    /// What was taken since `joined` may be joined.
    begun: usize,
    count: u64,
}

impl Taker {
    /// Everything that was said.
    #[must_use]
    pub(super) fn into_said(self) -> Vec<Said> {
        self.said
    }

    /// Begins with the next file.
    pub(super) fn begin(&mut self) {
        (self.begun, self.count) = (self.said.len(), 0);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Takes one network of a file that lists them in any order and may list one within another.
    pub(super) fn take(&mut self, said: Said) -> Result<(), GeoError> {
        self.count += 1;
        if said.1.is_none() && said.2.is_none() {
            return Ok(());
        }
        if self.said.len() >= MAX_NETWORKS {
            return Err(GeoError::TooMany);
        }
        self.said.push(said);
        Ok(())
    }

    /// Takes one network of a file in which none lies within another.
    pub(super) fn join(&mut self, said: Said) -> Result<(), GeoError> {
        let (mut network, country, asn) = said;
        if country.is_some() || asn.is_some() {
            while self.said.len() > self.begun
                && let Some((before, ..)) = self.said.pop_if(|(_, c, a)| (*c, *a) == (country, asn))
            {
                match parent(before, network) {
                    Some(parent) => network = parent,
                    None => {
                        self.said.push((before, country, asn));
                        break;
                    }
                }
            }
        }
        self.take((network, country, asn))
    }
}

/// The network that two halves, the lower one first, make together.
fn parent(low: Network, high: Network) -> Option<Network> {
    let prefix = low.prefix().checked_sub(1)?;
    let parent = Network::new(low.address(), prefix);
    let halves = low.prefix() == high.prefix()
        && parent.address() == low.address()
        && parent.last() == high.last()
        && low.address() != high.address();
    halves.then_some(parent)
}

/// Reads one file.
///
/// # Errors
/// It cannot be used, or there is no room for what it says.
pub(super) fn read(path: &Path, locations: &mut csv::Locations, taker: &mut Taker) -> Result<Facts, GeoError> {
    let mut file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.len() > MAX_FILE_BYTES {
        return Err(GeoError::Unknown(format!("it is larger than {} MiB", MAX_FILE_BYTES >> 20)));
    }
    taker.begin();
    if is_mmdb(&mut file, metadata.len())? {
        return mmdb::read(file, taker);
    }
    let kind = csv::read(BufReader::with_capacity(1 << 20, file), locations, taker)?;
    Ok(Facts { kind, built: metadata.modified()?, networks: taker.count() })
}

/// Whether the marker that begins an MMDB's metadata stands in the last 128 KiB (MaxMind DB specification 2.0).
fn is_mmdb(file: &mut File, length: u64) -> io::Result<bool> {
    const MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";
    file.seek(SeekFrom::Start(length.saturating_sub(128 << 10)))?;
    let mut end = Vec::new();
    file.by_ref().take(128 << 10).read_to_end(&mut end)?;
    file.rewind()?;
    Ok(end.windows(MARKER.len()).any(|window| window == MARKER))
}

// --- GeoError ---

impl From<io::Error> for GeoError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<maxminddb::MaxMindDbError> for GeoError {
    fn from(error: maxminddb::MaxMindDbError) -> Self {
        Self::Mmdb(error)
    }
}

impl fmt::Display for GeoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "it cannot be read: {error}"),
            Self::Mmdb(error) => write!(f, "the database is broken: {error}"),
            Self::Line { line, problem } => write!(f, "line {line}: {problem}"),
            Self::Unknown(problem) => f.write_str(problem),
            Self::TooMany => write!(
                f,
                "the files hold more than {MAX_NETWORKS} networks; use a database of countries, not one of cities"
            ),
        }
    }
}

impl std::error::Error for GeoError {}
