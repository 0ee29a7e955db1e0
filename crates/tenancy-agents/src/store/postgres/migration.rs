//! What the operator does to a database.

use tokio_postgres::{Client, Error, IsolationLevel};

/// The SQL that makes the schema `tenancy_agents`, for who runs migrations by a tool of their own: several statements,
/// for one transaction, after [those of tenancy](tenancy_postgres::migrations). It may run again.
pub const MIGRATION: &str = include_str!("../../../sql/agents.sql");

/// Makes the schema `tenancy_agents`, or brings it up to date, in one transaction.
///
/// The client's user is one that [`tenancy_postgres::migrate`] can be run as, and was.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let (mut operator, connection) =
///     tokio_postgres::connect("host=127.0.0.1 user=postgres", tokio_postgres::NoTls).await?;
/// # let spawn = |_connection| ();
/// spawn(connection);
///
/// tenancy_postgres::migrate(&mut operator).await?;
/// tenancy_agents::store::postgres::migrate(&mut operator).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// The server's. Nothing is changed then.
pub async fn migrate(client: &mut Client) -> Result<(), Error> {
    // Another level would not see what was committed while it waited.
    let begin = client.build_transaction().isolation_level(IsolationLevel::ReadCommitted).read_only(false);
    let transaction = begin.start().await?;
    transaction.batch_execute(MIGRATION).await?;
    transaction.commit().await
}
