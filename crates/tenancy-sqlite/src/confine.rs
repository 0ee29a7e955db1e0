//! The confinement of a body's SQL: to its file, to its transaction, and to its time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;

use crate::pragmas::is_harmless;

/// Functions that read or write other files, the program's memory, or its log.
const FUNCTIONS: &[&str] =
    &["edit", "fts3_tokenizer", "load_extension", "readfile", "sqlite_log", "writefile"];

/// Modules whose virtual tables are tables of the file.
const MODULES: &[&str] = &["fts3", "fts4", "fts5", "fts5vocab", "rtree", "rtree_i32"];

/// Virtual tables that exist without `CREATE VIRTUAL TABLE`, and show pages, statements or other files.
const EPONYMOUS: &[&str] =
    &["bytecode", "completion", "dbstat", "fsdir", "sqlite_dbpage", "sqlite_stmt", "tables_used", "zipfile"];

/// Limits far above what an application's SQL needs, and far below SQLite's own, which allow a short text to use much
/// memory or stack.
const LIMITS: &[(Limit, i32)] = &[
    (Limit::SQLITE_LIMIT_ATTACHED, 0),
    (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    (Limit::SQLITE_LIMIT_SQL_LENGTH, 1 << 20),
    (Limit::SQLITE_LIMIT_EXPR_DEPTH, 500),
    (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 200),
    (Limit::SQLITE_LIMIT_VDBE_OP, 1 << 20),
    (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
    (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 100),
];

/// Instructions of SQLite's virtual machine between two calls of the progress handler: tens of microseconds.
const TICK: i32 = 1000;

/// What a body's SQL may use.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Budget {
    /// The maximum duration of a statement.
    pub(crate) statement: Option<Duration>,
    /// The maximum number of ticks of the whole body.
    pub(crate) ticks: Option<u32>,
}

/// Whose SQL runs on a connection, a body's or this crate's, and what the body's SQL tried.
///
/// The connection's hooks share it. One thread at a time uses a connection, so the order of accesses does not matter.
#[derive(Clone, Debug)]
pub(crate) struct AccessLog(Arc<Flags>);

#[derive(Debug)]
struct Flags {
    in_body: AtomicBool,
    escaped: AtomicBool,
    denied: AtomicBool,
    /// The budget of ticks was used up.
    exhausted: AtomicBool,
    /// Nanoseconds, or `u64::MAX` without a limit.
    timeout: AtomicU64,
    /// The nanoseconds from `epoch` to the statement's first tick; 0 before it. A short statement reads no clock.
    started: AtomicU64,
    ticks: AtomicU32,
    epoch: Instant,
}

impl AccessLog {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Flags {
            in_body: AtomicBool::default(),
            escaped: AtomicBool::default(),
            denied: AtomicBool::default(),
            exhausted: AtomicBool::default(),
            timeout: AtomicU64::new(u64::MAX),
            started: AtomicU64::default(),
            ticks: AtomicU32::default(),
            epoch: Instant::now(),
        }))
    }

    /// Runs a body. Its SQL is confined until it returns or panics.
    pub(crate) fn body<R>(&self, budget: Budget, body: impl FnOnce() -> R) -> R {
        let nanoseconds = |timeout: Duration| u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.0.timeout.store(budget.statement.map_or(u64::MAX, nanoseconds), Relaxed);
        self.0.ticks.store(budget.ticks.unwrap_or(u32::MAX), Relaxed);
        self.begin_statement();
        let _end = Body::enter(&self.0);
        body()
    }

    /// Starts the time of a statement.
    pub(crate) fn begin_statement(&self) {
        self.0.started.store(0, Relaxed);
    }

    /// Whether SQL of the body ended its transaction, or tried to.
    pub(crate) fn has_escaped(&self) -> bool {
        self.0.escaped.load(Relaxed)
    }

    /// Whether the body was interrupted because it used up its ticks.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.0.exhausted.load(Relaxed)
    }

    /// Whether a statement was denied since the last call. SQLite has no error code for denied functions.
    pub(crate) fn was_denied(&self) -> bool {
        self.0.denied.swap(false, Relaxed)
    }

    /// Forgets the previous transaction.
    pub(crate) fn reset(&self) {
        self.0.escaped.store(false, Relaxed);
        self.0.denied.store(false, Relaxed);
        self.0.exhausted.store(false, Relaxed);
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

    /// Counts a tick, and returns whether the statement must end.
    fn tick(&self) -> bool {
        let flags = &self.0;
        if !self.is_in_body() {
            return false;
        }
        let ticks = flags.ticks.load(Relaxed);
        if ticks == 0 {
            flags.exhausted.store(true, Relaxed);
            return true;
        }
        if ticks != u32::MAX {
            flags.ticks.store(ticks - 1, Relaxed);
        }
        let timeout = flags.timeout.load(Relaxed);
        if timeout == u64::MAX {
            return false;
        }
        let now = u64::try_from(flags.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX).max(1);
        match flags.started.load(Relaxed) {
            0 => {
                flags.started.store(now, Relaxed);
                false
            }
            started => now - started > timeout,
        }
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

/// Whether an action creates or fills a temporary object.
///
/// Such an object would outlive its body, in memory without a limit, and hide the file's object of the same name. For the
/// authorizer, `CREATE TABLE temp.t` is not a `CREATE TEMP TABLE`.
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

/// Unknown actions are denied.
fn is_allowed(action: &AuthAction<'_>) -> bool {
    let is_in = |list: &[&str], name: &str| list.iter().any(|known| known.eq_ignore_ascii_case(name));
    match action {
        AuthAction::Pragma { pragma_name, pragma_value } => is_harmless(pragma_name, *pragma_value),
        AuthAction::Function { function_name } => !is_in(FUNCTIONS, function_name),
        AuthAction::CreateVtable { module_name, .. } | AuthAction::DropVtable { module_name, .. } => {
            is_in(MODULES, module_name)
        }
        AuthAction::Read { table_name, .. } => !is_in(EPONYMOUS, table_name),
        AuthAction::Select
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

/// Confines the SQL of a connection's bodies.
pub(crate) fn confine(sql: &Connection, log: &AccessLog) -> rusqlite::Result<()> {
    for (limit, value) in LIMITS {
        sql.set_limit(*limit, *value)?;
    }
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE, false)?;
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true)?;

    let judge = log.clone();
    sql.authorizer(Some(move |context: AuthContext<'_>| judge.judge(&context)))?;
    let ticks = log.clone();
    sql.progress_handler(TICK, Some(move || ticks.tick()))?;
    // If the transaction of a body was rolled back, each later statement would otherwise commit by itself.
    let commits = log.clone();
    sql.commit_hook(Some(move || {
        let in_body = commits.is_in_body();
        if in_body {
            commits.escape();
        }
        in_body
    }))?;
    let rollbacks = log.clone();
    sql.rollback_hook(Some(move || {
        if rollbacks.is_in_body() {
            rollbacks.escape();
        }
    }))
}
