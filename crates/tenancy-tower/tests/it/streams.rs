//! A body is polled and dropped in its request's tenant, even if other bodies are polled in between.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::IntoResponse;
use axum::response::sse::{Event, Sse};
use futures_util::stream;
use http::{HeaderMap, Request, Response};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tenancy::{TenantContext, TenantFutureExt};
use tower::{Layer, ServiceExt};

use crate::support::{get, get_of, seen, serve, tenant, text, trusting};

/// A body that reports the current tenant in each frame, in its trailers and when it is dropped.
struct Says {
    left: usize,
    in_drop: Arc<Mutex<Vec<String>>>,
}

impl http_body::Body for Says {
    type Data = bytes::Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<bytes::Bytes>, Infallible>>> {
        let left = self.left;
        self.left = left.saturating_sub(1);
        // A tenant set while one frame is polled must not reach the next frame.
        let saw = seen();
        TenantContext::set(tenant(77));
        match left {
            0 => Poll::Ready(None),
            1 => {
                let mut trailers = HeaderMap::new();
                trailers.insert("seen", saw.parse().unwrap());
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
            left if left % 2 == 0 => Poll::Ready(Some(Ok(Frame::data(saw.into())))),
            _ => {
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::new()
    }
}

impl Drop for Says {
    fn drop(&mut self) {
        self.in_drop.lock().unwrap().push(seen());
    }
}

async fn body(
    number: u64,
    left: usize,
    in_drop: &Arc<Mutex<Vec<String>>>,
) -> impl http_body::Body<Data = bytes::Bytes, Error = Infallible> + Unpin + use<> {
    let in_drop = Arc::clone(in_drop);
    let service = tower::service_fn(move |_: Request<Body>| {
        let in_drop = Arc::clone(&in_drop);
        async move { Ok::<_, Infallible>(Response::new(Says { left, in_drop })) }
    });
    trusting().layer(service).oneshot(get_of(tenant(number))).await.unwrap().into_body()
}

/// In `ErwinM/acts_as_tenant`#175, the tenant was unset while the body streamed.
#[tokio::test]
async fn body_is_polled_and_dropped_in_its_tenant() {
    let in_drop = Arc::default();
    let mut body = body(1, 6, &in_drop).await;
    assert!(!body.is_end_stream());
    let mut frames = Vec::new();
    // The body neither sees nor changes the caller's context.
    async {
        while let Some(frame) = body.frame().await {
            assert_eq!(TenantContext::get(), Ok(tenant(9)));
            match frame.unwrap().into_data() {
                Ok(data) => frames.push(String::from_utf8(data.to_vec()).unwrap()),
                Err(frame) => {
                    frames.push(frame.into_trailers().unwrap()["seen"].to_str().unwrap().to_owned());
                }
            }
        }
        drop(body);
    }
    .in_tenant(tenant(9))
    .await;
    assert_eq!(frames, vec![tenant(1).to_string(); 4]);
    assert_eq!(*in_drop.lock().unwrap(), [tenant(1).to_string()]);
}

#[tokio::test]
async fn interleaved_bodies_keep_their_tenants() {
    let in_drop = Arc::default();
    let mut bodies = Vec::new();
    for number in 0..50 {
        bodies.push(body(number, 20, &in_drop).await);
    }
    for _ in 0..9 {
        for (number, body) in (0..).zip(&mut bodies) {
            let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert_eq!(data, tenant(number).to_string());
            assert!(!TenantContext::is_set());
        }
    }
    // The bodies are dropped before their end.
    drop(bodies);
    let expected: Vec<_> = (0..50).map(|number| tenant(number).to_string()).collect();
    assert_eq!(*in_drop.lock().unwrap(), expected);
}

#[tokio::test]
async fn body_of_an_exempt_path_runs_without_a_tenant() {
    let in_drop = Arc::new(Mutex::new(Vec::new()));
    let drops = Arc::clone(&in_drop);
    let service = tower::service_fn(move |_: Request<Body>| {
        let in_drop = Arc::clone(&drops);
        async move { Ok::<_, Infallible>(Response::new(Says { left: 2, in_drop })) }
    });
    let mut request = get("");
    *request.uri_mut() = "/healthz".parse().unwrap();
    let mut body = trusting().layer(service).oneshot(request).await.unwrap().into_body();
    let frame = body.frame().in_tenant(tenant(9)).await.unwrap().unwrap();
    assert_eq!(frame.into_data().unwrap(), "none");
    TenantContext::scope(tenant(9), || drop(body));
    assert_eq!(*in_drop.lock().unwrap(), ["none"]);
}

#[tokio::test]
async fn passes_on_the_size_of_a_body() {
    let service = |text: &'static str| {
        tower::service_fn(move |_: Request<Body>| async move {
            Ok::<_, Infallible>(Response::new(Body::from(text)))
        })
    };
    let body = trusting().layer(service("five!")).oneshot(get_of(tenant(1))).await.unwrap().into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(5), false));
    let body = trusting().layer(service("")).oneshot(get_of(tenant(1))).await.unwrap().into_body();
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(0), true));
    let mut rejected = trusting().layer(service("")).oneshot(get("no")).await.unwrap().into_body();
    let size = rejected.size_hint().exact().unwrap();
    assert_eq!(rejected.frame().await.unwrap().unwrap().into_data().unwrap().len() as u64, size);
    assert!(rejected.is_end_stream());
    assert!(rejected.frame().await.is_none());
}

/// Reads twenty event streams of twenty tenants at once over real connections.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_event_streams_keep_their_tenants() {
    let events = tower::service_fn(|_: Request<Body>| async {
        let events = stream::unfold(0, |number| async move {
            tokio::task::yield_now().await;
            (number < 50).then(|| (Ok::<_, Infallible>(Event::default().data(seen())), number + 1))
        });
        Ok::<_, Infallible>(Sse::new(events).into_response())
    });
    let address = serve(trusting(), events).await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let streams = (0..20).map(|number| {
        let client = client.clone();
        tokio::spawn(async move {
            let mut request = get_of(tenant(number));
            *request.uri_mut() = format!("http://{address}/").parse().unwrap();
            let text = text(client.request(request).await.unwrap()).await;
            let expected = format!("data: {}\n\n", tenant(number)).repeat(50);
            assert_eq!(text, expected);
        })
    });
    for stream in streams.collect::<Vec<_>>() {
        stream.await.unwrap();
    }
}
