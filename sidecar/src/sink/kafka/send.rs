//! Handing messages over and waiting for their receipts.

use std::sync::Arc;
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::mpsc;

use super::Config;
use super::encode::message;
use super::last_error::LastError;
use super::round::{Receipt, Round};
use super::told;
use crate::sink::Sink;
use crate::sink::board::{Board, Trouble};
use crate::sink::parcel::{Parcel, Progress};
use crate::sink::tls::Tls;
use crate::sink::trust::{Material, Secret};

/// How often a silent peer is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Silence after which the status says so.
const SILENCE: Duration = Duration::from_secs(2);
/// Longest wait for room in the client's queue before trying again.
const ROOM: Duration = Duration::from_millis(50);

/// Sends events to one topic.
pub struct KafkaSink {
    config: Config,
    board: Arc<Board>,
    line: Option<Line>,
}

impl KafkaSink {
    /// A sink that connects with the first event.
    #[must_use]
    pub fn new(config: Config, board: Arc<Board>) -> Self {
        Self { config, board, line: None }
    }

    async fn connect(&self) -> Result<Line, Trouble> {
        let config = self.config.clone();
        let made = tokio::task::spawn_blocking(move || Line::connect(&config)).await;
        made.map_err(|error| Trouble::Retry(format!("cannot make a Kafka client: {error}")))?
    }
}

impl Sink for KafkaSink {
    async fn deliver(&mut self, parcel: &Arc<Parcel>, progress: &mut Progress) -> Result<(), Trouble> {
        let mut line = match self.line.take() {
            Some(line) if !line.material.is_stale() => line,
            old => {
                hang_up(old).await;
                self.connect().await?
            }
        };
        let mut round = Round::new(parcel, progress, &self.config.topic, &self.board);
        let result = line.carry(&mut round).await;
        round.end();
        match result {
            Ok(()) => self.line = Some(line),
            Err(Failure { trouble, then }) => {
                match then {
                    Then::Keep => self.line = Some(line),
                    Then::Renew => hang_up(Some(line)).await,
                    Then::Replace => {
                        self.board.tally(|tallies| tallies.fatal_errors += 1);
                        hang_up(Some(line)).await;
                    }
                }
                return Err(trouble);
            }
        }
        Ok(())
    }

    async fn close(self) {
        hang_up(self.line).await;
    }
}

/// Dropping a producer waits for its threads.
async fn hang_up(line: Option<Line>) {
    if let Some(line) = line {
        // A panic in there leaves nothing to mend here.
        let _ = tokio::task::spawn_blocking(move || drop(line)).await;
    }
}

/// Why an attempt failed, and whether the producer is of further use.
struct Failure {
    trouble: Trouble,
    then: Then,
}

/// What to do with the producer of a failed attempt.
enum Then {
    /// It goes on.
    Keep,
    /// The next attempt makes a new one, to look anew at what the old one remembers: files, rights.
    Renew,
    /// It met a fatal error: it will never send again.
    Replace,
}

/// A producer, its receipts, and the files that it was made from.
struct Line {
    producer: ThreadedProducer<Context>,
    /// Holds at most one receipt for each message that was handed over: the events of one parcel.
    receipts: mpsc::UnboundedReceiver<Receipt>,
    last_error: Arc<LastError>,
    material: Material,
    /// Counts messages, so that a receipt of an earlier attempt is not taken for one of this.
    serial: usize,
}

struct Context {
    receipts: mpsc::UnboundedSender<Receipt>,
    last_error: Arc<LastError>,
}

impl ClientContext for Context {
    /// A connection that a broker closed is no error to the client; what it makes of that stands in its log only.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "kafka client");
        if let Some(said) = told::said_of_broker(facility, message) {
            self.last_error.note(RDKafkaErrorCode::BrokerTransportFailure, said);
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = code_of(&error);
        tracing::debug!(?code, reason, "kafka client error");
        // "All brokers are down" says less than the reason that came before it.
        if code != RDKafkaErrorCode::AllBrokersDown {
            self.last_error.note(code, reason);
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let result = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(code_of(error)),
        };
        // Nobody listens when the line is being hung up: what it held is sent again by the next one.
        let _ = self.receipts.send(Receipt { opaque, result });
    }
}

fn code_of(error: &KafkaError) -> RDKafkaErrorCode {
    error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)
}

impl Line {
    fn connect(config: &Config) -> Result<Self, Trouble> {
        let password_file = config.sasl.as_ref().map(|sasl| sasl.password_file.as_path());
        let material = Material::look(config.files().chain(password_file))?;
        config.tls.as_ref().map(Tls::check).transpose()?;
        let password = password_file.map(Secret::read).transpose()?;
        let (sender, receipts) = mpsc::unbounded_channel();
        let last_error = Arc::new(LastError::default());
        let context = Context { receipts: sender, last_error: Arc::clone(&last_error) };
        let client = config.client(password.as_ref());
        let producer = ThreadedProducer::from_config_and_context(&client, context).map_err(|error| match error {
            // The description may hold the value of an option.
            KafkaError::ClientConfig(_, _, name, _) => {
                Trouble::Retry(format!("the Kafka client does not take its option `{name}`"))
            }
            error => told::trouble(code_of(&error), &error.to_string(), &config.topic),
        })?;
        Ok(Self { producer, receipts, last_error, material, serial: 0 })
    }

