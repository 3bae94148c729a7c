//! The rules as a script of Envoy's Lua filter: a function for all hosts and one a host, a condition a rule.

use std::fmt::Write as _;

use super::SCANNERS;
use super::rules::{Book, Rate, Rule, Rules, Text, Then, When};

const PRELUDE: &str = include_str!("prelude.lua");
const EPILOGUE: &str = include_str!("epilogue.lua");
const PARAMETERS: &str = "(h, p, q, m, a)";

/// The script.
pub(crate) fn script(book: &Book) -> String {
    let mut script = Script { text: String::new(), networks: 0 };
    let names = SCANNERS.map(quoted).join(", ");
    script.text = format!("local SCANNERS = {{ {names} }}\n{PRELUDE}");
    for (name, networks) in &book.lists {
        // One long text: a table of so many entries is more than one function of Lua may hold.
        let _ = writeln!(script.text, "lists[{}] = list([[\n{}\n]])", quoted(name), networks.join(" "));
    }
    let all = |rules: &Rules| rules.mandates.iter().chain(&rules.rules).cloned().collect::<Vec<_>>();
    let shared = &book.shared;
    script.function("local function mandates", &shared.mandates, |then| *then == Then::Block);
    script.function("local function allowed", &all(shared), |then| *then == Then::Allow);
    script.function("local function blocked", &shared.rules, |then| *then == Then::Block);
    script.function("local function limits", &all(shared), |then| matches!(then, Then::Limit(_)));
    for (host, rules) in &book.hosts {
        let host = quoted(host);
        script.function(&format!("hosts[{host}] = function"), &all(rules), |then| *then == Then::Block);
        let limits = format!("host_limits[{host}] = function");
        script.function(&limits, &all(rules), |then| matches!(then, Then::Limit(_)));
    }
    script.text.push_str(EPILOGUE);
    script.text
}

struct Script {
    text: String,
    /// How many networks that rules name themselves stand in it.
    networks: usize,
}

impl Script {
    /// A function that gives the name of the first of these rules that holds.
    fn function(&mut self, head: &str, rules: &[Rule], of: fn(&Then) -> bool) {
        let mut body = String::new();
        for rule in rules.iter().filter(|rule| of(&rule.then)) {
            let mut condition = self.condition(&rule.when);
            if let Then::Limit(rate) = &rule.then {
                let _ = write!(condition, " and {}", counted(&rule.name, rate));
            }
            let _ = writeln!(body, "  if {condition} then return {} end", quoted(&rule.name));
        }
        let _ = writeln!(self.text, "\n{head}{PARAMETERS}\n{body}end");
    }

    fn condition(&mut self, when: &When) -> String {
        match when {
            When::Always => "true".to_owned(),
            When::Path(texts) => either(texts, "p"),
            When::Method(methods) => either(&methods.iter().cloned().map(Text::Is).collect::<Vec<_>>(), "m"),
            When::Header(name, texts) => either(texts, &format!("h[{}]", quoted(name))),
            When::Query(name, texts) => {
                let pattern = quoted(format!("&{}=([^&]*)", escaped(name)));
                either(texts, &format!("parameter(q, {pattern})"))
            }
            When::Listed(list) => format!("within(lists[{}], a)", quoted(list)),
            When::Address(networks) => {
                self.networks += 1;
                let number = self.networks;
                let _ = writeln!(self.text, "networks[{number}] = list({})", quoted(networks.join(" ")));
                format!("within(networks[{number}], a)")
            }
            When::Scanner => "scanner(h[\"user-agent\"])".to_owned(),
            When::Certificate => "false".to_owned(),
            When::Not(inner) => format!("not {}", self.condition(inner)),
            When::Any(all) => self.joined(all, " or "),
            When::All(all) => self.joined(all, " and "),
        }
    }

    fn joined(&mut self, all: &[When], word: &str) -> String {
        format!("({})", all.iter().map(|when| self.condition(when)).collect::<Vec<_>>().join(word))
    }
}

fn either(texts: &[Text], of: &str) -> String {
    let one = |text: &Text| match text {
        Text::Present => of.to_owned(),
        Text::Is(text) => format!("{of} == {}", quoted(text)),
        Text::Prefix(text) => format!("begins({of}, {})", quoted(text)),
        Text::Suffix(text) => format!("ends({of}, {})", quoted(text)),
        Text::Contains(text) => format!("has({of}, {})", quoted(text)),
        Text::Regex(text) => format!("is({of}, {})", quoted(pattern(text))),
    };
    format!("({})", texts.iter().map(one).collect::<Vec<_>>().join(" or "))
}

fn counted(name: &str, rate: &Rate) -> String {
    let part = |by: &String| match by.as_str() {
        "client" => "a".to_owned(),
        "host" => "h[\":authority\"]".to_owned(),
        "address.prefix" => "(match(a, \"^(.*)%.%d+$\") or a)".to_owned(),
        other => match other.strip_prefix("headers.") {
            Some(header) => format!("(h[{}] or \"\")", quoted(header)),
            None => panic!("`by: {other}` has no translation"),
        },
    };
    let key = rate.by.iter().map(part).collect::<Vec<_>>().join(" .. \" \" .. ");
    format!("over({}, {key}, {}, {})", quoted(name), rate.requests, rate.seconds)
}

fn quoted(text: impl AsRef<str>) -> String {
    format!("\"{}\"", text.as_ref().replace('\\', "\\\\").replace('"', "\\\""))
}

fn escaped(text: &str) -> String {
    text.chars().flat_map(|c| [(!c.is_ascii_alphanumeric()).then_some('%'), Some(c)]).flatten().collect()
}

/// A regular expression as a pattern of Lua, which knows classes and repetition, no alternatives and no groups that repeat.
fn pattern(regex: &str) -> String {
    let (mut made, mut class, mut rest) = (String::new(), false, regex.chars());
    while let Some(c) = rest.next() {
        match c {
            '\\' => made.extend(['%'].into_iter().chain(rest.next())),
            '|' | '(' | '{' => panic!("`{regex}` has no translation to Lua"),
            '-' if !class => made.push_str("%-"),
            '%' => made.push_str("%%"),
            _ => {
                class = (class || c == '[') && c != ']';
                made.push(c);
            }
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regular_expression_becomes_a_pattern() {
        assert_eq!(pattern(r"^/v[0-9]+/a-b\.c[^/]+$"), "^/v[0-9]+/a%-b%.c[^/]+$");
        assert!(std::panic::catch_unwind(|| pattern("a|b")).is_err());
    }
}
