//! The long form as a Kubernetes structural schema: one type at each place, no references, so matches nest typed once and
//! below that as free maps, which the house and `gatehouse check` read all the same.

use super::{Field, Kind, Object, Shape, Type, object};
use crate::canonical::{Map, Written};

/// Statuses as texts.
pub(super) const STATUS: &str = "^[1-5]([0-9]{2}|xx)(-[1-5][0-9]{2})?$";
/// Keys of a match that hold matches.
const NESTING: [&str; 3] = ["not", "any", "all"];

/// The CustomResourceDefinition of `Policy`, as YAML.
#[must_use]
pub fn crd() -> String {
    resource("Policy", "policies", "policy")
}

/// That of `TcpPolicy`.
#[must_use]
pub fn tcp_crd() -> String {
    resource("TcpPolicy", "tcppolicies", "tcppolicy")
}

fn resource(kind: &str, plural: &str, singular: &str) -> String {
    let mut writer = Writer { described: Vec::new() };
    let spec = object("spec").map_or(Written::Bool(true), |spec| writer.object(spec, Depth::Whole));
    let status = Map::new().text("type", "object").entry("x-kubernetes-preserve-unknown-fields", Written::Bool(true));
    let schema = Map::new()
        .text("type", "object")
        .text("description", "A policy of Gatehouse, in its long form (`gatehouse check --canonical` prints it)")
        .list("required", [text("spec")])
        .map("properties", Map::new().entry("spec", spec).map("status", status));
    let version = Map::new()
        .text("name", "v1")
        .entry("served", Written::Bool(true))
        .entry("storage", Written::Bool(true))
        .map("schema", Map::new().map("openAPIV3Schema", schema))
        .map("subresources", Map::new().map("status", Map::new()))
        .list("additionalPrinterColumns", [column("Scope", ".spec.scope"), column("Mode", ".spec.mode")]);
    let names = Map::new()
        .text("kind", kind)
        .text("listKind", &format!("{kind}List"))
        .text("plural", plural)
        .text("singular", singular);
    let whole = Map::new()
        .text("apiVersion", "apiextensions.k8s.io/v1")
        .text("kind", "CustomResourceDefinition")
        .map("metadata", Map::new().text("name", &format!("{plural}.gatehouse.dev")))
        .map(
            "spec",
            Map::new()
                .text("group", "gatehouse.dev")
                .text("scope", "Namespaced")
                .map("names", names)
                .list("versions", [version.done()]),
        );
    format!(
        "# Made by `make reference`; change the table in crates/gatehouse-policy/src/schema.\n{}",
        whole.done().yaml()
    )
}

fn column(name: &str, path: &str) -> Written {
    Map::new().text("name", name).text("type", "string").text("jsonPath", path).done()
}

fn text(value: &str) -> Written {
    Written::Text(value.to_owned())
}

/// How much of a match is spelled out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    Whole,
    /// Inside `not`, `any` or `all`: what nests further is a free map.
    Nested,
}

struct Writer {
    /// Objects whose fields were described already: once is enough, the resource must stay small.
    described: Vec<&'static str>,
}

impl Writer {
    fn object(&mut self, object: &'static Object, depth: Depth) -> Written {
        let first = !self.described.contains(&object.id);
        self.described.push(object.id);
        let long = || object.fields.iter().filter(|field| field.is_long());
        let required: Vec<Written> =
            long().filter(|field| field.default.starts_with("required")).map(|field| text(field.word)).collect();
        let mut properties = Map::new();
        for field in long() {
            properties = properties.entry(field.word, self.property(field, first, depth));
        }
        let map = Map::new().text("type", "object").many("required", required);
        let map = if object.one {
            map.entry("minProperties", Written::Number(1)).entry("maxProperties", Written::Number(1))
        } else {
            map
        };
        if properties.is_empty() { map.done() } else { map.map("properties", properties).done() }
    }

    fn property(&mut self, field: &'static Field, describe: bool, depth: Depth) -> Written {
        let nests = NESTING.contains(&field.word);
        let schema = match (nests, depth) {
            (true, Depth::Nested) => array(free()),
            (true, Depth::Whole) => self.shape(&field.shape, Depth::Nested),
            (false, _) => self.shape(&field.shape, depth),
        };
        match schema {
            Written::Map(mut entries) if describe && !field.meaning.is_empty() => {
                let place = usize::from(!entries.is_empty());
                entries.insert(place, ("description".to_owned(), text(field.meaning)));
                Written::Map(entries)
            }
            other => other,
        }
    }

    fn shape(&mut self, shape: &'static Shape, depth: Depth) -> Written {
        match shape {
            Shape::One(one) | Shape::Or(one, _) | Shape::OrMany(one, _) => self.single(*one, depth),
            Shape::Many(one) | Shape::List(one) | Shape::ListOr(one, _) | Shape::Values(one, _) => {
                array(self.single(*one, depth))
            }
            Shape::Names(_, value) => {
                let value = self.shape(value, depth);
                // A shape that may be one or many is many in its long form.
                Map::new().text("type", "object").entry("additionalProperties", value).done()
            }
            Shape::Short(_) | Shape::Later => free(),
        }
    }

    fn single(&mut self, one: Type, depth: Depth) -> Written {
        match one {
            Type::Bool => Map::new().text("type", "boolean").done(),
            Type::Integer(least, most) => Map::new()
                .text("type", "integer")
                .text("format", "int64")
                .entry("minimum", Written::Number(least))
                .entry("maximum", Written::Number(most))
                .done(),
            Type::Status => {
                Map::new().entry("x-kubernetes-int-or-string", Written::Bool(true)).text("pattern", STATUS).done()
            }
            Type::Text(kind) => schema_of_kind(kind),
            Type::Word(words) => {
                Map::new().text("type", "string").list("enum", words.iter().map(|word| text(word))).done()
            }
            Type::Version => {
                Map::new().text("type", "string").list("enum", ["1.0", "1.1", "1.2", "1.3"].map(text)).done()
            }
            // Rules of layers are few: their matches nest as free maps, which keeps the resource small.
            Type::Object("layer") => object("layer").map_or_else(free, |layer| self.object(layer, Depth::Nested)),
            Type::Object(id) => object(id).map_or_else(free, |object| self.object(object, depth)),
        }
    }
}

fn schema_of_kind(kind: Kind) -> Written {
    let pattern = kind.about().pattern;
    let longest = kind.longest().and_then(|longest| i64::try_from(longest).ok());
    Map::new()
        .text("type", "string")
        .some("pattern", (!pattern.is_empty()).then(|| text(pattern)))
        .some("maxLength", longest.map(Written::Number))
        .done()
}

fn array(items: Written) -> Written {
    Map::new().text("type", "array").entry("items", items).done()
}

/// A map whose fields the API server does not look at.
fn free() -> Written {
    Map::new().text("type", "object").entry("x-kubernetes-preserve-unknown-fields", Written::Bool(true)).done()
}
