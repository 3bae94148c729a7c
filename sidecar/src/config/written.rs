//! The configuration as it was written: this parses and does nothing more. What it means is in [`super::Config`].
//!
//! ```yaml
//! node: edge-1                          # name of this house; default: the host's name
//! data: /var/lib/gatehouse              # the data folder
//! listen:
//!   unix: /run/gatehouse/house.sock     # default: house.sock in the data folder
//!   mode: "0660"                        # of the socket, octal, quoted
//!   uids: [1337]                        # who may connect to it, beside root and the house's own user; default: whom the mode lets in
//!   tcp: 127.0.0.1:7070                 # loopback only; only if asked for; then no Unix socket unless `unix` is written too
//!   tls: { address: …, … }              # from other machines, see [`super::gates`]
//! spool: { folder: /var/lib/gatehouse/spool, size: 1GiB, segment: 64MiB }
//! references: { keep: 7d, size: 512MiB }   # records that `gatehouse explain REF` finds
//! policies: { folder: /etc/gatehouse/policies, every: 250ms }
//! packs: { ranges: /etc/gatehouse/ranges }   # address ranges that packs prove automata by
//! geo: { files: [/var/lib/geo/country.mmdb, /var/lib/geo/asn.csv], maxAge: 45d }   # countries and autonomous systems
//! lists: { folder: /etc/gatehouse/lists, sources: { … } }   # whom policies may have lists fetched from, see [`super::lists`]
//! sinks:                                # default: one file sink, `events`
//!   NAME: { file: … }
//!   NAME: { kafka: …, behind: skip after 256MiB or 1h }   # or hold
//! access_log: json                      # text, json or "off" (quoted)
//! admin: 127.0.0.1:9911                 # loopback only; port 0: any, written to admin.address in the data folder
//! log: { level: info, form: automatic } # error warn info debug trace; automatic text json
//! address_form: full                    # full, prefix or hash: how gates write client addresses
//! ```

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gatehouse_policy::document::{Entry, Fields, Node, Place, Problems};

use super::{AccessLog, AddressForm};
use crate::logging::{Form, Level};
use crate::sink;

/// Everything that may be written; `None`: it was not.
#[derive(Debug, Default)]
pub struct Written {
    /// Name of this house.
    pub node: Option<String>,
    /// The data folder.
    pub data: Option<PathBuf>,
    /// Where gates attach.
    pub listen: Option<Listen>,
    /// What is kept until it is delivered.
    pub spool: Spool,
    /// What is kept for `gatehouse explain`.
    pub references: References,
    /// Where policy documents come from.
    pub policies: Policies,
    /// What packs prove automata by.
    pub packs: Packs,
    /// Where countries and systems come from.
    pub geo: Option<Geo>,
    /// Whom the house may ask for lists.
    pub lists: Option<super::Lists>,
    /// Where events go, in the order written.
    pub sinks: Option<Vec<Sink>>,
    /// The access log on standard output.
    pub access_log: Option<AccessLog>,
    /// Address of the admin listener.
    pub admin: Option<SocketAddr>,
    /// The log on standard error.
    pub log: Log,
    /// How gates write client addresses.
    pub address_form: Option<AddressForm>,
}

/// Section `listen`.
#[derive(Debug, Default)]
pub struct Listen {
    /// Path of the Unix socket.
    pub unix: Option<(PathBuf, Place)>,
    /// Permission bits of the Unix socket.
    pub mode: Option<u32>,
    /// Users that may connect to it.
    pub uids: Option<Vec<u32>>,
    /// Loopback address.
    pub tcp: Option<SocketAddr>,
    /// From other machines.
    pub tls: Option<super::Guarded>,
}

/// Section `spool`.
#[derive(Debug, Default)]
pub struct Spool {
    /// Its folder.
    pub folder: Option<PathBuf>,
    /// Size of all segments, bytes.
    pub size: Option<(u64, Place)>,
    /// Size of one segment, bytes.
    pub segment: Option<(u64, Place)>,
}

/// Section `references`.
#[derive(Debug, Default)]
pub struct References {
    /// How long.
    pub keep: Option<(Duration, Place)>,
    /// All of them together, bytes.
    pub size: Option<(u64, Place)>,
}

/// Section `policies`.
#[derive(Debug, Default)]
pub struct Policies {
    /// Folder of the documents.
    pub folder: Option<PathBuf>,
    /// How often it is looked at.
    pub every: Option<(Duration, Place)>,
}

/// Section `packs`.
#[derive(Debug, Default)]
pub struct Packs {
    /// Folder of the address ranges.
    pub ranges: Option<PathBuf>,
}

