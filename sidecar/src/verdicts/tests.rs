//! What is on a list, for how long, and what a stream is told of it.

use std::fs;
use std::path::Path;

use gatehouse_policy::document::{self, Problems};
use gatehouse_proto::{MAX_DELTA_ENTRIES, v1};
use proptest::prelude::*;

use super::*;

fn open(dir: &Path) -> Verdicts {
    let data = Arc::new(DataFolder::open(dir).unwrap());
    Verdicts::open(Arc::clone(&data), Audit::new(data))
}

fn address(number: u32) -> Subject {
    Subject::Address(std::net::Ipv4Addr::from(0x0a00_0000 | number).into())
}

fn order(list: &str, numbers: impl IntoIterator<Item = u32>, hold: Duration) -> Order {
    let subjects = numbers.into_iter().map(address).collect();
    Order { list: list.into(), subjects, hold, reason: "a drill".into() }
}

const HOUR: Duration = Duration::from_secs(3600);

fn add(verdicts: &Verdicts, list: &str, numbers: impl IntoIterator<Item = u32>) {
    assert_eq!(verdicts.add(order(list, numbers, HOUR), Who::Uid(7)), Ok(true));
}

fn remove(verdicts: &Verdicts, list: &str, numbers: impl IntoIterator<Item = u32>) -> usize {
    let subjects = Some(numbers.into_iter().map(address).collect());
    verdicts.remove(&Removal { list: list.into(), subjects }, &Who::Uid(7))
}

fn shown(verdicts: &Verdicts, list: &str) -> Vec<String> {
    let (entries, _) = verdicts.entries(list, 100).unwrap_or_default();
    entries.into_iter().map(|entry| entry.subject).collect()
}

/// A gate's list, by the rules that stand in the proto.
#[derive(Debug, Default)]
struct Gate {
    version: u64,
    keys: std::collections::BTreeSet<Vec<u8>>,
    aside: Option<std::collections::BTreeSet<Vec<u8>>>,
}

impl Gate {
    fn take(&mut self, delta: v1::ListDelta) {
        assert!(delta.add.len() + delta.remove.len() <= MAX_DELTA_ENTRIES);
        if delta.reset {
            self.aside = Some(Default::default());
        } else if self.aside.is_none() {
            assert_eq!(delta.base, self.version, "{delta:?}");
        }
        let into = self.aside.as_mut().unwrap_or(&mut self.keys);
        into.extend(delta.add.into_iter().map(|entry| entry.key));
        delta.remove.iter().for_each(|key| {
            into.remove(key);
        });
        if !delta.partial {
            self.version = delta.version;
            if let Some(aside) = self.aside.take() {
                self.keys = aside;
            }
        }
    }

    fn follow(&mut self, verdicts: &Verdicts, cursor: &mut Cursor) -> usize {
        std::iter::from_fn(|| verdicts.delta("banned", cursor).map(|delta| self.take(delta))).count()
    }
}

#[test]
fn what_is_added_is_shown_kept_and_written_down_by_whom() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = open(dir.path());
    add(&verdicts, "banned", [1, 2]);
    let list = &verdicts.lists()[0];
    assert_eq!((list.name.as_str(), list.entries), ("banned", 2));
    let (entries, total) = verdicts.entries("banned", 1).unwrap();
    assert_eq!((entries.len(), total, entries[0].subject.as_str()), (1, 2, "address 10.0.0.1"));
    assert_eq!((entries[0].reason.as_str(), &entries[0].by), ("a drill", &Who::Uid(7)));
    assert!((3590..=3600).contains(&entries[0].left_seconds));
    let before = list.version;
    drop(verdicts);

    let verdicts = open(dir.path());
    assert_eq!(shown(&verdicts, "banned"), ["address 10.0.0.1", "address 10.0.0.2"]);
    assert!(verdicts.version("banned").unwrap() >= before);
    assert_eq!(remove(&verdicts, "banned", [2, 3]), 1);
    assert_eq!(remove(&verdicts, "other", [2]), 0);
    drop(verdicts);
    let verdicts = open(dir.path());
    assert_eq!(shown(&verdicts, "banned"), ["address 10.0.0.1"]);
    assert_eq!(verdicts.remove(&Removal { list: "banned".into(), subjects: None }, &Who::Uid(0)), 1);
    drop(verdicts);
    assert!(open(dir.path()).lists().is_empty());

    let audit = fs::read_to_string(dir.path().join("audit.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = audit.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(
        (&lines[0]["action"], &lines[0]["by"]["uid"], &lines[0]["subjects"][1]),
        (&"verdict.add".into(), &7.into(), &"address 10.0.0.2".into())
    );
    assert_eq!((&lines[1]["action"], &lines[2]["by"]["uid"]), (&"verdict.remove".into(), &0.into()));
}

