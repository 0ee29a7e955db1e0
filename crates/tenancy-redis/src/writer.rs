//! Writes a command with the tenant's prefix before each key.

#[cfg(feature = "tokio")]
mod command;
mod packed;

#[cfg(feature = "tokio")]
pub(crate) use self::command::{CmdBuffer, PipelineBuffer};
pub(crate) use self::packed::PackedBuffer;
use crate::arguments::Arguments;
use crate::scope::TenantScope;

/// A buffer that commands are written to.
pub(crate) trait Sink {
    /// Begins a command of these arguments, and of `extra` more. At most `keys` of them are keys.
    ///
    /// The numbers are only used to reserve memory.
    fn begin<'a>(&mut self, arguments: &impl Arguments<'a>, extra: usize, keys: Keys<'_>);

    /// Writes an argument that is not a key.
    fn plain(&mut self, argument: &[u8]);

    /// Writes a key with its prefix.
    fn key(&mut self, prefix: &[u8], key: &[u8]);

    /// Ends the command.
    fn finish(&mut self);
}

/// The keys that a command has at most, and what each begins with.
#[derive(Clone, Copy)]
#[cfg_attr(
    not(feature = "tokio"),
    allow(dead_code, reason = "only a command of redis-rs is allocated by its size")
)]
pub(crate) struct Keys<'p> {
    pub(crate) count: usize,
    pub(crate) prefix: &'p [u8],
}

/// Writes the arguments of a command.
pub(crate) struct CommandWriter<'o, S> {
    sink: &'o mut S,
    pub(crate) scope: &'o TenantScope,
}

impl<'o, S: Sink> CommandWriter<'o, S> {
    #[inline]
    pub(crate) fn new(sink: &'o mut S, scope: &'o TenantScope) -> Self {
        Self { sink, scope }
    }

    /// Writes an argument that is not a key.
    #[inline]
    pub(crate) fn plain(&mut self, argument: &[u8]) {
        self.sink.plain(argument);
    }

    /// Writes a key with its prefix.
    #[inline]
    pub(crate) fn key(&mut self, key: &[u8]) {
        self.sink.key(self.scope.prefix.as_bytes(), key);
    }
}
