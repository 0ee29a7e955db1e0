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

pub(crate) struct Answer {
    pub(crate) head: String<HEAD>,
    pub(crate) body: Body,
}

impl Answer {
    pub(crate) fn served(served: Served, body: Body, head_only: bool) -> Self {
        match served {
            Served::Json => Self::new(200, "OK", "application/json", Extra::None, body, head_only),
            // RFC 9110, section 8.6: no length.
            Served::Silently => {
                let mut head = String::new();
                let _ = head.push_str("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
                defmt::info!("answer 204");
                Self { head, body: Body::new() }
            }
        }
    }

    pub(crate) fn refused(refusal: &Refusal, head_only: bool) -> Self {
        let Refusal(status, reason, detail, extra) = *refusal;
        let mut body = Body::new();
        // All of it fits: the texts are this program's own.
        let _ = writeln!(body, "{{\"status\":{status},\"detail\":\"{detail}\"}}");
        Self::new(status, reason, "application/problem+json", extra, body, head_only)
    }

    fn new(
        status: u16,
        reason: &str,
        media_type: &str,
        extra: Extra,
        mut body: Body,
        head_only: bool,
    ) -> Self {
        defmt::info!("answer {=u16}", status);
        let mut head = String::new();
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
        if head_only {
            body.clear();
        }
        Self { head, body }
    }
}
