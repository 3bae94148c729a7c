//! `deploy/grafana` as it ships: every metric that an alert or a panel names exists, every alert has its entry in the runbook.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod process;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gatehouse_policy::document::{Fields, Node, Problems, yaml};
use process::{House, get};

/// Envoy's own, which neither the house nor the gate defines. The filter's name in `deploy/envoy` is a part of them.
const ENVOYS: [&str; 3] = [
    "envoy_cluster_http2_pending_send_bytes",
    "envoy_wasm_gatehouse_vm_reload_failure",
    "envoy_wasm_gatehouse_vm_reload_success",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Names of metrics in a text: words that begin as ours or Envoy's do. A label of Envoy's is followed by its value.
fn metrics(text: &str) -> BTreeSet<&str> {
    let part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let starts = ["gatehouse_", "envoy_"].into_iter().flat_map(|start| text.match_indices(start));
    let words = starts.filter_map(|(at, _)| {
        let begins = text[..at].chars().next_back().is_none_or(|c| !part(c));
        let rest = &text[at..];
        let end = rest.find(|c| !part(c)).unwrap_or(rest.len());
        (begins && !rest[end..].starts_with(['=', '!'])).then(|| &rest[..end])
    });
    words.collect()
}

/// What a house exposes before anything has happened.
fn of_the_house() -> BTreeSet<String> {
    let dir = tempfile::tempdir().unwrap();
    let _house = House::start(dir.path(), &[]);
    let page = get(dir.path(), "/metrics").unwrap();
    let types = page.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let name = |line: &str| match line.split_once(' ').unwrap() {
        (name, "counter") => format!("{name}_total"),
        (name, _) => name.to_owned(),
    };
    types.map(name).collect()
}

/// What the gate defines, by the one file in which it does.
fn of_the_gate(source: &str) -> BTreeSet<String> {
    let product = source.split("#[cfg(test)]").next().unwrap();
    let quoted = product.split('"').skip(1).step_by(2);
    quoted.filter(|text| text.starts_with("gatehouse_") && !text.contains('{')).map(str::to_owned).collect()
}

/// What a guard exposes, by the one file in which it does.
fn of_the_guard(source: &str) -> BTreeSet<String> {
    let quoted = source.split('"').skip(1).step_by(2).filter(|text| text.starts_with("gatehouse_guard_"));
    let name = |text: &str| {
        let gauge = source.contains(&format!("\"{text}\", \"Connections that are carried\""))
            || source.contains(&format!("\"{text}\", \"Clients that are shaking hands\""));
        if gauge { text.to_owned() } else { format!("{text}_total") }
    };
    quoted.map(name).collect()
}

#[test]
fn every_metric_that_is_watched_exists() {
    let source = read("filters/gatehouse-filter/src/metrics.rs");
    let (house, gate) = (of_the_house(), of_the_gate(&source));
    assert!(house.contains("gatehouse_spool_full") && house.contains("gatehouse_intake_batches_total"), "{house:?}");
    assert!(gate.contains("gatehouse_requests_total") && gate.contains("gatehouse_gate_memory_bytes"), "{gate:?}");
    let guard = of_the_guard(&read("sidecar/src/guard/counts.rs"));
    assert!(guard.contains("gatehouse_guard_refused_total") && guard.contains("gatehouse_guard_carried"), "{guard:?}");
    for file in ["deploy/grafana/alerts.yaml", "deploy/grafana/dashboard.json"] {
        let text = read(file);
        let named = metrics(&text);
        assert!(named.len() > 20, "{file} names {named:?} only");
        let known =
            |name: &str| house.contains(name) || gate.contains(name) || guard.contains(name) || ENVOYS.contains(&name);
        // What a histogram is exposed as.
        let unknown = |name: &&&str| !known(name) && !name.strip_suffix("_bucket").is_some_and(known);
        let unknown: Vec<_> = named.iter().filter(unknown).collect();
        assert!(unknown.is_empty(), "{file} names what nobody exposes: {unknown:?}");
    }
}

struct Alert {
    name: String,
    text: String,
    runbook: String,
}

fn alert(node: &Node, problems: &mut Problems) -> Option<Alert> {
    let mut fields = Fields::new(node, "the alert", problems)?;
    let name = fields.require("alert").and_then(|node| node.string(problems))?.to_owned();
    let text = fields.require("expr").and_then(|node| node.string(problems))?.to_owned();
    fields.take("for").and_then(|node| node.duration(problems));
    let mut labels = Fields::new(fields.require("labels")?, "`labels`", problems)?;
    labels.require("severity").and_then(|node| node.one_of(&["critical", "warning"], problems));
    labels.finish(problems);
    let mut annotations = Fields::new(fields.require("annotations")?, "`annotations`", problems)?;
    annotations.require("summary").and_then(|node| node.string(problems));
    let runbook = annotations.require("runbook").and_then(|node| node.string(problems))?.to_owned();
    annotations.finish(problems);
    fields.finish(problems);
    Some(Alert { name, text, runbook })
}

fn alerts() -> Vec<Alert> {
    let documents = yaml("alerts.yaml", &read("deploy/grafana/alerts.yaml")).unwrap();
    let mut problems = Problems::default();
    let mut file = Fields::new(&documents[0], "the file", &mut problems).unwrap();
    let mut alerts = Vec::new();
    for group in file.require("groups").unwrap().list(&mut problems).unwrap() {
        let mut fields = Fields::new(group, "the group", &mut problems).unwrap();
        fields.require("name");
        let rules = fields.require("rules").unwrap();
        fields.finish(&mut problems);
        let rules = rules.list(&mut problems).unwrap();
        alerts.extend(rules.iter().filter_map(|node| alert(node, &mut problems)));
    }
    file.finish(&mut problems);
    assert!(problems.is_empty(), "{problems}");
    alerts
}

#[test]
fn every_alert_has_its_entry_in_the_runbook_and_every_entry_its_alert() {
    let alerts = alerts();
    let page = read("docs/operations.md");
    let entries: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    let names: Vec<&str> = alerts.iter().map(|alert| alert.name.as_str()).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "an alert is there twice: {names:?}");
    let told: Vec<&str> = entries.into_iter().filter(|entry| entry.starts_with("Gatehouse")).collect();
    assert_eq!(told, names, "entries of the runbook against alerts, in their order");
    for alert in &alerts {
        assert_eq!(alert.runbook, format!("docs/operations.md#{}", alert.name.to_lowercase()), "{}", alert.name);
        assert!(alert.text.contains("up{") || !metrics(&alert.text).is_empty(), "{} watches nothing", alert.name);
    }
}

#[test]
fn every_panel_asks_something_and_says_what_it_shows() {
    let dashboard: serde_json::Value = serde_json::from_str(&read("deploy/grafana/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id is there twice");
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap();
        assert!(panel["description"].as_str().is_some_and(|text| text.ends_with('.')), "{title}");
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{title}");
        for target in targets {
            assert!(!metrics(target["expr"].as_str().unwrap()).is_empty(), "{title}: {target}");
        }
    }
}

#[test]
fn metrics_are_told_from_labels_and_other_words() {
    let text =
        r#"rate(gatehouse_a_total{envoy_cluster_name="x",job!="gatehouse"}[5m]) / sum by (r) (envoy_b) xgatehouse_c"#;
    assert_eq!(metrics(text).into_iter().collect::<Vec<_>>(), ["envoy_b", "gatehouse_a_total"]);
}
