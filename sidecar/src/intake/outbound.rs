//! What a gate is still to be told, most urgent first: the brake, then the policy, verdicts and tables, part by part.
//!
//! Everything that is sent unasked comes through here, one message at a time, so that a brake never waits behind an image:
//! it is at most as late as the few messages that already wait for the gate to read them.

use std::collections::{BTreeMap, VecDeque};

use gatehouse_proto::v1::hello::Feature;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_proto::v1::{self, policy_ack};
use gatehouse_proto::{MAX_DELTAS_UNANSWERED, MAX_LISTS};
use tokio::sync::watch;

use super::Intake;
use crate::brake::Brakes;
use crate::geo::{self, Image};
use crate::policies::Snapshot;
use crate::rollout::rollbacks::Rollbacks;
use crate::spool::{ReaderStat, Stat};
use crate::verdicts::{Cursor, Verdicts};

/// How often lists are sent anew on one stream because the gate has another version.
const MAX_AGAIN: u32 = 8;

/// The next thing.
pub(super) enum News {
    /// To be sent.
    Message(ToGate),
    /// A policy begins to be sent with this message.
    Policy(ToGate),
    /// The gate cannot be sent the policy; to be taken as its refusal.
    Unfit(v1::PolicyAck),
}

/// What one gate was told, and what there is.
pub(super) struct Outbound {
    brake: Option<Told>,
    policy: watch::Receiver<Option<Snapshot>>,
    /// Digest of the policy that the gate has, or is being sent.
    given: Vec<u8>,
    /// The policy being sent, and the offset of its next chunk.
    sending: Option<(Snapshot, usize)>,
    image_version: u32,
    /// Told once, with the first policy that this stream knows of.
    rollbacks: Option<Rollbacks>,
    /// Answers to the gate.
    answers: VecDeque<ToGate>,
    lists: Option<Lists>,
    table: Option<Table>,
    /// The gate is told when the house stops.
    farewell: bool,
}

/// The verdict lists, for a gate that understands them.
struct Lists {
    verdicts: Verdicts,
    news: watch::Receiver<u64>,
    /// How far each list was told; those that the gate had when it came are among them.
    cursors: BTreeMap<String, Cursor>,
    /// What was sent and not answered, in order: list, version, whether it is the end of one, whether the list is gone.
    unanswered: VecDeque<(String, u64, bool, bool)>,
    /// What `news` said when there was last nothing to tell.
    told: Option<u64>,
    /// Lists sent anew because the gate had another version: it is tried a few times.
    again: u32,
}

/// The table of countries and systems, for a gate that understands it.
struct Table {
    news: watch::Receiver<Option<Image>>,
    /// Digest of the table that the gate has, or is being sent; empty: none.
    given: Vec<u8>,
    sending: Option<(Image, usize)>,
    /// Without files there is no table; else the gate keeps what it has until there is one.
    configured: bool,
}

/// The brakes, for a gate that understands them.
struct Told {
    brakes: Brakes,
    news: watch::Receiver<u64>,
    version: Option<u64>,
}

impl Outbound {
    pub(super) fn new(intake: &Intake, hello: v1::Hello) -> Self {
        let understands = |feature: Feature| hello.features.contains(&feature.into());
        let brake = understands(Feature::Brake).then(|| Told {
            brakes: intake.standing.brakes.clone(),
            news: intake.standing.brakes.subscribe(),
            version: None,
        });
        let lists = understands(Feature::Lists).then(|| Lists {
            verdicts: intake.standing.verdicts.clone(),
            news: intake.standing.verdicts.subscribe(),
            cursors: hello.lists.iter().take(MAX_LISTS).map(|list| (list.clone(), Cursor::default())).collect(),
            unanswered: VecDeque::new(),
            told: None,
            again: 0,
        });
        let table = understands(Feature::Tables).then(|| Table {
            news: intake.standing.geo.subscribe(),
            given: hello
                .tables
                .iter()
                .find(|table| table.name == geo::NAME)
                .map_or_else(Vec::new, |t| t.digest.clone()),
            sending: None,
            configured: intake.standing.geo.is_configured(),
        });
        Self {
            brake,
            rollbacks: understands(Feature::Rollbacks).then(|| intake.standing.rollbacks.clone()),
            answers: VecDeque::new(),
            lists,
            table,
            farewell: understands(Feature::Farewell),
            policy: intake.policies.subscribe(),
            sending: None,
            image_version: hello.image_version,
            given: hello.policy_digest,
        }
    }

    /// The last words of a house with such a spool, for a gate that understands them.
    pub(super) fn farewell(&self, stat: Stat) -> Option<ToGate> {
        let pending = |reader: ReaderStat| v1::farewell::Pending {
            sink: reader.name,
            records: reader.pending.records,
            bytes: reader.pending.bytes,
        };
        let pending = stat.readers.into_iter().map(pending).collect();
        self.farewell.then_some(ToGate::Farewell(v1::Farewell { pending }))
    }

