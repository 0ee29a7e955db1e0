//! Rows to write, as JSON.

use serde::Serialize;
use serde_json::{Map, Value};

use super::name::Identifier;
use super::own_types::{OwnColumn, hstore};
use super::sql::{Param, TableSql};
use crate::error::TableError;

/// The largest number of rows in one statement of [`Rows::batches`].
const MOST_ROWS: usize = 10_000;

/// The largest length of JSON in one statement of [`Rows::batches`], in bytes, unless one row alone is longer.
const LONGEST: usize = 8 << 20;

/// One row or many, and the columns that each of them names.
pub(super) struct Rows {
    pub(super) columns: Vec<Identifier>,
    pub(super) json: Param,
    /// Whether a value is an object, which an `hstore` column does not accept.
    pub(super) has_objects: bool,
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
            // A column that this row leaves out would be null instead of the table's default.
            if row.len() != first.len() || !row.keys().all(|name| first.contains_key(name)) {
                return Err(TableError::InvalidRow);
            }
        }
        let first = first.clone();
        Self::of(&first, &Value::Array(rows))
    }

    /// Returns rows by statement, each with a bounded number and length.
    pub(super) fn batches<R: Serialize>(rows: impl IntoIterator<Item = R>) -> Result<Vec<Self>, TableError> {
        let (mut batches, mut first, mut json, mut count) = (Vec::new(), None, String::from("["), 0);
        let mut objects = false;
        for row in rows {
            let Value::Object(row) = to_json(row)? else { return Err(TableError::InvalidRow) };
            let text = serde_json::to_string(&row).map_err(|_| TableError::InvalidRow)?;
            let first = first.get_or_insert_with(|| row.clone());
            if row.len() != first.len() || !row.keys().all(|name| first.contains_key(name)) {
                return Err(TableError::InvalidRow);
            }
            if count == MOST_ROWS || (count > 0 && json.len() + text.len() > LONGEST) {
                json.push(']');
                batches.push(Self {
                    columns: columns(first)?,
                    json: Param(std::mem::replace(&mut json, "[".to_owned())),
                    has_objects: false,
                });
                count = 0;
            }
            objects |= has_objects(&row);
            json.push_str(if count == 0 { "" } else { "," });
            json.push_str(&text);
            count += 1;
        }
        if let Some(first) = first {
            json.push(']');
            batches.push(Self { columns: columns(&first)?, json: Param(json), has_objects: objects });
        }
        for batch in &mut batches {
            batch.has_objects = objects;
        }
        Ok(batches)
    }

    /// Returns the JSON, with objects for `hstore` columns replaced by their text.
    pub(super) fn json_for(&self, sql: &TableSql) -> Param {
        let is_hstore = |column: &&Identifier| sql.own_type(column).is_some_and(OwnColumn::is_hstore);
        let columns: Vec<_> = self.columns.iter().filter(is_hstore).collect();
        if columns.is_empty() || !self.has_objects {
            return self.json.clone();
        }
        let Ok(mut json) = serde_json::from_str::<Value>(&self.json.0) else { return self.json.clone() };
        let mut rows: Vec<&mut Value> = match &mut json {
            Value::Array(rows) => rows.iter_mut().collect(),
            row => vec![row],
        };
        for row in &mut rows {
            for column in &columns {
                let Some(value) = row.get_mut(column.as_str()) else { continue };
                if let Some(text) = hstore(value) {
                    *value = Value::String(text);
                }
            }
        }
        Param(json.to_string())
    }

    fn of(row: &Map<String, Value>, json: &Value) -> Result<Self, TableError> {
        let rows = match json {
            Value::Array(rows) => rows.as_slice(),
            row => std::slice::from_ref(row),
        };
        let has_objects = rows.iter().filter_map(Value::as_object).any(has_objects);
        Ok(Self { columns: columns(row)?, json: Param(json.to_string()), has_objects })
    }
}

fn has_objects(row: &Map<String, Value>) -> bool {
    row.values().any(Value::is_object)
}

fn columns(row: &Map<String, Value>) -> Result<Vec<Identifier>, TableError> {
    row.keys().map(|name| Identifier::raw_writable(name)).collect()
}

fn to_json(rows: impl Serialize) -> Result<Value, TableError> {
    serde_json::to_value(rows).map_err(|_| TableError::InvalidRow)
}

fn object(row: &Value) -> Result<&Map<String, Value>, TableError> {
    row.as_object().ok_or(TableError::InvalidRow)
}
