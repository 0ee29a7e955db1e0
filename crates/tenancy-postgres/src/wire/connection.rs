//! A connection that sends a whole pipeline of messages with one `Sync`, and reads its replies.
//!
//! The caller drives the connection, without a background task. Each message that is written adds its expected reply to
//! a list. A reply that is not the next one of the list breaks the connection, so that a reply is never attributed to
//! the wrong message.
//!
//! See [the message flow](https://www.postgresql.org/docs/current/protocol-flow.html) in the documentation of Postgres.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::IsNull;
use postgres_protocol::message::backend::{Header, Message};
use postgres_protocol::message::frontend;
use postgres_types::{Oid, Type};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

use super::cancel::CancelKey;
use super::error::{ConnectionError, ServerError};
use super::row::{Column, Row, Values, read_columns};
use super::startup::Connected;
use super::stream::Stream;

/// The SQLSTATE of the notice by which the scrub asks to close the session.
const ALTERED: &str = "TN001";

/// The part of a pipeline that a message belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// What precedes the tenant: the transaction's begin.
    Begin,
    /// The tenant's context.
    Enter,
    /// The statement.
    Statement,
    /// The check that the context is still the one that was entered.
    Check,
    /// The reset of the session.
    Scrub,
    /// The end of the transaction.
    End,
}

/// An expected reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Expected {
    ParseComplete,
    BindComplete,
    CloseComplete,
    /// `RowDescription` or `NoData`.
    Description,
    /// `ParameterDescription`, followed by a description.
    Parameters,
    /// Rows, then `CommandComplete`, `EmptyQueryResponse` or `PortalSuspended`.
    Completion,
    Ready,
}

pub(crate) struct Connection {
    stream: Stream,
    read: BytesMut,
    write: BytesMut,
    expected: VecDeque<(Expected, Part)>,
    notifications: VecDeque<Notification>,
    answer_timeout: Option<Duration>,
    cancel: CancelKey,
    is_altered: bool,
}

/// A notification of `NOTIFY`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Notification {
    pub(crate) channel: String,
    pub(crate) payload: String,
}

/// The replies to a pipeline.
#[derive(Default)]
pub(crate) struct Replies {
    /// The first error, and the part that failed. The server skipped everything after it.
    pub(crate) failure: Option<(Part, ServerError)>,
    /// The types of the statement's parameters, if they were asked for.
    pub(crate) parameters: Vec<Oid>,
    /// The columns of the statement's rows, if they were described.
    pub(crate) columns: Option<Arc<[Column]>>,
    /// The statement's rows.
    pub(crate) rows: Vec<Values>,
    /// How the statement ended.
    pub(crate) completion: Completion,
    /// The row of the statement that enters, if there is such a statement.
    pub(crate) enter: Option<Values>,
    /// The check's row.
    pub(crate) check: Option<Values>,
    /// The scrub's row, if it gives one.
    pub(crate) scrub: Option<Values>,
    /// Whether the transaction was committed, as the server says.
    pub(crate) is_committed: bool,
    /// The state after the pipeline.
    pub(crate) status: Status,
}

/// How a statement ended.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) enum Completion {
    /// It did not run, or it failed.
    #[default]
    None,
    /// The command's tag, for example `INSERT 0 1`.
    Tag(Box<str>),
    /// There are more rows.
    Suspended,
}

impl Completion {
    /// The number of rows that the statement affected.
    pub(crate) fn affected(&self) -> u64 {
        let Self::Tag(tag) = self else { return 0 };
        // `SELECT 3`, `INSERT 0 1`, `CREATE TABLE`
        tag.rsplit(' ').next().and_then(|count| count.parse().ok()).unwrap_or_default()
    }
}

impl Replies {
    /// The statement's rows.
    pub(crate) fn into_rows(self) -> Vec<Row> {
        let Some(columns) = self.columns else { return Vec::new() };
        self.rows.into_iter().map(|values| Row::new(Arc::clone(&columns), values)).collect()
    }
}

/// Whether the session is in a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Status {
    #[default]
    Idle,
    InTransaction,
    Failed,
}

/// An encoded parameter: its format, and where its value is; none for null.
#[derive(Clone, Copy)]
pub(crate) struct Value<'a> {
    pub(crate) format: i16,
    pub(crate) bytes: Option<&'a [u8]>,
}

impl Connection {
    pub(crate) fn new(connected: Connected, answer_timeout: Option<Duration>) -> Self {
        Self {
            stream: connected.stream,
            read: connected.read,
            write: BytesMut::with_capacity(4096),
            expected: VecDeque::new(),
            notifications: VecDeque::new(),
            answer_timeout,
            cancel: connected.cancel,
            is_altered: false,
        }
    }

