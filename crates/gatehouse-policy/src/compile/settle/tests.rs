//! Who holds for which host, whose word decides, and that no word weakens a mandate.

use proptest::prelude::*;

use super::strictness::Setting;
use super::*;
use crate::compile::{Format, Source};
use crate::document::Node;
use crate::spec::types::{Ambiguous, Tier};

/// A document called `name` with this scope and these lines of `spec`.
fn document(name: &str, scope: &str, spec: &str) -> String {
    let scope = if scope.is_empty() { String::new() } else { format!(", scope: {scope}") };
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    let spec = if spec.is_empty() { "  {}\n".to_owned() } else { spec };
    format!("---\napiVersion: gatehouse.dev/v1\nkind: Policy\nmetadata: {{ name: {name}{scope} }}\nspec:\n{spec}")
}

fn read(text: &str) -> (Vec<Document>, Problems) {
    let mut problems = Problems::default();
    let nodes = crate::compile::read(&[Source { name: "p.yaml", text, format: Format::Yaml }], &mut problems);
    let nodes: Vec<&Node> = nodes.iter().collect();
    (crate::compile::documents(&nodes, &(), &mut problems), problems)
}

/// What was settled, and the documents.
fn settled(text: &str) -> (Vec<Document>, Settled) {
    let (documents, mut problems) = read(text);
    let settled = settle(&documents, &mut problems);
    assert!(problems.is_empty(), "{problems}");
    (documents, settled)
}

fn refused(text: &str) -> Vec<String> {
    let (documents, mut problems) = read(text);
    settle(&documents, &mut problems);
    problems.sort();
    problems.0.iter().map(ToString::to_string).collect()
}

fn plan_of<'s>(settled: &'s Settled, host: &str) -> &'s ScopePlan {
    let found = settled.requests.hosts.iter().find(|(named, _)| named.to_string() == host).expect("a named host");
    &settled.requests.scopes[found.1]
}

/// Names of the documents that hold for `host`, nearest first; in brackets those whose own rules do not.
fn holding(text: &str, host: &str) -> Vec<String> {
    let (documents, settled) = settled(text);
    let name = |member: &Member| match (member.own, &documents[member.document].name) {
        (true, name) => name.clone(),
        (false, name) => format!("[{name}]"),
    };
    plan_of(&settled, host).documents.iter().map(name).collect()
}

/// Which document's word decides a setting for `host`, and in which part of it.
fn decides(text: &str, host: &str, voice: fn(&ScopePlan) -> Option<Voice>) -> Option<(String, Part)> {
    let (documents, settled) = settled(text);
    voice(plan_of(&settled, host)).map(|voice| (documents[voice.document].name.clone(), voice.part))
}

#[test]
fn a_host_has_the_documents_that_name_it_those_above_that_cover_it_and_those_for_every_host() {
    let text = [
        document("org", "acme", ""),
        document("other-org", "other", ""),
        document("tenant", "acme/retail", "hosts: [\"*.shop.example\", shop.example]"),
        document("tenant-more", "acme/retail", "hosts: more.example"),
        document("group", "acme/retail/shop", "hosts: [api.shop.example, group.example]"),
        document("group-too", "acme/retail/shop", "hosts: api.shop.example"),
        document("stranger", "acme/blog", "hosts: blog.example"),
        document("unscoped", "", "hosts: un.example"),
    ]
    .concat();
    assert_eq!(holding(&text, "api.shop.example"), ["group", "group-too", "tenant", "org", "other-org"]);
    assert_eq!(holding(&text, "*.shop.example"), ["tenant", "org", "other-org"]);
    assert_eq!(holding(&text, "group.example"), ["group", "org", "other-org"]);
    assert_eq!(holding(&text, "un.example"), ["unscoped", "org", "other-org"]);
    let (documents, settled) = settled(&text);
    let names: Vec<&str> = settled
        .requests
        .everywhere
        .expect("covered")
        .documents
        .iter()
        .map(|m| documents[m.document].name.as_str())
        .collect();
    assert_eq!(names, ["org", "other-org"]);
}

