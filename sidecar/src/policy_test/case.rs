//! Test files as they are written, read with places.

use std::path::{Path, PathBuf};
use std::rc::Rc;

use gatehouse_policy::document::{Fields, Node, Place, Problems, quoted};
use gatehouse_signals::geo::Table;

use super::step::{Defaults, Exchange};
use super::world::{self, Lists};
use crate::loaded::Supplied;
use crate::request::{Draft, OpeningDraft};
use crate::when;

/// 2026-01-01T00:00:00Z: a case without a start begins here, so that it says the same on every day.
const START: u64 = 1_767_225_600_000_000_000;

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

/// One case: its requests, or its connections, in order, on a clock.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) place: Place,
    /// Who is on the lists that the house fills.
    pub(super) lists: Lists,
    pub(super) exchanges: Vec<Exchange>,
}

/// What a file says for all of its cases.
struct Around {
    start: u64,
    request: Draft,
    connection: OpeningDraft,
    lists: Lists,
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
        let request = fields.take("request").and_then(|node| Draft::read(node, problems)).unwrap_or_default();
        let request = request.over(&Draft::get());
        let connection = fields.take("connection").and_then(|node| OpeningDraft::read(node, problems));
        let geo = fields.take("places").and_then(|node| world::places(node, problems));
        let folder = path.parent().unwrap_or(Path::new("."));
        let ranges = fields.take("ranges").and_then(|node| ranges(node, folder, problems));
        let lists = fields.take("lists").map(|node| Lists::read(node, problems)).unwrap_or_default();
        let around = Around { start, request, connection: connection.unwrap_or_default(), lists };
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
        let lists = fields.take("lists").map(|node| Lists::read(node, problems)).unwrap_or_default();
        let lists = around.lists.with(lists);
        let (nodes, defaults) = steps(&mut fields, around, problems);
        fields.finish(problems);
        let mut exchanges: Vec<Exchange> = Vec::new();
        for node in nodes {
            let last = exchanges.last().map_or(start, Exchange::last);
            exchanges.extend(Exchange::read(node, (start, last), &defaults, problems));
        }
        Some(Self { name: name.to_owned(), place: node.place.clone(), lists, exchanges })
    }
}

/// The requests of a case, or its connections, and what each has that does not say otherwise.
fn steps<'a>(fields: &mut Fields<'a>, around: &Around, problems: &mut Problems) -> (&'a [Node], Defaults) {
    let (request, connection) = (fields.take("request"), fields.take("connection"));
    let Some(connections) = fields.take("connections") else {
        if let Some(node) = connection {
            problems.push(&node.place, "`connection` stands in a case without `connections`", "write `request`");
        }
        let own = request.and_then(|node| Draft::read(node, problems)).unwrap_or_default();
        let nodes = fields.require("requests").and_then(|node| node.list(problems)).unwrap_or_default();
        return (nodes, Defaults::Request(own.over(&around.request)));
    };
    if let Some(node) = request {
        problems.push(&node.place, "`request` stands in a case of connections", "write `connection`");
    }
    if let Some(node) = fields.take("requests") {
        problems.push(&node.place, "a case has `requests` or `connections`", "write two cases");
    }
    let own = connection.and_then(|node| OpeningDraft::read(node, problems)).unwrap_or_default();
    (connections.list(problems).unwrap_or_default(), Defaults::Connection(own.over(&around.connection)))
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
