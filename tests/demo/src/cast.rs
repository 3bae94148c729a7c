//! Envoy, house and shop: started, found ready, stopped. Envoy is started directly; everything listens on loopback only,
//! on ports that the kernel gives, so that runs can go side by side.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::arguments::Arguments;
use crate::failure::Failure;
use crate::folder::Folder;
use crate::part::{Part, address, json, page};
use crate::shop::Shop;
use crate::traffic::Targets;

/// Worker threads of Envoy.
pub const WORKERS: u32 = 2;

const ENVOY: &str = include_str!("../envoy.yaml");
const POLICY: &str = include_str!("../policy.yaml");

/// All parts, running.
#[derive(Debug)]
pub struct Cast {
    /// The application.
    pub shop: Shop,
    /// The two listeners.
    pub targets: Targets,
    /// Envoy's admin interface.
    pub envoy_admin: SocketAddr,
    /// The house's admin interface.
    pub house_admin: SocketAddr,
    envoy: Part,
    house: Part,
}

/// What the house says of the gates' records: seen = stored + dropped + in flight, and what is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnAccount {
    /// Transactions that the gates saw.
    pub seen: u64,
    /// Records in the spool.
    pub stored: u64,
    /// Records given up, for all reasons.
    pub dropped: u64,
    /// Records on their way.
    pub in_flight: u64,
    /// What the sum lacks.
    pub difference: i64,
}

impl Cast {
    /// Starts the shop, the house, Envoy, and waits until the policy is in force in every worker. `told` hears of each.
    ///
    /// # Errors
    /// A part did not start or is not ready within a minute: what it said last, and what to do.
    pub async fn start(
        arguments: &Arguments,
        folder: &Folder,
        told: &mut impl FnMut(&str, &str),
    ) -> Result<Self, Failure> {
        let shop = Shop::open().await?;
        told("the shop, an application of ours", &format!("http://{}/", shop.address));
        let (house, house_admin) = start_house(arguments, folder).await?;
        told("the house", &format!("http://{house_admin}/status"));
        let (envoy, envoy_admin) = start_envoy(arguments, folder, &shop).await?;
        let mut cast = Self { shop, targets: listeners(envoy_admin).await?, envoy_admin, house_admin, envoy, house };
        told(&format!("Envoy with the gate, {WORKERS} workers"), &format!("http://{}/", cast.targets.gate));
        let revision = cast.policy_in_force().await?;
        told("the policy `shop`", &format!("in force in every worker, revision {revision}"));
        Ok(cast)
    }

    /// Stops Envoy first, so that the gate can hand over what it still holds, then the house.
    ///
    /// # Errors
    /// A part did not end by itself and was killed, or did not end well.
    pub async fn stop(self) -> Result<(), Failure> {
        let envoy = self.envoy.stop().await;
        self.house.stop().await.and(envoy)
    }

    /// Fails when a part has ended by itself.
    ///
    /// # Errors
    /// The part and the end of its log.
    pub fn check(&mut self) -> Result<(), Failure> {
        self.envoy.check().and_then(|()| self.house.check())
    }

    /// The house's own account of what the gates told: `/status`, its part `books`.
    pub async fn own_account(&self) -> Option<OwnAccount> {
        let total = json(self.house_admin, "/status").await?.pointer("/books/total")?.clone();
        let number = |name: &str| total.pointer(name)?.as_u64();
        let reasons = total.pointer("/dropped")?.as_object()?.values();
        Some(OwnAccount {
            seen: number("/seen")?,
            stored: number("/stored")?,
            dropped: reasons.filter_map(Value::as_u64).sum(),
            in_flight: number("/in_flight")?,
            difference: total.pointer("/difference")?.as_i64()?,
        })
    }

    /// Waits until each worker's stream (and that of Envoy's main thread) has accepted a policy.
    async fn policy_in_force(&mut self) -> Result<u64, Failure> {
        let admin = self.house_admin;
        let what = "a policy that is in force in every worker";
        let accepted = || async move { in_force(&json(admin, "/status").await?) };
        self.house.ready(what, accepted).await
    }
}

