//! What is judged, in the order in which to mend it: Envoy, the gate in its chains, the way to the house, what flows.

use serde_json::Value;

use super::dump::{Chain, Cluster, Dump, Gate, at};
use super::{Facts, Finding, State, connections, shown};

/// The oldest Envoy that the gate is tested on.
const OLDEST: (u64, u64) = (1, 36);
/// What Envoy and Istio call the last filter of a chain.
const ROUTER: &str = "envoy.filters.http.router";
const JWT: [&str; 2] = ["envoy.filters.http.jwt_authn", "istio_authn"];

/// All checks that can be made with what is known.
pub(super) fn all(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![version(facts.server.as_ref())];
    match &facts.config {
        None => findings.push(unknown(
            "filter chains",
            "Envoy's configuration was not read",
            "--envoy http://127.0.0.1:9901",
        )),
        Some(config) => configured(&Dump::read(config), facts, &mut findings),
    }
    if let Some(stats) = &facts.stats {
        findings.extend([decisions(stats), sound(stats), stream(stats)]);
        findings.extend(refusals(stats));
    }
    if let Some(house) = &facts.house {
        match house {
            Ok(status) => findings.extend(at_home(status, facts.stats.as_ref())),
            Err(why) => {
                findings.push(wrong("house", shown(why), "gatehouse run, or `kubectl logs -c gatehouse` in its pod"))
            }
        }
    }
    findings
}

pub(super) fn ok(check: &'static str, said: impl Into<String>) -> Finding {
    Finding { check, state: State::Ok, said: said.into(), next: None }
}

pub(super) fn wrong(check: &'static str, said: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding { check, state: State::Wrong, said: said.into(), next: Some(next.into()) }
}

pub(super) fn unknown(check: &'static str, said: impl Into<String>, next: impl Into<String>) -> Finding {
    Finding { check, state: State::Unknown, said: said.into(), next: Some(next.into()) }
}

/// `commit/1.40.0/Clean/RELEASE/BoringSSL`.
fn version(server: Option<&Value>) -> Finding {
    let Some(text) = server.and_then(|server| at(server, "/version").as_str()) else {
        return unknown("Envoy", "its version was not read", "--envoy http://127.0.0.1:9901 (Istio: 15000)");
    };
    let version = text.split('/').nth(1).unwrap_or(text);
    match numbers(version) {
        Some(found) if found >= OLDEST => ok("Envoy", shown(version)),
        Some(_) => wrong(
            "Envoy",
            format!("{} is older than 1.36", shown(version)),
            "use an Envoy of 1.36 or newer (Istio 1.28)",
        ),
        None => unknown("Envoy", format!("`{}` is no version", shown(text)), "envoy --version"),
    }
}

