//! How a transaction tells the database its tenant.
//!
//! A signature is sent as a parameter and never in a statement's text: `pg_stat_activity` shows texts to all sessions
//! of the same user, and a signature could be used until it expires.

use std::fmt;
use std::time::{Duration, SystemTime};

use postgres_types::{Oid, Type};
use serde_json::json;
use tenancy::TenantId;
use uuid::Uuid;

use crate::marks::{CLAIMS, Marks, PLAIN, SIGNED, SIGNED_V1};
use crate::sign::SigningKey;

/// What the database's policies trust.
#[derive(Clone)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "a database has one binding")]
pub enum ContextBinding {
    /// A signature, which SQL cannot make: the policies that [`enable_table`](crate::enable_table) emits.
    Signed(SigningKey),
    /// The setting `app.tenant_id`, for a database in which no function can be installed. **It is not a boundary
    /// against raw SQL**, which can set another tenant's id: it protects against mistakes, not against an attack. Its
    /// policies are those of [`EnableTable::plain_sql`](crate::EnableTable::plain_sql).
    Plain,
    /// The claims that Supabase's `auth.jwt()` reads, for existing policies. **It is not a boundary against raw SQL**,
    /// which can set other claims. A signature with the [claims beside it](crate::Config::supabase) is one.
    SupabaseClaims,
}

impl From<SigningKey> for ContextBinding {
    fn from(key: SigningKey) -> Self {
        Self::Signed(key)
    }
}

/// Shows only the key's id.
impl fmt::Debug for ContextBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signed(key) => f.debug_tuple("Signed").field(key).finish(),
            Self::Plain => f.write_str("Plain"),
            Self::SupabaseClaims => f.write_str("SupabaseClaims"),
        }
    }
}

/// The role and the claims that a transaction has on Supabase, beside its tenant.
///
/// The claims are `role`, `tenant_id`, `app_metadata.tenant_id`, and `sub` if the database handle has a
/// [subject](crate::TenantDb::with_subject). The role is set for the transaction only.
///
/// ```
/// use tenancy_postgres::{Config, SigningKey, Supabase};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let key = SigningKey::new(1, b"a secret of 32 bytes or of more.")?;
/// let config = Config::from_url("postgres://notes_service@db.example.com/postgres", key)?
///     .supabase(Supabase::role("authenticated"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Supabase {
    role: String,
}

impl Supabase {
    /// Uses the role that policies name, usually `authenticated`. The connection's user must be a member of it.
    pub fn role(role: impl Into<String>) -> Self {
        Self { role: role.into() }
    }

    fn claims(&self, tenant: TenantId, subject: Option<Uuid>) -> String {
        let tenant = tenant.to_string();
        let mut claims =
            json!({ "role": self.role, "tenant_id": tenant, "app_metadata": { "tenant_id": tenant } });
        if let Some(subject) = subject {
            claims["sub"] = subject.to_string().into();
        }
        claims.to_string()
    }
}

/// A value of the statement that enters: its type, and its bytes in the binary format.
pub(crate) struct Bound {
    pub(crate) oid: Oid,
    pub(crate) bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) context: ContextBinding,
    pub(crate) supabase: Option<Supabase>,
    /// How long a signature is valid.
    pub(crate) lifetime: Duration,
}

/// Sets Supabase's claims and role for the transaction.
const CLAIMS_AND_ROLE: &str = "SELECT pg_catalog.set_config('request.jwt.claims', $1, true), \
     pg_catalog.set_config('role', $2, true)";

impl Binding {
    /// The statement that enters a tenant, if that is not done by binding a token. Its columns are computed in their
    /// order, and the last one is the mark.
    pub(crate) fn explicit_sql(&self, has_tokens: bool) -> String {
        let (enter, params) = match self.context {
            ContextBinding::Signed(_) if has_tokens => ("tenancy.enter($1)", 1),
            ContextBinding::Signed(_) => ("tenancy.enter($1, $2, $3, $4)", 4),
            ContextBinding::Plain => ("pg_catalog.set_config('app.tenant_id', $1, true)", 1),
            ContextBinding::SupabaseClaims => ("NULL", 0),
        };
        let claims = self.supabase.as_ref().map_or_else(String::new, |_| {
            let (claims, role) = (params + 1, params + 2);
            format!(
                "pg_catalog.set_config('request.jwt.claims', ${claims}, true), \
                 pg_catalog.set_config('role', ${role}, true), "
            )
        });
        format!("SELECT {enter}, {claims}{}", self.marks(has_tokens).mark)
    }

    /// The values of [`explicit_sql`](Self::explicit_sql).
    pub(crate) fn explicit(&self, has_tokens: bool, tenant: TenantId, subject: Option<Uuid>) -> Vec<Bound> {
        let mut values = match &self.context {
            ContextBinding::Signed(key) if has_tokens => {
                vec![Bound::bytea(&key.token(tenant, SystemTime::now() + self.lifetime))]
            }
            ContextBinding::Signed(key) => {
                let expires = SigningKey::expiry(self.lifetime);
                vec![
                    Bound { oid: Type::UUID.oid(), bytes: tenant.as_bytes().to_vec() },
                    Bound { oid: Type::INT4.oid(), bytes: key.id().to_be_bytes().to_vec() },
                    Bound { oid: Type::INT8.oid(), bytes: expires.to_be_bytes().to_vec() },
                    Bound::bytea(&key.sign(tenant, expires)),
                ]
            }
            ContextBinding::Plain => vec![Bound::text(&tenant.to_text())],
            ContextBinding::SupabaseClaims => Vec::new(),
        };
        if let Some(supabase) = &self.supabase {
            values.push(Bound::text(&supabase.claims(tenant, subject)));
            values.push(Bound::text(&supabase.role));
        }
        values
    }

    /// The token that enters a tenant. It is empty, and refused, for a context that is not signed.
    pub(crate) fn token(&self, tenant: TenantId) -> Vec<u8> {
        match &self.context {
            ContextBinding::Signed(key) => key.token(tenant, SystemTime::now() + self.lifetime).to_vec(),
            ContextBinding::Plain | ContextBinding::SupabaseClaims => Vec::new(),
        }
    }

    /// The statement that sets Supabase's claims beside a token, and its values.
    pub(crate) fn claims(
        &self,
        tenant: TenantId,
        subject: Option<Uuid>,
    ) -> Option<(&'static str, [Bound; 2])> {
        let supabase = self.supabase.as_ref()?;
        let values = [Bound::text(&supabase.claims(tenant, subject)), Bound::text(&supabase.role)];
        Some((CLAIMS_AND_ROLE, values))
    }

    /// How the context is checked by statements.
    pub(crate) fn marks(&self, has_tokens: bool) -> &'static Marks {
        match self.context {
            ContextBinding::Signed(_) if has_tokens => &SIGNED,
            ContextBinding::Signed(_) => &SIGNED_V1,
            ContextBinding::Plain => &PLAIN,
            ContextBinding::SupabaseClaims => &CLAIMS,
        }
    }
}

impl Bound {
    fn text(text: &str) -> Self {
        Self { oid: Type::TEXT.oid(), bytes: text.as_bytes().to_vec() }
    }

    fn bytea(bytes: &[u8]) -> Self {
        Self { oid: Type::BYTEA.oid(), bytes: bytes.to_vec() }
    }
}
