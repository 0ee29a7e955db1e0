//! Spans and events.

use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, Response};
use tenancy_tower::TenantLayer;
use tower::{Layer, ServiceExt};
use tracing::Instrument;

use crate::support::{echo, get, get_of, tenant, text};

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

/// What is logged of a future's work.
async fn logged<R>(work: impl Future<Output = R>) -> (R, Vec<String>) {
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
async fn events_of_a_handler_and_of_its_body_have_the_tenant() {
    let service = tower::service_fn(|_: Request<Body>| async {
        tracing::info!("handled");
        let body = futures_util::stream::once(async {
            tracing::info!("streamed");
            Ok::<_, io::Error>("")
        });
        Ok::<_, io::Error>(Response::new(Body::from_stream(body)))
    });
    let (_, lines) = logged(async {
        text(crate::support::trusting().layer(service).oneshot(get_of(tenant(1))).await.unwrap()).await
    })
    .await;
    for event in ["handled", "streamed"] {
        let line = lines.iter().find(|line| line.contains(event)).expect(event);
        assert!(line.contains(&format!("tenant{{tenant.id={}}}", tenant(1))), "{line}");
    }
}

#[tokio::test]
async fn a_span_around_the_layer_gets_the_tenant_if_it_has_a_field_for_it() {
    let ((), lines) = logged(async {
        let span = tracing::info_span!("request", tenant.id = tracing::field::Empty);
        async {
            crate::support::trusting().layer(echo()).oneshot(get_of(tenant(1))).await.unwrap();
            tracing::info!("answered");
        }
        .instrument(span)
        .await;
    })
    .await;
    let line = lines.iter().find(|line| line.contains("answered")).unwrap();
    assert!(line.contains(&format!("request{{tenant.id={}}}", tenant(1))), "{line}");
}

/// The operator sees whose requests are refused; of a caller who may not act for a tenant no tenant is noted.
#[tokio::test]
async fn a_suspended_tenant_is_recorded_and_a_foreign_one_is_not() {
    let refused = async |layer: bool| {
        let id = tenant(crate::support::SUSPENDED);
        let call = async {
            if layer {
                crate::support::trusting()
                    .layer(echo())
                    .oneshot(get_of(id))
                    .await
                    .map(|response| response.status())
            } else {
                crate::support::authorizing()
                    .layer(echo())
                    .oneshot(get_of(id))
                    .await
                    .map(|response| response.status())
            }
        };
        let spanned = async {
            call.instrument(tracing::info_span!("request", tenant.id = tracing::field::Empty)).await
        };
        let (status, lines) = logged(spanned).await;
        assert!(lines.concat().contains("request refused"), "{lines:?}");
        assert_eq!(status.unwrap(), 403);
        lines.concat().contains(&id.to_string())
    };
    assert!(refused(true).await);
    assert!(!refused(false).await);
}

/// A handler that calls a layered service itself: its own events stay its own tenant's.
#[tokio::test]
async fn a_layer_within_a_layer_does_not_rename_the_outer_tenant() {
    let service = tower::service_fn(|_: Request<Body>| async {
        crate::support::trusting().layer(echo()).oneshot(get_of(tenant(2))).await?;
        tracing::info!("after");
        Ok::<_, std::convert::Infallible>(Response::new(Body::empty()))
    });
    let (_, lines) = logged(crate::support::trusting().layer(service).oneshot(get_of(tenant(1)))).await;
    let line = lines.iter().find(|line| line.contains("after")).unwrap();
    assert!(line.contains(&tenant(1).to_string()) && !line.contains(&tenant(2).to_string()), "{line}");
}

#[tokio::test]
async fn a_refusal_is_an_event_that_repeats_nothing() {
    let (_, lines) = logged(crate::support::trusting().layer(echo()).oneshot(get("secret"))).await;
    assert!(
        lines.iter().any(|line| line.contains("request refused") && line.contains("status=400")),
        "{lines:?}"
    );
    assert!(!lines.concat().contains("secret"));
}

#[tokio::test]
async fn a_directory_that_fails_is_a_warning_for_the_operator() {
    let fails = |_| async { Err::<Option<tenancy::TenantStatus>, _>("no route to host") };
    let layer = TenantLayer::builder().directory(fails).trust_header().build();
    let (response, lines) = logged(layer.layer(echo()).oneshot(get_of(tenant(1)))).await;
    assert!(lines.iter().any(|line| line.contains("WARN") && line.contains("no route to host")), "{lines:?}");
    assert!(!text(response.unwrap()).await.contains("route"));
}
