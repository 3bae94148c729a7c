//! What the client says it is: the class and name of a user agent. It is only what was said; proof is another matter (published
//! address ranges, identity, fingerprints).
//!
//! One pass over at most [`LIMIT`] bytes collects signs: names out of our own lists, parts of words, platforms, engines,
//! addresses. Then the class is decided in this order:
//! 1. the name of a security tool, of an agent that works for a language model, of a crawler;
//! 2. traces of an automaton: words such as `bot` or `spider`, a web or mail address, an HTTP library, a telling word outside
//!    the platform comment, a browser's text that stands behind another program's;
//! 3. shape: a browser says `Mozilla/5.0`, a platform in brackets and an engine; `compatible;` before anything but the
//!    browsers that used to say so is a crawler's; a known runtime or platform without `Mozilla` is an app; anything else
//!    that calls itself something is a program (`library`).

mod cache;
mod judge;
mod lowered;
mod names;
mod scan;
mod shape;
mod sign;
mod table;
#[cfg(test)]
mod tests;
mod token;

pub use cache::AgentCache;

use lowered::Lowered;

/// Bytes of a user agent that are looked at.
pub const LIMIT: usize = lowered::LIMIT;

/// What kind of client a user agent names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentClass {
    /// Fetches for a language model: training, search, or on a person's behalf.
    AiCrawler,
    /// An app, or a browser engine inside one.
    App,
    /// A browser that a person uses.
    Browser,
    /// Search engines, monitors, link previews, feed readers, page testers, headless browsers.
    Crawler,
    /// HTTP libraries, command-line clients, load generators, frameworks that drive browsers, and programs that name nothing
    /// but themselves.
    Library,
    /// Security tools and services that look for weaknesses.
    Scanner,
    /// Nothing was said, or nothing that can be understood.
    Unknown,
}

impl AgentClass {
    /// Every class, in the order of the policy reference.
    pub const ALL: [Self; 7] =
        [Self::Browser, Self::App, Self::Library, Self::Crawler, Self::AiCrawler, Self::Scanner, Self::Unknown];

    /// The word for it in policies and records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AiCrawler => "ai-crawler",
            Self::App => "app",
            Self::Browser => "browser",
            Self::Crawler => "crawler",
            Self::Library => "library",
            Self::Scanner => "scanner",
            Self::Unknown => "unknown",
        }
    }

    /// The class that `word` stands for.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == word)
    }

    /// No person sits in front of it: crawler, ai-crawler, scanner or library.
    #[must_use]
    pub const fn is_automated(self) -> bool {
        matches!(self, Self::AiCrawler | Self::Crawler | Self::Library | Self::Scanner)
    }
}

impl std::fmt::Display for AgentClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A user agent, read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agent<'a> {
    /// What kind of client it names.
    pub class: AgentClass,
    /// The product token that showed it (`Googlebot`, `curl`, `Chrome`), as written; empty if there is none. At most 48
    /// bytes of letters, digits, `-`, `_`, `.` and `!`. Chosen by the client: never a metric label.
    pub name: &'a str,
}

/// Reads the value of a `user-agent` header. Total: any bytes give an answer. No allocation.
#[must_use]
pub fn classify(user_agent: &[u8]) -> Agent<'_> {
    Reading::of(user_agent).agent(user_agent)
}

/// A judgement with its name as a place in the text, so that it can be kept without the text.
#[derive(Debug, Clone, Copy)]
struct Reading {
    class: AgentClass,
    start: u16,
    length: u8,
}

impl Reading {
    fn of(user_agent: &[u8]) -> Self {
        let lowered = Lowered::of(user_agent);
        let judged = judge::judge(&lowered, &scan::scan(&lowered));
        let seen = user_agent.get(..LIMIT).unwrap_or(user_agent);
        let (start, length) = token::around(seen, judged.at);
        let name = seen.get(start..start + length).unwrap_or_default();
        let class = match judged.class {
            AgentClass::Crawler | AgentClass::Library if token::tells_ai(name) => AgentClass::AiCrawler,
            class => class,
        };
        Self { class, start: u16::try_from(start).unwrap_or(0), length: u8::try_from(length).unwrap_or(0) }
    }

    fn agent(self, user_agent: &[u8]) -> Agent<'_> {
        let start = usize::from(self.start);
        let name = user_agent.get(start..start + usize::from(self.length)).unwrap_or_default();
        Agent { class: self.class, name: std::str::from_utf8(name).unwrap_or_default() }
    }
}
