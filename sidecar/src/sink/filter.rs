//! `where`: the policy's match language over what a record holds, and two words that only a record can answer: `action`
//! and `rule`. All words must hold. Where a record does not tell (an address that is hashed), it is sent: rather one
//! record too many than one too few.

use gatehouse_policy::document::{Entry, Node, Place, Problems, Value, quoted};
use gatehouse_policy::{Facts, Field, Fields, Policy, ResponseFacts, Signals, Truth, inline};
use gatehouse_proto::v1::judgement::Action;
use gatehouse_proto::v1::{Downstream, Judgement, Record, Request, Response};
use gatehouse_signals::agent::{Agent, classify};
use gatehouse_signals::{Claims, Connection, Head, Host, Pair};

/// What a record tells of a request and its response.
const TOLD: [Field; 13] = [
    Field::Address,
    Field::Agent,
    Field::Host,
    Field::Identity,
    Field::Method,
    Field::Path,
    Field::ResponseSize,
    Field::ResponseStatus,
    Field::ResponseType,
    Field::Size,
    Field::Sni,
    Field::TlsMutual,
    Field::TlsVersion,
];

const ACTIONS: [(&str, Action); 6] = [
    ("allow", Action::Allow),
    ("block", Action::Block),
    ("deceive", Action::Deceive),
    ("drop", Action::Drop),
    ("limit", Action::Limit),
    ("redirect", Action::Redirect),
];

/// Which records a sink is sent.
#[derive(Debug)]
pub(super) struct Filter {
    /// Its one rule is the match; `None`: nothing is asked of the request.
    matches: Option<Policy>,
    /// Any of these; empty: any at all.
    actions: Vec<Action>,
    /// Any of these rules decided, as `policy/rule`; empty: any or none.
    rules: Vec<String>,
}

impl Filter {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            problems.push(
                &node.place,
                format!("`where` is {}", node.kind()),
                "write a match, such as `{ action: block }`",
            );
            return None;
        };
        if entries.is_empty() {
            problems.push(&node.place, "an empty `where` keeps nothing back", "write a match, or leave it out");
            return None;
        }
        let find = |word: &str| entries.iter().find(|entry| entry.key == word).map(|entry| &entry.value);
        let actions = find("action").map(|node| actions(node, problems)).unwrap_or_default();
        let rules = find("rule").and_then(|node| rules(node, problems)).unwrap_or_default();
        let rest = entries.iter().filter(|entry| !["action", "rule"].contains(&entry.key.as_str()));
        let rest = Node { value: Value::Map(rest.cloned().collect()), place: node.place.clone() };
        let asks = matches!(&rest.value, Value::Map(rest) if !rest.is_empty());
        let matches = if asks { Some(compile(&rest, problems)?) } else { None };
        Some(Self { matches, actions, rules })
    }

    /// It holds for the record, or may.
    pub(super) fn lets_through(&self, record: &Record) -> bool {
        let none = Judgement::default();
        let judgement = record.judgement.as_ref().unwrap_or(&none);
        let action = match judgement.action() {
            Action::Unspecified => Action::Allow,
            action => action,
        };
        (self.actions.is_empty() || self.actions.contains(&action))
            && (self.rules.is_empty() || self.rules.contains(&judgement.rule))
            && self.matches.as_ref().is_none_or(|policy| holds(policy, record) != Truth::False)
    }
}

fn actions(node: &Node, problems: &mut Problems) -> Vec<Action> {
    let words = ACTIONS.map(|(word, _)| word);
    let one = |node: &Node| {
        let word = node.one_of(&words, problems)?;
        ACTIONS.iter().find(|(known, _)| *known == word).map(|(_, action)| *action)
    };
    node.one_or_many().iter().filter_map(one).collect()
}

