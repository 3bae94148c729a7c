//! `make bench-check`: the harness itself, with so few events that the figures say nothing.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Those with a peer that is asked for every record.
const SINKS: [&str; 7] = ["file", "kafka", "file_and_kafka", "https_gzip", "https_zstd", "otlp_http", "otlp_grpc"];
const STAGES: [&str; 14] = [
    "stream_in",
    "count",
    "frame",
    "spool_append",
    "spool_sync",
    "read_back",
    "decode",
    "ocsf",
    "hand_over",
    "compress",
    "send",
    "receipts",
    "beside",
    "rest",
];
/// Of each run, and of each backlog.
const EVENTS: u64 = 10_001;
const REPETITIONS: usize = 3;

fn run(words: &[&str], out: &Path, file: &str) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatehouse-bench-house"));
    let status = command.args(words).arg("--out").arg(out).status().expect("it starts");
    assert!(status.success(), "{status}");
    let text = std::fs::read_to_string(out.join(file)).expect(file);
    serde_json::from_str(&text).expect("JSON")
}

fn number(of: &Value, path: &str) -> f64 {
    of.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no `{path}`: {of:#}"))
}

/// The harness compares what each peer has with what was sent and fails where one record is missing; here its count is looked at once
/// more, and that every figure is there and can be.
#[test]
#[ignore = "needs every part that is measured: `make bench-check`"]
fn every_record_arrives_at_every_sink_and_the_stages_add_up_to_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = run(&["house", &EVENTS.to_string(), "1", "5"], folder.path(), "house.json");
    for sink in SINKS {
        let of = &report["shapes"][sink];
        assert_eq!(of["arrived"], EVENTS, "{sink}: {of}");
        assert!(number(of, "/cpu_us") > number(&report, "/shapes/spool/cpu_us"), "{sink} costs nothing: {report:#}");
    }
    for of in report["shapes"].as_object().expect("shapes").values() {
        let (whole, share) = (number(of, "/cpu_us"), number(of, "/system_share"));
        assert!(number(of, "/events_per_second") > 0.0 && number(of, "/peak_mib") > 5.0, "{of}");
        assert!((0.0..1.0).contains(&share), "{of}");
        // The threads are counted by another clock of the kernel, and one may end.
        let threads: f64 = of["threads_us"].as_object().expect("threads").values().filter_map(Value::as_f64).sum();
        assert!((0.7..1.3).contains(&(threads / whole)), "the threads of a house against the whole: {of}");
    }
    stages(&report);
    for sink in ["kafka", "file"] {
        let of = &report["drains"][sink];
        assert_eq!(of["backlog"], EVENTS, "{of}");
        assert!(number(of, "/events_per_second") > 0.0 && number(of, "/meanwhile_sent") > 0.0, "{of}");
        assert!(number(of, "/delivered") > 0.0 && number(of, "/peak_mib") > 5.0, "{of}");
    }
    let late = &report["latency"];
    assert!(number(late, "/events") > 0.0 && number(late, "/median_ms") <= number(late, "/p99_ms"), "{late}");
}

fn stages(report: &Value) {
    let stages = &report["stages"];
    let each = stages["each"].as_object().expect("stages");
    let mut names: Vec<&str> = each.keys().map(String::as_str).collect();
    let mut known = STAGES;
    names.sort_unstable();
    known.sort_unstable();
    assert_eq!(names, known);
    let sum: f64 = each.values().map(|stage| number(stage, "/us")).sum();
    let whole = number(stages, "/whole_us");
    assert!((sum - whole).abs() < 0.01 && whole > 0.0, "{stages:#}");
    // Those that are found by themselves cannot be nothing; differences of so short runs may be anything.
    for stage in each.values().filter(|stage| ["alone", "native"].contains(&stage["how"].as_str().unwrap_or_default()))
    {
        assert!(number(stage, "/us") > 0.0, "{stages:#}");
    }
    let unaccounted = number(stages, "/unaccounted");
    assert!((-0.5..0.6).contains(&unaccounted), "{stages:#}");
}

#[test]
#[ignore = "needs every part that is measured: `make bench-check`"]
fn every_word_reaches_every_worker_and_every_figure_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = run(&["loop", &REPETITIONS.to_string()], folder.path(), "loop.json");
    for word in ["verdict", "verdict_standard", "policy", "policy_standard"] {
        let of = &report["words"][word];
        let each = of["each_ms"].as_array().expect("each");
        assert_eq!(each.len(), REPETITIONS, "{of}");
        for reached in each {
            let workers: Vec<f64> = reached.as_array().expect("workers").iter().filter_map(Value::as_f64).collect();
            assert!(workers.len() == 2 && workers.iter().all(|late| *late > 0.0), "{of}");
        }
        assert!(number(of, "/first_median_ms") <= number(of, "/last_median_ms"), "{of}");
        assert!(number(of, "/last_median_ms") <= number(of, "/last_worst_ms"), "{of}");
    }
    let steps = report["longest_step_us"].as_array().expect("steps");
    assert!(!steps.is_empty() && steps.iter().all(|step| step.as_u64() > Some(0)), "{report:#}");
}
