//! What changes did to one request, over all its readings.

use gatehouse_meter::guard::Effect;

/// What changes did to one request.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// One for each document whose change had a final word; allocated only where one had.
    changes: Vec<Change>,
    /// It was, or would have been, mitigated without any change.
    pub(crate) unchanged: bool,
    reading: u16,
}

/// The final word of one document's change.
#[derive(Debug, Clone, Copy)]
struct Change {
    /// Index of the document.
    document: u32,
    did: Did,
    /// The last reading on which it had one.
    reading: u16,
}

/// What a final word means to the request, the strictest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Did {
    /// Lets it through.
    Allowed,
    /// Would mitigate it.
    WouldHave,
    /// Mitigates it.
    Mitigated,
}

impl Seen {
    /// Another reading is judged from here on.
    pub(crate) fn begin_reading(&mut self) {
        self.reading = self.reading.saturating_add(1);
    }

    /// A rule of a change had a final word. On each reading the document's first counts, over all readings the strictest.
    pub(crate) fn note(&mut self, document: u32, did: Did) {
        let reading = self.reading;
        match self.changes.iter_mut().find(|change| change.document == document) {
            Some(change) if change.reading == reading => {}
            Some(change) => *change = Change { document, did: did.max(change.did), reading },
            None => self.changes.push(Change { document, did, reading }),
        }
    }

    /// What the change of a document did.
    pub(super) fn effect_of(&self, document: u32) -> Effect {
        let change = self.changes.iter().find(|change| change.document == document);
        match change.map(|change| change.did) {
            Some(Did::Mitigated) => Effect::Mitigated,
            Some(Did::WouldHave) => Effect::WouldHave,
            Some(Did::Allowed) | None => Effect::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_a_document_counts_on_a_reading_and_the_strictest_over_all() {
        let mut seen = Seen::default();
        seen.begin_reading();
        seen.note(3, Did::Allowed);
        seen.note(3, Did::WouldHave);
        seen.note(4, Did::WouldHave);
        assert_eq!(
            (seen.effect_of(3), seen.effect_of(4), seen.effect_of(5)),
            (Effect::Nothing, Effect::WouldHave, Effect::Nothing)
        );
        seen.begin_reading();
        seen.note(3, Did::Mitigated);
        seen.note(4, Did::Allowed);
        assert_eq!((seen.effect_of(3), seen.effect_of(4)), (Effect::Mitigated, Effect::WouldHave));
    }
}
