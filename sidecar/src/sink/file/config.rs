//! The file sink as written.
//!
//! ```yaml
//! file:
//!   path: /var/log/gatehouse/events.ndjson   # default: NAME.ndjson in the data folder
//!   rotate: { size: 64MiB, keep: 8 }         # so at most nine files of this size; also `age: 1d`, `compress: gzip`
//!   sync: always                             # or never: see `Durability`
//! ```

use std::path::PathBuf;
use std::time::Duration;

use gatehouse_policy::document::{Fields, Node, Problems};

const SMALLEST: u64 = 64 << 10;
const LARGEST: u64 = 64 << 30;
const YOUNGEST: Duration = Duration::from_secs(60);
const OLDEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Where events are written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// The file; `None`: `NAME.ndjson` in the data folder.
    pub path: Option<PathBuf>,
    /// When it is put aside.
    pub rotate: Rotate,
    /// What an event outlives once it counts as delivered.
    pub sync: Durability,
}

/// What an event outlives once it counts as delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// A power loss: it was synced.
    #[default]
    Always,
    /// The end of the house, however sudden; the system writes it to the disk when it likes.
    Never,
}

/// When a file is put aside, and how many such files stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotate {
    /// Size that a file does not pass, bytes (one event larger than this stands alone in its file).
    pub size: u64,
    /// Age from which a file takes no further event; `None`: any. One without an event is never put aside.
    pub age: Option<Duration>,
    /// Files kept beside the one being written.
    pub keep: u32,
    /// Those are compressed, by gzip.
    pub compress: bool,
}

impl Default for Rotate {
    fn default() -> Self {
        Self { size: 64 << 20, age: None, keep: 8, compress: false }
    }
}

impl Config {
    /// Reads `file:`; nothing written in it gives the defaults.
    pub fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`file`", problems)?;
        let path = fields.take("path").and_then(|node| {
            let text = node.string(problems)?;
            if text.is_empty() || text.ends_with('/') || text.contains('\0') {
                problems.push(
                    &node.place,
                    "this is no path of a file",
                    "write one such as `/var/log/gatehouse/events.ndjson`",
                );
            }
            Some(PathBuf::from(text))
        });
        let rotate = fields.take("rotate").and_then(|node| Rotate::read(node, problems)).unwrap_or_default();
        let sync = fields.take("sync").and_then(|node| node.one_of(&["always", "never"], problems));
        let sync = if sync == Some("never") { Durability::Never } else { Durability::Always };
        fields.finish(problems);
        Some(Self { path, rotate, sync })
    }
}

impl Rotate {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`rotate`", problems)?;
        let mut rotate = Self::default();
        if let Some(node) = fields.take("size")
            && let Some(size) = node.size(problems)
        {
            rotate.size = size;
            if !(SMALLEST..=LARGEST).contains(&size) {
                problems.push(&node.place, "`size` is out of range", "write a size from 64KiB to 64GiB");
            }
        }
        rotate.age = fields.take("age").and_then(|node| age(node, problems));
        let compress = fields.take("compress").and_then(|node| node.one_of(&["gzip", "none"], problems));
        rotate.compress = compress == Some("gzip");
        if let Some(node) = fields.take("keep") {
            rotate.keep =
                node.integer(0..=1000, problems).and_then(|keep| u32::try_from(keep).ok()).unwrap_or_default();
        }
        fields.finish(problems);
        Some(rotate)
    }
}

fn age(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let age = node.duration(problems)?;
    if !(YOUNGEST..=OLDEST).contains(&age) {
        problems.push(&node.place, "`age` is out of range", "write an age from 1m to 366d");
    }
    Some(age)
}
