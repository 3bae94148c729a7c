//! Lists that the house fills while it runs: who was found out, until when. Each entry has a time to live and leaves by itself.
//!
//! An entry's key is one byte for its kind and the value: 1 an address (4 or 16 bytes), 2 a network (4 or 16 bytes, then its
//! length in bits), 3 an identity, 4 a fingerprint, 5 an ASN (4 bytes, little-endian), 6 a client's key as records show it (32
//! hexadecimal digits). None of these is one that a stranger can choose alone to hurt another, but an address that is forged is
//! never looked up: only the decided one is.

use core::hash::Hasher as _;
use std::net::IpAddr;

use gatehouse_meter::{Put, TtlList};
use siphasher::sip::SipHasher13;

/// Most lists.
pub const MAX_LISTS: usize = 8;
/// Most entries of one list.
pub const MAX_ENTRIES: usize = 65_536;
/// Longest key that is taken.
const MAX_KEY: usize = 2049;

/// Kinds of subjects, as they stand in a key's first byte.
pub(crate) mod kind {
    pub(crate) const ADDRESS: u8 = 1;
    pub(crate) const NETWORK: u8 = 2;
    pub(crate) const IDENTITY: u8 = 3;
    pub(crate) const FINGERPRINT: u8 = 4;
    pub(crate) const ASN: u8 = 5;
    pub(crate) const CLIENT: u8 = 6;
}

/// What is asked about a client: only what some entry of a list was ever of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Its address, and the networks that it lies in.
    Address,
    Asn,
    Client,
    /// The gate's own fingerprint.
    Fingerprint,
    Identity,
    Ja4,
}

impl Asked {
    const ALL: [Self; 6] = [Self::Address, Self::Asn, Self::Client, Self::Fingerprint, Self::Identity, Self::Ja4];
}

/// The lists of one worker.
#[derive(Debug)]
pub struct Verdicts {
    secret: [u8; 16],
    lists: Vec<List>,
    refused: u64,
    /// What a list is to hold instead, as far as it has come.
    aside: Option<List>,
}

/// One list.
#[derive(Debug)]
pub(crate) struct List {
    name: String,
    secret: [u8; 16],
    entries: TtlList<u64>,
    /// One bit for each of [`Asked`].
    asked: u8,
    /// Lengths of networks that were ever put on it, IPv4 and IPv6: these are looked up, no others.
    v4: Vec<u8>,
    v6: Vec<u8>,
}

impl Verdicts {
    /// No lists; keys are placed by a hash with this secret.
    #[must_use]
    pub const fn new(secret: [u8; 16]) -> Self {
        Self { secret, lists: Vec::new(), aside: None, refused: 0 }
    }

    /// Puts a subject on a list for `remaining_ns`. False: the key makes no sense, nothing remains, or there is no room.
    pub fn put(&mut self, list: &str, key: &[u8], remaining_ns: u64, now_ns: u64) -> bool {
        let Some(key) = Key::read(key) else { return false };
        let put = match self.list_mut(list) {
            Some(list) => list.put(key, remaining_ns, now_ns),
            None => Put::Full,
        };
        if put == Put::Full {
            self.refused = self.refused.saturating_add(1);
        }
        matches!(put, Put::Added | Put::Renewed)
    }

    /// Begins what a list is to hold instead: until [`finish`](Self::finish) it holds what it held. False: there is no room for
    /// another list.
    pub fn begin(&mut self, list: &str) -> bool {
        self.aside = None;
        if self.find(list).is_none() && self.lists.len() >= MAX_LISTS {
            return false;
        }
        self.aside = List::new(list, self.secret);
        self.aside.is_some()
    }

    /// Puts a subject on the list that was begun. False: none was, the key makes no sense, or there is no room.
    pub fn put_aside(&mut self, key: &[u8], remaining_ns: u64, now_ns: u64) -> bool {
        let Some(key) = Key::read(key) else { return false };
        let put = match &mut self.aside {
            Some(list) => list.put(key, remaining_ns, now_ns),
            None => return false,
        };
        self.refused = self.refused.saturating_add(u64::from(put == Put::Full));
        matches!(put, Put::Added | Put::Renewed)
    }

    /// The list that was begun takes the place of the one of its name; one that nobody was put on takes it away.
    pub fn finish(&mut self, now_ns: u64) {
        let Some(fresh) = self.aside.take() else { return };
        self.clear(&fresh.name);
        if !fresh.entries.is_empty(now_ns) {
            self.lists.push(fresh);
        }
    }

