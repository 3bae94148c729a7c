//! `GET`, `PUT` and `DELETE /brake`: what `gatehouse mode` asks.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use gatehouse_policy::document::{self, Problems};
use serde::Serialize;

use super::caller::Changer;
use super::{Pages, State};
use crate::audit::Who;
use crate::brake::{Order, View};

/// How long an answer waits for the workers to say that they brake.
const WORKERS_WITHIN: Duration = Duration::from_secs(1);

/// The brakes and how far they have come.
#[derive(Debug, Serialize)]
pub(super) struct Brakes {
    #[serde(flatten)]
    view: View,
    /// Workers attached, and those among them that said that exactly this is in force.
    workers: usize,
    workers_current: usize,
}

#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    brakes: Brakes,
    /// It survives a restart of the house.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    released: Option<Vec<String>>,
    /// It is done, and probably not what was meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
}

impl Brakes {
    pub(super) fn of(state: &State) -> Self {
        let view = state.standing.brakes.view();
        let (workers, workers_current) = state.intake.streams.braked_workers(view.version);
        Self { view, workers, workers_current }
    }

    /// As soon as every worker is current, or after [`WORKERS_WITHIN`].
    async fn settled(state: &State) -> Self {
        let begin = Instant::now();
        loop {
            let brakes = Self::of(state);
            if brakes.workers == brakes.workers_current || begin.elapsed() >= WORKERS_WITHIN {
                return brakes;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub(super) async fn show(Shared(pages): Shared<Pages>) -> Json<Brakes> {
    Json(Brakes::of(&pages.state))
}

pub(super) async fn set(Shared(pages): Shared<Pages>, Changer(uid): Changer, body: String) -> Response {
    let mut problems = Problems::default();
    let order = document::json("request", &body).map(|node| Order::read(&node, &mut problems));
    let order = match order.and_then(|order| problems.or(order)) {
        Ok(Some(order)) => order,
        Ok(None) => return (StatusCode::BAD_REQUEST, "it holds no brake\n").into_response(),
        Err(problems) => return (StatusCode::BAD_REQUEST, format!("{problems}\n")).into_response(),
    };
    let (brakes, policies) = (pages.state.standing.brakes.clone(), pages.state.policies.clone());
    let scope = order.scope().to_owned();
    match tokio::task::spawn_blocking(move || brakes.set(order, Who::Uid(uid))).await {
        Ok(Ok(kept)) => {
            let brakes = Brakes::settled(&pages.state).await;
            let nobody = policies.has_scope(&scope) == Some(false);
            let warning = nobody.then(|| format!("no document of the policy in force stands at or below `{scope}`"));
            Json(Changed { brakes, kept: Some(kept), released: None, warning }).into_response()
        }
        Ok(Err(full)) => (StatusCode::CONFLICT, format!("{full}\n")).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

/// `?scope=S`: what holds for exactly this scope; without it, everything.
pub(super) async fn release(Shared(pages): Shared<Pages>, Changer(uid): Changer, uri: Uri) -> Response {
    let scope = match uri.query() {
        None | Some("") => None,
        Some(query) => match query.strip_prefix("scope=") {
            Some(scope) => Some(scope.to_owned()),
            None => return (StatusCode::BAD_REQUEST, "write `DELETE /brake?scope=SCOPE`\n").into_response(),
        },
    };
    let brakes = pages.state.standing.brakes.clone();
    match tokio::task::spawn_blocking(move || brakes.release(scope.as_deref(), &Who::Uid(uid))).await {
        Ok(released) => {
            let brakes = Brakes::settled(&pages.state).await;
            Json(Changed { brakes, kept: None, released: Some(released), warning: None }).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}
