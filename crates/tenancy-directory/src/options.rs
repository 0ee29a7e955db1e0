//! Settings by tenant.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId};

use crate::entries::{Entries, LoadError};

const CAPACITY: usize = 10_000;
const TTL: Duration = Duration::from_secs(30);

type BoxError = Box<dyn Error + Send + Sync>;
type Loading<T> = Pin<Box<dyn Future<Output = Result<Option<T>, BoxError>> + Send>>;

/// Typed settings by tenant, with a default and a cache.
///
/// A tenant's value is, in this order: the one given to [`with`](Self::with), the one that the function given to
/// [`load_with`](Self::load_with) returns, or the default.
///
/// Loaded values are cached for [30 s](Self::ttl), and so is the answer that a tenant has none. Concurrent lookups of one
/// tenant share a single load. A failed load is an error and is not cached. It never yields the default, which may allow
/// more than the tenant's own value does.
///
/// ```
/// use std::time::Duration;
/// use tenancy::{TenantFutureExt, TenantId, tenant_id};
/// use tenancy_directory::TenantOptions;
///
/// struct Limits {
///     requests_per_minute: u32,
/// }
///
/// async fn by_database(tenant: TenantId) -> Result<Option<Limits>, std::io::Error> {
///     # let _ = tenant;
///     Ok(Some(Limits { requests_per_minute: 600 }))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let options = TenantOptions::new(Limits { requests_per_minute: 60 })
///     .with(TenantId::PLATFORM, Limits { requests_per_minute: 6_000 })
///     .load_with(by_database)
///     .ttl(Duration::from_secs(5));
///
/// let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
/// let limits = options.current().in_tenant(acme).await?;
/// assert_eq!(limits.requests_per_minute, 600);
/// assert_eq!(options.get(TenantId::PLATFORM).await?.requests_per_minute, 6_000);
///
/// // The database has a new value for the tenant.
/// options.invalidate(acme);
/// # Ok(())
/// # }
/// ```
pub struct TenantOptions<T> {
    default: Arc<T>,
    fixed: HashMap<TenantId, Arc<T>>,
    load: Option<Box<dyn Fn(TenantId) -> Loading<T> + Send + Sync>>,
    loaded: Entries<Arc<T>>,
    ttl: Duration,
}

/// Why a tenant's settings cannot be returned.
#[derive(Debug)]
#[non_exhaustive]
pub enum TenantOptionsError {
    /// [`TenantOptions::current`] was called without a current tenant.
    NoTenant(TenantContextNotSetError),
    /// The function given to [`TenantOptions::load_with`] failed.
    Load(BoxError),
    /// The load of a concurrent lookup of the same tenant failed.
    Shared,
}

impl<T> TenantOptions<T> {
    /// Creates settings that are the same for all tenants.
    pub fn new(default: T) -> Self {
        Self {
            default: Arc::new(default),
            fixed: HashMap::new(),
            load: None,
            loaded: Entries::new(CAPACITY),
            ttl: TTL,
        }
    }

    /// Sets the value of one tenant. It does not expire and is not loaded.
    #[must_use]
    pub fn with(mut self, tenant: TenantId, value: T) -> Self {
        self.fixed.insert(tenant, Arc::new(value));
        self
    }

    /// Sets the function that loads a tenant's value, for example from a database.
    ///
    /// It returns `None` for a tenant that has the default. It runs in the tenant whose value it loads, also if another
    /// tenant is current: otherwise a value read for one tenant could be cached for another.
    #[must_use]
    pub fn load_with<L, F, E>(mut self, load: L) -> Self
    where
        L: Fn(TenantId) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Option<T>, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        self.load = Some(Box::new(move |tenant| {
            let loading = TenantContext::scope(tenant, || load(tenant));
            Box::pin(async move { loading.await.map_err(Into::into) }.in_tenant(tenant))
        }));
        self
    }

    /// Sets about how many loaded values are cached. The default is 10,000. Those that were used least recently or least
    /// often are evicted first.
    #[must_use]
    pub fn capacity(self, capacity: usize) -> Self {
        Self { loaded: Entries::new(capacity), ..self }
    }

    /// Sets how long a loaded value is cached, counted from the start of the load. The default is 30 s.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl, ..self }
    }

    /// Returns the default.
    pub fn default_value(&self) -> &Arc<T> {
        &self.default
    }

    /// Returns the tenant's value, and loads it if it is not cached.
    ///
    /// # Errors
    ///
    /// The load failed, here or in a concurrent lookup of the same tenant.
    pub async fn get(&self, tenant: TenantId) -> Result<Arc<T>, TenantOptionsError> {
        if let Some(value) = self.fixed.get(&tenant) {
            return Ok(Arc::clone(value));
        }
        let Some(load) = &self.load else { return Ok(Arc::clone(&self.default)) };
        if let Some(value) = self.loaded.fresh(tenant) {
            return Ok(value);
        }
        let load = async {
            let value = load(tenant).await?;
            Ok((value.map_or_else(|| Arc::clone(&self.default), Arc::new), self.ttl))
        };
        self.loaded.get_or_load(tenant, load).await.map_err(|error| match error {
            LoadError::Own(error) => TenantOptionsError::Load(error),
            LoadError::Shared => TenantOptionsError::Shared,
        })
    }

    /// Returns the value of the current tenant.
    ///
    /// # Errors
    ///
    /// There is no current tenant, or [`get`](Self::get) failed.
    pub async fn current(&self) -> Result<Arc<T>, TenantOptionsError> {
        self.get(TenantContext::get().map_err(TenantOptionsError::NoTenant)?).await
    }

    /// Removes a tenant's loaded value. Lookups that begin after this call load it again.
    pub fn invalidate(&self, tenant: TenantId) {
        self.loaded.remove(tenant);
    }

    /// Removes all loaded values.
    pub fn invalidate_all(&self) {
        self.loaded.clear();
    }
}

/// The number of values and the limits, without the values.
impl<T> fmt::Debug for TenantOptions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantOptions")
            .field("fixed", &self.fixed.len())
            .field("loaded", &self.loaded.len())
            .field("ttl", &self.ttl)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for TenantOptionsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoTenant(_) => "cannot choose a tenant's settings",
            Self::Load(_) => "cannot load the tenant's settings",
            Self::Shared => "cannot load the tenant's settings: the load of a concurrent lookup failed",
        })
    }
}

impl Error for TenantOptionsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoTenant(error) => Some(error),
            Self::Load(error) => Some(&**error),
            Self::Shared => None,
        }
    }
}
