//! CPU time of a process by what its threads are for, from /proc/PID/task: the name tells what a thread is for, `schedstat` how long
//! it ran (nanoseconds), `stat` how much of that was in the kernel (ticks of 10 ms).

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// What a thread of the house is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Everything that has no thread of its own: the stream, reading back, encoding, HTTP, files. The one that writes references has
    /// the name of the process and counts here.
    Runtime,
    /// The writer of the spool.
    Spool,
    /// librdkafka's: compresses, sends, hears acknowledgements.
    Client,
    /// Hands the receipts of the Kafka client over.
    Receipts,
    /// What else runs beside.
    Other,
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [Self::Runtime, Self::Spool, Self::Client, Self::Receipts, Self::Other];

    /// By the name of the thread, of which the kernel keeps 15 bytes.
    fn of(name: &str) -> Self {
        match name {
            "gatehouse" => Self::Runtime,
            "spool" => Self::Spool,
            "producer pollin" => Self::Receipts,
            rdk if rdk.starts_with("rdk:") => Self::Client,
            _ => Self::Other,
        }
    }

    /// As it stands in a report.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Spool => "spool",
            Self::Client => "kafka_client",
            Self::Receipts => "kafka_receipts",
            Self::Other => "other",
        }
    }
}

/// CPU time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Used {
    pub(crate) user: Duration,
    pub(crate) system: Duration,
}

impl Used {
    pub(crate) fn all(self) -> Duration {
        self.user + self.system
    }
}

/// The threads of a process at one moment.
pub(crate) struct Threads(BTreeMap<u32, (String, Used)>);

impl Threads {
    /// Those of the process `id` now. A thread that ends meanwhile is left out.
    pub(crate) fn of(id: u32) -> Self {
        let tasks = fs::read_dir(format!("/proc/{id}/task")).into_iter().flatten().flatten();
        let read = |path: &Path| {
            let name = fs::read_to_string(path.join("comm")).ok()?.trim().to_owned();
            Some((path.file_name()?.to_str()?.parse().ok()?, (name, used(path)?)))
        };
        Self(tasks.filter_map(|task| read(&task.path())).collect())
    }

    /// What threads of each kind used since `before`.
    pub(crate) fn since(&self, before: &Self) -> BTreeMap<Kind, Used> {
        let mut kinds: BTreeMap<Kind, Used> = BTreeMap::new();
        for (id, (name, now)) in &self.0 {
            let then = before.0.get(id).map_or(Used::default(), |(_, used)| *used);
            let sum = kinds.entry(Kind::of(name)).or_default();
            sum.user += now.user.saturating_sub(then.user);
            sum.system += now.system.saturating_sub(then.system);
        }
        kinds
    }

    /// What threads of this name used.
    pub(crate) fn named(&self, name: &str) -> Duration {
        self.0.values().filter(|(known, _)| known == name).map(|(_, used)| used.all()).sum()
    }
}

/// The time by `schedstat`, parted as the ticks are. Where the kernel keeps no `schedstat`, the ticks alone.
fn used(task: &Path) -> Option<Used> {
    let stat = fs::read_to_string(task.join("stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (ticks()?, ticks()?);
    let ran = fs::read_to_string(task.join("schedstat")).ok();
    let ran = ran.and_then(|text| text.split_whitespace().next()?.parse().ok()).filter(|ran| *ran > 0);
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second();
    let all = Duration::from_nanos(ran.unwrap_or((user + system) * tick));
    let system = if user + system == 0 { Duration::ZERO } else { all.mul_f64(system as f64 / (user + system) as f64) };
    Some(Used { user: all.saturating_sub(system), system })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_thread_is_known_by_its_name_and_its_time_is_told() {
        let id = std::process::id();
        let worked = std::thread::Builder::new().name("spool".into()).spawn(move || {
            let before = Threads::of(id);
            let begin = Instant::now();
            let mut sum = 0u64;
            while begin.elapsed() < Duration::from_millis(200) {
                sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(7));
            }
            (Threads::of(id).since(&before), Threads::of(id).named("spool"))
        });
        let (since, named) = worked.expect("a thread").join().expect("it ends");
        let spool = since[&Kind::Spool].all();
        // On a busy machine it runs for a part of the time only.
        assert!(spool > Duration::from_millis(5) && spool < Duration::from_millis(400), "{since:?}");
        assert!(named >= spool);
        assert_eq!(Kind::of("rdk:broker1"), Kind::Client);
        assert_eq!(Kind::of("producer pollin"), Kind::Receipts);
    }
}
