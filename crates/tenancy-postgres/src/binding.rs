//! How a transaction tells the database whose it is.
//!
//! A signature goes as a parameter and never in a statement's text: `pg_stat_activity` shows texts to all who share
//! the user, and a signature that was read there would be good until it expires.

use std::fmt;
use std::time::Duration;

use serde_json::json;
use tenancy::TenantId;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error};
use uuid::Uuid;

use crate::params::Param;
use crate::scrub::{CLAIMS, PLAIN, SIGNED, Statements};
use crate::sign::SigningKey;

/// What the database's policies trust in.
#[derive(Clone)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "there is one a database")]
pub enum ContextBinding {
    /// A signature, which SQL can't make: the policies that [`enable_table`](crate::enable_table) emits.
    Signed(SigningKey),
    /// The setting `app.tenant_id`, for a database where no function can be installed. **It is no boundary against
    /// raw SQL**, which may set it to another tenant's id: it holds against what is forgotten, not against an attack.
    /// Its policies are those of [`EnableTable::plain_sql`](crate::EnableTable::plain_sql).
    Plain,
    /// The claims that Supabase's `auth.jwt()` reads, for policies that are there already. **It is no boundary
    /// against raw SQL**, which may set them. Better: a signature, and the claims [with it](crate::Config::supabase).
    SupabaseClaims,
}

impl From<SigningKey> for ContextBinding {
    fn from(key: SigningKey) -> Self {
        Self::Signed(key)
    }
}

/// The key's id alone.
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
/// The claims are `role`, `sub` where there is [one](crate::TenantDb::with_subject), `tenant_id`, and
/// `app_metadata.tenant_id`. The role is set for the transaction alone.
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
    /// The role that policies name: `authenticated`. The database's user is a member of it.
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

type Typed<'a> = Vec<(Param<'a>, Type)>;

#[derive(Clone, Debug)]
pub(crate) struct Binding {
    pub(crate) context: ContextBinding,
    pub(crate) supabase: Option<Supabase>,
    /// How long a signature is good for.
    pub(crate) lifetime: Duration,
}

impl Binding {
    /// What makes a transaction that was begun a tenant's: one `SELECT`, whose columns are computed in their order, the
    /// last one the mark.
    pub(crate) fn enter_sql(&self) -> String {
        let (enter, params) = match self.context {
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
        format!("SELECT {enter}, {claims}{}", self.statements().mark)
    }

    /// Sends it, and gives the mark.
    pub(crate) async fn enter(
        &self,
        client: &Client,
        sql: &str,
        tenant: TenantId,
        subject: Option<Uuid>,
    ) -> Result<Option<String>, Error> {
        let claims =
            self.supabase.as_ref().map(|supabase| (supabase.claims(tenant, subject), &supabase.role));
        let claims: Typed<'_> = match &claims {
            Some((claims, role)) => vec![(claims, Type::TEXT), (*role, Type::TEXT)],
            None => Vec::new(),
        };
        match &self.context {
            ContextBinding::Signed(key) => {
                let expires = SigningKey::expiry(self.lifetime);
                let signature = key.sign(tenant, expires);
                let (tenant, id, signature) = (Uuid::from(tenant), key.id(), &signature[..]);
                let params: Typed<'_> = vec![
                    (&tenant, Type::UUID),
                    (&id, Type::INT4),
                    (&expires, Type::INT8),
                    (&signature, Type::BYTEA),
                ];
                ask(client, sql, params, claims).await
            }
            ContextBinding::Plain => ask(client, sql, vec![(&tenant.to_string(), Type::TEXT)], claims).await,
            ContextBinding::SupabaseClaims => ask(client, sql, Vec::new(), claims).await,
        }
    }

    /// What is sent to ask whose the transaction is, and to end it.
    pub(crate) fn statements(&self) -> &'static Statements {
        match self.context {
            ContextBinding::Signed(_) => &SIGNED,
            ContextBinding::Plain => &PLAIN,
            ContextBinding::SupabaseClaims => &CLAIMS,
        }
    }
}

async fn ask<'a>(
    client: &Client,
    sql: &str,
    mut params: Typed<'a>,
    claims: Typed<'a>,
) -> Result<Option<String>, Error> {
    params.extend(claims);
    let rows = client.query_typed(sql, &params).await?;
    Ok(rows.first().and_then(|row| row.try_get(row.len() - 1).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_json_whatever_the_role_is_called() {
        let claims = Supabase::role(r#"a","tenant_id":"x"#).claims(TenantId::PLATFORM, Some(Uuid::max()));
        let claims: serde_json::Value = serde_json::from_str(&claims).expect("JSON");
        assert_eq!(claims["role"], r#"a","tenant_id":"x"#);
        assert_eq!(claims["sub"], "ffffffff-ffff-ffff-ffff-ffffffffffff");
        assert_eq!(claims["tenant_id"], TenantId::PLATFORM.to_string());
        assert_eq!(claims["app_metadata"]["tenant_id"], claims["tenant_id"]);
        let claims = Supabase::role("a").claims(TenantId::PLATFORM, None);
        assert!(!claims.contains("sub"), "{claims}");
    }
}
