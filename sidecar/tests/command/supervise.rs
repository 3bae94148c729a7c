//! `gatehouse supervise`: a house that ends is there again, and an end that is asked for is orderly.

use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::process::{gatehouse, get, output, text, until};

fn send(id: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), signal).unwrap();
}

/// The child of a supervisor.
fn child(of: &Child) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", of.id())).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn ready(data: &Path) -> bool {
    get(data, "/readyz").is_some_and(|page| page.ends_with("\r\n\r\nready\n"))
}

fn supervised(data: &Path, linger: &str) -> Child {
    let config = data.join("house.yaml");
    fs::write(&config, format!("data: {}\nadmin: 127.0.0.1:0\n", data.display())).unwrap();
    let log = fs::File::create(data.join("log")).unwrap();
    let mut command = gatehouse(&["supervise", "--linger", linger, "--", "run", "--config", text(&config)]);
    let started = command.stderr(log).spawn().unwrap();
    until("the house is ready", || ready(data));
    started
}

#[test]
fn a_killed_house_is_there_again_and_a_wrong_configuration_can_be_mended_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let probe = |what: &str| output(&["probe", what, "--data", text(dir.path())]).0;
    assert_eq!((probe("live"), probe("ready")), (1, 1), "nobody answers yet");
    let mut supervisor = supervised(dir.path(), "0s");
    assert_eq!((probe("live"), probe("ready"), probe("well")), (0, 0, 2));
    let first = child(&supervisor).unwrap();
    send(first, Signal::KILL);
    until("another house is ready", || child(&supervisor).is_some_and(|id| id != first) && ready(dir.path()));

    let config = dir.path().join("house.yaml");
    let sound = fs::read_to_string(&config).unwrap();
    fs::write(&config, "no: such\n").unwrap();
    send(child(&supervisor).unwrap(), Signal::KILL);
    until("it says what is wrong", || fs::read_to_string(dir.path().join("log")).unwrap().contains("mend it in place"));
    fs::write(&config, sound).unwrap();
    until("the mended house is ready", || ready(dir.path()));
    let last = child(&supervisor).unwrap();
    send(supervisor.id(), Signal::TERM);
    assert!(supervisor.wait().unwrap().success());
    assert!(!Path::new(&format!("/proc/{last}")).exists());
}

#[test]
fn asked_to_end_it_lingers_and_then_ends_the_house_in_good_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut supervisor = supervised(dir.path(), "2s");
    let began = Instant::now();
    send(supervisor.id(), Signal::TERM);
    std::thread::sleep(Duration::from_millis(500));
    assert!(ready(dir.path()), "the house goes on while the gateway drains");
    assert!(supervisor.wait().unwrap().success());
    assert!(began.elapsed() >= Duration::from_secs(2));
    assert!(!dir.path().join("house.sock").exists(), "the house removed its socket itself");
}

#[test]
fn it_watches_no_supervisor_and_says_how_durations_are_written() {
    let (code, _, said) = output(&["supervise", "--", "supervise", "--", "run"]);
    assert!(code == 2 && said.contains("watches another verb"), "{said}");
    let (code, _, said) = output(&["supervise", "--linger", "30", "--", "run"]);
    assert!(code == 2 && said.contains("such as `30s`"), "{said}");
}
