//! What was measured as a table of Markdown, and under it how each cost grew.

use std::fmt::Write as _;

use super::{Column, Line, Row, Topic};
use crate::table::grouped;

/// The tables of all lines.
pub(super) fn tables(topic: &Topic) -> String {
    let mut out = format!("{}\n", topic.title);
    for line in &topic.lines {
        let _ = writeln!(out, "\n{}", line.name);
        out.push_str(&table(topic, line));
        for expected in &line.expected {
            let _ = writeln!(out, "{}", told(topic, line, expected.key));
        }
    }
    out
}

fn table(topic: &Topic, line: &Line) -> String {
    let columns: Vec<&Column> = topic.columns.iter().filter(|column| is_there(line, column)).collect();
    let heads: String = columns.iter().map(|column| format!(" {} |", column.head)).collect();
    let mut out = format!("| {} |{heads}\n|---:|{}\n", topic.of, "---:|".repeat(columns.len()));
    for row in &line.rows {
        let cells = match &row.found {
            Ok(_) => columns.iter().map(|column| format!(" {} |", cell(row, column))).collect(),
            Err(words) => format!(" refused: {words} |"),
        };
        let _ = writeln!(out, "| {} |{cells}", grouped(row.size));
    }
    out
}

fn is_there(line: &Line, column: &Column) -> bool {
    line.rows.iter().any(|row| row.found.as_ref().is_ok_and(|figures| figures.contains_key(column.key)))
}

fn cell(row: &Row, column: &Column) -> String {
    let figure = row.found.as_ref().ok().and_then(|figures| figures.get(column.key));
    figure.map_or_else(|| "–".to_owned(), |figure| number(*figure, column.digits))
}

/// A figure with so many digits behind the point, those before it in groups.
pub(super) fn number(figure: f64, digits: usize) -> String {
    let text = format!("{figure:.digits$}");
    let (whole, rest) =
        text.split_once('.').map_or((text.as_str(), String::new()), |(whole, rest)| (whole, format!(".{rest}")));
    whole.parse().map_or_else(|_| text.clone(), |whole| grouped(whole) + &rest)
}

fn told(topic: &Topic, line: &Line, key: &str) -> String {
    let head = topic.column(key).map_or(key, |column| column.head);
    let Some(expected) = line.expected.iter().find(|expected| expected.key == key) else { return String::new() };
    let judgement = line.judge(expected);
    let words = judgement.growth.words();
    let found = judgement.slope.map_or_else(|| "too few sizes".to_owned(), |slope| format!("found n^{slope:.2}"));
    let verdict = match (expected.judged, judgement.fault()) {
        (true, None) => "as expected",
        (true, Some(_)) => "DEFECT",
        (false, _) => "a time, only told",
    };
    format!("{head}: expected {words} (n^{:.2} over these sizes), {found}: {verdict}", judgement.due)
}
