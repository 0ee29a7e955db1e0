//! An answer's body, which knows whether its client takes it.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::http::Version;
use hyper::body::{Frame, SizeHint};

use super::activity::Flight;

/// The most that is given at once: all that an HTTP/2 client makes this process keep of an answer, if it opens a window
/// for a part of it and not for the rest.
const PART: usize = 16 * 1024;

/// A body, by HTTP/2 in parts: by HTTP/1.1 the socket tells whether they are taken.
pub(super) struct Answer {
    body: Body,
    largest: usize,
    /// What is left of a part that was too large.
    rest: Option<Bytes>,
    flight: Flight,
}

impl Answer {
    pub(super) fn new(body: Body, version: Version, flight: Flight) -> Self {
        flight.given();
        let largest = if version == Version::HTTP_2 { PART } else { usize::MAX };
        Self { body, largest, rest: None, flight }
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.flight.wanted();
        let frame = match self.rest.take() {
            Some(rest) => Frame::data(rest),
            None => match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                end => return Poll::Ready(end),
            },
        };
        self.flight.given();
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
