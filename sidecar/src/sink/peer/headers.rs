//! Headers that an operator adds to every request: `headers: { NAME: TEXT, NAME: { file: PATH } }`.

use std::path::{Path, PathBuf};

use gatehouse_policy::document::{Entry, Fields, Node, Problems, Value, quoted};
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION};
use http::{HeaderName, HeaderValue};

use super::Login;
use crate::sink::board::Trouble;
use crate::sink::tls::path;
use crate::sink::trust::Secret;

/// Headers of one sink, at most.
const MAX_HEADERS: usize = 32;
/// Longest value, bytes: what usual servers take of all headers together.
const MAX_VALUE: usize = 8 << 10;
/// What the house writes itself, and what is about the connection.
const OURS: [&str; 14] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];
/// Words in a name that tell of a secret.
const SECRETS: [&str; 7] = ["apikey", "auth", "credential", "key", "password", "secret", "token"];

/// Headers beside those of the sink; their values show nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Headers(Vec<(HeaderName, Held)>);

/// Where a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Held {
    File(PathBuf),
    /// It may be a key that its name does not tell of.
    Here(Secret),
}

impl Headers {
    /// Reads `headers:` beside `login`.
    pub(crate) fn read(node: &Node, login: Option<&Login>, problems: &mut Problems) -> Option<Self> {
        let entries = node.entries(problems)?;
        if entries.len() > MAX_HEADERS {
            let message = format!("{} headers are written", entries.len());
            problems.push(&node.place, message, format!("write at most {MAX_HEADERS}"));
        }
        let mut headers: Vec<(HeaderName, Held)> = Vec::new();
        for entry in entries.iter().take(MAX_HEADERS) {
            let Some(name) = name(entry, login.is_some(), problems) else { continue };
            if headers.iter().any(|(known, _)| *known == name) {
                let message = format!("the header `{name}` is written twice");
                problems.push(&entry.key_place, message, "letters are the same in either case; leave one of them out");
                continue;
            }
            headers.extend(Held::read(&name, &entry.value, problems).map(|held| (name, held)));
        }
        Some(Self(headers))
    }

    /// The files with values.
    pub(in crate::sink) fn files(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().filter_map(|(_, held)| match held {
            Held::File(file) => Some(file.as_path()),
            Held::Here(_) => None,
        })
    }

    /// The headers as they are sent; reads the files. Each says of itself that it must not be shown.
    pub(in crate::sink) fn lines(&self) -> Result<Vec<(HeaderName, HeaderValue)>, Trouble> {
        let line = |(name, held): &(HeaderName, Held)| Ok((name.clone(), held.value(name)?));
        self.0.iter().map(line).collect()
    }
}

impl Held {
    fn read(name: &HeaderName, node: &Node, problems: &mut Problems) -> Option<Self> {
        if matches!(node.value, Value::Map(_)) {
            let mut fields = Fields::new(node, format!("the header `{name}`"), problems)?;
            let file = fields.require("file").and_then(|node| path(node, problems));
            fields.finish(problems);
            return file.map(Self::File);
        }
        if secret(name) {
            let message = format!("the value of `{name}` does not belong into a configuration");
            problems.push(&node.place, message, "write it to a file of its own and `{ file: PATH }` here");
            return None;
        }
        let text = node.secret(problems)?;
        if text.is_empty() || text.len() > MAX_VALUE || HeaderValue::from_str(text).is_err() {
            let message = format!("the value of `{name}` is none that a header can carry");
            problems.push(&node.place, message, "write text in one line, at most 8 KiB");
            return None;
        }
        Some(Self::Here(Secret::new(text)))
    }

