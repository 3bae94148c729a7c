//! Mistakes that others made, each with the test that shows what the gate does instead: the table is in `docs/security.md`, and
//! the last test here holds the two together. Everything goes through [`judged`], the only place that knows the engine.
#![expect(clippy::panic, clippy::unwrap_used, reason = "a test ends at its first surprise")]

use gatehouse_engine::{
    Claims, Connection, Fields, Head, NoSlots, Now, Policy, Reply, Request, Settings, State, Step, judge,
};
use gatehouse_policy::{document, inline};

/// A request; `..ASK` is a plain one.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    host: &'a str,
    path: &'a [u8],
    peer: &'a str,
    /// The URI of the verified peer certificate.
    uri: Option<&'a str>,
    claims: Claims<'a>,
    headers: &'a [(&'a str, &'a [u8])],
}

const ASK: Ask<'_> = Ask {
    method: "GET",
    host: "shop.example.com",
    path: b"/",
    peer: "192.0.2.1",
    uri: None,
    claims: Claims::Unknown,
    headers: &[],
};

/// What came of it.
#[derive(Debug)]
struct Verdict {
    /// `allow`, `block` …, a blank, and who decided: `policy/rule`, or nobody.
    word: String,
    reason: &'static str,
    address: Option<String>,
    /// Headers that go on to the application, where the gate writes them.
    sent: Option<Vec<(String, String)>>,
    reply: Option<Reply>,
}

/// Judges one request by the inside of a `spec`.
fn judged(spec: &str, ask: Ask<'_>) -> Verdict {
    let text = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"p","scope":"acme"}},"spec":{{{spec}}}}}"#
    );
    let policy: Policy =
        inline(&document::json("policy", &text).unwrap()).unwrap_or_else(|problems| panic!("{problems}"));
    let connection = Connection {
        peer: ask.peer.parse().ok(),
        peer_uri: ask.uri.map(str::to_owned),
        mutual_tls: Some(ask.uri.is_some()),
        ..Connection::default()
    };
    let mut pairs: Vec<(&[u8], &[u8])> =
        vec![(b":method", ask.method.as_bytes()), (b":authority", ask.host.as_bytes())];
    if !ask.path.is_empty() {
        pairs.push((b":path", ask.path));
    }
    pairs.extend(ask.headers.iter().map(|(name, value)| (name.as_bytes(), *value)));
    let head = Head::new(&pairs, &connection);
    let now = Now { mono_ns: 1 << 40, wall_s: Some(1_800_000_000) };
    let request = Request { head, claims: ask.claims, known: Fields::ALL, now };
    let judged = judge(Some(&policy), &Settings::default(), request, &mut State::new([1; 16], &[2; 16]), &NoSlots);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let word = format!("{} {}", judged.verdict.action().as_str(), judged.verdict.rule.as_deref().unwrap_or_default());
    let (sent, reply) = match judged.step {
        Step::Forward(pairs) => (pairs.map(|pairs| pairs.iter().map(|(n, v)| (text(n), text(v))).collect()), None),
        Step::Reply(reply) => (None, Some(reply)),
        Step::Drop => (None, None),
    };
    let address = judged.subject.client.address.map(|address| address.to_string());
    Verdict { word: word.trim().to_owned(), reason: judged.verdict.reason.as_str(), address, sent, reply }
}

/// Verdict and rule alone.
fn word(spec: &str, ask: Ask<'_>) -> String {
    judged(spec, ask).word
}

