//! A stream a request: its headers are judged, then those of the answer looked at, as a record needs them.

use envoy_types::pb::envoy::config::core::v3::HeaderMap;
use envoy_types::pb::envoy::service::ext_proc::v3::external_processor_server::ExternalProcessor;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Asked;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response as Answer;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HeadersResponse, ImmediateResponse, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use super::refuses;

/// The service.
pub(super) struct Service;

#[tonic::async_trait]
impl ExternalProcessor for Service {
    type ProcessStream = ReceiverStream<Result<ProcessingResponse, Status>>;

    async fn process(
        &self,
        request: Request<Streaming<ProcessingRequest>>,
    ) -> Result<Response<Self::ProcessStream>, Status> {
        let (answers, stream) = tokio::sync::mpsc::channel(2);
        let mut asked = request.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(ProcessingRequest { request: Some(request), .. })) = asked.message().await {
                let answer = answered(request);
                let response = answer.map(|answer| ProcessingResponse { response: Some(answer), ..Default::default() });
                if answers.send(response).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn answered(request: Asked) -> Result<Answer, Status> {
    match request {
        Asked::RequestHeaders(request) => {
            let headers = request.headers.unwrap_or_default();
            Ok(if refuses(pairs(&headers)) {
                Answer::ImmediateResponse(ImmediateResponse {
                    status: Some(HttpStatus { code: 403 }),
                    body: b"refused\n".to_vec(),
                    ..Default::default()
                })
            } else {
                Answer::RequestHeaders(HeadersResponse::default())
            })
        }
        Asked::ResponseHeaders(response) => {
            let headers = response.headers.unwrap_or_default();
            let status = pairs(&headers).find(|(name, _)| *name == b":status");
            status.ok_or_else(|| Status::invalid_argument("no status"))?;
            Ok(Answer::ResponseHeaders(HeadersResponse::default()))
        }
        _ => Err(Status::unimplemented("only headers are asked for")),
    }
}

fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    headers.headers.iter().map(|header| {
        let value = if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value[..] };
        (header.key.as_bytes(), value)
    })
}
