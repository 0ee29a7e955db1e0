//! Functions that the server calls for a tenant without checking the tenant's privilege `EXECUTE`.

use tenancy_postgres::{Finding, audit, audit_role};

use crate::audit::{refused, short};
use crate::support::orders::{Orders, enter, outcome};
use crate::support::{A, B};

/// A function of a superuser that shows B's row, and that nobody may call.
const PEEK: &str = "CREATE FUNCTION peek(NAME) RETURNS RESULT LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER AS \
    $$BEGIN RAISE NOTICE '%', (SELECT max(body) FROM public.many); \
    PERFORM set_config('peek.seen', (SELECT max(body) FROM public.many), true); RETURN VALUE; END$$; \
    REVOKE ALL ON FUNCTION peek(NAME) FROM PUBLIC; ";

fn peek(arguments: &str, result: &str, value: &str) -> String {
    PEEK.replace("NAME", arguments).replace("RESULT", result).replace("VALUE", value)
}

/// A way to a function.
struct Way {
    name: &'static str,
    /// SQL of the operator, after the function.
    plant: &'static str,
    /// The arguments, the type and the value of the function.
    function: [&'static str; 3],
    /// Statements of A. The function sets `peek.seen`.
    attack: &'static str,
    /// How the audit says that it is reached. `None`: the server checks EXECUTE.
    through: Option<&'static str>,
    /// SQL that removes the finding, if the finding has none.
    mend: &'static str,
    undo: &'static str,
}

const INT: [&str; 3] = ["int", "int", "$1"];
const TRIGGER: [&str; 3] = ["", "trigger", "NEW"];

const WAYS: &[Way] = &[
    Way {
        name: "an aggregate's final function",
        plant: "CREATE AGGREGATE collect(int) (SFUNC = int4pl, STYPE = int, FINALFUNC = peek)",
        function: INT,
        attack: "SELECT collect(1)",
        through: Some("public.collect(integer)"),
        mend: "",
        undo: "DROP AGGREGATE collect(int)",
    },
    Way {
        name: "an aggregate's transition function",
        plant: "CREATE AGGREGATE collect(int) (SFUNC = peek, STYPE = int)",
        function: ["int, int", "int", "$2"],
        attack: "SELECT collect(1)",
        through: Some("public.collect(integer)"),
        mend: "",
        undo: "DROP AGGREGATE collect(int)",
    },
    Way {
        name: "a trigger",
        plant: "CREATE TRIGGER peeks BEFORE INSERT ON drafts FOR EACH ROW EXECUTE FUNCTION peek()",
        function: TRIGGER,
        attack: "INSERT INTO drafts VALUES (1)",
        through: Some("TRIGGER peeks ON public.drafts"),
        mend: "ALTER FUNCTION peek() SECURITY INVOKER",
        undo: "",
    },
    Way {
        name: "a trigger of a table that a foreign key reaches",
        plant: "CREATE TABLE parts (id int, draft int); SELECT tenancy.enable_table('parts'); \
            ALTER TABLE drafts ADD UNIQUE (tenant_id, id); \
            ALTER TABLE parts ADD FOREIGN KEY (tenant_id, draft) REFERENCES drafts (tenant_id, id) ON DELETE CASCADE; \
            REVOKE ALL ON parts FROM tenancy_app; \
            INSERT INTO drafts VALUES (7, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'); \
            INSERT INTO parts VALUES (1, 7, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'); \
            CREATE TRIGGER peeks AFTER DELETE ON parts FOR EACH ROW EXECUTE FUNCTION peek()",
        function: TRIGGER,
        attack: "DELETE FROM drafts WHERE id = 7",
        through: Some("TRIGGER peeks ON public.parts"),
        mend: "ALTER FUNCTION peek() SECURITY INVOKER",
        undo: "DROP TABLE parts; ALTER TABLE drafts DROP CONSTRAINT drafts_tenant_id_id_key; DELETE FROM drafts",
    },
    Way {
        name: "a trigger behind a view",
        plant: "CREATE TABLE inner_table (id int); SELECT tenancy.enable_table('inner_table'); \
            REVOKE ALL ON inner_table FROM tenancy_app; \
            GRANT SELECT, INSERT ON inner_table TO view_owner; CREATE VIEW outer_view AS SELECT id FROM inner_table; \
            GRANT EXECUTE ON FUNCTION tenancy.tenant_id() TO view_owner; GRANT USAGE ON SCHEMA tenancy TO view_owner; \
            ALTER VIEW outer_view OWNER TO view_owner; GRANT INSERT, SELECT ON outer_view TO tenancy_app; \
            CREATE TRIGGER peeks BEFORE INSERT ON inner_table FOR EACH ROW EXECUTE FUNCTION peek()",
        function: TRIGGER,
        attack: "INSERT INTO outer_view VALUES (1)",
        through: Some("TRIGGER peeks ON public.inner_table"),
        mend: "ALTER FUNCTION peek() SECURITY INVOKER",
        undo: "DROP VIEW outer_view; DROP TABLE inner_table; DROP OWNED BY view_owner",
    },
    Way {
        name: "an event trigger",
        plant: "CREATE EVENT TRIGGER peeks ON ddl_command_end EXECUTE FUNCTION peek()",
        function: ["", "event_trigger", ""],
        attack: "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO service",
        through: Some("EVENT TRIGGER peeks"),
        mend: "ALTER FUNCTION peek() SECURITY INVOKER",
        undo: "DROP EVENT TRIGGER peeks",
    },
    Way {
        name: "a comparison of an operator class",
        plant: "CREATE OPERATOR CLASS by_peek FOR TYPE int USING btree AS FUNCTION 1 peek(int, int), \
            OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >; \
            INSERT INTO drafts SELECT 1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'; \
            CREATE INDEX ON drafts (tenant_id, id by_peek)",
        function: ["int, int", "int", "$1 - $2"],
        attack: "INSERT INTO drafts VALUES (1)",
        through: Some("OPERATOR FAMILY public.by_peek"),
        mend: "ALTER FUNCTION peek(int, int) SECURITY INVOKER",
        undo: "DROP OPERATOR FAMILY by_peek USING btree CASCADE; DELETE FROM drafts",
    },
    Way {
        name: "a function that runs as a role that may call it",
        plant: "GRANT EXECUTE ON FUNCTION peek(int) TO view_owner; CREATE FUNCTION outer_call() RETURNS int \
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT public.peek(1)'; \
            ALTER FUNCTION outer_call() OWNER TO view_owner",
        function: INT,
        attack: "SELECT outer_call()",
        through: Some("public.outer_call()"),
        mend: "REVOKE EXECUTE ON FUNCTION outer_call() FROM PUBLIC",
        undo: "DROP FUNCTION outer_call()",
    },
    Way {
        name: "a function that calls a function that calls it",
        plant: "GRANT EXECUTE ON FUNCTION peek(int) TO view_owner; CREATE FUNCTION middle_call() RETURNS int \
            LANGUAGE sql AS 'SELECT public.peek(1)'; CREATE FUNCTION outer_call() RETURNS int \
            LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT public.middle_call()'; \
            ALTER FUNCTION outer_call() OWNER TO view_owner",
        function: INT,
        attack: "SELECT outer_call()",
        through: Some("public.middle_call()"),
        mend: "REVOKE EXECUTE ON FUNCTION outer_call() FROM PUBLIC",
        undo: "DROP FUNCTION outer_call(), middle_call()",
    },
    Way {
        name: "an index expression",
        plant: "CREATE INDEX ON drafts (tenant_id, peek(id))",
        function: INT,
        attack: "INSERT INTO drafts VALUES (1)",
        through: None,
        mend: "",
        undo: "",
    },
    Way {
        name: "a default",
        plant: "ALTER TABLE drafts ALTER id SET DEFAULT peek(1)",
        function: INT,
        attack: "INSERT INTO drafts DEFAULT VALUES",
        through: None,
        mend: "",
        undo: "ALTER TABLE drafts ALTER id DROP DEFAULT",
    },
    Way {
        name: "a generated column",
        plant: "ALTER TABLE drafts ADD other int GENERATED ALWAYS AS (peek(id)) STORED",
        function: INT,
        attack: "INSERT INTO drafts (id) VALUES (1)",
        through: None,
        mend: "",
        undo: "ALTER TABLE drafts DROP other",
    },
    Way {
        name: "a CHECK constraint",
        plant: "ALTER TABLE drafts ADD CONSTRAINT peeks CHECK (peek(id) > 0)",
        function: INT,
        attack: "INSERT INTO drafts VALUES (1)",
        through: None,
        mend: "",
        undo: "ALTER TABLE drafts DROP CONSTRAINT peeks",
    },
    Way {
        name: "a domain",
        plant: "CREATE DOMAIN peeked AS int CHECK (peek(VALUE) > 0)",
        function: INT,
        attack: "SELECT 1::peeked",
        through: None,
        mend: "",
        undo: "DROP DOMAIN peeked",
    },
    Way {
        name: "a policy",
        plant: "CREATE POLICY peeks ON drafts AS RESTRICTIVE USING (peek(id) > 0); \
            INSERT INTO drafts VALUES (1, 'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa')",
        function: INT,
        attack: "SELECT id FROM drafts",
        through: None,
        mend: "",
        undo: "DROP POLICY peeks ON drafts; DELETE FROM drafts",
    },
    Way {
        name: "a view",
        plant: "CREATE VIEW peeks AS SELECT peek(1) AS seen; GRANT SELECT ON peeks TO tenancy_app",
        function: INT,
        attack: "SELECT seen FROM peeks",
        through: None,
        mend: "",
        undo: "DROP VIEW peeks",
    },
    Way {
        name: "the condition of a trigger",
        plant: "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'; \
            CREATE TRIGGER peeks BEFORE INSERT ON drafts FOR EACH ROW WHEN (peek(NEW.id) > 0) EXECUTE FUNCTION nothing()",
        function: INT,
        attack: "INSERT INTO drafts VALUES (1)",
        through: None,
        mend: "",
        undo: "DROP FUNCTION nothing() CASCADE",
    },
    Way {
        name: "an operator",
        plant: "CREATE OPERATOR ==== (LEFTARG = int, RIGHTARG = int, FUNCTION = peek)",
        function: ["int, int", "boolean", "$1 = $2"],
        attack: "SELECT 1 ==== 1",
        through: None,
        mend: "",
        undo: "DROP OPERATOR ==== (int, int)",
    },
    Way {
        name: "a cast",
        plant: "CREATE TYPE pair AS (a int, b int); CREATE FUNCTION peek(pair) RETURNS int LANGUAGE sql SECURITY DEFINER \
            AS 'SELECT public.peek(1)'; REVOKE ALL ON FUNCTION peek(pair) FROM PUBLIC; \
            CREATE CAST (pair AS int) WITH FUNCTION peek(pair) AS IMPLICIT",
        function: INT,
        attack: "SELECT ROW(1, 2)::pair::int",
        through: None,
        mend: "",
        undo: "DROP TYPE pair CASCADE",
    },
];

async fn start() -> Orders {
    let schema = Orders::alone().await;
    schema
        .operate(&format!(
            "CREATE ROLE view_owner; CREATE TABLE many (body text); SELECT tenancy.enable_table('many'); \
            INSERT INTO many VALUES ('of-a', '{A}'), ('of-b', '{B}'); \
            CREATE TABLE drafts (id int); SELECT tenancy.enable_table('drafts')"
        ))
        .await;
    schema
}

/// Runs statements in a transaction of A, and returns their outcome and what the function saw.
async fn attack(schema: &Orders, sql: &str) -> (String, String) {
    let client = schema.service().await;
    enter(&client, A).await;
    let shown = outcome(&client, sql).await;
    let seen = outcome(&client, "SELECT COALESCE(current_setting('peek.seen', true), '')").await;
    (shown, seen)
}

async fn findings(schema: &Orders) -> Vec<Finding> {
    audit(&mut schema.service().await).await.expect("findings")
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_exactly_the_functions_that_run_without_execute() {
    let schema = start().await;
    let before: Vec<_> = findings(&schema).await.iter().map(short).collect();
    for way in WAYS {
        let Way { name, .. } = way;
        let [arguments, result, value] = way.function;
        schema.operate(&peek(arguments, result, value)).await;
        schema.operate(way.plant).await;
        let critical = refused(&schema).await;
        let (shown, seen) = attack(&schema, way.attack).await;
        if let Some(through) = way.through {
            assert_eq!(seen, "of-b", "{name}: {shown}");
            let found = findings(&schema).await;
            let finding =
                found.iter().find(|finding| finding.object.starts_with("public.peek(")).expect(name);
            assert_eq!(finding.through.as_deref(), Some(through), "{name}");
            assert_eq!(critical, [short(finding)], "{name}");
            let mend = if finding.sql.is_empty() { way.mend.to_owned() } else { finding.sql.join("; ") };
            schema.operate(&mend).await;
            assert_eq!(refused(&schema).await, Vec::<String>::new(), "{name}: {mend}");
            assert_ne!(attack(&schema, way.attack).await.1, "of-b", "{name}: {mend}");
        } else {
            assert_eq!((shown.as_str(), seen.as_str()), ("ERROR 42501", "ERROR 25P02"), "{name}");
            assert_eq!(critical, Vec::<String>::new(), "{name}: the server refuses the call");
        }
        if !way.undo.is_empty() {
            schema.operate(way.undo).await;
        }
        schema.operate("DO $$BEGIN EXECUTE (SELECT string_agg(format('DROP FUNCTION %s CASCADE', p.oid::regprocedure), ';') FROM pg_proc p WHERE proname = 'peek'); END$$").await;
        let mut after: Vec<_> = findings(&schema).await.iter().map(short).collect();
        after.retain(|finding| !finding.contains("drafts"));
        assert_eq!(after, before, "{name}");
    }
}

/// A role that may create temporary tables gives one of them the trigger.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_trigger_function_can_be_called_by_a_role_with_temporary_tables() {
    let mut schema = start().await;
    schema
        .operate(
            "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS \
            $$BEGIN SELECT max(body) INTO NEW.body FROM public.many; RETURN NEW; END$$",
        )
        .await;
    let steal = "CREATE TEMP TABLE mine (body text); \
        CREATE TRIGGER stamp BEFORE INSERT ON mine FOR EACH ROW EXECUTE FUNCTION stamp(); \
        INSERT INTO mine VALUES ('') RETURNING body";
    assert_eq!(schema.attack(steal).await, "of-b");
    assert_eq!(refused(&schema).await, ["!SecurityDefiner public.stamp()"]);
    schema.operate("REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC").await;
    assert_eq!(schema.attack(steal).await, "ERROR 42501");
    assert_eq!(refused(&schema).await, Vec::<String>::new());
    schema.operate("GRANT TEMPORARY ON DATABASE postgres TO PUBLIC").await;
    let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
    let finding = findings.iter().find(|finding| finding.object == "public.stamp()").expect("a finding");
    for sql in &finding.sql {
        schema.operate(sql).await;
    }
    assert_eq!(schema.attack(steal).await, "ERROR 42501");
    assert_eq!(refused(&schema).await, Vec::<String>::new());
}

/// A condition of a tenant is evaluated on the rows of all tenants if its function is LEAKPROOF.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_leakproof_function_sees_rows_before_policies() {
    let mut schema = start().await;
    let probe = "SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off; \
        SELECT count(*) FROM many WHERE told(body)";
    let told = "CREATE FUNCTION told(text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 LEAKPROOF AS \
        $$BEGIN IF $1 = 'of-b' THEN RAISE EXCEPTION 'seen'; END IF; RETURN true; END$$";
    schema.operate(told).await;
    assert_eq!(schema.attack(probe).await, "ERROR P0001", "it saw B's row");
    assert_eq!(refused(&schema).await, ["!Leakproof public.told(text)"]);
    let findings = audit_role(&mut schema.operator, "service").await.expect("findings");
    for sql in &findings[0].sql {
        schema.operate(sql).await;
    }
    assert_eq!(schema.attack(probe).await, "1");
    assert_eq!(refused(&schema).await, Vec::<String>::new());
    // A built-in function that is not LEAKPROOF from the start.
    schema.operate("ALTER FUNCTION pg_catalog.int4div(int, int) LEAKPROOF").await;
    assert_eq!(refused(&schema).await, ["!Leakproof int4div(integer,integer)"]);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn finds_functions_with_a_mutable_search_path() {
    let schema = start().await;
    schema
        .operate(
            "CREATE FUNCTION price() RETURNS int LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN lookup(); END'; \
            ALTER FUNCTION price() OWNER TO view_owner",
        )
        .await;
    assert!(findings(&schema).await.iter().any(|f| short(f) == "SearchPathMutable public.price()"));
    schema.operate("ALTER FUNCTION price() SET search_path = pg_catalog, pg_temp").await;
    assert!(!findings(&schema).await.iter().any(|f| short(f).starts_with("SearchPathMutable")));
}
