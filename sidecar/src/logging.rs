//! Structured logs on standard error: text for people on a terminal, JSON otherwise; the level changes at run time.
//!
//! One place in the code may say the same at most [`BURST`] times in [`WINDOW`]; what is held back is counted and told.

use std::collections::HashMap;
use std::fmt;
use std::io::IsTerminal;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, fmt as lines, reload};

/// Events that one place in the code may log in one [`WINDOW`].
pub const BURST: u32 = 20;

/// Length of the window of [`BURST`].
pub const WINDOW: Duration = Duration::from_secs(10);

/// Target of lines that say who was let in and who was not: as many as their writer wants, which has a bound of its own.
pub const VERDICTS: &str = "gatehouse::guard::verdicts";

/// Form of the log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Automatic,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Every step; not for production.
    Debug,
    /// What cannot go on without somebody.
    Error,
    /// What happens in normal work, rarely.
    #[default]
    Info,
    /// Everything of ours.
    Trace,
    /// What is wrong but goes on.
    Warn,
}

/// The running log: changes its level, counts what it held back.
#[derive(Clone)]
pub struct Log {
    set: Arc<dyn Fn(LevelFilter) -> bool + Send + Sync>,
    held_back: Arc<AtomicU64>,
}

/// A word that names no level.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownLevel(pub String);

impl Log {
    /// Installs the log of this process. A second call leaves the first in place and gives a log that changes nothing.
    #[must_use]
    pub fn install(form: Form, level: Level) -> Self {
        let (filter, handle) = reload::Layer::new(level.filter());
        let repetition = Repetition::default();
        let held_back = repetition.held_back.clone();
        let text = match form {
            Form::Automatic => std::io::stderr().is_terminal(),
            Form::Json => false,
            Form::Text => true,
        };
        let base = lines::layer().with_writer(std::io::stderr);
        let layer: Box<dyn Layer<Registry> + Send + Sync> = if text {
            Box::new(base.with_ansi(std::io::stderr().is_terminal()).with_target(false))
        } else {
            Box::new(base.json().flatten_event(true).with_current_span(false).with_span_list(false))
        };
        let installed = tracing_subscriber::registry()
            .with(layer.with_filter(OursOnly).with_filter(repetition).with_filter(filter))
            .try_init()
            .is_ok();
        Self { set: Arc::new(move |level| installed && handle.reload(level).is_ok()), held_back }
    }

    /// A log that belongs to somebody else (a test, an embedding program): its level cannot be changed here.
    #[must_use]
    pub fn elsewhere() -> Self {
        Self { set: Arc::new(|_| false), held_back: Arc::default() }
    }

    /// Changes the level; false: this log is not ours to change.
    #[must_use]
    pub fn set_level(&self, level: Level) -> bool {
        (self.set)(level.filter())
    }

    /// Lines held back as repetitions since the start.
    #[must_use]
    pub fn held_back(&self) -> u64 {
        self.held_back.load(Ordering::Relaxed)
    }
}

impl Level {
    fn filter(self) -> LevelFilter {
        match self {
            Self::Debug => LevelFilter::DEBUG,
            Self::Error => LevelFilter::ERROR,
            Self::Info => LevelFilter::INFO,
            Self::Trace => LevelFilter::TRACE,
            Self::Warn => LevelFilter::WARN,
        }
    }
}

impl FromStr for Level {
    type Err = UnknownLevel;

    fn from_str(word: &str) -> Result<Self, UnknownLevel> {
        match word {
            "debug" => Ok(Self::Debug),
            "error" => Ok(Self::Error),
            "info" => Ok(Self::Info),
            "trace" => Ok(Self::Trace),
            "warn" => Ok(Self::Warn),
            other => Err(UnknownLevel(other.chars().take(32).collect())),
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.filter().fmt(f)
    }
}

impl fmt::Display for UnknownLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no level; the levels are `error`, `warn`, `info`, `debug`, `trace`", self.0)
    }
}

impl std::error::Error for UnknownLevel {}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("held_back", &self.held_back()).finish_non_exhaustive()
    }
}

/// Below `warn`, only our own events: the HTTP/2 library's debug output holds frames, and so the hash key.
struct OursOnly;

impl<S> Filter<S> for OursOnly {
    fn enabled(&self, meta: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        *meta.level() <= tracing::Level::WARN || meta.target().starts_with("gatehouse")
    }
}

/// Holds back what one place says too often. Callsites are as many as the program has, so the map is bounded by it.
#[derive(Default)]
struct Repetition {
    places: Mutex<HashMap<Identifier, Window>>,
    held_back: Arc<AtomicU64>,
}

struct Window {
    since: Instant,
    said: u32,
}

impl Repetition {
    fn may_speak(&self, place: Identifier, now: Instant) -> bool {
        // A panic elsewhere cannot leave counts half-written, so a poisoned lock is as good as any.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let window = places.entry(place).or_insert(Window { since: now, said: 0 });
        if now.duration_since(window.since) >= WINDOW {
            *window = Window { since: now, said: 0 };
        }
        window.said = window.said.saturating_add(1);
        window.said <= BURST
    }
}

impl<S: Subscriber> Filter<S> for Repetition {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn callsite_enabled(&self, _: &'static Metadata<'static>) -> Interest {
        // `always` would let the subscriber skip the question that `event_enabled` answers.
        Interest::sometimes()
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        if event.metadata().target() == VERDICTS {
            return true;
        }
        let speaks = self.may_speak(event.metadata().callsite(), Instant::now());
        if !speaks {
            self.held_back.fetch_add(1, Ordering::Relaxed);
        }
        speaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_place_that_repeats_itself_is_held_back_and_counted_while_others_speak() {
        let written = Lines::default();
        let sink = written.clone();
        let repetition = Repetition::default();
        let held_back = repetition.held_back.clone();
        let layer = lines::layer().with_writer(move || sink.clone()).with_filter(repetition);
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            for _ in 0..BURST + 5 {
                tracing::warn!("the disk is full");
            }
            tracing::warn!("another thing");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("the disk is full").count(), BURST as usize);
        assert_eq!(text.matches("another thing").count(), 1);
        assert_eq!(held_back.load(Ordering::Relaxed), 5);
    }

    #[test]
    fn a_new_window_lets_the_place_speak_again() {
        let repetition = Repetition::default();
        let place = tracing::callsite!(name: "place", kind: tracing::metadata::Kind::EVENT, fields: message);
        let place = tracing::Callsite::metadata(place).callsite();
        let start = Instant::now();
        for n in 0..BURST * 2 {
            assert_eq!(repetition.may_speak(place.clone(), start), n < BURST);
        }
        assert!(repetition.may_speak(place, start + WINDOW));
    }

    #[test]
    fn the_levels_are_these_five_words() {
        for word in ["error", "warn", "info", "debug", "trace"] {
            assert_eq!(word.parse::<Level>().unwrap().to_string(), word);
        }
        assert!("loud".parse::<Level>().unwrap_err().to_string().contains("`loud` is no level"));
    }
}
