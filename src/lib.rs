//! `tenancy` stores which tenant the running code works for.
//!
//! A *tenant* is one isolated customer of a program that serves many. A [`TenantId`] identifies it. The
//! *current tenant* is stored in [`TenantContext`], and functions that use a tenant's data read it from
//! there. If no tenant is set, they return an error. The context belongs to the thread, task, core or
//! interrupt handler that set it; no other one sees it.
//!
//! The crate is `no_std` and does not use an allocator. The same types work on a server and on a
//! microcontroller. Crates for HTTP, Redis, Postgres and SQLite build on it; see [Related
//! crates](#related-crates).
//!
//! # Example
//!
//! ```
//! use tenancy::{TenantContext, TenantContextNotSetError, TenantId, tenant_id};
//!
//! // No parameter names the tenant, and no call site can pass the wrong one.
//! fn greeting() -> Result<String, TenantContextNotSetError> {
//!     let tenant = TenantContext::get()?;
//!     Ok(format!("hello, {tenant}"))
//! }
//!
//! const ACME: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
//!
//! assert_eq!(greeting(), Err(TenantContextNotSetError));
//!
//! let text = TenantContext::scope(ACME, greeting)?;
//! assert_eq!(text, "hello, 550e8400-e29b-41d4-a716-446655440000");
//!
//! // The scope has ended: the context is unset again.
//! assert!(!TenantContext::is_set());
//! # Ok::<(), TenantContextNotSetError>(())
//! ```
//!
//! On a host, enable the feature `std`, or `tokio` for programs that use tokio:
//!
//! ```toml
//! [dependencies]
//! tenancy = { version = "0.1", features = ["tokio"] }
//! ```
//!
//! # Types by task
//!
//! | task | types |
//! | --- | --- |
//! | parse, store and print a tenant's id | [`TenantId`], [`tenant_id!`] |
//! | set and read the current tenant | [`TenantContext`], [`TenantGuard`] |
//! | run a future in a tenant | [`TenantFutureExt`], [`InTenant`] |
//! | run a stream in a tenant | [`TenantStreamExt`], [`InTenantStream`], feature `stream` |
//! | find the one tenant that a request names | [`TenantClaims`], [`TENANT_HEADER`] |
//! | look up whether a tenant exists | [`Directory`] |
//! | store which tenants exist, in fixed memory | [`FixedDirectory`], [`TenantRecord`], [`TenantSlug`], [`TenantStatus`] |
//! | limit a tenant's rate and memory | [`TenantLimiter`], [`Quota`], [`TenantMap`] |
//! | prefix keys and MQTT topics with the tenant | [`TenantKey`], [`TenantTopic`], [`TenantPrefix`] |
//! | give a core or an RTOS task its own context | [`TenantCell`], feature `custom-cell` |
//!
//! # On a server
//!
//! With the feature `tokio` a context belongs to its tokio task. A future carries its tenant across every
//! `.await`, on any executor:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tenancy::TenantError> {
//! use tenancy::{TenantContext, TenantContextNotSetError, TenantFutureExt, TenantId};
//!
//! async fn handle() -> Result<TenantId, TenantContextNotSetError> {
//!     // Other tasks run here. They see their own tenants.
//!     tokio::task::yield_now().await;
//!     TenantContext::get()
//! }
//!
//! let tenant = TenantId::parse("550e8400-e29b-41d4-a716-446655440000")?;
//! assert_eq!(handle().in_tenant(tenant).await, Ok(tenant));
//! # Ok(())
//! # }
//! ```
//!
//! A new task, a new thread and a blocking pool start without a tenant. Pass the tenant on explicitly:
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use tenancy::{TenantContext, TenantFutureExt, TenantId};
//!
//! async {
//!     let spawned = tokio::spawn(async { TenantContext::get_optional() });
//!     assert_eq!(spawned.await.unwrap(), None);
//!
//!     let spawned = tokio::spawn(async { TenantContext::get_optional() }.in_current_tenant());
//!     assert_eq!(spawned.await.unwrap(), Some(TenantId::PLATFORM));
//!
//!     let blocking = tokio::task::spawn_blocking(TenantContext::bind(TenantContext::get_optional));
//!     assert_eq!(blocking.await.unwrap(), Some(TenantId::PLATFORM));
//! }
//! .in_tenant(TenantId::PLATFORM)
//! .await;
//! # }
//! ```
//!
//! [`in_own_context`](TenantFutureExt::in_own_context) starts a future without a tenant, whatever the
//! caller's tenant is.
//!
//! # On a device
//!
//! On bare metal the context is one static cell of 20 bytes. The program chooses an implementation of the
//! `critical-section` crate; this crate never enables one.
//!
//! ```
//! use tenancy::{TenantContext, TenantError, TenantId};
//!
//! fn on_message(owner: &[u8]) -> Result<(), TenantError> {
//!     // Accepts any bytes. Does not allocate or panic.
//!     let tenant = TenantId::parse_ascii(owner)?;
//!     // An interrupt handler that runs during `record` sees no tenant.
//!     TenantContext::scope(tenant, record)
//! }
//!
//! fn record() -> Result<(), TenantError> {
//!     let _tenant = TenantContext::get()?;
//!     Ok(())
//! }
//!
//! assert!(on_message(b"550e8400-e29b-41d4-a716-446655440000").is_ok());
//! assert!(on_message(b"not an id").is_err());
//! ```
//!
//! A directory of tenants and their limits also use fixed memory:
//!
//! ```
//! use core::{num::NonZeroU32, time::Duration};
//! use tenancy::{FixedDirectory, Quota, TenantClaims, TenantLimiter, TenantMap};
//! use tenancy::{TenantRecord, TenantSlug, TenantStatus, tenant_id};
//!
//! let acme = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
//! let mut directory = FixedDirectory::<16>::new();
//! directory.insert(TenantRecord::new(acme, TenantSlug::parse("acme").unwrap(), TenantStatus::Active)).unwrap();
//! let mut limiter = TenantLimiter::<16>::new(Quota::per_second(NonZeroU32::MIN));
//! // At most 64 sessions in total and 4 for each tenant.
//! let mut sessions = TenantMap::<u32, 64>::with_limit(4);
//!
//! // The values of a request's `X-Tenant-ID` header. A duplicate or malformed header is an error.
//! let mut claims = TenantClaims::new();
//! claims.header([&b"550e8400-e29b-41d4-a716-446655440000"[..]])?;
//! let tenant = claims.resolve()?;
//!
//! assert!(directory.verify(tenant).is_ok());
//! let now = Duration::from_secs(1);
//! assert!(limiter.take(tenant, now).is_ok());
//! assert!(limiter.take(tenant, now).is_err());
//! assert!(sessions.insert(tenant, 1).is_ok());
//! # Ok::<(), tenancy::ResolveTenantError>(())
//! ```
//!
//! # Errors
//!
//! Each failure has a type of its own. [`TenantError`] combines the first six types of this table. No error
//! repeats the text that caused it, because that text can come from an attacker.
//!
//! | error | cause |
//! | --- | --- |
//! | [`InvalidTenantIdError`] | the text or the bytes are not a valid tenant id |
//! | [`TenantContextNotSetError`] | no tenant is set, or another owner set it |
//! | [`TenantMismatchError`] | the data belongs to another tenant than the current one |
//! | [`TenantNotFoundError`] | the tenant does not exist |
//! | [`UnauthorizedTenantAccessError`] | the caller may not act for the tenant |
//! | [`TenantValidationError`] | the tenant exists but is suspended or deleted |
//! | [`ResolveTenantError`] | a request names no tenant, two tenants, or an invalid one |
//! | [`TenantKeyError`] | a key does not fit, or has no prefix or another tenant's |
//! | [`RateLimitedError`], [`TenantMapFullError`] | the tenant's rate, its share of a map, or the whole map is used up |
//!
//! # Owner of a context
//!
//! | platform | owner of a context |
//! | --- | --- |
//! | host, feature `std` | the thread |
//! | host, feature `tokio` | the tokio task; outside of tasks, the thread |
//! | Arm M-profile | the main program or the interrupt handler, identified by the exception number |
//! | RISC-V and other bare metal | the program; run each handler's body in [`TenantContext::interrupt`] |
//! | several cores, RTOS tasks | the core or the task, with the feature `custom-cell` |
//!
//! [`TenantContext::scope`] restores the previous state when its closure returns or panics. The guard of
//! [`TenantContext::enter`] does the same if guards are dropped in reverse order. A guard that is dropped in
//! another order clears the context.
//!
//! # Platform notes
//!
//! - **Hosts** need the feature `std` or `tokio` for [`TenantContext`], [`TenantCell`] and [`TenantFutureExt`]. Without
//!   them these types do not exist, and the rest of the crate compiles.
//! - **tokio**: a bare [`set`](TenantContext::set) belongs to the task on the current worker thread. After the
//!   task moves to another worker the context reads as unset. Use
//!   [`in_tenant`](TenantFutureExt::in_tenant) instead.
//! - **Other executors** with `std` alone: a bare `set` belongs to the thread, so the next task on that thread
//!   sees it. Wrap each task in [`in_tenant`](TenantFutureExt::in_tenant) or
//!   [`in_own_context`](TenantFutureExt::in_own_context).
//! - **Interrupt handlers** cannot use a bare `set`: the next run of the handler could read it. A debug build
//!   panics and a release build sets nothing. Use [`scope`](TenantContext::scope).
//! - **Several cores** that share one [`TenantCell`] see each other's tenant. Enable `custom-cell` and give
//!   each core a cell.
//! - **Thread pools** run jobs on the stack of a thread that waits, possibly inside of a scope. Use
//!   [`bind`](TenantContext::bind) for each job.
//! - **Coroutines with a stack of their own** see the context of the thread that resumes them. Resume each of them
//!   in a [`scope`](TenantContext::scope), and never suspend one inside of a scope.
//! - **Signal handlers** see the context of the code that they interrupt. Use
//!   [`without`](TenantContext::without).
//!
//! The guide `docs/context.md` in the repository has a tested example of each of these.
//!
//! # What it does not protect against
//!
//! - Malicious code in the same address space. It can call [`TenantContext::set`].
//! - A tenant that the caller may not act for. The context records a decision; it does not make it. Authorize
//!   the caller before you set the tenant.
//! - Code that uses a database or cache connection directly and ignores the context.
//! - Timing: ids are not compared in constant time, because an id is not a secret.
//!
//! # Features
//!
//! All features are off by default.
//!
#![cfg_attr(feature = "document-features", doc = document_features::document_features!())]
//!
//! # Related crates
//!
//! | crate | purpose |
//! | --- | --- |
//! | `tenancy-tower` | HTTP middleware for axum, tonic and hyper: finds, authorizes and verifies the tenant |
//! | `tenancy-directory` | a cache of directory lookups |
//! | `tenancy-redis` | a Redis connection whose commands are limited to the current tenant's keys |
//! | `tenancy-postgres` | a Postgres connection that returns only the current tenant's rows, also for raw SQL |
//! | `tenancy-sqlite` | one SQLite file for each tenant |
//! | `tenancy-token` | signed tokens that carry a tenant to other processes and devices |
//! | `tenancy-agents` | a registry of each tenant's AI agents |
//! | `tenancy-testkit` | real servers and fixtures for tests of multi-tenant programs |
//!
//! # Minimum supported Rust version
//!
//! The `rust-version` in the crate's `Cargo.toml` is the oldest compiler that builds it, and the project's
//! checks build it with that version. A new minimum is a minor release, not a patch.
#![cfg_attr(docsrs, feature(doc_cfg), doc(auto_cfg(hide(docsrs))))]
#![no_std]

