//! What is read off at a scrape: books, spool, sinks, streams, policy. One place, so that a number has one source.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use gatehouse_stream::receiver::Tallies;

use super::State;
use crate::lists;
use crate::sink::board;
use crate::spool::ReaderStat;

/// Reads the house at a scrape.
pub(super) struct Scrape(Arc<State>);

impl Scrape {
    pub(super) fn new(state: Arc<State>) -> Self {
        Self(state)
    }
}

impl Collector for Scrape {
    fn encode(&self, encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let mut out = Out(encoder);
        self.streams(&mut out)?;
        self.policy(&mut out)?;
        let braked = u64::from(self.0.standing.brakes.is_active());
        out.gauge("gatehouse_house_brake_active", "1: a brake holds, rules act as in monitor mode", braked)?;
        self.geo(&mut out)?;
        self.verdicts(&mut out)?;
        self.lists(&mut out)?;
        self.books(&mut out)?;
        self.spool(&mut out)?;
        self.sinks(&mut out)?;
        let lost = self.0.standing.notices.lost();
        out.counter(
            "gatehouse_house_lost_notices",
            "What the house had to tell its sinks and found no room for",
            lost,
        )?;
        let given_up = self.0.intake.references.given_up();
        out.counter("gatehouse_references_given_up_records", "Records not kept for `gatehouse explain`", given_up)?;
        let dropped = self.0.intake.access_log_dropped();
        out.counter("gatehouse_access_log_dropped_lines", "Lines that standard output did not take", dropped)?;
        out.counter("gatehouse_log_held_back_lines", "Log lines held back as repetitions", self.0.log.held_back())
    }
}

impl Scrape {
    fn streams(&self, out: &mut Out<'_>) -> fmt::Result {
        let views = self.0.intake.streams.views();
        let granted: u64 = views.iter().map(|view| u64::from(view.window)).sum();
        out.gauge("gatehouse_intake_open_streams", "Streams that are open", views.len() as u64)?;
        out.gauge("gatehouse_intake_granted_bytes", "Sum of the windows granted to gates", granted)?;
        let current = self.0.policies.current();
        let workers = super::workers_current(&views, current.as_ref());
        let refusing = views.iter().filter(|view| view.refusal.is_some()).count();
        out.gauge("gatehouse_policy_current_workers", "Workers with the policy in force", workers as u64)?;
        out.gauge("gatehouse_policy_refusing_workers", "Workers that refused the last image", refusing as u64)
    }

    fn policy(&self, out: &mut Out<'_>) -> fmt::Result {
        let current = self.0.policies.current();
        let revision = current.as_ref().map_or(0, crate::policies::Snapshot::revision);
        let problems = self.0.policies.report().problems.len();
        out.gauge("gatehouse_policy_revision", "Revision of the policy in force, 0: none", revision)?;
        let report = self.0.policies.report();
        let missing = report.packs.iter().flat_map(|pack| &pack.lists).filter(|list| list.problem.is_some()).count();
        out.gauge(
            "gatehouse_policy_unproved_lists",
            "Lists of packs in use that are left out with their rules",
            missing as u64,
        )?;
        let counts = self.0.intake.counts.summary();
        out.gauge(
            "gatehouse_policy_enforced_decisions",
            "Decisions of the rules of the policy in force",
            counts.enforced,
        )?;
        let help = "Decisions that rules of the policy in force would have made";
        out.gauge("gatehouse_policy_would_have_decisions", help, counts.would_have)?;
        let by_rule = self.0.intake.counts.by_rule();
        let each = |value: fn(&(String, u64, u64)) -> u64| -> Vec<(&str, u64)> {
            by_rule.iter().map(|rule| (rule.0.as_str(), value(rule))).collect()
        };
        let help = "Decisions of each rule of the policy in force, of those that did anything";
        out.counters("gatehouse_policy_rule_decisions", help, "rule", &each(|rule| rule.1))?;
        let help = "Decisions that each rule of the policy in force would have made";
        out.counters("gatehouse_policy_rule_would_have_decisions", help, "rule", &each(|rule| rule.2))?;
        let back = current.as_ref().map_or(0, |policy| self.0.standing.rollbacks.rules(policy).len());
        out.gauge(
            "gatehouse_policy_rolled_back_rules",
            "Rules of the policy in force that some worker took back",
            back as u64,
        )?;
        out.gauge("gatehouse_policy_problems", "Problems of the policy folder as it is now", problems as u64)
    }

    fn geo(&self, out: &mut Out<'_>) -> fmt::Result {
        let view = self.0.standing.geo.view();
        let age = self.0.standing.geo.oldest().map_or(0, |age| age.as_secs());
        let stale = view.files.iter().filter(|file| file.stale).count();
        out.gauge("gatehouse_geo_table_bytes", "Size of the table of countries and systems", view.bytes as u64)?;
        out.gauge("gatehouse_geo_oldest_file_seconds", "Age of the oldest file of the table", age)?;
        out.gauge("gatehouse_geo_stale_files", "Files of the table that are older than `maxAge`", stale as u64)?;
        let problems = view.problems.len();
        out.gauge("gatehouse_geo_problems", "Problems of the files of countries and systems", problems as u64)
    }

