//! `gatehouse doctor`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use clap::Args;
use gatehouse::ask::{Admin, AskError, At};
use gatehouse::doctor::cluster::{Answer, Right, rights};
use gatehouse::doctor::{self, Cluster, Facts, Report};
use gatehouse::ocsf::hex::Hex;
use gatehouse::render::Values;
use gatehouse::terminal::Paint;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::exit::{self, fail};
use super::render;

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
    /// Look at a cluster before the installation, by `kubectl` and its current context
    #[arg(long, conflicts_with_all = ["envoy", "config_dump", "house"])]
    cluster: bool,
    /// The file of values that the manifests are made from: what is found is held against it
    #[arg(long, value_name = "VALUES")]
    values: Option<PathBuf>,
}

pub(super) fn doctor(arguments: &Arguments, json: bool) -> ExitCode {
    let values = match arguments.values.as_deref().map(|path| render::values(Some(path))).transpose() {
        Ok(values) => values,
        Err(wrong) => return wrong.told(json),
    };
    let report = if arguments.cluster {
        let values = match values.map_or_else(|| render::values(None), Ok) {
            Ok(values) => values,
            Err(wrong) => return wrong.told(json),
        };
        Report::before(&cluster(&values), &values)
    } else {
        match facts(arguments, values) {
            Ok(facts) => Report::of(&facts),
            Err((code, problem)) => return fail(code, &problem),
        }
    };
    let output = if json { exit::print_json(&report) } else { report.write(&mut io::stdout().lock(), Paint::stdout()) };
    exit::written(output, if report.ok { ExitCode::SUCCESS } else { exit::refused() })
}

fn facts(arguments: &Arguments, values: Option<Values>) -> Result<Facts, (ExitCode, String)> {
    let mut facts = Facts { values, ..Facts::default() };
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
    for file in facts.config.iter().flat_map(doctor::modules) {
        // Envoy may run elsewhere, or its file be another's to read.
        if let Ok(bytes) = fs::read(&file) {
            facts.digests.insert(file, Hex(Sha256::digest(&bytes)).to_string());
        }
    }
    if let Some(url) = &arguments.house {
        let at = At { admin: Some(url.clone()), data: None };
        let house = Admin::at(&at).map_err(|error| (exit::usage(), error.to_string()))?;
        facts.house = Some(page(&house, "/status"));
    }
    Ok(facts)
}

/// What `kubectl` says of the cluster.
fn cluster(values: &Values) -> Cluster {
    let gateway = &values.gateway;
    let may = |right: &Right| {
        let Right { verb, resource, namespace } = right;
        let done = kubectl(&["auth", "can-i", verb, resource, "--namespace", namespace])?;
        // It says no with exit code 1, and so does a cluster that cannot be asked.
        match String::from_utf8_lossy(&done.stdout).trim() {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(reason(&done)),
        }
    };
    Cluster {
        version: asked(&["version"]),
        definitions: asked(&["get", "customresourcedefinitions"]),
        istiod: asked(&["get", "deployments", "--all-namespaces", "--selector", "app=istiod"]),
        gateway: asked(&["get", "deployment", &gateway.name, "--namespace", &gateway.namespace]),
        rights: rights(values).into_iter().map(|right| (right.clone(), may(&right))).collect(),
    }
}

fn asked(arguments: &[&str]) -> Answer {
    let done = kubectl(&[arguments, &["--output", "json"]].concat())?;
    if !done.status.success() {
        return Err(reason(&done));
    }
    serde_json::from_slice(&done.stdout)
        .map_err(|error| format!("`kubectl` answers with something that is no JSON: {error}"))
}

fn kubectl(arguments: &[&str]) -> Result<Output, String> {
    let done = Command::new("kubectl").args(["--request-timeout", "20s"]).args(arguments).output();
    done.map_err(|error| format!("cannot start `kubectl`: {error}"))
}

/// Its last word on what went wrong; on standard output it may have begun an answer.
fn reason(done: &Output) -> String {
    let said = String::from_utf8_lossy(&done.stderr);
    said.lines().last().unwrap_or("`kubectl` failed without a word").to_owned()
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
