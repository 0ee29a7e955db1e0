//! Privileges, extensions, sequences and constraints that look harmless, and SQL that removes their findings.

use tenancy_postgres::{FindingKind, audit_role};

use crate::audit::{Plant, each_is_found, found, short};
use crate::support::orders::{Orders, outcome};
use crate::support::{A, B};

/// Runs the SQL of the findings of a kind, and checks that none is left.
async fn mend(schema: &mut Orders, kind: FindingKind) {
    let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
    let of_kind: Vec<_> = findings.iter().filter(|finding| finding.kind == kind).collect();
    assert!(!of_kind.is_empty(), "{kind:?}");
    for sql in of_kind.iter().flat_map(|finding| &finding.sql) {
        schema.operate(sql).await;
    }
    let left = found(schema).await;
    assert!(!left.iter().any(|finding| finding.contains(&format!("{kind:?} "))), "{left:?}");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_privileges_beyond_those_of_a_service() {
    let schema = Orders::alone().await;
    schema.operate("CREATE ROLE mid; GRANT mid TO service; CREATE ROLE other; CREATE ROLE anon; CREATE ROLE authenticated").await;
    let mut plants: Vec<Plant> = vec![
        (
            FindingKind::PowerfulRole,
            "GRANT pg_read_all_settings TO mid",
            "REVOKE pg_read_all_settings FROM mid",
            &["!PowerfulRole pg_read_all_settings"],
        ),
        (
            FindingKind::PowerfulRole,
            "GRANT pg_signal_backend TO service",
            "REVOKE pg_signal_backend FROM service",
            &["PowerfulRole pg_signal_backend"],
        ),
        (
            FindingKind::AdminOption,
            "GRANT tenancy_app TO service WITH ADMIN OPTION",
            "REVOKE ADMIN OPTION FOR tenancy_app FROM service",
            &["AdminOption tenancy_app"],
        ),
        (
            FindingKind::DefaultPrivileges,
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO tenancy_app",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE SELECT ON TABLES FROM tenancy_app",
            &["DefaultPrivileges TABLES OF postgres IN SCHEMA public TO tenancy_app"],
        ),
        (
            FindingKind::DefaultPrivileges,
            "ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, other, anon",
            "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC, other, anon",
            &[
                "DefaultPrivileges TABLES OF postgres TO PUBLIC",
                "DefaultPrivileges TABLES OF postgres TO anon",
            ],
        ),
        (
            FindingKind::ExcessGrant,
            "GRANT TRUNCATE, REFERENCES, TRIGGER ON orders TO authenticated, other",
            "REVOKE TRUNCATE, REFERENCES, TRIGGER ON orders FROM authenticated, other",
            &["ExcessGrant public.orders TO authenticated"],
        ),
        // The login of a Supabase service is a member of the API roles.
        (
            FindingKind::TruncateGranted,
            "GRANT authenticated TO service; GRANT TRUNCATE ON orders TO authenticated",
            "REVOKE authenticated FROM service; REVOKE TRUNCATE ON orders FROM authenticated",
            &["!TruncateGranted public.orders"],
        ),
        (
            FindingKind::SequenceVisible,
            "CREATE SEQUENCE numbers; GRANT SELECT ON SEQUENCE numbers TO mid",
            "DROP SEQUENCE numbers",
            &["SequenceVisible SEQUENCE public.numbers"],
        ),
        (
            FindingKind::Owner,
            "CREATE EXTENSION citext; UPDATE pg_extension SET extowner = 'service'::regrole WHERE extname = 'citext'",
            "DROP EXTENSION citext",
            &["!Owner EXTENSION citext"],
        ),
    ];
    if version(&schema).await >= 150_000 {
        plants.push((
            FindingKind::ParameterGranted,
            "GRANT SET ON PARAMETER session_replication_role TO mid",
            "REVOKE SET ON PARAMETER session_replication_role FROM mid",
            &["!ParameterGranted session_replication_role"],
        ));
        plants.push((
            FindingKind::ParameterGranted,
            "GRANT ALTER SYSTEM ON PARAMETER work_mem TO PUBLIC",
            "REVOKE ALTER SYSTEM ON PARAMETER work_mem FROM PUBLIC",
            &["!ParameterGranted work_mem"],
        ));
    }
    if version(&schema).await >= 170_000 {
        plants.push((
            FindingKind::ExcessGrant,
            "GRANT MAINTAIN ON orders TO mid",
            "REVOKE MAINTAIN ON orders FROM mid",
            &["ExcessGrant public.orders"],
        ));
    }
    each_is_found(&schema, &plants).await;
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_ways_to_other_servers() {
    let schema = Orders::alone().await;
    schema.operate("CREATE ROLE mid; GRANT mid TO service; CREATE ROLE other").await;
    let plants: &[Plant] = &[
        (
            FindingKind::ForeignTable,
            "CREATE FOREIGN DATA WRAPPER far; GRANT USAGE ON FOREIGN DATA WRAPPER far TO PUBLIC",
            "DROP FOREIGN DATA WRAPPER far",
            &["!ForeignTable DATA WRAPPER far"],
        ),
        (
            FindingKind::ForeignTable,
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far; \
            GRANT USAGE ON FOREIGN SERVER away TO mid",
            "DROP FOREIGN DATA WRAPPER far CASCADE",
            &["!ForeignTable SERVER away"],
        ),
        (
            FindingKind::ForeignTable,
            "CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far; \
            CREATE USER MAPPING FOR PUBLIC SERVER away; CREATE USER MAPPING FOR service SERVER away; \
            CREATE USER MAPPING FOR other SERVER away",
            "DROP FOREIGN DATA WRAPPER far CASCADE",
            &[
                "!ForeignTable USER MAPPING FOR PUBLIC SERVER away",
                "!ForeignTable USER MAPPING FOR service SERVER away",
            ],
        ),
    ];
    each_is_found(&schema, plants).await;
}

async fn version(schema: &Orders) -> i32 {
    let sql = "SELECT current_setting('server_version_num')::int";
    schema.operator.query_one(sql, &[]).await.expect("a version").get(0)
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn sql_of_the_findings_revokes_the_privileges() {
    let mut schema = Orders::alone().await;
    schema
        .operate(
            "CREATE ROLE mid; GRANT mid TO service; CREATE ROLE anon; CREATE SEQUENCE \"Odd's\"; \
            GRANT pg_monitor TO mid; GRANT tenancy_app TO service WITH ADMIN OPTION; \
            GRANT UPDATE ON SEQUENCE \"Odd's\" TO mid; \
            GRANT TRUNCATE, REFERENCES, TRIGGER ON orders TO anon, mid, PUBLIC; \
            ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, mid; \
            ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO PUBLIC; \
            CREATE FOREIGN DATA WRAPPER far; CREATE SERVER away FOREIGN DATA WRAPPER far; \
            GRANT USAGE ON FOREIGN SERVER away TO mid; GRANT USAGE ON FOREIGN DATA WRAPPER far TO PUBLIC; \
            GRANT CREATE ON SCHEMA public TO mid; GRANT SELECT (id) ON tenancy.keys TO mid; \
            GRANT SELECT ON pg_catalog.pg_authid TO mid; CREATE TABLE \"Odd's table\" (tenant_id uuid)",
        )
        .await;
    for kind in [
        FindingKind::PowerfulRole,
        FindingKind::AdminOption,
        FindingKind::SequenceVisible,
        FindingKind::TruncateGranted,
        FindingKind::ExcessGrant,
        FindingKind::DefaultPrivileges,
        FindingKind::ForeignTable,
        FindingKind::CreateGranted,
        FindingKind::KeysGranted,
        FindingKind::CatalogGranted,
        FindingKind::TempGranted,
        FindingKind::LargeObjects,
        FindingKind::RlsDisabled,
        FindingKind::DefaultMissing,
    ] {
        if found(&schema).await.iter().any(|finding| finding.contains(&format!("{kind:?} "))) {
            mend(&mut schema, kind).await;
        } else {
            // enable_table removes several findings of a table.
            assert_eq!(kind, FindingKind::DefaultMissing);
        }
    }
    assert!(!found(&schema).await.iter().any(|finding| finding.starts_with('!')));
}

/// `pg_stat_statements` shows the statements of the service's role, and the service is one role for all tenants.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn extensions_that_show_other_tenants_are_found() {
    let mut schema = Orders::start().await;
    schema.operate("CREATE EXTENSION pg_stat_statements").await;
    let new = found(&schema).await;
    assert!(new.contains(&"!StatisticsVisible EXTENSION pg_stat_statements".to_owned()), "{new:?}");
    mend(&mut schema, FindingKind::StatisticsVisible).await;
    assert_eq!(schema.attack("SELECT query FROM pg_stat_statements").await, "ERROR 42501");
    if version(&schema).await >= 150_000 {
        schema.operate("CREATE EXTENSION pg_walinspect").await;
        assert!(!found(&schema).await.iter().any(|finding| finding.starts_with('!')), "superusers only");
        schema.operate("GRANT EXECUTE ON FUNCTION pg_get_wal_record_info(pg_lsn) TO tenancy_app").await;
        let new = found(&schema).await;
        assert!(
            new.contains(&"!PowerfulFunction public.pg_get_wal_record_info(pg_lsn)".to_owned()),
            "{new:?}"
        );
        mend(&mut schema, FindingKind::PowerfulFunction).await;
    }
}

/// An extension's table has no tenant either: what one tenant's call writes, another reads.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_table_of_an_extension_is_not_exempt() {
    let schema = Orders::start().await;
    schema
        .operate(&format!(
            "CREATE EXTENSION citext; CREATE TABLE queue (body text); INSERT INTO queue VALUES ('of {B}'); \
            ALTER EXTENSION citext ADD TABLE queue; GRANT SELECT ON queue TO tenancy_app; \
            CREATE VIEW jobs AS SELECT body FROM queue; ALTER EXTENSION citext ADD VIEW jobs; \
            ALTER VIEW jobs OWNER TO view_owner; GRANT SELECT ON queue TO view_owner; GRANT SELECT ON jobs TO PUBLIC"
        ))
        .await;
    assert_eq!(schema.attack("SELECT body FROM queue").await, format!("of {B}"));
    let found = found(&schema).await;
    for object in ["public.queue", "public.jobs"] {
        assert!(found.contains(&format!("!NoTenantId {object}")), "{found:?}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_constraints_that_only_look_as_if_they_had_the_tenant() {
    let schema = Orders::start().await;
    schema
        .operate(
            "CREATE EXTENSION btree_gist; CREATE TABLE keyed (id int, other uuid); \
        SELECT tenancy.enable_table('keyed'); ALTER TABLE keyed ADD PRIMARY KEY (tenant_id, id); \
        ALTER TABLE keyed ADD CONSTRAINT pair UNIQUE (tenant_id, other)",
        )
        .await;
    let unique = FindingKind::UniqueWithoutTenant;
    let mut plants: Vec<Plant> = vec![
        (
            unique,
            "CREATE UNIQUE INDEX looks ON keyed ((tenant_id::text), id)",
            "DROP INDEX looks",
            &["UniqueWithoutTenant public.looks ON public.keyed"],
        ),
        (
            unique,
            "CREATE UNIQUE INDEX looks ON keyed (id) WHERE tenant_id IS NOT NULL",
            "DROP INDEX looks",
            &["UniqueWithoutTenant public.looks ON public.keyed"],
        ),
        (
            unique,
            "ALTER TABLE keyed ADD CONSTRAINT looks EXCLUDE USING gist (tenant_id WITH <>, id WITH =)",
            "ALTER TABLE keyed DROP CONSTRAINT looks",
            &["UniqueWithoutTenant public.looks ON public.keyed"],
        ),
        (
            unique,
            "ALTER TABLE keyed ADD CONSTRAINT looks EXCLUDE USING gist (id WITH =)",
            "ALTER TABLE keyed DROP CONSTRAINT looks",
            &["UniqueWithoutTenant public.looks ON public.keyed"],
        ),
        (
            unique,
            "CREATE FUNCTION same(uuid, uuid) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 0'; \
            CREATE OPERATOR CLASS same FOR TYPE uuid USING btree AS FUNCTION 1 same(uuid, uuid), \
            OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >; \
            CREATE UNIQUE INDEX looks ON keyed (tenant_id same, id)",
            "DROP INDEX looks; DROP OPERATOR FAMILY same USING btree; DROP FUNCTION same(uuid, uuid)",
            &["UniqueWithoutTenant public.looks ON public.keyed"],
        ),
        (
            FindingKind::ForeignKeyWithoutTenant,
            "CREATE TABLE hanging (other uuid); SELECT tenancy.enable_table('hanging'); ALTER TABLE hanging \
            ADD CONSTRAINT crossed FOREIGN KEY (other, tenant_id) REFERENCES keyed (tenant_id, other)",
            "DROP TABLE hanging",
            &["ForeignKeyWithoutTenant crossed ON public.hanging"],
        ),
        (
            FindingKind::ForeignKeyWithoutTenant,
            "CREATE TABLE hanging (id bigint); SELECT tenancy.enable_table('hanging'); ALTER TABLE hanging \
            ADD CONSTRAINT late FOREIGN KEY (id) REFERENCES orders ON DELETE CASCADE NOT VALID",
            "DROP TABLE hanging",
            &["!ForeignKeyWithoutTenant late ON public.hanging"],
        ),
    ];
    if version(&schema).await >= 150_000 {
        plants.push((
            unique,
            "CREATE UNIQUE INDEX looks ON keyed (other) NULLS NOT DISTINCT",
            "DROP INDEX looks",
            &["UniqueWithoutTenant public.looks ON public.keyed"],
        ));
    }
    each_is_found(&schema, &plants).await;
    // These compare the tenant.
    let before = found(&schema).await;
    schema
        .operate(
            "ALTER TABLE keyed ADD CONSTRAINT holds EXCLUDE USING gist (tenant_id WITH =, id WITH =); \
            CREATE UNIQUE INDEX also ON keyed (tenant_id, id) WHERE id > 0; \
            CREATE TABLE hanging (other uuid); SELECT tenancy.enable_table('hanging'); ALTER TABLE hanging \
            ADD FOREIGN KEY (tenant_id, other) REFERENCES keyed (tenant_id, other) ON DELETE CASCADE",
        )
        .await;
    assert_eq!(found(&schema).await, before);
}

/// With `UPDATE` on a sequence one tenant makes the inserts of another fail.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_tenant_with_a_sequence_stops_another_ones_inserts() {
    let mut schema = Orders::start().await;
    schema
        .operate(
            "CREATE TABLE slips (id serial PRIMARY KEY); SELECT tenancy.enable_table('slips'); \
            GRANT SELECT, UPDATE ON SEQUENCE slips_id_seq TO tenancy_app",
        )
        .await;
    let insert = "INSERT INTO slips DEFAULT VALUES RETURNING id";
    assert_eq!(outcome(&schema.entered(B).await, &format!("{insert}; COMMIT")).await, "1");
    let a = schema.entered(A).await;
    assert_eq!(outcome(&a, "SELECT last_value FROM slips_id_seq").await, "1", "A counts B's rows");
    outcome(&a, "SELECT setval('slips_id_seq', 2147483647); COMMIT").await;
    assert_eq!(outcome(&schema.entered(B).await, insert).await, "ERROR 2200H");
    let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
    assert!(findings.iter().any(|f| short(f) == "SequenceVisible SEQUENCE public.slips_id_seq"));
    mend(&mut schema, FindingKind::SequenceVisible).await;
    assert_eq!(schema.attack("SELECT last_value FROM slips_id_seq").await, "ERROR 42501");
}
