//! What was measured, as tables for people (Markdown, as they stand in `docs/performance.md`) and as files.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use gatehouse_bench::table::grouped;
use serde_json::{Map, Value, json};

use crate::drain::{self, Drain};
use crate::figures::Spread;
use crate::latency::{self, Late};
use crate::reach::{self, Beside, Reach, Scene};
use crate::shapes::{Peers, Shape};
use crate::stages::{self, Apart, OfSink, Runs, Stages};
use crate::threads::Kind;
use crate::throughput::{self, Run, WORKERS};

/// Records that are sent over and over.
const RECORDS: usize = 1000;
/// Requests a second for the delay to Kafka.
const RATE: u32 = 2000;
/// Loads of the standard policy.
const LOADS: usize = 5;
const MIB: f64 = (1 << 20) as f64;

/// Measures the house, prints the tables and writes `house.json`.
pub(crate) async fn house(out: &Path, events: u64, rounds: usize, seconds: u64) {
    let records = gatehouse_bench::parts::records(RECORDS).expect("records of the standard requests");
    let mut peers = Peers::start().await;
    // The first run of all warms the broker's JVM, and everybody's code.
    throughput::run(&peers, Shape::Both, events.min(50_000), &records).await;
    let mut runs = Runs::new();
    for round in 1..=rounds {
        for shape in Shape::ALL {
            let run = throughput::run(&peers, shape, events, &records).await;
            runs.entry(shape).or_default().push(run);
        }
        eprintln!("every shape of a house: round {round} of {rounds}");
    }
    let rate = stages::median(&runs, Shape::Kafka, Run::taken_in);
    let apart = Apart::measure(events, rounds, rate, &records).await;
    let stages = stages::to_kafka(&runs, &apart);
    println!("{} events, {WORKERS} workers; medians of {rounds}; CPU of the house's process alone\n", grouped(events));
    shapes_table(&runs);
    sinks_table(&runs, &apart);
    stages_table(&stages);
    threads_table(&runs);
    let drains = drain::run(&mut peers, events, &records).await;
    drop(peers);
    drains_table(&drains);
    let late = latency::run(RATE, seconds).await;
    println!(
        "\n{} requests a second through an Envoy, {} events after a warm-up of 3 s; from response to Kafka: median {} ms, p99 {} ms, p99.9 {} ms, longest {} ms",
        late.rate, late.events, late.median, late.p99, late.p999, late.longest
    );
    let told = json!({
        "machine": machine(), "events": events, "workers": WORKERS, "rounds": rounds,
        "shapes": shapes_json(&runs, &apart), "stages": stages_json(&stages),
        "drains": drains.iter().map(|drain| (drain.sink.to_owned(), drain_json(drain))).collect::<Map<_, _>>(),
        "latency": late_json(&late),
    });
    write(out, "house.json", &told);
}

/// Measures how late a word is, prints the table and writes `loop.json`.
pub(crate) async fn round(out: &Path, repetitions: usize) {
    let mut scene = Scene::start(Beside::Nothing).await;
    let verdicts = scene.verdicts(repetitions).await;
    let small = scene.policies(repetitions).await;
    scene.end().await;
    let mut scene = Scene::start(Beside::Standard).await;
    let beside = scene.verdicts(repetitions).await;
    let large = scene.policies(repetitions).await;
    scene.end().await;
    let words = [
        ("verdict", "a verdict, small policy", verdicts),
        ("verdict_standard", "a verdict, standard policy", beside),
        ("policy", "a policy file, small policy", small),
        ("policy_standard", "a policy file, beside the standard policy", large),
    ];
    println!(
        "{repetitions} times each; {} workers; from the word to the first refused request of each, ms\n",
        reach::WORKERS
    );
    println!(
        "| what is said | first worker, median | last worker, median | last worker, worst |\n|---|---:|---:|---:|"
    );
    for (_, title, reached) in &words {
        let (first, last) = (millis(reached, first), millis(reached, Reach::last));
        println!("| {title} | {:.1} | {:.1} | {:.1} |", first.median, last.median, last.greatest);
    }
    let steps = reach::longest_steps(LOADS).await;
    let longest = Spread::of(steps.iter().map(|step| *step as f64 / 1000.0));
    println!(
        "\nlongest step that held a worker, of each of {LOADS} loads of the standard policy: {:.2}–{:.2} ms, median {:.2} ms",
        longest.least, longest.greatest, longest.median
    );
    let told = json!({
        "machine": machine(), "repetitions": repetitions, "workers": reach::WORKERS, "look_every_ms": reach::LOOK_MS,
        "words": words.iter().map(|(word, _, reached)| ((*word).to_owned(), reach_json(reached))).collect::<Map<_, _>>(),
        "longest_step_us": steps,
    });
    write(out, "loop.json", &told);
}

