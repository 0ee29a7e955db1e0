//! A transaction of one tenant: what is sent, and what the replies mean.
//!
//! Everything that one statement needs is one pipeline with one `Sync`: `BEGIN` and the context with the first
//! statement, the scrub and `COMMIT` with the last. The server skips what follows an error, so nothing runs outside
//! the tenant, and nothing is committed that was not scrubbed.

mod entry;
mod params;
mod pool;
mod scrub;
mod shared;
mod statements;
mod text;
mod types;
mod verify;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use postgres_types::Oid;
use tenancy::TenantId;
use uuid::Uuid;

use self::params::EncodeError;
use self::scrub::{CLEAN, CONSTRAINTS, In, VERIFIED, write_scrub};
use self::shared::Entry;
use self::statements::Text;
use self::text::highest_parameter;
use self::verify::verify_row;
use crate::binding::Bound;
use crate::error::Error;
use crate::wire::{
    Column, Completion, Connection, ConnectionError, Part, Replies, Row, ServerError, Status, Value,
};

pub(crate) use self::entry::find as find_entry;
pub(crate) use self::params::{Encoded, Param};
pub(crate) use self::pool::{Lease, Pool};
#[cfg(feature = "sqlx")]
pub(crate) use self::scrub::CLEAN as CLEAN_SESSION;
pub(crate) use self::shared::Shared;

/// The name of the empty statement whose parameter enters a tenant.
const ENTER: &str = "tenancy_enter";

/// A connection in a transaction of one tenant.
pub(crate) struct Session<'a> {
    shared: &'a Shared,
    lease: Lease<'a>,
    tenant: TenantId,
    subject: Option<Uuid>,
    access: Access,
    /// How the transaction begins, if not with the database's defaults.
    begin: Cow<'static, str>,
    state: State,
    traces: Traces,
    /// The mark of the context, if it is checked by marks.
    mark: Option<Box<str>>,
    /// Until then nothing is committed, whatever breaks.
    is_commit_sent: AtomicBool,
    /// Whether the scrub asked to close the session.
    is_altered: bool,
    /// Whether a statement failed because the transaction conflicted with another one.
    has_conflict: bool,
    /// The number of portals that were opened.
    portals: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    ReadWrite,
    ReadOnly,
}

/// The state of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// Nothing was sent.
    NotBegun,
    /// The tenant is entered.
    Open,
    /// The tenant is entered, and a statement failed: only a rollback is possible.
    Failed,
    /// The SQL ended the transaction, or left its tenant.
    Escaped,
}

/// What ran in a transaction, by what it can leave in the session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Traces {
    /// Nothing that leaves anything.
    None,
    /// Text of this crate that writes, so that defaults and triggers ran.
    Written,
    /// Raw SQL.
    Raw,
}

/// Where the text of a statement comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// Raw SQL of the user, which may contain anything.
    Raw,
    /// Text of this crate that can leave something in the session: it writes, so that defaults and triggers run.
    Writes,
    /// Text of this crate that only reads.
    Reads,
}

impl Kind {
    fn traces(self) -> Traces {
        match self {
            Self::Raw => Traces::Raw,
            Self::Writes => Traces::Written,
            Self::Reads => Traces::None,
        }
    }
}

/// Where the types of a statement's parameters come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TypesOf {
    /// From the values, and from the server only if a value does not name its type.
    Values,
    /// From the server: a value of another type is refused, and not converted.
    Server,
}

/// A statement to be sent.
#[derive(Clone, Copy)]
pub(crate) struct Statement<'a> {
    pub(crate) sql: &'a str,
    pub(crate) params: &'a [Param<'a>],
    pub(crate) kind: Kind,
    pub(crate) types: TypesOf,
    /// Whether each row is verified to belong to the tenant.
    pub(crate) verifies: bool,
}

#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) affected: u64,
}

/// Rows of one round trip.
pub(crate) struct Batch {
    pub(crate) columns: Arc<[Column]>,
    pub(crate) rows: Vec<Row>,
    pub(crate) completion: Completion,
}

