//! The canonical path is a fixed point, has the form that rules rely on, and has few readings; and what servers of several habits
//! would take the path for is among its readings, unless it is refused by default.

use gatehouse_signals::path::{MAX_READINGS, Path, class, literal};
use gatehouse_signals::{Ambiguity, percent};

/// Longest path that is given to the models of other servers.
const MODELLED: usize = 512;

/// See the module.
pub fn check(bytes: &[u8]) {
    let path = Path::parse(bytes);
    let canonical = &*path.canonical;
    assert!(canonical == b"*" || is_canonical(canonical), "form: {:?}", show(canonical));
    assert_eq!(show(&Path::parse(canonical).canonical), show(canonical), "a fixed point");
    let refused = |path: &Path<'_>| path.ambiguity.is_some_and(Ambiguity::reject_by_default);
    let bad = path.ambiguity == Some(Ambiguity::BadEscape);
    assert!(
        refused(&path) || bad || !refused(&Path::parse(canonical)),
        "what is let through is so in its canonical form too"
    );
    assert!(canonical.len() <= bytes.len() * 3 + 1, "bounded");
    assert!(path.readings.len() <= MAX_READINGS, "few readings");
    assert!(path.readings.is_empty() || path.ambiguity.is_some(), "a second reading has its reason");
    let mut all: Vec<&[u8]> = path.all().collect();
    assert!(all.iter().all(|reading| reading.iter().all(|byte| is_path_byte(*byte))), "readings are printable");
    for (number, reading) in all.iter().enumerate() {
        assert!(!all[..number].contains(reading), "readings differ");
    }
    if bytes.first() == Some(&b'/') && !bytes.contains(&b'#') && bytes.len() <= MODELLED {
        others(bytes, &path, &mut all);
    }
    assert!(class(canonical).pieces().map(<[u8]>::len).sum::<usize>() <= gatehouse_signals::path::MAX_CLASS_BYTES);
    let written = literal(bytes);
    assert_eq!(literal(&written), written, "a literal is a fixed point");
}

fn is_canonical(path: &[u8]) -> bool {
    let rooted = path.first() == Some(&b'/');
    let inner = path.get(1..).unwrap_or_default();
    let segments = || inner.split(|byte| *byte == b'/');
    let last = segments().count();
    let full = segments().enumerate().all(|(at, segment)| !segment.is_empty() || at + 1 == last);
    rooted && full && !segments().any(|s| s == b"." || s == b"..") && path.iter().all(|byte| is_path_byte(*byte))
}

fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'#' | b'?' | b'\\' | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Servers of other habits, by the letter of RFC 3986, 5.2.4: none sees a path that the gate does not judge.
fn others(bytes: &[u8], path: &Path<'_>, all: &mut Vec<&[u8]>) {
    if path.ambiguity.is_some_and(Ambiguity::reject_by_default) {
        return;
    }
    let target = bytes.split(|byte| *byte == b'?').next().unwrap_or_default();
    let decoded: Vec<Vec<u8>> = all.drain(..).map(|reading| percent::decode(reading).into_owned()).collect();
    let models: [(&str, fn(&[u8]) -> Vec<u8>); 8] = [
        ("decodes only", |path| percent::decode(path).into_owned()),
        ("decodes and merges", |path| merge(&percent::decode(path))),
        ("decodes, resolves, merges", |path| merge(&resolve(&percent::decode(path)))),
        ("decodes, merges, resolves", |path| resolve(&merge(&percent::decode(path)))),
        ("resolves, decodes, merges", |path| merge(&percent::decode(&resolve(path)))),
        ("resolves, merges, decodes, resolves", |path| resolve(&percent::decode(&merge(&resolve(path))))),
        ("drops parameters, decodes, resolves, merges", |path| {
            merge(&resolve(&percent::decode(&drop_parameters(path))))
        }),
        ("drops parameters, merges, decodes, resolves", |path| {
            resolve(&percent::decode(&merge(&drop_parameters(path))))
        }),
    ];
    for (habit, model) in models {
        let seen = model(target);
        assert!(
            decoded.iter().any(|reading| same(reading, &seen)),
            "a server that {habit} reads {} where the gate judges {:?}",
            show(&seen),
            decoded.iter().map(|reading| show(reading)).collect::<Vec<_>>()
        );
    }
}

/// Equal but for the slashes at the end, which rules read past, and for what a merge leaves over.
fn same(one: &[u8], other: &[u8]) -> bool {
    trimmed(one) == trimmed(other)
}

fn trimmed(path: &[u8]) -> &[u8] {
    let end = path.iter().rposition(|byte| *byte != b'/').map_or(0, |at| at + 1);
    &path[..end]
}

fn drop_parameters(path: &[u8]) -> Vec<u8> {
    let kept =
        path.split(|byte| *byte == b'/').map(|segment| segment.split(|byte| *byte == b';').next().unwrap_or_default());
    kept.collect::<Vec<_>>().join(&b'/')
}

fn merge(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(path.len());
    for byte in path {
        if !(*byte == b'/' && out.last() == Some(&b'/')) {
            out.push(*byte);
        }
    }
    out
}

/// Remove-dot-segments as RFC 3986, 5.2.4 tells it, with an input and an output buffer.
fn resolve(path: &[u8]) -> Vec<u8> {
    let (mut input, mut output) = (path.to_vec(), Vec::new());
    while !input.is_empty() {
        if input.starts_with(b"/./") {
            input.drain(..2);
        } else if input == b"/." {
            input = b"/".to_vec();
        } else if input.starts_with(b"/../") || input == b"/.." {
            input.splice(..(3 + usize::from(input.len() > 3)), *b"/");
            output.truncate(output.iter().rposition(|byte| *byte == b'/').unwrap_or(0));
        } else {
            let next = input.iter().skip(1).position(|byte| *byte == b'/').map_or(input.len(), |at| at + 1);
            output.extend(input.drain(..next));
        }
    }
    output
}

fn show(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}
