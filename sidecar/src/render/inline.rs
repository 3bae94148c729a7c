//! `--inline`: a policy that stands in the gate's configuration.

use std::path::Path;

use serde_json::Value;

use super::Values;
use crate::check;
use crate::policies::Problem;

/// Largest policy in a gate's configuration, bytes of JSON.
const MAX_INLINE: usize = 64 * 1024;

/// Why a policy cannot stand in a configuration.
#[derive(Debug)]
pub enum Wrong {
    /// It cannot be read, in words.
    Unreadable(String),
    /// What is wrong with it.
    Problems(Vec<Problem>),
}

/// The one document in this file, checked, as JSON.
///
/// # Errors
/// It cannot be read, is no policy, is several, is too large, or trusts another number of proxies than the values do.
pub fn read(path: &Path, values: &Values) -> Result<String, Wrong> {
    let paths = [path.to_owned()];
    let unreadable = |error| Wrong::Unreadable(format!("cannot read {error}"));
    let documents = check::canonical(&paths).map_err(unreadable)?.map_err(Wrong::Problems)?;
    let [document] = documents.as_slice() else {
        return Err(wrong(
            path,
            "several documents stand here",
            "a gate's configuration holds one; the house has as many as you like",
        ));
    };
    let value = serde_json::to_value(document).unwrap_or_default();
    same_proxies(path, &value, values)?;
    let text = value.to_string();
    if text.len() > MAX_INLINE {
        let message = format!("the policy has {} bytes, a gate's configuration holds {MAX_INLINE}", text.len());
        return Err(wrong(path, &message, "let the house hand it out"));
    }
    Ok(text)
}

/// Whether a policy as JSON is a `TcpPolicy`.
pub(super) fn speaks_of_connections(policy: &str) -> bool {
    serde_json::from_str::<Value>(policy).is_ok_and(|policy| policy.get("kind").is_some_and(|kind| kind == "TcpPolicy"))
}

/// What the gateway trusts and what the policy trusts are one number, or a client could write its own address.
fn same_proxies(path: &Path, policy: &Value, values: &Values) -> Result<(), Wrong> {
    let said = ["/spec/client/address/hops", "/spec/defaults/client/address/hops"];
    let hops = said.iter().find_map(|at| policy.pointer(at)).and_then(Value::as_i64);
    let trusted = values.gateway.trusted_proxies;
    match hops {
        Some(hops) if hops != trusted => {
            let message = format!("`client.address` trusts {hops} proxies and `gateway.trustedProxies` is {trusted}");
            Err(wrong(path, &message, "write the same number in both"))
        }
        _ => Ok(()),
    }
}

fn wrong(path: &Path, message: &str, help: &str) -> Wrong {
    Wrong::Problems(vec![Problem { place: path.display().to_string(), message: message.into(), help: help.into() }])
}
