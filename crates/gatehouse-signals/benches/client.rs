//! How long one user agent and one fingerprint take: `cargo bench -p gatehouse-signals --bench client`. Reads the measuring list beside the
//! repository, or a handful of our own without it; prints mean, median and 99th percentile, without and with the cache.

use std::hint::black_box;
use std::io::Read as _;
use std::time::{Duration, Instant};

use gatehouse_signals::agent::{self, AgentCache};
use gatehouse_signals::fingerprint::fingerprint;
use gatehouse_signals::{Connection, Head};

const LIST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench-data/ua/isbot.tsv.gz");

const OWN: &[&str] = &[
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
    "Mozilla/5.0 (compatible; Examplebot/2.1; +https://bot.example.com/)",
    "curl/8.9.1",
];

fn main() {
    let list = list().unwrap_or_else(|| OWN.iter().map(|text| text.as_bytes().to_vec()).collect());
    println!("{} user agents, {} bytes on average", list.len(), list.iter().map(Vec::len).sum::<usize>() / list.len());
    report("classify", &list, |text| black_box(agent::classify(black_box(text))).name.len());
    let mut cache = AgentCache::new(4096, &[7; 16]);
    report("cache, all known", &list, |text| black_box(cache.classify(black_box(text))).name.len());
    let connection = Connection::default();
    let headers: Vec<_> = HEAD.iter().map(|name| (name.as_bytes(), &b"x"[..])).collect();
    let head = Head::new(&headers, &connection);
    let one = [HEAD.concat().into_bytes()];
    report("fingerprint of 24 headers", &one, |_| usize::try_from(fingerprint(black_box(&head)).key()).unwrap_or(0));
}

/// A browser's request behind Envoy.
const HEAD: [&str; 24] = [
    ":authority",
    ":path",
    ":method",
    ":scheme",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
    "sec-ch-ua-platform",
    "upgrade-insecure-requests",
    "user-agent",
    "accept",
    "sec-fetch-site",
    "sec-fetch-mode",
    "sec-fetch-user",
    "sec-fetch-dest",
    "referer",
    "accept-encoding",
    "accept-language",
    "cookie",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-envoy-internal",
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
];

/// The list's third column.
fn list() -> Option<Vec<Vec<u8>>> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(std::fs::File::open(LIST).ok()?).read_to_end(&mut text).ok()?;
    let lines = text.split(|byte| *byte == b'\n');
    Some(lines.filter_map(|line| line.splitn(3, |byte| *byte == b'\t').nth(2)).map(<[u8]>::to_vec).collect())
}

/// Each text 16 times in a row, in 100 rounds over the list; its fastest round counts, because the machine has other work.
fn report(what: &str, list: &[Vec<u8>], mut read: impl FnMut(&[u8]) -> usize) {
    const ROW: u32 = 16;
    let mut fastest = vec![Duration::MAX; list.len()];
    for _ in 0..100 {
        for (text, best) in list.iter().zip(&mut fastest) {
            let start = Instant::now();
            for _ in 0..ROW {
                black_box(read(text));
            }
            *best = (start.elapsed() / ROW).min(*best);
        }
    }
    fastest.sort_unstable();
    let mean = fastest.iter().sum::<Duration>() / u32::try_from(fastest.len()).unwrap_or(1);
    let at = |thousandth: usize| fastest.get(fastest.len() * thousandth / 1000).copied().unwrap_or_default();
    let longest = fastest.last().copied().unwrap_or_default();
    println!("{what}: mean {mean:?}, median {:?}, p99 {:?}, slowest {longest:?}", at(500), at(990));
}
