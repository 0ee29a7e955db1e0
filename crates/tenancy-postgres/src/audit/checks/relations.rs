//! Views, materialized views, foreign tables, and tables without `tenant_id`.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::View,
        since: ANY,
        remedy: Remedy::Row("change the owner of {} to a role that does not bypass row-level security"),
        // A view that is read through another view is reported for itself, with its own owner.
        sql: "SELECT name, true, NULL::text, CASE
                WHEN current_setting('server_version_num')::int >= 150000
                THEN format('ALTER VIEW %s SET (security_invoker)', name)
                WHEN reached THEN format('REVOKE ALL ON %s FROM %s', name, (SELECT list FROM roles))
            END
            FROM relations
            WHERE relkind = 'v' AND oid IN (SELECT view FROM opened) AND relowner IN (SELECT role FROM bypass)
                AND NOT invoker
                AND EXISTS (
                    SELECT FROM depends JOIN relations r ON r.oid = depends.source
                    WHERE depends.view = relations.oid AND r.tenant AND r.relkind IN ('r', 'p', 'f', 'm')
                )",
    },
    Check {
        kind: FindingKind::View,
        since: ANY,
        remedy: Remedy::Sql("REVOKE ALL ON {} FROM {roles}"),
        // Only the owner of the schema and superusers may read these. A dependency on a catalog is not recorded.
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
        since: ANY,
        remedy: Remedy::Text("drop the rule on {}, or change the owner to a role that does not bypass row-level security"),
        sql: "SELECT DISTINCT name, relowner IN (SELECT role FROM bypass) FROM relations
                JOIN pg_rewrite r ON r.ev_class = relations.oid
            WHERE relkind IN ('r', 'p') AND reached",
    },
    Check {
        kind: FindingKind::MaterializedView,
        since: ANY,
        remedy: Remedy::Row("revoke the view through which {} is read"),
        sql: "SELECT name, true, NULL::text,
                CASE WHEN reached THEN format('REVOKE ALL ON %s FROM %s', name, (SELECT list FROM roles)) END
            FROM relations WHERE relkind = 'm' AND (reached OR oid IN (SELECT view FROM opened))
            AND (tenant OR EXISTS (
                SELECT FROM reads JOIN relations r ON r.oid = reads.source
                WHERE reads.view = relations.oid AND r.tenant
            ))",
    },
    Check {
        kind: FindingKind::ForeignTable,
        since: ANY,
        remedy: Remedy::Row("revoke the view through which {} is read"),
        sql: "SELECT name, tenant OR NOT shared, NULL::text,
                CASE WHEN reached THEN format('REVOKE ALL ON %s FROM %s', name, (SELECT list FROM roles)) END
            FROM relations
            WHERE relkind = 'f' AND (reached OR oid IN (SELECT view FROM opened))",
    },
    Check {
        kind: FindingKind::NoTenantId,
        since: ANY,
        remedy: Remedy::Text(
            "SELECT tenancy.enable_table({literal}), or SELECT tenancy.share_table({literal}) if all tenants may read it",
        ),
        // Members of extensions count like other tables: pg_cron, pg_net and pgmq store what tenants write.
        sql: "SELECT name, true FROM (
                SELECT relations.oid, name, shared OR constant AS readable, EXISTS (
                    SELECT FROM reach
                    WHERE has_table_privilege(role, relations.oid, 'INSERT, UPDATE, DELETE')
                        OR has_any_column_privilege(role, relations.oid, 'INSERT, UPDATE')
                ) AS changeable
                FROM relations WHERE relkind IN ('r', 'p') AND NOT tenant AND reached
            ) AS plain
            WHERE changeable OR NOT readable",
    },
    Check {
        kind: FindingKind::NoTenantId,
        since: ANY,
        remedy: Remedy::Sql("REVOKE ALL ON {} FROM {roles}"),
        sql: "SELECT DISTINCT v.name, true
            FROM relations v JOIN reads ON reads.view = v.oid JOIN relations t ON t.oid = reads.source
            WHERE v.relkind = 'v' AND v.oid IN (SELECT view FROM opened) AND NOT (v.shared OR v.constant)
                AND t.relkind IN ('r', 'p') AND NOT (t.tenant OR t.shared OR t.constant)",
    },
];
