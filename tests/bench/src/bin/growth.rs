//! How the cost of rules, list entries, clients and headers grows, held against the complexity that is expected (`make bench-growth`).
//!
//! ```text
//! growth [TOPIC …]                     measure, tell, keep in target/bench: exit 1 when something grows faster than expected
//! growth make TOPIC LINE SIZE          what a process of its own does: makes one size, or tells in whose words it is refused
//! growth time TOPIC LINE SIZE          its times and memory, as JSON
//! growth run TOPIC LINE SIZE KEY       what callgrind watches
//! ```

use std::io;
use std::process::{Command, ExitCode, Stdio};

use gatehouse_bench::callgrind::{self, counted_calls};
use gatehouse_bench::growth::{Bench, Calls, Figures, SUBJECTS, Subject, keep, measure};
use gatehouse_bench::images;
use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["make", topic, line, size] => make(topic, line, size),
        ["time", topic, line, size] => time(topic, line, size),
        ["run", topic, line, size, key] => run(topic, line, size, key),
        topics => all(topics),
    };
    done.unwrap_or_else(|error| {
        eprintln!("growth: {error}");
        ExitCode::from(2)
    })
}

fn all(topics: &[&str]) -> io::Result<ExitCode> {
    topics.iter().try_for_each(|name| subject(name).map(|_| ()))?;
    let mut defects = 0;
    for subject in SUBJECTS {
        let topic = (subject.plan)();
        if topics.is_empty() || topics.contains(&topic.name) {
            let topic = measure::measure(&Children { topic: topic.name }, subject, topic)?;
            defects += keep::tell(&topic, &images::folder())?.len();
        }
    }
    Ok(if defects == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Each step in a process of its own, so that none has the memory or the caches of another.
struct Children {
    topic: &'static str,
}

impl Bench for Children {
    fn make(&self, _: &Subject, line: &str, size: u64) -> io::Result<Result<Figures, String>> {
        let told = child(&["make", self.topic, line, &size.to_string()])?;
        match told.get("refused").and_then(Value::as_str) {
            Some(words) => Ok(Err(words.to_owned())),
            None => Ok(Ok(serde_json::from_value(told).map_err(io::Error::other)?)),
        }
    }

    fn time(&self, _: &Subject, line: &str, size: u64) -> io::Result<Figures> {
        let told = child(&["time", self.topic, line, &size.to_string()])?;
        serde_json::from_value(told).map_err(io::Error::other)
    }

    fn count(&self, subject: &Subject, line: &str, size: u64, key: &str) -> io::Result<Option<f64>> {
        let out = images::folder().join(format!("callgrind-growth-{}-{key}.out", self.topic));
        let count = callgrind::count(&["run", self.topic, line, &size.to_string(), key], &out)?;
        let Calls { counted, .. } = (subject.calls)(line, size, key);
        Ok(Some(count as f64 / f64::from(counted.max(1))))
    }
}

/// What this program says on standard output when it is started with `words`.
fn child(words: &[&str]) -> io::Result<Value> {
    let output = Command::new(std::env::current_exe()?).args(words).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("`{}` ended with {}", words.join(" "), output.status)));
    }
    serde_json::from_slice(&output.stdout).map_err(io::Error::other)
}

fn subject(name: &str) -> io::Result<&'static Subject> {
    let found = SUBJECTS.iter().copied().find(|subject| (subject.plan)().name == name);
    found.ok_or_else(|| {
        let names: Vec<&str> = SUBJECTS.iter().map(|subject| (subject.plan)().name).collect();
        io::Error::other(format!("there is no topic `{name}`: usage: growth [{}]", names.join(" | ")))
    })
}

fn number(size: &str) -> io::Result<u64> {
    size.parse().map_err(|_| io::Error::other(format!("`{size}` is no size")))
}

fn make(topic: &str, line: &str, size: &str) -> io::Result<ExitCode> {
    let made = (subject(topic)?.make)(line, number(size)?)?;
    println!("{}", made.map_or_else(|words| json!({ "refused": words }), |figures| json!(figures)));
    Ok(ExitCode::SUCCESS)
}

fn time(topic: &str, line: &str, size: &str) -> io::Result<ExitCode> {
    println!("{}", json!((subject(topic)?.time)(line, number(size)?)?));
    Ok(ExitCode::SUCCESS)
}

fn run(topic: &str, line: &str, size: &str, key: &str) -> io::Result<ExitCode> {
    let (subject, size) = (subject(topic)?, number(size)?);
    let Calls { warm, counted } = (subject.calls)(line, size, key);
    let mut call = (subject.prepare)(line, size, key)?;
    (0..warm).for_each(|_| call());
    counted_calls(&mut call, counted);
    Ok(ExitCode::SUCCESS)
}
