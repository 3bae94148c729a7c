//! `make bench-house`: what an event costs the house, and how late it is in Kafka.
//!
//! Two workers send records, such as the gate makes of the standard requests, through the gate's own half of the stream as fast
//! as the house grants credit; the house is the release build, Kafka a real broker on the same machine. What is told is the
//! CPU time of the house's process alone (user and system, from /proc), so that the broker and the workers, which share the
//! cores, do not count. Each run ends when the sinks have delivered everything.
//!
//! `make bench-growth` has the same at several rates (`growth`).

mod growth;
mod latency;
mod throughput;
mod worker;

use std::process::ExitCode;

const USAGE: &str = "usage: gatehouse-bench-house throughput [EVENTS] | latency [RATE] [SECONDS] | growth [SECONDS]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, usual: u64| words.get(at).map_or(Ok(usual), |word| word.parse::<u64>());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    match (words.first().map(String::as_str), number(1, 0), number(2, 30)) {
        (Some("throughput"), Ok(events), Ok(_)) => {
            runtime.block_on(throughput::run(if events == 0 { 600_000 } else { events }))
        }
        (Some("latency"), Ok(rate), Ok(seconds)) => {
            let rate = u32::try_from(if rate == 0 { 2000 } else { rate }).unwrap_or(u32::MAX);
            runtime.block_on(latency::run(rate, seconds));
        }
        (Some("growth"), Ok(seconds), Ok(_)) => {
            if let Err(error) = runtime.block_on(growth::run(if seconds == 0 { 10 } else { seconds })) {
                eprintln!("gatehouse-bench-house: {error}");
                return ExitCode::from(2);
            }
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}
