//! The audit of a session's own user, on the connection that transactions of tenants use.

use std::io;

use postgres_types::{Oid, Type};

use super::{CHECKS, CLAIMS, Finding, PATH, PLAIN, SIGNED, bodies};
use crate::binding::{Binding, ContextBinding};
use crate::error::Error;
use crate::session::{Encoded, Param};
use crate::wire::{Connection, ConnectionError, Part};

const ROLE: &str = "SELECT oid FROM pg_catalog.pg_roles WHERE rolname = SESSION_USER";

/// Audits the user of a session, for policies that trust this binding.
pub(crate) async fn audit_session(
    connection: &mut Connection,
    binding: &Binding,
) -> Result<Vec<Finding>, Error> {
    let form = match binding.context {
        ContextBinding::Signed(_) => &SIGNED,
        ContextBinding::Plain => &PLAIN,
        ContextBinding::SupabaseClaims => &CLAIMS,
    };
    begin(connection).map_err(ConnectionError::from)?;
    let rows = connection.query(ROLE, &[]).await??;
    let role: Oid = rows.first().ok_or(Error::Config("the role is unknown"))?.try_get(0)?;
    let bodies = bodies();
    let params: [Param<'_>; 5] = [&role, &bodies, &form.is_signed, &form.policy, &form.default];
    let types = [Type::OID, Type::TEXT_ARRAY, Type::BOOL, Type::TEXT, Type::TEXT];
    let encoded = Encoded::new(&params, Some(&types)).map_err(|_| Error::Config("invalid form"))?;
    let mut findings = Vec::new();
    for check in CHECKS {
        let types = types.iter().map(Type::oid);
        for row in connection.query_with(&check.sql(), types, encoded.values()).await?? {
            findings.push(check.finding(row.try_get(0)?, row.try_get(1)?));
        }
    }
    connection.run(Part::End, "ROLLBACK").map_err(ConnectionError::from)?;
    connection.exchange(None, |_| None).await?;
    findings.sort();
    Ok(findings)
}

/// All questions see one snapshot.
fn begin(connection: &mut Connection) -> io::Result<()> {
    connection.run(Part::Begin, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    PATH.split("; ").try_for_each(|sql| connection.run(Part::Begin, sql))
}

