//! What the host must offer: numbered values that all workers see, with compare-and-swap.

/// Values by number, seen by every worker of one process.
///
/// **With the shared data of proxy-wasm**: one key for each set, `PREFIX/FORMAT/SET`, with a prefix of the plug-in (plug-ins
/// may share the name space) and [`FORMAT`](super::FORMAT) (an older build of the module may run beside this one). Keys
/// cannot be deleted, so the number of sets is fixed for as long as the process lives. `load` gives the host's
/// compare-and-swap number to [`Version::held`], and [`Version::ABSENT`] for a key that is not there; `store` passes
/// [`Version::cas`] and turns a mismatch into [`Stored::Conflict`].
pub trait Slots {
    /// Appends the value of a set to `into`, nothing if it is absent, and says which version it is.
    ///
    /// # Errors
    /// [`SlotError`] when the host does not answer.
    fn load(&self, set: u32, into: &mut Vec<u8>) -> Result<Version, SlotError>;

    /// Replaces a set if it is still of the version that was loaded; an absent one only if it is still absent.
    ///
    /// # Errors
    /// [`SlotError`] when the host does not take it.
    fn store(&self, set: u32, bytes: &[u8], version: Version) -> Result<Stored, SlotError>;
}

/// Which state of a set was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version(u32);

/// What became of a set that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Another worker stored first; nothing was changed.
    Conflict,
    /// It is stored.
    Done,
}

/// The host did not do its part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotError;

// === impl Version ===

impl Version {
    /// A set that is not there yet.
    ///
    /// Two workers that both find a set absent must not both create it, or the second undoes the first one's count. Envoy
    /// overwrites unconditionally at number 0; at any other number it creates what is absent and compares with what is
    /// there. So this passes a number that no value has: the later of two creations is a conflict, and loads again. The
    /// host's numbers start at 1 and count every store of the process: only the store of number 2³² − 1, if it was itself
    /// such a creation, could be overwritten, at the loss of one count.
    pub const ABSENT: Self = Self(u32::MAX);

    /// A set with the host's number; 0, which no value has, is taken for absent.
    pub const fn held(cas: u32) -> Self {
        if cas == 0 { Self::ABSENT } else { Self(cas) }
    }

    /// The number to pass to the host; never 0.
    pub const fn cas(self) -> u32 {
        self.0
    }
}

// === impl SlotError ===

impl std::fmt::Display for SlotError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the host refused its shared data")
    }
}

impl std::error::Error for SlotError {}
