//! Waiting for a condition instead of sleeping: it returns as soon as the condition holds, and says what it awaited
//! when the deadline passes.

use std::future::Future;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(20);

/// Polls `condition` until it gives a value.
///
/// # Panics
/// When `limit` passes first; the message names `what`.
pub async fn until<T, F>(limit: Duration, what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let begin = Instant::now();
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(begin.elapsed() < limit, "{what}: not within {limit:?}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// Polls `condition` until it is true. Panics like [`until`].
pub async fn until_true<F>(limit: Duration, what: &str, mut condition: impl FnMut() -> F)
where
    F: Future<Output = bool>,
{
    until(limit, what, || {
        let check = condition();
        async move { check.await.then_some(()) }
    })
    .await;
}
