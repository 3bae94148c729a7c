//! A request, a verdict.

use envoy_types::ext_authz::v3::pb::{CheckRequest, CheckResponse};
use envoy_types::ext_authz::v3::{CheckRequestExt as _, CheckResponseExt as _, DeniedHttpResponseBuilder};
use envoy_types::pb::envoy::service::auth::v3::authorization_server::Authorization;
use envoy_types::pb::envoy::r#type::v3::StatusCode;
use tonic::{Request, Response, Status};

use super::refuses;

/// The service.
pub(super) struct Service;

#[tonic::async_trait]
impl Authorization for Service {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let request = request.into_inner();
        let headers = request.get_client_headers().ok_or_else(|| Status::invalid_argument("no request"))?;
        let refused = refuses(headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
        if !refused {
            return Ok(Response::new(CheckResponse::with_status(Status::ok(""))));
        }
        let mut answer = CheckResponse::with_status(Status::permission_denied("refused"));
        let mut denied = DeniedHttpResponseBuilder::new();
        denied.set_http_status(StatusCode::Forbidden).set_body("refused\n");
        answer.set_http_response(denied);
        Ok(Response::new(answer))
    }
}
