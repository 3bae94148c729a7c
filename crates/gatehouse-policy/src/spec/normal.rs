//! Conditions in normal form: however a match was nested, the same meaning tends to become the same tree, so that what reads
//! it (the image, the lint, the long form) has fewer shapes to know.
//!
//! `All` and `Any` are flat and have at least two parts; no `Always` stands inside them; an `All` has at most one `Not` and its
//! parts stand in the order of the reference's fields, and by name within a field; networks of one `Any` are one set; nothing is negated twice. Each step
//! holds in three-valued logic too.

use super::types::{Addresses, Condition};

/// Which field a condition is about: its rank in the order of fields, and for maps by name the name.
pub(crate) type FieldOf<'c> = (u8, Option<&'c str>);

/// Rank of `any` over different fields, `not` and `always`: after every field.
pub(crate) const MIXED: u8 = 100;
const NEGATED: u8 = 101;

impl Condition {
    /// All of these.
    pub(crate) fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        let mut negated = Vec::new();
        for part in parts {
            flatten_all(part, &mut flat, &mut negated);
        }
        if !negated.is_empty() {
            flat.push(Self::any(negated).negated());
        }
        flat.sort_by(|a, b| order(a).cmp(&order(b)));
        one_or(flat, Self::All).unwrap_or(Self::Always)
    }

    /// Any of these; nobody calls it with none.
    pub(crate) fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for part in parts {
            flatten_any(part, &mut flat);
        }
        if flat.iter().any(|part| matches!(part, Self::Always)) {
            return Self::Always;
        }
        one_or(flat, Self::Any).unwrap_or_else(|| Self::Not(Box::new(Self::Always)))
    }

    /// The opposite.
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The field that it is about, if it is about one only.
    pub(crate) fn field(&self) -> Option<FieldOf<'_>> {
        if let Self::Any(parts) = self {
            let mut fields = parts.iter().map(Self::field);
            let first = fields.next()?;
            return fields.all(|field| field == first).then_some(first)?;
        }
        leaf(self)
    }

    /// Calls `visit` with every leaf.
    pub(crate) fn each_leaf<'c>(&'c self, visit: &mut impl FnMut(&'c Self)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.each_leaf(visit)),
            Self::Not(inner) => inner.each_leaf(visit),
            leaf => visit(leaf),
        }
    }

    /// Some leaf is such.
    pub(crate) fn some_leaf(&self, mut test: impl FnMut(&Self) -> bool) -> bool {
        let mut found = false;
        self.each_leaf(&mut |leaf| found = found || test(leaf));
        found
    }

    /// It asks for a verdict at the top: only clients of such a list can meet it.
    pub(crate) fn asks_for_verdict(&self) -> bool {
        match self {
            Self::Verdict(_) => true,
            Self::Any(parts) => parts.iter().all(|part| matches!(part, Self::Verdict(_))),
            Self::All(parts) => parts.iter().any(Self::asks_for_verdict),
            _ => false,
        }
    }

    /// It reads the response.
    pub(crate) fn reads_response(&self) -> bool {
        self.some_leaf(|leaf| {
            matches!(
                leaf,
                Self::ResponseHeader(..) | Self::ResponseSize(_) | Self::ResponseStatus(_) | Self::ResponseType(_)
            )
        })
    }
}

fn one_or(mut parts: Vec<Condition>, wrap: impl FnOnce(Vec<Condition>) -> Condition) -> Option<Condition> {
    let last = parts.pop()?;
    if parts.is_empty() {
        return Some(last);
    }
    parts.push(last);
    Some(wrap(parts))
}

fn flatten_all(part: Condition, flat: &mut Vec<Condition>, negated: &mut Vec<Condition>) {
    match part {
        Condition::Always => {}
        Condition::All(parts) => parts.into_iter().for_each(|part| flatten_all(part, flat, negated)),
        Condition::Not(inner) => negated.push(*inner),
        other => flat.push(other),
    }
}

fn flatten_any(part: Condition, flat: &mut Vec<Condition>) {
    match part {
        Condition::Any(parts) => parts.into_iter().for_each(|part| flatten_any(part, flat)),
        Condition::Address(Addresses::Networks(more)) => {
            let known = flat.iter_mut().find_map(|part| match part {
                Condition::Address(Addresses::Networks(networks)) => Some(networks),
                _ => None,
            });
            match known {
                Some(networks) => networks.extend(more),
                None => flat.push(Condition::Address(Addresses::Networks(more))),
            }
        }
        Condition::Destination(Addresses::Networks(more)) => {
            let known = flat.iter_mut().find_map(|part| match part {
                Condition::Destination(Addresses::Networks(networks)) => Some(networks),
                _ => None,
            });
            match known {
                Some(networks) => networks.extend(more),
                None => flat.push(Condition::Destination(Addresses::Networks(more))),
            }
        }
        other => flat.push(other),
    }
}

