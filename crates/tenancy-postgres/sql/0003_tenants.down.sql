-- This deletes the records of all tenants.

DROP TABLE IF EXISTS tenancy.tenants;
DROP FUNCTION IF EXISTS tenancy.tenants_written(), tenancy.tenant_changed(), tenancy.tenants_notify();
