//! Policies of any size, in five kinds in which most rules cannot match one request, and requests to go with them. Used by the
//! cost test; made so that a bench can include it too.

use std::net::IpAddr;

use gatehouse_policy::{Facts, Fields, Format, Policy, Signals, Source, compile};
use gatehouse_signals::{Claims, Connection, Head, Pair};

/// So many rules of a corpus stand in one text: a text may hold 1 MiB.
const TOGETHER: usize = 4_000;

/// A kind of policy: its name, how to write rule `i` of `n` (the inside of `match`), and a request that meets rule `i`.
pub(crate) struct Corpus {
    pub(crate) name: &'static str,
    /// How many rules the largest has.
    pub(crate) most: usize,
    /// Every rule has its own document and host.
    pub(crate) hosts: bool,
    pub(crate) rule: fn(usize) -> String,
    pub(crate) request: fn(usize) -> Request,
}

/// A request as a gate would see it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) address: IpAddr,
    pub(crate) peer_uri: Option<String>,
}

impl Default for Request {
    fn default() -> Self {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header(":method", "GET"),
            header(":authority", "shop.example.com"),
            header("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
            header("accept-encoding", "gzip, deflate, br"),
            header("accept-language", "en-GB,en;q=0.5"),
            header("cookie", "session=4f2d11aa90; theme=dark; consent=yes"),
            header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
            header("x-request-id", "5b1c8d1e-5c55-4e0c-b6f5-1e2f5a1f9e77"),
        ];
        Self {
            host: "shop.example.com".into(),
            path: "/v1/catalog/items/4711".into(),
            query: "page=2&sort=price".into(),
            method: "GET".into(),
            headers,
            address: IpAddr::from([198, 51, 100, 77]),
            peer_uri: Some("spiffe://cluster.local/ns/web/sa/front".into()),
        }
    }
}

impl Request {
    /// Calls `judge` with what the gate would know.
    pub(crate) fn with_facts<R>(&self, judge: impl FnOnce(&Facts<'_>) -> R) -> R {
        let connection = Connection {
            peer: Some(self.address),
            mutual_tls: Some(self.peer_uri.is_some()),
            peer_uri: self.peer_uri.clone(),
            ..Connection::default()
        };
        let headers: Vec<Pair<'_>> = self.headers.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        judge(&Facts {
            host: self.host.as_bytes(),
            path: self.path.as_bytes(),
            case_insensitive: false,
            query: Some(self.query.as_bytes()),
            method: self.method.as_bytes(),
            address: Some(self.address),
            head: Head::new(&headers, &connection),
            claims: Claims::Unknown,
            wall_s: Some(1_790_000_000),
            known: Fields::ALL,
            signals: &Nothing,
            response: None,
        })
    }

    /// The same of a request that the shared generator made.
    pub(crate) fn of(ask: &gatehouse_corpora::Ask) -> Self {
        let header =
            |name: &str| ask.headers.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value.as_str());
        let (path, query) = header(":path").split_once('?').unwrap_or((header(":path"), ""));
        let forwarded = header("x-forwarded-for").rsplit(',').next().and_then(|text| text.trim().parse().ok());
        Self {
            host: header(":authority").to_owned(),
            path: path.to_owned(),
            query: query.to_owned(),
            method: header(":method").to_owned(),
            headers: ask.headers.clone(),
            address: forwarded.unwrap_or(ask.peer),
            peer_uri: ask.peer_uri.clone(),
        }
    }

    fn path(path: String) -> Self {
        Self { path, ..Self::default() }
    }

    fn header(name: &str, value: String) -> Self {
        let mut request = Self::path("/login".into());
        request.headers.retain(|(own, _)| own != name);
        request.headers.push((name.to_owned(), value));
        request
    }
}

/// Nothing is worked out: what costs there is not the index's.
pub(crate) struct Nothing;

impl Signals for Nothing {}

