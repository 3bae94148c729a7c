//! Every bound of the language, once: readers hold to them and the reference prints them.

/// How often a list is fetched where it does not say so.
pub(crate) const LIST_EVERY: core::time::Duration = core::time::Duration::from_secs(600);
/// How long entries of a fetched list hold where it does not say so.
pub(crate) const LIST_EXPIRES: core::time::Duration = core::time::Duration::from_secs(86_400);
/// Longest URL of a list, in bytes.
pub(crate) const URL: usize = 2048;
/// Deepest scope: organisation / tenant / workspace / group.
pub(crate) const SCOPE: usize = 4;
/// Lowest and highest priority of a rule.
pub(crate) const PRIORITY: (i64, i64) = (-1000, 1000);
/// Most proxies that `hops` counts.
pub(crate) const HOPS: i64 = 16;
/// Longest pattern as written, in bytes; percent-encoding may make three of one.
pub(crate) const PATTERN: usize = 1024;
/// Longest name of a query parameter, cookie, claim or agent, in bytes.
pub(crate) const PARAMETER: usize = 128;
/// Most headers of an answer, and most that `sanitize` or `setResponseHeaders` names.
pub(crate) const HEADERS: usize = 32;
/// Shortest and longest window of a rate, in milliseconds: a second, a day.
pub(crate) const WINDOW_MS: (u64, u64) = (1000, 86_400_000);
/// Highest number of a rate, a burst and `inFlight`.
pub(crate) const RATE: u32 = 1_000_000;
/// Shortest and longest `blockFor`, in milliseconds: a second, a week.
pub(crate) const BLOCK_MS: (u64, u64) = (1000, 604_800_000);
/// Different values up to which each is looked at in counting them; beyond it one in two, in four …, by the highest step.
pub(crate) const DISTINCT_SEEN: u32 = 1536;
/// A lower step of such a limit is told only where it is so many times the values of which one is looked at (less one).
pub(crate) const DISTINCT_TOLD: u32 = 100;
/// Most parts of a limit's key.
pub(crate) const KEY_PARTS: usize = 4;
/// Most steps of a limit.
pub(crate) const STEPS: usize = 4;
/// Longest delay, in milliseconds.
pub(crate) const DELAY_MS: u64 = 10_000;
/// Heaviest weight, either way.
pub(crate) const WEIGHT: i64 = 1000;
/// Highest score that a match asks for.
pub(crate) const SCORE: i64 = 1_000_000;
/// Most different labels in one policy.
pub(crate) const LABELS: usize = 15;
/// Shortest and longest half-life of scores, in milliseconds: a second, a day.
pub(crate) const HALF_LIFE_MS: (u64, u64) = (1000, 86_400_000);
/// Half-life of scores where no document says one, in milliseconds.
pub(crate) const HALF_LIFE_DEFAULT_MS: u64 = 600_000;
/// What a trap weighs where it does not say so.
pub(crate) const TRAP_WEIGHT: i64 = 50;
/// Trust domains that one document may name.
pub(crate) const TRUST_DOMAINS: usize = 8;
/// Longest SPIFFE id (SPIFFE-ID, 2.3).
pub(crate) const IDENTITY: usize = 2048;
/// Status of a block that names none.
pub(crate) const BLOCK_STATUS: u16 = 403;
/// Status of a limit that names none.
pub(crate) const LIMIT_STATUS: u16 = 429;
/// Status of a deception that names none: it looks as if nothing were there.
pub(crate) const DECEIVE_STATUS: u16 = 404;
/// Status of a redirect that names none: not cached, since a verdict may change.
pub(crate) const REDIRECT_STATUS: u16 = 302;
/// The trust domain of a mesh that names none.
pub(crate) const TRUST_DOMAIN: &str = "cluster.local";
/// Headers that name who the caller is to an application, and that only a proxy may set: what `identityHeaders` means where it
/// names none.
pub(crate) const IDENTITY_HEADERS: [&str; 9] = [
    "remote-user",
    "x-auth-request-email",
    "x-auth-request-user",
    "x-authenticated-user",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-user",
    "x-remote-user",
    "x-user-id",
];
