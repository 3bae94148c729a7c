//! What a layer says for those below it.

use super::super::{Field, Kind, Object, Shape, Type};
use super::FIRST;

pub(super) const OBJECTS: &[Object] = &[
    Object {
        id: "layer",
        title: "`defaults` and `mandates`",
        meaning: "What a layer says for itself and everything below it. Rules of `mandates` come before every other rule, those of `defaults` after. Where a document says something by itself and by its `defaults`, its own word holds for its own hosts, and its `defaults` for those below.",
        context: "scope: acme, mandates: { @ }",
        one: false,
        fields: &[
            Field {
                word: "client",
                shape: Shape::One(Type::Object("client")),
                default: "",
                meaning: "as in `spec`",
                example: "client: { key: address }",
                since: FIRST,
            },
            Field {
                word: "otherwise",
                shape: Shape::Or(Type::Object("otherwise"), Type::Word(&["allow", "block"])),
                default: "",
                meaning: "as in `spec`",
                example: "otherwise: block",
                since: FIRST,
            },
            Field {
                word: "ambiguous",
                shape: Shape::One(Type::Word(&["strictest", "reject"])),
                default: "",
                meaning: "as in `spec`",
                example: "ambiguous: reject",
                since: FIRST,
            },
            Field {
                word: "backend",
                shape: Shape::One(Type::Object("backend")),
                default: "",
                meaning: "as in `spec`",
                example: "backend: { decodes: 2 }",
                since: FIRST,
            },
            Field {
                word: "forward",
                shape: Shape::One(Type::Word(&["canonical", "received"])),
                default: "",
                meaning: "as in `spec`",
                example: "forward: canonical",
                since: FIRST,
            },
            Field {
                word: "support",
                shape: Shape::One(Type::Object("support")),
                default: "",
                meaning: "as in `spec`",
                example: "support: { text: Ask us. }",
                since: FIRST,
            },
            Field {
                word: "identityHeaders",
                shape: Shape::Or(Type::Object("identityHeaders"), Type::Word(&["strip", "refuse"])),
                default: "",
                meaning: "as in `spec`",
                example: "identityHeaders: refuse",
                since: FIRST,
            },
            Field {
                word: "requireMutualTls",
                shape: Shape::One(Type::Bool),
                default: "",
                meaning: "as in `spec`",
                example: "requireMutualTls: true",
                since: FIRST,
            },
            Field {
                word: "rules",
                shape: Shape::List(Type::Object("rule")),
                default: "",
                meaning: "rules of the tier of mandates, or of defaults",
                example: "rules: [{ name: r, match: { method: TRACE }, then: block }]",
                since: FIRST,
            },
        ],
    },
    Object {
        id: "grant",
        title: "A grant",
        meaning: "Where a layer grants, every host that a scope below claims must lie in a grant to that scope or one above it; each layer that grants must have granted it.",
        context: "scope: acme, grants: [{ @ }]",
        one: false,
        fields: &[
            Field {
                word: "to",
                shape: Shape::One(Type::Text(Kind::Scope)),
                default: "required",
                meaning: "a scope below the document's own; it and all below it may claim",
                example: "to: acme/retail, hosts: shop.example.com",
                since: FIRST,
            },
            Field {
                word: "hosts",
                shape: Shape::Many(Type::Text(Kind::Host)),
                default: "required",
                meaning: "what may be claimed",
                example: "to: acme/retail/shop, hosts: [shop.example.com, \"*.shop.example.com\"]",
                since: FIRST,
            },
        ],
    },
];
