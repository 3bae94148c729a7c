//! What a match read on its way to its truth, for whoever asks later why a rule held: which leaves, in a fixed form, and the
//! value that each of them saw.
//!
//! The tree is walked as [`super::holds`] walks it, so a leaf that was not asked any more is no input: of `any` those up to the first
//! that holds, of `all` those up to the first that does not.

use std::borrow::Cow;
use std::net::IpAddr;

use super::readings::{cookies, of_cookie, of_cookie_name, of_form, parameters};
use super::{Facts, Leaf, Truth, fingerprint, peer, response, server_name, size, text, truth};
use crate::Field;
use crate::image::{Section, View, node};
use crate::regex::Regexes;

/// Most inputs of one rule that are told apart.
pub const MAX_INPUTS: usize = 8;

/// Which leaves of a rule's match were read: of each field (of each header, cookie … by its name) one, a leaf that held before
/// others. The first [`MAX_INPUTS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Inputs {
    leaves: [u16; MAX_INPUTS],
    count: u8,
    more: bool,
}

/// One field that a match read.
#[derive(Clone, Copy)]
pub struct Input<'p> {
    leaf: Leaf<'p>,
}

/// What stood in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen<'a> {
    /// Nothing, or nothing that could be known.
    Nothing,
    /// The client's address.
    Address(IpAddr),
    /// Bytes as they were compared; of several values the one that the test holds for, else the first.
    Bytes(Cow<'a, [u8]>),
    /// A number; of a time seconds since the Unix epoch, of a size bytes.
    Number(u64),
}

/// Which leaves of the tree at `at` are read for these facts.
pub(crate) fn read(view: &View, regexes: &Regexes, at: usize, facts: &Facts<'_>) -> Inputs {
    let mut inputs = Inputs::default();
    walk(view, regexes, at, facts, &mut |leaf, truth| inputs.note(leaf, truth, at));
    inputs
}

/// The leaves of `inputs`, of the tree at `at`.
pub(crate) fn each<'p>(
    view: &'p View,
    regexes: &'p Regexes,
    at: usize,
    inputs: Inputs,
) -> impl Iterator<Item = Input<'p>> + use<'p> {
    let end = view.index(Section::Conditions, at, node::END);
    let places = inputs.leaves.into_iter().take(inputs.count.into()).map(move |leaf| at + usize::from(leaf));
    places.filter(move |place| *place < end).map(|place| Input { leaf: Leaf::new(view, regexes, place) })
}

fn walk<'p>(
    view: &'p View,
    regexes: &'p Regexes,
    at: usize,
    facts: &Facts<'_>,
    see: &mut dyn FnMut(Leaf<'p>, Truth),
) -> Truth {
    let leaf = Leaf::new(view, regexes, at);
    match leaf.kind {
        node::ALL => truth::all(leaf.children().map(|child| walk(view, regexes, child, facts, see))),
        node::ANY => truth::any(leaf.children().map(|child| walk(view, regexes, child, facts, see))),
        node::NOT => walk(view, regexes, at + 1, facts, see).negated(),
        _ => {
            let truth = leaf.holds(facts);
            see(leaf, truth);
            truth
        }
    }
}

impl Inputs {
    /// There were more than are told.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.more
    }

    fn note(&mut self, leaf: Leaf<'_>, truth: Truth, at: usize) {
        let place = leaf.at.checked_sub(at).and_then(|place| u16::try_from(place).ok());
        let Some(place) = place.filter(|_| leaf.kind != node::ALWAYS) else {
            self.more |= leaf.kind != node::ALWAYS;
            return;
        };
        let what = Input { leaf };
        let known = self.leaves.iter_mut().take(self.count.into());
        let is_same = |known: &u16| {
            let other = Leaf::new(leaf.view, leaf.regexes, at + usize::from(*known));
            Input { leaf: other }.is_same(what)
        };
        match known.into_iter().find(|known| is_same(known)) {
            Some(known) if truth == Truth::True => *known = place,
            Some(_) => {}
            None => match self.leaves.get_mut(usize::from(self.count)) {
                Some(free) => (*free, self.count) = (place, self.count + 1),
                None => self.more = true,
            },
        }
    }
}

