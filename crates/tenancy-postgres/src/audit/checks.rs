//! The catalog, asked for each kind.

use super::{Finding, FindingKind, Severity};

/// One question.
#[derive(Debug)]
pub(crate) struct Check {
    pub(super) kind: FindingKind,
    /// Its `{}` is the object's name.
    remedy: &'static str,
    /// After [`PREAMBLE`]: rows of an object's name, and whether it is critical.
    sql: &'static str,
}

impl Check {
    pub(crate) fn sql(&self) -> String {
        format!("{PREAMBLE} {}", self.sql)
    }

    /// What a row says.
    pub(crate) fn finding(&self, object: String, is_critical: bool) -> Finding {
        let severity = if is_critical { Severity::Critical } else { Severity::Warning };
        Finding { severity, kind: self.kind, remedy: self.remedy.replace("{}", &object), object }
    }
}

/// What the questions share. `$1` is the user, `$2` the functions' bodies, `$3` to `$5` how policies read.
///
/// A role counts with each that it is a member of, for it can be set. What is granted counts whether or not the
/// schema can be used, for that grant may come.
const PREAMBLE: &str = r"
WITH RECURSIVE bodies (body) AS (SELECT unnest($2::text[])),
form (signed, policy, value) AS (SELECT $3::boolean, $4::text, $5::text[]),
reach (role) AS (
    SELECT $1::oid
    UNION SELECT m.roleid FROM pg_auth_members m JOIN reach ON m.member = reach.role
),
bypass (role) AS (
    SELECT oid FROM pg_roles
    WHERE rolsuper OR rolbypassrls OR (to_regrole('tenancy_owner') IS NOT NULL
        AND pg_has_role(oid, 'tenancy_owner', 'MEMBER'))
),
relations AS (
    SELECT c.oid, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
        format('%I.%I', n.nspname, c.relname) AS name,
        EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        ) AS tenant,
        EXISTS (
            SELECT FROM aclexplode(c.relacl) AS granted
            WHERE granted.grantee = to_regrole('tenancy_shared') AND granted.privilege_type = 'SELECT'
        ) AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_attribute a ON a.attrelid = i.inhrelid
            WHERE i.inhparent = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        ) AS shared,
        EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
        ) AS extends,
        EXISTS (
            SELECT FROM pg_options_to_table(c.reloptions)
            WHERE option_name = 'security_invoker' AND option_value::boolean
        ) AS invoker,
        EXISTS (
            SELECT FROM reach
            WHERE has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                OR has_any_column_privilege(role, c.oid, 'SELECT, INSERT, UPDATE')
        ) AS reached
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenancy') AND n.nspname !~ '^pg_(toast|temp)'
),
tables AS (
    SELECT *, reached OR oid IN (SELECT view FROM opened) AS exposed
    FROM relations WHERE tenant AND relkind IN ('r', 'p')
),
depends (view, source) AS (
    SELECT r.ev_class, d.refobjid
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
),
reads (view, source) AS (
    SELECT view, source FROM depends
    UNION SELECT reads.view, depends.source FROM reads JOIN depends ON depends.view = reads.source
),
opened (view) AS (
    SELECT oid FROM relations WHERE relkind = 'v' AND reached
    UNION SELECT d.source FROM opened JOIN pg_class c ON c.oid = opened.view AND c.relkind = 'v'
        JOIN depends d ON d.view = c.oid
)";