/// Section `geo`.
#[derive(Debug)]
pub struct Geo {
    /// The files, each with its place.
    pub files: Vec<(PathBuf, Place)>,
    /// Age from which a file is told of.
    pub max_age: Option<(Duration, Place)>,
}

/// One entry of section `sinks`.
#[derive(Debug)]
pub struct Sink {
    /// The operator's name for it.
    pub name: String,
    /// What it is.
    pub kind: sink::Kind,
    /// What it is sent.
    pub common: Arc<sink::common::Common>,
    /// What it does when it falls behind, with its place.
    pub behind: Option<(sink::Behind, Place)>,
    /// Where it stands.
    pub place: Place,
}

/// Section `log`.
#[derive(Debug, Default)]
pub struct Log {
    /// How much.
    pub level: Option<Level>,
    /// In which form.
    pub form: Option<Form>,
}

impl Written {
    /// Parses the one document of a configuration file.
    pub fn read(node: &Node, problems: &mut Problems) -> Self {
        let Some(mut fields) = Fields::new(node, "the configuration", problems) else {
            return Self::default();
        };
        let written = Self {
            node: text(fields.take("node"), problems),
            data: text(fields.take("data"), problems).map(PathBuf::from),
            listen: fields.take("listen").and_then(|node| Listen::read(node, problems)),
            spool: fields.take("spool").and_then(|node| Spool::read(node, problems)).unwrap_or_default(),
            references: fields.take("references").and_then(|node| References::read(node, problems)).unwrap_or_default(),
            policies: fields.take("policies").and_then(|node| Policies::read(node, problems)).unwrap_or_default(),
            packs: fields.take("packs").and_then(|node| Packs::read(node, problems)).unwrap_or_default(),
            geo: fields.take("geo").and_then(|node| Geo::read(node, problems)),
            lists: fields.take("lists").and_then(|node| super::Lists::read(node, problems)),
            sinks: fields.take("sinks").and_then(|node| sinks(node, problems)),
            access_log: word(fields.take("access_log"), &AccessLog::WORDS, problems),
            admin: loopback(fields.take("admin"), problems),
            log: fields.take("log").and_then(|node| Log::read(node, problems)).unwrap_or_default(),
            address_form: word(fields.take("address_form"), &AddressForm::WORDS, problems),
        };
        fields.finish(problems);
        written
    }
}

impl Sink {
    /// The sink of a house without a configuration.
    #[must_use]
    pub fn default_file() -> Self {
        Self {
            name: "events".into(),
            kind: sink::Kind::default_file(),
            common: Arc::default(),
            behind: None,
            place: Place::pointer("defaults"),
        }
    }
}

impl Listen {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`listen`", problems)?;
        let unix = fields.take("unix");
        let listen = Self {
            unix: text(unix, problems).zip(unix).map(|(path, node)| (path.into(), node.place.clone())),
            mode: fields.take("mode").and_then(|node| mode(node, problems)),
            uids: fields.take("uids").and_then(|node| uids(node, problems)),
            tcp: loopback(fields.take("tcp"), problems),
            tls: fields.take("tls").and_then(|node| super::Guarded::read(node, problems)),
        };
        fields.finish(problems);
        Some(listen)
    }
}

impl Spool {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`spool`", problems)?;
        let size = |node: Option<&Node>, problems: &mut Problems| {
            node.and_then(|node| Some((node.size(problems)?, node.place.clone())))
        };
        let spool = Self {
            folder: text(fields.take("folder"), problems).map(PathBuf::from),
            size: size(fields.take("size"), problems),
            segment: size(fields.take("segment"), problems),
        };
        fields.finish(problems);
        Some(spool)
    }
}

impl References {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`references`", problems)?;
        let (keep, size) = (fields.take("keep"), fields.take("size"));
        let references = Self {
            keep: keep.and_then(|node| Some((node.duration(problems)?, node.place.clone()))),
            size: size.and_then(|node| Some((node.size(problems)?, node.place.clone()))),
        };
        fields.finish(problems);
        Some(references)
    }
}

impl Policies {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`policies`", problems)?;
        let every = fields.take("every");
        let policies = Self {
            folder: text(fields.require("folder"), problems).map(PathBuf::from),
            every: every.and_then(|node| Some((node.duration(problems)?, node.place.clone()))),
        };
        fields.finish(problems);
        Some(policies)
    }
}

impl Packs {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`packs`", problems)?;
        let ranges = text(fields.require("ranges"), problems).map(PathBuf::from);
        fields.finish(problems);
        Some(Self { ranges })
    }
}

