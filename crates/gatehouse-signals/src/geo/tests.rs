mod measure;

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::address::Network;

type Said = (Network, Option<[u8; 2]>, Option<u32>);

fn said(network: &str, country: &str, asn: u32) -> Said {
    (network.parse().unwrap(), country.as_bytes().try_into().ok(), (asn > 0).then_some(asn))
}

fn table(said: &[Said]) -> Table {
    Table::load(build(said.iter().copied()).unwrap()).unwrap()
}

fn look(table: &Table, address: &str) -> (Option<String>, Option<u32>) {
    let place = table.lookup(address.parse().unwrap());
    (place.country.map(|letters| String::from_utf8(letters.to_vec()).unwrap()), place.asn)
}

fn at(country: &str, asn: u32) -> (Option<String>, Option<u32>) {
    ((!country.is_empty()).then(|| country.to_owned()), (asn > 0).then_some(asn))
}

#[test]
fn a_table_tells_which_of_the_two_it_knows() {
    let has = |table: Table| (table.has_countries(), table.has_asns());
    assert_eq!(has(table(&[])), (false, false));
    assert_eq!(has(table(&[said("10.0.0.0/8", "DE", 0)])), (true, false));
    assert_eq!(has(table(&[said("2001:db8::/32", "", 7)])), (false, true));
    assert_eq!(has(table(&[said("10.0.0.0/8", "DE", 0), said("10.1.0.0/16", "", 7)])), (true, true));
}

#[test]
fn the_most_specific_network_says_where_an_address_is() {
    let table = table(&[
        said("10.0.0.0/8", "DE", 1),
        said("10.1.0.0/16", "FR", 0),
        said("10.1.2.0/24", "", 7),
        said("10.1.2.3/32", "AT", 9),
        said("192.0.2.0/24", "US", 64500),
        said("2001:db8::/32", "NL", 3),
        said("2001:db8:5::/48", "BE", 4),
    ]);
    for (address, expected) in [
        ("9.255.255.255", at("", 0)),
        ("10.0.0.0", at("DE", 1)),
        ("10.1.0.0", at("FR", 1)),
        ("10.1.2.2", at("FR", 7)),
        ("10.1.2.3", at("AT", 9)),
        ("10.1.2.4", at("FR", 7)),
        ("10.1.3.0", at("FR", 1)),
        ("10.2.0.0", at("DE", 1)),
        ("10.255.255.255", at("DE", 1)),
        ("11.0.0.0", at("", 0)),
        ("::ffff:192.0.2.9", at("US", 64500)),
        ("255.255.255.255", at("", 0)),
        ("2001:db8:4:ffff::1", at("NL", 3)),
        ("2001:db8:5::1", at("BE", 4)),
        ("2001:db8:6::", at("NL", 3)),
        ("2001:db9::", at("", 0)),
        ("::", at("", 0)),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", at("", 0)),
    ] {
        assert_eq!(look(&table, address), expected, "{address}");
    }
}

#[test]
fn networks_finer_than_a_64_are_found_among_their_neighbours() {
    let table = table(&[
        said("2001:db8::/32", "NL", 3),
        said("2001:db8:0:1::8000/113", "BE", 0),
        said("2001:db8:0:2::/64", "FR", 0),
        said("2001:db8:0:3::1/128", "IT", 5),
        said("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fff0/124", "ZZ", 6),
    ]);
    for (address, expected) in [
        ("2001:db8:0:1::7fff", at("NL", 3)),
        ("2001:db8:0:1::8000", at("BE", 3)),
        ("2001:db8:0:1::ffff", at("BE", 3)),
        ("2001:db8:0:1::1:0", at("NL", 3)),
        ("2001:db8:0:2::8000", at("FR", 3)),
        ("2001:db8:0:3::", at("NL", 3)),
        ("2001:db8:0:3::1", at("IT", 5)),
        ("2001:db8:0:3::2", at("NL", 3)),
        ("2001:db8:0:4::2", at("NL", 3)),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffef", at("", 0)),
        ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", at("ZZ", 6)),
    ] {
        assert_eq!(look(&table, address), expected, "{address}");
    }
}

