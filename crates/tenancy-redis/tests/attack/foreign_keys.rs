//! Full names of tenant B in each place where a command takes a key.

use crate::case::Expect::{Fails, Harmless, Is};
use crate::case::{Case, run};

const STRINGS: &[Case] = &[
    ("reads a string", "GET @k", Is("nil")),
    ("reads several strings, the foreign one first", "MGET @k k @n", Is("[nil own nil]")),
    ("reads and deletes", "GETDEL @k", Is("nil")),
    ("reads and persists", "GETEX @dated PERSIST", Is("nil")),
    ("reads what it replaces", "SET @k x GET", Is("nil")),
    ("reads what it replaces, in the old form", "GETSET @k x", Is("nil")),
    ("writes if missing", "SETNX @k x", Is("1")),
    ("writes several if all are missing", "MSETNX @k 1 @l 2", Is("1")),
    ("appends", "APPEND @k x", Is("1")),
    ("reads a range by an old name", "SUBSTR @k 0 -1", Is("")),
    ("counts up", "INCRBYFLOAT @n 1.5", Is("1.5")),
    ("reads bits", "BITFIELD_RO @k GET u8 0", Is("[0]")),
    ("combines bits with a foreign source", "BITOP OR d k @k", Is("3")),
    ("combines bits into a foreign destination", "BITOP NOT @k k", Is("3")),
    ("compares with a foreign string", "LCS k @k", Is("")),
    ("compares a foreign string with itself", "LCS @k @k IDX", Is("[matches [] len 0]")),
    ("adds to a foreign sketch", "PFMERGE @hll hll", Is("OK")),
    ("counts the union with a foreign sketch", "PFCOUNT @hll hll", Is("3")),
];

const KEYSPACE: &[Case] = &[
    ("moves an own key onto a foreign one", "RENAME k @k", Is("OK")),
    ("moves a foreign key", "RENAME @k k", Fails("ResponseError")),
    ("moves if the destination is missing", "RENAMENX k @k", Is("1")),
    ("copies a foreign key", "COPY @k k REPLACE", Is("0")),
    ("copies over a foreign key", "COPY k @k REPLACE", Is("1")),
    ("asks for the type", "TYPE @k", Is("none")),
    ("asks for the time to live", "PEXPIRETIME @dated", Is("-2")),
    ("expires at once", "EXPIREAT @k 1", Is("0")),
    ("persists", "PERSIST @dated", Is("0")),
    ("touches", "TOUCH @k @l k", Is("1")),
    ("removes several", "UNLINK @k @l k", Is("1")),
    ("counts the same foreign key twice", "EXISTS @k @k", Is("0")),
    ("serializes", "DUMP @k", Is("nil")),
    ("asks for the encoding", "OBJECT ENCODING @k", Is("nil")),
    ("asks for the idle time", "OBJECT IDLETIME @k", Is("nil")),
    ("asks for the references", "OBJECT REFCOUNT @k", Is("nil")),
    ("asks for the frequency", "OBJECT FREQ @k", Harmless),
    ("asks for the memory", "MEMORY USAGE @k SAMPLES 0", Is("nil")),
];

const COLLECTIONS: &[Case] = &[
    ("moves from a foreign list", "LMOVE @l l LEFT RIGHT", Is("nil")),
    ("moves to a foreign list", "RPOPLPUSH l @l", Is("3")),
    ("pops from the first list that has elements", "LMPOP 2 @l l LEFT", Is("[l [1]]")),
    ("finds a position", "LPOS @l 2", Is("nil")),
    ("pushes only if the list exists", "RPUSHX @l x", Is("0")),
    ("moves from a foreign set", "SMOVE @s s m2", Is("0")),
    ("moves to a foreign set", "SMOVE s @s m1", Is("1")),
    ("counts the common elements", "SINTERCARD 2 s @s LIMIT 0", Is("0")),
    ("stores a difference in a foreign set", "SDIFFSTORE @s s @h", Is("2")),
    ("stores a union with a foreign set", "SUNIONSTORE d s @s", Is("2")),
    ("draws from a foreign set", "SRANDMEMBER @s 5", Is("[]")),
    ("reads a foreign hash", "HGETALL @h", Is("[]")),
    ("draws from a foreign hash", "HRANDFIELD @h 5 WITHVALUES", Is("[]")),
    ("walks through a foreign hash", "HSCAN @h 0 MATCH *", Is("[0 []]")),
    ("walks through a foreign set", "SSCAN @s 0 COUNT 100", Is("[0 []]")),
    ("walks through a foreign sorted set", "ZSCAN @z 0", Is("[0 []]")),
    ("pops from the first sorted set that has elements", "ZMPOP 2 @z z MIN", Harmless),
    ("stores a range in a foreign sorted set", "ZRANGESTORE @z z 0 -1", Is("2")),
    ("stores a foreign range", "ZRANGESTORE d @z 0 -1", Is("0")),
    ("unites with a foreign sorted set", "ZUNION 2 @z z", Is("[m n]")),
    ("subtracts from a foreign sorted set", "ZDIFF 2 @z z", Is("[]")),
    ("counts the common members", "ZINTERCARD 2 z @z", Is("0")),
    ("stores a weighted union", "ZUNIONSTORE @z 2 z @z WEIGHTS 1 2 AGGREGATE MAX", Is("2")),
    ("reads a rank", "ZRANK @z n", Is("nil")),
    ("draws from a foreign sorted set", "ZRANDMEMBER @z 5", Is("[]")),
    ("removes a lexical range", "ZREMRANGEBYLEX @z - +", Is("0")),
];

