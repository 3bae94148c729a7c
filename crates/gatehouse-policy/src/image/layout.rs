//! The sections of an image and the words of their entries.

macro_rules! sections {
    ($($name:ident $width:literal $called:literal)*) => {
        /// A section, by its place in the table.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Section { $($name),* }

        /// Number of sections.
        pub(crate) const SECTIONS: usize = [$($width),*].len();

        impl Section {
            /// Every section, in order.
            pub(crate) const ALL: [Self; SECTIONS] = [$(Self::$name),*];

            /// Bytes of one entry.
            #[inline]
            pub(crate) const fn width(self) -> usize {
                match self { $(Self::$name => $width),* }
            }

            /// What an error calls it.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => $called),* }
            }
        }
    };
}

sections! {
    Strings 1 "strings"
    Meta 24 "settings of all"
    Documents 16 "documents"
    Members 4 "members of scopes"
    Scopes 136 "scopes"
    Roots 8 "roots of the index"
    Hosts 20 "hosts"
    HostBuckets 4 "buckets of hosts"
    Clients 20 "clients"
    ClientKeys 8 "client keys"
    Rules 36 "rules"
    Conditions 24 "conditions"
    Times 28 "times"
    Thens 12 "actions of rules"
    Effects 24 "effects"
    Actions 32 "actions"
    Pairs 16 "header pairs"
    Names 8 "names"
    Limits 48 "limits"
    Steps 28 "steps of limits"
    Parts 12 "key parts"
    Statuses 4 "statuses"
    Claims 8 "claims"
    Labels 8 "labels"
    VerdictLists 8 "verdict lists"
    SetHeaders 8 "set headers"
    Sets 32 "lists"
    V4 4 "IPv4 networks"
    V4Prefixes 1 "IPv4 prefixes"
    V6 16 "IPv6 networks"
    V6Prefixes 1 "IPv6 prefixes"
    Numbers 4 "numbers"
    SetTexts 16 "texts of lists"
    Regexes 16 "regexes"
    Automata 2 "automata"
    Shelves 16 "shelves of the index"
    Tables 36 "tables of the index"
    Keys 8 "keys of the index"
    Trie 28 "path segments of the index"
    Postings 4 "postings of the index"
    Buckets 4 "buckets of the index"
    Filters 4 "filters of the index"
}

/// Word of the settings of all: the scope for connections to hosts that nobody claims.
pub(crate) const META_CONNECTIONS: usize = 5;

/// Words of a document.
pub(crate) mod document {
    pub(crate) const NAME: usize = 0;
    pub(crate) const SCOPE: usize = 2;
}

/// Ends the name of a host that connections are made to, among the hosts: no host of a request holds it.
pub(crate) const CONNECTION_MARK: &str = "\n";

/// A member of a scope: index of the document, and in the highest bit whether its own rules hold there.
pub(crate) const MEMBER_OWN: u32 = 1 << 31;

/// Words of a scope. Entry 0 stands for the hosts that nobody claims.
pub(crate) mod scope {
    pub(crate) const FIRST_MEMBER: usize = 0;
    pub(crate) const MEMBERS: usize = 1;
    pub(crate) const CLIENT: usize = 2;
    pub(crate) const FIRST_KEY: usize = 3;
    pub(crate) const OTHERWISE: usize = 5;
    pub(crate) const OTHERWISE_MODE: usize = 6;
    pub(crate) const OTHERWISE_OWNER: usize = 7;
    pub(crate) const AMBIGUOUS: usize = 8;
    pub(crate) const AMBIGUOUS_MODE: usize = 9;
    pub(crate) const AMBIGUOUS_OWNER: usize = 10;
    /// Bit 0: any letter case; bits 8..: decodes; bits 16..: parameters.
    pub(crate) const BACKEND: usize = 11;
    /// See the flags below.
    pub(crate) const FLAGS: usize = 12;
    pub(crate) const SUPPORT_TEXT: usize = 13;
    pub(crate) const SUPPORT_LINK: usize = 15;
    pub(crate) const FIRST_NAME: usize = 17;
    pub(crate) const NAMES_MODE: usize = 19;
    pub(crate) const NAMES_OWNER: usize = 20;
    pub(crate) const MTLS_MODE: usize = 21;
    pub(crate) const MTLS_OWNER: usize = 22;
    pub(crate) const REQUEST_READS: usize = 23;
    pub(crate) const RESPONSE_READS: usize = 24;
    /// Document that gives the scope its name.
    pub(crate) const OWNER: usize = 25;

