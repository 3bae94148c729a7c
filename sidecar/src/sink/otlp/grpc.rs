//! Requests and answers over gRPC, one at a time, on one connection.

use std::io;
use std::time::Duration;

use http::header::AUTHORIZATION;
use http::uri::PathAndQuery;
use http::{HeaderName, HeaderValue, Uri};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use super::Config;
use super::messages::{ExportRequest, ExportResponse};
use crate::sink::board::Trouble;
use crate::sink::peer::{Login, connect};
use crate::sink::tls::Tls;
use crate::sink::trust::Material;

/// Bytes of an answer, at most.
const MAX_ANSWER: usize = 1 << 20;
/// How often the files behind a connection are looked at while the collector is silent.
const LOOK: Duration = Duration::from_secs(1);
/// The method of the logs service.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// One collector and the connection to it.
pub(super) struct Collector {
    config: Config,
    line: Option<Line>,
    /// The collector asked not to be asked before.
    not_before: Option<Instant>,
}

struct Line {
    client: Grpc<Channel>,
    /// The login and what the operator adds.
    headers: Vec<(HeaderName, HeaderValue)>,
    material: Material,
}

impl Collector {
    /// Nothing is connected yet.
    pub(super) fn new(config: Config) -> Self {
        Self { config, line: None, not_before: None }
    }

    /// Lets the next request wait so long.
    pub(super) fn pause(&mut self, pause: Duration) {
        self.not_before = Some(Instant::now() + pause);
    }

    /// Lets go of the connection; the next request makes one, with the files as they are then.
    pub(super) fn hang_up(&mut self) {
        self.line = None;
    }

    /// Sends one request, after the pause that the collector asked for, and gives its whole answer or its refusal.
    pub(super) async fn export(&mut self, export: ExportRequest) -> Result<Result<ExportResponse, Status>, Trouble> {
        if let Some(at) = self.not_before {
            tokio::time::sleep_until(at).await;
            self.not_before = None;
        }
        let mut line = match self.line.take() {
            Some(line) if !line.material.is_stale() => line,
            _ => self.connect().await?,
        };
        let mut request = Request::new(export);
        request.set_timeout(self.config.timeout);
        request.metadata_mut().as_mut().extend(line.headers.iter().cloned());
        let Line { client, material, .. } = &mut line;
        let answer = tokio::select! {
            answer = call(client, request) => answer,
            () = renewed(material) => Err(Status::unavailable("trust material was renewed, connecting anew")),
            () = tokio::time::sleep(self.config.timeout) => {
                Err(Status::deadline_exceeded(format!("no whole answer within {} s", self.config.timeout.as_secs_f32())))
            }
        };
        // Every other refusal may be the connection's.
        let stands = answer
            .as_ref()
            .map_or_else(|status| matches!(status.code(), Code::InvalidArgument | Code::ResourceExhausted), |_| true);
        self.line = Some(line).filter(|_| stands);
        Ok(answer)
    }

    async fn connect(&self) -> Result<Line, Trouble> {
        let Config { address, tls, login, headers: own, .. } = &self.config;
        let used = address.secure.then_some(tls);
        let secrets = login.as_ref().map(Login::file).into_iter().chain(own.files());
        // Looked at before it is read: what is renewed in between shows as stale.
        let material = Material::look(used.into_iter().flat_map(Tls::files).chain(secrets))?;
        let mut headers = own.lines()?;
        if let Some(login) = login {
            headers.push((AUTHORIZATION, login.header("Bearer")?));
        }
        // The one connection is made here, where what is wrong with its trust can be told; a second one is a line of its own.
        let mut stream = Some(TokioIo::new(connect(address, tls, b"h2").await?));
        let connector = tower::service_fn(move |_: Uri| {
            let stream = stream.take().ok_or_else(|| io::Error::other("the connection has ended"));
            async move { stream }
        });
        let failed = |error: tonic::transport::Error| Trouble::Retry(crate::sink::peer::told(&error));
        let scheme = if address.secure { "https" } else { "http" };
        let endpoint = Endpoint::from_shared(format!("{scheme}://{}", address.authority)).map_err(failed)?;
        let channel = endpoint.connect_with_connector(connector).await.map_err(failed)?;
        let mut client = Grpc::new(channel).max_decoding_message_size(MAX_ANSWER);
        if self.config.gzip {
            // A collector answers in kind, asked or not.
            client = client.send_compressed(CompressionEncoding::Gzip).accept_compressed(CompressionEncoding::Gzip);
        }
        Ok(Line { client, headers, material })
    }
}

async fn call(client: &mut Grpc<Channel>, request: Request<ExportRequest>) -> Result<ExportResponse, Status> {
    client.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
    let codec = ProstCodec::<ExportRequest, ExportResponse>::default();
    Ok(client.unary(request, PathAndQuery::from_static(EXPORT), codec).await?.into_inner())
}

async fn renewed(material: &Material) {
    loop {
        tokio::time::sleep(LOOK).await;
        if material.is_stale() {
            return;
        }
    }
}