const PLACES: &[Case] = &[
    ("stores a search in a foreign key", "GEOSEARCHSTORE @geo geo FROMLONLAT 0 0 BYRADIUS 9 km", Is("1")),
    ("stores a foreign search", "GEOSEARCHSTORE d @geo FROMLONLAT 0 0 BYRADIUS 9 km", Is("0")),
    ("stores the old search", "GEORADIUS geo 0 0 9 km STORE @geo", Is("1")),
    ("stores the old search twice", "GEORADIUS geo 0 0 9 km STORE @geo STOREDIST @z", Is("1")),
    (
        "searches around a member named STORE",
        "GEORADIUSBYMEMBER geo STORE 9 km STORE @geo",
        Fails("ResponseError"),
    ),
    ("stores the distances around a member", "GEORADIUSBYMEMBER geo here 9 km STOREDIST @geo", Is("1")),
    ("measures a distance", "GEODIST @geo canary-geo here", Is("nil")),
    ("hashes a foreign place", "GEOHASH @geo here", Is("[nil]")),
];

const STREAMS: &[Case] = &[
    ("reads a foreign stream", "XREAD STREAMS @x 0", Is("nil")),
    ("reads both", "XREAD COUNT 9 STREAMS @x x 0 9", Is("nil")),
    ("reads the last entry", "XREVRANGE @x + - COUNT 1", Is("[]")),
    ("joins a foreign group", "XREADGROUP GROUP g c STREAMS @x >", Fails("NOGROUP")),
    ("joins a foreign group beside its own", "XREADGROUP GROUP g c NOACK STREAMS x @x > >", Fails("NOGROUP")),
    ("creates a group", "XGROUP CREATE @x g2 0", Fails("ResponseError")),
    ("creates a group and the stream", "XGROUP CREATE @x g2 0 MKSTREAM", Is("OK")),
    ("removes a group", "XGROUP DESTROY @x g", Fails("ResponseError")),
    ("moves a group back", "XGROUP SETID @x g 0", Fails("ResponseError")),
    ("reads about a stream", "XINFO STREAM @x FULL", Fails("ResponseError")),
    ("reads about its groups", "XINFO GROUPS @x", Fails("ResponseError")),
    ("reads about its consumers", "XINFO CONSUMERS @x g", Fails("ResponseError")),
    ("claims entries", "XCLAIM @x g c 0 1-1 FORCE", Fails("NOGROUP")),
    ("claims all entries", "XAUTOCLAIM @x g c 0 0", Fails("NOGROUP")),
    ("reads pending entries", "XPENDING @x g", Fails("NOGROUP")),
    ("acknowledges", "XACK @x g 1-1", Is("0")),
    ("trims", "XTRIM @x MAXLEN 0", Is("0")),
    ("deletes an entry", "XDEL @x 1-1", Is("0")),
    ("raises the last id", "XSETID @x 9-9", Fails("ResponseError")),
    ("adds only if the stream exists", "XADD @x NOMKSTREAM 2-2 f v", Is("nil")),
    ("adds and trims", "XADD @x MAXLEN = 1 2-2 f v", Is("2-2")),
];

const SORTS: &[Case] = &[
    ("sorts a foreign list", "SORT @l ALPHA", Is("[]")),
    ("sorts a foreign list, read only", "SORT_RO @l ALPHA", Is("[]")),
    ("stores into a foreign list", "SORT l STORE @l", Is("3")),
    (
        "sorts by foreign weights and reads foreign values",
        "SORT l BY @w_* GET @d_* GET #",
        Is("[nil 1 nil 2 nil 3]"),
    ),
    ("reads foreign values, read only", "SORT_RO l BY @w_* GET @d_*", Is("[nil nil nil]")),
    ("reads a foreign key without a star", "SORT l BY nosort GET @k", Is("[nil nil nil]")),
    ("reads fields of foreign hashes", "SORT l BY @h->f GET @h->f", Is("[nil nil nil]")),
    ("reads fields of foreign hashes by a star", "SORT l BY nosort GET @*->f", Is("[nil nil nil]")),
    ("uses names of options as names", "SORT l BY GET GET STORE STORE STORE", Is("3")),
    ("stores twice", "SORT l STORE @l STORE @s", Is("3")),
    ("sorts by two patterns", "SORT l BY nosort BY @w_* GET #", Is("[1 2 3]")),
    ("sorts its own list by its own weights", "SORT l BY w_* GET d_*", Is("[three two one]")),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_names_of_strings_are_own_names() {
    run(STRINGS);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_names_in_keyspace_commands_are_own_names() {
    run(KEYSPACE);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_names_of_collections_are_own_names() {
    run(COLLECTIONS);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_names_of_places_are_own_names() {
    run(PLACES);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_names_of_streams_are_own_names() {
    run(STREAMS);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_names_in_sorts_are_own_names() {
    run(SORTS);
}
