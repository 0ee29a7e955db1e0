//! Conditions on the rows that a statement reads, updates or deletes.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use super::column::Path;
use super::own_types::{OwnColumn, hstore};
use super::sql::{Param, TableSql};
use crate::error::TableError;

/// A group of filters, which [`Query::or`](super::Query::or) and its like combine into one.
///
/// A column is a name or a path into JSON: `data->address->>city` is text, and `data->tags` is JSON.
///
/// A value is a text, number or boolean, and is converted to the column's type. A column of a type without such a form
/// is compared with the type's text: `"{1,2}"` for an array, `"[1,5)"` for a range, JSON text for `jsonb`. A path that
/// ends in JSON is compared with any JSON value.
#[must_use]
#[derive(Default)]
pub struct Filters(Vec<Result<Condition, TableError>>);

/// How [`Filters::text_search`] reads its query.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TextSearch {
    /// All words, in any order: `plainto_tsquery`.
    Plain,
    /// The words one after the other: `phraseto_tsquery`.
    Phrase,
    /// As in a search engine, with quotes, `or` and `-`: `websearch_to_tsquery`. Never fails.
    Websearch,
    /// The syntax of `tsquery`, `'fat' & 'rat'`: `to_tsquery`. The server rejects other text.
    Raw,
}

enum Condition {
    Compare(Path, &'static str, Param),
    AnyOf(Path, Param),
    Is(Path, &'static str),
    Search { column: Path, function: &'static str, config: Option<Param>, query: Param },
    Group { before: &'static str, word: &'static str, filters: Filters },
}

impl Filters {
    /// Matches rows in which the column equals the value.
    pub fn eq(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, "=", value)
    }

    /// Matches rows in which the column differs from the value. Null does not match.
    pub fn neq(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, "<>", value)
    }

    /// Matches rows in which the column is greater than the value.
    pub fn gt(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, ">", value)
    }

