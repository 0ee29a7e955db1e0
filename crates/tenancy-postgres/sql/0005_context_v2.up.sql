-- Context v2: a transaction enters its tenant and resets its session through parameters of two domains. Binding a
-- parameter checks its domain, so no statement is parsed, planned or executed for it.
--
-- Contexts of v1 remain valid beside it until `tenancy-pg migrate --finish` removes them. No statement here takes a
-- lock that conflicts with the transactions of a v1 client.

-- The version whose predecessor was removed, and when.
ALTER TABLE tenancy.migrations ADD COLUMN IF NOT EXISTS finished_at timestamptz;
UPDATE tenancy.migrations m SET finished_at = NULL WHERE m.version OPERATOR(pg_catalog.=) 5;

-- One row per key of tenancy.keys with everything that v2 needs. All columns but the times are secret.
--
-- tag: the key's id as in a context, 8 hexadecimal digits. It is unique so that plans are generic even without
-- statistics. pad: the prefix of the client's MACs. mint: the prefix of the MACs of the contexts
-- that the database creates for tokens of this key. It is random and never leaves the database.
CREATE TABLE IF NOT EXISTS tenancy.secrets (
    id integer NOT NULL CONSTRAINT secrets_pkey PRIMARY KEY,
    tag text COLLATE pg_catalog."C" NOT NULL CONSTRAINT secrets_tag_key UNIQUE CONSTRAINT secrets_tag_check CHECK (
        tag OPERATOR(pg_catalog.=) pg_catalog.encode(pg_catalog.int4send(id), 'hex')
    ),
    pad bytea NOT NULL CONSTRAINT secrets_pad_check CHECK (pg_catalog.octet_length(pad) OPERATOR(pg_catalog.=) 64),
    -- A version 4 UUID has 122 strong random bits, so four of them exceed the 256 bits of SHA-256.
    mint bytea NOT NULL DEFAULT
        pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) OPERATOR(pg_catalog.||)
        pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) OPERATOR(pg_catalog.||)
        pg_catalog.uuid_send(pg_catalog.gen_random_uuid()) OPERATOR(pg_catalog.||)
        pg_catalog.uuid_send(pg_catalog.gen_random_uuid())
        CONSTRAINT secrets_mint_check CHECK (pg_catalog.octet_length(mint) OPERATOR(pg_catalog.=) 64),
    not_after timestamptz NOT NULL DEFAULT 'infinity'
);
ALTER TABLE tenancy.secrets OWNER TO tenancy_owner;
REVOKE ALL ON tenancy.secrets FROM PUBLIC, tenancy_app, tenancy_shared;

-- Computes the prefix of a key's MACs from the two pads of its HMAC: 64 bytes, a block of SHA-256. It consists of the
-- HMACs of 'tenancy.entering.v2.a' and 'tenancy.entering.v2.b', so a prefix reveals nothing about the key.
CREATE OR REPLACE FUNCTION tenancy.entering_pad(inner_pad bytea, outer_pad bytea) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT AS $function$
BEGIN
    RETURN pg_catalog.sha256(outer_pad OPERATOR(pg_catalog.||) pg_catalog.sha256(inner_pad OPERATOR(pg_catalog.||)
            '\x74656e616e63792e656e746572696e672e76322e61'::pg_catalog.bytea))
        OPERATOR(pg_catalog.||)
        pg_catalog.sha256(outer_pad OPERATOR(pg_catalog.||) pg_catalog.sha256(inner_pad OPERATOR(pg_catalog.||)
            '\x74656e616e63792e656e746572696e672e76322e62'::pg_catalog.bytea));
END
$function$;
ALTER FUNCTION tenancy.entering_pad(bytea, bytea) OWNER TO tenancy_owner;

