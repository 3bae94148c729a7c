//! That the bytes which are hashed can be read back (so no two lists of parts are the same bytes), and what a tag is.

use proptest::prelude::*;

use super::*;

/// A part that owns its bytes, in the form in which it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Owned {
    Address(IpAddr),
    Asn(Option<u32>),
    Named(u8, Vec<u8>, Option<Vec<u8>>),
    Plain(u8, Option<Vec<u8>>),
    Prefix(IpAddr, u8),
}

impl Owned {
    fn part(&self) -> Part<'_> {
        match self {
            Self::Address(address) => Part::Address(*address),
            Self::Asn(number) => Part::Asn(*number),
            Self::Named(5, name, value) => Part::Claim { name, value: value.as_deref() },
            Self::Named(8, name, value) => Part::Cookie { name, value: value.as_deref() },
            Self::Named(12, name, value) => Part::Header { name, value: value.as_deref() },
            Self::Named(_, name, value) => Part::Query { name, value: value.as_deref() },
            Self::Plain(7, value) => Part::Client(value.as_deref().unwrap()),
            Self::Plain(10, value) => Part::Fingerprint(value.as_deref()),
            Self::Plain(14, value) => Part::Identity(value.as_deref()),
            Self::Plain(_, value) => Part::PathClass(value.as_deref().unwrap()),
            Self::Prefix(address, bits) => Part::Prefix { address: *address, bits: *bits },
        }
    }
}

/// Few and short bytes of few kinds, so that lists are often nearly the same: and the bytes that kinds and lengths have.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![3 => prop::collection::vec(0_u8..20, 0..12), 1 => prop::collection::vec(any::<u8>(), 0..40)]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| Ipv4Addr::from_bits(bits).into()),
        any::<u128>().prop_map(|bits| Ipv6Addr::from_bits(bits).to_canonical())
    ]
}

fn parts() -> impl Strategy<Value = Vec<Owned>> {
    let named = (prop::sample::select(vec![5_u8, 8, 12, 19]), bytes(), prop::option::of(bytes()));
    let part = prop_oneof![
        address().prop_map(Owned::Address),
        prop::option::of(0_u32..20).prop_map(Owned::Asn),
        named.prop_map(|(kind, name, value)| Owned::Named(kind, name, value)),
        (prop::sample::select(vec![10_u8, 14]), prop::option::of(bytes()))
            .prop_map(|(kind, value)| Owned::Plain(kind, value)),
        (prop::sample::select(vec![7_u8, 16]), bytes()).prop_map(|(kind, value)| Owned::Plain(kind, Some(value))),
        (address(), prop::sample::select(vec![24_u8, 48, 64])).prop_map(|(address, bits)| {
            let (network, bits) = network(address, bits);
            Owned::Prefix(network, bits)
        }),
    ];
    prop::collection::vec(part, 0..6)
}

/// A hasher that keeps what it is fed.
#[derive(Default)]
struct Kept(Vec<u8>);

impl Sink for Kept {
    fn number(&mut self, value: u64, bytes: u32) {
        self.0.extend_from_slice(&value.to_le_bytes()[..bytes as usize]);
    }
}

fn fed(parts: &[Owned]) -> Vec<u8> {
    let mut kept = Kept::default();
    feed_start(&mut kept, Use::Key, 7);
    parts.iter().for_each(|part| feed(&mut kept, part.part()));
    kept.0
}

fn take<'a>(rest: &mut &'a [u8], n: usize) -> &'a [u8] {
    let (taken, behind) = rest.split_at(n);
    *rest = behind;
    taken
}

fn take_bytes(rest: &mut &[u8]) -> Vec<u8> {
    let length = u64::from_le_bytes(take(rest, 8).try_into().unwrap());
    take(rest, length as usize).to_vec()
}

fn take_v4(rest: &mut &[u8]) -> IpAddr {
    <[u8; 4]>::try_from(take(rest, 4)).unwrap().into()
}

fn take_v6(rest: &mut &[u8]) -> IpAddr {
    <[u8; 16]>::try_from(take(rest, 16)).unwrap().into()
}

/// Reads the parts back.
fn read(bytes: &[u8]) -> Vec<Owned> {
    let (mut rest, mut parts) = (&bytes[9..], Vec::new());
    while let Some((&kind, behind)) = rest.split_first() {
        rest = behind;
        parts.push(match kind {
            1 => Owned::Address(take_v4(&mut rest)),
            2 => Owned::Address(take_v6(&mut rest)),
            3 => Owned::Asn(None),
            4 => Owned::Asn(Some(u32::from_le_bytes(take(&mut rest, 4).try_into().unwrap()))),
            5 | 8 | 12 | 19 => {
                let name = take_bytes(&mut rest);
                Owned::Named(kind, name, Some(take_bytes(&mut rest)))
            }
            6 | 9 | 13 | 20 => Owned::Named(kind - 1, take_bytes(&mut rest), None),
            7 | 10 | 14 | 16 => Owned::Plain(kind, Some(take_bytes(&mut rest))),
            11 | 15 => Owned::Plain(kind - 1, None),
            17 => Owned::Prefix(take_v4(&mut rest), take(&mut rest, 1)[0]),
            18 => Owned::Prefix(take_v6(&mut rest), take(&mut rest, 1)[0]),
            other => panic!("kind {other}"),
        });
    }
    parts
}

