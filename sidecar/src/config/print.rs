//! `gatehouse run --print-config`: the configuration as it is understood, as YAML that can be read again.
//!
//! The settings of sinks are left out: they may hold secrets.

use std::fmt;

use super::{AccessLog, AddressForm, Config, Guarded};
use crate::logging::Form;

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "node: {}", quoted(&self.node))?;
        writeln!(f, "data: {}", quoted(&self.data.display()))?;
        writeln!(f, "listen:")?;
        if let Some((path, mode)) = &self.listen.unix {
            writeln!(f, "  unix: {}\n  mode: \"{mode:04o}\"", quoted(&path.display()))?;
        }
        if let Some(uids) = &self.listen.uids {
            writeln!(f, "  uids: {uids:?}")?;
        }
        if let Some(address) = self.listen.tcp {
            writeln!(f, "  tcp: {}", quoted(&address))?;
        }
        if let Some(guarded) = &self.listen.tls {
            gates(guarded, f)?;
        }
        let spool = &self.spool;
        let folder = quoted(&spool.folder.display());
        writeln!(f, "spool:\n  folder: {folder}\n  size: {}\n  segment: {}", size(spool.size), size(spool.segment))?;
        let references = &self.references;
        let keep = references.age.as_millis();
        writeln!(f, "references:\n  keep: {keep}ms\n  size: {}", size(references.bytes))?;
        if let Some(policies) = &self.policies {
            let folder = quoted(&policies.folder.display());
            writeln!(f, "policies:\n  folder: {folder}\n  every: {}ms", policies.every.as_millis())?;
            if let Some(ranges) = &policies.ranges {
                writeln!(f, "packs:\n  ranges: {}", quoted(&ranges.display()))?;
            }
        }
        if let Some(geo) = &self.geo {
            writeln!(f, "geo:\n  files:")?;
            geo.files.iter().try_for_each(|file| writeln!(f, "    - {}", quoted(&file.display())))?;
            writeln!(f, "  maxAge: {}ms", geo.max_age.as_millis())?;
        }
        let lists = &self.lists;
        writeln!(f, "lists:\n  size: {}\n  timeout: {}ms", size(lists.size as u64), lists.timeout.as_millis())?;
        if let Some(folder) = &lists.folder {
            writeln!(f, "  folder: {}", quoted(&folder.display()))?;
        }
        if !lists.sources.is_empty() {
            writeln!(f, "  sources: # logins and authorities are not printed")?;
            let mut each = lists.sources.iter();
            each.try_for_each(|source| {
                writeln!(f, "    {}: {{ url: {} }}", quoted(&source.name), quoted(&source.url))
            })?;
        }
        writeln!(f, "sinks:{}", if self.sinks.is_empty() { " {}" } else { "" })?;
        for (index, sink) in self.sinks.iter().enumerate() {
            let (name, kind, behind) = (quoted(&sink.name), sink.kind.word(), self.behind(index));
            writeln!(f, "  {name}: {{ {kind}: {{}}, behind: {behind} }} # settings are not printed")?;
        }
        writeln!(f, "access_log: {}", quoted(&word(&AccessLog::WORDS, self.access_log)))?;
        writeln!(f, "admin: {}", quoted(&self.admin))?;
        let form = match self.log_form {
            Form::Automatic => "automatic",
            Form::Json => "json",
            Form::Text => "text",
        };
        writeln!(f, "log:\n  level: {}\n  form: {form}", self.log_level)?;
        writeln!(f, "address_form: {}", word(&AddressForm::WORDS, self.address_form))
    }
}

/// A YAML double-quoted scalar; JSON's escapes are a part of YAML's (YAML 1.2.2, section 5.7).
fn quoted(text: &impl ToString) -> String {
    serde_json::Value::String(text.to_string()).to_string()
}

fn size(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let whole = units.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{bytes}B"), |(unit, name)| format!("{}{name}", bytes / unit))
}

fn word<T: Copy + PartialEq>(words: &[(&'static str, T)], value: T) -> &'static str {
    words.iter().find(|(_, known)| *known == value).map_or("", |(name, _)| *name)
}

fn gates(guarded: &Guarded, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    writeln!(f, "  tls:\n    address: {}", quoted(&guarded.address))?;
    if let (Some(authorities), Some((certificate, key))) = (&guarded.tls.ca, &guarded.tls.identity) {
        for (name, path) in [("certificate", certificate), ("key", key), ("authorities", authorities)] {
            writeln!(f, "    {name}: {}", quoted(&path.display()))?;
        }
    }
    writeln!(f, "    gates:")?;
    for gate in &guarded.gates {
        writeln!(f, "      - identity: {}", quoted(&gate.identity))?;
        if let Some(node) = &gate.node {
            writeln!(f, "        node: {}", quoted(node))?;
        }
        if !gate.group.is_empty() {
            writeln!(f, "        group: {}", quoted(&gate.group))?;
        }
        let caps = &gate.caps;
        writeln!(
            f,
            "        streams: {}\n        epochs: {}\n        rate: {}",
            caps.streams,
            caps.epochs,
            size(caps.rate)
        )?;
    }
    Ok(())
}
