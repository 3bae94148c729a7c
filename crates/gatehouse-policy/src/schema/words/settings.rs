//! Settings of a document.

use super::super::{Field, Kind, Object, Shape, Type};
use super::FIRST;
use crate::spec::bounds;

pub(super) const OBJECTS: &[Object] = &[
    Object {
        id: "client",
        title: "`client`",
        meaning: "Who the client is: decided once, by proof, never by what a stranger wrote in a header.",
        context: "client: { @ }",
        one: false,
        fields: &[
            Field {
                word: "address",
                shape: Shape::One(Type::Object("client.address")),
                default: "the connection's peer",
                meaning: "where the client's address is read, and whose word is taken",
                example: "address: { from: forwarded, hops: 1 }",
                since: FIRST,
            },
            Field {
                word: "key",
                shape: Shape::Many(Type::Text(Kind::ClientKey)),
                default: "`[identity, address]`",
                meaning: "the client's key: the first of these that is proven",
                example: "key: [jwt.sub, identity, address]",
                since: FIRST,
            },
        ],
    },
    Object {
        id: "client.address",
        title: "`client.address`",
        meaning: "From the connection's peer outwards, through proxies that are trusted, to the first that is not. Either `trust` or `hops`; neither with `from: peer`.",
        context: "client: { address: { @ } }",
        one: false,
        fields: &[
            Field {
                word: "from",
                shape: Shape::One(Type::Text(Kind::AddressSource)),
                default: "required",
                meaning: "where proxies tell for whom they speak",
                example: "from: peer",
                since: FIRST,
            },
            Field {
                word: "trust",
                shape: Shape::Many(Type::Text(Kind::Network)),
                default: "",
                meaning: "networks of the proxies; `[]` trusts nobody",
                example: "from: x-forwarded-for, trust: [10.0.0.0/8]",
                since: FIRST,
            },
            Field {
                word: "hops",
                shape: Shape::One(Type::Integer(0, bounds::HOPS)),
                default: "",
                meaning: "number of the proxies, where their addresses are not known",
                example: "from: x-forwarded-for, hops: 2",
                since: FIRST,
            },
        ],
    },
    Object {
        id: "backend",
        title: "`backend`",
        meaning: "What stands behind the gate. A path is judged on every reading that the application may have.",
        context: "backend: { @ }",
        one: false,
        fields: &[
            Field {
                word: "paths",
                shape: Shape::One(Type::Word(&["caseSensitive", "caseInsensitive"])),
                default: "`caseSensitive`",
                meaning: "whether `/Admin` is `/admin` to it",
                example: "paths: caseInsensitive",
                since: FIRST,
            },
            Field {
                word: "decodes",
                shape: Shape::One(Type::Integer(1, 2)),
                default: "1",
                meaning: "how often it undoes percent-encoding",
                example: "decodes: 2",
                since: FIRST,
            },
            Field {
                word: "parameters",
                shape: Shape::One(Type::Word(&["both", "ignored", "kept"])),
                default: "`both`",
                meaning: "whether it takes `;x=y` off a segment: `ignored`, `kept`, or judged both ways",
                example: "parameters: ignored",
                since: FIRST,
            },
        ],
    },
    Object {
        id: "support",
        title: "`support`",
        meaning: "Shown with the reference in every open refusal, as `{support}` in bodies.",
        context: "support: { @ }",
        one: false,
        fields: &[
            Field {
                word: "text",
                shape: Shape::One(Type::Text(Kind::Any)),
                default: "none",
                meaning: "one line of at most 500 bytes",
                example: "text: \"Tell us the reference.\"",
                since: FIRST,
            },
            Field {
                word: "link",
                shape: Shape::One(Type::Text(Kind::Link)),
                default: "none",
                meaning: "where to ask",
                example: "link: \"mailto:help@example.com\"",
                since: FIRST,
            },
        ],
    },
    Object {
        id: "identityHeaders",
        title: "`identityHeaders`",
        meaning: "Only a proxy may set such headers. What the gate's own policy sets (`tag`) is removed from requests in any case, as is everything under `x-gatehouse-`.",
        context: "identityHeaders: { @ }",
        one: false,
        fields: &[
            Field {
                word: "action",
                shape: Shape::One(Type::Word(&["strip", "refuse"])),
                default: "required",
                meaning: "`strip` removes them, `refuse` answers 400",
                example: "action: refuse",
                since: FIRST,
            },
            Field {
                word: "names",
                shape: Shape::Many(Type::Text(Kind::Header)),
                default: "`remote-user`, `x-auth-request-email`, `x-auth-request-user`, `x-authenticated-user`, `x-forwarded-client-cert`, `x-forwarded-email`, `x-forwarded-user`, `x-remote-user`, `x-user-id`",
                meaning: "the headers",
                example: "action: strip, names: [x-remote-user, x-tenant]",
                since: FIRST,
            },
        ],
    },
    Object {
        id: "scores",
        title: "`scores`",
        meaning: "Every client has a sum of weights, and one for each label.",
        context: "scores: { @ }",
        one: false,
        fields: &[Field {
            word: "halfLife",
            shape: Shape::One(Type::Text(Kind::Duration)),
            default: "required",
            meaning: "in what time a score halves: 1s to 1d",
            example: "halfLife: 30m",
            since: FIRST,
        }],
    },
];
