//! The store in SQLite files, and names across files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentError, AgentName, AgentRegistry, AgentStatus, Approval, Filter, Query,
    RandomIds, SqliteStore, SystemClock, Visibility,
};
use tenancy_sqlite::TenantFiles;

use crate::support::files::config;
use crate::support::{A, B, P};

type Registry = AgentRegistry<SqliteStore, SystemClock, RandomIds>;

fn open(folder: &Path) -> Registry {
    let files = TenantFiles::open(config(folder)).expect("a folder");
    AgentRegistry::new(SqliteStore::new(files), SystemClock, RandomIds)
}

fn file(folder: &Path, tenant: TenantId) -> PathBuf {
    folder.join(format!("{tenant}.sqlite"))
}

async fn register(registry: &Registry, tenant: TenantId, name: &str) -> Result<Agent, AgentError> {
    let name = AgentName::parse(name).expect("a name");
    let registered = registry.register(name, AgentContent::default()).in_tenant(tenant).await;
    registered.map(|registered| registered.agent)
}

async fn names(registry: &Registry, tenant: TenantId) -> Result<Vec<String>, AgentError> {
    let mut names = Vec::new();
    let query = Query::first(Filter::default(), 100);
    registry.list(&query, |agent| names.push(agent.name.to_string())).in_tenant(tenant).await?;
    Ok(names)
}

#[tokio::test]
async fn agents_survive_a_restart_and_reading_creates_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = open(folder.path());
    assert_eq!(names(&registry, B).await.expect("none"), [""; 0]);
    let agent = register(&registry, A, "one").await.expect("its own");
    drop(registry);
    let registry = open(folder.path());
    assert_eq!(registry.get(agent.id).in_tenant(A).await.expect("it is there"), agent);
    assert!(file(folder.path(), A).exists() && !file(folder.path(), B).exists());
}

/// Each row names its tenant, in addition to the mark of the file.
#[tokio::test]
async fn a_row_of_another_tenant_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TenantFiles::open(config(folder.path())).expect("a folder");
    let registry = AgentRegistry::new(SqliteStore::new(files.clone()), SystemClock, RandomIds);
    let agent = register(&registry, A, "secret-plan").await.expect("its own");
    let spoil = || files.write(|tx| tx.execute("UPDATE agents SET tenant = ?1", [B.as_bytes()]));
    tenancy::TenantContext::scope(A, spoil).expect("an update");
    for error in [
        registry.get(agent.id).in_tenant(A).await.expect_err("it says that it is B's"),
        names(&registry, A).await.expect_err("it says that it is B's"),
    ] {
        assert!(matches!(error, AgentError::Store(_)), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn only_the_oldest_tombstone_of_the_tenant_makes_room() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TenantFiles::open(config(folder.path())).expect("a folder");
    let registry = AgentRegistry::new(SqliteStore::new(files).quota(2), SystemClock, RandomIds);
    let one = register(&registry, A, "one").await.expect("room");
    register(&registry, A, "two").await.expect("room");
    let error = register(&registry, A, "three").await.expect_err("its quota");
    assert!(matches!(error, AgentError::Quota { limit: 2 }), "{error}");
    register(&registry, B, "one").await.expect("room of its own");
    registry.deregister(one.id).in_tenant(A).await.expect("its own");
    register(&registry, A, "three").await.expect("in the place of the tombstone");
    let gone = registry.get(one.id).in_tenant(A).await;
    assert!(matches!(gone, Err(AgentError::NotFound)), "{gone:?}");
    assert_eq!(names(&registry, A).await.expect("its own"), ["two", "three"]);
}

#[tokio::test]
async fn a_file_renamed_to_another_tenant_shows_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = open(folder.path());
    let agent = register(&registry, A, "secret-plan").await.expect("its own");
    drop(registry);
    fs::rename(file(folder.path(), A), file(folder.path(), B)).expect("an operator's mistake");
    let registry = open(folder.path());
    for error in [
        registry.get(agent.id).in_tenant(B).await.expect_err("it is A's"),
        registry.get_by_name(&agent.name).in_tenant(B).await.expect_err("it is A's"),
        names(&registry, B).await.expect_err("it is A's"),
    ] {
        assert!(matches!(error, AgentError::Store(_)), "{error:?}");
        let said = format!("{error} {error:?}");
        assert!(!said.contains("secret") && !said.contains("550e8400"), "{said}");
    }
}

#[tokio::test]
async fn a_damaged_file_affects_only_its_tenant() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = open(folder.path());
    register(&registry, A, "one").await.expect("its own");
    register(&registry, B, "two").await.expect("its own");
    drop(registry);
    fs::write(file(folder.path(), A), "no database, but 4096 bytes".repeat(200)).expect("damage");
    let registry = open(folder.path());
    let error = names(&registry, A).await.expect_err("it is damaged");
    assert!(matches!(error, AgentError::Store(_)) && error.to_string().contains("damaged"), "{error}");
    assert_eq!(names(&registry, B).await.expect("its own"), ["two"]);
}

