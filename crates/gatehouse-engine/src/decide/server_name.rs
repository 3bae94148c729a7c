//! Whether the server name of a connection names the host of a request.

use gatehouse_signals::host::{Host, mesh_name};

/// `sni` names `host` (canonical), or is one of `own`, the gateway's own names (`.domain`: whatever is below it).
pub(super) fn names<'a>(sni: &str, host: &[u8], mut own: impl Iterator<Item = &'a str>) -> bool {
    // No host, no other one.
    if host.is_empty() {
        return true;
    }
    let inner = mesh_name(sni.as_bytes());
    let named = Host::parse(inner.unwrap_or(sni.as_bytes())).name;
    if *named == *host || inner.is_some() && is_short_for(host, &named) {
        return true;
    }
    own.any(|own| match own.strip_prefix('.') {
        Some(_) => named.len() > own.len() && named.ends_with(own.as_bytes()),
        None => *named == *own.as_bytes(),
    })
}

/// Inside a mesh `reviews`, `reviews.shop` and so on stand for `reviews.shop.svc.cluster.local`.
fn is_short_for(host: &[u8], service: &[u8]) -> bool {
    let is_service = service.split(|byte| *byte == b'.').nth(2) == Some(b"svc");
    is_service && service.strip_prefix(host).is_some_and(|rest| rest.starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(sni: &str, host: &str) -> bool {
        names(sni, host.as_bytes(), ["edge.example", ".gateways.example"].into_iter())
    }

    #[test]
    fn the_name_is_compared_without_case_dot_and_port() {
        assert!(same("Shop.Example.", "shop.example") && same("shop.example", ""));
        assert!(!same("shop.example", "other.example") && !same("a.shop.example", "shop.example"));
    }

    #[test]
    fn the_gateway_has_names_of_its_own() {
        assert!(same("edge.example", "shop.example") && same("a.gateways.example", "shop.example"));
        assert!(!same("gateways.example", "shop.example") && !same("a.edge.example", "shop.example"));
        assert!(same("outbound_.443_.v1_.a.gateways.example", "shop.example"));
    }

    #[test]
    fn a_name_of_the_mesh_is_read_as_its_host() {
        assert!(same("outbound_.443_._.api.httpbin.test", "api.httpbin.test"));
        assert!(!same("outbound_.443_._.api.httpbin.test", "api"), "short names are for services");
        let reviews = "outbound_.9080_.v1_.reviews.shop.svc.cluster.local";
        for host in ["reviews", "reviews.shop", "reviews.shop.svc", "reviews.shop.svc.cluster.local"] {
            assert!(same(reviews, host), "{host}");
        }
        for host in ["review", "reviews.other", "shop", "ratings", "reviews.shop.svc.cluster.local.evil"] {
            assert!(!same(reviews, host), "{host}");
        }
        assert!(!same("reviews.shop.svc.cluster.local", "reviews"), "only where the mesh wrote it");
    }
}
