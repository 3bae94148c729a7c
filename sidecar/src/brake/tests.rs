//! What holds, for how long, and what a file does.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Instant;

use super::*;

struct Desk {
    dir: tempfile::TempDir,
    brakes: Brakes,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("policies")).unwrap();
        Self { brakes: open(dir.path()), dir }
    }

    /// As after a restart of the house.
    fn again(self) -> Self {
        let Self { dir, brakes } = self;
        drop(brakes);
        Self { brakes: open(dir.path()), dir }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join(FILE)
    }

    fn look(&self) {
        self.brakes.look();
    }

    fn scopes(&self) -> Vec<String> {
        self.brakes.message().entries.into_iter().map(|entry| entry.scope).collect()
    }

    fn audit(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.path().join("audit.jsonl")).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.map(|line| format!("{} {}", line["action"].as_str().unwrap(), line["by"])).collect()
    }
}

fn open(dir: &Path) -> Brakes {
    let data = Arc::new(DataFolder::open(dir).unwrap());
    let places = vec![dir.join(FILE), dir.join("policies").join(FILE)];
    let brakes = Brakes::open(Arc::clone(&data), Audit::new(data), places);
    brakes.look();
    brakes
}

fn order(scope: &str, hold: Duration) -> Order {
    Order { scope: scope.into(), hold, reason: "a drill".into() }
}

fn hour(scope: &str) -> Order {
    order(scope, Duration::from_secs(3600))
}