// Tables.

fn shapes_table(runs: &Runs) {
    println!(
        "| from the stream to | events/s by the wall | CPU an event, µs (user + system) | events/s a core | resident, MiB |"
    );
    println!("|---|---:|---:|---:|---:|");
    for (shape, all) in runs {
        let of = |figure: fn(&Run) -> f64| Spread::of(all.iter().map(figure)).median;
        let whole = of(Run::whole);
        let system = system_share(all) * whole;
        println!(
            "| {} | {} | {whole:.1} ({:.1} + {system:.1}) | {} | {:.0} |",
            shape.title(),
            whole_number(of(rate)),
            whole - system,
            whole_number(1e6 / whole),
            of(|run| run.resident as f64 / MIB),
        );
    }
}

fn sinks_table(runs: &Runs, apart: &Apart) {
    println!("\nwhat a sink takes of an event beyond the stream, the spool and the decoding, µs of CPU\n");
    println!(
        "| sink | its own | OCSF JSON | compression | the rest: files, wire, TLS, answers |\n|---|---:|---:|---:|---:|"
    );
    for shape in runs.keys() {
        if let Some(sink) = OfSink::of(runs, &apart.native, *shape) {
            let (OfSink { own, ocsf, compress }, rest) = (&sink, sink.rest());
            println!("| {} | {own:.1} | {ocsf:.1} | {compress:.1} | {rest:.1} |", shape.title());
        }
    }
}

fn stages_table(stages: &Stages) {
    println!("\nan event on its way to Kafka, µs of CPU by stage\n");
    println!("| stage | µs | share | how it was found |\n|---|---:|---:|---|");
    for stage in &stages.stages {
        println!("| {} | {:.2} | {:.0} % | {} |", stage.title, stage.us, 100.0 * stage.us / stages.whole, stage.how);
    }
    println!("| the whole, by the process | {:.2} | 100 % | |", stages.whole);
}

fn threads_table(runs: &Runs) {
    println!("\nthe threads of that house, µs of CPU an event\n");
    println!("| threads | user | system |\n|---|---:|---:|");
    let runs = runs.get(&Shape::Kafka).map_or(&[][..], Vec::as_slice);
    for kind in Kind::ALL {
        let [user, system] = split(runs, |known| known == kind);
        println!("| {} | {user:.2} | {system:.2} |", kind.word());
    }
}

fn drains_table(drains: &[Drain]) {
    println!("\na backlog, and a peer that comes back; 2,000 events a second are sent meanwhile\n");
    println!(
        "| sink | backlog | first delivered after, s | events/s | CPU an event, µs | taken in meanwhile, events/s | longest until durable, ms | peak resident, MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for drain in drains {
        println!(
            "| {} | {} | {:.1} | {} | {:.1} | {} | {:.0} | {:.0} |",
            drain.sink,
            grouped(drain.backlog),
            drain.pause.as_secs_f64(),
            whole_number(drain.rate()),
            drain.cpu.as_secs_f64() * 1e6 / drain.delivered as f64,
            whole_number(drain.meanwhile.sent as f64 / drain.meanwhile.took.as_secs_f64()),
            drain.meanwhile.longest.as_secs_f64() * 1e3,
            drain.peak as f64 / MIB,
        );
    }
}

// Figures.

/// Without a fraction, its digits in groups.
fn whole_number(value: f64) -> String {
    grouped(value.round() as u64)
}

fn rate(run: &Run) -> f64 {
    run.events as f64 / run.wall.as_secs_f64()
}

/// User and system time of such threads, µs an event of all runs together: the kernel parts them by its ticks, of which a short run
/// has few.
fn split(runs: &[Run], of: impl Fn(Kind) -> bool) -> [f64; 2] {
    let events: u64 = runs.iter().map(|run| run.events).sum();
    let chosen = || runs.iter().flat_map(|run| &run.threads).filter(|(kind, _)| of(**kind)).map(|(_, used)| used);
    let [user, system]: [Duration; 2] = [chosen().map(|used| used.user).sum(), chosen().map(|used| used.system).sum()];
    [user, system].map(|time| time.as_secs_f64() * 1e6 / events.max(1) as f64)
}

