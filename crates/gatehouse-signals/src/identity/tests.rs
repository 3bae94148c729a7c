use proptest::prelude::*;

use super::*;

const WEB: &str = "spiffe://cluster.local/ns/ops/sa/web";

fn meets(pattern: &str, uri: &str) -> bool {
    matches(pattern.as_bytes(), uri.as_bytes())
}

#[test]
fn an_id_is_taken_apart() {
    let id = Spiffe::parse(WEB.as_bytes()).unwrap();
    assert_eq!((id.trust_domain(), id.path()), ("cluster.local", "/ns/ops/sa/web"));
    assert_eq!(id.service_account(), Some(ServiceAccount { namespace: "ops", name: "web" }));
    assert_eq!(id.service_account().unwrap().to_string(), "ops/web");
    assert_eq!(Spiffe::parse(b"spiffe://td").unwrap().path(), "");
}

#[test]
fn what_the_standard_refuses_is_no_id() {
    for (uri, why) in [
        ("", SpiffeError::Scheme),
        ("SPIFFE://td/a", SpiffeError::Scheme),
        ("https://td/a", SpiffeError::Scheme),
        ("spiffe:/td/a", SpiffeError::Scheme),
        ("spiffe://", SpiffeError::TrustDomain),
        ("spiffe:///a", SpiffeError::TrustDomain),
        ("spiffe://Td/a", SpiffeError::TrustDomain),
        ("spiffe://td:443/a", SpiffeError::TrustDomain),
        ("spiffe://u@td/a", SpiffeError::TrustDomain),
        ("spiffe://td?x", SpiffeError::TrustDomain),
        ("spiffe://*/a", SpiffeError::TrustDomain),
        ("spiffe://td/", SpiffeError::Path),
        ("spiffe://td/a/", SpiffeError::Path),
        ("spiffe://td//a", SpiffeError::Path),
        ("spiffe://td/a/../b", SpiffeError::Path),
        ("spiffe://td/./b", SpiffeError::Path),
        ("spiffe://td/a%2fb", SpiffeError::Path),
        ("spiffe://td/a?x=1", SpiffeError::Path),
        ("spiffe://td/a#x", SpiffeError::Path),
        ("spiffe://td/caf\u{e9}", SpiffeError::Path),
        ("spiffe://td/ns/*", SpiffeError::Path),
    ] {
        assert_eq!(Spiffe::parse(uri.as_bytes()), Err(why), "{uri}");
    }
    for (length, expected) in [(MAX_ID_BYTES, Ok(())), (MAX_ID_BYTES + 1, Err(SpiffeError::TooLong))] {
        let uri = format!("spiffe://td/{}", "a".repeat(length - 12));
        assert_eq!(Spiffe::parse(uri.as_bytes()).map(|_| ()), expected);
    }
    for (length, ok) in [(255, true), (256, false)] {
        assert_eq!(Spiffe::parse(format!("spiffe://{}", "a".repeat(length)).as_bytes()).is_ok(), ok);
    }
}

#[test]
fn only_the_exact_path_names_a_service_account() {
    for path in
        ["/ns/ops/sa", "/ns/ops/sa/web/x", "/ns/a/b/sa/web", "/sa/web/ns/ops", "/x/ns/ops/sa/web", "/NS/ops/sa/web"]
    {
        let uri = format!("spiffe://td{path}");
        assert_eq!(Spiffe::parse(uri.as_bytes()).unwrap().service_account(), None, "{path}");
    }
}

#[test]
fn a_pattern_meets_whole_segments() {
    for pattern in [
        WEB,
        "spiffe://cluster.local/ns/ops/sa/*",
        "spiffe://cluster.local/ns/*/sa/web",
        "spiffe://*/ns/ops/sa/web",
        "spiffe://*/ns/*/sa/*",
        "spiffe://cluster.local/ns/ops/**",
        "spiffe://cluster.local/**",
        "spiffe://*/**",
    ] {
        assert!(meets(pattern, WEB) && check(pattern.as_bytes()).is_ok(), "{pattern}");
    }
    for pattern in [
        "",
        "*",
        "**",
        "spiffe://**",
        "spiffe://*",
        "spiffe://cluster.local/ns/ops/sa",
        "spiffe://cluster.local/ns/ops/*",
        "spiffe://cluster.local/ns/ops/sa/we*",
        "spiffe://cluster.local/ns/ops/sa/web/*",
        "spiffe://cluster.local/ns/ops/sa/web/**",
        "spiffe://cluster.local/**/web",
        "spiffe://cluster.*/ns/ops/sa/web",
        "spiffe://other/ns/ops/sa/*",
        "spiffe://cluster.local/ns/ops/sa/*/",
    ] {
        assert!(!meets(pattern, WEB), "{pattern}");
    }
}

