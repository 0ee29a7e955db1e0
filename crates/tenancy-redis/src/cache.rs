//! A cache of each tenant's own, which loads what it lacks once for all who ask.
//!
//! ```no_run
//! # #[derive(serde::Serialize, serde::Deserialize)]
//! # struct User { name: String }
//! # async fn by_database(id: u64) -> Result<Option<User>, std::io::Error> { Ok(None) }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use tenancy_redis::TenantCache;
//!
//! // Once for the process:
//! let client = redis::Client::open("redis://127.0.0.1/")?;
//! let cache = TenantCache::new(client.get_multiplexed_async_connection().await?)
//!     .ttl(Duration::from_secs(300))
//!     .jitter(0.1)
//!     .negative_ttl(Duration::from_secs(10));
//!
//! // In a request, for the tenant of the context:
//! let user: Option<User> = cache.get_or_set("user:7", || by_database(7)).await?;
//!
//! // Where the user was changed:
//! cache.remove("user:7").await?;
//! # Ok(())
//! # }
//! ```

mod builder;
mod codec;
mod entry;
mod error;
mod flights;
mod lifetime;
mod place;
#[cfg(feature = "postcard")]
mod postcard;

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::aio::ConnectionLike;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt};

use self::entry::{Bytes, decode, encode};
use self::flights::{Flight, Flights, Joined, Outcome};
use self::lifetime::Lifetime;
use self::place::{Place, Read, forgive};
use crate::client::TenantRedis;

pub use self::codec::{Codec, Json};
pub use self::entry::Lookup;
pub use self::error::{CacheError, EncodeError};
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;

const NAMESPACE: &str = "cache";

/// Values that are kept for the tenant of the context, at keys of that tenant.
///
/// The tenant is read when a method is called, not when its future is polled. The key `user:7` is
/// `t:{tenant}:cache:user:7` on the server, with a [namespace](Self::namespace)
/// `t:{tenant}:cache:{namespace}:user:7`.
///
/// # Who loads
///
/// Of all who ask for the same key of the same tenant at the same time, by one `TenantCache` and its clones, one
/// reads it and loads it, in its own task. The others get the same bytes, or the same error. Where that one is
/// dropped or panics, another goes on. Another process loads for itself.
///
/// A call that has begun has to be polled until it ends or be dropped, for others wait for it. A loader that asks
/// for its own key waits for itself.
///
/// # What it costs
///
/// A hit is one round trip to the server, a miss two. Those who wait for another's make none. A call copies the
/// key and clones the connection.
///
/// # When Redis fails
///
/// Reads go on without: [`get`](Self::get) is a miss, and [`get_or_set`](Self::get_or_set) loads, and does not
/// try to keep what it loaded. Writes tell: after a [`remove`](Self::remove) that failed the old value may be
/// read until it runs out. Both are [counted](Self::failures). What the crate
/// [refuses](crate::refusal) is always an error.
///
/// # What it can't do
///
/// A `remove` stops what this cache and its clones have under way, not what another process has: a value that was
/// loaded there before and stored after is read for up to its time to live. So is one that Redis was too slow to
/// store, where it gets to it after the removal, by a connection that was lost meanwhile.
///
/// The futures need tokio's timer, as redis-rs's connections do.
pub struct TenantCache<C, K = Json> {
    connection: C,
    namespace: Option<&'static str>,
    lifetime: Lifetime,
    negative: Lifetime,
    timeout: Duration,
    max_value_len: usize,
    shared: Arc<Shared>,
    codec: PhantomData<fn() -> K>,
}

/// What clones share.
#[derive(Default)]
struct Shared {
    flights: Flights,
    failures: AtomicU64,
}

/// What there is at a key.
struct Found<T> {
    value: Option<T>,
    bytes: Bytes,
    /// Whether it was loaded, and Redis answers.
    is_to_store: bool,
}