    /// Hands over what is pending and waits for every receipt.
    async fn carry(&mut self, round: &mut Round<'_>) -> Result<(), Failure> {
        let pending: Vec<usize> = round.pending.iter().copied().collect();
        for index in pending {
            self.send(round, index).await?;
            if round.failed.is_some() {
                break;
            }
        }
        self.settle(round).await?;
        // A broker refuses a whole batch for one message in it: only what is refused alone is refused for itself.
        for (index, _) in core::mem::take(&mut round.suspects) {
            if round.failed.is_some() || round.is_hopeless() {
                break;
            }
            self.send(round, index).await?;
            self.settle(round).await?;
            if let Some((_, fault)) = round.suspects.pop() {
                round.refused_alone(index, fault);
            }
        }
        match round.failed.take() {
            Some(code) => Err(self.failure(code, round)),
            None => round
                .judge_invalid()
                .map_err(|problem| Failure { trouble: Trouble::Retry(problem.into()), then: Then::Keep }),
        }
    }

    async fn send(&mut self, round: &mut Round<'_>, index: usize) -> Result<(), Failure> {
        let Some(event) = round.parcel.events().get(index) else {
            return Ok(());
        };
        self.serial = self.serial.wrapping_add(1);
        loop {
            let sent = self.producer.send(message(round.parcel, event, round.topic, self.serial));
            match sent.map_err(|(error, _)| code_of(&error)) {
                Ok(()) => _ = round.out.insert(self.serial, index),
                Err(RDKafkaErrorCode::QueueFull) => {
                    self.receive(round, ROOM).await?;
                    continue;
                }
                Err(RDKafkaErrorCode::MessageSizeTooLarge) => {
                    round.refuse(index, "too large for the Kafka client, see its option `message.max.bytes`");
                }
                Err(code) => _ = round.failed.get_or_insert(code),
            }
            return Ok(());
        }
    }

    /// Waits until nothing is on its way.
    async fn settle(&mut self, round: &mut Round<'_>) -> Result<(), Failure> {
        while !round.out.is_empty() {
            self.receive(round, LOOK).await?;
        }
        Ok(())
    }

    /// Takes one receipt and all that are there; after `patience` without one, looks whether the line is still good.
    async fn receive(&mut self, round: &mut Round<'_>, patience: Duration) -> Result<(), Failure> {
        match tokio::time::timeout(patience, self.receipts.recv()).await {
            Ok(Some(receipt)) => {
                round.receipt(&receipt);
                while let Ok(receipt) = self.receipts.try_recv() {
                    round.receipt(&receipt);
                }
                round.heard();
                self.last_error.forget();
                Ok(())
            }
            // The context lives as long as the producer.
            Ok(None) => Err(Failure { trouble: Trouble::Retry("Kafka client has ended".into()), then: Then::Renew }),
            Err(_) => self.look(round),
        }
    }

    /// Nothing came for a while: is there a fatal error, is the trust material renewed, what does the status say?
    fn look(&self, round: &mut Round<'_>) -> Result<(), Failure> {
        if let Some(failure) = self.fatal(round.topic) {
            return Err(failure);
        }
        if self.material.is_stale() {
            let trouble = Trouble::Retry("trust material was renewed, connecting anew".into());
            return Err(Failure { trouble, then: Then::Renew });
        }
        if round.silent_since.elapsed() >= SILENCE {
            let silent = || Trouble::Retry("no answer from the brokers".into());
            round.board.hangs(&self.last_error.trouble(round.topic).unwrap_or_else(silent));
        }
        Ok(())
    }

    /// Why a message was given up: by a fatal error, if there is one.
    fn failure(&self, code: RDKafkaErrorCode, round: &Round<'_>) -> Failure {
        self.fatal(round.topic).unwrap_or_else(|| {
            let trouble = told::trouble(code, &code.to_string(), round.topic);
            // The client asks about the rights to a topic only now and then.
            let then = if matches!(trouble, Trouble::Denied(_)) { Then::Renew } else { Then::Keep };
            Failure { trouble, then }
        })
    }

    fn fatal(&self, topic: &str) -> Option<Failure> {
        let (code, reason) = self.producer.client().fatal_error()?;
        let trouble = match told::trouble(code, &reason, topic) {
            Trouble::Retry(said) => {
                Trouble::Retry(format!("the Kafka client met a fatal error and is built anew: {said}"))
            }
            other => other,
        };
        Some(Failure { trouble, then: Then::Replace })
    }
}
