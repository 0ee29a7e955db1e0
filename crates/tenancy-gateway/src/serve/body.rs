//! The body of a response, which records whether its client reads it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::Version;
use hyper::body::{Frame, SizeHint};

use super::activity::ActiveRequest;

/// The largest part of a body. This limits the memory for an HTTP/2 client that opens a window for a part of the
/// response only.
const PART: usize = 16 * 1024;

/// A body that is sent in parts with HTTP/2. With HTTP/1.1 the socket shows whether the client reads.
pub(super) struct ResponseBody {
    body: Body,
    largest: usize,
    /// The rest of a part that was too large.
    rest: Option<Bytes>,
    request: ActiveRequest,
}

impl ResponseBody {
    pub(super) fn new(body: Body, version: Version, request: ActiveRequest) -> Self {
        request.part_written();
        let largest = if version == Version::HTTP_2 { PART } else { usize::MAX };
        Self { body, largest, rest: None, request }
    }
}

impl hyper::body::Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.request.part_read();
        let frame = match self.rest.take() {
            Some(rest) => Frame::data(rest),
            None => match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            },
        };
        self.request.part_written();
        let frame = frame.map_data(|mut data| {
            self.rest = (data.len() > self.largest).then(|| data.split_off(self.largest));
            data
        });
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.rest.as_ref().map_or(0, |rest| rest.len() as u64);
        let (mut hint, body) = (SizeHint::new(), self.body.size_hint());
        if let Some(upper) = body.upper() {
            hint.set_upper(upper + rest);
        }
        hint.set_lower(body.lower() + rest);
        hint
    }
}