/// Fields in the order of the reference, headers and their like by name.
fn order(condition: &Condition) -> FieldOf<'_> {
    match condition {
        Condition::Not(_) => (NEGATED, None),
        other => other.field().unwrap_or((MIXED, None)),
    }
}

/// Ranks follow the order of fields in the reference.
fn leaf(condition: &Condition) -> Option<FieldOf<'_>> {
    let field = match condition {
        Condition::All(_) | Condition::Any(_) | Condition::Always | Condition::Not(_) => return None,
        Condition::Host(_) => (0, None),
        Condition::Path(_) => (1, None),
        Condition::Method(_) => (2, None),
        Condition::Header(name, _) => (3, Some(name.as_str())),
        Condition::Query(name, _) => (4, Some(name.as_str())),
        Condition::Cookie(name, _) => (5, Some(name.as_str())),
        Condition::Address(_) => (6, None),
        Condition::Identity(_) | Condition::IdentityList(_) | Condition::NoIdentity => (7, None),
        Condition::Claim(name, _) => (8, Some(name.as_str())),
        Condition::Sni(_) => (9, None),
        Condition::Port(_) => (10, None),
        Condition::Destination(_) => (11, None),
        Condition::TlsMutual(_) => (12, None),
        Condition::TlsVersion(_) => (13, None),
        Condition::Fingerprint(_) | Condition::FingerprintList(_) => (14, None),
        Condition::AgentClass(_) => (15, None),
        Condition::AgentName(_) => (16, None),
        Condition::AgentVerified(_) => (17, None),
        Condition::Country(_) | Condition::CountryList(_) => (18, None),
        Condition::Asn(_) | Condition::AsnList(_) => (19, None),
        Condition::Size(_) => (20, None),
        Condition::Time(_) => (21, None),
        Condition::Verdict(_) => (22, None),
        Condition::Label(_) => (23, None),
        Condition::Score { .. } => (24, None),
        Condition::ResponseStatus(_) => (25, None),
        Condition::ResponseHeader(name, _) => (26, Some(name.as_str())),
        Condition::ResponseType(_) => (27, None),
        Condition::ResponseSize(_) => (28, None),
    };
    Some(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn method(name: &str) -> Condition {
        Condition::Method(name.into())
    }

    fn port(port: u16) -> Condition {
        Condition::Port(port)
    }

    fn shown(condition: &Condition) -> String {
        format!("{condition:?}")
    }

    #[test]
    fn nested_groups_become_flat_ones() {
        let nested = Condition::all([Condition::all([port(1), method("A")]), Condition::Always, port(2)]);
        assert_eq!(shown(&nested), shown(&Condition::All(vec![method("A"), port(1), port(2)])));
        let nested = Condition::any([Condition::any([port(1), method("A")]), port(2)]);
        assert_eq!(shown(&nested), shown(&Condition::Any(vec![port(1), method("A"), port(2)])));
    }

    #[test]
    fn a_group_of_one_is_that_one_and_an_empty_one_holds_always() {
        assert_eq!(shown(&Condition::all([Condition::any([port(1)])])), shown(&port(1)));
        assert_eq!(shown(&Condition::all([Condition::Always])), shown(&Condition::Always));
        assert_eq!(shown(&Condition::any([port(1), Condition::Always])), shown(&Condition::Always));
    }

    #[test]
    fn negations_that_hold_together_are_one_and_two_are_none() {
        let both = Condition::all([port(1).negated(), method("A"), port(2).negated()]);
        let expected = Condition::All(vec![method("A"), Condition::Any(vec![port(1), port(2)]).negated()]);
        assert_eq!(shown(&both), shown(&expected));
        assert_eq!(shown(&port(1).negated().negated()), shown(&port(1)));
    }

    #[test]
    fn a_verdict_is_asked_for_at_the_top_only() {
        let verdict = || {
            Condition::Verdict(super::super::types::ListName {
                name: "b".into(),
                place: crate::document::Place::pointer("p"),
            })
        };
        assert!(verdict().asks_for_verdict() && Condition::all([port(1), verdict()]).asks_for_verdict());
        assert!(Condition::any([verdict(), verdict()]).asks_for_verdict());
        assert!(!Condition::any([verdict(), port(1)]).asks_for_verdict() && !verdict().negated().asks_for_verdict());
    }
}
