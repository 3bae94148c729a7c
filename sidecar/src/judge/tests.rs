//! What the door to the engine adds: the unknown, the way to the decision, the same answer for the same input.

use std::sync::Arc;

use gatehouse_engine::Policy;
use gatehouse_policy::{Field, Fields, Format, Source, compile};

use super::*;
use crate::request::Known;

fn with(spec: &str, options: Options) -> Judge {
    let text = format!("apiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: p }}\nspec: {spec}\n");
    let compiled = compile(&[Source { name: "p.yaml", text: &text, format: Format::Yaml }]).unwrap();
    let policy = Policy::load(compiled.image, 0).unwrap();
    Judge::new(Arc::new(policy), options)
}

fn judge(spec: &str) -> Judge {
    with(spec, Options { trace: true, ..Options::default() })
}

fn get(path: &str) -> Request {
    Request {
        method: b"GET".to_vec(),
        path: path.into(),
        authority: Some(b"shop.example".to_vec()),
        peer: "192.0.2.7".parse().ok(),
        ..Request::default()
    }
}

fn answered(status: u16) -> Response {
    Response { status, headers: Vec::new() }
}

/// A source that tells all but these, and of headers only those named.
fn hidden(fields: &[Field], headers: &[&str]) -> Option<Arc<Known>> {
    let fields = without(Fields::ALL, fields.iter().copied());
    Some(Arc::new(Known { fields, headers: headers.iter().map(|name| name.as_bytes().to_vec()).collect() }))
}

fn columns(headers: &[&str]) -> Option<Arc<Known>> {
    hidden(&[Field::Headers], headers)
}

fn not_judged(explained: &Explained) -> Vec<(Option<&str>, &str)> {
    explained.not_judged.iter().map(|one| (one.rule.as_deref(), &*one.field)).collect()
}

