//! Which statements are prepared.
//!
//! A statement is prepared in a session when its text is used for the second time. Names protect nothing: SQL can list
//! and replace prepared statements, because both protocols share one namespace. What protects is the scrub: it closes
//! a session in which SQL prepared a statement. SQL that only removed one makes the next use of it fail before
//! anything runs, and the driver prepares its statements again.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use postgres_types::{Oid, Type};
use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::wire::Column;

/// The number of texts that are remembered. Texts that are generated on the fly do not fill the memory.
const TEXTS: usize = 1024;

/// The number of statements that one session has prepared at most. The scrub looks at each of them.
const PREPARED: usize = 32;

/// How long types that the server inferred are used: a table may have changed.
const LEARNED: Duration = Duration::from_secs(60);

/// The texts that were used, with the declared types of their parameters.
pub(crate) struct Texts {
    known: Cache<Key, Arc<Text>>,
    next: AtomicU64,
}

#[derive(PartialEq, Eq)]
struct Key {
    sql: Box<str>,
    types: Box<[Oid]>,
}

struct Borrowed<'a> {
    sql: &'a str,
    types: &'a [Oid],
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&*self.sql, &*self.types).hash(state);
    }
}

impl Hash for Borrowed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.sql, self.types).hash(state);
    }
}

impl Equivalent<Key> for Borrowed<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.sql == *key.sql && *self.types == *key.types
    }
}

/// A text that was used.
pub(crate) struct Text {
    number: u64,
    /// The name under which sessions prepare it.
    pub(crate) name: String,
    is_seen: AtomicBool,
}

impl Texts {
    pub(crate) fn new() -> Self {
        Self { known: Cache::new(TEXTS), next: AtomicU64::new(0) }
    }

    /// Returns a text if it is used again, and remembers it otherwise.
    pub(crate) fn again(&self, sql: &str, types: &[Oid]) -> Option<Arc<Text>> {
        if let Some(text) = self.known.get(&Borrowed { sql, types }) {
            return text.is_seen.load(Ordering::Relaxed).then_some(text);
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let text = Text { number, name: format!("tenancy_{number}"), is_seen: AtomicBool::new(true) };
        self.known.insert(Key { sql: sql.into(), types: types.into() }, Arc::new(text));
        None
    }
}

/// Types of parameters that the server inferred.
pub(crate) struct LearnedTypes(Cache<Key, (Instant, Arc<[Type]>)>);

impl LearnedTypes {
    pub(crate) fn new() -> Self {
        Self(Cache::new(TEXTS))
    }

    pub(crate) fn get(&self, sql: &str, types: &[Oid]) -> Option<Arc<[Type]>> {
        let (since, learned) = self.0.get(&Borrowed { sql, types })?;
        (since.elapsed() < LEARNED).then_some(learned)
    }

    pub(crate) fn insert(&self, sql: &str, types: &[Oid], learned: Arc<[Type]>) {
        self.0.insert(Key { sql: sql.into(), types: types.into() }, (Instant::now(), learned));
    }

    pub(crate) fn remove(&self, sql: &str, types: &[Oid]) {
        self.0.remove(&Borrowed { sql, types });
    }
}

/// The statements that a session has prepared.
#[derive(Default)]
pub(crate) struct Prepared {
    /// Whether the empty statement whose parameter enters a tenant is prepared.
    pub(crate) has_enter: bool,
    statements: HashMap<u64, PreparedStatement>,
    uses: u64,
}

pub(crate) struct PreparedStatement {
    text: Arc<Text>,
    columns: Option<Arc<[Column]>>,
    last_use: u64,
}

impl PreparedStatement {
    /// Whether the server described the columns before.
    pub(crate) fn is_described(&self) -> bool {
        self.columns.is_some()
    }

    pub(crate) fn columns(&self) -> Option<Arc<[Column]>> {
        self.columns.clone()
    }
}

impl Prepared {
    /// Returns the text's statement, if it is prepared.
    pub(crate) fn get(&mut self, text: &Text) -> Option<&PreparedStatement> {
        self.uses += 1;
        let statement = self.statements.get_mut(&text.number)?;
        statement.last_use = self.uses;
        Some(statement)
    }

    /// Adds a text that is going to be prepared. Returns one that has to be closed, to make room.
    pub(crate) fn add(&mut self, text: Arc<Text>) -> Option<Arc<Text>> {
        let mut removed = None;
        if self.statements.len() >= PREPARED
            && let Some(oldest) = self.statements.iter().min_by_key(|(_, of)| of.last_use).map(|(at, _)| *at)
        {
            removed = self.statements.remove(&oldest).map(|statement| statement.text);
        }
        let last_use = self.uses;
        self.statements.insert(text.number, PreparedStatement { text, columns: None, last_use });
        removed
    }

    pub(crate) fn describe(&mut self, text: &Text, columns: Option<Arc<[Column]>>) {
        if let Some(statement) = self.statements.get_mut(&text.number) {
            statement.columns = columns;
        }
    }

    pub(crate) fn remove(&mut self, text: &Text) {
        self.statements.remove(&text.number);
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_a_text_with_its_types() {
        let texts = Texts::new();
        assert!(texts.again("SELECT $1", &[20]).is_none());
        assert!(texts.again("SELECT $1", &[23]).is_none(), "another type");
        let first = texts.again("SELECT $1", &[20]).expect("a text that was seen");
        let second = texts.again("SELECT $1", &[23]).expect("a text that was seen");
        assert_ne!(first.name, second.name);
    }

    #[test]
    fn bounds_the_texts_and_the_statements() {
        let texts = Texts::new();
        let mut prepared = Prepared::default();
        let mut closed = 0;
        for number in 0..10 * TEXTS {
            let sql = format!("SELECT {number}");
            texts.again(&sql, &[]);
            if let Some(text) = texts.again(&sql, &[]) {
                assert!(prepared.get(&text).is_none());
                closed += usize::from(prepared.add(text).is_some());
            }
        }
        assert!(texts.known.len() <= TEXTS);
        assert_eq!(prepared.statements.len(), PREPARED);
        assert!(closed > 0);
    }

    #[test]
    fn closes_the_statement_that_was_used_least_recently() {
        let texts = Texts::new();
        let mut prepared = Prepared::default();
        let text = |number: usize| {
            let sql = format!("SELECT {number}");
            texts.again(&sql, &[]);
            texts.again(&sql, &[]).expect("a text that was seen")
        };
        for number in 0..PREPARED {
            prepared.get(&text(number));
            assert!(prepared.add(text(number)).is_none());
        }
        prepared.get(&text(0));
        assert_eq!(prepared.add(text(PREPARED)).expect("one more").name, text(1).name);
    }
}
