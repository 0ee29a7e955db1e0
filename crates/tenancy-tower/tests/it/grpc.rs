//! tonic, unary and streaming calls: a health service whose status depends on the current tenant.

use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use tenancy::{TenantContext, TenantFutureExt};
use tenancy_tower::PropagateTenantLayer;
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
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let incoming = stream::unfold(listener, |listener| async move {
        let stream = listener.accept().await.map(|(stream, _)| stream);
        Some((stream, listener))
    });
    let server = Server::builder().layer(trusting()).add_service(HealthServer::new(Named));
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
