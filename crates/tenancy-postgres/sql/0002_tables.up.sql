-- Functions that enable tenant isolation for a table. The operator calls them as the table's owner.

-- Returns the relation's qualified and quoted name, which does not depend on the search_path.
CREATE OR REPLACE FUNCTION tenancy.quoted(relation regclass) RETURNS text
LANGUAGE sql STABLE STRICT AS $function$
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname)
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) relation
$function$;
ALTER FUNCTION tenancy.quoted(regclass) OWNER TO tenancy_owner;

-- Returns the relation, its partitions and the tables that inherit from it.
CREATE OR REPLACE FUNCTION tenancy.family(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE STRICT AS $function$
    WITH RECURSIVE family (member) AS (
        SELECT relation::pg_catalog.oid
        UNION
        SELECT i.inhrelid FROM pg_catalog.pg_inherits i
            JOIN family ON i.inhparent OPERATOR(pg_catalog.=) family.member
    )
    SELECT member::pg_catalog.regclass FROM family
$function$;
ALTER FUNCTION tenancy.family(regclass) OWNER TO tenancy_owner;

-- Adds only the column, without values, so that rows can be backfilled in several transactions.
CREATE OR REPLACE FUNCTION tenancy.add_tenant_column(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT AS $function$
DECLARE
    about record;
    column_type pg_catalog.oid;
BEGIN
    SELECT c.relkind, c.relispartition, c.relpersistence, n.nspname INTO about
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF NOT FOUND OR about.relkind OPERATOR(pg_catalog.<>) ALL (ARRAY['r', 'p']::pg_catalog."char"[]) OR about.relpersistence OPERATOR(pg_catalog.=) 't' THEN
        RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = 'tenancy: not a table that lasts';
    END IF;
    IF about.nspname OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog', 'information_schema', 'tenancy']::pg_catalog.name[]) THEN
        RAISE EXCEPTION USING ERRCODE = '42501', MESSAGE = 'tenancy: a table of the system';
    END IF;
    IF about.relispartition THEN
        RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = 'tenancy: a partition: enable the table it is a part of';
    END IF;
    SELECT a.atttypid INTO column_type FROM pg_catalog.pg_attribute a
        WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) 'tenant_id'
            AND NOT a.attisdropped;
    IF NOT FOUND THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s ADD COLUMN tenant_id pg_catalog.uuid', tenancy.quoted(relation));
    ELSIF column_type OPERATOR(pg_catalog.<>) 'pg_catalog.uuid'::pg_catalog.regtype THEN
        RAISE EXCEPTION USING ERRCODE = '42804', MESSAGE = 'tenancy: the column tenant_id is not a uuid';
    END IF;
END
$function$;
ALTER FUNCTION tenancy.add_tenant_column(regclass) OWNER TO tenancy_owner;

-- Sets row-level security of one relation, and replaces policies of the same names.
CREATE OR REPLACE FUNCTION tenancy.protect(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT AS $function$
DECLARE
    name pg_catalog.text := tenancy.quoted(relation);
BEGIN
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE pg_catalog.format('DROP POLICY IF EXISTS tenancy_isolation ON %s', name);
    EXECUTE pg_catalog.format('DROP POLICY IF EXISTS tenancy_access ON %s', name);
    -- Restrictive: no other policy widens it. The sub-select is evaluated once a statement, not once a row.
    EXECUTE pg_catalog.format(
        'CREATE POLICY tenancy_isolation ON %s AS RESTRICTIVE FOR ALL TO PUBLIC '
        'USING (tenant_id OPERATOR(pg_catalog.=) (SELECT tenancy.tenant_id())) '
        'WITH CHECK (tenant_id OPERATOR(pg_catalog.=) (SELECT tenancy.tenant_id()))', name);
    -- To all, grants decide who: whom no permissive policy lets in gets no rows, and no error that tells why.
    EXECUTE pg_catalog.format(
        'CREATE POLICY tenancy_access ON %s AS PERMISSIVE FOR ALL TO PUBLIC USING (true) WITH CHECK (true)', name);
    EXECUTE pg_catalog.format('REVOKE ALL ON TABLE %s FROM PUBLIC, tenancy_app, tenancy_shared', name);
END
$function$;
ALTER FUNCTION tenancy.protect(regclass) OWNER TO tenancy_owner;

-- Enables a table: column, NOT NULL, default, index, policies, grants. It is safe to run repeatedly, and must run again
-- when a partition was added.
CREATE OR REPLACE FUNCTION tenancy.enable_table(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT AS $function$
DECLARE
    name pg_catalog.text := tenancy.quoted(relation);
    nullable boolean;
    lacking boolean;
    other pg_catalog.text;
    indexed boolean;
BEGIN
    PERFORM tenancy.add_tenant_column(relation);
    SELECT NOT a.attnotnull INTO nullable FROM pg_catalog.pg_attribute a
        WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) 'tenant_id';
    IF nullable THEN
        EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s WHERE tenant_id IS NULL)', name) INTO lacking;
        IF lacking THEN
            RAISE EXCEPTION USING
                ERRCODE = '23502',
                MESSAGE = pg_catalog.format('tenancy: rows of %s have no tenant_id', name),
                HINT = 'Give them their tenant first.';
        END IF;
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN tenant_id SET NOT NULL', name);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN tenant_id SET DEFAULT tenancy.tenant_id()', name);
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
    -- Partitions have no grants: they are reached by their table.
    EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON TABLE %s TO tenancy_app', name);
    SELECT pg_catalog.quote_ident(n.nspname) INTO other
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) relation;
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO tenancy_app', other);
    -- What a serial column takes its numbers from.
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

-- Grants all tenants read access to a table without tenant_id, and no write access. The audit recognizes the grant.
CREATE OR REPLACE FUNCTION tenancy.share_table(relation regclass) RETURNS void
LANGUAGE plpgsql VOLATILE STRICT AS $function$
DECLARE
    name pg_catalog.text := tenancy.quoted(relation);
    namespace pg_catalog.text;
BEGIN
    PERFORM FROM pg_catalog.pg_attribute a
        WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) 'tenant_id'
            AND NOT a.attisdropped;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = '42809', MESSAGE = 'tenancy: a table with tenant_id is its tenants'' own';
    END IF;
    EXECUTE pg_catalog.format('REVOKE ALL ON TABLE %s FROM PUBLIC, tenancy_app, tenancy_shared', name);
    EXECUTE pg_catalog.format('GRANT SELECT ON TABLE %s TO tenancy_shared', name);
    SELECT pg_catalog.quote_ident(n.nspname) INTO namespace
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE c.oid OPERATOR(pg_catalog.=) relation;
    EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA %s TO tenancy_shared', namespace);
END
$function$;
ALTER FUNCTION tenancy.share_table(regclass) OWNER TO tenancy_owner;

REVOKE ALL ON FUNCTION
    tenancy.quoted(regclass), tenancy.family(regclass), tenancy.add_tenant_column(regclass),
    tenancy.protect(regclass), tenancy.enable_table(regclass), tenancy.share_table(regclass)
    FROM PUBLIC, tenancy_app;
