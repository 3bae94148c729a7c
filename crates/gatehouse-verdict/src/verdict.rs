//! What was decided about one request.

/// What is done with the request. Actions that add up (`tag`, `record`) are not here: they stand in the [`Verdict`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Goes on to the application.
    Allow,
    /// Is answered by the gate with a refusal (403 unless the rule says otherwise).
    Block,
    /// Is answered by the gate in the application's stead, without a word of the gate.
    Deceive,
    /// Is not answered: the connection or the stream ends.
    Drop,
    /// Is answered by the gate with a refusal that ends by itself (429 with `Retry-After`).
    Limit,
    /// Is answered by the gate with a redirect.
    Redirect,
}

impl Action {
    /// The word that operators write and read: `allow`, `block`, `deceive`, `drop`, `limit`, `redirect`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Deceive => "deceive",
            Self::Drop => "drop",
            Self::Limit => "limit",
            Self::Redirect => "redirect",
        }
    }
}

/// How far a rule's verdict reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Decides.
    Enforce,
    /// Only says what it would have done.
    Monitor,
}

impl Mode {
    /// The word that operators write and read: `enforce`, `monitor`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Monitor => "monitor",
        }
    }
}

/// Why the verdict is what it is; one of a fixed set, so that it can stand in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Reason {
    /// The request has no single reading and the policy refuses such requests.
    Ambiguous,
    /// No rule decided; the policy's `otherwise` did.
    Otherwise,
    /// No policy was in force; the bootstrap's `whenNoPolicy` decided.
    NoPolicy,
    /// No policy speaks for this host.
    #[default]
    NotCovered,
    /// It carried a header of an identity that only a trusted proxy may set.
    IdentityHeader,
    /// The policy asks for a verified peer, and there is none.
    NoPeer,
    /// The peer's certificate has several URIs, and the policy asks for one.
    ManyUris,
    /// The server name of the connection names another host than the request does.
    ServerName,
    /// Whoever opened the connection had not proven who they are: the handshake failed, or took too long.
    Unproven,
    /// A rule decided.
    Rule,
    /// The gate could not read the request: a host call failed (it goes on, counted), or Envoy or another filter answered it
    /// before the gate saw it.
    Unreadable,
}

impl Reason {
    /// Every reason, in a fixed order.
    pub const ALL: [Self; 11] = [
        Self::Ambiguous,
        Self::Otherwise,
        Self::NoPolicy,
        Self::NotCovered,
        Self::IdentityHeader,
        Self::NoPeer,
        Self::ManyUris,
        Self::ServerName,
        Self::Unproven,
        Self::Rule,
        Self::Unreadable,
    ];

    /// Stable lower-case name, used in records, code details and metric names.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ambiguous => "ambiguous",
            Self::Otherwise => "otherwise",
            Self::NoPolicy => "no_policy",
            Self::NotCovered => "not_covered",
            Self::IdentityHeader => "identity_header",
            Self::NoPeer => "no_peer",
            Self::ManyUris => "many_uris",
            Self::ServerName => "server_name",
            Self::Unproven => "unproven",
            Self::Rule => "rule",
            Self::Unreadable => "unreadable",
        }
    }

    /// The reason of that name; `None`: there is none.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }
}

/// Every word that [`Verdict::ambiguity`] may be, gravest first: the ambiguities of `gatehouse-signals`, whose names stand here
/// too so that a record that was received can be read (a test in `gatehouse-engine` holds the two together).
pub const AMBIGUITIES: [&str; 15] = [
    "control_byte",
    "backslash",
    "escaped_slash",
    "overlong",
    "dot_segment_parameter",
    "double_encoding",
    "many_readings",
    "bad_escape",
    "absolute_form",
    "fragment",
    "not_rooted",
    "dot_segments",
    "empty_segments",
    "parameters",
    "encoded_reserved",
];

/// What a rule in monitor mode would have done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WouldHave {
    /// What it would have done.
    pub action: Action,
    /// `policy/rule`.
    pub rule: String,
}

/// Most would-have entries that a verdict keeps; the first ones.
pub const MAX_WOULD_HAVE: usize = 16;

/// The whole decision about one request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// What is done.
    pub action: Option<Action>,
    /// The rule that decided, as `policy/rule`; `None`: none did.
    pub rule: Option<String>,
    /// Why.
    pub reason: Reason,
    /// What rules in monitor mode would have done, in the order they were met.
    pub would_have: Vec<WouldHave>,
    /// Names of the headers that tags set on the request, in order.
    pub tags: Vec<String>,
    /// A rule asked that the transaction be kept.
    pub record: bool,
    /// Reference id: present when the request was mitigated or would have been.
    pub reference: Option<String>,
    /// Why the request has more than one reading; `None`: it has one.
    pub ambiguity: Option<&'static str>,
}

impl Verdict {
    /// The action; a verdict without one allows.
    #[must_use]
    pub fn action(&self) -> Action {
        self.action.unwrap_or(Action::Allow)
    }

    /// Adds what a rule in monitor mode would have done, once; at most 16 are kept.
    pub fn add_would_have(&mut self, action: Action, rule: String) {
        let entry = WouldHave { action, rule };
        if self.would_have.len() < MAX_WOULD_HAVE && !self.would_have.contains(&entry) {
            self.would_have.push(entry);
        }
    }

    /// Nothing was done, nothing would have been, and nobody asked for its record: where room is short its record goes first.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        !self.mitigates() && self.would_have.is_empty() && !self.record
    }

    /// The gate answers this request itself.
    #[must_use]
    pub fn mitigates(&self) -> bool {
        self.action() != Action::Allow
    }
}
