//! How much is measured: the command line.

use std::path::PathBuf;
use std::time::Duration;

/// Said when it is not understood.
pub(crate) const USAGE: &str = "usage: gatehouse-bench-gateway [ROUNDS] [SECONDS] [REQUESTS] [--out FOLDER]
  ROUNDS    of each variant and kind of load, the first left out (usual: 11, at least 2)
  SECONDS   that one variant is driven in a round (usual: 5)
  REQUESTS  that each variant has answered when its memory is read (usual: 1000000)
  FOLDER    for gateway.json and gateway.svg (usual: target/bench)";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) length: Duration,
    pub(crate) requests: usize,
    pub(crate) out: PathBuf,
}

impl Plan {
    /// Reads the command line's words; `None`: they are not understood.
    pub(crate) fn read(words: &[String]) -> Option<Self> {
        let (numbers, out) = match words {
            [numbers @ .., option, folder] if option == "--out" => (numbers, PathBuf::from(folder)),
            all => (all, gatehouse_bench::images::folder()),
        };
        let number = |at: usize, usual: usize| numbers.get(at).map_or(Some(usual), |word| word.parse().ok());
        let (rounds @ 2.., seconds @ 1.., requests) = (number(0, 11)?, number(1, 5)?, number(2, 1_000_000)?) else {
            return None;
        };
        let length = Duration::from_secs(seconds.try_into().ok()?);
        (numbers.len() <= 3).then_some(Self { rounds, length, requests, out })
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
        let short = read("2 1 5000 --out /x").expect("all of it");
        assert_eq!((short.rounds, short.length.as_secs(), short.requests), (2, 1, 5000));
        assert_eq!(short.out, PathBuf::from("/x"));
        for text in ["1 1", "2 0", "x", "2 1 1 1", "--out"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
