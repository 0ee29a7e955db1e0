//! Code that runs in a token's tenant.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tenancy::TenantContext;

use crate::support::*;

/// One test, because without the feature `std` all threads share one context.
#[test]
fn runs_in_the_tenant_and_restores_the_context() {
    let token = mint(&key(), &claims());
    let verified = expect(verifier().verify(&token, NOW));
    assert!(!TenantContext::is_set());
    assert_eq!(verified.scope(TenantContext::get), Ok(TENANT));
    assert!(!TenantContext::is_set());
    TenantContext::scope(OTHER, || {
        assert_eq!(verified.scope(TenantContext::get), Ok(TENANT));
        assert_eq!(TenantContext::get(), Ok(OTHER));
    });
    let panicked = catch_unwind(AssertUnwindSafe(|| verified.scope(|| panic!("the job fails"))));
    assert!(panicked.is_err());
    assert!(!TenantContext::is_set());
}
