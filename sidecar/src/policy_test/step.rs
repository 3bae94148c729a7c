//! The steps of a case: a request or a connection, when and how often it comes, and what must be said to it.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Place, Problems, Value};
use gatehouse_signals::Network;

use super::expect::Expect;
use super::spread;
use crate::request::{Draft, Opening, OpeningDraft, Request, Response};

/// Most repetitions of one step.
const MAX_REPEAT: i64 = 1_000_000;

/// What every step of a case has that does not say otherwise.
#[derive(Debug)]
pub(super) enum Defaults {
    Request(Draft),
    Connection(OpeningDraft),
}

/// A request or a connection, how often it comes, and what must be said to it.
#[derive(Debug)]
pub(super) struct Exchange {
    pub(super) place: Place,
    pub(super) asked: Asked,
    /// Nanoseconds since the Unix epoch.
    pub(super) at: u64,
    pub(super) repeat: u64,
    /// Nanoseconds between repetitions.
    pub(super) every: u64,
    /// Each repetition comes from the next address of it; `None`: all from the step's own.
    addresses: Option<Network>,
    pub(super) expect: Expect,
}

/// What comes.
#[derive(Debug)]
pub(super) enum Asked {
    /// With what the application answers.
    Request(Box<Request>, Answer),
    Connection(Box<Opening>),
}

/// What the application answers to a request that reaches it.
#[derive(Debug)]
pub(super) enum Answer {
    Never,
    With(Response),
}

impl Exchange {
    /// `clock`: when the case began, and the moment of the step before.
    pub(super) fn read(node: &Node, clock: (u64, u64), defaults: &Defaults, problems: &mut Problems) -> Option<Self> {
        let (start, last) = clock;
        let mut fields = Fields::new(node, "the step", problems)?;
        let asked = Asked::read(&mut fields, &node.place, defaults, problems);
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
        let expect = fields.require("expect").and_then(|node| match defaults {
            Defaults::Request(_) => Expect::read(node, problems),
            Defaults::Connection(_) => Expect::of_connection(node, problems),
        });
        fields.finish(problems);
        let place = node.place.clone();
        Some(Self { place, asked: asked?, at: at.unwrap_or(last), repeat, every, addresses, expect: expect? })
    }

    /// The request as its repetition number `repetition`, counted from 0, sends it.
    pub(super) fn request_of<'r>(&self, request: &'r Request, repetition: u64) -> Cow<'r, Request> {
        match self.address_of(repetition) {
            Some(address) => Cow::Owned(Request { peer: Some(address), ..request.clone() }),
            None => Cow::Borrowed(request),
        }
    }

    /// The same of a connection.
    pub(super) fn opening_of<'o>(&self, opening: &'o Opening, repetition: u64) -> Cow<'o, Opening> {
        let mut opening = Cow::Borrowed(opening);
        if let Some(address) = self.address_of(repetition) {
            opening.to_mut().connection.peer = Some(address);
        }
        opening
    }

    fn address_of(&self, repetition: u64) -> Option<IpAddr> {
        self.addresses.and_then(|network| spread::after(network, repetition))
    }

    /// The moment of its last repetition.
    pub(super) fn last(&self) -> u64 {
        self.at.saturating_add(self.every.saturating_mul(self.repeat - 1))
    }

    /// What comes, in words.
    pub(super) fn shown(&self) -> String {
        let text = |bytes: &[u8]| crate::terminal::plain(&String::from_utf8_lossy(bytes));
        let request = match &self.asked {
            Asked::Request(request, _) => request,
            Asked::Connection(opening) => return crate::terminal::plain(&opening.shown()),
        };
        let (method, path) = (text(&request.method), text(&request.path));
        match &request.authority {
            Some(authority) => format!("{method} {} {path}", text(authority)),
            None => format!("{method} {path}"),
        }
    }
}

impl Asked {
    /// Takes its fields from those of a step that stands at `place`.
    fn read(fields: &mut Fields<'_>, place: &Place, defaults: &Defaults, problems: &mut Problems) -> Option<Self> {
        match defaults {
            Defaults::Request(defaults) => {
                let draft = match fields.take("request") {
                    Some(node) => Draft::read(node, problems),
                    None => Some(Draft::default()),
                };
                let answer = match fields.take("answer") {
                    None => Answer::With(Response { status: 200, headers: Vec::new() }),
                    Some(node) => answer(node, problems),
                };
                let request = draft?.over(defaults).finish(place, problems)?;
                Some(Self::Request(Box::new(request), answer))
            }
            Defaults::Connection(defaults) => {
                let draft = match fields.take("connection") {
                    Some(node) => OpeningDraft::read(node, problems),
                    None => Some(OpeningDraft::default()),
                };
                Some(Self::Connection(Box::new(draft?.over(defaults).finish())))
            }
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

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
