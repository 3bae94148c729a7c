//! The parts of a decision, each for itself.

pub(crate) mod lookup;
mod meter;

use std::hint::black_box;
use std::io;
use std::net::Ipv4Addr;

use gatehouse_corpora::{Dice, networks};
use gatehouse_engine::{Context, Judged, Outcome, Policy, Transaction, UsualTexts};
use gatehouse_proto::v1;
use gatehouse_signals::address::{Client, Network, Source, Trust};
use gatehouse_signals::agent::{self, AgentCache};
use gatehouse_signals::path::Path;
use gatehouse_verdict::record::{Origin, RecordId};
use gatehouse_verdict::redact::AddressForm;
use prost::Message as _;

use crate::images::{Image, compiled};
use crate::operations::Call;
use crate::worker::{Seen, Worker};
pub(crate) use meter::{CELLS, Meter};

const SECOND: u64 = 1_000_000_000;

fn asks() -> Vec<Seen> {
    Image::Standard.corpus().asks.into_iter().map(Seen::keep).collect()
}

/// Calls `work` with one of `all` after the other.
pub(crate) fn each<T: 'static>(all: Vec<T>, mut work: impl FnMut(&T) + 'static) -> Call {
    let mut next = 0;
    Box::new(move || {
        if let Some(one) = all.get(next) {
            work(one);
        }
        next = if next + 1 < all.len() { next + 1 } else { 0 };
    })
}

/// One rule that asks one list, which holds the address of every second client.
pub(crate) fn list() -> io::Result<Call> {
    let all = networks(50_000, 7);
    let quoted: Vec<String> = all.iter().map(|text| format!("\"{text}\"")).collect();
    let text = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"list"}},"spec":{{"hosts":["a.example"],
            "lists":{{"bad":{{"cidrs":[{}]}}}},"rules":[{{"name":"r","match":{{"address":{{"list":"bad"}}}},"then":"block"}}]}}}}"#,
        quoted.join(",")
    );
    let corpus = gatehouse_corpora::Corpus { name: "list".into(), documents: vec![text], rules: 1, asks: Vec::new() };
    let policy = Policy::load(compiled(&corpus)?, 1).map_err(io::Error::other)?;
    let mut dice = Dice::new(11);
    let inside = all.iter().filter_map(|text| text.split('/').next()?.parse().ok());
    let addresses = inside.flat_map(|address| [address, std::net::Ipv4Addr::from_bits(dice.bits() as u32).into()]);
    let addresses: Vec<std::net::IpAddr> = addresses.take(20_000).collect();
    Ok(each(addresses, move |address| {
        black_box(lookup::holds(&policy, *address));
    }))
}

/// A window of one minute over 2,000 keys, asked and then counted, as a decision does.
pub(crate) fn limit() -> io::Result<Call> {
    let mut meter = Meter::new(60 * SECOND, 6000)?;
    Ok(each((0..2000u32).collect(), move |client| meter.count(Ipv4Addr::from_bits(0xc612_0000 | client))))
}

fn agents() -> Vec<&'static [u8]> {
    asks().iter().filter_map(|seen| seen.head().first(b"user-agent")).collect()
}

pub(crate) fn agent() -> io::Result<Call> {
    Ok(each(agents(), |text| {
        black_box(agent::classify(black_box(text)));
    }))
}

pub(crate) fn agent_known() -> io::Result<Call> {
    let mut cache = AgentCache::new(1024, &[7; 16]);
    Ok(each(agents(), move |text| {
        black_box(cache.classify(black_box(text)));
    }))
}

pub(crate) fn fingerprint() -> io::Result<Call> {
    Ok(each(asks(), |seen| {
        black_box(gatehouse_signals::fingerprint::fingerprint(&seen.head()));
    }))
}

