//! Who the house says it is: a token or a name and a password, from files of their own.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatehouse_policy::document::{Fields, Node, Problems};
use http::HeaderValue;

use crate::sink::board::Trouble;
use crate::sink::tls::path;
use crate::sink::trust::Secret;

/// How the house proves who it is, beside its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// A token (RFC 6750); its scheme may be another than `Bearer`.
    Token(PathBuf),
    /// A name, and a file with the password (RFC 7617).
    Basic(String, PathBuf),
}

impl Login {
    /// Reads `auth:`.
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`auth`", problems)?;
        for word in ["token", "password"] {
            if let Some(node) = fields.take(word) {
                let help = format!("write it to a file of its own and name that as `{word}_file`");
                problems.push(&node.place, format!("`{word}` does not belong into a configuration"), help);
            }
        }
        let token = fields.take("token_file").and_then(|node| path(node, problems));
        let username = fields.take("username").and_then(|node| node.string(problems)).map(str::to_owned);
        let password = fields.take("password_file").and_then(|node| path(node, problems));
        let place = fields.place();
        fields.finish(problems);
        match (token, username, password) {
            (Some(token), None, None) => Some(Self::Token(token)),
            (None, Some(username), Some(password)) => Some(Self::Basic(username, password)),
            _ => {
                let help = "write `token_file`, or `username` with `password_file`";
                problems.push(place, "`auth` is not one login", help);
                None
            }
        }
    }

    /// The file with the secret.
    pub(in crate::sink) fn file(&self) -> &Path {
        match self {
            Self::Token(file) | Self::Basic(_, file) => file,
        }
    }

    /// The `authorization` header; it says of itself that it must not be shown.
    pub(in crate::sink) fn header(&self, scheme: &str) -> Result<HeaderValue, Trouble> {
        let secret = Secret::read(self.file())?;
        let value = match self {
            Self::Token(_) => Secret::new(format!("{scheme} {}", secret.reveal())),
            Self::Basic(name, _) => {
                Secret::new(format!("Basic {}", STANDARD.encode(format!("{name}:{}", secret.reveal()))))
            }
        };
        let shown = self.file().display();
        let mut header = HeaderValue::from_str(value.reveal()).map_err(|_| {
            Trouble::Waiting(format!("password file ({shown}): it holds what no header can carry, such as a line end"))
        })?;
        header.set_sensitive(true);
        Ok(header)
    }
}
