//! The counts that workers share, in this process's memory: one worker is all there are, and `shared: true` counts as in a gate.

use std::cell::RefCell;
use std::collections::HashMap;

use gatehouse_engine::SharedSlots;
use gatehouse_engine::slots::{SlotError, Stored, Version};

/// As bounded as the engine's numbers of sets are.
#[derive(Debug, Default)]
pub(super) struct MemorySlots(RefCell<HashMap<u32, (Vec<u8>, u32)>>);

impl SharedSlots for MemorySlots {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        let sets = self.0.try_borrow().map_err(|_| SlotError)?;
        Ok(sets.get(&set).map_or(Version::ABSENT, |(bytes, version)| {
            into.extend_from_slice(bytes);
            Version::held(*version)
        }))
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        let mut sets = self.0.try_borrow_mut().map_err(|_| SlotError)?;
        match sets.get_mut(&set) {
            Some((held, number)) if version.cas() == *number => {
                held.clear();
                held.extend_from_slice(bytes);
                *number = number.checked_add(1).filter(|next| *next != Version::ABSENT.cas()).unwrap_or(1);
                Ok(Stored::Done)
            }
            None if version == Version::ABSENT => {
                sets.insert(set, (bytes.to_vec(), 1));
                Ok(Stored::Done)
            }
            Some(_) | None => Ok(Stored::Conflict),
        }
    }
}
