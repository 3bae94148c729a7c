//! What a verdict rested on: of each rule the fields that its match read, as a record may show them, and how its limit stood.
//!
//! The meaning of each field stands in `proto/gatehouse/v1/record.proto` (`Grounds`).

/// Most grounds of one record; the first ones.
pub const MAX_GROUNDS: usize = 8;

/// Longest name of a field and longest value of an input, bytes.
pub const MAX_INPUT_BYTES: usize = 128;

/// What one rule rested on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grounds {
    /// `policy/rule`.
    pub rule: String,
    /// What its match read, each field once; at most 8.
    pub inputs: Vec<Input>,
    /// It read more than these.
    pub cut: bool,
    /// How its limit stood; `None`: it has none.
    pub limit: Option<Limit>,
}

/// A field and what stood in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    /// In the words of the policy language: `path`, `headers.user-agent` …
    pub field: String,
    /// What may be shown of its value.
    pub value: String,
    /// How it is shown.
    pub form: Form,
}

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Form {
    /// Nobody said.
    #[default]
    Unspecified,
    /// As it was read.
    Plain,
    /// In part.
    Redacted,
    /// As a keyed hash.
    Hashed,
    /// There was none.
    Absent,
}

/// How a limit that was over stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limit {
    /// Which of its steps, from 0.
    pub step: u32,
    /// What it counts.
    pub counted: Counted,
    /// So many within the window.
    pub limit: u32,
    /// The window, in seconds.
    pub window_seconds: u64,
    /// So many at once; 0: it counts a sliding window.
    pub burst: u32,
    /// So many were found.
    pub count: u32,
    /// Until it is worth trying again, in seconds, rounded up.
    pub retry_after_seconds: u64,
    /// A block time runs.
    pub blocked: bool,
    /// Too many tries are unanswered.
    pub busy: bool,
}

/// What a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Counted {
    /// Nobody said.
    #[default]
    Unspecified,
    /// Requests.
    Requests,
    /// Failed answers.
    Failures,
    /// Different values.
    Distinct,
}
