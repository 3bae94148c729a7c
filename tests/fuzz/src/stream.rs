//! The house's half of the stream: whatever a gate sends, in whatever order, the books close, what is durable only grows, and a
//! refusal has a printable reason.

use gatehouse_proto::v1;
use gatehouse_stream::receiver::{HighWater, Receiver, Taken, Ticket};

use crate::given::Dice;

const EPOCHS: usize = 2;

/// Calls, each begun by one byte.
pub fn check(bytes: &[u8]) {
    let mut house = House { receiver: Receiver::new(EPOCHS), tickets: Vec::new(), storing: Vec::new(), now: 1 };
    let mut dice = Dice(bytes);
    while !dice.is_empty() {
        let before = house.receiver.snapshot();
        house.call(&mut dice);
        house.holds(&before);
    }
}

struct House {
    receiver: Receiver,
    tickets: Vec<Ticket>,
    storing: Vec<HighWater>,
    now: u64,
}

impl House {
    fn call(&mut self, dice: &mut Dice<'_>) {
        match dice.byte() % 9 {
            0 | 1 => self.hello(dice),
            2..=4 => self.batch(dice),
            5 if !self.storing.is_empty() => drop(self.receiver.durable(&self.storing.remove(0))),
            6 if !self.storing.is_empty() => {
                let epoch = self.storing.remove(0).epoch;
                self.receiver.failed(epoch);
            }
            7 => {
                let Some(ticket) = self.ticket(dice) else { return };
                if dice.byte() & 1 == 1 {
                    let bye = v1::Bye { epoch: ticket.epoch(), next_seq: u64::from(dice.word()), ..v1::Bye::default() };
                    self.receiver.bye(&ticket, &bye);
                } else {
                    self.receiver.ended(&ticket, self.now);
                }
            }
            _ => {
                self.now += u64::from(dice.word()) << (dice.byte() % 24);
                self.receiver.age(self.now);
            }
        }
    }

    fn ticket(&self, dice: &mut Dice<'_>) -> Option<Ticket> {
        let number = dice.below(self.tickets.len());
        self.tickets.get(number).copied()
    }

    fn hello(&mut self, dice: &mut Dice<'_>) {
        let hello = match wire(dice) {
            Some(hello) => hello,
            None => v1::Hello {
                protocol: 1,
                epoch: u64::from(dice.byte() % 4),
                stream_no: u32::from(dice.byte()),
                oldest_seq: u64::from(dice.byte()),
                next_seq: u64::from(dice.word()),
                ..v1::Hello::default()
            },
        };
        match self.receiver.hello(&hello, self.now) {
            Ok(opened) => self.tickets.push(opened.ticket),
            Err(why) => printable(&why.to_string()),
        }
        self.tickets.drain(..self.tickets.len().saturating_sub(8));
    }

    fn batch(&mut self, dice: &mut Dice<'_>) {
        let Some(ticket) = self.ticket(dice) else { return };
        let batch = wire(dice).unwrap_or_else(|| v1::Batch {
            epoch: ticket.epoch() ^ u64::from(dice.byte() == 1),
            first_seq: u64::from(dice.byte()),
            records: vec![vec![1]; usize::from(dice.byte() % 6)],
            losses: (0..dice.byte() % 3).map(|_| loss(dice)).collect(),
            ..v1::Batch::default()
        });
        match self.receiver.batch(&ticket, batch.clone(), self.now) {
            Ok(Taken::Store(parcel)) => {
                let (records, lost) = (u64::from(parcel.records), parcel.lost);
                assert_eq!(
                    parcel.batch.first_seq + records + lost,
                    parcel.end_seq,
                    "every sequence is a record or lost"
                );
                assert!(parcel.batch.first_seq >= batch.first_seq && records <= batch.records.len() as u64);
                self.storing.push(parcel.high_water);
            }
            Ok(Taken::Duplicate | Taken::Fenced) => {}
            Err(why) => printable(&why.to_string()),
        }
    }

    fn holds(&self, before: &[HighWater]) {
        let books = self.receiver.books();
        assert!(books.len() <= EPOCHS, "bounded");
        for book in &books {
            assert_eq!(book.booked(), book.seen, "the books close");
        }
        for now in self.receiver.snapshot() {
            let past = before.iter().find(|past| past.epoch == now.epoch).map_or(0, |past| past.durable_seq);
            assert!(now.durable_seq >= past, "what is durable stays so");
        }
    }
}

/// A message as bytes, behind a byte with its highest bit set.
fn wire<M: prost::Message + Default>(dice: &mut Dice<'_>) -> Option<M> {
    let length = dice.byte();
    if length < 0x80 {
        return None;
    }
    let (message, rest) = dice.0.split_at(usize::from(length & 0x7F).min(dice.0.len()));
    dice.0 = rest;
    M::decode(message).ok()
}

fn loss(dice: &mut Dice<'_>) -> v1::Loss {
    v1::Loss { first_seq: u64::from(dice.byte()), count: u64::from(dice.byte()), reason: i32::from(dice.byte() % 6) }
}

fn printable(why: &str) {
    assert!(!why.is_empty() && why.len() < 512 && !why.chars().any(char::is_control), "{why:?}");
}
