//! Empty: the benchmark is the package.
