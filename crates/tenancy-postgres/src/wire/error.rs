//! Errors of a connection, and errors that the server reports.

use std::error::Error;
use std::{fmt, io};

use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::ErrorFields;

/// An error that the server reported.
///
/// It has what a program needs to react: the SQLSTATE, the severity, the message, and the names of the objects that
/// the error is about. Neither the detail nor the hint nor the context of the server's message is kept, because they
/// can contain values, among them keys of another tenant.
///
/// See [the list of SQLSTATE codes](https://www.postgresql.org/docs/current/errcodes-appendix.html).
#[derive(Clone, PartialEq, Eq)]
pub struct ServerError(Box<Fields>);

#[derive(Clone, PartialEq, Eq, Default)]
struct Fields {
    code: String,
    severity: String,
    message: String,
    schema: Option<String>,
    table: Option<String>,
    column: Option<String>,
    datatype: Option<String>,
    constraint: Option<String>,
    is_in_read_only: bool,
}

impl ServerError {
    /// The SQLSTATE: five characters, for example `23505` for a unique violation.
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// The severity: `ERROR`, `FATAL` or `PANIC`, in English whatever the server's language is.
    pub fn severity(&self) -> &str {
        &self.0.severity
    }

    /// The primary message, in the server's language.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The schema of the object that the error is about, if the server names it.
    pub fn schema(&self) -> Option<&str> {
        self.0.schema.as_deref()
    }

    /// The table that the error is about, if the server names it.
    pub fn table(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    /// The column that the error is about, if the server names it.
    pub fn column(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// The data type that the error is about, if the server names it.
    pub fn datatype(&self) -> Option<&str> {
        self.0.datatype.as_deref()
    }

    /// The constraint that was violated, if the server names it.
    pub fn constraint(&self) -> Option<&str> {
        self.0.constraint.as_deref()
    }

    /// Marks an error of a transaction that was begun as read only, and not by a standby.
    pub(crate) fn in_read_only(mut self, is_read_only: bool) -> Self {
        self.0.is_in_read_only = is_read_only;
        self
    }

    pub(crate) fn is_in_read_only(&self) -> bool {
        self.0.is_in_read_only
    }

    /// Whether the server ended the session with this error.
    pub(crate) fn is_fatal(&self) -> bool {
        self.0.severity != "ERROR"
    }

    /// Reads the fields of an `ErrorResponse` or a `NoticeResponse`.
    pub(crate) fn read(mut fields: ErrorFields<'_>) -> io::Result<Self> {
        let mut read = Fields::default();
        let mut localized = String::new();
        while let Some(field) = fields.next()? {
            let text = String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => read.code = text,
                b'V' => read.severity = text,
                b'S' => localized = text,
                b'M' => read.message = text,
                b's' => read.schema = Some(text),
                b't' => read.table = Some(text),
                b'c' => read.column = Some(text),
                b'd' => read.datatype = Some(text),
                b'n' => read.constraint = Some(text),
                _ => {}
            }
        }
        // Poolers send only the localized severity.
        if read.severity.is_empty() {
            read.severity = localized;
        }
        Ok(Self(Box::new(read)))
    }
}

/// The message and the SQLSTATE.
impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0.message, self.0.code)
    }
}

impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerError")
            .field("code", &self.0.code)
            .field("severity", &self.0.severity)
            .field("message", &self.0.message)
            .field("table", &self.0.table)
            .field("constraint", &self.0.constraint)
            .finish_non_exhaustive()
    }
}

impl Error for ServerError {}

/// An error of a tokio-postgres client, which the operator's functions use.
impl From<&tokio_postgres::error::DbError> for ServerError {
    fn from(error: &tokio_postgres::error::DbError) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self(Box::new(Fields {
            code: error.code().code().to_owned(),
            severity: error.severity().to_owned(),
            message: error.message().to_owned(),
            schema: owned(error.schema()),
            table: owned(error.table()),
            column: owned(error.column()),
            datatype: owned(error.datatype()),
            constraint: owned(error.constraint()),
            is_in_read_only: false,
        }))
    }
}

/// Why a connection could not be established, or broke.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The socket failed, or the server closed it.
    Io(io::Error),
    /// The server ended the session, or refused to start one.
    Server(ServerError),
    /// The server or something on the way sent a message that the protocol does not allow at this point.
    Protocol(&'static str),
    /// The server asked for an authentication method that is not supported, or its own proof was wrong.
    Authentication(&'static str),
    /// TLS could not be established.
    Tls(Box<dyn Error + Send + Sync>),
    /// An answer did not arrive within the configured time.
    Timeout,
    /// The statement was a `COPY` from or to the client, which is not supported.
    Copy,
}

impl ConnectionError {
    /// Whether the connection may be established later, or another one may not break.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Io(_) | Self::Server(_) | Self::Timeout)
    }

    /// The server's error, if the server reported one.
    pub fn server(&self) -> Option<&ServerError> {
        match self {
            Self::Server(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for ConnectionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "connection failed: {error}"),
            Self::Server(error) => error.fmt(f),
            Self::Protocol(problem) => write!(f, "unexpected message from the server: {problem}"),
            Self::Authentication(problem) => write!(f, "authentication failed: {problem}"),
            Self::Tls(error) => write!(f, "TLS failed: {error}"),
            Self::Timeout => f.write_str("no answer from the server in time"),
            Self::Copy => f.write_str("COPY from or to the client is not supported"),
        }
    }
}

impl Error for ConnectionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) => error.source(),
            Self::Tls(error) => error.source(),
            Self::Server(_) | Self::Protocol(_) | Self::Authentication(_) | Self::Timeout | Self::Copy => {
                None
            }
        }
    }
}

/// An error of a client of `tokio-postgres` that the server did not report.
impl From<tokio_postgres::Error> for ConnectionError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Io(io::Error::other(error))
    }
}

impl From<io::Error> for ConnectionError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ServerError> for ConnectionError {
    fn from(error: ServerError) -> Self {
        Self::Server(error)
    }
}
