//! The configuration as it is meant: every value decided, every collision refused. How it is written: [`written`].
//!
//! Without a file the defaults stand: a Unix socket, a spool and one file sink, all under the data folder, and an admin
//! listener on loopback.

pub mod gates;
pub mod lists;
pub mod written;

mod print;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use gatehouse_policy::document::{self, Node, Place, Problems};
use gatehouse_proto::v1::welcome;

use crate::logging::{Form, Level};
use crate::references::Keep;
use crate::sink;
pub use gates::Guarded;
pub use lists::Lists;
use written::Written;

/// The data folder where none is named.
pub const DEFAULT_DATA: &str = "/var/lib/gatehouse";
/// The admin listener where none is named: beside Envoy's own customary 9901, so that both can run on one machine.
pub const DEFAULT_ADMIN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9911);
const DEFAULT_MODE: u32 = 0o660;
const DEFAULT_SPOOL_SIZE: u64 = 1 << 30;
const DEFAULT_SEGMENT: u64 = 64 << 20;
const DEFAULT_EVERY: Duration = Duration::from_millis(250);
/// Makers bring out new databases of countries weekly, and keep an old one usable for a month.
const DEFAULT_MAX_AGE: Duration = Duration::from_secs(45 * 86_400);
const MAX_GEO_FILES: usize = 16;
/// `sun_path` holds 108 bytes with its NUL; the socket is first bound under a name that is 8 bytes longer.
const MAX_SOCKET_PATH: usize = 99;
const MAX_FILE: u64 = 1 << 20;

/// What the house is to do.
#[derive(Debug)]
pub struct Config {
    /// Name of this house in `/status`.
    pub node: String,
    /// The data folder.
    pub data: PathBuf,
    /// Where gates attach.
    pub listen: Listen,
    /// What is kept until it is delivered.
    pub spool: Spool,
    /// How long records are kept for `gatehouse explain`, and how much of them.
    pub references: Keep,
    /// Where policy documents come from; `None`: this house has no policy to give.
    pub policies: Option<Policies>,
    /// Where countries and autonomous systems come from; `None`: nowhere.
    pub geo: Option<Geo>,
    /// Whom the house may ask for lists.
    pub lists: Lists,
    /// Where events go; the first holds the spool when it falls behind.
    pub sinks: Vec<written::Sink>,
    /// The access log on standard output.
    pub access_log: AccessLog,
    /// Address of the admin listener, loopback.
    pub admin: SocketAddr,
    /// How much is logged on standard error.
    pub log_level: Level,
    /// In which form.
    pub log_form: Form,
    /// How gates write client addresses.
    pub address_form: AddressForm,
}

/// Where gates attach: at least one of the three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// A Unix socket and its permission bits.
    pub unix: Option<(PathBuf, u32)>,
    /// Users that may connect to it; `None`: whom its permissions let in.
    pub uids: Option<Vec<u32>>,
    /// A loopback address; port 0: any, written to `intake.address` in the data folder.
    pub tcp: Option<SocketAddr>,
    /// From other machines, by mutual TLS.
    pub tls: Option<Guarded>,
}

/// The spool's place and bounds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spool {
    /// Its folder.
    pub folder: PathBuf,
    /// Size of all segments, bytes.
    pub size: u64,
    /// Size of one segment, bytes.
    pub segment: u64,
}

/// The policy folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policies {
    /// The folder.
    pub folder: PathBuf,
    /// How often it is looked at.
    pub every: Duration,
    /// Folder of the address ranges that packs prove automata by; `None`: they prove nothing.
    pub ranges: Option<PathBuf>,
}

/// Files of countries and autonomous systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geo {
    /// At least one.
    pub files: Vec<PathBuf>,
    /// Age from which a file is told of.
    pub max_age: Duration,
}

/// The access log on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AccessLog {
    /// One JSON object a request.
    Json,
    /// None.
    #[default]
    Off,
    /// One line a request, for people.
    Text,
}

/// How gates write client addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressForm {
    /// As they are.
    #[default]
    Full,
    /// A keyed hash.
    Hash,
    /// The /24 of IPv4, the /48 of IPv6.
    Prefix,
}

/// What the command line says over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--data DIR`.
    pub data: Option<PathBuf>,
    /// `--policies DIR`.
    pub policies: Option<PathBuf>,
    /// `--log FORM`.
    pub log_form: Option<Form>,
    /// `--access-log FORM`.
    pub access_log: Option<AccessLog>,
}

/// Why there is no configuration.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        problem: String,
    },
    /// Everything that is wrong with what it says.
    Wrong(Problems),
}

impl Config {
    /// Reads the file, if one is given, and puts the command line over it.
    ///
    /// # Errors
    /// The file cannot be read, or every problem in it.
    pub fn read(file: Option<&Path>, overrides: Overrides) -> Result<Self, ConfigError> {
        let Some(path) = file else {
            return Self::parse("defaults", "", overrides).map_err(ConfigError::Wrong);
        };
        let text = text_of(path).map_err(|problem| ConfigError::Unreadable { path: path.into(), problem })?;
        Self::parse(&path.display().to_string(), &text, overrides).map_err(ConfigError::Wrong)
    }

