//! How texts are written: one row a kind, with a pattern that editors check. A pattern may let more pass than the reader does,
//! never less.

use crate::spec::bounds;

/// A kind of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Account,
    AddressSource,
    Any,
    ApiVersion,
    Body,
    ClientKey,
    Cookie,
    Country,
    Days,
    Digest,
    Duration,
    End,
    File,
    Fingerprint,
    Header,
    HeaderValue,
    Host,
    Hours,
    Identity,
    IdentityOrNone,
    Key,
    Link,
    Location,
    MediaType,
    Method,
    Mode,
    Moment,
    Name,
    Network,
    Pack,
    Parameter,
    PathPattern,
    PathPrefix,
    PathSuffix,
    Rate,
    Regex,
    Scope,
    SigningKey,
    Size,
    TextMatch,
    TrustDomain,
    Url,
    Zone,
}

/// What the reference says of a kind.
pub(super) struct About {
    /// What the reference calls it; empty: it needs no row.
    pub(super) name: &'static str,
    /// ECMA-262; empty: any text.
    pub(super) pattern: &'static str,
    pub(super) meaning: &'static str,
    pub(super) examples: &'static [&'static str],
}

impl Kind {
    /// Every kind.
    pub(super) const ALL: [Self; 43] = [
        Self::Account,
        Self::AddressSource,
        Self::Any,
        Self::ApiVersion,
        Self::Body,
        Self::ClientKey,
        Self::Cookie,
        Self::Country,
        Self::Days,
        Self::Digest,
        Self::Duration,
        Self::End,
        Self::File,
        Self::Fingerprint,
        Self::Header,
        Self::HeaderValue,
        Self::Host,
        Self::Hours,
        Self::Identity,
        Self::IdentityOrNone,
        Self::Key,
        Self::Link,
        Self::Location,
        Self::MediaType,
        Self::Method,
        Self::Mode,
        Self::Moment,
        Self::Name,
        Self::Network,
        Self::Pack,
        Self::Parameter,
        Self::PathPattern,
        Self::PathPrefix,
        Self::PathSuffix,
        Self::Rate,
        Self::Regex,
        Self::Scope,
        Self::SigningKey,
        Self::Size,
        Self::TextMatch,
        Self::TrustDomain,
        Self::Url,
        Self::Zone,
    ];

    /// Bytes of the longest such text, where the readers have a bound that fits a schema.
    pub(super) const fn longest(self) -> Option<usize> {
        match self {
            Self::Name => Some(crate::text::MAX_NAME),
            Self::PathPattern | Self::PathPrefix | Self::PathSuffix | Self::Regex | Self::TextMatch => {
                Some(bounds::PATTERN)
            }
            Self::Parameter | Self::MediaType => Some(bounds::PARAMETER),
            Self::Body => Some(crate::text::MAX_BODY),
            Self::HeaderValue | Self::Location => Some(crate::text::MAX_VALUE),
            Self::Identity => Some(bounds::IDENTITY),
            _ => None,
        }
    }