#[test]
fn a_wildcard_meets_nothing_that_no_id_may_hold() {
    for id in [
        "spiffe://evil:1/ns/ops/sa/web",
        "spiffe://u@evil/ns/ops/sa/web",
        "spiffe:///ns/ops/sa/web",
        "spiffe://td/ns/ops/sa/",
        "spiffe://td/ns/ops/sa/..",
        "spiffe://td/ns/ops/sa/a?b",
        "spiffe://td/ns/ops/sa/a%2fb",
        "https://td/ns/ops/sa/web",
    ] {
        assert!(!meets("spiffe://*/ns/ops/sa/*", id) && !meets("spiffe://*/**", id), "{id}");
    }
    assert!(!meets("spiffe://td/**", &format!("spiffe://td/{}", "a".repeat(3000))));
    assert!(!meets("spiffe://td/**", "spiffe://td/a/../b") && !meets("spiffe://td/**", "spiffe://td"));
}

#[test]
fn another_uri_is_met_only_as_it_stands() {
    assert!(meets("https://issuer.example/client", "https://issuer.example/client"));
    assert!(!meets("https://issuer.example/*", "https://issuer.example/client"));
}

#[test]
fn a_bad_pattern_says_what_is_wrong() {
    for (pattern, why) in [
        ("https://td/a", PatternError::Id(SpiffeError::Scheme)),
        ("spiffe://TD/a", PatternError::Id(SpiffeError::TrustDomain)),
        ("spiffe://td/a//b", PatternError::Id(SpiffeError::Path)),
        ("spiffe://td/**/b", PatternError::Rest),
        ("spiffe://**", PatternError::Rest),
        ("spiffe://td/a*", PatternError::Star),
    ] {
        assert_eq!(check(pattern.as_bytes()), Err(why), "{pattern}");
    }
    assert!(any_trust_domain(b"spiffe://*/ns/a") && !any_trust_domain(b"spiffe://td/*") && !any_trust_domain(b"*"));
}

#[test]
fn a_service_account_is_written_short() {
    assert_eq!(service_account_pattern("ops/web", "cluster.local").as_deref(), Ok(WEB));
    assert_eq!(service_account_pattern("ops/*", "*").as_deref(), Ok("spiffe://*/ns/ops/sa/*"));
    for (short, domain) in [
        ("ops", "td"),
        ("ops/a/b", "td"),
        ("/web", "td"),
        ("ops/", "td"),
        ("ops/**", "td"),
        ("ops/w*", "td"),
        ("a/b", "t/d"),
        ("a/b", ""),
    ] {
        assert!(service_account_pattern(short, domain).is_err(), "{short} {domain}");
    }
}

/// Segment by segment, as the doc says, without care for cost.
fn naive(pattern: &str, uri: &str) -> bool {
    if !pattern.contains('*') {
        return pattern == uri && !pattern.is_empty();
    }
    let whole = Spiffe::parse(uri.as_bytes()).is_ok() && pattern.starts_with("spiffe://");
    let pieces: Vec<&str> = pattern.split('/').skip(2).collect();
    let segments: Vec<&str> = uri.split('/').skip(2).collect();
    let (fixed, open) = match pieces.split_last() {
        Some((&"**", before)) if !before.is_empty() => (before, true),
        _ => (&pieces[..], false),
    };
    let long_enough = if open { segments.len() > fixed.len() } else { segments.len() == fixed.len() };
    whole && long_enough && fixed.iter().zip(&segments).all(|(piece, segment)| *piece == "*" || piece == segment)
}

proptest! {
    #[test]
    fn matching_is_what_the_doc_says(
        pattern in prop::collection::vec(prop::sample::select(vec!["a", "b", "*", "**", "", "..", "a*"]), 1..6),
        uri in prop::collection::vec(prop::sample::select(vec!["a", "b", "B", "", "..", "a?", "*"]), 1..6),
    ) {
        let (pattern, uri) = (format!("spiffe://{}", pattern.join("/")), format!("spiffe://{}", uri.join("/")));
        prop_assert_eq!(meets(&pattern, &uri), naive(&pattern, &uri), "{} {}", pattern, uri);
        if check(pattern.as_bytes()).is_ok() && !pattern.contains('*') {
            prop_assert!(meets(&pattern, &pattern));
        }
    }

    #[test]
    fn all_entries_are_total(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let uri = [SCHEME, &bytes].concat();
        for text in [&bytes, &uri] {
            let parsed = Spiffe::parse(text);
            prop_assert_eq!(parsed.is_ok(), matches(b"spiffe://*/**", text) || (parsed.is_ok_and(|id| id.path().is_empty())));
            let _ = (check(text), matches(text, &uri), any_trust_domain(text));
        }
    }
}
