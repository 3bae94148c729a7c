//! What a verdict rested on, as its record tells it: inputs and limits of the rule that decided and of those that only watched.

use std::rc::Rc;

use gatehouse_signals::geo;
use gatehouse_verdict::Record;
use gatehouse_verdict::grounds::{Counted, Form, Grounds, Limit};
use gatehouse_verdict::record::{Origin, RecordId};
use gatehouse_verdict::redact::AddressForm;

use super::gate::*;
use crate::exchange::Judged;
use crate::record::tests::read;
use crate::record::{Context, Outcome, Transaction};
use crate::{NoSlots, UsualTexts};

fn recorded(gate: &Gate, ask: &Ask, judged: &Judged, address_form: AddressForm) -> Record {
    let usual = UsualTexts::default();
    let context = Context { origin: Origin::default(), hash_key: [9; 16], hash_key_id: 1, address_form, usual };
    let now = crate::Now { mono_ns: gate.now_ns, wall_s: gate.wall_s };
    ask.with(now, |request| {
        let of = Transaction { number: 1, head: request.head, judged, policy: Some(&gate.policy) };
        read(RecordId::default(), &of, &Outcome::default(), &context)
    })
}

fn grounds(gate: &Gate, ask: &Ask, judged: &Judged) -> Vec<Grounds> {
    recorded(gate, ask, judged, AddressForm::Full).grounds
}

/// What the only rule of a policy read of a request that it decides: fields, values and how they are shown, by field.
fn inputs(condition: &str, ask: &Ask) -> Vec<(String, String, Form)> {
    inputs_of(&mut Gate::new(&format!("rules: [{{ name: r, match: {condition}, then: block }}]")), ask)
}

fn inputs_of(gate: &mut Gate, ask: &Ask) -> Vec<(String, String, Form)> {
    let judged = gate.ask(ask);
    assert_eq!(said(&judged), "block p/r");
    let [ground] = grounds(gate, ask, &judged).try_into().expect("one rule decided");
    assert_eq!((ground.rule.as_str(), ground.limit), ("p/r", None));
    let mut told: Vec<_> = ground.inputs.into_iter().map(|input| (input.field, input.value, input.form)).collect();
    told.sort_by(|one, other| one.0.cmp(&other.0));
    told
}

fn plain(field: &str, value: &str) -> (String, String, Form) {
    (field.to_owned(), value.to_owned(), Form::Plain)
}

/// The only limit of the records of these grounds.
fn limit(grounds: &[Grounds]) -> Limit {
    grounds.first().and_then(|ground| ground.limit).expect("a limit")
}

const LIMITED: &str =
    "rules: [{ name: r, match: { path: /a }, limit: { by: address, rate: 3 per 1m, blockFor: 10m }, then: limit }]";

#[test]
fn a_rule_that_decided_tells_what_it_read() {
    let ask = Ask::new("POST", "/admin/x?debug=1").header("user-agent", "curl/8").from("192.0.2.7");
    let condition = "{ path: { prefix: /admin }, method: POST, headers: { user-agent: { contains: curl } }, address: 192.0.2.0/24 }";
    assert_eq!(
        inputs(condition, &ask),
        [
            plain("address", "192.0.2.7"),
            plain("headers.user-agent", "curl/8"),
            plain("method", "POST"),
            plain("path", "/admin/x")
        ]
    );
    let condition = "{ any: [{ path: /b }, { not: { host: shop.example.com } }, { tls: { mutual: false } }] }";
    let read = inputs(condition, &ask);
    assert_eq!(read.last(), Some(&plain("tls.mutual", "false")), "{read:?}");
    let absent = inputs("{ headers: { x-b: { present: false } } }", &ask);
    assert_eq!(absent, [("headers.x-b".to_owned(), String::new(), Form::Absent)]);
}

#[test]
fn an_address_in_a_list_stands_in_the_form_that_the_installation_chose() {
    let mut gate = Gate::new(
        "lists: { bad: { cidrs: [192.0.2.0/24] } }\nrules: [{ name: r, match: { address: { list: bad } }, then: block }]",
    );
    let ask = Ask::get("/").from("192.0.2.7");
    let judged = gate.ask(&ask);
    let shown = |form| recorded(&gate, &ask, &judged, form).grounds[0].inputs[0].clone();
    let full = shown(AddressForm::Full);
    assert_eq!((full.value.as_str(), full.form), ("192.0.2.7", Form::Plain));
    let prefix = shown(AddressForm::Prefix);
    assert_eq!((prefix.value.as_str(), prefix.form), ("192.0.2.0/24", Form::Redacted));
    let hash = shown(AddressForm::Hash);
    assert_eq!((hash.value.len(), hash.form), (32, Form::Hashed));
}

