-- This deletes the log of the operators' actions.

DROP TABLE IF EXISTS tenancy.admin_log;
