//! What a verdict rested on, from the record of one that the house has seen: of each rule what its match read, how much of that is
//! shown, and how its limit stood.

use std::io::{self, Write};

use gatehouse_proto::v1::Judgement;
use serde_json::{Value, json};

use super::{list, text};
use crate::ocsf;
use crate::terminal::{Paint, plain};
use crate::when;

/// The grounds in the form that `explain` prints; null: the record tells nothing of the rules that it names.
pub(super) fn of(judgement: &Judgement) -> Value {
    if judgement.grounds.is_empty() && rests_on_rules(judgement) {
        return Value::Null;
    }
    json!(ocsf::Rested(&judgement.grounds))
}

/// Some rule decided or would have: gates that are older than grounds named it and said no more.
fn rests_on_rules(judgement: &Judgement) -> bool {
    // Words of settings, which read nothing; no rule may be called so.
    let is_setting = |rule: &str| {
        let word = rule.rsplit('/').next().unwrap_or_default();
        matches!(word, "ambiguous" | "identity-headers" | "mutual-tls" | "one-uri" | "otherwise" | "server-name")
    };
    let would = judgement.would_have.iter().map(|would| would.rule.as_str());
    let decided = Some(judgement.rule.as_str()).filter(|rule| !rule.is_empty() && !judgement.reference.is_empty());
    decided.into_iter().chain(would).any(|rule| !is_setting(rule))
}

/// Writes them, a line each input.
pub(super) fn write(verdict: &Value, out: &mut impl Write, paint: Paint) -> io::Result<()> {
    let Some(grounds) = verdict.get("grounds") else { return Ok(()) };
    if grounds.is_null() {
        writeln!(out, "\n{}", paint.bold("what it rested on"))?;
        return writeln!(out, "  {}", paint.dim("the record does not tell: it comes from an older gate"));
    }
    for (at, ground) in list(verdict, "grounds").iter().enumerate() {
        if at == 0 {
            writeln!(out, "\n{}", paint.bold("what it rested on"))?;
        }
        writeln!(out, "  {}", plain(text(ground, "rule")))?;
        for input in list(ground, "inputs") {
            let (value, form) = shown(input);
            let form = if form.is_empty() { String::new() } else { paint.yellow(format!(" ({form})")).to_string() };
            writeln!(out, "    {:<14} {}{form}", plain(text(input, "field")), plain(&value))?;
        }
        if ground.get("cut").is_some() {
            writeln!(out, "    {}", paint.dim("and more than is kept"))?;
        }
        if let Some(limit) = ground.get("limit") {
            writeln!(out, "    {:<14} {}", "limit", said(limit))?;
        }
    }
    Ok(())
}

/// A value, and what is to be said of how it is shown.
fn shown(input: &Value) -> (String, &'static str) {
    let value = text(input, "value");
    match text(input, "form") {
        "absent" => ("-".to_owned(), "none, or not known"),
        "redacted" => (value.to_owned(), "redacted"),
        "hashed" => (value.to_owned(), "hashed"),
        _ if text(input, "field") == "time" => {
            let moment = value.parse().ok().and_then(|seconds: u64| seconds.checked_mul(1_000_000_000));
            (moment.map_or_else(|| value.to_owned(), when::shown), "")
        }
        _ => (value.to_owned(), ""),
    }
}

/// How a limit stood, in words.
fn said(limit: &Value) -> String {
    let number = |key| limit.get(key).and_then(Value::as_u64).unwrap_or_default();
    let what = match text(limit, "counted") {
        "failures" => "failed answers",
        "distinct" => "different values",
        _ => "requests",
    };
    let (allowed, seconds) = (number("limit"), number("window_seconds"));
    let mut said = match number("burst") {
        0 => format!("{} {what} counted, {allowed} in {seconds} s allowed", number("count")),
        burst => format!("{} of a burst of {burst} used, {allowed} {what} in {seconds} s allowed", number("count")),
    };
    if number("step") > 0 {
        said.push_str(&format!("; step {}", number("step") + 1));
    }
    let is = |key| limit.get(key).and_then(Value::as_bool) == Some(true);
    if is("busy") {
        said.push_str("; too many tries are unanswered");
    }
    if is("blocked") {
        said.push_str("; a block time runs");
    }
    said.push_str(&format!("; again after {} s", number("retry_after_seconds")));
    said
}