    /// The lists that there are.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.lists.iter().map(|list| list.name.as_str())
    }

    /// Takes a subject off a list.
    pub fn remove(&mut self, list: &str, key: &[u8]) {
        let Some(hash) = Key::read(key).map(|key| key.hash(&self.secret)) else { return };
        if let Some(list) = self.lists.iter_mut().find(|known| known.name == list) {
            list.entries.remove(hash);
        }
    }

    /// Empties a list.
    pub fn clear(&mut self, list: &str) {
        self.lists.retain(|known| known.name != list);
    }

    /// How many entries a list has; passes over all of it.
    #[must_use]
    pub fn len(&self, list: &str, now_ns: u64) -> usize {
        self.find(list).map_or(0, |list| list.entries.len(now_ns))
    }

    /// Entries that found no room, since the worker began.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// The list of that name; `None`: nobody was ever put on it.
    pub(crate) fn find(&self, name: &str) -> Option<&List> {
        self.lists.iter().find(|list| list.name == name)
    }

    fn list_mut(&mut self, name: &str) -> Option<&mut List> {
        if self.find(name).is_none() {
            if self.lists.len() >= MAX_LISTS {
                return None;
            }
            self.lists.push(List::new(name, self.secret)?);
        }
        self.lists.iter_mut().find(|list| list.name == name)
    }
}

impl List {
    fn new(name: &str, secret: [u8; 16]) -> Option<Self> {
        let entries = TtlList::new(MAX_ENTRIES, &secret).ok()?;
        Some(Self { name: name.to_owned(), secret, entries, asked: 0, v4: Vec::new(), v6: Vec::new() })
    }

    fn put(&mut self, key: Key<'_>, remaining_ns: u64, now_ns: u64) -> Put {
        let put = self.entries.put(key.hash(&self.secret), remaining_ns, now_ns);
        if put == Put::Added {
            self.asked |= 1 << key.asked() as u8;
            if let Key::Network(address, bits) = key {
                let lengths = if address.is_ipv4() { &mut self.v4 } else { &mut self.v6 };
                if !lengths.contains(&bits) {
                    lengths.push(bits);
                }
            }
        }
        put
    }

    /// What has to be known of a client, to say whether it is on the list.
    pub(crate) fn asked(&self) -> impl Iterator<Item = Asked> {
        let asked = self.asked;
        Asked::ALL.into_iter().filter(move |one| asked & 1 << *one as u8 != 0)
    }

    /// Whether the key is on the list; of an address also whether a network that it lies in is.
    pub(crate) fn holds(&self, key: Key<'_>, now_ns: u64) -> bool {
        let listed = |key: Key<'_>| self.entries.contains(key.hash(&self.secret), now_ns);
        match key {
            Key::Address(address) => {
                let address = address.to_canonical();
                let lengths = if address.is_ipv4() { &self.v4 } else { &self.v6 };
                listed(key) || lengths.iter().any(|bits| listed(Key::Network(cut(address, *bits), *bits)))
            }
            _ => listed(key),
        }
    }
}

/// A subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key<'a> {
    Address(IpAddr),
    Asn(u32),
    Client(&'a [u8]),
    Fingerprint(&'a [u8]),
    Identity(&'a [u8]),
    Network(IpAddr, u8),
}

impl<'a> Key<'a> {
    /// Reads a key as it travels.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, value) = bytes.split_first().filter(|_| bytes.len() <= MAX_KEY)?;
        Some(match *kind {
            kind::ADDRESS => Self::Address(address(value)?),
            kind::NETWORK => {
                let (bits, network) = value.split_last()?;
                let network = address(network)?;
                let most = if network.is_ipv4() { 32 } else { 128 };
                Self::Network(cut(network, *bits), Some(*bits).filter(|bits| *bits <= most)?)
            }
            kind::IDENTITY => Self::Identity(value),
            kind::FINGERPRINT => Self::Fingerprint(value),
            kind::ASN => Self::Asn(u32::from_le_bytes(value.try_into().ok()?)),
            kind::CLIENT => Self::Client(value),
            _ => return None,
        })
    }

    fn asked(self) -> Asked {
        match self {
            Self::Address(_) | Self::Network(..) => Asked::Address,
            Self::Asn(_) => Asked::Asn,
            Self::Client(_) => Asked::Client,
            Self::Fingerprint([b'h', ..]) => Asked::Fingerprint,
            Self::Fingerprint(_) => Asked::Ja4,
            Self::Identity(_) => Asked::Identity,
        }
    }

    fn hash(self, secret: &[u8; 16]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(secret);
        match self {
            Self::Address(address) => feed(&mut hasher, kind::ADDRESS, address, None),
            Self::Network(network, bits) => feed(&mut hasher, kind::NETWORK, network, Some(bits)),
            Self::Asn(number) => {
                hasher.write(&[kind::ASN]);
                hasher.write(&number.to_le_bytes());
            }
            Self::Client(value) => feed_bytes(&mut hasher, kind::CLIENT, value),
            Self::Fingerprint(value) => feed_bytes(&mut hasher, kind::FINGERPRINT, value),
            Self::Identity(value) => feed_bytes(&mut hasher, kind::IDENTITY, value),
        }
        hasher.finish()
    }
}

fn feed(hasher: &mut SipHasher13, kind: u8, address: IpAddr, bits: Option<u8>) {
    hasher.write(&[kind]);
    match address.to_canonical() {
        IpAddr::V4(v4) => hasher.write(&v4.octets()),
        IpAddr::V6(v6) => hasher.write(&v6.octets()),
    }
    hasher.write(bits.as_slice());
}

fn feed_bytes(hasher: &mut SipHasher13, kind: u8, value: &[u8]) {
    hasher.write(&[kind]);
    hasher.write(value);
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_canonical()),
        _ => None,
    }
}

