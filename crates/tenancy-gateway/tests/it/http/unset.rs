//! Without a tenant nothing is done, and debug output has no secrets.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Request;
use tenancy::{TenantContext, TenantFutureExt, TenantId};
use tenancy_gateway::agents::{self, AgentStore};
use tenancy_gateway::events::{Change, Events, ListenError};
use tenancy_gateway::notes::{MemoryNotes, Note, Notes, NotesError};
use tenancy_gateway::principals::{Digest, PrincipalsFile};
use tenancy_gateway::routes::router;
use tenancy_gateway::state::App;
use tenancy_gateway::tenants::Tenants;
use tower::ServiceExt;
use uuid::Uuid;

#[tokio::test]
async fn notes_require_a_tenant() {
    let notes = MemoryNotes::with_limit(10);
    let id = notes.create("one".to_owned()).await;
    assert!(matches!(id, Err(NotesError::NoTenant(_))));
    let id = async { notes.create("one".to_owned()).await }.in_tenant(TenantId::PLATFORM).await.unwrap().id;
    assert!(matches!(notes.list(None, 10).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.get(id).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.update(id, "two".to_owned()).await, Err(NotesError::NoTenant(_))));
    assert!(matches!(notes.delete(id).await, Err(NotesError::NoTenant(_))));
    let note = Note { id, text: "two".to_owned(), created: jiff::Timestamp::UNIX_EPOCH };
    assert!(matches!(notes.restore(note).await, Err(NotesError::NoTenant(_))));
    let note = TenantContext::scope(TenantId::PLATFORM, || notes.get(id));
    assert_eq!(note.await.unwrap().unwrap().text, "one");
}

#[test]
fn events_require_a_tenant() {
    let events = Arc::new(Events::default());
    assert!(events.publish(&Change::Deleted(Uuid::nil())).is_err());
    assert!(matches!(events.listen(), Err(ListenError::NoTenant(_))));
}

#[tokio::test]
async fn routes_without_layers_give_500() {
    let PrincipalsFile { tenants, .. } = PrincipalsFile::demo().unwrap();
    let app = App {
        agents: agents::registry(AgentStore::memory()),
        tenants: Arc::new(Tenants::new(tenants)),
        notes: Arc::new(MemoryNotes::with_limit(10)),
        events: Arc::default(),
        closing: tokio_util::sync::CancellationToken::new(),
        operations: Arc::default(),
    };
    let router = router(app);
    for path in
        ["/v1/notes", "/v1/notes/events", "/v1/tenants", "/v1/whoami", "/v1/agents", "/v1/agents/count"]
    {
        let answer = router.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(answer.status(), 500, "{path}");
    }
}

#[test]
fn debug_output_of_principals_has_no_secret() {
    let census = PrincipalsFile::demo().unwrap();
    let alice = census.principals.of_token(b"demo-alice").unwrap();
    let shown = format!("{census:?} {alice:?} {:?}", Digest::of(b"demo-alice"));
    assert!(shown.contains("\"alice\"") && !shown.contains("demo-"), "{shown}");
    assert!(shown.ends_with("} Digest"), "{shown}");
}
