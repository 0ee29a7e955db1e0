//! Which rows are meant.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::error::TableError;
use super::name::Identifier;
use super::sql::{Param, TableSql};

/// Filters that are joined by one word: what [`Query::or`](super::Query::or) takes.
///
/// A value is what serde makes one text, number or boolean of, and is compared as the column's type. A column of JSON
/// or of an array is compared with its text: `"{1,2}"`.
#[must_use]
#[derive(Default)]
pub struct Filters(Vec<Result<Condition, TableError>>);

enum Condition {
    Compare(Identifier, &'static str, Param),
    AnyOf(Identifier, Param),
    Is(Identifier, &'static str),
    Group(&'static str, Filters),
}

impl Filters {
    /// The column has this value.
    pub fn eq(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, " = ", value)
    }

    /// The column has another value than this one. Null is neither.
    pub fn neq(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, " <> ", value)
    }

    /// The column is greater.
    pub fn gt(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, " > ", value)
    }

    /// The column is greater, or has this value.
    pub fn gte(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, " >= ", value)
    }

    /// The column is less.
    pub fn lt(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, " < ", value)
    }

    /// The column is less, or has this value.
    pub fn lte(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, " <= ", value)
    }

    /// The column matches a pattern, in which `%` is any text and `_` any character.
    pub fn like(self, column: &str, pattern: &str) -> Self {
        self.compare(column, " LIKE ", pattern)
    }

    /// The column has one of these values. Of none there are no rows.
    pub fn in_<T: Serialize>(self, column: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.push(column, |column| Ok(Condition::AnyOf(column, array(values)?)))
    }

    /// The column is null.
    pub fn is_null(self, column: &str) -> Self {
        self.push(column, |column| Ok(Condition::Is(column, " IS NULL")))
    }

    /// The column is not null.
    pub fn not_null(self, column: &str) -> Self {
        self.push(column, |column| Ok(Condition::Is(column, " IS NOT NULL")))
    }

    /// At least one of these holds.
    pub fn or(self, any: impl FnOnce(Self) -> Self) -> Self {
        self.group(" OR ", any)
    }

    /// All of these hold: for a filter in an [`or`](Self::or).
    pub fn and(self, all: impl FnOnce(Self) -> Self) -> Self {
        self.group(" AND ", all)
    }

    fn compare(self, column: &str, operator: &'static str, value: impl Serialize) -> Self {
        self.push(column, |column| Ok(Condition::Compare(column, operator, Param(scalar(value)?))))
    }

    fn group(mut self, word: &'static str, fill: impl FnOnce(Self) -> Self) -> Self {
        self.0.push(Ok(Condition::Group(word, fill(Self::default()))));
        self
    }

    fn push(
        mut self,
        column: &str,
        condition: impl FnOnce(Identifier) -> Result<Condition, TableError>,
    ) -> Self {
        self.0.push(Identifier::parse(column).and_then(condition));
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tenant's rows, and of those the ones that each filter matches.
    pub(super) fn write_where(self, sql: &mut TableSql) -> Result<(), TableError> {
        sql.push(" WHERE ").is_the_tenants();
        self.0.into_iter().try_for_each(|condition| condition?.write(sql.push(" AND ")))
    }
}

impl Condition {
    fn write(self, sql: &mut TableSql) -> Result<(), TableError> {
        match self {
            Self::Compare(column, operator, value) => sql.name(&column).push(operator).value(value),
            Self::AnyOf(column, values) => sql.name(&column).push(" = ANY (").value(values).push(")"),
            Self::Is(column, what) => sql.name(&column).push(what),
            Self::Group(_, filters) if filters.is_empty() => return Err(TableError::EmptyGroup),
            Self::Group(word, filters) => {
                // Whatever stands in it, it is one part of what it stands in.
                sql.push("(");
                for (at, condition) in filters.0.into_iter().enumerate() {
                    condition?.write(sql.push(if at == 0 { "" } else { word }))?;
                }
                sql.push(")")
            }
        };
        Ok(())
    }
}

fn scalar(value: impl Serialize) -> Result<String, TableError> {
    match serde_json::to_value(value) {
        Ok(Value::String(text)) => Ok(text),
        Ok(Value::Number(number)) => Ok(number.to_string()),
        Ok(Value::Bool(is)) => Ok(is.to_string()),
        Ok(Value::Null) => Err(TableError::NullFilter),
        Ok(Value::Array(_) | Value::Object(_)) | Err(_) => Err(TableError::InvalidValue),
    }
}

/// Each element in quotes, in which a backslash makes the next character a plain one.
fn array<T: Serialize>(values: impl IntoIterator<Item = T>) -> Result<Param, TableError> {
    let mut text = String::from("{");
    for (at, value) in values.into_iter().enumerate() {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        for character in scalar(value)?.chars() {
            if matches!(character, '"' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        text.push('"');
    }
    text.push('}');
    Ok(Param(text))
}

/// Not what they compare with.
impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters").field("count", &self.0.len()).finish_non_exhaustive()
    }
}
