//! `gatehouse spool` and `gatehouse books`: what a house left, what one is writing, and whether its accounts close.

use gatehouse_proto::v1::gate_message::Message as FromGate;

use super::house::{Gate, batch, hello};
use super::process::{House, get, json, output, text, until};

/// A house that took three records from a gate.
fn fed(data: &std::path::Path) -> House {
    let house = House::start(data, &[]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut gate = Gate::attach(&data.join("house.sock"), hello(5, 1)).await;
        gate.greeted().await;
        gate.send(FromGate::Batch(batch(5, 0..3))).await;
        gate.durable(3).await;
    });
    house
}

#[test]
fn stat_verify_and_dump_tell_of_a_running_house_and_of_a_killed_one() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(dir.path());
    let house = fed(dir.path());
    let stat = || {
        let (code, out, said) = output(&["spool", "stat", data, "--json"]);
        assert_eq!(code, 0, "{said}");
        json(&out)
    };
    until("the sink has all", || stat()["sinks"][0]["delivered"] == 3);
    assert_eq!(stat()["pid"], house.0.id());
    let (code, out, said) = output(&["books", "--data", data]);
    assert!(code == 0 && out.contains("of `envoy-1` (gone): seen 3 = 3 stored\n"), "{out}{said}");
    assert!(out.ends_with("sink `events`: stored 3 = 3 delivered\nthe books close\n"), "{out}");
    let (code, out, _) = output(&["books", "--data", data, "--json"]);
    assert_eq!((code, json(&out)["difference"].as_u64()), (0, Some(0)));
    let metrics = get(dir.path(), "/metrics").unwrap();
    assert!(metrics.contains("\ngatehouse_books_difference_records 0\n"), "{metrics}");
    assert!(metrics.contains("gatehouse_sink_difference_records{sink=\"events\"} 0"), "{metrics}");
    drop(house);
    let (code, _, said) = output(&["books", "--data", data]);
    assert!(code == 1 && said.contains("no house answers"), "{said}");

    let told = stat();
    assert_eq!((told["records"].as_u64(), told["pid"].as_u64()), (Some(3), None));
    let (code, out, _) = output(&["spool", "verify", data]);
    assert!(code == 0 && out.contains("no house has it") && out.ends_with("whole\n"), "{out}");
    let (code, out, _) = output(&["spool", "dump", data]);
    let lines: Vec<_> = out.lines().map(json).collect();
    assert_eq!((code, lines.len()), (0, 3));
    assert_eq!(lines[0]["class_uid"], 4002);
    let delivered = std::fs::read_to_string(dir.path().join("events.ndjson")).unwrap();
    assert_eq!(out, delivered, "a dump is what a file sink writes");
    assert_eq!(output(&["spool", "dump", data, "--sink", "events"]), (0, String::new(), String::new()));

    let (code, _, said) = output(&["spool", "dump", data, "--sink", "evnts"]);
    assert!(code == 2 && said.contains("no sink `evnts` has a cursor here; there are `events`"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, said) = output(&["spool", "verify", text(empty.path())]);
    assert!(code == 2 && said.contains("there is no spool in"), "{said}");
}

#[test]
fn a_house_that_ends_says_what_its_sinks_have_not_delivered() {
    let dir = tempfile::tempdir().unwrap();
    // Nothing can be written into a folder.
    std::fs::create_dir(dir.path().join("events.ndjson")).unwrap();
    let house = fed(dir.path());
    house.signal(rustix::process::Signal::TERM);
    let (code, said) = house.end();
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<_> = said.lines().map(json).collect();
    let stays =
        lines.iter().find(|line| line["message"].as_str().unwrap().starts_with("records stay in the spool")).unwrap();
    assert_eq!((stays["sink"].as_str(), stays["records"].as_u64()), (Some("events"), Some(3)), "{stays}");
    assert_eq!(lines.last().unwrap()["remaining"], 3, "{said}");
    assert_eq!(lines.last().unwrap()["sinks"], "events 3", "{said}");
    let (code, out, _) = output(&["spool", "dump", text(dir.path()), "--sink", "events"]);
    assert_eq!((code, out.lines().count()), (0, 3), "they are on the volume");
}

#[test]
fn damage_ends_verify_with_1() {
    let dir = tempfile::tempdir().unwrap();
    drop(fed(dir.path()));
    std::fs::write(dir.path().join("spool").join("00000000000000000001.seg"), vec![7; 4096]).unwrap();
    let (code, out, said) = output(&["spool", "verify", text(dir.path()), "--json"]);
    assert_eq!(code, 1, "{said}");
    let told = json(&out);
    assert_eq!((told["ok"].as_bool(), told["set_aside"]["ranges"].as_u64()), (Some(false), Some(1)));
}
