//! `gatehouse doctor`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use gatehouse::ask::{Admin, AskError, At};
use gatehouse::doctor::{Facts, Report};
use gatehouse::terminal::Paint;
use serde_json::Value;

use super::exit::{self, fail};

/// Largest dump in a file: Envoy's own of a large mesh has a quarter of it.
const MAX_DUMP: u64 = 256 << 20;

#[derive(Args)]
pub(super) struct Arguments {
    /// Admin interface of Envoy [default: http://127.0.0.1:9901, unless a dump is given]; Istio's is on port 15000
    #[arg(long, value_name = "URL", conflicts_with = "config_dump")]
    envoy: Option<String>,
    /// A saved `/config_dump` of Envoy, instead of a running one
    #[arg(long, value_name = "FILE")]
    config_dump: Option<PathBuf>,
    /// Admin listener of the house, such as http://127.0.0.1:9911; without it only Envoy is looked at
    #[arg(long, value_name = "URL")]
    house: Option<String>,
}

pub(super) fn doctor(arguments: &Arguments, json: bool) -> ExitCode {
    let facts = match facts(arguments) {
        Ok(facts) => facts,
        Err((code, problem)) => return fail(code, &problem),
    };
    let report = Report::of(&facts);
    let output = if json { exit::print_json(&report) } else { report.write(&mut io::stdout().lock(), Paint::stdout()) };
    exit::written(output, if report.ok { ExitCode::SUCCESS } else { exit::refused() })
}

fn facts(arguments: &Arguments) -> Result<Facts, (ExitCode, String)> {
    let mut facts = Facts::default();
    match &arguments.config_dump {
        Some(path) => facts.config = Some(saved(path).map_err(|problem| (exit::usage(), problem))?),
        None => {
            let url = arguments.envoy.as_deref().unwrap_or("http://127.0.0.1:9901");
            let envoy = Admin::of(url).map_err(|error| (exit::usage(), error.to_string()))?;
            facts.server = Some(page(&envoy, "/server_info").map_err(|problem| (exit::refused(), problem))?);
            facts.config = page(&envoy, "/config_dump?include_eds=off").ok();
            facts.stats = page(&envoy, "/stats?format=json").ok();
        }
    }
    if let Some(url) = &arguments.house {
        let at = At { admin: Some(url.clone()), data: None };
        let house = Admin::at(&at).map_err(|error| (exit::usage(), error.to_string()))?;
        facts.house = Some(page(&house, "/status"));
    }
    Ok(facts)
}

fn page(admin: &Admin, path: &str) -> Result<Value, String> {
    let answer = admin.ask("GET", path, None).map_err(|error| match error {
        AskError::Silent { authority, source } => format!("nobody answers at `{authority}`: {source}"),
        url @ AskError::Url(_) => url.to_string(),
    })?;
    if answer.status != 200 {
        return Err(format!("`{path}` is answered with {}", answer.status));
    }
    serde_json::from_str(&answer.body)
        .map_err(|error| format!("`{path}` is answered with something that is no JSON: {error}"))
}

fn saved(path: &Path) -> Result<Value, String> {
    let told = |why: String| format!("cannot read `{}`: {why}", path.display());
    let size = fs::metadata(path).map_err(|error| told(error.to_string()))?.len();
    if size > MAX_DUMP {
        return Err(told("it is larger than 256 MiB".into()));
    }
    let bytes = fs::read(path).map_err(|error| told(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| told(format!("it is no JSON: {error}")))
}
