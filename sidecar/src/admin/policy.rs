//! `GET /policy/rules` and `GET /policy/diff?against=proposed`.

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::{Pages, State};
use crate::packs::Shelf;
use crate::policies::{Snapshot, folder};
use crate::rollout::counts::{Summary, View};
use crate::rollout::diff::diff;
use crate::rollout::rollbacks::Rollback;

/// Rollbacks that a page shows.
const MAX_SHOWN: usize = 32;

/// What the policy in force did, in sums; and what workers took back.
#[derive(Debug, Serialize)]
pub(super) struct Rollout {
    #[serde(flatten)]
    counts: Summary,
    /// Rules of the policy in force that some worker took back.
    rolled_back: Vec<String>,
    /// Newest first, of whichever policy.
    rollbacks: Vec<Rollback>,
}

#[derive(Serialize)]
struct Rules {
    revision: u64,
    #[serde(flatten)]
    counts: View,
    rolled_back: Vec<String>,
}

impl Rollout {
    pub(super) fn of(state: &State) -> Self {
        Self {
            counts: state.intake.counts.summary(),
            rolled_back: rolled_back(state),
            rollbacks: state.standing.rollbacks.newest(MAX_SHOWN),
        }
    }
}

pub(super) async fn rules(Shared(pages): Shared<Pages>) -> Response {
    let state = &pages.state;
    let revision = state.policies.current().as_ref().map_or(0, Snapshot::revision);
    Json(Rules { revision, counts: state.intake.counts.view(), rolled_back: rolled_back(state) }).into_response()
}

/// The policy in force against what lies in `proposed` beside the policy folder.
pub(super) async fn difference(Shared(pages): Shared<Pages>, uri: Uri) -> Response {
    if uri.query() != Some("against=proposed") {
        return refuse(StatusCode::BAD_REQUEST, "write `GET /policy/diff?against=proposed`");
    }
    let Some(proposed) = pages.state.policies.proposed() else {
        return refuse(StatusCode::NOT_FOUND, "this house has no policy folder, so there is no `proposed` beside it");
    };
    let ranges = pages.state.policies.ranges();
    let Some(current) = pages.state.policies.documents() else {
        let words = "the documents of the policy in force are not known: it was kept from before a restart";
        return refuse(StatusCode::CONFLICT, words);
    };
    let compared = tokio::task::spawn_blocking(move || {
        // List files are looked for below the proposed folder: those of the policy in force may differ.
        let shelf = Shelf::open(Some(&proposed), ranges.as_deref());
        folder::read(&proposed).map(|new| diff(&current, &new.documents, &shelf))
    });
    match compared.await {
        Ok(Ok(diff)) => Json(diff).into_response(),
        Ok(Err(error)) => refuse(StatusCode::NOT_FOUND, &format!("cannot read {error}")),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn rolled_back(state: &State) -> Vec<String> {
    state.policies.current().map(|policy| state.standing.rollbacks.rules(&policy)).unwrap_or_default()
}

fn refuse(status: StatusCode, words: &str) -> Response {
    (status, format!("{words}\n")).into_response()
}
