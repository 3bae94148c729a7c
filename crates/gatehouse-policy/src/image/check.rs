//! One pass over an image, entry by entry, so that it can be spread over many short steps: every offset, count, tag and text.
//! What passes here can be matched against without a further look, and matching it takes bounded work.

mod conditions;
mod index;
mod places;
mod rules;
mod sets;
mod texts;

pub(crate) use places::MAX_TRUSTED;

use super::{Section, View};
use crate::PolicyError;

/// Bytes of the strings section that are one entry of work.
const BLOCK: usize = 4096;
/// What one unit of work may cost: some tens of microseconds natively, whatever the entries are.
const UNIT: usize = 4096;

/// What is looked at, in order.
const PASSES: [Pass; 37] = [
    Pass { section: Section::Strings, sound: texts::strings },
    Pass { section: Section::Claims, sound: texts::claim },
    Pass { section: Section::Labels, sound: texts::label },
    Pass { section: Section::VerdictLists, sound: texts::verdict_list },
    Pass { section: Section::SetHeaders, sound: texts::set_header },
    Pass { section: Section::Names, sound: texts::name },
    Pass { section: Section::Pairs, sound: texts::pair },
    Pass { section: Section::Documents, sound: places::document },
    Pass { section: Section::Members, sound: places::member },
    Pass { section: Section::Roots, sound: places::root },
    Pass { section: Section::Scopes, sound: places::scope },
    Pass { section: Section::Hosts, sound: places::host },
    Pass { section: Section::HostBuckets, sound: places::host_bucket },
    Pass { section: Section::Clients, sound: places::client },
    Pass { section: Section::ClientKeys, sound: places::client_key },
    Pass { section: Section::Rules, sound: rules::rule },
    Pass { section: Section::Thens, sound: rules::then },
    Pass { section: Section::Effects, sound: rules::effect },
    Pass { section: Section::Actions, sound: rules::action },
    Pass { section: Section::Limits, sound: rules::limit },
    Pass { section: Section::Steps, sound: rules::step },
    Pass { section: Section::Parts, sound: rules::part },
    Pass { section: Section::Conditions, sound: conditions::node },
    Pass { section: Section::Times, sound: conditions::time },
    Pass { section: Section::Statuses, sound: conditions::statuses },
    Pass { section: Section::Sets, sound: sets::set },
    Pass { section: Section::V4, sound: sets::v4 },
    Pass { section: Section::V6, sound: sets::v6 },
    Pass { section: Section::Numbers, sound: sets::number },
    Pass { section: Section::SetTexts, sound: sets::text },
    Pass { section: Section::Regexes, sound: index::regex },
    Pass { section: Section::Shelves, sound: index::shelf },
    Pass { section: Section::Tables, sound: index::table },
    Pass { section: Section::Trie, sound: index::node },
    Pass { section: Section::Keys, sound: index::key },
    Pass { section: Section::Postings, sound: index::posting },
    Pass { section: Section::Automata, sound: index::automaton },
];

struct Pass {
    section: Section,
    /// Entry (of strings: block) `index` is sound.
    sound: fn(&mut State, &View, usize) -> bool,
}

/// How far a check has come.
#[derive(Debug, Default)]
pub(crate) struct Check {
    pass: usize,
    index: usize,
    state: State,
}

/// What is carried from entry to entry.
#[derive(Debug, Default)]
struct State {
    texts: texts::Carry,
    conditions: conditions::Carry,
    sets: sets::Carry,
    index: index::Carry,
}

impl Check {
    /// One unit of work; true: all of it is sound.
    pub(crate) fn step(&mut self, view: &View) -> Result<bool, PolicyError> {
        let mut left = UNIT;
        while let Some(pass) = PASSES.get(self.pass) {
            let count = match pass.section {
                Section::Strings => view.count(Section::Strings).div_ceil(BLOCK),
                section => view.count(section),
            };
            while self.index < count {
                let cost = cost(pass.section);
                if left < cost {
                    return Ok(false);
                }
                left -= cost;
                if !(pass.sound)(&mut self.state, view, self.index) {
                    return Err(PolicyError::Malformed(pass.section.name()));
                }
                self.index += 1;
            }
            self.finish(view, pass.section)?;
            self.pass += 1;
            self.index = 0;
        }
        Ok(true)
    }

    /// What must hold once every entry of a section was looked at.
    fn finish(&mut self, view: &View, section: Section) -> Result<(), PolicyError> {
        let sound = match section {
            Section::Strings => self.state.texts.is_whole(),
            Section::Documents => view.count(Section::V4) == view.count(Section::V4Prefixes),
            Section::Members => view.count(Section::V6) == view.count(Section::V6Prefixes),
            Section::Scopes => view.count(Section::Scopes) > 0 && view.count(Section::Clients) > 0,
            Section::Conditions => self.state.conditions.is_whole(view),
            Section::Sets => self.state.sets.is_whole(view),
            Section::Shelves => self.state.index.shelves_are_whole(view),
            Section::Tables => self.state.index.tables_are_whole(view),
            Section::Trie => self.state.index.tries_are_whole(view),
            _ => true,
        };
        if sound { Ok(()) } else { Err(PolicyError::Malformed(section.name())) }
    }
}

/// What an entry costs: a few nanoseconds each, more where several words are looked at or texts are read from end to end.
const fn cost(section: Section) -> usize {
    use Section as S;
    match section {
        S::Strings => 256,
        S::Actions | S::Claims | S::Clients | S::Effects | S::Pairs | S::SetHeaders => 256,
        S::Automata | S::Buckets | S::Keys | S::Numbers | S::Postings | S::V4 => 1,
        S::Members | S::Names | S::Statuses | S::V6 => 2,
        S::Scopes => 32,
        _ => 8,
    }
}

/// `first..first + count` at `word` lies within a section, and is no longer than `most`.
fn range(view: &View, section: Section, index: usize, word: usize, of: Section, most: usize) -> bool {
    let (first, count) = (view.index(section, index, word), view.index(section, index, word + 1));
    count <= most && first.checked_add(count).is_some_and(|end| end <= view.count(of))
}

/// An index + 1 at `word`, or 0.
fn option(view: &View, section: Section, index: usize, word: usize, of: Section) -> bool {
    view.index(section, index, word) <= view.count(of)
}
