//! The tests of `TenantContext` in the Python kernel, for this crate.

use tenancy::{TenantContext, TenantContextNotSetError, TenantError, TenantFutureExt};

use crate::support::{alone, tenant};

#[test]
fn set_and_get() {
    let _alone = alone();
    TenantContext::set(tenant(1));
    assert_eq!(TenantContext::get(), Ok(tenant(1)));
    TenantContext::clear();
}

#[test]
fn get_without_set_is_tenant_context_not_set_error() {
    let _alone = alone();
    // An earlier test may have set a tenant in another thread, which must not be visible here.
    assert_eq!(TenantContext::get(), Err(TenantContextNotSetError));
    assert_eq!(
        TenantContext::get().map_err(TenantError::from),
        Err(TenantError::TenantContextNotSet(TenantContextNotSetError))
    );
}

#[test]
fn get_optional_is_none_without_set() {
    let _alone = alone();
    assert_eq!(TenantContext::get_optional(), None);
    TenantContext::set(tenant(2));
    assert_eq!(TenantContext::get_optional(), Some(tenant(2)));
    TenantContext::clear();
}

#[test]
fn clear() {
    let _alone = alone();
    TenantContext::set(tenant(3));
    TenantContext::clear();
    assert_eq!(TenantContext::get_optional(), None);
    // A second call is harmless.
    TenantContext::clear();
    assert_eq!(TenantContext::get_optional(), None);
}

#[test]
fn is_set() {
    let _alone = alone();
    assert!(!TenantContext::is_set());
    TenantContext::set(tenant(4));
    assert!(TenantContext::is_set());
    TenantContext::clear();
    assert!(!TenantContext::is_set());
}

#[test]
fn get_value_is_the_text() {
    let _alone = alone();
    assert_eq!(TenantContext::get_value(), None);
    TenantContext::set(tenant(5));
    assert_eq!(TenantContext::get_value(), Some(tenant(5).to_text()));
    TenantContext::clear();
}

#[test]
fn setting_again_overwrites() {
    let _alone = alone();
    TenantContext::set(tenant(6));
    TenantContext::set(tenant(7));
    assert_eq!(TenantContext::get(), Ok(tenant(7)));
    TenantContext::clear();
    assert_eq!(TenantContext::get_optional(), None, "not the one before");
}

/// Sets a tenant in a context of its own, lets other tasks run, and still finds it.
async fn set_and_read_later(number: u64) {
    assert!(!TenantContext::is_set(), "a context of its own starts unset");
    TenantContext::set(tenant(number));
    for _ in 0..50 {
        tokio::task::yield_now().await;
        assert_eq!(TenantContext::get(), Ok(tenant(number)));
    }
}

async fn three_tasks() {
    let tasks = [1, 2, 3].map(|number| tokio::spawn(set_and_read_later(number).in_own_context()));
    for task in tasks {
        task.await.expect("the task's own assertions");
    }
    assert!(!TenantContext::is_set(), "nothing is left behind");
}

#[test]
fn concurrent_tasks_are_isolated_on_one_thread() {
    let _alone = alone();
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(three_tasks());
}

/// Without the feature `std` threads share one slot, so a task's tenant may be hidden.
#[cfg(feature = "std")]
#[test]
fn concurrent_tasks_are_isolated_on_several_threads() {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(3)
        .build()
        .expect("a runtime")
        .block_on(three_tasks());
}