#[test]
fn a_verdict_ends_by_itself_and_a_newer_word_counts_also_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = open(dir.path());
    add(&verdicts, "banned", [1, 2]);
    verdicts.add(order("banned", [1], Duration::from_millis(1)), Who::Uid(7)).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(shown(&verdicts, "banned"), ["address 10.0.0.2"]);
    drop(verdicts);
    let verdicts = open(dir.path());
    assert_eq!(shown(&verdicts, "banned"), ["address 10.0.0.2"]);
    // The last one that ends takes the list along.
    let mut news = verdicts.subscribe();
    verdicts.add(order("banned", [2], Duration::from_millis(1)), Who::Uid(7)).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    news.mark_unchanged();
    verdicts.clear();
    assert!(verdicts.lists().is_empty() && news.has_changed().unwrap());
}

#[test]
fn lists_and_their_entries_are_bounded_and_an_order_is_taken_whole_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = open(dir.path());
    for number in 0..MAX_LISTS {
        add(&verdicts, &format!("list-{number}"), [1]);
    }
    assert_eq!(verdicts.add(order("one-more", [1], HOUR), Who::Uid(7)), Err(Full::Lists));
    for part in 0..16 {
        add(&verdicts, "list-0", (part * 4096 + 2)..((part + 1) * 4096 + 1));
    }
    let left = MAX_LIST_ENTRIES - verdicts.lists()[0].entries;
    assert!(left > 1 && left < 100, "{left}");
    let many = order("list-0", 1_000_000..1_000_001 + left as u32, HOUR);
    assert_eq!(verdicts.add(many, Who::Uid(7)), Err(Full::Entries("list-0".into())));
    assert_eq!(verdicts.lists()[0].entries, MAX_LIST_ENTRIES - left);
    add(&verdicts, "list-0", [1, 2, 3]);
}

#[test]
fn a_stream_is_told_the_whole_list_in_parts_and_then_what_changes() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = open(dir.path());
    for part in 0..3 {
        add(&verdicts, "banned", part * 3000..(part + 1) * 3000);
    }
    let (mut gate, mut cursor) = (Gate::default(), Cursor::default());
    let first = verdicts.delta("banned", &mut cursor).unwrap();
    assert!(first.reset && first.partial && first.add.len() == MAX_DELTA_ENTRIES);
    gate.take(first);
    // Changes before and behind what was sent already.
    add(&verdicts, "banned", [20_000]);
    remove(&verdicts, "banned", [0, 8999]);
    add(&verdicts, "banned", [8999]);
    gate.follow(&verdicts, &mut cursor);
    assert_eq!(gate.keys.len(), 9000);
    assert!(!gate.keys.contains(&address(0).key()) && gate.keys.contains(&address(8999).key()));
    assert_eq!(gate.version, verdicts.version("banned").unwrap());

    add(&verdicts, "banned", [30_000]);
    remove(&verdicts, "banned", [1, 2]);
    let delta = verdicts.delta("banned", &mut cursor).unwrap();
    assert_eq!((delta.reset, delta.partial, delta.add.len(), delta.remove.len()), (false, false, 1, 2));
    assert!((3_590_000..=3_600_000).contains(&delta.add[0].ttl_ms));
    gate.take(delta);
    assert_eq!(verdicts.delta("banned", &mut cursor), None);
    // One that is too far behind is sent the list anew.
    for part in 0..3 {
        add(&verdicts, "banned", part * 3000..(part + 1) * 3000);
    }
    assert!(verdicts.delta("banned", &mut cursor.clone()).unwrap().reset);
    gate.follow(&verdicts, &mut cursor);
    assert_eq!(gate.version, verdicts.version("banned").unwrap());
    // A list that goes is told once.
    verdicts.remove(&Removal { list: "banned".into(), subjects: None }, &Who::Uid(0));
    verdicts.clear();
    assert_eq!((gate.follow(&verdicts, &mut cursor), gate.keys.len()), (1, 0));
    assert_eq!(verdicts.delta("banned", &mut cursor), None);
}