/// Of the time of all threads, that in the kernel.
fn system_share(runs: &[Run]) -> f64 {
    let [user, system] = split(runs, |_| true);
    if user + system == 0.0 { 0.0 } else { system / (user + system) }
}

fn first(reach: &Reach) -> Duration {
    reach.workers.iter().copied().min().unwrap_or_default()
}

fn millis(reached: &[Reach], of: fn(&Reach) -> Duration) -> Spread {
    Spread::of(reached.iter().map(|reach| of(reach).as_secs_f64() * 1e3))
}

// Files.

fn shapes_json(runs: &Runs, apart: &Apart) -> Value {
    let of = |(shape, all): (&Shape, &Vec<Run>)| (shape.word().to_owned(), shape_json(runs, apart, *shape, all));
    Value::Object(runs.iter().map(of).collect())
}

fn shape_json(runs: &Runs, apart: &Apart, shape: Shape, all: &[Run]) -> Value {
    let cpu = Spread::of(all.iter().map(Run::whole));
    let of = |figure: fn(&Run) -> f64| Spread::of(all.iter().map(figure)).median;
    let threads: BTreeMap<&str, f64> = Kind::ALL
        .into_iter()
        .map(|kind| (kind.word(), Spread::of(all.iter().map(|run| run.of(kind))).median))
        .collect();
    let sink = OfSink::of(runs, &apart.native, shape);
    json!({
        "events_per_second": of(rate), "durable_per_second": of(Run::taken_in), "cpu_us": cpu.median, "cpu_us_least": cpu.least, "cpu_us_greatest": cpu.greatest,
        "system_share": system_share(all), "threads_us": threads,
        "resident_mib": of(|run| run.resident as f64 / MIB), "peak_mib": of(|run| run.peak as f64 / MIB),
        "arrived": all.iter().filter_map(|run| run.arrived).min(),
        "sink_us": sink.map(|sink| json!({
            "own": sink.own, "ocsf": sink.ocsf, "compress": sink.compress, "rest": sink.rest(),
        })),
    })
}

fn stages_json(stages: &Stages) -> Value {
    let each = stages.stages.iter().map(|stage| (stage.word.to_owned(), json!({ "us": stage.us, "how": stage.how })));
    json!({ "whole_us": stages.whole, "unaccounted": stages.unaccounted(), "each": each.collect::<Map<_, _>>() })
}

fn drain_json(drain: &Drain) -> Value {
    json!({
        "backlog": drain.backlog, "pause_s": drain.pause.as_secs_f64(), "took_s": drain.took.as_secs_f64(),
        "delivered": drain.delivered, "events_per_second": drain.rate(),
        "cpu_us": drain.cpu.as_secs_f64() * 1e6 / drain.delivered as f64,
        "meanwhile_sent": drain.meanwhile.sent, "meanwhile_s": drain.meanwhile.took.as_secs_f64(),
        "meanwhile_longest_ms": drain.meanwhile.longest.as_secs_f64() * 1e3, "peak_mib": drain.peak as f64 / MIB,
    })
}

fn late_json(late: &Late) -> Value {
    json!({
        "rate": late.rate, "events": late.events,
        "median_ms": late.median, "p99_ms": late.p99, "p999_ms": late.p999, "longest_ms": late.longest,
    })
}

fn reach_json(reached: &[Reach]) -> Value {
    let (first, last) = (millis(reached, first), millis(reached, Reach::last));
    let each = |reach: &Reach| reach.workers.iter().map(|worker| worker.as_secs_f64() * 1e3).collect::<Vec<_>>();
    json!({
        "first_median_ms": first.median, "last_median_ms": last.median, "last_worst_ms": last.greatest,
        "each_ms": reached.iter().map(each).collect::<Vec<_>>(),
    })
}

fn write(out: &Path, name: &str, told: &Value) {
    let path = out.join(name);
    match std::fs::create_dir_all(out).and_then(|()| std::fs::write(&path, format!("{told:#}\n"))) {
        Ok(()) => println!("\nwritten: {}", path.display()),
        Err(error) => panic!("{}: {error}", path.display()),
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
