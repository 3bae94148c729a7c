//! Counts the instructions of every operation by valgrind's callgrind and holds them against the table in `docs/performance.md`.
//!
//! ```text
//! instructions            count, compare: exit 1 when something is more than 3 % dearer
//! instructions accept     count, write the table anew
//! instructions show WORD  count what has WORD in its name, compare with nothing
//! instructions run N      what callgrind watches: operation N, warmed up, then its calls inside `counted_calls`
//! ```

use std::io;
use std::process::ExitCode;

use gatehouse_bench::callgrind::{self, counted_calls};
use gatehouse_bench::table::{self, Counts};
use gatehouse_bench::{OPERATIONS, Operation, images, operations};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["run", number] => run(number),
        ["accept"] => count("").and_then(|counts| table::accept(&counts)).map(|()| ExitCode::SUCCESS),
        ["show", word] => count(word).map(|_| ExitCode::SUCCESS),
        [] => count("").and_then(|counts| compare(&counts)),
        _ => Err(io::Error::other("usage: instructions [accept | show WORD | run N]")),
    };
    done.unwrap_or_else(|error| {
        eprintln!("instructions: {error}");
        ExitCode::from(2)
    })
}

/// Counts every operation whose name has `word` in it.
fn count(word: &str) -> io::Result<Counts> {
    operations::prepare()?;
    let mut counts = Counts::new();
    for (number, operation) in OPERATIONS.iter().enumerate().filter(|(_, operation)| operation.name.contains(word)) {
        let count = watch(number)? / u64::from(operation.calls);
        println!("{:<40}{:>14}", operation.name, table::grouped(count));
        counts.push((operation.name.to_owned(), count));
    }
    Ok(counts)
}

fn compare(counts: &Counts) -> io::Result<ExitCode> {
    let (lines, refused) = table::compare(&table::committed()?, counts);
    lines.iter().for_each(|line| println!("{line}"));
    if refused {
        println!(
            "more than {} % above docs/performance.md: make it cheaper, or `make instructions-accept` and say why in the commit",
            table::TOLERANCE
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Instructions of all counted calls of one operation.
fn watch(number: usize) -> io::Result<u64> {
    let out = images::folder().join(format!("callgrind-{number}.out"));
    callgrind::count(&["run", &number.to_string()], &out)
}

fn run(number: &str) -> io::Result<ExitCode> {
    let operation: Option<&Operation> = number.parse().ok().and_then(|number: usize| OPERATIONS.get(number));
    let operation = operation.ok_or_else(|| io::Error::other("no such operation"))?;
    let mut call = (operation.prepare)()?;
    (0..operation.calls).for_each(|_| call());
    counted_calls(&mut call, operation.calls);
    Ok(ExitCode::SUCCESS)
}
