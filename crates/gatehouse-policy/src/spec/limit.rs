//! `limit` of a rule: what is counted, by which key, and from which number on.

use crate::document::{Fields, Node, Place, Problems, duration_text, nearest, quoted};
use crate::text;

use super::types::{Count, KeyPart, Limit, Step, Then};
use super::{bounds, quantity, then};

/// Keys without a name of their own, by their word.
const PLAIN: [(&str, KeyPart); 13] = [
    ("address", KeyPart::Address),
    ("address.prefix", KeyPart::AddressPrefix),
    ("asn", KeyPart::Asn),
    ("client", KeyPart::Client),
    ("country", KeyPart::Country),
    ("fingerprint", KeyPart::Fingerprint),
    ("host", KeyPart::Host),
    ("identity", KeyPart::Identity),
    ("method", KeyPart::Method),
    ("path", KeyPart::Path),
    ("path.class", KeyPart::PathClass),
    ("tls.mutual", KeyPart::TlsMutual),
    ("tls.version", KeyPart::TlsVersion),
];
/// Keys that go on with a dot and a name.
const NAMED: [&str; 4] = ["cookies", "headers", "jwt", "query"];

/// What was written of a limit, beside its rates.
struct Written<'n> {
    count: Option<Count>,
    in_flight: Option<&'n Node>,
    shared: Option<&'n Node>,
}

pub(super) fn read(node: &Node, place: &Place, problems: &mut Problems) -> Option<Limit> {
    let told = problems.0.len();
    let mut fields = Fields::of("limit", node, "`limit`", problems)?;
    let by = fields.take("by");
    let (count, distinct) = (fields.take("count"), fields.take("distinct"));
    let first = ["rate", "burst", "blockFor"].map(|word| (word, fields.take(word)));
    let steps = fields.take("steps");
    let (in_flight, shared) = (fields.take("inFlight"), fields.take("shared"));
    fields.finish(problems);
    let by = by.map_or_else(|| Some(vec![KeyPart::Client]), |n| read_by(n, problems));
    let (count, over) = read_counted(count, distinct, problems);
    let written = Written { count, in_flight, shared };
    let steps = read_steps(node, first, steps, over, problems);
    let (by, steps) = (by?, steps?);
    let limit = assemble(by, steps, &written, place, node, problems)?;
    (problems.0.len() == told).then_some(limit)
}

fn assemble(
    by: Vec<KeyPart>,
    steps: Vec<Step>,
    written: &Written<'_>,
    place: &Place,
    node: &Node,
    problems: &mut Problems,
) -> Option<Limit> {
    let count = written.count.clone()?;
    let in_flight = written.in_flight.map(|n| {
        if !matches!(count, Count::Failures(_)) {
            problems.push(
                &n.place,
                "`inFlight` stands without `count: { status: … }`",
                "only failures wait for an answer: leave it out",
            );
            return None;
        }
        n.integer(1..=i64::from(bounds::RATE), problems).and_then(|n| u32::try_from(n).ok())
    });
    let shared = match written.shared {
        Some(n) => n.boolean(problems)?,
        None => false,
    };
    if let (true, Count::Distinct(_), Some(n)) = (shared, &count, written.shared) {
        problems.push(&n.place, "distinct values are counted by each worker", "leave `shared` out");
    }
    if let Count::Distinct(of) = &count
        && by.contains(of)
    {
        let help = "for one value of the key there is one value to count: leave it out of `by`";
        problems.push(&node.place, format!("{} is counted by itself", quoted(&of.to_string())), help);
    }
    if steps.iter().any(|step| step.burst.is_some()) && (steps.len() > 1 || !matches!(count, Count::Requests)) {
        let help = "write `burst` where requests are counted in one step only";
        problems.push(
            &node.place,
            "`burst` stands beside `steps`, or where failures or distinct values are counted",
            help,
        );
    }
    if matches!(count, Count::Distinct(_)) {
        told_apart(&steps, node, problems);
    }
    let in_flight = match in_flight {
        Some(read) => Some(read?),
        None => None,
    };
    Some(Limit { by, count, steps, in_flight, shared, place: place.clone() })
}

/// Steps of one count of different values, of which the highest says how many of them are looked at.
fn told_apart(steps: &[Step], node: &Node, problems: &mut Problems) {
    let ([lowest, .., highest], Some(bits)) =
        (steps, (0..u32::BITS).find(|bits| steps.last().is_none_or(|top| top.rate >> bits <= bounds::DISTINCT_SEEN)))
    else {
        return;
    };
    let least = ((1_u32 << bits) - 1).saturating_mul(bounds::DISTINCT_TOLD);
    if lowest.rate < least {
        problems.push(
            &node.place,
            format!("{} different values are too few to be told beside {}", lowest.rate, highest.rate),
            format!("write at least {least} in the first step, or make it a rule of its own"),
        );
    }
}

