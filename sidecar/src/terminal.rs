//! What is written for people: colours only on a terminal that wants them, text that cannot move a cursor, a progress line.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::access_log::line::misleads;
use crate::logs::Meter;

/// How often the progress line is drawn anew, at most.
const DRAW_EVERY: Duration = Duration::from_millis(100);
const BAR: usize = 24;

/// Colours, or none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Paint(bool);

/// A text in a colour.
pub struct Painted<T>(&'static str, T);

impl Paint {
    /// For standard output.
    #[must_use]
    pub fn stdout() -> Self {
        Self(io::stdout().is_terminal() && wanted())
    }

    /// Plain text.
    #[must_use]
    pub const fn none() -> Self {
        Self(false)
    }

    /// Colours whatever the terminal.
    #[must_use]
    pub const fn always() -> Self {
        Self(true)
    }

    /// A heading.
    pub fn bold<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.paint("1", text)
    }

    /// What is of less weight.
    pub fn dim<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.paint("2", text)
    }

    /// What is wrong, or was refused.
    pub fn red<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.paint("31", text)
    }

    /// What is right.
    pub fn green<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.paint("32", text)
    }

    /// What should be looked at.
    pub fn yellow<T: fmt::Display>(self, text: T) -> Painted<T> {
        self.paint("33", text)
    }

    /// The colour of an action: green lets on, red refuses, yellow is in between.
    pub fn action(self, action: &str) -> Painted<&str> {
        match action {
            "allow" => self.green(action),
            "block" | "drop" | "limit" | "reject" => self.red(action),
            _ => self.yellow(action),
        }
    }

    const fn paint<T>(self, code: &'static str, text: T) -> Painted<T> {
        Painted(if self.0 { code } else { "" }, text)
    }
}

impl<T: fmt::Display> fmt::Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return self.1.fmt(f);
        }
        // The width is the text's, not that of the codes.
        write!(f, "\x1b[{}m", self.0)?;
        self.1.fmt(f)?;
        f.write_str("\x1b[0m")
    }
}

/// <https://no-color.org>: set and not empty means no.
fn wanted() -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// A stranger's text, fit for a terminal: what moves a cursor or turns the direction of writing is escaped.
#[must_use]
pub fn plain(text: &str) -> String {
    if !text.contains(misleads) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if misleads(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out
}

/// A number with its thousands apart.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A part of a whole, in percent with one decimal.
#[must_use]
pub fn share(part: u64, whole: u64) -> String {
    let permille = (u128::from(part) * 1000 + u128::from(whole) / 2) / u128::from(whole.max(1));
    format!("{}.{} %", permille / 10, permille % 10)
}

/// A line on standard error that shows how far we are; nothing where that is no terminal.
#[derive(Debug)]
pub struct Progress {
    on: bool,
    total: Option<u64>,
    meter: Arc<Meter>,
    started: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    /// `total`: bytes to be read; `None`: not known.
    #[must_use]
    pub fn new(total: Option<u64>, meter: Arc<Meter>) -> Self {
        Self { on: io::stderr().is_terminal(), total, meter, started: Instant::now(), drawn: None }
    }

    /// Draws anew, if it is time to.
    pub fn tick(&mut self, requests: u64) {
        if !self.on || self.drawn.is_some_and(|drawn| drawn.elapsed() < DRAW_EVERY) {
            return;
        }
        self.drawn = Some(Instant::now());
        let line = line(self.meter.bytes(), self.total, requests, self.started.elapsed());
        // Progress that cannot be shown is no failure.
        let _ = write!(io::stderr().lock(), "\r\x1b[K{line}");
    }

    /// Takes the line away.
    pub fn clear(&mut self) {
        if self.drawn.take().is_some() {
            // As above.
            let _ = write!(io::stderr().lock(), "\r\x1b[K");
        }
    }
}

fn line(bytes: u64, total: Option<u64>, requests: u64, elapsed: Duration) -> String {
    let rate = (requests as f64 / elapsed.as_secs_f64().max(0.001)) as u64;
    let counted = format!("{} requests, {}/s", grouped(requests), grouped(rate));
    let Some(total) = total.filter(|total| *total > 0) else { return counted };
    let done = bytes.min(total);
    let filled = (u128::from(done) * BAR as u128 / u128::from(total)) as usize;
    let left = elapsed.as_secs_f64() / (done.max(1) as f64) * ((total - done) as f64);
    format!("[{}{}] {} {counted}, {left:.0} s left", "#".repeat(filled), "-".repeat(BAR - filled), share(done, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_does_not_change_the_width_of_a_column() {
        assert_eq!(format!("{:>6}|", Paint::always().red("ab")), "\x1b[31m    ab\x1b[0m|");
        assert_eq!(format!("{:>6}|", Paint::none().red("ab")), "    ab|");
    }

    #[test]
    fn a_strangers_text_moves_no_cursor() {
        assert_eq!(plain("/a\x1b[2J\u{202e}b"), "/a\\u{1b}[2J\\u{202e}b");
        assert_eq!(plain("/caf\u{e9}"), "/caf\u{e9}");
    }

    #[test]
    fn numbers_are_read_at_a_glance() {
        assert_eq!((grouped(0), grouped(999), grouped(1_234_567)), ("0".into(), "999".into(), "1,234,567".into()));
        assert_eq!((share(0, 0), share(1, 3), share(3, 3)), ("0.0 %".into(), "33.3 %".into(), "100.0 %".into()));
    }

    #[test]
    fn the_progress_line_tells_how_far_and_how_long() {
        let shown = line(50, Some(100), 2_000, Duration::from_secs(2));
        assert_eq!(shown, "[############------------] 50.0 % 2,000 requests, 1,000/s, 2 s left");
        assert_eq!(line(50, None, 10, Duration::from_secs(1)), "10 requests, 10/s");
    }
}
