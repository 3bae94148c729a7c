//! The gate's own answers, for any head and any words of the operator's: no header can be broken out of, none leads away but a
//! redirect to where the operator said, and a deceiving answer tells of nobody.

use gatehouse_engine::Reply;
use gatehouse_engine::mitigate::{
    Answer, Cors, Deceive, Limited, Occasion, Own, Problem, Quota, Redirect, Refuse, Support, own_origin_host,
    preflight, reply,
};

use crate::given::Given;

const REFERENCE: &str = "7Q2KM4XJ0T9RB3ZC";

/// Lines `?body`, `?header NAME` (several), `?support`, `?link`, `?to`, `?by`, `?status`, `?cors`, `?cache`, then the head.
pub fn check(bytes: &[u8]) {
    let given = Given::read(bytes);
    let pairs = given.pairs();
    let head = given.head(&pairs);
    if let Some(method) = preflight(head) {
        assert!(!method.is_empty() && method.iter().all(u8::is_ascii_graphic));
    }
    let _ = own_origin_host(head);
    let text = |name| given.text(name).unwrap_or_default();
    let status = given.text("status").and_then(|text| text.parse().ok()).unwrap_or(403);
    let cache = given.scene("cache").is_some();
    let own: Vec<(&str, &str)> = given.scenes("header").filter_map(name_and_value).collect();
    let words = Own { body: given.text("body"), headers: &own, cache };
    let cors = [Cors::Closed, Cors::Open, Cors::Trusted][text("cors").len() % 3];
    let support = Support { text: given.text("support"), link: given.text("link") };
    let occasion = Occasion { by: text("by"), reference: REFERENCE, support, cors };
    let quota = Some(Quota { name: text("by"), quota: u64::from(status), window_ns: u64::MAX });
    let wait_ns = u64::from(status) << (text("by").len() % 50);
    let answers = [
        Answer::Refuse(Refuse { status, problem: Problem::Blocked, own: words }),
        Answer::Limit(Limited { status, wait_ns, quota, own: words }),
        Answer::Redirect(Redirect { location: text("to"), status, cache }),
        Answer::Deceive(Deceive { status, body: text("body"), headers: &own, cache }),
    ];
    for answer in answers {
        let reply = reply(&answer, &occasion, head);
        well_formed(&reply);
        match answer {
            // The operator may write anything, that word too.
            Answer::Deceive(_) if !tells(bytes) => {
                assert!(!tells(format!("{:?}{}", reply.headers, reply.details).as_bytes()))
            }
            Answer::Deceive(_) => {}
            Answer::Redirect(_) => leads_where_it_was_told(&reply, text("to")),
            Answer::Limit(_) | Answer::Refuse(_) => carries_the_reference(&reply),
        }
    }
}

fn name_and_value(line: &[u8]) -> Option<(&str, &str)> {
    core::str::from_utf8(line).ok().map(|line| line.split_once(' ').unwrap_or((line, "")))
}

/// What every answer of the gate is.
pub fn well_formed(reply: &Reply) {
    assert!((200..=599).contains(&reply.status), "{}", reply.status);
    for (name, value) in &reply.headers {
        let token = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!(!name.is_empty() && name.bytes().all(token), "{name:?}");
        assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value:?}");
    }
    assert!(reply.details.bytes().all(|byte| byte.is_ascii_graphic()), "{:?}", reply.details);
    for framing in ["content-length", "transfer-encoding", "connection"] {
        assert!(header(reply, framing).next().is_none(), "`{framing}` is the host's");
    }
}

fn header<'r>(reply: &'r Reply, name: &'r str) -> impl Iterator<Item = &'r str> {
    reply.headers.iter().filter(move |(own, _)| own == name).map(|(_, value)| &**value)
}

/// The gate's name or the reference stands in it.
fn tells(text: &[u8]) -> bool {
    let lower = text.to_ascii_lowercase();
    let holds = |word: &[u8]| lower.windows(word.len()).any(|window| window == word);
    holds(b"gatehouse") || holds(REFERENCE.to_ascii_lowercase().as_bytes())
}

fn carries_the_reference(reply: &Reply) {
    assert!(header(reply, "x-gatehouse-reference").eq([REFERENCE]));
}

fn leads_where_it_was_told(reply: &Reply, to: &str) {
    for location in header(reply, "location") {
        let rooted = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
        assert!(rooted || location.starts_with("https://"), "{location}");
        assert!(to.starts_with('/') || to.starts_with("https://"), "{to}");
        let authority =
            |url: &str| url.strip_prefix("https://").map(|rest| rest.split(['/', '?', '#']).next().map(str::len));
        assert_eq!(authority(location).is_some(), authority(to).is_some());
    }
}
