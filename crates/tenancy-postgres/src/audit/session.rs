//! The audit of a session's own user, on the connection that transactions of tenants use.

use std::io;

use postgres_types::{Oid, Type};

use super::{
    AuditPolicy, CLAIMS, Finding, PATH, PLAIN, SIGNED, VERSION, at, bodies, checks, conclude, statement,
};
use crate::binding::{Binding, ContextBinding};
use crate::error::Error;
use crate::session::{Encoded, Param};
use crate::wire::{Connection, ConnectionError, Part, Row};

const ROLE: &str = "SELECT oid FROM pg_catalog.pg_roles WHERE rolname = SESSION_USER";

/// Lists the findings for the session's user, if policies use this binding.
pub(crate) async fn audit_session(
    connection: &mut Connection,
    binding: &Binding,
    policy: &AuditPolicy,
) -> Result<Vec<Finding>, Error> {
    let form = match binding.context {
        ContextBinding::Signed(_) => &SIGNED,
        ContextBinding::Plain => &PLAIN,
        ContextBinding::SupabaseClaims => &CLAIMS,
    };
    begin(connection).map_err(ConnectionError::from)?;
    let role: Oid = first(connection.query(ROLE, &[]).await??)?.try_get(0)?;
    let version = first(connection.query(VERSION, &[]).await??)?;
    let (version, number): (String, i32) = (version.try_get(0)?, version.try_get(1)?);
    let checks: Vec<_> = checks(number).collect();
    let (bodies, stateful) = (bodies(), policy.stateful());
    let params: [Param<'_>; 6] = [&role, &bodies, &form.is_signed, &form.policy, &form.default, &stateful];
    let types = [Type::OID, Type::TEXT_ARRAY, Type::BOOL, Type::TEXT, Type::TEXT_ARRAY, Type::TEXT_ARRAY];
    let encoded = Encoded::new(&params, Some(&types)).map_err(|_| Error::Config("invalid audit policy"))?;
    let mut findings = Vec::new();
    let oids = types.iter().map(Type::oid);
    for row in connection.query_with(&statement(&checks), oids, encoded.values()).await?? {
        let check = at(&checks, row.try_get(0)?);
        findings.push(check.finding(
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
            row.try_get(4)?,
            row.try_get(5)?,
        ));
    }
    connection.run(Part::End, "ROLLBACK").map_err(ConnectionError::from)?;
    connection.exchange(None, |_| None).await?;
    Ok(conclude(findings, &version, number, policy))
}

/// All questions see the same snapshot.
fn begin(connection: &mut Connection) -> io::Result<()> {
    connection.run(Part::Begin, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    PATH.split("; ").try_for_each(|sql| connection.run(Part::Begin, sql))
}

fn first(rows: Vec<Row>) -> Result<Row, Error> {
    rows.into_iter().next().ok_or(Error::Config("the session's role is not in the catalog"))
}
