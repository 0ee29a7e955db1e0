//! The tenants that this device serves.

use tenancy::{
    TenantContext, TenantError, TenantId, TenantNotFoundError, TenantValidationError, TenantValidationKind,
    tenant_id,
};

struct Tenant {
    id: TenantId,
    suspended: bool,
    requests: u32,
}

pub(crate) struct Tenants([Tenant; 3]);

impl Tenants {
    pub(crate) fn new() -> Self {
        let tenant = |id, suspended| Tenant { id, suspended, requests: 0 };
        Self([
            tenant(tenant_id!("550e8400-e29b-41d4-a716-446655440000"), false),
            tenant(tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8"), false),
            tenant(tenant_id!("7d444840-9dc0-41d1-b245-5ffdce74fad2"), true),
        ])
    }

    /// The tenant, if it is known and active.
    pub(crate) fn verify(&self, id: TenantId) -> Result<TenantId, TenantError> {
        match self.0.iter().find(|tenant| tenant.id == id) {
            None => Err(TenantNotFoundError::new(id).into()),
            Some(tenant) if tenant.suspended => {
                Err(TenantValidationError::new(id, TenantValidationKind::Suspended).into())
            }
            Some(tenant) => Ok(tenant.id),
        }
    }

    /// Counts a request of the current tenant, and gives its number: the tenant is not among the arguments.
    pub(crate) fn count_request(&mut self) -> Result<u32, TenantError> {
        let id = TenantContext::get()?;
        let tenant = self.0.iter_mut().find(|tenant| tenant.id == id).ok_or(TenantNotFoundError::new(id))?;
        tenant.requests = tenant.requests.wrapping_add(1);
        Ok(tenant.requests)
    }
}
