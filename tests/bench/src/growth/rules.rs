//! Rules that a request has nothing to do with: what a decision costs, and what it takes to bring so many into force.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use gatehouse_corpora::{Corpus, Shape};
use gatehouse_policy::{IMAGE_VERSION, ImageLoader, Options, Policy, PolicyError, Progress};
use sha2::{Digest as _, Sha256};

use super::measure::{Calls, Subject, figures, nanos, unknown};
use super::{Column, Figures, Growth, Line, Topic};
use crate::Call;
use crate::images::{self, compiled_with};
use crate::operations::judging;
use crate::worker::{Seen, Worker};

/// Requests are for the first so many rules, which the least size has.
const KNOWN: usize = 10;
const SIZES: [u64; 5] = [10, 100, 1000, 10_000, 100_000];
/// Bytes of a chunk, as the house sends them.
const CHUNK: usize = 256 << 10;

pub(super) const SUBJECT: Subject = Subject { plan, make, time, counts: &["decide", "load"], prepare, calls };

const COLUMNS: &[Column] = &[
    Column { key: "decide", head: "instructions a decision", digits: 0, drawn: true },
    Column { key: "decide_ns", head: "ns a decision", digits: 0, drawn: false },
    Column { key: "load", head: "instructions to load", digits: 0, drawn: true },
    Column { key: "load_ms", head: "ms to load", digits: 1, drawn: false },
    Column { key: "steps", head: "steps of loading", digits: 0, drawn: false },
    Column { key: "image", head: "bytes of the image", digits: 0, drawn: false },
    Column { key: "compile_ms", head: "ms to compile", digits: 0, drawn: false },
];

fn plan() -> Topic {
    let lines = Shape::ALL.into_iter().map(|shape| {
        let line = Line::new(shape.as_str(), &SIZES).counted("decide", Growth::Constant);
        let line = line.counted("load", Growth::Linear).counted("image", Growth::Linear);
        line.timed("compile_ms", Growth::Linear)
    });
    let title = "Rules that a request has nothing to do with";
    Topic { name: "rules", title, of: "rules", columns: COLUMNS, lines: lines.collect() }
}

fn corpus(line: &str, size: u64) -> io::Result<Corpus> {
    let shape = Shape::ALL.into_iter().find(|shape| shape.as_str() == line).ok_or_else(|| unknown(line))?;
    Ok(shape.corpus_for(KNOWN, size as usize))
}

fn file(line: &str, size: u64) -> PathBuf {
    images::folder().join(format!("growth-{line}-{size}.image"))
}

fn make(line: &str, size: u64) -> io::Result<Result<Figures, String>> {
    make_of(&corpus(line, size)?, &Options::new(&()), &file(line, size))
}

/// Compiles and keeps an image, or tells why there is none.
pub(super) fn make_of(corpus: &Corpus, options: &Options<'_>, file: &Path) -> io::Result<Result<Figures, String>> {
    let begin = Instant::now();
    let image = match compiled_with(corpus, options) {
        Ok(image) => image,
        Err(problems) => return Ok(Err(told(&problems.to_string()))),
    };
    let took = begin.elapsed();
    fs::create_dir_all(images::folder())?;
    fs::write(file, &image)?;
    Ok(Ok(figures([("image", image.len() as f64), ("compile_ms", took.as_secs_f64() * 1e3)])))
}

/// The first problem, and how many more there are.
fn told(problems: &str) -> String {
    let mut lines = problems.lines().filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    match lines.count() {
        0 => first.to_owned(),
        more => format!("{first} (and {more} more)"),
    }
}

fn worker(line: &str, size: u64) -> io::Result<Worker> {
    let policy = Policy::load(fs::read(file(line, size))?, 1).map_err(io::Error::other)?;
    let asks = corpus(line, KNOWN as u64)?.asks;
    Ok(Worker::new(Some(policy), asks.into_iter().map(Seen::keep).collect()))
}

fn time(line: &str, size: u64) -> io::Result<Figures> {
    let mut found = load_times(&fs::read(file(line, size))?)?;
    found.insert("decide_ns".to_owned(), nanos(&mut judging(worker(line, size)?), 2000));
    Ok(found)
}

fn calls(_: &str, _: u64, key: &str) -> Calls {
    if key == "load" { Calls::ONCE } else { Calls::of(1000) }
}

fn prepare(line: &str, size: u64, key: &str) -> io::Result<Call> {
    if key == "load" {
        return Ok(loading(fs::read(file(line, size))?));
    }
    Ok(judging(worker(line, size)?))
}

/// How long it takes to bring an image into force, the least of three times, and in how many steps.
pub(super) fn load_times(image: &[u8]) -> io::Result<Figures> {
    let digest = Sha256::digest(image).into();
    let (mut least, mut steps) = (f64::INFINITY, 0);
    for _ in 0..3 {
        let begin = Instant::now();
        steps = load(image, &digest).map_err(io::Error::other)?;
        least = least.min(begin.elapsed().as_secs_f64() * 1e3);
    }
    Ok(figures([("load_ms", least), ("steps", steps as f64)]))
}

/// The same once, to be counted.
pub(super) fn loading(image: Vec<u8>) -> Call {
    let digest = Sha256::digest(&image).into();
    Box::new(move || {
        std::hint::black_box(load(&image, &digest).is_ok());
    })
}

/// Brings an image into force as the gate does, chunk by chunk and step by step; the number of steps.
fn load(image: &[u8], digest: &[u8; 32]) -> Result<u64, PolicyError> {
    let mut loader = ImageLoader::begin(1, image.len() as u64, digest, IMAGE_VERSION)?;
    let mut steps = 0;
    for (number, chunk) in image.chunks(CHUNK).enumerate() {
        loader.chunk(digest, (number * CHUNK) as u64, chunk)?;
        loop {
            steps += 1;
            match loader.work(1)? {
                Progress::Busy => {}
                Progress::Waiting => break,
                Progress::Done(policy) => {
                    drop(std::hint::black_box(policy));
                    return Ok(steps);
                }
            }
        }
    }
    Err(PolicyError::Malformed("end"))
}
