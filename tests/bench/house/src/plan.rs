//! How much is measured: the command line.

use std::path::PathBuf;

/// Said when it is not understood.
pub(crate) const USAGE: &str = "usage: gatehouse-bench-house house [EVENTS] [ROUNDS] [SECONDS] [--out FOLDER]
       gatehouse-bench-house loop [REPETITIONS] [--out FOLDER]
       gatehouse-bench-house growth [SECONDS] [--out FOLDER]
  EVENTS       of each run, and of each backlog (usual: 300000, at least 1000)
  ROUNDS       of each shape of a house; medians are told (usual: 3)
  SECONDS      of 2,000 requests a second through an Envoy, for the delay to Kafka (usual: 20, at least 5); of growth: of each rate (usual: 10)
  REPETITIONS  of each word that is given (usual: 20)
  FOLDER       for house.json, loop.json or growth.json (usual: target/bench)";

/// What is measured, and where it is written.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) what: What,
    pub(crate) out: PathBuf,
}

/// What is measured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum What {
    House { events: u64, rounds: usize, seconds: u64 },
    Loop { repetitions: usize },
    Growth { seconds: u64 },
}

impl Plan {
    /// Reads the command line's words; `None`: they are not understood.
    pub(crate) fn read(words: &[String]) -> Option<Self> {
        let (words, out) = match words {
            [words @ .., option, folder] if option == "--out" => (words, PathBuf::from(folder)),
            all => (all, gatehouse_bench::images::folder()),
        };
        let (what, numbers) = words.split_first()?;
        let number = |at: usize, usual: u64| numbers.get(at).map_or(Some(usual), |word| word.parse().ok());
        let what = match (what.as_str(), numbers.len()) {
            ("house", ..=3) => {
                let (events @ 1000.., rounds @ 1.., seconds @ 5..) =
                    (number(0, 300_000)?, number(1, 3)?, number(2, 20)?)
                else {
                    return None;
                };
                What::House { events, rounds: rounds.try_into().ok()?, seconds }
            }
            ("loop", ..=1) => What::Loop { repetitions: number(0, 20)?.max(1).try_into().ok()? },
            ("growth", ..=1) => What::Growth { seconds: number(0, 10)?.max(1) },
            _ => return None,
        };
        Some(Self { what, out })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_usual_and_what_is_not_understood_is_refused() {
        let read = |text: &str| Plan::read(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let what = |text: &str| read(text).map(|plan| plan.what);
        assert_eq!(what("house"), Some(What::House { events: 300_000, rounds: 3, seconds: 20 }));
        assert_eq!(what("house 5000 1 5"), Some(What::House { events: 5000, rounds: 1, seconds: 5 }));
        assert_eq!(what("loop"), Some(What::Loop { repetitions: 20 }));
        assert_eq!(what("growth 3"), Some(What::Growth { seconds: 3 }));
        assert_eq!(read("loop 3 --out /x").expect("all of it").out, PathBuf::from("/x"));
        for text in ["", "house 10", "house 5000 0", "house 5000 1 1", "house 1 1 1 1", "loop x", "loop 1 1", "other"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
