//! The rewriting of commands for a version of redis-rs that is not stable yet.
//!
//! Only for benchmarks: it is not a part of the public API, and it does not strip replies.

use tenancy::TenantId;

use crate::arguments::Arguments;
use crate::refusal::Refusal;
use crate::reply::Reply;
use crate::rewrite::rewrite_arguments;
use crate::scope::{Sharing, TenantScope};
use crate::writer::{Keys, Sink};

/// Receives rewritten commands.
pub trait Output {
    /// Begins a command.
    fn begin(&mut self);

    /// Writes an argument that is not a key.
    fn plain(&mut self, argument: &[u8]);

    /// Writes a key as one argument with its prefix.
    fn key(&mut self, prefix: &[u8], key: &[u8]);
}

/// Rewrites the commands of one tenant on a shared connection.
#[derive(Debug)]
pub struct Rewriter(TenantScope);

impl Rewriter {
    /// Creates the rewriter of a tenant.
    pub fn new(tenant: TenantId) -> Self {
        Self(TenantScope::new(tenant, Sharing::Shared))
    }

    /// Writes a command.
    ///
    /// # Errors
    ///
    /// The refusal, and [`Refusal::Reply`] for a command whose reply contains keys. The output must not be sent then.
    pub fn rewrite<'a>(
        &self,
        arguments: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        output: &mut impl Output,
    ) -> Result<(), Refusal> {
        match rewrite_arguments(arguments, &self.0, &mut Adapter(output))? {
            Reply::Plain => Ok(()),
            _ => Err(Refusal::Reply),
        }
    }
}

struct Adapter<'o, O>(&'o mut O);

impl<O: Output> Sink for Adapter<'_, O> {
    #[inline]
    fn begin<'a>(&mut self, _: &impl Arguments<'a>, _: usize, _: Keys<'_>) {
        self.0.begin();
    }

    #[inline]
    fn plain(&mut self, argument: &[u8]) {
        self.0.plain(argument);
    }

    #[inline]
    fn key(&mut self, prefix: &[u8], key: &[u8]) {
        self.0.key(prefix, key);
    }

    #[inline]
    fn finish(&mut self) {}
}