#[test]
fn values_that_no_record_shows_are_hashes_and_what_is_sensitive_in_others_is_a_class() {
    let jwt =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhbGljZS00NzExIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    let card = "4111111111111111";
    let ask = Ask::get(&format!("/pay/{card}?k=qvalue&card={card}"))
        .header("user-agent", &format!("bot {card} {jwt}"))
        .header("authorization", &format!("Bearer {jwt}"))
        .header("x-secret", "xvalue")
        .header("x-card", card)
        .header("cookie", "sid=cvalue")
        .claim("sub", "svalue");
    let present = "{ present: true }";
    let conditions = [
        format!("{{ path: {{ prefix: /pay }} , query: {{ k: {present}, card: {present} }} }}"),
        format!(
            "{{ headers: {{ user-agent: {present}, authorization: {present}, x-secret: {present}, x-card: {present} }} }}"
        ),
        format!("{{ cookies: {{ sid: {present} }}, jwt: {{ sub: {present} }} }}"),
        "{ not: { headers: { x-card: '1', user-agent: '2', authorization: '3' } } }".to_owned(),
    ];
    let mut all = Vec::new();
    for condition in conditions {
        let mut gate = Gate::new(&format!("rules: [{{ name: r, match: {condition}, then: block }}]"));
        let judged = gate.ask(&ask);
        assert!(!passed(&judged), "{condition}");
        let made = format!("{:?}", recorded(&gate, &ask, &judged, AddressForm::Full));
        for secret in [card, jwt, "alice", "dozjgNry", "qvalue", "cvalue", "svalue", "xvalue"] {
            assert!(!made.contains(secret), "{secret} is in {made}");
        }
        assert!(!format!("{judged:?}").contains("svalue"), "what is kept is not printed");
        all.extend(inputs_of(&mut gate, &ask));
    }
    let told = |field: &str| all.iter().find(|(name, ..)| name == field).unwrap_or_else(|| panic!("{field}: {all:?}"));
    for (field, form, begins) in [
        ("path", Form::Redacted, "/pay/{card:"),
        ("query.k", Form::Hashed, "{value:"),
        ("query.card", Form::Hashed, "{card:"),
        ("headers.user-agent", Form::Redacted, "bot {card:"),
        ("headers.authorization", Form::Hashed, "{"),
        ("headers.x-secret", Form::Hashed, "{value:"),
        ("headers.x-card", Form::Hashed, "{card:"),
        ("cookies.sid", Form::Hashed, "{value:"),
        ("jwt.sub", Form::Hashed, "{value:"),
    ] {
        let (_, value, shown) = told(field);
        assert!(*shown == form && value.starts_with(begins), "{field}: {value}, {shown:?}");
    }
    let (_, path, _) = told("path");
    let (_, hashed, _) = told("query.card");
    assert!(path.ends_with(hashed.as_str()), "the same value, the same hash: {path}, {hashed}");
}

#[test]
fn what_is_cut_out_of_something_sensitive_or_written_as_a_number_is_not_shown_either() {
    let ask = Ask::new("POST", "/")
        .header("user-agent", "alice.liddell@mail.example.org")
        .header("content-length", "4111111111111111")
        .header("x-http-method-override", "hunter2");
    let condition = "{ size: { atLeast: 1B }, not: { any: [{ agent: { name: zz } }, { method: GET }] } }";
    let read = inputs(condition, &ask);
    let shown: Vec<_> =
        read.iter().map(|(field, value, form)| (field.as_str(), value.split(':').next(), *form)).collect();
    let expected = [
        ("agent.name", Some("{value"), Form::Hashed),
        ("method", Some("POST"), Form::Plain),
        ("size", Some("{card"), Form::Redacted),
    ];
    assert_eq!(shown, expected, "{read:?}");
    let named = inputs("{ not: { any: [{ method: POST }, { path: /zz }] } }", &ask);
    assert_eq!((named[0].0.as_str(), named[0].2), ("method", Form::Hashed), "{named:?}");
}

