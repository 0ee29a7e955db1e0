-- What the gateway keeps beside its tenants. `gateway migrate` runs it in one transaction, after tenancy's own
-- migrations; it is safe to run again.

-- `gw_notes`: of two programs that run this at once one waits.
SELECT pg_catalog.pg_advisory_xact_lock(7455532636056085875);

CREATE SCHEMA IF NOT EXISTS gateway;

-- A key begins with the tenant: that of another tells nothing.
CREATE TABLE IF NOT EXISTS gateway.notes (
    tenant_id pg_catalog.uuid NOT NULL,
    id pg_catalog.uuid NOT NULL,
    text pg_catalog.text NOT NULL CHECK (pg_catalog.char_length(text) BETWEEN 1 AND 4096),
    created_at pg_catalog.timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (tenant_id, id)
);
SELECT tenancy.enable_table('gateway.notes'::pg_catalog.regclass);

-- By which id instances know in a cache that their notes are the same.
CREATE TABLE IF NOT EXISTS gateway.store (
    id pg_catalog.uuid PRIMARY KEY DEFAULT pg_catalog.gen_random_uuid(),
    is_only pg_catalog.bool NOT NULL UNIQUE DEFAULT true CHECK (is_only)
);
INSERT INTO gateway.store DEFAULT VALUES ON CONFLICT DO NOTHING;
SELECT tenancy.share_table('gateway.store'::pg_catalog.regclass);
