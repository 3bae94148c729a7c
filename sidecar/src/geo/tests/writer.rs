//! Writes small MMDB files (MaxMind DB specification 2.0), so that tests need none of anybody's.

use std::net::IpAddr;

use gatehouse_signals::address::Network;

/// A value of the data section.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Map(Vec<(&'static str, Value)>),
    Text(&'static str),
    Number(u32),
    Short(u16),
    Long(u64),
}

const EMPTY: u32 = u32::MAX;
const DATA: u32 = 1 << 31;

/// A database of this type with these networks, which lie beside each other.
pub(super) fn database(kind: &'static str, built: u32, networks: &[(&str, Value)]) -> Vec<u8> {
    let mut nodes: Vec<[u32; 2]> = vec![[EMPTY; 2]];
    let mut data = Vec::new();
    for (network, value) in networks {
        let network: Network = network.parse().unwrap();
        let offset = u32::try_from(data.len()).unwrap();
        encode(value, &mut data);
        let (bits, length) = match network.address() {
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 96 + u32::from(network.prefix())),
            IpAddr::V6(v6) => (u128::from(v6), u32::from(network.prefix())),
        };
        let mut at = 0;
        for depth in 0..length {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == length {
                nodes[at][side] = DATA | offset;
            } else {
                if nodes[at][side] == EMPTY {
                    nodes.push([EMPTY; 2]);
                    nodes[at][side] = u32::try_from(nodes.len() - 1).unwrap();
                }
                at = nodes[at][side] as usize;
            }
        }
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let record = |slot: u32| match slot {
        EMPTY => count,
        slot if slot & DATA != 0 => count + 16 + (slot & !DATA),
        slot => slot,
    };
    let mut out: Vec<u8> = nodes.iter().flatten().flat_map(|slot| record(*slot).to_be_bytes()[1..].to_vec()).collect();
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    let metadata = [
        ("binary_format_major_version", Value::Short(2)),
        ("binary_format_minor_version", Value::Short(0)),
        ("build_epoch", Value::Long(built.into())),
        ("database_type", Value::Text(kind)),
        ("description", Value::Map(Vec::new())),
        ("ip_version", Value::Short(6)),
        ("node_count", Value::Number(count)),
        ("record_size", Value::Short(24)),
    ];
    out.push(7 << 5 | 9);
    for (key, value) in &metadata {
        text(key, &mut out);
        encode(value, &mut out);
    }
    // An empty array: an extended type, 7 + 4.
    text("languages", &mut out);
    out.extend_from_slice(&[0, 4]);
    out
}

fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Map(entries) => {
            out.push(7 << 5 | u8::try_from(entries.len()).unwrap());
            for (key, value) in entries {
                text(key, out);
                encode(value, out);
            }
        }
        Value::Text(words) => text(words, out),
        Value::Short(number) => {
            out.push(5 << 5 | 2);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Long(number) => {
            // An extended type, 7 + 2.
            out.extend_from_slice(&[8, 2]);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Value::Number(number) => {
            out.push(6 << 5 | 4);
            out.extend_from_slice(&number.to_be_bytes());
        }
    }
}

fn text(words: &str, out: &mut Vec<u8>) {
    let length = u8::try_from(words.len()).unwrap();
    if length < 29 {
        out.push(2 << 5 | length);
    } else {
        out.extend_from_slice(&[2 << 5 | 29, length - 29]);
    }
    out.extend_from_slice(words.as_bytes());
}
