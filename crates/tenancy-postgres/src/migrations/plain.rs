//! Enables a table in a database in which no function can be installed.

use super::enable::{EnableTable, literal};

/// The body of the statement. `{name}` is the table's name as a literal; `%s` of `format` is the name itself.
const BODY: &str = r"
DECLARE
    name pg_catalog.text := {name}::pg_catalog.regclass::pg_catalog.text;
    own pg_catalog.text := 'tenant_id OPERATOR(pg_catalog.=) '
        '(SELECT pg_catalog.current_setting(''app.tenant_id'')::pg_catalog.uuid)';
BEGIN
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD COLUMN IF NOT EXISTS tenant_id pg_catalog.uuid', name);
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN tenant_id SET NOT NULL', name);
    EXECUTE pg_catalog.format(
        'ALTER TABLE %s ALTER COLUMN tenant_id '
        'SET DEFAULT pg_catalog.current_setting(''app.tenant_id'')::pg_catalog.uuid', name);
    IF NOT EXISTS (
        SELECT FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
            AND a.attnum OPERATOR(pg_catalog.=) i.indkey[0]
        WHERE i.indrelid OPERATOR(pg_catalog.=) {name}::pg_catalog.regclass
            AND a.attname OPERATOR(pg_catalog.=) 'tenant_id'
    ) THEN
        EXECUTE pg_catalog.format('CREATE INDEX ON %s (tenant_id)', name);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', name);
    EXECUTE pg_catalog.format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', name);
    EXECUTE pg_catalog.format('DROP POLICY IF EXISTS tenancy_isolation ON %s', name);
    EXECUTE pg_catalog.format('DROP POLICY IF EXISTS tenancy_access ON %s', name);
    EXECUTE pg_catalog.format(
        'CREATE POLICY tenancy_isolation ON %s AS RESTRICTIVE FOR ALL TO PUBLIC USING (%s) WITH CHECK (%s)',
        name, own, own);
    EXECUTE pg_catalog.format(
        'CREATE POLICY tenancy_access ON %s AS PERMISSIVE FOR ALL TO PUBLIC USING (true) WITH CHECK (true)', name);
END";

impl EnableTable<'_> {
    /// Returns one statement for [`ContextBinding::Plain`](crate::ContextBinding::Plain), which needs no schema
    /// `tenancy`.
    ///
    /// It is safe to run repeatedly. The policies trust a setting that any SQL can set, so they protect against
    /// mistakes and not against an attack. The statement does not backfill rows, does not change partitions, and grants
    /// nothing.
    ///
    /// ```
    /// use tenancy_postgres::enable_table;
    ///
    /// let sql = enable_table("public.orders").plain_sql();
    /// assert!(sql.starts_with("DO ") && sql.contains("app.tenant_id"));
    /// ```
    pub fn plain_sql(&self) -> String {
        format!("DO {}", literal(&BODY.replace("{name}", &literal(self.name))))
    }
}
