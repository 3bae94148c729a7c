//! The filter's CEL lists: `[a.b,has(a.b) ? a.b : '','k' in m.n ? m.n['k'] : '',…]`. Only these three forms exist; another one
//! is a failed `expr_create`, as a syntax error would be under Envoy.

use std::collections::BTreeMap;

/// The elements in order.
#[derive(Debug, Clone)]
pub(crate) struct Expression(Vec<Element>);

#[derive(Debug, Clone)]
struct Element {
    path: String,
    guarded: bool,
}

impl Expression {
    pub(crate) fn parse(source: &str) -> Option<Self> {
        let inner = source.strip_prefix('[')?.strip_suffix(']')?;
        inner.split(',').map(element).collect::<Option<_>>().map(Self)
    }

    /// Values in order; an absent one is empty where it is guarded, and fails the list (`None`) where it is not.
    pub(crate) fn evaluate(&self, properties: &BTreeMap<String, Vec<u8>>) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
        let value = |element: &Element| match properties.get(&element.path) {
            Some(value) => Some((value.clone(), Vec::new())),
            None => element.guarded.then(Default::default),
        };
        self.0.iter().map(value).collect()
    }
}

fn element(text: &str) -> Option<Element> {
    let Some((guard, values)) = text.split_once(" ? ") else {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._".contains(&b));
        return plain.then(|| Element { path: text.to_owned(), guarded: false });
    };
    let (value, otherwise) = values.split_once(" : ")?;
    if otherwise != "''" {
        return None;
    }
    if let Some(path) = guard.strip_prefix("has(").and_then(|rest| rest.strip_suffix(')')) {
        return (path == value).then(|| Element { path: path.to_owned(), guarded: true });
    }
    let (key, map) = guard.split_once(" in ")?;
    let key = key.strip_prefix('\'')?.strip_suffix('\'')?;
    (value == format!("{map}['{key}']")).then(|| Element { path: format!("{map}.{key}"), guarded: true })
}
