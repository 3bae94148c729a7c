//! The rules of the standard case.

/// Ten that no document below weakens.
pub(super) fn mandates() -> Vec<String> {
    let rules = [
        ("bad-networks", r#"{"address":{"list":"bad"}}"#),
        ("scanners", r#"{"agent":["scanner"]}"#),
        ("no-trace", r#"{"method":["TRACE","CONNECT"]}"#),
        ("secrets", r#"{"path":["/.env","/.git/**",{"suffix":".bak"},{"suffix":".sql"}]}"#),
        ("debug", r#"{"headers":{"x-debug":{"present":true}}}"#),
        ("rewritten", r#"{"headers":{"x-original-url":{"present":true}}}"#),
        ("shell", r#"{"query":{"cmd":[{"contains":"/bin/"},{"contains":"powershell"}]}}"#),
        ("miners", r#"{"headers":{"user-agent":[{"contains":"coinhive"},{"contains":"xmrig"}]}}"#),
        ("old-agents", r#"{"headers":{"user-agent":{"regex":"^Mozilla/[1-4]\\.[0-9] \\(compatible; MSIE [1-6]"}}}"#),
        ("old-tls", r#"{"not":{"tls":{"version":"1.2"}}}"#),
    ];
    rules.iter().map(|(name, matched)| rule(name, matched, r#""then":"block""#)).collect()
}

/// Twenty-nine of the organisation, ten of them limits.
pub(super) fn shared() -> Vec<String> {
    let mut rules = vec![
        rule("office", r#"{"address":"192.0.2.0/24","path":"/admin/**"}"#, r#""priority":900,"then":"allow""#),
        rule("ai-crawlers", r#"{"agent":["ai-crawler"]}"#, r#""then":"record""#),
        rule("tools", r#"{"fingerprint":{"list":"tools"}}"#, r#""mode":"monitor","then":"block""#),
        rule("each-client", r#"{"all":true}"#, &limit(r#""by":["client"],"rate":"6000 per 1m""#)),
    ];
    let limits = [
        ("search", r#"{"path":"/search"}"#, r#""by":["client"],"rate":"120 per 1m","burst":20"#),
        ("checkout", r#"{"path":"/checkout/**","method":"POST"}"#, r#""by":["client"],"rate":"20 per 1m""#),
        (
            "coupons",
            r#"{"path":"/coupons/*","method":"POST"}"#,
            r#""by":["client"],"count":{"status":[404]},"rate":"10 per 1m""#,
        ),
        ("export", r#"{"path":"/export/**"}"#, r#""by":["address.prefix"],"rate":"10 per 1h""#),
        (
            "keys",
            r#"{"headers":{"x-api-key":{"present":true}}}"#,
            r#""by":["headers.x-api-key"],"rate":"60000 per 1m""#,
        ),
        (
            "scrapers",
            r#"{"path":"/catalog/**"}"#,
            r#""by":["fingerprint","path.class"],"distinct":{"of":"address","over":"4000 per 5m"}"#,
        ),
        ("tokens", r#"{"path":"/oauth/token"}"#, r#""by":["client","host"],"rate":"30 per 1m","blockFor":"5m""#),
        ("uploads", r#"{"path":"/upload/**","method":["PUT","POST"]}"#, r#""by":["client"],"rate":"30 per 1m""#),
        ("reset", r#"{"path":"/password/reset"}"#, r#""by":["client"],"rate":"5 per 10m""#),
    ];
    rules.extend(limits.iter().map(|(name, matched, how)| rule(name, matched, &limit(how))));
    rules.extend((rules.len()..29).map(|number| {
        let matched = format!(r#"{{"headers":{{"x-partner":"p-{number}"}},"path":"/partner/**"}}"#);
        rule(&format!("partner-{number}"), &matched, r#""then":{"tag":{"header":"x-shop-partner","value":"yes"}}"#)
    }));
    rules
}

/// One rule of a host; the first two are limits, the others one kind after another.
pub(super) fn of_host(host: usize, number: usize) -> String {
    let name = format!("r{number}");
    let n = number;
    let (matched, rest) = match number {
        0 => (r#"{"path":"/api/**"}"#.to_owned(), limit(r#""by":["client"],"rate":"1200 per 1m""#)),
        1 => (
            r#"{"method":"POST","path":"/login"}"#.to_owned(),
            limit(r#""by":["client"],"count":{"status":[401,403]},"rate":"10 per 1m","blockFor":"10m""#),
        ),
        _ => of_kind(host, n),
    };
    rule(&name, &matched, &rest)
}

/// A rule of a path.
pub(super) fn of_path(name: &str, number: usize) -> String {
    rule(&format!("{name}-{number}"), &format!(r#"{{"path":["/p{number}","/p{number}/**"]}}"#), r#""then":"block""#)
}

fn of_kind(host: usize, n: usize) -> (String, String) {
    let block = r#""then":"block""#;
    let monitor = r#""mode":"monitor","then":"block""#;
    let (matched, rest) = match n % 15 {
        2 => (format!(r#"{{"path":["/admin{n}","/admin{n}/**"],"not":{{"address":"192.0.2.0/24"}}}}"#), block),
        3 => (format!(r#"{{"path":"/users/*/orders{n}/{{id}}","method":["PUT","DELETE"]}}"#), block),
        4 => (format!(r#"{{"path":{{"prefix":"/internal{n}"}}}}"#), block),
        5 => (format!(r#"{{"path":{{"suffix":".p{n}"}}}}"#), block),
        6 => (format!(r#"{{"path":{{"regex":"^/v[0-9]+/r{n}/[a-z]+$"}}}}"#), block),
        7 => (format!(r#"{{"headers":{{"x-client":"old-{n}"}}}}"#), block),
        8 => (format!(r#"{{"headers":{{"user-agent":{{"contains":"bot-{host}-{n}"}}}}}}"#), block),
        9 => (format!(r#"{{"query":{{"debug{n}":{{"present":true}}}}}}"#), r#""then":"record""#),
        10 => (format!(r#"{{"cookies":{{"beta{n}":["on","1"]}}}}"#), r#""then":"record""#),
        11 => (format!(r#"{{"address":["198.18.{host}.{n}","198.19.{host}.{n}"]}}"#), block),
        12 => (format!(r#"{{"path":"/svc{n}/**","not":{{"identity":"spiffe://cluster.local/ns/n{n}/sa/*"}}}}"#), block),
        13 => (format!(r#"{{"agent":["library"],"path":"/shop{n}/**"}}"#), monitor),
        14 => {
            (format!(r#"{{"any":[{{"path":"/old{n}/**"}},{{"headers":{{"x-old":"v{n}"}}}}],"method":"GET"}}"#), block)
        }
        0 => (format!(r#"{{"path":"/catalog/c{n}/**"}}"#), r#""then":{"tag":{"header":"x-shop-class","value":"c"}}"#),
        _ => (format!(r#"{{"fingerprint":"t13d{n:04}h2_{host:012x}_{n:012x}"}}"#), monitor),
    };
    (matched, rest.to_owned())
}

fn limit(how: &str) -> String {
    format!(r#""limit":{{{how}}},"then":"limit""#)
}

fn rule(name: &str, matched: &str, rest: &str) -> String {
    format!(r#"{{"name":"{name}","match":{matched},{rest}}}"#)
}
