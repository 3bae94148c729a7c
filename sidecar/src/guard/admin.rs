//! `/healthz`, `/readyz`, `/metrics` on loopback: is it live, does it let anybody in, what has it counted. As at the house's, a request that
//! names another host is refused: no web page gets here by a name of its own.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::counts::Counts;
use crate::admin::{only_loopback, openmetrics};
use crate::renewed::Renewed;

/// Serves until `stop`.
///
/// # Errors
/// The address is taken.
pub(super) async fn serve(
    config: &Config,
    counts: Arc<Counts>,
    trust: Renewed,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = config.admin;
    let listener = TcpListener::bind(address).await.map_err(|error| {
        io::Error::new(error.kind(), format!("the admin listener cannot have {address}: {error}; write `admin`"))
    })?;
    tracing::info!(address = %listener.local_addr()?, "the admin listener is open");
    let mut registry = Registry::default();
    counts.register(&mut registry);
    let registry = Arc::new(registry);
    let ready = move || {
        let waiting = trust.acceptor().is_none().then(|| trust.waiting().unwrap_or_default());
        async move {
            match waiting {
                None => (StatusCode::OK, "ready\n".to_owned()),
                Some(problem) => (StatusCode::SERVICE_UNAVAILABLE, format!("waiting: {problem}\n")),
            }
        }
    };
    let scrape = move || {
        let page = openmetrics(&registry);
        async move { page }
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "live\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(scrape))
        .layer(middleware::from_fn(only_loopback));
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the admin listener ended");
        }
    });
    Ok(())
}