/// What follows the statement in its pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Then {
    Continue,
    Commit,
}

/// A statement as it was sent.
struct Sent {
    columns: Option<Arc<[Column]>>,
    /// The text, if the statement is used by its name.
    text: Option<Arc<Text>>,
}

/// Why a pipeline returned no result.
enum Fault {
    /// Nothing was sent.
    Unsent(Error),
    /// The connection broke.
    Broken(ConnectionError),
    /// The server's error, and the part that failed.
    Failed(Part, ServerError),
    /// The SQL ended the transaction, or left its tenant.
    Escaped,
}

impl From<ConnectionError> for Fault {
    fn from(error: ConnectionError) -> Self {
        Self::Broken(error)
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.into())
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Unsent(error)
    }
}

impl<'a> Session<'a> {
    pub(crate) fn new(shared: &'a Shared, lease: Lease<'a>, tenant: TenantId, access: Access) -> Self {
        Self {
            shared,
            lease,
            tenant,
            subject: None,
            access,
            begin: match access {
                Access::ReadWrite => "BEGIN",
                Access::ReadOnly => "BEGIN READ ONLY",
            }
            .into(),
            state: State::NotBegun,
            traces: Traces::None,
            mark: None,
            is_commit_sent: AtomicBool::new(false),
            is_altered: false,
            has_conflict: false,
            portals: 0,
        }
    }

    /// The user of the tenant, for Supabase's claims.
    pub(crate) fn with_subject(self, subject: Option<Uuid>) -> Self {
        Self { subject, ..self }
    }

    /// Begins the transaction with other characteristics than the database's defaults.
    pub(crate) fn with_begin(self, begin: String) -> Self {
        Self { begin: begin.into(), ..self }
    }

    /// Runs a statement, and leaves the transaction open.
    pub(crate) async fn run(&mut self, statement: Statement<'_>) -> Result<Answer, Error> {
        let replies = self.send(statement, Then::Continue).await?;
        self.answer(statement, replies).await
    }

    /// Runs a statement as a transaction of its own, in one round trip.
    pub(crate) async fn run_and_commit(mut self, statement: Statement<'_>) -> Result<Answer, Error> {
        match self.send(statement, Then::Commit).await {
            Ok(replies) => {
                let answer = self.answer(statement, replies).await?;
                self.give_back();
                Ok(answer)
            }
            Err(error) => {
                // If this fails too, the connection is closed, and the first error is the one to report.
                let _ = self.rollback().await;
                Err(error)
            }
        }
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        self.check()?;
        if self.state == State::NotBegun {
            self.lease.give_back();
            return Ok(());
        }
        // Without the scrub, a commit of a failed transaction would be a rollback that reports no error.
        if self.state == State::Failed {
            self.traces = self.traces.max(Traces::Written);
        }
        let ended = self.exchange_end().await;
        match self.settle(ended) {
            Ok(_) => {
                self.give_back();
                Ok(())
            }
            Err(error) => {
                let _ = self.rollback().await;
                Err(error)
            }
        }
    }