fn rules(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let mut rules = Vec::new();
    for node in node.one_or_many() {
        let rule = node.string(problems)?;
        if !rule.contains('/') {
            let help = "write it as records have it, `POLICY/RULE`";
            problems.push(&node.place, format!("{} names no rule of a policy", quoted(rule)), help);
        }
        rules.push(rule.to_owned());
    }
    Some(rules)
}

/// The match as the one rule of a policy of its own, so that it is read and judged as in any policy.
fn compile(node: &Node, problems: &mut Problems) -> Option<Policy> {
    let told = problems.0.len();
    let policy = match inline(&document(node)) {
        Ok(policy) => policy,
        Err(found) => {
            problems.extend(found);
            return None;
        }
    };
    let told_by_records = TOLD.iter().fold(Fields::NONE, |all, field| all.with(Fields::of(*field)));
    for field in policy.rule(0).reads().without(told_by_records).iter() {
        let word = field.as_str();
        let help = "leave it out: a sink is sent records, and those hold no such field to filter by";
        problems.push(place_of(node, word), format!("records do not tell `{word}`"), help);
    }
    (problems.0.len() == told).then_some(policy)
}

/// Where the field stands, if not nested.
fn place_of<'n>(node: &'n Node, word: &str) -> &'n Place {
    let first = word.split('.').next().unwrap_or(word);
    let Value::Map(entries) = &node.value else { return &node.place };
    entries.iter().find(|entry| entry.key == first).map_or(&node.place, |entry| &entry.key_place)
}

fn document(matches: &Node) -> Node {
    let place = &matches.place;
    let node = |value: Value| Node { value, place: place.clone() };
    let text = |text: &str| node(Value::String(text.into()));
    let map = |entries: Vec<(&str, Node)>| {
        let entry = |(key, value): (&str, Node)| Entry { key: key.into(), key_place: place.clone(), value };
        node(Value::Map(entries.into_iter().map(entry).collect()))
    };
    let rule = map(vec![("name", text("where")), ("match", matches.clone()), ("then", text("record"))]);
    map(vec![
        ("apiVersion", text("gatehouse.dev/v1")),
        ("kind", text("Policy")),
        ("metadata", map(vec![("name", text("where"))])),
        ("spec", map(vec![("rules", node(Value::List(vec![rule])))])),
    ])
}

