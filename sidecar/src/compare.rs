//! The verdict of one rule against that of all others, over our own events: `gatehouse compare`.
//!
//! While two products judge the same requests, one rule stands for the other product ([`Compared::rule`]): it matches where that one has
//! refused. What is enforced and what would have been done count alike.

use std::fmt::Write as _;
use std::io::{self, BufRead, Write};

use serde::{Deserialize, Serialize};

use crate::ocsf::RECORD_CODE;
use crate::terminal::plain;

/// Longest event.
const MAX_LINE: u64 = 1 << 20;
/// Examples of each kind that are kept.
const EXAMPLES: usize = 5;

/// What is compared.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The rule that stands for the other product, `DOCUMENT/RULE`.
    pub rule: String,
    /// Events on which one of these rules decided do not count.
    pub without: Vec<String>,
}

/// How often who refused.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// The rule that stands for the other product.
    pub rule: String,
    /// Requests that count.
    pub requests: u64,
    /// Left out.
    pub without: u64,
    /// Lines that are no event of a request.
    pub other_lines: u64,
    /// Both let it through.
    pub neither: u64,
    /// Both refused.
    pub both: u64,
    /// Only the other rules refused.
    pub only_ours: u64,
    /// Only that rule.
    pub only_theirs: u64,
    /// The first requests that only the other rules refused.
    pub only_ours_examples: Vec<Example>,
    /// The first requests that only that rule refused: what is missing.
    pub only_theirs_examples: Vec<Example>,
}

/// A request on which they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// Id of its event.
    pub event: String,
    /// Method and path, as recorded.
    pub request: String,
    /// Which rules refused.
    pub rules: Vec<String>,
}

#[derive(Deserialize)]
struct Event {
    metadata: Metadata,
    #[serde(default)]
    http_request: Option<HttpRequest>,
    #[serde(default)]
    unmapped: Unmapped,
}

#[derive(Deserialize)]
struct Metadata {
    #[serde(default)]
    uid: String,
    #[serde(default)]
    event_code: String,
}

#[derive(Deserialize)]
struct HttpRequest {
    #[serde(default)]
    http_method: String,
    #[serde(default)]
    url: Url,
}

#[derive(Default, Deserialize)]
struct Url {
    #[serde(default)]
    path: String,
}

#[derive(Default, Deserialize)]
struct Unmapped {
    #[serde(default)]
    gatehouse: Own,
}

#[derive(Default, Deserialize)]
struct Own {
    #[serde(default)]
    part: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    rule: String,
    #[serde(default)]
    would_have: Vec<Would>,
}

#[derive(Deserialize)]
struct Would {
    action: String,
    rule: String,
}

impl Compared {
    /// Nothing yet.
    #[must_use]
    pub fn new(asked: &Asked) -> Self {
        Self { rule: asked.rule.clone(), ..Self::default() }
    }

    /// Reads events, one JSON object a line; what is none is counted.
    ///
    /// # Errors
    /// The input cannot be read.
    pub fn read(&mut self, asked: &Asked, input: &mut dyn BufRead) -> io::Result<()> {
        let mut line = Vec::new();
        loop {
            line.clear();
            if io::Read::take(&mut *input, MAX_LINE).read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            match serde_json::from_slice::<Event>(&line) {
                Ok(event) => self.take(asked, &event),
                Err(_) => self.other_lines += 1,
            }
        }
    }