#[test]
fn what_a_scope_above_lays_down_holds_for_hosts_that_it_does_not_name() {
    let text = [
        document(
            "tenant",
            "acme/retail",
            "hosts: shop.example\nmandates: { requireMutualTls: true }\notherwise: block",
        ),
        document("group", "acme/retail/shop", "hosts: elsewhere.example"),
    ]
    .concat();
    assert_eq!(holding(&text, "elsewhere.example"), ["group", "[tenant]"]);
    assert_eq!(decides(&text, "elsewhere.example", |p| p.require_mutual_tls), Some(("tenant".into(), Part::Mandates)));
    assert_eq!(decides(&text, "elsewhere.example", |p| p.otherwise), None);
}

#[test]
fn the_most_exact_name_of_a_host_counts() {
    let text = [
        document("wide", "a/x", "hosts: \"*.example\""),
        document("narrow", "b/y", "hosts: shop.example"),
        document("own-wide", "b/y", "hosts: \"*.deep.example\""),
        document("own-narrow", "b/y", "hosts: x.deep.example"),
    ]
    .concat();
    assert_eq!(holding(&text, "shop.example"), ["narrow"]);
    assert_eq!(holding(&text, "*.deep.example"), ["own-wide"]);
    assert_eq!(holding(&text, "x.deep.example"), ["own-narrow"]);
}

#[test]
fn the_nearest_word_decides_own_before_defaults_at_home_and_defaults_before_own_from_above() {
    let org = |spec: &str| document("org", "acme", spec);
    let tenant = |spec: &str| document("tenant", "acme/retail", &format!("hosts: \"*.example\"\n{spec}"));
    let group = |spec: &str| document("group", "acme/retail/shop", &format!("hosts: a.example\n{spec}"));
    let ambiguous = |text: String| decides(&text, "a.example", |p| p.ambiguous);
    let said = Some;
    assert_eq!(ambiguous(org("ambiguous: reject") + &group("")), said(("org".into(), Part::Own)));
    assert_eq!(
        ambiguous(org("ambiguous: reject\ndefaults: { ambiguous: strictest }") + &group("")),
        said(("org".into(), Part::Defaults))
    );
    assert_eq!(
        ambiguous(org("ambiguous: reject") + &tenant("ambiguous: strictest") + &group("")),
        said(("tenant".into(), Part::Own))
    );
    assert_eq!(
        ambiguous(tenant("ambiguous: strictest\ndefaults: { ambiguous: reject }") + &group("")),
        said(("tenant".into(), Part::Defaults))
    );
    assert_eq!(
        ambiguous(tenant("ambiguous: strictest") + &group("ambiguous: reject\ndefaults: { ambiguous: strictest }")),
        said(("group".into(), Part::Own))
    );
    assert_eq!(ambiguous(tenant("") + &group("")), None);
}

#[test]
fn a_mandate_decides_unless_a_lower_word_is_stricter() {
    let org = |spec: &str| document("org", "acme", spec);
    let group = |spec: &str| document("group", "acme/retail", &format!("hosts: a.example\n{spec}"));
    let otherwise = |text: String| decides(&text, "a.example", |p| p.otherwise);
    assert_eq!(otherwise(org("mandates: { otherwise: allow }") + &group("")), Some(("org".into(), Part::Mandates)));
    assert_eq!(
        otherwise(org("mandates: { otherwise: allow }") + &group("otherwise: block")),
        Some(("group".into(), Part::Own))
    );
    let own_look = "otherwise: { block: { status: 404 } }";
    assert_eq!(otherwise(org("mandates: { otherwise: block }") + &group(own_look)), Some(("group".into(), Part::Own)));
    // A word above the mandate does not loosen it, and the mandate's own look wins over an equal one from above.
    let text = document("tenant", "acme/retail", "hosts: \"*.example\"\nmandates: { otherwise: block }");
    let text = document("org", "acme", "otherwise: { block: { status: 404 } }")
        + &text
        + &document("group", "acme/retail/shop", "hosts: a.example");
    assert_eq!(otherwise(text), Some(("tenant".into(), Part::Mandates)));
}

