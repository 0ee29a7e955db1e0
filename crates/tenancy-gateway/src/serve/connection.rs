//! One connection.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::activity::{Activity, Timeout};
use super::body::ResponseBody;
use super::limits::Limits;
use super::stream::{self, ReturnableStream};
use crate::service::HttpService;

/// The interval of HTTP/2 PINGs, and the time for their acknowledgements.
const PING: Duration = Duration::from_secs(20);
/// The number of concurrent requests of an HTTP/2 client: the minimum of RFC 9113, section 6.5.2.
const STREAMS: u32 = 100;

/// The settings of all connections.
pub(super) struct Server {
    builder: Builder<TokioExecutor>,
    limits: Limits,
}

impl Server {
    pub(super) fn new(limits: Limits) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // Without a timer, hyper has no time-outs. hyper counts the idle time as part of the next head.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head.max(limits.idle));
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS);
        Self { builder, limits }
    }

    /// Serves a connection until it ends. If it is idle, or if the service closes, only completes its requests.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        service: impl HttpService,
        closing: CancellationToken,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "cannot set TCP_NODELAY");
        }
        let activity = Activity::new();
        let (stream, returned) = stream::lend(stream, Arc::clone(&activity));
        if self.serve_requests(stream, service, activity, &closing).await.is_break() {
            return;
        }
        // A request may have been rejected before all of it had arrived.
        if let Ok(stream) = returned.await {
            closing.run_until_cancelled(stream::drain(stream)).await;
        }
    }

    /// Returns `Continue` if the last response has been written, and the client may not have read it yet.
    async fn serve_requests(
        &self,
        stream: ReturnableStream,
        service: impl HttpService,
        activity: Arc<Activity>,
        closing: &CancellationToken,
    ) -> ControlFlow<()> {
        let mut stream = TimeoutStream::new(stream);
        // A client that does not read would occupy a connection permanently.
        stream.set_write_timeout(Some(self.limits.write));
        let service = recording(service, Arc::clone(&activity));
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::select! {
            served = connection.as_mut() => return ended(served),
            () = closing.cancelled() => {}
            timeout = activity.timeout(&self.limits) => match timeout {
                Timeout::Idle => tracing::debug!("idle connection"),
                Timeout::Stuck => return stuck(),
            },
        }
        connection.as_mut().graceful_shutdown();
        let last = self.limits.head.min(self.limits.shutdown / 4);
        let limits = Limits { head: last, idle: last, ..self.limits };
        tokio::select! {
            served = connection => ended(served),
            timeout = activity.timeout(&limits) => match timeout {
                Timeout::Idle => {
                    tracing::debug!("client does not close its connection");
                    ControlFlow::Break(())
                }
                Timeout::Stuck => stuck(),
            },
        }
    }
}

fn ended<E: std::error::Error + ?Sized>(served: Result<(), Box<E>>) -> ControlFlow<()> {
    match served {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            tracing::debug!(%error, "connection failed");
            ControlFlow::Break(())
        }
    }
}

fn stuck() -> ControlFlow<()> {
    tracing::debug!("connection: timed out writing a body");
    ControlFlow::Break(())
}

/// Records the requests of a connection.
fn recording<S: HttpService>(
    service: S,
    activity: Arc<Activity>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<ResponseBody>,
    Error = Infallible,
    Future: Send + 'static,
> + Send {
    service_fn(move |request: Request<Incoming>| {
        let version = request.version();
        let active = activity.begin(version);
        let response = service.clone().oneshot(request.map(Body::new));
        async move {
            let Ok(response) = response.await;
            Ok(response.map(|body| ResponseBody::new(body, version, active)))
        }
    })
}
