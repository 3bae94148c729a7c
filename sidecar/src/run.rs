//! The whole wiring of `gatehouse run`, read top to bottom. Tests start the house by the same function.
//!
//! Start: what is owned (data folder, key), what is kept (spool, last good policy), what delivers (sinks), what is shown
//! (admin), and last the intake: a gate that gets in finds everything behind it. Stop: the other way round.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_stream::wrappers::{TcpListenerStream, UnixListenerStream};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Config};
use crate::data::{DataError, DataFolder};
use crate::hash_key::{HashKey, HashKeyError};
use crate::intake::guarded::Door;
use crate::intake::listen::{self, ListenError, UnixSocket};
use crate::intake::peer::Guests;
use crate::intake::{Intake, Parts};
use crate::logging::Log;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::policies::{Policies, Watcher};
use crate::references::References;
use crate::sink;
use crate::spool::{Recovered, Settings, Spool, SpoolError};
use crate::standing::Standing;
use crate::{access_log, admin};

/// Time for gates' last batches to be synced and acknowledged.
const INTAKE_GRACE: Duration = Duration::from_secs(5);
/// Time for the last words to gates to leave this machine's socket buffers.
const FLUSH_GRACE: Duration = Duration::from_secs(1);
/// For what `gatehouse explain` asks for.
const REFERENCES_GRACE: Duration = Duration::from_secs(2);
/// Time for sinks to deliver what the spool holds; the rest is delivered after the next start.
const SINK_GRACE: Duration = Duration::from_secs(10);
/// How often windows follow what the spool can take.
const SHARE_EVERY: Duration = Duration::from_millis(250);
/// How often workers that are gone for a day are looked for.
const AGE_EVERY: Duration = Duration::from_secs(600);

/// File in the data folder that says where the admin listener is.
pub const ADMIN_ADDRESS: &str = "admin.address";
const INTAKE_ADDRESS: &str = "intake.address";
const GATES_ADDRESS: &str = "gates.address";

/// Why the house did not start, or did not go on.
#[derive(Debug)]
pub enum RunError {
    /// The admin listener or the intake failed while running.
    Broken(String),
    /// The data folder cannot be used.
    Data(DataError),
    /// The key cannot be had.
    HashKey(HashKeyError),
    /// An address cannot be listened on.
    Listen(ListenError),
    /// The spool cannot be used.
    Spool(SpoolError),
}

/// Runs the house until `shutdown` resolves, then stops it in good order.
///
/// # Errors
/// It could not start (nothing runs any more), or a listener failed.
pub async fn run(config: Config, log: Log, shutdown: impl Future<Output = ()>) -> Result<(), RunError> {
    let mut house = House::start(config, log).await?;
    let outcome = tokio::select! {
        () = shutdown => Ok(()),
        error = house.broken() => Err(error),
    };
    house.stop().await?;
    outcome
}

/// Everything that runs.
struct House {
    data: Arc<DataFolder>,
    spool: Spool,
    sinks: Vec<sink::Running>,
    access_log: access_log::Running,
    watching: Option<JoinHandle<()>>,
    /// What looks after files and clocks: brakes, tables.
    minding: Vec<JoinHandle<()>>,
    intake: Arc<Intake>,
    chores: JoinHandle<()>,
    state: Arc<admin::State>,
    gates: JoinSet<Result<(), String>>,
    admin: JoinSet<Result<(), String>>,
    stop: CancellationToken,
}

