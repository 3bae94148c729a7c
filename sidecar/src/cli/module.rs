//! `gatehouse module`: what an init container of the house's image does.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::exit::{self, fail};

/// Where image and package have them.
const SHIPPED: &str = "/usr/lib/gatehouse";
/// Larger than any module of ours by far.
const MAX_MODULE: u64 = 64 << 20;
/// How every module begins: magic and version (WebAssembly core specification, 5.5.16).
const BEGINS: [u8; 8] = *b"\0asm\x01\0\0\0";

#[derive(Args)]
pub(super) struct Arguments {
    /// Where the gateway reads it
    #[arg(value_name = "TO")]
    to: PathBuf,
    /// Which of the gate's filters: that of requests or that of connections
    #[arg(long, value_enum, default_value_t = Filter::Http, conflicts_with = "from")]
    filter: Filter,
    /// Where it is, if not where the image has it
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// What its SHA-256 must be, in hexadecimal
    #[arg(long, value_name = "DIGEST")]
    sha256: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Filter {
    Http,
    Tcp,
}

impl Filter {
    fn shipped(self) -> PathBuf {
        Path::new(SHIPPED).join(match self {
            Self::Http => "gatehouse_http.wasm",
            Self::Tcp => "gatehouse_tcp.wasm",
        })
    }
}

#[derive(Serialize)]
struct Placed<'a> {
    ok: bool,
    path: &'a Path,
    bytes: usize,
    sha256: String,
}

pub(super) fn module(arguments: &Arguments, json: bool) -> ExitCode {
    let Arguments { to, filter, from, sha256 } = arguments;
    let from = from.clone().unwrap_or_else(|| filter.shipped());
    let module = match read(&from) {
        Ok(module) => module,
        Err(error) => return fail(exit::usage(), &format!("cannot read `{}`: {error}", from.display())),
    };
    if !module.starts_with(&BEGINS) {
        return fail(exit::usage(), &format!("`{}` is no WebAssembly module", from.display()));
    }
    let digest: String = Sha256::digest(&module).iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(wanted) = sha256
        && !wanted.eq_ignore_ascii_case(&digest)
    {
        let said = format!(
            "`{}` has the digest {digest}, not the one that was asked for; nothing was written",
            from.display()
        );
        return fail(exit::refused(), &said);
    }
    if let Err(error) = place(to, &module) {
        return fail(exit::refused(), &format!("cannot write `{}`: {error}", to.display()));
    }
    let placed = Placed { ok: true, path: to, bytes: module.len(), sha256: digest };
    let output = if json {
        exit::print_json(&placed)
    } else {
        writeln!(io::stdout().lock(), "{}: {} bytes, sha256 {}", to.display(), placed.bytes, placed.sha256)
    };
    exit::written(output, ExitCode::SUCCESS)
}

fn read(from: &Path) -> io::Result<Vec<u8>> {
    let mut module = Vec::new();
    File::open(from)?.take(MAX_MODULE + 1).read_to_end(&mut module)?;
    if module.len() as u64 > MAX_MODULE {
        return Err(io::Error::other("it is larger than 64 MiB"));
    }
    Ok(module)
}

/// Aside first: a gateway that starts meanwhile never reads half of it.
fn place(to: &Path, module: &[u8]) -> io::Result<()> {
    let fresh = to.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(module)?;
    file.set_permissions(fs::Permissions::from_mode(0o644))?;
    file.sync_all()?;
    fs::rename(&fresh, to)
}
