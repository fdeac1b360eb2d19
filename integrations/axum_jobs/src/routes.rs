//! The HTTP side: what clients send, and what they get.
//!
//! axum wants handlers whose futures are `Send`, for runtimes that move tasks between threads.
//! Here nothing moves, and what a handler awaits is not `Send` (the pool's cancel scope, for one).
//! So each handler gives its future through [`send_local`], which checks that it stays here. What
//! they share must be `Send + Sync` as well: hence an `Arc`, and `petla::sync` inside.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use petla::{send_local, timeout};
use serde_json::json;

use crate::jobs::{Application, Jobs};
use crate::store::{Status, Stored};

/// The largest application, in bytes.
const BODY_LIMIT: usize = 16 * 1024;
/// For a whole request, above all for a body that comes slowly.
const LIMIT: Duration = Duration::from_secs(8);

type Shared = State<Arc<Jobs>>;

pub(crate) fn router(jobs: Arc<Jobs>) -> Router {
    Router::new()
        .route("/decisions", post(apply))
        .route("/decisions/{id}", get(decision))
        .route("/statuses/{id}", get(status))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn(in_time))
        .with_state(jobs)
}

/// Handlers as axum wants them are `Send`, and so is petla's timeout around them.
async fn in_time(request: Request, next: Next) -> Response {
    let answer = timeout(LIMIT, next.run(request)).await;
    answer.unwrap_or_else(|_| Failure::TooSlow.into_response())
}

/// Why a client does not get what it asked for.
enum Failure {
    Unreadable(JsonRejection),
    Unknown,
    NotReady(Status),
    Failed(String),
    Busy,
    TooSlow,
    /// The database is away; the details are for the log.
    Away(anyhow::Error),
}

fn apply(
    State(jobs): Shared,
    application: Result<Json<Application>, JsonRejection>,
) -> impl Future<Output = Result<Response, Failure>> + Send {
    send_local(async move {
        let Json(application) = application.map_err(Failure::Unreadable)?;
        if jobs.is_full() {
            return Err(Failure::Busy);
        }
        let id = jobs.accept(application).await.map_err(Failure::Away)?;
        let place = [(header::LOCATION, format!("/statuses/{id}"))];
        Ok((StatusCode::ACCEPTED, place, Json(json!({ "id": id }))).into_response())
    })
}

fn status(
    State(jobs): Shared,
    Path(id): Path<String>,
) -> impl Future<Output = Result<Response, Failure>> + Send {
    send_local(async move {
        let stored = jobs.store().find(&id).await.map_err(Failure::Away)?;
        let Stored { status, .. } = stored.ok_or(Failure::Unknown)?;
        Ok(Json(json!({ "status": status.name() })).into_response())
    })
}

fn decision(
    State(jobs): Shared,
    Path(id): Path<String>,
) -> impl Future<Output = Result<Response, Failure>> + Send {
    send_local(async move {
        // It is JSON already.
        let as_json = |text: String| {
            let kind = [(header::CONTENT_TYPE, "application/json")];
            (kind, text).into_response()
        };
        if let Some(decision) = jobs.store().cached(&id).await {
            return Ok(as_json(decision));
        }
        let stored = jobs.store().find(&id).await.map_err(Failure::Away)?;
        let Stored { status, result } = stored.ok_or(Failure::Unknown)?;
        match status {
            Status::Ready => Ok(as_json(result)),
            Status::Error => Err(Failure::Failed(result)),
            Status::Pending => Err(Failure::NotReady(status)),
        }
    })
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (code, text) = match self {
            Failure::Unreadable(rejection) => (rejection.status(), rejection.body_text()),
            Failure::Unknown => (StatusCode::NOT_FOUND, "no such job".to_owned()),
            Failure::NotReady(status) => {
                let text = format!("the job is {}: ask again later", status.name());
                (StatusCode::CONFLICT, text)
            }
            Failure::Failed(text) => (StatusCode::INTERNAL_SERVER_ERROR, text),
            Failure::Busy => {
                let text = "too many jobs wait: try again later";
                (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
            }
            Failure::TooSlow => (StatusCode::REQUEST_TIMEOUT, "that took too long".to_owned()),
            Failure::Away(error) => {
                eprintln!("a request failed: {error:#}");
                let text = "the database does not answer: try again later";
                (StatusCode::SERVICE_UNAVAILABLE, text.to_owned())
            }
        };
        (code, Json(json!({ "error": text }))).into_response()
    }
}
