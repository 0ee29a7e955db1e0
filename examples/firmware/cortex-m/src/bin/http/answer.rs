//! An answer: its head and its body.

use core::fmt::Write;

use heapless::String;

use crate::refusal::{Extra, Refusal};

const HEAD: usize = 320;
const BODY: usize = 1280;

/// The most bytes that an answer has.
pub(crate) const MOST: usize = HEAD + BODY;

pub(crate) type Body = String<BODY>;

/// How a request was served.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Served {
    /// With what is in the body.
    Json,
    /// There is nothing to say.
    Silently,
}

/// There is one, in a static: it is too large to be moved about on the stack.
pub(crate) struct Answer {
    pub(crate) head: String<HEAD>,
    pub(crate) body: Body,
}

impl Answer {
    pub(crate) const fn new() -> Self {
        Self { head: String::new(), body: Body::new() }
    }

    /// The head of what is in the body.
    pub(crate) fn serve(&mut self, served: Served) {
        match served {
            Served::Json => self.write_head(200, "OK", "application/json", Extra::None),
            // RFC 9110, section 8.6: no length.
            Served::Silently => {
                self.body.clear();
                self.head.clear();
                let _ = self.head.push_str("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                defmt::info!("answer 204");
            }
        }
    }

    pub(crate) fn refuse(&mut self, refusal: &Refusal) {
        let Refusal(status, reason, detail, extra) = *refusal;
        // What was written before it was refused is nobody's to read.
        self.body.clear();
        // All of it fits: the texts are this program's own.
        let _ = writeln!(self.body, "{{\"status\":{status},\"detail\":\"{detail}\"}}");
        self.write_head(status, reason, "application/problem+json", extra);
    }

    fn write_head(&mut self, status: u16, reason: &str, media_type: &str, extra: Extra) {
        defmt::info!("answer {=u16}", status);
        let Self { head, body } = self;
        head.clear();
        // All of it fits, as above.
        let _ = write!(
            head,
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\nConnection: close\r\n",
            body.len()
        );
        let _ = match extra {
            Extra::None => head.write_str("\r\n"),
            Extra::Allow(methods) => write!(head, "Allow: {methods}\r\n\r\n"),
            Extra::RetryAfter(seconds) => write!(head, "Retry-After: {seconds}\r\n\r\n"),
        };
    }
}
