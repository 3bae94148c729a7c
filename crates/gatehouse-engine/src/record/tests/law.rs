//! The law: sensitive values do not leave the gateway process, in whatever place and spelling a client sends them.

use gatehouse_policy::{Fields, Policy, document, inline};
use gatehouse_signals::{Claims, Connection, Head, Pair};
use gatehouse_verdict::Reason;
use gatehouse_verdict::record::{RecordId, Response};
use gatehouse_verdict::redact::AddressForm;
use proptest::prelude::*;

use super::super::{Outcome, Transaction};
use super::{context, read};
use crate::{NoSlots, Now, Request, Settings, State, judge};

/// A secret as a client writes it, and every part of it that must not be seen.
#[derive(Debug, Clone)]
struct Secret {
    written: String,
    parts: Vec<String>,
}

fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().enumerate().fold(0u32, |bits, (at, byte)| bits | u32::from(*byte) << (16 - 8 * at));
        for at in 0..4 {
            let digit = char::from(ALPHABET[(bits >> (18 - 6 * at)) as usize & 63]);
            out.push(if at <= chunk.len() { digit } else { '=' });
        }
    }
    out
}

fn card(body: &str, separator: &str) -> Secret {
    let doubled = |digit: u32| if digit > 4 { digit * 2 - 9 } else { digit * 2 };
    let digit = |c: char| c.to_digit(10).unwrap();
    let sum: u32 =
        body.chars().rev().enumerate().map(|(at, c)| if at % 2 == 0 { doubled(digit(c)) } else { digit(c) }).sum();
    let digits = format!("{body}{}", (10 - sum % 10) % 10);
    let groups: Vec<_> = digits.as_bytes().chunks(4).map(|group| String::from_utf8_lossy(group)).collect();
    let written = groups.join(separator);
    Secret { parts: vec![written.clone(), digits], written }
}

