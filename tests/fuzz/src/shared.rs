//! Limits that workers share: whatever lies in the host's shared data, a damaged set is told and left as it is, and what is stored
//! is a set of bounded size. From empty sets never more than the limit pass at one moment, unless a key had to be counted by this worker alone.

use std::cell::RefCell;
use std::collections::BTreeMap;

use gatehouse_meter::shared::{Fallbacks, SlotError, Slots, Stored, Version};
use gatehouse_meter::{Count, Decision, Ladder, Limit, LimitSpec, SharedLimit};

use crate::given::Dice;

const SETS: u32 = 2;
const MOST: u32 = 3;
const WINDOW: u64 = 1_000;

/// Shared data that anybody may have written to.
#[derive(Default)]
struct Host(RefCell<BTreeMap<u32, (Vec<u8>, u32)>>);

impl Slots for Host {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        let values = self.0.borrow();
        let Some((value, version)) = values.get(&set) else { return Ok(Version::ABSENT) };
        into.extend_from_slice(value);
        Ok(Version::held(*version))
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        let mut values = self.0.borrow_mut();
        let held = values.get(&set).map_or(0, |(_, held)| *held);
        if held != 0 && version.cas() != held {
            return Ok(Stored::Conflict);
        }
        values.insert(set, (bytes.to_vec(), held + 1));
        Ok(Stored::Done)
    }
}

/// One byte for the kind of limit, one for the length of a hostile value (0: the sets begin empty), then calls.
pub fn check(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let limit = limit(dice.byte());
    let host = Host::default();
    let length = usize::from(dice.byte()).min(dice.0.len());
    let (hostile, rest) = dice.0.split_at(length);
    if !hostile.is_empty() {
        (0..SETS).for_each(|set| drop(host.0.borrow_mut().insert(set, (hostile.to_vec(), 1))));
    }
    let mut shared = SharedLimit::try_new(limit, SETS, 8).expect("a limit that can be");
    calls(&mut shared, &host, Dice(rest), hostile.is_empty());
    for (value, _) in host.0.borrow().values() {
        assert!(value == hostile || value.len() * SETS as usize <= shared.host_bytes(), "bounded");
        assert!(value == hostile || (value.first() == Some(&gatehouse_meter::shared::FORMAT) && value[1] <= 8));
    }
    if shared.fallbacks().damaged > 0 {
        assert!(host.0.borrow().values().any(|(value, _)| value == hostile), "a damaged set is left as it is");
    }
}

fn limit(kind: u8) -> Limit {
    let steps = Ladder::one(MOST).expect("a ladder");
    let count = match kind % 3 {
        0 => Count::Window { window: WINDOW },
        1 => Count::Rate { rate: MOST, per: WINDOW },
        _ => Count::Failures { window: WINDOW, in_flight: Some(MOST) },
    };
    Limit::try_new(LimitSpec { count, steps }).expect("a limit")
}

fn calls(shared: &mut SharedLimit, host: &Host, mut dice: Dice<'_>, fresh: bool) {
    let (mut now, mut tickets) = (1_u64 << 40, Vec::new());
    let mut passed: BTreeMap<u64, u32> = BTreeMap::new();
    while !dice.is_empty() {
        let tag = u64::from(dice.byte() % 24) << 33 | 1;
        match dice.byte() % 6 {
            0..=2 => {
                let would = shared.would(host, tag, now).over.is_some();
                let Decision { over, ticket, .. } = shared.request(host, tag, now);
                assert_eq!(would, over.is_some(), "asked and counted say the same");
                tickets.extend(ticket.map(|ticket| (tag, ticket)));
                let count = passed.entry(tag).or_default();
                *count += u32::from(over.is_none());
                let shared_alone = fresh && shared.fallbacks() == Fallbacks::default();
                assert!(!shared_alone || *count <= MOST, "{count} pass at one moment");
            }
            3 => {
                if let Some((tag, ticket)) = tickets.pop() {
                    let failed = dice.byte() & 1 == 1;
                    shared.answer(host, tag, ticket, failed, now);
                    // A success frees its place: another may try at the same moment.
                    passed.remove(&tag);
                }
            }
            4 => tickets.extend(shared.pass(host, tag, now).map(|ticket| (tag, ticket))),
            _ => {
                now += u64::from(dice.word());
                passed.clear();
            }
        }
    }
}
