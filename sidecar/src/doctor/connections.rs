//! The gate before TCP services; and modules that never came, before services of either kind.

use super::checks::{ok, wrong};
use super::dump::{Dump, Front, Gate, StandIn, at};
use super::{Finding, shown};

/// Modules that are not there. What Istio's agent puts in their place speaks as the gate does at egress, so it is told first.
pub(super) fn unfetched(dump: &Dump) -> Vec<Finding> {
    let requests = dump.chains.iter().flat_map(|chain| &chain.filters);
    let mut found: Vec<(&str, StandIn, &str)> =
        requests.filter_map(|filter| Some((&*filter.name, filter.stand_in?, "request"))).collect();
    found.extend(
        dump.fronts
            .iter()
            .filter_map(|front| Some((&*front.filter, front.gate.as_ref().err().copied()?, "connection"))),
    );
    // One word for each, the worst: a listener that waits stands beside the one that it is to replace.
    found.sort_unstable();
    found.dedup_by_key(|(name, ..)| *name);
    found.into_iter().map(|(name, stand_in, what)| finding(name, stand_in, what)).collect()
}

fn finding(name: &str, stand_in: StandIn, what: &str) -> Finding {
    let said = match (stand_in, what) {
        (StandIn::Awaited, _) => "has not come yet, and its listener waits for it".to_owned(),
        (StandIn::Allows, _) => format!("could not be fetched by Istio's agent: every {what} passes without it"),
        (StandIn::Denies, "request") => {
            "could not be fetched by Istio's agent: every request is refused in its place, with 403 and `RBAC: access denied`, by no policy of \
             yours"
                .to_owned()
        }
        (StandIn::Denies, _) => {
            format!("could not be fetched by Istio's agent: every {what} is refused in its place, by no policy of yours")
        }
    };
    wrong(
        "module",
        format!("`{}` {said}", shown(name)),
        "look for `wasm` in the log of the proxy's container: registry, pull secret, digest; docs/install.md",
    )
}

/// The gates before TCP services.
pub(super) fn fronts(dump: &Dump) -> Option<Finding> {
    let gates: Vec<(&Front, &Gate)> =
        dump.fronts.iter().filter_map(|front| Some((front, front.gate.as_ref().ok()?))).collect();
    let stuck = gates.iter().find(|(front, gate)| !front.reads_early && waits(gate));
    match stuck {
        Some((front, _)) => Some(wrong(
            "connections",
            format!(
                "`{}` reads nothing until it is connected on, so that nobody can prove who it is",
                shown(&front.name)
            ),
            "`max_early_data_bytes: 4096` in its tcp_proxy (Envoy 1.37), or `tcp: { decides: atFirstData }` in the gate's configuration",
        )),
        None => (!gates.is_empty()).then(|| ok("connections", format!("judged before {} TCP services", gates.len()))),
    }
}

/// It holds a connection until it has judged it.
fn waits(gate: &Gate) -> bool {
    gate.bootstrap.as_ref().is_none_or(|bootstrap| at(bootstrap, "/tcp/decides") != "atFirstData")
}
