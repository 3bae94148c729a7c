//! Nanoseconds a call: `cargo bench -p gatehouse-meter`. Tables of 16,384 cells, half full, keys at random: what a request
//! of one among many clients costs. The best of nine rounds, since a busy machine only adds.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use gatehouse_meter::shared::{SlotError, Slots, Stored, Version};
use gatehouse_meter::{
    Arm, Count, Effect, Familiar, FamiliarSpec, Guard, GuardSpec, Impossible, Keys, Ladder, Limit, LimitSpec,
    LimitTable, Part, ScoreCell, Scores, SharedLimit, Step, Table, canary_share,
};

const SECOND: u64 = 1_000_000_000;
const CALLS: u64 = 200_000;
const KEYS: u64 = 8_192;

/// Shared data without the host's own cost: a copy in, a copy out.
#[derive(Default)]
struct Host(RefCell<BTreeMap<u32, (Vec<u8>, u32)>>);

impl Slots for Host {
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError> {
        let sets = self.0.borrow();
        let Some((value, cas)) = sets.get(&set) else { return Ok(Version::ABSENT) };
        into.extend_from_slice(value);
        Ok(Version::held(*cas))
    }

    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError> {
        let mut sets = self.0.borrow_mut();
        let (value, cas) = sets.entry(set).or_default();
        if *cas != 0 && *cas != version.cas() {
            return Ok(Stored::Conflict);
        }
        value.clear();
        value.extend_from_slice(bytes);
        *cas += 1;
        Ok(Stored::Done)
    }
}

/// The least nanoseconds a call of nine rounds; each call has a key and a moment.
fn measure(name: &str, mut call: impl FnMut(u64, u64)) {
    let mut moment = SECOND;
    let mut best = f64::MAX;
    for _ in 0..9 {
        let start = Instant::now();
        for i in 0..CALLS {
            let key = i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (KEYS - 1);
            moment += 20_000;
            call(key.wrapping_mul(0xd6e8_feb8_6659_fd93), moment);
        }
        best = best.min(start.elapsed().as_nanos() as f64 / CALLS as f64);
    }
    println!("{name:<44}{best:>8.1} ns");
}

fn ladder(steps: u32, first: u32) -> Result<Ladder, Impossible> {
    let steps: Vec<_> = (0..steps).map(|i| Step { limit: first * 10_u32.pow(i), block_for: 0 }).collect();
    Ladder::new(&steps)
}

fn limits() -> Result<[(&'static str, LimitSpec); 6], Impossible> {
    let window = Count::Window { window: 60 * SECOND };
    let rate = Count::Rate { rate: 1_000, per: 60 * SECOND };
    let failures = Count::Failures { window: 60 * SECOND, in_flight: None };
    Ok([
        ("window, one step, within", LimitSpec { count: window, steps: ladder(1, 10_000)? }),
        ("window, four steps, within", LimitSpec { count: window, steps: ladder(4, 10_000)? }),
        ("window, one step, over", LimitSpec { count: window, steps: ladder(1, 3)? }),
        ("rate, one step, within", LimitSpec { count: rate, steps: ladder(1, 1_000)? }),
        ("failures, within", LimitSpec { count: failures, steps: ladder(1, 10_000)? }),
        ("distinct, within", LimitSpec { count: Count::Distinct { window: 60 * SECOND }, steps: ladder(1, 1_000)? }),
    ])
}

fn tables() -> Result<(), Impossible> {
    for (name, spec) in limits()? {
        let mut table = LimitTable::try_new(spec, 16_384)?;
        measure(&format!("{name}: request"), |tag, now| {
            let decision = table.request(tag, Some(tag ^ now), now);
            if let Some(ticket) = black_box(decision).ticket {
                table.answer(tag, ticket, false, now);
            }
        });
        measure(&format!("{name}: would"), |tag, now| {
            let _ = black_box(table.would(tag, Some(tag), now));
        });
        println!("{:<44}{:>8} bytes a key", "", table.bytes() / table.capacity());
    }
    Ok(())
}

fn shared() -> Result<(), Impossible> {
    for (name, spec) in limits()?.into_iter().take(5) {
        let (host, limit) = (Host::default(), Limit::try_new(spec)?);
        let mut shared = SharedLimit::try_new(limit, 2_048, 64)?;
        measure(&format!("shared {name}: request"), |tag, now| {
            let decision = shared.request(&host, tag, now);
            if let Some(ticket) = black_box(decision).ticket {
                shared.answer(&host, tag, ticket, false, now);
            }
        });
    }
    Ok(())
}

fn others() -> Result<(), Impossible> {
    let keys = Keys::new(&[7; 16]);
    measure("key of address and path class", |tag, _| {
        let address = std::net::Ipv4Addr::from_bits(tag as u32).into();
        let tag = keys.key(1).part(Part::Address(address)).part(Part::PathClass(b"/catalog/{id}"));
        black_box(tag.finish());
    });
    let (scores, mut cells) = (Scores::new(600 * SECOND)?, Table::<ScoreCell>::new(16_384)?);
    measure("scores: add", |tag, now| {
        let _ = black_box(scores.add(cells.entry(tag, now), Some(3), 5, now));
    });
    measure("scores: total", |tag, now| {
        let _ = black_box(cells.peek(tag).map(|cell| scores.total(cell, now)));
    });
    let mut guard = Guard::try_new(GuardSpec::default(), 16_384, 0)?;
    measure("guard: observe", |tag, now| {
        black_box(guard.observe(tag, true, Arm::Canary, Effect::Nothing, now));
    });
    let mut familiar = Familiar::try_new(FamiliarSpec::default(), 16_384)?;
    measure("familiar: succeeded", |tag, now| familiar.succeeded(tag, now));
    measure("familiar: known good", |tag, now| {
        let _ = black_box(familiar.known_good(tag, now, now));
    });
    measure("canary share", |tag, _| {
        let _ = black_box(canary_share(tag, 7, 10));
    });
    Ok(())
}

fn main() -> Result<(), Impossible> {
    tables()?;
    shared()?;
    others()
}
