//! Five corpora that show how the cost of a request grows with rules that it has nothing to do with. The requests are the same for
//! every size, and each meets rules that the smallest corpus has too.

use crate::{Ask, Corpus, document, texts};

/// What the rules of a corpus differ in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Each rule is for a host of its own.
    Hosts,
    /// Each rule is for a path of its own, on one host.
    Paths,
    /// Paths with wildcards that overlap, on one host.
    Wildcards,
    /// One path; rules differ by header, network or identity.
    Facts,
    /// Each rule has a regex of its own.
    Regexes,
}

/// Requests of each corpus.
const ASKS: usize = 200;
/// Requests are for the first so many rules, unless told otherwise.
const KNOWN: usize = 100;
/// The host of all but the first shape.
const HOST: &str = "one.example.com";

impl Shape {
    /// All five.
    pub const ALL: [Self; 5] = [Self::Hosts, Self::Paths, Self::Wildcards, Self::Facts, Self::Regexes];

    /// Its name in tables.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Paths => "paths",
            Self::Wildcards => "wildcards",
            Self::Facts => "facts",
            Self::Regexes => "regexes",
        }
    }

    /// The greatest number of rules that its cost is bounded for.
    #[must_use]
    pub const fn most(self) -> usize {
        match self {
            Self::Regexes => 1000,
            _ => 10_000,
        }
    }

    /// The corpus with so many rules, at least 100.
    #[must_use]
    pub fn corpus(self, rules: usize) -> Corpus {
        self.corpus_for(KNOWN, rules)
    }

    /// The corpus with so many rules, whose requests are for the first `known` of them, so that smaller ones have the same requests.
    #[must_use]
    pub fn corpus_for(self, known: usize, rules: usize) -> Corpus {
        let documents = match self {
            Self::Hosts => (0..rules).map(|n| of(&host(n), &format!("host-{n}"), &[self.rule(n)])).collect(),
            _ => self.folders(rules),
        };
        Corpus {
            name: format!("{}, {rules} rules", self.as_str()),
            documents: texts(documents),
            rules,
            asks: (0..ASKS).map(|number| self.ask(number % known.max(1), number < ASKS / 2)).collect(),
        }
    }

    /// Documents of at most 500 rules for one host.
    fn folders(self, rules: usize) -> Vec<String> {
        let all: Vec<usize> = (0..rules).collect();
        let written = all.chunks(500).enumerate();
        written
            .map(|(number, some)| {
                let some: Vec<String> = some.iter().map(|n| self.rule(*n)).collect();
                of(HOST, &format!("part-{number}"), &some)
            })
            .collect()
    }

    fn rule(self, n: usize) -> String {
        let matched = match self {
            Self::Hosts => r#"{"path":"/admin/**"}"#.to_owned(),
            Self::Paths => format!(r#"{{"path":"/area/{}/page-{n}"}}"#, n % 7),
            Self::Wildcards => match n % 4 {
                0 => format!(r#"{{"path":"/w{n}/*/edit/**"}}"#),
                1 => format!(r#"{{"path":"/*/w{n}/edit"}}"#),
                2 => format!(r#"{{"path":"/*/*/w{n}/**"}}"#),
                _ => format!(r#"{{"path":"/w{}/*/w{n}"}}"#, n % 50),
            },
            Self::Facts => match n % 3 {
                0 => format!(r#"{{"path":"/service","headers":{{"x-tenant":"t{n}"}}}}"#),
                1 => {
                    // 15,360 rules fill two of the second numbers; those that come after have the next ones.
                    let second = 18 + n % 2 + n / 15_360 * 2;
                    format!(r#"{{"path":"/service","address":"198.{second}.{}.{}/30"}}"#, n / 60 % 256, n % 60 * 4)
                }
                _ => format!(r#"{{"path":"/service","identity":"spiffe://cluster.local/ns/n{n}/sa/app"}}"#),
            },
            Self::Regexes => match n % 2 {
                0 => format!(r#"{{"path":{{"regex":"^/r{n}/[0-9]+/(edit|view){n}$"}}}}"#),
                _ => format!(r#"{{"headers":{{"x-note":{{"regex":"code-{n}[a-f]+ (yes|no)"}}}}}}"#),
            },
        };
        format!(r#"{{"name":"r{n}","match":{matched},"then":"block"}}"#)
    }

    /// Half of the requests meet a rule, the others come near one.
    fn ask(self, n: usize, meets: bool) -> Ask {
        let get = |path: &str| Ask::new("GET", HOST, path).with("user-agent", "ShopApp/7.4.1").with("accept", "*/*");
        let end = if meets { "" } else { "x" };
        match self {
            Self::Hosts => {
                let path = if meets { "/admin/users" } else { "/catalog/shoes" };
                Ask::new("GET", &host(n), path).with("user-agent", "ShopApp/7.4.1").with("accept", "*/*")
            }
            Self::Paths => get(&format!("/area/{}/page-{n}{end}", n % 7)),
            Self::Wildcards => get(&match n % 4 {
                0 => format!("/w{n}/7/edit{end}/all"),
                1 => format!("/a/w{n}/edit{end}"),
                2 => format!("/a/b/w{n}{end}/c"),
                _ => format!("/w{}/x/w{n}{end}", n % 50),
            }),
            Self::Facts => {
                let mut ask = get("/service");
                match n % 3 {
                    0 => ask = ask.with("x-tenant", format!("t{n}{end}")),
                    1 => {
                        ask.peer =
                            [198, if meets { 18 + n % 2 } else { 17 } as u8, (n / 60) as u8, (n % 60 * 4) as u8].into()
                    }
                    _ => ask.peer_uri = Some(format!("spiffe://cluster.local/ns/n{n}/sa/app{end}")),
                }
                ask
            }
            Self::Regexes => match n % 2 {
                0 => get(&format!("/r{n}/17/edit{n}{end}")),
                _ => get("/notes").with("x-note", format!("see code-{n}{end}ab yes")),
            },
        }
    }
}

fn host(n: usize) -> String {
    format!("h{n}.example.com")
}

fn of(host: &str, name: &str, rules: &[String]) -> String {
    let spec = format!(r#""hosts":["{host}"],"mode":"enforce","rules":[{}]"#, rules.join(","));
    document(name, &format!("acme/{}", name.split('-').next().unwrap_or(name)), &spec)
}
