//! What the index finds against a walk over all rules: random policies of every condition, random requests.

use std::net::IpAddr;

use gatehouse_signals::address::Network;
use gatehouse_signals::agent::{Agent, AgentClass};
use gatehouse_signals::fingerprint::Fingerprint;
use gatehouse_signals::geo::Place as Where;
use gatehouse_signals::{Claims, Connection, Head, Pair};
use proptest::prelude::*;
use proptest::sample::select;

use super::emit;
use crate::compile::settle::{Ground, Member, ScopePlan, Settled};
use crate::document::{Place, Problems};
use crate::spec::types::*;
use crate::spec::{HostPattern, PathPattern, TextPattern};
use crate::{Candidates, Facts, Field, Fields, Phase, Policy, ResponseFacts, Signals, Truth};

const NAMES: &[&str] = &["x-a", "x-b", "user-agent", "a b"];
const VALUES: &[&str] = &["", "a", "ab", "admin", "Admin", "curl/8.1", "bot-7", "x y", "caf\u{e9}"];
const SEGMENTS: &[&str] = &["a", "b", "admin", "Admin", "v1", "x.php", ""];

fn place() -> Place {
    Place::pointer("test")
}

fn list(name: &str) -> ListName {
    ListName { name: name.to_owned(), place: place() }
}

fn text() -> impl Strategy<Value = TextPattern> {
    let value = || select(VALUES).prop_map(str::to_owned);
    let some = || select(&VALUES[1..]).prop_map(str::to_owned);
    let regex = select(&["^a", "admin|root", "[0-9]+$", "(?i)curl", "b", "", "ot-[0-9]"][..]).prop_map(str::to_owned);
    prop_oneof![
        value().prop_map(TextPattern::Equals),
        some().prop_map(TextPattern::Prefix),
        some().prop_map(TextPattern::Suffix),
        some().prop_map(TextPattern::Contains),
        any::<bool>().prop_map(TextPattern::Present),
        regex.prop_map(TextPattern::Regex),
    ]
}

fn path_text(stars: bool) -> impl Strategy<Value = String> {
    let segment = move || {
        let stars = if stars { &["*", "*"][..] } else { &[] };
        select([SEGMENTS, stars].concat())
    };
    let rest = if stars { any::<bool>().boxed() } else { Just(false).boxed() };
    (proptest::collection::vec(segment(), 1..5), rest)
        .prop_map(|(segments, rest)| format!("/{}{}", segments.join("/"), if rest { "/**" } else { "" }))
}

fn path() -> impl Strategy<Value = PathPattern> {
    let regex = select(&["^/a/", "admin", "[0-9]", "^/[a-z]$", "php$", "(?i)ADMIN", ""][..]).prop_map(str::to_owned);
    let ending = select(&[".php", "/a", "n", "/b/admin"][..]).prop_map(str::to_owned);
    prop_oneof![
        path_text(false).prop_map(PathPattern::Exact),
        path_text(true).prop_map(PathPattern::Segments),
        path_text(false).prop_map(PathPattern::Prefix),
        ending.prop_map(PathPattern::Suffix),
        regex.prop_map(PathPattern::Regex),
    ]
}

fn host() -> impl Strategy<Value = HostPattern> {
    prop_oneof![
        select(&["a.example", "b.a.example"][..]).prop_map(|host| HostPattern::Exact(host.to_owned())),
        select(&[".example", ".a.example"][..]).prop_map(|domain| HostPattern::Under(domain.to_owned())),
    ]
}

fn networks() -> impl Strategy<Value = Vec<Network>> {
    let one =
        select(&["10.0.0.0/8", "10.1.0.0/16", "192.0.2.7", "2001:db8::/32", "2001:db8::1", "0.0.0.0/0", "::/0"][..]);
    proptest::collection::vec(one.prop_map(|text| text.parse().expect("a network")), 1..3)
}

