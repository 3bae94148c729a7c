//! What judges or listens beside Envoy: gRPC services on loopback, each a process of its own, so that its CPU time can be told.
//!
//! The judging ones have the gate's own engine with the same policy. They make no records.

mod authz;
mod log;
mod proc;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogServiceServer;
use envoy_types::pb::envoy::service::auth::v3::authorization_server::AuthorizationServer;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessorServer;
use gatehouse_corpora::standard;
use gatehouse_support::process::{Process, Signal};
use gatehouse_support::{ports, wait};
use tempfile::TempDir;
use tonic::transport::Server;

use crate::cores;
use crate::mix::{Judge, at_home};

const PATIENCE: Duration = Duration::from_secs(60);
/// The word before the kind and the port on this program's command line.
pub(crate) const COMMAND: &str = "service";

thread_local! {
    /// The engine of a service that judges, which has one thread.
    static JUDGE: RefCell<Option<Judge>> = const { RefCell::new(None) };
}

/// Which service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `envoy.service.auth.v3.Authorization`
    Authz,
    /// `envoy.service.ext_proc.v3.ExternalProcessor`
    Proc,
    /// `envoy.service.accesslog.v3.AccessLogService`
    Log,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Authz, Self::Proc, Self::Log];

    fn word(self) -> &'static str {
        match self {
            Self::Authz => "authz",
            Self::Proc => "proc",
            Self::Log => "log",
        }
    }
}

/// A service that runs; its process ends with this value.
#[derive(Debug)]
pub(crate) struct Service {
    kind: Kind,
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Service {
    /// Starts one and waits until it listens.
    pub(crate) async fn start(kind: Kind) -> Self {
        let folder = tempfile::Builder::new().prefix("gatehouse-bench-").tempdir().expect("a folder for a log");
        let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args([COMMAND, kind.word(), &address.port().to_string()]);
        let mut process = Process::start("a service", command, &folder.path().join("log"), Signal::KILL);
        wait::until_true(PATIENCE, "a service to listen", || {
            process.assert_running();
            async move { tokio::net::TcpStream::connect(address).await.is_ok() }
        })
        .await;
        Self { kind, process, address, _folder: folder }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}

/// Is a service: `words` are its kind and its port. `None`: they are not.
pub(crate) fn run(words: &[String]) -> Option<()> {
    let [kind, port] = words else { return None };
    let kind = Kind::ALL.into_iter().find(|known| known.word() == kind)?;
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().ok()?));
    cores::pin_self();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a thread");
    runtime.block_on(serve(kind, address)).expect("a port of loopback");
    Some(())
}

async fn serve(kind: Kind, address: SocketAddr) -> Result<(), tonic::transport::Error> {
    let mut server = Server::builder().tcp_nodelay(true);
    if kind != Kind::Log {
        let judge = Judge::new(&at_home(standard())).expect("the standard policy compiles");
        JUDGE.with_borrow_mut(|own| *own = Some(judge));
    }
    let router = match kind {
        Kind::Authz => server.add_service(AuthorizationServer::new(authz::Service)),
        Kind::Proc => server.add_service(ExternalProcessorServer::new(proc::Service)),
        Kind::Log => server.add_service(AccessLogServiceServer::new(log::Service)),
    };
    router.serve(address).await
}

/// Judges headers in whatever order they came.
fn refuses<'a>(headers: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> bool {
    let (mut all, plain): (Vec<_>, Vec<_>) = headers.partition(|(name, _)| name.starts_with(b":"));
    all.extend(plain);
    JUDGE.with_borrow_mut(|judge| judge.as_mut().expect("set before anything is served").refuses(&all))
}