#[test]
fn a_document_that_weakens_a_mandate_is_refused_with_both_places() {
    let text = document("org", "acme", "mandates: { ambiguous: reject }")
        + &document("group", "acme/x", "hosts: a.example\nambiguous: strictest");
    assert_eq!(
        refused(&text),
        [
            "p.yaml:13:14: `ambiguous` here is weaker than the mandate of `org` at p.yaml:6:26; leave it out, or be at least as strict: `reject` > not said \
          (by the kind of ambiguity) > `strictest`; then the document's mode: `enforce` > `canary N%` > `monitor`"
        ]
    );
    // The same words in a mode that reaches less are weaker too.
    let text = document("org", "acme", "mandates: { otherwise: block }")
        + &document("group", "acme/x", "hosts: a.example\nmode: canary 50%\notherwise: block");
    assert_eq!(refused(&text).len(), 1);
}

#[test]
fn one_weakening_is_told_once_however_many_hosts_it_concerns() {
    let hosts: Vec<String> = (0..50).map(|i| format!("h{i}.example")).collect();
    let text = document("org", "acme", "mandates: { requireMutualTls: true }")
        + &document("group", "acme/x", &format!("hosts: [{}]\nrequireMutualTls: false", hosts.join(", ")));
    assert_eq!(refused(&text).len(), 1);
}

#[test]
fn who_answers_for_ambiguity_is_who_says_it_or_the_nearest_that_reaches_furthest() {
    let owner = |text: &str| {
        let (documents, settled) = settled(text);
        documents[plan_of(&settled, "a.example").ambiguous_owner].name.clone()
    };
    let org = document("org", "acme", "ambiguous: reject");
    let one = document("one", "acme/x", "hosts: a.example\nmode: monitor");
    let two = document("two", "acme/x", "hosts: a.example");
    assert_eq!(owner(&(one.clone() + &two)), "two");
    assert_eq!(owner(&(one.clone() + &two + &org)), "org");
    assert_eq!(owner(&(one + &document("org", "acme", ""))), "one");
}

#[test]
fn a_layer_that_allows_it_by_defaults_lets_others_change_what_its_mandates_see() {
    let group =
        document("group", "acme/x", "hosts: a.example\nclient: { address: { from: x-forwarded-for, hops: 2 } }");
    let rules = "mandates: { rules: [{ name: r, match: { address: 192.0.2.1 }, then: block }] }";
    assert_eq!(refused(&(document("org", "acme", rules) + &group)).len(), 1);
    let same = format!("client: {{ address: {{ from: x-forwarded-for, hops: 2 }} }}\n{rules}");
    assert_eq!(refused(&(document("org", "acme", &same) + &group)), [""; 0]);
    let other = format!("client: {{ address: {{ from: x-forwarded-for, hops: 1 }} }}\n{rules}");
    assert_eq!(refused(&(document("org", "acme", &other) + &group)).len(), 1);
    let allowed = format!("defaults: {{ client: {{ address: {{ from: x-forwarded-for, hops: 1 }} }} }}\n{rules}");
    assert_eq!(refused(&(document("org", "acme", &allowed) + &group)), [""; 0]);
    let blind = "mandates: { rules: [{ name: r, match: { method: TRACE }, then: block }] }";
    assert_eq!(refused(&(document("org", "acme", blind) + &group)), [""; 0]);
}

#[test]
fn equal_plans_are_one() {
    let text = document("a", "acme/x", "hosts: [a.example, b.example, \"*.c.example\"]")
        + &document("b", "acme/y", "hosts: d.example");
    let (_, settled) = settled(&text);
    assert_eq!((settled.requests.hosts.len(), settled.requests.scopes.len()), (4, 2));
    let names: Vec<String> = settled.requests.hosts.iter().map(|(host, _)| host.to_string()).collect();
    assert_eq!(names, ["a.example", "b.example", "d.example", "*.c.example"]);
}

