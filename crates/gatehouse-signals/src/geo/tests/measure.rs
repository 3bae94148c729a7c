//! Size and speed of a table as large as real ones get; run by hand:
//! `cargo test --release -p gatehouse-signals geo::tests::measure -- --ignored --nocapture`.

use std::time::{Duration, Instant};

use super::*;

/// A million lookups and more, each of another address.
const LOOKUPS: u32 = 4_000_000;

/// What this thread has spent on a processor, as Linux accounts it; elsewhere the time that has passed.
fn spent(since: Instant) -> Duration {
    let account = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = account.split(' ').next().and_then(|nanos| nanos.parse().ok());
    nanos.map_or(since.elapsed(), Duration::from_nanos)
}

struct Random(u64);

impl Random {
    /// Xorshift.
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn place(random: &mut Random) -> (Option<[u8; 2]>, Option<u32>) {
    let asn = (random.next() % 80_000) as u32 + 1;
    let country = (asn.wrapping_mul(2_654_435_761) >> 16) as u16 % 240;
    (Some([b'A' + (country / 26) as u8, b'A' + (country % 26) as u8]), Some(asn))
}

/// Seven in ten spread evenly, three in ten in a few crowded buckets, as small networks are.
fn v4(random: &mut Random, count: usize) -> Vec<Said> {
    let mut network = |i: usize| match i % 10 {
        0..7 => Network::new(IpAddr::V4((random.next() as u32).into()), 20),
        _ => {
            Network::new(IpAddr::V4(((random.next() as u32 % 300) << 18 | (random.next() as u32 & 0xFFFF)).into()), 28)
        }
    };
    let networks: Vec<Network> = (0..count).map(&mut network).collect();
    networks.into_iter().map(|network| (network, place(random))).map(|(n, (country, asn))| (n, country, asn)).collect()
}

/// Networks of a site each, within those of 30 000 providers; one in a hundred finer than a /64.
fn v6(random: &mut Random, count: usize) -> Vec<Said> {
    let mut network = |i: usize| {
        let provider = 0x2001_0000u128 + u128::from(random.next() % 30_000);
        let bits = provider << 96 | u128::from(random.next() & 0xFFFF) << 80 | u128::from(random.next() & 0xFFFF);
        Network::new(IpAddr::V6(bits.into()), if i.is_multiple_of(100) { 120 } else { 48 })
    };
    let networks: Vec<Network> = (0..count).map(&mut network).collect();
    networks.into_iter().map(|network| (network, place(random))).map(|(n, (country, asn))| (n, country, asn)).collect()
}

fn report(name: &str, said: Vec<Said>) {
    let mut random = Random(7);
    let networks = said.len();
    let within: Vec<IpAddr> = said.iter().map(|(network, ..)| network.last()).collect();
    let clock = Instant::now();
    let mut before = spent(clock);
    let mut lap = || {
        let now = spent(clock);
        now - core::mem::replace(&mut before, now)
    };
    let bytes = build(said).unwrap();
    let built = lap();
    let table = Table::load(bytes).unwrap();
    let loaded = lap();
    // All of them, so that nothing is in a processor's cache; and ten thousand, as many as a busy minute has.
    let [anywhere, known] = [within.len(), 10_000].map(|among| {
        let at = |random: &mut Random| within[(random.next() % among as u64) as usize];
        lap();
        let passed = (0..LOOKUPS).filter(|_| at(&mut random).is_unspecified()).count();
        let picking = lap();
        let found = (0..LOOKUPS).filter(|_| table.lookup(at(&mut random)).asn.is_some()).count();
        assert_eq!((passed, found as u32), (0, LOOKUPS));
        lap().saturating_sub(picking) / LOOKUPS
    });
    let per_million = table.bytes() as f64 * 1e6 / table.ranges() as f64;
    println!(
        "{name}: {networks} networks, {} ranges, {} bytes ({per_million:.0} per million ranges), {} values, built in {built:?}, \
         checked in {loaded:?}, {anywhere:?} a lookup, {known:?} among ten thousand clients",
        table.ranges(),
        table.bytes(),
        table.layout.values
    );
    // Wide enough for a busy machine; the figure is what is read.
    assert!(anywhere.as_micros() < 5 && table.bytes() <= MAX_BYTES);
}

#[test]
#[ignore = "prints figures: run it in release"]
fn a_million_ranges_fit_and_are_searched_quickly() {
    let mut random = Random(42);
    let ranges = v4(&mut random, 700_000);
    report("IPv4, country and system", ranges);
    let countries =
        v4(&mut random, 700_000).into_iter().map(|(network, country, _)| (network, country, Some(1))).collect();
    report("IPv4, countries", countries);
    report("IPv6, country and system", v6(&mut random, 300_000));
    let both = v4(&mut random, 450_000).into_iter().chain(v6(&mut random, 120_000)).collect();
    report("both", both);
}
