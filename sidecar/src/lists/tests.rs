//! What becomes of what is fetched.

use gatehouse_policy::Holds;
use gatehouse_proto::MAX_LIST_ENTRIES;
use gatehouse_proto::subject::Subject;

use super::crowdsec::{Decisions, left};
use super::text::read;
use super::*;

fn shown(read: &BTreeMap<Vec<u8>, Option<u64>>) -> Vec<String> {
    read.keys().map(|key| Subject::read(key).unwrap().to_string()).collect()
}

#[test]
fn a_text_and_an_array_say_the_same() {
    let text = "\u{feff}# a list\n192.0.2.7 ; why\n\n192.0.2.8/32\n198.51.100.0/24 # all\n2001:db8::/32\n";
    let array = r#"["192.0.2.7", "192.0.2.8/32", "198.51.100.0/24", "2001:db8::/32"]"#;
    let expected = ["address 192.0.2.7", "address 192.0.2.8", "prefix 2001:db8::/32", "prefix 198.51.100.0/24"];
    for text in [text, array] {
        let read = read(text.as_bytes(), Holds::Addresses).unwrap();
        assert_eq!((shown(&read.entries), read.refused), (expected.map(str::to_owned).to_vec(), 0));
    }
    let asns = read(b"[64500, \"AS64501\"]", Holds::Asns).unwrap();
    assert_eq!(shown(&asns.entries), ["asn 64500", "asn 64501"]);
    let ids = read(b"spiffe://a/ns/b/sa/c\n", Holds::Identities).unwrap();
    assert_eq!(shown(&ids.entries), ["identity spiffe://a/ns/b/sa/c"]);
    assert_eq!(read(b"", Holds::Addresses).unwrap(), text::Read::default());
}

#[test]
fn what_lies_within_another_network_is_left_out() {
    let text = "10.1.2.3\n10.1.0.0/16\n10.0.0.0/8\n11.0.0.1\n10.255.255.255\n2001:db8::1\n2001:db8::/64\n::a00:1\n";
    let read = read(text.as_bytes(), Holds::Addresses).unwrap();
    assert_eq!(
        shown(&read.entries),
        ["address ::a00:1", "address 11.0.0.1", "prefix 10.0.0.0/8", "prefix 2001:db8::/64"]
    );
}

