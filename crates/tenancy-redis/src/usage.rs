//! What a tenant's keys take.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

use redis::aio::ConnectionLike;
use redis::{RedisResult, Value};

use crate::client::TenantRedis;
use crate::nodes::Walk;
use crate::refusal::Refusal;

/// What [`usage`](TenantRedis::usage) found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Usage {
    keys: u64,
    bytes: u64,
}

impl Usage {
    /// How many keys there are.
    pub const fn keys(&self) -> u64 {
        self.keys
    }

    /// How many bytes of the servers' memory they take, with their values: an estimate.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<C: ConnectionLike + Send + 'static> TenantRedis<C> {
    /// Counts the tenant's keys and the memory that they take, in the database that is selected; in a
    /// [namespace](Self::namespace), those of the namespace alone.
    ///
    /// It looks at each key of the server, a thousand at a time, whosesoever it is, and asks `MEMORY USAGE` for each
    /// of the tenant's: seldom, and not while somebody waits for it. The server reckons a value of many elements
    /// from five of them. Meanwhile it takes about 20 bytes of this program's memory a key, so as to count none
    /// twice. What is written or runs out meanwhile is counted or not.
    ///
    /// In a cluster each master is asked, as by [`flush_tenant`](Self::flush_tenant).
    ///
    /// ```no_run
    /// # async fn example(
    /// #     connection: redis::aio::MultiplexedConnection,
    /// #     tenant: tenancy::TenantId,
    /// # ) -> redis::RedisResult<()> {
    /// let usage = tenancy_redis::TenantRedis::new(connection, tenant).usage().await?;
    /// println!("{} keys, {} KiB", usage.keys(), usage.bytes() / 1024);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`flush_tenant`](Self::flush_tenant).
    pub async fn usage(&mut self) -> RedisResult<Usage> {
        let mut walk = Walk::begin(&mut self.connection, self.scope.prefix).await?;
        let mut usage = Usage { keys: 0, bytes: 0 };
        let mut met = Met::default();
        while let Some(mut page) = walk.next().await? {
            page.names.retain(|name| met.is_new(name));
            for size in walk.each(&["MEMORY", "USAGE"], &page).await? {
                match size {
                    Value::Int(bytes) => {
                        usage.keys += 1;
                        usage.bytes =
                            usage.bytes.saturating_add(u64::try_from(bytes).map_err(|_| Refusal::Reply)?);
                    }
                    // It ran out since it was named.
                    Value::Nil => {}
                    _ => return Err(Refusal::Reply.into()),
                }
            }
        }
        Ok(usage)
    }
}

/// The names that were met, by hashes that a tenant can't foresee: of a million, two are the same once in 37
/// million walks.
#[derive(Default)]
struct Met {
    hasher: RandomState,
    hashes: HashSet<u64>,
}

impl Met {
    fn is_new(&mut self, name: &[u8]) -> bool {
        self.hashes.insert(self.hasher.hash_one(name))
    }
}
