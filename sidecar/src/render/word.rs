//! The words of a file of values. What stands in a manifest is checked here, so that nothing which was written can be read there as
//! something else; a word that is wrong is a problem with its place, and its default goes on so that one run tells everything.

use std::ops::RangeInclusive;

use gatehouse_policy::document::{Node, Problems, quoted};

/// Longest text of any value.
const MAX_TEXT: usize = 1024;

/// A name of an object: a DNS label (RFC 1123) as Kubernetes has it.
pub(super) fn label(node: Option<&Node>, usual: &str, problems: &mut Problems) -> String {
    let fits = |text: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
        let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        text.len() <= 253 && text.bytes().all(inner) && ends(text.bytes().next()) && ends(text.bytes().next_back())
    };
    text(node, usual, fits, "name", "write lower case letters, digits and `-`, such as `gatehouse`", problems)
}

/// A name that is also part of longer ones: a label of DNS (RFC 1123), without dots.
pub(super) fn part(node: Option<&Node>, usual: &str, problems: &mut Problems) -> String {
    let fits = |text: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        text.len() <= 40
            && text.bytes().all(inner)
            && text.starts_with(|first: char| first.is_ascii_lowercase())
            && !text.ends_with('-')
    };
    let help = "write at most 40 lower case letters, digits and `-`, such as `payments`";
    text(node, usual, fits, "name of one word", help, problems)
}

/// A name of DNS with a dot in it: what a certificate of a server outside names.
pub(super) fn name_of_host(node: Option<&Node>, problems: &mut Problems) -> String {
    let help = "write one whole name in lower case, such as `api.example.com`: each host has its own way out (policies may use `*.`)";
    text(node, "", is_name_of_host, "name of one host", help, problems)
}

fn is_name_of_host(text: &str) -> bool {
    let inner = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(inner) && text.parse::<std::net::IpAddr>().is_err()
}

/// The whole name of a service.
pub(super) fn name_of_service(node: &Node, problems: &mut Problems) -> String {
    let help = "write the whole name that clients use, in lower case, such as `orders-db.shop.svc.cluster.local`";
    text(Some(node), "", is_name_of_host, "name of a service", help, problems)
}

/// An address.
pub(super) fn address(node: &Node, problems: &mut Problems) -> String {
    let fits = |text: &str| text.parse::<std::net::IpAddr>().is_ok();
    text(Some(node), "", fits, "address", "write one such as `192.0.2.10`", problems)
}

/// A host, an address, or a host with `*` as its first label.
pub(super) fn host(node: Option<&Node>, usual: &str, problems: &mut Problems) -> String {
    let fits = |text: &str| {
        let rest = text.strip_prefix("*.").unwrap_or(text);
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b':' | b'_');
        text == "*" || (!rest.is_empty() && text.len() <= 253 && rest.bytes().all(inner))
    };
    text(node, usual, fits, "host", "write a name or an address, such as `shop.example.com`", problems)
}

/// A reference of an image.
pub(super) fn image(node: Option<&Node>, usual: &str, problems: &mut Problems) -> String {
    text(node, usual, plain, "image", "write one such as `registry.example/gatehouse@sha256:…`", problems)
}

/// An absolute path.
pub(super) fn path(node: Option<&Node>, usual: &str, problems: &mut Problems) -> String {
    let fits = |text: &str| text.len() > 1 && text.starts_with('/') && !text.contains("/../") && plain(text);
    text(node, usual, fits, "path", "write an absolute path, such as `/run/gatehouse/house.sock`", problems)
}

/// A quantity of Kubernetes.
pub(super) fn quantity(node: Option<&Node>, usual: &str, problems: &mut Problems) -> String {
    let fits = |text: &str| {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let unit = text.get(digits..).unwrap_or_default();
        digits > 0 && digits < 16 && matches!(unit, "" | "m" | "k" | "M" | "G" | "T" | "Ki" | "Mi" | "Gi" | "Ti")
    };
    text(node, usual, fits, "quantity", "write one such as `256Mi` or `100m`", problems)
}

/// Where a module comes from, in the schemes that Istio reads.
pub(super) fn module_url(node: &Node, problems: &mut Problems) -> Option<String> {
    let fits = |text: &str| {
        let schemes = ["oci://", "https://", "http://", "file:///"];
        plain(text) && schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()))
    };
    let help = "write `oci://…`, `https://…`, `http://…` or `file:///…`";
    Some(text(Some(node), "", fits, "place of a module", help, problems)).filter(|text| !text.is_empty())
}

/// A digest.
pub(super) fn sha256(node: &Node, problems: &mut Problems) -> Option<String> {
    let fits = |text: &str| text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let help = "write 64 hexadecimal digits, in lower case";
    Some(text(Some(node), "", fits, "SHA-256", help, problems)).filter(|text| !text.is_empty())
}

/// A port.
pub(super) fn port(node: Option<&Node>, usual: i64, problems: &mut Problems) -> i64 {
    number(node, usual, 1..=65535, problems)
}

/// A whole number.
pub(super) fn number(node: Option<&Node>, usual: i64, range: RangeInclusive<i64>, problems: &mut Problems) -> i64 {
    node.and_then(|node| node.integer(range, problems)).unwrap_or(usual)
}

/// One of these; the first where nothing was written.
pub(super) fn one_of(node: Option<&Node>, words: &[&'static str], problems: &mut Problems) -> &'static str {
    let usual = words.first().copied().unwrap_or_default();
    node.and_then(|node| node.one_of(words, problems)).unwrap_or(usual)
}

fn plain(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._:/@+".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

fn text(
    node: Option<&Node>,
    usual: &str,
    fits: impl Fn(&str) -> bool,
    what: &str,
    help: &str,
    problems: &mut Problems,
) -> String {
    let Some(node) = node else { return usual.to_owned() };
    let Some(text) = node.string(problems) else { return usual.to_owned() };
    if text.len() <= MAX_TEXT && fits(text) {
        return text.to_owned();
    }
    problems.push(&node.place, format!("{} is no {what}", quoted(text)), help);
    usual.to_owned()
}