#[test]
fn one_wrong_line_in_a_hundred_is_left_out_and_two_refuse_the_whole() {
    use std::fmt::Write;
    let lines = |wrong: &[&str]| {
        let mut text = String::new();
        (0..100 - wrong.len()).for_each(|n| writeln!(text, "192.0.2.{n}").unwrap());
        wrong.iter().for_each(|line| writeln!(text, "{line}").unwrap());
        read(text.as_bytes(), Holds::Addresses)
    };
    let one = lines(&["0.0.0.0/0"]).unwrap();
    assert_eq!((one.entries.len(), one.refused), (99, 1), "nobody bans everybody");
    let two = lines(&["0.0.0.0/0", "<html>"]).unwrap_err();
    assert_eq!(two, "2 of its 100 entries are no addresses, the first is line 99 `0.0.0.0/0`");
    for nobody in ["0.0.0.0", "0.0.0.0/32", "::/128"] {
        assert_eq!(lines(&[nobody]).unwrap().refused, 1, "{nobody}");
    }
    let page = read(b"<html><body>not found</body></html>\n", Holds::Addresses).unwrap_err();
    assert!(page.contains("1 of its 1"), "{page}");
    for (bytes, words) in [(&b"\xff"[..], "not UTF-8"), (b"[1.5]", "no array"), (b"[\"192.0.2.7\"", "no array")] {
        let told = read(bytes, Holds::Addresses).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn a_list_that_is_too_long_is_refused_whole_with_what_to_do() {
    use std::fmt::Write;
    let mut text = String::new();
    for n in 0..=MAX_LIST_ENTRIES {
        writeln!(text, "{}", std::net::Ipv4Addr::from((10 << 24) + 2 * n as u32)).unwrap();
    }
    let told = read(text.as_bytes(), Holds::Addresses).unwrap_err();
    assert!(told.contains("65537 entries") && told.contains("`files`"), "{told}");
}

#[test]
fn durations_of_go_are_read() {
    for (text, ms) in
        [("3h59m49.5s", 14_389_500), ("1.5h", 5_400_000), ("250ms", 250), ("1m0.000000001s", 60_000), ("-3s", 0)]
    {
        assert_eq!(left(text), Some(Duration::from_millis(ms)), "{text}");
    }
    for text in ["", "-", "4", "4x", "h", "1..5s", "1e9s", &"9h".repeat(100)] {
        assert_eq!(left(text), None, "{text}");
    }
    assert!(left(&format!("{}h", "9".repeat(60))).is_none_or(|left| left > Duration::from_secs(1 << 40)));
}

const NOW: Now = Now { boot_ms: 1_000_000, wall_ms: 0 };

fn decision(value: &str, kind: &str, scope: &str, duration: &str) -> String {
    format!(
        r#"{{"id":1,"origin":"cscli","type":"{kind}","scope":"{scope}","value":"{value}","duration":"{duration}","scenario":"manual"}}"#
    )
}

#[test]
fn decisions_are_asked_for_whole_once_and_then_by_what_changed() {
    let mut decisions = Decisions::default();
    assert!(decisions.question(NOW).ends_with("startup=true"));
    let all = [
        decision("192.0.2.7", "ban", "Ip", "1h"),
        decision("198.51.100.0/24", "captcha", "Range", "10m0.5s"),
        decision("FR", "ban", "Country", "1h"),
        decision("192.0.2.9", "throttle", "Ip", "1h"),
        decision("192.0.2.10", "ban", "ip", "-1s"),
    ];
    let (held, refused) =
        decisions.take(format!(r#"{{"new":[{}],"deleted":null}}"#, all.join(",")).as_bytes(), NOW).unwrap();
    assert_eq!((shown(&held), refused), (vec!["address 192.0.2.7".into(), "prefix 198.51.100.0/24".into()], 0));
    assert_eq!(held.values().collect::<Vec<_>>(), [&Some(4_600_000), &Some(1_600_500)]);

    assert!(decisions.question(NOW).ends_with("startup=false"));
    let changed = format!(
        r#"{{"new":[{}],"deleted":[{}]}}"#,
        decision("192.0.2.11", "ban", "Ip", "1h"),
        decision("192.0.2.7", "ban", "Ip", "-1s")
    );
    let (held, _) = decisions.take(changed.as_bytes(), NOW).unwrap();
    assert_eq!(shown(&held), ["address 192.0.2.11", "prefix 198.51.100.0/24"]);
    let (held, _) = decisions.take(br#"{"new":null,"deleted":null}"#, NOW).unwrap();
    assert_eq!(held.len(), 2, "nothing changed");

    // What the engine told in an answer that was lost is told again only by all.
    decisions.lost();
    assert!(decisions.question(NOW).ends_with("startup=true"));
    let (held, _) = decisions.take(br#"{"new":null,"deleted":null}"#, NOW).unwrap();
    assert!(held.is_empty());
    let later = Now { boot_ms: NOW.boot_ms + 3_600_000, ..NOW };
    assert!(decisions.question(later).ends_with("startup=true"));
}

#[test]
fn what_is_no_answer_of_an_engine_changes_nothing_and_asks_for_all() {
    let mut decisions = Decisions::default();
    let one = format!(r#"{{"new":[{}]}}"#, decision("192.0.2.7", "ban", "Ip", "1h"));
    decisions.take(one.as_bytes(), NOW).unwrap();
    let wrong = format!(r#"{{"new":[{}]}}"#, decision("everybody", "ban", "Ip", "1h"));
    for body in ["", "<html>", "{\"new\":1}", &wrong] {
        assert!(decisions.take(body.as_bytes(), NOW).is_err(), "{body}");
        assert!(decisions.question(NOW).ends_with("startup=true"));
    }
}

#[test]
fn what_is_in_force_while_a_source_is_silent_is_said_as_it_is() {
    let hour = Duration::from_secs(3600);
    let stands = |good_ms| Known { good_ms, ..Known::default() }.stands(hour, NOW);
    assert_eq!(stands(None), "there was no good one yet: it is empty");
    assert_eq!(stands(Some(signed(NOW.boot_ms) - 3_599_999)), "the last good one stays");
    assert_eq!(stands(Some(signed(NOW.boot_ms) - 3_600_000)), "the last good one has expired: it is empty");
}