/// `1.31.2-distroless`: its first two numbers.
pub(super) fn numbers(text: &str) -> Option<(u64, u64)> {
    let mut parts = text.split(['.', '-', '+']).map(str::parse::<u64>);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

fn configured(dump: &Dump, facts: &Facts, findings: &mut Vec<Finding>) {
    let with: Vec<(&Chain, usize, &Gate)> = dump.chains.iter().filter_map(gate_of).collect();
    let missing = connections::unfetched(dump);
    let is_told = !missing.is_empty();
    findings.extend(missing);
    findings.extend(connections::fronts(dump));
    let Some((_, _, gate)) = with.first() else {
        // Only connections are guarded here, or it was just said why there is no gate.
        if let Some(gate) = dump.fronts.iter().find_map(|front| front.gate.as_ref().ok()) {
            findings.extend([on_failure(gate), module(gate, facts)]);
            way(gate, dump, findings);
        }
        if !dump.fronts.is_empty() || is_told {
            return;
        }
        let next = "gatehouse render envoy (or istio); in Istio: istioctl proxy-config ecds DEPLOYMENT.NAMESPACE";
        findings.push(wrong("gate", format!("in none of {} filter chains", dump.chains.len()), next));
        return;
    };
    let without: Vec<String> =
        dump.chains.iter().filter(|chain| gate_of(chain).is_none()).map(|chain| shown(&chain.name)).collect();
    let said = format!("in {} of {} filter chains", with.len(), dump.chains.len());
    findings.push(if without.is_empty() {
        ok("gate", said)
    } else {
        unknown(
            "gate",
            format!("{said}; not in {}", without.join(", ")),
            "look whether requests from outside come through those",
        )
    });
    findings.extend(
        with.iter()
            .map(|(chain, at, _)| place(chain, *at))
            .find(|place| place.state != State::Ok)
            .or_else(|| with.first().map(|(chain, at, _)| place(chain, *at))),
    );
    findings.push(peer(&with));
    findings.extend(facts.values.as_ref().map(|values| hops(&with, values.gateway.trusted_proxies)));
    findings.push(on_failure(gate));
    findings.push(module(gate, facts));
    way(gate, dump, findings);
}

fn gate_of(chain: &Chain) -> Option<(&Chain, usize, &Gate)> {
    let found = chain.filters.iter().enumerate().find_map(|(at, filter)| Some((at, filter.gate.as_ref()?)));
    found.map(|(at, gate)| (chain, at, gate))
}

fn place(chain: &Chain, at: usize) -> Finding {
    let before = |name: &str| chain.filters.iter().skip(at + 1).any(|filter| filter.name == name);
    if let Some(late) = JWT.iter().find(|name| before(name)) {
        let next = "put the gate after it (Istio: `phase: AUTHZ`), or its claims are always absent";
        return wrong("place", format!("`{late}` stands after the gate"), next);
    }
    if !before(ROUTER) {
        return wrong("place", "no router stands after the gate", "the router is the last filter of a chain");
    }
    ok("place", format!("filter {} of {}", at + 1, chain.filters.len()))
}

/// Without it no forwarded header is believed, and every client behind a proxy is one.
fn peer(with: &[(&Chain, usize, &Gate)]) -> Finding {
    let told = |(chain, place, gate): &(&Chain, usize, &Gate)| {
        let otherwise = gate.bootstrap.as_ref().is_some_and(|bootstrap| at(bootstrap, "/peer") == "use_remote_address");
        otherwise || chain.peer_told || chain.filters.iter().take(*place).any(|filter| filter.tells_peer)
    };
    if with.iter().all(told) {
        return ok("direct peer", "told to the gate before it");
    }
    let next = "put the network filter `set_filter_state` for `gatehouse.peer` before the connection manager: deploy/envoy/envoy.yaml, or mesh.yaml of `gatehouse render istio`";
    wrong("direct peer", "nobody tells the gate who opened the connection", next)
}

fn on_failure(gate: &Gate) -> Finding {
    match gate.on_failure.as_str() {
        "FAIL_RELOAD" => ok("after a trap", "the module is loaded anew"),
        "FAIL_OPEN" => {
            let next = "`failure_policy: FAIL_RELOAD` (Istio: `failStrategy`), unless the module comes from a registry: docs/install.md";
            unknown("after a trap", "FAIL_OPEN: a worker goes on without the gate until Envoy starts again", next)
        }
        other => {
            let said = if other.is_empty() { "nothing is written, which is FAIL_CLOSED" } else { other };
            let next =
                "`failure_policy: FAIL_RELOAD` (Istio: `failStrategy`): now that worker would answer 503 for ever";
            wrong("after a trap", shown(said), next)
        }
    }
}

/// Envoy's own view of the client, in its logs and for other filters, must be the gate's.
fn hops(with: &[(&Chain, usize, &Gate)], wanted: i64) -> Finding {
    let other = with.iter().find(|(chain, ..)| chain.trusted_hops != u64::try_from(wanted).unwrap_or(0));
    match other {
        None => ok("trusted proxies", format!("{wanted} before Envoy, as the values say")),
        Some((chain, ..)) => wrong(
            "trusted proxies",
            format!("Envoy trusts {} in {}, the values say {wanted}", chain.trusted_hops, shown(&chain.name)),
            "render again with the same `gateway.trustedProxies`, or mend Envoy's `xff_num_trusted_hops` (Istio: numTrustedProxies)",
        ),
    }
}

fn module(gate: &Gate, facts: &Facts) -> Finding {
    // Istio's agent puts it there, and names it by its digest.
    let Some(file) = &gate.file else { return ok("module", "fetched by Envoy") };
    let Some(digest) = facts.digests.get(file) else { return ok("module", shown(file)) };
    match facts.values.as_ref().and_then(|values| values.module.sha256.as_ref()) {
        Some(wanted) if wanted != digest && !file.contains(wanted.as_str()) => {
            let next = "bring the module that the values name, or write the digest of this one into `module.sha256`";
            wrong("module", format!("{} has SHA-256 {digest}", shown(file)), next)
        }
        _ => ok("module", format!("{}, SHA-256 {digest}", shown(file))),
    }
}

fn way(gate: &Gate, dump: &Dump, findings: &mut Vec<Finding>) {
    let Some(bootstrap) = &gate.bootstrap else {
        findings.push(unknown(
            "bootstrap",
            "there is none, or it is no JSON: no house, no records",
            "deploy/envoy/README.md, The gate's configuration",
        ));
        return;
    };
    let Some(name) = at(bootstrap, "/house/cluster").as_str() else {
        findings.push(unknown(
            "bootstrap",
            "it names no house: only its own policy decides, and no records are made",
            "`house: { cluster: … }`",
        ));
        return;
    };
    let authority = at(bootstrap, "/house/authority").as_str().unwrap_or(name);
    findings.push(if authority.is_empty() || authority.contains(['|', ' ', '/']) {
        wrong(
            "authority",
            format!("`{}` is refused by HTTP/2", shown(authority)),
            "`house: { authority: gatehouse }` in the gate's configuration",
        )
    } else {
        ok("authority", shown(authority))
    });
    match dump.clusters.get(name) {
        None => {
            let next = "`mesh.yaml` of `gatehouse render istio`, or the cluster `gatehouse` of deploy/envoy/envoy.yaml";
            findings.push(wrong("house's cluster", format!("`{}` is not there", shown(name)), next));
        }
        Some(cluster) => findings.push(cluster_is_sound(name, cluster)),
    }
}

fn cluster_is_sound(name: &str, cluster: &Cluster) -> Finding {
    let slow = cluster
        .connect_timeout
        .strip_suffix('s')
        .and_then(|seconds| seconds.parse::<f64>().ok())
        .is_none_or(|s| s > 1.0);
    let lacks: Vec<&str> = [
        (!cluster.http2, "HTTP/2"),
        (slow, "connect_timeout of 1s"),
        (!cluster.keepalive, "connection_keepalive"),
        (!cluster.outliers, "outlier_detection"),
    ]
    .into_iter()
    .filter_map(|(lacking, what)| lacking.then_some(what))
    .collect();
    if lacks.is_empty() {
        return ok("house's cluster", format!("`{}`, watched", shown(name)));
    }
    let next = "take the cluster of `gatehouse render envoy` (Istio: `mesh.yaml`, `house.yaml`)";
    wrong("house's cluster", format!("`{}` lacks {}", shown(name), lacks.join(", ")), next)
}

/// A counter of Envoy whose name ends so; metrics of filters stand below `wasmcustom.`.
fn counter(stats: &Value, name: &str) -> Option<u64> {
    let all = at(stats, "/stats").as_array()?;
    let mut found =
        all.iter().filter(|one| at(one, "/name").as_str().is_some_and(|known| known.ends_with(name))).peekable();
    found.peek()?;
    Some(found.filter_map(|one| at(one, "/value").as_u64()).sum())
}

fn decisions(stats: &Value) -> Finding {
    match counter(stats, "gatehouse_gate_seen_total") {
        Some(0) => unknown("requests", "none came through the gate yet", "curl the gateway, then ask again"),
        Some(seen) => ok("requests", format!("{seen} seen by the gate")),
        None => wrong(
            "requests",
            "Envoy has no counter of the gate: its module does not run",
            "look for `wasm` in Envoy's log",
        ),
    }
}

/// A refusal at egress reads as one of Envoy's own does.
fn refusals(stats: &Value) -> Option<Finding> {
    let by_rbac = counter(stats, "rbac.denied").filter(|denied| *denied > 0)?;
    let by_gate = counter(stats, "gatehouse_decisions_block_total").unwrap_or(0);
    let said = format!("{by_gate} by the gate, {by_rbac} by Envoy's RBAC filter; both may say `RBAC: access denied`");
    Some(ok("refusals", said))
}

fn sound(stats: &Value) -> Finding {
    let traps = counter(stats, "vm_reload_success").unwrap_or(0);
    let failures = counter(stats, "gatehouse_host_failures_total").unwrap_or(0);
    if traps == 0 && failures == 0 {
        return ok("soundness", "no trap, no call of Envoy that failed");
    }
    let said = format!("{traps} reloads after traps, {failures} calls of Envoy that failed");
    unknown("soundness", said, "a trap is a security bug: send Envoy's log to the maintainers")
}

fn stream(stats: &Value) -> Finding {
    let opened = counter(stats, "gatehouse_streams_opened_total").unwrap_or(0);
    let closed = counter(stats, "gatehouse_streams_closed_total").unwrap_or(0);
    if opened > closed {
        return ok("stream to the house", format!("{} open", opened - closed));
    }
    let next = "gatehouse doctor --house http://127.0.0.1:9911; in Envoy: /clusters?filter=gatehouse and cluster.gatehouse.* of /stats";
    wrong("stream to the house", format!("none is open ({opened} were)"), next)
}

fn at_home(status: &Value, stats: Option<&Value>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let version = at(status, "/version").as_str().unwrap_or_default();
    findings.push(ok("house", format!("version {}", shown(version))));
    if let Some(waiting) = at(status, "/gates/waiting").as_str() {
        findings.push(wrong("door for gates", shown(waiting), "bring the file that it names"));
    }
    let (current, workers) = (at(status, "/policy/workers_current").as_u64(), at(status, "/policy/workers").as_u64());
    let revision = at(status, "/policy/revision").as_u64().unwrap_or(0);
    findings.push(match (revision, current, workers) {
        (_, _, Some(0) | None) => {
            wrong("workers", "none is attached", "gatehouse doctor --envoy http://127.0.0.1:9901")
        }
        (0, ..) => {
            wrong("policy", "the house has none to give", "gatehouse check POLICIES, then put them into its folder")
        }
        (_, Some(current), Some(workers)) if current == workers => {
            ok("policy", format!("revision {revision} in force in {current} of {workers} workers"))
        }
        (_, current, Some(workers)) => {
            let said = format!("revision {revision} in force in {} of {workers} workers", current.unwrap_or(0));
            wrong("policy", said, "curl 127.0.0.1:9911/status: `streams` says who refused it and why")
        }
    });
    let problems = at(status, "/policy/problems").as_array().map_or(0, Vec::len);
    if problems > 0 {
        findings.push(wrong(
            "policy folder",
            format!("{problems} problems; the last good one stays"),
            "gatehouse check FOLDER",
        ));
    }
    findings.push(books(status, stats));
    findings.extend(sinks(status));
    findings
}

fn books(status: &Value, stats: Option<&Value>) -> Finding {
    let difference = at(status, "/books/total/difference").as_i64();
    let seen = stats.and_then(|stats| counter(stats, "gatehouse_gate_seen_total"));
    let stored = at(status, "/books/total/stored").as_u64();
    match (difference, seen, stored) {
        (Some(0), Some(seen), Some(0)) if seen > 0 => wrong(
            "records",
            format!("{seen} requests seen and none stored"),
            "gatehouse books, gatehouse spool stat FOLDER",
        ),
        (Some(0), _, stored) => ok("records", format!("{} stored, the books close", stored.unwrap_or(0))),
        _ => wrong("records", "the books do not close", "gatehouse books"),
    }
}

fn sinks(status: &Value) -> Vec<Finding> {
    let all = at(status, "/sinks").as_array().into_iter().flatten();
    let trouble = |sink: &Value| {
        let (name, problem) = (at(sink, "/name").as_str()?, at(sink, "/problem").as_str()?);
        Some(wrong(
            "sink",
            format!("`{}`: {}", shown(name), shown(problem)),
            "docs/operations.md, GatehouseSinkTroubled",
        ))
    };
    all.filter_map(trouble).collect()
}
