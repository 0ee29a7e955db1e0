//! The types of parameters, by statement.
//!
//! `tokio-postgres` learns them by preparing a statement, which takes a round trip. They are kept, so that the same
//! text is sent at once the next time, as an unnamed statement: that also works behind a transaction pooler.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::types::{ToSql, Type};

/// More than a program has; texts that are made up on the fly don't fill the memory.
const LIMIT: usize = 1024;

pub(crate) type Param<'a> = &'a (dyn ToSql + Sync);

#[derive(Debug, Default)]
pub(crate) struct ParamTypes {
    known: Mutex<HashMap<Box<str>, Arc<[Type]>>>,
}

impl ParamTypes {
    /// None: nobody asked the server yet.
    pub(crate) fn get(&self, sql: &str, params: &[Param<'_>]) -> Option<Arc<[Type]>> {
        if params.is_empty() {
            return Some(Arc::new([]));
        }
        self.lock().get(sql).cloned()
    }

    pub(crate) fn insert(&self, sql: &str, types: &[Type]) -> Arc<[Type]> {
        let types = Arc::from(types);
        let mut known = self.lock();
        if known.len() >= LIMIT {
            known.clear();
        }
        known.insert(sql.into(), Arc::clone(&types));
        types
    }

    /// A table may have changed: the server is asked again.
    pub(crate) fn forget(&self, sql: &str) {
        self.lock().remove(sql);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Box<str>, Arc<[Type]>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each parameter with its type. One too many has none, and the server refuses it; so it does one too few.
pub(crate) fn typed<'a>(params: &[Param<'a>], types: &[Type]) -> Vec<(Param<'a>, Type)> {
    let types = types.iter().cloned().chain(std::iter::repeat(Type::UNKNOWN));
    params.iter().copied().zip(types).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let kept = ParamTypes::default();
        let param: [Param<'_>; 1] = [&1];
        for number in 0..=LIMIT {
            kept.insert(&number.to_string(), &[Type::INT4]);
        }
        assert!(kept.lock().len() <= LIMIT);
        assert_eq!(kept.get(&LIMIT.to_string(), &param).as_deref(), Some(&[Type::INT4][..]));
        kept.forget(&LIMIT.to_string());
        assert_eq!(kept.get(&LIMIT.to_string(), &param), None);
        assert_eq!(kept.get("SELECT 1", &[]).as_deref(), Some(&[][..]));
    }

    #[test]
    fn no_parameter_is_left_out() {
        let types: Vec<_> = typed(&[&1, &2], &[Type::INT4]).into_iter().map(|(_, r#type)| r#type).collect();
        assert_eq!(types, [Type::INT4, Type::UNKNOWN]);
        assert!(typed(&[], &[Type::INT4]).is_empty());
    }
}
