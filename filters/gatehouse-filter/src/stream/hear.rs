//! What the house says: each message to whom it concerns, and what is out of turn or beyond all bounds as garbage.

use std::borrow::Cow;

use gatehouse_engine::Verdicts;
use gatehouse_proto::v1::hello::TableState;
use gatehouse_proto::v1::{self, HouseMessage, gate_message, house_message};
use gatehouse_proto::{MAX_BRAKES, MAX_ROLLBACKS, MAX_SCOPE_BYTES};
use prost::Message as _;

use super::{FIRST_BACKOFF_NS, FULL, Heard, Link, MAX_MESSAGE, State, send};
use crate::host::{self, Level};
use crate::intake::Ended;
use crate::metrics::{Count, Metrics};
use crate::table;

impl Link {
    /// A message arrived for the stream `token`.
    pub fn message(
        &mut self,
        token: u32,
        length: usize,
        now_ns: u64,
        verdicts: &mut Verdicts,
        metrics: &Metrics,
    ) -> Option<Heard> {
        if self.token() != Some(token) {
            return None;
        }
        let message = if length > MAX_MESSAGE { None } else { read(length) };
        let Some(message) = message else {
            self.garbage("a message that cannot be read", now_ns, metrics);
            return None;
        };
        // Of a kind that a later house may send: nothing that this gate said it understands.
        self.hear(message.message?, now_ns, verdicts, metrics)
    }

    fn hear(
        &mut self,
        message: house_message::Message,
        now_ns: u64,
        verdicts: &mut Verdicts,
        metrics: &Metrics,
    ) -> Option<Heard> {
        let outcome = match (message, self.state) {
            (house_message::Message::Welcome(welcome), State::Greeting { token, owner, .. }) => {
                self.welcomed(welcome, token, owner)
            }
            (message, State::Open { .. }) => self.hear_open(message, now_ns, verdicts, metrics),
            _ => Err("a message out of turn".into()),
        };
        outcome.unwrap_or_else(|what| {
            self.garbage(&what, now_ns, metrics);
            None
        })
    }

