//! Writes a command with the tenant's prefix before each key.

use redis::{Arg, Cmd, RedisWrite};

use crate::scope::TenantScope;

/// The memory of the command that is sent. A handle reuses it for its next command.
///
/// Only memory is reused: each command begins with an empty buffer and with the prefix of its own scope.
#[derive(Default)]
pub(crate) struct Buffer {
    pub(crate) cmd: Cmd,
    /// The prefix of the command that is being written, and a key. A command takes an argument faster in one piece.
    key: Vec<u8>,
    /// The size in bytes of the command, with the memory that each argument takes.
    size: usize,
}

impl Buffer {
    /// A command that needs more memory than this many bytes has it released once it was sent.
    const MAX_KEPT: usize = 64 * 1024;

    /// The first command has space for this many arguments and bytes, so that most need one allocation for each.
    const FIRST: [usize; 8] = [16; 8];

    /// The first key has space for this many bytes, with its prefix.
    const FIRST_KEY: usize = 96;

    /// Begins a command whose keys have this prefix.
    fn begin(&mut self, prefix: &[u8]) {
        self.release();
        self.size = 0;
        if self.key.capacity() == 0 {
            self.cmd.reserve_space_for_args(Self::FIRST);
            self.key.reserve(Self::FIRST_KEY);
        }
        self.cmd.clear();
        self.key.clear();
        self.key.extend_from_slice(prefix);
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
    prefix_len: usize,
}

impl<'o> CommandWriter<'o> {
    /// Begins a command.
    pub(crate) fn new(buffer: &'o mut Buffer, scope: &'o TenantScope) -> Self {
        let prefix = scope.prefix.as_bytes();
        buffer.begin(prefix);
        Self { buffer, scope, prefix_len: prefix.len() }
    }

    /// Writes an argument that is not a key.
    pub(crate) fn plain(&mut self, argument: &[u8]) {
        self.buffer.cmd.write_arg(argument);
        self.count(argument.len());
    }

    /// Writes a key with its prefix.
    pub(crate) fn key(&mut self, key: &[u8]) {
        let Buffer { cmd, key: whole, .. } = self.buffer;
        whole.truncate(self.prefix_len);
        whole.extend_from_slice(key);
        cmd.write_arg(whole);
        let length = whole.len();
        self.count(length);
    }

    fn count(&mut self, length: usize) {
        self.buffer.size += length + size_of::<Arg<usize>>();
    }
}
