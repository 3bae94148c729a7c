//! Judging costs no memory where nothing is done to a request, and an answer little: counted by an allocator of the test's own.
#![expect(clippy::expect_used, clippy::panic, reason = "a test ends at its first surprise")]

#[path = "../../gatehouse-meter/tests/counting/mod.rs"]
mod counting;

use std::rc::Rc;

use gatehouse_engine::mitigate::{Answer, Cors, Limited, Occasion, Own, Problem, Quota, Refuse, Support, reply};
use gatehouse_engine::{
    Claims, Connection, Fields, Head, Judged, NoSlots, Now, Pair, Policy, Request, Settings, State, Step, answered,
    judge,
};
use gatehouse_policy::{Format, Source, compile, document, inline};
use gatehouse_signals::geo;

use counting::count;

const HEADERS: [Pair<'_>; 8] = [
    (b":method", b"GET"),
    (b":path", b"/catalog/shoes/1234?page=2&q=red"),
    (b":authority", b"shop.example.com"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    ),
    (b"x-forwarded-for", b"203.0.113.9, 10.0.0.2"),
    (b"accept", b"*/*"),
    (b"cookie", b"sid=4f3a9c8b7d6e5f4a; lang=en"),
    (b"x-api-key", b"k-123"),
];

/// One worker, and how often it asks for memory.
struct Worker {
    policy: Policy,
    state: State,
    now_ns: u64,
}

impl Worker {
    fn new(policy: Policy) -> Self {
        Self { policy, state: State::new([1; 16], &[1; 16]), now_ns: 1_000_000_000 }
    }

    fn ask(&mut self, headers: &[Pair<'_>], connection: &Connection, claims: Claims<'_>) -> (Judged, usize) {
        self.now_ns += 1_000_000;
        let now = Now { mono_ns: self.now_ns, wall_s: Some(1_790_000_000) };
        let head = Head::new(headers, connection);
        let request = Request { head, claims, known: Fields::ALL, now };
        counted(|| judge(Some(&self.policy), &Settings::default(), request, &mut self.state, &NoSlots))
    }

    fn tell(&mut self, judged: &mut Judged, status: u16) -> usize {
        let (policy, state) = (Some(&self.policy), &mut self.state);
        counted(|| answered(policy, judged, Some(status), state, &NoSlots, self.now_ns)).1
    }
}

fn counted<T>(what: impl FnOnce() -> T) -> (T, usize) {
    let before = count();
    let result = what();
    (result, count() - before)
}

fn proxied() -> Connection {
    Connection { peer: "10.0.0.1".parse().ok(), mutual_tls: Some(false), ..Connection::default() }
}

fn whole(spec: &str) -> String {
    format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p"}},
            "spec":{{"hosts":"shop.example.com","client":{{"address":{{"from":"x-forwarded-for","trust":["10.0.0.0/8"]}}}},{spec}}}}}"#
    )
}

fn compiled(spec: &str) -> Policy {
    let source = Source { name: "policy", text: &whole(spec), format: Format::Json };
    Policy::load(compile(&[source]).unwrap_or_else(|problems| panic!("{problems}")).image, 1).expect("an image")
}

/// Two hundred rules of every kind of test, none of which holds for the request.
fn rules() -> String {
    let rule = |i: usize| {
        format!(
            r#"{{"name":"a{i}","match":{{"path":["/x{i}/*","/y{i}/**",{{"suffix":".p{i}"}},{{"prefix":"/z{i}"}}],"method":"GET"}},"then":"block"}},
               {{"name":"b{i}","match":{{"headers":{{"user-agent":{{"contains":"bot{i}"}}}},"not":{{"address":"10.{i}.0.0/16"}}}},"then":"block"}}"#
        )
    };
    (0..100).map(rule).collect::<Vec<_>>().join(",")
}

