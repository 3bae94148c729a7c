//! What makes a rule the same rule in another policy: its document and name, its match with what stands on its lists, its
//! limit, and what it does; not how far it reaches, nor its priority, nor where it is written. Read from what was written into
//! the image, with every number that is a place in it replaced by what stands there.

use sha2::{Digest as _, Sha256};

use crate::image::{Builder, Section, action as a, effect as e, limit as l, node, part as p, regex};

/// Hashes parts of an image in the making.
struct Identity<'b> {
    builder: &'b Builder,
    hasher: Sha256,
}

/// The identity of a rule whose condition is the nodes from `condition` on, the last ones written.
pub(super) fn of_rule(names: [&str; 2], condition: u32, then: u32, limit: Option<u32>, builder: &Builder) -> u64 {
    let mut identity = Identity::of(names, builder);
    (condition..builder.count(Section::Conditions)).for_each(|at| identity.node(condition, at));
    identity.then(then);
    limit.into_iter().for_each(|limit| identity.limit(limit, true));
    identity.finish()
}

/// The same number for the same limit of the same rule, whatever else a policy holds: counts outlive a change by it. What is done
/// once it is over does not matter.
pub(super) fn of_limit(names: [&str; 2], limit: u32, builder: &Builder) -> u64 {
    let mut identity = Identity::of(names, builder);
    identity.limit(limit, false);
    identity.finish()
}

impl<'b> Identity<'b> {
    fn of(names: [&str; 2], builder: &'b Builder) -> Self {
        let mut identity = Self { builder, hasher: Sha256::new() };
        names.iter().for_each(|name| identity.bytes(name.as_bytes()));
        identity
    }

