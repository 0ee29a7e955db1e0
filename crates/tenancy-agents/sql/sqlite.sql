-- A tenant's agents, in the tenant's own file.

-- The tenant is in each row all the same: a file that was put under another's name is found out.
CREATE TABLE agents (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    tenant BLOB NOT NULL CHECK (length(tenant) = 16),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    version TEXT NOT NULL,
    tier TEXT NOT NULL CHECK (tier IN ('basic', 'standard', 'premium')),
    visibility TEXT NOT NULL CHECK (visibility IN ('private', 'shared')),
    capabilities TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    owner TEXT NOT NULL,
    card TEXT CHECK (length(card) <= 65536),
    status TEXT NOT NULL CHECK (
        status IN ('draft', 'pending_approval', 'active', 'rejected', 'suspended', 'deprecated', 'deleted')
    ),
    revision INTEGER NOT NULL CHECK (revision >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    last_seen_at INTEGER
) STRICT;

CREATE UNIQUE INDEX agents_by_name ON agents (name) WHERE status <> 'deleted';
CREATE INDEX agents_by_status ON agents (status, id);

CREATE TABLE agent_capabilities (
    tag TEXT NOT NULL,
    id BLOB NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    PRIMARY KEY (tag, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX agent_capabilities_by_agent ON agent_capabilities (id);
