//! What the engine keeps between requests, once for each line of policies in this VM: the house's, and each document that stands
//! alone in a configuration. Two listeners with policies of their own must not take each other's counts for theirs; an update of a
//! configuration goes on with what its document, by its name, had.

use std::collections::BTreeMap;
use std::rc::Rc;

use gatehouse_engine::{Counts, Policy, State};

/// Which state: the name of a configuration's own document, or the house's.
pub type Slot = Option<Rc<str>>;

/// The states of one VM: as many as there are roots with a policy of their own, and one.
#[derive(Debug)]
pub struct States {
    key: [u8; 16],
    house: Held,
    inline: BTreeMap<Rc<str>, Held>,
}

/// A state, and what was told of it.
#[derive(Debug)]
pub struct Held {
    /// The state.
    pub state: State,
    /// What was told of its counts.
    pub told: Counts,
}

impl States {
    /// `key`: the secret that all workers share; `references`: random bytes of this worker.
    pub fn new(key: [u8; 16], references: &[u8; 16]) -> Self {
        Self { key, house: Held::new(key, references), inline: BTreeMap::new() }
    }

    /// The house's.
    pub fn house(&mut self) -> &mut State {
        &mut self.house.state
    }

    /// The state of a slot; of one that is gone, the house's: nothing in there is a stranger's.
    pub fn of(&mut self, slot: &Slot) -> &mut State {
        &mut self.held(slot).state
    }

    /// The same with what was told of it.
    pub fn held(&mut self, slot: &Slot) -> &mut Held {
        slot.as_ref().and_then(|name| self.inline.get_mut(name)).unwrap_or(&mut self.house)
    }

    /// The slot of a policy that stands alone in a configuration; `references`: random bytes for a new one.
    pub fn open(&mut self, policy: &Policy, references: &[u8; 16]) -> Slot {
        let name: Rc<str> = if policy.rules() == 0 { "" } else { policy.rule(0).document() }.into();
        let key = self.key;
        self.inline.entry(Rc::clone(&name)).or_insert_with(|| Held::new(key, references));
        Some(name)
    }

    /// Ends the states that none of these slots means.
    pub fn keep<'a>(&mut self, slots: impl Iterator<Item = &'a Slot> + Clone) {
        self.inline.retain(|name, _| slots.clone().any(|slot| slot.as_ref() == Some(name)));
    }
}

impl Held {
    /// Once in the module: it is large, and seldom called.
    #[inline(never)]
    fn new(key: [u8; 16], references: &[u8; 16]) -> Self {
        Self { state: State::new(key, references), told: Counts::default() }
    }
}
