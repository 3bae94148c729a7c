mod cases;
mod headers;

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::connection::Connection;
use crate::head::Pair;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn networks(list: &[&str]) -> Trust {
    Trust::Networks(list.iter().map(|text| text.parse::<Network>().unwrap()).collect())
}

fn client(peer: &str, forwarded: &[&str], trust: &Trust) -> (Option<IpAddr>, bool) {
    let connection = Connection { peer: peer.parse().ok(), ..Connection::default() };
    let headers: Vec<Pair<'_>> = forwarded.iter().map(|value| (&b"x-forwarded-for"[..], value.as_bytes())).collect();
    let client = Client::resolve(&Head::new(&headers, &connection), &Source::XForwardedFor, trust);
    (client.address, client.forwarded)
}

fn forwarded(address: &str) -> (Option<IpAddr>, bool) {
    (Some(ip(address)), true)
}

fn peer(address: &str) -> (Option<IpAddr>, bool) {
    (Some(ip(address)), false)
}

#[test]
fn with_nobody_trusted_the_client_is_the_peer_whatever_the_header_says() {
    for trust in [Trust::None, Trust::Hops(0), networks(&[]), networks(&["10.0.0.0/8"])] {
        assert_eq!(client("192.0.2.9", &["7.7.7.7", "10.0.0.1"], &trust), peer("192.0.2.9"));
    }
}

#[test]
fn without_a_peer_no_header_is_believed() {
    for trust in [Trust::Hops(3), networks(&["0.0.0.0/0"])] {
        assert_eq!(client("", &["7.7.7.7"], &trust), (None, false));
    }
}

#[test]
fn the_rightmost_untrusted_entry_is_the_client() {
    let trust = networks(&["10.0.0.0/8", "2001:db8::/32"]);
    assert_eq!(client("10.0.0.1", &["7.7.7.7, 192.0.2.5, 10.0.0.2"], &trust), forwarded("192.0.2.5"));
    assert_eq!(client("2001:db8::1", &["7.7.7.7, 192.0.2.5"], &trust), forwarded("192.0.2.5"));
}

#[test]
fn every_value_of_a_repeated_header_is_walked_in_order() {
    let trust = networks(&["10.0.0.0/8"]);
    assert_eq!(client("10.0.0.1", &["7.7.7.7", "192.0.2.5, 10.0.0.3", "10.0.0.2"], &trust), forwarded("192.0.2.5"));
}

#[test]
fn one_entry_that_is_the_peer_itself_is_passed_over() {
    let hops = Trust::Hops(1);
    assert_eq!(client("10.0.0.1", &["7.7.7.7, 192.0.2.5"], &hops), forwarded("192.0.2.5"));
    assert_eq!(client("10.0.0.1", &["7.7.7.7, 192.0.2.5, 10.0.0.1"], &hops), forwarded("192.0.2.5"));
    assert_eq!(client("10.0.0.1", &["192.0.2.5, 10.0.0.1, 10.0.0.1"], &hops), forwarded("10.0.0.1"));
    assert_eq!(client("10.0.0.1", &["10.0.0.1"], &hops), peer("10.0.0.1"));
}

#[test]
fn hops_are_counted_from_the_peer() {
    let header = ["1.1.1.1, 2.2.2.2, 3.3.3.3"];
    for (hops, expected) in [(1, "3.3.3.3"), (2, "2.2.2.2"), (3, "1.1.1.1")] {
        assert_eq!(client("10.0.0.1", &header, &Trust::Hops(hops)), forwarded(expected), "{hops}");
    }
}

#[test]
fn fewer_entries_than_hops_or_no_address_there_mean_the_peer() {
    for header in ["7.7.7.7, 2.2.2.2", "7.7.7.7, unknown, 2.2.2.2, 3.3.3.3", "0.0.0.0, 2.2.2.2, 3.3.3.3", ""] {
        assert_eq!(client("10.0.0.1", &[header], &Trust::Hops(3)), peer("10.0.0.1"), "{header}");
    }
    assert_eq!(client("10.0.0.1", &["7.7.7.7, unknown, _x"], &Trust::Hops(3)), forwarded("7.7.7.7"));
    assert_eq!(client("10.0.0.1", &[&"7.7.7.7, ".repeat(300)], &Trust::Hops(200)), peer("10.0.0.1"));
}

#[test]
fn where_all_are_trusted_the_first_of_them_is_the_client() {
    assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"], &networks(&["10.0.0.0/8"])), forwarded("10.0.0.3"));
    assert_eq!(client("10.0.0.1", &[], &networks(&["10.0.0.0/8"])), peer("10.0.0.1"));
}

#[test]
fn an_entry_that_is_no_address_ends_the_walk_at_the_hop_before_it() {
    let trust = networks(&["10.0.0.0/8"]);
    for odd in
        ["unknown", "_hidden", "", "host.example", "1.2.3.4.5", "0.0.0.0", "::", "1.2.3.4:x", "[::1", "256.1.1.1", "-"]
    {
        let header = format!("7.7.7.7, {odd}, 10.0.0.2");
        assert_eq!(client("10.0.0.1", &[&header], &trust), forwarded("10.0.0.2"), "{odd}");
        assert_eq!(client("10.0.0.1", &[&format!("7.7.7.7, {odd}")], &trust), peer("10.0.0.1"), "{odd}");
    }
}

