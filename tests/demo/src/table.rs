//! Aligned columns: text to the left, numbers to the right, two spaces between, two before.

use crate::terminal::{Ink, Terminal};

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// One cell: its text, and its colour on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    text: String,
    ink: Option<Ink>,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), ink: None }
    }
}

impl Cell {
    /// A coloured cell.
    pub fn inked(text: impl Into<String>, ink: Ink) -> Self {
        Self { text: text.into(), ink: Some(ink) }
    }
}

/// Rows under a heading.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(Align, String)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these columns; headings that are all empty are not printed.
    pub fn new<const N: usize>(columns: [(Align, &str); N]) -> Self {
        Self { columns: columns.map(|(align, name)| (align, name.to_owned())).to_vec(), rows: Vec::new() }
    }

    /// Adds one row; cells beyond the columns are left out, missing ones are empty.
    pub fn row<const N: usize>(&mut self, cells: [Cell; N]) {
        self.rows.push(cells.to_vec());
    }

    /// No row was added.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, each with its end.
    pub fn render(&self, terminal: Terminal) -> String {
        let widths: Vec<usize> =
            self.columns.iter().enumerate().map(|(at, column)| self.width(at, &column.1)).collect();
        let mut text = String::new();
        if self.columns.iter().any(|(_, name)| !name.is_empty()) {
            let heading: Vec<Cell> =
                self.columns.iter().map(|(_, name)| Cell::inked(name.as_str(), Ink::Dim)).collect();
            self.line(&heading, &widths, terminal, &mut text);
        }
        for row in &self.rows {
            self.line(row, &widths, terminal, &mut text);
        }
        text
    }

    fn width(&self, at: usize, name: &str) -> usize {
        let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.text.chars().count());
        cells.chain([name.chars().count()]).max().unwrap_or_default()
    }

    fn line(&self, cells: &[Cell], widths: &[usize], terminal: Terminal, text: &mut String) {
        let mut line = String::new();
        for (cell, ((align, _), width)) in cells.iter().zip(self.columns.iter().zip(widths)) {
            let padding = " ".repeat(width - cell.text.chars().count().min(*width));
            let shown = cell.ink.map_or_else(|| cell.text.clone(), |ink| terminal.ink(ink, &cell.text));
            line.push_str("  ");
            match align {
                Align::Left => line.extend([shown, padding]),
                Align::Right => line.extend([padding, shown]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// A count with thousands apart: `1,234,567`.
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_whatever_their_letters_and_colours() {
        let mut table = Table::new([(Align::Left, "rule"), (Align::Right, "times"), (Align::Left, "")]);
        table.row(["café".into(), "9".into(), Cell::inked("ok", Ink::Green)]);
        table.row(["a-longer-one".into(), "12,345".into(), "".into()]);
        assert_eq!(
            table.render(Terminal::plain()),
            "  rule           times\n  café               9  ok\n  a-longer-one  12,345\n"
        );
        let coloured = table.render(Terminal { colour: true, live: false });
        assert!(coloured.contains("  café               9  \u{1b}[32mok\u{1b}[0m\n"), "{coloured}");
    }

    #[test]
    fn a_table_without_headings_has_no_empty_first_line() {
        let mut table = Table::new([(Align::Left, ""), (Align::Left, "")]);
        table.row(["house".into(), "http://127.0.0.1:1/status".into()]);
        assert_eq!(table.render(Terminal::plain()), "  house  http://127.0.0.1:1/status\n");
    }

    #[test]
    fn thousands_stand_apart() {
        for (count, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (123_456, "123,456"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(count), text);
        }
    }
}
