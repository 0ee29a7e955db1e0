//! The routes, the authentication and the JSON, which are the same for all stores.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tenancy::TenantId;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::{tenant, token};

/// A note of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct Note {
    /// The id, which another tenant's note can have too.
    pub id: i64,
    /// The text.
    pub text: String,
}

/// A note without an id.
#[derive(Debug, Deserialize)]
pub struct NewNote {
    /// The text.
    pub text: String,
}

/// Where a service stores the notes.
pub trait Store: Clone + Send + Sync + 'static {
    /// Returns a note.
    fn get(&self, tenant: TenantId, id: i64) -> impl Future<Output = io::Result<Option<Note>>> + Send;
    /// Returns the notes after an id.
    fn list(
        &self,
        tenant: TenantId,
        after: i64,
        limit: i64,
    ) -> impl Future<Output = io::Result<Vec<Note>>> + Send;
    /// Adds a note.
    fn add(&self, tenant: TenantId, text: String) -> impl Future<Output = io::Result<Note>> + Send;
}

#[derive(Clone)]
struct Service<S> {
    store: S,
    tokens: Arc<HashMap<String, TenantId>>,
}

/// The tenant whose token a request has.
struct Caller(TenantId);

impl<S: Send + Sync> FromRequestParts<Service<S>> for Caller {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, service: &Service<S>) -> Result<Self, StatusCode> {
        let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = value.and_then(|value| value.strip_prefix("Bearer "));
        let tenant = token.and_then(|token| service.tokens.get(token));
        tenant.map(|tenant| Self(*tenant)).ok_or(StatusCode::UNAUTHORIZED)
    }
}

#[derive(Deserialize)]
struct Page {
    after: i64,
    limit: i64,
}

fn failed(_: io::Error) -> StatusCode {
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn one<S: Store>(
    State(service): State<Service<S>>,
    Caller(tenant): Caller,
    Path(id): Path<i64>,
) -> Result<Json<Note>, StatusCode> {
    service.store.get(tenant, id).await.map_err(failed)?.map(Json).ok_or(StatusCode::NOT_FOUND)
}

async fn list<S: Store>(
    State(service): State<Service<S>>,
    Caller(tenant): Caller,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Note>>, StatusCode> {
    service.store.list(tenant, page.after, page.limit).await.map(Json).map_err(failed)
}

async fn add<S: Store>(
    State(service): State<Service<S>>,
    Caller(tenant): Caller,
    Json(note): Json<NewNote>,
) -> Result<(StatusCode, Json<Note>), StatusCode> {
    let note = service.store.add(tenant, note.text).await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(note)))
}

/// A service that runs until it is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Server {
    /// Starts a service of this many tenants on a runtime of its own.
    ///
    /// # Panics
    ///
    /// If there is no port or no thread.
    pub fn start<S: Store>(store: S, tenants: usize) -> Self {
        let tokens = (0..tenants).map(|number| (token(number), tenant(number))).collect();
        let router = Router::new()
            .route("/notes", get(list::<S>).post(add::<S>))
            .route("/notes/{id}", get(one::<S>))
            .with_state(Service { store, tokens: Arc::new(tokens) });
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { address, _runtime: runtime }
    }

    /// The address to connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