#[test]
fn what_changes_until_the_record_is_made_stands_as_it_was() {
    let mut gate = Gate::new(
        "rules:\n\
         - { name: a, match: { path: /a }, then: { weigh: 5 } }\n\
         - { name: r, match: { score: 5, time: { hours: '00:00-24:00' }, country: DE, asn: 64496 }, then: block }",
    );
    let table = geo::build([("192.0.2.0/24".parse().unwrap(), Some(*b"DE"), Some(64_496))]).unwrap();
    gate.state.set_geo(Some(Rc::new(geo::Table::load(table).unwrap())));
    gate.exchange(&Ask::get("/a"), 200);
    let ask = Ask::get("/a");
    let judged = gate.ask(&ask);
    gate.exchange(&Ask::get("/a"), 200);
    gate.state.set_geo(None);
    gate.wall_s = None;
    let read = grounds(&gate, &ask, &judged).remove(0).inputs;
    let mut read: Vec<_> = read.into_iter().map(|input| (input.field, input.value, input.form)).collect();
    read.sort_by(|one, other| one.0.cmp(&other.0));
    assert_eq!(read, [plain("asn", "64496"), plain("country", "DE"), plain("score", "5"), plain("time", "1790000000")]);
}

#[test]
fn long_values_are_cut_and_more_than_eight_inputs_are_said_to_be_more() {
    let ask = Ask::get("/").header("user-agent", &"x".repeat(500));
    let read = inputs("{ headers: { user-agent: { contains: x } } }", &ask);
    let (_, value, form) = &read[0];
    assert!(value.len() <= 128 && value.ends_with('…') && *form == Form::Redacted, "{value}");
    let headers: Vec<String> = (0..9).map(|at| format!("h{at}: {{ present: false }}")).collect();
    let mut gate =
        Gate::new(&format!("rules: [{{ name: r, match: {{ headers: {{ {} }} }}, then: block }}]", headers.join(", ")));
    let judged = gate.ask(&ask);
    let ground = grounds(&gate, &ask, &judged).remove(0);
    assert_eq!((ground.inputs.len(), ground.cut), (8, true));
}

#[test]
fn a_limit_tells_the_count_of_the_decision_and_whether_a_block_runs() {
    let mut gate = Gate::new(LIMITED);
    let ask = Ask::get("/a");
    for _ in 0..3 {
        let judged = gate.exchange(&ask, 200);
        assert!(passed(&judged) && grounds(&gate, &ask, &judged).is_empty());
    }
    let first = gate.ask(&ask);
    let expected = Limit {
        counted: Counted::Requests,
        limit: 3,
        window_seconds: 60,
        count: 3,
        retry_after_seconds: 600,
        blocked: true,
        ..Limit::default()
    };
    assert_eq!(limit(&grounds(&gate, &ask, &first)), expected);
    gate.seconds(30);
    let later = gate.ask(&ask);
    assert_eq!(limit(&grounds(&gate, &ask, &later)), Limit { retry_after_seconds: 570, ..expected });
    assert_eq!(answers(&later, "retry-after"), Some("570"));
    assert_eq!(limit(&grounds(&gate, &ask, &first)), expected, "the count is that of the decision");
}

#[test]
fn each_kind_of_limit_says_what_it_counts() {
    let burst = "{ by: address, rate: 2 per 1s, burst: 4 }";
    let failures = "{ by: address, rate: 2 per 1m, count: { status: 401 } }";
    let distinct = "{ by: host, distinct: { of: address, over: 2 per 1m } }";
    let steps = "{ by: address, rate: 1 per 1m, steps: [{ rate: 2 per 1m, then: block }] }";
    for (text, asked, expected) in [
        (burst, 4, (Counted::Requests, 2, 4, 4, 0)),
        (failures, 2, (Counted::Failures, 2, 0, 2, 0)),
        (distinct, 2, (Counted::Distinct, 2, 0, 2, 0)),
        (steps, 2, (Counted::Requests, 2, 0, 2, 1)),
    ] {
        let mut gate = Gate::new(&format!("rules: [{{ name: r, match: {{ path: /a }}, limit: {text}, then: limit }}]"));
        let from = |number: usize| {
            Ask::get("/a").from(if text == distinct {
                ["192.0.2.1", "192.0.2.2", "192.0.2.3"][number % 3]
            } else {
                "192.0.2.1"
            })
        };
        for number in 0..asked {
            gate.exchange(&from(number), 401);
        }
        let ask = from(asked);
        let judged = gate.ask(&ask);
        let found = limit(&grounds(&gate, &ask, &judged));
        assert_eq!((found.counted, found.limit, found.burst, found.count, found.step), expected, "{text}");
        assert!(!found.blocked && !found.busy && found.retry_after_seconds > 0, "{text}: {found:?}");
    }
}

