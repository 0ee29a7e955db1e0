//! Ownership, and privileges that a service does not need.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::Owner,
        since: ANY,
        remedy: Remedy::Text("change the owner to a role that no service is a member of"),
        sql: "SELECT name, true FROM relations WHERE relowner IN (SELECT role FROM reach)
            UNION ALL SELECT format('SCHEMA %I', nspname), true FROM pg_namespace
                WHERE nspname !~ '^pg_' AND nspowner IN (SELECT role FROM reach)
            UNION ALL SELECT format('DATABASE %I', datname), true FROM pg_database
                WHERE datname = current_database() AND datdba IN (SELECT role FROM reach)
            UNION ALL SELECT format('EXTENSION %I', extname), true FROM pg_extension
                WHERE extname <> 'plpgsql' AND extowner IN (SELECT role FROM reach)
            UNION ALL SELECT format('LANGUAGE %I', lanname), true FROM pg_language
                WHERE oid >= 16384 AND lanowner IN (SELECT role FROM reach)
            UNION ALL SELECT format('SERVER %I', srvname), true FROM pg_foreign_server
                WHERE srvowner IN (SELECT role FROM reach)
            UNION ALL SELECT 'FUNCTION ' || p.oid::regprocedure::text, true
                FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname !~ '^pg_' AND n.nspname <> 'tenancy' AND p.proowner IN (SELECT role FROM reach)
            UNION ALL SELECT 'TYPE ' || t.oid::regtype::text, true
                FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                WHERE n.nspname !~ '^pg_' AND t.typrelid = 0 AND t.typelem = 0
                    AND t.typowner IN (SELECT role FROM reach)
            UNION ALL SELECT 'OPERATOR ' || o.oid::regoperator::text, true
                FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
                WHERE n.nspname !~ '^pg_' AND o.oprowner IN (SELECT role FROM reach)",
    },
    Check {
        kind: FindingKind::CatalogGranted,
        since: ANY,
        remedy: Remedy::Sql("REVOKE ALL ON {} FROM {roles}"),
        sql: "SELECT c.oid::regclass::text, true FROM pg_class c
            WHERE c.relnamespace = 'pg_catalog'::regnamespace
                AND c.relname IN ('pg_statistic', 'pg_statistic_ext_data', 'pg_authid', 'pg_largeobject',
                    'pg_user_mapping', 'pg_subscription')
                AND EXISTS (
                    SELECT FROM reach WHERE has_table_privilege(role, c.oid, 'SELECT')
                        OR (c.relname <> 'pg_subscription' AND has_any_column_privilege(role, c.oid, 'SELECT'))
                )",
    },
    Check {
        kind: FindingKind::TruncateGranted,
        since: ANY,
        remedy: Remedy::Sql("REVOKE TRUNCATE ON {} FROM {roles}"),
        sql: "SELECT name, true FROM tables
            WHERE EXISTS (SELECT FROM reach WHERE has_table_privilege(role, tables.oid, 'TRUNCATE'))",
    },
    Check {
        kind: FindingKind::ExcessGrant,
        since: ANY,
        remedy: Remedy::Sql("REVOKE REFERENCES, TRIGGER ON {} FROM {roles}"),
        sql: "SELECT name, false FROM tables WHERE EXISTS (
                SELECT FROM reach WHERE has_table_privilege(role, tables.oid, 'REFERENCES, TRIGGER')
                    OR has_any_column_privilege(role, tables.oid, 'REFERENCES')
            )",
    },
    Check {
        kind: FindingKind::ExcessGrant,
        since: 170_000,
        remedy: Remedy::Row("revoke MAINTAIN on {}"),
        // MAINTAIN allows LOCK TABLE in all modes, ANALYZE, REINDEX and CLUSTER.
        sql: "SELECT name, false, NULL::text, format('REVOKE MAINTAIN ON %s FROM %s', name, (SELECT list FROM roles))
            FROM relations WHERE EXISTS (SELECT FROM reach WHERE has_table_privilege(role, relations.oid, 'MAINTAIN'))",
    },
    Check {
        kind: FindingKind::ExcessGrant,
        since: ANY,
        remedy: Remedy::Row("revoke the privileges"),
        // The API roles of Supabase get all privileges on tables by default. They are not this service's roles, but
        // their users are tenants' users too.
        sql: "SELECT format('%s TO %I', name, r.rolname), false, NULL::text,
                format('REVOKE TRUNCATE, REFERENCES, TRIGGER ON %s FROM %I', name, r.rolname)
            FROM tables CROSS JOIN pg_roles r
            WHERE r.rolname IN ('anon', 'authenticated') AND r.oid NOT IN (SELECT role FROM reach) AND NOT r.rolsuper
                AND has_table_privilege(r.oid, tables.oid, 'TRUNCATE, REFERENCES, TRIGGER')",
    },
    Check {
        kind: FindingKind::CreateGranted,
        since: ANY,
        remedy: Remedy::Sql("REVOKE CREATE ON {} FROM {roles}"),
        // Statements of other roles would call an operator that the role creates, or use a schema of the role's name.
        sql: "SELECT format('SCHEMA %I', nspname), true FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
                AND EXISTS (SELECT FROM reach WHERE has_schema_privilege(role, pg_namespace.oid, 'CREATE'))
            UNION ALL SELECT format('DATABASE %I', datname), true FROM pg_database
            WHERE datname = current_database()
                AND EXISTS (SELECT FROM reach WHERE has_database_privilege(role, pg_database.oid, 'CREATE'))",
    },
    Check {
        kind: FindingKind::TempGranted,
        since: ANY,
        remedy: Remedy::Sql("REVOKE TEMPORARY ON DATABASE {} FROM {roles}"),
        sql: "SELECT format('%I', datname), false FROM pg_database
            WHERE datname = current_database()
                AND EXISTS (SELECT FROM reach WHERE has_database_privilege(role, pg_database.oid, 'TEMPORARY'))",
    },
    Check {
        kind: FindingKind::DefaultPrivileges,
        since: ANY,
        remedy: Remedy::Row("ALTER DEFAULT PRIVILEGES"),
        // A table is readable from its creation until an operator enables it for tenants. EXECUTE for PUBLIC is the
        // server's default, and not reported.
        sql: "SELECT DISTINCT format('%s OF %I%s TO %s', kind.name, owner.rolname, ' IN SCHEMA ' || quote_ident(n.nspname), grantee.name),
                false, NULL::text,
                format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s REVOKE ALL ON %s FROM %s', owner.rolname,
                    ' IN SCHEMA ' || quote_ident(n.nspname), kind.name, grantee.name)
            FROM pg_default_acl d JOIN pg_roles owner ON owner.oid = d.defaclrole
                LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
                JOIN (VALUES ('r', 'TABLES'), ('S', 'SEQUENCES'), ('f', 'FUNCTIONS'), ('n', 'SCHEMAS')) AS kind (code, name)
                    ON kind.code = d.defaclobjtype::text
                CROSS JOIN LATERAL aclexplode(d.defaclacl) AS granted
                LEFT JOIN pg_roles r ON r.oid = granted.grantee
                CROSS JOIN LATERAL (
                    SELECT CASE WHEN granted.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(r.rolname) END AS name
                ) AS grantee
            WHERE granted.grantee <> d.defaclrole
                AND (granted.grantee = 0 OR granted.grantee IN (SELECT role FROM reach)
                    OR r.rolname IN ('anon', 'authenticated'))
                AND NOT (kind.code = 'f' AND granted.grantee = 0)
                AND NOT (kind.code = 'S' AND granted.privilege_type = 'USAGE')",
    },
];
