//! Whether whatever meets one condition meets another too. Sound, not complete: `false` may mean "not seen". Where it holds,
//! the second is known to be true wherever the first is, so it holds in three-valued logic as well.

use gatehouse_signals::address::Network;

use crate::compile::covers;
use crate::spec::types::{Addresses, Condition, Document, Entries, ListName, Range, Statuses};
use crate::spec::{HostPattern, PathPattern, TextPattern};

/// A condition of a rule, with the document whose lists it names.
#[derive(Clone, Copy)]
pub(super) struct Of<'d> {
    pub(super) condition: &'d Condition,
    pub(super) document: &'d Document,
}

impl<'d> Of<'d> {
    pub(super) const fn new(condition: &'d Condition, document: &'d Document) -> Self {
        Self { condition, document }
    }

    const fn with(self, condition: &'d Condition) -> Self {
        Self { condition, ..self }
    }
}

/// Whatever meets `a` meets `b`. Each comparison of two leaves takes one from `budget`; without budget nothing is seen.
pub(super) fn implies(a: Of<'_>, b: Of<'_>, budget: &mut u64) -> bool {
    if *budget == 0 {
        return false;
    }
    match (a.condition, b.condition) {
        (_, Condition::Always) => true,
        (_, Condition::All(parts)) => parts.iter().all(|part| implies(a, b.with(part), budget)),
        (Condition::Any(parts), _) => parts.iter().all(|part| implies(a.with(part), b, budget)),
        (_, Condition::Any(parts)) if !matches!(a.condition, Condition::All(_)) => {
            parts.iter().any(|part| implies(a, b.with(part), budget))
        }
        (Condition::All(parts), _) => {
            parts.iter().any(|part| implies(a.with(part), b, budget))
                || matches!(b.condition, Condition::Any(others) if others.iter().any(|other| implies(a, b.with(other), budget)))
        }
        (Condition::Not(a_inner), Condition::Not(b_inner)) => implies(b.with(b_inner), a.with(a_inner), budget),
        (Condition::Not(_), _) | (_, Condition::Not(_)) => false,
        (x, y) => {
            *budget -= 1;
            leaf(x, y, a.document, b.document)
        }
    }
}

/// The same for two leaves.
fn leaf(a: &Condition, b: &Condition, a_lists: &Document, b_lists: &Document) -> bool {
    use Condition as C;
    match (a, b) {
        (C::Host(a), C::Host(b)) | (C::Sni(a), C::Sni(b)) => covers(b, a),
        (C::Path(a), C::Path(b)) => path(a, b),
        (C::Method(a), C::Method(b)) => a == b,
        (C::Header(x, a), C::Header(y, b))
        | (C::Query(x, a), C::Query(y, b))
        | (C::Cookie(x, a), C::Cookie(y, b))
        | (C::Claim(x, a), C::Claim(y, b))
        | (C::ResponseHeader(x, a), C::ResponseHeader(y, b)) => x == y && text(a, b),
        (C::Address(a), C::Address(b)) | (C::Destination(a), C::Destination(b)) => addresses(a, b, a_lists, b_lists),
        (C::Identity(a), C::Identity(b)) => identity(a, b),
        (C::NoIdentity, C::NoIdentity) => true,
        (C::Port(a), C::Port(b)) => a == b,
        (C::TlsMutual(a), C::TlsMutual(b)) | (C::AgentVerified(a), C::AgentVerified(b)) => a == b,
        (C::TlsVersion(a), C::TlsVersion(b)) => a >= b,
        (C::Fingerprint(a), C::Fingerprint(b)) => a == b,
        (C::AgentClass(a), C::AgentClass(b)) => a == b,
        (C::AgentName(a), C::AgentName(b)) => a.eq_ignore_ascii_case(b),
        (C::Country(a), C::Country(b)) => a == b,
        (C::Asn(a), C::Asn(b)) => a == b,
        (C::IdentityList(a), C::IdentityList(b))
        | (C::FingerprintList(a), C::FingerprintList(b))
        | (C::CountryList(a), C::CountryList(b))
        | (C::AsnList(a), C::AsnList(b))
        | (C::Verdict(a), C::Verdict(b)) => same_list(a, b, a_lists, b_lists),
        (C::Size(a), C::Size(b)) | (C::ResponseSize(a), C::ResponseSize(b)) => within(*a, *b),
        (C::Time(a), C::Time(b)) => a == b,
        (C::Label(a), C::Label(b)) => a == b,
        (C::Score { at_least: x, label: a }, C::Score { at_least: y, label: b }) => a == b && x >= y,
        (C::ResponseStatus(a), C::ResponseStatus(b)) => statuses(a, b),
        (C::ResponseType(a), C::ResponseType(b)) => {
            a == b || b.strip_suffix('*').is_some_and(|kind| a.starts_with(kind))
        }
        _ => false,
    }
}

