//! Roles and databases with settings of their own.

use std::fmt::Write;

use serde_json::json;
use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, TenantDb};

use super::{OF_B, name, shown};
use crate::support::database::{Contents, Database};
use crate::support::notes::config;
use crate::support::{A, B};

/// Settings of the role `service`, and what becomes of statements of its tenants.
const SETTINGS: &[(&str, &str)] = &[
    ("default_transaction_isolation = serializable", "works"),
    ("default_transaction_read_only = on", "25006"),
    ("default_transaction_deferrable = on", "works"),
    ("search_path = pg_catalog, public", "works"),
    ("search_path = ''", "42P01"),
    ("client_encoding = 'LATIN1'", "works"),
    ("DateStyle = 'German'", "works"),
    ("IntervalStyle = 'sql_standard'", "works"),
    ("bytea_output = 'escape'", "works"),
    ("extra_float_digits = -15", "works"),
    ("TimeZone = 'Asia/Kathmandu'", "works"),
    ("standard_conforming_strings = off", "refused"),
    ("backslash_quote = on", "works"),
    ("array_nulls = off", "works"),
    ("transform_null_equals = on", "works"),
    ("quote_all_identifiers = on", "works"),
    ("xmloption = document", "works"),
    ("plan_cache_mode = force_generic_plan", "works"),
    ("plan_cache_mode = force_custom_plan", "works"),
    ("force_parallel_mode = on", "works"),
    ("constraint_exclusion = on", "works"),
    ("jit_above_cost = 0", "works"),
    ("row_security = off", "42501"),
    ("session_replication_role = replica", "works"),
    ("tenancy.context = 'bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb'", "42501"),
    ("client_min_messages = debug5", "works"),
    ("client_min_messages = error", "works"),
    ("log_parameter_max_length_on_error = -1", "works"),
    ("plpgsql.variable_conflict = use_column", "works"),
    ("plpgsql.extra_errors = 'all'", "works"),
    ("plpgsql.check_asserts = off", "works"),
    ("check_function_bodies = off", "works"),
    ("statement_timeout = '30s'", "works"),
    ("idle_in_transaction_session_timeout = '30s'", "works"),
    ("lock_timeout = '30s'", "works"),
    ("role = tenancy_app", "works"),
    ("synchronous_commit = off", "works"),
    ("escape_string_warning = off", "works"),
    ("lo_compat_privileges = on", "works"),
    ("default_tablespace = ''", "works"),
    ("temp_tablespaces = ''", "works"),
    ("default_toast_compression = 'pglz'", "works"),
    ("track_activities = off", "works"),
    ("password_encryption = 'md5'", "works"),
];

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn settings_of_a_role_keep_tenants_apart() {
    let database = Database::alone(Contents::Notes);
    let superuser = database.superuser().await;
    let drop_plain = "DROP TABLE public.plain";
    superuser.batch_execute(drop_plain).await.expect("dropped");
    let mut wrong = String::new();
    for (setting, expected) in SETTINGS {
        superuser.batch_execute("TRUNCATE notes").await.expect("empty");
        superuser.batch_execute(&format!("ALTER ROLE service SET {setting}")).await.expect(setting);
        let worked = match TenantDb::connect(config(&database).max_connections(1)).await {
            Ok(db) => works(&db).await.map_or_else(|error| name(&error), |()| "works".to_owned()),
            Err(Error::Leaks(findings)) => format!("refused: {:?}", findings[0].kind),
            // No tenant can be entered without standard strings.
            Err(Error::Config(_)) => "refused".to_owned(),
            Err(error) => name(&error),
        };
        if worked != *expected {
            writeln!(wrong, "{setting}: {worked}, not {expected}").expect("text");
        }
        superuser.batch_execute("ALTER ROLE service RESET ALL").await.expect("reset");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Runs statements of both tenants, and panics if one sees the other.
async fn works(db: &TenantDb) -> Result<(), Error> {
    for round in 0..3 {
        for (tenant, title) in [(A, "of a \\' '' {} NULL"), (B, OF_B)] {
            let read = "SELECT tenant_id, title FROM notes";
            let rows = db.query(read, &[]).in_tenant(tenant).await?;
            assert_eq!(rows.len(), round, "{}", shown(&rows));
            if round % 2 == 0 {
                let insert = "INSERT INTO notes (title) VALUES ($1)";
                db.execute(insert, &[&title]).in_tenant(tenant).await?;
            } else {
                db.table("notes").insert(json!({ "title": title })).execute().in_tenant(tenant).await?;
            }
            let rows: Vec<serde_json::Value> =
                db.table("notes").select("title").rows().in_tenant(tenant).await?;
            assert_eq!(rows, vec![json!({ "title": title }); round + 1]);
            let foreign = if tenant == A { B } else { A };
            let insert = format!("INSERT INTO notes (title, tenant_id) VALUES ('x', '{foreign}')");
            let refused = db.execute(&insert, &[]).in_tenant(tenant).await.expect_err("a foreign row");
            assert_eq!(refused.code(), Some("42501"), "{refused:?}");
            assert_eq!(
                db.table("notes")
                    .select("id")
                    .eq("tenant_id", foreign.to_string())
                    .count()
                    .in_tenant(tenant)
                    .await?,
                0
            );
        }
    }
    Ok(())
}
