//! What the client said last of its connections.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::RDKafkaErrorCode;

use super::told;
use crate::sink::board::Trouble;

/// So long a word that says what to do stands before one that does not: after a refused handshake the client goes on to
/// speak of a broken pipe.
const HOLD: Duration = Duration::from_secs(10);

/// Written by the client's threads, read by the sink.
#[derive(Debug, Default)]
pub(super) struct LastError(Mutex<Option<Said>>);

#[derive(Debug)]
struct Said {
    code: RDKafkaErrorCode,
    reason: String,
    at: Instant,
}

impl LastError {
    pub(super) fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        self.note_at(code, reason, Instant::now());
    }

    fn note_at(&self, code: RDKafkaErrorCode, reason: &str, now: Instant) {
        let mut last = self.lock();
        let holds = last.as_ref().is_some_and(|last| {
            now.duration_since(last.at) < HOLD
                && told::has_remedy(last.code, &last.reason)
                && !told::has_remedy(code, reason)
        });
        if !holds {
            *last = Some(Said { code, reason: reason.into(), at: now });
        }
    }

    /// The brokers answer.
    pub(super) fn forget(&self) {
        *self.lock() = None;
    }

    /// What that means to a sink of `topic`; `None`: nothing was said.
    pub(super) fn trouble(&self, topic: &str) -> Option<Trouble> {
        self.lock().as_ref().map(|last| told::trouble(last.code, &last.reason, topic))
    }

    /// A panic elsewhere while the lock was held leaves words that are still the last ones.
    fn lock(&self) -> MutexGuard<'_, Option<Said>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_says_what_to_do_stands_for_a_while_before_one_that_does_not() {
        let (last, begin) = (LastError::default(), Instant::now());
        let told = || last.trouble("events").map(|trouble| trouble.message().to_owned());
        assert_eq!(told(), None);
        last.note_at(RDKafkaErrorCode::BrokerTransportFailure, "a:1: Connection refused", begin);
        last.note_at(RDKafkaErrorCode::SSL, "a:1: SSL handshake failed: certificate verify failed", begin);
        last.note_at(RDKafkaErrorCode::BrokerTransportFailure, "a:1: Broken pipe", begin);
        assert!(told().unwrap().contains("`tls.ca`"));
        last.note_at(RDKafkaErrorCode::BrokerTransportFailure, "a:1: Connection refused", begin + HOLD);
        assert_eq!(told().unwrap(), "a:1: Connection refused");
        last.note_at(RDKafkaErrorCode::Authentication, "a:1: SASL authentication error", begin + HOLD);
        assert!(matches!(last.trouble("events"), Some(Trouble::Denied(_))));
        last.forget();
        assert_eq!(told(), None);
    }
}
