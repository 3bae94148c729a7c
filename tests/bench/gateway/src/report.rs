//! What was measured, as tables for people, as `gateway.json` and as a picture.

use std::fs;

use gatehouse_support::parts;
use serde_json::{Map, Value, json};

use crate::Told;
use crate::figures::{Measured, Median, median};
use crate::picture::{self, Bar};
use crate::plan::Plan;
use crate::variants::Material;

const MIB: f64 = (1 << 20) as f64;

/// Prints the tables and writes the files.
pub(crate) fn tell(plan: &Plan, material: &Material, rate: f64, proxied: &[Told], direct: &[Told]) {
    let (refused, all) = material.refused();
    println!("the same {all} requests for all, {refused} of them refused by whoever judges by all rules");
    println!(
        "\nwith the application behind; latencies at {rate:.0} requests a second; memory after {} requests",
        plan.requests
    );
    table(proxied);
    println!("\nanswered by Envoy itself, and of that only what is refused");
    direct_table(direct);
    let left_out: Vec<String> = material.book.left_out.iter().map(|(why, count)| format!("{count} {why}")).collect();
    let taken = material.book.count();
    println!("\nLua and the native filters have {taken} rules; not those that {}", left_out.join(", "));
    let report = json!({
        "machine": machine(), "envoy": parts::ENVOY.trim(), "rounds": plan.rounds - 1,
        "seconds": plan.length.as_secs(), "requests": plan.requests, "open_loop_rps": rate,
        "variants": of_each(proxied, proxied_figures), "direct": of_each(direct, direct_figures),
        "rules_taken": material.book.count(), "rules_left_out": material.book.left_out,
    });
    let pictures = [("with the application behind", bars(proxied)), ("answered by Envoy itself", bars(direct))];
    for (name, text) in [("gateway.json", format!("{report:#}\n")), ("gateway.svg", picture::draw(&pictures))] {
        let path = plan.out.join(name);
        match fs::create_dir_all(&plan.out).and_then(|()| fs::write(&path, text)) {
            Ok(()) => println!("written: {}", path.display()),
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

fn cpu(measured: &Measured) -> Median {
    median(&measured.closed, |round| round.cpu_us)
}

/// CPU time of the empty filter.
fn empty(all: &[Told]) -> f64 {
    all.iter().find(|told| told.name == "wasm_empty").map_or(1.0, |told| cpu(&told.measured).value)
}

fn table(all: &[Told]) {
    println!(
        "{:<16} {:>25} {:>9} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>9} {:>8}",
        "variant",
        "CPU µs a request",
        "to empty",
        "req/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "RSS MiB",
        "wasm KiB",
        "beside µs",
        "dropped"
    );
    let empty = empty(all);
    for Told { name, what, measured } in all {
        let Median { value, low, high } = cpu(measured);
        let rate = median(&measured.closed, |round| round.rate).value;
        let [p50, p99, p999] = latencies(measured).map(|median| median.value);
        let growth = measured.growth.map_or("–".to_owned(), |bytes| format!("+{}", bytes >> 10));
        let beside = median(&measured.closed, |round| round.beside_us).value;
        println!(
            "{name:<16} {value:>8.2} ({low:>6.2}–{high:>7.2}) {:>8.2}× {rate:>8.0} {p50:>8.2} {p99:>8.2} {p999:>8.2} {:>8.1} {growth:>8} {beside:>9.2} {:>8}   {what}",
            value / empty,
            measured.resident as f64 / MIB,
            measured.dropped,
        );
    }
}

fn direct_table(all: &[Told]) {
    println!(
        "{:<16} {:>25} {:>9} {:>8} {:>25}",
        "variant", "CPU µs a request", "to empty", "req/s", "CPU µs if refused"
    );
    let empty = empty(all);
    for Told { name, measured, .. } in all {
        let Median { value, low, high } = cpu(measured);
        let rate = median(&measured.closed, |round| round.rate).value;
        let refused = median(&measured.refused, |round| round.cpu_us);
        let refused = match measured.refused.is_empty() {
            true => String::new(),
            false => format!("{:>8.2} ({:>6.2}–{:>7.2})", refused.value, refused.low, refused.high),
        };
        println!("{name:<16} {value:>8.2} ({low:>6.2}–{high:>7.2}) {:>8.2}× {rate:>8.0} {refused}", value / empty);
    }
}

fn latencies(measured: &Measured) -> [Median; 3] {
    [0, 1, 2].map(|at| median(&measured.open, |quantiles| quantiles[at]))
}

fn interval(of: Median) -> [f64; 2] {
    [of.low, of.high]
}

fn of_each(all: &[Told], figures: fn(&Measured) -> Value) -> Value {
    Value::Object(all.iter().map(|told| (told.name.to_owned(), figures(&told.measured))).collect::<Map<_, _>>())
}

fn proxied_figures(measured: &Measured) -> Value {
    let Median { value, low, high } = cpu(measured);
    let [p50, p99, p999] = latencies(measured);
    let rate = median(&measured.closed, |round| round.rate);
    json!({
        "cpu_us_per_request": value, "low": low, "high": high,
        "rps": rate.value,
        "p50_ms": p50.value, "p99_ms": p99.value, "p999_ms": p999.value,
        "intervals": {
            "rps": interval(rate), "p50_ms": interval(p50), "p99_ms": interval(p99), "p999_ms": interval(p999),
        },
        "rss_mib": measured.resident as f64 / MIB,
        "wasm_growth_kib": measured.growth.map(|bytes| bytes >> 10),
        "beside_us_per_request": median(&measured.closed, |round| round.beside_us).value,
        "dropped": measured.dropped,
    })
}

fn direct_figures(measured: &Measured) -> Value {
    let Median { value, low, high } = cpu(measured);
    let refused = (!measured.refused.is_empty()).then(|| median(&measured.refused, |round| round.cpu_us));
    json!({
        "cpu_us_per_request": value, "low": low, "high": high,
        "rps": median(&measured.closed, |round| round.rate).value,
        "refused_cpu_us_per_request": refused.map(|median| median.value),
        "refused_low": refused.map(|median| median.low), "refused_high": refused.map(|median| median.high),
    })
}

fn bars(all: &[Told]) -> Vec<Bar> {
    all.iter().map(|told| Bar { name: told.name, what: told.what, median: cpu(&told.measured) }).collect()
}

/// What the processor calls itself, and how many there are.
fn machine() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown", |(_, name)| name.trim());
    format!("{name}, {} cores", std::thread::available_parallelism().map_or(1, usize::from))
}