    /// If the rollback cannot be sent, the connection is closed, and the server rolls back.
    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        if self.check().is_err() {
            return Ok(());
        }
        if self.state != State::NotBegun {
            let rolled_back = self.exchange_rollback().await;
            self.settle(rolled_back)?;
        }
        self.give_back();
        Ok(())
    }

    /// Whether the transaction can go on.
    fn check(&mut self) -> Result<(), Error> {
        if self.state == State::Escaped {
            return Err(Error::TxEscaped);
        }
        if self.lease.is_busy {
            // A statement was dropped before it was done: the state of the transaction is unknown.
            self.lease.close();
        }
        self.lease.session().map(drop)
    }

    async fn send(&mut self, statement: Statement<'_>, then: Then) -> Result<Replies, Error> {
        self.check()?;
        let is_first = self.traces != Traces::Raw;
        let was_begun = self.state != State::NotBegun;
        self.traces = self.traces.max(statement.kind.traces());
        let mut sent = self.exchange(statement, then, is_first).await;
        if let Err(Fault::Failed(Part::Enter | Part::Statement, error)) = &sent
            && is_first
            && !was_begun
            && is_stale(error)
        {
            let prepared_again = self.forget_prepared().await;
            sent = match prepared_again {
                Ok(()) => self.exchange(statement, then, false).await,
                Err(fault) => Err(fault),
            };
        }
        self.settle(sent)
    }

    /// Sends a statement with everything that precedes and follows it.
    async fn exchange(
        &mut self,
        statement: Statement<'_>,
        then: Then,
        may_prepare: bool,
    ) -> Result<Replies, Fault> {
        if statement.sql.contains('\0') {
            return Err(Error::Parameter { index: 0 }.into());
        }
        let encoded = self.encode(statement, may_prepare).await?;
        self.lease.is_busy = true;
        let sent = self.write(statement, &encoded, then, may_prepare)?;
        let connection = self.lease.connection()?;
        let replies = connection.exchange(sent.columns, |oid| self.shared.types.get(oid)).await?;
        self.lease.is_busy = false;
        self.read(replies, sent.text, then)
    }

    /// Encodes the parameters. If a value does not name its type, the server is asked for it, in a round trip.
    async fn encode(&mut self, statement: Statement<'_>, may_learn: bool) -> Result<Encoded, Fault> {
        let refused = |EncodeError(index)| Fault::Unsent(Error::Parameter { index });
        let (given, used) = (statement.params.len(), highest_parameter(statement.sql));
        if given > used {
            return Err(Error::ParameterCount { given, expected: used }.into());
        }
        let encoded = Encoded::new(statement.params, None).map_err(refused)?;
        let is_strict = statement.types == TypesOf::Server && !encoded.is_text();
        if !encoded.asks && !is_strict {
            return Ok(encoded);
        }
        let encoded = if is_strict { encoded.undeclared() } else { encoded };
        let declared = encoded.types;
        if let Some(known) = self.shared.learned.get(statement.sql, &declared) {
            match Encoded::new(statement.params, Some(&known)) {
                Ok(encoded) => return Ok(encoded),
                // The types may have changed.
                Err(_) => self.shared.learned.remove(statement.sql, &declared),
            }
        }
        self.lease.is_busy = true;
        self.write_begin(true)?;
        let connection = self.lease.connection()?;
        connection.parse(Part::Statement, "", statement.sql, declared.iter().copied())?;
        connection.describe_statement(Part::Statement, "")?;
        let replies = connection.exchange(None, |_| None).await?;
        let parameters = replies.parameters.clone();
        self.read(replies, None, Then::Continue)?;
        let known = self.shared.types.resolve(self.lease.connection()?, &parameters).await.map_err(broken)?;
        self.lease.is_busy = false;
        if may_learn {
            // After other raw SQL, names may refer to objects of this tenant only.
            self.shared.learned.insert(statement.sql, &declared, Arc::clone(&known));
        }
        Encoded::new(statement.params, Some(&known)).map_err(refused)
    }

    /// Writes the pipeline of a statement.
    fn write(
        &mut self,
        statement: Statement<'_>,
        encoded: &Encoded,
        then: Then,
        may_prepare: bool,
    ) -> Result<Sent, Fault> {
        self.write_begin(may_prepare)?;
        let shared = self.shared;
        let may_prepare = may_prepare && shared.is_direct;
        let text = if may_prepare { shared.texts.again(statement.sql, &encoded.types) } else { None };
        let session = self.lease.session()?;
        let connection = &mut session.connection;
        let (mut columns, mut name) = (None, "");
        let mut is_described = false;
        if let Some(text) = &text {
            name = &text.name;
            if let Some(known) = session.prepared.get(text) {
                is_described = known.is_described();
                columns = known.columns();
            } else {
                if let Some(removed) = session.prepared.add(Arc::clone(text)) {
                    connection.close_statement(Part::Statement, &removed.name)?;
                }
                connection.parse(Part::Statement, name, statement.sql, encoded.types.iter().copied())?;
            }
        } else {
            connection.parse(Part::Statement, "", statement.sql, encoded.types.iter().copied())?;
        }
        connection.bind(Part::Statement, name, encoded.values())?;
        if !is_described {
            connection.describe_portal(Part::Statement, "")?;
        }
        connection.execute(Part::Statement)?;
        match then {
            Then::Continue => self.write_check()?,
            Then::Commit => self.write_end()?,
        }
        Ok(Sent { columns, text })
    }

    /// Writes the transaction's begin and the tenant's context, unless they were sent before.
    fn write_begin(&mut self, may_prepare: bool) -> Result<(), Fault> {
        if self.state != State::NotBegun {
            return Ok(());
        }
        let shared = self.shared;
        let session = self.lease.session()?;
        let connection = &mut session.connection;
        if !shared.is_direct {
            // SQL that commits gives its session to the pooler before it is scrubbed: the next transaction scrubs it
            // first. Its `BEGIN` uses the defaults after that scrub.
            connection.run(Part::Begin, "BEGIN")?;
            for sql in CLEAN {
                connection.run(Part::Begin, sql)?;
            }
            connection.run(Part::Begin, "COMMIT")?;
        }
        connection.run(Part::Begin, &self.begin)?;
        let (binding, subject) = (&shared.binding, self.subject);
        match &shared.entry {
            Entry::Bound(domains) => {
                let token = binding.token(self.tenant);
                let value = std::iter::once(Value { format: 1, bytes: Some(&token) });
                if shared.is_direct && may_prepare {
                    if !session.prepared.has_enter {
                        session.prepared.has_enter = true;
                        connection.parse(Part::Enter, ENTER, "", [domains.entering])?;
                    }
                    connection.bind(Part::Enter, ENTER, value)?;
                } else {
                    connection.parse(Part::Enter, "", "", [domains.entering])?;
                    connection.bind(Part::Enter, "", value)?;
                }
                if let Some((sql, values)) = binding.claims(self.tenant, subject) {
                    run_with(connection, sql, &values)?;
                }
            }
            Entry::Explicit { sql, has_tokens } => {
                let values = binding.explicit(*has_tokens, self.tenant, subject);
                run_with(connection, sql, &values)?;
            }
        }
        Ok(())
    }

    /// Writes the check that the context is still the one that was entered.
    fn write_check(&mut self) -> Result<(), Fault> {
        if self.traces == Traces::None {
            return Ok(());
        }
        let sql = match self.shared.entry {
            Entry::Bound(_) => VERIFIED,
            Entry::Explicit { has_tokens, .. } => self.shared.binding.marks(has_tokens).check,
        };
        self.lease.connection()?.run(Part::Check, sql)?;
        Ok(())
    }

    /// Writes the scrub, if it is needed, and the commit.
    fn write_end(&mut self) -> Result<(), Fault> {
        self.is_commit_sent.store(self.access == Access::ReadWrite, Ordering::Relaxed);
        let shared = self.shared;
        let connection = self.lease.connection()?;
        if self.traces > Traces::None {
            match &shared.entry {
                Entry::Bound(domains) => write_scrub(connection, domains.leaving, In::Tenant)?,
                Entry::Explicit { has_tokens, .. } => {
                    connection.run(Part::Scrub, CONSTRAINTS)?;
                    connection.run(Part::Check, shared.binding.marks(*has_tokens).scrub)?;
                    for sql in CLEAN {
                        connection.run(Part::Scrub, sql)?;
                    }
                }
            }
        }
        connection.run(Part::End, "COMMIT")?;
        Ok(())
    }

    async fn exchange_end(&mut self) -> Result<Replies, Fault> {
        self.lease.is_busy = true;
        self.write_end()?;
        let replies = self.lease.connection()?.exchange(None, |_| None).await?;
        self.lease.is_busy = false;
        self.read(replies, None, Then::Commit)
    }

    async fn exchange_rollback(&mut self) -> Result<Replies, Fault> {
        self.lease.is_busy = true;
        let (shared, leaves_state) = (self.shared, self.traces > Traces::None);
        let connection = self.lease.connection()?;
        connection.run(Part::End, "ROLLBACK")?;
        if leaves_state {
            match &shared.entry {
                Entry::Bound(domains) if shared.is_direct => {
                    write_scrub(connection, domains.leaving, In::NoTenant)?;
                }
                _ => {
                    for sql in CLEAN {
                        connection.run(Part::Scrub, sql)?;
                    }
                }
            }
        }
        let replies = connection.exchange(None, |_| None).await?;
        self.is_altered |= connection.take_altered();
        self.lease.is_busy = false;
        match replies.failure {
            Some((part, error)) => Err(Fault::Failed(part, error)),
            None if replies.status != Status::Idle => Err(Fault::Escaped),
            None => Ok(replies),
        }
    }

    /// Rolls back, and removes all prepared statements: SQL removed some of them.
    async fn forget_prepared(&mut self) -> Result<(), Fault> {
        self.lease.is_busy = true;
        let session = self.lease.session()?;
        session.prepared.clear();
        session.connection.run(Part::End, "ROLLBACK")?;
        session.connection.run(Part::Scrub, "DEALLOCATE ALL")?;
        let replies = session.connection.exchange(None, |_| None).await?;
        self.lease.is_busy = false;
        self.state = State::NotBegun;
        match replies.failure {
            Some((part, error)) => Err(Fault::Failed(part, error)),
            None => Ok(()),
        }
    }

    /// Updates the state from the replies, and returns their error.
    fn read(&mut self, replies: Replies, text: Option<Arc<Text>>, then: Then) -> Result<Replies, Fault> {
        self.is_altered |= self.lease.connection()?.take_altered();
        if let Some(text) = text {
            let prepared = &mut self.lease.session()?.prepared;
            match &replies.failure {
                None => prepared.describe(&text, Some(replies.columns.clone().unwrap_or_default())),
                // Whether the server knows the name depends on what failed.
                Some((Part::Begin | Part::Enter, _)) => prepared.remove(&text),
                Some(_) => prepared.describe(&text, None),
            }
        }
        if matches!(replies.failure, Some((Part::Begin | Part::Enter, _))) {
            self.lease.session()?.prepared.has_enter = false;
        }
        self.state = if replies.status == Status::Failed { State::Failed } else { State::Open };
        if let Some(entered) = &replies.enter {
            self.mark = text_of(entered.last());
        }
        match replies.failure {
            None => {}
            Some((Part::Check | Part::Scrub, error)) if is_without_context(&error) => {
                return Err(Fault::Escaped);
            }
            Some((part @ (Part::Statement | Part::Check), error)) if then == Then::Continue => {
                // Outside of a transaction, each statement would be one of its own.
                return Err(if self.state == State::Failed {
                    Fault::Failed(part, error)
                } else {
                    Fault::Escaped
                });
            }
            Some((part, error)) => return Err(Fault::Failed(part, error)),
        }
        if let Some(check) = &replies.check {
            let is_held = match self.shared.entry {
                Entry::Bound(_) => check.get(0) == Some(self.tenant.as_bytes()),
                Entry::Explicit { .. } => self.mark.is_some() && text_of(check.get(0)) == self.mark,
            };
            if !is_held {
                return Err(Fault::Escaped);
            }
            self.is_altered |= check.get(1).is_some_and(|altered| altered != [0]);
        }
        match then {
            Then::Continue if replies.status == Status::InTransaction => Ok(replies),
            Then::Commit if replies.is_committed && replies.status == Status::Idle => Ok(replies),
            _ => Err(Fault::Escaped),
        }
    }

    /// Decides whether the connection is reused or closed.
    fn settle<T>(&mut self, outcome: Result<T, Fault>) -> Result<T, Error> {
        let fault = match outcome {
            Ok(value) => return Ok(value),
            Err(fault) => fault,
        };
        match fault {
            Fault::Unsent(error) => {
                if let Ok(connection) = self.lease.connection() {
                    connection.discard();
                }
                self.lease.is_busy = false;
                Err(error)
            }
            Fault::Broken(error) => {
                self.lease.close();
                Err(if self.is_commit_sent.load(Ordering::Relaxed) {
                    Error::CommitUnknown(error)
                } else {
                    Error::Connection(error)
                })
            }
            Fault::Failed(part, error) => {
                if part == Part::Begin || (part == Part::End && self.state != State::Failed) {
                    self.lease.close();
                }
                let error = Error::Postgres(error.in_read_only(self.access == Access::ReadOnly));
                self.has_conflict |= error.is_conflict();
                Err(error)
            }
            Fault::Escaped => {
                self.state = State::Escaped;
                self.lease.close();
                Err(Error::TxEscaped)
            }
        }
    }

    async fn answer(&mut self, statement: Statement<'_>, replies: Replies) -> Result<Answer, Error> {
        let affected = replies.completion.affected();
        let Some(columns) = replies.columns else { return Ok(Answer { rows: Vec::new(), affected }) };
        self.lease.is_busy = true;
        let shared = self.shared;
        let connection = self.lease.connection()?;
        let columns = shared.types.complete(connection, columns).await?;
        let rows: Vec<_> = replies.rows.into_iter().map(|row| Row::new(Arc::clone(&columns), row)).collect();
        if statement.verifies {
            let verified =
                shared.columns.verify(connection, statement.sql, &columns, &rows, self.tenant).await;
            match &verified {
                Ok(()) => {}
                Err(Error::MissingTenantColumn) => self.lease.is_busy = false,
                Err(_) => self.lease.close(),
            }
            verified?;
        }
        self.lease.is_busy = false;
        Ok(Answer { rows, affected })
    }

    /// A name for a portal that no other portal of this transaction has.
    pub(crate) fn portal_name(&mut self) -> String {
        self.portals += 1;
        format!("tenancy_portal_{}", self.portals)
    }

    /// Runs a statement until it has returned the given number of rows.
    pub(crate) async fn open_portal(
        &mut self,
        statement: Statement<'_>,
        portal: &str,
        rows: i32,
    ) -> Result<Batch, Error> {
        self.check()?;
        let is_first = self.traces != Traces::Raw;
        self.traces = self.traces.max(statement.kind.traces());
        let opened = self.exchange_open(statement, portal, rows, is_first).await;
        let replies = self.settle(opened)?;
        self.lease.is_busy = true;
        let columns = replies.columns.clone().unwrap_or_default();
        let columns = self.shared.types.complete(self.lease.connection()?, columns).await?;
        self.lease.is_busy = false;
        Ok(batch(columns, replies))
    }

    async fn exchange_open(
        &mut self,
        statement: Statement<'_>,
        portal: &str,
        rows: i32,
        is_first: bool,
    ) -> Result<Replies, Fault> {
        if statement.sql.contains('\0') {
            return Err(Error::Parameter { index: 0 }.into());
        }
        let encoded = self.encode(statement, is_first).await?;
        self.lease.is_busy = true;
        self.write_begin(true)?;
        let connection = self.lease.connection()?;
        connection.parse(Part::Statement, "", statement.sql, encoded.types.iter().copied())?;
        connection.bind_portal(Part::Statement, portal, "", encoded.values())?;
        connection.describe_portal(Part::Statement, portal)?;
        connection.execute_portal(Part::Statement, portal, rows)?;
        self.write_check()?;
        let replies = self.lease.connection()?.exchange(None, |oid| self.shared.types.get(oid)).await?;
        self.lease.is_busy = false;
        self.read(replies, None, Then::Continue)
    }

    /// Returns more rows of a portal.
    pub(crate) async fn fetch(
        &mut self,
        portal: &str,
        columns: Arc<[Column]>,
        rows: i32,
    ) -> Result<Batch, Error> {
        self.check()?;
        let fetched = self.exchange_fetch(portal, Arc::clone(&columns), rows).await;
        Ok(batch(columns, self.settle(fetched)?))
    }

    async fn exchange_fetch(
        &mut self,
        portal: &str,
        columns: Arc<[Column]>,
        rows: i32,
    ) -> Result<Replies, Fault> {
        self.lease.is_busy = true;
        self.lease.connection()?.execute_portal(Part::Statement, portal, rows)?;
        self.write_check()?;
        let replies = self.lease.connection()?.exchange(Some(columns), |_| None).await?;
        self.lease.is_busy = false;
        self.read(replies, None, Then::Continue)
    }

    /// Returns the tenant columns of a result.
    pub(crate) async fn places(&mut self, sql: &str, columns: &[Column]) -> Result<Vec<(Oid, usize)>, Error> {
        self.lease.is_busy = true;
        let places = self.shared.columns.find(self.lease.connection()?, sql, columns).await;
        match &places {
            Ok(_) | Err(Error::MissingTenantColumn) => self.lease.is_busy = false,
            Err(_) => self.lease.close(),
        }
        places
    }

    /// Verifies that rows belong to the tenant. If one belongs to another tenant, the connection is closed.
    pub(crate) fn verify(&mut self, rows: &[Row], places: &[(Oid, usize)]) -> Result<(), Error> {
        let verified = rows.iter().try_for_each(|row| verify_row(row, places, self.tenant));
        if matches!(verified, Err(Error::Mismatch(_))) {
            self.lease.close();
        }
        verified
    }

    /// Whether a statement may have changed the session, by raw SQL, a default or a trigger.
    pub(crate) fn leaves_state(&self) -> bool {
        self.traces > Traces::None
    }

    /// Closes the connection: a row of the transaction belongs to another tenant.
    pub(crate) fn close(&mut self) {
        self.lease.close();
    }

    /// Whether a statement failed because the transaction conflicted with another one.
    pub(crate) fn has_conflict(&self) -> bool {
        self.has_conflict
    }

    /// Returns the connection to the pool if its session is unchanged.
    fn give_back(mut self) {
        if self.is_altered || (self.traces == Traces::Raw && self.shared.closes_raw_sessions) {
            self.lease.close();
        }
        self.lease.give_back();
    }
}

