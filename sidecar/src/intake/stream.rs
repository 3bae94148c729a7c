//! One stream, from Hello to its end: what the gate sends is taken in, what it should know is sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatehouse_proto::v1;
use gatehouse_proto::v1::gate_message::Message as FromGate;
use gatehouse_proto::v1::house_message::Message as ToGate;
use gatehouse_stream::receiver::{BatchError, HelloError, Left, Ticket};
use prost::Message as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Code, Status, Streaming};

use super::connection::Peer;
use super::outbound::{News, Outbound, Taken};
use super::owners::Claim;
use super::peer::{Known, Reached, Seat};
use super::streams::{Line, bounded};
use super::{Intake, Took, now_ms};

/// How long a stream may stay without a Hello.
const HELLO_WITHIN: Duration = Duration::from_secs(10);

/// Batches of one stream on their way to the disk, at most; beyond it the stream is not read.
const BATCHES_ON_THE_WAY: u32 = 32;

/// Rollbacks taken in on one stream: each is written to the disk.
const MAX_ROLLBACKS_TOLD: u32 = 256;

type Answers = mpsc::Sender<Result<v1::HouseMessage, Status>>;
type Permits = [OwnedSemaphorePermit; 2];

/// A stream that was let in.
struct Stream {
    intake: Arc<Intake>,
    ticket: Ticket,
    line: Arc<Line>,
    answers: Answers,
    outbound: Outbound,
    /// Envoy's node id.
    node: String,
    /// The gate's highest version of the protocol.
    protocol: u32,
    rollbacks_told: u32,
    /// Its place among the streams of its identity; `None`: nobody proved one.
    seat: Option<Seat>,
    /// The credit last sent.
    credit: Option<(u64, u32)>,
    room: Arc<Semaphore>,
}

/// Why a stream ends.
enum End {
    /// A newer stream of the worker took over, or a batch of this one could not be stored.
    Fenced,
    /// The gate ended it, or is gone.
    Left,
    /// The gate broke the rules, or is not to be served: a word for the metric, and the answer.
    Refused(&'static str, Status),
    /// The house stops.
    Stopping,
}

/// Serves one stream to its end.
pub(super) async fn run(intake: Arc<Intake>, peer: Peer, mut gate: Streaming<v1::GateMessage>, answers: Answers) {
    let end = match Stream::open(&intake, peer.as_ref(), &mut gate, &answers).await {
        Err(end) => end,
        Ok(mut stream) => {
            let end = stream.serve(&mut gate).await;
            intake.receiver().ended(&stream.ticket, now_ms());
            intake.streams.leave(&stream.ticket);
            tracing::info!(
                epoch = stream.ticket.epoch(),
                stream = stream.ticket.stream_no(),
                reason = end.word(),
                "gate left"
            );
            end
        }
    };
    let status = match end {
        End::Left | End::Stopping => return,
        End::Fenced => {
            Status::aborted("a newer stream took over, or a batch was not stored; open a new stream and resend")
        }
        End::Refused(reason, status) => {
            intake.metrics.refusals.get_or_create(&[("reason", reason)]).inc();
            tracing::warn!(reason, problem = status.message(), "stream refused");
            status
        }
    };
    // A gate that does not read its answer is not waited for.
    let _ = answers.try_send(Err(status));
}

impl Stream {
    async fn open(
        intake: &Arc<Intake>,
        peer: Option<&Arc<Known>>,
        gate: &mut Streaming<v1::GateMessage>,
        answers: &Answers,
    ) -> Result<Self, End> {
        let first = tokio::select! {
            first = tokio::time::timeout(HELLO_WITHIN, gate.message()) => first,
            () = intake.stopping.cancelled() => return Err(End::Refused("stopping", Status::unavailable("house stops"))),
        };
        let first = first
            .map_err(|_| End::Refused("no_hello", Status::deadline_exceeded("no hello came within ten seconds")))?;
        let mut hello = match first.map_err(broken)?.ok_or(End::Left)?.message {
            Some(FromGate::Hello(hello)) => hello,
            _ => {
                let status = Status::failed_precondition("the first message of a stream must be hello");
                return Err(End::Refused("no_hello", status));
            }
        };
        if !intake.streams.has_room() {
            let status = Status::resource_exhausted("as many streams as this house serves are open");
            return Err(End::Refused("too_many", status));
        }
        let seat = seat(intake, peer, &mut hello)?;
        let opened = intake.receiver().hello(&hello, now_ms()).map_err(refused)?;
        intake.owners.keep(hello.epoch, peer.map(|known| known.identity.as_str()), Instant::now());
        let line = intake.streams.enter(&hello).map_err(|_| {
            intake.receiver().ended(&opened.ticket, now_ms());
            End::Refused("too_many", Status::resource_exhausted("as many streams as this house serves are open"))
        })?;
        intake.metrics.streams_opened.inc();
        tracing::info!(epoch = hello.epoch, stream = hello.stream_no, node = bounded(&hello.node), "gate attached");
        Ok(Self {
            intake: Arc::clone(intake),
            ticket: opened.ticket,
            line,
            answers: answers.clone(),
            node: bounded(&hello.node),
            rollbacks_told: 0,
            seat,
            protocol: hello.protocol,
            outbound: Outbound::new(intake, hello),
            credit: None,
            room: Arc::new(Semaphore::new(BATCHES_ON_THE_WAY as usize)),
        })
    }