/// The five kinds, some in several shapes.
pub(crate) const CORPORA: [Corpus; 19] = [
    Corpus {
        name: "hosts, each with its document",
        most: 10_000,
        hosts: true,
        rule: |_| r#""path":"/admin/**""#.into(),
        request: |i| Request { host: format!("h{i}.example"), ..Request::path("/admin/x".into()) },
    },
    corpus(
        "hosts in one document",
        |i| format!(r#""host":"h{i}.shop.example.com""#),
        |i| Request { host: format!("h{i}.shop.example.com"), ..Request::default() },
    ),
    corpus("paths", |i| format!(r#""path":"/v1/things/{i}/edit""#), |i| Request::path(format!("/v1/things/{i}/edit"))),
    corpus(
        "prefixes",
        |i| format!(r#""path":{{"prefix":"/v1/tenant-{i}"}}"#),
        |i| Request::path(format!("/v1/tenant-{i}/a/b")),
    ),
    corpus(
        "endings",
        |i| format!(r#""path":{{"suffix":"/x{i}.php"}}"#),
        |i| Request::path(format!("/v1/old/x{i}.php")),
    ),
    corpus(
        "one star each",
        |i| format!(r#""path":"/v{}/*/orders/{i}""#, i % 7),
        |i| Request::path(format!("/v{}/bob/orders/{i}", i % 7)),
    ),
    corpus("stars that overlap", wildcards, |i| Request::path(format!("/shop/c{}/items/i{}/edit", i % 50, i))),
    corpus("stars and a rest", |i| format!(r#""path":"/*/*/t{i}/**""#), |i| Request::path(format!("/a/b/t{i}/c/d"))),
    corpus(
        "headers",
        |i| format!(r#""path":"/login","headers":{{"x-api-key":"key-{i}"}}"#),
        |i| Request::header("x-api-key", format!("key-{i}")),
    ),
    corpus(
        "header names",
        |i| format!(r#""path":"/login","headers":{{"x-flag-{i}":"on"}}"#),
        |i| Request::header(&format!("x-flag-{i}"), "on".into()),
    ),
    corpus(
        "cookies",
        |i| format!(r#""path":"/login","cookies":{{"session":"s-{i}"}}"#),
        |i| Request::header("cookie", format!("a=b; session=s-{i}")),
    ),
    corpus(
        "parameters",
        |i| format!(r#""path":"/login","query":{{"id":"{i}"}}"#),
        |i| Request { query: format!("a=b&id={i}&c=d"), ..Request::path("/login".into()) },
    ),
    corpus(
        "networks",
        |i| format!(r#""path":"/login","address":"10.{}.{}.0/24""#, i / 256, i % 256),
        |i| Request {
            address: IpAddr::from([10, (i / 256) as u8, (i % 256) as u8, 9]),
            ..Request::path("/login".into())
        },
    ),
    corpus(
        "identities",
        |i| format!(r#""path":"/login","identity":"spiffe://cluster.local/ns/n{i}/sa/*""#),
        |i| Request {
            peer_uri: Some(format!("spiffe://cluster.local/ns/n{i}/sa/web")),
            ..Request::path("/login".into())
        },
    ),
    corpus("one path, now this, now that", mixed, |i| match i % 3 {
        0 => Request::header("x-api-key", format!("key-{i}")),
        1 => Request {
            address: IpAddr::from([10, (i / 256) as u8, (i % 256) as u8, 9]),
            ..Request::path("/login".into())
        },
        _ => Request {
            peer_uri: Some(format!("spiffe://cluster.local/ns/n{i}/sa/web")),
            ..Request::path("/login".into())
        },
    }),
    corpus(
        "pairs of a path and a header",
        |i| format!(r#""path":"/f/{}","headers":{{"x-api-key":"key-{}"}}"#, i % 100, i / 100),
        |i| Request { path: format!("/f/{}", i % 100), ..Request::header("x-api-key", format!("key-{}", i / 100)) },
    ),
    Corpus {
        name: "regexes over paths",
        most: 1_000,
        hosts: false,
        rule: |i| format!(r#""path":{{"regex":"^/api/v[0-9]+/res{i}/[a-z]+(/[0-9]+)?/details$"}}"#),
        request: |i| Request::path(format!("/api/v1/res{i}/abc/12/details")),
    },
    Corpus {
        name: "regexes over user agents",
        most: 1_000,
        hosts: false,
        rule: |i| format!(r#""path":"/login","headers":{{"user-agent":{{"regex":"(?i)bot-?{i}[a-z]?/[0-9.]+"}}}}"#),
        request: |i| {
            Request::header("user-agent", format!("Mozilla/5.0 (compatible; Bot{i}/1.0; +https://bot.example)"))
        },
    },
    Corpus {
        name: "regexes without a literal",
        most: 1_000,
        hosts: false,
        rule: |i| format!(r#""path":{{"regex":"^/[{}-{}][0-9]{{{}}}$"}}"#, letter(i), 'z', 1 + i / 25),
        request: |i| Request::path(format!("/{}{}", letter(i), "7".repeat(1 + i / 25))),
    },
];

const fn corpus(name: &'static str, rule: fn(usize) -> String, request: fn(usize) -> Request) -> Corpus {
    Corpus { name, most: 10_000, hosts: false, rule, request }
}

fn letter(i: usize) -> char {
    char::from(b'a' + (i % 25) as u8)
}

fn wildcards(i: usize) -> String {
    let (category, item) = (i % 50, i);
    match i % 4 {
        0 => format!(r#""path":"/shop/*/items/i{item}/*""#),
        1 => format!(r#""path":"/shop/c{category}/*/i{item}/**""#),
        2 => format!(r#""path":"/*/c{category}/items/i{item}/edit""#),
        _ => format!(r#""path":"/*/*/*/i{item}/**""#),
    }
}

fn mixed(i: usize) -> String {
    match i % 3 {
        0 => format!(r#""path":"/login","headers":{{"x-api-key":"key-{i}"}}"#),
        1 => format!(r#""path":"/login","address":"10.{}.{}.0/24""#, i / 256, i % 256),
        _ => format!(r#""path":"/login","identity":"spiffe://cluster.local/ns/n{i}/sa/*""#),
    }
}

impl Corpus {
    /// The policy of `count` rules.
    pub(crate) fn policy(&self, count: usize) -> Policy {
        let rule = |i: usize| format!(r#"{{"name":"r{i}","match":{{{}}},"then":"block"}}"#, (self.rule)(i));
        let mut texts = Vec::new();
        for first in (0..count).step_by(TOGETHER) {
            let range = first..count.min(first + TOGETHER);
            if self.hosts {
                let one = |i: usize| {
                    document(&format!("d{i}"), &format!(r#""hosts":["h{i}.example"],"rules":[{}]"#, rule(i)))
                };
                let documents: Vec<String> = range.map(one).collect();
                texts.push(format!("[{}]", documents.join(",")));
            } else {
                let rules: Vec<String> = range.map(rule).collect();
                texts.push(document(&format!("p{first}"), &format!(r#""rules":[{}]"#, rules.join(","))));
            }
        }
        load(&texts)
    }
}

/// The policy of these texts.
#[expect(clippy::panic, reason = "a helper of tests: the texts are made above")]
pub(crate) fn load(texts: &[String]) -> Policy {
    let source = |text| Source { name: "corpus", text, format: Format::Json };
    let sources: Vec<Source<'_>> = texts.iter().map(|text| source(text)).collect();
    let compiled = compile(&sources).unwrap_or_else(|problems| panic!("{problems}"));
    Policy::load(compiled.image, 1).unwrap_or_else(|error| panic!("{error}"))
}

fn document(name: &str, spec: &str) -> String {
    format!(r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"{name}"}},"spec":{{{spec}}}}}"#)
}
