//! The pages that are printed, at most 96 columns wide.

use std::collections::BTreeMap;
use std::path::Path;

use crate::actors::Actor;
use crate::books::Books;
use crate::cast::OwnAccount;
use crate::events::{Account, Decision};
use crate::latency::Pairs;
use crate::layout::lay_out;
use crate::shop::Reached;
use crate::table::{Align, Cell, Table, grouped};
use crate::terminal::{Ink, Terminal};
use crate::traffic::{Row, Tally};

/// Prints pages for one terminal.
#[derive(Debug, Clone, Copy)]
pub struct Report(pub Terminal);

/// Columns of a page.
const WIDTH: usize = 96;

impl Report {
    /// A heading.
    pub fn heading(self, title: &str, aside: &str) -> String {
        let aside = if aside.is_empty() { String::new() } else { format!("  {}", self.0.ink(Ink::Dim, aside)) };
        format!("\n{}{aside}\n", self.0.ink(Ink::Bold, title))
    }

    /// The words behind the bar of progress.
    pub fn progress(self, row: Row) -> String {
        let failed = if row.failed == 0 { String::new() } else { format!("  {} failed", grouped(row.failed)) };
        format!(
            "{} sent  {} through  {} blocked  {} redirected{failed}",
            grouped(row.sent),
            grouped(row.through),
            grouped(row.blocked),
            grouped(row.redirected)
        )
    }

    /// Who came, by the clients' own count.
    pub fn clients(self, tally: &Tally) -> String {
        use Align::{Left, Right};
        let columns = [
            (Left, "who"),
            (Right, "sent"),
            (Right, "through"),
            (Right, "blocked"),
            (Right, "redirected"),
            (Left, "what they do"),
        ];
        let mut table = Table::new(columns);
        for actor in Actor::ALL {
            let row = tally.rows.get(&actor).copied().unwrap_or_default();
            table.row([
                actor.name().into(),
                grouped(row.sent).into(),
                count(row.through),
                count(row.blocked),
                count(row.redirected),
                Cell::inked(actor.story(), Ink::Dim),
            ]);
        }
        self.heading("Who came", "the clients' own count") + &table.render(self.0)
    }

    /// What was decided, by rule, as the events tell it.
    pub fn decisions(self, account: &Account) -> String {
        let aside = format!("from {} events", grouped(account.total));
        let mut table =
            Table::new([(Align::Left, ""), (Align::Right, "requests"), (Align::Left, "rule"), (Align::Left, "")]);
        table.row([Cell::inked("allowed", Ink::Green), grouped(account.allowed()).into()]);
        self.by_rule(account, true, &mut table);
        table.row([Cell::inked("mitigated", Ink::Red), grouped(account.mitigated()).into()]);
        self.by_rule(account, false, &mut table);
        self.heading("What was decided", &aside) + &table.render(self.0)
    }

    fn by_rule(self, account: &Account, allowed: bool, table: &mut Table) {
        let mut rows: Vec<(&Decision, u64)> =
            account.decisions.iter().map(|(decision, count)| (decision, *count)).collect();
        rows.retain(|(decision, _)| (decision.action == "allow") == allowed);
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (decision, count) in rows {
            let why = Cell::inked(reason(&decision.reason), Ink::Dim);
            let rule = decision.rule.clone().map_or(why.clone(), Cell::from);
            let aside = if decision.reason == "ambiguous" { why } else { "".into() };
            table.row([format!("  {}", decision.action).into(), grouped(count).into(), rule, aside]);
        }
    }

    /// What rules that do not decide added: tags, records kept, and what monitor mode would have done.
    pub fn beside(self, account: &Account, reached: Reached) -> String {
        let mut table = Table::new([
            (Align::Left, "would have"),
            (Align::Right, "requests"),
            (Align::Left, "rule in monitor mode"),
        ]);
        for ((action, rule), count) in &account.would_have {
            table.row([Cell::inked(action.as_str(), Ink::Yellow), grouped(*count).into(), rule.as_str().into()]);
        }
        let mut page = self.heading("What monitor mode would have done", "nothing happened to these requests");
        page += &if table.is_empty() { "  nothing\n".to_owned() } else { table.render(self.0) };
        page += &self.heading("What else the policy did", "these requests went on");
        let mut table = Table::new([(Align::Right, ""), (Align::Left, "")]);
        table.row([grouped(account.tagged).into(), "tagged as a crawler's, in a header to the shop".into()]);
        table.row([grouped(account.kept).into(), "logins whose records are marked to be kept".into()]);
        table.row([
            grouped(reached.forged).into(),
            "forged x-gatehouse-* headers at the shop; login guesser and forger send them".into(),
        ]);
        page + &table.render(self.0)
    }

