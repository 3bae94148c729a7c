//! Files: `growth-NAME.svg` for each topic, and `growth.json` with the figures of all, where a topic replaces what it was before.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Expected, Line, Row, Topic, picture, print};

/// Prints the table of a topic, and keeps its picture and figures in `folder`; gives its defects, which are printed too.
///
/// # Errors
/// A file cannot be written, or `growth.json` is there and is not JSON.
pub fn tell(topic: &Topic, folder: &Path) -> io::Result<Vec<String>> {
    println!("{}", print::tables(topic));
    keep(topic, folder)?;
    let defects = topic.defects();
    defects.iter().for_each(|defect| println!("{defect}"));
    Ok(defects)
}

/// Keeps the picture and the figures of a topic.
///
/// # Errors
/// As [`tell`].
pub fn keep(topic: &Topic, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let picture = folder.join(format!("growth-{}.svg", topic.name));
    fs::write(&picture, picture::draw(topic))?;
    let path = folder.join("growth.json");
    let mut all = match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(io::Error::other)?,
        Err(_) => Map::new(),
    };
    all.insert(topic.name.to_owned(), figures(topic));
    fs::write(&path, format!("{:#}\n", Value::Object(all)))?;
    println!("written: {}, {}\n", picture.display(), path.display());
    Ok(())
}

fn figures(topic: &Topic) -> Value {
    let lines: Map<String, Value> = topic.lines.iter().map(|line| (line.name.to_owned(), of_line(line))).collect();
    json!({ "title": topic.title, "of": topic.of, "lines": lines })
}

fn of_line(line: &Line) -> Value {
    let growth: Map<String, Value> =
        line.expected.iter().map(|expected| (expected.key.to_owned(), of_growth(line, expected))).collect();
    json!({ "rows": line.rows.iter().map(of_row).collect::<Vec<_>>(), "growth": growth })
}

fn of_growth(line: &Line, expected: &Expected) -> Value {
    let judgement = line.judge(expected);
    json!({
        "expected": judgement.growth.words(), "due": judgement.due, "slope": judgement.slope, "judged": expected.judged,
        "defect": expected.judged && judgement.fault().is_some(),
    })
}

fn of_row(row: &Row) -> Value {
    match &row.found {
        Ok(figures) => json!({ "size": row.size, "figures": figures }),
        Err(words) => json!({ "size": row.size, "refused": words }),
    }
}
