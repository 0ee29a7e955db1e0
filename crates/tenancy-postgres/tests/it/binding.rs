//! Unsigned contexts, and Supabase's claims.

use serde_json::json;
use tenancy::TenantFutureExt;
use tenancy_postgres::{
    Config, ContextBinding, Error, FindingKind, Layer, PgTenantId, Supabase, TenantDb, TenantTx, enable_table,
};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::support::database::{Contents, Database};
use crate::support::notes::titles;
use crate::support::{A, B, key};

const READ: &str = "SELECT tenant_id, title FROM notes";
const ADD: &str = "INSERT INTO notes (title) VALUES ($1)";

fn code(error: &Error) -> String {
    match error {
        Error::Postgres(error) => error.code().to_owned(),
        other => format!("{other:?}"),
    }
}

async fn connect(
    database: &Database,
    user: &str,
    binding: impl Into<ContextBinding>,
) -> Result<TenantDb, Error> {
    TenantDb::connect(Config::new(database.config(user), binding).max_connections(1)).await
}

async fn kinds(database: &Database, user: &str, binding: impl Into<ContextBinding>) -> Vec<FindingKind> {
    match connect(database, user, binding).await {
        Ok(_) => Vec::new(),
        Err(Error::Leaks(findings)) => findings.iter().map(|finding| finding.kind).collect(),
        Err(error) => panic!("{error:?}"),
    }
}

