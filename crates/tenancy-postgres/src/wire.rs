//! A connection of our own to a Postgres server. It knows nothing of tenants.

mod cancel;
mod connection;
mod error;
mod options;
mod row;
pub(crate) mod startup;
mod stream;

pub(crate) use self::cancel::CancelKey;
pub(crate) use self::connection::{Completion, Connection, Part, Replies, Status, Value};
pub use self::error::{ConnectionError, ServerError};
pub use self::options::ConnectOptions;
pub(crate) use self::row::is_stand_in;
pub use self::row::{Column, ColumnError, Row, RowIndex};
pub(crate) use self::startup::Connected;
pub use self::stream::Socket;
