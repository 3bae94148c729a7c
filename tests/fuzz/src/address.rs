//! Who the client is: with no trust the peer, whatever any header says; else the peer or an address that the header really holds;
//! nobody where no peer is known.

use std::net::IpAddr;

use gatehouse_signals::address::{self, Client, Network, Networks, Source, Trust};

use crate::given::Given;

/// Lines `?peer`, `?local`, `?from`, `?trust` (several) or `?hops`, then headers.
pub fn check(bytes: &[u8]) {
    let given = Given::read(bytes);
    let pairs = given.pairs();
    let head = given.head(&pairs);
    let source: Source = given.text("from").and_then(|name| name.parse().ok()).unwrap_or_default();
    let networks: Vec<Network> = given.scenes("trust").filter_map(network).collect();
    let trusted = networks.iter().copied().collect::<Networks>();
    let hops = given.text("hops").and_then(|text| text.parse().ok()).unwrap_or(1);
    let peer = given.connection.peer.map(address::fold);
    let local = given.connection.peer_local && peer.is_none();

    for trust in [Trust::None, Trust::Hops(0), Trust::Networks(Networks::default())] {
        assert_eq!(Client::resolve(&head, &source, &trust), Client { address: peer, forwarded: false }, "{trust:?}");
    }
    for trust in [Trust::Networks(trusted.clone()), Trust::Hops(hops)] {
        let client = Client::resolve(&head, &source, &trust);
        let told = Client::told(&head, &source, &trust);
        assert!(told.is_none() || told == client.address, "what is told is what is taken");
        assert!(peer.is_some() || local || client.address.is_none(), "no peer, nobody to believe");
        if let Trust::Networks(trusted) = &trust
            && peer.is_some_and(|peer| !trusted.contains(peer))
        {
            assert_eq!(client.address, peer, "a stranger's word");
        }
        if let Some(address) = client.address.filter(|_| client.forwarded) {
            assert_eq!(address::fold(address), address, "mapped addresses are folded");
            assert!(pairs.iter().any(|(_, value)| holds(value, address)), "{address} stands in no header");
        }
    }
    for (_, value) in &pairs {
        read(value, &networks, &trusted);
    }
}

fn network(text: &[u8]) -> Option<Network> {
    let network: Network = core::str::from_utf8(text).ok()?.parse().ok()?;
    assert_eq!(network.to_string().parse(), Ok(network), "as it is written");
    // A wide IPv6 network may begin or end with a mapped IPv4 address, which is none of its own.
    for edge in [network.address(), network.last()] {
        assert!(network.contains(edge) || address::fold(edge) != edge);
    }
    Some(network)
}

/// Some piece of the value reads as the address, as it stands or with the escapes of its quoted strings undone.
fn holds(value: &[u8], address: IpAddr) -> bool {
    [value, &unescaped(value)].into_iter().any(|text| pieces(text).any(|piece| address::read(piece) == Some(address)))
}

/// Everything between two delimiters, whatever stands between them, no longer than an address is written.
fn pieces(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    const LONGEST: usize = 128;
    let delimiter = |at: usize| text.get(at).is_none_or(|byte| b",;\"=".contains(byte));
    let begins = (0..=text.len()).filter(move |&at| at == 0 || delimiter(at - 1));
    begins.flat_map(move |from| {
        let ends = from..=text.len().min(from + LONGEST);
        ends.filter(move |&to| delimiter(to)).map(move |to| &text[from..to])
    })
}

/// RFC 9110, section 5.6.4: a backslash stands for the byte after it.
fn unescaped(value: &[u8]) -> Vec<u8> {
    let mut bytes = value.iter().copied();
    core::iter::from_fn(|| bytes.next().and_then(|byte| if byte == b'\\' { bytes.next() } else { Some(byte) }))
        .collect()
}

fn read(value: &[u8], networks: &[Network], set: &Networks) {
    let Some(address) = address::read(value) else { return };
    assert!(!address.is_unspecified() && address::fold(address) == address);
    assert_eq!(address::read(address.to_string().as_bytes()), Some(address));
    assert_eq!(
        set.contains(address),
        networks.iter().any(|network| network.contains(address)),
        "a set is its networks"
    );
    for (v4, v6) in [(0, 0), (24, 64), (32, 128), (255, 255)] {
        assert!(address::prefix(address, v4, v6).contains(address));
    }
}
