//! The house's books as `/status` shows them, and the outside truth to hold them against.

use std::collections::BTreeSet;
use std::time::Duration;

use gatehouse_support::{House, wait};
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// The account over all epochs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Books {
    /// Transactions that the gates told of.
    pub seen: u64,
    /// Records on disk.
    pub stored: u64,
    /// Records given up by gates, counted.
    pub dropped: u64,
    /// Held by gates or on the way.
    pub in_flight: u64,
    /// Lost with a gate that ended without a goodbye.
    pub unknown_tail: u64,
    /// What the house itself says is unaccounted for.
    pub difference: i64,
}

impl Books {
    /// Reads them from `/status`.
    ///
    /// # Panics
    /// When the house does not show them.
    pub fn of(status: &Value) -> Self {
        let total = &status["books"]["total"];
        let number = |name: &str| total[name].as_u64().unwrap_or_else(|| panic!("no `{name}` in the books: {status}"));
        let dropped = total["dropped"].as_object().unwrap_or_else(|| panic!("no `dropped` in the books: {status}"));
        Self {
            seen: number("seen"),
            stored: number("stored"),
            dropped: dropped.values().filter_map(Value::as_u64).sum(),
            in_flight: number("in_flight"),
            unknown_tail: number("unknown_tail"),
            difference: total["difference"].as_i64().unwrap_or(i64::MAX),
        }
    }
}

/// Waits until nothing is in flight, then checks the account against the client's own count: `sent = stored + dropped`, and
/// no difference.
///
/// # Panics
/// When the books do not close within half a minute, or do not balance.
pub async fn assert_closed(house: &House, sent: u64) -> Books {
    let books = wait::until(PATIENCE, "the books to close", || async {
        let books = Books::of(&house.status().await);
        (books.in_flight == 0 && books.seen >= sent).then_some(books)
    })
    .await;
    assert_eq!(books.difference, 0, "{books:?}");
    assert_eq!(books.unknown_tail, 0, "{books:?}");
    assert_eq!(books.seen, sent, "the client's own count against the books: {books:?}");
    assert_eq!(books.stored + books.dropped, sent, "{books:?}");
    books
}

/// [`assert_closed`], and the file sink has each stored record, once under its own id.
///
/// # Panics
/// Like [`assert_closed`], and when a record is missing in the file.
pub async fn assert_balanced(house: &House, sent: u64) -> Books {
    let books = assert_closed(house, sent).await;
    let delivered = || -> Vec<String> {
        let records = house.events().into_iter().filter(|event| event["class_uid"] == 4002);
        records.filter_map(|event| event["metadata"]["uid"].as_str().map(str::to_owned)).collect()
    };
    wait::until_true(PATIENCE, "the file sink to have every stored record", || async {
        delivered().len() as u64 >= books.stored
    })
    .await;
    let ids: BTreeSet<String> = delivered().into_iter().collect();
    assert_eq!(ids.len() as u64, books.stored, "distinct ids in the file against stored");
    books
}
