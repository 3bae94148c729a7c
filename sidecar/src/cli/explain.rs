//! `gatehouse explain`: a request or a connection from standard input by a policy, or one that a running house has seen by its reference.

use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use gatehouse::ask::{self, Admin, AskError, At};
use gatehouse::judge::{Answered, Explained, Judge, Options};
use gatehouse::loaded::{self, Loaded};
use gatehouse::policies::Problem;
use gatehouse::request::Asked;
use gatehouse::terminal::Paint;
use gatehouse::{explain as lib, when};
use gatehouse_engine::Policy;
use serde_json::Value;

use super::exit::{self, fail};
use super::supplied::Supplies;

/// Largest document, bytes.
const MAX_DOCUMENT: u64 = 1 << 20;
/// What may be given.
const REQUEST: &str = r#"{"method": "GET", "authority": "shop.example", "path": "/"}"#;
const CONNECTION: &str = r#"{"connection": "spiffe://cluster.local/ns/shop/sa/web to orders.internal:5432"}"#;

#[derive(Args)]
pub(super) struct Arguments {
    /// Reference of a request or a connection that a running house has seen
    #[arg(value_name = "REF", conflicts_with = "policy")]
    reference: Option<String>,
    /// Policy document or folder; what it judges is read from standard input, as JSON: a request `{"method": …}` or `{"connection": …}`
    #[arg(long, value_name = "POLICY")]
    policy: Vec<PathBuf>,
    #[command(flatten)]
    supplies: Supplies,
    #[command(flatten)]
    at: At,
}

pub(super) fn explain(arguments: &Arguments, json: bool) -> ExitCode {
    match &arguments.reference {
        Some(reference) => seen(reference, &arguments.at, json),
        None if arguments.policy.is_empty() => {
            let said = "give a policy (`--policy POLICY < REQUEST.json`), or the reference of a request or a connection that was seen";
            fail(exit::usage(), &said)
        }
        None => judged(arguments, json),
    }
}

fn judged(arguments: &Arguments, json: bool) -> ExitCode {
    let supplied = match arguments.supplies.read() {
        Ok(supplied) => supplied,
        Err(problems) => return exit::wrong(&problems, json),
    };
    let Loaded { policy, unproved, .. } = match loaded::load(&arguments.policy, supplied.ranges.as_deref()) {
        Ok(loaded) => loaded,
        Err(error) => return exit::wrong(&error.problems(), json),
    };
    exit::warn(&unproved);
    let text = match input() {
        Ok(text) => text,
        Err(error) => return fail(exit::usage(), &format!("cannot read standard input: {error}")),
    };
    if text.trim().is_empty() {
        return fail(exit::usage(), &format!("standard input is empty; {}", wanted(&policy)));
    }
    let asked = match Asked::parse(&text) {
        Ok(asked) => asked,
        Err(problems) => {
            let problems: Vec<Problem> = problems.0.iter().map(Problem::from).collect();
            return exit::wrong(&problems, json);
        }
    };
    exit::warn(foreign(&asked, &policy).as_slice());
    let mut judge =
        Judge::new(policy, Options { trace: true, wall_clock: true, geo: supplied.geo, ..Options::default() });
    let explained = one(&mut judge, &asked);
    if json {
        return exit::written(exit::print_json(&explained), ExitCode::SUCCESS);
    }
    match serde_json::to_value(&explained) {
        Ok(verdict) => print(&verdict, json),
        Err(error) => fail(exit::refused(), &error),
    }
}

/// What becomes of it.
fn one(judge: &mut Judge, asked: &Asked) -> Explained {
    match asked {
        Asked::Connection(opening) => judge.admit(opening, opening.time.unwrap_or_else(when::now)),
        Asked::Request(request) => {
            let now = request.time.unwrap_or_else(when::now);
            let mut explained = judge.judge(request, now);
            if let Some(response) = &request.response {
                judge.answer(request, &mut explained, Answered::With(response), now);
            }
            explained
        }
    }
}

/// What to give to this policy.
fn wanted(policy: &Policy) -> String {
    match (policy.speaks_of_requests(), policy.speaks_of_connections()) {
        (_, false) => format!("give it a request, such as {REQUEST}"),
        (false, true) => format!("give it a connection, such as {CONNECTION}"),
        (true, true) => format!("give it a request, such as {REQUEST}, or a connection, such as {CONNECTION}"),
    }
}

/// The policy says nothing at all of what it is asked about.
fn foreign(asked: &Asked, policy: &Policy) -> Option<Problem> {
    let (place, speaks, message) = match asked {
        Asked::Connection(_) => (
            "connection",
            policy.speaks_of_connections(),
            "the policy has no `kind: TcpPolicy`, which judges connections",
        ),
        Asked::Request(_) => {
            ("request", policy.speaks_of_requests(), "the policy has no `kind: Policy`, which judges requests")
        }
    };
    (!speaks).then(|| Problem { place: place.into(), message: message.into(), help: wanted(policy) })
}

fn seen(reference: &str, at: &At, json: bool) -> ExitCode {
    let reference = lib::written(reference);
    if reference.is_empty() || !reference.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        let said = "a reference is letters and digits, such as `7Q2KM4XJ0T9RB3ZC`";
        return fail(exit::usage(), &said);
    }
    let answer = Admin::at(at).and_then(|admin| admin.ask("GET", &format!("/explain/{reference}"), None));
    let answer = match answer {
        Ok(answer) => answer,
        Err(error @ AskError::Url(_)) => return fail(exit::usage(), &error),
        Err(error) => return fail(exit::refused(), &format!("{error}; {}", ask::hint(at.folder().as_deref()))),
    };
    match (answer.status, serde_json::from_str::<Value>(&answer.body)) {
        (200, Ok(verdict)) => print(&verdict, json),
        (200, Err(error)) => fail(exit::refused(), &format!("the answer of the house cannot be read: {error}")),
        (404, _) => {
            let said = format!(
                "the house has no record with the reference `{reference}`: it keeps them for as long as `references` says (7 \
                 days or 512 MiB); the event is in the sinks"
            );
            fail(exit::refused(), &said)
        }
        (status, _) => fail(exit::refused(), &format!("the house answers {status}: {}", answer.body.trim())),
    }
}

fn print(verdict: &Value, json: bool) -> ExitCode {
    let output =
        if json { exit::print_json(verdict) } else { lib::write(verdict, &mut io::stdout().lock(), Paint::stdout()) };
    exit::written(output, ExitCode::SUCCESS)
}

fn input() -> io::Result<String> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        // Only a hint.
        let _ = writeln!(io::stderr().lock(), "write the request or the connection as JSON, then end with Ctrl-D");
    }
    let mut text = String::new();
    stdin.lock().take(MAX_DOCUMENT + 1).read_to_string(&mut text)?;
    Ok(text)
}
