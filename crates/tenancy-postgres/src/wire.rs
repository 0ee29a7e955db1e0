//! A connection of our own to a Postgres server, on the message codec of `postgres-protocol`. It knows no tenants.

mod auth;
mod cancel;
mod channel;
mod connection;
mod default_tls;
mod dial;
mod error;
mod options;
mod parse_options;
mod row;
#[cfg(feature = "rustls")]
mod rustls;
mod session_attrs;
mod startup;
mod stream;
mod tls;

pub(crate) use self::connection::{Completion, Connection, Part, Replies, Status, Value};
pub use self::error::{ConnectionError, ServerError};
pub use self::options::{ChannelBinding, ConnectOptions, SslMode, TargetSessionAttrs};
pub use self::parse_options::ParseOptionsError;
pub(crate) use self::row::is_stand_in;
pub use self::row::{Column, ColumnError, Row, RowIndex};
pub(crate) use self::startup::connect;
pub use self::stream::Socket;
pub(crate) use self::tls::Tls;
