//! One connection, of HTTP/1.1 or h2c.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::Watcher;
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::Limits;
use crate::app::HttpService;

/// How often a client of HTTP/2 is asked whether it is still there, and how long it has to say so.
const PING: Duration = Duration::from_secs(20);

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
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING).keep_alive_timeout(PING);
        Self { builder, limits }
    }

    /// Serves a connection to its end, or to the end of its requests in flight.
    pub(super) async fn serve(
        self: Arc<Self>,
        stream: TcpStream,
        service: impl HttpService,
        watcher: Watcher,
    ) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "no TCP_NODELAY");
        }
        let mut stream = TimeoutStream::new(stream);
        // Whoever does not read an answer would keep it, and its place, for good.
        stream.set_write_timeout(Some(self.limits.write));
        let was_asked = Arc::new(AtomicBool::new(false));
        let service = answering(service, Arc::clone(&was_asked));
        let connection = self.builder.serve_connection(TokioIo::new(Box::pin(stream)), service).into_owned();
        tokio::select! {
            served = watcher.watch(connection) => {
                if let Err(error) = served {
                    tracing::debug!(%error, "connection");
                }
            }
            () = self.no_request(&was_asked) => tracing::debug!("a connection without a request"),
        }
    }

    /// Ready if there was no request in time. The head's time-out does not see it: it begins when hyper knows
    /// whether this is HTTP/1.1, and who sends nothing, or half of HTTP/2's preface, never gets there.
    async fn no_request(&self, was_asked: &AtomicBool) {
        tokio::time::sleep(self.limits.head).await;
        if was_asked.load(Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

fn answering<S: HttpService>(
    service: S,
    was_asked: Arc<AtomicBool>,
) -> impl hyper::service::Service<
    Request<Incoming>,
    Response = Response<Body>,
    Error = Infallible,
    Future: Send + 'static,
> + Send {
    service_fn(move |request: Request<Incoming>| {
        was_asked.store(true, Relaxed);
        service.clone().oneshot(request.map(Body::new))
    })
}
