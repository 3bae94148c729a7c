//! Test files as they are written, read with places.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Place, Problems, Value, quoted};
use gatehouse_signals::Network;
use gatehouse_signals::geo::Table;

use super::expect::Expect;
use super::spread;
use super::world::{self, Lists};
use crate::loaded::Supplied;
use crate::request::{Draft, Request, Response};
use crate::when;

/// 2026-01-01T00:00:00Z: a case without a start begins here, so that it says the same on every day.
const START: u64 = 1_767_225_600_000_000_000;
/// Most repetitions of one request.
const MAX_REPEAT: i64 = 1_000_000;

/// One test file.
#[derive(Debug)]
pub(super) struct File {
    pub(super) name: String,
    pub(super) policies: Vec<PathBuf>,
    /// Where addresses are.
    pub(super) geo: Option<Rc<Table>>,
    /// Folder of the ranges that packs prove automata by.
    pub(super) ranges: Option<PathBuf>,
    pub(super) cases: Vec<Case>,
}

/// One case: its requests in order, on a clock.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) place: Place,
    /// Who is on the lists that the house fills.
    pub(super) lists: Lists,
    pub(super) exchanges: Vec<Exchange>,
}

/// A request, how often it comes, what it is answered, and what must be said to it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) place: Place,
    pub(super) request: Request,
    /// Nanoseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) repeat: u64,
    /// Nanoseconds between repetitions.
    pub(super) every: u64,
    /// Each repetition comes from the next address of it; `None`: all from the request's own.
    addresses: Option<Network>,
    pub(super) answer: Answer,
    pub(super) expect: Expect,
}

/// What a file says for all of its cases.
struct Around {
    start: u64,
    defaults: Draft,
    lists: Lists,
}

/// What the application answers to a request that reaches it.
#[derive(Debug)]
pub(super) enum Answer {
    Never,
    With(Response),
}

impl File {
    pub(super) fn read(name: &str, path: &Path, documents: &[Node], problems: &mut Problems) -> Option<Self> {
        let Some(node) = documents.first() else {
            problems.push(&Place::text(name, 1, 1), "the file is empty", "write `policy:` and `cases:`");
            return None;
        };
        if let Some(second) = documents.get(1) {
            problems.push(&second.place, "a second document begins here", "write one document a file");
        }
        let mut fields = Fields::new(node, "the test file", problems)?;
        let policies = fields.require("policy").and_then(|node| node.strings(problems)).unwrap_or_default();
        let start = fields.take("start").and_then(|node| start(node, problems)).unwrap_or(START);
        let defaults = fields.take("request").and_then(|node| Draft::read(node, problems)).unwrap_or_default();
        let defaults = defaults.over(&Draft::get());
        let geo = fields.take("places").and_then(|node| world::places(node, problems));
        let folder = path.parent().unwrap_or(Path::new("."));
        let ranges = fields.take("ranges").and_then(|node| ranges(node, folder, problems));
        let lists = fields.take("lists").map(|node| Lists::read(node, problems)).unwrap_or_default();
        let around = Around { start, defaults, lists };
        let nodes = fields.require("cases").and_then(|node| node.list(problems)).unwrap_or_default();
        let cases: Vec<Case> = nodes.iter().filter_map(|node| Case::read(node, &around, problems)).collect();
        fields.finish(problems);
        let policies = policies.into_iter().map(|policy| folder.join(policy)).collect();
        Some(Self { name: name.to_owned(), policies, geo, ranges, cases })
    }

    /// Takes what the file does not say itself from what is supplied.
    pub(super) fn supply(&mut self, supplied: &Supplied) {
        self.geo = self.geo.take().or_else(|| supplied.geo.clone());
        self.ranges = self.ranges.take().or_else(|| supplied.ranges.clone());
    }
}

impl Case {
    fn read(node: &Node, around: &Around, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "the case", problems)?;
        let name = fields.require("name").and_then(|node| node.string(problems)).unwrap_or_default();
        let start = fields.take("start").and_then(|node| start(node, problems)).unwrap_or(around.start);
        let own = fields.take("request").and_then(|node| Draft::read(node, problems)).unwrap_or_default();
        let defaults = own.over(&around.defaults);
        let lists = fields.take("lists").map(|node| Lists::read(node, problems)).unwrap_or_default();
        let lists = around.lists.with(lists);
        let nodes = fields.require("requests").and_then(|node| node.list(problems)).unwrap_or_default();
        fields.finish(problems);
        let mut exchanges: Vec<Exchange> = Vec::new();
        for node in nodes {
            let last = exchanges.last().map_or(start, Exchange::last);
            exchanges.extend(Exchange::read(node, (start, last), &defaults, problems));
        }
        Some(Self { name: name.to_owned(), place: node.place.clone(), lists, exchanges })
    }
}