    fn verdicts(&self, out: &mut Out<'_>) -> fmt::Result {
        let lists = self.0.standing.verdicts.lists();
        let entries: u64 = lists.iter().map(|list| list.entries as u64).sum();
        out.gauge("gatehouse_verdict_lists", "Lists that verdicts stand on", lists.len() as u64)?;
        out.gauge("gatehouse_verdict_entries", "Verdicts on all lists", entries)?;
        let refused = self.0.intake.streams.refused_entries();
        out.gauge("gatehouse_verdict_refused_entries", "Verdicts for which attached workers had no room", refused)
    }

    fn lists(&self, out: &mut Out<'_>) -> fmt::Result {
        let views = self.0.standing.lists.views();
        let each = |read: fn(&lists::View) -> u64| -> Vec<(&str, u64)> {
            views.iter().map(|view| (view.name.as_str(), read(view))).collect()
        };
        let help = "Time since the fetched list was last known to be right; before that, since it was first tried";
        out.gauges("gatehouse_list_age_seconds", help, "list", &each(|view| view.age_seconds))?;
        out.gauges("gatehouse_list_entries", "Entries of the fetched list", "list", &each(|view| view.entries as u64))?;
        let help = "1: half of the time that the list holds has passed without a fetch that succeeded";
        out.gauges("gatehouse_list_stale", help, "list", &each(|view| u64::from(view.stale)))?;
        let help = "1: all of that time has passed, the list is empty";
        out.gauges("gatehouse_list_expired", help, "list", &each(|view| u64::from(view.expired)))?;
        let help = "Fetches of the list that failed";
        out.counters("gatehouse_list_failed_fetches", help, "list", &each(|view| view.failures))?;
        let help = "Entries of the list that were left out, since they are none";
        out.counters("gatehouse_list_refused_entries", help, "list", &each(|view| view.refused_entries))
    }

    fn books(&self, out: &mut Out<'_>) -> fmt::Result {
        let (books, mut total) = self.0.intake.books();
        books.iter().for_each(|books| total.add(books));
        // Gauges: a gate that comes back can take records out of the tail again, and a restart begins with what is on disk.
        out.gauge("gatehouse_books_seen_records", "Records that gates told of", total.seen)?;
        out.gauge("gatehouse_books_stored_records", "Records on disk, or delivered from it", total.stored)?;
        out.gauge("gatehouse_books_elsewhere_records", "Records acknowledged by another house", total.elsewhere)?;
        out.gauge("gatehouse_books_in_flight_records", "Records held by gates or on the way", total.in_flight)?;
        out.gauge("gatehouse_books_unknown_tail_records", "Records lost with their gates", total.unknown_tail)?;
        let dropped = [
            ("ring_full", total.dropped.ring_full),
            ("no_stream", total.dropped.no_stream),
            ("oversize", total.dropped.oversize),
            ("unreadable", total.dropped.unreadable),
        ];
        out.gauges("gatehouse_books_dropped_records", "Records that gates gave up", "reason", &dropped)?;
        let accounts = super::books::Accounts::of(&self.0);
        let (of_workers, of_sinks) = accounts.differences();
        let help = "Records missing from the account of workers; must be 0";
        out.gauge("gatehouse_books_difference_records", help, of_workers)?;
        let help = "Records missing from the account of the sink; must be 0";
        out.gauges("gatehouse_sink_difference_records", help, "sink", &of_sinks)?;
        Self::gates(out, &total.tallies)
    }

    /// Since this house began; a gate tells its totals anew when it greets.
    fn gates(out: &mut Out<'_>, tallies: &Tallies) -> fmt::Result {
        let unknown = super::tallies::by_field(&tallies.unknown);
        out.counter("gatehouse_gate_evicted_counts", "Counts of limits given up by full tables", tallies.evictions)?;
        let alone = tallies.shared_fallbacks;
        out.counter(
            "gatehouse_gate_shared_fallbacks",
            "Requests that shared limits counted in one worker alone",
            alone,
        )?;
        out.counter("gatehouse_gate_delayed_requests", "Requests that a rule delayed", tallies.delayed)?;
        let not_delayed = tallies.not_delayed;
        out.counter("gatehouse_gate_not_delayed_requests", "Requests not delayed, too many were already", not_delayed)?;
        out.counter("gatehouse_gate_rolled_back_rules", "Rules rolled back by workers", tallies.rollbacks)?;
        let help = "Enforced rules that did not fire because a field was unknown";
        out.counters("gatehouse_gate_unknown_fields", help, "field", &unknown)
    }

