//! Peers of the core, in one table: see `benches/table.rs`.