/// Creates a table with its policy, without the schema `tenancy`, and grants it to a role.
async fn plain(database: &Database) -> Client {
    let superuser = database.superuser().await;
    let table = "CREATE TABLE \"No\"\"tes'\" (id bigserial PRIMARY KEY, title text)";
    superuser.batch_execute(table).await.expect("a table");
    let sql = enable_table("\"No\"\"tes'\"").plain_sql();
    for _ in 0..2 {
        superuser.batch_execute(&sql).await.expect("enabled");
    }
    let sql = "ALTER TABLE \"No\"\"tes'\" RENAME TO notes;
        GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO outsider;
        GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO outsider";
    superuser.batch_execute(sql).await.expect("a user");
    superuser
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_plain_context_keeps_tenants_apart() -> Result<(), Error> {
    let database = Database::shared(Contents::Nothing);
    plain(&database).await;
    let db = connect(&database, "outsider", ContextBinding::Plain).await?;
    for (tenant, title) in [(A, "a"), (B, "b")] {
        db.execute(ADD, &[&title]).in_tenant(tenant).await?;
        assert_eq!(titles(&db.query(READ, &[]).in_tenant(tenant).await?), [title]);
        let rows: Vec<serde_json::Value> = db.table("notes").select("title").rows().in_tenant(tenant).await?;
        assert_eq!(rows, [json!({ "title": title })]);
    }
    let foreign = format!("INSERT INTO notes (title, tenant_id) VALUES ('x', '{B}')");
    let refused = db.execute(&foreign, &[]).in_tenant(A).await.unwrap_err();
    assert_eq!(refused.layer(), Some(Layer::Database), "{refused:?}");
    // Outside of a tenant's transaction it is an error, whether the session had a tenant before or not.
    let service = database.client("outsider").await;
    assert!(service.query(READ, &[]).await.is_err());
    service.batch_execute("BEGIN; SET LOCAL app.tenant_id = ''; COMMIT").await.expect("set");
    assert!(service.query(READ, &[]).await.is_err());
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn detects_sql_that_leaves_a_plain_context() -> Result<(), Error> {
    let database = Database::shared(Contents::Nothing);
    plain(&database).await;
    let db = connect(&database, "outsider", ContextBinding::Plain).await?;
    for sql in ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "RESET ALL", &format!("SET app.tenant_id = '{B}'")]
    {
        let tx = db.begin_in(A).await?;
        assert!(matches!(tx.execute(sql, &[]).await, Err(Error::TxEscaped)), "{sql}");
        assert!(matches!(tx.commit().await, Err(Error::TxEscaped)), "{sql}");
        let alone = db.execute(sql, &[]).in_tenant(A).await;
        assert!(matches!(alone, Err(Error::TxEscaped)), "{sql}: {alone:?}");
    }
    // The session is scrubbed too.
    db.execute("PREPARE p AS SELECT 1", &[]).in_tenant(A).await?;
    let left = async |tx: &TenantTx<'_>| {
        tx.query_unverified("SELECT FROM pg_prepared_statements WHERE from_sql", &[]).await
    };
    assert!(db.tx_in(B, left).await?.is_empty());
    Ok(())
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_plain_context_has_its_own_audit() {
    let database = Database::shared(Contents::Nothing);
    let superuser = plain(&database).await;
    assert_eq!(kinds(&database, "outsider", ContextBinding::Plain).await, []);
    let signed = kinds(&database, "outsider", key()).await;
    assert!(signed.contains(&FindingKind::ContextAltered), "no function is there: {signed:?}");
    assert!(signed.contains(&FindingKind::PolicyAltered), "a setting is no signature: {signed:?}");
    for (sql, kind) in [
        ("ALTER POLICY tenancy_isolation ON notes USING (true)", FindingKind::PolicyAltered),
        ("ALTER TABLE notes DISABLE ROW LEVEL SECURITY", FindingKind::RlsDisabled),
    ] {
        superuser.batch_execute(sql).await.expect("altered");
        assert_eq!(kinds(&database, "outsider", ContextBinding::Plain).await, [kind], "{sql}");
        superuser.batch_execute(&enable_table("notes").plain_sql()).await.expect("mended");
        assert_eq!(kinds(&database, "outsider", ContextBinding::Plain).await, [], "{sql}");
    }
}

/// The roles of Supabase, and `auth.jwt()`.
const SUPABASE: &str = "
CREATE ROLE authenticated NOLOGIN;
CREATE ROLE service_role NOLOGIN BYPASSRLS;
CREATE ROLE authenticator LOGIN NOINHERIT IN ROLE authenticated, service_role;
CREATE SCHEMA auth;
CREATE FUNCTION auth.jwt() RETURNS jsonb LANGUAGE sql STABLE AS
    $$SELECT nullif(current_setting('request.jwt.claims', true), '')::jsonb$$;
CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS $$SELECT (auth.jwt() ->> 'sub')::uuid$$;
GRANT USAGE ON SCHEMA auth TO authenticated;
";

/// A table with policies of the project, for which `enable_table` was not called.
const CLAIMED: &str = "
CREATE TABLE notes (id bigserial PRIMARY KEY, title text, tenant_id uuid NOT NULL, author uuid DEFAULT auth.uid());
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes TO authenticated
    USING (tenant_id = (SELECT (auth.jwt() -> 'app_metadata' ->> 'tenant_id')::uuid))
    WITH CHECK (tenant_id = (SELECT (auth.jwt() ->> 'tenant_id')::uuid));
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO authenticated;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO authenticated;
CREATE ROLE app LOGIN NOINHERIT IN ROLE authenticated;
";

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn claims_satisfy_existing_policies() -> Result<(), Error> {
    let database = Database::alone(Contents::Nothing);
    let superuser = database.superuser().await;
    superuser.batch_execute(SUPABASE).await?;
    superuser.batch_execute(CLAIMED).await?;
    let refused = kinds(&database, "authenticator", ContextBinding::SupabaseClaims).await;
    assert_eq!(refused, [FindingKind::BypassRls], "it can be service_role");
    let db = connect(&database, "app", ContextBinding::SupabaseClaims).await?;
    let author = Uuid::from_u128(7);
    for (tenant, title) in [(A, "a"), (B, "b")] {
        let insert = db.with_subject(author);
        insert.table("notes").insert(json!({ "title": title })).execute().in_tenant(tenant).await?;
        assert_eq!(titles(&db.query(READ, &[]).in_tenant(tenant).await?), [title]);
    }
    let foreign = "INSERT INTO notes (title, tenant_id) VALUES ('x', $1)";
    let refused = db.execute(foreign, &[&PgTenantId(B)]).in_tenant(A).await.unwrap_err();
    assert_eq!(code(&refused), "42501");
    let who = "SELECT current_user::text, auth.jwt() ->> 'role', auth.uid()";
    let ask = async |tx: &TenantTx<'_>| tx.query_unverified(who, &[]).await;
    let rows = db.with_subject(author).tx_in(A, ask).await?;
    assert_eq!(rows[0].get::<_, String>(0), "authenticated");
    assert_eq!((rows[0].get(1), rows[0].get(2)), ("authenticated", Some(author)));
    let rows = db.tx_in(A, ask).await?;
    assert_eq!(rows[0].get::<_, Option<Uuid>>(2), None, "a subject is one transaction's");
    let authors = superuser.query("SELECT FROM notes WHERE author = $1", &[&author]).await?;
    assert_eq!(authors.len(), 2);
    superuser.batch_execute("ALTER POLICY own ON notes USING (true)").await?;
    assert_eq!(kinds(&database, "app", ContextBinding::SupabaseClaims).await, [FindingKind::PolicyAltered]);
    Ok(())
}

/// The restrictive policy on the signed context blocks what the project's own policy admits.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_signature_protects_against_forged_claims() -> Result<(), Error> {
    let database = Database::alone(Contents::Notes);
    let superuser = database.superuser().await;
    superuser.batch_execute(SUPABASE).await?;
    let sql = "DROP POLICY tenancy_access ON notes;
        CREATE POLICY own ON notes TO authenticated USING (tenant_id = (auth.jwt() ->> 'tenant_id')::uuid);
        GRANT tenancy_app TO authenticated; GRANT authenticated TO service";
    superuser.batch_execute(sql).await?;
    let config = Config::new(database.config("service"), key());
    let db = TenantDb::connect(config.supabase(Supabase::role("authenticated")).max_connections(1)).await?;
    for (tenant, title) in [(A, "a"), (B, "b")] {
        db.execute(ADD, &[&title]).in_tenant(tenant).await?;
        assert_eq!(titles(&db.query(READ, &[]).in_tenant(tenant).await?), [title]);
    }
    let forge = "SELECT set_config('request.jwt.claims', $1, true)";
    let claims = json!({ "tenant_id": B.to_string() }).to_string();
    let look = async |tx: &TenantTx<'_>| {
        tx.query_unverified(forge, &[&claims]).await?;
        tx.query_unverified(READ, &[]).await
    };
    assert_eq!(titles(&db.tx_in(A, look).await?), [""; 0], "neither A's nor B's");
    // Without the role no policy admits rows.
    let reset = async |tx: &TenantTx<'_>| {
        tx.execute("RESET ROLE", &[]).await?;
        tx.query_unverified("SELECT current_user::text", &[]).await
    };
    assert_eq!(db.tx_in(A, reset).await?[0].get::<_, String>(0), "service");
    assert_eq!(titles(&db.query(READ, &[]).in_tenant(A).await?), ["a"], "the next one has its role again");
    Ok(())
}
