//! Clients whom a document mitigated before it was changed: what it says in other words now is no news to them.

use gatehouse_meter::{Cell, Hold, Table};

/// Pairs of client and document that are remembered; 33 bytes each.
const REMEMBERED: usize = 8192;
/// For how long after the last time.
const A_DAY: u64 = 86_400_000_000_000;

/// Who was mitigated by which document, as far as there is room: then those of longest ago go.
#[derive(Debug)]
pub(super) struct Refused {
    pairs: Table<Times>,
}

#[derive(Debug, Clone, Default)]
struct Times {
    first: u64,
    last: u64,
}

impl Refused {
    pub(super) fn new() -> Option<Self> {
        Table::new(REMEMBERED).ok().map(|pairs| Self { pairs })
    }

    /// A document mitigated a request of a client.
    pub(super) fn note(&mut self, client: u64, document: u64, now_ns: u64) {
        let pair = self.pairs.entry(mixed(client, document), now_ns);
        if pair.hold(now_ns) == Hold::Spent {
            pair.first = now_ns;
        }
        pair.last = now_ns.max(1);
    }

    /// The document mitigated the client before `began`, not longer ago than a day.
    pub(super) fn before(&self, client: u64, document: u64, began: u64) -> bool {
        let pair = self.pairs.peek(mixed(client, document));
        pair.is_some_and(|pair| pair.first < began && pair.hold(began) == Hold::Idle)
    }
}

impl Cell for Times {
    fn hold(&self, now: u64) -> Hold {
        if self.last == 0 || self.last.saturating_add(A_DAY) <= now { Hold::Spent } else { Hold::Idle }
    }
}

/// The client's tag is a keyed hash already.
fn mixed(client: u64, document: u64) -> u64 {
    (client ^ document.rotate_left(32)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(32) ^ document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_mitigated_by_the_document_itself_is_told_for_a_day() {
        let mut refused = Refused::new().unwrap();
        refused.note(7, 1, 100);
        refused.note(7, 1, 500);
        assert!(refused.before(7, 1, 200) && refused.before(7, 1, 501));
        assert!(!refused.before(7, 1, 100), "it was not before");
        assert!(!refused.before(8, 1, 200) && !refused.before(7, 2, 200));
        assert!(refused.before(7, 1, A_DAY + 499) && !refused.before(7, 1, A_DAY + 500));
        refused.note(7, 1, A_DAY + 600);
        assert!(!refused.before(7, 1, A_DAY + 600), "a day later it begins anew");
    }
}
