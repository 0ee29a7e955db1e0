-- With it goes what operators did.

DROP TABLE IF EXISTS tenancy.admin_log;