fn statuses() -> impl Strategy<Value = Statuses> {
    select(&[(401, 401), (400, 499), (500, 503)][..]).prop_map(|range| Statuses(vec![range]))
}

fn leaf() -> impl Strategy<Value = Condition> {
    let name = || select(NAMES).prop_map(str::to_owned);
    let by_text = prop_oneof![
        (name(), text()).prop_map(|(name, test)| Condition::Header(name, test)),
        (name(), text()).prop_map(|(name, test)| Condition::Query(name, test)),
        (name(), text()).prop_map(|(name, test)| Condition::Cookie(name, test)),
        (name(), text()).prop_map(|(name, test)| Condition::Claim(name, test)),
        (name(), text()).prop_map(|(name, test)| Condition::ResponseHeader(name, test)),
        path().prop_map(Condition::Path),
        path().prop_map(Condition::Path),
        host().prop_map(Condition::Host),
        host().prop_map(Condition::Sni),
        select(&["GET", "POST"][..]).prop_map(|method| Condition::Method(method.to_owned())),
        select(&["text/html", "text/*"][..]).prop_map(|media| Condition::ResponseType(media.to_owned())),
    ];
    let by_client = prop_oneof![
        networks().prop_map(|networks| Condition::Address(Addresses::Networks(networks))),
        select(&["nets", "many-nets"][..]).prop_map(|name| Condition::Address(Addresses::List(list(name)))),
        select(&AgentClass::ALL[..]).prop_map(Condition::AgentClass),
        select(&["curl", "Firefox"][..]).prop_map(|name| Condition::AgentName(name.to_owned())),
        any::<bool>().prop_map(Condition::AgentVerified),
        select(&[1u32, 64_500][..]).prop_map(Condition::Asn),
        select(&["asns", "many-asns"][..]).prop_map(|name| Condition::AsnList(list(name))),
        Just(Condition::Country(*b"DE")),
        Just(Condition::CountryList(list("countries"))),
        select(&["h1_ua_-", "t13d"][..]).prop_map(|text| Condition::Fingerprint(text.to_owned())),
        Just(Condition::FingerprintList(list("fingerprints"))),
        select(&["spiffe://d/ns/a/sa/b", "spiffe://d/ns/*/sa/b", "spiffe://d/ns/a/**", "spiffe://*/ns/a/sa/b"][..])
            .prop_map(|pattern| Condition::Identity(pattern.to_owned())),
        Just(Condition::IdentityList(list("identities"))),
        Just(Condition::NoIdentity),
        select(&["bot", "spam"][..]).prop_map(|label| Condition::Label(label.to_owned())),
        (1u32..20, proptest::option::of(Just("bot".to_owned())))
            .prop_map(|(at_least, label)| Condition::Score { at_least, label }),
        Just(Condition::Verdict(list("banned"))),
    ];
    let by_rest = prop_oneof![
        Just(Condition::Always),
        select(&[80u16, 443][..]).prop_map(Condition::Port),
        Just(Condition::Size(Range { least: Some(10), most: None })),
        Just(Condition::ResponseSize(Range { least: None, most: Some(10) })),
        statuses().prop_map(Condition::ResponseStatus),
        Just(Condition::Time(TimeWindow { after: Some(5), before: None, days: 0x7f, hours: None, offset_minutes: 0 })),
        any::<bool>().prop_map(Condition::TlsMutual),
        select(&[12u8, 13][..]).prop_map(Condition::TlsVersion),
    ];
    prop_oneof![5 => by_text, 3 => by_client, 1 => by_rest]
}

fn condition() -> impl Strategy<Value = Condition> {
    leaf().prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            4 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Condition::All),
            2 => proptest::collection::vec(inner.clone(), 1..4).prop_map(Condition::Any),
            1 => inner.prop_map(|inner| Condition::Not(Box::new(inner))),
        ]
    })
}

