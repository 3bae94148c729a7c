//! The admin listener, on loopback: `/healthz` `/readyz` `/metrics` `/status`, `PUT /log?level=…`, and what the command line
//! asks for (`/books`, `/brake`, `/verdicts`, `/policy/…`, `/explain/REF`).
//!
//! Nothing here needs a login, so nothing here may be reached by a web page either: a request whose `Host` is not a
//! loopback name is refused (DNS rebinding), and what changes something is a `PUT` or a `DELETE`, which a page cannot send
//! across origins unasked. What changes how requests are judged is done for root and the house's own user only (`caller`).

mod books;
mod brake;
mod caller;
mod policy;
mod scrape;
mod status;
mod tallies;
mod verdicts;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::extract::{Path, Request, State as Shared};
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use axum::{Json, Router};
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

use crate::intake::Intake;
use crate::intake::guarded::Door;
use crate::intake::streams::View;
use crate::logging::{Level, Log};
use crate::metrics::Metrics;
use crate::policies::{Policies, Snapshot};
use crate::sink::board::Board;
use crate::spool::SpoolHandle;
use crate::standing::Standing;

pub use status::Status;

/// What the admin listener shows.
pub struct State {
    /// Name of this house.
    pub node: String,
    /// When it started.
    pub started: SystemTime,
    /// The streams and the books.
    pub intake: Arc<Intake>,
    /// The policy in force.
    pub policies: Policies,
    /// What gates are told beside their policy.
    pub standing: Standing,
    /// The spool.
    pub spool: SpoolHandle,
    /// The sinks, in the order configured.
    pub sinks: Vec<Arc<Board>>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// The running log.
    pub log: Log,
    /// Gates are let in.
    pub ready: AtomicBool,
    /// Address of this listener.
    pub admin: SocketAddr,
    /// The door for gates of other machines.
    pub door: Option<Arc<Door>>,
}

#[derive(Clone)]
struct Pages {
    state: Arc<State>,
    registry: Arc<Registry>,
}

/// Serves until `stop` resolves.
///
/// # Errors
/// The listener failed.
pub async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    let service = router(state).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(stop).await
}

fn router(state: Arc<State>) -> Router {
    let mut registry = Registry::default();
    state.metrics.register(&mut registry);
    registry.register_collector(Box::new(scrape::Scrape::new(Arc::clone(&state))));
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .route("/books", get(books))
        .route("/explain/{reference}", get(explain))
        .route("/log", put(set_level))
        .route("/policy/rules", get(policy::rules))
        .route("/policy/diff", get(policy::difference))
        .route("/verdicts", get(verdicts::show).put(verdicts::add))
        .route("/verdicts/remove", put(verdicts::remove))
        .route("/brake", get(brake::show).put(brake::set).delete(brake::release))
        .layer(middleware::from_fn(only_loopback))
        .with_state(Pages { state, registry: Arc::new(registry) })
}

async fn readyz(Shared(pages): Shared<Pages>) -> Response {
    if pages.state.ready.load(Ordering::Acquire) {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, "not ready: gates are not let in\n").into_response()
}

async fn metrics(Shared(pages): Shared<Pages>) -> Response {
    openmetrics(&pages.registry)
}

/// A page of metrics, as Prometheus asks for it.
pub(crate) fn openmetrics(registry: &Registry) -> Response {
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn status(Shared(pages): Shared<Pages>) -> Json<Status> {
    Json(Status::of(&pages.state))
}

async fn books(Shared(pages): Shared<Pages>) -> Json<books::Accounts> {
    Json(books::Accounts::of(&pages.state))
}

/// The verdict of a request that was seen, by its reference; of what the gate let leave the gateway. With the text of the
/// policy that decided, where it is still kept.
async fn explain(Shared(pages): Shared<Pages>, Path(reference): Path<String>) -> Response {
    let found = tokio::task::spawn_blocking(move || {
        let references = &pages.state.intake.references;
        let record = references.find(&crate::explain::written(&reference))?;
        let digest = record.judgement.as_ref().map(|judgement| judgement.policy_digest.as_slice()).unwrap_or_default();
        Some(crate::explain::seen(&record, references.policy(digest)))
    });
    match found.await.ok().flatten() {
        Some(verdict) => Json(verdict).into_response(),
        None => (StatusCode::NOT_FOUND, "no record with this reference is kept here\n").into_response(),
    }
}

async fn set_level(Shared(pages): Shared<Pages>, uri: Uri) -> Response {
    let word = uri.query().and_then(|query| query.strip_prefix("level=")).unwrap_or_default();
    match word.parse::<Level>() {
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}; write `PUT /log?level=debug`\n")).into_response(),
        Ok(level) if pages.state.log.set_level(level) => {
            tracing::info!(%level, "log level changed");
            format!("level is {level}\n").into_response()
        }
        Ok(_) => (StatusCode::CONFLICT, "the log of this process is not the house's to change\n").into_response(),
    }
}

pub(crate) async fn only_loopback(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if is_loopback_name(host) {
        return next.run(request).await;
    }
    let text = "this listener answers to loopback names only, such as `localhost` or `127.0.0.1`\n";
    (StatusCode::FORBIDDEN, text).into_response()
}

/// Whether a `Host` (RFC 9110, 7.2) names loopback, with or without a port.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Workers in which this very policy is in force.
fn workers_current(views: &[View], current: Option<&Snapshot>) -> usize {
    let Some(current) = current else { return 0 };
    let digest = current.digest();
    views.iter().filter(|view| view.policy.as_ref().is_some_and(|(_, theirs)| theirs[..] == digest)).count()
}
