//! The value of a set: up to eight ways, those only whose cells still count something.
//!
//! ```text
//! offset  bytes  (all numbers little-endian)
//!      0      1  format, 1
//!      1      1  ways, 0 to 8
//!      2         the ways, one behind the other, in no order:
//!                8  the key's full 64-bit tag
//!                8  the moment from which the cell counts nothing
//!                1  kind: 1 failures, 2 rate, 3 window
//!                n  the cell: failures 113, rate 17, window 93
//! ```
//! A value without bytes is an empty set.

use super::cell::{LONGEST, SharedCell, length, take};

/// The format of the values, for the names under which they are kept.
pub const FORMAT: u8 = 1;

/// Keys in one set.
pub(super) const WAYS: usize = 8;

const WAY_HEAD: usize = 17;

/// The most bytes of a value.
pub(super) const MOST_BYTES: usize = 2 + WAYS * (WAY_HEAD + LONGEST);

/// What a set holds for one key.
pub(super) enum Found<C> {
    /// Seven ways at most are other keys': the key has this cell, or may have one.
    Cell(C),
    /// All eight ways are other keys' and count something.
    Full,
}

/// The value cannot be read as a set.
pub(super) struct Damaged;

struct Way<'a> {
    tag: u64,
    spent_at: u64,
    kind: u8,
    cell: &'a [u8],
    /// Head and cell.
    whole: &'a [u8],
}

/// The cell of a key, fresh if it has none.
pub(super) fn find<C: SharedCell>(value: &[u8], tag: u64, now: u64) -> Result<Found<C>, Damaged> {
    let (mut own, mut others) = (None, 0_usize);
    for way in ways(value)? {
        let way = way?;
        if way.is(tag, C::KIND) {
            own = Some(C::read(way.cell).ok_or(Damaged)?);
        } else if way.spent_at > now {
            others = others.saturating_add(1);
        }
    }
    Ok(match own {
        Some(cell) => Found::Cell(cell),
        None if others < WAYS => Found::Cell(C::default()),
        None => Found::Full,
    })
}

/// Writes the value anew to `out`, with this cell for the key and without what is spent.
pub(super) fn replace<C: SharedCell>(
    value: &[u8],
    tag: u64,
    cell: &C,
    now: u64,
    out: &mut Vec<u8>,
) -> Result<(), Damaged> {
    out.clear();
    out.extend_from_slice(&[FORMAT, 0]);
    let mut count = 0_u8;
    for way in ways(value)? {
        let way = way?;
        if !way.is(tag, C::KIND) && way.spent_at > now {
            out.extend_from_slice(way.whole);
            count = count.saturating_add(1);
        }
    }
    if cell.spent_at() > now {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&cell.spent_at().to_le_bytes());
        out.push(C::KIND);
        cell.write(out);
        count = count.saturating_add(1);
    }
    if let Some(ways) = out.get_mut(1) {
        *ways = count;
    }
    Ok(())
}

/// The ways of a value, each if it can be read.
fn ways(value: &[u8]) -> Result<impl Iterator<Item = Result<Way<'_>, Damaged>>, Damaged> {
    let (count, mut rest) = match value {
        [] => (0, value),
        [FORMAT, count, rest @ ..] if usize::from(*count) <= WAYS => (*count, rest),
        _ => return Err(Damaged),
    };
    Ok((0..count).map(move |_| Way::read(&mut rest).ok_or(Damaged)))
}

// === impl Way ===

impl<'a> Way<'a> {
    fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let mut head = *rest;
        let tag = u64::from_le_bytes(take(&mut head)?);
        let spent_at = u64::from_le_bytes(take(&mut head)?);
        let [kind] = take(&mut head)?;
        let (whole, behind) = rest.split_at_checked(WAY_HEAD.saturating_add(length(kind)?))?;
        *rest = behind;
        Some(Self { tag, spent_at, kind, cell: whole.get(WAY_HEAD..)?, whole })
    }

    const fn is(&self, tag: u64, kind: u8) -> bool {
        self.tag == tag && self.kind == kind
    }
}