fn batch(columns: Arc<[Column]>, replies: Replies) -> Batch {
    let rows = replies.rows.into_iter().map(|row| Row::new(Arc::clone(&columns), row)).collect();
    Batch { columns, rows, completion: replies.completion }
}

/// Runs a statement that enters, with text or binary values and their types.
fn run_with(connection: &mut Connection, sql: &str, values: &[Bound]) -> std::io::Result<()> {
    connection.parse(Part::Enter, "", sql, values.iter().map(|value| value.oid))?;
    let bound = values.iter().map(|value| Value { format: 1, bytes: Some(&value.bytes) });
    connection.bind(Part::Enter, "", bound)?;
    connection.execute(Part::Enter)
}

fn text_of(bytes: Option<&[u8]>) -> Option<Box<str>> {
    std::str::from_utf8(bytes?).ok().map(Into::into)
}

/// Whether a prepared statement is missing, its name is taken, or its columns have changed.
fn is_stale(error: &ServerError) -> bool {
    ["26000", "42P05", "0A000"].contains(&error.code())
}

/// Whether a function of the schema `tenancy` reported that no context is set.
fn is_without_context(error: &ServerError) -> bool {
    error.code() == "42501" && error.message().starts_with("tenancy: ")
}

/// After an error of a look-up, the state of the session is unknown.
fn broken(error: Error) -> Fault {
    match error {
        Error::Connection(error) => Fault::Broken(error),
        Error::Postgres(error) => Fault::Failed(Part::Statement, error),
        error => Fault::Unsent(error),
    }
}
