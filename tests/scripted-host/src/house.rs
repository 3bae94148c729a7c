//! The other end of the stream: reads what the filter sent, answers as a house does (or as one should not).

use std::time::Duration;

use gatehouse_proto::v1::{self, GateMessage, HouseMessage, gate_message, house_message};
use prost::Message as _;

use crate::gate::Gate;

/// One stream, seen from the house.
#[derive(Debug, Clone, Copy)]
pub struct House {
    /// The stream's token.
    pub token: u32,
    read: usize,
}

impl House {
    /// The house's end of a stream that is known to be open; nothing is read yet.
    #[must_use]
    pub fn of(token: u32) -> Self {
        Self { token, read: 0 }
    }

    /// Ticks until the filter has opened a stream, and takes its greeting.
    ///
    /// # Panics
    /// When it does not open one within 20 s of its clock, or does not greet first.
    pub fn accept(gate: &mut Gate) -> (Self, v1::Hello) {
        let known: Vec<u32> = gate.world().streams.keys().copied().collect();
        for _ in 0..200 {
            gate.tick_after(Duration::from_millis(100));
            let fresh = gate.world().streams.keys().copied().find(|token| !known.contains(token));
            if let Some(token) = fresh {
                let mut house = Self { token, read: 0 };
                let Some(gate_message::Message::Hello(hello)) = house.heard(gate).into_iter().next() else {
                    panic!("a greeting comes first")
                };
                return (house, hello);
            }
        }
        panic!("no stream was opened: {}", gate.world().complaints());
    }

    /// Accepts a stream, welcomes the gate and grants a window. Panics like [`House::accept`].
    pub fn attach(gate: &mut Gate, window_bytes: u32) -> (Self, v1::Hello) {
        let (house, hello) = Self::accept(gate);
        house.welcome(gate);
        house.credit(gate, hello.epoch, hello.oldest_seq, window_bytes);
        (house, hello)
    }

    /// The same as [`House::attach`] of a gate whose calls may fail: `None` where it opens no stream.
    pub fn try_attach(gate: &mut Gate) -> Option<Self> {
        let opened = (0..40).any(|_| {
            gate.tick_after(Duration::from_millis(500));
            !gate.world().streams.is_empty()
        });
        let token = gate.world().streams.keys().next().copied().filter(|_| opened)?;
        let mut house = Self::of(token);
        let epoch = match house.heard(gate).into_iter().next() {
            Some(gate_message::Message::Hello(hello)) => hello.epoch,
            _ => 1,
        };
        house.welcome(gate);
        house.credit(gate, epoch, 0, 1 << 20);
        Some(house)
    }

    /// The ordinary welcome.
    pub fn welcome(&self, gate: &mut Gate) {
        let welcome = v1::Welcome {
            protocol: 1,
            house_version: "test".into(),
            hash_key_id: 1,
            hash_key: vec![5; 16],
            address_form: v1::welcome::AddressForm::Full.into(),
        };
        self.say(gate, house_message::Message::Welcome(welcome));
    }

    /// Grants credit.
    pub fn credit(&self, gate: &mut Gate, epoch: u64, durable_seq: u64, window_bytes: u32) {
        self.say(gate, house_message::Message::Credit(v1::Credit { epoch, durable_seq, window_bytes }));
    }

    /// Sends an image in chunks of `chunk` bytes.
    pub fn policy(&self, gate: &mut Gate, revision: u64, image: &[u8], digest: &[u8], chunk: usize) {
        for (index, data) in image.chunks(chunk).enumerate() {
            let message = v1::PolicyChunk {
                revision,
                digest: digest.to_vec(),
                total_bytes: u32::try_from(image.len()).unwrap(),
                offset: u32::try_from(index * chunk).unwrap(),
                data: data.to_vec(),
                image_version: gatehouse_policy::IMAGE_VERSION,
            };
            self.say(gate, house_message::Message::Policy(message));
        }
    }

    /// Sends any message.
    pub fn say(&self, gate: &mut Gate, message: house_message::Message) {
        gate.grpc_message(self.token, &HouseMessage { message: Some(message) }.encode_to_vec());
    }

    /// What the filter sent since the last look.
    ///
    /// # Panics
    /// When it is not what the protocol says.
    pub fn heard(&mut self, gate: &mut Gate) -> Vec<gate_message::Message> {
        let sent = &gate.world().streams[&self.token].sent;
        let fresh: Vec<Vec<u8>> = sent[self.read..].to_vec();
        self.read = sent.len();
        fresh
            .iter()
            .map(|bytes| GateMessage::decode(bytes.as_slice()).expect("a message").message.expect("of a kind"))
            .collect()
    }

    /// The batches that the filter sent since the last look, after a tick.
    pub fn batches(&mut self, gate: &mut Gate) -> Vec<v1::Batch> {
        gate.tick_after(Duration::from_millis(100));
        let heard = self.heard(gate).into_iter();
        heard
            .filter_map(|message| if let gate_message::Message::Batch(batch) = message { Some(batch) } else { None })
            .collect()
    }
}

/// The records of batches, in order.
///
/// # Panics
/// When one is not a record.
#[must_use]
pub fn records(batches: &[v1::Batch]) -> Vec<v1::Record> {
    batches
        .iter()
        .flat_map(|batch| &batch.records)
        .map(|bytes| v1::Record::decode(bytes.as_slice()).expect("a record"))
        .collect()
}
