//! Why the spool could not be opened or read, and why a store was refused.

use std::path::PathBuf;
use std::{fmt, io};

/// The spool could not be opened, read or closed.
#[derive(Debug)]
pub enum SpoolError {
    /// The operating system refused.
    Io {
        /// What was tried.
        doing: &'static str,
        /// The file within the spool's folder.
        file: String,
        /// Why not.
        source: io::Error,
    },
    /// Another process has the folder.
    Locked {
        /// The spool's folder.
        dir: PathBuf,
        /// Its process number, where its lock file tells.
        pid: Option<u32>,
    },
    /// There is nothing of a spool in the folder.
    NoSpool {
        /// The folder.
        dir: PathBuf,
    },
    /// A reader of this name exists already.
    ReaderTaken {
        /// Its name.
        name: String,
    },
    /// A setting cannot be.
    Settings {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// No reader of this name was named when the spool was opened.
    UnknownReader {
        /// The name.
        name: String,
    },
    /// The writer ended before its work was done.
    WriterGone,
}

impl SpoolError {
    pub(super) fn io(doing: &'static str, file: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |source| Self::Io { doing, file, source }
    }
}

impl fmt::Display for SpoolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, file, source } => write!(f, "cannot {doing} spool file `{file}`: {source}"),
            Self::Locked { dir, pid: Some(pid) } => {
                write!(
                    f,
                    "spool folder `{}` is in use by process {pid}; give each house a folder of its own",
                    dir.display()
                )
            }
            Self::Locked { dir, pid: None } => {
                write!(
                    f,
                    "spool folder `{}` is in use by another process; give each house a folder of its own",
                    dir.display()
                )
            }
            Self::NoSpool { dir } => {
                write!(f, "there is no spool in `{}`; name the folder with the `.seg` files", dir.display())
            }
            Self::ReaderTaken { name } => write!(f, "spool reader `{name}` is in use already"),
            Self::Settings { problem } => f.write_str(problem),
            Self::UnknownReader { name } => write!(f, "spool has no reader `{name}`"),
            Self::WriterGone => f.write_str("spool writer has ended"),
        }
    }
}

impl std::error::Error for SpoolError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A frame that was not stored: it must not be acknowledged, and its stream is to be closed so that the gate resends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// A frame of the same epoch before this one was refused.
    AfterRefused,
    /// The spool is closed.
    Closed,
    /// No space is left, on disk or of the spool's own; stop granting credit. It resumes by itself.
    Full,
    /// The disk failed twice in a row.
    Io(io::ErrorKind),
    /// The payload is larger than a frame may be.
    TooLarge {
        /// Its size, bytes.
        bytes: usize,
        /// The largest that is taken, bytes.
        limit: usize,
    },
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AfterRefused => f.write_str("an earlier batch of this worker was refused; close its stream"),
            Self::Closed => f.write_str("spool is closed"),
            Self::Full => {
                f.write_str("spool is full; free disk space, raise `spool.size`, or mend the sink that is behind")
            }
            Self::Io(kind) => write!(f, "spool cannot be written: {kind}"),
            Self::TooLarge { bytes, limit } => write!(f, "batch of {bytes} bytes, the spool takes at most {limit}"),
        }
    }
}

impl std::error::Error for StoreError {}