/// The folder of the events.
pub fn events(folder: &Folder) -> PathBuf {
    folder.join("events")
}

/// The revision of the policy, once every one of Envoy's streams has it in force.
fn in_force(status: &Value) -> Option<u64> {
    let number = |name: &str| status.pointer(&format!("/policy/{name}"))?.as_u64();
    let (current, all) = (number("workers_current")?, number("workers")?);
    number("revision").filter(|_| current == all && all > u64::from(WORKERS))
}

async fn start_house(arguments: &Arguments, folder: &Folder) -> Result<(Part, SocketAddr), Failure> {
    let home = folder.join("house");
    make(&events(folder))?;
    write(&folder.join("policies").join("shop.yaml"), POLICY)?;
    let config = format!(
        "# The house of the demo; what is not said here is the default.\n\
         data: {home}\n\
         policies: {{ folder: {policies} }}\n\
         admin: 127.0.0.1:0\n\
         sinks:\n  \
           events: {{ file: {{ path: {events}, rotate: {{ size: 64MiB, keep: 100 }} }} }}\n",
        home = home.display(),
        policies = folder.join("policies").display(),
        events = events(folder).join("events.ndjson").display(),
    );
    let file = folder.join("house.yaml");
    write(&file, &config)?;
    let mut command = Command::new(&arguments.house);
    command.arg("run").arg("--config").arg(&file);
    let mut house = Part::start("the house", command, &folder.join("house.log"));
    let told = home.join("admin.address");
    let admin = house.ready("its admin address", || async { address(&told) }).await?;
    house.ready("`/healthz`", || page(admin, "/healthz")).await?;
    Ok((house, admin))
}

async fn start_envoy(arguments: &Arguments, folder: &Folder, shop: &Shop) -> Result<(Part, SocketAddr), Failure> {
    let config = ENVOY
        .replace("{{FILTER}}", &arguments.filter.display().to_string())
        .replace("{{SHOP_PORT}}", &shop.address.port().to_string())
        .replace("{{SOCKET}}", &folder.join("house").join("house.sock").display().to_string());
    let (file, told) = (folder.join("envoy.yaml"), folder.join("envoy.admin"));
    write(&file, &config)?;
    let mut command = Command::new(&arguments.envoy);
    command.arg("-c").arg(&file).arg("--admin-address-path").arg(&told);
    command.args(["--concurrency", &WORKERS.to_string(), "--use-dynamic-base-id", "--log-level", "info"]);
    command.args(["--drain-time-s", "1", "--parent-shutdown-time-s", "2"]);
    let mut envoy = Part::start("Envoy", command, &folder.join("envoy.log"));
    let admin = envoy.ready("its admin address", || async { address(&told) }).await?;
    envoy.ready("`/ready`", || page(admin, "/ready")).await?;
    Ok((envoy, admin))
}

/// Where Envoy's two listeners stand.
async fn listeners(admin: SocketAddr) -> Result<Targets, Failure> {
    let answer = json(admin, "/listeners?format=json").await;
    let named = |name: &str| {
        let list = answer.as_ref()?.pointer("/listener_statuses")?.as_array()?;
        let socket = list.iter().find(|entry| entry.pointer("/name").is_some_and(|known| known == name))?;
        let socket = socket.pointer("/local_address/socket_address")?;
        let (address, port) = (socket.pointer("/address")?.as_str()?, socket.pointer("/port_value")?.as_u64()?);
        Some(SocketAddr::new(address.parse().ok()?, u16::try_from(port).ok()?))
    };
    match (named("gate"), named("plain")) {
        (Some(gate), Some(plain)) => Ok(Targets { gate, plain }),
        _ => Err(Failure::new(format!("Envoy's admin on {admin} does not name its two listeners"), "run it again")),
    }
}

fn write(file: &Path, text: &str) -> Result<(), Failure> {
    file.parent().map_or(Ok(()), make)?;
    std::fs::write(file, text).map_err(|error| unwritable(file, &error))
}

fn make(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> Failure {
    let what = format!("cannot write `{}`: {error}", path.display());
    Failure::new(what, "make the folder writable, then run it again")
}
