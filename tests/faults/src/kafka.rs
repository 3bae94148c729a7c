//! The broker as the faults use it: calls that block stand aside, and each fault has a topic of its own.

use std::sync::atomic::{AtomicU32, Ordering};

use gatehouse_kafka::{Broker, Message};
use tokio::task::spawn_blocking;

/// Partitions of each topic.
const PARTITIONS: i32 = 3;

/// A real broker.
#[derive(Debug)]
pub struct Kafka {
    broker: Option<Broker>,
    /// The rest of its cluster.
    others: Vec<Broker>,
    topic: String,
}

impl Kafka {
    /// Starts one.
    pub async fn start() -> Self {
        let broker = spawn_blocking(Broker::start).await.expect("a broker");
        Self { broker: Some(broker), ..Self::none() }
    }

    /// No broker: what is left where one was given away.
    pub fn none() -> Self {
        Self { broker: None, others: Vec::new(), topic: String::new() }
    }

    /// Starts one at the port `plain` that tells its clients another: that of a wire before it.
    pub async fn start_behind(plain: u16, told: u16) -> Self {
        let broker = spawn_blocking(move || Broker::start_on(plain, told)).await.expect("a broker");
        Self { broker: Some(broker), ..Self::none() }
    }

    /// Starts a cluster of three, each topic three times, a message taken when two have it.
    pub async fn start_three() -> Self {
        let [broker, others @ ..] = spawn_blocking(Broker::start_three).await.expect("three brokers");
        Self { broker: Some(broker), others: others.into(), ..Self::none() }
    }

    /// Where its brokers are.
    pub fn addresses(&self) -> Vec<String> {
        self.broker.iter().chain(&self.others).map(Broker::plain).collect()
    }

    /// Makes a topic that no fault has used.
    pub async fn fresh_topic(&mut self) {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        self.topic = format!("gatehouse.events.{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.create_topic().await;
    }

    /// Its name.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The broker.
    pub fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("a broker stands aside only while a call blocks")
    }

    /// Makes the topic, again.
    pub async fn create_topic(&mut self) {
        self.aside(|broker, topic| broker.create_topic(&topic, PARTITIONS, &[])).await;
    }

    /// Takes the topic away with all that it holds.
    pub async fn delete_topic(&mut self) {
        self.aside(|broker, topic| broker.delete_topic(&topic)).await;
    }

    /// Everything that the topic holds.
    pub async fn read_all(&mut self) -> Vec<Message> {
        self.aside(|broker, topic| broker.read_all(&topic)).await
    }

    /// Ends the broker as a crash does.
    pub async fn kill(&mut self) {
        self.aside(|broker, _| broker.kill()).await;
    }

    /// Starts it again on its data.
    pub async fn restart(&mut self) {
        self.aside(|broker, _| broker.restart()).await;
    }

    async fn aside<T: Send + 'static>(&mut self, call: impl FnOnce(&mut Broker, String) -> T + Send + 'static) -> T {
        let mut broker = self.broker.take().expect("one call at a time");
        let topic = self.topic.clone();
        let (broker, result) = spawn_blocking(move || {
            let result = call(&mut broker, topic);
            (broker, result)
        })
        .await
        .expect("the broker does as it is told");
        self.broker = Some(broker);
        result
    }
}
