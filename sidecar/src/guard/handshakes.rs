//! Who is shaking hands. Everybody may begin; when there are too many, the one that takes longest has to go: whoever holds many open
//! without ending one pushes out their own, and somebody who is quick passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// The handshakes of a guard.
#[derive(Debug, Clone)]
pub(super) struct Handshakes {
    held: Arc<Mutex<Held>>,
    most: usize,
}

#[derive(Debug, Default)]
struct Held {
    next: u64,
    of: BTreeMap<u64, CancellationToken>,
}

/// One that goes on; it ends with this value.
#[derive(Debug)]
pub(super) struct Shaking {
    held: Arc<Mutex<Held>>,
    number: u64,
    out: CancellationToken,
}

impl Handshakes {
    pub(super) fn new(most: usize) -> Self {
        Self { held: Arc::default(), most }
    }

    /// One more; another one may have to go for it.
    pub(super) fn begin(&self) -> Shaking {
        let out = CancellationToken::new();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.of.len() >= self.most
            && let Some((_, oldest)) = held.of.pop_first()
        {
            oldest.cancel();
        }
        let number = held.next;
        held.next += 1;
        held.of.insert(number, out.clone());
        Shaking { held: Arc::clone(&self.held), number, out }
    }
}

impl Shaking {
    /// Resolves when it has to go.
    pub(super) async fn crowded_out(&self) {
        self.out.cancelled().await;
    }
}

impl Drop for Shaking {
    fn drop(&mut self) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).of.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_when_there_are_too_many() {
        let handshakes = Handshakes::new(2);
        let (first, second) = (handshakes.begin(), handshakes.begin());
        let third = handshakes.begin();
        assert!(first.out.is_cancelled() && !second.out.is_cancelled() && !third.out.is_cancelled());
        drop(second);
        let fourth = handshakes.begin();
        assert!(!third.out.is_cancelled() && !fourth.out.is_cancelled());
        drop((third, fourth, first));
        assert!(handshakes.held.lock().unwrap().of.is_empty());
    }
}
