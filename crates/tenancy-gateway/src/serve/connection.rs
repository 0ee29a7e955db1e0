//! One connection, of HTTP/1.1 or h2c.

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

use super::Limits;
use super::activity::{Activity, Overdue};
use super::answer::Answer;
use super::stream::{self, Lent};
use crate::app::HttpService;

/// How often a client of HTTP/2 is asked whether it is still there, and how long it has to say so.
const PING: Duration = Duration::from_secs(20);
/// Requests of a client of HTTP/2 at once: as few as RFC 9113, section 6.5.2, would have it.
const STREAMS: u32 = 100;

/// What all connections have in common.
pub(super) struct Protocol {
    builder: Builder<TokioExecutor>,
    limits: Limits,
}

impl Protocol {
    pub(super) fn new(limits: Limits) -> Self {
        let mut builder = Builder::new(TokioExecutor::new());
        // Without a timer, hyper has no time-outs.
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.head);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(STREAMS);
        Self { builder, limits }
    }

    /// Serves a connection to its end, or where it is idle or all are closing, to the end of its requests in flight.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        service: impl HttpService,
        closing: CancellationToken,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let (stream, returned) = stream::lend(stream);
        if self.converse(stream, service, &closing).await.is_break() {
            return;
        }
        // A request may have been refused before all of it was there.
        if let Ok(stream) = returned.await {
            closing.run_until_cancelled(stream::linger(stream)).await;
        }
    }

    /// Goes on where the last answer has been written, and the client may not have read it.
    async fn converse(
        &self,
        stream: Lent,
        service: impl HttpService,
        closing: &CancellationToken,
    ) -> ControlFlow<()> {
        let mut stream = TimeoutStream::new(stream);
        // Whoever does not read an answer would keep it, and its place, for good.
        stream.set_write_timeout(Some(self.limits.write));
        let activity = Activity::new();
        let service = answering(service, Arc::clone(&activity));
        let mut connection = pin!(self.builder.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::select! {
            served = connection.as_mut() => return ended(served),
            () = closing.cancelled() => {}
            overdue = activity.overdue(&self.limits) => match overdue {
                Overdue::Idle => tracing::debug!("a connection without a request"),
                Overdue::Stuck => return stuck(),
            },
        }
        connection.as_mut().graceful_shutdown();
        let limits = Limits { head: self.limits.head.min(self.limits.shutdown / 4), ..self.limits };
        tokio::select! {
            served = connection => ended(served),
            overdue = activity.overdue(&limits) => match overdue {
                Overdue::Idle => {
                    tracing::debug!("a connection that its client does not close");
                    ControlFlow::Break(())
                }
                Overdue::Stuck => stuck(),
            },
        }
    }
}

fn ended<E: std::error::Error + ?Sized>(served: Result<(), Box<E>>) -> ControlFlow<()> {
    match served {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            tracing::debug!(%error, "connection");
            ControlFlow::Break(())
        }
    }
}

fn stuck() -> ControlFlow<()> {
    tracing::debug!("connection: timed out writing a body");
    ControlFlow::Break(())
}

fn answering<S: HttpService>(
    service: S,
    activity: Arc<Activity>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Answer>,
    Error = Infallible,
    Future: Send + 'static,
> + Send {
    service_fn(move |request: Request<Incoming>| {
        let (flight, version) = (activity.begin(), request.version());
        let answer = service.clone().oneshot(request.map(Body::new));
        async move {
            let Ok(response) = answer.await;
            Ok(response.map(|body| Answer::new(body, version, flight)))
        }
    })
}