    /// Matches rows in which the column is greater than the value or equals it.
    pub fn gte(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, ">=", value)
    }

    /// Matches rows in which the column is less than the value.
    pub fn lt(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, "<", value)
    }

    /// Matches rows in which the column is less than the value or equals it.
    pub fn lte(self, column: &str, value: impl Serialize) -> Self {
        self.compare(column, "<=", value)
    }

    /// Matches rows in which the column is at least `low` and at most `high`.
    pub fn between(self, column: &str, low: impl Serialize, high: impl Serialize) -> Self {
        self.and(|both| both.gte(column, low).lte(column, high))
    }

    /// Matches rows in which the column matches a pattern: `%` is any text and `_` any character.
    pub fn like(self, column: &str, pattern: &str) -> Self {
        self.compare(column, "~~", pattern)
    }

    /// Matches rows in which the column matches a pattern, as [`like`](Self::like), in any case of letters.
    pub fn ilike(self, column: &str, pattern: &str) -> Self {
        self.compare(column, "~~*", pattern)
    }

    /// Matches rows in which the column equals one of the values. An empty list matches no rows.
    pub fn in_<T: Serialize>(self, column: &str, values: impl IntoIterator<Item = T>) -> Self {
        self.push(column, |column| {
            let values = values.into_iter().map(|value| compared(&column, value));
            Ok(Condition::AnyOf(column.clone(), array(values)?))
        })
    }

    /// Matches rows in which each column named by the object equals the object's value.
    pub fn match_(mut self, columns: impl Serialize) -> Self {
        let Ok(Value::Object(columns)) = serde_json::to_value(columns) else {
            self.0.push(Err(TableError::InvalidValue));
            return self;
        };
        self.and(|all| columns.iter().fold(all, |all, (column, value)| all.eq(column, value)))
    }

    /// Matches rows in which the array, range or `jsonb` column contains all of the value.
    ///
    /// A list is an array, an object is JSON, and a text is the type's own form: `"[1,5)"`, or `"[1]"` for a list in
    /// `jsonb`.
    pub fn contains(self, column: &str, value: impl Serialize) -> Self {
        self.compare_whole(column, "@>", value)
    }

    /// Matches rows in which the array, range or `jsonb` column is contained by the value, as in [`contains`](Self::contains).
    pub fn contained_by(self, column: &str, value: impl Serialize) -> Self {
        self.compare_whole(column, "<@", value)
    }

    /// Matches rows in which the array or range has an element in common with the value.
    pub fn overlaps(self, column: &str, value: impl Serialize) -> Self {
        self.compare_whole(column, "&&", value)
    }

    /// Matches rows in which the column, text or `tsvector`, matches a full text query.
    ///
    /// `config` is a text search configuration, such as `english`; without one, the server's default applies. A column of
    /// type text is always parsed with the default.
    pub fn text_search(self, column: &str, query: &str, kind: TextSearch, config: Option<&str>) -> Self {
        self.push(column, |column| {
            let function = match kind {
                TextSearch::Plain => "plainto_tsquery",
                TextSearch::Phrase => "phraseto_tsquery",
                TextSearch::Websearch => "websearch_to_tsquery",
                TextSearch::Raw => "to_tsquery",
            };
            let config = config.map(|config| Param(config.to_owned()));
            Ok(Condition::Search { column, function, config, query: Param(query.to_owned()) })
        })
    }

    /// Matches rows in which the column is null.
    pub fn is_null(self, column: &str) -> Self {
        self.push(column, |column| Ok(Condition::Is(column, " IS NULL")))
    }

    /// Matches rows in which the column is not null.
    pub fn not_null(self, column: &str) -> Self {
        self.push(column, |column| Ok(Condition::Is(column, " IS NOT NULL")))
    }

    /// Matches rows in which the boolean column is true.
    pub fn is_true(self, column: &str) -> Self {
        self.push(column, |column| Ok(Condition::Is(column, " IS TRUE")))
    }

    /// Matches rows in which the boolean column is false. Null does not match.
    pub fn is_false(self, column: &str) -> Self {
        self.push(column, |column| Ok(Condition::Is(column, " IS FALSE")))
    }

    /// Matches rows that match at least one of the filters.
    pub fn or(self, any: impl FnOnce(Self) -> Self) -> Self {
        self.group("", " OR ", any)
    }

    /// Matches rows that match all of the filters. Only an [`or`](Self::or) or a [`not`](Self::not) needs it.
    pub fn and(self, all: impl FnOnce(Self) -> Self) -> Self {
        self.group("", " AND ", all)
    }

    /// Matches rows for which it is false that they match all of the filters.
    ///
    /// As in SQL, a comparison with a null column is neither true nor false, so the row does not match.
    pub fn not(self, all: impl FnOnce(Self) -> Self) -> Self {
        self.group("NOT ", " AND ", all)
    }

    fn compare(self, column: &str, operator: &'static str, value: impl Serialize) -> Self {
        self.push(column, |column| {
            let value = compared(&column, value)?;
            Ok(Condition::Compare(column, operator, Param(value)))
        })
    }

    /// A list is an array, and an object is JSON.
    fn compare_whole(self, column: &str, operator: &'static str, value: impl Serialize) -> Self {
        self.push(column, |column| {
            let value = serde_json::to_value(value).map_err(|_| TableError::InvalidValue)?;
            let value = match value {
                Value::Null => return Err(TableError::NullFilter),
                value if column.is_json() => Param(value.to_string()),
                Value::Array(values) => array(values.into_iter().map(scalar))?,
                Value::Object(_) => Param(value.to_string()),
                value => Param(scalar(value)?),
            };
            Ok(Condition::Compare(column, operator, value))
        })
    }

    fn group(mut self, before: &'static str, word: &'static str, fill: impl FnOnce(Self) -> Self) -> Self {
        self.0.push(Ok(Condition::Group { before, word, filters: fill(Self::default()) }));
        self
    }

    fn push(mut self, column: &str, condition: impl FnOnce(Path) -> Result<Condition, TableError>) -> Self {
        self.0.push(Path::parse(column).and_then(condition));
        self
    }

    /// Returns whether a column is compared by an operator that its type may bring.
    pub(super) fn compare_columns(&self) -> bool {
        self.0.iter().flatten().any(|condition| match condition {
            Condition::Compare(path, ..) | Condition::AnyOf(path, _) => path.steps.is_empty(),
            Condition::Is(..) | Condition::Search { .. } => false,
            Condition::Group { filters, .. } => filters.compare_columns(),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes the filter for the tenant and each of these filters beside it.
    pub(super) fn write_where(self, sql: &mut TableSql) -> Result<(), TableError> {
        sql.push(" WHERE ").is_the_tenants();
        self.write_and(sql)
    }

    /// Writes each filter, with `AND` before it.
    pub(super) fn write_and(self, sql: &mut TableSql) -> Result<(), TableError> {
        self.0.into_iter().try_for_each(|condition| condition?.write(sql.push(" AND ")))
    }
}

impl Condition {
    fn write(self, sql: &mut TableSql) -> Result<(), TableError> {
        match self {
            Self::Compare(column, operator, value) => {
                let is_hstore = column.steps.is_empty()
                    && value.0.starts_with('{')
                    && sql.own_type(&column.column).is_some_and(OwnColumn::is_hstore);
                let text = if is_hstore { serde_json::from_str(&value.0).ok() } else { None };
                let value = text.and_then(|json| hstore(&json)).map_or(value, Param);
                sql.path(&column).operator(&column, operator).value(value)
            }
            Self::AnyOf(column, values) => {
                sql.path(&column).operator(&column, "=").push("ANY (").value(values).push(")")
            }
            Self::Is(column, what) => sql.path(&column).push(what),
            Self::Search { column, function, config, query } => {
                sql.path(&column).push(" OPERATOR(pg_catalog.@@) pg_catalog.").push(function).push("(");
                if let Some(config) = config {
                    sql.value(config).push("::pg_catalog.regconfig, ");
                }
                sql.value(query).push("::pg_catalog.text)")
            }
            Self::Group { filters, .. } if filters.is_empty() => return Err(TableError::EmptyGroup),
            Self::Group { before, word, filters } => {
                // The parentheses make one condition of the group, whatever it contains.
                sql.push(before).push("(");
                for (at, condition) in filters.0.into_iter().enumerate() {
                    condition?.write(sql.push(if at == 0 { "" } else { word }))?;
                }
                sql.push(")")
            }
        };
        Ok(())
    }
}

/// Returns the text that a column or a path is compared with.
fn compared(column: &Path, value: impl Serialize) -> Result<String, TableError> {
    let value = serde_json::to_value(value).map_err(|_| TableError::InvalidValue)?;
    match value {
        Value::Null => Err(TableError::NullFilter),
        value if column.is_json() => Ok(value.to_string()),
        value => scalar(value),
    }
}

fn scalar(value: Value) -> Result<String, TableError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(is) => Ok(is.to_string()),
        Value::Null => Err(TableError::NullFilter),
        Value::Array(_) | Value::Object(_) => Err(TableError::InvalidValue),
    }
}

/// Returns an array's text: each element is quoted, and a backslash escapes the next character.
pub(super) fn array(
    values: impl IntoIterator<Item = Result<String, TableError>>,
) -> Result<Param, TableError> {
    let mut text = String::from("{");
    for (at, value) in values.into_iter().enumerate() {
        text.push_str(if at == 0 { "\"" } else { ",\"" });
        for character in value?.chars() {
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

/// Shows the number of filters, but no values.
impl fmt::Debug for Filters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filters").field("count", &self.0.len()).finish_non_exhaustive()
    }
}
