//! CSV with a header line, told apart by its columns:
//!
//! | columns | what it is |
//! |---|---|
//! | `network`, and `country` or `asn` or both | the simple form: a network, two letters, a number with or without `AS` |
//! | `network`, `geoname_id` | networks with the number of a location; needs a file of locations beside it |
//! | `geoname_id`, `country_iso_code` | locations by number |
//! | `network`, `autonomous_system_number` | networks with the number of their system |
//!
//! Other columns are passed over. A line that is wrong refuses the file: half a table would be a wrong one.

use std::collections::HashMap;
use std::io::Read;

use gatehouse_signals::address::Network;

use super::read::{GeoError, Kind, Taker};

/// Countries of locations by number; numbers of locations without a country stand there too.
pub(super) type Locations = HashMap<u32, Option<[u8; 2]>>;

/// Longest text of a file that a problem repeats, characters.
const SHOWN: usize = 64;

/// Columns by what they hold.
#[derive(Debug, Default)]
struct Columns {
    network: Option<usize>,
    country: Option<usize>,
    asn: Option<usize>,
    geoname_id: Option<usize>,
    country_iso_code: Option<usize>,
    autonomous_system_number: Option<usize>,
}

/// Reads a file to its end.
pub(super) fn read(file: impl Read, locations: &mut Locations, taker: &mut Taker) -> Result<Kind, GeoError> {
    let mut lines = csv::ReaderBuilder::new().from_reader(file);
    let columns = Columns::of(lines.byte_headers().map_err(broken)?);
    let kind = columns.kind()?;
    let mut line = csv::ByteRecord::new();
    while lines.read_byte_record(&mut line).map_err(broken)? {
        let number = line.position().map_or(0, csv::Position::line);
        let wrong = |problem: String| GeoError::Line { line: number, problem };
        match kind {
            Kind::Locations => {
                let id = columns.geoname_id.map(|at| id(&line, at)).transpose().map_err(wrong)?.flatten();
                let country = read_country(&line, columns.country_iso_code).map_err(wrong)?;
                if let Some(id) = id {
                    locations.insert(id, country);
                }
            }
            Kind::CountryBlocks => {
                let network = network(&line, columns.network).map_err(wrong)?;
                let id = columns.geoname_id.map(|at| id(&line, at)).transpose().map_err(wrong)?.flatten();
                let country = match id {
                    None => None,
                    Some(id) => *locations.get(&id).ok_or_else(|| wrong(unlocated(id)))?,
                };
                taker.join((network, country, None))?;
            }
            Kind::AsnBlocks => {
                let network = network(&line, columns.network).map_err(wrong)?;
                taker.join((network, None, read_asn(&line, columns.autonomous_system_number).map_err(wrong)?))?;
            }
            Kind::Simple | Kind::Mmdb(_) => {
                let network = network(&line, columns.network).map_err(wrong)?;
                let country = read_country(&line, columns.country).map_err(wrong)?;
                taker.take((network, country, read_asn(&line, columns.asn).map_err(wrong)?))?;
            }
        }
    }
    Ok(kind)
}

/// Whether a file begins as one of locations: those are read before the others.
pub(super) fn is_locations(file: impl Read) -> bool {
    let mut lines = csv::ReaderBuilder::new().from_reader(file.take(64 << 10));
    lines.byte_headers().is_ok_and(|header| matches!(Columns::of(header).kind(), Ok(Kind::Locations)))
}

impl Columns {
    fn of(header: &csv::ByteRecord) -> Self {
        let mut columns = Self::default();
        for (at, name) in header.iter().enumerate() {
            let name = name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name).trim_ascii();
            let column = match name {
                b"network" => &mut columns.network,
                b"country" => &mut columns.country,
                b"asn" => &mut columns.asn,
                b"geoname_id" => &mut columns.geoname_id,
                b"country_iso_code" => &mut columns.country_iso_code,
                b"autonomous_system_number" => &mut columns.autonomous_system_number,
                _ => continue,
            };
            column.get_or_insert(at);
        }
        columns
    }

    fn kind(&self) -> Result<Kind, GeoError> {
        let has = |column: Option<usize>| column.is_some();
        Ok(match has(self.network) {
            true if has(self.country) || has(self.asn) => Kind::Simple,
            true if has(self.autonomous_system_number) => Kind::AsnBlocks,
            true if has(self.geoname_id) => Kind::CountryBlocks,
            false if has(self.geoname_id) && has(self.country_iso_code) => Kind::Locations,
            _ => {
                let words = "it is no MMDB, and its first line names no columns that can be used";
                return Err(GeoError::Unknown(format!("{words}; write `network,country,asn`")));
            }
        })
    }
}

/// Two letters as a country; `None`: they are none.
pub(super) fn country(text: &str) -> Option<[u8; 2]> {
    let [first, second]: [u8; 2] = text.as_bytes().try_into().ok()?;
    let letters = [first.to_ascii_uppercase(), second.to_ascii_uppercase()];
    letters.iter().all(u8::is_ascii_uppercase).then_some(letters)
}

/// A number of a system, with or without `AS` before it.
pub(super) fn asn(text: &str) -> Option<u32> {
    let digits = match text.split_at_checked(2) {
        Some((letters, rest)) if letters.eq_ignore_ascii_case("as") => rest,
        _ => text,
    };
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
}

/// The text of a column; empty where there is none.
fn text(line: &csv::ByteRecord, column: Option<usize>) -> Result<&str, String> {
    let bytes = column.and_then(|at| line.get(at)).unwrap_or_default().trim_ascii();
    core::str::from_utf8(bytes).map_err(|_| "it is not UTF-8".to_owned())
}

fn network(line: &csv::ByteRecord, column: Option<usize>) -> Result<Network, String> {
    let text = text(line, column)?;
    text.parse().map_err(|error: gatehouse_signals::address::NetworkError| cut(&error.to_string(), 200))
}

fn read_country(line: &csv::ByteRecord, column: Option<usize>) -> Result<Option<[u8; 2]>, String> {
    match text(line, column)? {
        "" => Ok(None),
        text => country(text).map(Some).ok_or_else(|| format!("`{}` is no country of two letters", cut(text, SHOWN))),
    }
}

fn read_asn(line: &csv::ByteRecord, column: Option<usize>) -> Result<Option<u32>, String> {
    match text(line, column)? {
        "" => Ok(None),
        text => asn(text).map(Some).ok_or_else(|| format!("`{}` is no number of a system", cut(text, SHOWN))),
    }
}

fn id(line: &csv::ByteRecord, column: usize) -> Result<Option<u32>, String> {
    match text(line, Some(column))? {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("`{}` is no number of a location", cut(text, SHOWN))),
    }
}

fn unlocated(id: u32) -> String {
    format!("location `{id}` stands in no file of locations; add the one that came with this file to `files`")
}

fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn broken(error: csv::Error) -> GeoError {
    let line = error.position().map_or(0, csv::Position::line);
    match error.into_kind() {
        csv::ErrorKind::Io(error) => GeoError::Io(error),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            GeoError::Line { line, problem: format!("it has {len} columns, the first line has {expected_len}") }
        }
        _ => GeoError::Line { line, problem: "it is no CSV".into() },
    }
}