#[test]
fn of_two_that_are_equal_the_later_counts_and_neighbours_are_joined() {
    let joined = table(&[said("10.0.0.0/9", "DE", 1), said("10.128.0.0/9", "DE", 1), said("10.0.0.0/9", "DE", 0)]);
    // It, and what is after it.
    assert_eq!(joined.ranges(), 2);
    let later = table(&[said("10.0.0.0/8", "DE", 1), said("10.0.0.0/8", "FR", 0)]);
    assert_eq!(look(&later, "10.0.0.1"), at("FR", 1));
    let all = table(&[said("0.0.0.0/0", "DE", 0), said("::/0", "FR", 0)]);
    assert_eq!((all.ranges(), look(&all, "255.255.255.255"), look(&all, "ffff::")), (2, at("DE", 0), at("FR", 0)));
}

#[test]
fn an_empty_table_knows_nothing() {
    let table = table(&[]);
    assert_eq!((table.bytes(), table.ranges(), look(&table, "10.0.0.1")), (38, 0, at("", 0)));
    assert_eq!(look(&table, "::1"), at("", 0));
}

#[test]
fn what_is_no_country_and_what_is_too_much_is_refused() {
    let network: Network = "10.0.0.0/8".parse().unwrap();
    let error = build([(network, Some(*b"de"), None)]).unwrap_err();
    assert_eq!(error.to_string(), "the country of `10.0.0.0/8` is not of two upper-case letters");
    let many = (0..1u128 << 20).map(|i| (Network::new(IpAddr::V6((i << 80).into()), 48), None, Some(i as u32 % 9 + 1)));
    assert_eq!(build(many).unwrap_err().to_string(), "a table of 1048577 ranges is longer than 8 MiB");
}

#[test]
fn a_table_that_is_loaded_in_parts_is_the_same_table() {
    let whole = Table::load(small()).unwrap();
    for entries in 1..40 {
        let mut loading = Loading::new(small()).unwrap();
        let mut steps = 1;
        let table = loop {
            match loading.step(entries).unwrap() {
                Progress::More(rest) => loading = rest,
                Progress::Done(table) => break table,
            }
            steps += 1;
        };
        assert_eq!(table, whole);
        assert_eq!(steps, (whole.layout.values + whole.ranges()).div_ceil(entries), "{entries}");
    }
    assert!(matches!(Loading::new(small()).unwrap().step(0), Ok(Progress::More(_))));
}

fn small() -> Vec<u8> {
    build([said("2001:db8::/32", "NL", 3), said("2001:db8:0:1::8000/113", "BE", 0), said("2001:db9::/48", "DE", 1)])
        .unwrap()
}

#[test]
fn bytes_that_are_no_table_say_why() {
    let good = small();
    let changed = |at: usize, value: u8| {
        let mut bytes = good.clone();
        bytes[at] = value;
        Table::load(bytes)
    };
    let layout = Layout::read(&good).unwrap();
    let deep = good.len() - 17 * layout.deep;
    let upper = deep - 9 * layout.v6;
    for (at, value, why) in [
        (0, b'G', LoadError::Magic),
        (7, 2, LoadError::Version(2)),
        (8, 1, LoadError::Length),
        (12, 99, LoadError::Length),
        (16, 1, LoadError::Length),
        (27, 255, LoadError::Length),
        (28, 1, LoadError::Length),
        (32 + 6, b'z', LoadError::Places),
        (32, b'A', LoadError::Places),
        (upper + 7, 0xFF, LoadError::Order),
        (deep - 1, 200, LoadError::Value),
        (good.len() - 1, 200, LoadError::Value),
        (upper + 2 * 9, 3, LoadError::Deep),
        (upper + 17, 3, LoadError::Deep),
        (deep, 1, LoadError::Deep),
        (deep - 1, layout.values as u8, LoadError::Deep),
    ] {
        assert_eq!(changed(at, value).unwrap_err(), why, "{at} {value}");
    }
    for length in 0..good.len() {
        assert!(Table::load(good[..length].to_vec()).is_err(), "{length}");
    }
    assert!(Table::load(vec![0; MAX_BYTES + 1]).is_err());
    assert!(Table::load([good.clone(), vec![0]].concat()).is_err());
}

