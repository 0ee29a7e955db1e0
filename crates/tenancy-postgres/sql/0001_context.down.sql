-- Fails while a policy or a default of a table calls tenancy.tenant_id(), so that no policy is removed silently.

DROP FUNCTION IF EXISTS
    tenancy.enter(uuid, integer, bigint, bytea), tenancy.tenant_id(), tenancy.retire_key(integer, timestamptz),
    tenancy.add_key(integer, bytea), tenancy.pad(bytea, integer), tenancy.leave();
DROP TABLE IF EXISTS tenancy.minting, tenancy.keys, tenancy.migrations;
DROP SCHEMA IF EXISTS tenancy;

DO $do$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['tenancy_app', 'tenancy_owner', 'tenancy_shared'] LOOP
        BEGIN
            EXECUTE pg_catalog.format('DROP ROLE IF EXISTS %I', role);
        EXCEPTION WHEN dependent_objects_still_exist THEN
            RAISE NOTICE 'tenancy: the role % stays, for there are grants to it', role;
        END;
    END LOOP;
END
$do$;
