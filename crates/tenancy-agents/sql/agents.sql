-- Tenants' agents. `tenancy_agents::store::postgres::migrate` runs it in one transaction, after tenancy's own
-- migrations; it is safe to run again.

-- Nothing that others may create in `public` stands in for what is named here.
SET LOCAL search_path = pg_catalog, pg_temp;

-- `agents`: of two programs that run this at once one waits.
SELECT pg_advisory_xact_lock(x'6167656e7473'::bigint);

CREATE SCHEMA IF NOT EXISTS tenancy_agents AUTHORIZATION tenancy_owner;
DO $do$
BEGIN
    IF (SELECT nspowner FROM pg_namespace WHERE nspname = 'tenancy_agents') <> 'tenancy_owner'::regrole THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_schema',
            MESSAGE = 'tenancy_agents: the schema exists, and is not tenancy_owner''s';
    END IF;
END
$do$;
REVOKE ALL ON SCHEMA tenancy_agents FROM PUBLIC, tenancy_app;

-- Times are milliseconds since 1970, as they are elsewhere. What of a text is an agent's, the program says.
CREATE TABLE IF NOT EXISTS tenancy_agents.agents (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    name text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    description text NOT NULL,
    version text NOT NULL,
    tier text NOT NULL CHECK (tier IN ('basic', 'standard', 'premium')),
    visibility text NOT NULL CHECK (visibility IN ('private', 'shared')),
    status text NOT NULL CHECK (
        status IN ('draft', 'pending_approval', 'active', 'rejected', 'suspended', 'deprecated', 'deleted')
    ),
    capabilities text[] NOT NULL,
    endpoint text NOT NULL,
    owner text NOT NULL,
    card text CHECK (octet_length(card) <= 65536),
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    last_seen_at bigint,
    -- `Agent::is_shared`: the one place that has it here.
    is_shared boolean NOT NULL GENERATED ALWAYS AS (
        tenant_id = '00000000-0000-0000-0000-000000000001' AND status = 'active' AND visibility = 'shared'
    ) STORED,
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE tenancy_agents.agents OWNER TO tenancy_owner;
CREATE UNIQUE INDEX IF NOT EXISTS agents_name ON tenancy_agents.agents (tenant_id, name) WHERE status <> 'deleted';
CREATE INDEX IF NOT EXISTS agents_status ON tenancy_agents.agents (tenant_id, status, id);
-- Pages don't step over tombstones, nor over what the platform keeps for itself.
CREATE INDEX IF NOT EXISTS agents_living ON tenancy_agents.agents (tenant_id, id) WHERE status <> 'deleted';
CREATE INDEX IF NOT EXISTS agents_shared ON tenancy_agents.agents (tenant_id, id) WHERE is_shared;
SELECT tenancy.enable_table('tenancy_agents.agents'::regclass);

-- Who has a tag, by id. A trigger keeps it.
CREATE TABLE IF NOT EXISTS tenancy_agents.agent_capabilities (
    tenant_id uuid NOT NULL,
    capability text COLLATE "C" NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (tenant_id, capability, id)
);
ALTER TABLE tenancy_agents.agent_capabilities OWNER TO tenancy_owner;
SELECT tenancy.enable_table('tenancy_agents.agent_capabilities'::regclass);

-- Which tenants hold a name, and whether the platform shares it. No service reaches it: what a tenant may know of
-- others' names it learns by an error.
CREATE TABLE IF NOT EXISTS tenancy_agents.names (
    name text COLLATE "C" NOT NULL,
    holder uuid NOT NULL,
    is_shared boolean NOT NULL,
    PRIMARY KEY (name, holder)
);
ALTER TABLE tenancy_agents.names OWNER TO tenancy_owner;
REVOKE ALL ON tenancy_agents.names FROM PUBLIC, tenancy_app, tenancy_shared;

-- Copies of the agents that the platform shares, so that a tenant reads its own and these in one statement. All tenants
-- can read the table, and a trigger alone writes it.
DO $do$
BEGIN
    IF to_regclass('tenancy_agents.shared_agents') IS NOT NULL THEN
        RETURN;
    END IF;
    CREATE TABLE tenancy_agents.shared_agents (
        id uuid PRIMARY KEY,
        name text COLLATE "C" NOT NULL,
        display_name text NOT NULL,
        description text NOT NULL,
        version text NOT NULL,
        tier text NOT NULL,
        visibility text NOT NULL,
        status text NOT NULL,
        capabilities text[] NOT NULL,
        endpoint text NOT NULL,
        owner text NOT NULL,
        card text,
        revision bigint NOT NULL,
        created_at bigint NOT NULL,
        updated_at bigint NOT NULL,
        last_seen_at bigint
    );
    CREATE INDEX shared_agents_name ON tenancy_agents.shared_agents (name);
    CREATE INDEX shared_agents_capabilities ON tenancy_agents.shared_agents USING gin (capabilities);
    -- Agents of an earlier version. The policies hide them from the owner too, until the end of this block.
    ALTER TABLE tenancy_agents.agents NO FORCE ROW LEVEL SECURITY;
    INSERT INTO tenancy_agents.shared_agents
        SELECT a.id, a.name, a.display_name, a.description, a.version, a.tier, a.visibility, a.status, a.capabilities,
            a.endpoint, a.owner, a.card, a.revision, a.created_at, a.updated_at, a.last_seen_at
        FROM tenancy_agents.agents a WHERE a.is_shared;
    ALTER TABLE tenancy_agents.agents FORCE ROW LEVEL SECURITY;
END
$do$;
ALTER TABLE tenancy_agents.shared_agents OWNER TO tenancy_owner;
SELECT tenancy.share_table('tenancy_agents.shared_agents'::regclass);

-- It runs as the owner of the copies. Its triggers call it only for agents that are shared, or were.
CREATE OR REPLACE FUNCTION tenancy_agents.keep_shared() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM tenancy_agents.shared_agents s WHERE s.id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.is_shared THEN
        INSERT INTO tenancy_agents.shared_agents (id, name, display_name, description, version, tier, visibility, status,
                capabilities, endpoint, owner, card, revision, created_at, updated_at, last_seen_at)
            VALUES (NEW.id, NEW.name, NEW.display_name, NEW.description, NEW.version, NEW.tier, NEW.visibility, NEW.status,
                NEW.capabilities, NEW.endpoint, NEW.owner, NEW.card, NEW.revision, NEW.created_at, NEW.updated_at,
                NEW.last_seen_at);
    END IF;
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy_agents.keep_shared() OWNER TO tenancy_owner;
REVOKE ALL ON FUNCTION tenancy_agents.keep_shared() FROM PUBLIC, tenancy_app;

-- It runs as the tenant, in whose tenancy its rows are.
CREATE OR REPLACE FUNCTION tenancy_agents.keep_capabilities() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.tenant_id, OLD.id, OLD.capabilities) = (NEW.tenant_id, NEW.id, NEW.capabilities) THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM tenancy_agents.agent_capabilities
            WHERE tenant_id = OLD.tenant_id AND capability = ANY (OLD.capabilities) AND id = OLD.id;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO tenancy_agents.agent_capabilities (tenant_id, capability, id)
            SELECT NEW.tenant_id, capability, NEW.id FROM unnest(NEW.capabilities) AS capability
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy_agents.keep_capabilities() OWNER TO tenancy_owner;
REVOKE ALL ON FUNCTION tenancy_agents.keep_capabilities() FROM PUBLIC, tenancy_app;

