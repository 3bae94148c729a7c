//! What a rule in force does, read from the image.

use crate::image::{Section, View, action, effect, then};

/// What a rule does: what adds up, then at most one final action.
#[derive(Debug, Clone, Copy)]
pub struct Then<'p> {
    view: &'p View,
    index: usize,
}

/// What adds up: evaluation goes on.
#[derive(Debug, Clone, Copy)]
pub enum Effect<'p> {
    /// The request waits so many nanoseconds, at most 10 s.
    Delay(u64),
    /// The transaction is to be kept.
    Record,
    /// Response headers (lower case) are removed.
    RemoveResponseHeaders(Names<'p>),
    /// A request header that steers the route is set.
    Route {
        /// Lower-case name.
        header: &'p str,
        /// Fit for a header.
        value: &'p str,
    },
    /// Request headers and query parameters are removed before the request goes on.
    Sanitize {
        /// Lower-case names.
        headers: Names<'p>,
        /// Names as decoded.
        query: Names<'p>,
    },
    /// Response headers are set.
    SetResponseHeaders(Pairs<'p>),
    /// A request header is set.
    Tag {
        /// Lower-case name.
        header: &'p str,
        /// Fit for a header.
        value: &'p str,
    },
    /// Something is weighed against the client.
    Weigh {
        /// How much; may be negative.
        weight: i32,
        /// Index among the policy's labels.
        label: Option<u8>,
    },
}

/// What ends the evaluation.
#[derive(Debug, Clone, Copy)]
pub enum Action<'p> {
    /// The request goes on.
    Allow,
    /// The gate refuses the request.
    Block(Refusal<'p>),
    /// The gate answers in the application's stead and says nothing of itself.
    Deceive {
        /// From 200 to 499.
        status: u16,
        /// The body.
        body: &'p str,
        /// The headers.
        headers: Pairs<'p>,
    },
    /// The connection or the stream ends without an answer.
    Drop,
    /// The gate refuses the request for now, with `Retry-After`.
    Limit(Refusal<'p>),
    /// The gate sends the client elsewhere.
    Redirect {
        /// Absolute https URL or absolute path, fit for a header.
        location: &'p str,
        /// 301, 302, 303, 307 or 308.
        status: u16,
    },
}

/// How a refusal looks.
#[derive(Debug, Clone, Copy)]
pub struct Refusal<'p> {
    view: &'p View,
    index: usize,
}

/// Names in an image.
#[derive(Debug, Clone, Copy)]
pub struct Names<'p> {
    view: &'p View,
    first: usize,
    count: usize,
}

/// Header names and values in an image: lower-case names and values fit for a header.
#[derive(Debug, Clone, Copy)]
pub struct Pairs<'p> {
    view: &'p View,
    first: usize,
    count: usize,
}

impl<'p> Then<'p> {
    pub(crate) fn new(view: &'p View, index: usize) -> Self {
        Self { view, index }
    }

    /// What adds up, in the order written.
    pub fn effects(self) -> impl Iterator<Item = Effect<'p>> + use<'p> {
        let range = self.view.range(Section::Thens, self.index, then::FIRST_EFFECT);
        range.map(move |index| Effect::read(self.view, index))
    }

    /// The final action, if there is one.
    #[must_use]
    pub fn decides(self) -> Option<Action<'p>> {
        self.view.option(Section::Thens, self.index, then::ACTION).map(|index| Action::read(self.view, index))
    }
}