    fn value(&self, name: &HeaderName) -> Result<HeaderValue, Trouble> {
        let (secret, from) = match self {
            Self::File(file) => (&Secret::read(file)?, format!("file of header `{name}` ({})", file.display())),
            Self::Here(secret) => (secret, format!("header `{name}`")),
        };
        if secret.reveal().len() > MAX_VALUE {
            return Err(Trouble::Waiting(format!("{from}: it is larger than 8 KiB")));
        }
        let mut value = HeaderValue::from_str(secret.reveal()).map_err(|_| {
            Trouble::Waiting(format!("{from}: it holds what no header can carry, such as a line end in its middle"))
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// A name that an operator may use.
fn name(entry: &Entry, login: bool, problems: &mut Problems) -> Option<HeaderName> {
    let mut refuse = |message: String, help: &str| {
        problems.push(&entry.key_place, message, help);
        None
    };
    let Ok(name) = HeaderName::from_bytes(entry.key.as_bytes()) else {
        return refuse(format!("{} is no name of a header", quoted(&entry.key)), "write one such as `x-tenant`");
    };
    let text = name.as_str();
    if OURS.contains(&text) || text.starts_with("grpc-") || text.ends_with("-bin") {
        return refuse(format!("the header `{name}` is written by the house itself"), "leave it out");
    }
    if name == AUTHORIZATION && login {
        return refuse("`authorization` stands beside `auth`".into(), "leave one of them out");
    }
    Some(name)
}

/// By its name the value is a secret.
fn secret(name: &HeaderName) -> bool {
    [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
        || name.as_str().split(['-', '_', '.']).any(|word| SECRETS.contains(&word))
}

#[cfg(test)]
mod tests {
    use gatehouse_policy::document::yaml;

    use super::*;

    fn read(text: &str, login: Option<&Login>) -> Result<Headers, Problems> {
        let mut problems = Problems::default();
        let headers = yaml("house.yaml", text).unwrap().first().and_then(|n| Headers::read(n, login, &mut problems));
        problems.or(headers.unwrap_or_default())
    }

    #[test]
    fn values_are_read_and_show_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let headers = read(&format!("{{ X-Tenant: shop7, x-api-key: {{ file: {} }} }}", file.display()), None).unwrap();
        assert!(!format!("{headers:?}").contains("shop7"));
        assert_eq!(headers.files().collect::<Vec<_>>(), [file.as_path()]);
        let Err(Trouble::Waiting(told)) = headers.lines() else { panic!("there is no file yet") };
        assert!(told.contains(&file.display().to_string()), "{told}");
        std::fs::write(&file, "hunter2\n").unwrap();
        let lines = headers.lines().unwrap();
        let shown: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(shown, [("x-tenant", "shop7"), ("x-api-key", "hunter2")]);
        assert!(lines.iter().all(|(_, value)| value.is_sensitive()));
        for bad in ["hunter2\nmore", &"a".repeat(9000)] {
            std::fs::write(&file, bad).unwrap();
            let Err(Trouble::Waiting(told)) = headers.lines() else { panic!("no header can carry it") };
            assert!(told.starts_with("file of header `x-api-key`") && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn names_of_the_house_and_secrets_in_clear_are_refused_with_their_place() {
        for (text, words) in [
            ("{ content-type: a }", "house.yaml:1:3: the header `content-type` is written by the house itself"),
            ("{ grpc-timeout: 1S }", "written by the house itself"),
            ("{ x-thing-bin: a }", "written by the house itself"),
            ("{ \"x y\": a }", "is no name of a header"),
            ("{ x-a: a, X-A: b }", "is written twice"),
            ("{ Authorization: ApiKey hunter2 }", "does not belong into a configuration"),
            ("{ x-api-key: hunter2 }", "does not belong into a configuration"),
            ("{ x-a: \"hunter2\\nx-b: c\" }", "none that a header can carry"),
            ("{ x-a: 7 }", "is not a text"),
            ("{ x-a: { path: /a } }", "unknown field `path`"),
        ] {
            let told = read(text, None).unwrap_err().to_string();
            assert!(told.contains(words) && !told.contains("hunter2"), "{text}: {told}");
        }
        let file = "{ authorization: { file: /etc/key } }";
        assert_eq!(read(file, None).unwrap().files().count(), 1);
        let login = Login::Token("/etc/token".into());
        assert!(read(file, Some(&login)).unwrap_err().to_string().contains("stands beside `auth`"));
        let many: String = (0..33).map(|n| format!("x-{n}: a\n")).collect();
        assert!(read(&many, None).unwrap_err().to_string().contains("write at most 32"));
    }
}
