//! Entries of a list that one rule asks: what a look-up costs, and how large the image is.

use std::borrow::Cow;
use std::fs;
use std::hint::black_box;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use gatehouse_corpora::{Corpus, Dice};
use gatehouse_engine::Connection;
use gatehouse_policy::{Library, Options, Policy, Source};

use super::measure::{Calls, Subject, figures, nanos, unknown};
use super::rules::{load_times, loading, make_of};
use super::{Column, Figures, Growth, Line, Topic};
use crate::Call;
use crate::images;
use crate::parts::{each, lookup};

const SIZES: [u64; 6] = [100, 1000, 10_000, 100_000, 1_000_000, 10_000_000];
/// Entries of one file, which may have 16 MiB.
const OF_A_FILE: usize = 250_000;
/// Different values that are looked up; every second is on the list.
const ASKED: usize = 20_000;

/// Of ten, seven are IPv4 addresses, two /29, one an IPv6 /64; none holds another, or there would be fewer than were written.
const NETWORKS: &str = "networks";
/// Whole SPIFFE ids.
const IDENTITIES: &str = "identities";
/// SPIFFE ids with a wildcard.
const PATTERNS: &str = "patterns of identities";

pub(super) const SUBJECT: Subject = Subject { plan, make, time, counts: &["find", "load"], prepare, calls };

const COLUMNS: &[Column] = &[
    Column { key: "find", head: "instructions a look-up", digits: 0, drawn: true },
    Column { key: "find_ns", head: "ns a look-up", digits: 0, drawn: false },
    Column { key: "image", head: "bytes of the image", digits: 0, drawn: true },
    Column { key: "load", head: "instructions to load", digits: 0, drawn: false },
    Column { key: "load_ms", head: "ms to load", digits: 1, drawn: false },
    Column { key: "compile_ms", head: "ms to compile", digits: 0, drawn: false },
];

fn plan() -> Topic {
    // Networks: buckets by the leading bits and a search in one; texts: a search by hash; patterns are tried one by one.
    let kinds = [(NETWORKS, Growth::Logarithmic), (IDENTITIES, Growth::Logarithmic), (PATTERNS, Growth::Linear)];
    let lines = kinds.into_iter().map(|(name, find)| {
        let line = Line::new(name, &SIZES).counted("find", find).counted("image", Growth::Linear);
        line.counted("load", Growth::Linear).timed("compile_ms", Growth::Linear)
    });
    Topic { name: "lists", title: "Entries of a list", of: "entries", columns: COLUMNS, lines: lines.collect() }
}

/// The entries of a list, in files.
struct Files(Vec<String>);

impl Library for Files {
    fn pack(&self, _: &str) -> Option<Source<'_>> {
        None
    }

    fn packs(&self) -> Vec<&str> {
        Vec::new()
    }

    fn file(&self, name: &str) -> Option<Cow<'_, str>> {
        let number: usize = name.strip_prefix("part-")?.parse().ok()?;
        self.0.get(number).map(|text| Cow::Borrowed(text.as_str()))
    }
}

fn entries(line: &str, size: usize) -> io::Result<Vec<String>> {
    match line {
        NETWORKS => Ok(networks(size as u64)),
        IDENTITIES => Ok((0..size).map(identity).collect()),
        PATTERNS => Ok((0..size).map(|n| format!("spiffe://mesh.local/ns/n{n}/sa/*")).collect()),
        _ => Err(unknown(line)),
    }
}

fn networks(size: u64) -> Vec<String> {
    let (mut dice, first) = (Dice::new(7), 0x0b00_0000_u64);
    // From 11.0.0.0 to 99.255.255.255, the same room for each.
    let room = 0x5900_0000 / size.max(1);
    let all = (0..size).map(|n| match n % 10 {
        0 => {
            let high = (0x2a00 << 48) | (dice.bits() >> 16);
            format!("{}/64", Ipv6Addr::from_bits(u128::from(high) << 64))
        }
        1 | 2 => format!("{}/29", Ipv4Addr::from_bits((first + n * room).next_multiple_of(8) as u32)),
        _ => Ipv4Addr::from_bits((first + n * room + dice.below(room)) as u32).to_string(),
    });
    all.collect()
}

fn identity(n: usize) -> String {
    format!("spiffe://mesh.local/ns/n{n}/sa/app")
}

fn file(line: &str, size: u64, what: &str) -> PathBuf {
    images::folder().join(format!("growth-{}-{size}.{what}", line.replace(' ', "-")))
}