#[test]
fn scores_halve_in_the_one_time_that_is_said() {
    assert_eq!(settled(&document("a", "", "")).1.half_life_ns, 600_000_000_000);
    assert_eq!(settled(&document("a", "", "scores: { halfLife: 5m }")).1.half_life_ns, 300_000_000_000);
}

#[test]
fn ten_thousand_documents_are_settled_in_seconds() {
    let mut text =
        document("org", "acme", "mandates: { ambiguous: reject }\ngrants: [{ to: acme/x, hosts: \"*.example\" }]");
    for index in 0..10_000 {
        text.push_str(&document(&format!("d{index}"), "acme/x", &format!("hosts: h{index}.example")));
    }
    let (documents, mut problems) = read(&text);
    let begin = std::time::Instant::now();
    let settled = settle(&documents, &mut problems);
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
    assert!(problems.is_empty() && settled.requests.hosts.len() == 10_000);
}

/// Settings as text: some of these, in one of the three parts.
fn settings() -> impl Strategy<Value = Vec<&'static str>> {
    let one = prop_oneof![
        Just("ambiguous: reject"),
        Just("ambiguous: strictest"),
        Just("otherwise: block"),
        Just("otherwise: allow"),
        Just("requireMutualTls: true"),
        Just("requireMutualTls: false"),
        Just("requireOneUri: true"),
        Just("serverName: any"),
        Just("serverName: { own: [a.example, b.example] }"),
        Just("serverName: match"),
        Just("direction: egress"),
        Just("forward: canonical"),
        Just("forward: received"),
        Just("backend: { decodes: 2 }"),
        Just("backend: { parameters: kept }"),
        Just("backend: { paths: caseInsensitive, parameters: ignored }"),
        Just("identityHeaders: { action: strip, names: [x-user] }"),
        Just("identityHeaders: { action: refuse, names: [x-user, x-role] }"),
        Just("client: { key: address }"),
        Just("client: { key: [jwt.sub, address] }"),
    ];
    proptest::collection::vec(one, 0..4).prop_map(|mut lines| {
        // A key stands once.
        lines.sort_unstable();
        lines.dedup_by_key(|line| line.split(':').next());
        lines
    })
}

