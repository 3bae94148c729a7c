//! The table of cases of Envoy's own path normalisation.
//!
//! What is asserted, with `out` rooted and brought to our spelling by [`spelled`] (unreserved characters decoded, hex digits in
//! upper case, what may not stand encoded, slashes merged; written here on its own, not by the code under test):
//!
//! - `canonical`, out null (Envoy answers 400): refused by default. Otherwise: our canonical path is `out`; where it is not, `out`
//!   is among our readings and the path is refused by default (a backslash, which Envoy takes for a slash).
//! - `merge_slashes`: our canonical path is `out`'s path, our query is its query as it stands.
//! - `strip_query_fragment`: our canonical path is `out`.
//! - `unescape_slashes`: with nothing to unescape our canonical path is `out`. Otherwise `out`, taken through Envoy's next step
//!   (backslashes are slashes, dot segments go), is one of our readings, the path is refused by default; the query stands as it is.

use serde_json::Value;

use super::*;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/bench-data/path/envoy_path_utility.ndjson");

#[test]
fn a_path_is_what_envoy_makes_of_it_or_one_of_its_readings() {
    let Ok(text) = std::fs::read_to_string(FILE) else {
        eprintln!("skipped: {FILE} is not here");
        return;
    };
    let mut counts = [0; 4];
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).unwrap();
        let (raw, out) = (case["in"].as_str().unwrap(), case["out"].as_str());
        let path = Path::parse(raw.as_bytes());
        let refused = path.ambiguity.is_some_and(Ambiguity::reject_by_default);
        let (out_path, out_query) = out.unwrap_or_default().split_once('?').unzip();
        let out_path = spelled(out_path.or(out).unwrap_or_default());
        let is_canonical = *path.canonical == *out_path;
        let query_stands = path.query == out_query.map(str::as_bytes);
        let (op, holds) = match case["op"].as_str().unwrap() {
            "canonical" if out.is_none() => (0, refused),
            "canonical" => (0, is_canonical || (refused && path.readings.contains(&out_path))),
            "merge_slashes" => (1, is_canonical && query_stands),
            "strip_query_fragment" => (2, is_canonical),
            "unescape_slashes" if out == Some(raw) => (3, is_canonical && query_stands),
            "unescape_slashes" => {
                let slashed = resolved(&out_path);
                (3, refused && query_stands && path.all().any(|reading| reading == slashed))
            }
            other => panic!("`{other}` is an operation that is not known"),
        };
        assert!(holds, "{line}: {path:?}");
        counts[op] += 1;
    }
    assert_eq!(counts, [15, 13, 17, 20]);
}

/// `path` rooted and in our spelling.
fn spelled(path: &str) -> Vec<u8> {
    let mut out = vec![b'/'];
    let mut rest = path.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok());
        let (decoded, escaped) = match (byte, hex) {
            (b'%', Some(decoded)) => (decoded, true),
            _ => (byte, false),
        };
        rest = if escaped { &after[2..] } else { after };
        let unreserved = decoded.is_ascii_alphanumeric() || b"-._~".contains(&decoded);
        match decoded {
            b'/' if !escaped && out.ends_with(b"/") => {}
            _ if unreserved || (!escaped && b"/!$&'()*+,;=:@".contains(&decoded)) => out.push(decoded),
            _ => out.extend(format!("%{decoded:02X}").bytes()),
        }
    }
    out
}

/// Backslashes taken for slashes, then dot segments removed.
fn resolved(path: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(path.to_vec()).unwrap().replace("%5C", "/");
    let mut kept: Vec<&str> = Vec::new();
    for segment in text.split('/').skip(1) {
        match segment {
            ".." => drop(kept.pop()),
            "." => {}
            other => kept.push(other),
        }
    }
    spelled(&kept.join("/"))
}
