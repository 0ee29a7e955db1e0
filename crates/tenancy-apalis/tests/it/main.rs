//! Tasks on real workers.

mod worker;