/// `count: { status }`, `count: { distinct }`, `distinct: { of, over }`, or requests.
fn read_counted<'n>(
    count: Option<&'n Node>,
    distinct: Option<&'n Node>,
    problems: &mut Problems,
) -> (Option<Count>, Option<&'n Node>) {
    match (count, distinct) {
        (None, None) => (Some(Count::Requests), None),
        (Some(count), None) => (read_count(count, problems), None),
        (Some(_), Some(distinct)) => {
            problems.push(&distinct.place, "`count` and `distinct` exclude each other", "make two limits of it");
            (None, None)
        }
        (None, Some(distinct)) => {
            let Some(mut fields) = Fields::of("distinct", distinct, "`distinct`", problems) else {
                return (None, None);
            };
            let (of, over) = (fields.require("of"), fields.take("over"));
            fields.finish(problems);
            (of.and_then(|n| read_key(n, problems)).map(Count::Distinct), over)
        }
    }
}

fn read_count(node: &Node, problems: &mut Problems) -> Option<Count> {
    let mut fields = Fields::of("count", node, "`count`", problems)?;
    let found = ["status", "distinct"].map(|word| (word, fields.take(word)));
    fields.finish(problems);
    match super::pattern::only(node, &found, problems)? {
        ("status", n) => quantity::statuses(n, problems).map(Count::Failures),
        (_, n) => read_key(n, problems).map(Count::Distinct),
    }
}

