use std::time::Duration;

use super::*;
use crate::client::Answer;
use crate::shop::Reached;

const PLAIN: Report = Report(Terminal::plain());

fn account() -> Account {
    let decision = |action: &str, rule: Option<&str>, reason: &str| Decision {
        action: action.into(),
        rule: rule.map(str::to_owned),
        reason: reason.into(),
    };
    let mut account = Account::default();
    account.total = 13_600;
    account.decisions = [
        (decision("allow", None, "otherwise"), 12_000),
        (decision("block", Some("shop/admin-is-for-the-office"), "rule"), 400),
        (decision("block", Some("shop/scanned-paths"), "rule"), 900),
        (decision("block", Some("shop/ambiguous"), "ambiguous"), 60),
        (decision("redirect", Some("shop/old-shop-has-moved"), "rule"), 240),
    ]
    .into();
    account.would_have = [(("block".into(), "shop/no-crawlers-in-search".into()), 180)].into();
    (account.tagged, account.kept) = (1080, 720);
    account
}

#[test]
fn decisions_stand_by_rule_the_most_frequent_first() {
    let expected = "
What was decided  from 13,600 events
              requests  rule
  allowed       12,000
    allow       12,000  no rule matched
  mitigated      1,600
    block          900  shop/scanned-paths
    block          400  shop/admin-is-for-the-office
    redirect       240  shop/old-shop-has-moved
    block           60  shop/ambiguous                a path with more than one reading
";
    assert_eq!(PLAIN.decisions(&account()), expected);
}

#[test]
fn monitor_mode_and_tags_have_their_own_lines() {
    let page = PLAIN.beside(&account(), Reached { requests: 0, tagged: 1080, forged: 0 });
    assert!(page.contains("  block            180  shop/no-crawlers-in-search\n"), "{page}");
    assert!(page.contains("  1,080  tagged as a crawler's, in a header to the shop\n"), "{page}");
    assert!(page.contains("      0  forged x-gatehouse-* headers at the shop;"), "{page}");
    assert!(PLAIN.beside(&Account::default(), Reached::default()).contains("  nothing\n"));
}

#[test]
fn every_actor_has_a_row_even_one_that_sent_nothing() {
    let mut tally = Tally::default();
    let answer = Answer { status: 403, reference: Some("R".into()), elapsed: Duration::ZERO };
    tally.count(Actor::Scanner, Some(&answer));
    let page = PLAIN.clients(&tally);
    assert_eq!(page.lines().count(), 3 + Actor::ALL.len());
    let scanner = page.lines().find(|line| line.contains("path scanner")).unwrap();
    assert_eq!(scanner.split_whitespace().take(6).collect::<Vec<_>>(), ["path", "scanner", "1", "·", "1", "·"]);
}

#[test]
fn books_that_differ_say_so_in_the_line_and_below() {
    let line = |what: &str, outside, events| crate::books::Line { what: what.into(), outside, events };
    let mut books = Books { lines: vec![line("answered 200", 10, 10)] };
    assert!(PLAIN.books(&books, &Account::default(), None).contains("the books balance; records booked as lost: none"));
    books.lines.push(line("answered 403", 3, 2));
    let mut account = Account::default();
    account.lost = 1;
    let own = OwnAccount { seen: 1300, stored: 1200, dropped: 90, in_flight: 9, difference: 1 };
    let page = PLAIN.books(&books, &account, Some(own));
    assert!(page.contains("  answered 403        3       2  DIFFERENT\n"), "{page}");
    assert!(page.contains("the books do not balance; records booked as lost: 1"), "{page}");
}

#[test]
fn latency_shows_both_ways_and_the_difference() {
    let mut pairs = Pairs::default();
    for micros in 1..=100u64 {
        pairs.with.push(Duration::from_micros(500 + micros));
        pairs.without.push(Duration::from_micros(400 + micros));
    }
    let page = PLAIN.latency(&pairs);
    assert!(page.contains("  milliseconds      p50     p99\n  with the gate   0.550   0.599\n"), "{page}");
    assert!(page.contains("  difference     +0.100  +0.100\n"), "{page}");
    assert!(PLAIN.latency(&Pairs::default()).contains("no pair was answered"));
}

#[test]
fn an_event_is_shown_whole_and_never_wider_than_the_page() {
    let event = format!("{{\"time\":1,\"long\":\"{}\",\"deep\":{{\"deeper\":[\"é\"]}}}}", "x".repeat(300));
    let page = PLAIN.event(Some(&event));
    assert!(page.lines().all(|line| line.chars().count() <= 96), "{page}");
    let letters: String = page.lines().skip(2).flat_map(|line| line.trim().chars()).filter(|l| *l != ' ').collect();
    assert_eq!(letters, event);
    assert!(PLAIN.event(None).contains("none was blocked"));
}

#[test]
fn a_page_in_colour_is_the_plain_page_with_escapes() {
    let coloured = Report(Terminal { colour: true, live: true }).decisions(&account());
    let mut stripped = String::new();
    let mut escape = false;
    for letter in coloured.chars() {
        match letter {
            '\u{1b}' => escape = true,
            'm' if escape => escape = false,
            _ if escape => {}
            _ => stripped.push(letter),
        }
    }
    assert_eq!(stripped, PLAIN.decisions(&account()));
}
