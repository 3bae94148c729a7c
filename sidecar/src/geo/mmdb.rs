//! MMDB: the layouts of City, Country and ASN databases, and the flat one of other makers.
//!
//! | field | read as |
//! |---|---|
//! | `country.iso_code` | the country where the address is used |
//! | `country_code`, or `country` where it is a text of two letters | the same, flat |
//! | `autonomous_system_number` | the system |
//! | `asn`, a number or `AS` with a number | the same, flat |
//!
//! The country where a network is registered is not read: it says where a company is, not where a client is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;

use gatehouse_signals::address::Network;
use maxminddb::{Reader, WithinOptions};
use serde::Deserialize;

use super::csv;
use super::read::{Facts, GeoError, Kind, Taker};

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow, default)]
    country: Option<Country<'a>>,
    #[serde(default)]
    country_code: Option<&'a str>,
    #[serde(default)]
    autonomous_system_number: Option<u32>,
    #[serde(borrow, default)]
    asn: Option<Asn<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Country<'a> {
    Nested {
        #[serde(borrow, default)]
        iso_code: Option<&'a str>,
    },
    Flat(&'a str),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Asn<'a> {
    Number(u32),
    Text(&'a str),
}

type Place = (Option<[u8; 2]>, Option<u32>);

/// Reads a database whole; it may be replaced in place while it is read, so it is not mapped.
pub(super) fn read(mut file: File, taker: &mut Taker) -> Result<Facts, GeoError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let reader = Reader::from_source(bytes)?;
    let metadata = reader.metadata();
    let (kind, built) = (Kind::Mmdb(metadata.database_type.clone()), metadata.build_time()?);
    // Few records stand for many networks.
    let mut known: BTreeMap<usize, Place> = BTreeMap::new();
    let mut useful = false;
    for found in reader.networks(WithinOptions::default())? {
        let found = found?;
        let Some(offset) = found.offset() else { continue };
        let place = match known.get(&offset) {
            Some(place) => *place,
            None => {
                let place = found.decode::<Record<'_>>()?.map(|record| record.place()).unwrap_or_default();
                known.insert(offset, place);
                place
            }
        };
        useful |= place != (None, None);
        let network = found.network()?;
        taker.join((Network::new(network.ip(), network.prefix()), place.0, place.1))?;
    }
    if !useful {
        let words = "no network in this database has a country or a system";
        return Err(GeoError::Unknown(format!("{words}; use a City, Country or ASN database")));
    }
    Ok(Facts { kind, built, networks: taker.count() })
}

impl Record<'_> {
    fn place(&self) -> Place {
        let nested = match &self.country {
            Some(Country::Nested { iso_code }) => *iso_code,
            Some(Country::Flat(text)) => Some(*text),
            None => None,
        };
        let country = self.country_code.or(nested).and_then(csv::country);
        let flat = match &self.asn {
            Some(Asn::Number(number)) => Some(*number),
            Some(Asn::Text(text)) => csv::asn(text),
            None => None,
        };
        (country, self.autonomous_system_number.or(flat).filter(|asn| *asn != 0))
    }
}