fn holds(policy: &Policy, record: &Record) -> Truth {
    let (no_downstream, no_request, no_response) = (Downstream::default(), Request::default(), Response::default());
    let downstream = record.downstream.as_ref().unwrap_or(&no_downstream);
    let request = record.request.as_ref().unwrap_or(&no_request);
    let response = record.response.as_ref().unwrap_or(&no_response);
    let connection = connection(downstream);
    let (sent, answered) = (request.body_bytes.to_string(), response.body_bytes.to_string());
    let headers: [Pair<'_>; 2] = [(b"content-length", sent.as_bytes()), (b"user-agent", request.user_agent.as_bytes())];
    let response_headers: [Pair<'_>; 2] =
        [(b"content-length", answered.as_bytes()), (b"content-type", response.content_type.as_bytes())];
    let host = record.connection.as_ref().map_or(&request.authority, |connection| &connection.host);
    let host = Host::parse(host.as_bytes()).name;
    let agent = Told(&request.user_agent);
    let path = if request.canonical_path.is_empty() { &request.path } else { &request.canonical_path };
    let facts = Facts {
        host: &host,
        path: path.as_bytes(),
        case_insensitive: false,
        query: None,
        method: request.method.as_bytes(),
        address: downstream.client_address.parse().ok(),
        head: Head::new(&headers, &connection),
        claims: Claims::Unknown,
        wall_s: None,
        known: TOLD.iter().fold(Fields::NONE, |all, field| all.with(Fields::of(*field))),
        signals: &agent,
        response: Some(ResponseFacts {
            status: u16::try_from(response.status).ok().filter(|status| *status != 0),
            headers: &response_headers,
        }),
    };
    policy.rule(0).holds(&facts)
}

fn connection(downstream: &Downstream) -> Connection {
    let present = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Connection {
        mutual_tls: downstream.mutual_tls,
        peer_uri: present(&downstream.peer_uri),
        sni: present(&downstream.sni),
        tls_version: present(&downstream.tls_version),
        ..Connection::default()
    }
}

/// What a record tells of the signals: its user agent.
struct Told<'a>(&'a str);

// === impl Told ===

impl Signals for Told<'_> {
    fn agent(&self) -> Option<Agent<'_>> {
        Some(classify(self.0.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::document::yaml;

    use super::*;

    fn read(text: &str) -> Result<Filter, String> {
        let documents = yaml("house.yaml", text).unwrap();
        let mut problems = Problems::default();
        let filter = Filter::read(&documents[0], &mut problems);
        if problems.is_empty() { Ok(filter.unwrap()) } else { Err(problems.to_string()) }
    }

    fn blocked() -> Record {
        Record {
            downstream: Some(Downstream { client_address: "192.0.2.7".into(), ..Downstream::default() }),
            request: Some(Request {
                method: "POST".into(),
                authority: "Shop.example:8443".into(),
                canonical_path: "/login".into(),
                user_agent: "curl/8.0".into(),
                body_bytes: 20,
                ..Request::default()
            }),
            response: Some(Response { status: 403, content_type: "text/html".into(), ..Response::default() }),
            judgement: Some(Judgement {
                action: Action::Block.into(),
                rule: "shop/no-curl".into(),
                ..Judgement::default()
            }),
            ..Record::default()
        }
    }

    #[test]
    fn words_of_the_match_language_ask_what_the_record_holds() {
        for (text, sent) in [
            ("{ action: block }", true),
            ("{ action: [allow, limit] }", false),
            ("{ rule: shop/no-curl }", true),
            ("{ rule: shop/other }", false),
            ("{ host: shop.example, path: /login, method: POST }", true),
            ("{ host: shop.example, path: /logout }", false),
            ("{ address: 192.0.2.0/24 }", true),
            ("{ not: { address: 192.0.2.0/24 } }", false),
            ("{ response: { status: 4xx, type: text/html } }", true),
            ("{ action: block, response: { status: 5xx } }", false),
            ("{ any: [{ path: /x }, { size: { atMost: 100B } }] }", true),
        ] {
            assert_eq!(read(text).unwrap().lets_through(&blocked()), sent, "{text}");
        }
    }

    #[test]
    fn what_a_record_does_not_tell_lets_it_through() {
        let mut hashed = blocked();
        hashed.downstream.as_mut().unwrap().client_address = "3f2a".into();
        assert!(read("{ address: 10.0.0.0/8 }").unwrap().lets_through(&hashed));
        assert!(read("{ not: { address: 10.0.0.0/8 } }").unwrap().lets_through(&hashed));
        assert!(!read("{ address: 10.0.0.0/8, path: /x }").unwrap().lets_through(&hashed));
    }

    #[test]
    fn fields_that_no_record_tells_and_words_that_are_none_are_refused_with_their_place() {
        for (text, place, message) in [
            ("{ cookies: { a: b } }", "house.yaml:1:3", "records do not tell `cookies`"),
            ("{ path: /a,\n  country: DE }", "house.yaml:2:3", "records do not tell `country`"),
            ("{ pahth: /a }", "house.yaml:1:3", "did you mean `path`?"),
            ("{ action: blok }", "house.yaml:1:11", "did you mean `block`?"),
            ("{ rule: no-curl }", "house.yaml:1:9", "names no rule of a policy"),
            ("{}", "house.yaml:1:1", "an empty `where`"),
            ("block", "house.yaml:1:1", "`where` is"),
        ] {
            let problems = read(text).err().unwrap_or_default();
            assert!(problems.contains(place) && problems.contains(message), "{text}: {problems}");
        }
    }
}
