//! A server for a load generator: a `bare` router, one with the tenant `layer` around it, or one with `hand`-written
//! middleware. It prints its address and a tenant, and serves until it is killed.

use std::convert::Infallible;
use std::io::Write;

use axum::ServiceExt;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use bench_http::{hand_written, layer, router, tenant};
use tenancy_tower::TenantBody;
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder};

const TENANTS: usize = 1_000;

// One worker: the load generator needs the other core.
#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", listener.local_addr()?, tenant(0));
    std::io::stdout().flush()?;
    match std::env::args().nth(1).as_deref() {
        Some("bare") => serve(listener, router()).await,
        Some("layer") => {
            let layers = ServiceBuilder::new()
                .map_response(|response: Response<TenantBody<Body>>| response.map(Body::new))
                .layer(layer(TENANTS));
            serve(listener, layers.service(router())).await
        }
        Some("hand") => serve(listener, hand_written(TENANTS)).await,
        _ => {
            eprintln!("usage: serve bare|layer|hand");
            std::process::exit(2)
        }
    }
}

async fn serve<S>(listener: TcpListener, service: S) -> std::io::Result<()>
where
    S: Service<Request, Response = Response<Body>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
{
    axum::serve(listener, ServiceExt::<Request>::into_make_service(service)).await
}
