//! One list: fetched over and over, given to the gates, kept.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fetch::{Fetcher, Got};
use super::text::Entries;
use super::{Board, Shared, kept, signed};
use crate::deadline::Now;

/// Longest time until a fetch that failed is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// What fetches one list.
pub(super) struct Worker {
    shared: Arc<Shared>,
    board: Arc<Board>,
    fetcher: Fetcher,
    /// What it holds, by key; each with its own end, by the clock since boot, where its source says one.
    held: Arc<Entries>,
    /// The end of the list as it was last kept.
    kept_end_ms: u64,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, board: Arc<Board>) -> Self {
        let fetcher = Fetcher::new(&board.outside, &shared.config);
        Self { shared, board, fetcher, held: Arc::default(), kept_end_ms: 0 }
    }

    /// Ends only with its task.
    pub(super) async fn run(mut self) {
        self.resume().await;
        loop {
            let outcome = self.once().await;
            let every = self.board.outside.every;
            let pause = match &outcome {
                Ok(()) => every,
                Err(_) => self.fetcher.retry_after().unwrap_or(Duration::ZERO).max(every.min(AGAIN)),
            };
            self.tell(outcome);
            tokio::time::sleep(pause).await;
        }
    }

    /// Goes on with what was kept: the server is asked for news of that only.
    async fn resume(&mut self) {
        let (shared, outside) = (Arc::clone(&self.shared), self.board.outside.clone());
        let kept = tokio::task::spawn_blocking(move || kept::read(&shared.data, &outside.list, Now::read())).await;
        let Some(kept) = kept.ok().flatten().filter(|kept| kept.is_of(&self.board.outside)) else { return };
        self.fetcher.resume(kept.mark.clone());
        {
            let mut known = self.board.known();
            known.good_ms = Some(kept.good_ms);
            known.good_wall_ms = kept.good_wall_ms;
        }
        self.kept_end_ms = kept.end_ms;
        self.held = Arc::new(kept.own_ends());
    }

    async fn once(&mut self) -> Result<(), String> {
        let Got { entries, refused, age, mark } = self.fetcher.fetch().await?;
        let now = Now::read();
        let changed = entries.as_ref().is_some_and(|entries| *entries != *self.held);
        if let Some(entries) = entries {
            self.held = Arc::new(entries);
        }
        let outside = self.board.outside.clone();
        let end_ms = now.end_of(outside.expires.saturating_sub(age));
        let slack = slack_ms(outside.expires);
        let keep = changed || end_ms.saturating_sub(self.kept_end_ms) > slack;
        let (shared, held) = (Arc::clone(&self.shared), Arc::clone(&self.held));
        let good_ms = signed(now.boot_ms).saturating_sub(signed(ms(age)));
        let good_wall_ms = now.wall_ms.saturating_sub(ms(age));
        let list = kept::Fresh { end_ms, good_wall_ms, mark };
        let filled = tokio::task::spawn_blocking(move || {
            let wanted: BTreeMap<Vec<u8>, u64> =
                held.iter().map(|(key, own)| (key.clone(), own.map_or(end_ms, |own| own.min(end_ms)))).collect();
            let from = outside.origin.words().1;
            let filled = shared.verdicts.fill(&outside.list, &wanted, slack, from)?;
            if keep {
                // A disk that takes nothing keeps no list from the gates.
                kept::write(&shared.data, &outside, &held, &list, now);
            }
            Ok(filled)
        });
        let filled = filled.await.map_err(|error| format!("the list could not be given out: {error}"))?;
        let filled = filled.map_err(|full: crate::verdicts::Full| full.to_string())?;
        if keep {
            self.kept_end_ms = end_ms;
        }
        if filled.added + filled.removed > 0 {
            let name = &self.board.outside.list;
            tracing::info!(list = name, added = filled.added, removed = filled.removed, "list from outside changed");
        }
        let mut known = self.board.known();
        known.good_ms = Some(good_ms);
        known.good_wall_ms = good_wall_ms;
        known.refused = known.refused.saturating_add(refused);
        Ok(())
    }

    /// A problem is logged when it is new, and when it is over.
    fn tell(&self, outcome: Result<(), String>) {
        let (kind, from) = self.board.outside.origin.words();
        let list = &self.board.outside.list;
        let mut known = self.board.known();
        match outcome {
            Ok(()) => {
                known.fetches = known.fetches.saturating_add(1);
                if known.problem.take().is_some() {
                    tracing::info!(list, kind, from, "list from outside is fetched again");
                }
            }
            Err(problem) => {
                known.failures = known.failures.saturating_add(1);
                if known.problem.as_ref() != Some(&problem) {
                    let stands = known.stands(self.board.outside.expires, Now::read());
                    tracing::error!(list, kind, from, problem, "list from outside is not fetched, {stands}");
                }
                known.problem = Some(problem);
            }
        }
    }
}

/// How much earlier than wanted entries may end: see the module above.
fn slack_ms(expires: Duration) -> u64 {
    ms(expires) / 8
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
