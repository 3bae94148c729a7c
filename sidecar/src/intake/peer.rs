//! Who is at the other end of a gate's connection, and how much of the house it may take.
//!
//! Over a Unix socket or loopback nobody proves anything: the socket's permissions decide, and Hello is believed. Over TLS the
//! certificate's one SPIFFE id decides: who is not listed is not served, the stream's node and group are those of the list, and what a
//! worker began only the identity that began it may go on with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use gatehouse_proto::v1;

use super::identity::{Refusal, is_identity};

/// Identities that are accounted apart, at most; only patterns can make so many.
const MAX_KNOWN: usize = 4096;
const HOUR: Duration = Duration::from_secs(3600);

/// One entry of the list: whom the house serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// A SPIFFE id; its last segment may be `*`.
    pub identity: String,
    /// Name of the gateway; `None`: the identity itself.
    pub node: Option<String>,
    /// Its place among the gateways, in the place of Envoy's node cluster.
    pub group: String,
    /// What each identity may take.
    pub caps: Caps,
}

/// What one identity may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// Streams at once: a worker of Envoy has one.
    pub streams: usize,
    /// Workers that begin within an hour: each start of an Envoy is as many as it has workers.
    pub epochs: usize,
    /// Bytes of batches a second; more wait.
    pub rate: u64,
}

impl Default for Caps {
    fn default() -> Self {
        Self { streams: 64, epochs: 1024, rate: 32 << 20 }
    }
}

/// The list, and who of it is known so far.
#[derive(Debug)]
pub struct Guests {
    served: Vec<Served>,
    known: Mutex<BTreeMap<String, Arc<Known>>>,
}

/// A gateway by its proven identity.
#[derive(Debug)]
pub struct Known {
    /// Its SPIFFE id.
    pub identity: String,
    node: String,
    group: String,
    caps: Caps,
    usage: Mutex<Usage>,
}

#[derive(Debug)]
struct Usage {
    streams: usize,
    /// When each worker of the last hour began.
    epochs: Vec<Instant>,
    /// Bytes that may pass now; below zero they were lent.
    purse: f64,
    filled: Instant,
}

/// A place among the streams of an identity; free again when dropped.
#[derive(Debug)]
pub struct Seat(Arc<Known>);

/// Which cap is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// Streams at once.
    Streams,
    /// Workers that begin within an hour.
    Epochs,
}

impl Served {
    /// Whether an entry can stand in the list.
    #[must_use]
    pub fn is_sound(identity: &str) -> bool {
        let stars = identity.matches('*').count();
        is_identity(identity) && (stars == 0 || (stars == 1 && identity.ends_with("/*")))
    }

    fn holds(&self, identity: &str) -> bool {
        match self.identity.strip_suffix('*') {
            Some(begin) => identity.strip_prefix(begin).is_some_and(|last| !last.is_empty() && !last.contains('/')),
            None => self.identity == identity,
        }
    }
}

impl Guests {
    /// Serves these, the first that holds.
    #[must_use]
    pub fn new(served: Vec<Served>) -> Self {
        Self { served, known: Mutex::default() }
    }

    /// Who this is.
    ///
    /// # Errors
    /// Nobody listed it.
    pub fn know(&self, identity: &str) -> Result<Arc<Known>, Refusal> {
        let served = self.served.iter().find(|served| served.holds(identity)).ok_or(Refusal::Unlisted)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.get(identity) {
            return Ok(Arc::clone(known));
        }
        if known.len() >= MAX_KNOWN {
            // Who has no stream is remembered by nothing but its account of the last hour.
            known.retain(|_, one| Arc::strong_count(one) > 1);
        }
        let fresh = Arc::new(Known::new(identity, served));
        known.insert(identity.to_owned(), Arc::clone(&fresh));
        Ok(fresh)
    }
}

impl Known {
    fn new(identity: &str, served: &Served) -> Self {
        Self {
            identity: identity.to_owned(),
            node: served.node.clone().unwrap_or_else(|| identity.to_owned()),
            group: served.group.clone(),
            caps: served.caps,
            usage: Mutex::new(Usage {
                streams: 0,
                epochs: Vec::new(),
                purse: bytes(served.caps.rate),
                filled: Instant::now(),
            }),
        }
    }

    /// What is proven stands in the place of what is said.
    pub fn correct(&self, hello: &mut v1::Hello) {
        hello.node.clone_from(&self.node);
        hello.node_cluster.clone_from(&self.group);
    }