pub(crate) fn path() -> io::Result<Call> {
    let paths: Vec<&[u8]> = asks().iter().filter_map(|seen| seen.head().first(b":path")).collect();
    Ok(each(paths, |path| {
        black_box(Path::parse(black_box(path)));
    }))
}

pub(crate) fn path_ambiguous() -> io::Result<Call> {
    Ok(each(vec!["/a%2Fb/..;x/c%255Cd/%61dmin/../e;p=1"], |path| {
        black_box(Path::parse(black_box(path.as_bytes())));
    }))
}

pub(crate) fn address() -> io::Result<Call> {
    let (source, trust) =
        (Source::XForwardedFor, Trust::Networks([Network::new([10, 0, 0, 0].into(), 8)].into_iter().collect()));
    Ok(each(asks(), move |seen| {
        black_box(Client::resolve(&seen.head(), &source, &trust));
    }))
}

/// What the gate does with a transaction once it ended: its record, redacted and encoded.
pub(crate) fn record() -> io::Result<Call> {
    let (judged, context, policy) = judged(1000)?;
    let (outcome, mut bytes) = (outcome(), Vec::new());
    Ok(each(judged, move |(seen, judged)| {
        bytes.clear();
        made(*seen, judged, &policy, &outcome, &context, &mut bytes);
        black_box(bytes.to_vec());
    }))
}

/// Records of the first `count` standard requests, as the gate makes them.
///
/// # Errors
/// The standard policy does not compile.
pub fn records(count: usize) -> io::Result<Vec<v1::Record>> {
    let (judged, context, policy) = judged(count)?;
    let outcome = outcome();
    let decoded = judged.iter().map(|(seen, judged)| {
        let mut bytes = Vec::new();
        made(*seen, judged, &policy, &outcome, &context, &mut bytes);
        v1::Record::decode(&*bytes).map_err(io::Error::other)
    });
    decoded.collect()
}

/// Requests that were judged, and what their records are made with besides.
type Transactions = (Vec<(Seen, Judged)>, Context, Policy);

fn judged(count: usize) -> io::Result<Transactions> {
    let mut worker = Worker::new(Some(Image::Standard.policy()?), asks());
    let judged = asks().into_iter().take(count).map(|seen| (seen, worker.judge(seen))).collect();
    Ok((judged, context(), Image::Standard.policy()?))
}

pub(crate) fn context() -> Context {
    let origin = Origin { gateway: "edge-1".into(), gateway_cluster: "edges".into(), gate_version: "0.1.0".into() };
    Context { origin, hash_key: [9; 16], hash_key_id: 1, address_form: AddressForm::Full, usual: UsualTexts::default() }
}

pub(crate) fn made(
    seen: Seen,
    judged: &Judged,
    policy: &Policy,
    outcome: &Outcome,
    context: &Context,
    into: &mut Vec<u8>,
) {
    let of = Transaction { number: 9, head: seen.head(), judged, policy: Some(policy) };
    gatehouse_engine::record(RecordId { epoch: 7, sequence: 9 }, &of, outcome, context, into);
}

/// An ordinary answer of an upstream.
pub(crate) fn outcome() -> Outcome {
    let mut outcome = Outcome { protocol: "HTTP/2".into(), duration_ns: 3_000_000, ..Outcome::default() };
    (outcome.response.status, outcome.response.body_bytes) = (200, 5120);
    outcome.response.content_type = "text/html".into();
    outcome.response.code_details = "via_upstream".into();
    (outcome.upstream.route, outcome.upstream.virtual_host) = ("shop".into(), "shops".into());
    outcome.upstream.cluster = "outbound|8080||shop.svc".into();
    outcome.upstream.address = "10.0.0.5:8080".into();
    outcome
}

/// Copies an image, checks and takes it.
pub(crate) fn load() -> io::Result<Call> {
    let image = Image::Standard.bytes()?;
    Ok(Box::new(move || {
        black_box(Policy::load(image.clone(), 1).is_ok());
    }))
}
