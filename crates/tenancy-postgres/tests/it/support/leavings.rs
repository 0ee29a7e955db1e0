//! SQL that leaves something in a session.

/// Statements of one tenant, and how the next tenant would see what they leave: the answer must be that of a new session.
pub(crate) const LEAVINGS: [(&str, &str); 11] = [
    ("SET statement_timeout = '1h'", "SELECT current_setting('statement_timeout')"),
    ("SELECT set_config('my.own', 'a', false)", "SELECT coalesce(current_setting('my.own', true), '')"),
    ("SET search_path = pg_temp", "SELECT current_setting('search_path')"),
    ("SET ROLE tenancy_app", "SELECT current_user::text"),
    (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SELECT current_setting('default_transaction_read_only')",
    ),
    (
        "DECLARE c CURSOR WITH HOLD FOR SELECT title FROM public.notes",
        "SELECT count(*)::text FROM pg_cursors WHERE is_holdable",
    ),
    (
        "CREATE TEMP TABLE t AS SELECT title FROM public.notes",
        "SELECT coalesce(to_regclass('pg_temp.t')::text, 'none')",
    ),
    (
        "SELECT pg_advisory_lock(1)",
        "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    ),
    ("LISTEN c", "SELECT count(*)::text FROM pg_listening_channels()"),
    (
        "PREPARE p AS SELECT title FROM public.notes",
        "SELECT count(*)::text FROM pg_prepared_statements WHERE from_sql",
    ),
    ("SELECT nextval('notes_id_seq')", "SELECT 'lastval' WHERE lastval() > 0"),
];
