//! Workload identities: SPIFFE patterns, and the service accounts and trust domains that they are written out from.

use crate::document::{Node, Problems, quoted};
use crate::text;

use super::bounds;

/// What every reader of a match needs to know of its document.
#[derive(Debug)]
pub(super) struct Context {
    /// Names that the mesh's trust domain has.
    pub(super) trust_domains: Vec<String>,
}

impl Default for Context {
    fn default() -> Self {
        Self { trust_domains: vec![bounds::TRUST_DOMAIN.to_owned()] }
    }
}

/// A SPIFFE pattern: `spiffe://DOMAIN/PATH`, where `*` stands for the whole domain or one whole segment, and a last `**` for
/// the rest of the path.
pub(super) fn pattern(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    let help = match refused(written) {
        None => return Some(written.to_owned()),
        Some(help) => help,
    };
    problems.push(&node.place, format!("{} is not a SPIFFE id or pattern", quoted(written)), help);
    None
}

/// Why `written` is no pattern.
fn refused(written: &str) -> Option<&'static str> {
    const SEGMENTS: &str = "between slashes stand letters, digits, `.`, `-` and `_`; `*` for one whole segment, `**` for the rest at the end";
    let Some(rest) = written.strip_prefix("spiffe://") else {
        return Some("write `spiffe://DOMAIN/PATH`, `none`, or use `serviceAccounts: [NAMESPACE/NAME]`");
    };
    if written.len() > bounds::IDENTITY {
        return Some("it is longer than an id may be");
    }
    let Some((domain, path)) = rest.split_once('/') else {
        return Some(
            "write the path too, such as `spiffe://cluster.local/ns/shop/sa/frontend` or `spiffe://cluster.local/**`",
        );
    };
    if domain != "*" && !is_trust_domain(domain) {
        return Some("a trust domain has lower-case letters, digits, `.`, `-` and `_`, or is `*`");
    }
    let last = path.split('/').count().saturating_sub(1);
    let sound = path
        .split('/')
        .enumerate()
        .all(|(index, segment)| segment == "*" || segment == "**" && index == last || is_segment(segment));
    (!sound).then_some(SEGMENTS)
}

fn is_segment(segment: &str) -> bool {
    let character = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(character)
}

fn is_trust_domain(domain: &str) -> bool {
    let character = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-._".contains(&b);
    !domain.is_empty() && domain.len() <= 255 && domain.bytes().all(character)
}

/// `trustDomains`.
pub(super) fn trust_domains(node: &Node, problems: &mut Problems) -> Option<Vec<String>> {
    let items = node.one_or_many();
    if items.is_empty() || items.len() > bounds::TRUST_DOMAINS {
        let help =
            format!("write 1 to {}, or leave the field out for `{}`", bounds::TRUST_DOMAINS, bounds::TRUST_DOMAIN);
        problems.push(&node.place, format!("{} trust domains", items.len()), help);
        return None;
    }
    let mut domains = Vec::new();
    for item in items {
        let written = item.string(problems)?;
        if written != "*" && !is_trust_domain(written) {
            let help = "write lower-case letters, digits, `.`, `-` and `_`, without `spiffe://`";
            problems.push(&item.place, format!("{} is not a trust domain", quoted(written)), help);
            return None;
        }
        domains.push(written.to_owned());
    }
    Some(domains)
}

/// `NAMESPACE/NAME`, written out over every name of the trust domain.
pub(super) fn service_account(node: &Node, cx: &Context, problems: &mut Problems) -> Option<Vec<String>> {
    let written = node.string(problems)?;
    let part = |part: &str| part == "*" || text::is_account(part);
    let (namespace, account) = match written.split_once('/') {
        Some((namespace, account)) if part(namespace) && part(account) => (namespace, account),
        _ => {
            let help = "write `NAMESPACE/NAME`, such as `shop/frontend`; `*` stands for any";
            problems.push(&node.place, format!("{} is not a service account", quoted(written)), help);
            return None;
        }
    };
    Some(cx.trust_domains.iter().map(|domain| format!("spiffe://{domain}/ns/{namespace}/sa/{account}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_a_domain_and_whole_segments() {
        for good in [
            "spiffe://cluster.local/ns/ops/sa/*",
            "spiffe://*/ns/a/sa/b",
            "spiffe://a/**",
            "spiffe://a/b/**",
            "spiffe://a/*/B_1",
        ] {
            assert_eq!(refused(good), None, "{good}");
        }
        for bad in [
            "cluster.local/ns/a",
            "spiffe://",
            "spiffe://a",
            "spiffe:///a",
            "spiffe://A/b",
            "spiffe://a/",
            "spiffe://a//b",
            "spiffe://a/**/b",
            "spiffe://a/b*",
            "spiffe://a/..",
            "spiffe://a/b?c",
            "spiffe://a.*/b",
            "SPIFFE://a/b",
        ] {
            assert!(refused(bad).is_some(), "{bad}");
        }
    }
}