    /// Roots of the index: each the shelf of rules that are asked of the request and of those of the response (index + 1, 0: none).
    pub(crate) const FIRST_ROOT: usize = 26;

    /// How far a refusal for a wrong server name reaches, and who says so; names that are the gateway's own.
    pub(crate) const SERVER_MODE: usize = 28;
    pub(crate) const SERVER_OWNER: usize = 29;
    pub(crate) const FIRST_OWN: usize = 30;
    pub(crate) const URI_MODE: usize = 32;
    pub(crate) const URI_OWNER: usize = 33;

    pub(crate) const WORDS: usize = 34;

    /// Some document speaks here. Unset only in entry 0 of a policy where every document names its hosts.
    pub(crate) const COVERED: u32 = 1;
    pub(crate) const FORWARD_CANONICAL: u32 = 2;
    pub(crate) const HAS_TEXT: u32 = 4;
    pub(crate) const HAS_LINK: u32 = 8;
    pub(crate) const HAS_NAMES: u32 = 16;
    pub(crate) const NAMES_REFUSED: u32 = 32;
    pub(crate) const NEEDS_MTLS: u32 = 64;
    pub(crate) const RESPONDS: u32 = 128;
    /// The workload is the client: refusals look as Istio's.
    pub(crate) const EGRESS: u32 = 256;
    /// The server name of the connection must name the host.
    pub(crate) const SERVER_NAMED: u32 = 512;
    pub(crate) const NEEDS_ONE_URI: u32 = 1024;
    pub(crate) const ALL_FLAGS: u32 = 2047;

    pub(crate) const AMBIGUOUS_BY_KIND: u32 = 0;
    pub(crate) const AMBIGUOUS_STRICTEST: u32 = 1;
    pub(crate) const AMBIGUOUS_REJECT: u32 = 2;

    pub(crate) const ENFORCE: u32 = 0;
    pub(crate) const MONITOR: u32 = 1;
}

/// Words of a client: where its address is read, and whose word is taken.
pub(crate) mod client {
    pub(crate) const SOURCE: usize = 0;
    pub(crate) const HEADER: usize = 1;
    pub(crate) const TRUST: usize = 3;
    /// Index of a set, or a number of proxies.
    pub(crate) const TRUSTED: usize = 4;

    pub(crate) const FORWARDED_FOR: u32 = 0;
    pub(crate) const FORWARDED: u32 = 1;
    pub(crate) const BY_HEADER: u32 = 2;
    pub(crate) const PEER: u32 = 3;

    pub(crate) const NOBODY: u32 = 0;
    pub(crate) const NETWORKS: u32 = 1;
    pub(crate) const HOPS: u32 = 2;

    pub(crate) const KEY_ADDRESS: u32 = 0;
    pub(crate) const KEY_IDENTITY: u32 = 1;
    pub(crate) const KEY_CLAIM: u32 = 2;
}

/// Words of a rule.
pub(crate) mod rule {
    pub(crate) const NAME: usize = 0;
    pub(crate) const DOCUMENT: usize = 2;
    /// Tier; rollout << 8; percent << 16; of the response << 24.
    pub(crate) const KIND: usize = 3;
    pub(crate) const CONDITION: usize = 4;
    pub(crate) const THEN: usize = 5;
    /// Index + 1; 0: none.
    pub(crate) const LIMIT: usize = 6;
    /// Two words.
    pub(crate) const IDENTITY: usize = 7;

    pub(crate) const WORDS: usize = 9;

    pub(crate) const ENFORCE: u32 = 0;
    pub(crate) const MONITOR: u32 = 1;
    pub(crate) const CANARY: u32 = 2;
}

