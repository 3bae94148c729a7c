//! Whose certificates can be let in at all, for what can look at nothing but names: a TLS context.
//!
//! It is a bound from above. A connection that the policy lets in has one of the identities; one that has may still be rejected, for
//! where it comes from or for the time of day. So whoever keeps all others out changes no verdict but those of strangers.

use std::collections::BTreeSet;

use gatehouse_signals::host::Host;

use crate::document::{Place, Problems, quoted};
use crate::spec::HostPattern;
use crate::spec::types::{Action, Condition, Document, Entries, ListName, Rollout, Rule, Traffic};

use super::emit::holds_below;
use super::settle::{self, Ground, ScopePlan, Settled, covers, exactness};
use super::{Options, Source};

/// The identities that connections to some hosts can be let in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callers {
    /// SPIFFE ids, of which segments may be `*`, the last ones `**` ([`gatehouse_signals::identity::matches`]); sorted, unique. Empty:
    /// nobody is let in.
    pub identities: Vec<String>,
    /// Names of the documents that say so, sorted.
    pub documents: Vec<String>,
}

/// Who can be let in to these hosts by the documents of `kind: TcpPolicy`.
///
/// # Errors
/// Every problem of the documents; every place where somebody is let in by something else than the identity, and a host that no
/// document speaks of.
pub fn callers(sources: &[Source<'_>], options: &Options<'_>, hosts: &[&str]) -> Result<Callers, Problems> {
    let mut problems = Problems::default();
    let nodes = super::read(sources, &mut problems);
    let nodes: Vec<_> = nodes.iter().flat_map(crate::document::Node::one_or_many).collect();
    let documents = super::documents(&nodes, options.library, &mut problems);
    let settled = settle::settle(&documents, &mut problems);
    if !problems.0.is_empty() {
        problems.sort();
        return Err(problems);
    }
    let mut found = Found { documents: &documents, identities: BTreeSet::new(), names: BTreeSet::new(), problems };
    for host in hosts {
        found.host(host, &settled);
    }
    found.problems.sort();
    let Found { identities, names, problems, .. } = found;
    problems.or(Callers {
        identities: identities.into_iter().collect(),
        documents: names.into_iter().map(str::to_owned).collect(),
    })
}

struct Found<'d> {
    documents: &'d [Document],
    identities: BTreeSet<String>,
    names: BTreeSet<&'d str>,
    problems: Problems,
}

/// Who meets a condition, as far as identities tell.
enum Bound {
    Anybody,
    These(BTreeSet<String>),
}

impl<'d> Found<'d> {
    fn host(&mut self, written: &str, settled: &Settled) {
        let host = HostPattern::Exact(String::from_utf8_lossy(&Host::parse(written.as_bytes()).name).into_owned());
        let Some(plan) = plan(&settled.connections, &host) else {
            let requests = self.documents.iter().filter(|document| document.traffic == Traffic::Requests).count();
            let help = match requests {
                0 => "give one that names it in `hosts`, or one without `hosts`",
                _ => "a `kind: Policy` judges requests, and a TLS context cannot: write a `kind: TcpPolicy`",
            };
            let message = format!("no `kind: TcpPolicy` speaks of the host {}", quoted(written));
            return self.problems.push(&Place::pointer("policy"), message, help);
        };
        self.rejects_others(plan);
        for member in &plan.documents {
            let Some(document) = self.documents.get(member.document) else { continue };
            self.names.insert(&document.name);
            for rule in document.rules.iter().filter(|rule| member.own || holds_below(rule.tier)) {
                self.rule(document, rule, &host);
            }
        }
    }

    /// Who is named by no rule has to be rejected.
    fn rejects_others(&mut self, plan: &ScopePlan) {
        let said = plan.otherwise.and_then(|voice| {
            let document = self.documents.get(voice.document)?;
            Some((document, voice.settings(self.documents)?.otherwise.as_ref()?))
        });
        let last = plan.documents.first().and_then(|member| self.documents.get(member.document));
        let (place, message) = match said {
            Some((_, (then, place))) if !matches!(then.decides, Some(Action::Reject)) => {
                (place, "`otherwise` lets in everybody whom no rule rejects".to_owned())
            }
            Some((document, (_, place))) if document.mode != Rollout::Enforce => {
                (place, format!("`otherwise` rejects nobody yet: `{}` is not in `mode: enforce`", document.name))
            }
            Some(_) => return,
            None => match last {
                Some(document) => {
                    (&document.place, "without `otherwise` everybody is let in whom no rule rejects".to_owned())
                }
                None => return,
            },
        };
        self.problems.push(
            place,
            message,
            "a TLS context lets in only whom it lists: write `otherwise: reject`, enforced",
        );
    }

    fn rule(&mut self, document: &'d Document, rule: &'d Rule, host: &HostPattern) {
        let mode = rule.mode.unwrap_or(document.mode);
        if !matches!(rule.then.decides, Some(Action::Allow)) || mode == Rollout::Monitor {
            return;
        }
        match self.bound(&rule.condition, document, host) {
            Bound::These(identities) => self.identities.extend(identities),
            Bound::Anybody => {
                let message = format!("`{}/{}` lets in by something else than the identity", document.name, rule.name);
                let help =
                    "ask for `identity` or `serviceAccounts` in its match, or do without the names in the TLS context";
                self.problems.push(&rule.place, message, help);
            }
        }
    }

    fn bound(&self, condition: &Condition, document: &Document, host: &HostPattern) -> Bound {
        match condition {
            // One that need not hold for the others bounds nobody; of several that all must, the narrowest does.
            Condition::All(parts) => {
                let bounds = parts.iter().map(|part| self.bound(part, document, host));
                let narrowest = bounds.filter_map(Bound::these).min_by_key(BTreeSet::len);
                narrowest.map_or(Bound::Anybody, Bound::These)
            }
            Condition::Any(parts) => {
                let bounds = parts.iter().map(|part| self.bound(part, document, host).these());
                let all: Option<Vec<BTreeSet<String>>> = bounds.collect();
                all.map_or(Bound::Anybody, |all| Bound::These(all.into_iter().flatten().collect()))
            }
            Condition::Host(named) if !covers(named, host) => Bound::These(BTreeSet::new()),
            Condition::Identity(pattern) => Bound::These(BTreeSet::from([pattern.clone()])),
            Condition::IdentityList(list) => Bound::These(entries(document, list)),
            _ => Bound::Anybody,
        }
    }
}

impl Bound {
    fn these(self) -> Option<BTreeSet<String>> {
        match self {
            Self::Anybody => None,
            Self::These(identities) => Some(identities),
        }
    }
}

/// What holds for a host: what names it itself, or else the longest domain above it, or else everything.
fn plan<'s>(ground: &'s Ground, host: &HostPattern) -> Option<&'s ScopePlan> {
    let named = ground.hosts.iter().filter(|(pattern, _)| covers(pattern, host));
    match named.max_by_key(|(pattern, _)| exactness(pattern)) {
        Some((_, scope)) => ground.scopes.get(*scope),
        None => ground.everywhere.as_ref(),
    }
}

fn entries(document: &Document, name: &ListName) -> BTreeSet<String> {
    match document.list(&name.name).map(|list| &list.entries) {
        Some(Entries::Identities(identities)) => identities.iter().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests;
