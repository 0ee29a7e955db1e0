//! What a cache is told when it is made.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tenancy::TenantId;

use super::{Codec, TenantCache};
use crate::prefix::Prefix;

impl<C, K> TenantCache<C, K> {
    /// Keeps values in another form. A cache in one form takes what is kept in another for a miss.
    #[must_use]
    pub fn codec<L: Codec>(self, _: L) -> TenantCache<C, L> {
        let Self { connection, namespace, lifetime, negative, timeout, max_value_len, .. } = self;
        let (shared, codec) = (Arc::default(), PhantomData);
        TenantCache { connection, namespace, lifetime, negative, timeout, max_value_len, shared, codec }
    }

    /// Keys apart from those of other caches: for each kind of values, and for each version of their type. Without
    /// the namespace they begin with `name:`.
    ///
    /// Make it once: what a namespace has under way is shared by its clones, and not by another of the same name.
    ///
    /// # Panics
    ///
    /// Where the name is not 1 to 32 letters, digits, `-` or `_`.
    #[must_use]
    pub fn namespace(self, name: &'static str) -> Self {
        // A panic here, not in a request.
        let _ = Prefix::new(TenantId::PLATFORM).namespace(name);
        Self { namespace: Some(name), shared: Arc::default(), ..self }
    }

    /// How long a value is kept, in milliseconds, at least one.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.lifetime.ttl = ttl;
        self
    }

    /// How long it is kept that there is no value, in milliseconds, at least one.
    #[must_use]
    pub fn negative_ttl(mut self, ttl: Duration) -> Self {
        self.negative.ttl = ttl;
        self
    }

    /// Shortens each time to live at random by up to this fraction, so that what was loaded together does not run
    /// out together.
    ///
    /// # Panics
    ///
    /// Where it is not from 0 to 1.
    #[must_use]
    pub fn jitter(mut self, fraction: f64) -> Self {
        assert!((0.0..=1.0).contains(&fraction), "the jitter is a fraction from 0 to 1");
        self.lifetime.jitter = fraction;
        self.negative.jitter = fraction;
        self
    }

    /// How long Redis may take to answer; 500 ms by default. After that it has failed.
    ///
    /// A `ConnectionManager` that connects anew makes its callers wait for it, longer than its response timeout.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The most bytes of an encoded value; by default any number. A larger one is given to those who asked, and not
    /// kept.
    #[must_use]
    pub fn max_value_len(self, bytes: usize) -> Self {
        Self { max_value_len: bytes, ..self }
    }
}