#[test]
fn a_request_that_goes_on_untouched_allocates_nothing() {
    let text = whole(&format!(r#""rules":[{}]"#, rules()));
    let inline =
        inline(&document::json("policy", &text).expect("json")).unwrap_or_else(|problems| panic!("{problems}"));
    for policy in [inline, compiled(&format!(r#""rules":[{}]"#, rules()))] {
        let mut worker = Worker::new(policy);
        worker.ask(&HEADERS, &proxied(), Claims::Unknown);
        let (judged, asked) = worker.ask(&HEADERS, &proxied(), Claims::Unknown);
        assert_eq!((judged.step, asked), (Step::Forward(None), 0));
        assert!(judged.subject.client.forwarded && judged.verdict.rule.is_none());
    }
}

/// Everything that a rule may look at, in rules that do not fire: lists of all kinds, the house's too, agents, fingerprints,
/// places, claims, scores, regexes.
const LOOKED_AT: &str = r#"
    "lists":{"office":{"cidrs":["192.0.2.0/24","2001:db8::/32"]},"tools":{"fingerprints":["h1_uae_-","t13d1516h2_8daaf6152771_b186095e22b6"]},
             "systems":{"asns":[64496]},"lands":{"countries":["DE"],"expires":"2036-01-01T00:00:00Z"},"ids":{"identities":["spiffe://a/ns/*/sa/c"]},
             "banned":{"from":"verdicts"}},
    "rules":[
      {"name":"a","match":{"address":{"list":"office"}},"then":"block"},
      {"name":"b","match":{"fingerprint":{"list":"tools"}},"then":"block"},
      {"name":"c","match":{"asn":{"list":"systems"}},"then":"block"},
      {"name":"d","match":{"country":{"list":"lands"}},"then":"block"},
      {"name":"e","match":{"identity":{"list":"ids"}},"then":"block"},
      {"name":"f","match":{"verdict":{"list":"banned"}},"then":"block"},
      {"name":"g","match":{"agent":["crawler","scanner"]},"then":"block"},
      {"name":"h","match":{"score":50},"then":"block"},
      {"name":"i","match":{"label":"probe"},"then":"block"},
      {"name":"j","match":{"jwt":{"sub":"mallory"}},"then":"block"},
      {"name":"k","match":{"path":{"regex":"^/[a-z]+/[0-9]+$"}},"then":"block"},
      {"name":"l","match":{"headers":{"user-agent":{"regex":"[Bb]ot|curl"}}},"then":"block"},
      {"name":"m","match":{"query":{"q":"blue"}},"then":"block"},
      {"name":"n","match":{"cookies":{"sid":{"prefix":"x"}}},"then":"block"},
      {"name":"o","match":{"time":{"hours":"00:00-00:01"}},"then":"block"},
      {"name":"p","match":{"path":"/weigh"},"then":{"weigh":10,"label":"probe"}}]"#;

#[test]
fn lists_agents_fingerprints_places_claims_and_scores_cost_no_memory() {
    let mut worker = Worker::new(compiled(LOOKED_AT));
    let networks = [("198.51.100.0/24", *b"DE", 64_496), ("203.0.113.0/24", *b"FR", 64_497)];
    let networks =
        networks.map(|(network, country, asn)| (network.parse().expect("a network"), Some(country), Some(asn)));
    let table = geo::Table::load(geo::build(networks).expect("a table")).expect("a table");
    worker.state.set_geo(Some(Rc::new(table)));
    let (verdicts, now_ns) = (worker.state.verdicts_mut(), 1);
    let keys: [&[u8]; 7] = [
        &[1, 192, 0, 2, 1],
        &[2, 198, 51, 100, 0, 24],
        b"\x03spiffe://a/b",
        b"\x04h1_uae_-",
        b"\x04t13d1516h2_8daaf6152771_b186095e22b6",
        &[5, 0, 1, 0, 0],
        b"\x0600112233445566778899aabbccddeeff",
    ];
    assert!(keys.into_iter().all(|key| verdicts.put("banned", key, u64::MAX, now_ns)));
    let connection = Connection { ja4: Some("t13d1517h2_000000000000_b186095e22b6".into()), ..proxied() };
    let claims = [(&b"sub"[..], &b"alice"[..])];
    worker.ask(&HEADERS, &connection, Claims::Known(&claims));
    for _ in 0..3 {
        let (judged, asked) = worker.ask(&HEADERS, &connection, Claims::Known(&claims));
        assert_eq!((judged.step, asked), (Step::Forward(None), 0));
    }
    assert!(worker.state.counts().unknown.is_empty(), "each of them was looked at: {:?}", worker.state.counts());
}

/// Limits of every kind by keys of every kind, all of which the request meets and none of which is over.
const LIMITED: &str = r#"
    "rules":[
      {"name":"a","match":{"all":true},"limit":{"rate":"1000 per 1m"},"then":"limit"},
      {"name":"b","match":{"all":true},"limit":{"by":["address.prefix","path.class","method","host"],"rate":"600 per 1m","burst":100},"then":"limit"},
      {"name":"c","match":{"all":true},"limit":{"by":["headers.x-api-key","cookies.sid","query.q","fingerprint"],"rate":"60000 per 1m"},"then":"limit"},
      {"name":"d","match":{"all":true},"limit":{"by":"fingerprint","distinct":{"of":"address","over":"60000 per 5m"}},"then":"block"},
      {"name":"e","match":{"all":true},"limit":{"count":{"status":[401,403]},"rate":"10 per 1m"},"then":"limit"},
      {"name":"f","match":{"all":true},"limit":{"by":["path"],"count":{"status":"5xx"},"rate":"10 per 1m"},"mode":"monitor","then":"limit"},
      {"name":"g","match":{"path":"/never"},"limit":{"rate":"1 per 1m"},"then":"limit"}]"#;

#[test]
fn limits_that_a_request_meets_cost_no_memory_once_warm() {
    let mut worker = Worker::new(compiled(LIMITED));
    let mut ask = |address: String| {
        let mut headers = HEADERS;
        headers[4].1 = address.as_bytes();
        let (mut judged, asked) = worker.ask(&headers, &proxied(), Claims::Unknown);
        let told = worker.tell(&mut judged, 200);
        assert!(judged.step == Step::Forward(None));
        (asked, told)
    };
    // Until each page of the tables is there.
    for n in 0..6000 {
        ask(format!("198.18.{}.{}", n % 250, n / 250));
    }
    for n in 0..100 {
        // Clients of its own accord, known ones and new ones.
        assert_eq!(ask(format!("203.0.113.{}", n % 60)), (0, 0), "request {n}");
    }
    assert_eq!(worker.state.counts().unkeyed, 0);
}

/// How often an answer to a browser of another origin asks for memory.
fn asked(answer: &Answer<'_>) -> usize {
    let headers: [(&[u8], &[u8]); 4] = [
        (b":method", b"GET"),
        (b"accept", b"text/html,application/xhtml+xml,*/*;q=0.8"),
        (b"accept-language", b"de-CH,de;q=0.9,en;q=0.8"),
        (b"origin", b"https://shop.example.com"),
    ];
    let connection = Connection::default();
    let support = Support { text: Some("Ask the shop's operators"), link: Some("https://help.example.com/") };
    let occasion = Occasion { by: "shop/r", reference: "7Q2KM4XJ0T9RB3ZC", support, cors: Cors::Open };
    let (reply, asked) = counted(|| reply(answer, &occasion, Head::new(&headers, &connection)));
    assert!(reply.body.len() > 700, "{reply:?}");
    asked
}

/// The list of headers, the body, the origin, the reference, the details; a limit's three headers and a number besides.
#[test]
fn an_answer_costs_one_body_and_few_headers() {
    let own = Own::default();
    assert_eq!(asked(&Answer::Refuse(Refuse { status: 403, problem: Problem::Blocked, own })), 5);
    let quota = Some(Quota { name: "login", quota: 10, window_ns: 60_000_000_000 });
    assert_eq!(asked(&Answer::Limit(Limited { status: 429, wait_ns: 30_000_000_000, quota, own })), 9);
}
