//! `gatehouse completions` and `gatehouse manual`, made from the arguments themselves.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use serde_json::json;

use super::exit::{self, fail};

#[derive(Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Args)]
pub(super) struct Manual {
    /// Folder that the pages are written to, one for each verb
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(super) fn completions(arguments: &Completions, json: bool) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut super::Arguments::command(), "gatehouse", &mut script);
    let output = if json {
        let script = String::from_utf8_lossy(&script);
        exit::print_json(&json!({ "shell": arguments.shell.to_string(), "script": script }))
    } else {
        io::stdout().lock().write_all(&script)
    };
    exit::written(output, ExitCode::SUCCESS)
}

pub(super) fn manual(arguments: &Manual, json: bool) -> ExitCode {
    let pages = match pages(arguments) {
        Ok(pages) => pages,
        Err(error) => {
            let folder = arguments.folder.display();
            return fail(exit::usage(), &format!("cannot write the manual to `{folder}`: {error}"));
        }
    };
    let output = if json {
        exit::print_json(&json!({ "files": pages }))
    } else {
        let mut out = io::stdout().lock();
        pages.iter().try_for_each(|page| writeln!(out, "{}", page.display()))
    };
    exit::written(output, ExitCode::SUCCESS)
}

fn pages(arguments: &Manual) -> io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(&arguments.folder)?;
    let mut command = super::Arguments::command();
    // What holds for every verb is told on every verb's page.
    command.build();
    let verbs: Vec<clap::Command> = command.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let mut written = Vec::new();
    for page in core::iter::once(command).chain(verbs) {
        let name = page.get_display_name().unwrap_or(page.get_name()).to_owned();
        let path = arguments.folder.join(format!("{name}.1"));
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text)?;
        std::fs::write(&path, text)?;
        written.push(path);
    }
    Ok(written)
}
