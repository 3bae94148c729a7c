//! The result as a table in Markdown, on the terminal and in docs/reliability.md.

use crate::faults::Fault;
use crate::oracle::Account;

const BEGIN: &str = "<!-- faults: begin; `make faults ACCEPT=1` writes what stands here -->\n";
const END: &str = "<!-- faults: end -->";
const PAGE: &str = "docs/reliability.md";

/// One fault and what came of it.
#[derive(Debug)]
pub struct Line {
    what: &'static str,
    account: Option<Account>,
}

impl Line {
    /// A fault whose account was closed.
    pub fn new(fault: &Fault, account: Account) -> Self {
        Self { what: fault.what, account: Some(account) }
    }

    /// A fault in which the cast fell apart.
    pub fn broken(fault: &Fault) -> Self {
        Self { what: fault.what, account: None }
    }

    /// Nothing is wrong.
    pub fn is_right(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.wrong.is_empty())
    }

    /// For the terminal.
    pub fn told(&self) -> String {
        let Some(account) = &self.account else {
            return "WRONG: the run itself failed, see above".to_owned();
        };
        let verdict =
            if account.wrong.is_empty() { "right".to_owned() } else { format!("WRONG: {}", account.wrong.join("; ")) };
        let sinks: Vec<String> = account
            .sinks
            .iter()
            .map(|sink| format!("{} {} (+{})", sink.name, sink.distinct, sink.duplicates))
            .collect();
        format!(
            "told {} = stored {} + dropped {} + tail {}; {}; failed {}, slowest {:.0?}{}: {verdict}",
            account.told,
            account.stored,
            account.dropped.values().sum::<u64>(),
            account.tail,
            sinks.join(", "),
            account.failed,
            account.slowest,
            account.notes.iter().map(|note| format!("; {note}")).collect::<String>(),
        )
    }

    fn row(&self) -> String {
        let Some(account) = &self.account else {
            return format!("| {} | failed | | | | | | | |", self.what);
        };
        let dropped: Vec<String> =
            account.dropped.iter().map(|(reason, count)| format!("{count} `{reason}`")).collect();
        let dropped = if dropped.is_empty() { "0".to_owned() } else { dropped.join(", ") };
        let sink = |name: &str| {
            let sink = account.sinks.iter().find(|sink| sink.name == name);
            sink.map_or_else(|| "–".to_owned(), |sink| format!("{} + {}", sink.distinct, sink.duplicates))
        };
        let what = if account.notes.is_empty() {
            self.what.to_owned()
        } else {
            format!("{} ({})", self.what, account.notes.join("; "))
        };
        format!(
            "| {what} | {} | {} | {dropped} | {} | {} | {} | {} | {} |",
            account.told,
            account.stored,
            account.tail,
            sink("file"),
            sink("kafka"),
            sink("collector"),
            account.failed,
        )
    }
}

/// The whole table.
pub fn markdown(lines: &[Line]) -> String {
    let mut text = String::from(
        "| fault | requests | stored | dropped | tail | file | Kafka | collector | failed |\n|---|---:|---:|---:|---:|---:|---:|---:|---:|\n",
    );
    for line in lines {
        text.push_str(&line.row());
        text.push('\n');
    }
    text
}

/// Writes the table into the page.
///
/// # Panics
/// When the page has no place for it, or cannot be written.
pub fn accept(lines: &[Line], full: bool) {
    let path = gatehouse_support::parts::root().join(PAGE);
    let page = std::fs::read_to_string(&path).expect("the page");
    let (head, rest) = page.split_once(BEGIN).expect("the page has a place for the table");
    let (_, tail) = rest.split_once(END).expect("the place has an end");
    let command = if full { "make faults FULL=1" } else { "make faults" };
    let table = markdown(lines);
    std::fs::write(&path, format!("{head}{BEGIN}\n`{command}`:\n\n{table}\n{END}{tail}")).expect("the page");
    println!("written to {PAGE}");
}
