//! What the run script hands over: where the parts are, how long the traffic runs, whether to stay up.

use std::path::PathBuf;
use std::time::Duration;

/// How the program is called.
pub const USAGE: &str = "usage: gatehouse-demo --envoy FILE --filter FILE --house FILE [--seconds 1..3600] [--hold]
       (`make demo` calls it; DEMO_SECONDS and HOLD=1 are handed over)";

/// Longest traffic, in seconds: what is counted is kept in memory.
const LONGEST: u64 = 3600;

/// One run's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    /// The Envoy binary.
    pub envoy: PathBuf,
    /// The filter, as built for wasm32-wasip1.
    pub filter: PathBuf,
    /// The sidecar binary.
    pub house: PathBuf,
    /// Length of the traffic.
    pub traffic: Duration,
    /// Stay up afterwards until Ctrl-C.
    pub hold: bool,
}

impl Arguments {
    /// Reads the arguments after the program's name.
    ///
    /// # Errors
    /// What is wrong with them, in one line.
    pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments.into_iter();
        let (mut envoy, mut filter, mut house) = (None, None, None);
        let (mut traffic, mut hold) = (Duration::from_secs(60), false);
        while let Some(name) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("`{name}` needs a value"));
            match name.as_str() {
                "--envoy" => envoy = Some(PathBuf::from(value()?)),
                "--filter" => filter = Some(PathBuf::from(value()?)),
                "--house" => house = Some(PathBuf::from(value()?)),
                "--seconds" => traffic = seconds(&value()?)?,
                "--hold" => hold = true,
                other => return Err(format!("unknown argument `{other}`")),
            }
        }
        Ok(Self {
            envoy: envoy.ok_or("`--envoy FILE` is missing")?,
            filter: filter.ok_or("`--filter FILE` is missing")?,
            house: house.ok_or("`--house FILE` is missing")?,
            traffic,
            hold,
        })
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u64>() {
        Ok(seconds @ 1..=LONGEST) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("`{text}` is not a whole number of seconds between 1 and {LONGEST}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments, String> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn parts_are_required_and_the_rest_has_defaults() {
        let arguments = parse("--envoy e --filter f --house h").unwrap();
        assert_eq!((arguments.traffic.as_secs(), arguments.hold), (60, false));
        let arguments = parse("--hold --seconds 15 --envoy e --filter f --house h").unwrap();
        assert_eq!((arguments.traffic.as_secs(), arguments.hold), (15, true));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (line, told) in [
            ("--envoy e --filter f", "`--house FILE` is missing"),
            ("--envoy", "`--envoy` needs a value"),
            ("--sceonds 3", "unknown argument `--sceonds`"),
            ("--seconds 0", "`0` is not a whole number of seconds between 1 and 3600"),
            ("--seconds 1m", "`1m` is not a whole number of seconds between 1 and 3600"),
        ] {
            assert_eq!(parse(line).unwrap_err(), told);
        }
    }
}
