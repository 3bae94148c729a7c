//! Lists of rules, as VirtualServices and Tetrate Service Bridge have them: each has matches and a destination.

use gatehouse_policy::document::Node;

use super::tree::Tree;

/// A list of rules whose default, or whose rule for who lacks a header, is the other product.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its host and port.
    pub(super) proxy: String,
    /// Its host alone.
    pub(super) host: String,
    /// The header.
    pub(super) header: String,
}

/// Looks at the rules in their order; `known`: hosts that are the other product.
pub(super) fn find(rules: &[Node], known: &dyn Fn(&str) -> bool) -> Option<Found> {
    let all: Vec<(&Node, String)> = rules.iter().filter_map(|rule| Some((rule, host(rule)?))).collect();
    let elsewhere = |host: &str| all.iter().any(|(_, other)| other != host);
    let found = |rule: &Node, host: &str, header: String| Found {
        proxy: port(rule).map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")),
        host: host.to_owned(),
        header,
    };
    // For who lacks the header.
    for (rule, host) in &all {
        if let Some(header) = common(rule, "withoutHeaders").first()
            && elsewhere(host)
        {
            return Some(found(rule, host, header.clone()));
        }
    }
    // The application for who has it, the other product for everyone else.
    let default = all.iter().rfind(|(rule, _)| common(rule, "headers").is_empty())?;
    let returned = all.iter().find(|(rule, host)| *host != default.1 && !common(rule, "headers").is_empty())?;
    let header = common(returned.0, "headers").first()?.clone();
    // Where the other product is known, it must be the one.
    let others = all.iter().any(|(_, host)| known(host));
    (!others || known(&default.1)).then(|| found(default.0, &default.1, header))
}

/// Where the rules lead.
pub(super) fn hosts(rules: &[Node]) -> Vec<String> {
    rules.iter().filter_map(host).collect()
}

/// The rules without the detour: its own are gone, and nobody needs the header any more.
pub(super) fn without(rules: &mut Vec<Node>, found: &Found) {
    rules.retain(|rule| host(rule).is_none_or(|host| host != found.host));
    for rule in rules {
        let Some(matches) = rule.at_mut(&["match"]).and_then(Tree::items_mut) else { continue };
        for one in matches.iter_mut() {
            for key in ["headers", "withoutHeaders"] {
                if let Some(headers) = one.at_mut(&[key]) {
                    headers.remove(&found.header);
                    if headers.entries_of().is_empty() {
                        one.remove(key);
                    }
                }
            }
        }
        // A match without conditions matches all, and says so by not being there.
        if matches.iter().any(|one| one.entries_of().is_empty()) {
            rule.remove("match");
        }
    }
}

/// Names of headers under this key that every match of the rule has.
fn common(rule: &Node, key: &str) -> Vec<String> {
    let matches = rule.at(&["match"]).map(Tree::items).unwrap_or_default();
    let names = |one: &Node| -> Vec<String> {
        let headers = one.at(&[key]).map(Tree::entries_of).unwrap_or_default();
        headers.iter().map(|entry| entry.key.clone()).collect()
    };
    let Some((first, rest)) = matches.split_first() else { return Vec::new() };
    names(first).into_iter().filter(|name| rest.iter().all(|one| names(one).contains(name))).collect()
}

/// Where a rule leads; Tetrate Service Bridge writes `namespace/host`.
fn destination(rule: &Node) -> Option<&Node> {
    let route = rule.at(&["route"])?;
    // Istio: a list with weights; the other product is never one of several.
    if let [only] = route.items() {
        return only.at(&["destination"]);
    }
    route.at(&["serviceDestination"]).or_else(|| route.at(&["host"]).map(|_| route))
}

fn host(rule: &Node) -> Option<String> {
    let host = destination(rule)?.text("host")?;
    Some(host.rsplit_once('/').map_or(host, |(_, host)| host).to_owned())
}

fn port(rule: &Node) -> Option<String> {
    let destination = destination(rule)?;
    destination.word("port").or_else(|| destination.at(&["port"])?.word("number"))
}