impl<'p> Input<'p> {
    /// The field, as the language names it: `path`, `headers`, `agent.class` …
    #[must_use]
    pub fn word(self) -> &'static str {
        match self.leaf.kind {
            node::AGENT_CLASS => "agent.class",
            node::AGENT_NAME => "agent.name",
            node::LABEL => "label",
            // A leaf whose name is no label's asks for the sum.
            _ => self.field().map_or("", Field::as_str),
        }
    }

    /// What it is a field of: the name of a header, cookie, parameter or claim, a label, a list that the house fills.
    #[must_use]
    pub fn name(self) -> Option<&'p [u8]> {
        let leaf = self.leaf;
        match leaf.kind {
            node::HEADER | node::COOKIE | node::QUERY | node::CLAIM | node::RESPONSE_HEADER => Some(leaf.text(node::A)),
            node::LABEL => Some(leaf.view.text(Section::Labels, leaf.index(node::B).checked_sub(1)?, 0).as_bytes()),
            node::VERDICT => Some(leaf.view.text(Section::VerdictLists, leaf.index(node::A), 0).as_bytes()),
            _ => None,
        }
    }

    /// The field; of a fingerprint that may be both, ours. `None`: of another version's leaf.
    #[must_use]
    pub fn field(self) -> Option<Field> {
        self.leaf.fields().iter().next()
    }

    /// What stands in it.
    #[must_use]
    pub fn seen<'a>(self, facts: &Facts<'a>) -> Seen<'a>
    where
        'p: 'a,
    {
        self.look(facts).unwrap_or(Seen::Nothing)
    }

    fn look<'a>(self, facts: &Facts<'a>) -> Option<Seen<'a>>
    where
        'p: 'a,
    {
        let (leaf, connection, signals) = (self.leaf, facts.head.connection, facts.signals);
        let received = |value: &&[u8]| text::holds_received(leaf, value);
        Some(match leaf.kind {
            node::ADDRESS => Seen::Address(facts.address?),
            node::AGENT_CLASS => bytes(signals.agent()?.class.as_str().as_bytes()),
            node::AGENT_NAME => bytes(signals.agent()?.name.as_bytes()),
            node::AGENT_VERIFIED => flag(signals.agent_verified()?),
            node::ASN => Seen::Number(signals.place()?.asn?.into()),
            node::CLAIM => pick(facts.claims.values(leaf.text(node::A))?, received)?,
            node::COOKIE => {
                let named = |name: &[u8]| of_cookie_name(name).any(|reading| reading.is(leaf.text(node::A)));
                let values = cookies(&facts.head).filter(|(name, _)| named(name)).map(|(_, value)| value);
                pick(values, |value| of_cookie(value).any(|reading| text::holds(leaf, reading)))?
            }
            node::COUNTRY => Seen::Bytes(Cow::Owned(signals.place()?.country?.to_vec())),
            node::DESTINATION => Seen::Address(connection.local?),
            node::FINGERPRINT => fingerprint::seen(leaf, facts)?,
            node::HEADER => pick(facts.head.values(leaf.text(node::A)), received)?,
            node::HOST => bytes(facts.host),
            node::IDENTITY => bytes(peer(facts)?),
            node::LABEL | node::SCORE => {
                let label = leaf.word(node::B).checked_sub(1).and_then(|label| u8::try_from(label).ok());
                Seen::Number(signals.score(label)?.into())
            }
            node::METHOD => bytes(facts.method),
            node::PATH => bytes(facts.path),
            node::PORT => Seen::Number(connection.local_port?.into()),
            node::QUERY => {
                let named = |name: &[u8]| of_form(name).any(|reading| reading.is(leaf.text(node::A)));
                let values = parameters(facts.query?).filter(|(name, _)| named(name)).map(|(_, value)| value);
                pick(values, |value| of_form(value).any(|reading| text::holds(leaf, reading)))?
            }
            node::RESPONSE_HEADER => pick(response::values(facts.response?.headers, leaf.text(node::A)), received)?,
            node::RESPONSE_SIZE => Seen::Number(size::length(facts.response?.headers)?),
            node::RESPONSE_STATUS => Seen::Number(facts.response?.status?.into()),
            node::RESPONSE_TYPE => {
                bytes(response::media(response::values(facts.response?.headers, b"content-type").next()?))
            }
            node::SIZE => Seen::Number(size::length(facts.head.headers)?),
            node::SNI => bytes(server_name(facts)?),
            node::TIME => Seen::Number(facts.wall_s?),
            node::TLS_MUTUAL => flag(connection.mutual_tls?),
            node::TLS_VERSION => bytes(connection.tls_version.as_deref()?.as_bytes()),
            node::VERDICT => flag(signals.on_verdict_list(leaf.index(node::A))?),
            _ => return None,
        })
    }

    fn is_same(self, other: Self) -> bool {
        self.word() == other.word() && self.name() == other.name()
    }
}

impl core::fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Input").field("word", &self.word()).finish_non_exhaustive()
    }
}

pub(super) fn bytes(value: &[u8]) -> Seen<'_> {
    Seen::Bytes(Cow::Borrowed(value))
}

fn flag(value: bool) -> Seen<'static> {
    bytes(if value { b"true" } else { b"false" })
}

/// The value that `holds`, else the first.
fn pick<'a>(values: impl Iterator<Item = &'a [u8]>, holds: impl Fn(&&'a [u8]) -> bool) -> Option<Seen<'a>> {
    let mut first = None;
    for value in values {
        if holds(&value) {
            return Some(bytes(value));
        }
        first = first.or(Some(value));
    }
    first.map(bytes)
}