/// The steps: the one written flat first, then those under `steps`.
fn read_steps(
    node: &Node,
    first: [(&'static str, Option<&Node>); 3],
    steps: Option<&Node>,
    over: Option<&Node>,
    problems: &mut Problems,
) -> Option<Vec<Step>> {
    let [(_, rate), (_, burst), (_, block_for)] = first;
    if let (Some(rate), Some(_)) = (rate, over) {
        problems.push(&rate.place, "`rate` stands beside `over`", "they are the same number: keep `over`");
        return None;
    }
    let mut read: Vec<Option<(Step, Place)>> = Vec::new();
    match rate.or(over) {
        Some(rate) => read.push(read_step(rate, burst, block_for, None, problems).map(|s| (s, rate.place.clone()))),
        None => {
            if let Some(lone) = burst.or(block_for) {
                problems.push(
                    &lone.place,
                    "this stands without `rate`",
                    "add `rate: 10 per 1m`, or write it in a step",
                );
                return None;
            }
        }
    }
    let listed = match steps {
        Some(steps) => steps.list(problems)?,
        None => &[],
    };
    for item in listed {
        read.push(read_listed(item, problems).map(|step| (step, item.place.clone())));
    }
    let steps: Vec<(Step, Place)> = read.into_iter().collect::<Option<_>>()?;
    if steps.is_empty() {
        problems.push(&node.place, "`limit` has no `rate`", "add `rate: 10 per 1m`");
        return None;
    }
    ordered(&steps, problems).then(|| inheriting(steps.into_iter().map(|(step, _)| step)))
}

/// A step that says no `blockFor` keeps that of the step before it: who climbed higher does not get out earlier.
fn inheriting(steps: impl Iterator<Item = Step>) -> Vec<Step> {
    let mut block_for_ns = 0;
    let one = |step: Step| {
        block_for_ns = step.block_for_ns.max(block_for_ns);
        Step { block_for_ns, ..step }
    };
    steps.map(one).collect()
}

fn read_listed(node: &Node, problems: &mut Problems) -> Option<Step> {
    let mut fields = Fields::of("step", node, "a step", problems)?;
    let rate = fields.require("rate");
    let (burst, block_for, then) = (fields.take("burst"), fields.take("blockFor"), fields.take("then"));
    fields.finish(problems);
    read_step(rate?, burst, block_for, then, problems)
}

fn read_step(
    rate: &Node,
    burst_node: Option<&Node>,
    block_for: Option<&Node>,
    then: Option<&Node>,
    problems: &mut Problems,
) -> Option<Step> {
    let rate = quantity::rate(rate, problems);
    let burst =
        burst_node.map(|n| n.integer(1..=i64::from(bounds::RATE), problems).and_then(|n| u32::try_from(n).ok()));
    let block_for = block_for.map_or(Some(0), |n| quantity::nanos(n, bounds::BLOCK_MS, problems));
    let then = then.map(|n| read_then(n, problems));
    let (rate, per_ns) = rate?;
    let place = burst_node.map(|n| &n.place);
    let burst = burst.map_or(Some(None), |read| read.map(Some))?;
    if let (Some(burst), Some(place)) = (burst, place) {
        // As the meter counts it: one more after each such time.
        let most = (u64::MAX / per_ns.div_ceil(u64::from(rate.max(1))).max(1)).saturating_add(1);
        if u64::from(burst) > most {
            let said = format!("a burst of {burst} at this rate would take centuries to come back");
            problems.push(place, said, format!("write at most {most}"));
            return None;
        }
    }
    let then = then.map_or(Some(None), |read| read.map(Some))?;
    Some(Step { rate, per_ns, burst, block_for_ns: block_for?, then })
}

fn read_then(node: &Node, problems: &mut Problems) -> Option<Then> {
    let read = then::read(node, problems)?;
    if matches!(read.decides, Some(super::types::Action::Allow)) {
        problems.push(&node.place, "`allow` over a limit would let more pass than under it", "write another action");
        return None;
    }
    Some(read)
}

/// One to four steps over one window, ascending; the first does what the rule does.
fn ordered(steps: &[(Step, Place)], problems: &mut Problems) -> bool {
    let told = problems.0.len();
    if let Some((_, place)) = steps.get(bounds::STEPS) {
        problems.push(place, format!("more than {} steps", bounds::STEPS), "leave some out");
    }
    if let Some((Step { then: Some(_), .. }, place)) = steps.first() {
        let help = "its action is the rule's: write it there, and leave it out here";
        problems.push(place, "the first step has a `then` of its own", help);
    }
    for pair in steps.windows(2) {
        let [(before, _), (step, place)] = pair else { continue };
        if step.per_ns != before.per_ns {
            let window = duration_text(before.per_ns / 1_000_000);
            problems.push(
                place,
                "the steps of a limit have one window",
                format!("write `per {window}`, or make it a rule of its own"),
            );
        } else if step.rate <= before.rate {
            problems.push(
                place,
                "the rate is not above that of the step before",
                "write the steps from the lowest rate to the highest",
            );
        } else if step.block_for_ns > 0 && step.block_for_ns < before.block_for_ns {
            let help = format!(
                "write `blockFor: {}` or more, or leave it out to keep that",
                duration_text(before.block_for_ns / 1_000_000)
            );
            problems.push(place, "the step blocks for less than the step before it", help);
        }
    }
    problems.0.len() == told
}

fn read_by(node: &Node, problems: &mut Problems) -> Option<Vec<KeyPart>> {
    let items = node.one_or_many();
    if items.is_empty() || items.len() > bounds::KEY_PARTS {
        let help = format!("write 1 to {} keys, or leave `by` out for `client`", bounds::KEY_PARTS);
        problems.push(&node.place, format!("`by` has {} keys", items.len()), help);
        return None;
    }
    let mut parts: Vec<Option<KeyPart>> = Vec::new();
    for item in items {
        let part = read_key(item, problems);
        if part.is_some() && parts.contains(&part) {
            problems.push(&item.place, "this key is written twice", "keep one of them");
            return None;
        }
        parts.push(part);
    }
    parts.into_iter().collect()
}

fn read_key(node: &Node, problems: &mut Problems) -> Option<KeyPart> {
    let written = node.string(problems)?;
    if let Some((_, part)) = PLAIN.iter().find(|(word, _)| *word == written) {
        return Some(part.clone());
    }
    let (family, name) = written.split_once('.').unwrap_or((written, ""));
    match family {
        "jwt" if text::is_parameter(name) => return Some(KeyPart::Claim(name.to_owned())),
        "query" if text::is_parameter(name) => return Some(KeyPart::Query(name.to_owned())),
        "cookies" if text::is_token(name) => return Some(KeyPart::Cookie(name.to_owned())),
        "headers" if text::is_token(name) => return Some(KeyPart::Header(name.to_ascii_lowercase())),
        _ => {}
    }
    let help = match nearest(family, PLAIN.iter().map(|(word, _)| *word).chain(NAMED)) {
        Some(near) if NAMED.contains(&near) => format!("write `{near}.NAME`"),
        Some(near) => format!("did you mean `{near}`?"),
        None => "write `client`, `address`, `address.prefix`, `identity`, `fingerprint`, `asn`, `country`, `host`, `method`, `path`, `path.class`, `tls.mutual`, `tls.version`, \
                 or `jwt.NAME`, `headers.NAME`, `cookies.NAME`, `query.NAME`"
            .to_owned(),
    };
    problems.push(&node.place, format!("{} is no key", quoted(written)), help);
    None
}

impl std::fmt::Display for KeyPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Claim(name) => write!(f, "jwt.{name}"),
            Self::Cookie(name) => write!(f, "cookies.{name}"),
            Self::Header(name) => write!(f, "headers.{name}"),
            Self::Query(name) => write!(f, "query.{name}"),
            plain => f.write_str(PLAIN.iter().find(|(_, part)| part == plain).map_or("", |(word, _)| word)),
        }
    }
}