    async fn serve(&mut self, gate: &mut Streaming<v1::GateMessage>) -> End {
        let welcome = ToGate::Welcome(self.intake.welcome(self.protocol));
        let greeted = async {
            self.send(welcome).await?;
            self.give_credit().await
        };
        if let Err(end) = greeted.await {
            return end;
        }
        loop {
            let (room, all) = (Arc::clone(&self.room), Arc::clone(&self.intake.on_the_way));
            let step = tokio::select! {
                () = self.intake.stopping.cancelled() => return self.finish().await,
                () = self.line.woken() => self.give_credit().await,
                news = self.outbound.next() => self.tell(news).await,
                next = next(gate, room, all) => match next {
                    Ok(Some((message, permits))) => self.take(message, permits).await,
                    Ok(None) => Err(End::Left),
                    Err(end) => Err(end),
                },
                () = self.answers.closed() => Err(End::Left),
            };
            if let Err(end) = step {
                return end;
            }
        }
    }

    async fn take(&mut self, message: v1::GateMessage, permits: Permits) -> Result<(), End> {
        match message.message {
            Some(FromGate::Batch(batch)) => match self.taken(batch, permits).await {
                Ok(Took::Stored) => Ok(()),
                Ok(Took::Fenced) => Err(End::Fenced),
                Ok(Took::Duplicate) => {
                    // The gate may not know how far we are.
                    self.credit = None;
                    self.give_credit().await
                }
                Err(error) => Err(End::Refused("bad_batch", Status::invalid_argument(error.to_string()))),
            },
            Some(FromGate::PolicyAck(ack)) => {
                self.heard(&ack);
                Ok(())
            }
            Some(FromGate::Bye(bye)) => {
                self.left(&bye);
                Ok(())
            }
            Some(FromGate::BrakeAck(ack)) => {
                self.intake.streams.braked(&self.ticket, ack.version);
                Ok(())
            }
            Some(FromGate::TableAck(ack)) => {
                self.heard_table(&ack);
                Ok(())
            }
            Some(FromGate::ListAck(ack)) => {
                if let Some(Taken { list, version }) = self.outbound.answered(&ack) {
                    self.intake.streams.listed(&self.ticket, &list, version);
                }
                Ok(())
            }
            Some(FromGate::RolledBack(back)) => {
                self.rollbacks_told += 1;
                if self.rollbacks_told > MAX_ROLLBACKS_TOLD {
                    let status = Status::resource_exhausted("more rollbacks than a worker can have");
                    return Err(End::Refused("too_many_rollbacks", status));
                }
                self.rolled_back(back).await;
                Ok(())
            }
            // A newer gate may say more.
            None => Ok(()),
            Some(FromGate::Hello(_)) => {
                Err(End::Refused("second_hello", Status::failed_precondition("hello was said before on this stream")))
            }
        }
    }