    /// Reads a configuration from its text; an empty one gives the defaults.
    ///
    /// # Errors
    /// Every problem, each with its place in `name`.
    pub fn parse(name: &str, text: &str, overrides: Overrides) -> Result<Self, Problems> {
        let mut problems = Problems::default();
        let document = only_document(name, text, &mut problems)?;
        let written = document.as_ref().map(|node| Written::read(node, &mut problems)).unwrap_or_default();
        let config = Self::decide(written, overrides, &Place::text(name, 1, 1), &mut problems);
        problems.or(config)
    }

    fn decide(written: Written, overrides: Overrides, top: &Place, problems: &mut Problems) -> Self {
        let data = overrides.data.or(written.data).unwrap_or_else(|| DEFAULT_DATA.into());
        let listen = Listen::decide(written.listen, &data, top, problems);
        let spool = Spool::decide(written.spool, &data, problems);
        let sinks = written.sinks.unwrap_or_else(|| vec![written::Sink::default_file()]);
        refuse_shared_files(&sinks, &data, problems);
        refuse_late_skips(&sinks, &spool, problems);
        let policies = Policies::decide(written.policies, overrides.policies, written.packs, problems);
        let mut lists = written.lists.unwrap_or_default();
        lists.folder = lists.folder.or_else(|| policies.as_ref().map(|policies| policies.folder.clone()));
        Self {
            node: written.node.unwrap_or_else(host_name),
            listen,
            spool,
            references: written.references.decide(problems),
            policies,
            lists,
            geo: written.geo.and_then(|geo| Geo::decide(geo, top, problems)),
            sinks,
            access_log: overrides.access_log.or(written.access_log).unwrap_or_default(),
            admin: written.admin.unwrap_or(DEFAULT_ADMIN),
            log_level: written.log.level.unwrap_or_default(),
            log_form: overrides.log_form.or(written.log.form).unwrap_or_default(),
            address_form: written.address_form.unwrap_or_default(),
            data,
        }
    }
}

/// The text of a configuration file; `Err`: why it cannot be read.
pub(crate) fn text_of(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    read.map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE {
        return Err("it is larger than 1 MiB".into());
    }
    Ok(text)
}

/// The one document of a configuration file; `None`: it is empty.
///
/// # Errors
/// It is no YAML. A second document is a problem, and the first one is read on.
pub(crate) fn only_document(name: &str, text: &str, problems: &mut Problems) -> Result<Option<Node>, Problems> {
    let mut documents = document::yaml(name, text)?.into_iter();
    let first = documents.next();
    if let Some(second) = documents.next() {
        problems.push(&second.place, "a second document begins here", "write one document");
    }
    Ok(first)
}

impl Config {
    /// What the sink at `index` does when it falls behind.
    #[must_use]
    pub fn behind(&self, index: usize) -> sink::Behind {
        let written = self.sinks.get(index).and_then(|sink| sink.behind.as_ref()).map(|(behind, _)| *behind);
        sink::Behind::settle(written, index, self.spool.size)
    }
}

impl Listen {
    fn decide(written: Option<written::Listen>, data: &Path, top: &Place, problems: &mut Problems) -> Self {
        let written = written.unwrap_or_default();
        let mode = written.mode.unwrap_or(DEFAULT_MODE);
        let elsewhere = written.tcp.is_some() || written.tls.is_some();
        let unix = match (written.unix, elsewhere) {
            (Some(unix), _) => Some(unix),
            (None, true) => None,
            (None, false) => Some((data.join("house.sock"), top.clone())),
        };
        if let Some((path, place)) = &unix
            && path.as_os_str().len() > MAX_SOCKET_PATH
        {
            let message = format!("the path of the Unix socket, `{}`, is too long", path.display());
            problems.push(
                place,
                message,
                format!("give one of at most {MAX_SOCKET_PATH} bytes as `listen: {{ unix: … }}`"),
            );
        }
        Self { unix: unix.map(|(path, _)| (path, mode)), uids: written.uids, tcp: written.tcp, tls: written.tls }
    }
}

impl written::References {
    fn decide(self, problems: &mut Problems) -> Keep {
        let usual = Keep::default();
        let age = self.keep.map_or(usual.age, |(age, place)| {
            if !(Duration::from_secs(60)..=Duration::from_secs(366 * 86_400)).contains(&age) {
                problems.push(&place, "`keep` is out of range", "write a time from 1m to 366d");
            }
            age
        });
        let bytes = self.size.map_or(usual.bytes, |(bytes, place)| {
            if !(1 << 20..=1 << 40).contains(&bytes) {
                problems.push(&place, "`size` is out of range", "write a size from 1MiB to 1TiB");
            }
            bytes
        });
        Keep { age, bytes }
    }
}

