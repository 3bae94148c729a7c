//! Which rules could not be judged because something is not known: recorded traffic seldom has every column.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatehouse_engine::{Claims, Judged, Policy, Request, State};
use gatehouse_policy::{Count, Field, Fields, KeyPart, Phase, ResponseFacts, Rule, Scope};
use gatehouse_signals::Host;
use gatehouse_verdict::Reason;

use super::NotJudged;

/// Knows which rules ask for what.
#[derive(Debug)]
pub(super) struct Blind {
    /// By rank.
    names: Vec<Arc<str>>,
    fields: Vec<Arc<str>>,
    names_hosts: bool,
    /// By the number of the scope; a policy has a bounded number of them.
    scopes: BTreeMap<usize, Arc<Asks>>,
}

/// What the rules of one scope ask for.
#[derive(Debug, Default)]
struct Asks {
    request: Vec<(u32, Fields)>,
    response: Vec<(u32, Fields)>,
    /// What any rule of the request phase asks for.
    all: Fields,
}

impl Blind {
    pub(super) fn new(policy: &Policy) -> Self {
        let everywhere = policy.for_host(b"").map_or(0, |scope| scope.documents().count());
        Self {
            names: policy.rule_names().map(Arc::from).collect(),
            fields: Field::ALL.map(|field| Arc::from(field.as_str())).into(),
            names_hosts: everywhere < policy.documents(),
            scopes: BTreeMap::new(),
        }
    }

    /// The rules before the one that decided whose match is unknown, each with the fields that it asks for in vain.
    pub(super) fn of_request(
        &mut self,
        policy: &Policy,
        request: Request<'_>,
        judged: &Judged,
        state: &State,
    ) -> Vec<NotJudged> {
        let uncertain = uncertain(&request, judged);
        let mut found = Vec::new();
        if self.names_hosts && !request.known.has(Field::Host) {
            found.push(NotJudged { rule: None, field: self.field(Field::Host) });
        }
        let Some(scope) = scope_of(policy, &request) else { return found };
        self.settings(scope, &request, judged, &mut found);
        if !matches!(judged.verdict.reason, Reason::Rule | Reason::Otherwise) {
            return found;
        }
        let asks = self.asks(policy, scope);
        if common(asks.all, uncertain).is_empty() {
            return found;
        }
        let decider = judged.verdict.rule.as_deref();
        let before = |rule: &u32| self.name(*rule).as_deref() != decider;
        let rules = asks.request.iter().take_while(|(rule, _)| decider.is_none() || before(rule));
        let rules = rules.filter(|(_, fields)| !common(*fields, uncertain).is_empty());
        let rules = rules.map(|(rule, _)| policy.rule(*rule));
        found.extend(self.told(gatehouse_engine::unjudged(policy, request, None, judged, state, rules)));
        found
    }

    /// The same of rules that look at the response.
    pub(super) fn of_response(
        &mut self,
        policy: &Policy,
        request: Request<'_>,
        response: ResponseFacts<'_>,
        judged: &Judged,
        state: &State,
    ) -> Vec<NotJudged> {
        let Some(scope) = scope_of(policy, &request) else { return Vec::new() };
        let asks = self.asks(policy, scope);
        let rules = asks.response.iter().map(|(rule, _)| policy.rule(*rule));
        self.told(gatehouse_engine::unjudged(policy, request, Some(response), judged, state, rules))
    }

    /// Limits that count failures and met a request of whose status nothing is known.
    pub(super) fn of_failures(&self, policy: &Policy, judged: &Judged) -> Vec<NotJudged> {
        let rules = judged.awaited_limits().filter_map(|limit| policy.limits().get(limit)).map(|spec| spec.rule);
        rules.map(|rule| NotJudged { rule: self.name(rule), field: self.field(Field::ResponseStatus) }).collect()
    }

