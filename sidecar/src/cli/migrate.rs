//! `gatehouse render migrate`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gatehouse::migrate::{Asked, Detour, Kind, Plan, Source, Step};
use gatehouse::policies::Problem;
use gatehouse::render::Values;
use gatehouse::terminal::plain;

use super::exit::{self, fail};

/// Largest file of manifests.
const MAX_FILE: u64 = 16 << 20;
/// Where manifests go that nobody asked to be written.
const FOLDER: &str = "migrate";

pub(super) struct Wanted<'a> {
    pub(super) manifests: Option<&'a Path>,
    pub(super) values: &'a Values,
    pub(super) proxies: &'a [String],
    pub(super) verdict: Option<&'a str>,
    pub(super) output: Option<&'a Path>,
}

pub(super) fn migrate(wanted: &Wanted<'_>, json: bool) -> ExitCode {
    let Some(path) = wanted.manifests else {
        return fail(
            exit::usage(),
            &"`gatehouse render migrate MANIFESTS`: a file or a folder with what the gateway runs today",
        );
    };
    let sources = match sources(path) {
        Ok(sources) => sources,
        Err(error) => return fail(exit::usage(), &format!("cannot read `{}`: {error}", path.display())),
    };
    let verdict = wanted.verdict.map(|text| match text.split_once('=') {
        Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
        None => (text.to_owned(), None),
    });
    let asked = Asked { proxies: wanted.proxies.to_vec(), verdict };
    let folder = wanted.output.map_or_else(|| FOLDER.to_owned(), |folder| folder.display().to_string());
    let plan = match Plan::make(&sources, &asked, wanted.values, &folder) {
        Ok(plan) => plan,
        Err(problems) => {
            let problems: Vec<Problem> = problems.0.iter().map(Problem::from).collect();
            return exit::wrong(&problems, json);
        }
    };
    if let Some(folder) = wanted.output {
        for (name, text) in &plan.manifests {
            let path = folder.join(name);
            let done = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, text));
            if let Err(error) = done {
                return fail(exit::refused(), &format!("cannot write `{}`: {error}", path.display()));
            }
        }
    }
    let output = if json { exit::print_json(&plan) } else { print(&plan, wanted.output.is_some()) };
    exit::written(output, if plan.steps.is_empty() { exit::refused() } else { ExitCode::SUCCESS })
}

/// A file, or the manifests of a folder in the order of their names.
fn sources(path: &Path) -> io::Result<Vec<Source>> {
    let mut files: Vec<PathBuf> = vec![path.to_owned()];
    if fs::metadata(path)?.is_dir() {
        files = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json"));
        files.sort();
    }
    let read = |file: PathBuf| {
        if fs::metadata(&file)?.len() > MAX_FILE {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 16 MiB"));
        }
        Ok(Source { name: file.display().to_string(), text: fs::read_to_string(&file)? })
    };
    files.into_iter().map(read).collect()
}

fn print(plan: &Plan, is_written: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if plan.found.is_empty() {
        return writeln!(out, "no detour was found");
    }
    for detour in &plan.found {
        found(detour, &mut out)?;
    }
    if plan.steps.is_empty() {
        return writeln!(out, "nothing is made: say `--proxy HOST` with what is the other product");
    }
    for (at, Step { what, run, undo }) in plan.steps.iter().enumerate() {
        writeln!(out, "\n{}. {what}", at + 1)?;
        run.iter().try_for_each(|line| writeln!(out, "     {}", plain(line)))?;
        undo.iter().try_for_each(|line| writeln!(out, "   undo: {}", plain(line)))?;
    }
    if !is_written {
        writeln!(out, "\n`-o DIR` writes the {} manifests", plan.manifests.len())?;
    }
    Ok(())
}

fn found(detour: &Detour, out: &mut dyn Write) -> io::Result<()> {
    let how = match detour.kind {
        Kind::InvertedHeader => "who lacks a header is sent to",
        Kind::DefaultDestination => "its default destination is",
        Kind::SelectHeader => "its rules select by a header, and send everyone else to",
        Kind::AggregateCluster => "an aggregate cluster prefers",
        Kind::LoopbackServiceEntry => "a service that is this machine:",
    };
    let sure = if detour.possible { "possibly a detour" } else { "detour" };
    write!(out, "{sure}: {} ({}): {how} {}", plain(&detour.object), plain(&detour.place), plain(&detour.proxy))?;
    match &detour.header {
        Some(header) => writeln!(out, "; header `{}`", plain(header)),
        None => writeln!(out),
    }
}