    fn spool(&self, out: &mut Out<'_>) -> fmt::Result {
        let stat = self.0.spool.stat();
        out.gauge("gatehouse_spool_size_bytes", "Bytes of all segment files", stat.bytes)?;
        out.gauge("gatehouse_spool_free_bytes", "Bytes that can still be stored", stat.free_bytes)?;
        let full = stat.full || self.0.intake.is_closed();
        out.gauge("gatehouse_spool_full", "1: no credit is granted until space returns", u64::from(full))?;
        out.counter("gatehouse_spool_failed_syncs", "Syncs or writes that failed", stat.failed_syncs)?;
        out.counter("gatehouse_spool_failed_cursors", "Cursor writes that failed", stat.failed_cursors)?;
        out.counter("gatehouse_spool_corrupt_frames", "Corrupt frames met by sinks", stat.corrupt_frames)?;
        let by_reader = |read: fn(&ReaderStat) -> u64| -> Vec<(&str, u64)> {
            stat.readers.iter().map(|reader| (reader.name.as_str(), read(reader))).collect()
        };
        let pending = by_reader(|reader| reader.pending.records);
        let delivered = by_reader(|reader| reader.tally.delivered);
        let dead = by_reader(|reader| reader.tally.dead_lettered);
        let skipped = by_reader(|reader| reader.tally.skipped);
        let left_out = by_reader(|reader| reader.tally.left_out);
        out.gauges("gatehouse_sink_pending_records", "Records not delivered yet", "sink", &pending)?;
        out.counters("gatehouse_sink_delivered_records", "Records delivered, over restarts", "sink", &delivered)?;
        out.counters("gatehouse_sink_dead_lettered_records", "Records in dead-letter files", "sink", &dead)?;
        out.counters("gatehouse_sink_skipped_records", "Records passed over by rule", "sink", &skipped)?;
        out.counters("gatehouse_sink_left_out_records", "Records kept back by `where` and `sample`", "sink", &left_out)
    }

    fn sinks(&self, out: &mut Out<'_>) -> fmt::Result {
        let statuses: Vec<_> = self.0.sinks.iter().map(|board| board.status()).collect();
        let failures: Vec<_> = statuses.iter().map(|sink| (sink.name.as_str(), sink.tallies.failures)).collect();
        let troubled: Vec<_> =
            statuses.iter().map(|sink| (sink.name.as_str(), u64::from(sink.problem.is_some()))).collect();
        let in_state = |state| -> Vec<(&str, u64)> {
            statuses.iter().map(|sink| (sink.name.as_str(), u64::from(sink.state == state))).collect()
        };
        let help = "1: the sink waits for certificates, a token or a password";
        out.gauges("gatehouse_sink_waiting", help, "sink", &in_state(board::State::Waiting))?;
        let help = "1: the peer refuses the sink's login, or its right to write";
        out.gauges("gatehouse_sink_denied", help, "sink", &in_state(board::State::Denied))?;
        out.expiries(&statuses)?;
        out.counters(
            "gatehouse_sink_failed_attempts",
            "Deliveries that failed and were tried again",
            "sink",
            &failures,
        )?;
        let tallied = |read: fn(&board::Tallies) -> u64| -> Vec<(&str, u64)> {
            statuses.iter().map(|sink| (sink.name.as_str(), read(&sink.tallies))).collect()
        };
        let fatal = tallied(|tallies| tallies.fatal_errors);
        let help = "Clients of a peer that were of no further use and were built anew";
        out.counters("gatehouse_sink_fatal_errors", help, "sink", &fatal)?;
        let for_size = tallied(|tallies| tallies.skipped_for_size);
        let for_age = tallied(|tallies| tallies.skipped_for_age);
        let help = "Records passed over since the start, because too many bytes lay before the sink";
        out.counters("gatehouse_sink_skipped_for_size_records", help, "sink", &for_size)?;
        let help = "Records passed over since the start, because they were too old";
        out.counters("gatehouse_sink_skipped_for_age_records", help, "sink", &for_age)?;
        out.gauges("gatehouse_sink_troubled", "1: the sink cannot deliver now", "sink", &troubled)
    }
}

struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let gauge = ConstGauge::new(value);
        gauge.encode(self.0.encode_descriptor(name, help, None, MetricType::Gauge)?)
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let counter = ConstCounter::new(value);
        counter.encode(self.0.encode_descriptor(name, help, None, MetricType::Counter)?)
    }

    fn gauges(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        self.each(name, help, MetricType::Gauge, label, values, ConstGauge::new)
    }

    /// The moment and not what is left of it: a rule takes the difference to its own `time()`.
    fn expiries(&mut self, statuses: &[board::Status]) -> fmt::Result {
        let (name, help) =
            ("gatehouse_sink_trust_expires_timestamp_seconds", "When a certificate file expires, Unix time");
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for status in statuses {
            for expiry in &status.trust {
                let file = expiry.file.to_string_lossy();
                let labels = [("sink", status.name.as_str()), ("file", &*file)];
                ConstGauge::new(expiry.unix_seconds).encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }

    fn counters(&mut self, name: &str, help: &str, label: &str, values: &[(&str, u64)]) -> fmt::Result {
        self.each(name, help, MetricType::Counter, label, values, ConstCounter::new)
    }

    fn each<M: EncodeMetric>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        label: &str,
        values: &[(&str, u64)],
        make: fn(u64) -> M,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        for (value, number) in values {
            make(*number).encode(family.encode_family(&[(label, *value)])?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Scrape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scrape")
    }
}