/// The first `bits` of an address, the rest zero.
fn cut(address: IpAddr, bits: u8) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(bits.min(32))).unwrap_or(0);
            IpAddr::V4((u32::from(v4) & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(bits.min(128))).unwrap_or(0);
            IpAddr::V6((u128::from(v6) & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_000;

    fn lists() -> Verdicts {
        let mut lists = Verdicts::new([7; 16]);
        assert!(lists.put("banned", &[1, 192, 0, 2, 7], 50, NOW));
        assert!(lists.put("banned", &[2, 198, 51, 100, 0, 24], 50, NOW));
        assert!(lists.put("banned", b"\x03spiffe://a/ns/b/sa/c", 50, NOW));
        assert!(lists.put("banned", &[5, 1, 0, 0, 0], u64::MAX, NOW));
        lists
    }

    fn on(lists: &Verdicts, key: Key<'_>, now_ns: u64) -> bool {
        lists.find("banned").is_some_and(|list| list.holds(key, now_ns))
    }

    fn ip(text: &str) -> Key<'static> {
        Key::Address(text.parse().unwrap())
    }

    #[test]
    fn a_subject_is_listed_by_its_kind_until_its_time_ends() {
        let lists = lists();
        assert!(on(&lists, ip("192.0.2.7"), NOW + 49) && on(&lists, ip("198.51.100.200"), NOW));
        assert!(on(&lists, Key::Identity(b"spiffe://a/ns/b/sa/c"), NOW) && on(&lists, Key::Asn(1), u64::MAX - 1));
        assert!(!on(&lists, ip("192.0.2.7"), NOW + 50) && !on(&lists, ip("192.0.2.8"), NOW));
        assert!(!on(&lists, Key::Fingerprint(b"spiffe://a/ns/b/sa/c"), NOW) && !on(&lists, Key::Asn(2), NOW));
        assert!(lists.find("other").is_none());
    }

    #[test]
    fn a_key_that_makes_no_sense_is_refused() {
        let mut lists = lists();
        for key in [&[][..], &[1], &[1, 2, 3], &[2, 1, 2, 3, 4, 33], &[9, 1], &[5, 1], &[3; 3000]] {
            assert!(!lists.put("banned", key, 50, NOW), "{key:?}");
        }
    }

    #[test]
    fn lists_and_entries_are_bounded() {
        let mut lists = Verdicts::new([7; 16]);
        let made = (0..100).filter(|n| lists.put(&format!("list-{n}"), &[1, 10, 0, 0, 1], 50, NOW)).count();
        assert_eq!(made, MAX_LISTS);
        for n in 0..70_000_u32 {
            lists.put("list-0", &[&[1][..], &n.to_be_bytes()].concat(), u64::MAX, NOW);
        }
        let refused = 100 - MAX_LISTS as u64 + 70_001 - MAX_ENTRIES as u64;
        assert_eq!((lists.len("list-0", NOW), lists.refused()), (MAX_ENTRIES, refused));
        lists.clear("list-0");
        assert_eq!((lists.len("list-0", NOW), lists.refused()), (0, refused));
    }

    #[test]
    fn what_a_list_is_to_hold_instead_takes_its_place_at_once_and_not_before() {
        let mut lists = lists();
        assert!(!lists.put_aside(&[1, 10, 0, 0, 1], 50, NOW), "nothing was begun");
        assert!(lists.begin("banned") && lists.put_aside(&[1, 10, 0, 0, 1], 50, NOW));
        assert!(on(&lists, ip("192.0.2.7"), NOW) && !on(&lists, ip("10.0.0.1"), NOW));
        lists.finish(NOW);
        assert!(!on(&lists, ip("192.0.2.7"), NOW) && on(&lists, ip("10.0.0.1"), NOW));
        assert_eq!(lists.names().collect::<Vec<_>>(), ["banned"]);
        // Begun anew before it was finished, what came first is forgotten; with nobody on it, there is no list.
        assert!(lists.begin("banned") && lists.put_aside(&[1, 10, 0, 0, 2], 50, NOW) && lists.begin("banned"));
        lists.finish(NOW);
        assert_eq!(lists.names().count(), 0);
        lists.finish(NOW);
    }

    #[test]
    fn with_every_list_taken_one_can_still_be_replaced_and_none_added() {
        let mut lists = Verdicts::new([7; 16]);
        for n in 0..MAX_LISTS {
            assert!(lists.put(&format!("list-{n}"), &[1, 10, 0, 0, 1], 50, NOW));
        }
        assert!(lists.begin("list-3") && !lists.begin("one-more"));
        assert!(!lists.put_aside(&[1, 10, 0, 0, 1], 50, NOW));
    }
}
