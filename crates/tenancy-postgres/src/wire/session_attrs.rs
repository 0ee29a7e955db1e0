//! The kind of session that the options demand.

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::channel::Channel;
use super::error::ConnectionError;
use super::options::TargetSessionAttrs;

/// Asks the server what its session is; returns whether it is of the demanded kind.
pub(super) async fn is_accepted(
    channel: &mut Channel,
    attrs: TargetSessionAttrs,
) -> Result<bool, ConnectionError> {
    const IS_READ_ONLY: &str = "SHOW transaction_read_only";
    const IS_STANDBY: &str = "SELECT pg_catalog.pg_is_in_recovery()";
    let (question, expected) = match attrs {
        TargetSessionAttrs::Any => return Ok(true),
        TargetSessionAttrs::ReadWrite => (IS_READ_ONLY, "off"),
        TargetSessionAttrs::ReadOnly => (IS_READ_ONLY, "on"),
        TargetSessionAttrs::Primary => (IS_STANDBY, "f"),
        TargetSessionAttrs::Standby | TargetSessionAttrs::PreferStandby => (IS_STANDBY, "t"),
    };
    let mut message = BytesMut::new();
    frontend::query(question, &mut message)?;
    channel.send(&message).await?;
    let mut is_accepted = None;
    loop {
        match channel.receive().await? {
            Message::RowDescription(_) | Message::CommandComplete(_) | Message::ParameterStatus(_) => {}
            Message::DataRow(row) if is_accepted.is_none() => {
                let malformed = |_| ConnectionError::Protocol("a malformed row during start-up");
                let value = row.ranges().next().map_err(malformed)?.flatten();
                is_accepted = Some(value.is_some_and(|range| &row.buffer()[range] == expected.as_bytes()));
            }
            Message::ReadyForQuery(_) => {
                return is_accepted.ok_or(ConnectionError::Protocol("no answer about the session's kind"));
            }
            _ => return Err(ConnectionError::Protocol("not an answer about the session's kind")),
        }
    }
}