impl Geo {
    fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`geo`", problems)?;
        let (files, max_age) = (fields.require("files"), fields.take("maxAge"));
        fields.finish(problems);
        let one = |node: &Node, problems: &mut Problems| {
            text(Some(node), problems).map(|path| (PathBuf::from(path), node.place.clone()))
        };
        let files = files?.one_or_many();
        let files = files.iter().filter_map(|node| one(node, problems)).collect();
        let max_age = max_age.and_then(|node| Some((node.duration(problems)?, node.place.clone())));
        Some(Self { files, max_age })
    }
}

impl Log {
    pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        let mut fields = Fields::new(node, "`log`", problems)?;
        let levels = [
            ("error", Level::Error),
            ("warn", Level::Warn),
            ("info", Level::Info),
            ("debug", Level::Debug),
            ("trace", Level::Trace),
        ];
        let forms = [("automatic", Form::Automatic), ("text", Form::Text), ("json", Form::Json)];
        let log = Self {
            level: word(fields.take("level"), &levels, problems),
            form: word(fields.take("form"), &forms, problems),
        };
        fields.finish(problems);
        Some(log)
    }
}

/// Sinks in one house, at most: each holds a cursor on the spool.
const MAX_SINKS: usize = 8;

fn sinks(node: &Node, problems: &mut Problems) -> Option<Vec<Sink>> {
    let entries = node.entries(problems)?;
    if entries.len() > MAX_SINKS {
        problems.push(
            &node.place,
            format!("{} sinks are written", entries.len()),
            format!("write at most {MAX_SINKS}"),
        );
    }
    Some(entries.iter().filter_map(|entry| one_sink(entry, problems)).collect())
}

fn one_sink(entry: &Entry, problems: &mut Problems) -> Option<Sink> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if entry.key.is_empty() || entry.key.len() > 32 || !entry.key.chars().all(plain) {
        let help = "use up to 32 of `a`-`z`, `0`-`9`, `-` and `_`: it becomes a file name and a metric label";
        problems.push(&entry.key_place, "this is no name for a sink", help);
    }
    let written = entry
        .value
        .entries(&mut Problems::default())
        .and_then(|fields| fields.iter().find(|field| field.key == "behind"));
    let behind =
        written.and_then(|field| Some((sink::Behind::read(&field.value, problems)?, field.value.place.clone())));
    let kind = sink::Kind::read(&entry.key, &entry.value, problems);
    let common = Arc::new(sink::common::Common::read(&entry.value, problems));
    Some(Sink { name: entry.key.clone(), kind: kind?, common, behind, place: entry.key_place.clone() })
}

pub(super) fn text(node: Option<&Node>, problems: &mut Problems) -> Option<String> {
    let node = node?;
    let text = node.string(problems)?;
    if text.is_empty() || text.contains('\0') {
        problems.push(&node.place, "this text is empty or holds a NUL", "write a value or leave the key out");
        return None;
    }
    Some(text.into())
}

fn word<T: Copy>(node: Option<&Node>, words: &[(&'static str, T)], problems: &mut Problems) -> Option<T> {
    let names: Vec<&'static str> = words.iter().map(|(name, _)| *name).collect();
    let found = node?.one_of(&names, problems)?;
    words.iter().find(|(name, _)| *name == found).map(|(_, value)| *value)
}

fn loopback(node: Option<&Node>, problems: &mut Problems) -> Option<SocketAddr> {
    let node = node?;
    let text = node.string(problems)?;
    match text.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_loopback() => Some(address),
        Ok(_) => {
            let help = "write a loopback address, such as `127.0.0.1:7070`: there is no TLS and no login on it";
            problems.push(&node.place, format!("`{text}` can be reached from other machines"), help);
            None
        }
        Err(_) => {
            let shown = gatehouse_policy::document::quoted(text);
            problems.push(&node.place, format!("{shown} is no address and port"), "write one such as `127.0.0.1:7070`");
            None
        }
    }
}

fn uids(node: &Node, problems: &mut Problems) -> Option<Vec<u32>> {
    let uid = |node: &Node, problems: &mut Problems| node.integer(0..=i64::from(u32::MAX), problems);
    let read =
        node.list(problems)?.iter().filter_map(|node| uid(node, problems).and_then(|uid| u32::try_from(uid).ok()));
    Some(read.collect())
}

fn mode(node: &Node, problems: &mut Problems) -> Option<u32> {
    let text = node.string(problems)?;
    let mode = u32::from_str_radix(text, 8).ok().filter(|mode| *mode <= 0o777 && mode & 0o600 == 0o600);
    if mode.is_none() {
        let help = "write octal permission bits that let the owner in, such as `\"0660\"`";
        problems.push(&node.place, format!("{} is no mode", gatehouse_policy::document::quoted(text)), help);
    }
    mode
}
