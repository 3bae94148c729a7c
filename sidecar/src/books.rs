//! `gatehouse books`: asks a running house for its accounts, and says whether they close.

use std::io::{self, Write};

use serde_json::Value;

use crate::ask::{AskError, At, asked};
use crate::terminal::plain;

/// Terms of a worker's account, as `/books` names them; `dropped` is given by reason.
const WORKER: [&str; 4] = ["stored", "elsewhere", "in_flight", "unknown_tail"];
/// Terms of a sink's account.
const SINK: [&str; 7] = ["before", "delivered", "dead_lettered", "skipped", "left_out", "set_aside", "pending"];

/// Why there are no books.
#[derive(Debug)]
pub enum BooksError {
    /// The house cannot be asked.
    Ask(AskError),
    /// It says no, or something else than books.
    Unclear(String),
}

/// Writes the accounts of the house to `out`; true: nothing is missing from them.
///
/// # Errors
/// The house does not answer, or not with its books.
pub fn run(at: &At, json: bool, out: &mut impl Write) -> Result<bool, BooksError> {
    let body = asked(at, "GET", "/books", None).map_err(BooksError::Ask)?.map_err(BooksError::Unclear)?;
    let books: Value = serde_json::from_str(&body).map_err(|error| BooksError::Unclear(error.to_string()))?;
    let difference = books.get("difference").and_then(Value::as_u64);
    let difference = difference.ok_or_else(|| BooksError::Unclear("it names no difference".into()))?;
    // A reader that left early wants no more of it.
    let _ = if json { writeln!(out, "{}", body.trim_end()) } else { tell(&books, difference, out) };
    Ok(difference == 0)
}

fn tell(books: &Value, difference: u64, out: &mut impl Write) -> io::Result<()> {
    let workers = books.get("workers").unwrap_or(&Value::Null);
    for epoch in list(workers, "epochs") {
        let state = if epoch.get("open").and_then(Value::as_bool) == Some(true) { "attached" } else { "gone" };
        write!(
            out,
            "worker {} of `{}` ({state}): seen {}",
            text(epoch, "epoch"),
            plain(text(epoch, "node")),
            number(epoch, "seen")
        )?;
        worker(epoch, out)?;
    }
    if let Some(total) = workers.get("total") {
        write!(out, "all workers: seen {}", number(total, "seen"))?;
        worker(total, out)?;
    }
    for sink in list(books, "sinks") {
        write!(out, "sink `{}`: stored {}", plain(text(sink, "name")), number(sink, "stored"))?;
        terms(sink, &SINK, out)?;
        end(sink, out)?;
    }
    match difference {
        0 => writeln!(out, "the books close"),
        missing => writeln!(out, "the books do not close: {missing} record(s) are unaccounted for"),
    }
}

fn worker(account: &Value, out: &mut impl Write) -> io::Result<()> {
    terms(account, &WORKER, out)?;
    for (reason, count) in account.get("dropped").and_then(Value::as_object).into_iter().flatten() {
        if let Some(count) = count.as_u64().filter(|count| *count > 0) {
            write!(out, " + {count} dropped ({})", plain(reason))?;
        }
    }
    end(account, out)
}

/// The first term always, the others where they are not 0.
fn terms(account: &Value, names: &[&str], out: &mut impl Write) -> io::Result<()> {
    let mut sign = "=";
    for name in names {
        let count = number(account, name);
        if count > 0 || (sign == "=" && *name != "before") {
            write!(out, " {sign} {count} {}", name.replace('_', " "))?;
            sign = "+";
        }
    }
    Ok(())
}

fn end(account: &Value, out: &mut impl Write) -> io::Result<()> {
    match account.get("difference").and_then(Value::as_i64) {
        Some(0) => writeln!(out),
        Some(difference) => writeln!(out, " (difference {difference})"),
        None => writeln!(out, " (difference unknown)"),
    }
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value.get(key).and_then(Value::as_u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_told_as_sums_and_what_is_missing_is_said() {
        let dropped = serde_json::json!({ "ring_full": 2, "no_stream": 0 });
        let epoch = serde_json::json!({ "epoch": "05", "node": "edge", "open": true, "seen": 10, "stored": 7, "elsewhere": 0,
            "in_flight": 1, "unknown_tail": 0, "dropped": dropped, "difference": 0 });
        let sink = serde_json::json!({ "name": "events", "stored": 7, "before": 1, "delivered": 5, "dead_lettered": 0, "skipped": 0, "left_out": 0,
            "set_aside": 0, "pending": 0, "difference": 1 });
        let books = serde_json::json!({ "difference": 1, "workers": { "epochs": [epoch] }, "sinks": [sink] });
        let mut out = Vec::new();
        tell(&books, 1, &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "worker 05 of `edge` (attached): seen 10 = 7 stored + 1 in flight + 2 dropped (ring_full)\n\
             sink `events`: stored 7 = 1 before + 5 delivered (difference 1)\n\
             the books do not close: 1 record(s) are unaccounted for\n"
        );
    }
}