fn make(line: &str, size: u64) -> io::Result<Result<Figures, String>> {
    let entries = entries(line, size as usize)?;
    fs::create_dir_all(images::folder())?;
    fs::write(file(line, size, "asks"), asks(line, &entries).join("\n"))?;
    let files = Files(entries.chunks(OF_A_FILE).map(|some| some.join("\n")).collect());
    drop(entries);
    make_files(line, &files, &file(line, size, "image"))
}

fn make_files(line: &str, files: &Files, image: &Path) -> io::Result<Result<Figures, String>> {
    let names: Vec<String> = (0..files.0.len()).map(|number| format!("\"part-{number}\"")).collect();
    let (kind, field) = if line == NETWORKS { ("cidrs", "address") } else { ("identities", "identity") };
    let text = format!(
        r#"{{"apiVersion":"gatehouse.dev/v1","kind":"Policy","metadata":{{"name":"list"}},"spec":{{"hosts":["a.example"],"lists":{{"many":
            {{"{kind}":[],"files":[{}]}}}},"rules":[{{"name":"r","match":{{"{field}":{{"list":"many"}}}},"then":"block"}}]}}}}"#,
        names.join(",")
    );
    let corpus = Corpus { name: "list".into(), documents: vec![text], rules: 1, asks: Vec::new() };
    make_of(&corpus, &Options::new(files), image)
}

/// What is looked up: one that is on the list, then one that is not, from everywhere in it.
fn asks(line: &str, entries: &[String]) -> Vec<String> {
    let mut dice = Dice::new(11);
    let mut out = Vec::with_capacity(ASKED);
    while out.len() < ASKED {
        let at = dice.below(entries.len() as u64) as usize;
        if line == NETWORKS {
            let network = entries.get(at).map_or("", String::as_str);
            out.push(network.split('/').next().unwrap_or_default().to_owned());
            out.push(Ipv4Addr::from_bits(dice.bits() as u32).to_string());
        } else {
            out.push(identity(at));
            out.push(identity(entries.len() + at));
        }
    }
    out
}

/// In whose words a file is refused that has more than 16 MiB.
#[cfg(test)]
pub(super) fn refused_for_its_size() -> Option<String> {
    let files = Files(vec!["2001:db8::/64\n".repeat((16 << 20) / 14 + 1)]);
    make_files(NETWORKS, &files, Path::new("/dev/null")).ok()?.err()
}

/// Of so many look-ups so many that find something.
#[cfg(test)]
pub(super) fn found(line: &str, size: u64) -> io::Result<(usize, usize)> {
    let found = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&found);
    let mut call = looking_up(line, size, move |is_in| count.set(count.get() + usize::from(is_in)))?;
    (0..ASKED).for_each(|_| call());
    Ok((found.get(), ASKED))
}

/// Looks up one value after the other, and tells `told` whether it is on the list.
fn looking_up(line: &str, size: u64, mut told: impl FnMut(bool) + 'static) -> io::Result<Call> {
    let policy = Policy::load(fs::read(file(line, size, "image"))?, 1).map_err(io::Error::other)?;
    let asks = fs::read_to_string(file(line, size, "asks"))?;
    if line == NETWORKS {
        let addresses: Vec<IpAddr> = asks.lines().filter_map(|line| line.parse().ok()).collect();
        return Ok(each(addresses, move |address| {
            told(lookup::holds(&policy, *address));
        }));
    }
    let peer =
        |uri: &str| Connection { mutual_tls: Some(true), peer_uri: Some(uri.to_owned()), ..Connection::default() };
    Ok(each(asks.lines().map(peer).collect(), move |peer| {
        told(lookup::holds_peer(&policy, peer));
    }))
}

fn drop_it(is_in: bool) {
    black_box(is_in);
}

/// Fewer look-ups of what is tried one by one.
fn calls(line: &str, size: u64, key: &str) -> Calls {
    match (line, key) {
        (_, "load") => Calls::ONCE,
        (PATTERNS, _) => Calls::of((1_000_000 / size).clamp(20, 4000) as u32),
        _ => Calls::of(4000),
    }
}

fn time(line: &str, size: u64) -> io::Result<Figures> {
    let mut found = load_times(&fs::read(file(line, size, "image"))?)?;
    found.extend(figures([(
        "find_ns",
        nanos(&mut looking_up(line, size, drop_it)?, calls(line, size, "find").counted),
    )]));
    Ok(found)
}

fn prepare(line: &str, size: u64, key: &str) -> io::Result<Call> {
    if key == "load" {
        return Ok(loading(fs::read(file(line, size, "image"))?));
    }
    looking_up(line, size, drop_it)
}
