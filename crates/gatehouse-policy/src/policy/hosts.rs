//! Hosts that were asked for lately, with their scopes: most requests of a worker are for a few names, and comparing one costs a
//! tenth of hashing it byte by byte with every domain above it.

use super::{Policy, Scope};
use crate::index::hash;

/// Hosts that are remembered, as a power of two.
const PLACES_BITS: u32 = 6;
/// Longest host that is remembered: with its length and scope a cache line.
const LONGEST: usize = 59;

/// Up to 64 hosts and what a policy says about each: 4 KiB, taken once. Belongs to one policy at a time: [`forget`](Self::forget)
/// when another comes into force.
#[derive(Debug, Clone)]
pub struct KnownHosts {
    places: Box<[Place]>,
}

/// A host and its scope. Empty: none.
#[derive(Debug, Clone, Copy)]
struct Place {
    scope: u32,
    length: u8,
    host: [u8; LONGEST],
}

impl Place {
    const EMPTY: Self = Self { scope: 0, length: 0, host: [0; LONGEST] };

    fn holds(&self, host: &[u8]) -> bool {
        self.host.get(..usize::from(self.length)) == Some(host)
    }
}

impl Default for KnownHosts {
    fn default() -> Self {
        Self { places: [Place::EMPTY; 1 << PLACES_BITS].into() }
    }
}

impl KnownHosts {
    /// Forgets all: for another policy.
    pub fn forget(&mut self) {
        self.places.fill(Place::EMPTY);
    }

    /// `host` was learned lately, and this is [`Policy::for_host`].
    #[inline]
    #[must_use]
    pub fn find<'p>(&self, policy: &'p Policy, host: &[u8]) -> Option<Option<Scope<'p>>> {
        let place = self.places.get(place(host)).filter(|place| place.holds(host) && !host.is_empty())?;
        Some(policy.covered(place.scope as usize))
    }

    /// [`Policy::for_host`], which is remembered.
    #[must_use]
    pub fn learn<'p>(&mut self, policy: &'p Policy, host: &[u8]) -> Option<Scope<'p>> {
        let number = policy.scope_of(host);
        if let (Some(place), Ok(scope)) = (self.places.get_mut(place(host)), u32::try_from(number))
            && let Some(own) = place.host.get_mut(..host.len())
        {
            own.copy_from_slice(host);
            (place.length, place.scope) = (host.len() as u8, scope);
        }
        policy.covered(number)
    }
}

#[inline]
fn place(host: &[u8]) -> usize {
    (hash::bytes(host) >> (u64::BITS - PLACES_BITS)) as usize
}
