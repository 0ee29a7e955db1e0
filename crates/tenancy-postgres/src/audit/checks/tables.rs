//! Tables with `tenant_id`: row-level security, policies, and the column itself.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::RlsDisabled,
        since: ANY,
        remedy: Remedy::Sql("SELECT tenancy.enable_table({literal})"),
        sql: "SELECT name, exposed FROM tables WHERE NOT relrowsecurity",
    },
    Check {
        kind: FindingKind::RlsNotForced,
        since: ANY,
        remedy: Remedy::Sql("ALTER TABLE {} FORCE ROW LEVEL SECURITY"),
        // The owner of tables on Supabase bypasses policies in any case.
        sql: "SELECT name, exposed AND form.policy IS NOT NULL FROM tables CROSS JOIN form
            WHERE relrowsecurity AND NOT relforcerowsecurity",
    },
    Check {
        kind: FindingKind::PolicyAltered,
        since: ANY,
        remedy: Remedy::Sql("SELECT tenancy.enable_table({literal})"),
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
        since: ANY,
        remedy: Remedy::Row("rewrite the policy without the value, or drop it"),
        // Users of Supabase Auth can change their own user_metadata.
        sql: "SELECT format('%I ON %s', p.polname, name), false, NULL::text,
                CASE WHEN p.polpermissive THEN format('DROP POLICY %I ON %s', p.polname, name) END
            FROM relations JOIN pg_policy p ON p.polrelid = relations.oid CROSS JOIN form
            CROSS JOIN LATERAL concat(
                pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
            ) AS expression
            WHERE (form.signed AND expression ~ 'current_setting\\(')
                OR expression ~ '(user_metadata|raw_user_meta_data)'",
    },
    Check {
        kind: FindingKind::NullableTenantId,
        since: ANY,
        remedy: Remedy::Sql("SELECT tenancy.enable_table({literal})"),
        // From Postgres 18 on, a constraint NOT NULL can be NOT VALID: rows from before can still have no tenant.
        sql: "SELECT name, false FROM tables JOIN pg_attribute a ON a.attrelid = tables.oid
            WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND (NOT a.attnotnull OR EXISTS (
                SELECT FROM pg_constraint k
                WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] AND NOT k.convalidated
            ))",
    },
    Check {
        kind: FindingKind::DefaultMissing,
        since: ANY,
        remedy: Remedy::Sql("SELECT tenancy.enable_table({literal})"),
        sql: "SELECT name, false FROM tables CROSS JOIN form JOIN pg_attribute a ON a.attrelid = tables.oid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attname = 'tenant_id' AND NOT a.attisdropped AND NOT relispartition
                AND form.value IS NOT NULL AND (pg_get_expr(d.adbin, d.adrelid) = ANY (form.value)) IS NOT TRUE",
    },
    Check {
        kind: FindingKind::PartitionGranted,
        since: ANY,
        remedy: Remedy::Sql("REVOKE ALL ON {} FROM {roles}"),
        sql: "SELECT name, false FROM tables WHERE relispartition AND reached",
    },
];
