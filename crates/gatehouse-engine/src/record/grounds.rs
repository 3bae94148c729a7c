//! What a verdict rested on, as a record tells it: looked up in the head by the numbers that the decision noted, and redacted like
//! everything else. Values that a record shows nowhere (of cookies, parameters, claims and most headers) are keyed hashes.

use gatehouse_policy::{Count, Facts, Field, Fields, Input, Policy, Seen, Signals};
use gatehouse_signals::agent::{self, Agent};
use gatehouse_signals::fingerprint::{self, Fingerprint};
use gatehouse_signals::path::Path;
use gatehouse_signals::{Claims, Head};
use gatehouse_verdict::grounds::{Counted, Form, MAX_INPUT_BYTES};
use gatehouse_verdict::redact::{AddressForm, Redactor, Shown, printable};

use super::fields::{grounds as fields, input as input_fields, limit as limit_fields};
use super::wire::Wire;
use super::{Classes, Transaction, request};
use crate::decide::readings::{self, Methods};
use crate::decide::{Hosts, Over, with};
use crate::edits;
use crate::grounds::{Ground, Place};

/// Methods of RFC 9110, 9.3 and RFC 5789.
const METHODS: [&[u8]; 9] = [b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE"];

/// Each of the grounds as the message of the field `number`.
pub(super) fn grounds(number: u8, of: &Transaction<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let judged = of.judged;
    let policy = of.policy.filter(|policy| judged.policy == Some(policy.stamp()));
    if let Some(policy) = policy.filter(|_| judged.grounds.iter().len() > 0) {
        each(number, policy, of, redactor, wire);
    }
}

#[cold]
fn each(number: u8, policy: &Policy, of: &Transaction<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    // What a client may not say was not there when it was judged.
    let kept = edits::without_ours(Some(policy), of.head, true);
    let head = with(of.head, kept.as_deref());
    let path = Path::parse(head.first(b":path").unwrap_or_default());
    let methods = Methods::of(head, readings::preflight(head), true);
    let hosts = Hosts::of(head, &path);
    let signals = Again { head };
    for ground in of.judged.grounds.iter() {
        let Place { host, path: reading, method } = ground.place;
        let facts = Facts {
            host: hosts.iter().nth(host.into()).unwrap_or_default(),
            path: path.all().nth(reading.into()).unwrap_or_default(),
            case_insensitive: false,
            query: path.query,
            method: methods.all().nth(method.into()).unwrap_or_default(),
            address: of.judged.subject.client.address,
            head,
            claims: Claims::Unknown,
            wall_s: None,
            known: Fields::ALL,
            signals: &signals,
            response: None,
        };
        wire.message(number, |wire| one(ground, policy, &facts, redactor, wire));
    }
}

fn one(ground: &Ground, policy: &Policy, facts: &Facts<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let rule = policy.rule(ground.rule);
    wire.text(fields::RULE, &rule.id());
    for (at, input) in rule.each_input(ground.inputs).enumerate() {
        let seen = ground.kept(at).unwrap_or_else(|| input.seen(facts));
        wire.message(fields::INPUTS, |wire| write(input, &seen, &facts.head, redactor, wire));
    }
    wire.number(fields::CUT, ground.inputs.is_cut().into());
    if let Some(over) = ground.over {
        wire.message(fields::LIMIT, |wire| limit(over, policy, wire));
    }
}

fn limit(over: Over, policy: &Policy, wire: &mut Wire<'_>) {
    let Some(spec) = policy.limits().get(over.limit) else { return };
    let step = spec.steps.get(usize::from(over.step));
    let counted = match spec.count {
        Count::Requests => Counted::Requests,
        Count::Failures(_) => Counted::Failures,
        Count::Distinct(_) => Counted::Distinct,
    };
    let seconds = |nanos: u64| nanos.div_ceil(1_000_000_000);
    wire.number(limit_fields::STEP, over.step.into());
    wire.number(limit_fields::COUNTED, counted_number(counted));
    wire.number(limit_fields::LIMIT, step.map_or(0, |step| step.rate).into());
    wire.number(limit_fields::WINDOW_SECONDS, step.map_or(0, |step| seconds(step.per_ns)));
    wire.number(limit_fields::BURST, step.and_then(|step| step.burst).unwrap_or(0).into());
    wire.number(limit_fields::COUNT, over.count.into());
    wire.number(limit_fields::RETRY_AFTER_SECONDS, seconds(over.retry_after_ns));
    wire.number(limit_fields::BLOCKED, over.blocked.into());
    wire.number(limit_fields::BUSY, over.busy.into());
}

fn write(input: Input<'_>, seen: &Seen<'_>, head: &Head<'_>, redactor: &Redactor<Classes<'_>>, wire: &mut Wire<'_>) {
    let name = input.name().map(|name| [b".", name].concat()).unwrap_or_default();
    let field = [input.word().as_bytes(), &name].concat();
    wire.shown(input_fields::FIELD, &printable(&field, MAX_INPUT_BYTES));
    let form = match seen {
        Seen::Nothing => Form::Absent,
        Seen::Number(number) => {
            let digits = number.to_string();
            // Sizes are what somebody announces: digits of a card are a number too.
            let text = redactor.bounded_text(digits.as_bytes(), MAX_INPUT_BYTES);
            let is_announced = matches!(input.field(), Some(Field::Size | Field::ResponseSize));
            let is_plain = !is_announced || text == digits;
            wire.bytes(input_fields::VALUE, if is_plain { digits.as_bytes() } else { text.as_bytes() });
            if is_plain { Form::Plain } else { Form::Redacted }
        }
        Seen::Address(address) => {
            wire.bytes(input_fields::VALUE, redactor.address(*address).as_bytes());
            match redactor.address_form() {
                AddressForm::Full => Form::Plain,
                AddressForm::Prefix => Form::Redacted,
                AddressForm::Hash => Form::Hashed,
            }
        }
        Seen::Bytes(bytes) => match shown(input, bytes, head, redactor) {
            Some(text) => {
                wire.shown(input_fields::VALUE, &text);
                if text.as_bytes() == &**bytes { Form::Plain } else { Form::Redacted }
            }
            None => {
                wire.text(input_fields::VALUE, &redactor.hashed(bytes));
                Form::Hashed
            }
        },
    };
    wire.number(input_fields::FORM, form_number(form));
}

/// What a record may show of a value; `None`: nothing.
fn shown<'a>(
    input: Input<'_>,
    value: &'a [u8],
    head: &Head<'_>,
    redactor: &Redactor<Classes<'_>>,
) -> Option<Shown<'a>> {
    let text = |value| redactor.bounded_text(value, MAX_INPUT_BYTES);
    match input.field()? {
        Field::Claims | Field::Cookies | Field::Query | Field::ResponseHeaders => None,
        Field::Headers => request::shown_value(input.name()?, value).map(text),
        // A piece of the user agent: what was cut out of something sensitive does not look like it any more.
        Field::Agent if input.word() == "agent.name" => {
            let whole = head.values(b"user-agent").next().unwrap_or_default();
            (redactor.text(whole).as_bytes() == whole).then(|| text(value))
        }
        // One that a header names is a piece of that.
        Field::Method => {
            let is_shown = head.first(b":method") == Some(value) || METHODS.contains(&value);
            is_shown.then(|| text(value))
        }
        // A verified one, as it stands in `peer_uri`.
        Field::Identity => Some(printable(value, MAX_INPUT_BYTES)),
        _ => Some(text(value)),
    }
}

/// The number of `Grounds.Form`.
fn form_number(form: Form) -> u64 {
    match form {
        Form::Unspecified => 0,
        Form::Plain => 1,
        Form::Redacted => 2,
        Form::Hashed => 3,
        Form::Absent => 4,
    }
}

/// The number of `Grounds.Counted`.
fn counted_number(counted: Counted) -> u64 {
    match counted {
        Counted::Unspecified => 0,
        Counted::Requests => 1,
        Counted::Failures => 2,
        Counted::Distinct => 3,
    }
}

/// Signals that are the same whenever they are worked out; what else there is was kept.
struct Again<'a> {
    head: Head<'a>,
}

impl Signals for Again<'_> {
    fn agent(&self) -> Option<Agent<'_>> {
        Some(agent::classify(self.head.values(b"user-agent").next().unwrap_or_default()))
    }

    fn fingerprint(&self) -> Option<Fingerprint> {
        Some(fingerprint::fingerprint(&self.head))
    }

    fn ja4(&self) -> Option<&str> {
        self.head.connection.ja4.as_deref()
    }
}
