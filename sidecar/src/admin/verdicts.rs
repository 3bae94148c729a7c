//! `GET` and `PUT /verdicts`, `PUT /verdicts/remove`: what `gatehouse verdict` asks. All of it is for those who may change the
//! house: lists name clients.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State as Shared;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use gatehouse_policy::document::{self, Node, Problems};
use serde::Serialize;

use super::caller::Changer;
use super::{Pages, State};
use crate::audit::Who;
use crate::lists;
use crate::verdicts::{EntryView, Full, ListView, Order, Removal};

/// How long an answer waits for the workers to say that they have the list.
const WORKERS_WITHIN: Duration = Duration::from_secs(1);
/// Entries that one answer shows.
const MAX_SHOWN: usize = 10_000;

/// One list and how far it has come.
#[derive(Debug, Serialize)]
pub(super) struct List {
    #[serde(flatten)]
    view: ListView,
    /// Where it is fetched from, of one that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetched: Option<lists::View>,
    /// Workers attached, and those among them that said that exactly this is in force.
    workers: usize,
    workers_current: usize,
}

#[derive(Serialize)]
struct Entries {
    list: String,
    total: usize,
    entries: Vec<EntryView>,
}

#[derive(Serialize)]
struct Changed {
    list: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    removed: Option<usize>,
    workers: usize,
    workers_current: usize,
}

impl List {
    pub(super) fn all(state: &State) -> Vec<Self> {
        let mut held = state.standing.verdicts.lists();
        let mut fetched = state.standing.lists.views();
        for view in &fetched {
            if !held.iter().any(|list| list.name == view.name) {
                held.push(ListView { name: view.name.clone(), entries: 0, version: 0 });
            }
        }
        held.sort_by(|a, b| a.name.cmp(&b.name));
        let of = |view: ListView| {
            let (workers, workers_current) = state.intake.streams.listed_workers(&view.name, view.version);
            let at = fetched.iter().position(|fetched| fetched.name == view.name);
            Self { fetched: at.map(|at| fetched.swap_remove(at)), view, workers, workers_current }
        };
        held.into_iter().map(of).collect()
    }
}

/// Without a query every list; with `?list=NAME` what is on it.
pub(super) async fn show(Shared(pages): Shared<Pages>, _: Changer, uri: Uri) -> Response {
    let Some(query) = uri.query() else {
        return Json(List::all(&pages.state)).into_response();
    };
    let Some(list) = query.strip_prefix("list=") else {
        return refuse(StatusCode::BAD_REQUEST, "write `GET /verdicts?list=NAME`");
    };
    let (entries, total) = pages.state.standing.verdicts.entries(list, MAX_SHOWN).unwrap_or_default();
    Json(Entries { list: list.to_owned(), total, entries }).into_response()
}

pub(super) async fn add(Shared(pages): Shared<Pages>, Changer(uid): Changer, body: String) -> Response {
    let order = match read(&body, Order::read) {
        Ok(order) => order,
        Err(words) => return refuse(StatusCode::BAD_REQUEST, &words),
    };
    let (verdicts, list) = (pages.state.standing.verdicts.clone(), order.list().to_owned());
    match tokio::task::spawn_blocking(move || verdicts.add(order, Who::Uid(uid))).await {
        Ok(Ok(kept)) => {
            let (workers, workers_current) = settled(&pages.state, &list).await;
            Json(Changed { list, kept: Some(kept), removed: None, workers, workers_current }).into_response()
        }
        Ok(Err(full)) => refuse(StatusCode::CONFLICT, &full.to_string()),
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

pub(super) async fn remove(Shared(pages): Shared<Pages>, Changer(uid): Changer, body: String) -> Response {
    let removal = match read(&body, Removal::read) {
        Ok(removal) => removal,
        Err(words) => return refuse(StatusCode::BAD_REQUEST, &words),
    };
    if pages.state.standing.verdicts.is_fetched(removal.list()) {
        return refuse(StatusCode::CONFLICT, &Full::Fetched(removal.list().to_owned()).to_string());
    }
    let (verdicts, list) = (pages.state.standing.verdicts.clone(), removal.list().to_owned());
    match tokio::task::spawn_blocking(move || verdicts.remove(&removal, &Who::Uid(uid))).await {
        Ok(removed) => {
            let (workers, workers_current) = settled(&pages.state, &list).await;
            Json(Changed { list, kept: None, removed: Some(removed), workers, workers_current }).into_response()
        }
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

/// Workers, and those that are current, as soon as all are, or after [`WORKERS_WITHIN`].
async fn settled(state: &State, list: &str) -> (usize, usize) {
    let begin = Instant::now();
    loop {
        let version = state.standing.verdicts.version(list).unwrap_or_default();
        let (workers, current) = state.intake.streams.listed_workers(list, version);
        if workers == current || begin.elapsed() >= WORKERS_WITHIN {
            return (workers, current);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn read<T>(body: &str, read: impl FnOnce(&Node, &mut Problems) -> Option<T>) -> Result<T, String> {
    let mut problems = Problems::default();
    let node = document::json("request", body).map_err(|problems| problems.to_string())?;
    let read = read(&node, &mut problems);
    problems.or(read).map_err(|problems| problems.to_string())?.ok_or_else(|| "it asks for nothing".into())
}

fn refuse(status: StatusCode, words: &str) -> Response {
    (status, format!("{words}\n")).into_response()
}
