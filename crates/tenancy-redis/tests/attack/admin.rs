//! Commands that reach beyond keys: of the operator, of the connection, and of other clients.

use tenancy_redis::Refusal::{AdminCommand, Blocking, ConnectionState, UnknownCommand};

use crate::case::Expect::{Harmless, Is, Refused};
use crate::case::{Case, run};

const CLIENTS: &[Case] = &[
    ("lists clients", "CLIENT LIST", Refused(AdminCommand)),
    ("lists clients of a user", "client list type normal", Refused(AdminCommand)),
    ("asks for its own id", "CLIENT ID", Refused(ConnectionState)),
    ("asks about itself", "CLIENT INFO", Refused(ConnectionState)),
    ("kills by address", "CLIENT KILL ADDR 127.0.0.1:1", Refused(AdminCommand)),
    ("kills by id", "CLIENT KILL ID 1 SKIPME no", Refused(AdminCommand)),
    ("kills all normal clients", "Client Kill TYPE normal SKIPME no", Refused(AdminCommand)),
    ("pauses all clients", "CLIENT PAUSE 1", Refused(AdminCommand)),
    ("ends a pause", "CLIENT UNPAUSE", Refused(AdminCommand)),
    ("unblocks another client", "CLIENT UNBLOCK 1 ERROR", Refused(AdminCommand)),
    ("switches replies off", "CLIENT REPLY OFF", Refused(ConnectionState)),
    ("skips one reply", "CLIENT REPLY SKIP", Refused(ConnectionState)),
    ("tracks all keys", "CLIENT TRACKING ON BCAST", Refused(ConnectionState)),
    ("tracks foreign keys", "CLIENT TRACKING ON BCAST PREFIX @", Refused(ConnectionState)),
    ("caches the next reply", "CLIENT CACHING YES", Refused(ConnectionState)),
    ("asks who gets invalidations", "CLIENT GETREDIR", Refused(ConnectionState)),
    ("asks how keys are tracked", "CLIENT TRACKINGINFO", Refused(ConnectionState)),
    ("names the connection", "CLIENT SETNAME b", Refused(ConnectionState)),
    ("reads the name", "CLIENT GETNAME", Refused(ConnectionState)),
    ("tells its library", "CLIENT SETINFO LIB-NAME x", Refused(ConnectionState)),
    ("avoids eviction", "CLIENT NO-EVICT on", Refused(AdminCommand)),
    ("does not touch keys", "CLIENT NO-TOUCH on", Refused(ConnectionState)),
    ("reads help", "CLIENT HELP", Harmless),
    ("names a subcommand that no server has", "CLIENT FUTURE @k", Refused(UnknownCommand)),
    ("names no subcommand", "CLIENT", Harmless),
];

const CONNECTION: &[Case] = &[
    ("changes the database", "SELECT 1", Refused(ConnectionState)),
    ("logs in", "AUTH default x", Refused(ConnectionState)),
    ("changes the protocol", "HELLO 2", Refused(ConnectionState)),
    ("changes the protocol and the user", "HELLO 3 AUTH default x SETNAME b", Refused(ConnectionState)),
    ("resets the connection", "RESET", Refused(ConnectionState)),
    ("closes the connection", "QUIT", Refused(ConnectionState)),
    ("begins a transaction", "MULTI", Refused(ConnectionState)),
    ("runs a transaction", "EXEC", Refused(ConnectionState)),
    ("discards a transaction", "DISCARD", Refused(ConnectionState)),
    ("watches a foreign key", "WATCH @k", Refused(ConnectionState)),
    ("forgets what is watched", "UNWATCH", Refused(ConnectionState)),
    ("subscribes", "SUBSCRIBE @c", Refused(ConnectionState)),
    ("subscribes to all channels", "PSUBSCRIBE *", Refused(ConnectionState)),
    ("subscribes to a shard's channel", "SSUBSCRIBE @c", Refused(ConnectionState)),
    ("ends all subscriptions", "UNSUBSCRIBE", Refused(ConnectionState)),
    ("ends all subscriptions to patterns", "PUNSUBSCRIBE", Refused(ConnectionState)),
    ("ends all subscriptions to shards", "SUNSUBSCRIBE", Refused(ConnectionState)),
    ("reads from replicas", "READONLY", Refused(ConnectionState)),
    ("asks another node", "ASKING", Refused(ConnectionState)),
    ("waits for replicas", "WAIT 1 1", Refused(Blocking)),
    ("waits for files", "WAITAOF 0 0 1", Refused(Blocking)),
    ("blocks on a foreign list", "BLPOP @l 0", Refused(Blocking)),
    ("blocks on foreign lists", "BLMPOP 0 2 @l l LEFT", Refused(Blocking)),
    ("blocks on a foreign sorted set", "BZMPOP 0 1 @z MIN", Refused(Blocking)),
    ("blocks and moves", "BLMOVE @l l LEFT LEFT 0", Refused(Blocking)),
    ("blocks on a stream", "XREAD COUNT 1 BLOCK 0 STREAMS @x $", Refused(Blocking)),
    ("blocks on a group", "XREADGROUP GROUP g c BLOCK 0 STREAMS x >", Refused(Blocking)),
];

