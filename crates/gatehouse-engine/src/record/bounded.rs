//! The form of a record that always fits, made from its bytes: to read it into messages and write it again would take 57 KiB of the
//! filter's room for what hardly ever happens.

use gatehouse_verdict::redact::cut;

use super::fields::{grounds, judgement, record, request};
use super::wire::{FIXED64, LENGTH, VARINT, Wire};

/// Longest path in a bounded record, bytes.
const PATH_BYTES: usize = 512;

/// Longest other text in a bounded record, bytes.
const TEXT_BYTES: usize = 128;

/// Most entries of a list in a bounded record.
const ENTRIES: u8 = 8;

/// The same transaction in less than 10 KiB, whatever it held: headers, query and cookies are left out, paths cut to 512
/// bytes and other text to 128, tags and would-have entries to the first eight, grounds to the first one. `None`: `whole` is no
/// record of ours.
#[must_use]
pub fn bounded(whole: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    shorten(whole, Message::Record, &mut Wire::new(&mut out))?;
    Some(out)
}

/// A message that holds something else than numbers and texts of the usual length.
#[derive(Clone, Copy)]
enum Message {
    Record,
    Request,
    Judgement,
    Grounds,
    /// Of numbers and texts.
    Plain,
}

/// What becomes of a field that has a length.
enum Fate {
    /// Text (an id and a digest are shorter than any cut).
    Text(usize),
    Message(Message),
    LeftOut,
}

impl Message {
    /// What becomes of a field, and how many of it are kept.
    fn fate(self, field: u8) -> (Fate, u8) {
        match (self, field) {
            (Self::Record, record::REQUEST) => (Fate::Message(Self::Request), 1),
            (Self::Record, record::JUDGEMENT) => (Fate::Message(Self::Judgement), 1),
            (
                Self::Record,
                record::ORIGIN | record::DOWNSTREAM | record::RESPONSE | record::UPSTREAM | record::CONNECTION,
            ) => (Fate::Message(Self::Plain), 1),
            (Self::Request, request::QUERY | request::COOKIES | request::HEADERS) => (Fate::LeftOut, 0),
            (Self::Request, request::PATH | request::CANONICAL_PATH) => (Fate::Text(PATH_BYTES), 1),
            (Self::Judgement, judgement::WOULD_HAVE) => (Fate::Message(Self::Plain), ENTRIES),
            (Self::Judgement, judgement::GROUNDS) => (Fate::Message(Self::Grounds), 1),
            (Self::Grounds, grounds::INPUTS) => (Fate::Message(Self::Plain), ENTRIES),
            (Self::Grounds, grounds::LIMIT) => (Fate::Message(Self::Plain), 1),
            (Self::Judgement, judgement::TAGS) => (Fate::Text(TEXT_BYTES), ENTRIES),
            _ => (Fate::Text(TEXT_BYTES), 1),
        }
    }
}

fn shorten(mut bytes: &[u8], message: Message, wire: &mut Wire<'_>) -> Option<()> {
    let mut seen = [0_u8; 16];
    while !bytes.is_empty() {
        let (key, value) = (varint(&mut bytes)?, &mut bytes);
        let field = u8::try_from(key >> 3).ok().filter(|field| (1..16).contains(field))?;
        match (key & 7) as u8 {
            VARINT => wire.optional(field, Some(varint(value)?)),
            FIXED64 => {
                let (number, rest) = value.split_first_chunk()?;
                *value = rest;
                wire.fixed(field, u64::from_le_bytes(*number));
            }
            LENGTH => {
                let length = usize::try_from(varint(value)?).ok()?;
                let (part, rest) = value.split_at_checked(length)?;
                *value = rest;
                let count = seen.get_mut(usize::from(field))?;
                let (fate, most) = message.fate(field);
                if *count < most {
                    *count += 1;
                    put(part, field, fate, wire)?;
                }
            }
            _ => return None,
        }
    }
    Some(())
}

fn put(part: &[u8], field: u8, fate: Fate, wire: &mut Wire<'_>) -> Option<()> {
    match fate {
        Fate::LeftOut => Some(()),
        Fate::Text(most) if part.len() <= most => {
            wire.item(field, part);
            Some(())
        }
        Fate::Text(most) => {
            let mut text = String::from_utf8_lossy(part).into_owned();
            cut(&mut text, most);
            wire.item(field, text.as_bytes());
            Some(())
        }
        Fate::Message(message) => {
            let mut done = Some(());
            wire.message(field, |wire| done = shorten(part, message, wire));
            done
        }
    }
}

/// Takes a number off the front.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(first & 0x7F) << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}
