use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::connection::Connection;

type Headers = Vec<(String, String)>;

fn of(headers: &Headers) -> Fingerprint {
    let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    fingerprint(&Head::new(&pairs, &Connection::default()))
}

fn headers(names: &[&str]) -> Headers {
    names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect()
}

fn text(names: &[&str]) -> String {
    of(&headers(names)).to_string()
}

const CHROMIUM: &[&str] = &[
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "upgrade-insecure-requests",
    "user-agent",
    "accept",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-user",
    "sec-fetch-dest",
    "accept-encoding",
    "accept-language",
];

/// A browser's headers as they were recorded.
struct Signature {
    name: String,
    pseudo: Vec<String>,
    headers: Headers,
}

impl Signature {
    /// Chrome and Edge are of one engine.
    fn engine(&self) -> &'static str {
        match self.name.split('_').next() {
            Some("chrome" | "edge") => "chromium",
            Some("firefox") => "gecko",
            Some("safari") => "webkit",
            other => panic!("an engine that nobody has heard of: {other:?}"),
        }
    }

    /// As sent over HTTP/2: pseudo-headers in the browser's own order.
    fn http2(&self) -> Headers {
        let pseudo = self.pseudo.iter().map(|name| (name.clone(), "x".to_owned()));
        pseudo.chain(self.headers.iter().cloned()).collect()
    }

    /// As sent over HTTP/1.1: names in capitals, headers of the connection between the others.
    fn http1(&self) -> Headers {
        let capital = |name: &str| {
            let mut starts = true;
            let letters = name.chars().map(|c| {
                let first = std::mem::replace(&mut starts, c == '-');
                if first { c.to_ascii_uppercase() } else { c }
            });
            letters.collect::<String>()
        };
        let mut sent =
            vec![("Host".to_owned(), "example.com".to_owned()), ("Connection".to_owned(), "keep-alive".to_owned())];
        sent.extend(
            self.headers.iter().filter(|(name, _)| name != "te").map(|(name, value)| (capital(name), value.clone())),
        );
        sent
    }

    /// As Envoy hands them on: lower case, its own order of pseudo-headers first, its own headers behind.
    fn behind_envoy(&self, sent: &Headers) -> Headers {
        let mut seen = headers(&[":authority", ":path", ":method", ":scheme"]);
        let kept = sent.iter().filter(|(name, _)| !name.starts_with(':') && !name.eq_ignore_ascii_case("host"));
        seen.extend(kept.map(|(name, value)| (name.to_lowercase(), value.clone())));
        seen.extend(headers(ENVOY));
        seen
    }
}

/// What Envoy and proxies before it add.
const ENVOY: &[&str] = &[
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-client-cert",
    "x-forwarded-host",
    "x-request-id",
    "x-envoy-expected-rq-timeout-ms",
    "x-envoy-external-address",
    "x-envoy-attempt-count",
    "x-b3-traceid",
    "x-b3-sampled",
    "traceparent",
    "tracestate",
    "forwarded",
    "via",
];

/// What differs from request to request.
const OF_THE_REQUEST: &[&str] = &[
    "cookie",
    "content-length",
    "content-type",
    "authorization",
    "origin",
    "referer",
    "range",
    "if-none-match",
    "if-modified-since",
    "cache-control",
    "pragma",
    "x-requested-with",
    "x-api-key",
    "sec-fetch-user",
    "upgrade-insecure-requests",
    "priority",
    "te",
    "dnt",
    "sec-gpc",
];

/// The recorded browsers. The files are lists of plain scalars; three kinds of lines are needed.
fn signatures() -> Option<Vec<Signature>> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench-data/client-signatures"));
    let Ok(files) = fs::read_dir(&folder) else {
        eprintln!("skipped: `{}` is not there", folder.display());
        return None;
    };
    let mut found: Vec<Signature> = Vec::new();
    for file in files {
        let mut section = "";
        for line in fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            if let Some(name) = line.strip_prefix("name: ") {
                found.push(Signature { name: name.to_owned(), pseudo: Vec::new(), headers: Vec::new() });
            }
            match (line.trim(), line.trim().strip_prefix("- ")) {
                ("pseudo_headers:", _) => section = "pseudo",
                ("headers:", _) => section = "headers",
                (item, None) if item.ends_with(':') || item == "---" => section = "",
                (_, Some(item)) if !section.is_empty() => {
                    let item = item.trim_matches(['\'', '"']);
                    let signature = found.last_mut().unwrap();
                    match section {
                        "pseudo" => signature.pseudo.push(item.to_owned()),
                        _ => signature
                            .headers
                            .push(item.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned())).unwrap()),
                    }
                }
                _ => {}
            }
        }
    }
    assert_eq!(found.len(), 21, "the recorded browsers are not what they were");
    assert!(found.iter().all(|signature| signature.pseudo.len() == 4 && signature.headers.len() >= 4));
    Some(found)
}

