//! What keeps a body's SQL in its file and in its transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::pragmas::is_harmless;

/// They read or write other files, or the program's memory, where a program has them; or its log.
const FUNCTIONS: &[&str] =
    &["edit", "fts3_tokenizer", "load_extension", "readfile", "sqlite_log", "writefile"];

/// Their tables are tables of the file.
const MODULES: &[&str] = &["fts3", "fts4", "fts5", "fts5vocab", "rtree", "rtree_i32"];

/// Whose SQL runs on a connection: a body's, or this crate's.
///
/// A connection's hooks have it too. One connection is used by one thread at a time, so it needs no order.
#[derive(Clone, Default, Debug)]
pub(crate) struct Watch(Arc<Flags>);

#[derive(Default, Debug)]
struct Flags {
    in_body: AtomicBool,
    escaped: AtomicBool,
    denied: AtomicBool,
}

impl Watch {
    /// Runs what is not this crate's, and ends on a panic too.
    pub(crate) fn body<R>(&self, body: impl FnOnce() -> R) -> R {
        let _end = Body::enter(&self.0);
        body()
    }

    /// Whether SQL of the body ended its transaction, or tried to.
    pub(crate) fn has_escaped(&self) -> bool {
        self.0.escaped.load(Relaxed)
    }

    /// Whether a statement was denied since this was asked last. SQLite has no code of its own for functions.
    pub(crate) fn was_denied(&self) -> bool {
        self.0.denied.swap(false, Relaxed)
    }

    /// A new transaction has escaped from nothing.
    pub(crate) fn reset(&self) {
        self.0.escaped.store(false, Relaxed);
        self.0.denied.store(false, Relaxed);
    }

    fn is_in_body(&self) -> bool {
        self.0.in_body.load(Relaxed)
    }

    fn escape(&self) {
        self.0.escaped.store(true, Relaxed);
    }

    fn judge(&self, context: &AuthContext<'_>) -> Authorization {
        if !self.is_in_body() {
            return Authorization::Allow;
        }
        if !makes_temporary(context) && is_allowed(&context.action) {
            return Authorization::Allow;
        }
        match context.action {
            AuthAction::Transaction { .. } => self.escape(),
            _ => self.0.denied.store(true, Relaxed),
        }
        Authorization::Deny
    }
}

struct Body<'a>(&'a Flags);

impl<'a> Body<'a> {
    fn enter(flags: &'a Flags) -> Self {
        flags.in_body.store(true, Relaxed);
        Self(flags)
    }
}

impl Drop for Body<'_> {
    fn drop(&mut self) {
        self.0.in_body.store(false, Relaxed);
    }
}

/// What is temporary would outlive its body, in memory that no limit bounds, and stand before what has its name.
/// `CREATE TABLE temp.t` is no `CREATE TEMP TABLE` to the authorizer.
fn makes_temporary(context: &AuthContext<'_>) -> bool {
    let is_temporary = context.database_name.is_some_and(|name| name.eq_ignore_ascii_case("temp"));
    let makes = matches!(
        context.action,
        AuthAction::Insert { .. }
            | AuthAction::CreateIndex { .. }
            | AuthAction::CreateTable { .. }
            | AuthAction::CreateTrigger { .. }
            | AuthAction::CreateView { .. }
            | AuthAction::CreateVtable { .. }
    );
    is_temporary && makes
}

/// What is not known is not allowed.
fn is_allowed(action: &AuthAction<'_>) -> bool {
    let is_in = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    match action {
        AuthAction::Pragma { pragma_name, pragma_value } => is_harmless(pragma_name, *pragma_value),
        AuthAction::Function { function_name } => !is_in(FUNCTIONS, function_name),
        AuthAction::CreateVtable { module_name, .. } | AuthAction::DropVtable { module_name, .. } => {
            is_in(MODULES, module_name)
        }
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::DropView { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::Analyze { .. }
        | AuthAction::Savepoint { .. }
        | AuthAction::Recursive => true,
        // `ATTACH`, `DETACH`, transactions, temporary tables.
        _ => false,
    }
}

/// Closes what leads out of a connection's file.
pub(crate) fn confine(sql: &Connection, watch: &Watch) -> rusqlite::Result<()> {
    sql.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    sql.set_limit(Limit::SQLITE_LIMIT_WORKER_THREADS, 0)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;

    let judge = watch.clone();
    sql.authorizer(Some(move |context: AuthContext<'_>| judge.judge(&context)))?;
    // A body whose transaction was rolled back under it would commit each further statement by itself.
    let commits = watch.clone();
    sql.commit_hook(Some(move || {
        let in_body = commits.is_in_body();
        if in_body {
            commits.escape();
        }
        in_body
    }))?;
    let rollbacks = watch.clone();
    sql.rollback_hook(Some(move || {
        if rollbacks.is_in_body() {
            rollbacks.escape();
        }
    }))
}