fn tag(keys: &Keys, parts: &[Owned]) -> u64 {
    parts.iter().fold(keys.key(7), |tag, part| tag.part(part.part())).finish()
}

proptest! {
    #[test]
    fn the_parts_can_be_read_back_from_what_is_hashed(parts in parts()) {
        prop_assert_eq!(read(&fed(&parts)), parts);
    }

    #[test]
    fn different_parts_have_different_tags_and_equal_ones_the_same(a in parts(), b in parts(), secret: [u8; 16]) {
        let keys = Keys::new(&secret);
        prop_assert_eq!(tag(&keys, &a) == tag(&keys, &b), a == b);
        prop_assert_eq!(tag(&keys, &a), tag(&Keys::new(&secret), &a));
    }
}

#[test]
fn bytes_that_move_from_one_field_to_the_next_make_another_key() {
    let keys = Keys::new(&[3; 16]);
    let header = |name, value| Part::Header { name, value };
    let lists: [&[Part<'_>]; 9] = [
        &[header(b"a", Some(b"bc"))],
        &[header(b"ab", Some(b"c"))],
        &[header(b"abc", Some(b""))],
        &[header(b"abc", None)],
        &[header(b"a", Some(b"b")), header(b"c", None)],
        &[Part::Cookie { name: b"a", value: Some(b"bc") }],
        &[Part::Client(b"a"), Part::Client(b"bc")],
        &[Part::Client(b"ab"), Part::Client(b"c")],
        &[Part::Client(b"abc")],
    ];
    let tags: std::collections::BTreeSet<_> =
        lists.iter().map(|parts| parts.iter().fold(keys.key(1), |tag, part| tag.part(*part)).finish()).collect();
    assert_eq!(tags.len(), lists.len());
}

#[test]
fn limits_items_and_secrets_each_have_tags_of_their_own() {
    let part = Part::Client(b"alice");
    let (a, b) = (Keys::new(&[1; 16]), Keys::new(&[2; 16]));
    let tags = [a.key(1), a.key(2), a.item(1), b.key(1)].map(|tag| tag.part(part).finish());
    assert_eq!(std::collections::BTreeSet::from(tags).len(), 4);
}

proptest! {
    #[test]
    fn tags_that_differ_make_tags_that_differ(one: u64, other: u64, domain: u64) {
        let derived = Keys::new(&[1; 16]).derived(domain);
        prop_assert_eq!(derived.of(one) == derived.of(other), one == other);
    }
}

#[test]
fn tags_made_of_a_tag_are_others_for_each_limit_and_each_secret_and_fill_a_table_evenly() {
    let (a, b) = (Keys::new(&[1; 16]), Keys::new(&[2; 16]));
    let of = [a.derived(1).of(7), a.derived(2).of(7), b.derived(1).of(7), a.key(1).part(Part::Client(&[7])).finish()];
    assert_eq!(std::collections::BTreeSet::from(of).len(), 4);
    assert_eq!(format!("{:?}", a.derived(1)), "Derived(secret)");
    let mut eighths = [0; 8];
    (0..8_000).for_each(|tag| eighths[(a.derived(1).of(tag) >> 61) as usize] += 1);
    assert!(eighths.iter().all(|count| (850..1_150).contains(count)), "{eighths:?}");
}

#[test]
fn addresses_of_one_network_share_its_prefix() {
    let keys = Keys::new(&[1; 16]);
    let prefix =
        |address: &str, bits| keys.key(1).part(Part::Prefix { address: address.parse().unwrap(), bits }).finish();
    assert_eq!(prefix("192.0.2.1", 24), prefix("192.0.2.254", 24));
    assert_eq!(prefix("::ffff:192.0.2.1", 24), prefix("192.0.2.254", 24));
    assert_ne!(prefix("192.0.2.1", 24), prefix("192.0.3.1", 24));
    assert_eq!(prefix("2001:db8:1:2::1", 48), prefix("2001:db8:1:ffff::2", 48));
    assert_ne!(prefix("2001:db8:1:2::1", 64), prefix("2001:db8:1:3::1", 64));
    assert_ne!(prefix("2001:db8::", 48), prefix("2001:db8::", 64));
    assert_eq!(prefix("192.0.2.1", 64), prefix("192.0.2.1", 32));
    assert_eq!(prefix("192.0.2.1", 0), prefix("203.0.113.9", 0));
    let address = |address: &str| keys.key(1).part(Part::Address(address.parse().unwrap())).finish();
    assert_eq!(address("::ffff:192.0.2.1"), address("192.0.2.1"));
    assert_ne!(address("192.0.2.0"), prefix("192.0.2.0", 32));
}

#[test]
fn a_tag_is_siphash_1_3_of_what_is_written_here() {
    let expected = {
        let mut hasher = Sip::new(&[9; 16]);
        hasher.bytes(b"\x01\x07\0\0\0\0\0\0\0");
        hasher.bytes(b"\x0c\x06\0\0\0\0\0\0\0accept\x03\0\0\0\0\0\0\0*/*");
        hasher.finish()
    };
    let keys = Keys::new(&[9; 16]);
    assert_eq!(keys.key(7).part(Part::Header { name: b"accept", value: Some(b"*/*") }).finish(), expected);
    assert_eq!(format!("{keys:?} {:?}", keys.key(1)), "Keys(secret) Tag(secret)");
}