    /// The key by which a statement of this session can be cancelled.
    pub(crate) fn cancel_key(&self) -> &CancelKey {
        &self.cancel
    }

    /// Returns whether the scrub asked to close the session since this was last called.
    pub(crate) fn take_altered(&mut self) -> bool {
        std::mem::take(&mut self.is_altered)
    }

    /// Discards a pipeline that was not sent.
    pub(crate) fn discard(&mut self) {
        self.write.clear();
        self.expected.clear();
    }

    pub(crate) fn parse(
        &mut self,
        part: Part,
        name: &str,
        sql: &str,
        types: impl IntoIterator<Item = Oid>,
    ) -> io::Result<()> {
        self.expected.push_back((Expected::ParseComplete, part));
        frontend::parse(name, sql, types, &mut self.write)
    }

    /// Binds values to the unnamed portal. Results are binary.
    pub(crate) fn bind<'a>(
        &mut self,
        part: Part,
        statement: &str,
        values: impl Iterator<Item = Value<'a>> + Clone,
    ) -> io::Result<()> {
        self.bind_portal(part, "", statement, values)
    }

    pub(crate) fn bind_portal<'a>(
        &mut self,
        part: Part,
        portal: &str,
        statement: &str,
        values: impl Iterator<Item = Value<'a>> + Clone,
    ) -> io::Result<()> {
        self.expected.push_back((Expected::BindComplete, part));
        let formats = values.clone().map(|value| value.format);
        let write = |value: Value<'a>, out: &mut BytesMut| {
            Ok(match value.bytes {
                Some(bytes) => {
                    out.extend_from_slice(bytes);
                    IsNull::No
                }
                None => IsNull::Yes,
            })
        };
        let bound = frontend::bind(portal, statement, formats, values, write, Some(1), &mut self.write);
        bound.map_err(|error| match error {
            frontend::BindError::Serialization(error) => error,
            frontend::BindError::Conversion(error) => io::Error::other(error),
        })
    }

    pub(crate) fn describe_portal(&mut self, part: Part, portal: &str) -> io::Result<()> {
        self.expected.push_back((Expected::Description, part));
        frontend::describe(b'P', portal, &mut self.write)
    }

    /// Asks for the types of a statement's parameters, and for its columns.
    pub(crate) fn describe_statement(&mut self, part: Part, statement: &str) -> io::Result<()> {
        self.expected.push_back((Expected::Parameters, part));
        self.expected.push_back((Expected::Description, part));
        frontend::describe(b'S', statement, &mut self.write)
    }

    /// Executes the unnamed portal to its end.
    pub(crate) fn execute(&mut self, part: Part) -> io::Result<()> {
        self.execute_portal(part, "", 0)
    }

    /// Executes a portal until it gave so many rows; 0 for all of them.
    pub(crate) fn execute_portal(&mut self, part: Part, portal: &str, rows: i32) -> io::Result<()> {
        self.expected.push_back((Expected::Completion, part));
        frontend::execute(portal, rows, &mut self.write)
    }

    pub(crate) fn close_statement(&mut self, part: Part, statement: &str) -> io::Result<()> {
        self.expected.push_back((Expected::CloseComplete, part));
        frontend::close(b'S', statement, &mut self.write)
    }

    /// Parses, binds and executes a statement without parameters.
    pub(crate) fn run(&mut self, part: Part, sql: &str) -> io::Result<()> {
        self.parse(part, "", sql, [])?;
        self.bind(part, "", std::iter::empty())?;
        self.execute(part)
    }

    /// Sends the pipeline and reads the replies up to the end. `columns` describes rows that the pipeline does not ask
    /// to describe.
    pub(crate) async fn exchange(
        &mut self,
        columns: Option<Arc<[Column]>>,
        known: impl Fn(Oid) -> Option<Type>,
    ) -> Result<Replies, ConnectionError> {
        self.expected.push_back((Expected::Ready, Part::End));
        frontend::sync(&mut self.write);
        self.flush().await?;
        let mut replies = Replies { columns, ..Replies::default() };
        while !self.expected.is_empty() {
            let message = self.message().await?;
            self.accept(&mut replies, message, &known)?;
        }
        Ok(replies)
    }

    /// Runs one statement with text parameters in a pipeline of its own. The inner error is the server's.
    pub(crate) async fn query(
        &mut self,
        sql: &str,
        texts: &[&str],
    ) -> Result<Result<Vec<Row>, ServerError>, ConnectionError> {
        let values = texts.iter().map(|text| Value { format: 0, bytes: Some(text.as_bytes()) });
        self.query_with(sql, [], values).await
    }

    /// Runs one statement with encoded parameters in a pipeline of its own.
    pub(crate) async fn query_with<'a>(
        &mut self,
        sql: &str,
        types: impl IntoIterator<Item = Oid>,
        values: impl Iterator<Item = Value<'a>> + Clone,
    ) -> Result<Result<Vec<Row>, ServerError>, ConnectionError> {
        self.parse(Part::Statement, "", sql, types)?;
        self.bind(Part::Statement, "", values)?;
        self.describe_portal(Part::Statement, "")?;
        self.execute(Part::Statement)?;
        let replies = self.exchange(None, |_| None).await?;
        Ok(match replies.failure {
            Some((_, error)) => Err(error),
            None => Ok(replies.into_rows()),
        })
    }

    fn accept(
        &mut self,
        replies: &mut Replies,
        message: Message,
        known: &impl Fn(Oid) -> Option<Type>,
    ) -> Result<(), ConnectionError> {
        let Some(&(expected, part)) = self.expected.front() else {
            return Err(ConnectionError::Protocol("a message that nothing caused"));
        };
        match (expected, message) {
            (_, Message::ErrorResponse(error)) => {
                return self.fail(replies, part, ServerError::read(error.fields())?);
            }
            (Expected::ParseComplete, Message::ParseComplete)
            | (Expected::BindComplete, Message::BindComplete)
            | (Expected::CloseComplete, Message::CloseComplete)
            | (Expected::Description, Message::NoData)
            | (Expected::Completion, Message::EmptyQueryResponse) => {}
            (Expected::Parameters, Message::ParameterDescription(parameters)) => {
                replies.parameters = parameters.parameters().collect()?;
            }
            (Expected::Description, Message::RowDescription(columns)) => {
                replies.columns = Some(read_columns(&columns, known)?);
            }
            (Expected::Completion, Message::DataRow(row)) => {
                let values = Values::read(&row)?;
                let columns = replies.columns.as_ref().map_or(0, |columns| columns.len());
                match part {
                    Part::Statement if values.len() == columns => replies.rows.push(values),
                    Part::Statement => return Err(ConnectionError::Protocol("a row of other columns")),
                    Part::Check => replies.check = Some(values),
                    Part::Scrub => replies.scrub = Some(values),
                    Part::Enter => replies.enter = Some(values),
                    Part::Begin | Part::End => {}
                }
                return Ok(());
            }
            (Expected::Completion, Message::CommandComplete(complete)) => {
                let tag = complete.tag()?;
                match part {
                    Part::Statement => replies.completion = Completion::Tag(tag.into()),
                    Part::End => replies.is_committed = tag == "COMMIT",
                    _ => {}
                }
            }
            (Expected::Completion, Message::PortalSuspended) => replies.completion = Completion::Suspended,
            (Expected::Ready, Message::ReadyForQuery(ready)) => {
                replies.status = match ready.status() {
                    b'I' => Status::Idle,
                    b'T' => Status::InTransaction,
                    b'E' => Status::Failed,
                    _ => return Err(ConnectionError::Protocol("an unknown transaction status")),
                };
            }
            (Expected::Completion, Message::CopyInResponse(_) | Message::CopyOutResponse(_)) => {
                return Err(ConnectionError::Copy);
            }
            _ => return Err(ConnectionError::Protocol("another message was expected")),
        }
        self.expected.pop_front();
        Ok(())
    }

    /// The server skips everything up to the `Sync`.
    fn fail(&mut self, replies: &mut Replies, part: Part, error: ServerError) -> Result<(), ConnectionError> {
        if error.is_fatal() {
            return Err(ConnectionError::Server(error));
        }
        if self.expected.len() == 1 {
            if replies.is_committed {
                // The server does not say that it did not commit.
                return Err(ConnectionError::Protocol("an error after the commit"));
            }
            // An error at the end of an implicit transaction.
        } else {
            self.expected.drain(..self.expected.len() - 1);
        }
        replies.failure.get_or_insert((part, error));
        Ok(())
    }

    /// The next message that belongs to a pipeline.
    async fn message(&mut self) -> Result<Message, ConnectionError> {
        loop {
            while let Some(message) = parse(&mut self.read)? {
                if let Some(message) = self.set_aside(message)? {
                    return Ok(message);
                }
            }
            self.fill().await?;
        }
    }

    /// Keeps what the server may send at any time.
    fn set_aside(&mut self, message: Message) -> Result<Option<Message>, ConnectionError> {
        match message {
            Message::NoticeResponse(notice) => {
                self.is_altered |= ServerError::read(notice.fields())?.code() == ALTERED;
            }
            Message::NotificationResponse(notification) => {
                let (channel, payload) = (notification.channel()?.into(), notification.message()?.into());
                self.notifications.push_back(Notification { channel, payload });
            }
            Message::ParameterStatus(_) => {}
            message => return Ok(Some(message)),
        }
        Ok(None)
    }

    async fn fill(&mut self) -> Result<(), ConnectionError> {
        self.read.reserve(READ);
        let read = self.stream.read_buf(&mut self.read);
        let length = match self.answer_timeout {
            Some(limit) => tokio::time::timeout(limit, read).await.map_err(|_| ConnectionError::Timeout)?,
            None => read.await,
        }?;
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        Ok(())
    }

    /// Writes everything. What arrives meanwhile is read, so that a server that waits for its reader goes on.
    async fn flush(&mut self) -> Result<(), ConnectionError> {
        let written = poll_fn(|context| {
            while !self.write.is_empty() {
                match Pin::new(&mut self.stream).poll_write(context, &self.write) {
                    Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    Poll::Ready(Ok(length)) => drop(self.write.split_to(length)),
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                    Poll::Pending => match poll_fill(&mut self.stream, &mut self.read, context)? {
                        Poll::Ready(0) => return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
                        Poll::Ready(_) => {}
                        Poll::Pending => return Poll::Pending,
                    },
                }
            }
            Pin::new(&mut self.stream).poll_flush(context)
        });
        match self.answer_timeout {
            Some(limit) => {
                tokio::time::timeout(limit, written).await.map_err(|_| ConnectionError::Timeout)?
            }
            None => written.await,
        }?;
        // `split_to` leaves the buffer at the end of its memory.
        self.write.clear();
        Ok(())
    }

    /// Whether an idle connection can be used: nothing arrived that ended it, or that no pipeline caused.
    pub(crate) fn is_usable(&mut self) -> bool {
        let mut context = Context::from_waker(Waker::noop());
        loop {
            match poll_fill(&mut self.stream, &mut self.read, &mut context) {
                Poll::Ready(Ok(1..)) => {}
                Poll::Ready(_) => return false,
                Poll::Pending => break,
            }
        }
        while !self.read.is_empty() {
            match parse(&mut self.read) {
                Ok(Some(message)) => match self.set_aside(message) {
                    Ok(None) => {}
                    _ => return false,
                },
                // A part of a message: the rest of it would be taken for a reply.
                _ => return false,
            }
        }
        self.notifications.clear();
        self.expected.is_empty()
    }

    /// Waits for a notification.
    #[cfg(feature = "directory")]
    pub(crate) async fn notification(&mut self) -> Result<Notification, ConnectionError> {
        loop {
            if let Some(notification) = self.notifications.pop_front() {
                return Ok(notification);
            }
            while let Some(message) = parse(&mut self.read)? {
                match self.set_aside(message)? {
                    None => {}
                    Some(Message::ErrorResponse(error)) => {
                        return Err(ServerError::read(error.fields())?.into());
                    }
                    Some(_) => return Err(ConnectionError::Protocol("a message that nothing caused")),
                }
            }
            if self.notifications.is_empty() {
                self.fill().await?;
            }
        }
    }
}

/// How much memory is kept free for what arrives, in bytes.
const READ: usize = 8 * 1024;

/// The longest message, in bytes: no value of Postgres is longer than 1 GB. A length that is wrong does not make the
/// client reserve more.
const LONGEST: usize = 1 << 30;

fn parse(read: &mut BytesMut) -> Result<Option<Message>, ConnectionError> {
    let length = Header::parse(read)?.map_or(0, |header| usize::try_from(header.len()).unwrap_or(usize::MAX));
    if length > LONGEST {
        return Err(ConnectionError::Protocol("a message is too long"));
    }
    if length > read.capacity() && length > read.len() {
        // `Message::parse` would reserve all of it at once: the memory grows with what arrives.
        return Ok(None);
    }
    Ok(Message::parse(read)?)
}

fn poll_fill(stream: &mut Stream, into: &mut BytesMut, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
    let start = into.len();
    into.resize(start + READ, 0);
    let mut buffer = ReadBuf::new(&mut into[start..]);
    let polled = Pin::new(stream).poll_read(context, &mut buffer);
    let length = buffer.filled().len();
    into.truncate(start + length);
    polled.map_ok(|()| length)
}
