//! A connection of one tenant for redis-rs 2.0, to measure what its pipelines will cost.
//!
//! It sends only commands whose replies contain no keys.

use std::fmt;
use std::io::Write;

use redis2::aio::ConnectionLike;
use redis2::{Arg, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, RedisWrite, Value};
use tenancy::TenantId;
use tenancy_redis::rewriter::{Output, Rewriter};

/// A connection that writes the commands of a pipeline into one buffer, which it keeps.
pub struct TenantConnection<C> {
    connection: C,
    rewriter: Rewriter,
    cmd: Cmd,
    pipeline: Pipeline,
}

impl<C> TenantConnection<C> {
    /// Wraps a connection.
    pub fn new(connection: C, tenant: TenantId) -> Self {
        let rewriter = Rewriter::new(tenant);
        Self { connection, rewriter, cmd: Cmd::new(), pipeline: Pipeline::new() }
    }
}

impl<C> fmt::Debug for TenantConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantConnection").field("rewriter", &self.rewriter).finish_non_exhaustive()
    }
}

impl<C: ConnectionLike + Send> ConnectionLike for TenantConnection<C> {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let Self { connection, rewriter, cmd: sent, .. } = self;
        match rewriter.rewrite(simple(cmd.args_iter()), &mut Single(sent)) {
            Ok(()) => connection.req_packed_command(sent),
            Err(_) => Box::pin(async { Err(refused()) }),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        let Self { connection, rewriter, pipeline: sent, .. } = self;
        match rewrite(pipeline, rewriter, sent) {
            Ok(()) => connection.req_packed_commands(sent, offset, count),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// Writes all commands of a pipeline, or refuses the pipeline.
fn rewrite(pipeline: &Pipeline, rewriter: &Rewriter, sent: &mut Pipeline) -> RedisResult<()> {
    if pipeline.is_transaction() {
        return Err(refused());
    }
    sent.clear();
    for cmd in pipeline.cmd_iter() {
        rewriter.rewrite(simple(cmd.args_iter()), &mut Piped(sent)).map_err(|_| refused())?;
    }
    Ok(())
}

fn simple<'a>(
    arguments: impl ExactSizeIterator<Item = Arg<&'a [u8]>> + Clone,
) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
    arguments.map(|argument| match argument {
        Arg::Simple(bytes) => bytes,
        _ => b"",
    })
}

fn refused() -> RedisError {
    (ErrorKind::Client, "not measured").into()
}

/// A command that is sent alone.
struct Single<'c>(&'c mut Cmd);

impl Output for Single<'_> {
    fn begin(&mut self) {
        self.0.clear();
    }

    fn plain(&mut self, argument: &[u8]) {
        self.0.write_arg(argument);
    }

    fn key(&mut self, prefix: &[u8], key: &[u8]) {
        write_key(self.0.writer_for_next_arg(), prefix, key);
    }
}

/// The commands of a pipeline.
struct Piped<'p>(&'p mut Pipeline);

impl Output for Piped<'_> {
    fn begin(&mut self) {
        // An empty command: what is written next is its arguments.
        self.0.add_command(Cmd::new());
    }

    fn plain(&mut self, argument: &[u8]) {
        self.0.write_arg(argument);
    }

    fn key(&mut self, prefix: &[u8], key: &[u8]) {
        write_key(self.0.writer_for_next_arg(), prefix, key);
    }
}

fn write_key(mut writer: impl Write, prefix: &[u8], key: &[u8]) {
    writer.write_all(prefix).and_then(|()| writer.write_all(key)).expect("a command accepts all bytes");
}

/// Asserts that what is timed confines its commands: a benchmark of the wrong work would say nothing.
///
/// # Panics
///
/// If a key is sent without its prefix, or a command is sent that cannot be confined.
pub fn assert_confines() {
    const PREFIX: &str = "t:00000000000000000000000000000001:";
    let rewriter = Rewriter::new(TenantId::PLATFORM);
    let (mut given, mut expected, mut sent) = (Pipeline::new(), Pipeline::new(), Pipeline::new());
    given.get("k").set("a", "v").mget(&["b", "c"]);
    expected.get(format!("{PREFIX}k")).set(format!("{PREFIX}a"), "v");
    expected.mget(&[format!("{PREFIX}b"), format!("{PREFIX}c")]);
    for _ in 0..2 {
        rewrite(&given, &rewriter, &mut sent).expect("allowed commands");
        assert_eq!(sent.get_packed_pipeline(), expected.get_packed_pipeline());
    }
    for name in ["FLUSHALL", "KEYS"] {
        let mut given = Pipeline::new();
        given.cmd(name).arg("*");
        assert!(rewrite(&given, &rewriter, &mut Pipeline::new()).is_err(), "{name}");
    }
}