-- No tenant takes a name that the platform shares, and the platform shares none that a tenant has: row-level security
-- hides from each what the other has, so this runs as who sees both.
--
-- Tenants that take a name don't wait for each other, and the platform that would share it waits for all of them. The
-- lock is held until the commit, and what is read behind it is new: that is so in READ COMMITTED alone. Names share 256
-- locks, so that who adds many in one transaction does not fill the server's memory of locks.
CREATE OR REPLACE FUNCTION tenancy_agents.keep_name() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
DECLARE
    platform CONSTANT uuid := '00000000-0000-0000-0000-000000000001';
    was_there CONSTANT boolean := TG_OP <> 'INSERT' AND OLD.status <> 'deleted';
    is_there CONSTANT boolean := TG_OP <> 'DELETE' AND NEW.status <> 'deleted';
    is_same CONSTANT boolean := was_there AND is_there AND (OLD.name, OLD.tenant_id) = (NEW.name, NEW.tenant_id);
    is_claimed CONSTANT boolean := is_there AND NOT is_same AND NEW.tenant_id <> platform;
    becomes_shared CONSTANT boolean := is_there AND NEW.is_shared AND NOT (is_same AND OLD.is_shared);
    -- `agen`: others lock by other numbers.
    ours CONSTANT integer := x'6167656e'::integer;
    bucket integer;
    holders uuid[];
