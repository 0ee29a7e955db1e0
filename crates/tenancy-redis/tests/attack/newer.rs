//! Commands that only some servers have: hash fields, vectors, conditional writes, and modules.

use tenancy_redis::Refusal::{AdminCommand, BadArguments};

use crate::case::Expect::{Fails, Harmless, Is, Refused};
use crate::case::{Case, run};

const FIELDS: &[Case] = &[
    ("expires a field", "HEXPIRE @h 100 FIELDS 1 f", Is("[-2]")),
    ("expires a field at once", "HPEXPIREAT @h 1 FIELDS 1 f", Is("[-2]")),
    ("asks for a field's expiry", "HPEXPIRETIME @h FIELDS 1 f", Is("[-2]")),
    ("persists a field", "HPERSIST @h FIELDS 1 f", Is("[-2]")),
    ("reads a field and expires it", "HGETEX @h EX 1 FIELDS 1 f", Is("[nil]")),
    ("writes a field with an expiry", "HSETEX @h EX 100 FIELDS 1 f x", Is("1")),
    ("reads a field and deletes it", "HGETDEL @h FIELDS 1 f", Is("[nil]")),
    ("reads its own field", "HGETEX h PERSIST FIELDS 1 f", Is("[v]")),
];

const CONDITIONAL: &[Case] = &[
    ("writes several with an expiry", "MSETEX 2 @k 1 @l 2 EX 10", Is("1")),
    ("writes several, with a count that is too small", "MSETEX 1 k x @k x", Harmless),
    ("writes several, with a count that is too large", "MSETEX 2 k x", Refused(BadArguments)),
    ("deletes if equal", "DELIFEQ @k guess", Is("0")),
    ("deletes on a condition", "DELEX @k IFEQ guess", Is("0")),
    ("reads a digest", "DIGEST @k", Is("nil")),
    ("counts up with a limit", "INCREX @n BYINT 5", Harmless),
    ("deletes entries with their references", "XDELEX @x DELREF IDS 1 1-1", Is("[-1]")),
    ("acknowledges and deletes", "XACKDEL @x g KEEPREF IDS 1 1-1", Is("[-1]")),
    ("reads a rank and its score", "ZRANK @z n WITHSCORE", Harmless),
    ("compares with a value", "SET @k x IFEQ guess", Harmless),
];

const VECTORS: &[Case] = &[
    ("adds to a foreign set of vectors", "VADD @v VALUES 2 1 1 e", Is("1")),
    ("searches a foreign set", "VSIM @v VALUES 2 1 1", Is("[]")),
    ("searches by an element", "VSIM @v ELE e WITHSCORES", Harmless),
    ("reads a vector", "VEMB @v e RAW", Is("nil")),
    ("reads about a set", "VINFO @v", Is("nil")),
    ("reads neighbours", "VLINKS @v e", Is("nil")),
    ("draws elements", "VRANDMEMBER @v 3", Is("[]")),
    ("reads attributes", "VGETATTR @v e", Is("nil")),
    ("removes an element", "VREM @v e", Is("0")),
    ("counts elements", "VCARD @v", Is("0")),
    ("reads a range", "VRANGE @v - +", Harmless),
];

const MODULES: &[Case] = &[
    ("reads JSON", "JSON.GET @j $", Fails("ResponseError")),
    ("reads several JSON values", "JSON.MGET @j j $", Fails("ResponseError")),
    ("writes several JSON values", "JSON.MSET @j $ 1 j $ 2", Fails("ResponseError")),
    ("reads the memory of JSON", "JSON.DEBUG MEMORY @j", Refused(AdminCommand)),
    ("adds to a filter", "BF.ADD @b x", Fails("ResponseError")),
    ("merges sketches", "CMS.MERGE @c 2 @c c WEIGHTS 1 2", Fails("ResponseError")),
    ("merges sketches with a false count", "CMS.MERGE @c 3 @c c", Refused(BadArguments)),
    ("merges digests", "TDIGEST.MERGE @t 1 @t", Fails("ResponseError")),
    ("adds to several series", "TS.MADD @t * 1 t * 2", Fails("ResponseError")),
    ("adds to series with a missing value", "TS.MADD @t * 1 t *", Refused(BadArguments)),
    ("derives a series", "TS.CREATERULE @t t AGGREGATION avg 10", Fails("ResponseError")),
    ("reads all series with a label", "TS.MRANGE - + FILTER tenant=b", Refused(AdminCommand)),
    ("reads the last values with a label", "TS.MGET FILTER tenant=b", Refused(AdminCommand)),
    ("lists series", "TS.QUERYINDEX tenant=b", Refused(AdminCommand)),
    ("searches an index", "FT.SEARCH idx *", Refused(AdminCommand)),
    ("creates an index of all keys", "FT.CREATE idx PREFIX 1 t: SCHEMA f TEXT", Refused(AdminCommand)),
    ("aggregates", "FT.AGGREGATE idx * LOAD 1 @f", Refused(AdminCommand)),
    ("reads suggestions", "FT.SUGGET @k c", Refused(AdminCommand)),
    ("lists indexes", "FT._LIST", Refused(AdminCommand)),
];

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_hashes_stay_out_of_reach_of_field_commands() {
    run(FIELDS);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_keys_stay_out_of_reach_of_conditional_commands() {
    run(CONDITIONAL);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn foreign_vectors_stay_out_of_reach() {
    run(VECTORS);
}

#[test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
fn module_commands_are_confined_or_refused() {
    run(MODULES);
}
