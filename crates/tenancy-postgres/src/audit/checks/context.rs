//! The schema `tenancy`: keys, functions, and the table of tenants.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::KeysGranted,
        since: ANY,
        remedy: Remedy::Sql("REVOKE ALL ON {} FROM {roles}"),
        sql: "SELECT format('tenancy.%I', c.relname), true
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'tenancy' AND c.relkind IN ('r', 'p', 'v', 'm') AND c.relname <> 'tenants' AND EXISTS (
                SELECT FROM reach
                WHERE has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
                    OR has_any_column_privilege(role, c.oid, 'SELECT, INSERT, UPDATE')
            )",
    },
    Check {
        kind: FindingKind::ContextAltered,
        since: ANY,
        remedy: Remedy::Text("apply the migrations again: tenancy-pg migrate"),
        sql: "SELECT format('tenancy.%I', name), true
            FROM form CROSS JOIN (
                VALUES ('enter', true, 'sv'), ('tenant_id', true, 's'), ('leave', false, 'v')
            ) AS f (name, definer, volatility)
            WHERE form.signed AND NOT EXISTS (
                SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = 'tenancy' AND p.proname = name AND p.prosecdef = definer
                    AND strpos(volatility, p.provolatile::text) > 0 AND NOT p.proleakproof AND NOT p.proisstrict
            )
            UNION ALL SELECT format('tenancy.%I', p.proname), true
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE n.nspname = 'tenancy' AND (
                p.prosrc NOT IN (SELECT body FROM bodies) OR p.proowner <> to_regrole('tenancy_owner')
                OR p.proconfig IS NOT NULL
                OR (p.proname NOT IN ('enter', 'tenant_id', 'leave')
                    AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE')))
            )",
    },
    Check {
        kind: FindingKind::ContextAltered,
        since: ANY,
        remedy: Remedy::Text("apply the migrations again: tenancy-pg migrate"),
        // Domains that would accept a value without calling their function.
        sql: "SELECT format('tenancy.%I', domains.name), true
            FROM form CROSS JOIN (VALUES
                ('entering', 'bytea'::regtype, 'CHECK (tenancy.enter(VALUE))'),
                ('leaving', 'float8'::regtype, 'CHECK (tenancy.leave(VALUE))')
            ) AS domains (name, base, definition)
            WHERE form.signed AND EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'tenancy' AND c.relname = 'secrets') AND NOT EXISTS (
                SELECT FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
                    JOIN pg_constraint c ON c.contypid = t.oid
                WHERE n.nspname = 'tenancy' AND t.typname = domains.name AND t.typtype = 'd'
                    AND t.typbasetype = base AND NOT t.typnotnull AND t.typdefault IS NULL
                    AND t.typowner = to_regrole('tenancy_owner')
                    AND c.convalidated AND pg_get_constraintdef(c.oid) = definition
            )",
    },
    Check {
        kind: FindingKind::ContextAltered,
        since: ANY,
        remedy: Remedy::Text("apply the migrations again, and revoke all other privileges of {roles} on {}"),
        // With more privileges a tenant could lock the table, or change the slugs of other tenants.
        sql: "SELECT 'tenancy.tenants', true FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = 'tenancy' AND c.relname = 'tenants' AND (
                c.relkind <> 'r' OR NOT c.relrowsecurity OR c.relowner <> to_regrole('tenancy_owner')
                OR EXISTS (
                    SELECT FROM reach
                    WHERE has_table_privilege(role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                        OR has_column_privilege(role, c.oid, 'id', 'UPDATE')
                        OR has_any_column_privilege(role, c.oid, 'REFERENCES')
                )
                OR EXISTS (
                    SELECT FROM (VALUES
                        ('tenancy_isolation', '*', false,
                            $$(( SELECT tenancy.tenant_id() AS tenant_id) =
                                ANY (ARRAY[id, '00000000-0000-0000-0000-000000000001'::uuid]))$$,
                            $$(( SELECT tenancy.tenant_id() AS tenant_id) =
                                '00000000-0000-0000-0000-000000000001'::uuid)$$),
                        ('tenancy_writing', 'w', false,
                            $$(( SELECT tenancy.tenant_id() AS tenant_id) =
                                '00000000-0000-0000-0000-000000000001'::uuid)$$,
                            $$(( SELECT tenancy.tenant_id() AS tenant_id) =
                                '00000000-0000-0000-0000-000000000001'::uuid)$$),
                        ('tenancy_access', '*', true, 'true', 'true')
                    ) AS emitted (name, command, permissive, qual, checked)
                    WHERE NOT EXISTS (
                        SELECT FROM pg_policy p
                        WHERE p.polrelid = c.oid AND p.polname = emitted.name AND p.polcmd::text = command
                            AND p.polpermissive = permissive AND p.polroles = '{0}'
                            AND pg_get_expr(p.polqual, c.oid) = regexp_replace(qual, '\\s+', ' ', 'g')
                            AND pg_get_expr(p.polwithcheck, c.oid) = regexp_replace(checked, '\\s+', ' ', 'g')
                    )
                )
                OR EXISTS (
                    SELECT FROM (VALUES
                        ('tenants_written', 'tenants_written', 22), ('tenant_changed', 'tenant_changed', 19),
                        ('tenants_notify', 'tenants_notify', 29), ('tenants_emptied', 'tenants_notify', 32)
                    ) AS emitted (name, function, type)
                    WHERE NOT EXISTS (
                        SELECT FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
                            JOIN pg_namespace n ON n.oid = p.pronamespace
                        WHERE t.tgrelid = c.oid AND t.tgname = emitted.name AND t.tgtype = type
                            AND t.tgenabled IN ('O', 'A') AND t.tgqual IS NULL AND t.tgattr = ''
                            AND n.nspname = 'tenancy' AND p.proname = function
                    )
                )
            )",
    },
];
