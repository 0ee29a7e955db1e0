//! Columns of types that bring their own operators, such as `citext`, `hstore` and `ltree`.
//!
//! Postgres looks up operators in the search path. If the schema of such a type is not in it, as `extensions` may be,
//! `email = $1` compares the texts of a `citext` by their case, without an error. So this crate learns from the catalog
//! which columns have such a type, and writes `OPERATOR(extensions.=)`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use super::name::QualifiedName;

/// How long the catalog's answer is used. A table or an extension may be added later.
const KEPT: Duration = Duration::from_secs(60);

/// Lists the columns of types outside of `pg_catalog` with comparison operators in the type's own schema.
///
/// The domains of such types are followed to the type. The first parameter is the tenant's id, as in every statement.
pub(super) const LOOK_UP: &str = "WITH RECURSIVE own AS (\
    SELECT o.oprleft AS type, n.nspname, t.typname, pg_catalog.array_agg(o.oprname) AS operators \
    FROM pg_catalog.pg_operator o \
    JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) o.oprleft \
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
    WHERE o.oprleft OPERATOR(pg_catalog.=) o.oprright AND o.oprnamespace OPERATOR(pg_catalog.=) t.typnamespace \
    AND n.nspname OPERATOR(pg_catalog.<>) 'pg_catalog' GROUP BY 1, 2, 3\
    ), reached AS (\
    SELECT own.type AS type, own.type AS base FROM own \
    UNION ALL SELECT t.oid, reached.base FROM pg_catalog.pg_type t \
    JOIN reached ON t.typbasetype OPERATOR(pg_catalog.=) reached.type) \
    SELECT NULL, pg_catalog.json_build_object('schema', n.nspname, 'table', c.relname, \
    'is_visible', pg_catalog.pg_table_is_visible(c.oid), 'column', a.attname, 'type', own.typname, \
    'type_schema', own.nspname, 'operators', own.operators)::pg_catalog.text AS row$ \
    FROM reached JOIN own ON own.type OPERATOR(pg_catalog.=) reached.base \
    JOIN pg_catalog.pg_attribute a ON a.atttypid OPERATOR(pg_catalog.=) reached.type \
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
    WHERE a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped \
    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::\"char\"[]) AND $1::pg_catalog.uuid IS NOT NULL";

/// One column, as [`LOOK_UP`] returns it.
#[derive(Debug)]
pub(super) struct OwnColumn {
    schema: String,
    table: String,
    is_visible: bool,
    column: String,
    pub(super) r#type: String,
    pub(super) type_schema: String,
    operators: Vec<String>,
}

/// `serde` is without its derive here.
impl OwnColumn {
    fn read(row: &Value) -> Option<Self> {
        let text = |name: &str| row[name].as_str().map(str::to_owned);
        Some(Self {
            schema: text("schema")?,
            table: text("table")?,
            is_visible: row["is_visible"].as_bool()?,
            column: text("column")?,
            r#type: text("type")?,
            type_schema: text("type_schema")?,
            operators: Vec::deserialize(&row["operators"]).ok()?,
        })
    }

    pub(super) fn has(&self, operator: &str) -> bool {
        self.operators.iter().any(|own| own == operator)
    }

    pub(super) fn is_hstore(&self) -> bool {
        self.r#type == "hstore"
    }
}

/// The columns of one database with types of their own, by table name.
#[derive(Debug, Default)]
pub(crate) struct OwnTypes(HashMap<String, Vec<OwnColumn>>);

impl OwnTypes {
    pub(super) fn read(rows: &[Value]) -> Self {
        let mut tables: HashMap<_, Vec<_>> = HashMap::new();
        for column in rows.iter().filter_map(OwnColumn::read) {
            tables.entry(column.table.clone()).or_default().push(column);
        }
        Self(tables)
    }

    pub(super) fn column(&self, table: &QualifiedName, column: &str) -> Option<&OwnColumn> {
        let is_table = |own: &OwnColumn| match &table.schema {
            Some(schema) => own.schema == schema.as_str(),
            None => own.is_visible,
        };
        let columns = self.0.get(table.name.as_str())?;
        columns.iter().find(|own| own.column == column && is_table(own))
    }
}

/// The last answer of the catalog.
#[derive(Debug, Default)]
pub(crate) struct OwnTypesCache(Mutex<Option<(Instant, Arc<OwnTypes>)>>);

impl OwnTypesCache {
    pub(super) fn get(&self) -> Option<Arc<OwnTypes>> {
        self.lock().as_ref().filter(|(since, _)| since.elapsed() < KEPT).map(|(_, types)| Arc::clone(types))
    }

    /// `since` is a time before the catalog was read.
    pub(super) fn put(&self, since: Instant, types: &Arc<OwnTypes>) {
        *self.lock() = Some((since, Arc::clone(types)));
    }

    /// Returns the last answer, however old it is.
    pub(super) fn get_old(&self) -> Option<Arc<OwnTypes>> {
        self.lock().as_ref().map(|(_, types)| Arc::clone(types))
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Arc<OwnTypes>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the text of an `hstore` for the JSON that Postgres writes for one. `None` if it is not an object.
pub(super) fn hstore(value: &Value) -> Option<String> {
    let members = value.as_object()?.iter().map(|(key, value)| {
        let value = match value {
            Value::Null => "NULL".to_owned(),
            Value::String(text) => quoted(text),
            other => quoted(&other.to_string()),
        };
        format!("{}=>{value}", quoted(key))
    });
    Some(members.collect::<Vec<_>>().join(", "))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::hstore;

    #[test]
    fn writes_hstore_text() {
        let text = hstore(&json!({ "a\"\\": "b=>\"", "c": null, "d": 1.5 }));
        assert_eq!(text.as_deref(), Some(r#""a\"\\"=>"b=>\"", "c"=>NULL, "d"=>"1.5""#));
        assert_eq!(hstore(&json!({})).as_deref(), Some(""));
        assert_eq!(hstore(&json!("a=>1")), None);
    }
}
