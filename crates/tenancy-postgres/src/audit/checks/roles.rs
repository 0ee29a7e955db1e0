//! The role itself, its memberships, and its settings.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::Superuser,
        since: ANY,
        remedy: Remedy::Text("connect as a role that is neither a superuser nor a member of one"),
        sql: "SELECT rolname::text, true FROM pg_roles WHERE rolsuper AND oid IN (SELECT role FROM reach)",
    },
    Check {
        kind: FindingKind::BypassRls,
        since: ANY,
        remedy: Remedy::Text("connect as a role that neither has BYPASSRLS nor is a member of a role that has it"),
        sql: "SELECT rolname::text, true FROM pg_roles WHERE rolbypassrls AND oid IN (SELECT role FROM reach)",
    },
    Check {
        kind: FindingKind::PowerfulRole,
        since: ANY,
        remedy: Remedy::Row("revoke the membership, or the attribute"),
        sql: "SELECT rolname::text, true, NULL::text, CASE
                WHEN rolname ~ '^pg_' THEN (
                    SELECT string_agg(format('REVOKE %I FROM %I', pg_roles.rolname, member.rolname), '; ' ORDER BY member.rolname)
                    FROM pg_auth_members m JOIN pg_roles member ON member.oid = m.member
                    WHERE m.roleid = pg_roles.oid AND m.member IN (SELECT role FROM reach) AND member.rolname !~ '^pg_'
                )
                WHEN NOT rolsuper THEN format('ALTER ROLE %I NOCREATEROLE NOREPLICATION', rolname)
            END
            FROM pg_roles WHERE oid IN (SELECT role FROM reach) AND (
                rolcreaterole OR rolreplication OR rolname IN (
                    'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
                    'pg_write_all_data', 'pg_read_all_data', 'pg_maintain', 'pg_create_subscription',
                    'pg_monitor', 'pg_read_all_stats', 'pg_read_all_settings', 'pg_stat_scan_tables'
                ))",
    },
    Check {
        kind: FindingKind::PowerfulRole,
        since: ANY,
        remedy: Remedy::Row("revoke the membership"),
        // These roles disturb other sessions. They read nothing.
        sql: "SELECT rolname::text, false, NULL::text, (
                SELECT string_agg(format('REVOKE %I FROM %I', pg_roles.rolname, member.rolname), '; ' ORDER BY member.rolname)
                FROM pg_auth_members m JOIN pg_roles member ON member.oid = m.member
                WHERE m.roleid = pg_roles.oid AND m.member IN (SELECT role FROM reach) AND member.rolname !~ '^pg_'
            )
            FROM pg_roles WHERE oid IN (SELECT role FROM reach) AND rolname IN (
                'pg_signal_backend', 'pg_checkpoint', 'pg_use_reserved_connections', 'pg_signal_autovacuum_worker'
            )",
    },
    Check {
        kind: FindingKind::AdminOption,
        since: ANY,
        remedy: Remedy::Row("revoke the ADMIN OPTION"),
        sql: "SELECT DISTINCT format('%I', r.rolname), false, NULL::text,
                format('REVOKE ADMIN OPTION FOR %I FROM %I', r.rolname, member.rolname)
            FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid JOIN pg_roles member ON member.oid = m.member
            WHERE m.admin_option AND m.member IN (SELECT role FROM reach)
                AND NOT EXISTS (SELECT FROM pg_roles WHERE rolsuper AND oid IN (SELECT role FROM reach))",
    },
    Check {
        kind: FindingKind::ParameterGranted,
        since: 150_000,
        remedy: Remedy::Sql("REVOKE SET, ALTER SYSTEM ON PARAMETER {} FROM {roles}"),
        sql: "SELECT quote_ident(parname), true FROM pg_parameter_acl
            WHERE EXISTS (SELECT FROM reach WHERE has_parameter_privilege(role, parname, 'SET, ALTER SYSTEM'))
                AND NOT EXISTS (SELECT FROM pg_roles WHERE rolsuper AND oid IN (SELECT role FROM reach))",
    },
    Check {
        kind: FindingKind::RoleSettings,
        since: ANY,
        remedy: Remedy::Text("check that each setting is intended; ALTER ROLE {} RESET ALL removes them"),
        sql: "SELECT DISTINCT format('%I', r.rolname), false
            FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
            WHERE s.setrole IN (SELECT role FROM reach)
                AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                AND s.setconfig <> ARRAY['track_activities=off']",
    },
    Check {
        kind: FindingKind::ActivityVisible,
        since: ANY,
        remedy: Remedy::Text(
            "ALTER ROLE {} SET track_activities = off, or pass values as parameters and never in the text of SQL",
        ),
        sql: "SELECT format('%I', rolname), false FROM pg_roles
            WHERE oid = $1 AND has_function_privilege(oid, 'pg_stat_get_activity(integer)', 'EXECUTE')
                AND NOT EXISTS (
                    SELECT FROM pg_db_role_setting s
                    WHERE s.setrole = $1 AND 'track_activities=off' = ANY (s.setconfig)
                        AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                )",
    },
];
