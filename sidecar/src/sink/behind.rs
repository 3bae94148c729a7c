//! What a sink does when it falls behind: `behind: hold`, or `behind: skip after SIZE or AGE`.

use std::fmt;
use std::time::Duration;

use gatehouse_policy::document::{Node, Place, Problems, Value};

/// What a sink does when it falls behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behind {
    /// The spool keeps what it has not delivered; a spool that is full takes nothing more from gates.
    Hold,
    /// It passes over the oldest whole segments while it is further behind than this. The newest segment it never skips.
    Skip {
        /// Bytes on disk that may lie before it.
        bytes: Option<u64>,
        /// Time since the oldest record before it was taken in.
        age: Option<Duration>,
    },
}

/// Which bound was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// `skip after AGE`.
    Age,
    /// `skip after SIZE`.
    Size,
}

impl Behind {
    /// Reads the field `behind` of the entry of a sink; `None`: it is not written, or wrong.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let text = node.string(problems)?;
        let words: Vec<&str> = text.split_whitespace().collect();
        match words.as_slice() {
            ["hold"] => Some(Self::Hold),
            ["skip"] => Some(Self::Skip { bytes: None, age: None }),
            ["skip", "after", one] => Self::after(&[one], node, problems),
            ["skip", "after", one, "or", other] => Self::after(&[one, other], node, problems),
            _ => wrong(&node.place, problems),
        }
    }

    fn after(bounds: &[&str], node: &Node, problems: &mut Problems) -> Option<Self> {
        let (mut bytes, mut age) = (None, None);
        for text in bounds {
            let bound = Node { value: Value::String((*text).to_owned()), ..node.clone() };
            match (bound.size(&mut Problems::default()), bound.duration(&mut Problems::default())) {
                (Some(size), _) if bytes.is_none() && size > 0 => bytes = Some(size),
                (_, Some(time)) if age.is_none() && !time.is_zero() => age = Some(time),
                _ => return wrong(&node.place, problems),
            }
        }
        Some(Self::Skip { bytes, age })
    }

    /// What holds for the sink at `index` where nothing, or no bound, is written: the first holds, the others skip at a quarter
    /// of the spool.
    #[must_use]
    pub fn settle(written: Option<Self>, index: usize, spool_bytes: u64) -> Self {
        let quarter = Self::Skip { bytes: Some(spool_bytes / 4), age: None };
        match written {
            None if index == 0 => Self::Hold,
            None | Some(Self::Skip { bytes: None, age: None }) => quarter,
            // A sink that only skips what is old would hold all that is new.
            Some(Self::Skip { bytes: None, age }) => Self::Skip { bytes: Some(spool_bytes / 4), age },
            Some(behind) => behind,
        }
    }

    /// Whether a sink that has so many bytes before it, the oldest taken in so long ago, is too far behind.
    #[must_use]
    pub fn passed(&self, pending_bytes: u64, oldest: Duration) -> Option<Bound> {
        let Self::Skip { bytes, age } = self else { return None };
        if bytes.is_some_and(|bytes| pending_bytes > bytes) {
            return Some(Bound::Size);
        }
        age.is_some_and(|age| oldest > age).then_some(Bound::Age)
    }
}

fn wrong(place: &Place, problems: &mut Problems) -> Option<Behind> {
    let help = "write `hold`, `skip`, or `skip after` a size, an age or both, such as `skip after 256MiB or 1h`";
    problems.push(place, "this is no answer to what the sink does when it falls behind", help);
    None
}

impl Bound {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Size => "size",
        }
    }
}

/// As it is written.
impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Skip { bytes, age } = self else { return f.write_str("hold") };
        let bounds = [bytes.map(|bytes| format!("{bytes}B")), age.map(|age| format!("{}ms", age.as_millis()))];
        let bounds: Vec<String> = bounds.into_iter().flatten().collect();
        write!(f, "skip after {}", bounds.join(" or "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Behind> {
        let node = Node { value: Value::String(text.into()), place: Place::pointer("behind") };
        let mut problems = Problems::default();
        let behind = Behind::read(&node, &mut problems);
        assert_eq!(behind.is_none(), !problems.is_empty(), "{text}");
        behind
    }

    #[test]
    fn bounds_are_a_size_an_age_or_both() {
        let skip = |bytes, seconds: Option<u64>| Some(Behind::Skip { bytes, age: seconds.map(Duration::from_secs) });
        assert_eq!(read("hold"), Some(Behind::Hold));
        assert_eq!(read("skip"), skip(None, None));
        assert_eq!(read("skip after 1MiB"), skip(Some(1 << 20), None));
        assert_eq!(read("skip after 1h"), skip(None, Some(3600)));
        assert_eq!(read("skip after 1h or 1MiB"), skip(Some(1 << 20), Some(3600)));
        for text in
            ["drop", "skip 1MiB", "skip after", "skip after 5", "skip after 1h or 2h", "skip after 0B", "hold on"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_holds_and_the_others_skip_at_a_quarter() {
        let quarter = Behind::Skip { bytes: Some(256), age: None };
        assert_eq!((Behind::settle(None, 0, 1024), Behind::settle(None, 1, 1024)), (Behind::Hold, quarter));
        assert_eq!(Behind::settle(Some(Behind::Hold), 1, 1024), Behind::Hold);
        let written = Behind::settle(read("skip after 1h"), 0, 1024);
        assert_eq!(written.to_string(), "skip after 256B or 3600000ms");
        assert_eq!(read(&written.to_string()), Some(written));
        let hour = Duration::from_secs(3600);
        assert_eq!(written.passed(257, Duration::ZERO), Some(Bound::Size));
        assert_eq!((written.passed(256, hour), written.passed(1, hour * 2)), (None, Some(Bound::Age)));
    }
}