    /// Takes a batch in; one whose identity sends more than it may is read on only after a while.
    async fn taken(&self, batch: v1::Batch, permits: Permits) -> Result<Took, BatchError> {
        let pause = self.seat.as_ref().map(|seat| seat.known().pay(batch.encoded_len(), Instant::now()));
        let took = self.intake.take(&self.ticket, batch, permits);
        if let Some(pause) = pause.filter(|pause| !pause.is_zero()) {
            self.intake.metrics.paused.inc();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.intake.stopping.cancelled() => {}
            }
        }
        took
    }

    fn left(&self, bye: &v1::Bye) {
        let (left, epoch) = (self.intake.receiver().bye(&self.ticket, bye), self.ticket.epoch());
        match left {
            Some(Left { held, unsent }) if unsent > 0 => {
                tracing::warn!(epoch, held, unsent, "gate said goodbye, records that it had not sent ended with it");
            }
            Some(Left { held, .. }) => tracing::info!(epoch, held, "gate said goodbye"),
            None => tracing::info!(epoch, "gate said goodbye"),
        }
    }

    fn heard(&self, ack: &v1::PolicyAck) {
        let accepted = ack.result() == v1::policy_ack::Result::Accepted;
        let result = if accepted { "accepted" } else { "refused" };
        self.intake.metrics.policy_acks.get_or_create(&[("result", result)]).inc();
        self.intake.streams.acknowledged(&self.ticket, ack);
        if accepted {
            tracing::info!(epoch = self.ticket.epoch(), revision = ack.revision, "policy in force");
        } else {
            tracing::warn!(
                epoch = self.ticket.epoch(),
                revision = ack.revision,
                problem = bounded(&ack.problem),
                "policy refused"
            );
        }
    }

    fn heard_table(&self, ack: &v1::TableAck) {
        let accepted = ack.result() == v1::table_ack::Result::Accepted;
        self.intake.streams.tabled(&self.ticket, ack);
        let (epoch, table, longest_step_ns) = (self.ticket.epoch(), bounded(&ack.name), ack.longest_step_ns);
        if accepted {
            tracing::info!(epoch, table, longest_step_ns, "table in force");
        } else {
            tracing::warn!(epoch, table, problem = bounded(&ack.problem), "table refused");
        }
    }

    /// Rules were taken back by this worker: told on, kept, and answered, so that it is not told again.
    async fn rolled_back(&mut self, back: v1::RolledBack) {
        let digest = back.policy_digest.iter().copied().take(32).collect();
        let rules = back.rules.iter().take(gatehouse_proto::MAX_RULES_BACK).cloned().collect();
        let intake = Arc::clone(&self.intake);
        let (node, epoch) = (self.node.clone(), self.ticket.epoch());
        let policy = intake.policies.current();
        let kept =
            tokio::task::spawn_blocking(move || intake.standing.rollbacks.take(back, &node, epoch, policy.as_ref()));
        match kept.await {
            Ok(()) => self.outbound.answer(ToGate::Rollbacks(v1::Rollbacks { policy_digest: digest, rules })),
            Err(error) => tracing::error!(%error, "a rollback was not taken in, its worker will tell it again"),
        }
    }

    /// Sends what is durable and how much may be outstanding, if either is news.
    async fn give_credit(&mut self) -> Result<(), End> {
        let durable_seq = self.intake.receiver().durable_seq(&self.ticket).ok_or(End::Fenced)?;
        let window_bytes = if self.intake.stopping.is_cancelled() { 0 } else { self.line.window() };
        if self.credit == Some((durable_seq, window_bytes)) {
            return Ok(());
        }
        self.credit = Some((durable_seq, window_bytes));
        let epoch = self.ticket.epoch();
        self.send(ToGate::Credit(v1::Credit { epoch, durable_seq, window_bytes })).await
    }

