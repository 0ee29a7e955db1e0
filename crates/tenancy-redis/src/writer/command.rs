//! Commands of redis-rs.

use redis::{Arg, Cmd, Pipeline, RedisWrite};

use super::{Keys, Sink};
use crate::arguments::Arguments;

/// The command that is sent. A handle reuses its memory.
///
/// Only memory is reused: each command begins with an empty buffer, and each key with the prefix of its own scope.
#[derive(Default)]
pub(crate) struct CmdBuffer {
    pub(crate) cmd: Cmd,
    key: KeyBuffer,
    /// The size in bytes of the command, with the memory that each argument takes.
    size: usize,
}

impl CmdBuffer {
    /// A command that needs more memory than this many bytes has it released once it was sent.
    const MAX_KEPT: usize = 64 * 1024;

    /// The first command has space for this many arguments and bytes, so that most need one allocation for each.
    const FIRST: [usize; 8] = [16; 8];

    /// Releases the memory of a large command. A smaller one's is kept for the next command.
    #[inline]
    pub(crate) fn release(&mut self) {
        self.take_large();
    }

    /// Returns a large command, so that its memory is released with it.
    #[inline]
    pub(crate) fn take_large(&mut self) -> Option<Cmd> {
        (self.size > Self::MAX_KEPT).then(|| std::mem::take(self).cmd)
    }

    #[inline]
    fn count(&mut self, length: usize) {
        self.size += length + size_of::<Arg<usize>>();
    }
}

impl Sink for CmdBuffer {
    #[inline]
    fn begin<'a>(&mut self, _: &impl Arguments<'a>, _: usize, _: Keys<'_>) {
        self.release();
        if self.size == 0 {
            self.cmd.reserve_space_for_args(Self::FIRST);
        }
        self.size = 0;
        self.cmd.clear();
    }

    #[inline]
    fn plain(&mut self, argument: &[u8]) {
        self.cmd.write_arg(argument);
        self.count(argument.len());
    }

    #[inline]
    fn key(&mut self, prefix: &[u8], key: &[u8]) {
        self.cmd.write_arg(self.key.join(prefix, key));
        self.count(prefix.len() + key.len());
    }

    #[inline]
    fn finish(&mut self) {}
}

/// The commands of a pipeline.
pub(crate) struct PipelineBuffer {
    pub(crate) pipeline: Pipeline,
    cmd: Cmd,
    key: KeyBuffer,
}

impl PipelineBuffer {
    pub(crate) fn with_capacity(commands: usize) -> Self {
        Self { pipeline: Pipeline::with_capacity(commands), cmd: Cmd::new(), key: KeyBuffer::default() }
    }
}

impl Sink for PipelineBuffer {
    /// A pipeline owns its commands, and cannot return them. So each command is allocated once, in its size.
    #[inline]
    fn begin<'a>(&mut self, arguments: &impl Arguments<'a>, extra: usize, keys: Keys<'_>) {
        let bytes: usize = arguments.clone().map(<[u8]>::len).sum();
        self.cmd = Cmd::with_capacity(arguments.len() + extra, bytes + keys.count * keys.prefix.len());
    }

    #[inline]
    fn plain(&mut self, argument: &[u8]) {
        self.cmd.write_arg(argument);
    }

    #[inline]
    fn key(&mut self, prefix: &[u8], key: &[u8]) {
        self.cmd.write_arg(self.key.join(prefix, key));
    }

    #[inline]
    fn finish(&mut self) {
        self.pipeline.add_command(self.cmd.take());
    }
}

/// A key with its prefix. A command takes an argument faster in one piece.
#[derive(Default)]
struct KeyBuffer(Vec<u8>);

impl KeyBuffer {
    /// The first key has space for this many bytes, with its prefix.
    const FIRST: usize = 96;

    #[inline]
    fn join(&mut self, prefix: &[u8], key: &[u8]) -> &[u8] {
        self.0.clear();
        self.0.reserve(Self::FIRST);
        self.0.extend_from_slice(prefix);
        self.0.extend_from_slice(key);
        &self.0
    }
}
