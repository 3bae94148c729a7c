//! One limit and its cells, of which an address is asked and then counted.

use std::hint::black_box;
use std::io;
use std::net::Ipv4Addr;

use gatehouse_meter::limit::{Capacities, Pool};
use gatehouse_meter::{Count, Keys, Ladder, Limit, LimitSpec, Part, Step};

/// Cells of windows, as a worker has them.
pub(crate) const CELLS: usize = 65_536;

/// A limit by address in a sliding window. A request comes every millisecond.
pub(crate) struct Meter {
    limit: Limit,
    pool: Pool,
    keys: Keys,
    now: u64,
}

impl Meter {
    /// So many requests in a window of so many nanoseconds.
    pub(crate) fn new(window: u64, most: u32) -> io::Result<Self> {
        let steps = Ladder::new(&[Step { limit: most, block_for: 0 }]).map_err(io::Error::other)?;
        let spec = LimitSpec { count: Count::Window { window }, steps };
        let limit = Limit::try_new(spec).map_err(io::Error::other)?;
        let mut pool = Pool::new(Capacities { distinct: 16, failures: 16, rate: 16, window: CELLS });
        pool.prepare(&limit).map_err(io::Error::other)?;
        Ok(Self { limit, pool, keys: Keys::new(&[7; 16]), now: window })
    }

    /// Asks and counts, as a decision does.
    pub(crate) fn count(&mut self, address: Ipv4Addr) {
        self.now += 1_000_000;
        let tag = self.keys.key(1).part(Part::Address(address.into())).finish();
        black_box(self.pool.would(&self.limit, tag, None, self.now).over);
        black_box(self.pool.request(&self.limit, tag, None, self.now));
    }

    /// Bytes of its cells.
    pub(crate) fn bytes(&self) -> usize {
        self.pool.bytes()
    }

    /// Counts that were lost to other keys.
    pub(crate) fn evicted(&self) -> u64 {
        let evicted = self.pool.evictions();
        evicted.idle + evicted.busy + evicted.blocked
    }
}
