//! What a match read, as whoever asks why is told it.

use super::*;
use crate::Seen;

const HEADERS: [(&[u8], &[u8]); 4] =
    [(b"user-agent", b"curl/8"), (b"x-a", b"one"), (b"x-a", b"two"), (b"cookie", b"lang=en; sid=a%62c")];

/// The names and values that the only rule reads of a GET of `/a?page=1&page=2` from 192.0.2.1; whether there were more.
fn read(condition: &str) -> (Vec<(String, String)>, bool) {
    let policy = policy(&document("p", &format!("rules: [{{ name: r, match: {condition}, then: block }}]")));
    let connection = connection("192.0.2.1");
    let mut facts = facts("a.example", b"/a", "GET", Head::new(&HEADERS, &connection));
    facts.query = Some(b"page=1&page=2");
    let rule = policy.rule(0);
    let inputs = rule.inputs(&facts);
    let told = rule.each_input(inputs).map(|input| {
        let name = input.name().map(|name| format!(".{}", String::from_utf8_lossy(name))).unwrap_or_default();
        let value = match input.seen(&facts) {
            Seen::Nothing => "-".to_owned(),
            Seen::Address(address) => address.to_string(),
            Seen::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Seen::Number(number) => number.to_string(),
        };
        (format!("{}{name}", input.word()), value)
    });
    let mut told: Vec<_> = told.collect();
    told.sort();
    (told, inputs.is_cut())
}

fn all(condition: &str) -> Vec<(String, String)> {
    let (told, cut) = read(condition);
    assert!(!cut);
    told
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn of_several_values_the_one_that_matched_is_told() {
    assert_eq!(all("{ headers: { x-a: two } }"), pairs(&[("headers.x-a", "two")]));
    assert_eq!(all("{ headers: { x-a: three } }"), pairs(&[("headers.x-a", "one")]));
    assert_eq!(all("{ query: { page: '2' } }"), pairs(&[("query.page", "2")]));
    assert_eq!(all("{ cookies: { sid: abc } }"), pairs(&[("cookies.sid", "a%62c")]));
    assert_eq!(all("{ headers: { x-b: { present: false } } }"), pairs(&[("headers.x-b", "-")]));
}

#[test]
fn what_was_not_asked_any_more_was_not_read() {
    let any = all("{ any: [{ method: GET }, { headers: { x-a: { regex: 'o' } } }] }");
    assert_eq!(any, pairs(&[("method", "GET")]));
    let both = all("{ all: [{ method: GET }, { headers: { x-a: { regex: 'o' } } }] }");
    assert_eq!(both, pairs(&[("headers.x-a", "one"), ("method", "GET")]));
    let neither = all("{ method: POST, headers: { x-a: { regex: 'o' } } }");
    assert_eq!(neither, pairs(&[("method", "GET")]));
    let not = all("{ not: { any: [{ method: POST }, { address: 10.0.0.0/8 }] }, path: /a }");
    assert_eq!(not, pairs(&[("address", "192.0.2.1"), ("method", "GET"), ("path", "/a")]));
    assert!(all("{ all: true }").is_empty());
}

#[test]
fn a_field_stands_once_with_the_value_that_held() {
    assert_eq!(all("{ headers: { x-a: [three, two, one] } }").len(), 1);
    assert_eq!(all("{ any: [{ path: /b }, { path: { suffix: c } }, { path: /a }] }"), pairs(&[("path", "/a")]));
    let twice = all("{ all: [{ headers: { x-a: one } }, { not: { headers: { x-a: { contains: w } } } }] }");
    assert_eq!(twice, pairs(&[("headers.x-a", "two")]));
}

#[test]
fn more_than_eight_are_said_to_be_more() {
    let headers = |count: usize| {
        let each: Vec<String> = (0..count).map(|at| format!("h{at}: {{ present: false }}")).collect();
        read(&format!("{{ headers: {{ {} }} }}", each.join(", ")))
    };
    let ((eight, whole), (nine, cut)) = (headers(8), headers(9));
    assert_eq!((eight.len(), whole, nine.len(), cut), (8, false, 8, true));
}
