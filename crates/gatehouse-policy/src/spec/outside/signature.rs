//! `signature` of a list: by whom what is fetched must be signed, as minisign does it.

use crate::document::{Fields, Node, Problems, quoted};
use crate::spec::library;

use super::{Origin, read_url};

/// What stands behind the name of a list in that of its signature, as `minisign -S` writes it.
const BESIDE: &str = ".minisig";
/// Characters of a public key: base 64 of an algorithm (2 bytes), an id (8) and a key of Ed25519 (32).
const KEY: usize = 56;

/// A detached signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Public key of minisign, base 64.
    pub key: String,
    /// Where it is: a file or a URL.
    pub at: Origin,
}

/// What was written of a list from `origin`.
pub(super) fn read(node: &Node, origin: &Origin, problems: &mut Problems) -> Option<Signature> {
    let mut fields = Fields::of("list-signature", node, "`signature`", problems)?;
    let (key, file, url) = (fields.require("key"), fields.take("file"), fields.take("url"));
    fields.finish(problems);
    let key = key.and_then(|node| read_key(node, problems));
    let at = match (file, url) {
        (Some(_), Some(other)) => {
            problems.push(&other.place, "`signature` is at two places", "write one of `file` and `url`");
            None
        }
        (Some(node), None) => library::read_file(node, problems).map(Origin::File),
        (None, Some(node)) => read_url(node, problems).map(Origin::Url),
        (None, None) => beside(origin),
    };
    Some(Signature { key: key?, at: at? })
}

/// Under the name of the list; a query stays behind the path.
fn beside(origin: &Origin) -> Option<Origin> {
    match origin {
        Origin::CrowdSec(_) => None,
        Origin::File(path) => Some(Origin::File(format!("{path}{BESIDE}"))),
        Origin::Url(url) => Some(Origin::Url(match url.split_once('?') {
            Some((path, query)) => format!("{path}{BESIDE}?{query}"),
            None => format!("{url}{BESIDE}"),
        })),
    }
}

fn read_key(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = node.string(problems)?;
    // The first bytes are `Ed`.
    let good = text.len() == KEY
        && ["RWQ", "RWR", "RWS", "RWT"].iter().any(|begin| text.starts_with(begin))
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
    if good {
        return Some(text.to_owned());
    }
    let help = "write the second line of `minisign.pub`, which begins with `RW`";
    problems.push(&node.place, format!("{} is no public key of minisign", quoted(text)), help);
    None
}
