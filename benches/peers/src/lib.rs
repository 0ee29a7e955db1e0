//! The core's benchmarks are in `benches/core.rs`. This library is empty: cargo wants one beside a benchmark.