    fn welcomed(&mut self, welcome: v1::Welcome, token: u32, owner: u32) -> Result<Option<Heard>, Cow<'static, str>> {
        // The house answers with the version that both speak.
        let speaks = gatehouse_proto::OLDEST_PROTOCOL..=gatehouse_proto::PROTOCOL;
        if !speaks.contains(&welcome.protocol) || welcome.hash_key.len() != 16 || welcome.hash_key_id == 0 {
            return Err("a welcome of another protocol or without a hash key".into());
        }
        self.state = State::Open { token, owner };
        self.backoff_ns = FIRST_BACKOFF_NS;
        if core::mem::take(&mut self.lost) {
            host::log(Level::Info, "the house is back");
        }
        for rolled_back in self.untold.clone() {
            self.tell(gate_message::Message::RolledBack(rolled_back));
        }
        Ok(Some(Heard::Welcome(welcome)))
    }

    /// A message on the open stream. `Err`: no house of ours says this.
    fn hear_open(
        &mut self,
        message: house_message::Message,
        now_ns: u64,
        verdicts: &mut Verdicts,
        metrics: &Metrics,
    ) -> Result<Option<Heard>, Cow<'static, str>> {
        let refuse = |what: &'static str| Err(Cow::Borrowed(what));
        Ok(match message {
            house_message::Message::Welcome(_) => return refuse("a message out of turn"),
            house_message::Message::Credit(credit) => {
                self.sender.credit(&credit).map_err(|error| error.to_string())?;
                self.flush(FULL, now_ns, metrics);
                None
            }
            house_message::Message::Policy(chunk) => {
                if !self.intake.push(chunk) {
                    return refuse("a policy chunk beyond all bounds");
                }
                self.load(false, now_ns, metrics)
            }
            house_message::Message::List(delta) => {
                if !self.lists.push(delta, now_ns) {
                    return refuse("a change of a list beyond all bounds");
                }
                self.list(verdicts, false);
                None
            }
            house_message::Message::Table(chunk) => {
                let ended = self.tables.push(chunk).or_else(|| self.tables.step(false));
                ended.and_then(|ended| self.tabled(ended))
            }
            house_message::Message::Rollbacks(rollbacks) => {
                if rollbacks.rules.len() > MAX_ROLLBACKS {
                    return refuse("more rollbacks than there may be");
                }
                self.untold.retain(|told| {
                    told.policy_digest != rollbacks.policy_digest
                        || !told.rules.iter().all(|rule| rollbacks.rules.contains(rule))
                });
                Some(Heard::Rollbacks(rollbacks))
            }
            house_message::Message::Brake(brake) => {
                let long = |one: &v1::BrakeEntry| one.scope.len() > MAX_SCOPE_BYTES;
                if brake.entries.len() > MAX_BRAKES || brake.entries.iter().any(long) {
                    return refuse("brakes beyond all bounds");
                }
                Some(Heard::Brake(brake))
            }
            house_message::Message::Farewell(farewell) => {
                host::log(Level::Info, &parting(&farewell));
                None
            }
        })
    }

    /// Works on the snapshot that arrives, and answers when it is whole.
    pub(super) fn load(&mut self, rested: bool, now_ns: u64, metrics: &Metrics) -> Option<Heard> {
        let State::Open { token, .. } = self.state else { return None };
        let Ended { ack, policy } = self.intake.step(rested)?;
        if policy.is_some() {
            metrics.count(Count::PolicyLoads);
        } else {
            metrics.count(Count::PolicyRefusals);
            host::log(
                Level::Error,
                &format!("policy revision {} was refused, the one in force stays: {}", ack.revision, ack.problem),
            );
        }
        if send(token, gate_message::Message::PolicyAck(ack)).is_err() {
            let _ = host::grpc_cancel(token);
            self.down(now_ns, metrics);
        }
        policy.map(|policy| Heard::Policy(Box::new(policy)))
    }

    /// Works on the changes of lists that wait, and answers those that are done.
    pub(super) fn list(&mut self, verdicts: &mut Verdicts, rested: bool) {
        for answer in self.lists.step(verdicts, rested) {
            self.tell(gate_message::Message::ListAck(answer));
        }
    }

    /// A table is whole, or cannot be.
    pub(super) fn tabled(&mut self, ended: table::Ended) -> Option<Heard> {
        let table::Ended { ack, table } = ended;
        match &table {
            Some(Some(_)) => self.table.clone_from(&ack.digest),
            Some(None) => self.table.clear(),
            None => {
                let what = format!("table `{}` was refused, the one in force stays: {}", ack.name, ack.problem);
                host::log(Level::Error, &what);
            }
        }
        self.tell(gate_message::Message::TableAck(ack));
        table.map(Heard::Table)
    }

    pub(super) fn has_tables(&self) -> Vec<TableState> {
        let geo = || TableState { name: table::GEO.into(), digest: self.table.clone() };
        if self.table.is_empty() { Vec::new() } else { vec![geo()] }
    }

    fn garbage(&mut self, what: &str, now_ns: u64, metrics: &Metrics) {
        metrics.count(Count::HouseGarbage);
        host::log(Level::Error, &format!("the house sent {what}; the stream is closed, the policy in force stays"));
        if let Some(token) = self.token() {
            let _ = host::grpc_cancel(token);
        }
        self.down(now_ns, metrics);
    }
}

/// The last words of a house, for the log; of the first sinks by name.
fn parting(farewell: &v1::Farewell) -> String {
    const NAMED: usize = 8;
    const LONGEST: usize = 64;
    let waiting = farewell.pending.iter().filter(|sink| sink.records > 0);
    let sinks: Vec<String> = waiting
        .take(NAMED)
        .map(|one| {
            let name: String = one.sink.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
            format!("{} records for `{name}`", one.records)
        })
        .collect();
    if sinks.is_empty() {
        return "the house stops, and leaves nothing on its volume".into();
    }
    format!("the house stops, on its volume stay at most {}", sinks.join(", "))
}

fn read(length: usize) -> Option<HouseMessage> {
    let bytes = host::buffer(host::Buffer::GrpcMessage, length).ok()?.filter(|bytes| !bytes.is_empty())?;
    HouseMessage::decode(bytes.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_words_of_a_house_name_what_stays_and_are_bounded() {
        let pending = |sink: &str, records| v1::farewell::Pending { sink: sink.into(), records, bytes: 9 };
        let said = |pending| parting(&v1::Farewell { pending });
        assert_eq!(said(vec![pending("events", 0)]), "the house stops, and leaves nothing on its volume");
        assert_eq!(
            said(vec![pending("events", 3), pending("done", 0), pending("a\nb", 1)]),
            "the house stops, on its volume stay at most 3 records for `events`, 1 records for `ab`"
        );
        let many = said((0..1000).map(|_| pending(&"x".repeat(9000), 1)).collect());
        assert!(many.len() < 1000, "{}", many.len());
    }
}
