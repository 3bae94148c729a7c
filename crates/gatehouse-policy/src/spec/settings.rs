//! Settings that one document's word decides: written in `spec` itself, in `defaults` and in `mandates`.

use crate::document::{Fields, Node, Problems, Value};
use crate::text;

use super::types::{Ambiguous, Backend, Direction, IdentityHeaders, Parameters, ServerName, Settings, Support};
use super::{HostPattern, bounds, client, then};

/// Longest text of `support`, in bytes.
pub(crate) const SUPPORT_TEXT: usize = 500;

/// Takes every setting of `fields`.
pub(super) fn read(fields: &mut Fields<'_>, problems: &mut Problems) -> Settings {
    let mut settings = Settings::default();
    if let Some(node) = fields.take("client") {
        client::read(node, &mut settings, problems);
    }
    let placed = |node: &Node| node.place.clone();
    settings.otherwise = fields.take("otherwise").and_then(|n| Some((then::read_otherwise(n, problems)?, placed(n))));
    settings.ambiguous = fields.take("ambiguous").and_then(|n| Some((ambiguous(n, problems)?, placed(n))));
    settings.backend = fields.take("backend").and_then(|n| Some((backend(n, problems)?, placed(n))));
    settings.forward_canonical = fields
        .take("forward")
        .and_then(|n| Some((n.one_of(&["canonical", "received"], problems)? == "canonical", placed(n))));
    settings.support = fields.take("support").and_then(|n| Some((support(n, problems)?, placed(n))));
    settings.identity_headers =
        fields.take("identityHeaders").and_then(|n| Some((identity_headers(n, problems)?, placed(n))));
    settings.require_mutual_tls = fields.take("requireMutualTls").and_then(|n| Some((n.boolean(problems)?, placed(n))));
    settings.require_one_uri = fields.take("requireOneUri").and_then(|n| Some((n.boolean(problems)?, placed(n))));
    settings.direction = fields.take("direction").and_then(|n| Some((direction(n, problems)?, placed(n))));
    settings.server_name = fields.take("serverName").and_then(|n| Some((server_name(n, problems)?, placed(n))));
    settings
}

fn direction(node: &Node, problems: &mut Problems) -> Option<Direction> {
    match node.one_of(&["ingress", "egress"], problems)? {
        "egress" => Some(Direction::Egress),
        _ => Some(Direction::Ingress),
    }
}

/// `match`, `any`, or `{ own }`.
fn server_name(node: &Node, problems: &mut Problems) -> Option<ServerName> {
    if !matches!(node.value, Value::Map(_)) {
        return match node.one_of(&["match", "any"], problems)? {
            "any" => Some(ServerName::Any),
            _ => Some(ServerName::Match { own: Vec::new() }),
        };
    }
    let mut fields = Fields::of("serverName", node, "`serverName`", problems)?;
    let (check, own) = (fields.take("check"), fields.take("own"));
    fields.finish(problems);
    let check = check.map_or(Some("match"), |n| n.one_of(&["match", "any"], problems))?;
    let own = own.map_or(Some(Vec::new()), |n| own_names(n, problems))?;
    match check {
        "any" if !own.is_empty() => {
            problems.push(&node.place, "`own` stands beside `check: any`", "leave one of them out");
            None
        }
        "any" => Some(ServerName::Any),
        _ => Some(ServerName::Match { own }),
    }
}

fn own_names(node: &Node, problems: &mut Problems) -> Option<Vec<HostPattern>> {
    let items = node.one_or_many();
    if items.is_empty() || items.len() > bounds::HEADERS {
        let help = format!("write 1 to {}, or leave it out", bounds::HEADERS);
        problems.push(&node.place, format!("{} names stand here", items.len()), help);
        return None;
    }
    let read: Vec<Option<HostPattern>> = items.iter().map(|item| HostPattern::read(item, problems)).collect();
    read.into_iter().collect()
}

fn ambiguous(node: &Node, problems: &mut Problems) -> Option<Ambiguous> {
    match node.one_of(&["strictest", "reject"], problems)? {
        "reject" => Some(Ambiguous::Reject),
        _ => Some(Ambiguous::Strictest),
    }
}