-- Keeps tenancy.secrets in step with tenancy.keys, however that table is written.
CREATE OR REPLACE FUNCTION tenancy.keys_written() RETURNS trigger
LANGUAGE plpgsql VOLATILE AS $function$
BEGIN
    IF TG_OP OPERATOR(pg_catalog.=) 'TRUNCATE' THEN
        DELETE FROM tenancy.secrets;
        RETURN NULL;
    END IF;
    IF TG_OP OPERATOR(pg_catalog.<>) 'INSERT' THEN
        DELETE FROM tenancy.secrets s
            WHERE s.id OPERATOR(pg_catalog.=) OLD.id
                AND (TG_OP OPERATOR(pg_catalog.=) 'DELETE' OR NEW.id OPERATOR(pg_catalog.<>) OLD.id);
    END IF;
    IF TG_OP OPERATOR(pg_catalog.<>) 'DELETE' THEN
        INSERT INTO tenancy.secrets AS s (id, tag, pad, not_after)
            VALUES (
                NEW.id, pg_catalog.encode(pg_catalog.int4send(NEW.id), 'hex'),
                tenancy.entering_pad(NEW.inner_pad, NEW.outer_pad), COALESCE(NEW.not_after, 'infinity'))
            ON CONFLICT ON CONSTRAINT secrets_pkey
                DO UPDATE SET pad = EXCLUDED.pad, not_after = EXCLUDED.not_after;
    END IF;
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy.keys_written() OWNER TO tenancy_owner;

CREATE OR REPLACE TRIGGER keys_written AFTER INSERT OR UPDATE OR DELETE ON tenancy.keys
    FOR EACH ROW EXECUTE FUNCTION tenancy.keys_written();
CREATE OR REPLACE TRIGGER keys_emptied AFTER TRUNCATE ON tenancy.keys
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy.keys_written();

-- The keys that the database already has. The trigger holds a lock against writers, so none is missed.
INSERT INTO tenancy.secrets AS s (id, tag, pad, not_after)
    SELECT k.id, pg_catalog.encode(pg_catalog.int4send(k.id), 'hex'),
            tenancy.entering_pad(k.inner_pad, k.outer_pad), COALESCE(k.not_after, 'infinity')
        FROM tenancy.keys k
    ON CONFLICT ON CONSTRAINT secrets_pkey DO UPDATE SET pad = EXCLUDED.pad, not_after = EXCLUDED.not_after;

-- Enters a tenant until the transaction ends. A token has 60 bytes: the tenant (16), the key's id (4), the expiry (8,
-- a timestamptz as Postgres sends it) and a MAC (32), the sha256 of the key's pad and the first 28 bytes. Numbers are
-- big endian.
--
-- The MAC needs no HMAC: the pad fills a block and the rest has a fixed length, so nothing can be appended. MACs are
-- compared through hashes, so that the time of the comparison reveals nothing about them.
--
-- Secrets are used in expressions of plpgsql and never as parameters of a query: debug_print_plan shows the constants
-- of a query's plan, but plans of expressions contain none.
--
-- A context is 40 hexadecimal digits, the tenant and the key's id, and 64 of a MAC over them and the transaction's
-- start. Its length distinguishes it from a context of v1, which has 96 digits.
CREATE OR REPLACE FUNCTION tenancy.enter(token bytea) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL UNSAFE AS $function$
DECLARE
    pad pg_catalog.bytea;
    mint pg_catalog.bytea;
