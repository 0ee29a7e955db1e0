//! Attacks that follow from the public documentation alone: SQL of A by `TenantDb`, and databases that an operator
//! configured in a plausible way.

mod configured;
mod context;
mod leavings;
mod objects;
mod results;

use std::fmt::Write;
use std::time::Duration;

use tenancy::{TenantFutureExt, TenantId};
use tenancy_postgres::{Error, Row, TenantDb, TenantTx};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::support::database::Database;
use crate::support::notes::{connect, insert, notes};
use crate::support::{A, B, LIMIT};

/// A part of each value of B. No statement of A contains it.
const MARKER: &str = "Zq7";

/// The title of B's note. It is not ASCII, and ends with spaces.
const OF_B: &str = "Zq7 \u{e9}\u{4e16}  ";

/// Everything in a session that differs from a new one.
const LEFT: &str = "SELECT concat_ws('; ', \
    (SELECT string_agg(name || '=' || setting, ',') FROM pg_catalog.pg_settings WHERE source = 'session' \
        AND name <> 'tenancy.context' AND name NOT LIKE 'transaction\\_%'), \
    (SELECT string_agg(relname, ',') FROM pg_catalog.pg_class WHERE relnamespace = pg_my_temp_schema()), \
    (SELECT string_agg(name, ',') FROM pg_catalog.pg_cursors WHERE name <> '' AND is_holdable), \
    (SELECT string_agg(name, ',') FROM pg_catalog.pg_prepared_statements WHERE from_sql), \
    (SELECT string_agg(channel, ',') FROM pg_listening_channels() AS channel), \
    (SELECT string_agg(objid::text, ',') FROM pg_catalog.pg_locks \
        WHERE locktype = 'advisory' AND pid = pg_backend_pid()), \
    nullif(current_user::text, 'service'), nullif(session_user::text, 'service'))";

/// What A does in one transaction.
#[derive(Clone, Copy, Debug)]
struct Case {
    idea: &'static str,
    sql: &'static [&'static str],
    /// The answer to the last statement, and to the commit.
    answer: &'static str,
}

