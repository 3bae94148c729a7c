//! Settings, written back.

use crate::spec::types::{
    AddressFrom, Ambiguous, Backend, ClientAddress, ClientKey, Direction, Parameters, ServerName, Settings, Trust,
};

use super::then;
use super::written::{Map, Written, texts};

/// `map` with every setting that was said.
pub(super) fn settings(map: Map, settings: &Settings) -> Map {
    let word = |word: &str| Written::Text(word.to_owned());
    map.some("client", client(settings))
        .some("otherwise", settings.otherwise.as_ref().and_then(|(then, _)| then.decides.as_ref()).map(then::action))
        .some(
            "ambiguous",
            settings.ambiguous.as_ref().map(|(ambiguous, _)| match ambiguous {
                Ambiguous::Reject => word("reject"),
                Ambiguous::Strictest => word("strictest"),
            }),
        )
        .some("backend", settings.backend.as_ref().map(|(declared, _)| backend(*declared)))
        .some(
            "forward",
            settings
                .forward_canonical
                .as_ref()
                .map(|(canonical, _)| word(if *canonical { "canonical" } else { "received" })),
        )
        .some(
            "support",
            settings.support.as_ref().map(|(support, _)| {
                let text = |text: &Option<String>| text.clone().map(Written::Text);
                Map::new().some("text", text(&support.text)).some("link", text(&support.link)).done()
            }),
        )
        .some(
            "identityHeaders",
            settings.identity_headers.as_ref().map(|(headers, _)| {
                let action = if headers.refuse { "refuse" } else { "strip" };
                Map::new().text("action", action).entry("names", texts(&headers.names)).done()
            }),
        )
        .some("requireMutualTls", settings.require_mutual_tls.as_ref().map(|(required, _)| Written::Bool(*required)))
        .some("requireOneUri", settings.require_one_uri.as_ref().map(|(required, _)| Written::Bool(*required)))
        .some(
            "direction",
            settings.direction.as_ref().map(|(direction, _)| match direction {
                Direction::Egress => word("egress"),
                Direction::Ingress => word("ingress"),
            }),
        )
        .some("serverName", settings.server_name.as_ref().map(|(check, _)| server_name(check)))
}

fn server_name(check: &ServerName) -> Written {
    match check {
        ServerName::Any => Map::new().text("check", "any").done(),
        ServerName::Match { own } => {
            let own = own.iter().map(|name| Written::Text(name.to_string()));
            Map::new().text("check", "match").many("own", own).done()
        }
    }
}

fn client(settings: &Settings) -> Option<Written> {
    let map =
        Map::new().some("address", settings.client_address.as_ref().map(|(address, _)| client_address(address))).some(
            "key",
            settings
                .client_key
                .as_ref()
                .map(|(keys, _)| Written::List(keys.iter().map(|key| Written::Text(client_key(key))).collect())),
        );
    (!map.is_empty()).then(|| map.done())
}

fn client_address(address: &ClientAddress) -> Written {
    let from = match &address.from {
        AddressFrom::Forwarded => "forwarded",
        AddressFrom::Header(name) => name,
        AddressFrom::Peer => return Map::new().text("from", "peer").done(),
        AddressFrom::XForwardedFor => "x-forwarded-for",
    };
    let map = Map::new().text("from", from);
    match &address.trust {
        Trust::Hops(hops) => map.entry("hops", Written::Number(i64::from(*hops))).done(),
        Trust::Networks(networks) => {
            map.list("trust", networks.iter().map(|network| Written::Text(network.to_string()))).done()
        }
    }
}

fn client_key(key: &ClientKey) -> String {
    match key {
        ClientKey::Address => "address".to_owned(),
        ClientKey::Claim(name) => format!("jwt.{name}"),
        ClientKey::Identity => "identity".to_owned(),
    }
}

fn backend(backend: Backend) -> Written {
    let paths = if backend.case_insensitive { "caseInsensitive" } else { "caseSensitive" };
    let parameters = match backend.parameters {
        Parameters::Both => "both",
        Parameters::Ignored => "ignored",
        Parameters::Kept => "kept",
    };
    Map::new()
        .text("paths", paths)
        .entry("decodes", Written::Number(i64::from(backend.decodes)))
        .text("parameters", parameters)
        .done()
}