BEGIN
    IF is_claimed OR becomes_shared THEN
        IF current_setting('transaction_isolation') <> 'read committed' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_transaction_state',
                MESSAGE = 'tenancy_agents: names are taken in READ COMMITTED';
        END IF;
        bucket := hashtext(NEW.name) & 255;
        IF becomes_shared THEN
            PERFORM pg_advisory_xact_lock(ours, bucket);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(ours, bucket);
        END IF;
    END IF;
    IF is_claimed AND EXISTS (
        SELECT FROM tenancy_agents.names n WHERE n.name = NEW.name AND n.holder = platform AND n.is_shared
    ) THEN
        RAISE EXCEPTION USING ERRCODE = 'TA001', MESSAGE = 'tenancy_agents: the platform shares the name';
    END IF;
    IF becomes_shared THEN
        holders := ARRAY(
            SELECT n.holder FROM tenancy_agents.names n WHERE n.name = NEW.name AND n.holder <> platform ORDER BY 1
        );
        IF cardinality(holders) > 0 THEN
            -- The row belongs to the platform, so only the platform reads this. The client reads the message. Clients of
            -- earlier versions read the detail.
            RAISE EXCEPTION USING
                ERRCODE = 'TA002',
                MESSAGE = concat('tenancy_agents: tenants have the name: ', holders[1], ' ', cardinality(holders) - 1),
                DETAIL = concat(holders[1], ' ', cardinality(holders) - 1);
        END IF;
    END IF;
    IF was_there THEN
        DELETE FROM tenancy_agents.names n WHERE n.name = OLD.name AND n.holder = OLD.tenant_id;
    END IF;
    IF is_there THEN
        INSERT INTO tenancy_agents.names (name, holder, is_shared) VALUES (NEW.name, NEW.tenant_id, NEW.is_shared);
    END IF;
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy_agents.keep_name() OWNER TO tenancy_owner;
REVOKE ALL ON FUNCTION tenancy_agents.keep_name() FROM PUBLIC, tenancy_app;

-- For operators: no trigger of a row runs on TRUNCATE. Who may not empty these three tables may not empty that one.
CREATE OR REPLACE FUNCTION tenancy_agents.forget_all() RETURNS trigger
LANGUAGE plpgsql VOLATILE SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
    TRUNCATE tenancy_agents.agent_capabilities, tenancy_agents.names, tenancy_agents.shared_agents;
    RETURN NULL;
END
$function$;
ALTER FUNCTION tenancy_agents.forget_all() OWNER TO tenancy_owner;
REVOKE ALL ON FUNCTION tenancy_agents.forget_all() FROM PUBLIC, tenancy_app;

-- After the row, so that what the tenant itself has already is told by the table's own keys. A heartbeat runs none.
CREATE OR REPLACE TRIGGER keep_capabilities
    AFTER INSERT OR DELETE OR UPDATE OF tenant_id, id, capabilities ON tenancy_agents.agents
    FOR EACH ROW EXECUTE FUNCTION tenancy_agents.keep_capabilities();
CREATE OR REPLACE TRIGGER keep_name
    AFTER INSERT OR DELETE OR UPDATE OF tenant_id, name, status, visibility ON tenancy_agents.agents
    FOR EACH ROW EXECUTE FUNCTION tenancy_agents.keep_name();
CREATE OR REPLACE TRIGGER keep_shared_insert AFTER INSERT ON tenancy_agents.agents
    FOR EACH ROW WHEN (NEW.is_shared) EXECUTE FUNCTION tenancy_agents.keep_shared();
CREATE OR REPLACE TRIGGER keep_shared_update AFTER UPDATE ON tenancy_agents.agents
    FOR EACH ROW WHEN (OLD.is_shared OR NEW.is_shared) EXECUTE FUNCTION tenancy_agents.keep_shared();
CREATE OR REPLACE TRIGGER keep_shared_delete AFTER DELETE ON tenancy_agents.agents
    FOR EACH ROW WHEN (OLD.is_shared) EXECUTE FUNCTION tenancy_agents.keep_shared();
CREATE OR REPLACE TRIGGER forget_all
    AFTER TRUNCATE ON tenancy_agents.agents
    FOR EACH STATEMENT EXECUTE FUNCTION tenancy_agents.forget_all();