BEGIN
    SELECT s.pad, s.mint INTO pad, mint
        FROM tenancy.secrets s
        WHERE s.tag OPERATOR(pg_catalog.=) pg_catalog.encode(pg_catalog.substr(token, 17, 4), 'hex')
            AND s.not_after OPERATOR(pg_catalog.>) pg_catalog.clock_timestamp();
    IF pg_catalog.sha256(pg_catalog.substr(token, 29)) OPERATOR(pg_catalog.=)
            pg_catalog.sha256(pg_catalog.sha256(pad OPERATOR(pg_catalog.||) pg_catalog.substr(token, 1, 28)))
        AND pg_catalog.substr(token, 21, 8) OPERATOR(pg_catalog.>)
            pg_catalog.timestamptz_send(pg_catalog.clock_timestamp())
        -- The bytes of a time before 2000 would compare as later than any other.
        AND pg_catalog.substr(token, 21, 8) OPERATOR(pg_catalog.<) '\x80'::pg_catalog.bytea
        AND COALESCE(pg_catalog.current_setting('tenancy.context', true), '') OPERATOR(pg_catalog.=) ''
    THEN
        RETURN pg_catalog.set_config(
            'tenancy.context',
            pg_catalog.encode(
                pg_catalog.substr(token, 1, 20) OPERATOR(pg_catalog.||) pg_catalog.sha256(
                    mint OPERATOR(pg_catalog.||)
                    pg_catalog.convert_to(pg_catalog.encode(pg_catalog.substr(token, 1, 20), 'hex'), 'SQL_ASCII')
                    OPERATOR(pg_catalog.||) pg_catalog.timestamptz_send(CURRENT_TIMESTAMP)),
                'hex'),
            true) IS NOT NULL;
    END IF;
    IF pg_catalog.length(pg_catalog.current_setting('tenancy.context', true)) OPERATOR(pg_catalog.>) 0 THEN
        -- A transaction that has a tenant stays in it; tenant_id() also refuses a context that is not valid.
        IF pg_catalog.uuid_send(tenancy.tenant_id()) OPERATOR(pg_catalog.=) pg_catalog.substr(token, 1, 16) IS NOT TRUE
        THEN
            RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the transaction is another tenant''s';
        END IF;
    END IF;
    IF pad IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = '42501',
            MESSAGE = 'tenancy: the key is unknown or retired',
            HINT = 'Run tenancy-pg migrate and tenancy-pg key list; tenancy-pg key add adds a missing key.';
    END IF;
    IF pg_catalog.sha256(pg_catalog.substr(token, 29)) OPERATOR(pg_catalog.=)
        pg_catalog.sha256(pg_catalog.sha256(pad OPERATOR(pg_catalog.||) pg_catalog.substr(token, 1, 28))) IS NOT TRUE
    THEN
        RAISE EXCEPTION USING
            ERRCODE = '42501',
            MESSAGE = 'tenancy: the signature is not valid',
            HINT = 'If this database was restored from another one, its key of this id has another secret. '
                'Run tenancy-pg key add for a key with a new id.';
    END IF;
    IF pg_catalog.substr(token, 21, 8) OPERATOR(pg_catalog.>)
            pg_catalog.timestamptz_send(pg_catalog.clock_timestamp())
        AND pg_catalog.substr(token, 21, 8) OPERATOR(pg_catalog.<) '\x80'::pg_catalog.bytea
    THEN
        -- The transaction is in this tenant already.
        RETURN true;
    END IF;
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the signature has expired';
END
$function$;
ALTER FUNCTION tenancy.enter(bytea) OWNER TO tenancy_owner;

-- Returns the tenant of this transaction. Without one it raises an error instead of returning nothing.
--
-- It accepts a context of v2, and otherwise one of v1: see that migration for the v1 part.
CREATE OR REPLACE FUNCTION tenancy.tenant_id() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED AS $function$
DECLARE
    context pg_catalog.text := pg_catalog.current_setting('tenancy.context', true);
    mint pg_catalog.bytea;
    presented pg_catalog.text;
    mac pg_catalog.text;
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
    presented := pg_catalog.substr(context, 33);
    SELECT pg_catalog.encode(
            pg_catalog.sha256(m.outer_pad OPERATOR(pg_catalog.||) pg_catalog.sha256(
                m.inner_pad OPERATOR(pg_catalog.||) pg_catalog.convert_to(
                    pg_catalog.concat(
                        'tenancy.context.v1 ', pg_catalog.substr(context, 1, 32), ' ', pg_catalog.pg_backend_pid(), ' ',
                        EXTRACT(epoch FROM CURRENT_TIMESTAMP)),
                    'UTF8'))), 'hex')
        INTO mac FROM tenancy.minting m;
    IF (CASE WHEN pg_catalog.hashtextextended(presented, 0) OPERATOR(pg_catalog.=) pg_catalog.hashtextextended(mac, 0)
        THEN presented OPERATOR(pg_catalog.=) mac END)
    THEN
        RETURN pg_catalog.substr(context, 1, 32);
    END IF;
    IF pg_catalog.length(context) OPERATOR(pg_catalog.>) 0 THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: the context is not this transaction''s';
    END IF;
    RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: no tenant in this transaction';
