//! The counts that `docs/performance.md` keeps: rows between two marks, which are read to compare and written anew to accept.

use std::fs;
use std::io;
use std::path::PathBuf;

const BEGIN: &str = "<!-- instructions: begin; `make instructions-accept` writes what stands here -->";
const END: &str = "<!-- instructions: end -->";
/// So much more than the table says is refused, in percent.
pub const TOLERANCE: f64 = 3.0;

/// Counts by name, in order.
pub type Counts = Vec<(String, u64)>;

/// The counts that are committed.
///
/// # Errors
/// The page cannot be read, or the marks or a number are not there.
pub fn committed() -> io::Result<Counts> {
    rows(&parts(&fs::read_to_string(page())?)?.1)
}

/// Writes these counts into the page.
///
/// # Errors
/// The page cannot be read or written, or the marks are not there.
pub fn accept(counts: &[(String, u64)]) -> io::Result<()> {
    let page = page();
    let [before, _, after] = {
        let text = fs::read_to_string(&page)?;
        let (before, rows, after) = parts(&text)?;
        [before, rows, after]
    };
    fs::write(page, [before.as_str(), BEGIN, "\n", &written(counts), END, after.as_str()].concat())
}

/// What differs from the table by more than the tolerance, as lines; and whether something is dearer, missing or new.
#[must_use]
pub fn compare(committed: &[(String, u64)], counted: &[(String, u64)]) -> (Vec<String>, bool) {
    let (mut lines, mut refused) = (Vec::new(), false);
    for (name, now) in counted {
        let Some((_, before)) = committed.iter().find(|(known, _)| known == name) else {
            lines.push(format!("{name}: {now}, not in the table"));
            refused = true;
            continue;
        };
        let change = (*now as f64 - *before as f64) * 100.0 / (*before).max(1) as f64;
        if change > TOLERANCE {
            lines.push(format!("{name}: {before} to {now}, {change:+.1} %"));
            refused = true;
        } else if change < -TOLERANCE {
            lines.push(format!("{name}: {before} to {now}, {change:+.1} %: cheaper, the table may be written anew"));
        }
    }
    for (name, _) in committed.iter().filter(|(name, _)| !counted.iter().any(|(known, _)| known == name)) {
        lines.push(format!("{name}: in the table, not counted"));
        refused = true;
    }
    (lines, refused)
}

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/performance.md"))
}

/// What stands before, between and after the marks.
fn parts(text: &str) -> io::Result<(String, String, String)> {
    let found = text.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let (before, (rows, after)) = found.ok_or_else(|| io::Error::other("the page has no marks for its table"))?;
    Ok((before.to_owned(), rows.to_owned(), after.to_owned()))
}

fn rows(text: &str) -> io::Result<Counts> {
    let cells = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let counted = cells.filter(|(name, _)| *name != HEAD.0);
    counted
        .map(|(name, number)| {
            let digits: String = number.chars().filter(|c| *c != ',').collect();
            let number = digits.parse().map_err(|_| io::Error::other(format!("`{number}` is no count")))?;
            Ok((name.to_owned(), number))
        })
        .collect()
}

const HEAD: (&str, &str) = ("call", "instructions");

fn written(counts: &[(String, u64)]) -> String {
    let row = |(name, count): &(String, u64)| format!("| {name} | {} |\n", grouped(*count));
    let rows: String = counts.iter().map(row).collect();
    format!("\n| {} | {} |\n|---|---:|\n{rows}\n", HEAD.0, HEAD.1)
}

/// Digits in groups of three.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(of: &[(&str, u64)]) -> Counts {
        of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    }

    #[test]
    fn what_is_written_is_read_again() {
        let counts = counts(&[("decide: 10,000 hosts", 1_234_567), ("path", 12), ("none", 0)]);
        assert_eq!(rows(&written(&counts)).unwrap(), counts);
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn three_percent_more_pass_and_what_is_more_is_refused() {
        let before = counts(&[("a", 1000), ("b", 1000)]);
        assert_eq!(compare(&before, &counts(&[("a", 1030), ("b", 970)])), (Vec::new(), false));
        let (lines, refused) = compare(&before, &counts(&[("a", 1031), ("b", 900)]));
        assert!(
            refused && lines.len() == 2 && lines[0].contains("+3.1 %") && lines[1].contains("cheaper"),
            "{lines:?}"
        );
        assert!(!compare(&before, &counts(&[("a", 10), ("b", 10)])).1);
    }

    #[test]
    fn a_row_without_a_count_and_a_count_without_a_row_are_refused() {
        let before = counts(&[("a", 1000)]);
        assert!(compare(&before, &[]).1);
        assert!(compare(&before, &counts(&[("a", 1000), ("b", 1)])).1);
    }
}
