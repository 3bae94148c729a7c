//! An answer's headers: the operator's, then ours, no name of ours twice.

use std::borrow::Cow;

use super::escape::Context;
use super::input::Occasion;
use super::placeholder::{Values, expand};
use crate::reference::HEADER;

/// Longest name, and longest value with what was put in.
const MAX_NAME: usize = 256;
const MAX_VALUE: usize = 8 << 10;
/// Most headers of the operator's.
const MAX_OWN: usize = 32;

/// Framing and connection management are the gateway's.
const NEVER: [&str; 8] =
    ["connection", "content-length", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"];

/// Name (lower case) and value.
pub(super) type Field = (Cow<'static, str>, Cow<'static, str>);

/// Headers being gathered.
#[derive(Debug)]
pub(super) struct Headers(Vec<Field>);

impl Headers {
    pub(super) fn new(own: usize) -> Self {
        Self(Vec::with_capacity(own.min(MAX_OWN) + 12))
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_ref())
    }

    /// Writes a header, unless the operator wrote one of that name. The value is printable ASCII.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Cow<'static, str>>) {
        if self.get(name).is_none() {
            self.0.push((Cow::Borrowed(name), value.into()));
        }
    }

    /// Writes a header in place of the operator's.
    pub(super) fn replace(&mut self, name: &'static str, value: &'static str) {
        self.0.retain(|(own, _)| own != name);
        self.0.push((Cow::Borrowed(name), Cow::Borrowed(value)));
    }

    /// The operator's headers with their placeholders replaced, without those that cannot stand in an answer and those that `skip`
    /// keeps back (it gets lower case). `None`: they are sent as they are.
    pub(super) fn own(&mut self, headers: &[(&str, &str)], values: Option<&Values<'_>>, skip: impl Fn(&str) -> bool) {
        for (name, value) in headers.iter().take(MAX_OWN) {
            let name = name.to_ascii_lowercase();
            if !may_stand(&name) || skip(&name) {
                continue;
            }
            let mut value = match values {
                Some(values) => expand(value, Context::Header, values),
                None => {
                    let mut out = String::with_capacity(value.len());
                    Context::Header.literal(&mut out, value);
                    out
                }
            };
            // Printable ASCII by now, so that any place is between characters.
            value.truncate(MAX_VALUE);
            self.0.push((Cow::Owned(name), Cow::Owned(value.trim_ascii().to_owned())));
        }
    }

    /// What the answer depends on, beside what the operator says.
    pub(super) fn vary(&mut self, fields: &'static str) {
        if fields.is_empty() {
            return;
        }
        match self.0.iter_mut().find(|(name, _)| name == "vary") {
            Some((_, value)) if value != "*" => *value = Cow::Owned([value.as_ref(), ", ", fields].concat()),
            Some(_) => {}
            None => self.0.push((Cow::Borrowed("vary"), Cow::Borrowed(fields))),
        }
    }

    /// Whether caches may keep it. Where they may not, the operator's own word was kept back.
    pub(super) fn cache(&mut self, allowed: bool) {
        if !allowed {
            self.set("cache-control", "no-store");
        }
    }

    pub(super) fn reference(&mut self, occasion: &Occasion<'_>) {
        let mut value = String::with_capacity(occasion.reference.len());
        Context::Header.push(&mut value, occasion.reference);
        self.set(HEADER, value);
    }

    pub(super) fn into_fields(self) -> Vec<Field> {
        self.0
    }
}

/// A lower-case token (RFC 9110, 5.6.2) that is neither the gateway's nor Envoy's nor ours.
fn may_stand(name: &str) -> bool {
    let characters = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    !name.is_empty()
        && name.len() <= MAX_NAME
        && characters
        && !NEVER.contains(&name)
        && !name.starts_with("x-envoy-")
        && !name.starts_with("x-gatehouse-")
}
