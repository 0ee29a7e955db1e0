-- Removes context v1. Its clients must be updated first; their keys remain. It is safe to run repeatedly.

DO $do$
BEGIN
    IF pg_catalog.to_regclass('tenancy.secrets') IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = '55000',
            MESSAGE = 'tenancy: version 5 is not applied',
            HINT = 'Run tenancy-pg migrate.';
    END IF;
END
$do$;

DROP TABLE IF EXISTS tenancy.keys, tenancy.minting;
DROP FUNCTION IF EXISTS tenancy.keys_written(), tenancy.leave();

-- Adds a client's key. Adding the same key twice is no error; another key cannot have its id.
CREATE OR REPLACE FUNCTION tenancy.add_key(id integer, secret bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $function$
DECLARE
    short bytea := secret;
BEGIN
    IF pg_catalog.octet_length(secret) OPERATOR(pg_catalog.>=) 32 IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = 'tenancy: a key has at least 32 bytes';
    END IF;
    IF pg_catalog.octet_length(secret) OPERATOR(pg_catalog.>) 64 THEN
        short := pg_catalog.sha256(secret);
    END IF;
    INSERT INTO tenancy.secrets AS s (id, tag, pad)
        VALUES (
            add_key.id, pg_catalog.encode(pg_catalog.int4send(add_key.id), 'hex'),
            tenancy.entering_pad(tenancy.pad(short, 54), tenancy.pad(short, 92)))
        ON CONFLICT ON CONSTRAINT secrets_pkey DO NOTHING;
    PERFORM FROM tenancy.secrets s
        WHERE s.id OPERATOR(pg_catalog.=) add_key.id
            AND s.pad OPERATOR(pg_catalog.=) tenancy.entering_pad(tenancy.pad(short, 54), tenancy.pad(short, 92));
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = 'tenancy: the id is another key''s';
    END IF;
END
$function$;

-- Refuses the key's tokens after a time. A retired key may be retired earlier, never later.
CREATE OR REPLACE FUNCTION tenancy.retire_key(id integer, not_after timestamptz DEFAULT pg_catalog.clock_timestamp())
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $function$
BEGIN
    UPDATE tenancy.secrets s SET not_after = LEAST(s.not_after, retire_key.not_after)
        WHERE s.id OPERATOR(pg_catalog.=) retire_key.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = 'tenancy: there is no such key';
    END IF;
END
$function$;

-- Returns the tenant of this transaction, from a context of v2 only.
CREATE OR REPLACE FUNCTION tenancy.tenant_id() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED AS $function$
DECLARE
    context pg_catalog.text := pg_catalog.current_setting('tenancy.context', true);
    mint pg_catalog.bytea;
BEGIN
    SELECT s.mint INTO mint FROM tenancy.secrets s
        WHERE s.tag OPERATOR(pg_catalog.=) pg_catalog.substr(context, 33, 8);
    IF pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.substr(context, 41), 'SQL_ASCII')) OPERATOR(pg_catalog.=)
        pg_catalog.sha256(pg_catalog.convert_to(pg_catalog.encode(pg_catalog.sha256(
            mint OPERATOR(pg_catalog.||)
            pg_catalog.convert_to(pg_catalog.substr(context, 1, 40), 'SQL_ASCII')
            OPERATOR(pg_catalog.||) pg_catalog.timestamptz_send(CURRENT_TIMESTAMP)), 'hex'), 'SQL_ASCII'))
    THEN
        RETURN pg_catalog.substr(context, 1, 32);
    END IF;
    IF pg_catalog.length(context) OPERATOR(pg_catalog.>) 0 THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the context is not this transaction''s';
    END IF;
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: no tenant in this transaction';
END
$function$;

-- Tells clients of v1 why they are refused.
CREATE OR REPLACE FUNCTION tenancy.enter(tenant uuid, key_id integer, expires bigint, signature bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE AS $function$
BEGIN
    RAISE EXCEPTION USING
        ERRCODE = '42501',
        MESSAGE = 'tenancy: context v1 was removed from this database',
        HINT = 'Update tenancy-postgres in this client.';
END
$function$;

UPDATE tenancy.migrations m SET finished_at = pg_catalog.now()
    WHERE m.version OPERATOR(pg_catalog.=) 5 AND m.finished_at IS NULL;
