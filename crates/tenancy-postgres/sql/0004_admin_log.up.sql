-- The calls of AdminDb: time, login, reason, action and object. Members of tenancy_owner write it, and can change it.
CREATE TABLE IF NOT EXISTS tenancy.admin_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT pg_catalog.now(),
    login name NOT NULL DEFAULT SESSION_USER,
    reason text NOT NULL,
    action text NOT NULL,
    object text NOT NULL
);
ALTER TABLE tenancy.admin_log OWNER TO tenancy_owner;
REVOKE ALL ON tenancy.admin_log FROM PUBLIC, tenancy_app, tenancy_shared;