    /// One more stream; `begins`: of a worker that the house does not know.
    ///
    /// # Errors
    /// A cap is reached.
    pub fn seat(self: &Arc<Self>, begins: bool, now: Instant) -> Result<Seat, Reached> {
        let mut usage = self.usage();
        if usage.streams >= self.caps.streams {
            return Err(Reached::Streams);
        }
        if begins {
            usage.epochs.retain(|began| now.saturating_duration_since(*began) < HOUR);
            if usage.epochs.len() >= self.caps.epochs {
                return Err(Reached::Epochs);
            }
            usage.epochs.push(now);
        }
        usage.streams += 1;
        drop(usage);
        Ok(Seat(Arc::clone(self)))
    }

    /// How long the next message has to wait after one of so many bytes.
    #[must_use]
    pub fn pay(&self, size: usize, now: Instant) -> Duration {
        let mut usage = self.usage();
        let rate = bytes(self.caps.rate);
        let grown = usage.purse + now.saturating_duration_since(usage.filled).as_secs_f64() * rate;
        // A second's worth may come at once.
        usage.purse = grown.min(rate) - bytes(size as u64);
        usage.filled = now;
        if usage.purse >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-usage.purse / rate) }
    }

    fn usage(&self) -> MutexGuard<'_, Usage> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// Who sits there.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.0
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.usage().streams -= 1;
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate, not an account")]
fn bytes(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(identity: &str, caps: Caps) -> Served {
        Served { identity: identity.into(), node: None, group: String::new(), caps }
    }

    #[test]
    fn a_pattern_holds_for_one_segment_and_nothing_else() {
        let guests = Guests::new(vec![
            served("spiffe://a/ns/b/sa/c", Caps::default()),
            served("spiffe://a/ns/gateways/sa/*", Caps::default()),
        ]);
        for (identity, listed) in [
            ("spiffe://a/ns/b/sa/c", true),
            ("spiffe://a/ns/gateways/sa/x", true),
            ("spiffe://a/ns/gateways/sa/x/y", false),
            ("spiffe://a/ns/gateways/sa/", false),
            ("spiffe://a/ns/b/sa/cc", false),
            ("spiffe://b/ns/b/sa/c", false),
            ("SPIFFE://a/ns/b/sa/c", false),
        ] {
            assert_eq!(guests.know(identity).is_ok(), listed, "{identity}");
        }
        for (text, sound) in [
            ("spiffe://a/ns/*", true),
            ("spiffe://a/*/sa/b", false),
            ("spiffe://a/b*", false),
            ("spiffe://*/a", false),
            ("spiffe://a", false),
            ("a", false),
        ] {
            assert_eq!(Served::is_sound(text), sound, "{text}");
        }
    }

    #[test]
    fn what_is_proven_stands_in_the_place_of_what_is_said() {
        let mut one = served("spiffe://a/b", Caps::default());
        (one.node, one.group) = (Some("ingress".into()), "acme/shop".into());
        let guests = Guests::new(vec![one]);
        let mut hello = v1::Hello { node: "another".into(), node_cluster: "all".into(), ..v1::Hello::default() };
        guests.know("spiffe://a/b").unwrap().correct(&mut hello);
        assert_eq!((hello.node.as_str(), hello.node_cluster.as_str()), ("ingress", "acme/shop"));
    }

    #[test]
    fn streams_workers_and_bytes_are_capped_for_each_identity() {
        let caps = Caps { streams: 2, epochs: 3, rate: 1000 };
        let guests = Guests::new(vec![served("spiffe://a/*", caps)]);
        let (one, other) = (guests.know("spiffe://a/b").unwrap(), guests.know("spiffe://a/c").unwrap());
        let now = Instant::now();
        let first = one.seat(true, now).unwrap();
        let _second = one.seat(true, now).unwrap();
        assert_eq!(one.seat(false, now).unwrap_err(), Reached::Streams);
        assert!(other.seat(true, now).is_ok(), "another identity has caps of its own");
        drop(first);
        drop(one.seat(true, now).unwrap());
        assert_eq!(one.seat(true, now).unwrap_err(), Reached::Epochs);
        assert!(one.seat(false, now).is_ok(), "a worker that is known may come back");
        assert!(one.seat(true, now + HOUR).is_ok());

        assert_eq!(one.pay(1000, now), Duration::ZERO);
        assert_eq!(one.pay(500, now), Duration::from_millis(500));
        assert_eq!(one.pay(0, now + Duration::from_millis(500)), Duration::ZERO);
    }
}