    fn finish(self) -> u64 {
        let digest: [u8; 32] = self.hasher.finalize().into();
        digest.first_chunk::<8>().map_or(0, |eight| u64::from_le_bytes(*eight))
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u32);
        self.hasher.update(bytes);
    }

    fn number(&mut self, number: u32) {
        self.hasher.update(number.to_le_bytes());
    }

    fn numbers(&mut self, numbers: &[u32]) {
        numbers.iter().for_each(|number| self.number(*number));
    }

    fn text(&mut self, offset: u32, length: u32) {
        let builder = self.builder;
        self.bytes(builder.string(offset, length));
    }

    /// The text that begins entry `index` of a section.
    fn named(&mut self, section: Section, index: u32) {
        let [offset, length] = self.builder.words(section, index);
        self.text(offset, length);
    }

    /// A label, by its number + 1.
    fn label(&mut self, label: u32) {
        match label.checked_sub(1) {
            Some(label) => self.named(Section::Labels, label),
            None => self.number(0),
        }
    }

    fn node(&mut self, root: u32, at: u32) {
        let [kind, end, a, b, c, d]: [u32; 6] = self.builder.words(Section::Conditions, at);
        self.numbers(&[kind, end.wrapping_sub(root)]);
        let (kind, test) = (kind as u8, (kind >> 8) as u8);
        match (kind, test) {
            (_, node::IN_SET) => {
                let set = self.builder.set_digest(a);
                self.numbers(&[set as u32, (set >> 32) as u32, c, d]);
            }
            (node::HEADER | node::QUERY | node::COOKIE | node::CLAIM | node::RESPONSE_HEADER, _) => {
                self.text(a, b);
                match test {
                    node::REGEX => self.named(Section::Regexes, c),
                    node::PRESENT => {}
                    _ => self.text(c, d),
                }
            }
            (node::PATH, node::REGEX) => self.named(Section::Regexes, a),
            (
                node::AGENT_CLASS
                | node::AGENT_NAME
                | node::FINGERPRINT
                | node::HOST
                | node::IDENTITY
                | node::METHOD
                | node::PATH
                | node::RESPONSE_TYPE
                | node::SNI,
                _,
            ) => self.text(a, b),
            (node::LABEL | node::SCORE, _) => {
                self.number(a);
                self.label(b);
            }
            (node::VERDICT, _) => self.named(Section::VerdictLists, a),
            (node::SIZE | node::RESPONSE_SIZE | node::TIME, _) => {
                let window: [u32; 7] = self.builder.words(Section::Times, a);
                self.numbers(&window);
            }
            (node::RESPONSE_STATUS, _) => self.statuses(a, b),
            _ => self.number(a),
        }
    }

    fn statuses(&mut self, first: u32, count: u32) {
        self.number(count);
        for at in first..first.saturating_add(count) {
            let [range] = self.builder.words(Section::Statuses, at);
            self.number(range);
        }
    }

    fn then(&mut self, then: u32) {
        let [first, count, action]: [u32; 3] = self.builder.words(Section::Thens, then);
        self.numbers(&[count, action.min(1)]);
        (first..first.saturating_add(count)).for_each(|effect| self.effect(effect));
        if let Some(action) = action.checked_sub(1) {
            let [kind, status, text, length, first, count]: [u32; 6] = self.builder.words(Section::Actions, action);
            self.numbers(&[kind, status]);
            if !matches!(kind, a::ALLOW | a::DROP) {
                self.text(text, length);
                self.pairs(first, count);
            }
        }
    }

    fn effect(&mut self, effect: u32) {
        let [kind, a, b, c, d]: [u32; 5] = self.builder.words(Section::Effects, effect);
        self.number(kind);
        match kind {
            e::REMOVE_RESPONSE_HEADERS => self.names(a, b),
            e::SANITIZE => {
                self.names(a, b);
                self.names(c, d);
            }
            e::SET_RESPONSE_HEADERS => self.pairs(a, b),
            e::ROUTE | e::TAG => {
                self.text(a, b);
                self.text(c, d);
            }
            e::WEIGH => {
                self.number(a);
                self.label(b);
            }
            _ => self.numbers(&[a, b]),
        }
    }

    fn names(&mut self, first: u32, count: u32) {
        self.number(count);
        (first..first.saturating_add(count)).for_each(|at| self.named(Section::Names, at));
    }

    fn pairs(&mut self, first: u32, count: u32) {
        self.number(count);
        for at in first..first.saturating_add(count) {
            let [name, length, value, size]: [u32; 4] = self.builder.words(Section::Pairs, at);
            self.text(name, length);
            self.text(value, size);
        }
    }

    /// `whole`: with all that hangs on its steps, not only what it counts.
    fn limit(&mut self, limit: u32, whole: bool) {
        let [_, part, parts, count, first, number, step, steps, in_flight, shared]: [u32; 10] =
            self.builder.words(Section::Limits, limit);
        self.numbers(&[parts, count, steps, shared]);
        (part..part.saturating_add(parts)).for_each(|part| self.part(part));
        match count {
            l::FAILURES => self.statuses(first, number),
            l::DISTINCT => self.part(first),
            _ => {}
        }
        if whole {
            self.number(in_flight);
        }
        for at in step..step.saturating_add(steps) {
            let [rate, low, high, burst, block, blocked, then]: [u32; 7] = self.builder.words(Section::Steps, at);
            self.numbers(&[rate, low, high, burst]);
            if whole {
                self.numbers(&[block, blocked, then.min(1)]);
                then.checked_sub(1).into_iter().for_each(|then| self.then(then));
            }
        }
    }

    fn part(&mut self, part: u32) {
        let [kind, a, b]: [u32; 3] = self.builder.words(Section::Parts, part);
        self.number(kind);
        match kind {
            p::CLAIM => self.named(Section::Claims, a),
            p::COOKIE | p::HEADER | p::QUERY => self.text(a, b),
            _ => {}
        }
    }
}

/// The text of a regex stands where [`Identity::named`] looks for it.
const _: () = assert!(regex::PATTERN == 0);
