//! The one thread that judges: it holds the policy, what the engine keeps between connections, and the books. Connections ask it over a
//! channel and wait some microseconds for their verdict; it waits for nobody.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use gatehouse_engine::connect::{Lines, Opening, admit, destination, log_line, overdue};
use gatehouse_engine::{
    Brake, Carried, Connection, Context, Ended, Head, Judged, NoSlots, Now, Policy, Settings, State, Transaction,
    UsualTexts, answered,
};
use gatehouse_proto::v1;
use gatehouse_stream::sender::{Class, Limits as RingLimits, Sender};
use gatehouse_verdict::record::{Origin, Part, RecordId};
use gatehouse_verdict::redact::AddressForm;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Interval, MissedTickBehavior, interval};

use tokio_rustls::rustls::crypto::{GetRandomFailed, ring};

use super::config::Config;
use super::counts::Counts;
use super::link::{Heard, Link};
use super::pump::Traffic;
use crate::loaded;
use crate::policies::Problem;
use crate::watched::{Stamp, stamp};

/// A batch leaves after this long, if it is not full before.
const TICK: Duration = Duration::from_millis(100);
/// How often files of policies are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that lasts longer is reported while it runs, this often.
const INTERIM: Duration = Duration::from_secs(60);
/// Connections that may ask at once; more wait.
const ASKING: usize = 4096;
/// Records that wait for the house, bytes.
const RING: usize = 16 << 20;
/// Lines about connections in a second.
const LINES: u32 = 500;

/// Asks the desk. Cloning shares it.
#[derive(Debug, Clone)]
pub(super) struct Desk(mpsc::Sender<Ask>);

/// The desk's thread.
#[derive(Debug)]
pub(super) struct Running {
    desk: Desk,
    thread: std::thread::JoinHandle<()>,
}

/// A connection that was let in; whoever holds it says when it has ended.
#[derive(Debug)]
pub(super) struct Opened {
    number: u64,
    traffic: Arc<Traffic>,
    desk: Desk,
    told: bool,
}

#[derive(Debug)]
enum Ask {
    Judge { asked: Box<Asked>, answer: oneshot::Sender<Option<(u64, Arc<Traffic>)>> },
    Unproven { asked: Box<Asked>, reason: &'static str },
    Ended { number: u64, by: Ended },
    Stop { done: oneshot::Sender<()> },
}

#[derive(Debug)]
struct Asked {
    connection: Connection,
    destination: Option<String>,
    began: Instant,
    wall: SystemTime,
}

impl Desk {
    /// The verdict; `None`: rejected.
    pub(super) async fn judge(
        &self,
        connection: Connection,
        destination: Option<String>,
        began: Instant,
        wall: SystemTime,
    ) -> Option<Opened> {
        let asked = Box::new(Asked { connection, destination, began, wall });
        let (answer, answered) = oneshot::channel();
        self.0.send(Ask::Judge { asked, answer }).await.ok()?;
        let (number, traffic) = answered.await.ok().flatten()?;
        Some(Opened { number, traffic, desk: self.clone(), told: false })
    }

    /// A connection whose handshake came to nothing. False: so many did that the desk is behind, and nobody is told of this one.
    pub(super) fn unproven(
        &self,
        connection: Connection,
        began: Instant,
        wall: SystemTime,
        reason: &'static str,
    ) -> bool {
        let asked = Box::new(Asked { connection, destination: None, began, wall });
        self.0.try_send(Ask::Unproven { asked, reason }).is_ok()
    }
}

impl Opened {
    pub(super) fn traffic(&self) -> Arc<Traffic> {
        Arc::clone(&self.traffic)
    }

    pub(super) fn end(mut self, by: Ended) {
        self.tell(by);
    }

    fn tell(&mut self, by: Ended) {
        if core::mem::replace(&mut self.told, true) {
            return;
        }
        let (desk, number) = (self.desk.0.clone(), self.number);
        if let Err(mpsc::error::TrySendError::Full(ask)) = desk.try_send(Ask::Ended { number, by }) {
            tokio::spawn(async move { desk.send(ask).await });
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.tell(Ended::Gate);
    }
}

impl Running {
    pub(super) fn handle(&self) -> Desk {
        self.desk.clone()
    }

