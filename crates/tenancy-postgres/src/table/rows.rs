//! Rows that a program gives, as JSON.

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::TableError;
use super::name::Identifier;
use super::sql::Param;

/// One row or many, and the columns that each of them names.
pub(super) struct Rows {
    pub(super) columns: Vec<Identifier>,
    pub(super) json: Param,
}

impl Rows {
    pub(super) fn one(row: impl Serialize) -> Result<Self, TableError> {
        match to_json(row)? {
            Value::Object(row) if !row.is_empty() => Self::of(&row, &Value::Object(row.clone())),
            _ => Err(TableError::InvalidRow),
        }
    }

    pub(super) fn many(rows: impl Serialize) -> Result<Self, TableError> {
        let rows = match to_json(rows)? {
            Value::Array(rows) => rows,
            row => vec![row],
        };
        let none = Map::new();
        let first = rows.first().map_or(Ok(&none), object)?;
        for row in &rows {
            let row = object(row)?;
            // Another's columns would be null in it, and not what the table has for a default.
            if row.len() != first.len() || !row.keys().all(|name| first.contains_key(name)) {
                return Err(TableError::InvalidRow);
            }
        }
        let first = first.clone();
        Self::of(&first, &Value::Array(rows))
    }

    fn of(row: &Map<String, Value>, json: &Value) -> Result<Self, TableError> {
        let columns = row.keys().map(|name| Identifier::parse_writable(name)).collect::<Result<_, _>>()?;
        Ok(Self { columns, json: Param(json.to_string()) })
    }
}

fn to_json(rows: impl Serialize) -> Result<Value, TableError> {
    serde_json::to_value(rows).map_err(|_| TableError::InvalidRow)
}

fn object(row: &Value) -> Result<&Map<String, Value>, TableError> {
    row.as_object().ok_or(TableError::InvalidRow)
}