pub(crate) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::Superuser,
        remedy: "connect as a role of the service's own",
        sql: "SELECT rolname::text, true FROM pg_roles WHERE rolsuper AND oid IN (SELECT role FROM reach)",
    },
    Check {
        kind: FindingKind::BypassRls,
        remedy: "connect as a role of the service's own",
        sql: "SELECT rolname::text, true FROM pg_roles WHERE rolbypassrls AND oid IN (SELECT role FROM reach)",
    },
    Check {
        kind: FindingKind::PowerfulRole,
        remedy: "revoke the membership, or the attribute",
        sql: "SELECT rolname::text, true FROM pg_roles WHERE oid IN (SELECT role FROM reach) AND (
            rolcreaterole OR rolreplication OR rolname IN (
                'pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files',
                'pg_write_all_data', 'pg_read_all_data', 'pg_maintain', 'pg_create_subscription',
                'pg_monitor', 'pg_read_all_stats', 'pg_stat_scan_tables'
            ))",
    },
    Check {
        kind: FindingKind::PowerfulFunction,
        remedy: "REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC, tenancy_app, and from the user's other roles",
        sql: "SELECT p.oid::regprocedure::text, true FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND p.proname ~ '^(pg_read_(binary_)?file|pg_ls_|pg_stat_file|lo_(import|export)|pg_file_|pg_rotate_logfile|pg_reload_conf|pg_promote|pg_create_|pg_drop_replication|pg_logical_|pg_replication_)'
                AND p.proacl IS NOT NULL
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))",
    },
    Check {
        kind: FindingKind::CatalogGranted,
        remedy: "REVOKE ALL ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
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
        kind: FindingKind::Owner,
        remedy: "give it to a role that no service is a member of",
        sql: "SELECT name, true FROM relations WHERE relowner IN (SELECT role FROM reach) AND NOT extends
            UNION ALL SELECT format('SCHEMA %I', nspname), true FROM pg_namespace
                WHERE nspname !~ '^pg_' AND nspowner IN (SELECT role FROM reach)
            UNION ALL SELECT format('DATABASE %I', datname), true FROM pg_database
                WHERE datname = current_database() AND datdba IN (SELECT role FROM reach)
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
        kind: FindingKind::KeysGranted,
        remedy: "REVOKE ALL ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
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
        remedy: "run the migrations' SQL again",
        sql: "SELECT format('tenancy.%I', name), true
            FROM form CROSS JOIN (
                VALUES ('enter', true, 'v'), ('tenant_id', true, 's'), ('leave', false, 'v')
            ) AS f (name, definer, volatility)
            WHERE form.signed AND NOT EXISTS (
                SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                WHERE n.nspname = 'tenancy' AND p.proname = name AND p.prosecdef = definer
                    AND p.provolatile::text = volatility AND NOT p.proleakproof AND NOT p.proisstrict
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
        remedy: "run the migrations' SQL again",
        // Domains of context v2 that would accept a value without calling their function.
        sql: "SELECT format('tenancy.%I', domains.name), true
            FROM form CROSS JOIN (VALUES
                ('entering', 'bytea'::regtype, 'CHECK (tenancy.enter(VALUE))'),
                ('leaving', 'float8'::regtype, 'CHECK (tenancy.leave(VALUE))')
            ) AS domains (name, base, definition)
            WHERE form.signed AND to_regclass('tenancy.secrets') IS NOT NULL AND NOT EXISTS (
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
        remedy: "run the migrations' SQL again, and revoke what else the user's roles have on {}",
        // With more than its grants a tenant could lock the table, or change what others are known by.
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
    Check {
        kind: FindingKind::RlsDisabled,
        remedy: "SELECT tenancy.enable_table('{}')",
        sql: "SELECT name, exposed FROM tables WHERE NOT relrowsecurity",
    },
    Check {
        kind: FindingKind::RlsNotForced,
        remedy: "ALTER TABLE {} FORCE ROW LEVEL SECURITY",
        // Supabase's owner bypasses them anyway.
        sql: "SELECT name, exposed AND form.policy IS NOT NULL FROM tables CROSS JOIN form
            WHERE relrowsecurity AND NOT relforcerowsecurity",
    },
    Check {
        kind: FindingKind::PolicyAltered,
        remedy: "SELECT tenancy.enable_table('{}')",
        sql: "SELECT name, exposed FROM tables CROSS JOIN form WHERE relrowsecurity AND NOT EXISTS (
                SELECT FROM pg_policy p
                WHERE p.polrelid = tables.oid AND CASE WHEN form.policy IS NULL
                    THEN pg_get_expr(p.polqual, p.polrelid) ~ '\\mtenant_id\\M'
                    ELSE NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
                        AND pg_get_expr(p.polqual, p.polrelid) = form.policy
                        AND pg_get_expr(p.polwithcheck, p.polrelid) = form.policy
                    END
            )",
    },
    Check {
        kind: FindingKind::PolicyForgeable,
        remedy: "drop the policy",
        sql: "SELECT format('%I ON %s', p.polname, name), false
            FROM relations JOIN pg_policy p ON p.polrelid = relations.oid CROSS JOIN form
            WHERE form.signed AND concat(pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
                ~ 'current_setting\\('",
    },
    Check {
        kind: FindingKind::NullableTenantId,
        remedy: "SELECT tenancy.enable_table('{}')",
        sql: "SELECT name, false FROM tables JOIN pg_attribute a ON a.attrelid = tables.oid
            WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND NOT a.attnotnull",
    },
    Check {
        kind: FindingKind::DefaultMissing,
        remedy: "SELECT tenancy.enable_table('{}')",
        sql: "SELECT name, false FROM tables CROSS JOIN form JOIN pg_attribute a ON a.attrelid = tables.oid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND NOT relispartition
                AND form.value IS NOT NULL AND (pg_get_expr(d.adbin, d.adrelid) = ANY (form.value)) IS NOT TRUE",
    },
    Check {
        kind: FindingKind::View,
        remedy: "ALTER VIEW {} SET (security_invoker), from Postgres 15 on, or give it to a role without BYPASSRLS",
        // A view that it reads by another is that one's, with its owner.
        sql: "SELECT name, true FROM relations
            WHERE relkind = 'v' AND oid IN (SELECT view FROM opened) AND relowner IN (SELECT role FROM bypass)
                AND NOT invoker
                AND EXISTS (
                    SELECT FROM depends JOIN relations r ON r.oid = depends.source
                    WHERE depends.view = relations.oid AND r.tenant AND r.relkind IN ('r', 'p', 'f', 'm')
                )",
    },
    Check {
        kind: FindingKind::View,
        remedy: "DROP VIEW {}, or revoke it from PUBLIC, tenancy_app, and from the user's other roles",
        // What nobody may read but the schema's owner, and a superuser. Nothing is said to depend on a catalog.
        sql: "SELECT DISTINCT name, true FROM relations JOIN depends ON depends.view = relations.oid
                JOIN pg_class c ON c.oid = depends.source JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE relations.relkind IN ('v', 'm') AND (reached OR relations.oid IN (SELECT view FROM opened))
                AND n.nspname = 'tenancy' AND NOT invoker
            UNION ALL SELECT name, true FROM relations
            WHERE relkind IN ('v', 'm') AND (reached OR oid IN (SELECT view FROM opened))
                AND pg_get_viewdef(oid) ~ '\\m(pg_statistic|pg_statistic_ext_data|pg_authid|pg_user_mapping)\\M'",
    },
    Check {
        kind: FindingKind::Rule,
        remedy: "drop the rule on {}, or give the table to a role without BYPASSRLS",
        sql: "SELECT DISTINCT name, relowner IN (SELECT role FROM bypass) FROM relations
                JOIN pg_rewrite r ON r.ev_class = relations.oid
            WHERE relkind IN ('r', 'p') AND reached",
    },
    Check {
        kind: FindingKind::SecurityDefiner,
        remedy: "ALTER FUNCTION {} SECURITY INVOKER, give it to a role without BYPASSRLS, or revoke it from PUBLIC",
        // A trigger's function can't be called, and needs no grant. An extension's is the extension's to answer for.
        // What owns tenants' tables may turn their policies off.
        sql: "SELECT p.oid::regprocedure::text, p.proowner IN (SELECT role FROM bypass)
                AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
                AND NOT EXISTS (
                    SELECT FROM pg_depend d
                    WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
                )
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
            WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenancy')
                AND (p.proowner IN (SELECT role FROM bypass)
                    OR EXISTS (SELECT FROM tables WHERE pg_has_role(p.proowner, relowner, 'MEMBER')))
                AND (EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))
                    OR EXISTS (
                        SELECT FROM pg_trigger t JOIN relations ON relations.oid = t.tgrelid
                        WHERE t.tgfoid = p.oid AND reached
                    ))",
    },
    Check {
        kind: FindingKind::MaterializedView,
        remedy: "REVOKE ALL ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
        sql: "SELECT name, true FROM relations WHERE relkind = 'm' AND (reached OR oid IN (SELECT view FROM opened))
            AND (tenant OR EXISTS (
                SELECT FROM reads JOIN relations r ON r.oid = reads.source
                WHERE reads.view = relations.oid AND r.tenant
            ))",
    },
    Check {
        kind: FindingKind::ForeignTable,
        remedy: "REVOKE ALL ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
        sql: "SELECT name, tenant OR NOT shared FROM relations
            WHERE relkind = 'f' AND (reached OR oid IN (SELECT view FROM opened))
            UNION ALL SELECT format('SERVER %I', srvname), false FROM pg_foreign_server s
            WHERE EXISTS (SELECT FROM reach WHERE has_server_privilege(role, s.oid, 'USAGE'))",
    },
    Check {
        kind: FindingKind::PartitionGranted,
        remedy: "REVOKE ALL ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
        sql: "SELECT name, false FROM tables WHERE relispartition AND reached",
    },
    Check {
        kind: FindingKind::NoTenantId,
        remedy: "SELECT tenancy.enable_table('{}'), or, where all tenants may read it, SELECT tenancy.share_table('{}')",
        // What an extension lets everybody read is the extension's to answer for.
        sql: "SELECT name, true FROM (
                SELECT relations.oid, name, shared OR extends AS readable, EXISTS (
                    SELECT FROM reach
                    WHERE has_table_privilege(role, relations.oid, 'INSERT, UPDATE, DELETE')
                        OR has_any_column_privilege(role, relations.oid, 'INSERT, UPDATE')
                ) AS written
                FROM relations WHERE relkind IN ('r', 'p') AND NOT tenant AND reached
            ) AS plain
            WHERE written OR NOT readable
            UNION ALL SELECT DISTINCT v.name, true
            FROM relations v JOIN reads ON reads.view = v.oid JOIN relations t ON t.oid = reads.source
            WHERE v.relkind = 'v' AND v.oid IN (SELECT view FROM opened) AND NOT (v.shared OR v.extends)
                AND t.relkind IN ('r', 'p') AND NOT (t.tenant OR t.shared OR t.extends)",
    },
    Check {
        kind: FindingKind::UniqueWithoutTenant,
        remedy: "make it begin with tenant_id",
        sql: "SELECT format('%s ON %s', i.indexrelid::regclass, name), false
            FROM tables JOIN pg_index i ON i.indrelid = tables.oid
            WHERE (i.indisunique OR i.indisexclusion) AND NOT relispartition AND NOT EXISTS (
                SELECT FROM pg_attribute a
                WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id'
                    AND a.attnum = ANY (i.indkey[0:i.indnkeyatts - 1])
            )",
    },
    Check {
        kind: FindingKind::IndexWithoutTenant,
        remedy: "make it begin with tenant_id",
        sql: "SELECT format('%s ON %s', i.indexrelid::regclass, name), false
            FROM tables JOIN pg_index i ON i.indrelid = tables.oid
            WHERE NOT (i.indisunique OR i.indisexclusion OR relispartition) AND NOT EXISTS (
                SELECT FROM pg_attribute a
                WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id' AND a.attnum = i.indkey[0]
            )",
    },
    Check {
        kind: FindingKind::ForeignKeyWithoutTenant,
        remedy: "let it have tenant_id on both sides",
        // Where it acts, one tenant's statement changes another's row.
        sql: "SELECT format('%I ON %s', k.conname, t.name), k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')
            FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid JOIN tables r ON r.oid = k.confrelid
            WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
                SELECT FROM unnest(k.conkey, k.confkey) AS pair (own, other)
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = own AND a.attname = 'tenant_id'
                JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = other AND b.attname = 'tenant_id'
            )",
    },
    Check {
        kind: FindingKind::TruncateGranted,
        remedy: "REVOKE TRUNCATE ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
        sql: "SELECT name, true FROM tables
            WHERE EXISTS (SELECT FROM reach WHERE has_table_privilege(role, tables.oid, 'TRUNCATE'))",
    },
    Check {
        kind: FindingKind::ExcessGrant,
        remedy: "REVOKE REFERENCES, TRIGGER, of a sequence UPDATE, ON {} FROM PUBLIC, tenancy_app, and the user's roles",
        sql: "SELECT name, false FROM tables WHERE EXISTS (
                SELECT FROM reach WHERE has_table_privilege(role, tables.oid, 'REFERENCES, TRIGGER')
                    OR has_any_column_privilege(role, tables.oid, 'REFERENCES')
            )
            UNION ALL SELECT format('SEQUENCE %I.%I', n.nspname, c.relname), false
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname <> 'tenancy'
                AND EXISTS (SELECT FROM reach WHERE has_sequence_privilege(role, c.oid, 'UPDATE'))",
    },
    Check {
        kind: FindingKind::CreateGranted,
        remedy: "REVOKE CREATE ON {} FROM PUBLIC, tenancy_app, and from the user's other roles",
        // Who may create an operator, or a schema of the role's name, has it run by others' statements.
        sql: "SELECT format('SCHEMA %I', nspname), true FROM pg_namespace
            WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
                AND EXISTS (SELECT FROM reach WHERE has_schema_privilege(role, pg_namespace.oid, 'CREATE'))
            UNION ALL SELECT format('DATABASE %I', datname), true FROM pg_database
            WHERE datname = current_database()
                AND EXISTS (SELECT FROM reach WHERE has_database_privilege(role, pg_database.oid, 'CREATE'))",
    },
    Check {
        kind: FindingKind::TempGranted,
        remedy: "REVOKE TEMPORARY ON DATABASE {} FROM PUBLIC",
        sql: "SELECT format('%I', datname), false FROM pg_database
            WHERE datname = current_database()
                AND EXISTS (SELECT FROM reach WHERE has_database_privilege(role, pg_database.oid, 'TEMPORARY'))",
    },
    Check {
        kind: FindingKind::LargeObjects,
        remedy: "REVOKE EXECUTE ON FUNCTION {} FROM PUBLIC",
        sql: "SELECT p.oid::regprocedure::text, false FROM pg_proc p
            WHERE p.pronamespace = 'pg_catalog'::regnamespace
                AND p.proname IN ('lo_creat', 'lo_create', 'lo_from_bytea', 'lo_import')
                AND EXISTS (SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE'))",
    },
    Check {
        kind: FindingKind::RoleSettings,
        remedy: "see that each is meant; ALTER ROLE {} RESET ALL",
        sql: "SELECT DISTINCT format('%I', r.rolname), false
            FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
            WHERE s.setrole IN (SELECT role FROM reach)
                AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                AND s.setconfig <> ARRAY['track_activities=off']",
    },
    Check {
        kind: FindingKind::ActivityVisible,
        remedy: "ALTER ROLE {} SET track_activities = off, or let values be parameters and never stand in SQL's text",
        sql: "SELECT format('%I', rolname), false FROM pg_roles
            WHERE oid = $1 AND has_function_privilege(oid, 'pg_stat_get_activity(integer)', 'EXECUTE')
                AND NOT EXISTS (
                    SELECT FROM pg_db_role_setting s
                    WHERE s.setrole = $1 AND 'track_activities=off' = ANY (s.setconfig)
                        AND s.setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
                )",
    },
    Check {
        kind: FindingKind::ServerVersion,
        remedy: "install the newest minor version",
        // CVE-2024-10976: a plan is kept for another role's policies. CVE-2025-8713: statistics of hidden rows.
        sql: "SELECT current_setting('server_version'), number < 140014 OR number BETWEEN 150000 AND 150008
                OR number BETWEEN 160000 AND 160004 OR number = 170000
            FROM (SELECT current_setting('server_version_num')::int AS number) AS version
            WHERE number < 140019 OR number BETWEEN 150000 AND 150013 OR number BETWEEN 160000 AND 160009
                OR number BETWEEN 170000 AND 170005",
    },
];
