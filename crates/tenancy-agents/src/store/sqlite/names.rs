//! Whose a name is, across files.

use std::fmt;
use std::sync::{PoisonError, RwLockReadGuard, RwLockWriteGuard};

use rusqlite::params;
use tenancy::{TenantContext, TenantId};
use tenancy_sqlite::Error;

use super::SqliteStore;
use super::error::Failed;
use super::sql::SHARED;
use crate::agent::{Agent, AgentName};
use crate::error::{AgentError, NameConflict, StoreError};

/// What is held until the name is written, or it is not.
pub(super) enum NameLock<'s> {
    /// With other tenants.
    #[allow(dead_code, reason = "it is held, and not looked at")]
    ByTenant(RwLockReadGuard<'s, ()>),
    /// Alone.
    #[allow(dead_code, reason = "it is held, and not looked at")]
    ByPlatform(RwLockWriteGuard<'s, ()>),
}

/// What keeps the platform from seeing whether a tenant has a name.
#[derive(Debug)]
struct UnreadableFile {
    tenant: TenantId,
    error: Error,
}

fn unreadable_file(tenant: TenantId, error: Error) -> AgentError {
    let is_busy = matches!(error, Error::Busy);
    let error = StoreError::new(UnreadableFile { tenant, error });
    if is_busy { AgentError::Unavailable(Some(error)) } else { AgentError::Store(error) }
}

impl fmt::Display for UnreadableFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the file of tenant {}: {}", self.tenant, self.error)
    }
}

impl std::error::Error for UnreadableFile {}

impl SqliteStore {
    /// Sees to it that nobody else takes the name in the way that would be in this one's.
    pub(super) fn hold_name(
        &self,
        tenant: TenantId,
        agent: &Agent,
        name: &AgentName,
    ) -> Result<NameLock<'_>, AgentError> {
        if !agent.is_shared() {
            let held = self.names.read().unwrap_or_else(PoisonError::into_inner);
            if agent.is_living() && !tenant.is_platform() && self.is_shared_name(name)? {
                return Err(AgentError::NameShared);
            }
            return Ok(NameLock::ByTenant(held));
        }
        let held = self.names.write().unwrap_or_else(PoisonError::into_inner);
        if !self.is_shared_name(name)? {
            self.check_holders(name)?;
        }
        Ok(NameLock::ByPlatform(held))
    }

    fn is_shared_name(&self, name: &AgentName) -> Result<bool, AgentError> {
        let sql = std::format!("SELECT EXISTS (SELECT 1 FROM agents WHERE name = ?1 AND {SHARED})");
        self.platform(|reader| Ok(reader.query_row(&sql, params![name.as_str()], |row| row.get(0))?))
    }

    /// Looks into the file of each tenant: one after the other, each in its own context.
    fn check_holders(&self, name: &AgentName) -> Result<(), AgentError> {
        let tenants =
            TenantContext::scope(TenantId::PLATFORM, || self.files.tenants()).map_err(Failed::from)?;
        let mut holders: Option<NameConflict> = None;
        for tenant in tenants.into_iter().filter(|tenant| !tenant.is_platform()) {
            let has_name = match TenantContext::scope(tenant, || self.has_name(name)) {
                // A file that is none serves nobody, its own tenant neither: it is not to hold up the platform.
                Err(Failed::File(Error::Corrupt(_) | Error::Foreign(_) | Error::NotAFile(_))) => false,
                // The platform is the one to hear whose file it is.
                Err(Failed::File(error)) => return Err(unreadable_file(tenant, error)),
                has_name => has_name?,
            };
            if has_name {
                match &mut holders {
                    None => holders = Some(NameConflict { first: tenant, others: 0 }),
                    Some(holders) => holders.others += 1,
                }
            }
        }
        holders.map_or(Ok(()), |holders| Err(AgentError::NameHeld(holders)))
    }

    fn has_name(&self, name: &AgentName) -> Result<bool, Failed> {
        const SQL: &str = "SELECT EXISTS (SELECT 1 FROM agents WHERE name = ?1 AND status <> 'deleted')";
        self.files.read(|reader| Ok(reader.query_row(SQL, params![name.as_str()], |row| row.get(0))?))
    }
}
