//! The filter's CEL lists: `[has(a.b) ? a.b : '','k' in m.n ? m.n['k'] : '',…]`. Only these two forms exist; another one is a
//! failed `expr_create`, as a syntax error would be under Envoy.

use std::collections::BTreeMap;

/// The dotted path that each element reads.
#[derive(Debug, Clone)]
pub(crate) struct Expression(Vec<String>);

impl Expression {
    pub(crate) fn parse(source: &str) -> Option<Self> {
        let inner = source.strip_prefix('[')?.strip_suffix(']')?;
        inner.split(',').map(element).collect::<Option<_>>().map(Self)
    }

    /// Values in order; an absent one is empty, as its guard says.
    pub(crate) fn evaluate(&self, properties: &BTreeMap<String, Vec<u8>>) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.0.iter().map(|path| (properties.get(path).cloned().unwrap_or_default(), Vec::new())).collect()
    }
}

fn element(text: &str) -> Option<String> {
    let (guard, values) = text.split_once(" ? ")?;
    let (value, otherwise) = values.split_once(" : ")?;
    if otherwise != "''" {
        return None;
    }
    if let Some(path) = guard.strip_prefix("has(").and_then(|rest| rest.strip_suffix(')')) {
        return (path == value).then(|| path.to_owned());
    }
    let (key, map) = guard.split_once(" in ")?;
    let key = key.strip_prefix('\'')?.strip_suffix('\'')?;
    (value == format!("{map}['{key}']")).then(|| format!("{map}.{key}"))
}