impl<'p> Effect<'p> {
    fn read(view: &'p View, index: usize) -> Self {
        let text = |word| view.text(Section::Effects, index, word);
        let names = |word| Names::new(view, Section::Effects, index, word);
        let (header, value) = (effect::A, effect::C);
        match view.word(Section::Effects, index, effect::KIND) {
            effect::DELAY => Self::Delay(view.long(Section::Effects, index, effect::A)),
            effect::REMOVE_RESPONSE_HEADERS => Self::RemoveResponseHeaders(names(effect::A)),
            effect::ROUTE => Self::Route { header: text(header), value: text(value) },
            effect::SANITIZE => Self::Sanitize { headers: names(effect::A), query: names(effect::C) },
            effect::SET_RESPONSE_HEADERS => {
                Self::SetResponseHeaders(Pairs::new(view, Section::Effects, index, effect::A))
            }
            effect::TAG => Self::Tag { header: text(header), value: text(value) },
            effect::WEIGH => Self::Weigh {
                weight: view.word(Section::Effects, index, effect::A).cast_signed(),
                label: view.option(Section::Effects, index, effect::B).and_then(|label| u8::try_from(label).ok()),
            },
            _ => Self::Record,
        }
    }
}

impl<'p> Action<'p> {
    pub(crate) fn read(view: &'p View, index: usize) -> Self {
        let text = || view.text(Section::Actions, index, action::TEXT);
        let refusal = Refusal { view, index };
        match view.word(Section::Actions, index, action::KIND) {
            action::BLOCK => Self::Block(refusal),
            action::DECEIVE => Self::Deceive { status: refusal.status(), body: text(), headers: refusal.headers() },
            action::DROP => Self::Drop,
            action::LIMIT => Self::Limit(refusal),
            action::REDIRECT => Self::Redirect { location: text(), status: refusal.status() },
            _ => Self::Allow,
        }
    }
}

impl<'p> Refusal<'p> {
    fn word(&self) -> u32 {
        self.view.word(Section::Actions, self.index, action::STATUS)
    }

    /// Status, from 400 to 499.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.word() as u16
    }

    /// It may be cached; else it says `Cache-Control: no-store`.
    #[must_use]
    pub fn may_be_cached(&self) -> bool {
        self.word() & action::CACHED != 0
    }

    /// The operator's body, with placeholders; `None`: the gate's own.
    #[must_use]
    pub fn body(&self) -> Option<&'p str> {
        let own = self.word() & action::HAS_BODY != 0;
        own.then(|| self.view.text(Section::Actions, self.index, action::TEXT))
    }

    /// The operator's headers.
    #[must_use]
    pub fn headers(&self) -> Pairs<'p> {
        Pairs::new(self.view, Section::Actions, self.index, action::FIRST_PAIR)
    }
}

impl<'p> Names<'p> {
    pub(crate) fn new(view: &'p View, section: Section, index: usize, word: usize) -> Self {
        let range = view.range(section, index, word);
        Self { view, first: range.start, count: range.len() }
    }

    /// Each name.
    pub fn iter(self) -> impl Iterator<Item = &'p str> + use<'p> {
        (self.first..self.first + self.count).map(move |index| self.view.text(Section::Names, index, 0))
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.count == 0
    }

    /// `name` is one of them, byte by byte.
    #[must_use]
    pub fn holds_exactly(self, name: &[u8]) -> bool {
        self.iter().any(|own| own.as_bytes() == name)
    }

    /// `name` is one of these header names, in any letter case and with `_` for `-`, as many applications read it.
    #[must_use]
    pub fn holds(self, name: &[u8]) -> bool {
        self.iter().any(|own| own.len() == name.len() && own.bytes().map(dashed).eq(name.iter().copied().map(dashed)))
    }
}

impl<'p> Pairs<'p> {
    pub(crate) fn new(view: &'p View, section: Section, index: usize, word: usize) -> Self {
        let range = view.range(section, index, word);
        Self { view, first: range.start, count: range.len() }
    }

    /// Each name and value.
    pub fn iter(self) -> impl Iterator<Item = (&'p str, &'p str)> + use<'p> {
        let text = move |index, word| self.view.text(Section::Pairs, index, word);
        (self.first..self.first + self.count).map(move |index| (text(index, 0), text(index, 2)))
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.count == 0
    }
}

/// A byte of a header name as applications read it.
pub(crate) fn dashed(byte: u8) -> u8 {
    if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
}