    /// The next thing to tell; waits until there is one. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> News {
        loop {
            if let Some(news) = self.ready() {
                return news;
            }
            self.changed().await;
        }
    }

    fn ready(&mut self) -> Option<News> {
        if let Some(brake) = self.brake.as_mut().and_then(Told::message) {
            return Some(News::Message(ToGate::Brake(brake)));
        }
        if let Some(answer) = self.answers.pop_front() {
            return Some(News::Message(answer));
        }
        let policy = self.policy();
        if policy.is_some() {
            return policy;
        }
        if let Some(rollbacks) = self.rollbacks() {
            return Some(News::Message(ToGate::Rollbacks(rollbacks)));
        }
        if let Some(delta) = self.lists.as_mut().and_then(Lists::message) {
            return Some(News::Message(ToGate::List(delta)));
        }
        self.table.as_mut().and_then(Table::message).map(|chunk| News::Message(ToGate::Table(chunk)))
    }

    /// The gate answered a change of a list: the version that is in force there from now on, with what it had no room for;
    /// nothing where more of it is to come.
    pub(super) fn answered(&mut self, ack: &v1::ListAck) -> Option<Taken> {
        self.lists.as_mut().and_then(|lists| lists.answered(ack))
    }

    /// To be told before anything that is long.
    pub(super) fn answer(&mut self, answer: ToGate) {
        self.answers.push_back(answer);
    }

    /// What was taken back under the policy that the gate has or was just sent, if anything was.
    fn rollbacks(&mut self) -> Option<v1::Rollbacks> {
        let policy = self.policy.borrow().clone()?;
        let rollbacks = self.rollbacks.take()?.message(&policy);
        (!rollbacks.rules.is_empty()).then_some(rollbacks)
    }

    async fn changed(&mut self) {
        let brake = async {
            match &mut self.brake {
                // Its sender lives as long as the house.
                Some(told) => told.news.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let table = async {
            match &mut self.table {
                Some(table) => table.news.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let lists = async {
            match &mut self.lists {
                Some(lists) => lists.news.changed().await.is_ok(),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            true = brake => {}
            true = table => {}
            true = lists => {}
            Ok(()) = self.policy.changed() => {}
            else => std::future::pending().await,
        }
    }

    /// The next chunk of the policy, if the gate has another one. A newer policy takes the place of one half sent.
    fn policy(&mut self) -> Option<News> {
        let begins = self.policy.borrow().clone().filter(|snapshot| self.given != snapshot.digest());
        let begun = begins.is_some();
        if let Some(snapshot) = begins {
            self.given = snapshot.digest().to_vec();
            self.sending = None;
            if self.image_version < snapshot.image_version() {
                return Some(News::Unfit(self.unfit(&snapshot)));
            }
            self.sending = Some((snapshot, 0));
        }
        let (snapshot, offset) = self.sending.take()?;
        let chunk = snapshot.chunk(offset)?;
        let next = offset + chunk.data.len();
        if next < snapshot.size() {
            self.sending = Some((snapshot, next));
        }
        let message = ToGate::Policy(chunk);
        Some(if begun { News::Policy(message) } else { News::Message(message) })
    }

    fn unfit(&self, snapshot: &Snapshot) -> v1::PolicyAck {
        v1::PolicyAck {
            revision: snapshot.revision(),
            digest: snapshot.digest().to_vec(),
            result: policy_ack::Result::Refused.into(),
            problem: format!(
                "this policy needs image format {}, the gate reads up to {}: bring the gate to this release, or leave out what is new in it",
                snapshot.image_version(),
                self.image_version
            ),
            ..v1::PolicyAck::default()
        }
    }
}

impl Told {
    /// Every brake that holds, if the gate was not told since the last change.
    fn message(&mut self) -> Option<v1::Brake> {
        let version = *self.news.borrow();
        if self.version == Some(version) {
            return None;
        }
        let message = self.brakes.message();
        self.version = Some(version);
        Some(message)
    }
}

/// A list as a gate has it.
pub(super) struct Taken {
    pub(super) list: String,
    /// Version and entries without room; `None`: there is no such list any more.
    pub(super) version: Option<(u64, u64)>,
}

impl Lists {
    /// The next change, while not too many wait for an answer.
    fn message(&mut self) -> Option<v1::ListDelta> {
        let news = *self.news.borrow();
        if self.told == Some(news) || self.unanswered.len() >= MAX_DELTAS_UNANSWERED {
            return None;
        }
        for list in self.verdicts.names() {
            self.cursors.entry(list).or_default();
        }
        let verdicts = &self.verdicts;
        let delta = self.cursors.iter_mut().find_map(|(list, cursor)| verdicts.delta(list, cursor));
        let Some(delta) = delta else {
            self.told = Some(news);
            return None;
        };
        let gone = self.cursors.get(&delta.list) == Some(&Cursor::Gone);
        self.cursors.retain(|_, cursor| *cursor != Cursor::Gone);
        self.unanswered.push_back((delta.list.clone(), delta.version, !delta.partial, gone));
        Some(delta)
    }

    fn answered(&mut self, ack: &v1::ListAck) -> Option<Taken> {
        let (list, version, whole, gone) = self.unanswered.pop_front()?;
        if ack.list == list && ack.version == version {
            return whole.then(|| Taken { list, version: (!gone).then_some((version, ack.refused)) });
        }
        if self.again < MAX_AGAIN {
            self.again += 1;
            self.told = None;
            tracing::warn!(
                list,
                version,
                theirs = ack.version,
                "a worker has another version of a list, it is sent anew"
            );
            self.cursors.insert(list, Cursor::default());
        }
        None
    }
}

impl Table {
    /// The next chunk, if the gate has another table. A newer table takes the place of one half sent.
    fn message(&mut self) -> Option<v1::TableChunk> {
        match &*self.news.borrow() {
            Some(image) if self.given != image.digest() => {
                self.given = image.digest().to_vec();
                self.sending = Some((image.clone(), 0));
            }
            None if !self.configured && !self.given.is_empty() => {
                self.given.clear();
                return Some(Image::none());
            }
            _ => {}
        }
        let (image, offset) = self.sending.take()?;
        let chunk = image.chunk(offset)?;
        let next = offset + chunk.data.len();
        if next < image.size() {
            self.sending = Some((image, next));
        }
        Some(chunk)
    }
}
