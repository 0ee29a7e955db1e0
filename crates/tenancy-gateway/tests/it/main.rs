//! The service as its clients see it: over real connections, with real servers.

mod curl_lines;
mod docs;
mod header_cases;
mod http;
mod page;
mod postgres;
mod redis;
mod support;