/// A spec of one rule that blocks.
fn block(condition: &str) -> String {
    format!(r#""rules":[{{"name":"r","match":{{{condition}}},"then":"block"}}]"#)
}

/// A spec that blocks all but what this meets.
fn only(condition: &str) -> String {
    format!(r#""rules":[{{"name":"r","match":{{{condition}}},"then":"allow"}}],"otherwise":"block""#)
}

fn path(path: &[u8]) -> Ask<'_> {
    Ask { path, ..ASK }
}

/// Names of the headers that reach the application.
fn names(verdict: &Verdict) -> Vec<&str> {
    let sent = verdict.sent.as_ref().unwrap_or_else(|| panic!("nothing is written: {verdict:?}"));
    sent.iter().map(|(name, _)| name.as_str()).filter(|name| !name.starts_with(':')).collect()
}

const ADMIN: &str = r#""path":["/admin","/admin/**"]"#;
const BLOCKED: &str = "block p/r";
const REFUSED: &str = "block p/ambiguous";
const UNMET: &str = "allow";

// Paths

#[test]
fn dot_segments_plain_and_encoded_are_judged_resolved_and_as_they_came() {
    for disguise in ["/public/../admin", "/public/%2e%2e/admin", "/./admin/x", "/public/.%2E/admin", "/a/b/../../admin"]
    {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), BLOCKED, "{disguise}");
    }
    // The open folder opens nothing that lies beside it.
    assert_eq!(word(&only(r#""path":"/public/**""#), path(b"/public/../admin")), "block p/otherwise");
    assert_eq!(
        word(&block(r#""path":"/public/**""#), path(b"/public/../admin")),
        BLOCKED,
        "and the reading as it came"
    );
}

#[test]
fn repeated_slashes_are_one_and_an_escaped_slash_is_refused() {
    for disguise in ["//admin", "/admin//x", "///admin"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), BLOCKED, "{disguise}");
    }
    for disguise in ["/public%2fadmin", "/%2Fadmin", "/admin%2fx", "/a/..%2fadmin"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), REFUSED, "{disguise}");
        let strictest = format!(r#""ambiguous":"strictest",{}"#, block(r#""path":["/admin/**","/admin","/*/admin"]"#));
        assert_eq!(word(&strictest, path(disguise.as_bytes())), BLOCKED, "{disguise}");
    }
}

#[test]
fn two_slashes_begin_no_authority() {
    let spec = format!(r#""hosts":"shop.example.com",{}"#, block(ADMIN));
    assert_eq!(word(&spec, path(b"//evil.example/admin")), UNMET);
    assert_eq!(word(&spec, path(b"//admin/x")), BLOCKED);
    assert_eq!(word(&block(r#""host":"evil.example""#), path(b"//evil.example/x")), UNMET);
}

#[test]
fn a_backslash_is_refused_or_judged_as_a_slash() {
    for disguise in ["/public\\..\\admin", "/public%5cadmin", "/..%5Cadmin", "\\admin"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), REFUSED, "{disguise}");
    }
    let strictest = format!(r#""ambiguous":"strictest",{}"#, block(ADMIN));
    assert_eq!(word(&strictest, path(b"/public\\..\\admin")), BLOCKED);
}

#[test]
fn a_fragment_hides_nothing() {
    for disguise in ["/admin#", "/admin#/../public", "/public#/../admin", "/admin#?x=1"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), BLOCKED, "{disguise}");
    }
}

#[test]
fn a_query_meets_no_path_rule_and_an_encoded_question_mark_begins_none() {
    let regex = r#""path":{"regex":"^/public/.*$"}"#;
    assert_eq!(word(&only(regex), path(b"/admin?x=/public/")), "block p/otherwise");
    assert_eq!(word(&only(r#""path":{"suffix":".css"}"#), path(b"/admin?x=.css")), "block p/otherwise");
    assert_eq!(word(&block(r#""path":"/admin""#), path(b"/admin?/public")), BLOCKED);
    // Cut first, decode then: what is decoded cuts nothing.
    assert_eq!(word(&block(r#""path":{"suffix":".php"}"#), path(b"/x%3f/y.php")), BLOCKED);
    assert_eq!(word(&block(r#""query":{"x":"1"}"#), path(b"/a%3fx=1")), UNMET);
}

#[test]
fn parameters_of_segments_are_read_both_ways() {
    for disguise in ["/admin;x=1", "/admin;a/users;b", "/;x/admin", "/admin;"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), BLOCKED, "{disguise}");
    }
    for disguise in ["/public/..;/admin", "/public/..;x=1/admin", "/public/.;/../admin"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), REFUSED, "{disguise}");
    }
}

#[test]
fn an_encoding_within_an_encoding_is_refused() {
    for disguise in ["/%2561dmin", "/public/%252e%252e/admin", "/%25%36%31dmin", "/public/%c0%ae%c0%ae/admin"] {
        assert_eq!(word(&block(ADMIN), path(disguise.as_bytes())), REFUSED, "{disguise}");
    }
    // One bad escape is not an empty path.
    assert_eq!(word(&block(ADMIN), path(b"/admin/%zz")), BLOCKED);
}

#[test]
fn nul_and_control_bytes_in_a_path_are_refused() {
    for disguise in [&b"/admin\0"[..], b"/admin%00.css", b"/admin\x7f", b"/adm%0d%0ain", b"/\tadmin", b"/%1f"] {
        assert_eq!(word(&block(ADMIN), path(disguise)), REFUSED, "{}", disguise.escape_ascii());
    }
}

#[test]
fn a_request_without_a_path_is_judged_all_the_same() {
    for method in ["CONNECT", "GET", "OPTIONS"] {
        assert_eq!(word(&block(r#""always":true"#), Ask { method, path: b"", ..ASK }), BLOCKED, "{method}");
        assert_eq!(word(&only(ADMIN), Ask { method, path: b"", ..ASK }), "block p/otherwise", "{method}");
    }
    assert_eq!(word(&only(ADMIN), Ask { method: "OPTIONS", path: b"*", ..ASK }), "block p/otherwise");
}

// Queries and cookies

#[test]
fn a_value_that_does_not_decode_is_looked_at_as_it_came() {
    assert_eq!(word(&block(r#""query":{"q":{"contains":"<script"}}"#), path(b"/?q=%zz<script>%")), BLOCKED);
    assert_eq!(word(&block(r#""query":{"q":{"present":true}}"#), path(b"/?%zz&q=\xff%ff")), BLOCKED);
    assert_eq!(word(&block(r#""query":{"q":{"contains":"<script"}}"#), path(b"/?q=%3Cscript")), BLOCKED);
}

#[test]
fn every_duplicate_of_a_parameter_or_cookie_is_looked_at() {
    let query = block(r#""query":{"role":"admin"}"#);
    for asked in ["/?role=admin&role=user", "/?role=user&role=admin", "/?role=user&r%6fle=%61dmin", "/?x=1;role=admin"]
    {
        assert_eq!(word(&query, path(asked.as_bytes())), BLOCKED, "{asked}");
    }
    let flood = format!("/?{}role=admin", "a=1&".repeat(5000));
    assert_eq!(word(&query, path(flood.as_bytes())), BLOCKED, "a flood hides nothing");
    for cookies in
        [&[("cookie", &b"role=user; role=admin"[..])][..], &[("cookie", b"role=\"admin\""), ("cookie", b"role=user")]]
    {
        assert_eq!(
            word(&block(r#""cookies":{"role":"admin"}"#), Ask { headers: cookies, ..ASK }),
            BLOCKED,
            "{cookies:?}"
        );
    }
}

// Headers

#[test]
fn every_value_of_a_repeated_header_is_looked_at_first_last_and_merged() {
    let spec = block(r#""headers":{"x-role":{"contains":"admin"}}"#);
    for values in [
        &[&b"admin"[..], b"user"][..],
        &[b"user", b"admin"],
        &[b"a", b"admin", b"b"],
        &[b"user,admin"],
        &[b"admin, user"],
    ] {
        let headers: Vec<(&str, &[u8])> = values.iter().map(|value| ("x-role", *value)).collect();
        assert_eq!(word(&spec, Ask { headers: &headers, ..ASK }), BLOCKED, "{values:?}");
    }
    // A rule that asks for one value is met by any; so `not` of it holds only where none does.
    let not = block(r#""not":{"headers":{"x-role":"user"}}"#);
    assert_eq!(word(&not, Ask { headers: &[("x-role", b"user"), ("x-role", b"admin")], ..ASK }), UNMET);
}

#[test]
fn every_content_type_is_looked_at() {
    let spec = block(r#""headers":{"content-type":{"prefix":"multipart/"}}"#);
    let headers: &[(&str, &[u8])] =
        &[("content-type", b"text/plain"), ("content-type", b"multipart/form-data; boundary=\xff")];
    assert_eq!(word(&spec, Ask { headers, ..ASK }), BLOCKED);
}

#[test]
fn bytes_that_are_no_text_are_matched_as_bytes_and_end_no_judgement() {
    for value in [&b"bad\xff"[..], b"\xc3bad", b"\0bad\0", b"bad\x80\x80"] {
        let ask = Ask { headers: &[("x-a", value)], ..ASK };
        for condition in [r#"{"contains":"bad"}"#, r#"{"regex":"bad"}"#, r#"{"regex":"^[^g]*bad[^g]*$"}"#] {
            assert_eq!(
                word(&block(&format!(r#""headers":{{"x-a":{condition}}}"#)), ask),
                BLOCKED,
                "{condition} {value:?}"
            );
        }
        assert_eq!(word(&only(r#""headers":{"x-a":"good"}"#), ask), "block p/otherwise");
    }
    let latin = r#""headers":{"x-a":{"regex":"^caf\\xE9$"}}"#;
    assert_eq!(word(&block(latin), Ask { headers: &[("x-a", b"caf\xe9")], ..ASK }), BLOCKED);
}

#[test]
fn an_underscore_stands_for_no_dash_of_a_header_that_only_the_gate_may_set() {
    let spec = r#""identityHeaders":{"action":"strip","names":["x-remote-user"]},
        "rules":[{"name":"t","match":{"path":"/never"},"then":{"tag":{"header":"x-bot","value":"no"}}}]"#;
    let forged: &[(&str, &[u8])] =
        &[("x_bot", b"no"), ("X-Bot", b"no"), ("x_gatehouse_class", b"x"), ("x_remote_user", b"root"), ("x_own", b"1")];
    assert_eq!(names(&judged(spec, Ask { headers: forged, ..ASK })), ["x_own"]);
}

#[test]
fn no_header_names_another_path_host_or_scheme() {
    let forged: &[(&str, &[u8])] = &[
        ("x-envoy-original-path", b"/public"),
        ("x-original-url", b"/public"),
        ("x-rewrite-url", b"/public"),
        ("x-forwarded-uri", b"/public"),
        ("x-forwarded-host", b"open.example"),
        ("x-forwarded-proto", b"https"),
        ("x-forwarded-prefix", b"/public"),
        ("forwarded", b"host=open.example;for=10.0.0.1"),
        ("host", b"open.example"),
    ];
    let ask = Ask { path: b"/admin", headers: forged, ..ASK };
    assert_eq!(word(&block(ADMIN), ask), BLOCKED);
    assert_eq!(word(&only(r#""path":"/public""#), ask), "block p/otherwise");
    assert_eq!(word(&only(r#""host":"open.example""#), ask), "block p/otherwise");
}

#[test]
fn a_method_that_a_header_asks_for_is_judged_too() {
    let spec = block(r#""method":"DELETE""#);
    for name in ["x-http-method-override", "X-HTTP-Method", "x-method-override"] {
        assert_eq!(word(&spec, Ask { method: "POST", headers: &[(name, b"DELETE")], ..ASK }), BLOCKED, "{name}");
    }
    let two: &[(&str, &[u8])] = &[("x-http-method-override", b"GET"), ("x_http_method_override", b" delete ")];
    assert_eq!(word(&spec, Ask { method: "POST", headers: two, ..ASK }), BLOCKED);
    for merged in [&b"GET, delete"[..], b"DELETE,GET", b",, DELETE ,", b"put,POST,Delete"] {
        let headers: &[(&str, &[u8])] = &[("x-http-method-override", merged)];
        assert_eq!(word(&spec, Ask { method: "POST", headers, ..ASK }), BLOCKED, "{merged:?}");
    }
    let headers: &[(&str, &[u8])] = &[("x-http-method-override", b"GET,HEAD,PUT")];
    assert_eq!(word(&spec, Ask { method: "POST", headers, ..ASK }), REFUSED, "merged or not, two are looked at");
    let many: &[(&str, &[u8])] = &[
        ("x-http-method", b"GET"),
        ("x-http-method", b"HEAD"),
        ("x-http-method", b"PUT"),
        ("x-http-method", b"DELETE"),
    ];
    assert_eq!(word(&spec, Ask { method: "POST", headers: many, ..ASK }), REFUSED, "none hides behind others");
    // It opens nothing: the method that was sent is judged as well.
    assert_eq!(
        word(&only(r#""method":"GET""#), Ask { method: "POST", headers: &[("x-http-method", b"GET")], ..ASK }),
        "block p/otherwise"
    );
}

#[test]
fn what_connection_lists_strips_nothing_that_the_gate_sets() {
    let spec = r#""rules":[{"name":"t","match":{"always":true},"then":{"tag":{"header":"x-bot","value":"yes"}}}]"#;
    let headers: &[(&str, &[u8])] = &[("connection", b"close, x-bot, x-forwarded-for"), ("x-bot", b"no")];
    let verdict = judged(spec, Ask { headers, ..ASK });
    let bots: Vec<_> = verdict.sent.iter().flatten().filter(|(name, _)| name == "x-bot").collect();
    assert_eq!(bots, [&("x-bot".to_owned(), "yes".to_owned())]);
    // Nor does it make a rule blind.
    let headers: &[(&str, &[u8])] = &[("connection", b"x-role"), ("x-role", b"admin")];
    assert_eq!(word(&block(r#""headers":{"x-role":"admin"}"#), Ask { headers, ..ASK }), BLOCKED);
}

#[test]
fn no_header_of_the_gates_own_can_be_broken_out_of() {
    let spec =
        r#""support":{"text":"call <us> & \"ask\""},"rules":[{"name":"r","match":{"always":true},"then":"block"}]"#;
    for form in ["text/html", "application/json", "text/plain", "application/grpc"] {
        let headers: &[(&str, &[u8])] = &[
            ("accept", form.as_bytes()),
            ("content-type", form.as_bytes()),
            ("origin", b"https://a.example\r\nset-cookie: x=1"),
            ("access-control-request-headers", b"x\r\ny: z"),
        ];
        let reply = judged(spec, Ask { headers, ..ASK }).reply.expect("a refusal");
        for (name, value) in &reply.headers {
            assert!(name.bytes().chain(value.bytes()).all(|byte| (b' '..=b'~').contains(&byte)), "{name}: {value}");
        }
        assert!(!String::from_utf8_lossy(&reply.body).contains("<us>") || form != "text/html");
    }
}

// Hosts

#[test]
fn a_host_is_one_name_in_any_case_with_dot_port_and_user_information() {
    let spec = r#""hosts":"shop.example.com","otherwise":"block""#;
    for host in [
        "shop.example.com",
        "SHOP.Example.COM",
        "shop.example.com.",
        "shop.example.com:8443",
        "Shop.Example.Com.:80",
        "open.example@shop.example.com",
        "%73hop.example.com",
    ] {
        assert_eq!(word(spec, Ask { host, ..ASK }), "block p/otherwise", "{host}");
    }
    for host in ["shop.example.com.evil.example", "shop.example.com@evil.example", "xshop.example.com", ""] {
        assert_eq!(judged(spec, Ask { host, ..ASK }).reason, "not_covered", "{host}");
    }
}

#[test]
fn an_absolute_target_is_judged_for_both_hosts() {
    let spec = r#""hosts":"shop.example.com","otherwise":"block""#;
    assert_eq!(word(spec, Ask { host: "open.example", path: b"http://shop.example.com/", ..ASK }), "block p/otherwise");
    assert_eq!(word(spec, Ask { path: b"http://open.example/", ..ASK }), "block p/otherwise");
    assert_eq!(word(&block(ADMIN), path(b"http://shop.example.com/admin")), BLOCKED);
}

#[test]
fn a_dot_in_a_name_is_a_dot() {
    assert_eq!(
        judged(r#""hosts":"shop.example.com","otherwise":"block""#, Ask { host: "shopxexample.com", ..ASK }).reason,
        "not_covered"
    );
    assert_eq!(word(&block(r#""host":"*.example.com""#), Ask { host: "a.bexample.com", ..ASK }), UNMET);
    assert_eq!(word(&block(r#""path":"/a.b""#), path(b"/axb")), UNMET);
    let account = format!(r#""trustDomains":["cluster.local"],{}"#, only(r#""serviceAccounts":["ns/a.b"]"#));
    assert_eq!(word(&account, Ask { uri: Some("spiffe://cluster.local/ns/ns/sa/axb"), ..ASK }), "block p/otherwise");
    assert_eq!(word(&account, Ask { uri: Some("spiffe://cluster.local/ns/ns/sa/a.b"), ..ASK }), "allow p/r");
    assert_eq!(word(&account, Ask { uri: Some("spiffe://clusterxlocal/ns/ns/sa/a.b"), ..ASK }), "block p/otherwise");
}

// Who the client is

#[test]
fn a_forwarded_address_is_a_strangers_word_unless_the_peer_is_trusted() {
    let spec = |trust: &str| format!(r#""client":{{"address":{{"from":"x-forwarded-for",{trust}}}}}"#);
    let forged: &[(&str, &[u8])] =
        &[("x-forwarded-for", b"203.0.113.9"), ("x-real-ip", b"203.0.113.9"), ("forwarded", b"for=203.0.113.9")];
    let address = |trust: &str, peer| judged(&spec(trust), Ask { peer, headers: forged, ..ASK }).address;
    for peer in ["192.0.2.1", "10.0.0.1", "127.0.0.1", "192.168.1.1", "fd00::1"] {
        assert_eq!(
            address(r#""trust":[]"#, peer).as_deref(),
            Some(peer),
            "no peer is trusted by itself, private or not"
        );
        assert_eq!(
            judged(r#""otherwise":"allow""#, Ask { peer, headers: forged, ..ASK }).address.as_deref(),
            Some(peer)
        );
    }
    assert_eq!(address(r#""trust":["10.0.0.0/8"]"#, "192.0.2.1").as_deref(), Some("192.0.2.1"));
    assert_eq!(address(r#""trust":["10.0.0.0/8"]"#, "10.0.0.1").as_deref(), Some("203.0.113.9"));
    assert_eq!(address(r#""trust":["10.0.0.0/8"]"#, "unknown"), None, "with no peer known nobody is believed");
}

#[test]
fn the_nearest_untrusted_address_counts_and_not_the_first_or_last_written() {
    let spec = r#""client":{"address":{"from":"x-forwarded-for","trust":["10.0.0.0/8"]}}"#;
    let headers: &[(&str, &[u8])] =
        &[("x-forwarded-for", b"203.0.113.9, 198.51.100.7"), ("x-forwarded-for", b"10.0.0.2")];
    assert_eq!(judged(spec, Ask { peer: "10.0.0.1", headers, ..ASK }).address.as_deref(), Some("198.51.100.7"));
}

#[test]
fn headers_of_an_identity_are_taken_from_clients() {
    let forged: &[(&str, &[u8])] = &[("X-Remote-User", b"root"), ("x-user", b"root"), ("x-own", b"1")];
    let strip = r#""identityHeaders":{"action":"strip","names":["x-remote-user","x-user"]}"#;
    assert_eq!(names(&judged(strip, Ask { headers: forged, ..ASK })), ["x-own"]);
    let refuse = r#""identityHeaders":{"action":"refuse","names":["x-remote-user","x-user"]}"#;
    let refused = judged(refuse, Ask { headers: forged, ..ASK });
    assert_eq!((refused.reason, refused.reply.map(|reply| reply.status)), ("identity_header", Some(400)));
    assert_eq!(word(refuse, ASK), UNMET);
}

#[test]
fn the_gates_own_headers_never_come_from_a_client() {
    let forged: &[(&str, &[u8])] =
        &[("x-gatehouse-class", b"friend"), ("X-Gatehouse-Reference", b"x"), ("x-own", b"1")];
    assert_eq!(names(&judged(r#""otherwise":"allow""#, Ask { headers: forged, ..ASK })), ["x-own"]);
    assert_eq!(
        word(&only(r#""headers":{"x-gatehouse-class":"friend"}"#), Ask { headers: forged, ..ASK }),
        "block p/otherwise"
    );
}

#[test]
fn a_token_in_a_header_is_no_claim_and_one_claim_is_not_another() {
    let spec = only(r#""jwt":{"sub":"alice"}"#);
    let token: &[(&str, &[u8])] = &[("authorization", b"Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.")];
    assert_eq!(word(&spec, Ask { headers: token, ..ASK }), "block p/otherwise");
    let known = |claims: &'static [(&[u8], &[u8])]| word(&spec, Ask { claims: Claims::Known(claims), ..ASK });
    assert_eq!(known(&[(b"sub", b"alice")]), "allow p/r");
    assert_eq!(known(&[(b"sub", b"mallory"), (b"aud", b"alice"), (b"Sub", b"alice")]), "block p/otherwise");
    // Nor is it an opposite: what is not known lets no rule fire.
    assert_eq!(word(&block(r#""not":{"jwt":{"sub":"alice"}}"#), Ask { headers: token, ..ASK }), UNMET);
}

#[test]
fn an_identity_is_what_was_verified_and_nothing_that_was_written() {
    let spec = only(r#""identity":"spiffe://cluster.local/ns/ops/sa/web""#);
    let headers: &[(&str, &[u8])] = &[
        ("x-forwarded-client-cert", b"By=x;URI=spiffe://cluster.local/ns/ops/sa/web"),
        ("x-spiffe-id", b"spiffe://cluster.local/ns/ops/sa/web"),
    ];
    assert_eq!(word(&spec, Ask { headers, ..ASK }), "block p/otherwise");
    assert_eq!(word(&spec, Ask { uri: Some("spiffe://cluster.local/ns/ops/sa/web"), ..ASK }), "allow p/r");
    for other in [
        "spiffe://cluster.local/ns/ops/sa/web/",
        "spiffe://cluster.local/ns/ops/sa/../sa/web",
        "SPIFFE://cluster.local/ns/ops/sa/web",
    ] {
        assert_eq!(word(&spec, Ask { uri: Some(other), ..ASK }), "block p/otherwise", "{other}");
    }
}

#[test]
fn no_user_agent_opens_a_door() {
    for agent in ["kube-probe/1.29", "GoogleHC/1.0", "ELB-HealthChecker/2.0", "Prometheus/2.45"] {
        assert_eq!(
            word(&block(ADMIN), Ask { path: b"/admin", headers: &[("user-agent", agent.as_bytes())], ..ASK }),
            BLOCKED,
            "{agent}"
        );
    }
}

// The table

/// Everything that the page claims is shown is a test, here or where its place is named; and nothing is shown that it does not name.
#[test]
fn every_test_that_the_page_names_exists_and_every_test_here_is_named() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../");
    let page = std::fs::read_to_string(format!("{root}docs/security.md")).unwrap();
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| ") && line.contains("`::")).collect();
    assert!(rows.len() > 20, "{} rows name a test", rows.len());
    let mut files = vec!["crates/gatehouse-engine/tests/advisories.rs"];
    let named: Vec<&str> = page.split('`').skip(1).step_by(2).collect();
    files.extend(named.iter().filter(|word| word.ends_with(".rs") && !word.contains("::")));
    let sources: Vec<(&str, String)> = files
        .iter()
        .map(|file| {
            (*file, std::fs::read_to_string(format!("{root}{file}")).unwrap_or_else(|why| panic!("{file}: {why}")))
        })
        .collect();
    for test in named.iter().filter_map(|word| word.strip_prefix("::")) {
        let found = sources.iter().any(|(_, source)| source.contains(&format!("fn {test}(")));
        assert!(found, "`{test}` is named and is no test of {files:?}");
    }
    let own = &sources.first().unwrap().1;
    for test in own.split("#[test]\nfn ").skip(1).filter_map(|rest| rest.split('(').next()) {
        assert!(
            page.contains(&format!("`::{test}`")) || test.starts_with("every_test_that_the_page"),
            "`{test}` is not in the page"
        );
    }
}
