-- The signed context: roles, keys, and the functions that policies call.
--
-- In functions each name and operator is qualified, because the caller sets the search_path. Comparisons end with
-- IS NOT TRUE, so that a NULL is refused.

DO $do$
DECLARE
    role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['tenancy_owner', 'tenancy_app', 'tenancy_shared'] LOOP
        BEGIN
            IF pg_catalog.to_regrole(role) IS NULL THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN', role);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            -- Roles belong to the whole server: a migration of another database created it at the same time.
            NULL;
        END;
    END LOOP;
    IF EXISTS (
        SELECT FROM pg_catalog.pg_roles
        WHERE rolname IN ('tenancy_owner', 'tenancy_app', 'tenancy_shared') AND (rolcanlogin OR rolsuper OR rolbypassrls OR rolcreaterole)
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_role_specification',
            MESSAGE = 'tenancy: its roles may not log in, nor bypass row-level security';
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = 'tenancy' AND nspowner <> 'tenancy_owner'::regrole) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'tenancy: the schema tenancy exists, and is not tenancy_owner''s';
    END IF;
    IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) THEN
        -- A user that created a role is not yet allowed to give objects to it.
        EXECUTE 'GRANT tenancy_owner TO CURRENT_USER';
    END IF;
END
$do$;

-- All tenants may read the tables that this role may read: see tenancy.share_table.
GRANT tenancy_shared TO tenancy_app;

-- Before Postgres 15 each role may create objects in public, which statements of other roles would then use.
DO $do$
BEGIN
    REVOKE CREATE ON SCHEMA public FROM PUBLIC;
EXCEPTION WHEN insufficient_privilege OR invalid_schema_name THEN
    RAISE NOTICE 'tenancy: PUBLIC may still CREATE in the schema public';
END
$do$;

CREATE SCHEMA IF NOT EXISTS tenancy AUTHORIZATION tenancy_owner;
REVOKE ALL ON SCHEMA tenancy FROM PUBLIC, tenancy_app;
GRANT USAGE ON SCHEMA tenancy TO tenancy_app;

CREATE TABLE IF NOT EXISTS tenancy.migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);
ALTER TABLE tenancy.migrations OWNER TO tenancy_owner;