impl<C> TenantCache<C> {
    /// A cache on a connection that is shared: by default values are kept as JSON for 5 minutes, and that there is
    /// none for 10 seconds, without jitter.
    pub fn new(connection: C) -> Self {
        Self {
            connection,
            namespace: None,
            lifetime: Lifetime::new(Duration::from_secs(300)),
            negative: Lifetime::new(Duration::from_secs(10)),
            timeout: Duration::from_millis(500),
            max_value_len: usize::MAX,
            shared: Arc::default(),
            codec: PhantomData,
        }
    }
}

impl<C, K> TenantCache<C, K> {
    /// How often Redis has failed, or not answered in [time](Self::timeout), since the cache was made.
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }
}

impl<C: ConnectionLike + Clone + Send + Sync, K: Codec> TenantCache<C, K> {
    /// The value at a key, loaded and kept where there is none.
    ///
    /// `Ok(None)` of the loader is kept as well, for the [negative time](Self::negative_ttl). The loader runs in
    /// the caller's task, and in the tenant of the call, so that what it loads is of the tenant that it is kept
    /// for. A value that is kept but can't be decoded is loaded anew.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoTenant`] where the context has none; [`CacheError::Load`] where the loader failed, for all
    /// who waited for it; [`CacheError::Encode`] where the value can't be written.
    pub fn get_or_set<T, E, L, F>(
        &self,
        key: &str,
        load: L,
    ) -> impl Future<Output = Result<Option<T>, CacheError<E>>> + use<'_, T, E, L, F, C, K>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        L: FnOnce() -> F,
        F: Future<Output = Result<Option<T>, E>>,
    {
        let place = self.place(key);
        async move {
            let place = place?;
            loop {
                let mut other = match self.shared.flights.join(&place.id) {
                    Joined::First(flight) => return self.lead(place, flight, load).await,
                    Joined::Forgotten(other) => other,
                    Joined::Waits(mut other) => {
                        if let Some(found) = other.outcome().await.and_then(shared_with_me::<K, T, E>) {
                            return found;
                        }
                        // It came to nothing, or to something of other types.
                        other
                    }
                };
                other.ended().await;
            }
        }
    }

    /// The value that is kept at a key.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoTenant`] where the context has none. Where Redis fails, it is a miss.
    pub fn get<T: DeserializeOwned>(
        &self,
        key: &str,
    ) -> impl Future<Output = Result<Lookup<T>, CacheError>> + use<'_, T, C, K> {
        let place = self.place(key);
        async move {
            Ok(match place?.read().await? {
                Read::Bytes(bytes) => decode::<K, T>(&bytes),
                Read::Nothing | Read::Failed => Lookup::Miss,
            })
        }
    }

    /// Keeps a value, in the place of what is kept there and of what is being loaded. One that is
    /// [too large](Self::max_value_len) is not kept, and nor is what it replaces.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoTenant`] where the context has none; [`CacheError::Encode`] where the value can't be written;
    /// [`CacheError::Redis`] where Redis fails.
    pub fn set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
    ) -> impl Future<Output = Result<(), CacheError>> + use<'_, T, C, K> {
        let (place, bytes) = (self.place(key), encode::<K, T>(Some(value)));
        async move {
            let (place, bytes) = (place?, bytes?);
            let is_kept = bytes.len() <= self.max_value_len;
            self.replace(place, is_kept.then_some((bytes, self.lifetime))).await
        }
    }

    /// Keeps for the [negative time](Self::negative_ttl) that there is no value.
    ///
    /// # Errors
    ///
    /// As [`remove`](Self::remove).
    pub fn set_negative(&self, key: &str) -> impl Future<Output = Result<(), CacheError>> + use<'_, C, K> {
        let place = self.place(key);
        async move {
            let bytes = encode::<K, ()>(None)?;
            self.replace(place?, Some((bytes, self.negative))).await
        }
    }

    /// Forgets what is kept at a key, and stops what is being loaded there from being kept. Who asks after it has
    /// ended gets what was loaded after it began.
    ///
    /// # Errors
    ///
    /// [`CacheError::NoTenant`] where the context has none; [`CacheError::Redis`] where Redis fails: then the old
    /// value may still be there.
    pub fn remove(&self, key: &str) -> impl Future<Output = Result<(), CacheError>> + use<'_, C, K> {
        let place = self.place(key);
        async move { self.replace(place?, None).await }
    }

    fn place(&self, key: &str) -> Result<Place<'_, C>, TenantContextNotSetError> {
        let tenant = TenantContext::get()?;
        let redis = TenantRedis::new(self.connection.clone(), tenant).namespace(NAMESPACE);
        let redis = match self.namespace {
            Some(name) => redis.namespace(name),
            None => redis,
        };
        let (id, failures) = ((tenant, key.into()), &self.shared.failures);
        Ok(Place { redis, id, timeout: self.timeout, failures })
    }

    async fn lead<T, E, F>(
        &self,
        mut place: Place<'_, C>,
        flight: Flight<'_>,
        load: impl FnOnce() -> F,
    ) -> Result<Option<T>, CacheError<E>>
    where
        T: Serialize + DeserializeOwned,
        E: Send + Sync + 'static,
        F: Future<Output = Result<Option<T>, E>>,
    {
        let found = find::<K, _, _, _, _>(&mut place, load).await;
        let outcome = found.as_ref().map(|found| Arc::clone(&found.bytes)).map_err(CacheError::share);
        let is_wanted = flight.land(outcome);
        let Found { value, bytes, is_to_store } = found?;
        if is_to_store && is_wanted && bytes.len() <= self.max_value_len {
            let lifetime = if value.is_some() { self.lifetime } else { self.negative };
            forgive(place.store(&bytes, lifetime).await)?;
        }
        Ok(value)
    }

    /// Puts something in the place of what is kept and of what is being loaded.
    async fn replace(
        &self,
        mut place: Place<'_, C>,
        by: Option<(Bytes, Lifetime)>,
    ) -> Result<(), CacheError> {
        // What was loaded before must not be stored after.
        if let Some(mut storing) = self.shared.flights.forget(&place.id) {
            storing.ended().await;
        }
        let replaced = match by {
            Some((bytes, lifetime)) => place.store(&bytes, lifetime).await,
            None => place.remove().await,
        };
        // What was read in between is not for those who ask from now on.
        self.shared.flights.forget(&place.id);
        Ok(replaced?)
    }
}

