//! Where the request was sent, as a record tells it: the operator's names and Envoy's words, made printable.

use gatehouse_verdict::record::Upstream;
use gatehouse_verdict::redact::{MAX_VALUE_BYTES, printable};

pub(super) fn upstream(upstream: Upstream) -> Upstream {
    let shown = |text: &str| printable(text.as_bytes(), MAX_VALUE_BYTES);
    let (port, subset, host) = parts(&upstream.cluster);
    Upstream {
        route: shown(&upstream.route),
        virtual_host: shown(&upstream.virtual_host),
        host: shown(host),
        port,
        subset: shown(subset),
        cluster: shown(&upstream.cluster),
        address: shown(&upstream.address),
        transport_failure: shown(&upstream.transport_failure),
        ..upstream
    }
}

/// Port, subset and host of a mesh's cluster name, `DIRECTION|PORT|SUBSET|HOST`; of any other name 0 and nothing.
fn parts(cluster: &str) -> (u16, &str, &str) {
    let mut parts = cluster.split('|');
    match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(_), Some(port), Some(subset), Some(host), None) => match port.parse() {
            Ok(port) => (port, subset, host),
            Err(_) => (0, "", ""),
        },
        _ => (0, "", ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_mesh_cluster_is_taken_apart() {
        assert_eq!(parts("outbound|443|v1|shop.example.com"), (443, "v1", "shop.example.com"));
        assert_eq!(parts("outbound|8080||shop.svc.cluster.local"), (8080, "", "shop.svc.cluster.local"));
        assert_eq!(parts("inbound|8080||"), (8080, "", ""));
    }

    #[test]
    fn any_other_cluster_has_no_host() {
        for name in ["shop", "", "a|b|c|d", "outbound|443|v1", "outbound|443|v1|host|more", "outbound|99999||host"] {
            assert_eq!(parts(name), (0, "", ""), "{name}");
        }
    }
}
