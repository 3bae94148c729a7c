//! Pages of other origins, and preflights.

use super::*;

const SHOP: &str = "https://shop.example.com";

fn cors_of(cors: Cors, answer: &Answer<'_>, headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let reply = answer_on(&Occasion { cors, ..occasion() }, answer, headers);
    let own = reply.headers.into_iter().filter(|(name, _)| name.starts_with("access-control-"));
    own.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

fn named<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

#[test]
fn a_page_of_another_origin_may_read_the_answer_without_credentials() {
    for answer in [refuse(403, Own::default()), limit(1, Own::default()), redirect("/x")] {
        let fields = cors_of(Cors::Open, &answer, &[("origin", SHOP)]);
        assert_eq!(named(&fields, "access-control-allow-origin"), Some(SHOP));
        let exposed = named(&fields, "access-control-expose-headers").expect("exposed");
        assert_eq!(exposed, "retry-after, ratelimit, ratelimit-policy, x-gatehouse-reference");
        assert_eq!(fields.len(), 2, "{fields:?}");
        let reply = answer_to(&answer, &[("origin", SHOP)]);
        assert!(header(&reply, "vary").concat().ends_with("origin"));
    }
    assert!(EXPOSED_NAMES.iter().all(|name| *name != "set-cookie"));
}

const EXPOSED_NAMES: [&str; 4] = ["retry-after", "ratelimit", "ratelimit-policy", crate::reference::HEADER];

#[test]
fn what_is_exposed_is_what_is_sent() {
    let reply = answer_to(&limit(1, Own::default()), &[("origin", SHOP)]);
    let exposed = header(&reply, "access-control-expose-headers").concat();
    for name in exposed.split(", ") {
        assert_eq!(header(&reply, name).len(), 1, "{name}");
    }
    let grpc = answer_to(&limit(1, Own::default()), &[("origin", SHOP), ("content-type", "application/grpc")]);
    for name in header(&grpc, "access-control-expose-headers").concat().split(", ") {
        assert_eq!(header(&grpc, name).len(), 1, "{name}");
    }
}

#[test]
fn without_an_origin_or_with_one_that_is_none_nothing_is_said() {
    let whole = "h".repeat(400);
    for origin in [
        "",
        "shop.example.com",
        "https://",
        "https://a b",
        "https://a\r\nx: y",
        "https://shop.example.com/path",
        "https://é.example",
        "HTTPS://shop.example.com",
        "https://a,https://b",
        "://a",
        "Null",
        &format!("https://{whole}"),
    ] {
        assert!(cors_of(Cors::Open, &refuse(403, Own::default()), &[("origin", origin)]).is_empty(), "{origin}");
    }
    assert!(cors_of(Cors::Open, &refuse(403, Own::default()), &[]).is_empty());
    assert!(cors_of(Cors::Open, &refuse(403, Own::default()), &[("origin", SHOP), ("origin", SHOP)]).is_empty());
    for origin in ["null", "http://localhost:3000", "https://[::1]:8443", "moz-extension://a-b-c"] {
        assert_eq!(cors_of(Cors::Open, &refuse(403, Own::default()), &[("origin", origin)]).len(), 2, "{origin}");
    }
}

#[test]
fn only_a_trusted_origin_reads_with_credentials() {
    let fields = cors_of(Cors::Trusted, &refuse(403, Own::default()), &[("origin", SHOP)]);
    assert_eq!(named(&fields, "access-control-allow-credentials"), Some("true"));
    let null = cors_of(Cors::Trusted, &refuse(403, Own::default()), &[("origin", "null")]);
    assert_eq!(named(&null, "access-control-allow-credentials"), None);
}

#[test]
fn closed_means_closed_and_the_operators_own_headers_stand() {
    let closed = Occasion { cors: Cors::Closed, ..occasion() };
    let reply = answer_on(&closed, &refuse(403, Own::default()), &[("origin", SHOP)]);
    assert!(header(&reply, "access-control-allow-origin").is_empty());
    assert_eq!(header(&reply, "vary"), ["accept, accept-language"]);
    assert!(header(&answer_on(&closed, &redirect("/x"), &[]), "vary").is_empty());
    let own = Own { headers: &[("Access-Control-Allow-Origin", "*")], ..Own::default() };
    let fields = cors_of(Cors::Open, &refuse(403, own), &[("origin", SHOP)]);
    assert_eq!(fields, [("access-control-allow-origin".to_owned(), "*".to_owned())]);
}

const PREFLIGHT: [(&str, &str); 4] = [
    (":method", "OPTIONS"),
    ("origin", SHOP),
    ("access-control-request-method", "DELETE"),
    ("access-control-request-headers", "authorization, content-type"),
];

#[test]
fn a_preflight_asks_for_a_method() {
    let asked = |headers: &[(&str, &str)]| with_head(headers, |head| preflight(head).map(<[u8]>::to_vec));
    assert_eq!(asked(&PREFLIGHT), Some(b"DELETE".to_vec()));
    assert_eq!(asked(&PREFLIGHT[..3]), Some(b"DELETE".to_vec()));
    assert_eq!(asked(&[&PREFLIGHT[..], &[("content-length", "0")]].concat()), Some(b"DELETE".to_vec()));
    for extra in [
        ("origin", SHOP),
        ("access-control-request-method", "GET"),
        ("content-length", "5"),
        ("transfer-encoding", "chunked"),
    ] {
        assert_eq!(asked(&[&PREFLIGHT[..], &[extra]].concat()), None, "{extra:?}");
    }
    for changed in [
        (0, (":method", "GET")),
        (1, ("origin", "shop")),
        (2, ("access-control-request-method", "GET /")),
        (2, ("access-control-request-method", "")),
        (2, ("x-other", "GET")),
    ] {
        let mut headers = PREFLIGHT;
        headers[changed.0] = changed.1;
        assert_eq!(asked(&headers), None, "{changed:?}");
    }
}

/// To grant it would be to consent in the application's name.
#[test]
fn a_mitigated_preflight_of_a_stranger_is_refused_like_any_request() {
    let reply = answer_to(&refuse(403, Own::default()), &PREFLIGHT);
    assert_eq!(reply.status, 403);
    let fields = cors_of(Cors::Open, &refuse(403, Own::default()), &PREFLIGHT);
    assert_eq!(named(&fields, "access-control-allow-origin"), Some(SHOP));
    assert_eq!(named(&fields, "access-control-allow-methods"), None);
}

#[test]
fn a_mitigated_preflight_of_the_operators_own_page_is_granted_so_that_the_refusal_can_be_read() {
    let trusted = Occasion { cors: Cors::Trusted, ..occasion() };
    for answer in [refuse(403, Own::default()), limit(1, Own::default()), redirect("/x")] {
        let reply = answer_on(&trusted, &answer, &PREFLIGHT);
        assert_eq!((reply.status, reply.body.len()), (204, 0));
        let fields = cors_of(Cors::Trusted, &answer, &PREFLIGHT);
        assert_eq!(fields.len(), 5, "{fields:?}");
        for (name, value) in [
            ("access-control-allow-origin", SHOP),
            ("access-control-allow-credentials", "true"),
            ("access-control-allow-methods", "DELETE"),
            ("access-control-allow-headers", "authorization, content-type"),
            ("access-control-max-age", "0"),
        ] {
            assert_eq!(named(&fields, name), Some(value));
        }
        assert_eq!(header(&reply, "cache-control"), ["no-store"]);
        assert_eq!(header(&reply, "x-gatehouse-reference"), [REFERENCE]);
        assert!(reply.details.ends_with(":p/r:7Q2KM4XJ0T9RB3ZC"), "{}", reply.details);
    }
    let mut odd = PREFLIGHT;
    odd[3].1 = "authorization, x\r\ny: z";
    let fields = cors_of(Cors::Trusted, &refuse(403, Own::default()), &odd);
    assert_eq!(named(&fields, "access-control-allow-headers"), None);
    let null = [PREFLIGHT[0], ("origin", "null"), PREFLIGHT[2]];
    assert_eq!(answer_on(&trusted, &refuse(403, Own::default()), &null).status, 403);
    assert_eq!(answer_on(&trusted, &refuse(403, Own::default()), &PREFLIGHT[1..]).status, 403, "not a preflight");
}

#[test]
fn the_host_of_a_safe_origin_is_told() {
    let host = |headers: &[(&str, &str)]| {
        with_head(headers, |head| own_origin_host(head).map(|host| String::from_utf8(host.into_owned()).expect("text")))
    };
    assert_eq!(host(&[("origin", "https://Shop.example.com:8443")]).as_deref(), Some("shop.example.com"));
    assert_eq!(host(&[("origin", "http://shop.example.com"), (":scheme", "https")]), None);
    assert_eq!(host(&[("origin", "http://a.example"), (":scheme", "http")]).as_deref(), Some("a.example"));
    assert_eq!(host(&[("origin", "null")]), None);
    assert_eq!(host(&[]), None);
}