impl Exchange {
    /// `clock`: when the case began, and the moment of the request before.
    fn read(node: &Node, clock: (u64, u64), defaults: &Draft, problems: &mut Problems) -> Option<Self> {
        let (start, last) = clock;
        let mut fields = Fields::new(node, "the step", problems)?;
        let draft = match fields.take("request") {
            Some(node) => Draft::read(node, problems),
            None => Some(Draft::default()),
        };
        let repeat = fields.take("repeat").and_then(|node| node.integer(1..=MAX_REPEAT, problems)).unwrap_or(1);
        let repeat = u64::try_from(repeat).unwrap_or(1);
        let addresses = fields.take("addresses").and_then(|node| spread::read(node, repeat, problems));
        let every = fields.take("every").and_then(|node| node.duration(problems)).map_or(0, nanos);
        let at_node = fields.take("at");
        let at = at_node.and_then(|node| node.duration(problems)).map(|after| start.saturating_add(nanos(after)));
        if let (Some(at), Some(node)) = (at, at_node)
            && at < last
        {
            let passed = Duration::from_nanos(last - start).as_secs_f64();
            problems.push(&node.place, "the clock would run backwards", format!("write {passed}s or later"));
        }
        let answer = match fields.take("answer") {
            None => Answer::With(Response { status: 200, headers: Vec::new() }),
            Some(node) => answer(node, problems),
        };
        let expect = fields.require("expect").and_then(|node| Expect::read(node, problems));
        fields.finish(problems);
        let request = draft?.over(defaults).finish(&node.place, problems)?;
        let place = node.place.clone();
        Some(Self { place, request, at: at.unwrap_or(last), repeat, every, addresses, answer, expect: expect? })
    }

    /// The request as its repetition number `repetition`, counted from 0, sends it.
    pub(super) fn request_of(&self, repetition: u64) -> Cow<'_, Request> {
        match self.addresses.and_then(|network| spread::after(network, repetition)) {
            Some(address) => Cow::Owned(Request { peer: Some(address), ..self.request.clone() }),
            None => Cow::Borrowed(&self.request),
        }
    }

    /// The moment of its last repetition.
    fn last(&self) -> u64 {
        self.at.saturating_add(self.every.saturating_mul(self.repeat - 1))
    }

    /// The request in words.
    pub(super) fn shown(&self) -> String {
        let text = |bytes: &[u8]| crate::terminal::plain(&String::from_utf8_lossy(bytes));
        let (method, path) = (text(&self.request.method), text(&self.request.path));
        match &self.request.authority {
            Some(authority) => format!("{method} {} {path}", text(authority)),
            None => format!("{method} {path}"),
        }
    }
}

/// `null`: never; a status; or status and headers.
fn answer(node: &Node, problems: &mut Problems) -> Answer {
    let status = |node: &Node, problems: &mut Problems| {
        node.integer(100..=599, problems).and_then(|status| u16::try_from(status).ok()).unwrap_or(200)
    };
    match &node.value {
        Value::Null => Answer::Never,
        Value::Map(_) => {
            let mut response = Response { status: 200, headers: Vec::new() };
            if let Some(mut fields) = Fields::new(node, "the answer", problems) {
                response.status = fields.require("status").map_or(200, |node| status(node, problems));
                if let Some(node) = fields.take("headers") {
                    response.headers = crate::request::headers(node, problems);
                }
                fields.finish(problems);
            }
            Answer::With(response)
        }
        _ => Answer::With(Response { status: status(node, problems), headers: Vec::new() }),
    }
}

/// A folder, relative to that of the file.
fn ranges(node: &Node, folder: &Path, problems: &mut Problems) -> Option<PathBuf> {
    let text = node.string(problems)?;
    let path = folder.join(text);
    if !path.is_dir() {
        problems.push(&node.place, format!("{} is no folder", quoted(text)), "it is looked for beside the test file");
        return None;
    }
    Some(path)
}

fn start(node: &Node, problems: &mut Problems) -> Option<u64> {
    let text = node.string(problems)?;
    let found = when::rfc3339(text);
    if found.is_none() {
        let message = format!("{} is no moment", quoted(text));
        problems.push(&node.place, message, "write it as `2026-01-31T12:34:56Z`");
    }
    found
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
