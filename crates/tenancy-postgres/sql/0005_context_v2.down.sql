-- Clients of v2 must be stopped first. Clients of v1 continue to work.

DROP DOMAIN IF EXISTS tenancy.entering, tenancy.leaving;
DROP FUNCTION IF EXISTS tenancy.enter(bytea), tenancy.leave(float8);
DO $do$
BEGIN
    IF pg_catalog.to_regclass('tenancy.keys') IS NOT NULL THEN
        DROP TRIGGER IF EXISTS keys_written ON tenancy.keys;
        DROP TRIGGER IF EXISTS keys_emptied ON tenancy.keys;
    END IF;
END
$do$;
DROP FUNCTION IF EXISTS tenancy.keys_written(), tenancy.entering_pad(bytea, bytea);
DROP TABLE IF EXISTS tenancy.secrets;
ALTER TABLE tenancy.migrations DROP COLUMN IF EXISTS finished_at;