-- The two pads of HMAC for each key, 64 bytes each. They are as secret as the key.
CREATE TABLE IF NOT EXISTS tenancy.keys (
    id integer PRIMARY KEY,
    inner_pad bytea NOT NULL CHECK (pg_catalog.octet_length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (pg_catalog.octet_length(outer_pad) = 64),
    not_after timestamptz
);
ALTER TABLE tenancy.keys OWNER TO tenancy_owner;

-- The key for the contexts that the database creates. It is one row, and never leaves the database.
CREATE TABLE IF NOT EXISTS tenancy.minting (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    inner_pad bytea NOT NULL CHECK (pg_catalog.octet_length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (pg_catalog.octet_length(outer_pad) = 64)
);
ALTER TABLE tenancy.minting OWNER TO tenancy_owner;

REVOKE ALL ON tenancy.migrations, tenancy.keys, tenancy.minting FROM PUBLIC, tenancy_app;

-- Returns one of the pads of HMAC: a key of at most 64 bytes, padded with zeros, each byte XOR a constant.
CREATE OR REPLACE FUNCTION tenancy.pad(secret bytea, with_byte integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT AS $function$
DECLARE
    padded bytea := secret OPERATOR(pg_catalog.||)
        pg_catalog.decode(pg_catalog.repeat('00', 64 OPERATOR(pg_catalog.-) pg_catalog.octet_length(secret)), 'hex');
BEGIN
    FOR at IN 0..63 LOOP
        padded := pg_catalog.set_byte(padded, at, pg_catalog.get_byte(padded, at) OPERATOR(pg_catalog.#) with_byte);
    END LOOP;
    RETURN padded;
END
$function$;
ALTER FUNCTION tenancy.pad(bytea, integer) OWNER TO tenancy_owner;

-- Adds a client's key. Adding the same key again has no effect. Another key with the same id is an error.
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
    INSERT INTO tenancy.keys AS k (id, inner_pad, outer_pad)
        VALUES (add_key.id, tenancy.pad(short, 54), tenancy.pad(short, 92))
        ON CONFLICT ON CONSTRAINT keys_pkey DO NOTHING;
    PERFORM FROM tenancy.keys k
        WHERE k.id OPERATOR(pg_catalog.=) add_key.id
            AND k.inner_pad OPERATOR(pg_catalog.=) tenancy.pad(short, 54);
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '23505', MESSAGE = 'tenancy: the id is another key''s';
    END IF;
END
$function$;
ALTER FUNCTION tenancy.add_key(integer, bytea) OWNER TO tenancy_owner;

-- Retires a key: its signatures are refused after the time. The time can be moved to an earlier one, not to a later
-- one.
CREATE OR REPLACE FUNCTION tenancy.retire_key(id integer, not_after timestamptz DEFAULT pg_catalog.clock_timestamp())
RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $function$
BEGIN
    UPDATE tenancy.keys k SET not_after = LEAST(k.not_after, retire_key.not_after)
        WHERE k.id OPERATOR(pg_catalog.=) retire_key.id;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'P0002', MESSAGE = 'tenancy: there is no such key';
    END IF;
END
$function$;
ALTER FUNCTION tenancy.retire_key(integer, timestamptz) OWNER TO tenancy_owner;

-- Returns the tenant of this transaction. Without one it raises an error instead of returning nothing.
--
-- A context is 32 hexadecimal digits of the tenant and 64 of a MAC. The MAC covers the backend and the start of its
-- transaction, which no other transaction has. Secrets are columns and never variables, because debug_print_plan shows
-- constants. The hashes of MACs are compared first, so that the time of the comparison reveals nothing about them.
-- Expressions use few functions, because each function is looked up again in each transaction.
CREATE OR REPLACE FUNCTION tenancy.tenant_id() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED AS $function$
DECLARE
    context pg_catalog.text := pg_catalog.current_setting('tenancy.context', true);
    presented pg_catalog.text := pg_catalog.substr(context, 33);
    message pg_catalog.bytea := pg_catalog.convert_to(
        pg_catalog.concat(
            'tenancy.context.v1 ', pg_catalog.substr(context, 1, 32), ' ', pg_catalog.pg_backend_pid(), ' ',
            EXTRACT(epoch FROM CURRENT_TIMESTAMP)),
        'UTF8');
    mac pg_catalog.text;
BEGIN
    SELECT pg_catalog.encode(
            pg_catalog.sha256(m.outer_pad OPERATOR(pg_catalog.||)
                pg_catalog.sha256(m.inner_pad OPERATOR(pg_catalog.||) message)), 'hex')
        INTO mac FROM tenancy.minting m;
    IF (CASE WHEN pg_catalog.hashtextextended(presented, 0) OPERATOR(pg_catalog.=) pg_catalog.hashtextextended(mac, 0)
        THEN presented OPERATOR(pg_catalog.=) mac END)
    THEN
        RETURN pg_catalog.substr(context, 1, 32)::pg_catalog.uuid;
    END IF;
    IF pg_catalog.length(context) OPERATOR(pg_catalog.>) 0 THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the context is not this transaction''s';
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = '42501',
        MESSAGE = 'tenancy: no tenant in this transaction',
        HINT = 'SELECT tenancy.enter(...) after BEGIN.';
END
$function$;
ALTER FUNCTION tenancy.tenant_id() OWNER TO tenancy_owner;

-- Enters a tenant until the transaction ends. The signature is the HMAC-SHA256, by the client's key, of
-- 'tenancy.enter.v1', the tenant (16 bytes), the key's id (4 bytes) and the expiry (8 bytes). Numbers are big endian.
CREATE OR REPLACE FUNCTION tenancy.enter(tenant uuid, key_id integer, expires bigint, signature bytea) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER PARALLEL UNSAFE AS $function$
DECLARE
    signed pg_catalog.bytea := E'\\x74656e616e63792e656e7465722e7631'::pg_catalog.bytea
        OPERATOR(pg_catalog.||) pg_catalog.uuid_send(tenant)
        OPERATOR(pg_catalog.||) pg_catalog.int4send(key_id)
        OPERATOR(pg_catalog.||) pg_catalog.int8send(expires);
    digits pg_catalog.text := pg_catalog.encode(pg_catalog.uuid_send(tenant), 'hex');
    minted pg_catalog.bytea := pg_catalog.convert_to(
        pg_catalog.concat(
            'tenancy.context.v1 ', digits, ' ', pg_catalog.pg_backend_pid(), ' ',
            EXTRACT(epoch FROM CURRENT_TIMESTAMP)),
        'UTF8');
    valid boolean;
    mac pg_catalog.text;
BEGIN
    SELECT pg_catalog.sha256(signature) OPERATOR(pg_catalog.=)
            pg_catalog.sha256(pg_catalog.sha256(k.outer_pad OPERATOR(pg_catalog.||)
                pg_catalog.sha256(k.inner_pad OPERATOR(pg_catalog.||) signed))),
            pg_catalog.encode(pg_catalog.sha256(m.outer_pad OPERATOR(pg_catalog.||)
                pg_catalog.sha256(m.inner_pad OPERATOR(pg_catalog.||) minted)), 'hex')
        INTO valid, mac
        FROM tenancy.keys k CROSS JOIN tenancy.minting m
        WHERE k.id OPERATOR(pg_catalog.=) key_id
            AND (k.not_after IS NULL OR k.not_after OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp());
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the key is unknown or retired';
    END IF;
    IF valid IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the signature is not valid';
    END IF;
    IF expires::pg_catalog.float8 OPERATOR(pg_catalog.>)
        pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) IS NOT TRUE
    THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the signature has expired';
    END IF;
    IF pg_catalog.length(pg_catalog.current_setting('tenancy.context', true)) OPERATOR(pg_catalog.>) 0 THEN
        IF tenancy.tenant_id() OPERATOR(pg_catalog.=) tenant IS NOT TRUE THEN
            RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the transaction is another tenant''s';
        END IF;
    END IF;
    -- By an assignment: PERFORM would plan a query.
    mac := pg_catalog.set_config('tenancy.context', digits OPERATOR(pg_catalog.||) mac, true);
END
$function$;
ALTER FUNCTION tenancy.enter(uuid, integer, bigint, bytea) OWNER TO tenancy_owner;

-- Resets, before a commit, the state of a session that no statement resets: locks, and statements that SQL prepared.
-- Statements that a driver prepared are kept, because the driver would not notice that they are gone. It raises an
-- error if the transaction has no context, so that nothing is committed.
--
-- It returns whether the session must be closed: functions may have been compiled with temporary tables, and a
-- statement that SQL prepared may have replaced one of the driver's.
CREATE OR REPLACE FUNCTION tenancy.leave() RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE AS $function$
DECLARE
    statement pg_catalog.text;
    altered boolean := pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid;
BEGIN
    IF pg_catalog.length(pg_catalog.current_setting('tenancy.context', true)) OPERATOR(pg_catalog.>) 0 IS NOT TRUE THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: no tenant in this transaction';
    END IF;
    PERFORM pg_catalog.pg_advisory_unlock_all();
    -- Nobody draws what another has seeded.
    PERFORM pg_catalog.setseed(
        pg_catalog.uuid_hash(pg_catalog.gen_random_uuid())::pg_catalog.float8 OPERATOR(pg_catalog./) 2147483648);
    PERFORM FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql;
    IF FOUND THEN
        altered := true;
        FOR statement IN SELECT p.name FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql LOOP
            EXECUTE pg_catalog.format('DEALLOCATE %I', statement);
        END LOOP;
    END IF;
    RETURN altered;
END
$function$;
ALTER FUNCTION tenancy.leave() OWNER TO tenancy_owner;

REVOKE ALL ON FUNCTION
    tenancy.pad(bytea, integer), tenancy.add_key(integer, bytea), tenancy.retire_key(integer, timestamptz),
    tenancy.tenant_id(), tenancy.enter(uuid, integer, bigint, bytea), tenancy.leave()
    FROM PUBLIC, tenancy_app;
GRANT EXECUTE ON FUNCTION
    tenancy.tenant_id(), tenancy.enter(uuid, integer, bigint, bytea), tenancy.leave() TO tenancy_app;

-- A version 4 UUID has 122 strong random bits, so four of them exceed the 256 bits of SHA-256.
INSERT INTO tenancy.minting (inner_pad, outer_pad)
    SELECT tenancy.pad(key, 54), tenancy.pad(key, 92)
    FROM (
        SELECT pg_catalog.string_agg(pg_catalog.uuid_send(pg_catalog.gen_random_uuid()), ''::bytea) AS key
        FROM pg_catalog.generate_series(1, 4)
    ) AS random
    ON CONFLICT DO NOTHING;