/// Words of a node of a condition, its kinds and tests.
pub(crate) mod node {
    /// Kind, test << 8.
    pub(crate) const KIND: usize = 0;
    pub(crate) const END: usize = 1;
    pub(crate) const A: usize = 2;
    pub(crate) const B: usize = 3;
    pub(crate) const C: usize = 4;

    pub(crate) const ALL: u8 = 1;
    pub(crate) const ANY: u8 = 2;
    pub(crate) const NOT: u8 = 3;
    pub(crate) const ALWAYS: u8 = 4;
    pub(crate) const METHOD: u8 = 5;
    pub(crate) const HOST: u8 = 6;
    pub(crate) const PATH: u8 = 7;
    pub(crate) const HEADER: u8 = 8;
    pub(crate) const ADDRESS: u8 = 9;
    pub(crate) const QUERY: u8 = 10;
    pub(crate) const COOKIE: u8 = 11;
    pub(crate) const CLAIM: u8 = 12;
    pub(crate) const AGENT_CLASS: u8 = 13;
    pub(crate) const AGENT_NAME: u8 = 14;
    pub(crate) const AGENT_VERIFIED: u8 = 15;
    pub(crate) const ASN: u8 = 16;
    pub(crate) const COUNTRY: u8 = 17;
    pub(crate) const FINGERPRINT: u8 = 18;
    pub(crate) const IDENTITY: u8 = 19;
    pub(crate) const LABEL: u8 = 20;
    pub(crate) const PORT: u8 = 21;
    pub(crate) const SCORE: u8 = 22;
    pub(crate) const SIZE: u8 = 23;
    pub(crate) const SNI: u8 = 24;
    pub(crate) const TIME: u8 = 25;
    pub(crate) const TLS_MUTUAL: u8 = 26;
    pub(crate) const TLS_VERSION: u8 = 27;
    pub(crate) const VERDICT: u8 = 28;
    pub(crate) const RESPONSE_HEADER: u8 = 29;
    pub(crate) const RESPONSE_SIZE: u8 = 30;
    pub(crate) const RESPONSE_STATUS: u8 = 31;
    pub(crate) const RESPONSE_TYPE: u8 = 32;
    pub(crate) const DESTINATION: u8 = 33;

    /// One value.
    pub(crate) const EQUALS: u8 = 1;
    pub(crate) const PREFIX: u8 = 2;
    pub(crate) const SUFFIX: u8 = 3;
    pub(crate) const CONTAINS: u8 = 4;
    pub(crate) const REGEX: u8 = 5;
    pub(crate) const PRESENT: u8 = 6;
    pub(crate) const SEGMENTS: u8 = 7;
    /// One of a set.
    pub(crate) const IN_SET: u8 = 8;
    /// None at all.
    pub(crate) const NONE: u8 = 9;

    /// Operand of a regex that there is no second form of.
    pub(crate) const NO_REGEX: u32 = u32::MAX;
}

/// Words of a time window.
pub(crate) mod time {
    pub(crate) const AFTER: usize = 0;
    pub(crate) const BEFORE: usize = 2;
    pub(crate) const DAYS: usize = 4;
    /// From | to << 16, minutes; [`ALL_DAY`]: no hours.
    pub(crate) const HOURS: usize = 5;
    pub(crate) const OFFSET: usize = 6;

    pub(crate) const ALL_DAY: u32 = u32::MAX;
}

/// Words of a `then`.
pub(crate) mod then {
    pub(crate) const FIRST_EFFECT: usize = 0;
    /// Index + 1; 0: none.
    pub(crate) const ACTION: usize = 2;
}

/// Words of an effect and its kinds.
pub(crate) mod effect {
    pub(crate) const KIND: usize = 0;
    pub(crate) const A: usize = 1;
    pub(crate) const B: usize = 2;
    pub(crate) const C: usize = 3;

