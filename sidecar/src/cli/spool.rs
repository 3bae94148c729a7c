//! `gatehouse spool`: a spool from outside. Read only, also while a house runs on it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use gatehouse::config::DEFAULT_DATA;
use gatehouse::ocsf::hex::Hex;
use gatehouse::sink::common::Common;
use gatehouse::sink::parcel::Parcel;
use gatehouse::spool::{Inspection, ReaderStat, SetAside, SpoolError};
use serde::Serialize;
use serde_json::{Value, json};

use super::exit::{self, fail};

/// Bytes of frames that are held at once.
const STEP: usize = 1 << 20;

/// `gatehouse spool …`
#[derive(Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Print what it holds, one event a line, as a file sink would write it
    Dump(Dump),
    /// Say what the next start would find: what is whole, cut off, corrupt; exit code 1: something is lost or unreadable
    Verify(Place),
    /// Say how full it is, and how far each sink has come
    Stat(Place),
}

#[derive(Args)]
struct Place {
    /// The spool's folder, or the data folder of its house [default: /var/lib/gatehouse]
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Args)]
struct Dump {
    #[command(flatten)]
    place: Place,
    /// Begin with this frame [default: the oldest]
    #[arg(long, value_name = "FRAME")]
    from: Option<u64>,
    /// Only what this sink has not delivered
    #[arg(long, value_name = "NAME", conflicts_with = "from")]
    sink: Option<String>,
}

#[derive(Serialize)]
struct Told {
    dir: PathBuf,
    /// The house that has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    ok: bool,
    segments: usize,
    bytes: u64,
    used_bytes: u64,
    frames: u64,
    records: u64,
    last_frame: u64,
    rewritten_frames: u64,
    truncated_bytes: u64,
    set_aside: Aside,
    bad_files: Vec<String>,
    broken_cursors: Vec<String>,
    sinks: Vec<Sink>,
}