impl House {
    async fn start(config: Config, log: Log) -> Result<Self, RunError> {
        let data = Arc::new(DataFolder::open(&config.data)?);
        forget_addresses(&data)?;
        let key = HashKey::open(&data)?;
        let policies = Policies::open(&data, config.policies.as_ref())?;
        let (spool, recovered) = open_spool(&config).await?;
        let admin_listener = listen::tcp(config.admin).await?;
        let admin_address = local_address(&data, ADMIN_ADDRESS, &admin_listener)?;
        let metrics = Arc::new(Metrics::default());
        let doors = Doors::open(&config.listen, &data, &metrics).await?;
        let (notices, waiting) = Notices::new();
        let standing = Standing::open(&data, &config, notices, Arc::clone(&metrics));
        let stop = CancellationToken::new();
        let sinks = start_sinks(&config, &spool, &stop)?;
        let access_log = access_log::start(config.access_log);
        let watching = watch(&config, &policies, &data, &metrics, &stop).await;
        let (lists, wanted) = (standing.lists.clone(), policies.lists());
        let kept = wanted.borrow().clone();
        // Told in the log where it fails; it never does but by a panic.
        let _ = tokio::task::spawn_blocking(move || lists.take_kept(&kept)).await;
        let references = References::open(data.path(), config.references);
        let intake = Intake::start(Parts {
            spool: spool.handle(),
            high_waters: recovered.high_waters,
            policies: policies.clone(),
            standing: standing.clone(),
            key,
            address_form: config.address_form,
            access_log: access_log.log.clone(),
            references,
            metrics: Arc::clone(&metrics),
        });
        let state = Arc::new(admin::State {
            node: config.node,
            started: SystemTime::now(),
            intake: Arc::clone(&intake),
            policies,
            standing: standing.clone(),
            spool: spool.handle(),
            sinks: sinks.iter().map(|sink| Arc::clone(&sink.board)).collect(),
            metrics,
            log,
            ready: AtomicBool::new(false),
            admin: admin_address,
            door: doors.guarded.as_ref().map(|(_, door)| Arc::clone(door)),
        });

        let (mut gates, mut admin) = (JoinSet::new(), JoinSet::new());
        write_address(&data, ADMIN_ADDRESS, admin_address)?;
        admin.spawn(serve_admin(admin_listener, Arc::clone(&state), stop.clone()));
        intake.share_windows();
        doors.serve(&intake, &data, &mut gates, &stop)?;
        let mut minding = standing.run(wanted, &stop);
        minding.push(tokio::spawn(waiting.store(spool.handle(), stop.clone())));
        let chores = tokio::spawn(chores(Arc::clone(&state), stop.clone()));
        state.ready.store(true, Ordering::Release);
        tracing::info!(version = env!("CARGO_PKG_VERSION"), data = %config.data.display(), "house runs");
        Ok(Self { data, spool, sinks, access_log, watching, minding, intake, chores, state, gates, admin, stop })
    }

    /// Resolves when a listener fails, which none does in good order.
    async fn broken(&mut self) -> RunError {
        let ended = tokio::select! {
            Some(ended) = self.gates.join_next() => Some(ended),
            Some(ended) = self.admin.join_next() => Some(ended),
            else => None,
        };
        match ended {
            Some(Ok(Err(problem))) => RunError::Broken(problem),
            Some(Err(panic)) => RunError::Broken(panic.to_string()),
            Some(Ok(Ok(()))) | None => RunError::Broken("a listener ended by itself".into()),
        }
    }

    async fn stop(mut self) -> Result<(), RunError> {
        tracing::info!("house stops: no credit any more, draining");
        self.state.ready.store(false, Ordering::Release);
        if !self.intake.stop(INTAKE_GRACE).await {
            tracing::warn!("not every stream ended in time; their gates send again what was not acknowledged");
        }
        // The listeners end when every connection has: what was said last is on the wire then.
        let _ = tokio::time::timeout(FLUSH_GRACE, async { while self.gates.join_next().await.is_some() {} }).await;
        self.stop.cancel();
        for sink in self.sinks {
            // Ends by itself when its time of grace is over.
            let _ = sink.task.await;
        }
        for task in self.watching.into_iter().chain(self.minding).chain([self.chores]) {
            let _ = task.await;
        }
        let intake = Arc::clone(&self.intake);
        let references = tokio::task::spawn_blocking(move || intake.references.close(REFERENCES_GRACE));
        // What is not written by then is missed by `gatehouse explain` only.
        let _ = references.await;
        self.access_log.stop().await;
        self.admin.shutdown().await;
        forget_addresses(&self.data)?;
        let (remaining, sinks) = tell_what_remains(&self.spool);
        let spool = self.spool;
        let closed = tokio::task::spawn_blocking(move || spool.close()).await;
        closed.unwrap_or(Err(SpoolError::WriterGone))?;
        tracing::info!(remaining, sinks, "house stopped, everything is synced");
        Ok(())
    }
}