    /// Tells what is left to the house, within five seconds, and ends.
    pub(super) async fn stop(self) {
        let (done, ended) = oneshot::channel();
        if self.desk.0.send(Ask::Stop { done }).await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(6), ended).await;
        }
        let _ = tokio::task::spawn_blocking(move || self.thread.join()).await;
    }
}

/// Starts the desk. Policies of its own are read before it returns: with a wrong one nothing begins.
///
/// # Errors
/// The thread cannot be started; its policies cannot be read or do not compile.
pub(super) fn start(config: &Arc<Config>, counts: Arc<Counts>) -> io::Result<Running> {
    let (ask, asked) = mpsc::channel(ASKING);
    let own = Own::read(&config.policies).map_err(io::Error::other)?;
    let config = Arc::clone(config);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("desk".into()).spawn(move || {
        runtime.block_on(async {
            let Ok(work) = Work::new(&config, own, counts) else {
                tracing::error!("this machine gives no random numbers");
                return;
            };
            work.run(asked).await;
        });
    })?;
    Ok(Running { desk: Desk(ask), thread })
}

/// Whether policies of a guard's own can be read and compiled. Errors as [`Own::read`].
pub(super) fn read(paths: &[PathBuf]) -> Result<(), String> {
    Own::read(paths).map(drop)
}

/// Policies of the guard's own.
#[derive(Debug)]
struct Own {
    paths: Vec<PathBuf>,
    stamps: Vec<Stamp>,
    policy: Option<Arc<Policy>>,
}

impl Own {
    fn read(paths: &[PathBuf]) -> Result<Self, String> {
        let stamps = stamps(paths);
        let policy = match paths {
            [] => None,
            paths => Some(loaded::load(paths, None).map_err(|error| words(&error))?.policy),
        };
        Ok(Self { paths: paths.to_vec(), stamps, policy })
    }

    /// Reads again what changed; true: another policy is in force.
    fn look(&mut self, counts: &Counts) -> bool {
        let now = stamps(&self.paths);
        if now == self.stamps {
            return false;
        }
        self.stamps = now;
        match Self::read(&self.paths) {
            Ok(new) => {
                self.policy = new.policy;
                counts.policy_loads.inc();
                tracing::info!("the changed policy is in force");
                true
            }
            Err(problem) => {
                counts.policy_failures.inc();
                tracing::error!(problem, "the changed policy is refused, the one in force stays");
                false
            }
        }
    }
}

fn words(error: &loaded::LoadError) -> String {
    match error {
        loaded::LoadError::Unreadable(error) => error.to_string(),
        loaded::LoadError::Wrong(problems) => problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"),
    }
}

/// Of every file, and of every file in a folder.
fn stamps(paths: &[PathBuf]) -> Vec<Stamp> {
    let mut stamps = Vec::new();
    for path in paths {
        stamps.push(stamp(path));
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        files.sort();
        stamps.extend(files.iter().map(|file| stamp(file)));
    }
    stamps
}

/// One that was judged and has not ended.
struct Held {
    connection: Connection,
    host: Vec<u8>,
    judged: Judged,
    policy: Option<Arc<Policy>>,
    transaction: u64,
    began: Instant,
    wall: SystemTime,
    reported: Instant,
    traffic: Arc<Traffic>,
}

/// All that the thread holds.
struct Work {
    origin: Instant,
    settings: Settings,
    state: State,
    own: Own,
    house: Option<Arc<Policy>>,
    link: Option<Link>,
    sender: Sender,
    context: Context,
    held: BTreeMap<u64, Held>,
    next: u64,
    transactions: u64,
    record: Vec<u8>,
    lines: Lines,
    counts: Arc<Counts>,
}

