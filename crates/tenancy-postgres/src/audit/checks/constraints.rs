//! Keys, constraints and indexes that reach across tenants.

use super::super::check::{ANY, Check, Remedy};
use super::super::kind::FindingKind;

pub(super) const CHECKS: &[Check] = &[
    Check {
        kind: FindingKind::UniqueWithoutTenant,
        since: ANY,
        remedy: Remedy::Text("begin it with tenant_id, compared by the default operator class"),
        // Rows of two tenants must differ in the key. The built-in operator classes of uuid compare all bytes; in an
        // exclusion constraint the operator must be the built-in equality.
        sql: "SELECT format('%s ON %s', i.indexrelid::regclass, name), false
            FROM tables JOIN pg_index i ON i.indrelid = tables.oid
            WHERE (i.indisunique OR i.indisexclusion) AND NOT relispartition AND NOT EXISTS (
                SELECT FROM pg_attribute a CROSS JOIN generate_series(0, i.indnkeyatts - 1) AS place
                WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id' AND a.attnum = i.indkey[place]
                    AND (i.indclass[place] < 16384 OR i.indisexclusion)
                    AND NOT EXISTS (
                        SELECT FROM pg_constraint k
                        WHERE k.conindid = i.indexrelid AND k.conexclop IS NOT NULL
                            AND k.conexclop[place + 1] <> 'pg_catalog.=(uuid, uuid)'::regoperator
                    )
            )",
    },
    Check {
        kind: FindingKind::IndexWithoutTenant,
        since: ANY,
        remedy: Remedy::Text("begin it with tenant_id"),
        sql: "SELECT format('%s ON %s', i.indexrelid::regclass, name), false
            FROM tables JOIN pg_index i ON i.indrelid = tables.oid
            WHERE NOT (i.indisunique OR i.indisexclusion OR relispartition) AND NOT EXISTS (
                SELECT FROM pg_attribute a
                WHERE a.attrelid = i.indrelid AND a.attname = 'tenant_id' AND a.attnum = i.indkey[0]
            )",
    },
    Check {
        kind: FindingKind::ForeignKeyWithoutTenant,
        since: ANY,
        remedy: Remedy::Text("add tenant_id on both sides, each paired with the other"),
        // With an action, a statement of one tenant changes rows of another. A key that was not validated says nothing
        // about older rows, and its actions reach them.
        sql: "SELECT format('%I ON %s', k.conname, t.name), k.confdeltype IN ('c', 'n', 'd') OR k.confupdtype IN ('c', 'n', 'd')
            FROM pg_constraint k JOIN tables t ON t.oid = k.conrelid JOIN tables r ON r.oid = k.confrelid
            WHERE k.contype = 'f' AND k.conparentid = 0 AND NOT EXISTS (
                SELECT FROM unnest(k.conkey, k.confkey) AS pair (own, other)
                JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = own AND a.attname = 'tenant_id'
                JOIN pg_attribute b ON b.attrelid = k.confrelid AND b.attnum = other AND b.attname = 'tenant_id'
            )",
    },
];
