//! Handing messages over and waiting for their receipts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext as _, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{DeliveryResult, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::mpsc;

use super::Config;
use super::encode::message;
use super::round::{Receipt, Round};
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
            Err(Failure { trouble, renew }) => {
                if renew {
                    hang_up(Some(line)).await;
                } else {
                    self.line = Some(line);
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
    renew: bool,
}

/// A producer, its receipts, and the files that it was made from.
struct Line {
    producer: ThreadedProducer<Context>,
    /// Holds at most one receipt for each message that was handed over: the events of one parcel.
    receipts: mpsc::UnboundedReceiver<Receipt>,
    last_error: Arc<Mutex<Option<String>>>,
    material: Material,
    /// Counts messages, so that a receipt of an earlier attempt is not taken for one of this.
    serial: usize,
}

struct Context {
    receipts: mpsc::UnboundedSender<Receipt>,
    last_error: Arc<Mutex<Option<String>>>,
}

impl ClientContext for Context {
    /// The client says the same thing in `error`; this is for whoever asks for more.
    fn log(&self, _: RDKafkaLogLevel, facility: &str, message: &str) {
        tracing::debug!(facility, message, "kafka client");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        tracing::debug!(?code, reason, "kafka client error");
        // "All brokers are down" says less than the reason that came before it.
        if code != Some(RDKafkaErrorCode::AllBrokersDown) {
            *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.into());
        }
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, opaque: usize) {
        let result = match result {
            Ok(_) => Ok(()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        // Nobody listens when the line is being hung up: what it held is sent again by the next one.
        let _ = self.receipts.send(Receipt { opaque, result });
    }
}

impl Line {
    fn connect(config: &Config) -> Result<Self, Trouble> {
        let password_file = config.sasl.as_ref().map(|sasl| sasl.password_file.as_path());
        let material = Material::look(config.files().chain(password_file))?;
        config.tls.as_ref().map(Tls::check).transpose()?;
        let password = password_file.map(Secret::read).transpose()?;
        let (sender, receipts) = mpsc::unbounded_channel();
        let last_error = Arc::new(Mutex::new(None));
        let context = Context { receipts: sender, last_error: Arc::clone(&last_error) };
        let client = config.client(password.as_ref());
        let producer = ThreadedProducer::from_config_and_context(&client, context).map_err(|error| match error {
            // The description may hold the value of an option.
            KafkaError::ClientConfig(_, _, name, _) => {
                Trouble::Retry(format!("the Kafka client does not take its option `{name}`"))
            }
            error => Trouble::Retry(error.to_string()),
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
            Some(code) => Err(self.failure(code.to_string())),
            None => round.judge_invalid().map_err(|problem| self.failure(problem.into())),
        }
    }

    async fn send(&mut self, round: &mut Round<'_>, index: usize) -> Result<(), Failure> {
        let Some(event) = round.parcel.events().get(index) else {
            return Ok(());
        };
        self.serial = self.serial.wrapping_add(1);
        loop {
            let sent = self.producer.send(message(round.parcel, event, round.topic, self.serial));
            let code = sent.map_err(|(error, _)| error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Unknown));
            match code {
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
                *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Ok(())
            }
            // The context lives as long as the producer.
            Ok(None) => Err(self.failure("Kafka client has ended".into())),
            Err(_) => self.look(round),
        }
    }

    /// Nothing came for a while: is there a fatal error, is the trust material renewed, what does the status say?
    fn look(&self, round: &mut Round<'_>) -> Result<(), Failure> {
        if self.producer.client().fatal_error().is_some() {
            return Err(self.failure("fatal error of the Kafka client".into()));
        }
        if self.material.is_stale() {
            return Err(Failure {
                trouble: Trouble::Retry("trust material was renewed, connecting anew".into()),
                renew: true,
            });
        }
        if round.silent_since.elapsed() >= SILENCE {
            let reason = self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone();
            round.board.hangs(&Trouble::Retry(reason.unwrap_or_else(|| "no answer from the brokers".into())));
        }
        Ok(())
    }

    fn failure(&self, message: String) -> Failure {
        let fatal = self.producer.client().fatal_error();
        let renew = fatal.is_some();
        let message = fatal.map_or(message, |(code, reason)| format!("{code}: {reason}"));
        Failure { trouble: Trouble::Retry(message), renew }
    }
}
