//! The binary as an operator meets it: exit codes, messages, signals.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test ends at its first surprise"
)]

mod check;
mod connections;
mod explain;
#[expect(dead_code, reason = "of the house in this process only the gate is wanted here")]
#[path = "../house/mod.rs"]
mod house;
mod manifests;
mod policy_test;
#[path = "../process/mod.rs"]
mod process;
mod replay;
mod shell;
mod spool;
mod supervise;
mod supplied;

use std::fs;

use process::{House, ask, get, json, output, output_of, text};

#[test]
fn wrong_usage_says_what_is_wrong_and_what_would_be_right() {
    for (arguments, words) in [
        (&["rnu"][..], "the commands are `run`, `guard`, `check`, `books`, `mode`, `policy`, `verdict`"),
        (&["run", "--confg", "x"], "--config"),
        (&["run", "--log", "loud"], "possible values: text, json"),
        (&["check"], "<POLICY>..."),
        (&["replay", "x.log"], "--policy <POLICY>"),
        (&["replay", "--polcy", "x"], "a similar argument exists: '--policy'"),
        (&["replay", "--policy", "x", "--fail-on-change", "y"], "--against <OLD>"),
        (&["explain"], "give a policy (`--policy POLICY < REQUEST.json`), or the reference"),
        (&["explain", "REF", "--policy", "x"], "cannot be used with"),
        (&["chekc"], "a similar subcommand exists: 'check'"),
        (&["test"], "<DIR>"),
        (&["completions", "tcsh"], "possible values: bash, elvish, fish, powershell, zsh"),
        (&[], "Usage: gatehouse"),
    ] {
        let (code, _, said) = output(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
}

#[test]
fn the_version_is_the_packages() {
    assert_eq!(output(&["--version"]), (0, format!("gatehouse {}\n", env!("CARGO_PKG_VERSION")), String::new()));
}

#[test]
fn a_wrong_configuration_is_refused_with_every_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("house.yaml");
    fs::write(&file, "data: /tmp\nspol: {}\npolicies: { folder: /p, every: 5 }\n").unwrap();
    let (code, _, said) = output(&["run", "--config", text(&file)]);
    assert_eq!(code, 2);
    assert!(said.contains("house.yaml:2:1: unknown field `spol`") && said.contains("did you mean `spool`?"), "{said}");
    assert!(said.contains("house.yaml:3:32: `5` has no unit"), "{said}");
    let (code, _, said) = output(&["run", "--config", "/nowhere.yaml"]);
    assert!(code == 2 && said.contains("cannot read the configuration `/nowhere.yaml`"), "{said}");
}

#[test]
fn the_printed_configuration_can_be_used() {
    let dir = tempfile::tempdir().unwrap();
    let (code, printed, _) = output(&["run", "--print-config", "--data", text(dir.path())]);
    assert_eq!(code, 0);
    let file = dir.path().join("house.yaml");
    fs::write(&file, &printed).unwrap();
    assert_eq!(output(&["run", "--print-config", "--config", text(&file)]), (0, printed, String::new()));
}

#[test]
fn sigterm_and_sigint_end_it_in_good_order() {
    use rustix::process::Signal;
    for signal in [Signal::TERM, Signal::INT] {
        let dir = tempfile::tempdir().unwrap();
        let house = House::start(dir.path(), &["--log", "text"]);
        house.signal(signal);
        let (code, said) = house.end();
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("house stopped, everything is synced"), "{said}");
        assert!(!dir.path().join("house.sock").exists());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_drains_and_what_was_acknowledged_is_delivered() {
    use gatehouse_proto::v1::gate_message::Message;
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &["--access-log", "json"]);
    let mut gate = house::Gate::attach(&dir.path().join("house.sock"), house::hello(7, 1)).await;
    gate.greeted().await;
    for n in 0..20 {
        gate.send(Message::Batch(house::batch(7, n * 10..(n + 1) * 10))).await;
    }
    gate.durable(1).await;
    house.signal(rustix::process::Signal::TERM);
    let (end, credit) = gate.end().await;
    end.expect("the stream ends in good order");
    let credit = credit.expect("a last credit");
    assert_eq!(credit.window_bytes, 0);
    let (code, said) = house.end();
    assert_eq!(code, Some(0), "{said}");
    let delivered = house::events(dir.path()).len() as u64;
    assert!(delivered >= credit.durable_seq, "{delivered} delivered, {} acknowledged", credit.durable_seq);
}

#[test]
fn a_second_house_says_what_is_taken_and_exits_1() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    let (code, _, said) = output(&["run", "--config", text(&dir.path().join("house.yaml"))]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another house (process `{}`) runs on the data folder", house.0.id())), "{said}");

    let address = fs::read_to_string(dir.path().join("admin.address")).unwrap();
    let (other, file) = (tempfile::tempdir().unwrap(), dir.path().join("other.yaml"));
    fs::write(&file, format!("data: {}\nadmin: {address}\n", other.path().display())).unwrap();
    let (code, _, said) = output(&["run", "--config", text(&file)]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another program listens on `{}`", address.trim())), "{said}");

    let socket = dir.path().join("house.sock");
    fs::write(
        &file,
        format!("data: {}\nadmin: 127.0.0.1:0\nlisten: {{ unix: {} }}\n", other.path().display(), socket.display()),
    )
    .unwrap();
    let (code, _, said) = output(&["run", "--config", text(&file)]);
    assert_eq!(code, 1);
    assert!(said.contains(&format!("another program listens on `{}`", socket.display())), "{said}");
}

#[test]
fn a_killed_house_starts_again_over_what_it_left() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    house.signal(rustix::process::Signal::KILL);
    assert_eq!(house.end().0, None);
    assert!(dir.path().join("house.sock").exists());
    drop(House::start(dir.path(), &[]));
}

#[test]
fn the_log_is_json_off_a_terminal_and_its_level_changes_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    let answer = ask(dir.path(), "PUT /log?level=error").unwrap();
    assert!(answer.ends_with("level is error\n"), "{answer}");
    house.signal(rustix::process::Signal::TERM);
    let (code, said) = house.end();
    assert_eq!(code, Some(0));
    let lines: Vec<serde_json::Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["message"] == "house runs" && line["level"] == "INFO"), "{said}");
    assert!(!said.contains("house stopped"), "an info line after the level was raised: {said}");
}

#[test]
fn an_idle_house_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::start(dir.path(), &[]);
    get(dir.path(), "/status").unwrap();
    get(dir.path(), "/metrics").unwrap();
    let resident = house.resident_kib();
    assert!(resident < 40 * 1024, "{resident} KiB resident");
    println!("{resident} KiB resident");
}
