//! `gatehouse render`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum, builder::PossibleValue};
use gatehouse::policies::Problem;
use gatehouse::render::{self, Manifest, Target, Values, inline};
use serde::Serialize;

use super::exit::{self, fail};
use super::migrate;

/// Largest file of values.
const MAX_FILE: u64 = 1 << 20;

#[derive(Args)]
pub(super) struct Arguments {
    /// What the manifests are for
    #[arg(value_name = "TARGET")]
    target: Chosen,
    /// What is particular to the place, one YAML file [default: everything as documented]; for `migrate`: a file or folder of manifests; for `subject-alt-names`: a policy document or folder
    #[arg(value_name = "VALUES|MANIFESTS|POLICY")]
    values: Option<PathBuf>,
    /// Write the manifests into this folder instead of printing them
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// A policy that the gate has from its start, for a place without a house or for its first seconds; at most 64 KiB
    #[arg(long, value_name = "POLICY")]
    inline: Option<PathBuf>,
    /// Only for `migrate`: the file of values
    #[arg(long = "values", value_name = "VALUES", id = "of_migrate")]
    of_migrate: Option<PathBuf>,
    /// Only for `migrate`: a host or cluster that is the other product; may be given several times
    #[arg(long, value_name = "HOST")]
    proxy: Vec<String>,
    /// Only for `migrate`: the response header that marks the other product's own answers [default: status 403 and 429 do]
    #[arg(long, value_name = "NAME[=VALUE]")]
    verdict_header: Option<String>,
    /// Only for `subject-alt-names`: whom clients reach at the listener; may be given several times
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
}

/// What is rendered.
#[derive(Clone, Copy)]
enum Chosen {
    /// The way from another product.
    Migration,
    /// Who may come through the handshake of a listener.
    Names,
    /// Everything that a place needs.
    Place(Target),
}

impl ValueEnum for Chosen {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [Chosen; Target::ALL.len() + 2] = {
            let [a, b, c, d, e] = Target::ALL;
            [
                Chosen::Place(a.1),
                Chosen::Place(b.1),
                Chosen::Place(c.1),
                Chosen::Place(d.1),
                Chosen::Place(e.1),
                Chosen::Migration,
                Chosen::Names,
            ]
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(match self {
            Self::Migration => "migrate",
            Self::Names => "subject-alt-names",
            Self::Place(target) => target.name(),
        }))
    }
}

#[derive(Serialize)]
struct Rendered<'m> {
    ok: bool,
    manifests: &'m [Manifest],
}

pub(super) fn render(arguments: &Arguments, json: bool) -> ExitCode {
    if let Some(why) = misplaced(arguments) {
        return fail(exit::usage(), &why);
    }
    match arguments.target {
        Chosen::Migration => migration(arguments, json),
        Chosen::Names => names(arguments, json),
        Chosen::Place(target) => place(target, arguments, json),
    }
}

/// An option that means nothing for what is rendered.
fn misplaced(arguments: &Arguments) -> Option<&'static str> {
    let of_migrate =
        arguments.of_migrate.is_some() || !arguments.proxy.is_empty() || arguments.verdict_header.is_some();
    let (is_migration, is_names) =
        (matches!(arguments.target, Chosen::Migration), matches!(arguments.target, Chosen::Names));
    if of_migrate && !is_migration {
        return Some("`--values`, `--proxy` and `--verdict-header` are for `gatehouse render migrate MANIFESTS`");
    }
    if arguments.inline.is_some() && (is_migration || is_names) {
        return Some("`--inline` is for the manifests of a place: `gatehouse render envoy --inline POLICY`");
    }
    (!arguments.host.is_empty() && !is_names).then_some("`--host` is for `gatehouse render subject-alt-names POLICY`")
}

fn migration(arguments: &Arguments, json: bool) -> ExitCode {
    let values = match values(arguments.of_migrate.as_deref()) {
        Ok(values) => values,
        Err(wrong) => return wrong.told(json),
    };
    let wanted = migrate::Wanted {
        manifests: arguments.values.as_deref(),
        values: &values,
        proxies: &arguments.proxy,
        verdict: arguments.verdict_header.as_deref(),
        output: arguments.output.as_deref(),
    };
    migrate::migrate(&wanted, json)
}

