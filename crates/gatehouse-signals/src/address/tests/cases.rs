//! The table of cases of another library for the same question.
//!
//! Its strategies are ours under other names: `RemoteAddr` is [`Source::Peer`]; `SingleIPHeader` is [`Source::Header`] from a
//! trusted peer; `RightmostTrustedCount` is [`Trust::Hops`]; `RightmostTrustedRange` is [`Trust::Networks`]. What it answers with
//! nothing, [`Client::told`] does not tell either. Two differences are of form: it keeps zones (we leave them out), and it
//! presumes a trusted peer where a case names none (here: one in a network of its own), or one that is no address (here: a local
//! one). Strategies that pick by private and public addresses are not offered.

use serde_json::Value;

use super::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench-data/client-ip/realclientip_cases.json");

/// The peer of a case that names none.
const PRESUMED: &str = "203.0.113.254";

#[test]
fn the_cases_of_another_library_are_answered_as_there() {
    let Ok(text) = std::fs::read(FILE) else {
        eprintln!("skipped: {FILE} is not here");
        return;
    };
    let cases: Vec<Value> = serde_json::from_slice(&text).unwrap();
    let offered = |case: &&Value| !matches!(text_of(case, "strategy"), "LeftmostNonPrivate" | "RightmostNonPrivate");
    let (mut answered, mut refused) = (0, 0);
    for case in cases.iter().filter(offered) {
        if case["wantErr"] == true {
            assert!(setup(case).is_none(), "{case}");
            refused += 1;
        } else {
            let (source, trust) = setup(case).unwrap();
            let want = text_of(case, "want").split('%').next().unwrap().parse().ok();
            assert_eq!(told(case, &source, &trust), want, "{case}");
            answered += 1;
        }
    }
    assert_eq!((answered, refused), (54, 8));
}

fn text_of<'a>(case: &'a Value, field: &str) -> &'a str {
    case[field].as_str().unwrap_or_default()
}

/// The strategy as ours; `None`: it cannot be set up so.
fn setup(case: &Value) -> Option<(Source, Trust)> {
    let name = text_of(case, "headerName");
    let list = || name.parse().ok().filter(|source| matches!(source, Source::XForwardedFor | Source::Forwarded));
    match text_of(case, "strategy") {
        "RemoteAddr" => Some((Source::Peer, Trust::None)),
        "SingleIPHeader" => Some((Source::header(name).ok()?, Trust::Hops(1))),
        // A count of 0 trusts nobody: ours, but not what that strategy means.
        "RightmostTrustedCount" => {
            let count = u8::try_from(case["trustedCount"].as_i64().unwrap()).ok().filter(|count| *count > 0)?;
            Some((list()?, Trust::Hops(count)))
        }
        "RightmostTrustedRange" => {
            let ranges = case["trustedRanges"].as_array().unwrap().iter().map(|range| network(range.as_str().unwrap()));
            let presumed = case["remoteAddr"].is_null().then(|| network(PRESUMED));
            Some((list()?, Trust::Networks(ranges.chain(presumed).collect())))
        }
        other => panic!("`{other}` is a strategy that is not known"),
    }
}

/// As [`Network`] is parsed, but for bits after the prefix, which are passed over.
fn network(text: &str) -> Network {
    let (address, length) = text.split_once('/').unwrap_or((text, "128"));
    let (address, length): (IpAddr, u8) = (ip(address), length.parse().unwrap());
    // In these cases the length after a mapped IPv4 address counts the bits of IPv6.
    Network::new(address, length)
}

fn told(case: &Value, source: &Source, trust: &Trust) -> Option<IpAddr> {
    let peer = read(case["remoteAddr"].as_str().unwrap_or(PRESUMED).as_bytes());
    let connection = Connection { peer, peer_local: peer.is_none(), ..Connection::default() };
    let lines: Vec<(&str, &str)> = case["headers"].as_object().unwrap().iter().flat_map(lines).collect();
    let headers: Vec<Pair<'_>> = lines.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
    Client::told(&Head::new(&headers, &connection), source, trust)
}

fn lines<'a>((name, values): (&'a String, &'a Value)) -> impl Iterator<Item = (&'a str, &'a str)> {
    values.as_array().unwrap().iter().map(move |value| (name.as_str(), value.as_str().unwrap()))
}