async fn find<K, C, T, E, F>(
    place: &mut Place<'_, C>,
    load: impl FnOnce() -> F,
) -> Result<Found<T>, CacheError<E>>
where
    K: Codec,
    C: ConnectionLike + Send + Sync,
    T: Serialize + DeserializeOwned,
    F: Future<Output = Result<Option<T>, E>>,
{
    let read = place.read().await?;
    let answers = !matches!(read, Read::Failed);
    if let Read::Bytes(bytes) = read
        && let Some(value) = decode::<K, T>(&bytes).known()
    {
        return Ok(Found { value, bytes: Arc::new(bytes), is_to_store: false });
    }
    // The task's own tenant may be another by now.
    let loaded = async { load().await }.in_tenant(place.redis.tenant()).await;
    let value = loaded.map_err(|error| CacheError::Load(Arc::new(error)))?;
    let bytes = encode::<K, T>(value.as_ref())?;
    Ok(Found { value, bytes, is_to_store: answers })
}

/// What another's load came to, if it is of the same types.
fn shared_with_me<K: Codec, T: DeserializeOwned, E: Send + Sync + 'static>(
    outcome: Outcome,
) -> Option<Result<Option<T>, CacheError<E>>> {
    match outcome {
        Ok(bytes) => decode::<K, T>(&bytes).known().map(Ok),
        Err(error) => error.downcast().map(Err),
    }
}

impl<C: Clone, K> Clone for TenantCache<C, K> {
    fn clone(&self) -> Self {
        Self { connection: self.connection.clone(), shared: Arc::clone(&self.shared), ..*self }
    }
}

/// Shows how many loads are under way, and of whom none.
impl<C, K> fmt::Debug for TenantCache<C, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantCache")
            .field("namespace", &self.namespace)
            .field("lifetime", &self.lifetime)
            .field("negative", &self.negative)
            .field("loading", &self.shared.flights.len())
            .field("failures", &self.failures())
            .finish_non_exhaustive()
    }
}