impl Spool {
    fn decide(written: written::Spool, data: &Path, problems: &mut Problems) -> Self {
        let size = written.size.as_ref().map_or(DEFAULT_SPOOL_SIZE, |(size, _)| *size);
        // A small spool without a word on its segments gets segments that fit.
        let fitting = (size / 8).next_multiple_of(1 << 20).clamp(1 << 20, DEFAULT_SEGMENT);
        let segment = written.segment.as_ref().map_or(fitting, |(segment, _)| *segment);
        let place = written.segment.as_ref().or(written.size.as_ref()).map(|(_, place)| place);
        if let Some(place) = place {
            if !(1 << 20..=1 << 30).contains(&segment) {
                problems.push(place, "`segment` is out of range", "write a size from 1MiB to 1GiB");
            }
            if size / 4 < segment {
                let help = "the spool needs room for at least four segments: raise `size` or lower `segment`";
                problems.push(place, "`size` and `segment` of the spool do not fit together", help);
            }
        }
        Self { folder: written.folder.unwrap_or_else(|| data.join("spool")), size, segment }
    }
}

impl Policies {
    fn decide(
        written: written::Policies,
        folder: Option<PathBuf>,
        packs: written::Packs,
        problems: &mut Problems,
    ) -> Option<Self> {
        if let Some((every, place)) = &written.every
            && !(Duration::from_millis(50)..=Duration::from_secs(3600)).contains(every)
        {
            problems.push(place, "`every` is out of range", "write a duration from 50ms to 1h");
        }
        let every = written.every.map_or(DEFAULT_EVERY, |(every, _)| every);
        Some(Self { folder: folder.or(written.folder)?, every, ranges: packs.ranges })
    }
}

impl Geo {
    fn decide(written: written::Geo, top: &Place, problems: &mut Problems) -> Option<Self> {
        let files = written.files;
        if files.is_empty() || files.len() > MAX_GEO_FILES {
            let place = files.first().map_or(top, |(_, place)| place);
            let help = "write one of countries and one of systems";
            problems.push(place, format!("`geo` names {} files, 1 to {MAX_GEO_FILES} can be read", files.len()), help);
            return None;
        }
        for (at, (path, place)) in files.iter().enumerate() {
            if files.iter().take(at).any(|(known, _)| known == path) {
                problems.push(place, format!("`{}` is written twice", path.display()), "leave one out");
            }
        }
        if let Some((age, place)) = &written.max_age
            && !(Duration::from_secs(3600)..=Duration::from_secs(3650 * 86_400)).contains(age)
        {
            problems.push(place, "`maxAge` is out of range", "write a duration from 1h to 3650d");
        }
        let max_age = written.max_age.map_or(DEFAULT_MAX_AGE, |(age, _)| age);
        Some(Self { files: files.into_iter().map(|(path, _)| path).collect(), max_age })
    }
}

impl AccessLog {
    /// The words for it.
    pub const WORDS: [(&'static str, Self); 3] = [("text", Self::Text), ("json", Self::Json), ("off", Self::Off)];
}

impl AddressForm {
    /// The words for it.
    pub const WORDS: [(&'static str, Self); 3] = [("full", Self::Full), ("prefix", Self::Prefix), ("hash", Self::Hash)];

    /// The word on the wire.
    #[must_use]
    pub fn on_the_wire(self) -> welcome::AddressForm {
        match self {
            Self::Full => welcome::AddressForm::Full,
            Self::Hash => welcome::AddressForm::Hash,
            Self::Prefix => welcome::AddressForm::Prefix,
        }
    }
}

/// Two sinks that rotate one file would take each other's events away.
fn refuse_shared_files(sinks: &[written::Sink], data: &Path, problems: &mut Problems) {
    let file = |sink: &written::Sink| match &sink.kind {
        sink::Kind::File(config) => {
            Some(config.path.clone().unwrap_or_else(|| data.join(format!("{}.ndjson", sink.name))))
        }
        sink::Kind::Https(_) | sink::Kind::Otlp(_) => None,
        #[cfg(feature = "kafka")]
        sink::Kind::Kafka(_) => None,
    };
    for (place, second) in sinks.iter().enumerate() {
        let first = sinks.iter().take(place).find(|first| file(first).is_some() && file(first) == file(second));
        if let Some(first) = first {
            let message = format!("the sinks `{}` and `{}` write the same file", first.name, second.name);
            problems.push(&second.place, message, "give each a `path` of its own");
        }
    }
}

/// A sink that skips only when the spool is nearly full would come too late: gates would get no credit.
fn refuse_late_skips(sinks: &[written::Sink], spool: &Spool, problems: &mut Problems) {
    for sink in sinks {
        if let Some((sink::Behind::Skip { bytes: Some(bytes), .. }, place)) = &sink.behind
            && *bytes > spool.size / 2
        {
            let help = "write at most half of `spool.size`: beyond that the spool may be full before the sink skips";
            problems.push(place, format!("the sink `{}` would skip too late", sink.name), help);
        }
    }
}

pub(crate) fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "gatehouse".into() } else { name.into() }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { path, problem } => {
                write!(f, "cannot read the configuration `{}`: {problem}", path.display())
            }
            Self::Wrong(problems) => problems.fmt(f),
        }
    }
}

impl std::error::Error for ConfigError {}
