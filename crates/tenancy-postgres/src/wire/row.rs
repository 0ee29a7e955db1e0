//! Rows and their columns.

use std::error::Error;
use std::ops::Range;
use std::sync::Arc;
use std::{fmt, io};

use bytes::Bytes;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{DataRowBody, RowDescriptionBody};
use postgres_types::{FromSql, Oid, Type, WrongType};

/// A row of a result.
///
/// Values are converted with [`FromSql`], as with `tokio-postgres`:
///
/// ```no_run
/// # fn example(row: &tenancy_postgres::Row) -> Result<(), tenancy_postgres::Error> {
/// let title: &str = row.get("title");
/// let id: i64 = row.try_get(0)?;
/// let price: Option<f64> = row.try_get("price")?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Row {
    columns: Arc<[Column]>,
    values: Values,
}

/// The values of a row as the server sent them.
#[derive(Clone)]
pub(crate) struct Values {
    body: Bytes,
    ranges: Vec<Option<Range<usize>>>,
}

/// A column of a result.
#[derive(Clone, Debug)]
pub struct Column {
    name: Box<str>,
    table: Oid,
    number: i16,
    r#type: Type,
}

impl Row {
    pub(crate) fn new(columns: Arc<[Column]>, values: Values) -> Self {
        Self { columns, values }
    }

    /// The columns, in their order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// Whether the row has no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the value of a column, by its number from 0 or by its name.
    ///
    /// # Panics
    ///
    /// If there is no such column, or its value cannot be converted to `T`. [`try_get`](Self::try_get) returns an
    /// error instead.
    #[track_caller]
    pub fn get<'a, I: RowIndex, T: FromSql<'a>>(&'a self, column: I) -> T {
        match self.try_get(column) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns the value of a column, by its number from 0 or by its name.
    ///
    /// # Errors
    ///
    /// [`ColumnError`] if there is no such column, or its value cannot be converted to `T`.
    pub fn try_get<'a, I: RowIndex, T: FromSql<'a>>(&'a self, column: I) -> Result<T, ColumnError> {
        let index = column.index(&self.columns).ok_or(ColumnError(Problem::Missing))?;
        let r#type = &self.columns[index].r#type;
        let problem = |source| ColumnError(Problem::Conversion { index, source });
        if !T::accepts(r#type) {
            return Err(problem(Box::new(WrongType::new::<T>(r#type.clone()))));
        }
        T::from_sql_nullable(r#type, self.raw(index)).map_err(problem)
    }

    /// The bytes of a value; `None` for null.
    pub(crate) fn raw(&self, index: usize) -> Option<&[u8]> {
        self.values.get(index)
    }
}

/// The columns: values may be secrets.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl Values {
    pub(crate) fn read(row: &DataRowBody) -> io::Result<Self> {
        let mut read = row.ranges();
        let mut ranges = Vec::with_capacity(read.size_hint().0);
        while let Some(range) = read.next()? {
            ranges.push(range);
        }
        Ok(Self { body: row.buffer_bytes().clone(), ranges })
    }

    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The bytes of a value; `None` for null, or if there is no such value.
    pub(crate) fn get(&self, index: usize) -> Option<&[u8]> {
        self.ranges.get(index)?.clone().map(|range| &self.body[range])
    }

    /// The bytes of the last value.
    pub(crate) fn last(&self) -> Option<&[u8]> {
        self.get(self.len().checked_sub(1)?)
    }
}

impl Column {
    pub(crate) fn new(name: &str, table: Oid, number: i16, r#type: Type) -> Self {
        Self { name: name.into(), table, number, r#type }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The table that the column comes from; `None` for an expression.
    pub fn table_oid(&self) -> Option<Oid> {
        (self.table != 0).then_some(self.table)
    }

    /// The column's number in its table, from 1; `None` for an expression.
    pub fn column_id(&self) -> Option<i16> {
        (self.number != 0).then_some(self.number)
    }

    /// The type.
    pub fn type_(&self) -> &Type {
        &self.r#type
    }

    pub(crate) fn with_type(self, r#type: Type) -> Self {
        Self { r#type, ..self }
    }
}

/// Reads the description of a result's columns. A type that `known` does not have gets a stand-in without a name.
pub(crate) fn read_columns(
    description: &RowDescriptionBody,
    known: impl Fn(Oid) -> Option<Type>,
) -> io::Result<Arc<[Column]>> {
    let mut columns = Vec::new();
    let mut fields = description.fields();
    while let Some(field) = fields.next()? {
        let oid = field.type_oid();
        let r#type = Type::from_oid(oid).or_else(|| known(oid)).unwrap_or_else(|| stand_in(oid));
        columns.push(Column::new(field.name(), field.table_oid(), field.column_id(), r#type));
    }
    Ok(columns.into())
}

fn stand_in(oid: Oid) -> Type {
    Type::new(String::new(), oid, postgres_types::Kind::Simple, String::new())
}

/// Whether a type is known by its number alone.
pub(crate) fn is_stand_in(r#type: &Type) -> bool {
    r#type.name().is_empty()
}

/// A way to name a column of a [`Row`]: its number from 0, or its name.
///
/// A name is compared exactly first, then without regard to the case of ASCII letters.
pub trait RowIndex: sealed::Sealed {
    #[doc(hidden)]
    fn index(&self, columns: &[Column]) -> Option<usize>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for usize {}
    impl Sealed for str {}
    impl<T: ?Sized + Sealed> Sealed for &T {}
}

impl RowIndex for usize {
    fn index(&self, columns: &[Column]) -> Option<usize> {
        (*self < columns.len()).then_some(*self)
    }
}

impl RowIndex for str {
    fn index(&self, columns: &[Column]) -> Option<usize> {
        let exact = columns.iter().position(|column| *column.name == *self);
        exact.or_else(|| columns.iter().position(|column| column.name.eq_ignore_ascii_case(self)))
    }
}

impl<T: ?Sized + RowIndex> RowIndex for &T {
    fn index(&self, columns: &[Column]) -> Option<usize> {
        (**self).index(columns)
    }
}

/// A column that is missing, or whose value cannot be converted.
///
/// It shows neither the value nor the name that was asked for.
pub struct ColumnError(Problem);

enum Problem {
    Missing,
    Conversion { index: usize, source: Box<dyn Error + Sync + Send> },
}

impl fmt::Display for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Problem::Missing => f.write_str("no such column"),
            Problem::Conversion { index, source } if source.is::<WrongType>() => {
                write!(f, "cannot convert column {index}: {source}")
            }
            Problem::Conversion { index, .. } => write!(f, "cannot convert the value of column {index}"),
        }
    }
}

impl fmt::Debug for ColumnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ColumnError({self})")
    }
}

impl Error for ColumnError {
    /// The error of the conversion, which may show the value.
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Problem::Missing => None,
            Problem::Conversion { source, .. } => Some(&**source),
        }
    }
}
