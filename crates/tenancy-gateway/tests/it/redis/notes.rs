//! The cache of notes is separate for each tenant and each store.

use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use redis::aio::ConnectionLike;
use redis::{Cmd, Pipeline, RedisFuture, Value};
use tenancy::{TenantContext, TenantFutureExt, TenantId, tenant_id};
use tenancy_gateway::agents::{self, AgentStore};
use tenancy_gateway::middleware::Middleware;
use tenancy_gateway::middleware::limit::RateLimit;
use tenancy_gateway::notes::{CachedNotes, MemoryNotes, Note, Notes, NotesError, Stored};
use tenancy_gateway::principals::PrincipalsFile;
use tenancy_gateway::routes::router;
use tenancy_gateway::service::HttpService;
use tenancy_gateway::shared::SharedRedis;
use tenancy_gateway::state::App;
use tenancy_gateway::tenants::Tenants;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::instance::ask;
use crate::support::redis_server::Server;
use crate::support::{ACME, GLOBEX, PATIENCE};

const A: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
const B: TenantId = tenant_id!("6ba7b810-9dad-41d1-80b4-00c04fd430c8");

/// A store that counts reads and can delay changes.
#[derive(Clone)]
struct Counted(Arc<Store>);

struct Store {
    notes: MemoryNotes,
    reads: AtomicUsize,
    /// One permit for each change that may complete.
    changes: Semaphore,
}

impl Counted {
    fn new() -> Self {
        Self::with_changes(Semaphore::MAX_PERMITS)
    }

    fn with_changes(permits: usize) -> Self {
        let (notes, changes) = (MemoryNotes::with_limit(10), Semaphore::new(permits));
        Self(Arc::new(Store { notes, reads: AtomicUsize::new(0), changes }))
    }

    fn reads(&self) -> usize {
        self.0.reads.load(SeqCst)
    }
}

impl Notes for Counted {
    fn list(&self, after: Option<Uuid>, limit: usize) -> Stored<'_, Vec<Note>> {
        self.0.notes.list(after, limit)
    }

    fn create(&self, text: String) -> Stored<'_, Note> {
        self.0.notes.create(text)
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        self.0.reads.fetch_add(1, SeqCst);
        self.0.notes.get(id)
    }

    /// Changes the note at once, and returns once there is a permit.
    fn update(&self, id: Uuid, text: String) -> Stored<'_, Option<Note>> {
        let updated = self.0.notes.update(id, text);
        Box::pin(async move {
            self.0.changes.acquire().await.unwrap().forget();
            updated.await
        })
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        self.0.notes.delete(id)
    }

    fn restore(&self, note: Note) -> Stored<'_, bool> {
        self.0.notes.restore(note)
    }
}

async fn text(notes: &impl Notes, tenant: TenantId, id: Uuid) -> Option<String> {
    let note = TenantContext::scope(tenant, || notes.get(id)).await.expect("an answer");
    note.map(|note| note.text)
}

async fn create(notes: &impl Notes, tenant: TenantId, text: &str) -> Uuid {
    TenantContext::scope(tenant, || notes.create(text.to_owned())).await.expect("a note").id
}

/// Waits until a note has the expected text.
async fn becomes(notes: &impl Notes, tenant: TenantId, id: Uuid, expected: &str) {
    let changed = async {
        while text(notes, tenant, id).await.as_deref() != Some(expected) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, changed).await.expect("the change is seen");
}

async fn update(notes: &impl Notes, tenant: TenantId, id: Uuid, text: &str) -> Option<Note> {
    TenantContext::scope(tenant, || notes.update(id, text.to_owned())).await.expect("an answer")
}