#[cfg(feature = "std")]
extern crate std;

#[cfg(any(feature = "std", target_os = "none"))]
mod context;
mod directory;
mod error;
mod id;
mod key;
mod quota;
mod resolve;
mod table;

#[cfg(feature = "serde")]
pub mod serde;

#[cfg(any(feature = "std", target_os = "none"))]
pub use context::{InTenant, TenantCell, TenantCellGuard, TenantContext, TenantFutureExt, TenantGuard};
#[cfg(all(feature = "stream", any(feature = "std", target_os = "none")))]
pub use context::{InTenantStream, TenantStreamExt};
pub use directory::{
    Directory, FixedDirectory, InvalidTenantSlugError, TenantRecord, TenantSlug, TenantStatus,
};
pub use error::{
    InvalidTenantIdError, InvalidTenantIdKind, SetTenantContextError, TenantContextNotSetError, TenantError,
    TenantMismatchError, TenantNotFoundError, TenantValidationError, TenantValidationKind,
    UnauthorizedTenantAccessError,
};
pub use id::TenantId;
pub use key::{TenantKey, TenantKeyError, TenantPrefix, TenantTopic};
pub use quota::{Quota, RateLimitedError, TenantLimiter, TenantMap, TenantMapFullError, TenantMapFullKind};
pub use resolve::{ResolveTenantError, TENANT_HEADER, TenantClaims};

/// Compiles the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Compiles and runs the examples of the guide to contexts.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../docs/context.md")]
struct ContextGuide;
