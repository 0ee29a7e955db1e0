-- The tenants and their states. The table is empty at first: the platform tenant is not in it either.

-- A slug is what TenantSlug accepts: a DNS label in lower case that is not an id. Nil and all ones are not valid ids.
CREATE TABLE IF NOT EXISTS tenancy.tenants (
    id uuid CONSTRAINT tenants_pkey PRIMARY KEY CONSTRAINT tenants_id_check CHECK (
        id OPERATOR(pg_catalog.<>) '00000000-0000-0000-0000-000000000000'::uuid
        AND id OPERATOR(pg_catalog.<>) 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
    ),
    slug text COLLATE pg_catalog."C" NOT NULL CONSTRAINT tenants_slug_key UNIQUE CONSTRAINT tenants_slug_check CHECK (
        slug OPERATOR(pg_catalog.~) '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'
        AND (
            slug OPERATOR(pg_catalog.!~) '^([0-9a-f]{32}|[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12})$'
            OR slug OPERATOR(pg_catalog.~) '^(0[0-]*|f[f-]*)$'
        )
    ),
    status text NOT NULL DEFAULT 'active' CONSTRAINT tenants_status_check CHECK (
        status OPERATOR(pg_catalog.=) ANY (ARRAY['active', 'suspended', 'deleted'])
    ),
    created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    changed_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
ALTER TABLE tenancy.tenants OWNER TO tenancy_owner;

-- Row-level security is not forced, because operators are members of the owner. The only grant of tenancy_app on the
-- whole table is SELECT, because each other one would allow it to LOCK the table.
ALTER TABLE tenancy.tenants ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON tenancy.tenants FROM PUBLIC, tenancy_app;
GRANT SELECT, INSERT (id, slug, status), UPDATE (slug, status) ON tenancy.tenants TO tenancy_app;

-- The platform tenant reads and writes all rows. Another tenant reads its own row, and writes nothing.
DROP POLICY IF EXISTS tenancy_isolation ON tenancy.tenants;
CREATE POLICY tenancy_isolation ON tenancy.tenants AS RESTRICTIVE FOR ALL TO PUBLIC
    USING (
        (SELECT tenancy.tenant_id()) OPERATOR(pg_catalog.=)
            ANY (ARRAY[id, '00000000-0000-0000-0000-000000000001'::pg_catalog.uuid])
    )
    WITH CHECK (
        (SELECT tenancy.tenant_id()) OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000001'::pg_catalog.uuid
    );
-- This policy also applies to SELECT FOR UPDATE, by which a tenant could prevent the platform from suspending it.
DROP POLICY IF EXISTS tenancy_writing ON tenancy.tenants;
CREATE POLICY tenancy_writing ON tenancy.tenants AS RESTRICTIVE FOR UPDATE TO PUBLIC
    USING (
        (SELECT tenancy.tenant_id()) OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000001'::pg_catalog.uuid
    )
    WITH CHECK (
        (SELECT tenancy.tenant_id()) OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000001'::pg_catalog.uuid
    );
DROP POLICY IF EXISTS tenancy_access ON tenancy.tenants;
CREATE POLICY tenancy_access ON tenancy.tenants AS PERMISSIVE FOR ALL TO PUBLIC USING (true) WITH CHECK (true);

-- A write by another tenant is an error before any row is read. Otherwise it would change no row, or its error would
-- reveal that another tenant exists.
CREATE OR REPLACE FUNCTION tenancy.tenants_written() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    IF pg_catalog.row_security_active(TG_RELID) THEN
        IF tenancy.tenant_id() OPERATOR(pg_catalog.=) '00000000-0000-0000-0000-000000000001'::pg_catalog.uuid IS NOT TRUE
        THEN
            RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the tenants are the platform''s to write';
        END IF;
    END IF;
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy.tenants_written() OWNER TO tenancy_owner;

-- An id never changes, and a deleted tenant remains deleted.
CREATE OR REPLACE FUNCTION tenancy.tenant_changed() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    IF NEW.id OPERATOR(pg_catalog.=) OLD.id IS NOT TRUE THEN
        RAISE EXCEPTION USING
            ERRCODE = '23514', SCHEMA = 'tenancy', TABLE = 'tenants', CONSTRAINT = 'tenants_id_stays',
            MESSAGE = 'tenancy: the id of a tenant does not change';
    END IF;
    IF OLD.status OPERATOR(pg_catalog.=) 'deleted'
        AND NEW.status OPERATOR(pg_catalog.=) 'deleted' IS NOT TRUE
    THEN
        RAISE EXCEPTION USING
            ERRCODE = '23514', SCHEMA = 'tenancy', TABLE = 'tenants', CONSTRAINT = 'tenants_deleted_stays',
            MESSAGE = 'tenancy: a tenant that is deleted does not come back';
    END IF;
    NEW.changed_at := pg_catalog.clock_timestamp();
    RETURN NEW;
END
$function$;
ALTER FUNCTION tenancy.tenant_changed() OWNER TO tenancy_owner;

-- Notifies listeners of the tenant that changed. An empty payload means all tenants. Every session can send such a
-- notification, so listeners only query the table again.
CREATE OR REPLACE FUNCTION tenancy.tenants_notify() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    PERFORM pg_catalog.pg_notify(
        'tenancy_tenants', COALESCE(NEW.id::pg_catalog.text, OLD.id::pg_catalog.text, '')
    );
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy.tenants_notify() OWNER TO tenancy_owner;

REVOKE ALL ON FUNCTION tenancy.tenants_written(), tenancy.tenant_changed(), tenancy.tenants_notify()
    FROM PUBLIC, tenancy_app;

CREATE OR REPLACE TRIGGER tenants_written BEFORE INSERT OR UPDATE ON tenancy.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.tenants_written();
CREATE OR REPLACE TRIGGER tenant_changed BEFORE UPDATE ON tenancy.tenants
    FOR EACH ROW EXECUTE FUNCTION tenancy.tenant_changed();
CREATE OR REPLACE TRIGGER tenants_notify AFTER INSERT OR UPDATE OR DELETE ON tenancy.tenants
    FOR EACH ROW EXECUTE FUNCTION tenancy.tenants_notify();
CREATE OR REPLACE TRIGGER tenants_emptied AFTER TRUNCATE ON tenancy.tenants
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.tenants_notify();