const fn case(idea: &'static str, sql: &'static [&'static str], answer: &'static str) -> Case {
    Case { idea, sql, answer }
}

/// Two tenants with a note each, on one connection.
#[derive(Debug)]
struct Scene {
    superuser: Client,
    db: TenantDb,
    database: Database,
}

impl Scene {
    async fn start() -> Self {
        let database = Database::with_notes();
        let superuser = database.superuser().await;
        let db = connect(&database, 1).await;
        insert(&db, A, "of a").await;
        insert(&db, B, OF_B).await;
        Self { superuser, db, database }
    }

    async fn operate(&self, sql: &str) {
        if let Err(error) = self.superuser.batch_execute(sql).await {
            panic!("{sql}: {error:?}");
        }
    }

    /// Plays each case twice, once with a commit and once with a rollback. After each, B has what it had.
    async fn play(&self, cases: &[Case]) {
        let mut wrong = String::new();
        for case in cases {
            for commits in [true, false] {
                let played = timeout(LIMIT, play(&self.db, case.sql, commits)).await.expect(case.idea);
                assert!(!played.contains(MARKER), "{}: A saw {played}", case.idea);
                if commits && played != case.answer {
                    writeln!(wrong, "{}: {played}, not {}", case.idea, case.answer).expect("text");
                }
                if let Err(harm) = self.harm().await {
                    writeln!(wrong, "{}, commit {commits}: {harm}", case.idea).expect("text");
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong}");
    }

    /// Runs statements of B after A, and returns what is not as in a session of B's own.
    async fn harm(&self) -> Result<(), String> {
        let of_b = async {
            // The first statement of a session can be one that it prepared before.
            let read =
                self.db.query("SELECT tenant_id, title FROM notes ORDER BY id", &[]).in_tenant(B).await?;
            let update = "UPDATE notes SET title = $1 RETURNING tenant_id, title";
            let written = self.db.tx_in(B, async |tx| tx.query(update, &[&OF_B]).await).await?;
            let listed: Vec<serde_json::Value> =
                self.db.table("notes").select("title").rows().in_tenant(B).await?;
            let left = self.db.tx_in(B, async |tx| tx.query_unverified(LEFT, &[]).await).await?;
            let titles = [shown(&read), shown(&written)].map(|rows| rows.replace(&B.to_string(), "B"));
            Ok::<_, Error>((titles, serde_json::json!(listed), shown(&left)))
        };
        let (titles, listed, left) = timeout(LIMIT, of_b)
            .await
            .map_err(|_| "B waits".to_owned())?
            .map_err(|error| format!("B: {error:?}"))?;
        let title = format!("?,{OF_B}");
        if titles != [title.clone(), title] || listed != serde_json::json!([{ "title": OF_B }]) {
            return Err(format!("B reads {titles:?}, {listed}"));
        }
        if !left.is_empty() {
            return Err(format!("left: {left}"));
        }
        let last = self.db.tx_in(B, async |tx| tx.query_unverified("SELECT lastval()", &[]).await).await;
        match last {
            Err(error) if error.code() == Some("55000") => {}
            other => return Err(format!("B has a last value: {other:?}")),
        }
        let others = format!("SELECT title FROM public.notes WHERE tenant_id <> '{A}'");
        let stored: Vec<String> =
            self.superuser.query(&others, &[]).await.expect("rows").iter().map(|row| row.get(0)).collect();
        if stored != [OF_B] {
            return Err(format!("stored: {stored:?}"));
        }
        Ok(())
    }

    async fn end(self) {
        assert_eq!(notes(&self.db, B).await, [OF_B]);
        drop(self.database);
    }
}

/// Returns the answer to the last statement, and to the end of the transaction.
async fn play(db: &TenantDb, sql: &[&str], commits: bool) -> String {
    let tx = match db.begin_in(A).await {
        Ok(tx) => tx,
        Err(error) => return format!("no transaction: {error:?}"),
    };
    let mut last = String::new();
    for sql in sql {
        last = ask(&tx, sql).await;
    }
    let end = if commits { tx.commit().await } else { tx.rollback().await };
    format!("{last} / {}", end.map_or_else(|error| name(&error), |()| "committed".to_owned()))
}

async fn ask(tx: &TenantTx<'_>, sql: &str) -> String {
    tx.query_unverified(sql, &[]).await.map_or_else(|error| name(&error), |rows| shown(&rows))
}

/// Returns rows with commas between columns and semicolons between rows. A value that is not a text is shown as a question mark.
fn shown(rows: &[Row]) -> String {
    let cell = |row: &Row, at| match row.try_get::<_, Option<String>>(at) {
        Ok(text) => text.unwrap_or_else(|| "NULL".to_owned()),
        Err(_) => "?".to_owned(),
    };
    let row = |row: &Row| (0..row.len()).map(|at| cell(row, at)).collect::<Vec<_>>().join(",");
    rows.iter().map(row).collect::<Vec<_>>().join(";")
}

fn name(error: &Error) -> String {
    match error {
        Error::TxEscaped => "escaped".to_owned(),
        Error::TxClosed => "closed".to_owned(),
        Error::MissingTenantColumn => "no tenant column".to_owned(),
        Error::Mismatch(_) => "mismatch".to_owned(),
        Error::Postgres(_) => error.code().unwrap_or("?").to_owned(),
        other => format!("{other:?}"),
    }
}

/// Runs one statement of a tenant in a transaction of its own.
async fn one(db: &TenantDb, tenant: TenantId, sql: &str) -> String {
    let asked = db.query(sql, &[]).in_tenant(tenant);
    match timeout(Duration::from_secs(60), asked).await.expect("an answer") {
        Ok(rows) => shown(&rows),
        Err(error) => name(&error),
    }
}
