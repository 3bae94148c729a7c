//! The books: what the clients counted, what the events say, what the shop saw. They must agree to the last request.

use std::collections::BTreeSet;

use crate::events::Account;
use crate::shop::Reached;
use crate::traffic::Tally;

/// One line: a thing counted on two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What is counted.
    pub what: String,
    /// What the clients, or the shop, counted.
    pub outside: u64,
    /// What the events say.
    pub events: u64,
}

/// All lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Books {
    /// The lines, in the order of the report.
    pub lines: Vec<Line>,
}

impl Books {
    /// Compares the three.
    pub fn compare(tally: &Tally, account: &Account, reached: Reached) -> Self {
        let statuses: BTreeSet<u16> = tally.by_status.keys().chain(account.by_status.keys()).copied().collect();
        let mut lines: Vec<Line> = statuses
            .into_iter()
            .map(|status| Line {
                what: format!("answered {status}"),
                outside: tally.by_status.get(&status).copied().unwrap_or_default(),
                events: account.by_status.get(&status).copied().unwrap_or_default(),
            })
            .collect();
        lines.push(Line { what: "requests in all".into(), outside: tally.sum().sent, events: account.total });
        let found = tally.references.intersection(&account.references).count() as u64;
        lines.push(Line {
            what: "references given to clients".into(),
            outside: tally.references.len() as u64,
            events: found,
        });
        // What took the listener without the gate reached the shop too, and has no event.
        let shop = reached.requests.saturating_sub(tally.plain);
        lines.push(Line { what: "requests that reached the shop".into(), outside: shop, events: account.allowed() });
        lines.push(Line {
            what: "requests tagged for the shop".into(),
            outside: reached.tagged,
            events: account.tagged,
        });
        Self { lines }
    }

    /// Both sides of every line agree.
    pub fn balance(&self) -> bool {
        self.lines.iter().all(Line::agrees)
    }
}

impl Line {
    /// Both sides agree.
    pub fn agrees(&self) -> bool {
        self.outside == self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::Actor;
    use crate::client::Answer;
    use crate::events::Decision;
    use std::time::Duration;

    fn both() -> (Tally, Account, Reached) {
        let (mut tally, mut account) = (Tally::default(), Account::default());
        for (status, reference) in [(200, None), (200, None), (403, Some("A".to_owned()))] {
            tally.count(Actor::Shopper, Some(&Answer { status, reference, elapsed: Duration::ZERO }));
        }
        tally.plain = 4;
        account.total = 3;
        account.by_status = [(200, 2), (403, 1)].into();
        account.references = ["A".to_owned()].into();
        let decision = |action: &str| Decision { action: action.into(), rule: None, reason: String::new() };
        account.tagged = 1;
        account.decisions = [(decision("allow"), 2), (decision("block"), 1)].into();
        (tally, account, Reached { requests: 6, tagged: 1, forged: 0 })
    }

    #[test]
    fn three_counts_that_agree_balance() {
        let (tally, account, reached) = both();
        let books = Books::compare(&tally, &account, reached);
        assert!(books.balance(), "{books:?}");
        assert_eq!(books.lines.len(), 6);
    }

    #[test]
    fn one_missing_event_shows_in_its_status_and_in_the_sum() {
        let (tally, mut account, reached) = both();
        account.total -= 1;
        account.by_status.insert(200, 1);
        let books = Books::compare(&tally, &account, reached);
        let wrong: Vec<&str> =
            books.lines.iter().filter(|line| !line.agrees()).map(|line| line.what.as_str()).collect();
        assert_eq!(wrong, ["answered 200", "requests in all"]);
    }

    #[test]
    fn an_unknown_reference_a_blocked_request_at_the_shop_and_a_forged_tag_do_not_balance() {
        let (mut tally, account, reached) = both();
        tally.references = ["B".to_owned()].into();
        let books = Books::compare(&tally, &account, Reached { requests: reached.requests + 1, tagged: 2, forged: 0 });
        assert_eq!(books.lines.iter().filter(|line| !line.agrees()).count(), 3);
    }
}
