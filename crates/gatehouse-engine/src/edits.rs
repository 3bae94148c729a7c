//! What is changed on a request that goes on: headers that a client may not send are taken out, tags are set, what the policy
//! sanitises is removed. One write of the whole map, or none.

use std::borrow::Cow;

use gatehouse_policy::{Names, Policy};
use gatehouse_signals::path::Path;
use gatehouse_signals::{Head, Pair, query};

/// Headers of ours: a client never gets one through, in any letter case, with `-` or with the `_` that many applications read
/// as `-`.
const OURS: &[u8] = b"x-gatehouse-";

/// Header pairs to send on, owned: all bytes in one buffer, since a map of twenty headers would otherwise be forty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Pairs {
    bytes: Vec<u8>,
    /// Of each pair: how long its name is, and its value.
    lengths: Vec<(usize, usize)>,
}

impl Pairs {
    /// Each name and value, in order.
    pub fn iter(&self) -> impl Iterator<Item = Pair<'_>> + Clone {
        self.lengths.iter().scan(self.bytes.as_slice(), |rest, (name, value)| {
            let (name, after) = rest.split_at_checked(*name)?;
            let (value, after) = after.split_at_checked(*value)?;
            *rest = after;
            Some((name, value))
        })
    }

    fn with_room_for<'a>(pairs: impl Iterator<Item = Pair<'a>> + Clone) -> Self {
        let (count, bytes) = pairs.fold((0, 0), |(count, bytes): (usize, usize), (name, value)| {
            (count + 1, bytes.saturating_add(name.len()).saturating_add(value.len()))
        });
        Self { bytes: Vec::with_capacity(bytes), lengths: Vec::with_capacity(count) }
    }

    fn push(&mut self, name: &[u8], value: &[u8]) {
        self.bytes.extend_from_slice(name);
        self.bytes.extend_from_slice(value);
        self.lengths.push((name.len(), value.len()));
    }
}

/// The headers without those that a client may not send: ours, and every one that a policy sets. `None`: there are none such,
/// and nothing was allocated. `ours`: there is one of ours.
pub(crate) fn without_ours<'a>(policy: Option<&Policy>, head: Head<'a>, ours: bool) -> Option<Vec<Pair<'a>>> {
    let policy = policy.filter(|policy| policy.may_set(head.names));
    if !ours && policy.is_none() {
        return None;
    }
    let foreign = |(name, _): &&Pair<'a>| !is_ours(name) && !policy.is_some_and(|policy| policy.sets_header(name));
    let all = head.headers.iter().all(|pair| foreign(&pair));
    (!all).then(|| head.headers.iter().filter(foreign).copied().collect())
}

pub(crate) fn is_ours(name: &[u8]) -> bool {
    let fold = |byte: &u8| {
        if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }
    };
    // The letter that tells it from the other names that begin with `x-`.
    if !matches!(name.get(2), Some(b'g' | b'G')) {
        return false;
    }
    name.get(..OURS.len()).is_some_and(|start| start.iter().zip(OURS).all(|(byte, own)| fold(byte) == *own))
}

/// What is to be changed.
#[derive(Debug, Default)]
pub(crate) struct Edits<'a, 'p> {
    /// Headers were left out of the head already.
    pub(crate) stripped: bool,
    /// Headers of an identity that this client has no right to set.
    pub(crate) identity: Option<Names<'p>>,
    /// Headers and query parameters to remove.
    pub(crate) sanitize: &'a [(Names<'p>, Names<'p>)],
    /// Headers to set. They come last and are never one that Envoy routes by of itself: the policy refuses such names.
    pub(crate) tags: &'a [(&'p str, &'p str)],
    /// Send on the canonical path instead of the one received.
    pub(crate) canonical: Option<&'a Path<'a>>,
}

impl Edits<'_, '_> {
    /// The whole header map to send on; `None`: as it came.
    pub(crate) fn apply(&self, head: Head<'_>) -> Option<Pairs> {
        let asked = self.stripped || self.identity.is_some() || self.canonical.is_some();
        if !asked && self.sanitize.is_empty() && self.tags.is_empty() {
            return None;
        }
        let path = self.path(head);
        let gone = |name: &[u8]| {
            self.identity.is_some_and(|names| names.holds(name))
                || self.sanitize.iter().any(|(headers, _)| headers.holds(name))
        };
        let untouched = !self.stripped && self.tags.is_empty() && path.is_none();
        if untouched && !head.headers.iter().any(|(name, _)| gone(name)) {
            return None;
        }
        let set = self.tags.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let target = path.iter().map(|path| (&[][..], path.as_slice()));
        let mut pairs = Pairs::with_room_for(head.headers.iter().copied().chain(set.clone()).chain(target));
        for (name, value) in head.headers.iter().filter(|(name, _)| !gone(name)) {
            match &path {
                Some(path) if *name == b":path" => pairs.push(name, path),
                _ => pairs.push(name, value),
            }
        }
        set.for_each(|(name, value)| pairs.push(name, value));
        Some(pairs)
    }

    /// The target to send on; `None`: as it came. Only what the policy asks for is written anew.
    fn path(&self, head: Head<'_>) -> Option<Vec<u8>> {
        let canonical = self.canonical.filter(|path| path.authority.is_none() && *path.canonical != *b"*");
        let sanitized = self.sanitize.iter().any(|(_, names)| !names.is_empty());
        if canonical.is_none() && !sanitized {
            return None;
        }
        let received = head.first(b":path")?;
        let at = received.iter().position(|byte| *byte == b'?').unwrap_or(received.len());
        let (before, asked) = received.split_at_checked(at)?;
        let (path, query) = match canonical {
            Some(path) => (&*path.canonical, path.query),
            None => (before, asked.strip_prefix(b"?")),
        };
        let mut target = path.to_vec();
        if let Some(query) = query {
            let kept = self.query(query);
            // Where everything was removed, so is the mark before it.
            if kept.len() == query.len() || !kept.is_empty() {
                target.push(b'?');
                target.extend_from_slice(&kept);
            }
        }
        (target != received).then_some(target)
    }

    /// The query without parameters that are to be removed: also those that begin after a `;`, which some take for a separator.
    fn query<'q>(&self, query: &'q [u8]) -> Cow<'q, [u8]> {
        if self.sanitize.is_empty() {
            return Cow::Borrowed(query);
        }
        query::without(query, |name| self.sanitize.iter().any(|(_, names)| names.holds_exactly(name)))
    }
}