#[test]
fn browsers_of_one_engine_are_alike_and_engines_differ() {
    let Some(signatures) = signatures() else { return };
    let mut engines: BTreeMap<&str, BTreeSet<Fingerprint>> = BTreeMap::new();
    for signature in &signatures {
        engines.entry(signature.engine()).or_default().insert(of(&signature.http2()));
    }
    assert_eq!(engines.len(), 3);
    assert!(engines.values().all(|of_one| of_one.len() == 1), "{engines:?}");
    let texts: Vec<_> = engines.values().flatten().map(ToString::to_string).collect();
    assert_eq!(texts, ["h1_usmdel_abop", "h1_ualedms_-", "h1_uale_-"]);
}

#[test]
fn neither_http_version_nor_envoy_changes_a_browser() {
    let Some(signatures) = signatures() else { return };
    for signature in &signatures {
        let expected = of(&signature.http2());
        let http1 = signature.http1();
        assert_eq!(of(&http1), expected, "{}", signature.name);
        assert_eq!(of(&signature.behind_envoy(&http1)), expected, "{}", signature.name);
        assert_eq!(of(&signature.behind_envoy(&signature.http2())), expected, "{}", signature.name);
    }
}

#[test]
fn what_a_single_request_carries_changes_nothing() {
    let Some(signatures) = signatures() else { return };
    for signature in &signatures {
        let plain = signature.http2();
        for name in OF_THE_REQUEST.iter().chain(ENVOY) {
            for place in 0..=plain.len() {
                let mut more = plain.clone();
                more.insert(place, ((*name).to_owned(), "x".to_owned()));
                assert_eq!(of(&more), of(&plain), "{} with {name} at {place}", signature.name);
            }
        }
        let navigation = ["sec-fetch-user", "upgrade-insecure-requests"];
        let without: Headers = plain.iter().filter(|(name, _)| !navigation.contains(&&**name)).cloned().collect();
        assert_eq!(of(&without), of(&plain), "{}", signature.name);
    }
}

#[test]
fn a_script_that_sets_accept_does_not_make_another_chromium() {
    let page = headers(CHROMIUM);
    let script = headers(&[
        "content-length",
        "sec-ch-ua-platform",
        "accept",
        "sec-ch-ua",
        "content-type",
        "sec-ch-ua-mobile",
        "user-agent",
        "origin",
        "sec-fetch-site",
        "sec-fetch-mode",
        "sec-fetch-dest",
        "referer",
        "accept-encoding",
        "accept-language",
    ]);
    assert_eq!(of(&script), of(&page));
    let accept_first: Vec<_> = std::iter::once("accept").chain(CHROMIUM.iter().copied()).collect();
    assert_eq!(of(&headers(&accept_first)), of(&page));
}

#[test]
fn other_orders_and_missing_headers_are_other_clients() {
    let cases = [
        (vec![], "h1_-_-"),
        (vec!["host", "cookie", "x-api-key"], "h1_-_-"),
        (vec!["host", "user-agent", "accept"], "h1_ua_-"),
        (vec!["user-agent", "accept-encoding", "accept", "connection"], "h1_uea_-"),
        (vec!["accept-encoding", "user-agent"], "h1_eu_-"),
        (vec!["user-agent", "grpc-accept-encoding", "content-type", "te"], "h1_ug_-"),
        (vec!["accept", "from", "user-agent", "accept-encoding"], "h1_afue_-"),
        (vec!["accept", "sec-ch-ua"], "h1_-_ab"),
        (vec!["sec-ch-ua", "accept"], "h1_-_ab"),
        (vec!["accept", "user-agent", "accept-language", "sec-ch-ua-platform"], "h1_ul_ap"),
    ];
    for (names, expected) in cases {
        assert_eq!(text(&names), expected, "{names:?}");
    }
}

