//! Literals that a regex needs: whatever it finds holds one of them, in any letter case. So a value that holds none need not be
//! tried.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Most texts of a set.
const MAX_TEXTS: usize = 32;
/// Most sets that are kept.
const MAX_SETS: usize = 8;
/// Most bytes of a text.
const MAX_BYTES: usize = 64;
/// Most bytes of a class that are told apart.
const MAX_CLASS: usize = 4;

type Texts = BTreeSet<Vec<u8>>;

/// Sets of texts in lower case: of each set one is in every value in which `pattern` is found; none: no such texts are known.
/// The longest first. `None`: it is no pattern.
pub(crate) fn literals(pattern: &str) -> Option<Vec<Vec<Vec<u8>>>> {
    let hir = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern).ok()?;
    Some(Found::of(&hir).needed.into_iter().map(|texts| texts.into_iter().collect()).collect())
}

/// The pattern that finds these bytes as they are.
pub(crate) fn escape(literal: &[u8]) -> String {
    let escaped = |byte: &u8| match byte {
        b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b' ' | b'/' | b'-' | b'_' => char::from(*byte).to_string(),
        byte => format!("\\x{byte:02X}"),
    };
    literal.iter().map(escaped).collect()
}

/// What is known of the texts that a part of a regex matches.
#[derive(Default)]
struct Found {
    /// It matches these texts and no others.
    exact: Option<Texts>,
    /// Whatever it matches holds one of each of these; no text is empty.
    needed: Vec<Texts>,
}

impl Found {
    fn exactly(texts: Texts) -> Self {
        let fits = texts.len() <= MAX_TEXTS && texts.iter().all(|text| text.len() <= MAX_BYTES);
        let needed = best(vec![texts.clone()]);
        Self { exact: fits.then_some(texts), needed }
    }

    fn of(hir: &Hir) -> Self {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Self::exactly(BTreeSet::from([Vec::new()])),
            HirKind::Literal(literal) => Self::exactly(BTreeSet::from([literal.0.to_ascii_lowercase()])),
            HirKind::Class(class) => bytes(class)
                .map_or_else(Self::default, |bytes| Self::exactly(bytes.into_iter().map(|byte| vec![byte]).collect())),
            HirKind::Capture(capture) => Self::of(&capture.sub),
            HirKind::Concat(parts) => concat(parts.iter().map(Self::of)),
            HirKind::Alternation(parts) => alternation(parts.iter().map(Self::of)),
            HirKind::Repetition(repetition) => {
                let sub = Self::of(&repetition.sub);
                match (repetition.min, repetition.max) {
                    (0, Some(1)) => match sub.exact {
                        Some(texts) => Self::exactly(texts.into_iter().chain([Vec::new()]).collect()),
                        None => Self::default(),
                    },
                    (0, _) => Self::default(),
                    (least, most) => {
                        let times = least.min(MAX_BYTES as u32);
                        let repeated =
                            concat((0..times).map(|_| Self { exact: sub.exact.clone(), needed: sub.needed.clone() }));
                        let exact = repeated.exact.filter(|_| most == Some(times));
                        Self { exact, needed: repeated.needed }
                    }
                }
            }
        }
    }
}

fn concat(parts: impl Iterator<Item = Found>) -> Found {
    let whole = || BTreeSet::from([Vec::new()]);
    let (mut run, mut needed, mut exact) = (whole(), Vec::new(), true);
    for part in parts {
        let joined = part.exact.as_ref().and_then(|texts| product(&run, texts));
        if let Some(joined) = joined {
            run = joined;
            continue;
        }
        exact = false;
        needed.push(core::mem::replace(&mut run, whole()));
        match part.exact {
            Some(texts) => run = texts,
            None => needed.extend(part.needed),
        }
    }
    needed.push(run.clone());
    Found { exact: exact.then_some(run), needed: best(needed) }
}

fn alternation(parts: impl Iterator<Item = Found>) -> Found {
    let join = |all: Option<Texts>, own: Option<Texts>| {
        let mut all = all?;
        all.extend(own?);
        (all.len() <= MAX_TEXTS).then_some(all)
    };
    let (mut exact, mut needed) = (Some(Texts::new()), Some(Texts::new()));
    for part in parts {
        exact = join(exact, part.exact);
        needed = join(needed, part.needed.into_iter().next());
    }
    Found { exact, needed: best(needed.into_iter().collect()) }
}

/// Every text of the one followed by every text of the other, unless they are too many or too long.
fn product(first: &Texts, second: &Texts) -> Option<Texts> {
    let longest = |texts: &Texts| texts.iter().map(Vec::len).max().unwrap_or(0);
    if first.len() * second.len() > MAX_TEXTS || longest(first) + longest(second) > MAX_BYTES {
        return None;
    }
    Some(first.iter().flat_map(|a| second.iter().map(move |b| [a.as_slice(), b].concat())).collect())
}

/// The most telling of these sets: the shortest text longer first, of equals the fewer texts.
fn best(mut sets: Vec<Texts>) -> Vec<Texts> {
    sets.retain(|texts| is_telling(texts) && texts.len() <= MAX_TEXTS);
    sets.sort_by_key(|texts| (Reverse(texts.iter().map(Vec::len).min()), texts.len()));
    sets.truncate(MAX_SETS);
    sets
}

/// There are texts, and none is empty.
fn is_telling(texts: &Texts) -> bool {
    !texts.is_empty() && texts.iter().all(|text| !text.is_empty())
}

/// The bytes of a small class, in lower case.
fn bytes(class: &Class) -> Option<BTreeSet<u8>> {
    let Class::Bytes(class) = class else {
        return None;
    };
    let mut bytes = BTreeSet::new();
    for range in class.ranges() {
        for byte in range.start()..=range.end() {
            bytes.insert(byte.to_ascii_lowercase());
            if bytes.len() > MAX_CLASS {
                return None;
            }
        }
    }
    Some(bytes)
}