END
$function$;
ALTER FUNCTION tenancy.tenant_id() OWNER TO tenancy_owner;

-- Resets the session before a commit: everything that SQL can leave in it, except cursors and prepared statements of
-- the driver, which are closed by statements of their own. Deferred constraints are checked first, while the context is
-- still valid.
--
-- A positive seed resets the session of a tenant's transaction, and fails if its context is gone. Any other seed resets
-- a session that is in no tenant.
--
-- INFO with the SQLSTATE TN001, which no setting suppresses, means that the session must be closed: a temporary
-- schema may be part of cached plans, and a statement of SQL's own may have replaced one of the driver's.
CREATE OR REPLACE FUNCTION tenancy.leave(seed float8) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY INVOKER PARALLEL UNSAFE AS $function$
DECLARE
    statement pg_catalog.text;
BEGIN
    SET CONSTRAINTS ALL IMMEDIATE;
    -- What ran before, triggers among it, may have left the tenant: then nothing is to be committed.
    IF seed OPERATOR(pg_catalog.>) 0 AND pg_catalog.length(pg_catalog.current_setting('tenancy.context', true))
        OPERATOR(pg_catalog.=) 104 IS NOT TRUE
    THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: no tenant in this transaction';
    END IF;
    RESET SESSION AUTHORIZATION;
    RESET ROLE;
    RESET ALL;
    UNLISTEN *;
    DISCARD TEMP;
    DISCARD SEQUENCES;
    PERFORM FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql;
    IF FOUND OR pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0::pg_catalog.oid THEN
        -- Behind a pooler the client cannot close the session.
        FOR statement IN SELECT p.name FROM pg_catalog.pg_prepared_statement() p WHERE p.from_sql LOOP
            EXECUTE pg_catalog.format('DEALLOCATE %I', statement);
        END LOOP;
        RAISE INFO USING ERRCODE = 'TN001', MESSAGE = 'tenancy: the session cannot be used again';
    END IF;
    -- Otherwise the next tenant would draw what this one seeded.
    RETURN pg_catalog.setseed(seed) IS NOT NULL AND pg_catalog.pg_advisory_unlock_all() IS NOT NULL;
END
$function$;
ALTER FUNCTION tenancy.leave(float8) OWNER TO tenancy_owner;

