//! The forms of an answer.

mod forms;
mod grpc;
mod operator;
mod origin;
mod property;

use gatehouse_signals::{Connection, Head};
use serde_json::Value;

use super::*;

const REFERENCE: &str = "7Q2KM4XJ0T9RB3ZC";
const SECOND_NS: u64 = 1_000_000_000;

fn occasion<'a>() -> Occasion<'a> {
    Occasion { by: "p/r", reference: REFERENCE, support: Support::default(), cors: Cors::Open }
}

fn with_head<T>(headers: &[(&str, &str)], then: impl FnOnce(Head<'_>) -> T) -> T {
    let connection = Connection::default();
    let pairs: Vec<(&[u8], &[u8])> = headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
    then(Head::new(&pairs, &connection))
}

fn answer_on(occasion: &Occasion<'_>, answer: &Answer<'_>, headers: &[(&str, &str)]) -> Reply {
    with_head(headers, |head| reply(answer, occasion, head))
}

fn answer_to(answer: &Answer<'_>, headers: &[(&str, &str)]) -> Reply {
    answer_on(&occasion(), answer, headers)
}

fn refuse<'a>(status: u16, own: Own<'a>) -> Answer<'a> {
    Answer::Refuse(Refuse { status, problem: Problem::Blocked, own })
}

fn limit<'a>(wait_ns: u64, own: Own<'a>) -> Answer<'a> {
    let quota = Some(Quota { name: "login", quota: 10, window_ns: 60 * SECOND_NS });
    Answer::Limit(Limited { status: 429, wait_ns, quota, own })
}

fn redirect(location: &str) -> Answer<'_> {
    Answer::Redirect(Redirect { location, status: 302, cache: false })
}

fn deceive<'a>(status: u16, body: &'a str, headers: &'a [(&'a str, &'a str)]) -> Answer<'a> {
    Answer::Deceive(Deceive { status, body, headers, cache: false })
}

fn refused(status: u16, headers: &[(&str, &str)]) -> Reply {
    answer_to(&refuse(status, Own::default()), headers)
}

/// Every value of a header.
fn header<'r>(reply: &'r Reply, name: &str) -> Vec<&'r str> {
    reply.headers.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_ref()).collect()
}

fn text(reply: &Reply) -> &str {
    core::str::from_utf8(&reply.body).expect("text")
}

fn json(reply: &Reply) -> Value {
    serde_json::from_slice(&reply.body).unwrap_or_else(|error| panic!("{error}: {}", text(reply)))
}
