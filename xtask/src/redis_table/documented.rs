//! Commands that none of the servers has: of newer versions, and of modules. Their keys are known by the documentation of
//! Redis, <https://redis.io/docs/latest/commands/>.

/// A command of the documentation.
pub(super) struct Documented {
    pub(super) name: &'static str,
    /// The number of arguments with the name, or below zero, the smallest number that has all keys.
    arity: i8,
    rule: &'static str,
    /// Whether the command can create a key without a time to live.
    creates: bool,
}

impl Documented {
    pub(super) fn render(&self) -> String {
        let made = if self.creates { "documented_creating" } else { "documented" };
        format!("Command::{made}({:?}, {}, {})", self.name, self.arity, self.rule)
    }
}

const fn of(name: &'static str, arity: i8, rule: &'static str) -> Documented {
    Documented { name, arity, rule, creates: false }
}

const fn creating(name: &'static str, arity: i8, rule: &'static str) -> Documented {
    Documented { creates: true, ..of(name, arity, rule) }
}

const FIRST: &str = "Rule::First";
const TWO: &str = "Rule::Keys(&[Span::Range { first: 1, last: 1, step: 1 }])";
/// A key and two values, as often as the command likes.
const TRIPLES: &str = "Rule::Keys(&[Span::Range { first: 1, last: -1, step: 3 }])";
const MERGE: &str = "Rule::Keys(&[Span::Range { first: 1, last: 0, step: 1 }, Span::Counted { count: 2, first: 3, step: 1 }])";
/// An index of `FT` spans the keys of all tenants, and so do the queries of `TS` by labels.
const ADMIN: &str = "Rule::Refuse(Refusal::AdminCommand)";

