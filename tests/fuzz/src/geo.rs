//! A hostile table of countries and systems is refused or safe to look up in; one that was built says what the most specific
//! network says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_signals::Network;
use gatehouse_signals::geo::{Place, Table, build};

use crate::given::Dice;

type Entry = (Network, Option<[u8; 2]>, Option<u32>);

/// One byte for how many networks, the networks, then changes to the bytes of their table; 0xFF: the rest is the table itself.
pub fn check(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let count = dice.byte();
    if count == 0xFF {
        return hostile(dice.0.to_vec());
    }
    let networks: Vec<Entry> = (0..count % 12).map(|_| entry(&mut dice)).collect();
    let mut table = build(networks.iter().copied()).expect("a table of few networks");
    let built = Table::load(table.clone()).expect("what is built loads");
    for (network, ..) in &networks {
        for address in [network.address(), network.last()] {
            assert_eq!(built.lookup(address), expected(&networks, address), "{address}");
        }
    }
    if dice.is_empty() {
        return;
    }
    // Most of a table is the buckets of IPv4, which say little: changes go to its ends.
    while !dice.is_empty() {
        let from_end = dice.byte() & 1 == 1;
        let at = dice.below(table.len().min(512));
        let at = if from_end { table.len() - 1 - at } else { at };
        table[at] = dice.byte();
    }
    hostile(table);
}

fn entry(dice: &mut Dice<'_>) -> Entry {
    let kind = dice.byte();
    let address: IpAddr = match kind & 1 {
        0 => Ipv4Addr::new(10, dice.byte() % 4, dice.byte(), dice.byte()).into(),
        _ => Ipv6Addr::new(
            0x2001,
            0xdb8,
            0,
            u16::from(dice.byte() % 4),
            0,
            0,
            u16::from(dice.byte()),
            dice.byte().into(),
        )
        .into(),
    };
    let network = Network::new(address, dice.byte() % if kind & 1 == 0 { 33 } else { 129 });
    let country = (kind & 2 == 2).then(|| [b'A' + dice.byte() % 26, b'Z']);
    (network, country, (kind & 4 == 4).then(|| u32::from(dice.byte() % 4)))
}

/// The most specific network that says something of each; of two that are equal, the later.
fn expected(networks: &[Entry], address: IpAddr) -> Place {
    let mut place = Place::default();
    let mut around: Vec<&Entry> = networks.iter().filter(|(network, ..)| network.contains(address)).collect();
    around.sort_by_key(|(network, ..)| network.prefix());
    for (_, country, asn) in around {
        place.country = country.or(place.country);
        place.asn = asn.filter(|asn| *asn != 0).or(place.asn);
    }
    place
}

fn hostile(bytes: Vec<u8>) {
    let Ok(table) = Table::load(bytes) else { return };
    let v4 = [0, 1, 0x0A00_0000, 0x0A01_FFFF, u32::MAX].map(|bits| IpAddr::from(Ipv4Addr::from_bits(bits)));
    let v6 = [0, 1, 0x2001_0db8 << 96, (0x2001_0db8 << 96) + 0x1_0005, u128::MAX]
        .map(|bits| Ipv6Addr::from_bits(bits).into());
    for address in v4.into_iter().chain(v6) {
        assert_eq!(table.lookup(address), table.lookup(address));
    }
    assert!(table.ranges() <= table.bytes());
}
