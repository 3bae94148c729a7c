use super::*;
use crate::Format;

fn found(documents: &[&str], hosts: &[&str]) -> Result<Callers, Problems> {
    let heads = documents.iter().zip(["one", "two"]).map(|(spec, name)| {
        format!("apiVersion: gatehouse.dev/v1\nkind: TcpPolicy\nmetadata: {{ name: {name} }}\nspec: {{ {spec} }}\n")
    });
    let text = heads.collect::<Vec<_>>().join("---\n");
    callers(&[Source { name: "test", text: &text, format: Format::Yaml }], &Options::new(&()), hosts)
}

fn identities(spec: &str) -> Vec<String> {
    found(&[spec], &["db"]).unwrap_or_else(|problems| panic!("{spec}: {problems:?}")).identities
}

fn problem(spec: &str) -> String {
    found(&[spec], &["db"]).expect_err(spec).0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

const SHOP: &str = "spiffe://cluster.local/ns/shop/sa/";

#[test]
fn those_whom_a_rule_lets_in() {
    let rule = |condition: &str| {
        identities(&format!("otherwise: reject, rules: [{{ name: r, match: {{ {condition} }}, then: allow }}]"))
    };
    let shop = |names: &[&str]| names.iter().map(|name| format!("{SHOP}{name}")).collect::<Vec<_>>();
    assert_eq!(rule("serviceAccounts: [shop/web, shop/api]"), shop(&["api", "web"]));
    assert_eq!(rule("identity: spiffe://mesh/**"), ["spiffe://mesh/**"]);
    assert_eq!(rule("serviceAccounts: [shop/web], port: 5432"), shop(&["web"]));
    assert_eq!(
        rule("any: [{ serviceAccounts: [shop/web] }, { serviceAccounts: [shop/api], port: 1 }]"),
        shop(&["api", "web"])
    );
    assert_eq!(rule("all: [{ serviceAccounts: [shop/a, shop/b] }, { serviceAccounts: [shop/b] }]"), shop(&["b"]));
    assert_eq!(rule("serviceAccounts: [shop/web], host: db"), shop(&["web"]));
    assert_eq!(rule("serviceAccounts: [shop/web], host: other"), Vec::<String>::new());
    assert_eq!(rule("serviceAccounts: [shop/web], not: { serviceAccounts: [shop/api] }"), shop(&["web"]));
}

#[test]
fn rules_that_let_nobody_in_name_nobody() {
    let rules = "{ name: a, match: { all: true }, then: record }, { name: b, match: { all: true }, then: reject }, \
                 { name: c, mode: monitor, match: { all: true }, then: allow }, \
                 { name: d, mode: canary 5%, match: { serviceAccounts: [shop/web] }, then: [record, allow] }";
    assert_eq!(identities(&format!("otherwise: reject, rules: [{rules}]")), [format!("{SHOP}web")]);
    assert_eq!(identities("otherwise: reject"), Vec::<String>::new());
}

#[test]
fn lists_and_trust_domains_are_written_out() {
    let spec = "trustDomains: [a, b], otherwise: reject, lists: { ops: { identities: [\"spiffe://a/ns/ops/**\"] } }, \
                rules: [{ name: r, match: { any: [{ identity: { list: ops } }, { serviceAccounts: [x/y] }] }, then: allow }]";
    assert_eq!(identities(spec), ["spiffe://a/ns/ops/**", "spiffe://a/ns/x/sa/y", "spiffe://b/ns/x/sa/y"]);
}

#[test]
fn what_lets_in_by_something_else_is_a_problem_with_its_place() {
    for condition in
        ["all: true", "port: 5432", "identity: none", "any: [{ serviceAccounts: [a/b] }, { address: 192.0.2.0/24 }]"]
    {
        let said =
            problem(&format!("otherwise: reject, rules: [{{ name: r, match: {{ {condition} }}, then: allow }}]"));
        assert!(said.contains("test:4:") && said.contains("`one/r` lets in by something else"), "{said}");
    }
    let rule = "rules: [{ name: r, match: { serviceAccounts: [a/b] }, then: allow }]";
    assert!(problem(rule).contains("without `otherwise`"));
    assert!(problem(&format!("otherwise: allow, {rule}")).contains("lets in everybody"));
    assert!(problem(&format!("mode: monitor, otherwise: reject, {rule}")).contains("rejects nobody yet"));
    assert!(problem(&format!("mode: canary 50%, otherwise: reject, {rule}")).contains("rejects nobody yet"));
}

#[test]
fn documents_hold_by_host_as_they_do_in_the_gate() {
    let rule = |account: &str| {
        format!("otherwise: reject, rules: [{{ name: r, match: {{ serviceAccounts: [{account}] }}, then: allow }}]")
    };
    let documents = [
        &*format!("hosts: [\"*.db.example\"], {}", rule("shop/wide")),
        &*format!("hosts: [a.db.example], {}", rule("shop/a")),
    ];
    let of = |hosts: &[&str]| found(&documents, hosts).map(|callers| (callers.identities, callers.documents));
    let said = |names: &[&str], documents: &[&str]| {
        let owned =
            |texts: &[&str], prefix: &str| texts.iter().map(|text| format!("{prefix}{text}")).collect::<Vec<_>>();
        Ok((owned(names, SHOP), owned(documents, "")))
    };
    assert_eq!(of(&["A.db.example."]), said(&["a"], &["two"]));
    assert_eq!(of(&["b.db.example"]), said(&["wide"], &["one"]));
    assert_eq!(of(&["b.db.example", "a.db.example"]), said(&["a", "wide"], &["one", "two"]));
    let nobody = of(&["db.example"]).expect_err("a domain is not below itself").0;
    assert!(nobody.iter().any(|problem| problem.to_string().contains("speaks of the host")), "{nobody:?}");
}
