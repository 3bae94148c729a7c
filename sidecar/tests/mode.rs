//! `gatehouse mode` as an operator meets it: with a house, without one, and with one that hangs.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

#[expect(dead_code, reason = "not every helper is wanted here")]
mod process;

use std::fs;

use process::{House, get, output, text, until};
use rustix::process::Signal;

fn status(data: &std::path::Path) -> serde_json::Value {
    let page = get(data, "/status").unwrap();
    serde_json::from_str(page.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_running_house_is_asked_and_says_who_why_and_where() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let _house = House::start(dir.path(), &[]);
    let (code, said, _) = output(&["mode", "show", "--data", data]);
    assert_eq!((code, said.as_str()), (0, "no brake holds\nin force in 0 of 0 worker(s)\n"));

    let (code, said, _) =
        output(&["mode", "monitor", "--for", "1h", "--reason", "too strict", "--scope", "acme", "--data", data]);
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with("the brake holds for `acme` until 2") && said.contains("too strict"), "{said}");
    let address = format!("http://{}", fs::read_to_string(dir.path().join("admin.address")).unwrap().trim());
    let (code, said, _) = output(&["mode", "show", "--admin", &address, "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &shown["holding"][0]["scope"]), (0, &"acme".into()));

    let (code, said, _) = output(&["mode", "release", "--data", data]);
    assert!(code == 0 && said.starts_with("released: `acme`\n"), "{said}");
    let (code, said, _) = output(&["mode", "release", "--data", data]);
    assert!(code == 0 && said.starts_with("there was nothing to release\n"), "{said}");

    let audit = fs::read_to_string(dir.path().join("audit.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let uid = rustix::process::geteuid().as_raw();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["action"], &lines[0]["by"]["uid"]), (&"brake.set".into(), &uid.into()));
    assert_eq!(
        (&lines[0]["scope"], &lines[0]["for_seconds"], &lines[0]["reason"]),
        (&"acme".into(), &3600.into(), &"too strict".into())
    );
    assert!(lines[0]["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(lines[1]["action"], "brake.released");
}

#[test]
fn without_a_house_it_is_kept_and_holds_from_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let (code, said, _) = output(&["mode", "monitor", "--for", "1h", "--reason", "a drill", "--data", data]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("no house runs"), "{said}");
    let house = House::start(dir.path(), &[]);
    assert_eq!(status(dir.path())["brake"]["holding"][0]["reason"], "a drill");
    house.signal(Signal::KILL);
    house.end();
    assert_eq!(output(&["mode", "release", "--data", data]).0, 1);
    let _house = House::start(dir.path(), &[]);
    assert_eq!(status(dir.path())["brake"]["active"], false);
}

#[test]
fn a_house_that_hangs_is_left_a_file_which_it_finds_when_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let house = House::start(dir.path(), &[]);
    house.signal(Signal::STOP);
    let (code, said, _) = output(&["mode", "monitor", "--for", "1h", "--reason", "a drill", "--data", data]);
    assert!(code == 1 && said.contains("the file `brake` is written"), "{said}");
    house.signal(Signal::CONT);
    until("the file is found", || status(dir.path())["brake"]["holding"][0]["reason"] == "a drill");
    fs::remove_file(dir.path().join("brake")).unwrap();
    until("the file's end is found", || status(dir.path())["brake"]["active"] == false);
}

#[test]
fn wrong_usage_is_told_without_a_house() {
    for (arguments, words) in [
        (&["mode", "monitor", "--for", "1h"][..], "--reason"),
        (&["mode", "monitor", "--reason", "x"], "--for"),
        (&["mode", "monitor", "--for", "8d", "--reason", "x"], "`for` is out of range"),
        (&["mode", "monitor", "--for", "1h", "--reason", " "], "`reason` is empty"),
        (&["mode", "monitor", "--for", "1h", "--reason", "x", "--scope", "A"], "`A` is no scope"),
        (&["mode", "release", "--scope", "A b"], "`A b` is no scope"),
        (&["mode", "show", "--admin", "ftp://x"], "no address of a house"),
        (&["mode", "show", "--admin", "http://127.0.0.1:1", "--data", "/x"], "cannot be used with"),
    ] {
        let (code, _, said) = output(arguments);
        assert_eq!(code, 2, "{arguments:?}: {said}");
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    let (code, _, said) = output(&["mode", "show", "--data", "/nowhere"]);
    assert!(code == 1 && said.contains("no house answers") && said.contains("`/nowhere`"), "{said}");
    let (code, _, said) = output(&["mode", "monitor", "--for", "1h", "--reason", "x", "--data", "/nowhere"]);
    assert!(code == 1 && said.contains("no house answers"), "{said}");
    assert!(!std::path::Path::new("/nowhere").exists());
}
