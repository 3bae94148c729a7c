//! What is to be done, and the manifests for it.

use gatehouse_policy::document::{Node, Problems};
use serde::Serialize;

use super::tree::{Source, Tree, named, read, write};
use super::{Asked, Detour, Kind, envoy, find};
use crate::render::{self, Target, Values, scalar_text};

/// Of the policy that compares, and of its rule for the other product's verdict.
const POLICY: &str = "migrate";

/// What was found and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The detours.
    pub found: Vec<Detour>,
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// Path and text of each manifest.
    pub manifests: Vec<(String, String)>,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it does.
    pub what: String,
    /// What to type.
    pub run: Vec<String>,
    /// What to type to be where one was before it.
    pub undo: Vec<String>,
}

/// Where an object is applied.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Cluster,
    Bridge,
    Envoy,
}

/// An object that changes.
struct Change<'d> {
    before: &'d Node,
    /// `None`: nothing of it is left.
    after: Option<Node>,
    place: Place,
    file: String,
}

impl Plan {
    /// Reads manifests and says what to do; `folder` is where the manifests will stand.
    ///
    /// # Errors
    /// A manifest that cannot be read, with its place.
    pub fn make(sources: &[Source], asked: &Asked, values: &Values, folder: &str) -> Result<Self, Problems> {
        let documents = read(sources)?;
        let found = find::all(&documents, asked);
        let mut plan = Self { found, steps: Vec::new(), manifests: Vec::new() };
        let changes = plan.changes(&documents, asked);
        if !changes.is_empty() {
            plan.side_by_side(&changes, asked, values, folder);
            plan.compare();
            plan.enforce();
            plan.switch(&changes, values, folder);
            plan.leave(&documents, folder);
        }
        Ok(plan)
    }

