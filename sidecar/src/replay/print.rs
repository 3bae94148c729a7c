//! The report for people.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::change;
use super::{Example, Report};
use crate::logs::Found;
use crate::terminal::{Paint, grouped, plain, share};

/// Names that are listed before the rest is only counted.
const LISTED: usize = 20;

impl Report {
    /// Writes the report.
    ///
    /// # Errors
    /// The writer fails.
    pub fn write(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        self.logs(out, paint)?;
        self.counts(out, paint)?;
        self.rules(out, paint)?;
        self.not_judged(out, paint)?;
        if let Some(against) = &self.against {
            self.changes(against, out, paint)?;
        }
        let (requests, rate) = (grouped(self.requests), grouped(self.requests_per_second));
        writeln!(out, "\n{requests} requests in {:.2} s, {rate} requests/s", self.seconds)
    }

    fn logs(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        for log in &self.logs {
            let formats: Vec<&str> = log.formats.keys().copied().collect();
            let kind = if formats.is_empty() { "nothing".to_owned() } else { formats.join(", ") };
            writeln!(out, "{}: {} requests ({kind})", plain(&log.name), grouped(log.requests))?;
            trouble(log, out, paint)?;
        }
        if let Some(period) = &self.period {
            writeln!(out, "{} to {}", period.first, period.last)?;
        }
        let clock = &self.clock;
        if clock.without_time > 0 {
            let said = "without a time: judged at the moment of the one before";
            writeln!(out, "{}", paint.yellow(format!("{} requests {said}", grouped(clock.without_time))))?;
        }
        if clock.out_of_order > 0 {
            let count = grouped(clock.out_of_order);
            writeln!(out, "{count} requests out of order: judged at the latest moment read before them")?;
        }
        if !self.complete {
            writeln!(out, "{}", paint.yellow("not complete: what follows is what was read so far"))?;
        }
        Ok(())
    }

    fn counts(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        let all = self.requests;
        writeln!(out, "\n{}", paint.bold(format!("{:<24} {:>12} {:>9}", "action", "requests", "share")))?;
        for (action, count) in &self.tally.actions {
            let name = paint.action(action);
            writeln!(out, "{name:<24} {:>12} {:>9}", grouped(*count), share(*count, all))?;
        }
        if self.tally.would_have > 0 {
            let (count, share) = (grouped(self.tally.would_have), share(self.tally.would_have, all));
            writeln!(out, "{:<24} {count:>12} {share:>9}", paint.yellow("would have (monitor)"))?;
        }
        let titled = |title: &str| paint.bold(format!("{title:<24} {:>12} {:>9}", "requests", "share")).to_string();
        writeln!(out, "\n{}", titled("reason"))?;
        table(&self.tally.reasons, all, out)?;
        if !self.tally.ambiguities.is_empty() {
            writeln!(out, "\n{}", titled("more than one reading"))?;
            table(&self.tally.ambiguities, all, out)?;
        }
        writeln!(out, "\n{}", titled("status"))?;
        table(&self.tally.status, all, out)
    }

    fn rules(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        for rule in self.tally.rules.iter().filter(|rule| rule.total() > 0) {
            let each = |(action, count): (&&str, &u64)| format!("{} {action}", grouped(*count));
            let decided: Vec<String> = rule.decided.iter().map(each).collect();
            let would: Vec<String> = rule.would_have.iter().map(each).map(|one| format!("would have {one}")).collect();
            let counted = decided.into_iter().chain(would).collect::<Vec<_>>().join(", ");
            writeln!(out, "\n{} {counted}", paint.bold(&rule.rule))?;
            let examples = rule.examples.iter().chain(&rule.would_have_examples);
            examples.take(super::EXAMPLES).try_for_each(|example| show(example, out, paint))?;
        }
        if !self.tally.unused.is_empty() {
            writeln!(out, "\nrules that no request met: {}", listed(&self.tally.unused))?;
        }
        Ok(())
    }

    fn not_judged(&self, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        if self.tally.not_judged.is_empty() {
            return Ok(());
        }
        writeln!(out, "\n{}", paint.yellow("fields not judged, because the log does not tell them"))?;
        for one in &self.tally.not_judged {
            let rules = if one.rules.is_empty() { "which documents hold".to_owned() } else { listed(&one.rules) };
            writeln!(out, "  {:<30} {:>12} requests  {rules}", one.field, grouped(one.requests))?;
        }
        Ok(())
    }

    fn changes(&self, against: &change::Told, out: &mut impl Write, paint: Paint) -> io::Result<()> {
        writeln!(out, "\n{}", paint.bold("against the other policy"))?;
        writeln!(out, "  {:<32} {:>12}", "unchanged", grouped(against.unchanged))?;
        for (kind, group) in &against.changes {
            writeln!(out, "  {:<32} {:>12}", paint.yellow(kind.words()), grouped(group.requests))?;
            for pair in group.pairs.iter().take(LISTED) {
                writeln!(out, "    {:>10}  {} -> {}", grouped(pair.requests), pair.before, pair.after)?;
            }
            group.examples.iter().try_for_each(|example| show(example, out, paint))?;
        }
        Ok(())
    }
}

fn trouble(log: &Found, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    if log.without_request > 0 {
        writeln!(out, "  {} lines tell of no request", grouped(log.without_request))?;
    }
    if log.malformed > 0 {
        writeln!(out, "  {}", paint.yellow(format!("{} lines cannot be read", grouped(log.malformed))))?;
    }
    for one in &log.problems {
        writeln!(out, "    {}:{}: {}", plain(&log.name), one.number, plain(&one.problem))?;
    }
    match &log.cut_short {
        None => Ok(()),
        Some(why) => writeln!(out, "  {}", paint.yellow(format!("it ends early: {}", plain(why)))),
    }
}

fn table<K: std::fmt::Display>(counts: &BTreeMap<K, u64>, all: u64, out: &mut impl Write) -> io::Result<()> {
    for (name, count) in counts {
        writeln!(out, "{:<24} {:>12} {:>9}", name.to_string(), grouped(*count), share(*count, all))?;
    }
    Ok(())
}

fn show(example: &Example, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    let or_unknown = |text: &Option<String>| text.as_deref().map_or_else(|| "?".to_owned(), plain);
    let (authority, path) = (or_unknown(&example.authority), or_unknown(&example.path));
    let address = or_unknown(&example.address);
    let method = if example.method.is_empty() { "?".to_owned() } else { plain(&example.method) };
    let status = example.recorded_status.map(|status| format!(" ({status})")).unwrap_or_default();
    writeln!(out, "  {method} {authority} {path}{status} from {address}  {}", paint.dim(plain(&example.at)))
}

fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    let more = names.len().saturating_sub(LISTED);
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}