    pub(crate) const DELAY: u32 = 0;
    pub(crate) const RECORD: u32 = 1;
    pub(crate) const REMOVE_RESPONSE_HEADERS: u32 = 2;
    pub(crate) const ROUTE: u32 = 3;
    pub(crate) const SANITIZE: u32 = 4;
    pub(crate) const SET_RESPONSE_HEADERS: u32 = 5;
    pub(crate) const TAG: u32 = 6;
    pub(crate) const WEIGH: u32 = 7;
}

/// Words of an action and its kinds.
pub(crate) mod action {
    pub(crate) const KIND: usize = 0;
    /// Status; 1 << 16: may be cached; 1 << 17: has a body of the operator's.
    pub(crate) const STATUS: usize = 1;
    pub(crate) const TEXT: usize = 2;
    pub(crate) const FIRST_PAIR: usize = 4;

    pub(crate) const CACHED: u32 = 1 << 16;
    pub(crate) const HAS_BODY: u32 = 1 << 17;

    pub(crate) const ALLOW: u32 = 0;
    pub(crate) const BLOCK: u32 = 1;
    pub(crate) const DECEIVE: u32 = 2;
    pub(crate) const DROP: u32 = 3;
    pub(crate) const LIMIT: u32 = 4;
    pub(crate) const REDIRECT: u32 = 5;
}

/// Words of a limit, of its steps and of a key's part.
pub(crate) mod limit {
    pub(crate) const RULE: usize = 0;
    pub(crate) const FIRST_PART: usize = 1;
    pub(crate) const COUNT: usize = 3;
    pub(crate) const COUNT_FIRST: usize = 4;
    pub(crate) const FIRST_STEP: usize = 6;
    pub(crate) const STEPS: usize = 7;
    /// Number + 1; 0: the limit itself.
    pub(crate) const IN_FLIGHT: usize = 8;
    pub(crate) const SHARED: usize = 9;
    pub(crate) const IDENTITY: usize = 10;

    pub(crate) const REQUESTS: u32 = 0;
    pub(crate) const FAILURES: u32 = 1;
    pub(crate) const DISTINCT: u32 = 2;

    pub(crate) const STEP_RATE: usize = 0;
    pub(crate) const STEP_PER: usize = 1;
    /// Number + 1; 0: none.
    pub(crate) const STEP_BURST: usize = 3;
    pub(crate) const STEP_BLOCK: usize = 4;
    /// Index + 1; 0: the rule's.
    pub(crate) const STEP_THEN: usize = 6;

    /// Most steps of a limit.
    pub(crate) const MAX_STEPS: usize = 4;
    /// Most parts of a key.
    pub(crate) const MAX_PARTS: usize = 16;

    pub(crate) const PART_KIND: usize = 0;
    pub(crate) const PART_TEXT: usize = 1;
}

/// Kinds of a key's part.
pub(crate) mod part {
    pub(crate) const ADDRESS: u32 = 0;
    pub(crate) const ADDRESS_PREFIX: u32 = 1;
    pub(crate) const ASN: u32 = 2;
    pub(crate) const CLAIM: u32 = 3;
    pub(crate) const CLIENT: u32 = 4;
    pub(crate) const COOKIE: u32 = 5;
    pub(crate) const COUNTRY: u32 = 6;
    pub(crate) const FINGERPRINT: u32 = 7;
    pub(crate) const HEADER: u32 = 8;
    pub(crate) const HOST: u32 = 9;
    pub(crate) const IDENTITY: u32 = 10;
    pub(crate) const METHOD: u32 = 11;
    pub(crate) const PATH: u32 = 12;
    pub(crate) const PATH_CLASS: u32 = 13;
    pub(crate) const QUERY: u32 = 14;
    pub(crate) const TLS_MUTUAL: u32 = 15;
    pub(crate) const TLS_VERSION: u32 = 16;
}

