//! Writes a command with the tenant's prefix before each key.

use std::io::Write;

use redis::{Arg, Cmd, RedisWrite};

use crate::scope::TenantScope;

/// The memory of the command that is sent. A handle reuses it for its next command.
///
/// Only memory is reused: nothing that an earlier command wrote can be part of a later one.
#[derive(Default)]
pub(crate) struct Buffer {
    pub(crate) cmd: Cmd,
    /// The size in bytes of what was written to `cmd`, with the memory that each argument takes.
    size: usize,
}

impl Buffer {
    /// A command that needs more memory than this many bytes has it released once it was sent.
    const MAX_KEPT: usize = 64 * 1024;

    /// The first command has space for this many arguments and bytes, so that most need one allocation for each.
    const FIRST: [usize; 8] = [16; 8];

    /// Begins a command.
    pub(crate) fn begin(&mut self) {
        self.release();
        if self.size == 0 {
            self.cmd.reserve_space_for_args(Self::FIRST);
        }
        self.cmd.clear();
    }

    /// Releases the memory of a large command. A smaller one's is kept for the next command.
    pub(crate) fn release(&mut self) {
        self.take_large();
    }

    /// Returns a large command, so that its memory is released with it.
    pub(crate) fn take_large(&mut self) -> Option<Cmd> {
        (self.size > Self::MAX_KEPT).then(|| std::mem::take(self).cmd)
    }
}

/// Writes the arguments of a command.
pub(crate) struct CommandWriter<'o> {
    buffer: &'o mut Buffer,
    pub(crate) scope: &'o TenantScope,
}

impl<'o> CommandWriter<'o> {
    pub(crate) fn new(buffer: &'o mut Buffer, scope: &'o TenantScope) -> Self {
        Self { buffer, scope }
    }

    /// Writes an argument that is not a key.
    pub(crate) fn plain(&mut self, argument: &[u8]) {
        self.buffer.cmd.write_arg(argument);
        self.count(argument.len());
    }

    /// Writes a key with its prefix.
    pub(crate) fn key(&mut self, key: &[u8]) {
        let prefix = self.scope.prefix.as_bytes();
        let mut writer = self.buffer.cmd.writer_for_next_arg();
        let written = writer.write_all(prefix).and_then(|()| writer.write_all(key));
        written.expect("a command accepts each byte");
        drop(writer);
        self.count(prefix.len() + key.len());
    }

    fn count(&mut self, length: usize) {
        self.buffer.size = self.buffer.size.saturating_add(length + size_of::<Arg<usize>>());
    }
}
