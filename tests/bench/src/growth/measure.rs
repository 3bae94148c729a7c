//! Going through the sizes of a subject.

use std::io;
use std::time::Instant;

use super::{Figures, Row, Topic};
use crate::Call;

/// Something that grows, and how it is measured at one size of one of its lines.
#[derive(Debug, Clone, Copy)]
pub struct Subject {
    /// Its lines with their sizes, nothing measured yet.
    pub plan: fn() -> Topic,
    /// Makes what is measured and keeps it; its figures, or in whose words it is refused.
    pub make: fn(line: &str, size: u64) -> io::Result<Result<Figures, String>>,
    /// Times, and memory of a process that does nothing else.
    pub time: fn(line: &str, size: u64) -> io::Result<Figures>,
    /// Keys of the figures that are instructions.
    pub counts: &'static [&'static str],
    /// What is to be called to count one of them.
    pub prepare: fn(line: &str, size: u64, key: &str) -> io::Result<Call>,
    /// How often.
    pub calls: fn(line: &str, size: u64, key: &str) -> Calls,
}

/// How often a call is made to count its instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calls {
    /// Calls that go before.
    pub warm: u32,
    /// Calls that are counted; the figure is their mean.
    pub counted: u32,
}

impl Calls {
    /// As many to warm up as are counted.
    #[must_use]
    pub const fn of(counted: u32) -> Self {
        Self { warm: counted, counted }
    }

    /// One, of which nothing goes before.
    pub const ONCE: Self = Self { warm: 0, counted: 1 };
}

/// Where the steps of a measurement are done.
pub trait Bench {
    /// [`Subject::make`].
    ///
    /// # Errors
    /// It could not be made, for another reason than that it is too much.
    fn make(&self, subject: &Subject, line: &str, size: u64) -> io::Result<Result<Figures, String>>;
    /// [`Subject::time`].
    ///
    /// # Errors
    /// What was made cannot be used.
    fn time(&self, subject: &Subject, line: &str, size: u64) -> io::Result<Figures>;
    /// Instructions a call; `None`: they are not counted here.
    ///
    /// # Errors
    /// As [`Bench::time`].
    fn count(&self, subject: &Subject, line: &str, size: u64, key: &str) -> io::Result<Option<f64>>;
}

/// In this process, without counting: what proves the measurement itself.
#[derive(Debug, Clone, Copy)]
pub struct Here;

impl Bench for Here {
    fn make(&self, subject: &Subject, line: &str, size: u64) -> io::Result<Result<Figures, String>> {
        (subject.make)(line, size)
    }

    fn time(&self, subject: &Subject, line: &str, size: u64) -> io::Result<Figures> {
        (subject.time)(line, size)
    }

    fn count(&self, subject: &Subject, line: &str, size: u64, key: &str) -> io::Result<Option<f64>> {
        let mut call = (subject.prepare)(line, size, key)?;
        call();
        Ok(None)
    }
}

/// Measures every line of `topic` at every size.
///
/// # Errors
/// A step fails; what is refused is no failure but a row.
pub fn measure(bench: &impl Bench, subject: &Subject, mut topic: Topic) -> io::Result<Topic> {
    for line in &mut topic.lines {
        for size in line.sizes.clone() {
            let found = one(bench, subject, line.name, size);
            let found =
                found.map_err(|error| io::Error::other(format!("{} {} {size}: {error}", topic.name, line.name)));
            line.rows.push(Row { size, found: found? });
        }
    }
    Ok(topic)
}

fn one(bench: &impl Bench, subject: &Subject, line: &str, size: u64) -> io::Result<Result<Figures, String>> {
    let mut figures = match bench.make(subject, line, size)? {
        Ok(figures) => figures,
        Err(refused) => return Ok(Err(refused)),
    };
    figures.extend(bench.time(subject, line, size)?);
    for key in subject.counts {
        if let Some(count) = bench.count(subject, line, size, key)? {
            figures.insert((*key).to_owned(), count);
        }
    }
    Ok(Ok(figures))
}

/// Rounds of which the least is told: whatever else the machine does only adds.
pub(super) const ROUNDS: u32 = if cfg!(test) { 2 } else { 15 };

/// Nanoseconds a call: the least of rounds of `calls`, after as many to warm up.
pub(super) fn nanos(call: &mut Call, calls: u32) -> f64 {
    (0..calls).for_each(|_| call());
    let rounds = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        (0..calls).for_each(|_| call());
        begin.elapsed().as_nanos() as f64 / f64::from(calls.max(1))
    });
    rounds.fold(f64::INFINITY, f64::min)
}

/// Figures of names and numbers.
pub(super) fn figures<const N: usize>(of: [(&str, f64); N]) -> Figures {
    of.into_iter().map(|(key, figure)| (key.to_owned(), figure)).collect()
}

/// Resident memory of this process, in MiB; 0 where /proc does not tell.
pub(super) fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// What a subject says of a line that it does not have.
pub(super) fn unknown(line: &str) -> io::Error {
    io::Error::other(format!("there is no line `{line}`"))
}
