-- Prepares a restored database for applying its versions again: creates missing roles, and changes the owner of the
-- schema, which is the user that restored the dump.

DO $do$
DECLARE
    role text;
    owner pg_catalog.pg_roles;
BEGIN
    FOREACH role IN ARRAY ARRAY['tenancy_owner', 'tenancy_app', 'tenancy_shared'] LOOP
        IF pg_catalog.to_regrole(role) IS NULL THEN
            EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) THEN
        EXECUTE 'GRANT tenancy_owner TO CURRENT_USER';
    END IF;
    SELECT r.* INTO owner FROM pg_catalog.pg_namespace n JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
        WHERE n.nspname = 'tenancy';
    -- Version 1 refuses a schema of any other owner.
    IF owner.rolsuper OR owner.rolname = CURRENT_USER THEN
        ALTER SCHEMA tenancy OWNER TO tenancy_owner;
    END IF;
END
$do$;