// Pieces of the start, in its order.

async fn open_spool(config: &Config) -> Result<(Spool, Recovered), SpoolError> {
    let folder = config.spool.folder.clone();
    let settings = Settings {
        segment_bytes: config.spool.segment,
        total_bytes: config.spool.size,
        readers: config.sinks.iter().map(|sink| sink.name.clone()).collect(),
        ..Settings::default()
    };
    let opened = tokio::task::spawn_blocking(move || Spool::open(&folder, settings)).await;
    let (spool, recovered) = opened.unwrap_or(Err(SpoolError::WriterGone))?;
    if recovered.set_aside.frames > 0 {
        let aside = recovered.set_aside;
        tracing::error!(
            frames = aside.frames,
            records = aside.records,
            "corrupt part of the spool set aside in `.bad` files"
        );
    }
    for name in &recovered.orphans {
        tracing::warn!(sink = name, "a sink of this name was configured before; its cursor is left alone");
    }
    Ok((spool, recovered))
}

fn start_sinks(config: &Config, spool: &Spool, stop: &CancellationToken) -> Result<Vec<sink::Running>, SpoolError> {
    let stop = sink::Stop::new(stop.clone(), SINK_GRACE);
    let start = |(index, sink): (usize, &config::written::Sink)| {
        let reader = spool.handle().reader(&sink.name)?;
        let behind = config.behind(index);
        Ok(sink::start(&sink.name, &sink.kind, &sink.common, behind, reader, &config.data, stop.clone()))
    };
    config.sinks.iter().enumerate().map(start).collect()
}

async fn watch(
    config: &Config,
    policies: &Policies,
    data: &Arc<DataFolder>,
    metrics: &Arc<Metrics>,
    stop: &CancellationToken,
) -> Option<JoinHandle<()>> {
    let section = config.policies.clone()?;
    let mut watcher = Watcher::new(policies.clone(), section, Arc::clone(data), Arc::clone(metrics));
    // The first look is taken before a gate is let in, so that none is given an older policy first.
    watcher.look().await;
    Some(tokio::spawn(watcher.run(stop.clone())))
}

async fn serve_admin(listener: TcpListener, state: Arc<admin::State>, stop: CancellationToken) -> Result<(), String> {
    let served = admin::serve(listener, state, stop.cancelled_owned()).await;
    served.map_err(|error| format!("admin listener failed: {error}"))
}

/// The bound listeners of the intake.
struct Doors {
    unix: Option<UnixSocket>,
    uids: Option<Vec<u32>>,
    tcp: Option<TcpListener>,
    guarded: Option<(TcpListener, Arc<Door>)>,
    metrics: Arc<Metrics>,
}

impl Doors {
    async fn open(listen: &config::Listen, data: &DataFolder, metrics: &Arc<Metrics>) -> Result<Self, RunError> {
        let unix = listen.unix.as_ref().map(|(path, mode)| listen::unix(path, *mode)).transpose()?;
        let tcp = match listen.tcp {
            Some(address) => Some(listen::tcp(address).await?),
            None => None,
        };
        let guarded = match &listen.tls {
            Some(guarded) => Some(open_guarded(guarded, data, metrics).await?),
            None => None,
        };
        Ok(Self { unix, uids: listen.uids.clone(), tcp, guarded, metrics: Arc::clone(metrics) })
    }

    fn serve(
        self,
        intake: &Arc<Intake>,
        data: &DataFolder,
        serving: &mut JoinSet<Result<(), String>>,
        stop: &CancellationToken,
    ) -> Result<(), DataError> {
        if let Some(UnixSocket { listener, file }) = self.unix {
            let intake = Arc::clone(intake);
            let allowed = listen::of_users(UnixListenerStream::new(listener), self.uids, self.metrics);
            serving.spawn(async move {
                let served = intake.serve(allowed).await;
                drop(file);
                served.map_err(|error| format!("intake on the Unix socket failed: {error}"))
            });
        }
        if let Some(listener) = self.tcp {
            write_address(data, INTAKE_ADDRESS, local_address(data, INTAKE_ADDRESS, &listener)?)?;
            let intake = Arc::clone(intake);
            serving.spawn(async move {
                let served = intake.serve(TcpListenerStream::new(listener)).await;
                served.map_err(|error| format!("intake on loopback failed: {error}"))
            });
        }
        if let Some((listener, door)) = self.guarded {
            write_address(data, GATES_ADDRESS, local_address(data, GATES_ADDRESS, &listener)?)?;
            let (intake, connections) = (Arc::clone(intake), door.open(listener, stop.clone()));
            serving.spawn(async move {
                let served = intake.serve(connections).await;
                served.map_err(|error| format!("intake by mutual TLS failed: {error}"))
            });
        }
        Ok(())
    }
}