#[test]
fn the_first_of_a_repeated_name_counts() {
    assert_eq!(text(&["user-agent", "accept", "user-agent", "accept"]), "h1_ua_-");
    assert_eq!(text(&["accept", "user-agent", "accept", "sec-ch-ua", "accept"]), "h1_u_ab");
}

#[test]
fn all_that_counts_fits() {
    let all: Vec<_> = COUNTED.iter().map(|(name, ..)| std::str::from_utf8(name).unwrap()).collect();
    assert_eq!(text(&all), "h1_uelcsmdfg_abop");
    let without_hints: Vec<_> = all.iter().copied().filter(|name| !name.starts_with("sec-ch")).collect();
    assert_eq!(text(&without_hints), "h1_uaelcsmdfg_-");
}

#[test]
fn only_the_text_form_is_parsed() {
    for good in ["h1_-_-", "h1_uale_-", "h1_usmdel_abop", "h1_u_b", "h1_-_p"] {
        assert_eq!(Fingerprint::parse(good).unwrap().to_string(), good);
    }
    for bad in [
        "",
        "h1",
        "h1_",
        "h1__",
        "h1_uale",
        "h1_uale_",
        "h1__-",
        "h2_uale_-",
        "h1_uu_-",
        "h1_ux_-",
        "h1_u_pb",
        "h1_u_bb",
        "h1_u_a",
        "h1_ua_b",
        "h1_ua_ab",
        "h1_b_-",
        "h1_u-_-",
        "h1_U_-",
        "h1_u_-_",
        "h1_u_b-",
        " h1_u_-",
        "t13d1516h2_8daaf6152771_b186095e22b6",
    ] {
        assert_eq!(Fingerprint::parse(bad), None, "{bad}");
    }
}

#[test]
fn keys_are_the_same_for_ever() {
    assert_eq!(Fingerprint::parse("h1_usmdel_abop").unwrap().key(), 10_820_798_676_326_995_743);
    assert_eq!(Fingerprint::parse("h1_uale_-").unwrap().key(), 8_114_460_778_668_241_901);
}

/// Some of the headers that count, in any order, perhaps repeated.
fn counted() -> impl Strategy<Value = Headers> {
    proptest::collection::vec(prop::sample::select(COUNTED.to_vec()), 0..20).prop_map(|counted| {
        counted.iter().map(|(name, ..)| (String::from_utf8(name.to_vec()).unwrap(), "x".to_owned())).collect()
    })
}

/// A header that does not count.
fn foreign() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select([ENVOY, OF_THE_REQUEST, &[":method", ":path", ":authority", ":scheme", "host"]].concat())
            .prop_map(str::to_owned),
        "x-[a-z-]{1,12}",
    ]
}

proptest! {
    #[test]
    fn foreign_headers_and_letter_case_change_nothing(
        plain in counted(),
        more in proptest::collection::vec((foreign(), any::<prop::sample::Index>()), 0..20),
        case in proptest::collection::vec(any::<bool>(), 64),
    ) {
        let mut changed = plain.clone();
        for (name, place) in more {
            changed.insert(place.index(changed.len() + 1), (name, "y".to_owned()));
        }
        let mut case = case.into_iter().cycle();
        for (name, _) in &mut changed {
            let letters = name.chars().map(|c| if case.next() == Some(true) { c.to_ascii_uppercase() } else { c });
            *name = letters.collect();
        }
        prop_assert_eq!(of(&changed), of(&plain));
    }

    #[test]
    fn the_text_form_says_everything(plain in counted(), other in counted()) {
        let (one, two) = (of(&plain), of(&other));
        prop_assert_eq!(Fingerprint::parse(&one.to_string()), Some(one));
        prop_assert!(one.to_string().len() <= 17);
        prop_assert_eq!(one == two, one.to_string() == two.to_string());
        prop_assert_eq!(one == two, one.key() == two.key());
    }

    #[test]
    fn any_text_parses_to_what_writes_it_or_to_nothing(text in "(h1_)?[a-z_-]{0,16}") {
        prop_assert!(Fingerprint::parse(&text).is_none_or(|parsed| parsed.to_string() == text));
    }

    #[test]
    fn any_bytes_are_a_head(names in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..24), 0..40)) {
        let pairs: Vec<_> = names.iter().map(|name| (name.as_slice(), &b""[..])).collect();
        let found = fingerprint(&Head::new(&pairs, &Connection::default()));
        prop_assert_eq!(Fingerprint::parse(&found.to_string()), Some(found));
    }
}