const SERVER: &[Case] = &[
    ("lists channels", "PUBSUB CHANNELS *", Harmless),
    ("counts subscribers of a foreign channel", "PUBSUB NUMSUB @c", Harmless),
    ("moves a key to another database", "MOVE k 1", Refused(AdminCommand)),
    ("swaps databases", "SWAPDB 0 1", Refused(AdminCommand)),
    (
        "copies a foreign key to another database",
        "COPY @k k DB 1",
        Refused(tenancy_redis::Refusal::BadArguments),
    ),
    (
        "copies to another database, after REPLACE",
        "COPY k k2 REPLACE db 1",
        Refused(tenancy_redis::Refusal::BadArguments),
    ),
    ("sends keys to another server", "MIGRATE 127.0.0.1 1 '' 0 1 KEYS @k", Refused(AdminCommand)),
    ("writes a serialized value", "RESTORE @k 0 x", Refused(AdminCommand)),
    ("draws a key", "RANDOMKEY", Refused(AdminCommand)),
    ("counts all keys", "DBSIZE", Refused(AdminCommand)),
    ("reads about the server", "INFO keyspace", Refused(AdminCommand)),
    ("removes all keys", "FLUSHALL ASYNC", Refused(AdminCommand)),
    ("removes the keys of the database", "flushdb", Refused(AdminCommand)),
    ("reads the configuration", "CONFIG GET *", Refused(AdminCommand)),
    ("changes the configuration", "CONFIG SET notify-keyspace-events KEA", Refused(AdminCommand)),
    ("resets statistics", "CONFIG RESETSTAT", Refused(AdminCommand)),
    ("reads the user", "ACL WHOAMI", Refused(AdminCommand)),
    ("reads users", "ACL GETUSER default", Refused(AdminCommand)),
    ("creates a user", "ACL SETUSER x on nopass ~* +@all", Refused(AdminCommand)),
    ("tries a command as a user", "ACL DRYRUN default GET @k", Refused(AdminCommand)),
    ("reads denied commands", "ACL LOG", Refused(AdminCommand)),
    ("watches all commands", "MONITOR", Refused(AdminCommand)),
    ("reads slow commands", "SLOWLOG GET -1", Refused(AdminCommand)),
    ("reads large replies", "COMMANDLOG GET -1 large-reply", Refused(AdminCommand)),
    ("reads latencies", "LATENCY HISTOGRAM", Refused(AdminCommand)),
    ("reads about memory", "MEMORY STATS", Refused(AdminCommand)),
    ("asks for a diagnosis of memory", "MEMORY DOCTOR", Refused(AdminCommand)),
    ("releases memory", "MEMORY PURGE", Refused(AdminCommand)),
    ("reads the allocator", "MEMORY MALLOC-STATS", Refused(AdminCommand)),
    ("reads an object", "DEBUG OBJECT @k", Refused(AdminCommand)),
    ("reads a digest of all keys", "DEBUG DIGEST", Refused(AdminCommand)),
    ("crashes the server", "DEBUG SEGFAULT", Refused(AdminCommand)),
    ("reads a sketch", "PFDEBUG GETREG @hll", Refused(AdminCommand)),
    ("lists modules", "MODULE LIST", Refused(AdminCommand)),
    ("loads a module", "MODULE LOAD /tmp/x.so", Refused(AdminCommand)),
    ("follows another server", "REPLICAOF 127.0.0.1 1", Refused(AdminCommand)),
    ("follows another server, in the old form", "SLAVEOF NO ONE", Refused(AdminCommand)),
    ("reads all data as a replica", "PSYNC ? -1", Refused(AdminCommand)),
    ("reads all data as an old replica", "SYNC", Refused(AdminCommand)),
    ("configures replication", "REPLCONF listening-port 1", Refused(AdminCommand)),
    ("fails over", "FAILOVER ABORT", Refused(AdminCommand)),
    ("asks for the role", "ROLE", Refused(AdminCommand)),
    ("stops the server", "SHUTDOWN NOSAVE", Refused(AdminCommand)),
    ("writes a snapshot", "BGSAVE", Refused(AdminCommand)),
    ("asks for the last snapshot", "LASTSAVE", Refused(AdminCommand)),
    ("reads keys of a slot", "CLUSTER GETKEYSINSLOT 0 10", Refused(AdminCommand)),
    ("asks for a slot", "CLUSTER KEYSLOT @k", Refused(AdminCommand)),
    ("walks through a cluster", "CLUSTERSCAN 0", Harmless),
    ("finds hot keys", "HOTKEYS START", Refused(AdminCommand)),
    ("reads a command's keys", "COMMAND GETKEYS GET @k", Refused(AdminCommand)),
    ("lists commands", "COMMAND LIST", Refused(AdminCommand)),
    ("tests sketches", "PFSELFTEST", Refused(AdminCommand)),
    ("sets a version", "LOLWUT VERSION 5", Harmless),
    ("reads help about objects", "OBJECT HELP", Harmless),
    ("reads help about streams", "XINFO HELP", Harmless),
    ("echoes a foreign name", "ECHO @k", Is("t:0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b:k")),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_commands_about_clients() {
    run(CLIENTS);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_commands_that_change_or_block_a_shared_connection() {
    run(CONNECTION);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn refuses_commands_about_the_server() {
    run(SERVER);
}