#[test]
fn who_is_refused_for_unanswered_tries_is_told_so() {
    let limit_of = "{ by: address, rate: 5 per 1m, count: { status: 401 }, inFlight: 1 }";
    let mut gate = Gate::new(&format!("rules: [{{ name: r, match: {{ path: /a }}, limit: {limit_of}, then: limit }}]"));
    let ask = Ask::get("/a");
    let under_way = gate.ask(&ask);
    let judged = gate.ask(&ask);
    let found = limit(&grounds(&gate, &ask, &judged));
    assert!(passed(&under_way) && found.busy && found.count == 0 && found.limit == 5, "{found:?}");
}

#[test]
fn rules_that_only_watch_stand_behind_the_one_that_decided() {
    let mut gate = Gate::new(
        "rules:\n\
         - { name: m, mode: monitor, match: { path: { prefix: /a } }, limit: { by: address, rate: 1 per 1m }, then: limit }\n\
         - { name: w, mode: monitor, match: { method: GET }, then: block }\n\
         - { name: r, match: { headers: { x-end: { present: true } } }, then: block }",
    );
    let names = |gate: &Gate, ask: &Ask, judged: &Judged| -> Vec<String> {
        grounds(gate, ask, judged).into_iter().map(|ground| ground.rule).collect()
    };
    let ask = Ask::get("/a");
    let judged = gate.exchange(&ask, 200);
    assert_eq!(names(&gate, &ask, &judged), ["p/w"]);
    let judged = gate.exchange(&ask, 200);
    assert_eq!(names(&gate, &ask, &judged), ["p/m", "p/w"]);
    let watched = limit(&grounds(&gate, &ask, &judged));
    assert_eq!((watched.count, watched.limit), (1, 1));
    let ask = ask.header("x-end", "1");
    let judged = gate.ask(&ask);
    assert_eq!(names(&gate, &ask, &judged), ["p/r", "p/m", "p/w"]);
}

#[test]
fn an_allowed_request_leaves_nothing_and_a_setting_reads_nothing() {
    let mut gate = Gate::new("rules: [{ name: r, match: { path: /a }, then: allow }]\notherwise: block");
    for (path, verdict) in [("/a", "allow p/r"), ("/b", "block p/otherwise")] {
        let ask = Ask::get(path);
        let judged = gate.ask(&ask);
        assert_eq!((said(&judged).as_str(), grounds(&gate, &ask, &judged).len()), (verdict, 0));
    }
}

#[test]
fn the_reading_that_a_rule_met_is_the_one_that_is_told() {
    let ask = Ask::get("/x/..;/admin").header("x-http-method-override", "DELETE");
    let mut gate =
        Gate::new("ambiguous: strictest\nrules: [{ name: r, match: { path: /admin, method: DELETE }, then: block }]");
    let read = inputs_of(&mut gate, &ask);
    assert_eq!(read, [plain("method", "DELETE"), plain("path", "/admin")]);
}

#[test]
fn headers_that_a_client_may_not_send_are_not_told() {
    let condition = "{ headers: { x-gatehouse-a: { present: false } } }";
    let ask = Ask::get("/").header("x-gatehouse-a", "1");
    assert_eq!(inputs(condition, &ask), [("headers.x-gatehouse-a".to_owned(), String::new(), Form::Absent)]);
}

#[test]
fn a_rule_of_the_response_tells_what_it_read_of_it() {
    let mut gate = Gate::new(
        "rules: [{ name: leak, match: { path: /a, response: { status: 500, type: text/html, headers: { x-debug: { present: true } } } }, then: block }]",
    );
    let ask = Ask::get("/a");
    let mut judged = gate.exchange(&ask, 500);
    gate.respond(&ask, &mut judged, 500, &[("content-type", "text/html; charset=x"), ("x-debug", "stack trace")]);
    let record = recorded(&gate, &ask, &judged, AddressForm::Full);
    assert!(!format!("{record:?}").contains("stack"), "{record:?}");
    let mut read: Vec<_> = record.grounds[0].inputs.iter().map(|input| (input.field.as_str(), input.form)).collect();
    read.sort_by_key(|(field, _)| *field);
    let expected = [
        ("path", Form::Plain),
        ("response.headers.x-debug", Form::Hashed),
        ("response.status", Form::Plain),
        ("response.type", Form::Plain),
    ];
    assert_eq!(read, expected);
}

#[test]
fn another_policy_than_the_one_that_judged_explains_nothing() {
    let mut gate = Gate::new("rules: [{ name: r, match: { path: /a }, then: block }]");
    let ask = Ask::get("/a");
    let judged = gate.ask_with(&ask, &NoSlots);
    gate.policy = document("rules: [{ name: other, match: { path: /a }, then: block }]");
    assert_eq!(grounds(&gate, &ask, &judged), []);
}
