//! The access log on standard output: one line a request, when it has ended. Its forms: [`line`](mod@line).
//!
//! Whoever logs never waits: lines go into a buffer of at most [`BUFFER_BYTES`], which one thread writes. When standard
//! output does not keep up, whole lines are dropped and counted; the events in the sinks are complete all the same.

pub mod line;

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gatehouse_proto::v1::{Record, record::Part};
use tokio::sync::oneshot;

use crate::config::AccessLog as Form;
use line::Line;

/// Bytes of lines that wait for standard output, at most.
pub const BUFFER_BYTES: usize = 4 << 20;

/// How long a stopping house waits for standard output to take what is left.
const GRACE: Duration = Duration::from_secs(1);

/// Takes records; cheap to clone.
#[derive(Debug, Clone)]
pub struct AccessLog(Option<Arc<Queue>>);

/// The access log at work.
#[derive(Debug)]
pub struct Running {
    /// What records are given to.
    pub log: AccessLog,
    ended: Option<oneshot::Receiver<()>>,
}

/// Starts the access log in this form.
#[must_use]
pub fn start(form: Form) -> Running {
    start_to(form, BUFFER_BYTES, io::stdout())
}

fn start_to(form: Form, limit: usize, output: impl Write + Send + 'static) -> Running {
    if form == Form::Off {
        return Running { log: AccessLog(None), ended: None };
    }
    let queue = Arc::new(Queue { form, limit, state: Mutex::default(), news: Condvar::new() });
    let (end, ended) = oneshot::channel();
    let writer = Arc::clone(&queue);
    let thread = std::thread::Builder::new().name("access-log".into()).spawn(move || {
        writer.write(output);
        // Nobody listens when the house has given up waiting.
        let _ = end.send(());
    });
    if let Err(error) = thread {
        tracing::error!(%error, "access log cannot start");
        return Running { log: AccessLog(None), ended: None };
    }
    Running { log: AccessLog(Some(queue)), ended: Some(ended) }
}

impl AccessLog {
    /// Lines are wanted.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Logs a request that has ended. Never waits; an interim record gives no line.
    pub fn record(&self, record: &Record) {
        let Some(queue) = &self.0 else { return };
        if record.part == Part::Interim as i32 {
            return;
        }
        let line = Line::of(record);
        let mut text = match queue.form {
            Form::Json => line.json(),
            Form::Text | Form::Off => line.to_string(),
        };
        text.push('\n');
        queue.push(text.as_bytes());
    }

    /// Lines dropped so far, because standard output did not keep up or could not be written.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.as_ref().map_or(0, |queue| queue.lock().dropped)
    }
}

impl Running {
    /// Writes what is left, as far as standard output takes it within a second.
    pub async fn stop(self) {
        let (Some(queue), Some(ended)) = (&self.log.0, self.ended) else {
            return;
        };
        queue.lock().closing = true;
        queue.news.notify_one();
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            tracing::warn!("standard output does not take the access log, its last lines are dropped");
        }
    }
}

/// Lines on their way to the writer.
#[derive(Debug)]
struct Queue {
    form: Form,
    limit: usize,
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Whole lines, at most `limit` bytes.
    lines: Vec<u8>,
    count: u64,
    dropped: u64,
    closing: bool,
}

impl Queue {
    fn push(&self, line: &[u8]) {
        let mut state = self.lock();
        if state.lines.len() + line.len() > self.limit {
            state.dropped += 1;
            return;
        }
        state.lines.extend_from_slice(line);
        state.count += 1;
        drop(state);
        self.news.notify_one();
    }

    /// Writes until closed and empty.
    fn write(&self, mut output: impl Write) {
        let mut lines = Vec::new();
        let mut told = 0;
        loop {
            lines.clear();
            let mut state = self.lock();
            while state.lines.is_empty() && !state.closing {
                state = self.news.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.lines.is_empty() {
                return;
            }
            core::mem::swap(&mut lines, &mut state.lines);
            let count = core::mem::take(&mut state.count);
            drop(state);
            let written = output.write_all(&lines).and_then(|()| output.flush());
            told = self.tell(told, count, written);
        }
    }

    /// Says when lines were dropped since the last time, and how many.
    fn tell(&self, told: u64, count: u64, written: io::Result<()>) -> u64 {
        let mut state = self.lock();
        if written.is_err() {
            state.dropped += count;
        }
        let dropped = state.dropped;
        drop(state);
        if dropped > told {
            let problem = written.err().map(|error| error.to_string());
            tracing::warn!(
                lines = dropped - told,
                problem,
                "access log lines dropped, standard output does not keep up"
            );
        }
        dropped
    }

    /// A panic elsewhere leaves at worst one line torn.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
