//! What a rule in force does, read from the image.

use crate::image::{Section, View, action};

/// What a rule does.
#[derive(Debug, Clone, Copy)]
pub enum Action<'p> {
    /// The request goes on; no later rule is asked. Final.
    Allow,
    /// The gate refuses the request. Final.
    Block(Refusal<'p>),
    /// The transaction is to be kept. Not final.
    Record,
    /// The gate sends the client elsewhere. Final.
    Redirect {
        /// Absolute https URL or absolute path, fit for a header.
        location: &'p str,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
    /// A header is set on the request. Not final.
    Tag {
        /// Lower-case name.
        header: &'p str,
        /// Fit for a header.
        value: &'p str,
    },
}

/// How a refusal looks.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'p> {
    view: &'p View,
    index: usize,
}

impl<'p> Action<'p> {
    pub(crate) fn read(view: &'p View, index: usize) -> Self {
        let text = |word| view.text(Section::Actions, index, word);
        match view.word(Section::Actions, index, action::KIND) {
            action::BLOCK | action::BLOCK_WITH => Self::Block(Refusal { view, index }),
            action::REDIRECT => Self::Redirect { location: text(action::TEXT), status: status(view, index) },
            action::TAG => Self::Tag { header: text(action::TEXT), value: text(action::TEXT2) },
            action::RECORD => Self::Record,
            _ => Self::Allow,
        }
    }
}

impl<'p> Refusal<'p> {
    /// Status, from 400 to 499.
    #[must_use]
    pub fn status(&self) -> u16 {
        status(self.view, self.index)
    }

    /// The operator's body; `None`: the gate's own.
    #[must_use]
    pub fn body(&self) -> Option<&'p str> {
        let own = self.view.word(Section::Actions, self.index, action::KIND) == action::BLOCK_WITH;
        own.then(|| self.view.text(Section::Actions, self.index, action::TEXT))
    }

    /// The operator's headers: lower-case names and values fit for a header.
    pub fn headers(&self) -> impl Iterator<Item = (&'p str, &'p str)> + use<'p> {
        let view = self.view;
        let first = view.index(Section::Actions, self.index, action::FIRST_PAIR);
        let count = view.index(Section::Actions, self.index, action::PAIRS);
        (first..first + count).map(move |pair| (view.text(Section::Pairs, pair, 0), view.text(Section::Pairs, pair, 2)))
    }
}

fn status(view: &View, index: usize) -> u16 {
    u16::try_from(view.word(Section::Actions, index, action::STATUS)).unwrap_or(403)
}
