-- Enabled tables remain enabled.

DROP FUNCTION IF EXISTS
    tenancy.share_table(regclass), tenancy.enable_table(regclass), tenancy.protect(regclass), tenancy.add_tenant_column(regclass),
    tenancy.family(regclass), tenancy.quoted(regclass);
