//! What a request may be taken for by what stands behind the gate: every path reading, with every method that a client names.

use std::borrow::Cow;

use gatehouse_policy::{Backend, Parameters};
use gatehouse_signals::Head;
use gatehouse_signals::head::is_same_variable;
use gatehouse_signals::path::{Ambiguity, Path};

use crate::mitigate;

/// One reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading<'a> {
    pub(crate) path: &'a [u8],
    pub(crate) method: &'a [u8],
}

/// Headers by which a client asks for another method than the one that it sends; many frameworks obey them, in any letter case.
const OVERRIDES: [&[u8]; 3] = [b"x-http-method-override", b"x-http-method", b"x-method-override"];

/// Most other methods that are looked at; nobody who means well names more than one.
const MAX_METHODS: usize = 2;

/// The methods of a request.
#[derive(Debug)]
pub(crate) struct Methods<'a> {
    /// The one that it sends; of a preflight the one that it asks for.
    first: &'a [u8],
    /// Others that it names, in capital letters.
    named: Vec<Cow<'a, [u8]>>,
    /// It names more than are looked at.
    pub(crate) too_many: bool,
}

impl<'a> Methods<'a> {
    /// `preflight`: what [`preflight`] says of it; `overrides`: there may be a header that names another. Allocates only where one
    /// does.
    pub(crate) fn of(head: Head<'a>, preflight: Option<&'a [u8]>, overrides: bool) -> Self {
        let first = preflight.or_else(|| head.first(b":method")).unwrap_or_default();
        let mut methods = Self { first, named: Vec::new(), too_many: false };
        if !overrides {
            return methods;
        }
        let values = head.headers.iter().filter(|(name, _)| is_override(name)).map(|(_, value)| *value);
        // A header that stands twice may arrive as one, with commas: what stands behind takes the first, or the last.
        for value in values.flat_map(|value| value.split(|byte| *byte == b',')) {
            let value = value.trim_ascii();
            let lower = value.iter().any(u8::is_ascii_lowercase);
            let other = if lower { Cow::Owned(value.to_ascii_uppercase()) } else { Cow::Borrowed(value) };
            if value.is_empty() || *other == *first || methods.named.contains(&other) {
                continue;
            }
            methods.too_many |= methods.named.len() >= MAX_METHODS;
            if !methods.too_many {
                methods.named.push(other);
            }
        }
        methods
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        core::iter::once(self.first).chain(self.named.iter().map(|named| &**named))
    }
}

pub(super) fn is_override(name: &[u8]) -> bool {
    // Lengths first: nearly no header has one of these.
    matches!(name.len(), 13 | 17 | 22) && OVERRIDES.iter().any(|known| is_same_variable(name, known))
}

/// The method that a CORS preflight asks for, by which it is judged; it is no request of its own and is counted nowhere. One that
/// names yet another method is none: no browser sends such a thing.
pub(crate) fn preflight<'a>(head: Head<'a>) -> Option<&'a [u8]> {
    mitigate::preflight(head).filter(|_| !head.headers.iter().any(|(name, _)| is_override(name)))
}

/// Every reading: the canonical path first, and the method as it was sent first.
pub(crate) fn of<'r>(
    methods: &'r Methods<'_>,
    path: &'r Path<'_>,
    backend: Backend,
) -> impl Iterator<Item = Reading<'r>> {
    paths(path, backend).flat_map(move |path| methods.all().map(move |method| Reading { path, method }))
}

/// The readings that are left once the operator said what stands behind; all of them where nothing was said.
fn paths<'a>(path: &'a Path<'_>, backend: Backend) -> impl Iterator<Item = &'a [u8]> {
    let only_parameters = path.ambiguity == Some(Ambiguity::Parameters) && !path.readings.is_empty();
    let (skipped, taken) = match backend.parameters {
        Parameters::Ignored if only_parameters => (1, usize::MAX),
        Parameters::Kept if only_parameters => (0, 1),
        _ => (0, usize::MAX),
    };
    path.all().skip(skipped).take(taken)
}