#[derive(Serialize)]
struct Aside {
    ranges: u64,
    frames: u64,
    records: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Sink {
    name: String,
    frame: u64,
    before: u64,
    delivered: u64,
    dead_lettered: u64,
    skipped: u64,
    set_aside: u64,
    pending: u64,
    pending_bytes: u64,
}

pub(super) fn spool(arguments: &Arguments, json: bool) -> ExitCode {
    let place = match &arguments.verb {
        Verb::Dump(Dump { place, .. }) | Verb::Verify(place) | Verb::Stat(place) => place,
    };
    let dir = place.folder();
    let inspection = match Inspection::open(&dir) {
        Ok(inspection) => inspection,
        Err(error) => return fail(exit::usage(), &error),
    };
    match &arguments.verb {
        Verb::Dump(asked) => dump(asked, &inspection),
        Verb::Verify(_) => {
            let code = if inspection.is_damaged() { exit::refused() } else { ExitCode::SUCCESS };
            exit::written(tell(&dir, &inspection, json, verified), code)
        }
        Verb::Stat(_) => exit::written(tell(&dir, &inspection, json, |told, out| told.sizes(out)), ExitCode::SUCCESS),
    }
}

impl Place {
    /// A data folder is taken for the spool in it.
    fn folder(&self) -> PathBuf {
        let dir = self.dir.clone().unwrap_or_else(|| DEFAULT_DATA.into());
        let below = dir.join("spool");
        if below.is_dir() { below } else { dir }
    }
}

fn dump(asked: &Dump, inspection: &Inspection) -> ExitCode {
    let from = match &asked.sink {
        None => asked.from.unwrap_or(1),
        Some(name) => match inspection.readers.iter().find(|reader| reader.name == *name) {
            Some(reader) => reader.seq.saturating_add(1),
            None => return fail(exit::usage(), &no_cursor(name, &inspection.readers)),
        },
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match print_frames(inspection, from, &mut out) {
        Ok(written) => exit::written(written.and_then(|()| out.flush()), ExitCode::SUCCESS),
        Err(error) => fail(exit::refused(), &error),
    }
}

fn no_cursor(name: &str, readers: &[ReaderStat]) -> String {
    let known: Vec<String> = readers.iter().map(|reader| format!("`{}`", reader.name)).collect();
    format!(
        "no sink `{name}` has a cursor here; there are {}",
        if known.is_empty() { "none".into() } else { known.join(", ") }
    )
}

fn print_frames(inspection: &Inspection, from: u64, out: &mut impl Write) -> Result<io::Result<()>, SpoolError> {
    let (mut reader, all) = (inspection.frames(from)?, Common::default());
    loop {
        let frames = reader.read(STEP)?;
        let Some(last) = frames.last().map(|frame| frame.seq) else { return Ok(Ok(())) };
        let mut parcel = Parcel::default();
        frames.iter().for_each(|frame| parcel.push(frame, &all));
        let written = parcel.events().iter().try_for_each(|event| out.write_all(parcel.line(event)));
        let written =
            written.and_then(|()| parcel.unreadable().try_for_each(|letter| writeln!(out, "{}", poison(&letter))));
        if written.is_err() {
            return Ok(written);
        }
        reader.commit(last, gatehouse::spool::Tally::default());
    }
}

/// What is no record: its bytes, and why.
fn poison((frame, reason, bytes): &(u64, &str, &[u8])) -> Value {
    json!({ "unreadable": { "frame": frame, "reason": reason, "hex": Hex(bytes).to_string() } })
}

fn tell(
    dir: &Path,
    inspection: &Inspection,
    json: bool,
    words: impl FnOnce(&Told, &mut io::StdoutLock<'_>) -> io::Result<()>,
) -> io::Result<()> {
    let told = Told::of(dir, inspection);
    if json { exit::print_json(&told) } else { words(&told, &mut io::stdout().lock()) }
}

fn verified(told: &Told, out: &mut io::StdoutLock<'_>) -> io::Result<()> {
    told.sizes(out)?;
    if told.rewritten_frames > 0 {
        writeln!(out, "the newest {} frame(s) are written once more at a start", told.rewritten_frames)?;
    }
    if told.truncated_bytes > 0 {
        writeln!(out, "{} bytes after the last commit are cut off: nobody was told of them", told.truncated_bytes)?;
    }
    let Aside { ranges, frames, records, bytes } = told.set_aside;
    if ranges + frames > 0 {
        writeln!(
            out,
            "corrupt: {ranges} range(s) of {bytes} bytes are set aside; {frames} frame(s), {records} record(s) are lost"
        )?;
    }
    for name in &told.broken_cursors {
        writeln!(out, "the cursor of `{name}` cannot be read: that sink begins at the oldest frame")?;
    }
    for name in &told.bad_files {
        writeln!(out, "set aside by an earlier start: {name}")?;
    }
    writeln!(out, "{}", if told.ok { "whole" } else { "damaged" })
}

impl Told {
    fn of(dir: &Path, inspection: &Inspection) -> Self {
        let SetAside { files, frames, records, bytes } = inspection.set_aside;
        Self {
            dir: dir.to_owned(),
            pid: inspection.running,
            ok: !inspection.is_damaged(),
            segments: inspection.segments.len(),
            bytes: inspection.segments.iter().map(|segment| segment.bytes).sum(),
            used_bytes: inspection.segments.iter().map(|segment| segment.used_bytes).sum(),
            frames: inspection.frames,
            records: inspection.records,
            last_frame: inspection.last_seq,
            rewritten_frames: inspection.unproven_frames,
            truncated_bytes: inspection.truncated_bytes,
            set_aside: Aside { ranges: files, frames, records, bytes },
            bad_files: inspection.bad_files.clone(),
            broken_cursors: inspection.broken_cursors.clone(),
            sinks: inspection.readers.iter().map(Sink::of).collect(),
        }
    }

    fn sizes(&self, out: &mut io::StdoutLock<'_>) -> io::Result<()> {
        let house = self.pid.map_or_else(|| "no house".to_owned(), |pid| format!("the house {pid}"));
        writeln!(out, "{}: {house} has it", self.dir.display())?;
        writeln!(out, "{} segment(s), {} bytes, {} of them in use", self.segments, self.bytes, self.used_bytes)?;
        writeln!(
            out,
            "{} frame(s), the last is {}; {} record(s) since it began",
            self.frames, self.last_frame, self.records
        )?;
        self.sinks.iter().try_for_each(|sink| {
            let Sink { name, frame, delivered, dead_lettered, skipped, pending, pending_bytes, .. } = sink;
            writeln!(out, "sink `{name}` at frame {frame}: {delivered} delivered, {dead_lettered} dead-lettered, {skipped} skipped, {pending} pending ({pending_bytes} bytes)")
        })
    }
}

impl Sink {
    fn of(reader: &ReaderStat) -> Self {
        Self {
            name: reader.name.clone(),
            frame: reader.seq,
            before: reader.before,
            delivered: reader.tally.delivered,
            dead_lettered: reader.tally.dead_lettered,
            skipped: reader.tally.skipped,
            set_aside: reader.set_aside,
            pending: reader.pending.records,
            pending_bytes: reader.pending.bytes,
        }
    }
}