impl Work {
    fn new(config: &Config, own: Own, counts: Arc<Counts>) -> Result<Self, GetRandomFailed> {
        let (mut key, mut references, mut epoch) = ([0; 16], [0; 16], [0; 8]);
        let random = ring::default_provider().secure_random;
        for bytes in [&mut key[..], &mut references, &mut epoch] {
            random.fill(bytes)?;
        }
        let origin = Origin {
            gateway: config.node.clone(),
            gateway_cluster: "guards".into(),
            gate_version: env!("CARGO_PKG_VERSION").into(),
        };
        let epoch = u64::from_le_bytes(epoch).max(1);
        Ok(Self {
            origin: Instant::now(),
            settings: Settings { when_no_policy: config.when_no_policy },
            state: State::new(key, &references),
            own,
            house: None,
            link: config.house.clone().map(|house| Link::new(house, config.node.clone())),
            sender: Sender::new(epoch, RingLimits { ring_bytes: RING, ..RingLimits::default() }),
            // Until the house says how addresses appear, none is told in the clear.
            context: Context {
                origin,
                hash_key: key,
                hash_key_id: 0,
                address_form: AddressForm::Hash,
                usual: UsualTexts::default(),
            },
            held: BTreeMap::new(),
            next: 1,
            transactions: 0,
            record: Vec::new(),
            lines: Lines::new(LINES),
            counts,
        })
    }

    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let (mut ticks, mut looks) = (every(TICK), every(LOOK));
        loop {
            tokio::select! {
                biased;
                ask = asked.recv() => match ask {
                    Some(Ask::Judge { asked, answer }) => drop(answer.send(self.judge(*asked))),
                    Some(Ask::Unproven { asked, reason }) => self.unproven(*asked, reason),
                    Some(Ask::Ended { number, by }) => self.ended(number, by),
                    Some(Ask::Stop { done }) => {
                        self.leave().await;
                        let _ = done.send(());
                        return;
                    }
                    None => return,
                },
                heard = next(&mut self.link) => self.hear(heard),
                _ = ticks.tick() => self.tick(),
                _ = looks.tick() => {
                    self.own.look(&self.counts);
                    self.interims();
                }
            }
        }
    }

    fn now(&self) -> Now {
        let wall_s = SystemTime::now().duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        let mono_ns = u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX);
        // 0 is before all that was ever counted.
        Now { mono_ns: mono_ns.saturating_add(1), wall_s }
    }

    /// The policy in force: the house's, else its own.
    fn policy(&self) -> Option<Arc<Policy>> {
        self.house.clone().or_else(|| self.own.policy.clone())
    }

    fn judge(&mut self, asked: Asked) -> Option<(u64, Arc<Traffic>)> {
        let policy = self.policy();
        let host = asked.destination.clone().map_or_else(|| destination(&asked.connection), String::into_bytes);
        let opening = Opening { connection: &asked.connection, host: &host, now: self.now() };
        let judged = admit(policy.as_deref(), &self.settings, &opening, &mut self.state);
        let held = self.hold(asked, host, judged, policy, None);
        if held.judged.verdict.mitigates() {
            self.counts.rejected.inc();
            self.report(&held, Part::Final, Ended::Gate);
            return None;
        }
        self.counts.allowed.inc();
        let (number, traffic) = (self.next, Arc::clone(&held.traffic));
        self.next += 1;
        self.held.insert(number, held);
        Some((number, traffic))
    }

    fn unproven(&mut self, asked: Asked, reason: &'static str) {
        let judged = overdue(&asked.connection);
        let held = self.hold(asked, Vec::new(), judged, None, Some(reason));
        self.report(&held, Part::Final, Ended::Gate);
    }

    /// Keeps what is known of it, and says in the log what was decided; `failed`: why there was nothing to judge by.
    fn hold(
        &mut self,
        asked: Asked,
        host: Vec<u8>,
        judged: Judged,
        policy: Option<Arc<Policy>>,
        failed: Option<&'static str>,
    ) -> Held {
        let Asked { connection, began, wall, .. } = asked;
        if let Some(left_out) = self.lines.admit(self.now().mono_ns) {
            let line = log_line(&judged, &connection, &host);
            let left_out = (left_out > 0).then_some(left_out);
            if judged.verdict.mitigates() {
                tracing::warn!(target: crate::logging::VERDICTS, failed, left_out, "{line}");
            } else {
                tracing::info!(target: crate::logging::VERDICTS, left_out, "{line}");
            }
        } else {
            self.counts.lines_left_out.inc();
        }
        self.transactions += 1;
        let (transaction, traffic) = (self.transactions, Arc::default());
        Held { connection, host, judged, policy, transaction, began, wall, reported: began, traffic }
    }

    fn ended(&mut self, number: u64, by: Ended) {
        let Some(mut held) = self.held.remove(&number) else { return };
        self.report(&held, Part::Final, by);
        let now_ns = self.now().mono_ns;
        answered(held.policy.as_deref(), &mut held.judged, Some(200), &mut self.state, &NoSlots, now_ns);
    }

    fn interims(&mut self) {
        let due: Vec<u64> = self
            .held
            .iter()
            .filter(|(_, held)| held.reported.elapsed() >= INTERIM)
            .map(|(number, _)| *number)
            .collect();
        for number in due {
            let Some(mut held) = self.held.remove(&number) else { continue };
            held.reported = Instant::now();
            self.report(&held, Part::Interim, Ended::Unknown);
            self.held.insert(number, held);
        }
    }

    fn report(&mut self, held: &Held, part: Part, ended: Ended) {
        if self.link.is_none() {
            return;
        }
        let carried = Carried {
            part,
            start_unix_ns: held.wall.duration_since(UNIX_EPOCH).map_or(0, nanos),
            duration_ns: nanos(held.began.elapsed()),
            host: &held.host,
            received_bytes: held.traffic.received.load(Ordering::Relaxed),
            sent_bytes: held.traffic.sent.load(Ordering::Relaxed),
            ended,
        };
        let id = RecordId { epoch: self.sender.epoch(), sequence: self.sender.next_seq() };
        let head = Head::new(&[], &held.connection);
        let of = Transaction { number: held.transaction, head, judged: &held.judged, policy: held.policy.as_deref() };
        self.record.clear();
        gatehouse_engine::connection(id, &of, &carried, &self.context, &mut self.record);
        let class = if held.judged.verdict.is_plain() { Class::Plain } else { Class::Kept };
        self.sender.push(class, self.record.clone());
    }

    fn tick(&mut self) {
        if let Some(link) = &mut self.link {
            link.tick(&mut self.sender);
        }
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Nothing => {}
            Heard::Opened => {
                let stamp = self.house.as_ref().map(|policy| policy.stamp());
                if let Some(link) = &mut self.link {
                    link.greet(&mut self.sender, stamp);
                }
            }
            Heard::Closed => self.sender.closed(),
            Heard::Credit(credit) => {
                if let Err(error) = self.sender.credit(&credit) {
                    tracing::warn!(%error, "the house's credit is none of ours");
                }
                self.tick();
            }
            Heard::Welcome(welcome) => self.welcome(&welcome),
            Heard::Policy(policy) => {
                tracing::info!(revision = policy.stamp().revision, "the house's policy is in force");
                self.counts.policy_loads.inc();
                self.house = Some(Arc::new(*policy));
            }
            Heard::Brake(brake) => self.brake(brake),
            Heard::Refused => {
                self.counts.policy_failures.inc();
            }
        }
    }

    fn welcome(&mut self, welcome: &v1::Welcome) {
        if let Ok(key) = <[u8; 16]>::try_from(welcome.hash_key.as_slice()) {
            (self.context.hash_key, self.context.hash_key_id) = (key, welcome.hash_key_id);
            self.state.set_hash_key(&key);
        }
        self.context.address_form = welcome.address_form().into();
    }

    /// An operator has every rule at or below a scope act as in monitor mode, for a while.
    fn brake(&mut self, brake: v1::Brake) {
        let now_ns = self.now().mono_ns;
        let (version, entries) = (brake.version, brake.ends(now_ns));
        tracing::warn!(brakes = entries.len(), "the brakes that hold from now on");
        self.state.set_brake(Brake::new(entries));
        if let Some(link) = &mut self.link {
            link.braked(version);
        }
    }

    /// Everything that ended is told, then goodbye; what the house does not take in five seconds is told to it as lost.
    async fn leave(mut self) {
        for number in self.held.keys().copied().collect::<Vec<_>>() {
            self.ended(number, Ended::Gate);
        }
        let Some(mut link) = self.link.take() else { return };
        let _ = tokio::time::timeout(Duration::from_secs(5), link.leave(&mut self.sender)).await;
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn every(time: Duration) -> Interval {
    let mut interval = interval(time);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn next(link: &mut Option<Link>) -> Heard {
    match link {
        Some(link) => link.next().await,
        None => std::future::pending().await,
    }
}
