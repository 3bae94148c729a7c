//! The names that a listener's TLS context takes of clients' certificates, by the policies for its connections.
//!
//! For an Envoy that cannot hold a connection until the policy has judged it (before 1.37): a client whose certificate has none of the
//! names then fails its handshake. The gate still judges who has one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use gatehouse_policy::Callers;

use super::Manifest;
use crate::loaded::{Documents, LoadError};

/// The part of a `DownstreamTlsContext`, by the documents in a file or folder.
///
/// # Errors
/// They cannot be read, are wrong, say nothing of a host, or let somebody in by something else than the identity.
pub fn render(policy: &Path, hosts: &[String]) -> Result<Manifest, LoadError> {
    let documents = Documents::read(&[PathBuf::from(policy)], None).map_err(LoadError::Unreadable)?;
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let callers = documents.callers(&hosts).map_err(LoadError::Wrong)?;
    Ok(Manifest { name: "subject-alt-names.yaml", text: written(&callers, &hosts) })
}

fn written(callers: &Callers, hosts: &[&str]) -> String {
    let (hosts, documents) = (hosts.join(", "), callers.documents.join(", "));
    let mut text = format!(
        "# Whom the documents {documents} can let in to {hosts}: a part of the listener's DownstreamTlsContext, beside its trusted_ca\n\
         # (where that comes by SDS, below combined_validation_context.default_validation_context). Nobody else comes through the\n\
         # handshake, whatever mode the gate is in. Render it again when the policies change.\n\
         require_client_certificate: true\n\
         common_tls_context:\n  validation_context:\n    match_typed_subject_alt_names:\n"
    );
    for identity in &callers.identities {
        // Writing to a text does not fail.
        let _ = writeln!(text, "      - {{ san_type: URI, matcher: {{ {} }} }}", matcher(identity));
    }
    if callers.identities.is_empty() {
        // An empty list would take everybody.
        text.push_str("      # Nobody is let in: a name that no certificate has.\n");
        text.push_str("      - { san_type: URI, matcher: { exact: \"gatehouse:nobody\" } }\n");
    }
    text
}

/// Envoy's `StringMatcher` of a pattern of identities.
fn matcher(pattern: &str) -> String {
    let word = |word: &str, value: &str| format!("{word}: {}", serde_json::Value::from(value));
    match pattern.strip_suffix("**") {
        _ if !pattern.contains('*') => word("exact", pattern),
        Some(prefix) if !prefix.contains('*') => word("prefix", prefix),
        _ => format!("safe_regex: {{ {} }}", word("regex", &regex(pattern))),
    }
}

/// A regular expression (RE2, of the whole text) for a pattern; a star meets what a segment of a SPIFFE id may hold.
fn regex(pattern: &str) -> String {
    const SEGMENT: &str = "[A-Za-z0-9._-]+";
    let segment = |segment: &str| match segment {
        "*" => SEGMENT.to_owned(),
        "**" => format!("{SEGMENT}(/{SEGMENT})*"),
        literal => literal.replace('.', "\\."),
    };
    pattern.split('/').map(segment).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use gatehouse_signals::identity::matches;

    use super::*;

    #[test]
    fn patterns_are_the_narrowest_matchers_of_envoy() {
        for (pattern, matcher) in [
            ("spiffe://a/ns/b/sa/c", r#"exact: "spiffe://a/ns/b/sa/c""#),
            ("spiffe://a.b/ns/**", r#"prefix: "spiffe://a.b/ns/""#),
            ("spiffe://a.b/ns/*/sa/c", r#"safe_regex: { regex: "spiffe://a\\.b/ns/[A-Za-z0-9._-]+/sa/c" }"#),
        ] {
            assert_eq!(super::matcher(pattern), matcher);
        }
    }

    #[test]
    fn expressions_meet_what_the_engine_meets() {
        let patterns = ["spiffe://*/ns/a/sa/b", "spiffe://a.b/ns/*/sa/c", "spiffe://*/ns/**", "spiffe://a.b/*/**"];
        let ids = [
            "spiffe://a.b/ns/a/sa/b",
            "spiffe://a.b/ns/x.y/sa/c",
            "spiffe://axb/ns/x/sa/c",
            "spiffe://a.b/ns/x/y/sa/c",
            "spiffe://a.b/ns/",
            "spiffe://a.b/ns",
            "spiffe://a.b/ns/a//b",
            "https://a.b/ns/a/sa/b",
        ];
        for pattern in patterns {
            let regex = regex_lite::Regex::new(&format!("^(?:{})$", regex(pattern))).expect("an expression");
            for id in ids {
                assert_eq!(regex.is_match(id), matches(pattern.as_bytes(), id.as_bytes()), "{pattern} {id}");
            }
        }
    }

    #[test]
    fn nobody_is_not_everybody() {
        let callers = Callers { identities: Vec::new(), documents: vec!["one".into()] };
        assert!(written(&callers, &["db"]).contains("gatehouse:nobody"));
    }
}
