//! Spans and events of the feature `tracing`.

use std::io;
use std::sync::{Arc, LazyLock, Mutex};

use axum::body::Body;
use http::{Request, Response};
use tenancy_tower::TenantLayer;
use tower::{Layer, ServiceExt};
use tracing::{Dispatch, Instrument};

use crate::support::{SUSPENDED, authorizing, echo, get, get_of, tenant, text, trusting};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A second subscriber.
///
/// With only one, a thread without a subscriber that reaches an event first disables the event for all threads.
static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(tracing_subscriber::registry()));

/// Returns the output of a future and the lines that it logged.
async fn logged<R>(work: impl Future<Output = R>) -> (R, Vec<String>) {
    LazyLock::force(&SECOND);
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let result = work.await;
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    (result, text.lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn events_of_a_handler_and_its_body_carry_the_tenant() {
    let service = tower::service_fn(|_: Request<Body>| async {
        tracing::info!("handled");
        let body = futures_util::stream::once(async {
            tracing::info!("streamed");
            Ok::<_, io::Error>("")
        });
        Ok::<_, io::Error>(Response::new(Body::from_stream(body)))
    });
    let (_, lines) =
        logged(async { text(trusting().layer(service).oneshot(get_of(tenant(1))).await.unwrap()).await })
            .await;
    for event in ["handled", "streamed"] {
        let line = lines.iter().find(|line| line.contains(event)).expect(event);
        assert!(line.contains(&format!("tenant{{tenant.id={}}}", tenant(1))), "{line}");
    }
}

#[tokio::test]
async fn outer_span_records_the_tenant_in_its_field() {
    let ((), lines) = logged(async {
        let span = tracing::info_span!("request", tenant.id = tracing::field::Empty);
        async {
            trusting().layer(echo()).oneshot(get_of(tenant(1))).await.unwrap();
            tracing::info!("answered");
        }
        .instrument(span)
        .await;
    })
    .await;
    let line = lines.iter().find(|line| line.contains("answered")).unwrap();
    assert!(line.contains(&format!("request{{tenant.id={}}}", tenant(1))), "{line}");
}

/// Operators see whose requests are rejected, but an unauthorized claim must not put a tenant into the log.
#[tokio::test]
async fn records_a_suspended_tenant_but_no_foreign_one() {
    let rejected = async |layer: bool| {
        let id = tenant(SUSPENDED);
        let call = async {
            if layer {
                trusting().layer(echo()).oneshot(get_of(id)).await.map(|response| response.status())
            } else {
                authorizing().layer(echo()).oneshot(get_of(id)).await.map(|response| response.status())
            }
        };
        let spanned = async {
            call.instrument(tracing::info_span!("request", tenant.id = tracing::field::Empty)).await
        };
        let (status, lines) = logged(spanned).await;
        assert!(lines.concat().contains("request rejected"), "{lines:?}");
        assert_eq!(status.unwrap(), 403);
        lines.concat().contains(&id.to_string())
    };
    assert!(rejected(true).await);
    assert!(!rejected(false).await);
}

/// A handler calls a layered service as another tenant; its own events keep its own tenant.
#[tokio::test]
async fn nested_layer_keeps_the_outer_spans_tenant() {
    let service = tower::service_fn(|_: Request<Body>| async {
        trusting().layer(echo()).oneshot(get_of(tenant(2))).await?;
        tracing::info!("after");
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let (_, lines) = logged(trusting().layer(service).oneshot(get_of(tenant(1)))).await;
    let line = lines.iter().find(|line| line.contains("after")).unwrap();
    assert!(line.contains(&tenant(1).to_string()) && !line.contains(&tenant(2).to_string()), "{line}");
}

#[tokio::test]
async fn rejection_event_repeats_nothing_of_the_request() {
    let (_, lines) = logged(trusting().layer(echo()).oneshot(get("secret"))).await;
    assert!(
        lines.iter().any(|line| line.contains("request rejected") && line.contains("status=400")),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("secret"));
}

#[tokio::test]
async fn failing_directory_is_logged_as_a_warning() {
    let fails = |_| async { Err::<Option<tenancy::TenantStatus>, _>("no route to host") };
    let layer = TenantLayer::builder().directory(fails).trust_header().build();
    let (response, lines) = logged(layer.layer(echo()).oneshot(get_of(tenant(1)))).await;
    assert!(lines.iter().any(|line| line.contains("WARN") && line.contains("no route to host")), "{lines:?}");
    assert!(!text(response.unwrap()).await.contains("route"));
}
