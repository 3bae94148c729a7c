//! Every measured operation. What is not part of the operation is done before, so that a call does nothing else.

use std::hint::black_box;
use std::io;

use gatehouse_corpora::Shape;

use crate::images::Image;
use crate::parts;
use crate::worker::{Seen, Worker};

/// One measured call.
pub type Call = Box<dyn FnMut()>;

/// A measured operation.
#[derive(Debug, Clone, Copy)]
pub struct Operation {
    /// What it is called in tables.
    pub name: &'static str,
    /// Calls that are counted; as many again go before to warm up.
    pub calls: u32,
    /// Prepares it.
    pub prepare: fn() -> io::Result<Call>,
}

const fn operation(name: &'static str, calls: u32, prepare: fn() -> io::Result<Call>) -> Operation {
    Operation { name, calls, prepare }
}

/// All of them, in the order of the tables.
pub const OPERATIONS: &[Operation] = &[
    operation("decide: standard", 4000, || decide(Image::Standard, None)),
    operation("decide: standard, goes on", 4000, || decide(Image::Standard, Some(false))),
    operation("decide: standard, mitigated", 1000, || decide(Image::Standard, Some(true))),
    operation("decide: lists and limits", 4000, || decide(Image::Plain, None)),
    operation("decide: empty policy", 4000, || decide(Image::Empty, None)),
    operation("decide: no policy", 4000, no_policy),
    operation("decide: 100 hosts", 1000, || decide(Image::Growing(Shape::Hosts, 100), None)),
    operation("decide: 10,000 hosts", 1000, || decide(Image::Growing(Shape::Hosts, 10_000), None)),
    operation("decide: 100 paths", 1000, || decide(Image::Growing(Shape::Paths, 100), None)),
    operation("decide: 10,000 paths", 1000, || decide(Image::Growing(Shape::Paths, 10_000), None)),
    operation("decide: 100 wildcards", 1000, || decide(Image::Growing(Shape::Wildcards, 100), None)),
    operation("decide: 10,000 wildcards", 1000, || decide(Image::Growing(Shape::Wildcards, 10_000), None)),
    operation("decide: 100 facts", 1000, || decide(Image::Growing(Shape::Facts, 100), None)),
    operation("decide: 10,000 facts", 1000, || decide(Image::Growing(Shape::Facts, 10_000), None)),
    operation("decide: 100 regexes", 1000, || decide(Image::Growing(Shape::Regexes, 100), None)),
    operation("decide: 1,000 regexes", 1000, || decide(Image::Growing(Shape::Regexes, 1000), None)),
    operation("list of 50,000 networks: look-up", 4000, parts::list),
    operation("limit: check and count", 4000, parts::limit),
    operation("user agent: first time", 2000, parts::agent),
    operation("user agent: known", 4000, parts::agent_known),
    operation("fingerprint", 4000, parts::fingerprint),
    operation("path: as it should be", 4000, parts::path),
    operation("path: four readings", 1000, parts::path_ambiguous),
    operation("client address", 4000, parts::address),
    operation("record: make and encode", 1000, parts::record),
    operation("image: load the standard one", 1, parts::load),
];

/// Prepares what every operation needs, so that none does it while it is measured.
///
/// # Errors
/// A policy is refused, or cannot be written.
pub fn prepare() -> io::Result<()> {
    Image::all().try_for_each(Image::prepare)
}

fn decide(image: Image, mitigated: Option<bool>) -> io::Result<Call> {
    let asks = image.corpus().asks.into_iter().map(Seen::keep).collect();
    let mut worker = Worker::new(Some(image.policy()?), asks);
    if let Some(mitigated) = mitigated {
        worker.retain(mitigated);
    }
    Ok(judging(worker))
}

fn no_policy() -> io::Result<Call> {
    Ok(judging(Worker::new(None, Image::Standard.corpus().asks.into_iter().map(Seen::keep).collect())))
}

/// Judging one request of a worker after the other.
pub(crate) fn judging(mut worker: Worker) -> Call {
    Box::new(move || {
        black_box(worker.judge_next());
    })
}
