//! How cost grows: each thing that can become many, at sizes of ten times and ten times again, beside the complexity that its data
//! structure promises. What grows faster is a defect.
//!
//! | module | holds |
//! |---|---|
//! | [`Topic`], [`Line`], [`Row`] | what was measured |
//! | [`fit`] | the slope of a cost, and whether it is as expected |
//! | [`measure`] | going through the sizes of a [`Subject`] |
//! | `rules`, `lists`, `clients`, `headers` | the subjects |
//! | [`keep`], `print`, `picture` | JSON and SVG, the table, the drawing |

mod clients;
pub mod fit;
mod headers;
pub mod keep;
mod lists;
pub mod measure;
mod picture;
mod print;
mod rules;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use fit::{Growth, Judgement};
pub use measure::{Bench, Calls, Here, Subject};

/// What of one size was measured, by the keys of [`Column`].
pub type Figures = BTreeMap<String, f64>;

/// One thing that grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Topic {
    /// Its name in files and on the command line.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What sizes count: "rules".
    pub of: &'static str,
    /// What is measured, in the order of the table.
    pub columns: &'static [Column],
    /// Its kinds, each with its sizes.
    pub lines: Vec<Line>,
}

/// One figure of every size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its key in [`Figures`].
    pub key: &'static str,
    /// Its head, with the unit.
    pub head: &'static str,
    /// Digits behind the point.
    pub digits: usize,
    /// It is drawn.
    pub drawn: bool,
}

/// One kind of what grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is called.
    pub name: &'static str,
    /// How its figures are to grow.
    pub expected: Vec<Expected>,
    /// The sizes to measure.
    pub sizes: Vec<u64>,
    /// What came of them.
    pub rows: Vec<Row>,
}

/// How one figure is to grow.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expected {
    /// Key of the column.
    pub key: &'static str,
    /// The complexity.
    pub growth: Growth,
    /// What grows faster is a defect; else it is only told, because the figure is a time.
    pub judged: bool,
}

/// One size.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// So many.
    pub size: u64,
    /// Its figures, or in whose words so many are refused.
    pub found: Result<Figures, String>,
}

impl Line {
    /// A line that is not measured yet.
    #[must_use]
    pub fn new(name: &'static str, sizes: &[u64]) -> Self {
        Self { name, expected: Vec::new(), sizes: sizes.to_vec(), rows: Vec::new() }
    }

    /// The same with a figure that is counted, and is to grow so.
    #[must_use]
    pub fn counted(mut self, key: &'static str, growth: Growth) -> Self {
        self.expected.push(Expected { key, growth, judged: true });
        self
    }

    /// The same with a figure that is a time, and is told beside the growth that it ought to have.
    #[must_use]
    pub fn timed(mut self, key: &'static str, growth: Growth) -> Self {
        self.expected.push(Expected { key, growth, judged: false });
        self
    }

    /// Sizes and figures of a column, of the sizes that were taken.
    #[must_use]
    pub fn points(&self, key: &str) -> Vec<(f64, f64)> {
        let found = self.rows.iter().filter_map(|row| Some((row.size as f64, *row.found.as_ref().ok()?.get(key)?)));
        found.filter(|(_, figure)| *figure > 0.0).collect()
    }

    /// How a figure grew, beside what was expected of it.
    #[must_use]
    pub fn judge(&self, expected: &Expected) -> Judgement {
        fit::judge(&self.points(expected.key), expected.growth)
    }
}

impl Topic {
    /// Each judged figure that grew faster than expected, in words; and each of which too few sizes were taken to tell.
    #[must_use]
    pub fn defects(&self) -> Vec<String> {
        let each = self.lines.iter().flat_map(|line| line.expected.iter().map(move |expected| (line, expected)));
        let judged = each.filter(|(_, expected)| expected.judged);
        judged
            .filter_map(|(line, expected)| {
                let fault = line.judge(expected).fault()?;
                Some(format!("DEFECT: {}, {}, {}: {fault}", self.name, line.name, expected.key))
            })
            .collect()
    }

    fn column(&self, key: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.key == key)
    }
}

/// Every subject that is measured without a process of its own beside it.
pub const SUBJECTS: &[&Subject] = &[&rules::SUBJECT, &lists::SUBJECT, &clients::SUBJECT, &headers::SUBJECT];