fn random_document(name: &'static str, scope: &'static str, hosts: &'static str) -> impl Strategy<Value = String> {
    let rule = prop_oneof![
        Just(""),
        Just("rules: [{ name: m, match: { path: /x, address: 192.0.2.1 }, then: block }]"),
        Just("rules: [{ name: m, match: { path: /x }, limit: { rate: 1 per 1s }, then: limit }]"),
    ];
    let mode = prop_oneof![Just("monitor"), Just("canary 10%"), Just("enforce")];
    (mode, settings(), settings(), settings(), rule, 0..3usize).prop_map(
        move |(mode, own, defaults, mandates, rule, bare)| {
            let mut lines = vec![format!("mode: {mode}")];
            if !hosts.is_empty() {
                lines.push(format!("hosts: {hosts}"));
            }
            lines.extend(own.into_iter().filter(|_| bare < 2).map(str::to_owned));
            if !defaults.is_empty() && bare < 1 {
                lines.push(format!("defaults: {{ {} }}", defaults.join(", ")));
            }
            let mandates: Vec<&str> = mandates.into_iter().chain([rule]).filter(|part| !part.is_empty()).collect();
            if !mandates.is_empty() {
                lines.push(format!("mandates: {{ {} }}", mandates.join(", ")));
            }
            document(name, scope, &lines.join("\n"))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever is not refused keeps every mandate: on each host, each setting that someone above mandates is at least as strict
    /// as every mandate, and every mandate's rules hold there, whoever stands below.
    #[test]
    fn no_document_makes_anything_less_restricted_by_a_mandate(
        org in random_document("org", "acme", ""),
        tenant in random_document("tenant", "acme/retail", "[shop.example, \"*.shop.example\"]"),
        group in random_document("group", "acme/retail/shop", "[api.shop.example, group.example]"),
        second in random_document("second", "acme/retail/shop", "[api.shop.example]"),
    ) {
        let text = [org.as_str(), &tenant, &group, &second].concat();
        let (documents, mut problems) = read(&text);
        prop_assert!(problems.is_empty(), "{}\n{}", problems, text);
        let settled = settle(&documents, &mut problems);
        if !problems.is_empty() {
            return Ok(());
        }
        for (host, plan) in &settled.requests.hosts {
            keeps_mandates(&documents, &settled.requests.scopes[*plan], &host.to_string())?;
        }
        keeps_mandates(&documents, settled.requests.everywhere.as_ref().expect("covered"), "anybody")?;
        keeps_what_stood_without(&org, &documents, &settled)?;
    }
}

fn voice(plan: &ScopePlan, setting: Setting) -> Option<Voice> {
    match setting {
        Setting::Ambiguous => plan.ambiguous,
        Setting::Backend => plan.backend,
        Setting::ClientAddress => plan.client_address,
        Setting::ClientKey => plan.client_key,
        Setting::Forward => plan.forward_canonical,
        Setting::IdentityHeaders => plan.identity_headers,
        Setting::MutualTls => plan.require_mutual_tls,
        Setting::Otherwise => plan.otherwise,
        Setting::Support => plan.support,
        Setting::Direction => plan.direction,
        Setting::OneUri => plan.require_one_uri,
        Setting::ServerName => plan.server_name,
    }
}

fn keeps_mandates(documents: &[Document], plan: &ScopePlan, host: &str) -> Result<(), TestCaseError> {
    for member in &plan.documents {
        let document = &documents[member.document];
        for setting in Setting::ALL {
            if setting.place(&document.mandates).is_none() {
                continue;
            }
            let decided = voice(plan, setting).expect("a mandate is a word");
            let decided = (&documents[decided.document], decided.part);
            let kept = setting.at_least(decided, (document, Part::Mandates));
            prop_assert!(kept, "{host}: `{}` of `{}`", setting.word(), document.name);
        }
    }
    Ok(())
}

/// The organisation alone, against the organisation with others below it.
fn keeps_what_stood_without(org: &str, documents: &[Document], settled: &Settled) -> Result<(), TestCaseError> {
    let (alone, mut problems) = read(org);
    let before = settle(&alone, &mut problems);
    prop_assert!(problems.is_empty(), "{}", problems);
    let before = before.requests.everywhere.expect("covered");
    let org = documents.iter().position(|document| document.name == "org").expect("there");
    let rules = alone[0].rules.iter().filter(|rule| rule.tier == Tier::Mandate).count();
    prop_assert_eq!(documents[org].rules.iter().filter(|rule| rule.tier == Tier::Mandate).count(), rules);
    for plan in &settled.requests.scopes {
        prop_assert!(plan.documents.iter().any(|member| member.document == org));
        // What a mandate's rule sees of the path: at least the readings that were judged before.
        let backend = |plan: &ScopePlan, documents: &[Document]| {
            plan.backend.and_then(|v| v.settings(documents)?.backend.as_ref().map(|(b, _)| *b)).unwrap_or_default()
        };
        let allowed = alone[0].defaults.backend.is_some();
        if rules > 0 && !allowed {
            prop_assert!(super::strictness::judges_as_much(&backend(plan, documents), &backend(&before, &alone)));
        }
        let reject = |plan: &ScopePlan, documents: &[Document]| {
            plan.ambiguous.and_then(|v| v.settings(documents)?.ambiguous.as_ref().map(|(a, _)| *a))
                == Some(Ambiguous::Reject)
        };
        if alone[0].mandates.ambiguous.as_ref().is_some_and(|(a, _)| *a == Ambiguous::Reject) {
            prop_assert!(reject(plan, documents));
        }
    }
    Ok(())
}
