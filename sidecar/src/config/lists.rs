//! Section `lists`: whom the house may ask for the lists that policies name.
//!
//! ```yaml
//! lists:
//!   folder: /etc/gatehouse/lists        # of files; default: the folder of the policies
//!   size: 8MiB                          # of one answer or file
//!   timeout: 30s                        # of one answer
//!   sources:                            # whose URLs policies may name; default: none
//!     NAME: { url: https://lists.example/feeds/, tls: { ca: … }, auth: { token_file: … } }
//! ```

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_policy::document::{Entry, Fields, Node, Problems};

use crate::sink::peer::{Address, Login, timeout};
use crate::sink::tls::Tls;

/// Size of an answer where nothing is written.
const DEFAULT_SIZE: usize = 8 << 20;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Why a list does not come by plain HTTP from elsewhere, and what to do.
const CLEAR: (&str, &str) = (
    "whoever is between could write the list",
    "write `https://`; plain `http://` is for sources on this machine (`127.0.0.1`, `[::1]`, `localhost`)",
);
/// Sources in one house, at most.
const MAX_SOURCES: usize = 64;

/// Whom the house may ask for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lists {
    /// The folder of files; `None`: there is none.
    pub folder: Option<PathBuf>,
    /// Largest answer or file, bytes.
    pub size: usize,
    /// Longest time for a whole answer.
    pub timeout: Duration,
    /// Whose URLs may be asked.
    pub sources: Vec<Source>,
}

/// URLs that may be asked, by what they begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The operator's name for it.
    pub name: String,
    /// This and what lies below it, by whole segments of the path.
    pub url: Address,
    /// Who the house says it is.
    pub login: Option<Login>,
    /// By which trust.
    pub tls: Tls,
}

impl Default for Lists {
    fn default() -> Self {
        Self { folder: None, size: DEFAULT_SIZE, timeout: DEFAULT_TIMEOUT, sources: Vec::new() }
    }
}

impl Lists {
    /// Reads the section.
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`lists`", problems)?;
        let (folder, size) = (fields.take("folder"), fields.take("size"));
        let (time, sources) = (fields.take("timeout"), fields.take("sources"));
        fields.finish(problems);
        let folder = folder.and_then(|node| super::written::text(Some(node), problems)).map(PathBuf::from);
        let size = size.and_then(|node| read_size(node, problems)).unwrap_or(DEFAULT_SIZE);
        let timeout = time.and_then(|node| timeout(node, problems)).unwrap_or(DEFAULT_TIMEOUT);
        let sources = sources.map_or_else(Vec::new, |node| {
            let entries = node.entries(problems).unwrap_or_default();
            if entries.len() > MAX_SOURCES {
                let message = format!("{} sources are written", entries.len());
                problems.push(&node.place, message, format!("write at most {MAX_SOURCES}"));
            }
            entries.iter().filter_map(|entry| Source::read(entry, problems)).collect()
        });
        Some(Self { folder, size, timeout, sources })
    }

    /// The address that a URL names and the source that allows it, the longest there is; `None`: it may not be asked.
    #[must_use]
    pub fn allowed(&self, url: &str) -> Option<(Address, &Source)> {
        let address = Address::parse(url).filter(|address| address.secure || address.is_loopback())?;
        let lower = address.target.to_ascii_lowercase();
        // A path that a server may read as another is none that was allowed.
        if lower.contains("/.") || lower.contains("%2e") || lower.contains("%2f") || lower.contains("%5c") {
            return None;
        }
        let within = self.sources.iter().filter(|source| source.holds(&address));
        within.max_by_key(|source| source.url.target.len()).map(|source| (address, source))
    }
}

impl Source {
    fn read(entry: &Entry, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(&entry.value, "a source of lists", problems)?;
        let url = fields.require("url").and_then(|node| Address::read_safe(node, CLEAR, problems));
        let login = fields.take("auth").and_then(|node| Login::read(node, problems));
        let tls_node = fields.take("tls");
        let tls = tls_node.and_then(|node| Tls::read(node, problems));
        fields.finish(problems);
        let url = url?;
        url.refuse_idle_tls(tls_node, problems);
        Some(Self { name: entry.key.clone(), url, login, tls: tls.unwrap_or_default() })
    }

    fn holds(&self, address: &Address) -> bool {
        let Self { url, .. } = self;
        let peer =
            (url.secure, url.port) == (address.secure, address.port) && url.host.eq_ignore_ascii_case(&address.host);
        let rest = address.target.strip_prefix(&url.target);
        peer && rest.is_some_and(|rest| rest.is_empty() || url.target.ends_with('/') || rest.starts_with(['/', '?']))
    }
}

fn read_size(node: &Node, problems: &mut Problems) -> Option<usize> {
    let size = node.size(problems)?;
    if !(1 << 10..=64 << 20).contains(&size) {
        problems.push(&node.place, "`size` is out of range", "write a size from 1KiB to 64MiB");
    }
    usize::try_from(size).ok()
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::document::yaml;

    use super::*;

    fn lists(text: &str) -> Result<Lists, Problems> {
        let mut problems = Problems::default();
        let lists = yaml("lists", text).unwrap().first().and_then(|node| Lists::read(node, &mut problems));
        problems.or(lists.unwrap_or_default())
    }

    #[test]
    fn only_what_lies_below_an_allowed_url_may_be_asked() {
        let text = "sources:\n  feeds: { url: https://Lists.example/feeds }\n  deep: { url: \"https://lists.example/feeds/deep/\" }\n  \
                    engine: { url: \"http://127.0.0.1:8080\" }\n";
        let lists = lists(text).unwrap();
        let by = |url: &str| lists.allowed(url).map(|(_, source)| source.name.as_str());
        assert_eq!(by("https://lists.example/feeds"), Some("feeds"));
        assert_eq!(by("https://lists.example/feeds/a.txt?x=1"), Some("feeds"));
        assert_eq!(by("https://lists.example:443/feeds/deep/a"), Some("deep"));
        assert_eq!(by("http://127.0.0.1:8080/v1"), Some("engine"));
        for url in [
            "https://lists.example/feedsome",
            "https://lists.example/",
            "https://lists.example:8443/feeds/a",
            "https://lists.example.evil.example/feeds/a",
            "https://lists.example@evil.example/feeds/a",
            "https://lists.example/feeds/../admin",
            "https://lists.example/feeds/%2e%2e/admin",
            "https://lists.example/feeds/..%2fadmin",
            "http://lists.example/feeds/a",
            "http://127.0.0.1:8081/v1",
            "http://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
        ] {
            assert_eq!(by(url), None, "{url}");
        }
        assert_eq!(Lists::default().allowed("https://lists.example/feeds"), None);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_place() {
        for (text, words) in [
            ("size: 1GiB", "lists:1:7: `size` is out of range"),
            ("timeout: 1h", "lists:1:10: `timeout` is out of range"),
            (
                "sources: { a: { url: \"http://lists.example/\" } }",
                "lists:1:22: whoever is between could write the list",
            ),
            ("sources: { a: { auth: { token_file: k } } }", "has no `url`"),
            (
                "sources: { a: { url: \"https://a.example/\", auth: { token: k } } }",
                "does not belong into a configuration",
            ),
            ("folders: x", "unknown field `folders`"),
        ] {
            let told = lists(text).unwrap_err().to_string();
            assert!(told.contains(words), "{text}: {told}");
        }
    }
}
