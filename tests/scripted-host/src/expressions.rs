//! The filter's CEL lists: `[a.b,has(a.b) ? a.b : '','k' in m.n ? m.n['k'] : '',(…) ? … : '',…]`. Only these forms exist (the
//! last one asks for a claim of a verified token); another one is a failed `expr_create`, as a syntax error would be under Envoy.
//! A claim is found by its whole name here, dots or not.

use crate::world::{Claim, World};

/// Where a verified token lies.
const TOKEN: &str = "metadata.filter_metadata['envoy.filters.http.jwt_authn']['payload']";

/// The elements in order.
#[derive(Debug, Clone)]
pub(crate) struct Expression(Vec<Element>);

#[derive(Debug, Clone)]
enum Element {
    Attribute {
        path: String,
        guarded: bool,
    },
    /// Whether there is a token.
    Token,
    /// A claim, if it is of this kind.
    Claim {
        name: String,
        kind: Kind,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    List,
}

impl Expression {
    pub(crate) fn parse(source: &str) -> Option<Self> {
        let inner = source.strip_prefix('[')?.strip_suffix(']')?;
        inner.split(',').map(element).collect::<Option<_>>().map(Self)
    }

    /// Values in order; an absent one is empty where it is guarded, and fails the list (`None`) where it is not.
    pub(crate) fn evaluate(&self, world: &World) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let claims = world.claims.as_ref();
        let value = |element: &Element| match element {
            Element::Attribute { path, guarded } => match world.properties.get(path) {
                Some(value) => Some(value.clone()),
                None => guarded.then(Vec::new),
            },
            Element::Token => Some(claims.map_or_else(Vec::new, |_| b"y".to_vec())),
            Element::Claim { name, kind } => Some(match (claims.and_then(|claims| claims.get(name)), kind) {
                (Some(Claim::Text(text)), Kind::Text) => text.clone().into_bytes(),
                (Some(Claim::Number(number)), Kind::Number) => number.to_le_bytes().to_vec(),
                (Some(Claim::List(_)), Kind::List) => b"w".to_vec(),
                _ => Vec::new(),
            }),
        };
        self.0.iter().map(|element| Some((value(element)?, Vec::new()))).collect()
    }
}

fn element(text: &str) -> Option<Element> {
    let Some((guard, values)) = text.split_once(" ? ") else {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
        return plain.then(|| Element::Attribute { path: text.to_owned(), guarded: false });
    };
    if guard.starts_with('(') {
        return claim(values);
    }
    let (value, otherwise) = values.split_once(" : ")?;
    if otherwise != "''" {
        return None;
    }
    if let Some(path) = guard.strip_prefix("has(").and_then(|rest| rest.strip_suffix(')')) {
        return (path == value).then(|| Element::Attribute { path: path.to_owned(), guarded: true });
    }
    let (key, map) = guard.split_once(" in ")?;
    let key = key.strip_prefix('\'')?.strip_suffix('\'')?;
    (value == format!("{map}['{key}']")).then(|| Element::Attribute { path: format!("{map}.{key}"), guarded: true })
}

/// What stands behind the guard of a claim: `'y' : ''`, or `(type(PLACE) == KIND ? …`.
fn claim(values: &str) -> Option<Element> {
    if values == "'y' : ''" {
        return Some(Element::Token);
    }
    let (place, rest) = values.strip_prefix("(type(")?.split_once(") == ")?;
    let kind = match rest.split(' ').next()? {
        "string" => Kind::Text,
        "double" => Kind::Number,
        "list" => Kind::List,
        _ => return None,
    };
    let name = place.strip_prefix(TOKEN)?.strip_prefix("['")?.strip_suffix("']")?;
    Some(Element::Claim { name: name.to_owned(), kind })
}

/// The values of a claim that is a list, asked for as a property.
pub(crate) fn listed(world: &World, path: &str) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let name = path.strip_prefix("metadata.filter_metadata.envoy.filters.http.jwt_authn.payload.")?;
    match world.claims.as_ref()?.get(name)? {
        Claim::List(texts) => Some(texts.iter().map(|text| (text.clone().into_bytes(), Vec::new())).collect()),
        Claim::Text(_) | Claim::Number(_) => None,
    }
}