/// In each round a tenant registers a name while the platform shares an agent of that name.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_sharing_and_registration_never_both_get_a_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = Arc::new(open(folder.path()));
    let (mut shared, mut taken) = (0, 0);
    for round in 0..40 {
        let name = AgentName::parse(&format!("name-{round}")).expect("a name");
        let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
        let agent = registry.register(name, content).in_tenant(P).await.expect("the platform's").agent;
        let approval = async { Approval::grant(P, agent.id) }.in_tenant(P).await.expect("the platform's");
        registry.submit(agent.id).in_tenant(P).await.expect("a draft");
        let (platform, id) = (Arc::clone(&registry), agent.id);
        let approve = tokio::spawn(async move { platform.approve(id, &approval).await }.in_tenant(P));
        let (tenant, name) = (Arc::clone(&registry), format!("name-{round}"));
        let register = tokio::spawn(async move { register(&tenant, A, &name).await });
        let (approved, registered) = (approve.await.expect("no panic"), register.await.expect("no panic"));
        match (approved, registered) {
            (Ok(agent), Err(AgentError::NameShared)) => {
                assert_eq!(agent.status, AgentStatus::Active);
                shared += 1;
            }
            (Err(AgentError::NameHeld(_)), Ok(_)) => taken += 1,
            both => panic!("{both:?}"),
        }
    }
    assert_eq!(shared + taken, 40);
}

#[tokio::test]
async fn tombstones_make_no_room_above_a_lowered_quota() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = TenantFiles::open(config(folder.path())).expect("a folder");
    let registry = AgentRegistry::new(SqliteStore::new(files.clone()), SystemClock, RandomIds);
    for name in ["one", "two", "three", "four", "five"] {
        register(&registry, A, name).await.expect("there is no quota");
    }
    for name in ["one", "two"] {
        let agent = registry.get_by_name(&AgentName::parse(name).expect("a name")).in_tenant(A).await;
        registry.deregister(agent.expect("it is there").id).in_tenant(A).await.expect("its own");
    }
    let lowered =
        |quota| AgentRegistry::new(SqliteStore::new(files.clone()).quota(quota), SystemClock, RandomIds);
    let error = register(&lowered(3), A, "six").await.expect_err("three are living");
    assert!(matches!(error, AgentError::Quota { limit: 3 }), "{error}");
    let deleted = Filter { status: Some(AgentStatus::Deleted), ..Filter::default() };
    let tombstones = registry.count(&deleted).in_tenant(A).await.expect("a count");
    assert_eq!(tombstones, 2, "none is forgotten in vain");
    register(&lowered(4), A, "six").await.expect("in the place of both");
    assert_eq!(registry.count(&deleted).in_tenant(A).await.expect("a count"), 0);
}

#[tokio::test]
async fn tombstones_make_room_in_a_full_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = config(folder.path()).max_bytes(std::num::NonZero::new(192 * 1024).expect("some"));
    let files = TenantFiles::open(config).expect("a folder");
    let registry = AgentRegistry::new(SqliteStore::new(files), SystemClock, RandomIds);
    let mut kept = 0;
    // Many times more than the file can hold.
    for round in 0..2000 {
        let agent = register(&registry, A, "again").await.expect("tombstones make room");
        registry.deregister(agent.id).in_tenant(A).await.expect("its own");
        if round < 5 {
            register(&registry, A, &format!("kept-{round}")).await.expect("room");
            kept += 1;
        }
    }
    assert_eq!(names(&registry, A).await.expect("its own").len(), kept);
    let full = async {
        for number in 0..10_000 {
            register(&registry, A, &format!("agent-{number}")).await?;
        }
        Ok::<_, AgentError>(())
    };
    let error = full.await.expect_err("it is full of what is living");
    assert!(matches!(error, AgentError::Full), "{error}");
}

/// Only the platform can resolve the problem, so only the platform learns the tenant.
#[tokio::test]
async fn a_locked_file_is_named_to_the_platform() {
    let folder = tempfile::tempdir().expect("a folder");
    let registry = open(folder.path());
    register(&registry, A, "one").await.expect("its own");
    drop(registry);
    let other = rusqlite::Connection::open(file(folder.path(), A)).expect("a file");
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").expect("a lock");
    let config = config(folder.path()).busy_timeout(Duration::from_millis(20));
    let files = TenantFiles::open(config).expect("a folder");
    let registry = AgentRegistry::new(SqliteStore::new(files), SystemClock, RandomIds);
    let name = AgentName::parse("all").expect("a name");
    let content = AgentContent { visibility: Visibility::Shared, ..AgentContent::default() };
    let agent = registry.register(name, content).in_tenant(P).await.expect("the platform's").agent;
    registry.submit(agent.id).in_tenant(P).await.expect("a draft");
    let approval = async { Approval::grant(P, agent.id) }.in_tenant(P).await.expect("the platform's");
    let error = registry.approve(agent.id, &approval).in_tenant(P).await.expect_err("nobody knows");
    let AgentError::Unavailable(Some(cause)) = &error else { panic!("{error:?}") };
    assert!(cause.to_string().contains(&A.to_string()), "{cause}");
    other.execute_batch("COMMIT").expect("it ends");
    drop(other);
    registry.approve(agent.id, &approval).in_tenant(P).await.expect("nobody has the name");
}
