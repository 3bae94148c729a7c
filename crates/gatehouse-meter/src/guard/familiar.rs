//! Who is known to be good: clients by how often they succeeded.

use crate::impossible::Impossible;
use crate::table::{Cell, Evictions, Hold, Table};

/// What makes a client familiar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamiliarSpec {
    /// How many successes, at least 1; 3 by default.
    pub successes: u8,
    /// Nanoseconds without a success after which its count is worth half, at least 1; a day by default.
    pub half_after: u64,
}

/// Clients and their successes.
///
/// **Memory**: a [`Table`] with 32 bytes a client. **Error**: none; counts stop at 255. **Ageing**: a client that is away
/// for `half_after` has half of its successes left, for twice as long a quarter, and so on. **When full**: clients with too
/// few successes go first, then those not seen for longest; a client that lost its cell is a stranger.
#[derive(Clone, Debug)]
pub struct Familiar {
    spec: FamiliarSpec,
    clients: Table<Client>,
}

#[derive(Clone, Debug, Default)]
struct Client {
    /// When it last succeeded.
    last: u64,
    /// When it had enough successes; `u64::MAX` while it has not.
    since: u64,
    /// When nothing is left of its successes.
    fades_at: u64,
    count: u8,
}

// === impl Familiar ===

impl Familiar {
    /// A table of at least `capacity` clients.
    ///
    /// # Errors
    /// [`Impossible::Guard`] for zero successes or an ageing of zero; [`Impossible::Capacity`] for a capacity of zero or
    /// more than 2²⁴.
    pub fn try_new(spec: FamiliarSpec, capacity: usize) -> Result<Self, Impossible> {
        if spec.successes == 0 || spec.half_after == 0 {
            return Err(Impossible::Guard);
        }
        Ok(Self { spec, clients: Table::new(capacity)? })
    }

    /// A request of the client was answered with success and was not mitigated.
    pub fn succeeded(&mut self, client: u64, now: u64) {
        let spec = self.spec;
        let cell = self.clients.entry(client, now);
        let left = cell.left(spec.half_after, now);
        let was_familiar = left >= spec.successes;
        cell.count = left.saturating_add(1);
        if cell.count < spec.successes {
            cell.since = u64::MAX;
        } else if !was_familiar {
            cell.since = now;
        }
        cell.last = cell.last.max(now);
        let halvings = u64::from(u8::BITS.saturating_sub(cell.count.leading_zeros()));
        cell.fades_at = cell.last.saturating_add(spec.half_after.saturating_mul(halvings));
    }

    /// The policy in force, not the change, mitigated a request of the client: it starts from nothing again.
    pub fn mitigated(&mut self, client: u64) {
        self.clients.remove(client);
    }

    /// Whether the client has had enough successes since before `began`, and still has.
    pub fn known_good(&self, client: u64, began: u64, now: u64) -> bool {
        self.clients
            .peek(client)
            .is_some_and(|cell| cell.since < began && cell.left(self.spec.half_after, now) >= self.spec.successes)
    }

    /// The memory of all clients, in bytes; it never changes.
    pub fn bytes(&self) -> usize {
        self.clients.bytes()
    }

    /// Clients that lost their cell so far: strangers as [`Evictions::idle`], familiar ones as [`Evictions::busy`].
    pub const fn evictions(&self) -> Evictions {
        self.clients.evictions()
    }
}

// === impl Client ===

impl Client {
    /// What is left of its successes.
    fn left(&self, half_after: u64, now: u64) -> u8 {
        let halvings = now.saturating_sub(self.last).checked_div(half_after).unwrap_or(0);
        u32::try_from(halvings).ok().and_then(|halvings| self.count.checked_shr(halvings)).unwrap_or(0)
    }
}

impl Cell for Client {
    fn hold(&self, now: u64) -> Hold {
        if self.fades_at <= now {
            return Hold::Spent;
        }
        if self.since == u64::MAX { Hold::Idle } else { Hold::Busy }
    }
}

// === impl FamiliarSpec ===

impl Default for FamiliarSpec {
    fn default() -> Self {
        Self { successes: 3, half_after: 86_400 * super::SECOND }
    }
}
