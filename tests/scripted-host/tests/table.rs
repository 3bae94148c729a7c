//! A table beside the policy as the house sends it: answered once whole, told in the next greeting, taken in small steps.

use std::time::Duration;

use gatehouse_proto::v1::{self, gate_message, hello::Feature, house_message, table_ack};
use gatehouse_scripted_host::{Gate, House};
use sha2::{Digest, Sha256};

const CONFIGURATION: &str = r#"{"house": {"cluster": "users", "timeout": "1s"}}"#;

fn chunks(bytes: &[u8]) -> Vec<v1::TableChunk> {
    let digest = Sha256::digest(bytes).to_vec();
    let at = |(index, data): (usize, &[u8])| v1::TableChunk {
        name: "geo".into(),
        digest: digest.clone(),
        total_bytes: bytes.len() as u32,
        offset: (index * 256 * 1024) as u32,
        data: data.to_vec(),
    };
    bytes.chunks(256 * 1024).enumerate().map(at).collect()
}

fn table(networks: u32) -> Vec<u8> {
    let network = |number: u32| {
        let text = format!("2001:{:x}:{:x}::/48", number >> 15, (number & 0x7fff) * 2);
        (text.parse().unwrap(), Some(*b"DE"), Some(number % 60_000 + 1))
    };
    gatehouse_signals::geo::build((0..networks).map(network)).unwrap()
}

fn answers(house: &mut House, gate: &mut Gate) -> Vec<v1::TableAck> {
    let heard = house.heard(gate).into_iter();
    heard
        .filter_map(|message| if let gate_message::Message::TableAck(ack) = message { Some(ack) } else { None })
        .collect()
}

fn send(house: &mut House, gate: &mut Gate, chunks: Vec<v1::TableChunk>) -> Vec<v1::TableAck> {
    for chunk in chunks {
        house.say(gate, house_message::Message::Table(chunk));
    }
    let mut all = answers(house, gate);
    for _ in 0..1000 {
        if !all.is_empty() {
            break;
        }
        gate.tick_after(Duration::from_millis(10));
        all = answers(house, gate);
    }
    all
}

#[test]
fn a_table_is_in_force_once_whole_and_the_next_greeting_names_it() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    assert!(hello.features.contains(&Feature::Tables.into()) && hello.tables.is_empty());
    let bytes = table(100_000);
    assert!(bytes.len() > 256 * 1024, "more than one chunk");
    let all = send(&mut house, &mut gate, chunks(&bytes));
    assert_eq!((all.len(), all[0].result(), all[0].name.as_str()), (1, table_ack::Result::Accepted, "geo"));
    gate.grpc_close(house.token, 14);
    let (mut house, hello) = House::attach(&mut gate, 1 << 20);
    let named: Vec<_> = hello.tables.iter().map(|table| (table.name.as_str(), table.digest.as_slice())).collect();
    assert_eq!(named, [("geo", all[0].digest.as_slice())]);

    let none = v1::TableChunk { name: "geo".into(), ..v1::TableChunk::default() };
    assert_eq!(send(&mut house, &mut gate, vec![none])[0].result(), table_ack::Result::Accepted);
    gate.grpc_close(house.token, 14);
    assert!(House::attach(&mut gate, 1 << 20).1.tables.is_empty());
}

#[test]
fn a_broken_table_is_refused_and_the_stream_stays_open() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    let mut broken = chunks(&table(10));
    broken[0].data[40] ^= 1;
    let all = send(&mut house, &mut gate, broken);
    assert_eq!((all.len(), all[0].result()), (1, table_ack::Result::Refused));
    assert!(all[0].problem.contains("SHA-256"), "{}", all[0].problem);
    assert_eq!(send(&mut house, &mut gate, chunks(&table(10)))[0].result(), table_ack::Result::Accepted);
    assert_eq!(gate.world().metric("gatehouse_house_garbage_total"), 0);
}

#[test]
fn a_transfer_that_its_stream_cut_off_begins_anew() {
    let mut gate = Gate::with_config(CONFIGURATION);
    let (house, _) = House::attach(&mut gate, 1 << 20);
    let all = chunks(&table(100_000));
    house.say(&mut gate, house_message::Message::Table(all[0].clone()));
    gate.grpc_close(house.token, 14);
    let (mut house, _) = House::attach(&mut gate, 1 << 20);
    // The rest alone makes no table, and is nobody's.
    house.say(&mut gate, house_message::Message::Table(all[1].clone()));
    assert!(answers(&mut house, &mut gate).is_empty());
    assert_eq!(send(&mut house, &mut gate, all)[0].result(), table_ack::Result::Accepted);
}