    /// What a document asks for beside its rules.
    fn settings(&self, scope: Scope<'_>, request: &Request<'_>, judged: &Judged, found: &mut Vec<NotJudged>) {
        let mut tell = |document: &str, word: &str, field: Field, reason: Reason| {
            if !request.known.has(field) && judged.verdict.reason != reason {
                let rule = Some(Arc::from([document, "/", word].concat()));
                found.push(NotJudged { rule, field: self.field(field) });
            }
        };
        let believed = scope.client_source().1.believes(request.head.connection);
        if let Some((document, _)) = scope.require_mutual_tls() {
            tell(document, "mutual-tls", Field::TlsMutual, Reason::NoPeer);
        }
        if let Some(headers) = scope.identity_headers().filter(|headers| headers.refuse && !believed) {
            tell(headers.document, "identity-headers", Field::Headers, Reason::IdentityHeader);
        }
    }

    fn told(&self, found: Vec<(Rule<'_>, Fields)>) -> Vec<NotJudged> {
        let each = |(rule, fields): (Rule<'_>, Fields)| {
            let name = self.name(rule.index());
            fields.iter().map(|field| (name.clone(), field)).collect::<Vec<_>>()
        };
        found.into_iter().flat_map(each).map(|(rule, field)| NotJudged { rule, field: self.field(field) }).collect()
    }

    fn name(&self, rule: u32) -> Option<Arc<str>> {
        self.names.get(rule as usize).cloned()
    }

    fn field(&self, field: Field) -> Arc<str> {
        self.fields.get(field as usize).cloned().unwrap_or_default()
    }

    fn asks(&mut self, policy: &Policy, scope: Scope<'_>) -> Arc<Asks> {
        let made = || Arc::new(Asks::of(policy, scope));
        Arc::clone(self.scopes.entry(scope.index()).or_insert_with(made))
    }
}

impl Asks {
    fn of(policy: &Policy, scope: Scope<'_>) -> Self {
        let of = |rule: Rule<'_>| (rule.index(), rule.reads().with(key(policy, rule)));
        let request: Vec<_> = scope.all_rules(Phase::Request).map(of).collect();
        Self {
            all: request.iter().fold(Fields::NONE, |all, (_, fields)| all.with(*fields)),
            response: scope.all_rules(Phase::Response).map(of).collect(),
            request,
        }
    }
}

/// What the key of a rule's limit is read from.
fn key(policy: &Policy, rule: Rule<'_>) -> Fields {
    let Some(spec) = rule.limit().and_then(|limit| policy.limits().get(limit)) else { return Fields::NONE };
    let item = match &spec.count {
        Count::Distinct(part) => Some(part),
        Count::Failures(_) | Count::Requests => None,
    };
    spec.by.iter().chain(item).map(KeyPart::field).fold(Fields::NONE, |all, field| all.with(Fields::of(field)))
}

/// Fields that may not be known of the request; all others are.
fn uncertain(request: &Request<'_>, judged: &Judged) -> Fields {
    let connection = request.head.connection;
    let known = |field: &Field| match field {
        Field::Address => judged.subject.client.address.is_some(),
        Field::AgentVerified | Field::Asn | Field::Country | Field::Size => false,
        Field::Claims => !matches!(request.claims, Claims::Unknown),
        Field::Identity | Field::TlsMutual => connection.mutual_tls.is_some(),
        Field::Ja4 => connection.ja4.is_some(),
        Field::Destination => connection.local.is_some(),
        Field::Port => connection.local_port.is_some(),
        Field::Score => judged.subject.tag.is_some(),
        Field::Sni => connection.sni.is_some(),
        Field::Time => request.now.wall_s.is_some(),
        Field::TlsVersion => connection.tls_version.is_some(),
        _ => true,
    };
    let certain = request.known.iter().filter(known).fold(Fields::NONE, |all, field| all.with(Fields::of(field)));
    Fields::ALL.without(certain)
}

fn scope_of<'p>(policy: &'p Policy, request: &Request<'_>) -> Option<Scope<'p>> {
    let head = request.head;
    let authority = head.first(b":authority").or_else(|| head.first(b"host")).unwrap_or_default();
    policy.for_host(&Host::parse(authority).name)
}

fn common(one: Fields, other: Fields) -> Fields {
    one.without(Fields::ALL.without(other))
}