async fn open_guarded(
    guarded: &config::Guarded,
    data: &DataFolder,
    metrics: &Arc<Metrics>,
) -> Result<(TcpListener, Arc<Door>), RunError> {
    let listener = listen::tcp(guarded.address).await?;
    let address = local_address(data, GATES_ADDRESS, &listener)?.to_string();
    let (tls, guests, metrics) = (guarded.tls.clone(), Guests::new(guarded.gates.clone()), Arc::clone(metrics));
    // It reads files.
    let door = tokio::task::spawn_blocking(move || Door::new(tls, guests, address, metrics)).await;
    let door = door.map_err(|panic| RunError::Broken(panic.to_string()))?;
    Ok((listener, door))
}

fn local_address(data: &DataFolder, name: &str, listener: &TcpListener) -> Result<SocketAddr, DataError> {
    let path = || data.path().join(name);
    listener.local_addr().map_err(|source| DataError::Io { doing: "learn the address for", path: path(), source })
}

/// Tells whoever asked for port 0 which one it is.
fn write_address(data: &DataFolder, name: &str, address: SocketAddr) -> Result<(), DataError> {
    data.replace(name, format!("{address}\n").as_bytes(), 0o644)
}

/// An address of an earlier run would send people to a port that is somebody else's by now.
fn forget_addresses(data: &DataFolder) -> Result<(), DataError> {
    [ADMIN_ADDRESS, INTAKE_ADDRESS, GATES_ADDRESS].iter().try_for_each(|name| data.remove(name))
}

/// Says what each sink did not deliver in time, so that whoever takes the volume away knows what is on it. The largest of the counts,
/// and each of them in words.
fn tell_what_remains(spool: &Spool) -> (u64, String) {
    let readers = spool.handle().stat().readers;
    for reader in readers.iter().filter(|reader| reader.pending.records > 0) {
        let (records, bytes) = (reader.pending.records, reader.pending.bytes);
        tracing::warn!(
            sink = reader.name,
            records,
            bytes,
            "records stay in the spool, to be delivered after the next start"
        );
    }
    let each: Vec<_> = readers.iter().map(|reader| format!("{} {}", reader.name, reader.pending.records)).collect();
    (readers.iter().map(|reader| reader.pending.records).max().unwrap_or_default(), each.join(", "))
}

/// What is done by the clock.
async fn chores(state: Arc<admin::State>, stop: CancellationToken) {
    let mut share = tokio::time::interval(SHARE_EVERY);
    let mut age = tokio::time::interval(AGE_EVERY);
    let mut told = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = share.tick() => state.intake.share_windows(),
            _ = age.tick() => {
                state.intake.age();
                let held_back = state.log.held_back();
                if held_back > told {
                    tracing::warn!(lines = held_back - told, "log lines were held back as repetitions");
                    told = held_back;
                }
            }
        }
    }
}

// --- RunError ---

impl From<DataError> for RunError {
    fn from(error: DataError) -> Self {
        Self::Data(error)
    }
}

impl From<HashKeyError> for RunError {
    fn from(error: HashKeyError) -> Self {
        Self::HashKey(error)
    }
}

impl From<ListenError> for RunError {
    fn from(error: ListenError) -> Self {
        Self::Listen(error)
    }
}

impl From<SpoolError> for RunError {
    fn from(error: SpoolError) -> Self {
        Self::Spool(error)
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(problem) => f.write_str(problem),
            Self::Data(error) => error.fmt(f),
            Self::HashKey(error) => error.fmt(f),
            Self::Listen(error) => error.fmt(f),
            Self::Spool(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}