fn rule() -> impl Strategy<Value = Rule> {
    let tier = select(&[Tier::Mandate, Tier::Verdict, Tier::Rule, Tier::Rule, Tier::Default][..]);
    (tier, -3i16..3, condition(), any::<bool>()).prop_map(|(tier, priority, condition, on_response)| Rule {
        name: "r".into(),
        place: place(),
        tier,
        priority,
        mode: None,
        condition,
        limit: None,
        then: Then { effects: vec![Effect::Record], decides: None },
        on_response,
    })
}

fn lists() -> Vec<List> {
    let one = |name: &str, entries, expires| List {
        name: name.to_owned(),
        place: place(),
        entries,
        files: Vec::new(),
        expires,
    };
    let many = (0..100u32).map(|i| Network::new(IpAddr::from((10 << 24 | i << 12).to_be_bytes()), 28)).collect();
    let ids = vec!["spiffe://d/ns/a/sa/b".to_owned(), "spiffe://d/ns/ops/sa/*".to_owned()];
    vec![
        one("nets", Entries::Networks(vec!["192.0.2.0/24".parse().expect("a network")]), None),
        one("many-nets", Entries::Networks(many), Some((100, place()))),
        one("asns", Entries::Asns(vec![64_500]), None),
        one("many-asns", Entries::Asns((1..100).collect()), None),
        one("countries", Entries::Countries(vec![*b"DE", *b"FR"]), None),
        one("fingerprints", Entries::Fingerprints(vec!["h1_ua_-".into(), "t13d".into()]), None),
        one("identities", Entries::Identities(ids), None),
        one("banned", Entries::Verdicts(None), None),
    ]
}

fn document(number: usize) -> impl Strategy<Value = Document> {
    (1u8..=4, proptest::collection::vec(rule(), 0..24)).prop_map(move |(layer, mut rules)| {
        rules.iter_mut().enumerate().for_each(|(at, rule)| rule.name = format!("r{at}"));
        Document {
            name: format!("d{number}"),
            traffic: Traffic::Requests,
            place: place(),
            scope: Vec::new(),
            layer,
            hosts: Vec::new(),
            uses: Vec::new(),
            half_life: None,
            mode: Rollout::Enforce,
            own: Settings::default(),
            defaults: Settings::default(),
            mandates: Settings::default(),
            grants: Vec::new(),
            lists: lists(),
            rules,
        }
    })
}

fn plan(documents: Vec<Member>) -> ScopePlan {
    ScopePlan {
        documents,
        client_address: None,
        client_key: None,
        otherwise: None,
        ambiguous: None,
        backend: None,
        forward_canonical: None,
        support: None,
        identity_headers: None,
        require_mutual_tls: None,
        require_one_uri: None,
        direction: None,
        server_name: None,
        ambiguous_owner: 0,
    }
}

