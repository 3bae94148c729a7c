//! What was measured, as a table for people and as `target/bench/gateway.json`.

use std::path::Path;

use gatehouse_support::parts;
use serde_json::{Map, Value, json};

use crate::figures::{Median, Round};
use crate::variants::Variant;

/// Prints the table and writes the file.
pub(crate) fn tell(variants: &[Variant], measured: &[Vec<Round>], rounds: u64) {
    let cpu = |rounds: &[Round]| Median::of(&rounds.iter().map(|round| round.cpu_us).collect::<Vec<_>>());
    let empty = variants.iter().zip(measured).find(|(variant, _)| variant.name == "wasm_empty");
    let empty = empty.map_or(1.0, |(_, rounds)| cpu(rounds).value);
    println!(
        "{:<16} {:>24} {:>9} {:>9} {:>8} {:>8} {:>8} {:>9}",
        "variant", "CPU µs a request", "to empty", "req/s", "p50 ms", "p99 ms", "RSS MiB", "house µs"
    );
    let mut all = Map::new();
    for (variant, rounds) in variants.iter().zip(measured) {
        let median = cpu(rounds);
        let of = |value: fn(&Round) -> f64| Median::of(&rounds.iter().map(value).collect::<Vec<_>>()).value;
        let (rate, p50, p99, p999) =
            (of(|r| r.rate), of(|r| r.latencies[0]), of(|r| r.latencies[1]), of(|r| r.latencies[2]));
        let house = of(|r| r.house_us);
        let resident = variant.resident() as f64 / f64::from(1 << 20);
        println!(
            "{:<16} {:>8.2} ({:>6.2}–{:>6.2}) {:>8.2}× {rate:>9.0} {p50:>8.2} {p99:>8.2} {resident:>8.1} {house:>9.2}   {}",
            variant.name,
            median.value,
            median.low,
            median.high,
            median.value / empty,
            variant.what
        );
        let figures = json!({
            "cpu_us_per_request": median.value, "low": median.low, "high": median.high, "rps": rate,
            "p50_ms": p50, "p99_ms": p99, "p999_ms": p999, "rss_mib": resident, "house_us_per_request": house,
        });
        all.insert(variant.name.to_owned(), figures);
    }
    let report =
        json!({ "machine": machine(), "envoy": parts::ENVOY.trim(), "rounds": rounds, "variants": Value::Object(all) });
    let path = parts::wasm().ancestors().nth(3).unwrap_or(Path::new(".")).join("bench/gateway.json");
    let written = path
        .parent()
        .map_or(Ok(()), std::fs::create_dir_all)
        .and_then(|()| std::fs::write(&path, format!("{report:#}\n")));
    match written {
        Ok(()) => println!("written: {}", path.display()),
        Err(error) => eprintln!("{}: {error}", path.display()),
    }
}

/// What the processor calls itself, and how many there are.
fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    format!("{name}, {} cores", std::thread::available_parallelism().map_or(1, usize::from))
}