#[test]
fn buckets_that_do_not_count_are_refused() {
    let good =
        build([said("10.0.0.0/24", "DE", 1), said("10.0.2.0/24", "FR", 1), said("11.0.0.0/8", "AT", 2)]).unwrap();
    let layout = Layout::read(&good).unwrap();
    let buckets = 32 + 6 * layout.values;
    let starts = buckets + 4 * 65537;
    for (at, value, why) in [
        (buckets, 1, LoadError::Buckets),
        (buckets + 4 * 65536, 0, LoadError::Buckets),
        (buckets + 4 * 2561 + 1, 1, LoadError::Buckets),
        (buckets + 4 * 2562, 3, LoadError::Buckets),
        (starts + 4, 0xFF, LoadError::Order),
        (good.len() - 1, 9, LoadError::Value),
    ] {
        let mut bytes = good.clone();
        bytes[at] = value;
        assert_eq!(Table::load(bytes).unwrap_err(), why, "{at} {value}");
    }
}

/// Networks of few distinct bits, so that they nest, touch and are equal; near both ends and around the /64 border.
fn any_said() -> impl Strategy<Value = Said> {
    let v4 = (0u32..64, 24u8..=32, any::<bool>()).prop_map(|(low, prefix, high)| {
        let base = if high { 0xFFFF_FFC0 } else { 0x0AFF_FFE0u32 };
        Network::new(IpAddr::V4(base.wrapping_add(low).into()), prefix)
    });
    let bits = prop_oneof![0u128..32, (0u128..8).prop_map(|upper| upper << 64), any::<u128>()];
    let v6 = (bits, prop_oneof![120u8..=128, 56u8..=68, 0u8..=128], any::<bool>())
        .prop_map(|(bits, prefix, end)| Network::new(IpAddr::V6((if end { !bits } else { bits }).into()), prefix));
    let network = prop_oneof![v4, v6];
    let country = prop::sample::select(vec![None, Some(*b"DE"), Some(*b"FR"), Some(*b"AT")]);
    (network, country, prop::sample::select(vec![None, None, Some(0), Some(1), Some(70_000)]))
}

/// The longest network that contains the address and says something wins, for each of both; of equal ones the last.
fn naive(said: &[Said], address: IpAddr) -> Place {
    let mut best = ((0, None), (0, None));
    for (network, country, asn) in said.iter().filter(|(network, ..)| network.contains(address)) {
        let prefix = network.prefix();
        if country.is_some() && (best.0.1.is_none() || prefix >= best.0.0) {
            best.0 = (prefix, *country);
        }
        if asn.is_some_and(|asn| asn != 0) && (best.1.1.is_none() || prefix >= best.1.0) {
            best.1 = (prefix, *asn);
        }
    }
    Place { country: best.0.1, asn: best.1.1 }
}

/// Addresses at and around every border.
fn borders(said: &[Said]) -> Vec<IpAddr> {
    let around = |address: IpAddr| match address {
        IpAddr::V4(v4) => [-1i64, 0, 1].map(|by| IpAddr::V4(u32::from(v4).wrapping_add(by as u32).into())),
        IpAddr::V6(v6) => [-1i128, 0, 1].map(|by| IpAddr::V6(u128::from(v6).wrapping_add(by as u128).into())),
    };
    // An IPv4-mapped address stands for another one.
    let all = said.iter().flat_map(|(network, ..)| [network.address(), network.last()]).flat_map(around);
    all.filter(|address| address.is_ipv4() || crate::address::fold(*address).is_ipv6()).collect()
}

proptest! {
    #[test]
    fn a_lookup_is_the_longest_match(said in prop::collection::vec(any_said(), 0..24)) {
        let table = table(&said);
        for address in borders(&said) {
            prop_assert_eq!(table.lookup(address), naive(&said, address), "{}", address);
        }
    }

    #[test]
    fn damaged_bytes_are_refused_or_read_without_harm(
        said in prop::collection::vec(any_said(), 0..12),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = build(said.iter().copied().filter(|(network, ..)| network.address().is_ipv6())).unwrap();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        if let Ok(table) = Table::load(bytes) {
            for address in borders(&said) {
                let place = table.lookup(address);
                prop_assert!(place.country.is_none_or(|letters| letters.iter().all(u8::is_ascii_uppercase)));
            }
        }
    }

    #[test]
    fn any_bytes_are_refused_in_peace(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Table::load([&b"ghgeo\0\0\x01"[..], &bytes].concat()).is_err());
        prop_assert!(Table::load(bytes).is_err());
    }
}