    fn take(&mut self, asked: &Asked, event: &Event) {
        let own = &event.unmapped.gatehouse;
        let Some(request) = event.http_request.as_ref().filter(|_| event.metadata.event_code == RECORD_CODE) else {
            self.other_lines += 1;
            return;
        };
        if own.part == "interim" {
            self.other_lines += 1;
            return;
        }
        if asked.without.contains(&own.rule) {
            self.without += 1;
            return;
        }
        self.requests += 1;
        let enforced = (own.action != "allow").then_some(own.rule.as_str());
        let would = own.would_have.iter().filter(|would| would.action != "allow").map(|would| would.rule.as_str());
        let (theirs, ours): (Vec<&str>, Vec<&str>) =
            enforced.into_iter().chain(would).partition(|rule| *rule == asked.rule);
        let example = |rules: &[&str]| Example {
            event: plain(&event.metadata.uid),
            request: plain(&format!("{} {}", request.http_method, request.url.path)),
            rules: rules.iter().map(|rule| plain(rule)).collect(),
        };
        let (count, examples) = match (ours.is_empty(), theirs.is_empty()) {
            (true, true) => (&mut self.neither, None),
            (false, false) => (&mut self.both, None),
            (false, true) => (&mut self.only_ours, Some((&mut self.only_ours_examples, ours))),
            (true, false) => (&mut self.only_theirs, Some((&mut self.only_theirs_examples, theirs))),
        };
        *count += 1;
        if let Some((examples, rules)) = examples.filter(|(examples, _)| examples.len() < EXAMPLES) {
            examples.push(example(&rules));
        }
    }

    /// Whether they never differed.
    #[must_use]
    pub fn agree(&self) -> bool {
        self.only_ours == 0 && self.only_theirs == 0
    }

    /// For people.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self { requests, without, other_lines, neither, both, only_ours, only_theirs, rule, .. } = self;
        writeln!(out, "{requests} requests ({without} left out, {other_lines} other lines)")?;
        writeln!(out, "{neither:>10}  let through by both")?;
        writeln!(out, "{both:>10}  refused by both")?;
        writeln!(out, "{only_ours:>10}  refused by your other rules only")?;
        shown(&self.only_ours_examples, out)?;
        writeln!(out, "{only_theirs:>10}  refused by `{}` only", plain(rule))?;
        shown(&self.only_theirs_examples, out)
    }
}

fn shown(examples: &[Example], out: &mut dyn Write) -> io::Result<()> {
    for Example { event, request, rules } in examples {
        let mut line = format!("{:>12}{request}  event {event}", "");
        for rule in rules {
            // Writing to memory cannot fail.
            let _ = write!(line, "  {rule}");
        }
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(action: &str, rule: &str, would: &[&str]) -> String {
        let would: Vec<_> = would.iter().map(|rule| serde_json::json!({ "action": "block", "rule": rule })).collect();
        serde_json::json!({
            "metadata": { "uid": "1", "event_code": RECORD_CODE },
            "http_request": { "http_method": "GET", "url": { "path": "/a" } },
            "unmapped": { "gatehouse": { "part": "whole", "action": action, "rule": rule, "would_have": would } },
        })
        .to_string()
    }

    #[test]
    fn what_is_enforced_and_what_would_have_been_count_alike() {
        let asked = Asked { rule: "migrate/theirs".into(), without: vec!["migrate/returned".into()] };
        let lines = [
            event("allow", "", &[]),
            event("allow", "migrate/returned", &[]),
            event("block", "shop/admin", &["migrate/theirs"]),
            event("allow", "", &["shop/admin", "migrate/theirs"]),
            event("limit", "shop/login", &[]),
            event("allow", "", &["migrate/theirs"]),
            r#"{"metadata":{"event_code":"gatehouse.loss"}}"#.to_owned(),
            "nonsense".to_owned(),
        ];
        let mut compared = Compared::new(&asked);
        compared.read(&asked, &mut lines.join("\n").as_bytes()).unwrap();
        let Compared { requests, without, other_lines, neither, both, only_ours, only_theirs, .. } = &compared;
        assert_eq!(
            (*requests, *without, *other_lines, *neither, *both, *only_ours, *only_theirs),
            (5, 1, 2, 1, 2, 1, 1),
            "{compared:?}"
        );
        assert_eq!(compared.only_ours_examples.first().unwrap().rules, ["shop/login"]);
        assert!(!compared.agree());
    }
}
