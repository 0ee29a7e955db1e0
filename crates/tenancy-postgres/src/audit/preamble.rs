//! The part that all catalog queries share.

/// The common table expressions of all catalog queries.
///
/// `$1` is the user, `$2` the bodies of the functions, `$3` to `$5` the texts of policies and defaults, and `$6` the
/// names of further extensions that keep state.
///
/// A role counts together with each role that it is a member of, because it can `SET ROLE` to it. A privilege counts
/// even if the schema cannot be used, because `USAGE` can be granted later.
///
/// - `reach`: the user and the roles that it is a member of. `roles`: PUBLIC and these roles, for `REVOKE`.
/// - `bypass`: the roles to which policies do not apply, and those that can change them.
/// - `relations`, `tables`: relations of the application, and its tables with `tenant_id`. `reached` means that the user
///   has a privilege, `written` that it can change rows.
/// - `opened`: views that the user can query, and what they read with their owners' privileges.
/// - `touched`: tables in which a statement of the user changes rows, also by foreign keys and in partitions.
/// - `called`: functions that the server calls without checking the privilege `EXECUTE` of the user.
/// - `running`: functions that run in statements of the user, with the role that they run as; 0 is the user.
pub(super) const PREAMBLE: &str = r"
WITH RECURSIVE bodies (body) AS (SELECT unnest($2::text[])),
form (signed, policy, value) AS (SELECT $3::boolean, $4::text, $5::text[]),
stateful (name) AS (SELECT unnest($6::text[])),
reach (role) AS (
    SELECT $1::oid
    UNION SELECT m.roleid FROM pg_auth_members m JOIN reach ON m.member = reach.role
),
roles (list) AS (
    SELECT concat_ws(', ', 'PUBLIC', string_agg(quote_ident(rolname), ', ' ORDER BY rolname))
    FROM pg_roles WHERE oid IN (SELECT role FROM reach) AND rolname !~ '^pg_'
),
bypass (role) AS (
    SELECT oid FROM pg_roles
    WHERE rolsuper OR rolbypassrls OR (to_regrole('tenancy_owner') IS NOT NULL
        AND pg_has_role(oid, 'tenancy_owner', 'MEMBER'))
),
relations AS (
    SELECT c.oid, c.relkind, c.relowner, c.relrowsecurity, c.relforcerowsecurity, c.relispartition,
        format('%I.%I', n.nspname, c.relname) AS name,
        EXISTS (
            SELECT FROM pg_attribute a
            WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        ) AS tenant,
        EXISTS (
            SELECT FROM aclexplode(c.relacl) AS granted
            WHERE granted.grantee = to_regrole('tenancy_shared') AND granted.privilege_type = 'SELECT'
        ) AND NOT EXISTS (
            SELECT FROM pg_inherits i JOIN pg_attribute a ON a.attrelid = i.inhrelid
            WHERE i.inhparent = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        ) AS shared,
        EXISTS (
            SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                AND d.refclassid = 'pg_extension'::regclass
                AND (e.extname, c.relname) IN (
                    ('postgis', 'spatial_ref_sys'), ('postgis', 'geometry_columns'),
                    ('postgis', 'geography_columns'), ('postgis_raster', 'raster_columns'),
                    ('postgis_raster', 'raster_overviews')
                )
        ) AS constant,
        EXISTS (
            SELECT FROM pg_options_to_table(c.reloptions)
            WHERE option_name = 'security_invoker' AND option_value::boolean
        ) AS invoker,
        EXISTS (
            SELECT FROM reach
            WHERE has_table_privilege(role, c.oid, 'SELECT, INSERT, UPDATE, DELETE')
                OR has_any_column_privilege(role, c.oid, 'SELECT, INSERT, UPDATE')
        ) AS reached,
        EXISTS (
            SELECT FROM reach
            WHERE has_table_privilege(role, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                OR has_any_column_privilege(role, c.oid, 'INSERT, UPDATE')
        ) AS written
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tenancy') AND n.nspname !~ '^pg_(toast|temp)'
),
tables AS (
    SELECT *, reached OR oid IN (SELECT view FROM opened) AS exposed
    FROM relations WHERE tenant AND relkind IN ('r', 'p')
),
depends (view, source) AS (
    SELECT r.ev_class, d.refobjid
    FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
        AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class
),
reads (view, source) AS (
    SELECT view, source FROM depends
    UNION SELECT reads.view, depends.source FROM reads JOIN depends ON depends.view = reads.source
),
opened (view) AS (
    SELECT oid FROM relations WHERE relkind = 'v' AND reached
    UNION SELECT d.source FROM opened JOIN pg_class c ON c.oid = opened.view AND c.relkind = 'v'
        JOIN depends d ON d.view = c.oid
),
touched (oid) AS (
    SELECT oid FROM relations WHERE written OR oid IN (SELECT view FROM opened WHERE view IN (
        SELECT source FROM reads JOIN relations v ON v.oid = reads.view WHERE v.written
    ))
    UNION SELECT link.target FROM touched JOIN (
        SELECT confrelid AS source, conrelid AS target FROM pg_constraint
        WHERE contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))
        UNION ALL SELECT inhparent, inhrelid FROM pg_inherits
    ) AS link ON link.source = touched.oid
),
called (oid, kind, through) AS (
    SELECT function, 'aggregate', a.aggfnoid::regprocedure::text
    FROM pg_aggregate a CROSS JOIN LATERAL unnest(ARRAY[
        a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn,
        a.aggmfinalfn
    ]::oid[]) AS function
    WHERE EXISTS (SELECT FROM reach WHERE has_function_privilege(role, a.aggfnoid, 'EXECUTE'))
    UNION SELECT s.amproc, 'opclass', format('OPERATOR FAMILY %I.%I', n.nspname, f.opfname)
    FROM pg_amproc s JOIN pg_opfamily f ON f.oid = s.amprocfamily JOIN pg_namespace n ON n.oid = f.opfnamespace
    UNION SELECT o.oprcode, 'opclass', format('OPERATOR FAMILY %I.%I', n.nspname, f.opfname)
    FROM pg_amop s JOIN pg_operator o ON o.oid = s.amopopr JOIN pg_opfamily f ON f.oid = s.amopfamily
        JOIN pg_namespace n ON n.oid = f.opfnamespace
    UNION SELECT function, 'type', format('TYPE %s', t.oid::regtype)
    FROM pg_type t CROSS JOIN LATERAL unnest(ARRAY[
        t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typsubscript
    ]::oid[]) AS function
    UNION SELECT function, 'type', format('TYPE %s', r.rngtypid::regtype)
    FROM pg_range r CROSS JOIN LATERAL unnest(ARRAY[r.rngcanonical, r.rngsubdiff]::oid[]) AS function
    UNION SELECT function, 'operator', format('OPERATOR %s', o.oid::regoperator)
    FROM pg_operator o CROSS JOIN LATERAL unnest(ARRAY[o.oprrest, o.oprjoin]::oid[]) AS function
    UNION SELECT p.prosupport, 'function', p.oid::regprocedure::text FROM pg_proc p WHERE p.prosupport <> 0
    UNION SELECT c.conproc, 'conversion', format('CONVERSION %I', c.conname) FROM pg_conversion c
    UNION SELECT function, 'transform', format('TRANSFORM FOR %s', t.trftype::regtype)
    FROM pg_transform t CROSS JOIN LATERAL unnest(ARRAY[t.trffromsql, t.trftosql]::oid[]) AS function
    UNION SELECT t.tgfoid, 'trigger', format('TRIGGER %I ON %s', t.tgname, t.tgrelid::regclass)
    FROM pg_trigger t WHERE t.tgenabled <> 'D' AND t.tgrelid IN (SELECT oid FROM touched)
    UNION SELECT e.evtfoid, 'trigger', format('EVENT TRIGGER %I', e.evtname)
    FROM pg_event_trigger e WHERE e.evtenabled <> 'D'
),
-- Built-in functions call nothing that a role could replace. A body that is text names what it calls; the context's own
-- functions are compared with the migrations.
running (oid, actor, kind, through) AS (
    SELECT p.oid, 0::oid, 'granted', NULL::text FROM pg_proc p
    WHERE (p.oid >= 16384 OR p.prosecdef) AND EXISTS (
        SELECT FROM reach WHERE has_function_privilege(role, p.oid, 'EXECUTE')
    )
    UNION SELECT p.oid, 0::oid, called.kind, called.through
    FROM called JOIN pg_proc p ON p.oid = called.oid WHERE p.oid >= 16384 OR p.prosecdef
    UNION SELECT callee.oid, step.actor, 'function', step.name
    FROM (
        SELECT f.oid, f.prosrc, f.oid::regprocedure::text AS name,
            CASE WHEN f.prosecdef THEN f.proowner ELSE running.actor END AS actor
        FROM running JOIN pg_proc f ON f.oid = running.oid JOIN pg_namespace n ON n.oid = f.pronamespace
        WHERE n.nspname <> 'tenancy'
    ) AS step JOIN pg_proc callee ON callee.oid >= 16384 AND callee.oid <> step.oid
    WHERE step.actor <> 0 AND has_function_privilege(step.actor, callee.oid, 'EXECUTE')
        AND ((position(callee.proname IN step.prosrc) > 0
            AND step.prosrc ~ ('\m' || regexp_replace(callee.proname, '(\W)', '\\\1', 'g') || '\M')) OR EXISTS (
            SELECT FROM pg_depend d
            WHERE d.classid = 'pg_proc'::regclass AND d.objid = step.oid
                AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = callee.oid
        ))
)";