/// Words of a set and its kinds.
pub(crate) mod set {
    pub(crate) const KIND: usize = 0;
    /// First and number: of IPv4 networks, numbers or literal texts.
    pub(crate) const FIRST: usize = 1;
    pub(crate) const COUNT: usize = 2;
    /// First and number: of IPv6 networks; of texts that are patterns.
    pub(crate) const FIRST6: usize = 3;
    pub(crate) const COUNT6: usize = 4;
    /// First of the buckets: IPv4 networks by their leading bits; then samples of IPv6 networks.
    pub(crate) const BUCKETS: usize = 5;
    /// Number of leading bits; 0: no buckets.
    pub(crate) const BITS: usize = 6;
    pub(crate) const SAMPLES: usize = 7;

    pub(crate) const NETWORKS: u32 = 0;
    pub(crate) const ASNS: u32 = 1;
    pub(crate) const COUNTRIES: u32 = 2;
    pub(crate) const FINGERPRINTS: u32 = 3;
    pub(crate) const IDENTITIES: u32 = 4;
}

/// Words of a regex.
pub(crate) mod regex {
    pub(crate) const PATTERN: usize = 0;
    /// First and number of the entries of its automaton; none: it is compiled when it is loaded.
    pub(crate) const FIRST_ENTRY: usize = 2;
    pub(crate) const ENTRIES: usize = 3;
}

/// Words of a shelf of the index: rules that no table tells apart, and tables.
pub(crate) mod shelf {
    pub(crate) const FIRST_RULE: usize = 0;
    pub(crate) const FIRST_TABLE: usize = 2;
}

/// Words of a table of the index, and what it is asked with.
pub(crate) mod table {
    /// Kind; field << 8; length of grams << 16.
    pub(crate) const KIND: usize = 0;
    /// Name of the header, cookie, parameter or claim.
    pub(crate) const NAME: usize = 1;
    pub(crate) const FIRST_KEY: usize = 3;
    pub(crate) const FIRST_BUCKET: usize = 5;
    pub(crate) const BITS: usize = 6;
    /// First of the filter's words; root of a trie; first entry of an automaton.
    pub(crate) const FIRST_EXTRA: usize = 7;
    /// Number of the filter's words; of an automaton's entries.
    pub(crate) const EXTRAS: usize = 8;

    /// The field as a whole, by hash; which field, the second byte tells.
    pub(crate) const VALUE: u8 = 1;
    /// Whole host or server name, and the domains above.
    pub(crate) const DOMAIN: u8 = 2;
    /// Ends of the path; the filter tells their lengths.
    pub(crate) const ENDING: u8 = 3;
    /// Segments, in a trie.
    pub(crate) const SEGMENTS: u8 = 4;
    /// Names that a request carries, and values under them; the filter tells names apart quickly.
    pub(crate) const NAMED: u8 = 5;
    /// Networks; the filter tells lengths of prefixes, IPv4 first.
    pub(crate) const NETWORK: u8 = 6;
    /// Sets: keys are their numbers.
    pub(crate) const SETS: u8 = 7;
    /// Lists that the house fills: keys are their numbers.
    pub(crate) const VERDICTS: u8 = 8;
    /// Scores: keys are label + 1 in the highest 4 bits and the least score.
    pub(crate) const SCORES: u8 = 9;
    /// Runs of bytes within values, in any letter case; the filter tells most others apart.
    pub(crate) const GRAMS: u8 = 10;
    /// Automata over values: keys are patterns.
    pub(crate) const AUTOMATON: u8 = 11;
}

/// Words of a node of a segment trie.
pub(crate) mod trie {
    pub(crate) const FIRST_KEY: usize = 0;
    pub(crate) const FIRST_BUCKET: usize = 2;
    /// Number of leading bits; has a child for any segment << 8.
    pub(crate) const BITS: usize = 3;
    /// What the path that ends here leads to.
    pub(crate) const HERE: usize = 4;
    /// What any path from here on leads to, this one included.
    pub(crate) const FROM_HERE: usize = 5;
    /// What any longer path leads to.
    pub(crate) const BELOW: usize = 6;
}

/// Where keys and trie nodes lead.
pub(crate) mod target {
    /// Bit of a target that is a shelf; else it is a rule.
    pub(crate) const SHELF: u32 = 1 << 31;
    /// Nowhere; of a name: its values are looked up.
    pub(crate) const NONE: u32 = u32::MAX;
}
