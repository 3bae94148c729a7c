//! What a verdict rested on: under `unmapped.gatehouse.grounds` whole, and of the rule that decided in the attributes of OCSF's
//! `firewall_rule` (`match_details`, `rate_limit`).

use gatehouse_proto::v1::grounds::{Counted, Form, Input, Limit};
use gatehouse_proto::v1::{Grounds, Judgement};
use serde::{Serialize, Serializer};

/// Grounds under the names of `record.proto`.
#[derive(Debug, Clone, Copy)]
pub struct Rested<'a>(pub(crate) &'a [Grounds]);

/// The rule that decided: `match_details` is `FIELD=VALUE` of each input, as far as values may be shown.
#[derive(Debug, Serialize)]
pub(super) struct FirewallRule<'a> {
    uid: &'a str,
    #[serde(skip_serializing_if = "Details::is_empty")]
    match_details: Details<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<u32>,
}

impl<'a> FirewallRule<'a> {
    pub(super) fn of(judgement: &'a Judgement) -> Option<Self> {
        let uid = Some(judgement.rule.as_str()).filter(|rule| !rule.is_empty())?;
        let own = judgement.grounds.first().filter(|ground| ground.rule == uid);
        let limit = own.and_then(|ground| ground.limit.as_ref());
        Some(Self {
            uid,
            match_details: Details(own.map(|ground| ground.inputs.as_slice()).unwrap_or_default()),
            rate_limit: limit.map(|limit| limit.limit),
        })
    }
}

#[derive(Debug)]
struct Details<'a>(&'a [Input]);

impl Details<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Details<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|input| format!("{}={}", input.field, input.value)))
    }
}

impl Rested<'_> {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Rested<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Ground<'a> {
            rule: &'a str,
            inputs: Inputs<'a>,
            #[serde(skip_serializing_if = "is_false")]
            cut: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            limit: Option<Stood>,
        }
        serializer.collect_seq(self.0.iter().map(|ground| Ground {
            rule: &ground.rule,
            inputs: Inputs(&ground.inputs),
            cut: ground.cut,
            limit: ground.limit.as_ref().map(Stood::of),
        }))
    }
}

struct Inputs<'a>(&'a [Input]);

impl Serialize for Inputs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Entry<'a> {
            field: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            value: Option<&'a str>,
            form: &'static str,
        }
        serializer.collect_seq(self.0.iter().map(|input| {
            let form = form(input.form);
            Entry { field: &input.field, value: (form != "absent").then_some(&input.value), form }
        }))
    }
}

/// How a limit stood.
#[derive(Serialize)]
struct Stood {
    step: u32,
    counted: &'static str,
    limit: u32,
    window_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    burst: Option<u32>,
    count: u32,
    retry_after_seconds: u64,
    blocked: bool,
    busy: bool,
}

impl Stood {
    fn of(limit: &Limit) -> Self {
        Self {
            step: limit.step,
            counted: counted(limit.counted),
            limit: limit.limit,
            window_seconds: limit.window_seconds,
            burst: Some(limit.burst).filter(|burst| *burst != 0),
            count: limit.count,
            retry_after_seconds: limit.retry_after_seconds,
            blocked: limit.blocked,
            busy: limit.busy,
        }
    }
}

fn form(number: i32) -> &'static str {
    match Form::try_from(number) {
        Ok(Form::Plain) => "plain",
        Ok(Form::Redacted) => "redacted",
        Ok(Form::Hashed) => "hashed",
        Ok(Form::Absent) => "absent",
        Ok(Form::Unspecified) | Err(_) => "unspecified",
    }
}

fn counted(number: i32) -> &'static str {
    match Counted::try_from(number) {
        Ok(Counted::Requests) => "requests",
        Ok(Counted::Failures) => "failures",
        Ok(Counted::Distinct) => "distinct",
        Ok(Counted::Unspecified) | Err(_) => "unspecified",
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands fields over by reference")]
fn is_false(flag: &bool) -> bool {
    !*flag
}