#[test]
fn a_damaged_file_keeps_what_can_be_read_and_no_house_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = open(dir.path());
    add(&verdicts, "banned", [1]);
    add(&verdicts, "banned", [2]);
    drop(verdicts);
    let file = dir.path().join("verdicts.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 3);
    // A line that a crash cut off, and one that something else broke.
    fs::write(&file, format!("{}\n{}\n{}", lines[0], lines[1], lines[2].split_at(20).0)).unwrap();
    assert_eq!(shown(&open(dir.path()), "banned"), ["address 10.0.0.1"]);
    fs::write(&file, format!("{}\n{{\"put\": 3}}\n{}\n", lines[0], lines[2])).unwrap();
    assert_eq!(shown(&open(dir.path()), "banned"), ["address 10.0.0.2"]);
    for text in ["", "\n\n", "{}\n", "\u{fffd}", &lines[1..].join("\n")] {
        fs::write(&file, text).unwrap();
        assert!(open(dir.path()).lists().is_empty(), "{text}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let verdicts = open(dir.path());
    assert_eq!(verdicts.add(order("banned", [1], HOUR), Who::Uid(7)), Ok(false), "it holds, and is not kept");
    assert_eq!(verdicts.lists().len(), 1);
}

#[test]
fn the_file_is_written_anew_before_it_grows_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let verdicts = open(dir.path());
    let file = dir.path().join("verdicts.jsonl");
    let mut most = 0;
    for _ in 0..60 {
        add(&verdicts, "banned", 0..4000);
        most = most.max(fs::metadata(&file).unwrap().len());
    }
    assert!(most < 2 << 20, "{most}");
    assert_eq!(shown(&open_again(verdicts, dir.path()), "banned").len(), 100);
}

fn open_again(verdicts: Verdicts, dir: &Path) -> Verdicts {
    drop(verdicts);
    open(dir)
}

#[test]
fn what_is_asked_is_within_bounds_and_every_problem_is_told() {
    let read = |text: &str| {
        let mut problems = Problems::default();
        let node = document::json("request", text).unwrap();
        let order = Order::read(&node, &mut problems);
        problems.or(order).map_err(|problems| problems.to_string())
    };
    let subjects = r#"[{"address":"::ffff:192.0.2.7"},{"prefix":"198.51.100.0/24"},{"identity":"spiffe://a/b"},{"fingerprint":"t13d_x"},{"asn":64500},{"asn":"AS64501"},{"client":"00ff"}]"#;
    let order =
        read(&format!(r#"{{"list":"banned","subjects":{subjects},"for":"1h","reason":"x"}}"#)).unwrap().unwrap();
    let words: Vec<String> = order.subjects.iter().map(Subject::to_string).collect();
    assert_eq!(
        words,
        [
            "address 192.0.2.7",
            "prefix 198.51.100.0/24",
            "identity spiffe://a/b",
            "fingerprint t13d_x",
            "asn 64500",
            "asn 64501",
            "client 00ff"
        ]
    );
    for (subject, words) in [
        (r#"{"address":"192.0.2.7/32"}"#, "is no address"),
        (r#"{"address":"0.0.0.0"}"#, "is no address"),
        (r#"{"prefix":"0.0.0.0/0"}"#, "at least /8"),
        (r#"{"prefix":"2000::/8"}"#, "/16"),
        (r#"{"prefix":"192.0.2.1/24"}"#, "is no prefix"),
        (r#"{"identity":"https://a"}"#, "is no identity"),
        (r#"{"asn":0}"#, "is no asn"),
        (r#"{"asn":-1}"#, "is no asn"),
        (r#"{"client":"XYZ"}"#, "is no client"),
        (r#"{"fingerprint":"a b"}"#, "is no fingerprint"),
        (r#"{}"#, "of one kind"),
        (r#"{"asn":1,"client":"a"}"#, "of one kind"),
        (r#"{"header":"x-api-key"}"#, "unknown field `header`"),
    ] {
        let told = read(&format!(r#"{{"list":"banned","subjects":[{subject}],"for":"1h","reason":"x"}}"#)).unwrap_err();
        assert!(told.contains(words), "{subject}: {told}");
    }
    let told = read(r#"{"list":"No","subjects":[],"for":"367d","reason":" "}"#).unwrap_err();
    for words in ["`No` is no name of a list", "0 subjects", "`for` is out of range", "`reason` is empty"] {
        assert!(told.contains(words), "{told}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn whatever_changes_in_whatever_order_a_stream_that_follows_has_the_list(
        steps in proptest::collection::vec((0u8..4, 0u32..40, 1u32..40), 1..40)
    ) {
        let dir = tempfile::tempdir().unwrap();
        let verdicts = open(dir.path());
        let mut gates = [(Gate::default(), Cursor::default()), (Gate::default(), Cursor::default())];
        for (kind, first, count) in steps {
            match kind {
                0 | 1 => add(&verdicts, "banned", first..first + count),
                2 => {
                    remove(&verdicts, "banned", first..first + count);
                }
                // Its stream is opened anew.
                _ => gates[0] = Default::default(),
            }
            // The second follows at the end only.
            let (gate, cursor) = &mut gates[0];
            gate.follow(&verdicts, cursor);
        }
        let expected: std::collections::BTreeSet<Vec<u8>> =
            verdicts.shared.lock().lists.get("banned").map(|list| list.entries.keys().cloned().collect()).unwrap_or_default();
        for (mut gate, mut cursor) in gates {
            gate.follow(&verdicts, &mut cursor);
            prop_assert_eq!(&gate.keys, &expected);
        }
    }
}
