//! What the stream is opened to, as Envoy reads it.

use prost::Message as _;

use crate::bootstrap::House;

/// A serialised `envoy.config.core.v3.GrpcService`. Never a bare cluster name: Envoy tries to read every name as this message
/// first, and one that happens to parse (`users` does) ends the process.
///
/// Fields: `GrpcService.envoy_grpc` = 1 { `cluster_name` = 1, `authority` = 2, `max_receive_message_length` = 4 { `value` = 1 } }.
pub(super) fn message(house: &House, max_message: usize) -> Vec<u8> {
    #[derive(Clone, PartialEq, prost::Message)]
    struct GrpcService {
        #[prost(message, optional, tag = "1")]
        envoy_grpc: Option<EnvoyGrpc>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct EnvoyGrpc {
        #[prost(string, tag = "1")]
        cluster_name: String,
        #[prost(string, tag = "2")]
        authority: String,
        #[prost(message, optional, tag = "4")]
        max_receive_message_length: Option<UInt32Value>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct UInt32Value {
        #[prost(uint32, tag = "1")]
        value: u32,
    }
    let envoy_grpc = EnvoyGrpc {
        cluster_name: house.cluster.clone(),
        authority: house.authority.clone(),
        max_receive_message_length: u32::try_from(max_message).ok().map(|value| UInt32Value { value }),
    };
    GrpcService { envoy_grpc: Some(envoy_grpc) }.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_upstream_is_always_a_message_and_never_a_bare_name() {
        let timeout = core::time::Duration::from_secs(5);
        let house = House { cluster: "users".into(), authority: "gatehouse".into(), timeout };
        let bytes = message(&house, 1024 * 1024);
        assert_eq!(bytes, b"\x0a\x18\x0a\x05users\x12\x09gatehouse\x22\x04\x08\x80\x80\x40");
    }
}
