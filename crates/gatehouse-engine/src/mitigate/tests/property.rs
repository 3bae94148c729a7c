//! Whatever a client sends and an operator writes, an answer is well-formed.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What would break out of a header, a page or a JSON string.
const PIECES: [&str; 27] = [
    "{reference}",
    "{retry_after}",
    "{support}",
    "{",
    "{{",
    "}",
    "\"",
    "'",
    "<",
    ">",
    "&",
    "\\",
    "\r\n",
    "\0",
    "\u{7f}",
    "\u{2028}",
    "é",
    "日",
    "</script>",
    "<!--",
    "a",
    " ",
    "%",
    "https://",
    "/",
    "?",
    "#",
];

/// Texts with what would break out of a header, a page or a JSON string.
fn words() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), vec(proptest::sample::select(&PIECES[..]), 0..12).prop_map(|pieces| pieces.concat())]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..40),
        words().prop_map(String::into_bytes),
        proptest::sample::select(
            &[
                "text/html",
                "*/*",
                "application/json",
                "text/plain;q=0.5",
                "de, en;q=0.5",
                "zh-TW",
                "https://a.example",
                "null",
                "application/grpc",
                "application/grpc-web",
                "application/grpc-web-text",
                "DELETE",
                "x-a, x-b",
            ][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
    ]
}