    /// The books.
    pub fn books(self, books: &Books, account: &Account, own: Option<OwnAccount>) -> String {
        let mut table =
            Table::new([(Align::Left, ""), (Align::Right, "outside"), (Align::Right, "events"), (Align::Left, "")]);
        for line in &books.lines {
            let verdict =
                if line.agrees() { Cell::inked("equal", Ink::Green) } else { Cell::inked("DIFFERENT", Ink::Red) };
            table.row([line.what.as_str().into(), grouped(line.outside).into(), grouped(line.events).into(), verdict]);
        }
        let words = if books.balance() {
            self.0.ink(Ink::Green, "the books balance")
        } else {
            self.0.ink(Ink::Red, "the books do not balance")
        };
        let lost = if account.lost == 0 { "none".to_owned() } else { grouped(account.lost) };
        let mut page = self.heading("The books", "clients and shop outside, against the events");
        page += &format!("{}\n  {words}; records booked as lost: {lost}\n", table.render(self.0));
        if let Some(OwnAccount { seen, stored, dropped, in_flight, difference }) = own {
            let [seen, stored, dropped, in_flight] = [seen, stored, dropped, in_flight].map(grouped);
            page += &format!(
                "  the house's own account: {seen} seen = {stored} stored + {dropped} dropped + {in_flight} in flight, \
                 difference {difference}\n"
            );
        }
        page
    }

    /// One event, whole.
    pub fn event(self, example: Option<&str>) -> String {
        let heading =
            self.heading("One event in full", "a blocked request as it lies in the file (OCSF HTTP Activity)");
        let Some(event) = example else { return heading + "  none was blocked\n" };
        let lines = lay_out(event, WIDTH - 2).into_iter().map(|line| format!("  {line}\n"));
        heading + &lines.collect::<String>()
    }

    /// The latency that the gate adds, with what the figures are worth.
    pub fn latency(self, pairs: &Pairs) -> String {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let aside = format!("{} requests sent both ways, through the same Envoy", grouped(pairs.with.len() as u64));
        let mut page = self.heading("Latency added", &aside);
        if pairs.with.is_empty() {
            return page + "  no pair was answered\n";
        }
        let mut table = Table::new([(Align::Left, "milliseconds"), (Align::Right, "p50"), (Align::Right, "p99")]);
        let of = |samples: &crate::latency::Samples| [samples.percentile(50), samples.percentile(99)];
        let (with, without) = (of(&pairs.with), of(&pairs.without));
        let [middle, tail] =
            [0, 1].map(|at| with.get(at).zip(without.get(at)).map_or(0.0, |(with, without)| with - without));
        for (name, [middle, tail]) in [("with the gate", with), ("without it", without)] {
            table.row([name.into(), format!("{middle:.3}").into(), format!("{tail:.3}").into()]);
        }
        let signed = |difference: f64| Cell::inked(format!("{difference:+.3}"), Ink::Bold);
        table.row(["difference".into(), signed(middle), signed(tail)]);
        page += &table.render(self.0);
        let note = format!(
            "  As the clients saw it on this machine: {cpus} CPUs shared by clients, Envoy, house and shop, on loopback.\n  \
             A look, not a benchmark: the p99 of two listeners differs from run to run even where they are alike.\n"
        );
        page + &self.0.ink(Ink::Dim, &note)
    }

    /// Where to look, by name and address; `stays`: all of it stays up.
    pub fn places(self, links: &[(&str, String)], stays: bool) -> String {
        let mut table = Table::new([(Align::Left, ""), (Align::Left, "")]);
        for (name, link) in links {
            table.row([(*name).into(), link.as_str().into()]);
        }
        let aside = if stays { "" } else { "while it is up: this run ends now, `HOLD=1 make demo` stays" };
        self.heading("Where to look", aside) + &table.render(self.0)
    }

    /// Where the events lie: the folder and its files.
    pub fn files(self, folder: &Path) -> String {
        let mut sizes: BTreeMap<String, u64> = BTreeMap::new();
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let size = entry.metadata().map_or(0, |known| known.len());
            sizes.insert(entry.path().display().to_string(), size);
        }
        let mut table = Table::new([(Align::Left, ""), (Align::Right, "")]);
        for (path, size) in sizes {
            table.row([path.into(), format!("{} KiB", grouped(size.div_ceil(1024))).into()]);
        }
        self.heading("Where the events lie", "one JSON object a line") + &table.render(self.0)
    }
}

fn count(count: u64) -> Cell {
    if count == 0 { Cell::inked("·", Ink::Dim) } else { grouped(count).into() }
}

/// A reason in words, for decisions that no rule made.
fn reason(reason: &str) -> &str {
    match reason {
        "ambiguous" => "a path with more than one reading",
        "no_policy" => "no policy was in force",
        "not_covered" => "no policy speaks for this host",
        "otherwise" => "no rule matched",
        "unreadable" => "the request could not be read",
        "" => "no reason was told",
        other => other,
    }
}

#[cfg(test)]
mod tests;