impl Default for Backend {
    /// What is judged where nothing is declared: case-sensitive paths, decoded once, `;` both ways.
    fn default() -> Self {
        Self { case_insensitive: false, decodes: 1, parameters: Parameters::Both }
    }
}

/// `{ paths, decodes, parameters }`.
fn backend(node: &Node, problems: &mut Problems) -> Option<Backend> {
    let told = problems.0.len();
    let mut fields = Fields::of("backend", node, "`backend`", problems)?;
    let mut backend = Backend::default();
    let paths = fields.take("paths").map(|n| n.one_of(&["caseSensitive", "caseInsensitive"], problems));
    let decodes = fields.take("decodes").map(|n| n.integer(1..=2, problems).and_then(|n| u8::try_from(n).ok()));
    let parameters = fields.take("parameters").map(|n| n.one_of(&["both", "ignored", "kept"], problems));
    fields.finish(problems);
    if paths.is_none() && decodes.is_none() && parameters.is_none() && problems.0.len() == told {
        let help = "write `paths`, `decodes` or `parameters`, or leave it out";
        problems.push(&node.place, "`backend` says nothing", help);
        return None;
    }
    backend.case_insensitive = paths.map_or(Some(false), |word| word.map(|word| word == "caseInsensitive"))?;
    backend.decodes = decodes.map_or(Some(1), |n| n)?;
    backend.parameters = match parameters.map_or(Some("both"), |word| word)? {
        "ignored" => Parameters::Ignored,
        "kept" => Parameters::Kept,
        _ => Parameters::Both,
    };
    (problems.0.len() == told).then_some(backend)
}

/// `{ text, link }`.
fn support(node: &Node, problems: &mut Problems) -> Option<Support> {
    let told = problems.0.len();
    let mut fields = Fields::of("support", node, "`support`", problems)?;
    let (text, link) = (fields.take("text"), fields.take("link"));
    fields.finish(problems);
    if text.is_none() && link.is_none() && problems.0.len() == told {
        problems.push(&node.place, "`support` says nothing", "write `text` or `link`, or leave it out");
    }
    let text = text.and_then(|n| support_text(n, problems));
    let link = link.and_then(|n| support_link(n, problems));
    (problems.0.len() == told).then_some(Support { text, link })
}

fn support_text(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    if written.trim().is_empty() || written.len() > SUPPORT_TEXT || written.chars().any(char::is_control) {
        let help = format!("write 1 to {SUPPORT_TEXT} bytes on one line");
        problems.push(&node.place, "the text of `support` is empty, too long or has control characters", help);
        return None;
    }
    Some(written.to_owned())
}

fn support_link(node: &Node, problems: &mut Problems) -> Option<String> {
    let written = node.string(problems)?;
    let https = written.starts_with("https://") && text::is_location(written);
    let mail = written.strip_prefix("mailto:").is_some_and(|rest| {
        let plain = rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b));
        plain && rest.split_once('@').is_some_and(|(user, host)| !user.is_empty() && !host.is_empty())
    });
    if !https && !mail {
        let help = "write one that begins with `https://`, or `mailto:` and an address";
        problems.push(&node.place, format!("{} is not a link", crate::document::quoted(written)), help);
        return None;
    }
    Some(written.to_owned())
}

/// `strip`, `refuse`, or `{ names, action }`.
fn identity_headers(node: &Node, problems: &mut Problems) -> Option<IdentityHeaders> {
    const ACTIONS: [&str; 2] = ["strip", "refuse"];
    let own = || bounds::IDENTITY_HEADERS.map(str::to_owned).to_vec();
    if !matches!(node.value, Value::Map(_)) {
        let action = node.one_of(&ACTIONS, problems)?;
        return Some(IdentityHeaders { names: own(), refuse: action == "refuse" });
    }
    let mut fields = Fields::of("identityHeaders", node, "`identityHeaders`", problems)?;
    let action = fields.require("action").and_then(|n| n.one_of(&ACTIONS, problems));
    let names = fields.take("names");
    fields.finish(problems);
    let names =
        names.map_or_else(|| Some(own()), |n| then::names(n, text::may_be_removed, "removed from a request", problems));
    Some(IdentityHeaders { names: names?, refuse: action? == "refuse" })
}
