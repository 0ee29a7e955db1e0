//! A response: its head and its body.

use core::fmt::Write;

use heapless::String;

use crate::rejection::{ExtraHeader, Rejection};

const HEAD: usize = 320;
const BODY: usize = 1280;

/// The size of the longest response.
pub(crate) const MAX_LEN: usize = HEAD + BODY;

pub(crate) type Body = String<BODY>;

/// The outcome of a request that was not rejected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The body contains a JSON document.
    Json,
    NoContent,
}

/// The response that is being written. The program has a single one, in a static variable: it is too large for the
/// stack.
pub(crate) struct Response {
    pub(crate) head: String<HEAD>,
    pub(crate) body: Body,
}

impl Response {
    pub(crate) const fn new() -> Self {
        Self { head: String::new(), body: Body::new() }
    }

    /// Writes the head for an outcome whose body is already written.
    pub(crate) fn complete(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Json => self.write_head(200, "OK", "application/json", ExtraHeader::None),
            // RFC 9110, section 8.6: a 204 response has no Content-Length.
            Outcome::NoContent => {
                self.body.clear();
                self.head.clear();
                let _ = self.head.push_str("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                defmt::info!("response 204");
            }
        }
    }

    pub(crate) fn reject(&mut self, rejection: &Rejection) {
        let Rejection { status, reason, detail, extra } = *rejection;
        // The body can contain what was written before the request was rejected. The client must not receive it.
        self.body.clear();
        // The write cannot fail: the texts are constants of this program and fit.
        let _ = writeln!(self.body, "{{\"status\":{status},\"detail\":\"{detail}\"}}");
        self.write_head(status, reason, "application/problem+json", extra);
    }

    fn write_head(&mut self, status: u16, reason: &str, media_type: &str, extra: ExtraHeader) {
        defmt::info!("response {=u16}", status);
        let Self { head, body } = self;
        head.clear();
        // The writes cannot fail, for the same reason as in `reject`.
        let _ = write!(
            head,
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n",
            body.len()
        );
        let _ = match extra {
            ExtraHeader::None => head.write_str("\r\n"),
            ExtraHeader::Allow(methods) => write!(head, "Allow: {methods}\r\n\r\n"),
            ExtraHeader::RetryAfter(seconds) => write!(head, "Retry-After: {seconds}\r\n\r\n"),
        };
    }
}
