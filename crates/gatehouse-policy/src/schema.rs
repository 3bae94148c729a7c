//! The words of the policy language as one table: what `docs/policy.md`, the JSON Schema for editors and the schema of the
//! Kubernetes resource are made of. A test holds it and the readers together: a word that a reader takes and the table does
//! not have fails, and the other way round; every example of the table is read.
//!
//! | module | holds |
//! |---|---|
//! | `words` | the table: every map of the language with its fields |
//! | `kinds` | how texts are written: durations, rates, paths, … |
//! | `json` | JSON Schema (2020-12) of everything that may be written |
//! | `crd` | the structural schema of the long form, as a CustomResourceDefinition |
//! | `markdown` | the reference |

mod crd;
mod json;
mod kinds;
mod markdown;
mod words;

#[cfg(test)]
mod tests;

pub use crd::{crd, tcp_crd};
pub use json::json_schema;
pub use markdown::markdown;

use kinds::Kind;

/// A map of the language.
struct Object {
    /// What readers and other objects call it.
    id: &'static str,
    /// What the reference calls it.
    title: &'static str,
    meaning: &'static str,
    /// A document's `spec` with `@` where the fields of such a map stand; empty: it is not part of a `spec`.
    #[cfg_attr(not(test), expect(dead_code, reason = "the examples of the fields are tested in it"))]
    context: &'static str,
    fields: &'static [Field],
    /// Exactly one of the fields stands in it.
    one: bool,
}

/// One field of a map.
struct Field {
    word: &'static str,
    shape: Shape,
    /// What holds where it is not written; `required`: nothing does.
    default: &'static str,
    meaning: &'static str,
    /// Fields of the map in flow form, this one among them; each is a case of a test.
    example: &'static str,
    /// Version of the first release that has it; empty: its machinery is not built yet, the word is refused.
    since: &'static str,
}

/// The forms that a field's value may have.
enum Shape {
    /// One form only.
    One(Type),
    /// The long form, and a short one.
    Or(Type, Type),
    /// The long form, and a short one, which may be a list.
    OrMany(Type, Type),
    /// A list of these; one may stand alone.
    Many(Type),
    /// A list, also of one.
    List(Type),
    /// A list, or this in its stead.
    ListOr(Type, Type),
    /// A list of the first; the second is its short form, and one may stand alone.
    Values(Type, Type),
    /// A map from the operator's own names to these.
    Names(Kind, &'static Shape),
    /// Written in short forms only: the long form says it elsewhere.
    Short(&'static Shape),
    /// Not read yet.
    Later,
}

/// A single value.
#[derive(Clone, Copy)]
enum Type {
    Bool,
    Integer(i64, i64),
    /// A status, a class or a range of them; a number may stand for itself.
    Status,
    Text(Kind),
    Word(&'static [&'static str]),
    Object(&'static str),
    /// A number that may be written without quotes, though it is a text.
    Version,
}

/// The object called `id`; a test holds that there is one.
fn object(id: &str) -> Option<&'static Object> {
    words::objects().find(|object| object.id == id)
}

impl Field {
    /// It must be written, in whatever form.
    fn is_required(&self) -> bool {
        self.default == "required"
    }

    /// It stands in the long form.
    fn is_long(&self) -> bool {
        !matches!(self.shape, Shape::Short(_) | Shape::Later)
    }

    fn is_built(&self) -> bool {
        !self.since.is_empty()
    }
}