/// The first document holds everywhere; the second and what lies above hold on one host.
fn policy(documents: &[Document]) -> Policy {
    let member = |document, own| Member { document, own };
    let requests = Ground {
        everywhere: Some(plan(vec![member(0, true)])),
        scopes: vec![plan(vec![member(0, true), member(1, true), member(2, false)])],
        hosts: vec![(HostPattern::Exact("b.a.example".into()), 0)],
    };
    let connections = Ground { everywhere: None, scopes: Vec::new(), hosts: Vec::new() };
    let settled = Settled { requests, connections, half_life_ns: 1 };
    let mut problems = Problems::default();
    let image = emit(documents, &settled, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    Policy::load(image, 1).expect("our own image loads")
}

/// A request and what is known of it.
#[derive(Debug, Clone)]
struct Request {
    host: &'static str,
    path: String,
    query: String,
    method: &'static str,
    headers: Vec<(&'static str, String)>,
    response: Option<(u16, Vec<(&'static str, String)>)>,
    address: Option<IpAddr>,
    claims: Option<Vec<(&'static str, String)>>,
    connection: Connection,
    case_insensitive: bool,
    wall_s: Option<u64>,
    known: Fields,
    signals: Held,
}

#[derive(Debug, Clone)]
struct Held {
    agent: Option<(AgentClass, &'static str)>,
    verified: Option<bool>,
    fingerprint: Option<Fingerprint>,
    ja4: Option<&'static str>,
    place: Option<Where>,
    banned: Option<bool>,
    score: Option<u32>,
}

impl Signals for Held {
    fn agent(&self) -> Option<Agent<'_>> {
        self.agent.map(|(class, name)| Agent { class, name })
    }

    fn agent_verified(&self) -> Option<bool> {
        self.verified
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        self.fingerprint
    }

    fn ja4(&self) -> Option<&str> {
        self.ja4
    }

    fn place(&self) -> Option<Where> {
        self.place
    }

    fn on_verdict_list(&self, _: usize) -> Option<bool> {
        self.banned
    }

    fn score(&self, label: Option<u8>) -> Option<u32> {
        self.score.map(|score| score / (1 + u32::from(label.unwrap_or(0))))
    }
}

fn held() -> impl Strategy<Value = Held> {
    let place = (proptest::option::of(Just(*b"DE")), proptest::option::of(select(&[1u32, 64_500, 7][..])));
    (
        proptest::option::of((select(&AgentClass::ALL[..]), select(&["CURL", "firefox", ""][..]))),
        any::<Option<bool>>(),
        proptest::option::of(select(&["h1_ua_-", "h1_ua_abop"][..])),
        proptest::option::of(select(&["t13d", "q13"][..])),
        proptest::option::of(place.prop_map(|(country, asn)| Where { country, asn })),
        any::<Option<bool>>(),
        proptest::option::of(0u32..20),
    )
        .prop_map(|(agent, verified, fingerprint, ja4, place, banned, score)| {
            let fingerprint = fingerprint.and_then(Fingerprint::parse);
            Held { agent, verified, fingerprint, ja4, place, banned, score }
        })
}

fn pairs() -> impl Strategy<Value = Vec<(&'static str, String)>> {
    let names = &["x-a", "X-B", "user-agent", "a b", "content-length", "content-type"][..];
    let values = [VALUES, &["12", "9", "text/html; q=1", "10.0"]].concat();
    proptest::collection::vec((select(names), select(values).prop_map(str::to_owned)), 0..5)
}

fn connection() -> impl Strategy<Value = Connection> {
    let text = |texts: &'static [&'static str]| proptest::option::of(select(texts).prop_map(str::to_owned));
    (
        any::<Option<bool>>(),
        text(&["spiffe://d/ns/a/sa/b", "spiffe://d/ns/ops/sa/x", "spiffe://e/ns/a/sa/b"]),
        text(&["a.example", "B.a.Example.", "other"]),
        text(&["TLSv1.2", "TLSv1.3", "x"]),
        proptest::option::of(select(&[80u16, 443][..])),
    )
        .prop_map(|(mutual_tls, peer_uri, sni, tls_version, local_port)| Connection {
            mutual_tls,
            peer_uri,
            sni,
            tls_version,
            local_port,
            ..Connection::default()
        })
}

fn request() -> impl Strategy<Value = Request> {
    let query = proptest::collection::vec(
        select(&["x-a=a", "x-a=%61dmin", "a+b=x+y", "a%20b=ab", "x-b=Admin;x-a=a", "user-agent=bot-7", "x-a"][..]),
        0..3,
    );
    let cookies = select(&["", "x-a=a", "x-a=\"admin\"; x-b=%61b", "x%2Da=ab; user-agent=curl/8.1"][..]);
    let addresses = ["10.1.2.3", "10.0.0.1", "192.0.2.7", "2001:db8::1", "::ffff:10.1.0.1", "8.8.8.8"];
    let address = proptest::option::of(select(addresses.to_vec()).prop_map(|text| text.parse().expect("an address")));
    let asked = (
        select(&["a.example", "b.a.example", "other", ""][..]),
        path_text(false),
        query.prop_map(|pairs| pairs.join("&")),
        select(&["GET", "POST", "get"][..]),
        (pairs(), cookies),
    );
    let met = (
        proptest::option::of((select(&[200u16, 401, 404, 502][..]), pairs())),
        address,
        proptest::option::of(pairs()),
        connection(),
        any::<bool>(),
        proptest::option::of(select(&[1u64, 50, 200][..])),
        prop_oneof![3 => Just(u32::MAX), 1 => any::<u32>()].prop_map(Fields::from_bits),
        held(),
    );
    (asked, met).prop_map(|((host, path, query, method, (mut headers, cookie)), met)| {
        let (response, address, claims, connection, case_insensitive, wall_s, known, signals) = met;
        if !cookie.is_empty() {
            headers.push(("cookie", cookie.to_owned()));
        }
        Request {
            host,
            path,
            query,
            method,
            headers,
            response,
            address,
            claims,
            connection,
            case_insensitive,
            wall_s,
            known,
            signals,
        }
    })
}

fn bytes<'a>(pairs: &'a [(&'static str, String)]) -> Vec<Pair<'a>> {
    pairs.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect()
}

/// Every rule that holds is found, in order, and nothing that is not asked.
fn compare(policy: &Policy, request: &Request, candidates: &mut Candidates) -> Result<usize, TestCaseError> {
    let headers = bytes(&request.headers);
    let response = request.response.as_ref().map(|(status, headers)| (*status, bytes(headers)));
    let claims = request.claims.as_ref().map(|claims| bytes(claims));
    let facts = Facts {
        host: request.host.as_bytes(),
        path: request.path.as_bytes(),
        case_insensitive: request.case_insensitive,
        query: Some(request.query.as_bytes()),
        method: request.method.as_bytes(),
        address: request.address,
        head: Head::new(&headers, &request.connection),
        claims: claims.as_ref().map_or(Claims::Unknown, |claims| Claims::Known(claims)),
        wall_s: request.wall_s,
        known: request.known,
        signals: &request.signals,
        response: response.as_ref().map(|(status, headers)| ResponseFacts { status: Some(*status), headers }),
    };
    let Some(scope) = policy.for_host(request.host.as_bytes()) else { return Ok(0) };
    let mut held = 0;
    for phase in [Phase::Request, Phase::Response] {
        scope.candidates(&facts, phase, candidates);
        let found: Vec<u32> = candidates.iter().collect();
        prop_assert!(found.is_sorted_by(|a, b| a < b), "{:?}", found);
        let asked: Vec<u32> = scope.all_rules(phase).map(crate::Rule::index).collect();
        prop_assert!(found.iter().all(|index| asked.contains(index)), "{:?} of {:?}", found, asked);
        for rule in scope.all_rules(phase) {
            let truth = rule.holds(&facts);
            prop_assert!(truth != Truth::True || found.contains(&rule.index()), "{} is not found", rule.id());
            let unknown = rule.unknown_fields(&facts);
            prop_assert!(truth != Truth::Unknown || !unknown.is_empty(), "{}", rule.id());
            prop_assert!(unknown.without(rule.reads().with(Fields::of(Field::Time))).is_empty(), "{}", rule.id());
            held += usize::from(truth == Truth::True);
        }
        let reads = scope.all_rules(phase).fold(Fields::NONE, |all, rule| all.with(rule.reads()));
        let told = if phase == Phase::Request { scope.reads().request } else { scope.reads().response };
        prop_assert_eq!(reads.without(told), Fields::NONE);
    }
    Ok(held)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(debug_assertions) { 48 } else { 3_000 }))]

    #[test]
    fn the_index_finds_every_rule_that_holds(
        documents in (document(0), document(1), document(2)),
        requests in proptest::collection::vec(request(), 1..24),
    ) {
        let policy = policy(&<[Document; 3]>::from(documents));
        let mut candidates = Candidates::default();
        for request in &requests {
            compare(&policy, request, &mut candidates)?;
        }
    }
}
