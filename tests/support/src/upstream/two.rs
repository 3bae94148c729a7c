//! The upstream's HTTP/2 side.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body_util::BodyExt;
use http_body_util::channel::{Channel, Sender};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;

use super::answer::{Answer, answer};
use super::{Received, Store};
use crate::client::fields;
use crate::http1::Body;

pub(super) async fn serve(stream: TcpStream, store: Arc<Store>) -> io::Result<()> {
    let service = service_fn(move |request| exchange(request, Arc::clone(&store)));
    let mut builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    builder.max_header_list_size(16 << 20).max_concurrent_streams(10_000);
    builder.serve_connection(TokioIo::new(stream), service).await.map_err(io::Error::other)
}

async fn exchange(request: Request<Incoming>, store: Arc<Store>) -> Result<Response<Channel<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?;
    let trailers = body.trailers().map(fields).unwrap_or_default();
    let body = Body { bytes: body.to_bytes().to_vec(), trailers };
    let target = head.uri.path_and_query().map_or("", |target| target.as_str()).as_bytes().to_vec();
    let mut names = fields(&head.headers);
    if let Some(authority) = head.uri.authority() {
        names.insert(0, (b"host".to_vec(), authority.as_str().as_bytes().to_vec()));
    }
    let received = Received::new("HTTP/2", head.method.to_string(), target, names, &body);
    let answer = answer(&received, &body);
    store.keep(received);
    let mut response = Response::builder().status(answer.status).header("x-upstream", "app");
    if let Ok(kind) = HeaderValue::from_str(&answer.content_type) {
        response = response.header("content-type", kind);
    }
    let (sender, channel) = Channel::new(4);
    tokio::spawn(send(sender, answer));
    Ok(response.body(channel).expect("a response of fixed parts"))
}

async fn send(mut sender: Sender<Bytes, Infallible>, answer: Answer) {
    for (pause, piece) in answer.pieces {
        tokio::time::sleep(pause).await;
        if !piece.is_empty() && sender.send_data(Bytes::from(piece)).await.is_err() {
            return;
        }
    }
    if !answer.trailers.is_empty() {
        let pairs = answer.trailers.into_iter();
        let trailers: HeaderMap =
            pairs.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect();
        let _ = sender.send_trailers(trailers).await;
    }
}
