//! Names of tables and columns.

use super::error::TableError;

const TENANT_ID: &str = "tenant_id";

/// Postgres cuts a longer one off, and might then mean another.
const LONGEST: usize = 63;

/// A name that needs no more than quotes to stand in a statement.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Identifier(Box<str>);

impl Identifier {
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        let is_first = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
        let (Some(first), ..=LONGEST) = (text.bytes().next(), text.len()) else {
            return Err(TableError::InvalidIdentifier);
        };
        if is_first(first) && text.bytes().all(|byte| is_first(byte) || byte.is_ascii_digit()) {
            Ok(Self(text.into()))
        } else {
            Err(TableError::InvalidIdentifier)
        }
    }

    /// One that may be written.
    pub(super) fn parse_writable(text: &str) -> Result<Self, TableError> {
        let identifier = Self::parse(text)?;
        if identifier.0.eq_ignore_ascii_case(TENANT_ID) {
            return Err(TableError::WritesTenantId);
        }
        Ok(identifier)
    }

    pub(super) fn is_tenant_id(&self) -> bool {
        *self.0 == *TENANT_ID
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A table, with or without its schema.
pub(super) struct TableName {
    pub(super) schema: Option<Identifier>,
    pub(super) table: Identifier,
}

impl TableName {
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        let (schema, table) = match text.split_once('.') {
            Some((schema, table)) => (Some(Identifier::parse(schema)?), table),
            None => (None, text),
        };
        Ok(Self { schema, table: Identifier::parse(table)? })
    }
}

/// What is read of a row.
pub(super) enum Columns {
    /// All but `tenant_id`.
    All,
    Listed(Vec<Identifier>),
}

impl Columns {
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        if text.trim_ascii() == "*" {
            return Ok(Self::All);
        }
        list(text).map(Self::Listed)
    }
}

/// Columns with commas between them.
pub(super) fn list(text: &str) -> Result<Vec<Identifier>, TableError> {
    text.split(',').map(|name| Identifier::parse(name.trim_ascii())).collect()
}
