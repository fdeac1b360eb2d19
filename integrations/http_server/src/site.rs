//! What is served: a greeting, a nap, and the mean of numbers in JSON.

use std::cell::Cell;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, EXPECT, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use petla::{sleep, timeout};
use serde::{Deserialize, Serialize};

const NAP_MAX: Duration = Duration::from_secs(10);
/// How many times the limit a body may be and still be read, and thrown away, before it is
/// refused: a client that writes first and reads later would else lose the answer. Beyond that some
/// lose it, curl over HTTP/2 among them, which then sees its stream reset.
const EXCESS: usize = 16;

pub(crate) struct Site {
    body_max: usize,
    body_time: Duration,
    served: Cell<u64>,
}

/// An answer that is an error: a status, and what to do better.
struct Refusal {
    status: StatusCode,
    text: String,
}

#[derive(Deserialize)]
struct Values {
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Mean {
    count: usize,
    mean: f64,
}

type Page = Response<Full<Bytes>>;

impl Site {
    pub(crate) fn new(body_max: usize, body_time: Duration) -> Site {
        Site {
            body_max,
            body_time,
            served: Cell::new(0),
        }
    }

    pub(crate) fn served(&self) -> u64 {
        self.served.get()
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Page {
        let page = self.page(request).await.unwrap_or_else(Refusal::into_page);
        self.served.set(self.served.get() + 1);
        page
    }

    async fn page(&self, request: Request<Incoming>) -> Result<Page, Refusal> {
        let path = request.uri().path();
        match (request.method(), path) {
            (&Method::GET | &Method::HEAD, "/") => {
                let text = format!("hello over {:?}\n", request.version());
                Ok(page(StatusCode::OK, "text/plain", text.into_bytes()))
            }
            (&Method::POST, "/mean") => {
                let body = self.body(request).await?;
                Ok(json(StatusCode::OK, &mean(&body)?))
            }
            (&Method::GET, _) if path.starts_with("/nap/") => nap(path).await,
            (_, "/") => Ok(not_like_this("GET, HEAD")),
            (_, "/mean") => Ok(not_like_this("POST")),
            _ => Err(Refusal::new(StatusCode::NOT_FOUND, "not here")),
        }
    }

    /// The whole body, if it is not too large and comes in time.
    async fn body(&self, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
        let asks_first = request.headers().contains_key(EXPECT);
        let body = request.into_body();
        if asks_first && body.size_hint().lower() > self.body_max as u64 {
            return Err(self.too_large());
        }
        match timeout(self.body_time, self.read(body)).await {
            Ok(body) => body,
            Err(_) => Err(Refusal::new(
                StatusCode::REQUEST_TIMEOUT,
                format!("the body took longer than {:?}", self.body_time),
            )),
        }
    }

    async fn read(&self, mut body: Incoming) -> Result<Vec<u8>, Refusal> {
        let (mut bytes, mut length) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            let broken = |error| Refusal::new(StatusCode::BAD_REQUEST, format!("{error}"));
            let Ok(data) = frame.map_err(broken)?.into_data() else {
                continue; // trailers
            };
            length += data.len();
            if length <= self.body_max {
                bytes.extend_from_slice(&data);
            } else if length > EXCESS * self.body_max {
                break;
            }
        }
        if length > self.body_max {
            return Err(self.too_large());
        }
        Ok(bytes)
    }

    fn too_large(&self) -> Refusal {
        let text = format!("the body may have {} bytes", self.body_max);
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    }
}

/// Answers after the milliseconds that the path names.
async fn nap(path: &str) -> Result<Page, Refusal> {
    let wrong = || {
        let text = format!(
            "write /nap/N, N milliseconds, at most {}",
            NAP_MAX.as_millis()
        );
        Refusal::new(StatusCode::BAD_REQUEST, text)
    };
    let time = path
        .strip_prefix("/nap/")
        .and_then(|time| time.parse().ok());
    let time = Duration::from_millis(time.ok_or_else(wrong)?);
    if time > NAP_MAX {
        return Err(wrong());
    }
    sleep(time).await;
    Ok(page(StatusCode::OK, "text/plain", b"good morning\n".into()))
}

fn mean(body: &[u8]) -> Result<Mean, Refusal> {
    let values = serde_json::from_slice(body).map_err(|error| {
        let text = format!("the body must be JSON such as {{\"values\": [1, 2.5]}}: {error}");
        Refusal::new(StatusCode::BAD_REQUEST, text)
    });
    let Values { values } = values?;
    if values.is_empty() {
        let text = "no values have no mean";
        return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
    }
    let count = values.len();
    // Divided first, so that the sum of large values stays finite.
    let mean = values.iter().map(|value| value / count as f64).sum();
    Ok(Mean { count, mean })
}

impl Refusal {
    fn new(status: StatusCode, text: impl Into<String>) -> Refusal {
        let text = text.into();
        Refusal { status, text }
    }

    fn into_page(self) -> Page {
        json(self.status, &serde_json::json!({ "error": self.text }))
    }
}

fn not_like_this(methods: &'static str) -> Page {
    let refusal = Refusal::new(StatusCode::METHOD_NOT_ALLOWED, format!("use {methods}"));
    let mut page = refusal.into_page();
    page.headers_mut()
        .insert(ALLOW, HeaderValue::from_static(methods));
    page
}

fn json(status: StatusCode, value: &impl Serialize) -> Page {
    let mut text = serde_json::to_vec(value).expect("neither maps with odd keys nor writers");
    text.push(b'\n');
    page(status, "application/json", text)
}

fn page(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Page {
    let mut page = Response::new(Full::from(body));
    *page.status_mut() = status;
    page.headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    page
}