-- Enables a table: column, NOT NULL, default, index, policies, grants. It is safe to run repeatedly, and must run again
-- when a partition was added.
--
-- The default does not verify the context, because the policy does. Without a tenant it is NULL.
CREATE OR REPLACE FUNCTION tenancy.enable_table(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT AS $function$
DECLARE
    name pg_catalog.text := tenancy.quoted(relation);
    nullable boolean;
    unvalidated pg_catalog.name;
    lacking boolean;
    other pg_catalog.text;
    indexed boolean;
BEGIN
    PERFORM tenancy.add_tenant_column(relation);
    -- From Postgres 18 on, a NOT NULL constraint can exist without having been validated.
    SELECT NOT a.attnotnull, n.conname INTO nullable, unvalidated
        FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_constraint n
            ON n.conrelid OPERATOR(pg_catalog.=) a.attrelid AND n.contype OPERATOR(pg_catalog.=) 'n'
            AND n.conkey[1] OPERATOR(pg_catalog.=) a.attnum AND NOT n.convalidated
        WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) 'tenant_id';
    IF nullable OR unvalidated IS NOT NULL THEN
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s WHERE tenant_id IS NULL)', name) INTO lacking;
        IF lacking THEN
            RAISE EXCEPTION USING
                ERRCODE = '23502',
                MESSAGE = pg_catalog.format('tenancy: rows of %s have no tenant_id', name),
                HINT = 'Set their tenant first, for example with tenancy-pg enable --backfill.';
        END IF;
        IF nullable THEN
            EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN tenant_id SET NOT NULL', name);
        ELSE
            EXECUTE pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', name, unvalidated);
        END IF;
    END IF;
    EXECUTE pg_catalog.format(
        'ALTER TABLE %s ALTER COLUMN tenant_id SET DEFAULT '
        'CASE WHEN pg_catalog.current_setting(''tenancy.context'', true) OPERATOR(pg_catalog.<>) '''' '
        'THEN pg_catalog.substr(pg_catalog.current_setting(''tenancy.context'', true), 1, 32)::pg_catalog.uuid END', name);
    SELECT EXISTS (
        SELECT FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
            AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
        WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) 'tenant_id'
            AND i.indisvalid AND i.indpred IS NULL
    ) INTO indexed;
    IF NOT indexed THEN
        EXECUTE pg_catalog.format('CREATE INDEX ON %s (tenant_id)', name);
    END IF;
    PERFORM tenancy.protect(member) FROM tenancy.family(relation) AS member;
    -- Partitions get no grants: they are accessed through their table.
    EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO tenancy_app', name);
    SELECT pg_catalog.quote_ident(n.nspname) INTO other
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) relation;
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO tenancy_app', other);
    -- Sequences of serial columns.
    FOR other IN
        SELECT tenancy.quoted(d.objid::pg_catalog.regclass) FROM pg_catalog.pg_depend d
            JOIN pg_catalog.pg_class s ON s.oid OPERATOR(pg_catalog.=) d.objid
        WHERE d.refobjid OPERATOR(pg_catalog.=) relation AND d.deptype OPERATOR(pg_catalog.=) 'a'
            AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND s.relkind OPERATOR(pg_catalog.=) 'S'
    LOOP
        EXECUTE pg_catalog.format('GRANT USAGE ON SEQUENCE %s TO tenancy_app', other);
    END LOOP;
END
$function$;
ALTER FUNCTION tenancy.enable_table(regclass) OWNER TO tenancy_owner;

REVOKE ALL ON FUNCTION
    tenancy.enable_table(regclass), tenancy.entering_pad(bytea, bytea), tenancy.keys_written(), tenancy.tenant_id(), tenancy.enter(bytea),
    tenancy.leave(float8)
    FROM PUBLIC, tenancy_app;
GRANT EXECUTE ON FUNCTION tenancy.tenant_id(), tenancy.enter(bytea), tenancy.leave(float8) TO tenancy_app;

-- Postgres checks a domain when a parameter of it is bound.
DO $do$
BEGIN
    IF pg_catalog.to_regtype('tenancy.entering') IS NULL THEN
        CREATE DOMAIN tenancy.entering AS pg_catalog.bytea
            CONSTRAINT entering_check CHECK (tenancy.enter(VALUE));
    END IF;
    IF pg_catalog.to_regtype('tenancy.leaving') IS NULL THEN
        CREATE DOMAIN tenancy.leaving AS pg_catalog.float8
            CONSTRAINT leaving_check CHECK (tenancy.leave(VALUE));
    END IF;
END
$do$;
ALTER DOMAIN tenancy.entering OWNER TO tenancy_owner;
ALTER DOMAIN tenancy.leaving OWNER TO tenancy_owner;
REVOKE ALL ON TYPE tenancy.entering, tenancy.leaving FROM PUBLIC, tenancy_app;
GRANT USAGE ON TYPE tenancy.entering, tenancy.leaving TO tenancy_app;
