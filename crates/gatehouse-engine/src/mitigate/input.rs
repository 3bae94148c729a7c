//! What the decision hands over: plain borrowed words, which depend on no policy.

use super::cors::Cors;
use super::problem::Problem;

/// What a final action does to a request that it does not let through. `challenge` will be one more answer.
#[derive(Debug, Clone, Copy)]
pub enum Mitigation<'a> {
    /// The gate answers.
    Answer(Answer<'a>),
    /// Nobody answers: the host closes the connection (HTTP/1) or resets the stream (HTTP/2 and 3).
    Drop,
}

/// What the gate answers.
#[derive(Debug, Clone, Copy)]
pub enum Answer<'a> {
    /// Something made up, in which nothing tells of the gate.
    Deceive(Deceive<'a>),
    /// The client came too often.
    Limit(Limited<'a>),
    /// The client is sent elsewhere.
    Redirect(Redirect<'a>),
    /// The request is refused.
    Refuse(Refuse<'a>),
}

/// A refusal.
#[derive(Debug, Clone, Copy)]
pub struct Refuse<'a> {
    /// HTTP status, 400 to 599; another is sent as 403.
    pub status: u16,
    /// What the client is told it is.
    pub problem: Problem,
    /// The operator's words.
    pub own: Own<'a>,
}

/// A refusal that ends by itself.
#[derive(Debug, Clone, Copy)]
pub struct Limited<'a> {
    /// HTTP status, 400 to 599; another is sent as 429.
    pub status: u16,
    /// Nanoseconds until a request may be admitted again. Told in whole seconds, rounded up, from one second to a year.
    pub wait_ns: u64,
    /// What the client may be told of the limit; `None`: only how long to wait.
    pub quota: Option<Quota<'a>>,
    /// The operator's words.
    pub own: Own<'a>,
}

/// A limit as clients may know it.
#[derive(Debug, Clone, Copy)]
pub struct Quota<'a> {
    /// Its name for clients. Not the rule's own, unless the operator wants it known; empty: `default`.
    pub name: &'a str,
    /// Requests in a window.
    pub quota: u64,
    /// Nanoseconds; told in whole seconds, rounded up, at least one.
    pub window_ns: u64,
}

/// A redirect.
#[derive(Debug, Clone, Copy)]
pub struct Redirect<'a> {
    /// An absolute `https://` URL or an absolute path; `{reference}` in its query is replaced. Anything else is sent as a refusal.
    pub location: &'a str,
    /// 301, 302, 303, 307 or 308; another is sent as 302.
    pub status: u16,
    /// May be kept by caches by the rules of HTTP; else `cache-control: no-store`.
    pub cache: bool,
}

/// A made-up answer. Nothing is replaced in it.
#[derive(Debug, Clone, Copy)]
pub struct Deceive<'a> {
    /// HTTP status, 200 to 599; another is sent as 200.
    pub status: u16,
    /// As it is sent. Left out where the status has no content.
    pub body: &'a str,
    /// As they are sent; a `content-type` is guessed from the body if there is none here.
    pub headers: &'a [(&'a str, &'a str)],
    /// The operator's own `cache-control` stands; else `no-store`, so that no cache hands it to anybody else.
    pub cache: bool,
}

/// The operator's words in a refusal; by default there are none.
///
/// `{reference}`, `{retry_after}` (whole seconds, 0 if not known) and `{support}` are replaced in body and header values, escaped for
/// the body's `content-type`; `{{` is a brace; any other brace stands for itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Own<'a> {
    /// `None`: ours, by what the client accepts.
    pub body: Option<&'a str>,
    /// Names in any case. What could not stand in an answer is left out (framing, `x-envoy-`, `x-gatehouse-`); they go before
    /// ours of the same name, but for what a limit says (`retry-after`, `ratelimit`, `ratelimit-policy`).
    pub headers: &'a [(&'a str, &'a str)],
    /// The operator's own `cache-control` stands, or none is sent; else `no-store`.
    pub cache: bool,
}

/// Where a refused client finds help, by the scope that refused.
#[derive(Debug, Clone, Copy, Default)]
pub struct Support<'a> {
    /// Plain text.
    pub text: Option<&'a str>,
    /// `https:` or `mailto:`; any other is left out.
    pub link: Option<&'a str>,
}

impl<'a> Support<'a> {
    /// The link, if a page may offer it to be followed.
    pub(super) fn link(&self) -> Option<&'a str> {
        let fit = |link: &&str| {
            let known = link.starts_with("https://") || link.starts_with("mailto:");
            known && link.bytes().all(|byte| byte.is_ascii_graphic())
        };
        self.link.filter(fit)
    }
}

/// What holds for an answer besides what it says.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// Who decided, of `[a-z0-9_/-]`: for Envoy's response code details, never for the client.
    pub by: &'a str,
    /// Letters and digits.
    pub reference: &'a str,
    /// Where the client finds help.
    pub support: Support<'a>,
    /// Which web pages of other origins may read the answer.
    pub cors: Cors,
}