    async fn tell(&self, news: News) -> Result<(), End> {
        match news {
            News::Message(message) => self.send(message).await,
            News::Policy(message) => {
                self.intake.metrics.policy_pushes.inc();
                self.send(message).await
            }
            News::Unfit(ack) => {
                self.heard(&ack);
                Ok(())
            }
        }
    }

    /// The house stops: no credit; what was taken in is booked, and acknowledged as far as it is durable. Last, what stays on the
    /// volume is said.
    async fn finish(&mut self) -> End {
        let _ = self.give_credit().await;
        // All permits are back when the ledger has booked everything of this stream.
        let _ = self.room.acquire_many(BATCHES_ON_THE_WAY).await;
        let _ = self.give_credit().await;
        if let Some(farewell) = self.outbound.farewell(self.intake.spool.stat()) {
            let _ = self.send(farewell).await;
        }
        End::Stopping
    }

    async fn send(&self, message: ToGate) -> Result<(), End> {
        let message = v1::HouseMessage { message: Some(message) };
        self.answers.send(Ok(message)).await.map_err(|_| End::Left)
    }
}

/// What a proven identity may: its own name and no other's worker, within its caps.
fn seat(intake: &Intake, peer: Option<&Arc<Known>>, hello: &mut v1::Hello) -> Result<Option<Seat>, End> {
    let claim = intake.owners.look(hello.epoch, peer.map(|known| known.identity.as_str()));
    if claim == Claim::Foreign {
        let status = Status::permission_denied("another identity began this worker");
        return Err(End::Refused("foreign_epoch", status));
    }
    let Some(known) = peer else { return Ok(None) };
    known.correct(hello);
    let seat = known.seat(claim == Claim::New, Instant::now()).map_err(|reached| match reached {
        Reached::Streams => {
            End::Refused("streams_of_identity", Status::resource_exhausted("as many streams as this identity may have"))
        }
        Reached::Epochs => {
            let text = "as many workers of this identity as may begin within an hour";
            End::Refused("epochs_of_identity", Status::resource_exhausted(text))
        }
    })?;
    Ok(Some(seat))
}

/// The next message, once there is room for the batch that it may be. Dropping the future loses nothing.
async fn next(
    gate: &mut Streaming<v1::GateMessage>,
    room: Arc<Semaphore>,
    all: Arc<Semaphore>,
) -> Result<Option<(v1::GateMessage, Permits)>, End> {
    // Neither semaphore is ever closed.
    let Ok(ours) = room.acquire_owned().await else {
        return Ok(None);
    };
    let Ok(shared) = all.acquire_owned().await else {
        return Ok(None);
    };
    let message = gate.message().await.map_err(broken)?;
    Ok(message.map(|message| (message, [ours, shared])))
}

/// What the transport says when a message cannot be had: the gate's fault, or simply its end.
fn broken(status: Status) -> End {
    match status.code() {
        Code::Internal | Code::InvalidArgument | Code::OutOfRange | Code::Unimplemented => {
            End::Refused("garbage", Status::invalid_argument("message cannot be read"))
        }
        _ => End::Left,
    }
}

fn refused(error: HelloError) -> End {
    let text = error.to_string();
    match error {
        HelloError::Backwards { .. } => End::Refused("backwards", Status::failed_precondition(text)),
        HelloError::NoEpoch => End::Refused("no_epoch", Status::invalid_argument(text)),
        HelloError::NotNewer { .. } => End::Refused("not_newer", Status::failed_precondition(text)),
        HelloError::Protocol { .. } => End::Refused("protocol", Status::failed_precondition(text)),
        HelloError::TooMany { .. } => End::Refused("too_many", Status::resource_exhausted(text)),
    }
}

impl End {
    fn word(&self) -> &'static str {
        match self {
            Self::Fenced => "fenced",
            Self::Left => "left",
            Self::Refused(reason, _) => reason,
            Self::Stopping => "stopping",
        }
    }
}
