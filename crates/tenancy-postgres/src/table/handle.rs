//! A table, and what its statements run on.

use std::fmt;

use super::execute::Execute;

/// A table in which each tenant has its own rows.
///
/// The text of each statement confines it to the tenant, whether or not the table has a policy: a select, update or
/// delete has `tenant_id = …` beside all its other filters, and an insert sets the tenant's id in each row. A program
/// cannot write `tenant_id` itself, and cannot update or delete without a filter by mistake.
///
/// ```no_run
/// use serde::{Deserialize, Serialize};
/// use tenancy_postgres::table::Order;
/// use tenancy_postgres::{Error, TenantDb};
///
/// #[derive(Serialize)]
/// struct NewNote<'a> {
///     title: &'a str,
/// }
///
/// #[derive(Deserialize)]
/// struct Note {
///     id: i64,
///     title: String,
/// }
///
/// # async fn example(db: &TenantDb) -> Result<(), Error> {
/// let notes = db.table("notes");
/// let note: Note = notes.insert(NewNote { title: "first" }).returning("id, title").single().await?;
/// let newest: Vec<Note> = notes
///     .select("id, title")
///     .or(|any| any.ilike("title", "f%").is_null("title"))
///     .order("id", Order::Desc)
///     .limit(10)
///     .rows()
///     .await?;
/// let deleted = notes.delete().eq("id", note.id).execute().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Names
///
/// A name is a letter or `_`, followed by letters, digits or `_`, in any alphabet: `title`, `größe`, `数据`. Other names are
/// written in double quotes, in which `""` is one quote: `"order no"`. A name has at most 63 bytes and does not end with
/// `$`. Names are case-sensitive, because they are quoted in the statement. The name of the table may have a schema,
/// `schema.table`; without one, the search path decides.
///
/// # Columns
///
/// Columns are listed as `*` or `id, title`. Each may have an alias and a cast, and may be a path into a column of type
/// `json` or `jsonb`, as in `PostgREST`: `name:title, amount::text, data->address->>city, data->tags->0`. The last step `->>`
/// makes text of a JSON value. A member's name is the alias, or the last name in the path. A cast names a type by its
/// name, with or without a schema; `[]` and modifiers are not supported. Filters and orders accept paths, too.
///
/// # Values
///
/// A row is a struct or map that serde serializes as an object. Rows are sent as JSON, and each value is converted to its
/// column's type. Rows are returned as JSON as well:
///
/// | type | JSON | in Rust |
/// | --- | --- | --- |
/// | `smallint`, `integer`, `bigint` | a number, exact | `i16`, `i32`, `i64` |
/// | `real`, `double precision` | a number; `"NaN"`, `"Infinity"`, `"-Infinity"` | `f32`, `f64` |
/// | `numeric` | a number with all its digits | `f64` for the nearest; `serde_json::Number` with its `arbitrary_precision` for all; or select `amount::text` |
/// | `text`, `uuid`, an enum | a string | `String`, `uuid::Uuid` with `serde` |
/// | `timestamptz`, `timestamp`, `date` | a string by ISO 8601; `"infinity"` | a type of `chrono`, `jiff` or `time` |
/// | `bytea` | a string of hexadecimal digits after `\x` | `Vec<u8>` by [`bytea`](super::bytea) |
/// | `json`, `jsonb`, an array, a composite type | itself, an array, an object | any type that serde deserializes |
///
/// Two values need care when they are written. serde serializes a float that is not a number as `null`: write `"NaN"`.
/// And serde serializes a `Vec<u8>` as an array, whose text would be stored in a `bytea`: use [`bytea`](super::bytea).
///
/// A field that is `None` is written as null. A field that is left out (`skip_serializing_if`) has its default in an
/// insert, and is not changed by an update. A column with a `NOT NULL` domain cannot be left out, even of an update.
///
/// # Types of extensions
///
/// A column of type `citext`, `hstore`, `ltree`, or of another type with operators in its own schema, is compared by these
/// operators, even if the schema is not in the search path. To learn which columns have such types, the first statement
/// that compares a column takes one more round trip, and so does one statement each minute; a table that was created since
/// then may be compared as text for that minute. `to_sql` asks no server, so its text uses the search path. The role needs
/// `USAGE` on the schema. An `hstore` is an object of texts, in both directions.
///
/// # Coming from supabase-js
///
/// | supabase-js | here |
/// | --- | --- |
/// | `.select('name:title, data->>city')` | `.select("name:title, data->>city")` |
/// | `.select('id, customer:customers(name)')` | `.embed(Embed::one("customers", "customer_id").name("customer").select("name"))` |
/// | `.select('*', { count: 'exact' }).range(0, 9)` | `.select("*").range(0..10).rows_with_count()` |
/// | `.upsert(row, { onConflict: 'id', ignoreDuplicates: true })` | `.upsert(row, "id").ignore_duplicates()` |
/// | `.order('id', { ascending: false, nullsFirst: false })` | `.order("id", Order::DescNullsLast)` |
/// | `.not('a', 'eq', 1)`, `.is('a', true)`, `.in('a', [1])` | `.not(\|not\| not.eq("a", 1))`, `.is_true("a")`, `.in_("a", [1])` |
/// | `.textSearch('body', 'fat rat', { type: 'websearch', config: 'english' })` | `.text_search("body", "fat rat", TextSearch::Websearch, Some("english"))` |
/// | `.rpc('search', { words: 'a' })` | `db.rpc("search", json!({ "words": "a" }))` |
#[derive(Clone, Copy)]
pub struct Table<'a> {
    pub(super) name: &'static str,
    pub(super) on: &'a dyn Execute,
}

impl<'a> Table<'a> {
    pub(crate) fn new(name: &'static str, on: &'a dyn Execute) -> Self {
        Self { name, on }
    }
}

impl fmt::Debug for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Table").field(&self.name).finish()
    }
}
