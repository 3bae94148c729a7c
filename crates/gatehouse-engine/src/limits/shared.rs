//! Limits that hold across the workers of one Envoy, and what their host must offer.

use gatehouse_meter::shared::{SlotError, Slots, Stored, Version};

/// Where workers share the counts of `shared: true` limits.
pub use gatehouse_meter::shared::Slots as SharedSlots;

/// Slots behind a reference that does not know their type.
#[derive(Clone, Copy)]
pub(super) struct Via<'a>(pub(super) &'a dyn SharedSlots);

impl Slots for Via<'_> {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        self.0.load(set, into)
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        self.0.store(set, bytes, version)
    }
}

/// Nowhere: every worker counts for itself, and says so.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSlots;

impl Slots for NoSlots {
    fn load(&self, _: u32, _: &mut Vec<u8>) -> Result<Version, SlotError> {
        Err(SlotError)
    }

    fn store(&self, _: u32, _: &[u8], _: Version) -> Result<Stored, SlotError> {
        Err(SlotError)
    }
}
