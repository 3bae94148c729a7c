//! Where the request was sent, as a record tells it: the operator's names and Envoy's words, made printable.

use gatehouse_verdict::record::Upstream;

use super::fields::upstream as fields;
use super::shown;
use super::wire::Wire;

pub(super) fn upstream(upstream: &Upstream, wire: &mut Wire<'_>) {
    let (port, subset, host) = parts(&upstream.cluster);
    wire.shown(fields::ROUTE, &shown(&upstream.route));
    wire.shown(fields::VIRTUAL_HOST, &shown(&upstream.virtual_host));
    wire.shown(fields::CLUSTER, &shown(&upstream.cluster));
    wire.shown(fields::HOST, &shown(host));
    wire.number(fields::PORT, port.into());
    wire.shown(fields::SUBSET, &shown(subset));
    wire.shown(fields::ADDRESS, &shown(&upstream.address));
    wire.number(fields::CONNECTED_NS, upstream.connected_ns);
    wire.number(fields::FIRST_BYTE_NS, upstream.first_byte_ns);
    wire.number(fields::LAST_BYTE_NS, upstream.last_byte_ns);
    wire.shown(fields::TRANSPORT_FAILURE, &shown(&upstream.transport_failure));
    wire.number(fields::ATTEMPTS, upstream.attempts.into());
}

/// Port, subset and host of a mesh's cluster name, `DIRECTION|PORT|SUBSET|HOST`; of any other name 0 and nothing.
fn parts(cluster: &str) -> (u16, &str, &str) {
    let parts = || {
        let (_, rest) = at_bar(cluster)?;
        let (port, rest) = at_bar(rest)?;
        let (subset, host) = at_bar(rest)?;
        at_bar(host).is_none().then_some((port.parse().ok()?, subset, host))
    };
    parts().unwrap_or((0, "", ""))
}

/// What stands before the first `|` and what behind it. (A search by words of memory is dearer for so short a text.)
fn at_bar(text: &str) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == b'|')?;
    Some((text.get(..at)?, text.get(at + 1..)?))
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