/// The commands, sorted by name.
#[rustfmt::skip]
pub(super) const COMMANDS: &[Documented] = &[
    creating("bf.add", -2, FIRST),
    of("bf.card", -2, FIRST),
    of("bf.debug", -1, ADMIN),
    of("bf.exists", -2, FIRST),
    of("bf.info", -2, FIRST),
    creating("bf.insert", -2, FIRST),
    creating("bf.loadchunk", -2, FIRST),
    creating("bf.madd", -2, FIRST),
    of("bf.mexists", -2, FIRST),
    creating("bf.reserve", -2, FIRST),
    of("bf.scandump", -2, FIRST),
    creating("cf.add", -2, FIRST),
    creating("cf.addnx", -2, FIRST),
    of("cf.compact", -2, FIRST),
    of("cf.count", -2, FIRST),
    of("cf.debug", -1, ADMIN),
    of("cf.del", -2, FIRST),
    of("cf.exists", -2, FIRST),
    of("cf.info", -2, FIRST),
    creating("cf.insert", -2, FIRST),
    creating("cf.insertnx", -2, FIRST),
    creating("cf.loadchunk", -2, FIRST),
    of("cf.mexists", -2, FIRST),
    creating("cf.reserve", -2, FIRST),
    of("cf.scandump", -2, FIRST),
    of("cms.incrby", -2, FIRST),
    of("cms.info", -2, FIRST),
    creating("cms.initbydim", -2, FIRST),
    creating("cms.initbyprob", -2, FIRST),
    of("cms.merge", -4, MERGE),
    of("cms.query", -2, FIRST),
    of("delex", -2, FIRST),
    of("digest", 2, FIRST),
    of("ft._list", -1, ADMIN),
    of("ft.aggregate", -1, ADMIN),
    of("ft.aliasadd", -1, ADMIN),
    of("ft.aliasdel", -1, ADMIN),
    of("ft.aliasupdate", -1, ADMIN),
    of("ft.alter", -1, ADMIN),
    of("ft.config", -1, ADMIN),
    of("ft.create", -1, ADMIN),
    of("ft.cursor", -1, ADMIN),
    of("ft.dictadd", -1, ADMIN),
    of("ft.dictdel", -1, ADMIN),
    of("ft.dictdump", -1, ADMIN),
    of("ft.dropindex", -1, ADMIN),
    of("ft.explain", -1, ADMIN),
    of("ft.explaincli", -1, ADMIN),
    of("ft.hybrid", -1, ADMIN),
    of("ft.info", -1, ADMIN),
    of("ft.profile", -1, ADMIN),
    of("ft.search", -1, ADMIN),
    of("ft.spellcheck", -1, ADMIN),
    of("ft.sugadd", -1, ADMIN),
    of("ft.sugdel", -1, ADMIN),
    of("ft.sugget", -1, ADMIN),
    of("ft.suglen", -1, ADMIN),
    of("ft.syndump", -1, ADMIN),
    of("ft.synupdate", -1, ADMIN),
    of("ft.tagvals", -1, ADMIN),
    of("hotkeys", -1, ADMIN),
    creating("increx", -2, FIRST),
    of("json.arrappend", -2, FIRST),
    of("json.arrindex", -2, FIRST),
    of("json.arrinsert", -2, FIRST),
    of("json.arrlen", -2, FIRST),
    of("json.arrpop", -2, FIRST),
    of("json.arrtrim", -2, FIRST),
    of("json.clear", -2, FIRST),
    of("json.debug", -2, ADMIN),
    of("json.del", -2, FIRST),
    of("json.forget", -2, FIRST),
    of("json.get", -2, FIRST),
    creating("json.merge", -2, FIRST),
    of("json.mget", -3, "Rule::Keys(&[Span::Range { first: 1, last: -2, step: 1 }])"),
    creating("json.mset", -4, TRIPLES),
    of("json.numincrby", -2, FIRST),
    of("json.nummultby", -2, FIRST),
    of("json.objkeys", -2, FIRST),
    of("json.objlen", -2, FIRST),
    of("json.resp", -2, FIRST),
    creating("json.set", -2, FIRST),
    of("json.strappend", -2, FIRST),
    of("json.strlen", -2, FIRST),
    of("json.toggle", -2, FIRST),
    of("json.type", -2, FIRST),
    of("tdigest.add", -2, FIRST),
    of("tdigest.byrank", -2, FIRST),
    of("tdigest.byrevrank", -2, FIRST),
    of("tdigest.cdf", -2, FIRST),
    creating("tdigest.create", -2, FIRST),
    of("tdigest.info", -2, FIRST),
    of("tdigest.max", -2, FIRST),
    creating("tdigest.merge", -4, MERGE),
    of("tdigest.min", -2, FIRST),
    of("tdigest.quantile", -2, FIRST),
    of("tdigest.rank", -2, FIRST),
    of("tdigest.reset", -2, FIRST),
    of("tdigest.revrank", -2, FIRST),
    of("tdigest.trimmed_mean", -2, FIRST),
    of("topk.add", -2, FIRST),
    of("topk.count", -2, FIRST),
    of("topk.incrby", -2, FIRST),
    of("topk.info", -2, FIRST),
    of("topk.list", -2, FIRST),
    of("topk.query", -2, FIRST),
    creating("topk.reserve", -2, FIRST),
    creating("ts.add", -2, FIRST),
    of("ts.alter", -2, FIRST),
    creating("ts.create", -2, FIRST),
    of("ts.createrule", -6, TWO),
    creating("ts.decrby", -2, FIRST),
    of("ts.del", -2, FIRST),
    of("ts.deleterule", 3, TWO),
    of("ts.get", -2, FIRST),
    creating("ts.incrby", -2, FIRST),
    of("ts.info", -2, FIRST),
    of("ts.madd", -4, TRIPLES),
    of("ts.mget", -1, ADMIN),
    of("ts.mrange", -1, ADMIN),
    of("ts.mrevrange", -1, ADMIN),
    of("ts.queryindex", -1, ADMIN),
    of("ts.range", -2, FIRST),
    of("ts.revrange", -2, FIRST),
    of("xcfgset", -2, FIRST),
    of("xnack", -2, FIRST),
];