#[test]
fn what_is_set_is_told_kept_and_written_down_by_whom() {
    let desk = Desk::new();
    let before = desk.brakes.message().version;
    assert_eq!(desk.brakes.set(hour("acme/retail"), Who::Uid(7)), Ok(true));
    let message = desk.brakes.message();
    assert!(message.version > before);
    assert_eq!((message.entries.len(), message.entries[0].scope.as_str()), (1, "acme/retail"));
    assert!((3_590_000..=3_600_000).contains(&message.entries[0].ttl_ms), "{message:?}");
    let holding = desk.brakes.view().holding;
    assert_eq!((holding[0].for_seconds, holding[0].reason.as_str(), &holding[0].by), (3600, "a drill", &Who::Uid(7)));

    let desk = desk.again();
    assert_eq!(desk.scopes(), ["acme/retail"]);
    assert!(desk.brakes.message().entries[0].ttl_ms <= 3_600_000);
    assert!(desk.brakes.is_active());
    assert_eq!(desk.brakes.release(None, &Who::Uid(0)), ["acme/retail"]);
    assert!(desk.brakes.message().version > message.version && !desk.brakes.is_active());
    assert_eq!(desk.audit(), [r#"brake.set {"uid":7}"#, r#"brake.released {"uid":0}"#]);
    assert!(desk.again().scopes().is_empty());
}

#[test]
fn a_scope_is_braked_once_and_the_newest_word_counts() {
    let desk = Desk::new();
    for hold in [3600, 60] {
        desk.brakes.set(order("acme", Duration::from_secs(hold)), Who::Uid(hold as u32)).unwrap();
    }
    desk.brakes.set(hour(""), Who::Uid(0)).unwrap();
    assert_eq!(desk.scopes(), ["acme", ""]);
    assert!(desk.brakes.message().entries[0].ttl_ms <= 60_000);
    assert!(desk.brakes.release(Some("other"), &Who::Uid(0)).is_empty());
    assert_eq!(desk.brakes.release(Some(""), &Who::Uid(0)), [""]);
    assert_eq!(desk.scopes(), ["acme"]);
}

#[test]
fn it_ends_by_itself_and_the_audit_says_that_nobody_ended_it() {
    let desk = Desk::new();
    let mut news = desk.brakes.subscribe();
    desk.brakes.set(order("", Duration::from_millis(30)), Who::Uid(1)).unwrap();
    news.mark_unchanged();
    let begin = Instant::now();
    while desk.brakes.is_active() {
        assert!(begin.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(5));
    }
    desk.look();
    assert!(news.has_changed().unwrap(), "streams are told");
    assert_eq!(desk.audit(), [r#"brake.set {"uid":1}"#, r#"brake.ended "clock""#]);
}

#[test]
fn what_ended_while_the_house_was_away_does_not_come_back() {
    let desk = Desk::new();
    desk.brakes.set(order("", Duration::from_millis(1)), Who::Uid(1)).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    let desk = desk.again();
    assert!(desk.scopes().is_empty());
    assert_eq!(desk.audit().last().unwrap(), r#"brake.ended "clock""#);
}

#[test]
fn there_are_as_many_as_a_message_carries() {
    let desk = Desk::new();
    for number in 0..MAX_BRAKES {
        desk.brakes.set(hour(&format!("s{number}")), Who::Uid(0)).unwrap();
    }
    assert_eq!(desk.brakes.set(hour("one-more"), Who::Uid(0)), Err(Full));
    desk.brakes.set(hour("s1"), Who::Uid(0)).unwrap();
    assert_eq!(desk.scopes().len(), MAX_BRAKES);
}

#[test]
fn a_touched_file_brakes_everything_for_an_hour_and_releases_when_it_goes() {
    for place in ["brake", "policies/brake"] {
        let desk = Desk::new();
        let file = desk.dir.path().join(place);
        fs::write(&file, "").unwrap();
        desk.look();
        let message = desk.brakes.message();
        assert_eq!((message.entries.len(), message.entries[0].scope.as_str()), (1, ""));
        assert!((3_590_000..=3_600_000).contains(&message.entries[0].ttl_ms));
        desk.look();
        assert_eq!(desk.brakes.message().version, message.version, "nothing new, nothing said");
        fs::remove_file(&file).unwrap();
        desk.look();
        assert!(desk.scopes().is_empty());
        assert_eq!(desk.audit().len(), 2);
    }
}

#[test]
fn a_file_may_say_what_and_how_long_and_a_change_replaces_it() {
    let desk = Desk::new();
    fs::write(desk.file(), "{ scope: acme/retail, for: 2h, reason: 'too strict' }").unwrap();
    desk.look();
    let holding = &desk.brakes.view().holding[0];
    assert_eq!(
        (holding.scope.as_str(), holding.for_seconds, holding.reason.as_str()),
        ("acme/retail", 7200, "too strict")
    );
    fs::write(desk.file(), "scope: acme").unwrap();
    desk.look();
    assert_eq!(desk.scopes(), ["acme"]);
    // What cannot be understood changes nothing, and is told.
    fs::write(desk.file(), "scope: ACME\nfor: 8d\n").unwrap();
    desk.look();
    assert_eq!(desk.scopes(), ["acme"]);
    let problem = desk.brakes.view().files[0].problem.clone().unwrap();
    assert!(problem.contains("`ACME` is no scope") && problem.contains("`for` is out of range"), "{problem}");
}

#[test]
fn a_file_left_lying_does_not_brake_anew_after_a_restart_until_it_is_touched() {
    let desk = Desk::new();
    fs::write(desk.file(), "for: 1s").unwrap();
    desk.look();
    assert_eq!(desk.brakes.release(None, &Who::Uid(0)), [""]);
    let desk = desk.again();
    assert!(desk.scopes().is_empty());
    assert_eq!(desk.brakes.view().files.len(), 1);
    assert!(!desk.brakes.view().files[0].holds);
    let touched = std::time::SystemTime::now() + Duration::from_secs(5);
    fs::File::options().write(true).open(desk.file()).unwrap().set_modified(touched).unwrap();
    desk.look();
    assert!(desk.brakes.is_active() && desk.brakes.view().files[0].holds);
    // A house that was away when the file went releases when it is back.
    fs::remove_file(desk.file()).unwrap();
    assert!(desk.again().scopes().is_empty());
}

#[test]
fn a_mounted_file_is_told_by_its_text_alone() {
    let desk = Desk::new();
    let real = desk.dir.path().join("real");
    fs::write(&real, "for: 2h").unwrap();
    symlink(&real, desk.file()).unwrap();
    desk.look();
    desk.brakes.release(None, &Who::Uid(0));
    fs::File::options().write(true).open(&real).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    desk.look();
    assert!(!desk.brakes.is_active(), "mounted anew, the same text");
    fs::write(&real, "for: 3h").unwrap();
    desk.look();
    assert!(desk.brakes.is_active());
}

#[test]
fn what_is_no_file_or_no_text_is_told_and_brakes_nothing() {
    let desk = Desk::new();
    fs::create_dir(desk.file()).unwrap();
    desk.look();
    assert_eq!(desk.brakes.view().files[0].problem.as_deref(), Some("it is no file"));
    fs::remove_dir(desk.file()).unwrap();
    for (bytes, words) in
        [(&b"\xff"[..], "not UTF-8"), (&[b'x'; 20_000], "larger than 16 KiB"), (b"stop!", "a brake is")]
    {
        fs::write(desk.file(), bytes).unwrap();
        desk.look();
        let problem = desk.brakes.view().files[0].problem.clone().unwrap();
        assert!(problem.contains(words), "{problem}");
        assert!(!desk.brakes.is_active());
    }
}

#[test]
fn damaged_keeping_is_told_and_starts_with_none() {
    let desk = Desk::new();
    desk.brakes.set(hour(""), Who::Uid(0)).unwrap();
    fs::write(desk.dir.path().join("brakes.json"), "{ \"boot\": 3").unwrap();
    assert!(desk.again().scopes().is_empty());
}

#[test]
fn a_disk_that_takes_nothing_keeps_no_brake_from_the_gates() {
    let desk = Desk::new();
    // The name that the file is first written under is taken by a folder with something in it.
    fs::create_dir_all(desk.dir.path().join("brakes.json.new/x")).unwrap();
    assert_eq!(desk.brakes.set(hour(""), Who::Uid(0)), Ok(false));
    assert!(desk.brakes.is_active());
}

#[test]
fn orders_are_within_bounds() {
    let order = |text: &str| {
        let mut problems = Problems::default();
        let order = gatehouse_policy::document::json("request", text).map(|node| Order::read(&node, &mut problems));
        order.and_then(|order| problems.or(order)).map_err(|problems| problems.to_string())
    };
    use gatehouse_policy::document::Problems;
    let good = order(r#"{"scope":"acme","for":"7d","reason":" a\nb "}"#).unwrap().unwrap();
    assert_eq!((good.scope.as_str(), good.hold, good.reason.as_str()), ("acme", MAX_HOLD, "a b"));
    for (text, words) in [
        (r#"{"for":"1h"}"#, "has no `reason`"),
        (r#"{"for":"1h","reason":"  "}"#, "`reason` is empty"),
        (r#"{"reason":"x"}"#, "has no `for`"),
        (r#"{"for":"169h","reason":"x"}"#, "`for` is out of range"),
        (r#"{"for":"0s","reason":"x"}"#, "`for` is out of range"),
        (r#"{"for":"1","reason":"x"}"#, "is not a duration"),
        (r#"{"for":"1h","reason":"x","scope":"a/b/c/d/e"}"#, "is no scope"),
        (r#"{"for":"1h","reason":"x","scope":"/a"}"#, "is no scope"),
        (r#"{"for":"1h","reason":"x","scop":"a"}"#, "did you mean `scope`?"),
    ] {
        let told = order(text).unwrap_err();
        assert!(told.contains(words), "{text}: {told}");
    }
}
