//! `gatehouse explain`: a verdict and the way to it, for people; and the same of a request or a connection that the house has seen.
//!
//! Both come here as one JSON value: `{action, status, rule, reason, reference, would_have, signals, trace, …}`; of a connection also
//! `log`, its line in the log; of what the house has seen also `grounds`: what each rule read, and how its limit stood.

mod grounds;
mod seen;

use std::io::{self, Write};

use serde_json::Value;

use crate::terminal::{Paint, plain};

pub use seen::{seen, written};

/// Writes a verdict.
///
/// # Errors
/// The writer fails.
pub fn write(verdict: &Value, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    let word = |key: &str| verdict.get(key).and_then(Value::as_str);
    let action = word("action").unwrap_or("?");
    let status = verdict.get("status").and_then(Value::as_u64).map(|status| format!(" {status}")).unwrap_or_default();
    let by = word("rule").map(|rule| format!(" by {}", paint.bold(plain(rule)))).unwrap_or_default();
    writeln!(out, "{}{status}{by} ({})", paint.action(action), word("reason").unwrap_or("?"))?;
    for key in ["log", "reference", "time", "gateway", "ambiguity", "redacted"] {
        if let Some(text) = word(key) {
            writeln!(out, "  {key:<14} {}", plain(text))?;
        }
    }
    policy(verdict, out)?;
    for would in list(verdict, "would_have") {
        writeln!(out, "  {:<14} {} {}", "would have", text(would, "action"), plain(text(would, "rule")))?;
    }
    for tag in list(verdict, "tags").iter().filter_map(Value::as_str) {
        writeln!(out, "  {:<14} {}", "tag", plain(tag))?;
    }
    for key in ["removed", "body", "forwarded_path", "delay_ms"] {
        let shown = match verdict.get(key) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.clone(),
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            Some(other) => other.to_string(),
        };
        writeln!(out, "  {:<14} {}", key.replace('_', " "), plain(&shown))?;
    }
    for (name, value) in pairs(verdict.get("headers")) {
        writeln!(out, "  {:<14} {}: {}", "header", plain(name), plain(value))?;
    }
    let response = verdict.get("response");
    for name in response.map(|response| list(response, "remove")).unwrap_or_default().iter().filter_map(Value::as_str) {
        writeln!(out, "  {:<14} {} is removed", "response", plain(name))?;
    }
    for (name, value) in pairs(response.and_then(|response| response.get("set"))) {
        writeln!(out, "  {:<14} {}: {}", "response", plain(name), plain(value))?;
    }
    for one in list(verdict, "not_judged") {
        let rule = one.get("rule").and_then(Value::as_str).unwrap_or("the choice of documents");
        let said = format!("{}: {} is not known", plain(rule), plain(text(one, "field")));
        writeln!(out, "  {:<14} {}", "not judged", paint.yellow(said))?;
    }
    signals(verdict, out, paint)?;
    grounds::write(verdict, out, paint)?;
    if let Some(trace) = verdict.get("trace").filter(|_| !list(verdict, "trace").is_empty()) {
        writeln!(out, "\n{}", paint.bold("the way to it"))?;
        steps(trace, "  ", out, paint)?;
    }
    Ok(())
}

/// Which policy decided, and whether its text is still there (`--json` prints it).
fn policy(verdict: &Value, out: &mut impl Write) -> io::Result<()> {
    let Some(policy) = verdict.get("policy").filter(|policy| policy.is_object()) else { return Ok(()) };
    let revision = policy.get("revision").and_then(Value::as_u64).unwrap_or_default();
    let digest: String = text(policy, "digest").chars().take(12).collect();
    let files: Vec<&str> = list(policy, "documents").iter().map(|document| text(document, "file")).collect();
    let kept = if files.is_empty() { "its text is not kept any more".to_owned() } else { files.join(", ") };
    writeln!(out, "  {:<14} revision {revision}, {} ({})", "policy", plain(&digest), plain(&kept))
}

fn signals(verdict: &Value, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    let Some(Value::Object(signals)) = verdict.get("signals") else { return Ok(()) };
    writeln!(out, "\n{}", paint.bold("what was read"))?;
    for (name, value) in signals {
        let shown = match value {
            Value::Null => continue,
            Value::String(text) => plain(text),
            Value::Array(items) if items.is_empty() => continue,
            Value::Array(items) => plain(&items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ")),
            other => plain(&other.to_string()),
        };
        writeln!(out, "  {:<14} {shown}", name.replace('_', " "))?;
    }
    Ok(())
}

/// Writes the steps of a trace, a line each.
///
/// # Errors
/// The writer fails.
pub fn steps(trace: &Value, indent: &str, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    for step in trace.as_array().map(Vec::as_slice).unwrap_or_default() {
        let said = plain(text(step, "said"));
        let Some(rule) = step.get("rule").and_then(Value::as_str) else {
            writeln!(out, "{indent}{}: {said}", text(step, "stage"))?;
            continue;
        };
        let mut does: Vec<&str> = list(step, "does").iter().filter_map(Value::as_str).collect();
        let canary = step.get("canary").and_then(Value::as_u64).map(|percent| format!("canary {percent}%"));
        does.extend(canary.as_deref().into_iter().chain(step.get("mode").and_then(Value::as_str)));
        let score = step.get("score").and_then(Value::as_u64).map(|score| format!(" (score {score})"));
        let score = score.unwrap_or_default();
        let said = match text(step, "match") {
            "true" => paint.green(said),
            "unknown" => paint.yellow(said),
            _ => paint.dim(said),
        };
        writeln!(out, "{indent}{} [{}] {said}{score}", plain(rule), does.join(", "))?;
    }
    Ok(())
}

/// Names and values.
fn pairs(value: Option<&Value>) -> impl Iterator<Item = (&str, &str)> {
    let all = value.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|pair| Some((pair.get(0)?.as_str()?, pair.get(1)?.as_str()?)))
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
