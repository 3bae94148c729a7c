//! The books: what became of every transaction that a gate saw, per worker; and of every record that the spool took, per sink.
//! Each account names its terms and what is missing from their sum, which must be nothing.

use gatehouse_stream::receiver::{Books, Dropped, Totals};
use serde::Serialize;

use super::State;
use super::tallies::Shown;
use crate::ocsf::hex::Hex;
use crate::spool::{ReaderStat, Stat};

/// Both accounts at one moment: the answer to `GET /books`.
#[derive(Debug, Serialize)]
pub(super) struct Accounts {
    /// Sum of what is missing anywhere, without its sign: 0, or something was lost uncounted.
    difference: u128,
    workers: BooksStatus,
    sinks: Vec<SinkBooks>,
}

#[derive(Debug, Serialize)]
struct SinkBooks {
    name: String,
    #[serde(flatten)]
    account: SinkAccount,
}

/// `stored` = before + delivered + dead_lettered + skipped + left_out + set_aside + pending; `difference` is what is missing.
#[derive(Debug, Serialize)]
pub(super) struct SinkAccount {
    stored: u64,
    before: u64,
    delivered: u64,
    dead_lettered: u64,
    skipped: u64,
    left_out: u64,
    set_aside: u64,
    pending: u64,
    difference: i128,
}

#[derive(Debug, Serialize)]
pub(super) struct BooksStatus {
    total: Account,
    /// What gates count beside their records, summed up since this house began.
    gates: Shown,
    /// Epochs that were quiet for a day, summed up.
    forgotten: Account,
    epochs: Vec<EpochAccount>,
}

#[derive(Debug, Serialize)]
struct EpochAccount {
    epoch: String,
    node: String,
    stream: u32,
    open: bool,
    bye: bool,
    /// What the gate held when it said goodbye: not acknowledged to it, and never sent. `null`: it did not say.
    held: Option<u64>,
    unsent: Option<u64>,
    durable_seq: u64,
    #[serde(flatten)]
    account: Account,
    without_policy: u64,
    envoy_seen: u64,
    gate: Shown,
}

/// `seen` = stored + dropped + elsewhere + in_flight + unknown_tail; `difference` is what is missing.
#[derive(Debug, Serialize)]
struct Account {
    seen: u64,
    stored: u64,
    dropped: DroppedStatus,
    elsewhere: u64,
    in_flight: u64,
    unknown_tail: u64,
    difference: i128,
}

#[derive(Debug, Serialize)]
struct DroppedStatus {
    ring_full: u64,
    no_stream: u64,
    oversize: u64,
    unreadable: u64,
}

impl Accounts {
    /// The house at this moment.
    pub(super) fn of(state: &State) -> Self {
        let stat = state.spool.stat();
        let workers = BooksStatus::of(state.intake.books());
        let sink =
            |reader: &ReaderStat| SinkBooks { name: reader.name.clone(), account: SinkAccount::of(reader, &stat) };
        let sinks: Vec<SinkBooks> = stat.readers.iter().map(sink).collect();
        let of_sinks: u128 = sinks.iter().map(|sink| sink.account.difference.unsigned_abs()).sum();
        Self { difference: workers.difference().saturating_add(of_sinks), workers, sinks }
    }

    /// What is missing from the accounts of workers, and from those of sinks: `(of workers, of each sink by name)`.
    pub(super) fn differences(&self) -> (u64, Vec<(&str, u64)>) {
        let narrow = |difference: u128| u64::try_from(difference).unwrap_or(u64::MAX);
        let sink = |sink: &SinkBooks| narrow(sink.account.difference.unsigned_abs());
        let of_sinks = self.sinks.iter().map(|one| (one.name.as_str(), sink(one))).collect();
        (narrow(self.workers.difference()), of_sinks)
    }
}

impl BooksStatus {
    fn difference(&self) -> u128 {
        let epochs = self.epochs.iter().map(|epoch| epoch.account.difference.unsigned_abs());
        epochs.chain([self.forgotten.difference.unsigned_abs()]).sum()
    }
}

impl SinkAccount {
    /// The account of one sink.
    pub(super) fn of(reader: &ReaderStat, stat: &Stat) -> Self {
        let parts = [
            reader.before,
            reader.tally.delivered,
            reader.tally.dead_lettered,
            reader.tally.skipped,
            reader.tally.left_out,
            reader.set_aside,
            reader.pending.records,
        ];
        let [before, delivered, dead_lettered, skipped, left_out, set_aside, pending] = parts;
        let difference = i128::from(stat.records) - parts.iter().copied().map(i128::from).sum::<i128>();
        Self {
            stored: stat.records,
            before,
            delivered,
            dead_lettered,
            skipped,
            left_out,
            set_aside,
            pending,
            difference,
        }
    }
}

impl BooksStatus {
    /// The account of each worker, and the sums.
    pub(super) fn of((books, past): (Vec<Books>, Totals)) -> Self {
        let mut total = past;
        books.iter().for_each(|books| total.add(books));
        Self {
            total: Account::from(&total),
            gates: Shown::from(&total.tallies),
            forgotten: Account::from(&past),
            epochs: books.into_iter().map(EpochAccount::from).collect(),
        }
    }
}

impl From<Books> for EpochAccount {
    fn from(books: Books) -> Self {
        let mut alone = Totals::default();
        alone.add(&books);
        Self {
            epoch: Hex(books.epoch.to_be_bytes()).to_string(),
            stream: books.stream_no,
            open: books.open,
            bye: books.bye,
            held: books.left.map(|left| left.held),
            unsent: books.left.map(|left| left.unsent),
            durable_seq: books.durable_seq,
            account: Account::from(&alone),
            without_policy: books.counters.without_policy,
            envoy_seen: books.counters.envoy_seen,
            gate: Shown::from(&alone.tallies),
            node: books.node,
        }
    }
}

impl From<&Totals> for Account {
    fn from(totals: &Totals) -> Self {
        let Dropped { ring_full, no_stream, oversize, unreadable } = totals.dropped;
        let booked = [totals.stored, totals.dropped.total(), totals.elsewhere, totals.in_flight, totals.unknown_tail];
        Self {
            seen: totals.seen,
            stored: totals.stored,
            dropped: DroppedStatus { ring_full, no_stream, oversize, unreadable },
            elsewhere: totals.elsewhere,
            in_flight: totals.in_flight,
            unknown_tail: totals.unknown_tail,
            difference: i128::from(totals.seen) - booked.into_iter().map(i128::from).sum::<i128>(),
        }
    }
}
