//! Address ranges as their publishers give them: `{"prefixes": [{"ipv4Prefix": …}, {"ipv6Prefix": …}]}`, or one network a line.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use gatehouse_signals::address::Network;
use serde_json::Value as Json;

use super::ListView;

/// Largest file, bytes.
const MAX_BYTES: u64 = 8 << 20;
/// Networks in one file, at most.
const MAX_NETWORKS: usize = 100_000;
/// A shorter prefix holds too much of the Internet to prove anything: /8 of IPv4, /16 of IPv6.
const SHORTEST: [u8; 2] = [8, 16];

/// Where the ranges of a list may lie.
pub(super) fn paths(folder: &Path, list: &str) -> [PathBuf; 2] {
    [folder.join(format!("{list}.json")), folder.join(format!("{list}.txt"))]
}

/// The ranges of a list, one network a line; `None`: they cannot be had, and the view says why.
pub(super) fn read(list: &str, folder: Option<&Path>) -> (ListView, Option<String>) {
    let mut view = ListView { name: list.into(), file: None, networks: 0, age_days: 0, problem: None };
    let Some(folder) = folder else {
        view.problem = Some("no folder of ranges is configured (`packs: { ranges: DIR }`)".into());
        return (view, None);
    };
    let [json, lines] = paths(folder, list);
    let Some(path) = [&json, &lines].into_iter().find(|path| path.is_file()) else {
        view.problem = Some(format!("there is no `{}` and no `{list}.txt` beside it", json.display()));
        return (view, None);
    };
    view.file = Some(path.clone());
    match load(path) {
        Ok((networks, age_days)) => {
            (view.networks, view.age_days) = (networks.len(), age_days);
            let lines: Vec<String> = networks.iter().map(Network::to_string).collect();
            (view, Some(lines.join("\n")))
        }
        Err(problem) => {
            view.problem = Some(problem);
            (view, None)
        }
    }
}

fn load(path: &Path) -> Result<(Vec<Network>, u64), String> {
    let unreadable = |error: std::io::Error| format!("it cannot be read: {error}");
    let file = File::open(path).map_err(unreadable)?;
    let written = file.metadata().and_then(|metadata| metadata.modified()).map_err(unreadable)?;
    let mut text = String::new();
    file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_BYTES {
        return Err("it is larger than 8 MiB".into());
    }
    let mut networks = if text.trim_start().starts_with(['{', '[']) { of_json(&text)? } else { of_lines(&text)? };
    networks.sort_unstable();
    networks.dedup();
    if networks.is_empty() {
        return Err("it holds no network".into());
    }
    if networks.len() > MAX_NETWORKS {
        return Err(format!("it holds more than {MAX_NETWORKS} networks"));
    }
    let [v4, v6] = SHORTEST;
    let wide = |network: &&Network| network.prefix() < if network.address().is_ipv4() { v4 } else { v6 };
    if let Some(network) = networks.iter().find(wide) {
        return Err(format!("`{network}` holds too much to prove anything; shortest are /{v4} and, of IPv6, /{v6}"));
    }
    Ok((networks, written.elapsed().unwrap_or_default().as_secs() / 86_400))
}

fn of_json(text: &str) -> Result<Vec<Network>, String> {
    let document: Json = serde_json::from_str(text).map_err(|error| format!("it is no JSON: {error}"))?;
    let entries = document.get("prefixes").unwrap_or(&document);
    let Some(entries) = entries.as_array() else { return Err("it has no list `prefixes`".into()) };
    let mut networks = Vec::new();
    for entry in entries {
        let written = match entry {
            Json::String(text) => vec![text.as_str()],
            _ => ["ipv4Prefix", "ipv6Prefix"].iter().filter_map(|key| entry.get(key)?.as_str()).collect(),
        };
        if written.is_empty() {
            return Err("an entry of `prefixes` has neither `ipv4Prefix` nor `ipv6Prefix`".into());
        }
        for text in written {
            networks.push(network(text)?);
        }
    }
    Ok(networks)
}

fn of_lines(text: &str) -> Result<Vec<Network>, String> {
    let mut networks = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let written = line.split('#').next().unwrap_or_default().trim();
        if !written.is_empty() {
            networks.push(network(written).map_err(|problem| format!("line {}: {problem}", at + 1))?);
        }
    }
    Ok(networks)
}

fn network(text: &str) -> Result<Network, String> {
    let cut: String = text.chars().take(64).collect();
    cut.trim().parse().map_err(|error: gatehouse_signals::address::NetworkError| error.to_string())
}
