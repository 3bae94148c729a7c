//! What a user agent shows: for every kind of sign, where it first stands.

/// A kind of sign. The order is that of the array in [`Signs`] and tells nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Sign {
    /// A word inside which nothing counts.
    Quiet,
    /// A security tool's name.
    Scanner,
    /// The name of an agent that fetches for a language model.
    Ai,
    /// A crawler's name.
    Crawler,
    /// A library's or tool's name.
    Library,
    /// An app's name.
    App,
    /// A runtime that only apps stand on.
    Runtime,
    /// A browser's own brand.
    Brand,
    /// One of the big browser families.
    Family,
    /// A browser name that all of a family repeat.
    Base,
    /// A rendering engine.
    Engine,
    /// A desktop, television, console or car.
    Desktop,
    /// A system of desktops and servers.
    Unix,
    /// A phone, tablet or watch.
    Handheld,
    /// A phone from before the apps.
    Phone,
    /// The word that every browser begins with.
    Mozilla,
    /// The word that begins a foreign product's comment.
    Compatible,
    /// The Java platform.
    Java,
    /// Part of a word that only automata carry.
    Strong,
    /// Part of a word that tells an automaton in some places.
    Hint,
    /// The same in the first comment.
    InnerHint,
    /// Part of a word that tells a scanning tool in some places.
    Scan,
    /// A web or mail address.
    Contact,
    /// Part of a word that only apps carry.
    AppPart,
    /// A host name in a comment.
    Host,
    /// A bracketed comment opens.
    Comment,
    /// A word outside brackets after the first comment.
    Tail,
    /// Something behind `like Gecko` in the same brackets.
    Guest,
    /// A `/`.
    Slash,
    /// A character that no product or comment holds: quotes, angle brackets.
    Odd,
    /// A word before the first comment.
    Letter,
}

/// How many kinds there are.
const KINDS: usize = Sign::Letter as usize + 1;

/// Where each kind of sign first stands in the text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signs([u16; KINDS]);

/// A sign that was not seen.
const ABSENT: u16 = u16::MAX;

impl Signs {
    /// None seen.
    pub(super) const fn none() -> Self {
        Self([ABSENT; KINDS])
    }

    /// Notes `sign` at `at`, unless it was seen before. Texts are shorter than [`ABSENT`].
    #[inline]
    pub(super) fn note(&mut self, sign: Sign, at: usize) {
        if let (Some(first), Ok(at)) = (self.0.get_mut(sign as usize), u16::try_from(at)) {
            *first = (*first).min(at);
        }
    }

    /// Where `sign` first stands.
    #[inline]
    pub(super) fn at(&self, sign: Sign) -> Option<usize> {
        self.0.get(sign as usize).filter(|at| **at != ABSENT).map(|at| usize::from(*at))
    }

    /// `sign` was seen.
    #[inline]
    pub(super) fn has(&self, sign: Sign) -> bool {
        self.at(sign).is_some()
    }

    /// One of `signs` was seen.
    pub(super) fn any(&self, signs: &[Sign]) -> bool {
        signs.iter().any(|sign| self.has(*sign))
    }

    /// The first of `signs`, in the order given, that was seen: where it stands.
    pub(super) fn first_of(&self, signs: &[Sign]) -> Option<usize> {
        signs.iter().find_map(|sign| self.at(*sign))
    }
}

/// Every platform.
pub(super) const PLATFORMS: &[Sign] = &[Sign::Desktop, Sign::Unix, Sign::Handheld, Sign::Phone, Sign::Runtime];

/// Platforms that are held in no hand.
pub(super) const DESKTOPS: &[Sign] = &[Sign::Desktop, Sign::Unix];

/// Platforms that are.
pub(super) const HANDHELDS: &[Sign] = &[Sign::Handheld, Sign::Phone];

/// What only an app shows.
pub(super) const APP_SIGNS: &[Sign] = &[Sign::App, Sign::Runtime, Sign::AppPart];

/// What a browser shows, the most telling first.
pub(super) const BROWSER_SIGNS: &[Sign] = &[Sign::Brand, Sign::Family, Sign::Base, Sign::Engine];