async fn delete(notes: &impl Notes, tenant: TenantId, id: Uuid) -> bool {
    TenantContext::scope(tenant, || notes.delete(id)).await.expect("an answer")
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn note_is_cached_until_it_changes() {
    let (server, store) = (Server::start(), Counted::new());
    let notes = CachedNotes::new(store.clone(), server.shared().await);
    let id = create(&notes, A, "one").await;
    for _ in 0..3 {
        assert_eq!(text(&notes, A, id).await.as_deref(), Some("one"));
    }
    assert_eq!(store.reads(), 1);
    for new in ["two", "three"] {
        let updated = update(&notes, A, id, new).await.expect("it is there");
        let read = TenantContext::scope(A, || notes.get(id)).await.unwrap();
        assert_eq!(read.as_ref(), Some(&updated), "all of it");
        assert_eq!(updated.text, new);
    }
    assert_eq!(store.reads(), 3);
    assert!(delete(&notes, A, id).await);
    assert_eq!(text(&notes, A, id).await, None);
    assert!(!delete(&notes, A, id).await);
    assert_eq!(update(&notes, A, id, "four").await, None);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn notes_are_cached_separately() {
    let (server, store) = (Server::start(), Counted::new());
    let notes = CachedNotes::new(store.clone(), server.shared().await);
    let (one, other) = (create(&notes, A, "one").await, create(&notes, A, "other").await);
    for _ in 0..2 {
        assert_eq!(text(&notes, A, one).await.as_deref(), Some("one"));
        assert_eq!(text(&notes, A, other).await.as_deref(), Some("other"));
    }
    assert!(delete(&notes, A, one).await);
    assert_eq!(text(&notes, A, other).await.as_deref(), Some("other"));
    assert_eq!(store.reads(), 2);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn cached_note_is_absent_for_another_tenant() {
    let (server, store) = (Server::start(), Counted::new());
    let notes = CachedNotes::new(store.clone(), server.shared().await);
    let id = create(&notes, A, "a's").await;
    for _ in 0..2 {
        assert_eq!(text(&notes, A, id).await.as_deref(), Some("a's"));
        assert_eq!(text(&notes, B, id).await, None);
    }
    assert_eq!(update(&notes, B, id, "b's").await, None);
    assert!(!delete(&notes, B, id).await);
    assert_eq!(text(&notes, A, id).await.as_deref(), Some("a's"));
    assert_eq!(store.reads(), 2, "once for each");
    assert_eq!(text(&notes, B, id).await, None);
    assert_eq!(store.reads(), 3, "b's change is forgotten for b");
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn restored_note_replaces_cached_absence() {
    let server = Server::start();
    let notes = CachedNotes::new(MemoryNotes::with_limit(10), server.shared().await);
    let note = Note { id: Uuid::now_v7(), text: "back".to_owned(), created: jiff::Timestamp::UNIX_EPOCH };
    assert_eq!(text(&notes, A, note.id).await, None);
    assert!(TenantContext::scope(A, || notes.restore(note.clone())).await.expect("an answer"));
    assert_eq!(text(&notes, A, note.id).await.as_deref(), Some("back"));
    assert_eq!(text(&notes, B, note.id).await, None);
}

/// A store whose notes have the same id in each tenant.
struct SameId;

impl Notes for SameId {
    fn list(&self, _: Option<Uuid>, _: usize) -> Stored<'_, Vec<Note>> {
        Box::pin(ready(Err(NotesError::Full)))
    }

    fn create(&self, _: String) -> Stored<'_, Note> {
        Box::pin(ready(Err(NotesError::Full)))
    }

    fn get(&self, id: Uuid) -> Stored<'_, Option<Note>> {
        let tenant = TenantContext::get();
        let note = |tenant: TenantId| {
            Some(Note { id, text: tenant.to_string(), created: jiff::Timestamp::UNIX_EPOCH })
        };
        Box::pin(ready(tenant.map(note).map_err(NotesError::from)))
    }

    fn update(&self, id: Uuid, _: String) -> Stored<'_, Option<Note>> {
        self.get(id)
    }

    fn delete(&self, id: Uuid) -> Stored<'_, bool> {
        let store_failed = move || Err(NotesError::Store(format!("no {id}").into()));
        Box::pin(ready(store_failed()))
    }

    fn restore(&self, _: Note) -> Stored<'_, bool> {
        Box::pin(ready(Err(NotesError::Full)))
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn same_note_id_is_cached_per_tenant() {
    let server = Server::start();
    let notes = CachedNotes::of_store(Uuid::nil(), SameId, server.shared().await);
    for _ in 0..3 {
        let both = tokio::join!(text(&notes, A, Uuid::nil()), text(&notes, B, Uuid::nil()));
        assert_eq!(both, (Some(ACME.to_owned()), Some(GLOBEX.to_owned())));
        let changed = update(&notes, B, Uuid::nil(), "").await.expect("a note");
        assert_eq!(changed.text, GLOBEX, "a change is the tenant's too");
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn store_errors_pass_through_the_cache() {
    let server = Server::start();
    let notes = CachedNotes::new(SameId, server.shared().await);
    let failed = TenantContext::scope(A, || notes.delete(Uuid::nil())).await;
    assert_eq!(failed.unwrap_err().to_string(), format!("store of notes failed: no {}", Uuid::nil()));
    let failed = TenantContext::scope(A, || notes.create(String::new())).await;
    assert!(matches!(failed, Err(NotesError::Full)));
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn notes_require_a_tenant() {
    let (server, store) = (Server::start(), Counted::new());
    let notes = CachedNotes::new(store.clone(), server.shared().await);
    let id = create(&notes, A, "one").await;
    assert!(matches!(notes.create("two".to_owned()).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.list(None, 10).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.get(id).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.update(id, "two".to_owned()).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.delete(id).await, Err(NotesError::NoTenant(_))));
    assert_eq!(store.reads(), 0);
    assert_eq!(async { notes.get(id).await }.in_tenant(A).await.unwrap().unwrap().text, "one");
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn store_does_not_read_another_stores_cache() {
    let server = Server::start();
    let first = CachedNotes::new(Counted::new(), server.shared().await);
    let id = create(&first, A, "one").await;
    assert_eq!(text(&first, A, id).await.as_deref(), Some("one"));
    // After a restart of the process, its memory is empty.
    let second = CachedNotes::new(Counted::new(), server.shared().await);
    assert_eq!(text(&second, A, id).await, None);
    assert_eq!(text(&first, A, id).await.as_deref(), Some("one"), "nor does it tell another");
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn shared_stores_read_each_others_cache() {
    let (server, store) = (Server::start(), Counted::new());
    let id = Uuid::from_u128(7);
    let first = CachedNotes::of_store(id, store.clone(), server.shared().await);
    let second = CachedNotes::of_store(id, store.clone(), server.shared().await);
    let note = create(&first, A, "one").await;
    for notes in [&first, &second] {
        assert_eq!(text(notes, A, note).await.as_deref(), Some("one"));
    }
    assert_eq!(store.reads(), 1);
    update(&second, A, note, "two").await;
    assert_eq!(text(&first, A, note).await.as_deref(), Some("two"));
    assert!(delete(&first, A, note).await);
    assert_eq!(text(&second, A, note).await, None);
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn cancelled_update_leaves_no_old_note_in_the_cache() {
    let (server, store) = (Server::start(), Counted::with_changes(0));
    let notes = CachedNotes::new(store.clone(), server.shared().await);
    let id = create(&notes, A, "one").await;
    assert_eq!(text(&notes, A, id).await.as_deref(), Some("one"));
    tokio::select! {
        _ = update(&notes, A, id, "two") => panic!("the store does not answer yet"),
        () = becomes(&store, A, id, "two") => {}
    }
    store.0.changes.add_permits(1);
    becomes(&notes, A, id, "two").await;
}

/// A connection that fails to remove keys.
#[derive(Clone)]
struct Keeps(SharedRedis);

impl ConnectionLike for Keeps {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        if matches!(cmd.args_iter().next(), Some(redis::Arg::Simple(b"UNLINK"))) {
            return Box::pin(ready(Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe).into())));
        }
        self.0.req_packed_command(cmd)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn failed_cache_removal_is_not_read() {
    let (server, store) = (Server::start(), Counted::new());
    let notes = CachedNotes::new(store.clone(), Keeps(server.shared().await));
    let id = create(&notes, A, "one").await;
    assert_eq!(text(&notes, A, id).await.as_deref(), Some("one"));
    assert!(update(&notes, A, id, "two").await.is_some());
    for _ in 0..2 {
        assert_eq!(text(&notes, A, id).await.as_deref(), Some("two"));
    }
    assert_eq!(store.reads(), 2, "and it is cached again");
    assert!(delete(&notes, A, id).await);
    assert_eq!(text(&notes, A, id).await, None);
}

fn service(notes: impl Notes) -> impl HttpService {
    let PrincipalsFile { tenants, principals } = PrincipalsFile::demo().unwrap();
    let tenants = Arc::new(Tenants::new(tenants));
    let limit = RateLimit::new(0, std::num::NonZeroU32::MIN);
    let gate = Middleware::new(principals, Arc::clone(&tenants), limit);
    let closing = tokio_util::sync::CancellationToken::new();
    gate.around(router(App {
        tenants,
        agents: agents::registry(AgentStore::memory()),
        notes: Arc::new(notes),
        events: Arc::default(),
        closing,
        operations: Arc::default(),
    }))
}

#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn cached_note_is_not_found_by_another_tenant() {
    let (server, store) = (Server::start(), Counted::new());
    let service = service(CachedNotes::new(store.clone(), server.shared().await));
    let note = ask(&service, ACME, "POST /v1/notes", r#"{"text":"acme's"}"#).await.json();
    let path = format!("/v1/notes/{}", note["id"].as_str().unwrap());
    let read = format!("GET {path}");
    for _ in 0..3 {
        assert_eq!(ask(&service, ACME, &read, "").await.json(), note);
    }
    assert_eq!(store.reads(), 1);
    let nowhere = ask(&service, GLOBEX, &format!("GET /v1/notes/{}", Uuid::nil()), "").await;
    assert_eq!(nowhere.status, 404);
    for call in [&read, &format!("PUT {path}"), &format!("DELETE {path}"), &read] {
        assert_eq!(ask(&service, GLOBEX, call, r#"{"text":"globex's"}"#).await, nowhere, "{call}");
    }
    let changed = ask(&service, ACME, &format!("PUT {path}"), r#"{"text":"new"}"#).await.json();
    assert_eq!((&changed["text"], &changed["created"]), (&"new".into(), &note["created"]));
    assert_eq!(ask(&service, ACME, &read, "").await.json(), changed);
    assert_eq!(ask(&service, ACME, &format!("DELETE {path}"), "").await.status, 204);
    assert_eq!(ask(&service, ACME, &read, "").await, nowhere);
    let listed = ask(&service, ACME, "GET /v1/notes", "").await.json();
    assert_eq!(listed["notes"], serde_json::json!([]));
}

/// Debug output contains neither the address nor a note.
#[tokio::test]
#[ignore = "needs redis-server; cargo xtask test runs it"]
async fn what_is_shown_has_no_secret() {
    let server = Server::with_password("s3cret");
    let redis = server.shared().await;
    let notes = CachedNotes::new(Counted::new(), redis.clone());
    let id = create(&notes, A, "acme's").await;
    assert!(text(&notes, A, id).await.is_some());
    let limit = RateLimit::shared(1, std::num::NonZeroU32::MIN, redis.clone());
    let shown = format!("{redis:?} {notes:?} {limit:?}");
    for secret in ["s3cret", "socket", "acme's", "550e8400", &id.simple().to_string()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
