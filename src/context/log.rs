//! What a context tells of itself, at debug: under `defmt` on bare metal, under `tracing` on hosts.

#[cfg(all(feature = "defmt", target_os = "none"))]
#[path = "log/defmt.rs"]
mod sink;
#[cfg(all(feature = "tracing", not(target_os = "none")))]
#[path = "log/tracing.rs"]
mod sink;
#[cfg(not(any(
    all(feature = "defmt", target_os = "none"),
    all(feature = "tracing", not(target_os = "none"))
)))]
#[path = "log/none.rs"]
mod sink;

pub(super) use sink::{cleared, refused, set};
