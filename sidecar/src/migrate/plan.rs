//! What is to be done, and the manifests for it.

use gatehouse_policy::document::{self, Node, Problems};
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
    /// As it was, with the gate in it: a configuration of Envoy has no other place for it.
    beside: Option<Node>,
    /// Without the detour; `None`: nothing of it is left.
    after: Option<Node>,
    place: Place,
    file: String,
}

impl Plan {
    /// Reads manifests and says what to do; `folder` is where the manifests will stand.
    ///
    /// # Errors
    /// A manifest that cannot be read, or that has no place for the gate, with its place; values that lack something.
    pub fn make(sources: &[Source], asked: &Asked, values: &Values, folder: &str) -> Result<Self, Problems> {
        let documents = read(sources)?;
        let found = find::all(&documents, asked);
        let mut plan = Self { found, steps: Vec::new(), manifests: Vec::new() };
        let mut problems = Problems::default();
        let changes = plan.changes(&documents, asked, values, &mut problems);
        if !changes.is_empty() {
            plan.side_by_side(&changes, asked, values, folder, &mut problems);
            plan.compare();
            plan.enforce();
            plan.switch(&changes, folder);
            plan.leave(&documents, folder);
        }
        problems.or(plan)
    }

    fn changes<'d>(
        &self,
        documents: &'d [Node],
        asked: &Asked,
        values: &Values,
        problems: &mut Problems,
    ) -> Vec<Change<'d>> {
        let certain: Vec<&Detour> = self.found.iter().filter(|detour| !detour.possible).collect();
        let proxies: Vec<&str> = certain.iter().map(|detour| host_of(&detour.proxy)).collect();
        let known = |host: &str| proxies.contains(&host) || asked.proxies.iter().any(|proxy| proxy == host);
        let touched =
            |at: usize| certain.iter().any(|detour| detour.document == at && detour.kind != Kind::LoopbackServiceEntry);
        let (mut changes, mut envoys) = (Vec::new(), 0);
        for (_, before) in documents.iter().enumerate().filter(|(at, _)| touched(*at)) {
            let mut after = before.clone();
            let change = match before.text("kind") {
                None => {
                    envoy::straighten(&mut after);
                    let guarded = [before, &after].map(|document| envoy::with_gate(document, values));
                    let [Some(beside), Some(after)] = guarded else {
                        let message = "this configuration of Envoy has no place for the gate: no connection manager with a router, or no static clusters";
                        problems.push(
                            &before.place,
                            message,
                            "write them into one file, or put the gate in by hand: docs/install.md",
                        );
                        continue;
                    };
                    envoys += 1;
                    let file = if envoys == 1 { "envoy.yaml".to_owned() } else { format!("envoy-{envoys}.yaml") };
                    Change { before, beside: Some(beside), after: Some(after), place: Place::Envoy, file }
                }
                Some("EnvoyFilter") => {
                    let left = envoy::straighten(&mut after);
                    Change {
                        before,
                        beside: None,
                        after: left.then_some(after),
                        place: Place::Cluster,
                        file: file_of(before),
                    }
                }
                Some(_) => {
                    find::straighten(&mut after, &known);
                    let of_bridge = before.text("apiVersion").is_some_and(|version| version.contains("tsb."));
                    let place = if of_bridge { Place::Bridge } else { Place::Cluster };
                    Change { before, beside: None, after: Some(after), place, file: file_of(before) }
                }
            };
            changes.push(change);
        }
        changes
    }

    fn put(&mut self, path: String, text: String) {
        self.manifests.push((path, text));
    }

    fn step(&mut self, what: impl Into<String>, run: Vec<String>, undo: Vec<String>) {
        self.steps.push(Step { what: what.into(), run, undo });
    }

    fn side_by_side(
        &mut self,
        changes: &[Change<'_>],
        asked: &Asked,
        values: &Values,
        folder: &str,
        problems: &mut Problems,
    ) {
        let policy = policy(self.found.iter().find_map(|detour| detour.header.as_deref()), asked);
        let at = format!("{folder}/1-side-by-side");
        self.put("1-side-by-side/migrate.yaml".into(), policy.clone());
        let (mut run, mut undo) = (Vec::new(), Vec::new());
        for Change { beside, file, .. } in changes {
            let Some(guarded) = beside else { continue };
            self.put(format!("1-side-by-side/{file}"), write([guarded]));
            run.push(format!("copy {at}/migrate.yaml into the house's folder of policies, and start the house"));
            run.push(format!("envoy --mode validate -c {at}/{file}, and start Envoy with it"));
            undo.push(format!("start Envoy with {folder}/undo/{file}"));
        }
        if changes.iter().any(|change| change.place != Place::Envoy) {
            let wanted = ["house.yaml", "house-config.yaml", "house-patch.yaml", "mesh.yaml", "gate.yaml"];
            if let Some((message, help)) = Target::Istio.lacks(values) {
                problems.push(&document::Place::pointer("the values"), message, help);
            }
            let made = match render::render(Target::Istio, values, None) {
                Ok(made) => made,
                Err(error) => {
                    let message = format!("a template is broken, which is a fault of this program: {error:#}");
                    return problems.push(&document::Place::pointer("the templates"), message, "");
                }
            };
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

    fn switch(&mut self, changes: &[Change<'_>], folder: &str) {
        let (mut run, mut undo) = (Vec::new(), Vec::new());
        for Change { before, after, place, file, .. } in changes {
            let tool = if *place == Place::Bridge { "tctl" } else { "kubectl" };
            self.put(format!("undo/{file}"), write([*before]));
            match (place, after) {
                (Place::Envoy, Some(after)) => {
                    self.put(format!("2-switch/{file}"), write([after]));
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
