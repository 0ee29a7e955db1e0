//! A server in memory that fails, hangs and blocks commands on request.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{Arg, Cmd, Pipeline, RedisError, RedisFuture, RedisResult, Value};
use tenancy_redis::Refusal;
use tokio::sync::Semaphore;

#[derive(Clone, Default)]
pub(crate) struct Memory(Arc<State>);

#[derive(Default)]
struct State {
    entries: Mutex<HashMap<String, Vec<u8>>>,
    /// The commands that were sent, without values.
    log: Mutex<Vec<String>>,
    holds: Mutex<HashMap<(&'static str, Part), Arc<Hold>>>,
    fails: AtomicBool,
    hangs: AtomicBool,
    refuses: AtomicBool,
}

/// The part of a command that is blocked.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Part {
    Command,
    Reply,
}

/// Blocks the next command of a name.
pub(crate) struct Hold {
    came: Semaphore,
    goes: Semaphore,
}

impl Hold {
    pub(crate) async fn came(&self) {
        within(self.came.acquire()).await.expect("open").forget();
    }

    pub(crate) fn release(&self) {
        self.goes.add_permits(1);
    }
}

impl Memory {
    pub(crate) fn fail(&self, fails: bool) {
        self.0.fails.store(fails, Ordering::SeqCst);
    }

    pub(crate) fn hang(&self) {
        self.0.hangs.store(true, Ordering::SeqCst);
    }

    pub(crate) fn refuse(&self) {
        self.0.refuses.store(true, Ordering::SeqCst);
    }

    pub(crate) fn hold(&self, name: &'static str, part: Part) -> Arc<Hold> {
        let hold = Arc::new(Hold { came: Semaphore::new(0), goes: Semaphore::new(0) });
        self.0.holds.lock().unwrap().insert((name, part), Arc::clone(&hold));
        hold
    }

    pub(crate) fn entry(&self, key: &str) -> Option<Vec<u8>> {
        self.0.entries.lock().unwrap().get(key).cloned()
    }

    pub(crate) fn put(&self, key: &str, entry: &[u8]) {
        self.0.entries.lock().unwrap().insert(key.into(), entry.into());
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.0.log.lock().unwrap().clone()
    }

    pub(crate) fn sent(&self, name: &str) -> usize {
        self.log().iter().filter(|line| line.starts_with(name)).count()
    }

    async fn wait(&self, name: &str, part: Part) {
        let hold = self.0.holds.lock().unwrap().remove(&(known(name), part));
        if let Some(hold) = hold {
            hold.came.add_permits(1);
            hold.goes.acquire().await.expect("open").forget();
        }
    }

    async fn answer(self, words: Vec<Vec<u8>>) -> RedisResult<Value> {
        let text = |word: &[u8]| String::from_utf8(word.to_vec()).expect("text");
        let (name, key) = (text(&words[0]), text(&words[1]));
        let ttl = words.get(3..).unwrap_or_default().iter().map(|word| format!(" {}", text(word)));
        self.0.log.lock().unwrap().push(format!("{name} {key}{}", ttl.collect::<String>()));
        self.wait(&name, Part::Command).await;
        tokio::task::yield_now().await;
        if self.0.refuses.load(Ordering::SeqCst) {
            return Err(Refusal::Reply.into());
        }
        if self.0.hangs.load(Ordering::SeqCst) {
            return std::future::pending().await;
        }
        if self.0.fails.load(Ordering::SeqCst) {
            return Err(RedisError::from(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        let reply = match (known(&name), self.0.entries.lock().unwrap()) {
            ("GET", entries) => {
                entries.get(&key).map_or(Value::Nil, |entry| Value::BulkString(entry.clone()))
            }
            ("SET", mut entries) => {
                entries.insert(key, words[2].clone());
                Value::Okay
            }
            (_, mut entries) => Value::Int(i64::from(entries.remove(&key).is_some())),
        };
        self.wait(&name, Part::Reply).await;
        Ok(reply)
    }
}

fn known(name: &str) -> &'static str {
    ["GET", "SET", "UNLINK"].into_iter().find(|known| *known == name).expect("a command of the cache")
}

impl ConnectionLike for Memory {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        let words = cmd.args_iter().map(|argument| match argument {
            Arg::Simple(bytes) => bytes.to_vec(),
            _ => unreachable!("no cursors"),
        });
        Box::pin(self.clone().answer(words.collect()))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        unreachable!("no pipelines")
    }

    fn get_db(&self) -> i64 {
        0
    }
}

/// Waits for a future, at most 30 s.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(30), future).await.expect("it hangs")
}
