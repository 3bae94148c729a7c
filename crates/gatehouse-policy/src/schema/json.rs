//! JSON Schema (2020-12) of everything that may be written, short forms and long ones: for editors.

use serde_json::{Map, Value, json};

use super::{Field, Kind, Object, Shape, Type, words};

/// The schema of one document, as JSON text.
#[must_use]
pub fn json_schema() -> String {
    let mut defs = Map::new();
    for object in words::objects() {
        defs.insert(object.id.to_owned(), schema_of(object));
    }
    for kind in Kind::ALL {
        defs.insert(kind_id(kind), schema_of_kind(kind));
    }
    let whole = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Gatehouse policy",
        "description": "A policy document; made from the table that the reference is made from",
        "$ref": "#/$defs/document",
        "$defs": defs,
    });
    let mut text = serde_json::to_string_pretty(&whole).unwrap_or_default();
    text.push('\n');
    text
}

fn reference(id: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{id}") })
}

fn kind_id(kind: Kind) -> String {
    format!("{kind:?}")
}

fn schema_of_kind(kind: Kind) -> Value {
    let about = kind.about();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "string".into());
    if !about.pattern.is_empty() {
        schema.insert("pattern".to_owned(), about.pattern.into());
    }
    if let Some(longest) = kind.longest() {
        schema.insert("maxLength".to_owned(), longest.into());
    }
    if !about.meaning.is_empty() {
        schema.insert("description".to_owned(), about.meaning.into());
    }
    Value::Object(schema)
}

fn schema_of(object: &Object) -> Value {
    let built = || object.fields.iter().filter(|field| field.is_built());
    let properties: Map<String, Value> = built().map(|field| (field.word.to_owned(), property(field))).collect();
    let required: Vec<&str> = built().filter(|field| field.is_required()).map(|field| field.word).collect();
    let mut schema = Map::new();
    schema.insert("type".to_owned(), "object".into());
    schema.insert("additionalProperties".to_owned(), false.into());
    schema.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        schema.insert("required".to_owned(), required.into());
    }
    if object.one {
        schema.insert("minProperties".to_owned(), 1.into());
        schema.insert("maxProperties".to_owned(), 1.into());
    }
    if !object.meaning.is_empty() {
        schema.insert("description".to_owned(), object.meaning.into());
    }
    Value::Object(schema)
}

fn property(field: &Field) -> Value {
    let mut schema = shape(&field.shape);
    if let Value::Object(schema) = &mut schema {
        let told = [field.meaning, field.default].into_iter().filter(|text| !text.is_empty() && *text != "required");
        let told: Vec<&str> = told.collect();
        if !told.is_empty() {
            schema.insert("description".to_owned(), told.join("; default: ").into());
        }
    }
    schema
}

fn shape(shape: &Shape) -> Value {
    let list = |items: Value| json!({ "type": "array", "items": items });
    match shape {
        Shape::One(one) => single(*one),
        Shape::Or(long, short) => json!({ "anyOf": [single(*short), single(*long)] }),
        Shape::OrMany(long, short) => json!({ "anyOf": [single(*short), list(single(*short)), single(*long)] }),
        Shape::Many(one) => json!({ "anyOf": [single(*one), list(single(*one))] }),
        Shape::List(one) => list(single(*one)),
        Shape::ListOr(one, other) => json!({ "anyOf": [single(*other), list(single(*one))] }),
        Shape::Values(long, short) => {
            let value = json!({ "anyOf": [single(*short), single(*long)] });
            json!({ "anyOf": [single(*short), single(*long), list(value)] })
        }
        Shape::Names(kind, value) => json!({
            "type": "object",
            "propertyNames": reference(&kind_id(*kind)),
            "additionalProperties": self::shape(value),
        }),
        Shape::Short(inner) => self::shape(inner),
        Shape::Later => json!(false),
    }
}

fn single(one: Type) -> Value {
    match one {
        Type::Bool => json!({ "type": "boolean" }),
        Type::Integer(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Type::Status => json!({ "anyOf": [
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": super::crd::STATUS },
        ] }),
        Type::Text(kind) => reference(&kind_id(kind)),
        Type::Word(words) => json!({ "enum": words }),
        // A weight has a short form with two keys.
        Type::Object("then") => json!({ "anyOf": [reference("then"), reference("weighed")] }),
        Type::Object(id) => reference(id),
        Type::Version => json!({ "enum": ["1.0", "1.1", "1.2", "1.3", 1.0, 1.1, 1.2, 1.3] }),
    }
}
