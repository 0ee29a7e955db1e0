//! Settings by tenant: the order of their sources, loads that are shared, and loads that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tenancy::{TenantContext, TenantFutureExt, TenantId, tenant_id};
use tenancy_directory::{TenantOptions, TenantOptionsError};
use tokio::sync::Semaphore;

const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const GLOBEX: TenantId = tenant_id!("6ba7b810-9dad-11d1-80b4-00c04fd430c8");

/// A table of settings whose queries are counted, delayed and made to fail.
struct Table {
    queries: AtomicUsize,
    fails: AtomicBool,
    /// Each query takes one permit.
    gate: Semaphore,
}

impl Table {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Self {
            queries: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
            gate: Semaphore::new(permits),
        })
    }

    fn queries(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }

    /// Settings that say for which tenant, and as which tenant, they were loaded. Globex has none.
    fn options(self: &Arc<Self>) -> TenantOptions<String> {
        let table = Arc::clone(self);
        TenantOptions::new("default".to_owned()).load_with(move |tenant| {
            let called_as = TenantContext::get_optional();
            let table = Arc::clone(&table);
            async move {
                let number = table.queries.fetch_add(1, Ordering::SeqCst) + 1;
                table.gate.acquire().await.expect("open").forget();
                if table.fails.load(Ordering::SeqCst) {
                    return Err("the table is locked");
                }
                assert_eq!(called_as, Some(tenant));
                assert_eq!(TenantContext::get_optional(), Some(tenant));
                Ok((tenant != GLOBEX).then(|| format!("{tenant} {number}")))
            }
        })
    }
}

#[tokio::test]
async fn fixed_value_precedes_loaded_value_precedes_default() {
    let table = Table::new(10);
    let options = table.options().with(TenantId::PLATFORM, "fixed".to_owned());
    assert_eq!(*options.get(TenantId::PLATFORM).await.unwrap(), "fixed");
    assert_eq!(table.queries(), 0);
    assert_eq!(*options.get(ACME).await.unwrap(), format!("{ACME} 1"));
    let of_globex = options.get(GLOBEX).await.unwrap();
    assert!(Arc::ptr_eq(&of_globex, options.default_value()));
    assert_eq!(table.queries(), 2);
    // That a tenant has no value of its own is cached too.
    options.get(GLOBEX).await.unwrap();
    assert_eq!(table.queries(), 2);
}

#[tokio::test]
async fn without_a_load_function_every_tenant_has_the_default() {
    let options = TenantOptions::new(7);
    assert_eq!(*options.get(ACME).await.unwrap(), 7);
}

#[tokio::test]
async fn current_reads_the_current_tenant() {
    let options = Table::new(10).options();
    assert!(options.current().in_tenant(ACME).await.unwrap().starts_with(&ACME.to_string()));
    let error = options.current().await.unwrap_err();
    assert!(matches!(error, TenantOptionsError::NoTenant(_)), "{error:?}");
}

#[tokio::test]
async fn load_runs_in_the_tenant_whose_value_it_loads() {
    let options = Table::new(10).options();
    // The load itself asserts its context.
    let value = options.get(ACME).in_tenant(GLOBEX).await.unwrap();
    assert_eq!(*value, format!("{ACME} 1"));
}

#[tokio::test(start_paused = true)]
async fn value_expires_after_its_ttl() {
    let table = Table::new(10);
    let options = table.options().ttl(Duration::from_secs(5));
    options.get(ACME).await.unwrap();
    tokio::time::advance(Duration::from_millis(4_999)).await;
    assert_eq!(*options.get(ACME).await.unwrap(), format!("{ACME} 1"));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(*options.get(ACME).await.unwrap(), format!("{ACME} 2"));
}

#[tokio::test]
async fn invalidated_value_is_loaded_again() {
    let table = Table::new(10);
    let options = table.options();
    options.get(ACME).await.unwrap();
    options.get(GLOBEX).await.unwrap();
    options.invalidate(ACME);
    options.get(GLOBEX).await.unwrap();
    assert_eq!(*options.get(ACME).await.unwrap(), format!("{ACME} 3"));
    options.invalidate_all();
    options.get(GLOBEX).await.unwrap();
    assert_eq!(table.queries(), 4);
}

#[tokio::test(start_paused = true)]
async fn failed_load_yields_neither_the_default_nor_an_expired_value() {
    let table = Table::new(10);
    let options = table.options();
    options.get(ACME).await.unwrap();
    tokio::time::advance(Duration::from_secs(30)).await;
    table.fails.store(true, Ordering::SeqCst);
    let error = options.get(ACME).await.unwrap_err();
    assert!(matches!(error, TenantOptionsError::Load(_)), "{error:?}");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the table is locked");
    table.fails.store(false, Ordering::SeqCst);
    assert_eq!(*options.get(ACME).await.unwrap(), format!("{ACME} 3"));
}

#[tokio::test]
async fn concurrent_lookups_share_one_load_and_its_failure() {
    for fails in [false, true] {
        let table = Table::new(0);
        table.fails.store(fails, Ordering::SeqCst);
        let options = Arc::new(table.options());
        let lookups: Vec<_> = (0..16)
            .map(|_| {
                let options = Arc::clone(&options);
                tokio::spawn(async move { options.get(ACME).await })
            })
            .collect();
        tokio::task::yield_now().await;
        table.gate.add_permits(16);
        let mut own_failures = 0;
        for lookup in lookups {
            match lookup.await.unwrap() {
                Ok(value) => assert!(!fails && *value == format!("{ACME} 1")),
                Err(TenantOptionsError::Load(_)) => own_failures += 1,
                Err(error) => assert!(fails && matches!(error, TenantOptionsError::Shared), "{error:?}"),
            }
        }
        assert_eq!((own_failures, table.queries()), (usize::from(fails), 1));
    }
}

#[tokio::test]
async fn loaded_values_are_bounded() {
    let table = Table::new(1_000);
    let options = table.options().capacity(16);
    for number in 2..502_u128 {
        options.get(TenantId::from_bytes(number.to_be_bytes()).unwrap()).await.unwrap();
    }
    let debug = format!("{options:?}");
    let (_, rest) = debug.split_once("loaded: ").expect("the number of loaded values");
    let loaded: usize = rest.split(',').next().unwrap().parse().unwrap();
    assert!((1..=64).contains(&loaded), "{debug}");
}