    pub(super) const fn about(self) -> About {
        let (name, pattern, meaning, examples): (_, _, _, &[&str]) = match self {
            Self::Account => (
                "service account",
                r"^[a-z0-9.*-]+/[a-z0-9.*-]+$",
                "namespace and name of a Kubernetes service account; `*` stands for any",
                &["shop/frontend", "ops/*"],
            ),
            Self::AddressSource => (
                "source of an address",
                r"^[A-Za-z][A-Za-z0-9-]*$",
                "`x-forwarded-for`, `forwarded` (RFC 7239), `peer` (who opened the connection), or the name of a header that holds one address",
                &["x-forwarded-for", "x-real-ip", "peer"],
            ),
            Self::Any => ("text", "", "any text", &["anything"]),
            Self::ApiVersion => ("", r"^gatehouse\.dev/v1$", "", &["gatehouse.dev/v1"]),
            Self::Body => (
                "body",
                "",
                "a text of at most 64 KiB; in refusals `{reference}`, `{retry_after}` and `{support}` are filled in, escaped for what the body is",
                &["not here, {reference}"],
            ),
            Self::ClientKey => (
                "client's key",
                r"^(address|identity|jwt\..+)$",
                "what proves who the client is: `identity` (the verified peer), `jwt.CLAIM` (as Envoy verified it), `address`",
                &["jwt.sub", "identity", "address"],
            ),
            Self::Cookie => {
                ("name of a cookie", r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", "a token (RFC 6265); case matters", &["session"])
            }
            Self::Country => {
                ("country", r"^[A-Z]{2}$", "two capital letters (ISO 3166-1); quote `\"NO\"`", &["DE", "NO"])
            }
            Self::Days => (
                "days",
                r"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$",
                "a day, or a range of days",
                &["mon", "sat-sun", "fri-mon"],
            ),
            Self::Digest => (
                "digest",
                r"^sha256:[0-9A-Fa-f]{64}$",
                "SHA-256, as `sha256sum` prints it",
                &["sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"],
            ),
            Self::Duration => (
                "duration",
                r"^([0-9]+(ms|s|m|h|d))+$",
                "whole numbers with their unit: `ms`, `s`, `m`, `h`, `d`; larger units first",
                &["500ms", "10m", "1h30m"],
            ),
            Self::End => (
                "end",
                r"^([0-9]+(ms|s|m|h|d))+$|^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$",
                "a moment; of a fetched list a duration",
                &["2027-01-01T00:00:00Z", "1d"],
            ),
            Self::File => (
                "file",
                r"^[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*$",
                "its path from the folder of the policies (the house) or of the document (the command line)",
                &["lists/bad.txt"],
            ),
            Self::Fingerprint => (
                "fingerprint",
                r"^([tqd][0-9a-z]{9}_[0-9a-f]{12}_[0-9a-f]{12}|h[0-9a-z_]{3,63})$",
                "JA4 of the TLS handshake, or the gate's own over the order of headers, which begins with `h`",
                &["t13d1516h2_8daaf6152771_b186095e22b6", "h1_0123abcd"],
            ),
            Self::Header => (
                "name of a header",
                r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
                "a token (RFC 9110); case does not matter",
                &["x-api-key"],
            ),
            Self::HeaderValue => (
                "value of a header",
                r"^([!-~]([ -~]*[!-~])?)?$",
                "printable ASCII without blanks at the ends",
                &["no-store", "slow lane"],
            ),
            Self::Host => (
                "host",
                r"^(\*\.)?(\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)*\.?)$",
                "a name or address without port, or `*.` and a domain: every host below it; case and a trailing dot do not matter",
                &["shop.example.com", "*.shop.example.com", "[2001:db8::1]"],
            ),
            Self::Hours => (
                "part of a day",
                r"^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$",
                "begin (included) and end (excluded); over midnight where the end is the earlier one",
                &["08:00-18:00", "22:00-06:00"],
            ),
            Self::Identity => (
                "identity",
                r"^spiffe://(\*|[a-z0-9._-]+)/(\*|\*\*|[A-Za-z0-9._-]+)(/(\*|\*\*|[A-Za-z0-9._-]+))*$",
                "a SPIFFE id, or a pattern: `*` stands for the whole trust domain (a warning) or one whole segment, `**` for the rest at the end",
                &["spiffe://cluster.local/ns/shop/sa/frontend", "spiffe://cluster.local/ns/ops/**"],
            ),
            Self::IdentityOrNone => (
                "identity or `none`",
                r"^(none|spiffe://.+)$",
                "an identity or pattern; `none`: there is no verified peer",
                &["none"],
            ),
            Self::Key => (
                "key",
                r"^(address|address\.prefix|asn|client|country|fingerprint|host|identity|method|path|path\.class|tls\.mutual|tls\.version|(jwt|query|cookies|headers)\..+)$",
                "by what a limit counts; `address.prefix` is IPv4 /24 or IPv6 /48, `path.class` the path with identifiers taken out; `headers`, `query` and `cookies` are not proven, so such a limit also counts the address (IPv6: its /64), and the stricter wins",
                &["client", "path.class", "headers.x-api-key"],
            ),
            Self::Link => (
                "link",
                r"^(https://.+|mailto:.+@.+)$",
                "https or mailto",
                &["https://help.example/blocked", "mailto:help@example.com"],
            ),
            Self::Location => (
                "location",
                r"^(/([^/\\].*)?|https://[^/].*)$",
                "a path of the same host, or an absolute https URL",
                &["/login", "https://example.com/elsewhere"],
            ),
            Self::MediaType => (
                "media type",
                r"^[!#$%&'+.^_`|~0-9A-Za-z-]+/(\*|[!#$%&'+.^_`|~0-9A-Za-z-]+)$",
                "without parameters; `text/*` is every text",
                &["text/html", "application/*"],
            ),
            Self::Method => (
                "method",
                r"^[!#$%&'*+.^_`|~0-9A-Z-]+$",
                "a token (RFC 9110); case matters, as in HTTP",
                &["GET", "POST"],
            ),
            Self::Mode => (
                "mode",
                r"^(monitor|canary [1-9][0-9]?%|enforce)$",
                "`monitor` (says what it would have done), `canary N%` (enforced for a share of the clients, 1 to 99, always the same ones), `enforce`",
                &["monitor", "canary 10%", "enforce"],
            ),
            Self::Moment => (
                "moment",
                r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$",
                "RFC 3339, whole seconds",
                &["2027-01-01T00:00:00Z", "2027-01-01T00:00:00+01:00"],
            ),
            Self::Name => {
                ("name", r"^[a-z0-9-]+$", "1 to 63 lower-case letters, digits and hyphens", &["login-guessing"])
            }
            Self::Network => (
                "network",
                r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
                "an address, or a network (CIDR) without bits set after its prefix",
                &["192.0.2.7", "10.0.0.0/8", "2001:db8::/32"],
            ),
            Self::Pack => (
                "pack",
                r"^packs/[a-z0-9-]+(@[0-9A-Za-z._-]+)?$",
                "a pack that ships with the house; with `@VERSION` the document is refused where another version is there",
                &["packs/search-crawlers", "packs/monitoring@2026.1"],
            ),
            Self::Parameter => (
                "name of a parameter",
                "",
                "1 to 128 printable bytes; case matters",
                &["page", "https://example.com/role"],
            ),
            Self::PathPattern => (
                "path",
                r"^(/|\*$|\{)",
                "a path; `*` and `{name}` stand for one whole segment that is not empty, `**` at the end for the rest, which may be empty",
                &["/login", "/admin/**", "/users/{id}/orders"],
            ),
            Self::PathPrefix => (
                "prefix of a path",
                r"^/",
                "ends at a border of segments: `/api` is `/api` and `/api/…`, not `/apis`",
                &["/api"],
            ),
            Self::PathSuffix => ("suffix of a path", r"^[^?#]+$", "the end of the path", &[".php"]),
            Self::Rate => (
                "rate",
                r"^[1-9][0-9]* per ([0-9]+(ms|s|m|h|d))+$",
                "a number, `per`, and a window from a second to a day: never more than that many in any window, exact to a sixteenth of it",
                &["10 per 1m", "1000 per 1h"],
            ),
            Self::Regex => (
                "regex",
                r"^[\x00-\x7F]+$",
                "over bytes, found anywhere unless anchored by `^` and `$`; ASCII, other bytes as `\\xE9`; no look-around and no back-references",
                &["^/v[0-9]+/"],
            ),
            Self::Scope => (
                "scope",
                r"^[a-z0-9-]+(/[a-z0-9-]+){0,3}$",
                "`organisation/tenant/workspace/group`, or the first of these",
                &["acme", "acme/retail/shop"],
            ),
            Self::SigningKey => (
                "signing key",
                r"^RW[Q-T][0-9A-Za-z+/]{53}$",
                "a public key of minisign, the second line of `minisign.pub`",
                &["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"],
            ),
            Self::Size => (
                "size",
                r"^([0-9]+(B|KiB|MiB|GiB))+$",
                "whole numbers with their unit: `B`, `KiB`, `MiB`, `GiB`",
                &["64KiB", "10MiB"],
            ),
            Self::TextMatch => ("text to match", "", "bytes of at most 1 KiB; case matters", &["curl/"]),
            Self::TrustDomain => ("trust domain", r"^(\*|[a-z0-9._-]+)$", "without `spiffe://`", &["cluster.local"]),
            Self::Url => (
                "URL",
                r"^https?://[!-~]+$",
                "`https`, or `http` on the house's own machine; without a login",
                &["https://lists.example/bad.txt"],
            ),
            Self::Zone => (
                "zone",
                r"^(Z|[+-][0-2][0-9]:[0-5][0-9])$",
                "what is added to UTC; names of zones are not known",
                &["Z", "+01:00"],
            ),
        };
        About { name, pattern, meaning, examples }
    }
}
