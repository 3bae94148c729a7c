//! The rules of a corpus for what else could judge in a gateway, as far as each can.
//!
//! | module | holds |
//! |---|---|
//! | [`rules`] | the rules in a form of their own |
//! | `read` | from the policy language to that form |
//! | [`lua`] | a script of Envoy's Lua filter |
//! | [`native`] | Envoy's own filters: RBAC and local rate limit |

pub(crate) mod lua;
pub(crate) mod native;
mod read;
pub(crate) mod rules;

/// Names of scanners, as an operator would list them.
pub(crate) const SCANNERS: [&str; 16] = [
    "acunetix",
    "burpsuite",
    "dirbuster",
    "dirsearch",
    "ffuf",
    "gobuster",
    "masscan",
    "nessus",
    "netsparker",
    "nikto",
    "nmap",
    "nuclei",
    "openvas",
    "sqlmap",
    "wpscan",
    "zgrab",
];
