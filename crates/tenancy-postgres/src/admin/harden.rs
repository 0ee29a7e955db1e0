//! The audit of a database, and the SQL that its findings ask for.

use super::{AdminDb, MAY_WRITE, commit};
use crate::audit::{AuditPolicy, Finding, audit_with};
use crate::error::Error;

impl AdminDb {
    /// Lists the findings for a role, or for this login, as [`audit_with`](crate::audit_with).
    ///
    /// # Errors
    ///
    /// Returns the server's error: `42704` if the role does not exist.
    pub async fn audit_with(
        &mut self,
        role: Option<&str>,
        policy: &AuditPolicy,
    ) -> Result<Vec<Finding>, Error> {
        let object = role.unwrap_or_default();
        self.event("audit", object);
        commit(self.write_down(MAY_WRITE, "audit", object).await?).await?;
        Ok(audit_with(&mut self.client, role, policy).await?)
    }

    /// Runs the statements of findings in one transaction: all of them, or none.
    ///
    /// Each statement is written to the log.
    ///
    /// ```no_run
    /// # async fn example(admin: &mut tenancy_postgres::AdminDb) -> Result<(), tenancy_postgres::Error> {
    /// let findings = admin.audit(Some("notes_service")).await?;
    /// let statements: Vec<_> = findings.into_iter().flat_map(|finding| finding.sql).collect();
    /// admin.harden(&statements).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`Error::Postgres`] if the server rejects a statement, for example because the login does not own the
    /// object, and [`Error::CommitUnknown`] if the reply to the commit was lost.
    pub async fn harden(&mut self, statements: &[String]) -> Result<(), Error> {
        let transaction = self.begin("harden", &statements.join("; ")).await?;
        for statement in statements {
            transaction.batch_execute(statement).await?;
        }
        commit(transaction).await
    }
}
