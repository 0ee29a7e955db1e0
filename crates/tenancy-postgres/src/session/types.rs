//! Types that the database defines: enums, domains, composite types, ranges, types of extensions.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use postgres_types::{Field, Kind, Oid, Type};
use quick_cache::sync::Cache;

use crate::error::Error;
use crate::wire::{Column, Connection, Row, is_stand_in};

/// How long a type is known: an enum may get another label.
const KNOWN: Duration = Duration::from_secs(60);

const TYPES: usize = 4096;

/// How deep types are nested at most.
const DEPTH: usize = 32;

/// Names and operators are qualified: the search path may be a tenant's.
const LOOK_UP: &str = "SELECT t.oid, t.typname::pg_catalog.text, n.nspname::pg_catalog.text, t.typtype, \
     CASE WHEN t.typcategory OPERATOR(pg_catalog.=) 'A' THEN t.typelem ELSE 0::pg_catalog.oid END, \
     t.typbasetype, COALESCE(r.rngsubtype, 0::pg_catalog.oid), \
     ARRAY(SELECT e.enumlabel::pg_catalog.text FROM pg_catalog.pg_enum e \
         WHERE e.enumtypid OPERATOR(pg_catalog.=) t.oid ORDER BY e.enumsortorder), \
     ARRAY(SELECT a.attname::pg_catalog.text FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND NOT a.attisdropped \
         AND a.attnum OPERATOR(pg_catalog.>) 0 ORDER BY a.attnum), \
     ARRAY(SELECT a.atttypid FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND NOT a.attisdropped \
         AND a.attnum OPERATOR(pg_catalog.>) 0 ORDER BY a.attnum) \
     FROM pg_catalog.pg_type t \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
     LEFT JOIN pg_catalog.pg_range r ON r.rngtypid OPERATOR(pg_catalog.=) t.oid \
     WHERE t.oid OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.oid[])";

pub(crate) struct Types(Cache<Oid, (Instant, Type)>);

/// A type as the catalog describes it.
struct Described {
    name: String,
    schema: String,
    form: i8,
    element: Oid,
    base: Oid,
    subtype: Oid,
    labels: Vec<String>,
    fields: Vec<(String, Oid)>,
}

impl Types {
    pub(crate) fn new() -> Self {
        Self(Cache::new(TYPES))
    }

    pub(crate) fn get(&self, oid: Oid) -> Option<Type> {
        let (since, known) = self.0.get(&oid)?;
        (since.elapsed() < KNOWN).then_some(known)
    }

    /// Replaces stand-ins among the types of columns.
    pub(crate) async fn complete(
        &self,
        connection: &mut Connection,
        columns: Arc<[Column]>,
    ) -> Result<Arc<[Column]>, Error> {
        let unknown: Vec<_> =
            columns.iter().map(Column::type_).filter(|of| is_stand_in(of)).map(Type::oid).collect();
        if unknown.is_empty() {
            return Ok(columns);
        }
        self.look_up(connection, &unknown).await?;
        let complete = |column: &Column| {
            let known = is_stand_in(column.type_()).then(|| self.get(column.type_().oid())).flatten();
            match known {
                Some(known) => column.clone().with_type(known),
                None => column.clone(),
            }
        };
        Ok(columns.iter().map(complete).collect())
    }

    /// Returns the types of these numbers.
    pub(crate) async fn resolve(
        &self,
        connection: &mut Connection,
        oids: &[Oid],
    ) -> Result<Arc<[Type]>, Error> {
        let known = |oid: Oid| Type::from_oid(oid).or_else(|| self.get(oid));
        let unknown: Vec<_> = oids.iter().copied().filter(|oid| known(*oid).is_none()).collect();
        if !unknown.is_empty() {
            self.look_up(connection, &unknown).await?;
        }
        Ok(oids.iter().map(|oid| known(*oid).unwrap_or(Type::UNKNOWN)).collect())
    }

    async fn look_up(&self, connection: &mut Connection, oids: &[Oid]) -> Result<(), Error> {
        let mut described = HashMap::new();
        let mut wanted: HashSet<Oid> = oids.iter().copied().collect();
        for _ in 0..DEPTH {
            wanted.retain(|oid| Type::from_oid(*oid).is_none() && !described.contains_key(oid));
            if wanted.is_empty() {
                break;
            }
            let list: Vec<_> = wanted.iter().map(ToString::to_string).collect();
            let list = format!("{{{}}}", list.join(","));
            let before = described.len();
            for row in connection.query(LOOK_UP, &[&list]).await?? {
                let of = Described::read(&row)?;
                wanted.extend(of.parts());
                described.insert(row.try_get(0)?, of);
            }
            if described.len() == before {
                break;
            }
        }
        for oid in described.keys() {
            if let Some(built) = build(*oid, &described, DEPTH) {
                self.0.insert(*oid, (Instant::now(), built));
            }
        }
        Ok(())
    }
}

impl Described {
    fn read(row: &Row) -> Result<Self, Error> {
        let (names, types): (Vec<String>, Vec<Oid>) = (row.try_get(8)?, row.try_get(9)?);
        Ok(Self {
            name: row.try_get(1)?,
            schema: row.try_get(2)?,
            form: row.try_get(3)?,
            element: row.try_get(4)?,
            base: row.try_get(5)?,
            subtype: row.try_get(6)?,
            labels: row.try_get(7)?,
            fields: names.into_iter().zip(types).collect(),
        })
    }

    fn parts(&self) -> impl Iterator<Item = Oid> {
        let fields = self.fields.iter().map(|(_, oid)| *oid);
        [self.element, self.base, self.subtype].into_iter().chain(fields).filter(|oid| *oid != 0)
    }
}

fn build(oid: Oid, described: &HashMap<Oid, Described>, depth: usize) -> Option<Type> {
    if let Some(built_in) = Type::from_oid(oid) {
        return Some(built_in);
    }
    let of = described.get(&oid)?;
    let depth = depth.checked_sub(1)?;
    let part = |oid| build(oid, described, depth);
    let kind = match u8::try_from(of.form).ok()? {
        b'e' => Kind::Enum(of.labels.clone()),
        b'p' => Kind::Pseudo,
        b'd' => Kind::Domain(part(of.base)?),
        b'r' => Kind::Range(part(of.subtype)?),
        b'c' => {
            let field = |(name, oid): &(String, Oid)| Some(Field::new(name.clone(), part(*oid)?));
            Kind::Composite(of.fields.iter().map(field).collect::<Option<_>>()?)
        }
        _ if of.element != 0 => Kind::Array(part(of.element)?),
        _ => Kind::Simple,
    };
    Some(Type::new(of.name.clone(), oid, kind, of.schema.clone()))
}