fn jwt(subject: &str, signature: &str) -> Secret {
    let url = |text: &str| base64(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_");
    let payload = url(&format!("{{\"sub\":\"{subject}\",\"admin\":true}}"));
    let written = format!("{}.{payload}.{signature}", url("{\"alg\":\"HS256\",\"typ\":\"JWT\"}"));
    Secret { parts: vec![written.clone(), payload, signature.to_owned(), subject.to_owned()], written }
}

fn bearer(token: &str) -> Secret {
    Secret { written: format!("Bearer {token}"), parts: vec![token.to_owned()] }
}

fn basic(user: &str, password: &str) -> Secret {
    let plain = format!("{user}:{password}");
    let encoded = base64(plain.as_bytes());
    let bare = encoded.trim_end_matches('=').to_owned();
    Secret { written: format!("Basic {encoded}"), parts: vec![bare, plain, password.to_owned()] }
}

fn basic_alone(user: &str, password: &str) -> Secret {
    let Secret { written, parts } = basic(user, password);
    Secret { written: written.replacen("Basic ", "", 1), parts }
}

fn api_key(prefix: &str, tail: &str) -> Secret {
    let written = format!("{prefix}{tail}");
    Secret { parts: vec![written.clone(), tail.to_owned()], written }
}

fn email(local: &str, domain: &str) -> Secret {
    let written = format!("{local}@{domain}");
    Secret { parts: vec![written.clone(), local.to_owned()], written }
}

/// Every byte that is no letter or digit as an escape, as clients do; or every byte at all. In lower-case digits or upper.
fn escape(text: &str, all: bool, upper: bool) -> String {
    let one = |b: u8| match (!all && b.is_ascii_alphanumeric(), upper) {
        (true, _) => char::from(b).to_string(),
        (false, true) => format!("%{b:02X}"),
        (false, false) => format!("%{b:02x}"),
    };
    text.bytes().map(one).collect()
}

fn spellings(written: &str) -> Vec<String> {
    let (escaped, whole) = (escape(written, false, false), escape(written, true, true));
    let (twice, whole_twice) = (escape(&escaped, false, true), escape(&whole, false, true));
    let thrice = escape(&twice, false, false);
    let mut spellings = vec![written.to_owned(), written.replace(' ', "+"), escaped, whole, twice, whole_twice, thrice];
    spellings.dedup();
    spellings
}

/// Every place of a request that a client can write a secret into.
fn requests(spelling: &str) -> Vec<Vec<(String, String)>> {
    let plain = [(":method", "GET"), (":path", "/a"), (":authority", "shop.example.com"), (":scheme", "https")];
    let with = |name: &str, value: String| {
        let others = plain.iter().filter(|(other, _)| *other != name).map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        others.chain([(name.to_owned(), value)]).collect::<Vec<_>>()
    };
    let mut requests = vec![
        with(":path", format!("/{spelling}")),
        with(":path", format!("/users/{spelling}/orders?x=1")),
        with(":path", format!("/a/../b//{spelling};v=1/")),
        with(":path", format!("/a;id={spelling}/b")),
        with(":path", format!("/search?q={spelling}&page=1")),
        with(":path", format!("/search?{spelling}")),
        with(":path", format!("/search?{spelling}=1#{spelling}")),
        with(":path", format!("/a#{spelling}?b")),
        with(":path", format!("https://{spelling}@shop.example.com/a")),
        with(":method", spelling.to_owned()),
        with(":authority", format!("{spelling}@shop.example.com")),
        with(":authority", format!("{spelling}.example.com")),
        with(":scheme", spelling.to_owned()),
        with("authorization", spelling.to_owned()),
        with("x-api-key", spelling.to_owned()),
        with("x-forwarded-for", spelling.to_owned()),
        with("cookie", format!("a=1; sid={spelling}; b=2")),
        with("cookie", spelling.to_owned()),
        with("referer", format!("https://shop.example.com/{spelling}/x")),
        with("referer", format!("https://shop.example.com/x?next={spelling}#{spelling}")),
        with("referer", format!("https://{spelling}@shop.example.com/x")),
        with("origin", format!("https://{spelling}.example.com")),
    ];
    for name in [
        "user-agent",
        "accept",
        "accept-language",
        "content-type",
        "content-length",
        "sec-fetch-site",
        "sec-ch-ua-model",
    ] {
        requests.push(with(name, format!("x {spelling}, y")));
        requests.push(with(name, spelling.to_owned()));
    }
    for name in ["x-request-id", "traceparent", "x-requested-with", "referer", "origin"] {
        requests.push(with(name, spelling.to_owned()));
    }
    requests.push(with(spelling, "x".to_owned()));
    requests
}

/// What a reader of the record could make of it: as it stands, decoded, without separators.
fn readings(text: &str) -> Vec<String> {
    let mut readings = vec![text.to_owned()];
    while let Some(last) = readings.last().filter(|last| last.contains('%') && readings.len() < 5) {
        readings.push(String::from_utf8_lossy(&gatehouse_signals::percent::decode(last.as_bytes())).into_owned());
    }
    let bare: Vec<_> = readings.iter().map(|reading| reading.replace([' ', '-', '+'], "")).collect();
    readings.extend(bare);
    readings
}

/// Rules that only watch and read every place that a secret may stand in: each is told among the grounds.
fn watching() -> Policy {
    let each = |places: &[&str]| format!(r#"{{"not":{{"any":[{}]}}}}"#, places.join(","));
    let headers = |names: &[&str]| {
        let header = |name: &&str| format!(r#"{{"headers":{{"{name}":"zz"}}}}"#);
        let all: Vec<String> = names.iter().map(header).collect();
        each(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let matches = [
        each(&[
            r#"{"path":"/zz"}"#,
            r#"{"method":"ZZ"}"#,
            r#"{"sni":"zz.example"}"#,
            r#"{"agent":{"name":"zz"}}"#,
            r#"{"query":{"q":"zz"}}"#,
            r#"{"query":{"x":"zz"}}"#,
            r#"{"cookies":{"sid":"zz"}}"#,
            r#"{"cookies":{"a":"zz"}}"#,
        ]),
        headers(&["user-agent", "accept", "accept-language", "content-type", "content-length", "sec-fetch-site"]),
        headers(&["sec-ch-ua-model", "x-request-id", "traceparent", "x-requested-with", "referer", "origin"]),
        headers(&["authorization", "x-api-key", "x-forwarded-for", "cookie"]),
    ];
    let rule = |(at, condition): (usize, &String)| {
        format!(r#"{{"name":"r{at}","mode":"monitor","match":{condition},"then":"block"}}"#)
    };
    let rules: Vec<String> = matches.iter().enumerate().map(rule).collect();
    let text = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},"spec":{{"ambiguous":"strictest","serverName":"any","rules":[{}]}}}}"#,
        rules.join(",")
    );
    inline(&document::json("policy", &text).expect("json")).unwrap_or_else(|problems| panic!("{problems}"))
}

fn kept_within(secret: &Secret) -> Result<(), String> {
    let (policy, mut state) = (watching(), State::new([1; 16], &[1; 16]));
    for spelling in spellings(&secret.written) {
        for request in requests(&spelling) {
            let headers: Vec<Pair<'_>> =
                request.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
            let connection = Connection { sni: Some(spelling.clone()), ..Connection::default() };
            let head = Head::new(&headers, &connection);
            let response = Response { content_type: format!("{spelling}; x={spelling}"), ..Response::default() };
            let outcome = Outcome { response, ..Outcome::default() };
            let now = Now { mono_ns: 1, wall_s: None };
            let asked = Request { head, claims: Claims::Unknown, known: Fields::ALL, now };
            let judged = judge(Some(&policy), &Settings::default(), asked, &mut state, &NoSlots);
            let of = Transaction { number: 1, head, judged: &judged, policy: Some(&policy) };
            let made = read(RecordId::default(), &of, &outcome, &context(AddressForm::Full));
            let told: usize = made.grounds.iter().map(|ground| ground.inputs.len()).sum();
            // One that is refused unread has none.
            let expected = if judged.verdict.reason == Reason::Ambiguous { (0, 0) } else { (4, 24) };
            assert_eq!((made.grounds.len(), told), expected, "every place is told: {request:?}");
            for reading in readings(&format!("{made:?}")) {
                if let Some(part) = secret.parts.iter().find(|part| reading.contains(part.as_str())) {
                    return Err(format!("`{part}` of `{spelling}` is seen in the record of {request:?}: {reading}"));
                }
            }
        }
    }
    Ok(())
}

#[test]
fn a_hundred_planted_secrets_are_in_no_record() {
    let signature = "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let secrets = [
        card("411111111111111", ""),
        card("411111111111111", " "),
        card("555555555555444", "-"),
        card("37828224631000", ""),
        jwt("alice-4711", signature),
        bearer("tok-7f3"),
        bearer("mF_9.B5f-4.1JqM"),
        basic("alice", "correct-horse"),
        basic_alone("bob", "hunter2!x"),
        api_key("sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"),
        api_key("AKIA", "IOSFODNN7EXAMPLE"),
        api_key("ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"),
        email("alice.liddell", "mail.example.org"),
        email("bob+spam_7", "example.co.uk"),
        Secret { written: "+44 20 7946 0958".into(), parts: vec!["79460958".into(), "7946 0958".into()] },
        Secret { written: "9f86d081884c7d659a2feaa0c55ad015".into(), parts: vec!["9f86d081884c7d65".into()] },
    ];
    for secret in &secrets {
        assert_eq!(kept_within(secret), Ok(()));
    }
    let planted: usize = secrets.iter().map(|secret| spellings(&secret.written).len() * requests("").len()).sum();
    assert!(planted >= 100, "{planted}");
}

#[test]
fn the_search_itself_finds_what_is_seen() {
    // The law above would hold for a record that nobody can read: this shows that the search sees.
    let shown = format!("{:?}", "/orders/%34111-1111 11111111%25311");
    assert!(readings(&shown).iter().any(|reading| reading.contains("411111111111111")));
}

fn any_secret() -> impl Strategy<Value = Secret> {
    prop_oneof![
        ("[3-6][0-9]{14}", prop::sample::select(vec!["", " ", "-"]))
            .prop_map(|(body, separator)| card(&body, separator)),
        ("[a-z]{5}[0-9]{4}", "[A-Za-z0-9_-]{42}[A-Za-z0-9]").prop_map(|(subject, signature)| jwt(&subject, &signature)),
        "[A-Za-z]{2}[0-9]{2}[A-Za-z0-9]{8,30}".prop_map(|token| bearer(&token)),
        ("[a-z]{3,8}", "[A-Za-z0-9!.]{8,16}").prop_map(|(user, password)| basic(&user, &password)),
        ("[a-z]{3,8}", "[A-Za-z0-9!.]{8,16}").prop_map(|(user, password)| basic_alone(&user, &password)),
        (
            prop::sample::select(vec!["sk_live_", "pk_test_", "ghp_", "xoxb-", "glpat-", "SG.", "hf_"]),
            "[A-Z][a-z][0-9]{2}[A-Za-z0-9]{20}"
        )
            .prop_map(|(prefix, tail)| api_key(prefix, &tail)),
        ("[a-z]{4,8}[0-9]{3}", "[a-z]{4,9}\\.(com|org|co\\.uk)").prop_map(|(local, domain)| email(&local, &domain)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_planted_secret_is_in_no_record(secret in any_secret()) {
        prop_assert_eq!(kept_within(&secret), Ok(()));
    }
}