#[test]
fn ports_brackets_zones_quotes_and_mapped_addresses_are_read() {
    let trust = networks(&["10.0.0.0/8"]);
    for (entry, expected) in [
        ("192.0.2.5:1234", "192.0.2.5"),
        ("\"192.0.2.5\"", "192.0.2.5"),
        ("\"[2001:db8::5]:99\"", "2001:db8::5"),
        ("[2001:db8::5]", "2001:db8::5"),
        ("2001:db8::5", "2001:db8::5"),
        ("fe80::5%eth0", "fe80::5"),
        ("[fe80::5%eth0]:80", "fe80::5"),
        ("::ffff:192.0.2.5", "192.0.2.5"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("\t192.0.2.5 ", "192.0.2.5"),
        ("192.0.2.5:_hidden-1", "192.0.2.5"),
        ("[2001:db8::5]:_p", "2001:db8::5"),
        ("[fe80::5%25eth0]", "fe80::5"),
    ] {
        assert_eq!(client("10.0.0.1", &[entry], &trust), forwarded(expected), "{entry}");
    }
    assert_eq!(client("::ffff:10.0.0.1", &["192.0.2.5"], &trust), forwarded("192.0.2.5"));
}

#[test]
fn a_flood_of_trusted_entries_is_walked_so_far_and_no_further() {
    let header = format!("192.0.2.5, 10.9.9.9{}", ", 10.0.0.2".repeat(MAX_FORWARDED_ENTRIES));
    assert_eq!(client("10.0.0.1", &[&header], &networks(&["10.0.0.0/8"])), forwarded("10.0.0.2"));
}

#[test]
fn networks_say_what_is_wrong_with_them() {
    for (text, says) in [
        (
            "10.0.0.1/8",
            "`10.0.0.1/8` has bits set after its prefix: write `10.0.0.0/8` for the network, or the address alone",
        ),
        ("10.0.0.0/33", "`10.0.0.0/33` has no such prefix length: write a whole number from 0 to 32 after the slash"),
        ("::/129", "`::/129` has no such prefix length: write a whole number from 0 to 128 after the slash"),
        ("10.0.0.0/+8", "`10.0.0.0/+8` has no such prefix length: write a whole number from 0 to 32 after the slash"),
        ("office", "`office` is no network: write an address, or a network such as `192.0.2.0/24` or `2001:db8::/32`"),
    ] {
        assert_eq!(text.parse::<Network>().unwrap_err().to_string(), says);
    }
}

#[test]
fn networks_are_folded_and_printed() {
    for (text, printed) in [
        ("192.0.2.1", "192.0.2.1/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::FFFF:10.0.0.1", "10.0.0.1/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::/0", "::/0"),
        ("0.0.0.0/0", "0.0.0.0/0"),
    ] {
        assert_eq!(text.parse::<Network>().unwrap().to_string(), printed);
    }
    assert!("0.0.0.0/0".parse::<Network>().unwrap().contains(ip("::ffff:1.2.3.4")));
    assert!(!"::/0".parse::<Network>().unwrap().contains(ip("1.2.3.4")));
}

fn any_network() -> impl Strategy<Value = Network> {
    // Few distinct bits, so that networks overlap and addresses meet them.
    let v4 =
        (0u32..8, 26u8..=32).prop_map(|(low, prefix)| Network::new(IpAddr::V4((0x0A00_0000 | low).into()), prefix));
    let v6 = (0u128..8, 122u8..=128).prop_map(|(low, prefix)| Network::new(IpAddr::V6(low.into()), prefix));
    prop_oneof![v4, v6]
}

proptest! {
    #[test]
    fn a_set_contains_what_one_of_its_networks_contains(list in prop::collection::vec(any_network(), 0..8), low in 0u32..80) {
        let set: Networks = list.iter().copied().collect();
        for address in [IpAddr::V4((0x0A00_0000 | low).into()), IpAddr::V6(u128::from(low).into())] {
            prop_assert_eq!(set.contains(address), list.iter().any(|network| network.contains(address)));
        }
    }

    #[test]
    fn a_network_printed_is_the_network(address in any::<u128>(), prefix in 0u8..=128) {
        let network = Network::new(IpAddr::V6(address.into()), prefix);
        prop_assert_eq!(network.to_string().parse::<Network>(), Ok(network));
        prop_assert!(network.contains(network.address()) && network.contains(network.last()));
    }

    #[test]
    fn resolving_is_total_and_gives_an_address_wherever_a_peer_is_known(
        values in prop::collection::vec(prop::collection::vec(hostile_byte(), 0..48), 0..3),
        hops in any::<u8>(),
        few in prop::sample::select(vec![Source::XForwardedFor, Source::Forwarded, Source::header("x-real-ip").unwrap()]),
    ) {
        let connection = Connection { peer: Some(ip("10.0.0.1")), ..Connection::default() };
        let name: &[u8] = match &few { Source::Forwarded => b"forwarded", Source::Header(name) => name, _ => b"x-forwarded-for" };
        let headers: Vec<Pair<'_>> = values.iter().map(|value| (name, value.as_slice())).collect();
        let head = Head::new(&headers, &connection);
        for trust in [Trust::Hops(hops), networks(&["10.0.0.0/8"])] {
            let client = Client::resolve(&head, &few, &trust);
            prop_assert!(client.address.is_some());
            let told = Client::told(&head, &few, &trust);
            prop_assert!(told.is_none() || told == client.address);
        }
    }

    #[test]
    fn reading_an_address_is_total_and_undoes_writing_it(text in prop::collection::vec(any::<u8>(), 0..140), v6 in any::<u128>(), port in any::<u16>()) {
        let _ = read(&text);
        let address = IpAddr::V6(v6.into());
        prop_assume!(!address.is_unspecified());
        prop_assert_eq!(read(format!("\"[{address}%e0]:{port}\"").as_bytes()), Some(fold(address)));
    }
}

/// Bytes that addresses and lists are made of, and any others.
fn hostile_byte() -> impl Strategy<Value = u8> {
    prop_oneof![4 => prop::sample::select(b"for=FOR\"\\,;[]:%_. \t0123456789abcdef".to_vec()), 1 => any::<u8>()]
}
