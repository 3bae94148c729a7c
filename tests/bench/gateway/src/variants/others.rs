//! What else could judge or record in a gateway: the same requests, the same verdicts.

use std::net::SocketAddr;

use gatehouse_support::envoy::config::cluster;
use gatehouse_support::ports;
use serde_json::{Value, json};

use super::{Beside, Material, Variant, run};
use crate::frame::{Answers, Frame};
use crate::rivals::{lua, native::Native};
use crate::service::{Kind, Service};

const TYPES: &str = "type.googleapis.com/envoy.extensions";
/// The cluster of a service.
const BESIDE: &str = "beside";

pub(super) async fn start(material: &Material, answers: Answers) -> Vec<Variant> {
    let native = Native::of(&material.book);
    vec![
        with_lua(material, answers).await,
        with_native(material, answers, &native).await,
        judged_beside("ext_authz", "the engine in a service, asked by ext_authz", material, answers, Kind::Authz).await,
        judged_beside("ext_proc", "the same, asked by ext_proc: both heads", material, answers, Kind::Proc).await,
        logged(material, answers).await,
        hairpin(material, answers, &native).await,
    ]
}

pub(super) async fn with_lua(material: &Material, answers: Answers) -> Variant {
    let mut gateway = material.frame(answers).finish();
    let script = json!({ "inline_string": lua::script(&material.book) });
    let kind = format!("{TYPES}.filters.http.lua.v3.Lua");
    gateway.filters.push(json!({ "name": "lua", "typed_config": { "@type": kind, "default_source_code": script } }));
    Variant::new("lua", "the same rules in Lua, without records", &material.by_full, &gateway).await
}

pub(super) async fn with_native(material: &Material, answers: Answers, native: &Native) -> Variant {
    let gateway = judging(material.frame(answers), native).finish();
    let what = "the same rules in RBAC and local rate limit, without records";
    Variant::new("native", what, &material.by_full, &gateway).await
}

fn judging(mut frame: Frame, native: &Native) -> Frame {
    frame.gateway.filters.extend(native.filters.iter().cloned());
    frame.virtual_hosts.iter_mut().for_each(|host| native.at_host(host));
    frame
}

async fn judged_beside(
    name: &'static str,
    what: &'static str,
    material: &Material,
    answers: Answers,
    kind: Kind,
) -> Variant {
    let service = Service::start(kind).await;
    let mut gateway = material.frame(answers).finish();
    gateway.clusters.push(cluster(BESIDE, &tcp(service.address()), true));
    let filter = match kind {
        Kind::Authz => json!({
            "@type": format!("{TYPES}.filters.http.ext_authz.v3.ExtAuthz"),
            "grpc_service": grpc(),
            "transport_api_version": "V3",
            // A service that fails is told from one that refuses.
            "status_on_error": { "code": "ServiceUnavailable" },
        }),
        Kind::Proc => json!({
            "@type": format!("{TYPES}.filters.http.ext_proc.v3.ExternalProcessor"),
            "grpc_service": grpc(),
            "message_timeout": "5s",
            "processing_mode": {
                "request_header_mode": "SEND", "response_header_mode": "SEND",
                "request_body_mode": "NONE", "response_body_mode": "NONE",
                "request_trailer_mode": "SKIP", "response_trailer_mode": "SKIP",
            },
        }),
        Kind::Log => panic!("a log does not judge"),
    };
    gateway.filters.push(json!({ "name": name, "typed_config": filter }));
    let mut variant = Variant::new(name, what, &material.by_full, &gateway).await;
    variant.beside = Some(Beside::Service(service));
    variant
}

async fn logged(material: &Material, answers: Answers) -> Variant {
    let service = Service::start(Kind::Log).await;
    let mut gateway = material.frame(answers).finish();
    gateway.clusters.push(cluster(BESIDE, &tcp(service.address()), true));
    let log = json!([{ "name": "log", "typed_config": {
        "@type": format!("{TYPES}.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"),
        "common_config": { "log_name": "bench", "grpc_service": grpc(), "transport_api_version": "V3" },
        // The others that a record of the gate holds are there already.
        "additional_request_headers_to_log": ["accept", "accept-encoding", "accept-language", "content-type"],
        "additional_response_headers_to_log": ["content-type"],
    } }]);
    gateway.manager.push(("access_log", log));
    let what = "no verdicts: Envoy's gRPC access log to a service";
    let mut variant = Variant::new("access_log", what, &material.unjudged, &gateway).await;
    variant.beside = Some(Beside::Service(service));
    variant
}

/// Client → Envoy → an Envoy that judges → the first again → application: a header says what was judged.
async fn hairpin(material: &Material, answers: Answers, native: &Native) -> Variant {
    const JUDGED: (&str, &str) = ("x-judged", "yes");
    let port = ports::free();
    let mut judge = judging(material.frame(answers), native);
    judge.send_to("gateway");
    let header =
        json!({ "header": { "key": JUDGED.0, "value": JUDGED.1 }, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD" });
    judge.virtual_hosts.iter_mut().for_each(|host| host["request_headers_to_add"] = json!([header]));
    judge.gateway.clusters.push(cluster("gateway", &tcp(SocketAddr::from(([127, 0, 0, 1], port))), false));
    let judge = run(&judge.finish()).await;

    let mut front = material.frame(answers);
    let is_judged = json!({ "name": JUDGED.0, "string_match": { "exact": JUDGED.1 } });
    let mut behind: Value = front.virtual_hosts[0]["routes"][0].clone();
    behind["match"]["headers"] = json!([is_judged]);
    front.send_to("judge");
    front.route_first(&behind);
    front.gateway.clusters.push(cluster("judge", &tcp(judge.address()), false));
    front.gateway.port = Some(port);
    let what = "Envoy, an Envoy with RBAC and rate limit, the first again";
    let mut variant = Variant::new("hairpin", what, &material.by_full, &front.finish()).await;
    variant.second = Some(judge);
    variant
}

fn grpc() -> Value {
    json!({ "envoy_grpc": { "cluster_name": BESIDE }, "timeout": "5s" })
}

fn tcp(address: SocketAddr) -> Value {
    json!({ "socket_address": { "address": address.ip().to_string(), "port_value": address.port() } })
}
