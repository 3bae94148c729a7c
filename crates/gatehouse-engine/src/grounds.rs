//! What rules rested on that did something to a request, or would have: noted when they are asked, in a small form, and told only
//! when the record is made.
//!
//! A match's inputs are the numbers of its leaves, and the reading that it was asked on. What stood in most of them is looked up in
//! the head, which the host keeps until the record is made; only what changes meanwhile or is gone by then (claims, scores, lists, the
//! time, the response) is kept at once. A request that nothing is done to leaves nothing here.

use core::fmt;

use gatehouse_policy::{Facts, Field, Input, Inputs, Rule, Seen};
use gatehouse_signals::Head;
use gatehouse_signals::path::Path;
use gatehouse_verdict::Mode;
use gatehouse_verdict::grounds::MAX_GROUNDS;

use crate::decide::readings::{self, Methods};
use crate::decide::{Hosts, Over};

/// Most that are noted on the way: those of would-have rules, and of those that decided a reading.
const MAX_NOTED: usize = 2 * MAX_GROUNDS;
/// Most bytes of a value that is kept until the record is made; of a longer one the first.
const MAX_KEPT: usize = 1024;

/// What one rule rested on.
#[derive(Debug)]
pub(crate) struct Ground {
    /// The rule's index in the policy.
    pub(crate) rule: u32,
    /// It only watched.
    monitored: bool,
    /// Its limit, which was over.
    pub(crate) over: Option<Over>,
    /// Where in the request it was asked.
    pub(crate) place: Place,
    pub(crate) inputs: Inputs,
    /// Inputs that nobody could look up later, by their place in `inputs`.
    kept: Vec<(usize, Kept)>,
}

/// One reading of a request, by its numbers among all of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Place {
    pub(crate) host: u8,
    pub(crate) path: u8,
    pub(crate) method: u8,
}

/// A value that is kept. It is a client's, and not yet redacted.
pub(crate) enum Kept {
    Nothing,
    Bytes(Box<[u8]>),
    Number(u64),
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept(hidden)")
    }
}

/// Those of one request. Behind a pointer, since most requests have none and are handed on a lot.
#[derive(Debug, Default)]
pub(crate) struct Grounds {
    #[expect(clippy::box_collection, reason = "a third of the size of a list, on the way of every request")]
    all: Option<Box<Vec<Ground>>>,
}

impl Grounds {
    /// Notes what a rule rests on, at that step of its limit, once.
    pub(crate) fn note(
        &mut self,
        rule: Rule<'_>,
        over: Option<Over>,
        mode: Mode,
        ground: impl FnOnce() -> (Place, Inputs, Vec<(usize, Kept)>),
    ) {
        let (rule, monitored) = (rule.index(), mode == Mode::Monitor);
        let step = |over: Option<Over>| over.map(|over| over.step);
        let is_same =
            |known: &Ground| known.rule == rule && known.monitored == monitored && step(known.over) == step(over);
        let all = self.all.get_or_insert_default();
        if all.len() < MAX_NOTED && !all.iter().any(is_same) {
            let (place, inputs, kept) = ground();
            all.push(Ground { rule, monitored, over, place, inputs, kept });
        }
    }

    /// Leaves what stands in the record: the rule that decided, with its limit as it stood in the end, then those that only watched.
    pub(crate) fn conclude(&mut self, decider: impl FnOnce() -> (Option<u32>, Option<Over>)) {
        if let Some(all) = &mut self.all {
            let (decider, over) = decider();
            concluded(all, decider, over);
        }
    }

    /// Adds what rested on the response; `replaces`: it decided, and what decided the request did not.
    pub(crate) fn add(&mut self, more: Self, replaces: bool) {
        if let Some(all) = self.all.as_mut().filter(|_| replaces) {
            all.retain(|ground| ground.monitored);
        }
        if let Some(more) = more.all {
            let all = self.all.get_or_insert_default();
            all.extend(*more);
            in_order(all);
        }
    }

    pub(crate) fn iter(&self) -> core::slice::Iter<'_, Ground> {
        self.all.as_deref().map(Vec::as_slice).unwrap_or_default().iter()
    }
}

#[cold]
fn concluded(all: &mut Vec<Ground>, decider: Option<u32>, over: Option<Over>) {
    let step = |over: Option<Over>| over.map(|over| over.step);
    all.retain(|ground| ground.monitored || decider == Some(ground.rule) && step(ground.over) == step(over));
    if let Some(own) = all.iter_mut().find(|ground| !ground.monitored) {
        own.over = over;
    }
    in_order(all);
}

/// There is one at most that decided: it comes first.
fn in_order(all: &mut Vec<Ground>) {
    if let Some(before) = all.iter().position(|ground| !ground.monitored).and_then(|at| all.get_mut(..=at)) {
        before.rotate_right(1);
    }
    all.truncate(MAX_GROUNDS);
}

impl Ground {
    /// What a rule's match reads of these facts.
    pub(crate) fn read(rule: Rule<'_>, facts: &Facts<'_>, place: Place) -> (Place, Inputs, Vec<(usize, Kept)>) {
        let inputs = rule.inputs(facts);
        let fleeting = rule.each_input(inputs).enumerate().filter(|(_, input)| is_fleeting(*input));
        let kept = fleeting.map(|(at, input)| (at, Kept::of(&input.seen(facts)))).collect();
        (place, inputs, kept)
    }

    /// What was kept of the input of that place.
    pub(crate) fn kept(&self, at: usize) -> Option<Seen<'_>> {
        let (_, kept) = self.kept.iter().find(|(place, _)| *place == at)?;
        Some(match kept {
            Kept::Nothing => Seen::Nothing,
            Kept::Bytes(bytes) => Seen::Bytes((&**bytes).into()),
            Kept::Number(number) => Seen::Number(*number),
        })
    }
}

impl Kept {
    fn of(seen: &Seen<'_>) -> Self {
        match seen {
            // An address is in the head, or was found from it.
            Seen::Nothing | Seen::Address(_) => Self::Nothing,
            Seen::Bytes(bytes) => Self::Bytes(bytes.get(..MAX_KEPT).unwrap_or(bytes).into()),
            Seen::Number(number) => Self::Number(*number),
        }
    }
}

/// It is gone, or another, by the time the record is made.
fn is_fleeting(input: Input<'_>) -> bool {
    matches!(
        input.field(),
        Some(
            Field::AgentVerified
                | Field::Asn
                | Field::Claims
                | Field::Country
                | Field::ResponseHeaders
                | Field::ResponseSize
                | Field::ResponseStatus
                | Field::ResponseType
                | Field::Score
                | Field::Time
                | Field::Verdicts
        )
    )
}

impl Place {
    /// Where the host, path and method of these facts stand among those of the request.
    pub(crate) fn of(facts: &Facts<'_>, path: &Path<'_>, head: Head<'_>) -> Self {
        let number = |at: Option<usize>| at.and_then(|at| u8::try_from(at).ok()).unwrap_or_default();
        let methods = Methods::of(head, readings::preflight(head), true);
        Self {
            host: number(Hosts::of(head, path).iter().position(|host| host == facts.host)),
            path: number(path.all().position(|path| path == facts.path)),
            method: number(methods.all().position(|method| method == facts.method)),
        }
    }
}