const RULES: &str = "{ rules: [
    { name: no-key, match: { path: /api/**, not: { headers: { x-key: { present: true } } } }, then: block },
    { name: seen, match: { path: /api/** }, mode: monitor, then: block },
    { name: tagged, match: { path: /api/** }, then: { tag: { header: x-class, value: api } } },
    { name: admin, match: { path: /admin }, then: { block: { status: 404 } } },
    { name: after, match: { headers: { x-other: a } }, then: block } ] }";

#[test]
fn a_verdict_says_who_decided_and_the_way_ends_there() {
    let mut judge = judge(RULES);
    let explained = judge.judge(&get("/admin"), 0);
    assert_eq!((explained.action, explained.status, explained.rule.as_deref()), ("block", Some(404), Some("p/admin")));
    assert_eq!(explained.reason, "rule");
    let [.., last, decision] = explained.trace.as_slice() else { panic!("steps") };
    assert_eq!((decision.stage, decision.said.as_str()), ("decision", "block by p/admin (rule)"));
    assert_eq!((last.rule.as_deref(), last.said.as_str()), (Some("p/admin"), "matches; decides: block"));
    assert_eq!((last.does.as_slice(), last.mode), (["block"].as_slice(), Some("enforce")));
    let signals = explained.signals.unwrap();
    assert_eq!(
        (signals.client.as_deref(), signals.client_source, signals.client_key),
        (Some("192.0.2.7"), "peer", "address")
    );
    assert!(explained.headers.iter().any(|(name, _)| name == "x-gatehouse-reference"));
    assert!(explained.body.unwrap().contains(&explained.reference.unwrap()), "a refusal tells its reference");
}

#[test]
fn tags_are_told_with_their_values_and_monitor_rules_as_would_have() {
    let mut judge = judge(RULES);
    let mut request = get("/api/a");
    request.headers = vec![(b"x-key".to_vec(), b"1".to_vec()), (b"x-class".to_vec(), b"forged".to_vec())];
    let explained = judge.judge(&request, 0);
    assert_eq!((explained.action, explained.status), ("allow", None));
    assert_eq!(explained.would_have, [Would { action: "block", rule: "p/seen".into() }]);
    assert_eq!(explained.headers, [("x-class".to_owned(), "api".to_owned())]);
    assert!(explained.not_judged.is_empty());
    assert_eq!(explained.trace.last().unwrap().said, "allow (otherwise)");
}

#[test]
fn what_is_taken_out_of_a_request_that_goes_on_is_told() {
    let mut judge = judge(
        "{ rules: [{ name: s, match: { path: /a }, then: { sanitize: { headers: [x-debug], query: [token] } } }] }",
    );
    let mut request = get("/a?token=1&b=2");
    request.headers = vec![(b"x-debug".to_vec(), b"1".to_vec()), (b"x-gatehouse-verdict".to_vec(), b"fine".to_vec())];
    let explained = judge.judge(&request, 0);
    assert_eq!((explained.action, explained.removed.join(" ")), ("allow", "x-debug x-gatehouse-verdict".to_owned()));
    assert_eq!(explained.forwarded_path.as_deref(), Some("/a?b=2"));
}

#[test]
fn an_absent_column_is_not_an_absent_header() {
    let mut judge = judge(RULES);
    assert_eq!(judge.judge(&get("/api/a"), 0).action, "block");
    let untold = Request { known: columns(&["user-agent"]), ..get("/api/a") };
    let explained = judge.judge(&untold, 0);
    assert_eq!(explained.action, "allow");
    assert_eq!(not_judged(&explained), [(Some("p/no-key"), "headers"), (Some("p/after"), "headers")]);
    let step = explained.trace.iter().find(|step| step.rule.as_deref() == Some("p/no-key")).unwrap();
    assert_eq!((step.holds, step.unknown.as_slice()), (Some("unknown"), ["headers"].as_slice()));
    assert_eq!(step.said, "not judged: headers not known");
    // A header that is there is known, whatever else is not; where another field or an earlier rule decides, nothing is unknown.
    let mut there = Request { known: columns(&[]), ..get("/b") };
    there.headers = vec![(b"x-other".to_vec(), b"b".to_vec())];
    assert_eq!(not_judged(&judge.judge(&there, 0)), []);
    let decided = judge.judge(&Request { known: columns(&["x-key"]), ..get("/admin") }, 0);
    assert!(decided.not_judged.is_empty(), "{:?}", decided.not_judged);
}

#[test]
fn behind_a_proxy_that_is_believed_a_client_that_was_not_logged_is_unknown() {
    let spec = "{ client: { address: { from: x-forwarded-for, trust: [10.0.0.0/8] } },
                  rules: [{ name: r, match: { not: { address: 192.0.2.0/24 } }, then: block }] }";
    let mut judge = judge(spec);
    let from = |peer: &str, known| Request { peer: peer.parse().ok(), known, ..get("/") };
    let untold = judge.judge(&from("10.0.0.1", columns(&[])), 0);
    assert_eq!((untold.action, &*untold.not_judged[0].field), ("allow", "address"));
    assert_eq!(judge.judge(&from("10.0.0.1", columns(&["x-forwarded-for"])), 0).action, "block");
    assert_eq!(judge.judge(&from("198.51.100.1", columns(&[])), 0).action, "block");
    let given = Request { is_client: true, ..from("10.0.0.1", columns(&[])) };
    let explained = judge.judge(&given, 0);
    assert_eq!((explained.action, explained.signals.unwrap().client_source), ("block", "given"));
}

#[test]
fn a_request_without_a_host_meets_only_what_holds_everywhere_and_says_so() {
    let mut judge = judge("{ hosts: [shop.example], otherwise: block }");
    assert_eq!(judge.judge(&get("/"), 0).action, "block");
    let nameless = Request { authority: None, known: hidden(&[Field::Host], &[]), ..get("/") };
    let nameless = judge.judge(&nameless, 0);
    assert_eq!((nameless.action, nameless.reason), ("allow", "not_covered"));
    assert_eq!(not_judged(&nameless), [(None, "host")]);
}

#[test]
fn a_limit_counts_by_the_callers_clock_and_the_way_says_how_it_stands() {
    let mut judge = judge(
        "{ rules: [{ name: slow, match: { path: /login }, limit: { by: [client], rate: 2 per 1m }, then: limit }] }",
    );
    let second = 1_000_000_000;
    let mut at = |seconds: u64| judge.judge(&get("/login"), 1_767_225_600 * second + seconds * second);
    let first = at(0);
    let step = first.trace.iter().find(|step| step.rule.is_some()).unwrap();
    assert_eq!(step.limit, Some(Limit { remaining: 1, over: None }));
    assert_eq!(step.said, "matches; below its limit, 1 left after it");
    assert_eq!(at(1).action, "allow");
    let over = at(2);
    assert_eq!((over.action, over.status, over.rule.as_deref()), ("limit", Some(429), Some("p/slow")));
    let step = over.trace.iter().find(|step| step.rule.is_some()).unwrap();
    let limit = step.limit.clone().unwrap();
    assert_eq!((limit.remaining, limit.over.as_ref().unwrap().step), (0, 1));
    assert!(step.said.starts_with("matches; over its limit for ") && step.said.ends_with("decides: limit"), "{step:?}");
    assert!(over.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("retry-after")), "{:?}", over.headers);
    // The clock never runs backwards, and a minute later all is forgotten.
    assert_eq!((at(1).action, at(70).action), ("limit", "allow"));
}

#[test]
fn failures_are_counted_by_what_the_application_answers() {
    let spec = "{ rules: [{ name: guess, match: { path: /login },
        limit: { by: [client], count: { status: [401, 403] }, rate: 3 per 1m, blockFor: 10m }, then: limit }] }";
    let mut judge = judge(spec);
    let request = get("/login");
    let mut one = |status: Option<u16>| {
        let mut explained = judge.judge(&request, 0);
        let response = status.map(answered);
        judge.answer(&request, &mut explained, response.as_ref().map_or(Answered::Unknown, Answered::With), 0);
        explained
    };
    assert!([200, 401, 302, 401].iter().all(|status| one(Some(*status)).action == "allow"));
    assert_eq!(not_judged(&one(None)), [(Some("p/guess"), "response.status")]);
    assert_eq!((one(Some(403)).action, one(Some(200)).status), ("allow", Some(429)));
}

#[test]
fn a_limit_that_workers_share_counts_here_too() {
    let spec = "{ rules: [{ name: s, match: { path: /a }, limit: { by: [client], rate: 2 per 1m, shared: true }, then: limit }] }";
    let mut judge = judge(spec);
    let actions: Vec<_> = (0..4).map(|_| judge.judge(&get("/a"), 0)).collect();
    assert_eq!(actions.iter().map(|one| one.action).collect::<Vec<_>>(), ["allow", "allow", "limit", "limit"]);
    let left = actions[1].trace.iter().find_map(|step| step.limit.as_ref()).unwrap().remaining;
    assert_eq!(left, 0, "the way tells of the shared count");
}

#[test]
fn a_key_that_is_not_known_counts_nobody_and_says_so() {
    let spec =
        "{ rules: [{ name: k, match: { path: /a }, limit: { by: [headers.x-key], rate: 1 per 1m }, then: limit }] }";
    let mut judge = judge(spec);
    let untold = Request { known: columns(&[]), ..get("/a") };
    for _ in 0..3 {
        let explained = judge.judge(&untold, 0);
        assert_eq!((explained.action, not_judged(&explained)), ("allow", vec![(Some("p/k"), "headers")]));
        let step = explained.trace.iter().find(|step| step.rule.is_some()).unwrap();
        assert_eq!(step.said, "matches; not counted, since its key is not known");
    }
    let keyed = |key: &str| {
        let headers = vec![(b"x-key".to_vec(), key.as_bytes().to_vec())];
        Request { headers, ..untold.clone() }
    };
    assert_eq!((judge.judge(&keyed("a"), 0).action, judge.judge(&keyed("a"), 0).action), ("allow", "limit"));
}

#[test]
fn rules_of_the_response_decide_anew_or_say_what_they_miss() {
    let spec = "{ rules: [
        { name: leak, match: { response: { status: 500 } }, then: { block: { status: 404 } } },
        { name: typed, match: { response: { headers: { x-debug: { present: true } } } }, then: { removeResponseHeaders: [x-debug] } } ] }";
    let mut judge = judge(spec);
    let request = get("/");
    let mut explained = judge.judge(&request, 0);
    assert_eq!(explained.action, "allow");
    judge.answer(&request, &mut explained, Answered::With(&answered(500)), 0);
    assert_eq!((explained.action, explained.status, explained.rule.as_deref()), ("block", Some(404), Some("p/leak")));
    assert_eq!(explained.trace.last().unwrap().said, "block by p/leak (rule)");

    let mut explained = judge.judge(&request, 0);
    let response = Response { status: 200, headers: vec![(b"x-debug".to_vec(), b"1".to_vec())] };
    judge.answer(&request, &mut explained, Answered::With(&response), 0);
    assert_eq!(explained.response.unwrap().remove, ["x-debug"]);

    let mut explained = judge.judge(&request, 0);
    judge.answer(&request, &mut explained, Answered::Unknown, 0);
    assert_eq!(not_judged(&explained), [(Some("p/leak"), "response.status"), (Some("p/typed"), "response.headers")]);
    let mut explained = judge.judge(&request, 0);
    judge.answer(&request, &mut explained, Answered::Never, 0);
    assert!(explained.not_judged.is_empty());
}

#[test]
fn lists_of_the_house_are_unknown_unless_somebody_knows_them() {
    let spec = "{ lists: { banned: { from: verdicts } },
        rules: [{ name: v, match: { verdict: { list: banned } }, then: drop }] }";
    let mut blind = judge(spec);
    let explained = blind.judge(&get("/"), 0);
    assert_eq!((explained.action, not_judged(&explained)), ("allow", vec![(Some("p/v"), "verdict")]));
    let mut knowing = with(spec, Options { trace: true, lists_known: true, ..Options::default() });
    assert!(knowing.judge(&get("/"), 0).not_judged.is_empty());
    assert!(knowing.put_on_list("banned", &[1, 192, 0, 2, 7]));
    let explained = knowing.judge(&get("/"), 0);
    assert_eq!((explained.action, explained.status, explained.mitigates()), ("drop", None, true));
}

#[test]
fn a_canary_says_whom_it_is_tried_on() {
    let mut judge = judge("{ rules: [{ name: c, match: { path: /a }, mode: canary 50%, then: block }] }");
    let from = |last: u8| Request { peer: Some([192, 0, 2, last].into()), ..get("/a") };
    let explained: Vec<_> = (0..100).map(|last| judge.judge(&from(last), 0)).collect();
    let blocked = explained.iter().filter(|one| one.action == "block").count();
    assert!((30..70).contains(&blocked), "{blocked} of 100");
    for one in &explained {
        let step = one.trace.iter().find(|step| step.rule.is_some()).unwrap();
        let mode = if one.action == "block" { "enforce" } else { "monitor" };
        assert_eq!((step.canary, step.mode), (Some(50), Some(mode)));
        assert_eq!(one.would_have.is_empty(), one.action == "block");
    }
}

#[test]
fn claims_key_the_client_and_are_read_as_the_gate_asks_for_them() {
    let spec = "{ client: { key: [jwt.sub, address] }, rules: [
        { name: ops, match: { jwt: { realm.groups: ops } }, then: block },
        { name: adult, match: { jwt: { level: '3' } }, then: deceive } ] }"
        .replace("then: deceive", "then: { deceive: { status: 200, body: '{}' } }");
    let mut judge = judge(&spec);
    let claims = |json: serde_json::Value| Request { claims: json.as_object().cloned(), ..get("/") };
    let ops = judge.judge(&claims(serde_json::json!({"sub": "a", "realm": {"groups": ["dev", "ops"]}})), 0);
    assert_eq!((ops.action, ops.signals.unwrap().client_key), ("block", "claim"));
    let level = judge.judge(&claims(serde_json::json!({"level": 3})), 0);
    assert_eq!((level.action, level.status, level.body.as_deref()), ("deceive", Some(200), Some("{}")));
    assert_eq!(level.signals.unwrap().client_key, "address");
    let none = judge.judge(&get("/"), 0);
    assert_eq!(not_judged(&none), [(Some("p/ops"), "jwt"), (Some("p/adult"), "jwt")]);
}

#[test]
fn scores_are_shown_with_what_this_request_added() {
    let spec = "{ rules: [
        { name: odd, match: { path: /odd }, then: { weigh: { weight: 7, label: odd } } },
        { name: enough, match: { score: 14 }, then: block } ] }";
    let mut judge = judge(spec);
    let scores: Vec<_> = (0..3).map(|_| judge.judge(&get("/odd"), 0)).collect();
    let shown = |at: usize| scores[at].signals.as_ref().unwrap().scores.clone();
    assert_eq!((shown(0)["odd"], shown(1)["all"], shown(2)["odd"]), (7, 14, 21));
    assert_eq!((scores[1].action, scores[2].rule.as_deref()), ("allow", Some("p/enough")));
    let step = scores[2].trace.iter().find(|step| step.rule.as_deref() == Some("p/enough")).unwrap();
    assert_eq!(step.score, Some(14));
}

#[test]
fn what_a_document_demands_beside_its_rules_is_not_judged_on_what_was_not_seen() {
    let mut judge = judge("{ requireMutualTls: true }");
    let plain = Request { tls: crate::request::Tls { mutual: Some(false), ..Default::default() }, ..get("/") };
    let refused = judge.judge(&plain, 0);
    assert_eq!((refused.action, refused.reason), ("block", "no_peer"));
    assert!(refused.trace.iter().any(|step| step.said == "it comes from no verified peer, and is refused for it"));
    let untold = judge.judge(&get("/"), 0);
    assert_eq!((untold.action, not_judged(&untold)), ("allow", vec![(Some("p/mutual-tls"), "tls.mutual")]));

    let mut strict = self::judge("{ requireOneUri: true }");
    let shows = |uris: &[&str]| Request { peer_uris: Some(uris.iter().map(ToString::to_string).collect()), ..get("/") };
    assert_eq!(strict.judge(&shows(&["spiffe://a/b", "spiffe://a/c"]), 0).reason, "many_uris");
    assert_eq!(strict.judge(&shows(&["spiffe://a/b"]), 0).action, "allow");
}

#[test]
fn each_reading_is_told_with_its_method() {
    let mut judge = judge("{ rules: [{ name: d, match: { method: DELETE, path: /a }, then: block }] }");
    let mut request = get("/a;x=1");
    request.headers = vec![(b"x-http-method-override".to_vec(), b"DELETE".to_vec())];
    let explained = judge.judge(&request, 0);
    let readings: Vec<_> =
        explained.trace.iter().filter(|step| step.stage == "reading").map(|step| &step.said).collect();
    assert!(readings.iter().any(|said| *said == "read as DELETE `/a`"), "{readings:?}");
    assert_eq!(explained.action, "block");
}

#[test]
fn the_same_input_gives_the_same_answer_to_the_byte() {
    let run = || {
        let mut judge = judge(RULES);
        let answers: Vec<_> = ["/admin", "/api/a", "/a/..%2fadmin"].iter().map(|p| judge.judge(&get(p), 0)).collect();
        serde_json::to_string(&answers).unwrap()
    };
    assert_eq!(run(), run());
    assert!(run().contains("\"ambiguity\":\"escaped_slash\""), "{}", run());
}

#[test]
fn with_and_without_the_way_the_verdict_and_what_is_not_judged_are_the_same() {
    let requests = ["/admin", "/api/a", "/a/..%2fadmin", "/b"]
        .map(|path| [get(path), Request { known: columns(&[]), ..get(path) }]);
    let judged = |trace: bool| {
        let mut judge = with(RULES, Options { trace, ..Options::default() });
        let mut all: Vec<_> = requests.iter().flatten().map(|request| judge.judge(request, 0)).collect();
        for one in &mut all {
            one.trace.clear();
            one.signals = None;
        }
        all
    };
    assert_eq!(judged(true), judged(false));
}