fn path(a: &PathPattern, b: &PathPattern) -> bool {
    use PathPattern as P;
    match (a, b) {
        (P::Exact(a), P::Segments(b)) | (P::Segments(a), P::Segments(b)) => segments(a, b),
        (P::Exact(a) | P::Prefix(a), P::Prefix(b)) => is_under(a, b),
        (P::Segments(a), P::Prefix(b)) => is_under(literal_part(a), b),
        (P::Exact(a) | P::Suffix(a), P::Suffix(b)) => a.ends_with(b.as_str()),
        (a, b) => a == b,
    }
}

/// `path` is `prefix` or lies below it, at a border of segments.
fn is_under(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

/// What stands before the first wildcard, without the slash before it.
pub(super) fn literal_part(segments: &str) -> &str {
    let mut end = 0;
    for segment in segments.split_inclusive('/') {
        if segment.trim_end_matches('/').starts_with('*') {
            break;
        }
        end += segment.len();
    }
    let part = segments.get(..end).unwrap_or_default();
    part.strip_suffix('/').filter(|part| !part.is_empty()).unwrap_or(part)
}

/// Every path of the segments `a` is one of `b`'s.
fn segments(a: &str, b: &str) -> bool {
    let (mut a, mut b) = (a.split('/'), b.split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, None) => return true,
            // `**` needs the slash before it, and takes whatever follows, nothing too.
            (Some(_), Some("**")) => return true,
            (Some("**"), _) | (None, _) | (_, None) => return false,
            (Some(own), Some("*")) if !own.is_empty() => {}
            (Some(own), Some(other)) if own == other && own != "*" => {}
            _ => return false,
        }
    }
}

fn text(a: &TextPattern, b: &TextPattern) -> bool {
    use TextPattern as T;
    match (a, b) {
        (T::Present(a), T::Present(b)) => a == b,
        (_, T::Present(true)) => true,
        (T::Equals(a) | T::Prefix(a), T::Prefix(b)) => a.starts_with(b.as_str()),
        (T::Equals(a) | T::Suffix(a), T::Suffix(b)) => a.ends_with(b.as_str()),
        (T::Equals(a) | T::Prefix(a) | T::Suffix(a) | T::Contains(a), T::Contains(b)) => a.contains(b.as_str()),
        (a, b) => a == b,
    }
}

fn addresses(a: &Addresses, b: &Addresses, a_lists: &Document, b_lists: &Document) -> bool {
    if let (Addresses::List(a), Addresses::List(b)) = (a, b)
        && same_list(a, b, a_lists, b_lists)
    {
        return true;
    }
    // A list may expire or change by deltas: only what is written out covers.
    let Addresses::Networks(wide) = b else { return false };
    let Some(narrow) = networks(a, a_lists) else { return false };
    !narrow.is_empty()
        && narrow.len().saturating_mul(wide.len()) <= 10_000
        && narrow.iter().all(|network| lies_in(*network, wide))
}

/// The networks that a condition names.
pub(super) fn networks<'d>(addresses: &'d Addresses, document: &'d Document) -> Option<&'d [Network]> {
    match addresses {
        Addresses::Networks(networks) => Some(networks),
        Addresses::List(name) => match &document.list(&name.name)?.entries {
            Entries::Networks(networks) => Some(networks),
            _ => None,
        },
    }
}

fn lies_in(narrow: Network, wide: &[Network]) -> bool {
    wide.iter().any(|wide| wide.prefix() <= narrow.prefix() && wide.contains(narrow.address()))
}

