//! What a pool of sqlx and its connections share.

use sqlx::PgPool;

use crate::sign::SigningKey;

#[derive(Clone)]
pub(super) struct Shared {
    pub(super) pool: PgPool,
    pub(super) key: SigningKey,
    /// Whether the database has context v2.
    pub(super) has_tokens: bool,
}
