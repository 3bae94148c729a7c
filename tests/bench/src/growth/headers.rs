//! Headers of one request by the policy of the standard case: what its decision costs, and its record. Envoy takes a hundred unless
//! told otherwise (`max_headers_count`); what is beyond shows how the cost goes on where an operator allows more.

use std::hint::black_box;
use std::io;

use gatehouse_corpora::Ask;

use super::measure::{Calls, Subject, figures, nanos, unknown};
use super::{Column, Figures, Growth, Line, Topic};
use crate::Call;
use crate::images::Image;
use crate::operations::judging;
use crate::parts;
use crate::worker::{Seen, Worker};

const SIZES: [u64; 9] = [1, 2, 4, 8, 16, 32, 64, 96, 1024];
const CALLS: u32 = 500;

/// Each with a name of its own that no rule asks for.
const NAMES: &str = "different names";
/// Cookies, each in a header of its own.
const COOKIES: &str = "cookies";
/// Addresses of proxies on the way, one in each.
const PROXIES: &str = "x-forwarded-for";

pub(super) const SUBJECT: Subject =
    Subject { plan, make, time, counts: &["decide", "record"], prepare, calls: |_, _, _| Calls::of(CALLS) };

const COLUMNS: &[Column] = &[
    Column { key: "decide", head: "instructions a decision", digits: 0, drawn: true },
    Column { key: "decide_ns", head: "ns a decision", digits: 0, drawn: false },
    Column { key: "record", head: "instructions a record", digits: 0, drawn: true },
    Column { key: "record_ns", head: "ns a record", digits: 0, drawn: false },
];

fn plan() -> Topic {
    let lines = [NAMES, COOKIES, PROXIES]
        .map(|name| Line::new(name, &SIZES).counted("decide", Growth::Linear).counted("record", Growth::Linear));
    let title = "Headers of a request beside the pseudo-headers";
    Topic { name: "headers", title, of: "headers", columns: COLUMNS, lines: lines.into() }
}

fn make(_: &str, _: u64) -> io::Result<Result<Figures, String>> {
    Image::Standard.bytes()?;
    Ok(Ok(Figures::new()))
}

fn seen(line: &str, size: u64) -> io::Result<Seen> {
    let mut ask = Ask::new("GET", "shop-0.example.com", "/catalog/shoes");
    for n in 0..size {
        let (name, value) = match line {
            NAMES => (format!("x-passed-on-{n}"), format!("value-of-24-bytes-{n:06}")),
            COOKIES => ("cookie".to_owned(), format!("c{n}=value-of-{n:06}")),
            PROXIES => ("x-forwarded-for".to_owned(), format!("10.{}.{}.7", n / 256, n % 256)),
            _ => return Err(unknown(line)),
        };
        ask = ask.with(&name, value);
    }
    Ok(Seen::keep(ask))
}

fn deciding(line: &str, size: u64) -> io::Result<Call> {
    Ok(judging(Worker::new(Some(Image::Standard.policy()?), vec![seen(line, size)?])))
}

fn recording(line: &str, size: u64) -> io::Result<Call> {
    let seen = seen(line, size)?;
    let policy = Image::Standard.policy()?;
    let judged = Worker::new(Some(Image::Standard.policy()?), Vec::new()).judge(seen);
    let (outcome, context, mut bytes) = (parts::outcome(), parts::context(), Vec::new());
    Ok(Box::new(move || {
        bytes.clear();
        parts::made(seen, &judged, &policy, &outcome, &context, &mut bytes);
        black_box(bytes.len());
    }))
}

fn time(line: &str, size: u64) -> io::Result<Figures> {
    let decide = nanos(&mut deciding(line, size)?, CALLS);
    let record = nanos(&mut recording(line, size)?, CALLS);
    Ok(figures([("decide_ns", decide), ("record_ns", record)]))
}

fn prepare(line: &str, size: u64, key: &str) -> io::Result<Call> {
    if key == "record" { recording(line, size) } else { deciding(line, size) }
}