#[derive(Debug, Clone)]
struct Case {
    asked: Vec<(&'static str, Vec<u8>)>,
    method: &'static str,
    body: Option<String>,
    headers: Vec<(String, String)>,
    support: (Option<String>, Option<String>),
    location: String,
    by: String,
    status: u16,
    wait_ns: u64,
    cache: bool,
    cors: Cors,
}

prop_compose! {
    fn case()(
        asked in vec((proptest::sample::select(&[
            "accept", "accept-language", "origin", "content-type", "access-control-request-method",
            "access-control-request-headers", "content-length",
        ][..]), bytes()), 0..8),
        method in proptest::sample::select(&["GET", "HEAD", "OPTIONS"][..]),
        body in proptest::option::of(words()),
        headers in vec((prop_oneof![words(), "[a-zA-Z-]{1,12}", Just("vary".to_owned())], words()), 0..5),
        support in (proptest::option::of(words()), proptest::option::of(words())),
        location in words(), by in words(),
        status in any::<u16>(), wait_ns in any::<u64>(), cache in any::<bool>(),
        cors in proptest::sample::select(&[Cors::Closed, Cors::Open, Cors::Trusted][..]),
    ) -> Case {
        Case { asked, method, body, headers, support, location, by, status, wait_ns, cache, cors }
    }
}

/// Answers of every kind.
fn replies(case: &Case) -> Vec<(&'static str, Reply)> {
    let headers: Vec<_> = case.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let own = Own { body: case.body.as_deref(), headers: &headers, cache: case.cache };
    let quota = Some(Quota { name: &case.by, quota: case.wait_ns, window_ns: case.wait_ns });
    let body = case.body.as_deref().unwrap_or_default();
    let answers = [
        ("refuse", Answer::Refuse(Refuse { status: case.status, problem: Problem::Blocked, own })),
        ("limit", Answer::Limit(Limited { status: case.status, wait_ns: case.wait_ns, quota, own })),
        ("redirect", Answer::Redirect(Redirect { location: &case.location, status: case.status, cache: case.cache })),
        ("deceive", Answer::Deceive(Deceive { status: case.status, body, headers: &headers, cache: case.cache })),
    ];
    let support = Support { text: case.support.0.as_deref(), link: case.support.1.as_deref() };
    let occasion = Occasion { by: &case.by, reference: REFERENCE, support, cors: case.cors };
    let mut pairs: Vec<(&[u8], &[u8])> = vec![(b":method", case.method.as_bytes())];
    pairs.extend(case.asked.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
    let connection = Connection::default();
    let head = Head::new(&pairs, &connection);
    answers.iter().map(|(word, answer)| (*word, reply(answer, &occasion, head))).collect()
}

fn is_token(name: &str) -> bool {
    let fits =
        |byte: u8| (byte.is_ascii_alphanumeric() && !byte.is_ascii_uppercase()) || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(fits)
}

/// Headers that may stand once only.
const SINGLE: [&str; 9] = [
    "content-language",
    "cache-control",
    "vary",
    "retry-after",
    "ratelimit",
    "location",
    "access-control-allow-credentials",
    "x-gatehouse-reference",
    "grpc-status",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_header_can_be_broken_out_of(case in case()) {
        for (word, reply) in replies(&case) {
            prop_assert!((200..=599).contains(&reply.status));
            for (name, value) in &reply.headers {
                prop_assert!(is_token(name), "{word}: {name:?}");
                prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{word}: {name}: {value:?}");
                prop_assert_eq!(value.trim(), value.as_ref());
            }
            let written: Vec<_> = case.headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            for name in SINGLE {
                let own = written.iter().filter(|own| *own == name).count();
                prop_assert!(header(&reply, name).len() <= own.max(1), "{word}: {name}");
            }
            prop_assert!(reply.details.bytes().all(|byte| byte.is_ascii_graphic()), "{:?}", reply.details);
        }
    }

    #[test]
    fn the_references_place_is_ours_alone(case in case()) {
        for (word, reply) in replies(&case) {
            let carried = header(&reply, "x-gatehouse-reference");
            if word == "deceive" {
                let whole = format!("{:?}", reply.headers);
                prop_assert!(carried.is_empty() && !whole.contains("gatehouse"), "{}", whole);
            } else {
                prop_assert_eq!(carried, [REFERENCE]);
            }
            prop_assert!(case.cache || header(&reply, "cache-control") == ["no-store"], "{}", word);
        }
    }

    #[test]
    fn only_a_redirect_leads_away_and_only_where_the_operator_said(case in case()) {
        for (word, reply) in replies(&case) {
            if word != "redirect" {
                continue;
            }
            for location in header(&reply, "location") {
                let rooted = location.starts_with('/') && !location.starts_with("//") && !location.starts_with("/\\");
                prop_assert!(rooted || location.starts_with("https://"), "{}", location);
                prop_assert!(case.location.starts_with("https://") || case.location.starts_with('/'));
            }
        }
    }

    #[test]
    fn problem_details_are_json_and_hold_the_support_text_as_it_is(case in case()) {
        let case = Case { body: None, ..case };
        for (word, reply) in replies(&case) {
            if word != "deceive" && header(&reply, "content-type") == ["application/problem+json"] {
                let told = json(&reply);
                prop_assert_eq!(&told["reference"], REFERENCE);
                prop_assert_eq!(told["support"]["text"].as_str(), case.support.0.as_deref());
            }
        }
    }

    #[test]
    fn an_operators_json_stays_json(case in case(), text in words()) {
        let headers = [("content-type", "application/json")];
        let body = "{\"a\":{\"b\":\"{support}\"},\"r\":\"{reference}\",\"t\":{retry_after}}";
        let own = Own { body: Some(body), headers: &headers, cache: false };
        let support = Support { text: Some(&text), link: None };
        let reply = answer_on(&Occasion { support, ..occasion() }, &limit(case.wait_ns, own), &[]);
        let told = json(&reply);
        prop_assert_eq!(told["a"]["b"].as_str(), Some(text.as_str()));
        prop_assert_eq!(told["t"].as_u64().map(|t| t.to_string()), Some(header(&reply, "retry-after").concat()));
    }

    #[test]
    fn a_page_holds_no_markup_but_its_own(text in words(), link in words(), languages in bytes()) {
        let asked = [(&b"accept"[..], &b"text/html"[..]), (b"accept-language", &languages)];
        let connection = Connection::default();
        let head = Head::new(&asked, &connection);
        let link = format!("https://{link}");
        let page = |text, link| {
            let occasion = Occasion { support: Support { text: Some(text), link }, ..occasion() };
            let reply = reply(&refuse(403, Own::default()), &occasion, head);
            let page = super::text(&reply).to_owned();
            (page.matches('<').count(), page.matches('>').count(), page.matches('"').count(), page)
        };
        let (less, more, quotes, whole) = page(&text, None);
        let (plain_less, plain_more, plain_quotes, _) = page("x", None);
        prop_assert_eq!((less, more, quotes), (plain_less, plain_more, plain_quotes), "{}", whole);
        let (less, more, quotes, whole) = page(&text, Some(&link));
        let anchors = whole.matches("<a ").count();
        prop_assert_eq!((less, more, quotes), (plain_less + 2 * anchors, plain_more + 2 * anchors, plain_quotes + 4 * anchors));
        prop_assert!(!whole.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{:?}", whole);
    }

    #[test]
    fn a_text_body_of_ours_has_no_control_bytes(case in case()) {
        let case = Case { body: None, headers: Vec::new(), ..case };
        for (_, reply) in replies(&case) {
            if header(&reply, "content-type") == ["text/plain; charset=utf-8"] {
                prop_assert!(!super::text(&reply).contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')));
            }
        }
    }

    #[test]
    fn a_preflight_is_recognised_without_panic(case in case()) {
        let mut pairs: Vec<(&[u8], &[u8])> = vec![(b":method", b"OPTIONS")];
        pairs.extend(case.asked.iter().map(|(name, value)| (name.as_bytes(), value.as_slice())));
        let connection = Connection::default();
        let head = Head::new(&pairs, &connection);
        if let Some(method) = preflight(head) {
            prop_assert!(!method.is_empty() && method.iter().all(u8::is_ascii_graphic));
        }
        let _ = own_origin_host(head);
    }
}
