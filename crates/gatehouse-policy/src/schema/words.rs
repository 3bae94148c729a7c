//! The table itself, in the order of the reference.

mod document;
mod layers;
mod limit;
mod matching;
mod rules;
mod settings;
mod then;
mod values;

use super::{Kind, Object, Shape, Type};

/// Every map of the language.
pub(super) fn objects() -> impl Iterator<Item = &'static Object> {
    [
        document::OBJECTS,
        layers::OBJECTS,
        settings::OBJECTS,
        rules::OBJECTS,
        matching::OBJECTS,
        values::OBJECTS,
        limit::OBJECTS,
        then::OBJECTS,
    ]
    .into_iter()
    .flatten()
}

/// Version of the first release; words that come later name theirs.
const FIRST: &str = "0.1";

/// Values of headers, parameters, cookies and claims.
const TEXTS: Shape = Shape::Values(Type::Object("text"), Type::Text(Kind::TextMatch));
/// Classes of agents.
const CLASSES: &[&str] = &["browser", "app", "library", "crawler", "ai-crawler", "scanner", "unknown"];
/// The number of an autonomous system.
const ASN: Type = Type::Integer(1, u32::MAX as i64);
