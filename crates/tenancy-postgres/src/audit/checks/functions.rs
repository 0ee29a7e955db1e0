//! Functions that run in a tenant's statements: as their owners, or on rows that policies hide.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::SecurityDefiner,
        since: ANY,
        remedy: Remedy::Row(
            "ALTER FUNCTION {} SECURITY INVOKER, or change the owner to a role that does not bypass row-level security",
        ),
        // An owner of tenants' tables can disable their policies. The server checks EXECUTE where a statement names a
        // function, an operator or a cast, and in defaults, constraints, policies and index expressions. It does not
        // check it for `called`. A trigger function can be called by a role that can create tables.
        //
        // Trigger functions of tenancy_owner belong to crates like tenancy-agents. Functions of extensions are reviewed
        // with the extension. Both are warnings.
        sql: "SELECT p.oid::regprocedure::text,
                p.proowner IN (SELECT role FROM bypass) AND bool_or(CASE
                    WHEN way.kind = 'trigger' THEN p.proowner IS DISTINCT FROM to_regrole('tenancy_owner')::oid
                    WHEN way.kind <> 'granted' THEN true
                    WHEN p.prorettype = 'event_trigger'::regtype THEN false
                    WHEN p.prorettype = 'trigger'::regtype THEN EXISTS (
                        SELECT FROM pg_database d CROSS JOIN reach
                        WHERE d.datname = current_database()
                            AND has_database_privilege(reach.role, d.oid, 'TEMPORARY, CREATE')
                    )
                    ELSE true
                END)
                AND NOT EXISTS (
                    SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                ),
                string_agg(way.through, ', ' ORDER BY way.through),
                CASE WHEN bool_and(way.kind IN ('granted', 'aggregate')) THEN (
                    SELECT string_agg(format('REVOKE EXECUTE ON ROUTINE %s FROM %s', name, (SELECT list FROM roles)), '; ')
                    FROM (
                        SELECT DISTINCT COALESCE(r.through, p.oid::regprocedure::text) AS name
                        FROM running r WHERE r.oid = p.oid
                    ) AS named
                ) END
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                JOIN (SELECT DISTINCT oid, kind, through FROM running) AS way ON way.oid = p.oid
            WHERE p.prosecdef AND n.nspname NOT IN ('information_schema', 'tenancy')
                AND (p.proowner IN (SELECT role FROM bypass)
                    OR EXISTS (SELECT FROM tables WHERE pg_has_role(p.proowner, relowner, 'MEMBER')))
            GROUP BY p.oid, p.proowner, p.prorettype",
    },
    Check {
        kind: FindingKind::SearchPathMutable,
        since: ANY,
        remedy: Remedy::Text("ALTER FUNCTION {} SET search_path = pg_catalog, pg_temp, and qualify the names in its body"),
        sql: "SELECT DISTINCT p.oid::regprocedure::text, false
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace JOIN running ON running.oid = p.oid
            WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenancy')
                AND p.proowner NOT IN (SELECT role FROM bypass)
                AND NOT EXISTS (SELECT FROM tables WHERE pg_has_role(p.proowner, relowner, 'MEMBER'))
                AND p.proowner NOT IN (SELECT role FROM reach) AND p.prosqlbody IS NULL
                AND NOT EXISTS (SELECT FROM unnest(p.proconfig) AS setting WHERE setting ~ '^search_path=')
                AND p.prolang NOT IN (SELECT oid FROM pg_language WHERE lanname IN ('c', 'internal'))",
    },
    Check {
        kind: FindingKind::Leakproof,
        since: ANY,
        remedy: Remedy::Sql("ALTER FUNCTION {} NOT LEAKPROOF"),
        // The built-in functions that are LEAKPROOF from the start are rows of the server's first transaction.
        sql: "SELECT p.oid::regprocedure::text, NOT EXISTS (
                SELECT FROM pg_depend d JOIN pg_language l ON l.oid = p.prolang
                WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND l.lanname = 'c'
            )
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE p.proleakproof AND (p.oid >= 16384 OR p.xmin::text <> '1') AND n.nspname <> 'tenancy'
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))",
    },
    Check {
        kind: FindingKind::PowerfulFunction,
        since: ANY,
        remedy: Remedy::Sql("REVOKE EXECUTE ON ROUTINE {} FROM {roles}"),
        sql: "SELECT p.oid::regprocedure::text, true FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND p.proname ~ '^(pg_read_(binary_)?file|pg_ls_|pg_stat_file|lo_(import|export)|pg_file_|pg_rotate_logfile|pg_reload_conf|pg_promote|pg_create_|pg_drop_replication|pg_logical_|pg_replication_)'
                AND p.proacl IS NOT NULL
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))",
    },
    Check {
        kind: FindingKind::LargeObjects,
        since: ANY,
        remedy: Remedy::Sql("REVOKE EXECUTE ON ROUTINE {} FROM {roles}"),
        sql: "SELECT p.oid::regprocedure::text, false FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import')
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))",
    },
];
