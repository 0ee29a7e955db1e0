//! Languages, extensions and foreign servers.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::SessionState,
        since: ANY,
        remedy: Remedy::Row("revoke USAGE on the language"),
        // The interpreter of a language lives as long as the session, and one tenant can replace what another calls.
        // Only superusers can use a language that is not trusted.
        sql: "SELECT format('LANGUAGE %I', lanname), true, NULL::text,
                format('REVOKE USAGE ON LANGUAGE %I FROM %s', lanname, (SELECT list FROM roles))
            FROM pg_language l
            WHERE lanpltrusted AND lanname NOT IN ('sql', 'c', 'internal', 'plpgsql')
                AND EXISTS (SELECT FROM reach WHERE has_language_privilege(role, l.oid, 'USAGE'))",
    },
    Check {
        kind: FindingKind::SessionState,
        since: ANY,
        remedy: Remedy::Row("rewrite {} in SQL or PL/pgSQL, or drop what calls it"),
        sql: "SELECT p.oid::regprocedure::text, true, string_agg(DISTINCT running.through, ', '),
                CASE WHEN bool_and(running.kind = 'granted') THEN
                    format('REVOKE EXECUTE ON ROUTINE %s FROM %s', p.oid::regprocedure, (SELECT list FROM roles))
                END
            FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN running ON running.oid = p.oid
            WHERE l.lanname NOT IN ('sql', 'c', 'internal', 'plpgsql')
            GROUP BY p.oid",
    },
    Check {
        kind: FindingKind::SessionState,
        since: ANY,
        remedy: Remedy::Row("revoke EXECUTE on the extension's functions"),
        // Connections, variables, buffers and switches of these extensions last as long as the session. A function that
        // takes or returns an internal type cannot be called by SQL.
        sql: "SELECT format('EXTENSION %I', extname), true, NULL::text,
                format('REVOKE EXECUTE ON ROUTINE %s FROM %s', string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.oid),
                    (SELECT list FROM roles))
            FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                    AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
                JOIN pg_proc p ON p.oid = d.objid
            WHERE (extname IN (SELECT name FROM stateful) OR extname IN (
                    'age', 'citus', 'dblink', 'http', 'hypopg', 'isn', 'mongo_fdw', 'multicorn', 'mysql_fdw',
                    'odbc_fdw', 'ogr_fdw', 'oracle_fdw', 'orafce', 'pg_background', 'pg_duckdb', 'pg_hint_plan',
                    'pg_mooncake', 'pg_session_jwt', 'pg_tle', 'pg_variables', 'pgmemcache', 'pldbgapi', 'plpgsql_check',
                    'plprofiler', 'plproxy', 'postgres_fdw', 'redis_fdw', 'session_variable', 'set_user', 'tds_fdw',
                    'temporal_tables', 'wrappers'
                ))
                AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype,
                    'fdw_handler'::regtype, 'language_handler'::regtype, 'index_am_handler'::regtype,
                    'table_am_handler'::regtype, 'tsm_handler'::regtype)
                AND NOT 'internal'::regtype = ANY (p.proargtypes)
                AND p.proname !~ '_fdw_validator$'
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))
            GROUP BY extname",
    },
    Check {
        kind: FindingKind::StatisticsVisible,
        since: ANY,
        remedy: Remedy::Row("revoke the privileges on the extension's objects"),
        // They show texts or constants of statements, requests, or jobs. A service is one role for all tenants, so the
        // checks of the extensions for the role do not separate tenants.
        sql: "SELECT format('EXTENSION %I', extname), true, NULL::text, concat_ws('; ',
                'REVOKE ALL ON ' || string_agg(member.relation, ', ') || ' FROM ' || (SELECT list FROM roles),
                'REVOKE EXECUTE ON ROUTINE ' || string_agg(member.function, ', ') || ' FROM ' || (SELECT list FROM roles))
            FROM pg_extension e JOIN (
                SELECT d.refobjid AS extension, c.oid::regclass::text AS relation, NULL::text AS function
                FROM pg_depend d JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
                WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND c.relkind IN ('r', 'v', 'm')
                    AND EXISTS (SELECT FROM reach WHERE has_table_privilege(role, c.oid, 'SELECT')
                        OR has_any_column_privilege(role, c.oid, 'SELECT'))
                UNION ALL SELECT d.refobjid, NULL, p.oid::regprocedure::text
                FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
                WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
                    AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))
            ) AS member ON member.extension = e.oid
            WHERE extname IN (
                'pg_cron', 'pg_net', 'pg_profile', 'pg_qualstats', 'pg_query_state', 'pg_show_plans', 'pg_stat_kcache',
                'pg_stat_monitor', 'pg_stat_statements', 'pg_store_plans', 'pg_wait_sampling', 'pgagent', 'pgsentinel',
                'powa'
            )
            GROUP BY extname",
    },
    Check {
        kind: FindingKind::PowerfulFunction,
        since: ANY,
        remedy: Remedy::Sql("REVOKE EXECUTE ON ROUTINE {} FROM {roles}"),
        // They read pages, WAL or dead rows without policies, or change them. The functions of pageinspect check by
        // themselves that their caller is a superuser.
        sql: "SELECT p.oid::regprocedure::text,
                extname IN ('adminpack', 'pg_dirtyread', 'pg_surgery', 'pg_walinspect')
            FROM pg_extension e JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                    AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
                JOIN pg_proc p ON p.oid = d.objid
            WHERE extname IN ('adminpack', 'amcheck', 'pg_buffercache', 'pg_dirtyread', 'pg_freespacemap',
                    'pg_surgery', 'pg_visibility', 'pg_walinspect', 'pgstattuple')
                AND (p.proacl IS NOT NULL OR extname = 'pg_dirtyread')
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))",
    },
    Check {
        kind: FindingKind::ForeignTable,
        since: ANY,
        remedy: Remedy::Sql("REVOKE USAGE ON FOREIGN {} FROM {roles}"),
        sql: "SELECT format('SERVER %I', srvname), true FROM pg_foreign_server s
            WHERE EXISTS (SELECT FROM reach WHERE has_server_privilege(role, s.oid, 'USAGE'))
            UNION ALL SELECT format('DATA WRAPPER %I', fdwname), true FROM pg_foreign_data_wrapper w
            WHERE EXISTS (SELECT FROM reach WHERE has_foreign_data_wrapper_privilege(role, w.oid, 'USAGE'))",
    },
    Check {
        kind: FindingKind::ForeignTable,
        since: ANY,
        remedy: Remedy::Text("DROP {}, if no other program needs it"),
        sql: "SELECT format('USER MAPPING FOR %s SERVER %I',
                CASE WHEN umuser = 0 THEN 'PUBLIC' ELSE quote_ident(usename) END, srvname), true
            FROM pg_user_mappings WHERE umuser = 0 OR umuser IN (SELECT role FROM reach)",
    },
];