fn same_list(a: &ListName, b: &ListName, a_lists: &Document, b_lists: &Document) -> bool {
    a.name == b.name && std::ptr::eq(a_lists, b_lists)
}

/// Every identity of the pattern `a` is one of `b`'s.
fn identity(a: &str, b: &str) -> bool {
    let split = |pattern| -> Option<(&str, &str)> { str::strip_prefix(pattern, "spiffe://")?.split_once('/') };
    let (Some((a_domain, a_path)), Some((b_domain, b_path))) = (split(a), split(b)) else { return false };
    (b_domain == "*" || a_domain == b_domain) && segments(a_path, b_path)
}

fn within(a: Range, b: Range) -> bool {
    let least = b.least.is_none_or(|least| a.least.is_some_and(|own| own >= least));
    let most = b.most.is_none_or(|most| a.most.is_some_and(|own| own <= most));
    least && most
}

fn statuses(a: &Statuses, b: &Statuses) -> bool {
    a.0.iter().all(|(first, last)| b.0.iter().any(|(low, high)| low <= first && last <= high))
}

/// Nothing meets both. Sound, not complete; both are parts of one `all`.
pub(super) fn excludes(a: &Condition, b: &Condition) -> bool {
    use Condition as C;
    match (a, b) {
        (C::Any(parts), other) | (other, C::Any(parts)) => parts.iter().all(|part| excludes(part, other)),
        (C::Host(a), C::Host(b)) | (C::Sni(a), C::Sni(b)) => !overlap(a, b),
        (C::Path(PathPattern::Exact(path)), C::Path(other)) | (C::Path(other), C::Path(PathPattern::Exact(path))) => {
            let exact = PathPattern::Exact(path.clone());
            !matches!(other, PathPattern::Regex(_)) && !self::path(&exact, other)
        }
        (C::Path(PathPattern::Prefix(a)), C::Path(PathPattern::Prefix(b))) => !is_under(a, b) && !is_under(b, a),
        (C::Method(a), C::Method(b)) => a != b,
        (C::Port(a), C::Port(b)) => a != b,
        (C::Country(a), C::Country(b)) => a != b,
        (C::Asn(a), C::Asn(b)) => a != b,
        (C::AgentClass(a), C::AgentClass(b)) => a != b,
        (C::TlsMutual(a), C::TlsMutual(b)) | (C::AgentVerified(a), C::AgentVerified(b)) => a != b,
        (C::NoIdentity, C::Identity(_) | C::IdentityList(_)) | (C::Identity(_) | C::IdentityList(_), C::NoIdentity) => {
            true
        }
        (C::NoIdentity, C::TlsMutual(true)) | (C::TlsMutual(true), C::NoIdentity) => true,
        (C::Address(Addresses::Networks(a)), C::Address(Addresses::Networks(b)))
        | (C::Destination(Addresses::Networks(a)), C::Destination(Addresses::Networks(b))) => {
            a.len().saturating_mul(b.len()) <= 10_000 && !a.iter().any(|a| b.iter().any(|b| meet(*a, *b)))
        }
        (C::Header(x, a), C::Header(y, b))
        | (C::Query(x, a), C::Query(y, b))
        | (C::Cookie(x, a), C::Cookie(y, b))
        | (C::Claim(x, a), C::Claim(y, b))
        | (C::ResponseHeader(x, a), C::ResponseHeader(y, b)) => {
            let absent = TextPattern::Present(false);
            x == y && (*a == absent) != (*b == absent)
        }
        (C::Size(a), C::Size(b)) | (C::ResponseSize(a), C::ResponseSize(b)) => apart(*a, *b),
        (C::ResponseStatus(a), C::ResponseStatus(b)) => {
            !a.0.iter().any(|(first, last)| b.0.iter().any(|(low, high)| first <= high && low <= last))
        }
        _ => false,
    }
}

/// Some host is one of both.
pub(super) fn overlap(a: &HostPattern, b: &HostPattern) -> bool {
    covers(a, b) || covers(b, a)
}

fn meet(a: Network, b: Network) -> bool {
    a.contains(b.address()) || b.contains(a.address())
}

fn apart(a: Range, b: Range) -> bool {
    let below = |a: Range, b: Range| a.most.zip(b.least).is_some_and(|(most, least)| most < least);
    below(a, b) || below(b, a)
}