    fn changes<'d>(&self, documents: &'d [Node], asked: &Asked) -> Vec<Change<'d>> {
        let certain: Vec<&Detour> = self.found.iter().filter(|detour| !detour.possible).collect();
        let proxies: Vec<&str> = certain.iter().map(|detour| host_of(&detour.proxy)).collect();
        let known = |host: &str| proxies.contains(&host) || asked.proxies.iter().any(|proxy| proxy == host);
        let mut changes = Vec::new();
        for (at, before) in documents.iter().enumerate() {
            let touched =
                certain.iter().any(|detour| detour.document == at && detour.kind != Kind::LoopbackServiceEntry);
            if !touched {
                continue;
            }
            let mut after = before.clone();
            let kind = before.text("kind");
            let left = match kind {
                Some("EnvoyFilter") | None => envoy::straighten(&mut after),
                Some(_) => {
                    find::straighten(&mut after, &known);
                    true
                }
            };
            let place = match kind {
                None => Place::Envoy,
                Some(_) if before.text("apiVersion").is_some_and(|version| version.contains("tsb.")) => Place::Bridge,
                Some(_) => Place::Cluster,
            };
            let file = if place == Place::Envoy { "envoy.yaml".to_owned() } else { file_of(before) };
            changes.push(Change { before, after: left.then_some(after), place, file });
        }
        changes
    }

    fn put(&mut self, path: String, text: String) {
        self.manifests.push((path, text));
    }

    fn step(&mut self, what: impl Into<String>, run: Vec<String>, undo: Vec<String>) {
        self.steps.push(Step { what: what.into(), run, undo });
    }

    fn side_by_side(&mut self, changes: &[Change<'_>], asked: &Asked, values: &Values, folder: &str) {
        let policy = policy(self.found.iter().find_map(|detour| detour.header.as_deref()), asked);
        let at = format!("{folder}/1-side-by-side");
        self.put("1-side-by-side/migrate.yaml".into(), policy.clone());
        let (mut run, mut undo) = (Vec::new(), Vec::new());
        for change in changes.iter().filter(|change| change.place == Place::Envoy) {
            if let Some(guarded) = envoy::with_gate(change.before, values) {
                self.put("1-side-by-side/envoy.yaml".into(), write([&guarded]));
            }
            run.push(format!("copy {at}/migrate.yaml into the house's folder of policies, and start the house"));
            run.push(format!("envoy --mode validate -c {at}/envoy.yaml, and start Envoy with it"));
            undo.push(format!("start Envoy with {folder}/undo/envoy.yaml"));
        }
        if changes.iter().any(|change| change.place != Place::Envoy) {
            let wanted = ["house.yaml", "house-config.yaml", "house-patch.yaml", "mesh.yaml", "gate.yaml"];
            let made = render::render(Target::Istio, values, None).unwrap_or_default();
            let made: Vec<_> = made.into_iter().filter(|manifest| wanted.contains(&manifest.name)).collect();
            let patch = format!("data:\n  migrate.yaml: {}\n", serde_json::Value::from(policy.as_str()));
            self.put("1-side-by-side/policies-patch.yaml".into(), patch);
            let (name, gateway) = (&values.name, &values.gateway);
            let beside = values.shape == "beside";
            let house_namespace = if beside { &gateway.namespace } else { &values.house.namespace };
            let policies = format!("kubectl -n {house_namespace} patch configmap {name}-policies --type merge");
            for manifest in ["house.yaml", "house-config.yaml", "mesh.yaml"] {
                if made.iter().any(|one| one.name == manifest) {
                    run.push(format!("kubectl apply -f {at}/{manifest}"));
                }
            }
            run.push(format!("{policies} --patch-file {at}/policies-patch.yaml"));
            if beside {
                let deployment = format!("deployment {}", gateway.name);
                run.push(format!(
                    "kubectl -n {} patch {deployment} --patch-file {at}/house-patch.yaml",
                    gateway.namespace
                ));
                run.push(format!("kubectl -n {} rollout status {deployment}", gateway.namespace));
                undo.push(format!("kubectl -n {} rollout undo {deployment}", gateway.namespace));
            }
            run.push(format!("kubectl apply -f {at}/gate.yaml"));
            undo.insert(0, format!("kubectl delete -f {at}/gate.yaml -f {at}/mesh.yaml"));
            undo.push(format!("kubectl delete -f {at}/house-config.yaml"));
            for manifest in made {
                self.put(format!("1-side-by-side/{}", manifest.name), manifest.text);
            }
        }
        self.step("both side by side: the gate judges in monitor mode before the other product does", run, undo);
    }

    fn compare(&mut self) {
        let run = vec![format!("gatehouse compare --rule {POLICY}/theirs --without {POLICY}/returned EVENTS")];
        self.step(
            "compare the verdicts for some days, and write what is missing into your own documents",
            run,
            Vec::new(),
        );
    }

    fn enforce(&mut self) {
        let run = vec!["`mode: canary 10%` in your own documents, then `mode: enforce`".to_owned()];
        let undo = vec!["gatehouse mode monitor --for 1h --reason …".to_owned(), "`mode: monitor`".to_owned()];
        self.step("enforce your own documents while the detour is still there", run, undo);
    }

    fn switch(&mut self, changes: &[Change<'_>], values: &Values, folder: &str) {
        let (mut run, mut undo) = (Vec::new(), Vec::new());
        for Change { before, after, place, file } in changes {
            let tool = if *place == Place::Bridge { "tctl" } else { "kubectl" };
            self.put(format!("undo/{file}"), write([*before]));
            match (place, after) {
                (Place::Envoy, Some(after)) => {
                    let guarded = envoy::with_gate(after, values);
                    self.put(format!("2-switch/{file}"), write([guarded.as_ref().unwrap_or(after)]));
                    run.push(format!("envoy --mode validate -c {folder}/2-switch/{file}, and start Envoy with it"));
                    undo.push(format!("start Envoy with {folder}/1-side-by-side/{file}"));
                }
                (_, Some(after)) => {
                    self.put(format!("2-switch/{file}"), write([after]));
                    run.push(format!("{tool} apply -f {folder}/2-switch/{file}"));
                    undo.push(format!("{tool} apply -f {folder}/undo/{file}"));
                }
                (_, None) => {
                    run.push(format!("{tool} delete -f {folder}/undo/{file}"));
                    undo.push(format!("{tool} apply -f {folder}/undo/{file}"));
                }
            }
        }
        self.step("take the detour out; nothing else of the routes changes", run, undo);
    }

    fn leave(&mut self, documents: &[Node], folder: &str) {
        let mut run =
            vec![format!("take `migrate.yaml` out of the policies: its rule `{POLICY}/returned` believes a header")];
        let mut undo = Vec::new();
        let loopback: Vec<usize> = self
            .found
            .iter()
            .filter(|detour| detour.kind == Kind::LoopbackServiceEntry)
            .map(|detour| detour.document)
            .collect();
        for document in loopback.into_iter().filter_map(|at| documents.get(at)) {
            let file = file_of(document);
            self.put(format!("3-remove/{file}"), write([document]));
            run.push(format!("kubectl delete -f {folder}/3-remove/{file}"));
            undo.push(format!("kubectl apply -f {folder}/3-remove/{file}"));
        }
        run.push("remove the other product's workload and clusters".to_owned());
        self.step("leave the other product", run, undo);
    }
}

/// The policy that runs side by side with the other product.
fn policy(header: Option<&str>, asked: &Asked) -> String {
    let theirs = match &asked.verdict {
        Some((name, Some(value))) => format!("headers: {{ {}: {} }}", scalar_text(name), scalar_text(value)),
        Some((name, None)) => format!("headers: {{ {}: {{ present: true }} }}", scalar_text(name)),
        None => "status: [403, 429]".to_owned(),
    };
    let returned = header.map_or_else(String::new, |header| {
        format!(
            "    # Came back from the other product and was judged on its first way. Whoever sends the header is believed, here as there.\n    \
             - name: returned\n      priority: 1000\n      mode: enforce\n      match: {{ headers: {{ {}: {{ present: true }} }} }}\n      \
             then: allow\n",
            scalar_text(header)
        )
    });
    format!(
        "# Made by `gatehouse render migrate`, for the time in which both products judge. It blocks nothing.\napiVersion: gatehouse.dev/v1\n\
         kind: Policy\nmetadata:\n  name: {POLICY}\nspec:\n  mode: monitor\n  rules:\n{returned}    # The other product's own answer.\n    \
         - name: theirs\n      match: {{ response: {{ {theirs} }} }}\n      then: block\n"
    )
}

fn host_of(proxy: &str) -> &str {
    proxy.rsplit_once(':').map_or(proxy, |(host, _)| host)
}

fn file_of(object: &Node) -> String {
    let safe =
        |letter: char| if letter.is_ascii_alphanumeric() || letter == '.' { letter.to_ascii_lowercase() } else { '-' };
    format!("{}.yaml", named(object).chars().map(safe).collect::<String>())
}
