//! What other software may take the path for.

use std::borrow::Cow;

use super::MAX_READINGS;
use super::scan::{Features, Target};
use super::segments::{CANONICAL, Options, Remove, render};
use crate::percent::decode;

/// How often software is thought to decode, at most.
const MOST_DECODES: usize = 3;

/// Every other reading, most lenient first, and whether there are more than [`MAX_READINGS`], of which the rest is dropped.
pub(super) fn others(target: &Target<'_>, found: &Features, canonical: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut readings: Vec<Vec<u8>> = Vec::new();
    let mut has_more = false;
    let mut add = |reading: Vec<u8>| {
        if reading == canonical || readings.contains(&reading) {
            return;
        }
        if readings.len() < MAX_READINGS {
            readings.push(reading);
        } else {
            has_more = true;
        }
    };
    let stripped = Options { strip_params: true, ..CANONICAL };
    let merged = Options { merge_first: true, ..CANONICAL };
    let path = target.path;
    add(render(&lenient(path, MOST_DECODES), &Options { merge_first: true, ..stripped }));
    add(render(&lenient(path, 1), &CANONICAL));
    if found.params {
        add(render(path, &stripped));
        add(render(path, &Options { merge_first: true, ..stripped }));
    }
    if found.empty && found.dots {
        add(render(path, &merged));
    }
    if let Some(whole) = target.fragment {
        add(render(whole, &CANONICAL));
    }
    if found.dots || found.empty {
        add(render(path, &Options { remove: Remove::None, merge: false, ..CANONICAL }));
    }
    if found.dots && (found.empty || found.escaped_dots) {
        add(render(path, &Options { remove: Remove::None, ..CANONICAL }));
    }
    if found.escaped_dots {
        let plain = render(path, &Options { remove: Remove::Plain, ..CANONICAL });
        add(render(&plain, &CANONICAL));
        add(plain);
    }
    (readings, has_more)
}

/// The path to software that decodes everything `rounds` times before it looks at slashes, and takes backslashes for slashes.
fn lenient(path: &[u8], rounds: usize) -> Vec<u8> {
    let mut bytes = path.to_vec();
    for _ in 0..rounds {
        match decode(&bytes) {
            Cow::Owned(decoded) if decoded != bytes => bytes = decoded,
            _ => break,
        }
    }
    shorten_overlong(&mut bytes);
    bytes.iter_mut().filter(|byte| **byte == b'\\').for_each(|byte| *byte = b'/');
    bytes
}

/// ASCII characters that are encoded in two or three bytes become the one byte that they are.
fn shorten_overlong(bytes: &mut Vec<u8>) {
    if !bytes.iter().any(|byte| matches!(byte, 0xC0 | 0xC1 | 0xE0)) {
        return;
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.as_slice();
    loop {
        rest = match rest {
            [lead @ (0xC0 | 0xC1), low @ 0x80..=0xBF, rest @ ..]
            | [0xE0, lead @ (0x80 | 0x81), low @ 0x80..=0xBF, rest @ ..] => {
                out.push((lead & 1) << 6 | (low & 0x3F));
                rest
            }
            [byte, rest @ ..] => {
                out.push(*byte);
                rest
            }
            [] => break,
        };
    }
    *bytes = out;
}
