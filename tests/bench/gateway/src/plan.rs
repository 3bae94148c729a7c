//! How much is measured: the command line.

use std::path::PathBuf;
use std::time::Duration;

use crate::variants::NAMES;

/// Said when it is not understood.
pub(crate) const USAGE: &str =
    "usage: gatehouse-bench-gateway [ROUNDS] [SECONDS] [REQUESTS] [--only NAMES] [--out FOLDER]
  ROUNDS    of each variant and kind of load, the first left out (usual: 11, at least 2)
  SECONDS   that one variant is driven in a round (usual: 5)
  REQUESTS  that each variant has answered when its memory is read (usual: 1000000)
  NAMES     of the variants to measure, with commas between them (usual: all)
  FOLDER    for gateway.json and gateway.svg (usual: target/bench)";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) length: Duration,
    pub(crate) requests: usize,
    /// Names of variants; empty: all.
    pub(crate) only: Vec<String>,
    pub(crate) out: PathBuf,
}

impl Plan {
    /// Reads the command line's words; `None`: they are not understood.
    pub(crate) fn read(words: &[String]) -> Option<Self> {
        let numbers = words.iter().take_while(|word| !word.starts_with("--")).count();
        let (numbers, options) = words.split_at(numbers);
        let (mut only, mut out) = (Vec::new(), gatehouse_bench::images::folder());
        for option in options.chunks(2) {
            match option {
                [option, names] if option == "--only" => only = names.split(',').map(str::to_owned).collect(),
                [option, folder] if option == "--out" => out = PathBuf::from(folder),
                _ => return None,
            }
        }
        let number = |at: usize, usual: usize| numbers.get(at).map_or(Some(usual), |word| word.parse().ok());
        let (rounds @ 2.., seconds @ 1.., requests) = (number(0, 11)?, number(1, 5)?, number(2, 1_000_000)?) else {
            return None;
        };
        let length = Duration::from_secs(seconds.try_into().ok()?);
        let known = only.iter().all(|name| NAMES.contains(&name.as_str()));
        (known && numbers.len() <= 3).then_some(Self { rounds, length, requests, only, out })
    }

    /// Whether the variant is to be measured.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual_and_what_is_not_understood_is_refused() {
        let read = |text: &str| Plan::read(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let usual = read("").expect("nothing is understood");
        assert_eq!((usual.rounds, usual.length.as_secs(), usual.requests), (11, 5, 1_000_000));
        assert!(usual.takes("lua") && usual.takes("native"));
        let short = read("2 1 5000 --only floor,native --out /x").expect("all of it");
        assert!(!short.takes("lua") && short.takes("native"));
        assert_eq!((short.rounds, short.length.as_secs(), short.requests), (2, 1, 5000));
        assert_eq!(short.out, PathBuf::from("/x"));
        for text in ["1 1", "2 0", "x", "2 1 1 1", "--out", "--only nobody", "--only"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
