//! The terminal: colours only where there is one, one line that changes in place, and Ctrl-C for us alone.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use rustix::process::Pid;

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terminal {
    /// Colours.
    pub colour: bool,
    /// A line that is written over.
    pub live: bool,
}

/// A colour or weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// A heading.
    Bold,
    /// Beside the point.
    Dim,
    /// As it should be.
    Green,
    /// Stopped by the gate, or wrong.
    Red,
    /// Would have been stopped.
    Yellow,
}

impl Terminal {
    /// What standard output is; `NO_COLOR` and `TERM=dumb` are obeyed.
    pub fn detect() -> Self {
        let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
        let live = std::io::stdout().is_terminal() && !dumb;
        Self { colour: live && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()), live }
    }

    /// Neither colours nor a changing line: a file or a pipe.
    pub const fn plain() -> Self {
        Self { colour: false, live: false }
    }

    /// The text in this colour, where there are colours.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match ink {
            Ink::Bold => "1",
            Ink::Dim => "2",
            Ink::Green => "32",
            Ink::Red => "31",
            Ink::Yellow => "33",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// A line of progress: written over on a terminal, a new line at every tenth of the way otherwise.
#[derive(Debug)]
pub struct Progress {
    terminal: Terminal,
    total: Duration,
    tenths: u64,
}

impl Progress {
    /// Progress over `total`.
    pub fn new(terminal: Terminal, total: Duration) -> Self {
        Self { terminal, total, tenths: 0 }
    }

    /// Shows where we are, with `words` behind it.
    pub fn show(&mut self, elapsed: Duration, words: &str) {
        if let Some(text) = self.line(elapsed, words) {
            say(&text);
        }
    }

    /// Takes the changing line away.
    pub fn clear(&self) {
        if self.terminal.live {
            say("\r\u{1b}[K");
        }
    }

    fn line(&mut self, elapsed: Duration, words: &str) -> Option<String> {
        const WIDTH: u64 = 20;
        let (now, total) = (elapsed.min(self.total).as_millis() as u64, (self.total.as_millis() as u64).max(1));
        let seconds = format!("{:>4} s of {} s", now / 1000, total / 1000);
        if self.terminal.live {
            let full = now * WIDTH / total;
            let bar: String = (0..WIDTH).map(|at| if at < full { '█' } else { '░' }).collect();
            return Some(format!("\r\u{1b}[K{seconds}  {bar}  {words}"));
        }
        let tenths = now * 10 / total;
        let due = tenths > self.tenths;
        self.tenths = self.tenths.max(tenths);
        due.then(|| format!("{seconds}  {words}\n"))
    }
}

/// Writes at once; a closed standard output is no reason to stop.
pub fn say(text: &str) {
    let mut output = std::io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// While it lives, Ctrl-C reaches this process only: not `make`, which would die of it although the demo ended well,
/// and not the children, which are stopped in order. Without a terminal, or in the background, it does nothing.
///
/// The run script has SIGTTOU ignored, so that the terminal can be handed back from the background.
#[derive(Debug)]
pub struct Foreground(Option<Pid>);

impl Foreground {
    /// Makes this process a group of its own and puts it in front.
    pub fn take() -> Self {
        let (input, ours) = (std::io::stdin(), rustix::process::getpgrp());
        if rustix::termios::tcgetpgrp(&input) != Ok(ours) || rustix::process::setpgid(None, None).is_err() {
            return Self(None);
        }
        match rustix::termios::tcsetpgrp(&input, rustix::process::getpid()) {
            Ok(()) => Self(Some(ours)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            let _ = rustix::termios::tcsetpgrp(std::io::stdin(), before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_terminal_each_tenth_is_one_plain_line() {
        let mut progress = Progress::new(Terminal::plain(), Duration::from_secs(60));
        let lines: Vec<String> =
            (0..=600).filter_map(|tenth| progress.line(Duration::from_millis(tenth * 100), "x")).collect();
        assert_eq!(lines.len(), 10);
        assert_eq!(lines.first().unwrap(), "   6 s of 60 s  x\n");
        assert_eq!(lines.last().unwrap(), "  60 s of 60 s  x\n");
    }

    #[test]
    fn on_a_terminal_the_line_is_written_over_and_the_bar_fills() {
        let mut progress = Progress::new(Terminal { colour: true, live: true }, Duration::from_secs(10));
        let half = progress.line(Duration::from_secs(5), "x").unwrap();
        assert!(half.starts_with("\r\u{1b}[K   5 s of 10 s  ██████████░"), "{half}");
        assert_eq!(progress.line(Duration::from_secs(99), "x").unwrap().matches('█').count(), 20);
    }
}