fn names(arguments: &Arguments, json: bool) -> ExitCode {
    let Some(policy) = arguments.values.as_deref().filter(|_| !arguments.host.is_empty()) else {
        let said = "give the policies of connections and whom clients reach: `gatehouse render subject-alt-names POLICY --host HOST`";
        return fail(exit::usage(), &said);
    };
    match render::names::render(policy, &arguments.host) {
        Ok(manifest) => hand_out(&[manifest], arguments, json),
        Err(error) => exit::wrong(&error.problems(), json),
    }
}

fn place(target: Target, arguments: &Arguments, json: bool) -> ExitCode {
    let values = match values(arguments.values.as_deref()) {
        Ok(values) => values,
        Err(wrong) => return wrong.told(json),
    };
    if let Some((message, help)) = target.lacks(&values) {
        let place = arguments.values.as_ref().map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
        return exit::wrong(&[Problem { place, message: message.into(), help: help.into() }], json);
    }
    let policy = match arguments.inline.as_deref().map(|path| inline::read(path, &values)).transpose() {
        Ok(policy) => policy,
        Err(inline::Wrong::Unreadable(why)) => return fail(exit::usage(), &why),
        Err(inline::Wrong::Problems(problems)) => return exit::wrong(&problems, json),
    };
    match render::render(target, &values, policy.as_deref()) {
        Ok(manifests) => hand_out(&manifests, arguments, json),
        Err(error) => {
            fail(exit::refused(), &format!("a template is broken, which is a fault of this program: {error:#}"))
        }
    }
}

/// Writes them to the folder, or prints them.
fn hand_out(manifests: &[Manifest], arguments: &Arguments, json: bool) -> ExitCode {
    if let Some(folder) = &arguments.output
        && let Err((path, error)) = write(folder, manifests)
    {
        return fail(exit::refused(), &format!("cannot write `{}`: {error}", path.display()));
    }
    let output = match (json, &arguments.output) {
        (true, _) => exit::print_json(&Rendered { ok: true, manifests }),
        (false, Some(folder)) => said(folder, manifests),
        (false, None) => print(manifests),
    };
    exit::written(output, ExitCode::SUCCESS)
}

/// Why a file of values is of no use.
pub(super) enum Wrong {
    Unreadable(String),
    Problems(Vec<Problem>),
}

impl Wrong {
    pub(super) fn told(self, json: bool) -> ExitCode {
        match self {
            Self::Unreadable(why) => fail(exit::usage(), &why),
            Self::Problems(problems) => exit::wrong(&problems, json),
        }
    }
}

/// The values in a file; `None`: the defaults.
pub(super) fn values(path: Option<&Path>) -> Result<Values, Wrong> {
    let text = match path {
        None => String::new(),
        Some(path) => {
            let unreadable = |why: String| Wrong::Unreadable(format!("cannot read `{}`: {why}", path.display()));
            let size = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
            if size > MAX_FILE {
                return Err(unreadable("it is larger than 1 MiB".into()));
            }
            fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?
        }
    };
    let name = path.map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
    Values::parse(&name, &text).map_err(|problems| Wrong::Problems(problems.0.iter().map(Problem::from).collect()))
}

/// Each file at once or not at all.
fn write(folder: &Path, manifests: &[Manifest]) -> Result<(), (PathBuf, io::Error)> {
    for Manifest { name, text } in manifests {
        let path = folder.join(name);
        let fresh = path.with_extension("new");
        let done = path.parent().map_or(Ok(()), fs::create_dir_all);
        let done = done.and_then(|()| fs::write(&fresh, text)).and_then(|()| fs::rename(&fresh, &path));
        done.map_err(|error| (path, error))?;
    }
    Ok(())
}

fn said(folder: &Path, manifests: &[Manifest]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    manifests.iter().try_for_each(|manifest| writeln!(out, "{}", folder.join(manifest.name).display()))
}

fn print(manifests: &[Manifest]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let several = manifests.len() > 1;
    for Manifest { name, text } in manifests {
        if several {
            writeln!(out, "---\n# {name}")?;
        }
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}
