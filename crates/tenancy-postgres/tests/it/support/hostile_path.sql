-- A schema of the service's own, for the front of its search_path: what it names as the catalog does makes each
-- comparison true, each hash the same, and each time and tenant another.
CREATE SCHEMA evil AUTHORIZATION service;
SET ROLE service;
-- The functions' owner must be able to use it, or it would be left out of the path.
GRANT USAGE ON SCHEMA evil TO PUBLIC;
SET search_path = pg_catalog, evil;

CREATE FUNCTION evil.yes(bytea, bytea) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes(uuid, uuid) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes(bigint, bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes(integer, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes(float8, float8) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION evil.yes(timestamptz, timestamptz) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.= (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = evil.yes);
CREATE OPERATOR evil.= (LEFTARG = uuid, RIGHTARG = uuid, FUNCTION = evil.yes);
CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.yes);
CREATE OPERATOR evil.> (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = evil.yes);
CREATE OPERATOR evil.> (LEFTARG = float8, RIGHTARG = float8, FUNCTION = evil.yes);
CREATE OPERATOR evil.> (LEFTARG = timestamptz, RIGHTARG = timestamptz, FUNCTION = evil.yes);

CREATE FUNCTION evil.left(bytea, bytea) RETURNS bytea LANGUAGE sql AS 'SELECT $1';
CREATE OPERATOR evil.|| (LEFTARG = bytea, RIGHTARG = bytea, FUNCTION = evil.left);

CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE sql AS $$ SELECT '\x00'::bytea $$;
CREATE FUNCTION evil.encode(bytea, text) RETURNS text LANGUAGE sql AS $$ SELECT '' $$;
CREATE FUNCTION evil.convert_to(text, name) RETURNS bytea LANGUAGE sql AS $$ SELECT ''::bytea $$;
CREATE FUNCTION evil.pg_backend_pid() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1970-01-01Z'::timestamptz $$;
CREATE FUNCTION evil.transaction_timestamp() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '1970-01-01Z'::timestamptz $$;
CREATE FUNCTION evil.date_part(text, timestamptz) RETURNS float8 LANGUAGE sql AS 'SELECT 0::float8';
CREATE FUNCTION evil.current_database() RETURNS name LANGUAGE sql AS $$ SELECT ''::name $$;

-- No text is one of these.
CREATE DOMAIN evil.uuid AS pg_catalog.uuid CHECK (false);
CREATE TABLE evil.minting AS SELECT ''::bytea AS inner_pad, ''::bytea AS outer_pad;
CREATE TABLE evil.keys AS SELECT 1 AS id, ''::bytea AS inner_pad, ''::bytea AS outer_pad, NULL::timestamptz AS not_after;
GRANT SELECT ON evil.minting, evil.keys TO PUBLIC;

RESET search_path;
RESET ROLE;
