//! tonic, unary and streaming calls: a health service whose status depends on the current tenant.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_tower::{Policy, PropagateTenantLayer, SnapshotDirectory, TenantLayer};
use tokio::net::TcpListener;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tower::ServiceBuilder;

use crate::support::{SUSPENDED, seen, tenant, trusting};

/// A service that is serving if the requested name is the current tenant.
struct Named;

fn answer(name: &str) -> HealthCheckResponse {
    let status = if seen() == name { ServingStatus::Serving } else { ServingStatus::NotServing };
    HealthCheckResponse { status: status.into() }
}

#[tonic::async_trait]
impl Health for Named {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        tokio::task::yield_now().await;
        Ok(Response::new(answer(&request.into_inner().service)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        let name = request.into_inner().service;
        let answers = stream::unfold((0, name), |(number, name)| async move {
            tokio::task::yield_now().await;
            (number < 20).then(|| (Ok(answer(&name)), (number + 1, name)))
        });
        Ok(Response::new(Box::pin(answers)))
    }
}

async fn channel() -> Channel {
    channel_to(trusting()).await
}

async fn channel_to<P: Policy>(layer: TenantLayer<SnapshotDirectory, P>) -> Channel {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = stream::unfold(listener, |listener| async move {
        let stream = listener.accept().await.map(|(stream, _)| stream);
        Some((stream, listener))
    });
    let server = Server::builder().layer(layer).add_service(HealthServer::new(Named));
    tokio::spawn(server.serve_with_incoming(incoming));
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

fn request(number: u64) -> HealthCheckRequest {
    HealthCheckRequest { service: tenant(number).to_string() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_of_many_tenants_share_one_connection() {
    // The layer of the client sends its current tenant.
    let channel = ServiceBuilder::new().layer(PropagateTenantLayer::to_connected()).service(channel().await);
    let calls = (0..50).map(|number| {
        let mut client = HealthClient::new(channel.clone());
        let calls = async move {
            let answer = client.check(request(number)).await.unwrap().into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{number}");
            let mut answers = client.watch(request(number)).await.unwrap().into_inner();
            let mut count = 0;
            while let Some(answer) = answers.next().await {
                assert_eq!(answer.unwrap().status(), ServingStatus::Serving, "{number}");
                count += 1;
            }
            assert_eq!(count, 20);
        };
        tokio::spawn(calls.in_tenant(tenant(number)))
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

#[tokio::test]
async fn grpc_calls_are_rejected_by_grpc_statuses() {
    let channel = ServiceBuilder::new().layer(PropagateTenantLayer::to_connected()).service(channel().await);
    let mut client = HealthClient::new(channel);
    let status = client.check(request(1)).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::InvalidArgument, "No tenant is named"));
    let call = client.check(request(1)).in_tenant(tenant(SUSPENDED));
    assert_eq!(call.await.unwrap_err().code(), Code::PermissionDenied);
    let call = client.watch(request(1)).in_tenant(tenant(555));
    assert_eq!(call.await.unwrap_err().code(), Code::NotFound);
    assert!(!TenantContext::is_set());
}

#[cfg(feature = "token")]
mod tokens {
    use std::time::Duration;

    use tonic::metadata::MetadataValue;

    use super::*;
    use tenancy_tower::PropagateTenant;

    use crate::tokens::{holders, key};

    /// Returns a client that signs its calls for an audience.
    fn signing(channel: &Channel, audience: &str) -> HealthClient<PropagateTenant<Channel>> {
        let layer = PropagateTenantLayer::to_connected().signed(key(), audience, Duration::from_secs(60));
        HealthClient::new(ServiceBuilder::new().layer(layer).service(channel.clone()))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn unary_and_streaming_calls_run_in_the_tenant_of_their_token() {
        let channel = channel_to(holders()).await;
        let calls = (0..50).map(|number| {
            let mut client = signing(&channel, "agents");
            let calls = async move {
                let mut unary = Request::new(request(number));
                // A credential of the application does not disturb the token.
                unary.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer a.b.c"));
                let answer = client.check(unary).await.unwrap().into_inner();
                assert_eq!(answer.status(), ServingStatus::Serving, "{number}");
                let answers = client.watch(request(number)).await.unwrap().into_inner();
                let answers: Vec<_> = answers.map(|answer| answer.unwrap().status()).collect().await;
                assert_eq!(answers, [ServingStatus::Serving; 20], "{number}");
            };
            tokio::spawn(calls.in_tenant(tenant(number)))
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
    }

    #[tokio::test]
    async fn calls_without_a_valid_token_are_rejected() {
        let channel = channel_to(holders()).await;
        let mut unsigned = HealthClient::new(
            ServiceBuilder::new().layer(PropagateTenantLayer::to_connected()).service(channel.clone()),
        );
        let call = unsigned.check(request(1)).in_tenant(tenant(1));
        assert_eq!(call.await.unwrap_err().code(), Code::InvalidArgument);

        let mut other = signing(&channel, "billing");
        let status = other.check(request(1)).in_tenant(tenant(1)).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::Unauthenticated, "The token is not valid"));
        let status = other.watch(request(1)).in_tenant(tenant(1)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);

        // The client's layer replaces what a caller puts into the metadata.
        let mut forged = Request::new(request(1));
        forged.metadata_mut().insert_bin("tenant-token-bin", MetadataValue::from_bytes(b"forged"));
        let call = signing(&channel, "agents").check(forged).in_tenant(tenant(1)).await.unwrap().into_inner();
        assert_eq!(call.status(), ServingStatus::Serving);
        let mut forged = Request::new(request(1));
        forged.metadata_mut().insert_bin("tenant-token-bin", MetadataValue::from_bytes(b"forged"));
        let call = HealthClient::new(channel).check(forged).await;
        assert_eq!(call.unwrap_err().code(), Code::Unauthenticated);
    }
}
