//! Sets answer as a walk over their entries does.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use gatehouse_signals::address::Network;
use proptest::prelude::*;

use super::*;
use crate::image::{Builder, View, set};

fn network() -> impl Strategy<Value = Network> {
    let v4 = (0u32..1 << 12, 0u8..=32)
        .prop_map(|(bits, prefix)| Network::new(Ipv4Addr::from(bits << 20 | bits).into(), prefix));
    let v6 = (0u128..1 << 10, 0u8..=128).prop_map(|(bits, prefix)| {
        Network::new(Ipv6Addr::from(0x2001 << 112 | bits << 80 | bits << 60).into(), prefix.max(8))
    });
    prop_oneof![v4, v6]
}

fn address() -> impl Strategy<Value = IpAddr> {
    network().prop_flat_map(|n| prop_oneof![Just(n.address()), Just(n.last())])
}

proptest! {
    #[test]
    fn a_set_of_networks_holds_what_one_of_them_holds(
        networks in proptest::collection::vec(network(), 0..300),
        asked in proptest::collection::vec(address(), 1..60),
    ) {
        let mut builder = Builder::default();
        write_networks(&networks[..networks.len() / 2], &mut builder);
        let at = write_networks(&networks, &mut builder) as usize;
        let view = View::frame(builder.finish(crate::IMAGE_VERSION)).expect("sound");
        for address in asked {
            let expected = networks.iter().any(|network| network.contains(address));
            prop_assert_eq!(holds_address(&view, at, address), expected, "{}", address);
        }
        prop_assert_eq!(super::networks(&view, at).collect::<Vec<_>>(), disjoint(&networks));
    }

    #[test]
    fn large_sets_are_found_through_buckets_and_samples(
        seed in any::<u64>(), asked in proptest::collection::vec(any::<u32>(), 1..40),
    ) {
        let mut state = seed | 1;
        let mut next = || { state = crate::index::hash::number(state); state };
        let v4: Vec<Network> = (0..5000).map(|_| Network::new(Ipv4Addr::from(next() as u32 & 0x00ff_ffff).into(), 24 + (next() % 9) as u8)).collect();
        let v6: Vec<Network> = (0..500).map(|_| {
            Network::new(Ipv6Addr::from(u128::from(next() & 0xff) << 64 | u128::from(next())).into(), 64 + (next() % 65) as u8)
        }).collect();
        let all: Vec<Network> = v4.iter().chain(&v6).copied().collect();
        let mut builder = Builder::default();
        let at = write_networks(&all, &mut builder) as usize;
        let view = View::frame(builder.finish(crate::IMAGE_VERSION)).expect("sound");
        for number in asked {
            let v4 = IpAddr::from(Ipv4Addr::from(number & 0x00ff_ffff));
            prop_assert_eq!(holds_address(&view, at, v4), all.iter().any(|n| n.contains(v4)));
            let near = all[number as usize % all.len()];
            for address in [near.address(), near.last()] {
                prop_assert!(holds_address(&view, at, address));
            }
        }
    }
}

#[test]
fn two_halves_are_one_whole() {
    let read = |texts: &[&str]| {
        let networks: Vec<Network> = texts.iter().map(|text| text.parse().expect("a network")).collect();
        disjoint(&networks).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(read(&["10.0.1.0/24", "10.0.0.0/25", "10.0.0.128/25", "10.0.2.0/24"]), ["10.0.0.0/23", "10.0.2.0/24"]);
    assert_eq!(read(&["0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1"]), ["0.0.0.0/0", "::/0"]);
}

#[test]
fn numbers_and_texts_are_found_and_others_are_not() {
    let mut builder = Builder::default();
    let numbers = write_numbers(set::ASNS, [64_500, 3, 64_500].into_iter(), &mut builder) as usize;
    let texts = write_texts(["t13d", "h0", "q13"].into_iter(), 3, &mut builder) as usize;
    let ids = write_identities(["spiffe://d/ns/a/sa/b", "spiffe://d/ns/ops/sa/*"].into_iter(), &mut builder) as usize;
    assert_eq!(write_numbers(set::ASNS, [3, 64_500].into_iter(), &mut builder) as usize, numbers);
    let view = View::frame(builder.finish(crate::IMAGE_VERSION)).expect("sound");
    assert!(
        holds_number(&view, numbers, 3) && holds_number(&view, numbers, 64_500) && !holds_number(&view, numbers, 4)
    );
    assert!(holds_text(&view, texts, b"h0") && holds_text(&view, texts, b"q13") && !holds_text(&view, texts, b"h"));
    assert!(
        holds_identity(&view, ids, b"spiffe://d/ns/a/sa/b") && holds_identity(&view, ids, b"spiffe://d/ns/ops/sa/x")
    );
    assert!(!holds_identity(&view, ids, b"spiffe://d/ns/a/sa/c"));
}

/// Networks that are spread like those of real lists, none within another.
fn many(count: usize, v6: bool) -> Vec<Network> {
    let mut state = 7;
    let mut next = || {
        state = crate::index::hash::number(state);
        state
    };
    let mut networks = Vec::new();
    while networks.len() < count {
        networks.extend((networks.len()..count + count / 8).map(|_| {
            let (bits, length) = (next(), next());
            if v6 {
                let address = 0x2000 << 112 | u128::from(bits >> 3) << 64 | u128::from(length);
                Network::new(Ipv6Addr::from(address).into(), 32 + (length % 97) as u8)
            } else {
                Network::new(Ipv4Addr::from(bits as u32).into(), 22 + (length % 11) as u8)
            }
        }));
        networks = disjoint(&networks);
    }
    networks.truncate(count);
    networks
}

/// `cargo test --release … a_hundred_thousand -- --nocapture` prints nanoseconds.
#[test]
fn a_hundred_thousand_networks_take_two_mebibytes_at_most() {
    for v6 in [false, true] {
        let networks = many(100_000, v6);
        let mut builder = Builder::default();
        let at = write_networks(&networks, &mut builder) as usize;
        let image = builder.finish(crate::IMAGE_VERSION);
        assert!(image.len() <= 2 << 20, "{} bytes", image.len());
        let bytes = image.len();
        let view = View::frame(image).expect("sound");
        let asked: Vec<IpAddr> = (0..4096u64)
            .map(|i| match networks[crate::index::hash::number(i) as usize % networks.len()].address() {
                IpAddr::V4(v4) if i % 2 == 0 => Ipv4Addr::from(u32::from(v4).wrapping_sub(1)).into(),
                IpAddr::V6(v6) if i % 2 == 0 => Ipv6Addr::from(u128::from(v6).wrapping_sub(1)).into(),
                address => address,
            })
            .collect();
        let (mut held, mut best) = (0, u128::MAX);
        for _ in 0..if cfg!(debug_assertions) { 1 } else { 200 } {
            let begin = std::time::Instant::now();
            held = asked.iter().filter(|address| holds_address(&view, at, std::hint::black_box(**address))).count();
            best = best.min(begin.elapsed().as_nanos());
        }
        println!(
            "100,000 {} networks: {bytes} bytes, {} ns",
            if v6 { "IPv6" } else { "IPv4" },
            best / asked.len() as u128
        );
        assert!(held >= asked.len() / 2, "{held}");
    }
}
