//! The schema `tenancy`: migrations, keys, and tables.

use tenancy_postgres::{SigningKey, add_key, enable_table, migrate, migrations, retire_key, revert};
use tokio_postgres::Client;

use crate::support::database::{Contents, Database, config, connect};
use crate::support::orders::{Orders, code, enter, enter_as, enter_sql, outcome, signature};
use crate::support::{A, B, LATER, SECRET, key};

/// Returns the definitions in the schema, and a hash of the minted secret.
async fn catalog(client: &Client) -> String {
    let sql = "SELECT proname, prosrc, proacl::text, prosecdef, proparallel FROM pg_proc \
            WHERE pronamespace = 'tenancy'::regnamespace ORDER BY 1, 2; \
        SELECT relname, relacl::text, relowner::regrole FROM pg_class \
            WHERE relnamespace = 'tenancy'::regnamespace ORDER BY 1; \
        SELECT nspacl::text FROM pg_namespace WHERE nspname = 'tenancy'; \
        SELECT version, name FROM tenancy.migrations ORDER BY 1; \
        SELECT md5(inner_pad), md5(outer_pad) FROM tenancy.minting; \
        SELECT typname, typacl::text, typowner::regrole FROM pg_type WHERE typnamespace = 'tenancy'::regnamespace \
            AND typtype = 'd' ORDER BY 1";
    outcome(client, sql).await
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn migrations_are_idempotent_and_reversible() {
    let database = Database::alone(Contents::Nothing);
    let mut operator = database.superuser().await;
    assert_eq!(migrate(&mut operator).await.expect("applied"), [1, 2, 3, 4, 5]);
    let first = catalog(&operator).await;
    assert_eq!(migrate(&mut operator).await.expect("nothing"), [0; 0]);
    for migration in migrations() {
        operator.batch_execute(migration.up).await.expect(migration.name);
    }
    assert_eq!(catalog(&operator).await, first, "what is applied by hand once more changes nothing");
    assert_eq!(revert(&mut operator, 1).await.expect("four"), [5, 4, 3, 2]);
    assert_eq!(migrate(&mut operator).await.expect("again"), [2, 3, 4, 5]);
    assert_eq!(catalog(&operator).await, first);
    assert_eq!(revert(&mut operator, 0).await.expect("all"), [5, 4, 3, 2, 1]);
    let left = "SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenancy%' \
        UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'tenancy'";
    assert_eq!(outcome(&operator, left).await, "");
    assert_eq!(migrate(&mut operator).await.expect("anew"), [1, 2, 3, 4, 5]);
    assert_ne!(catalog(&operator).await, first, "another secret is minted");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn concurrent_migrations_apply_each_version_once() {
    let database = Database::alone(Contents::Nothing);
    let mut running = Vec::new();
    for _ in 0..8 {
        let mut operator = database.superuser().await;
        running.push(tokio::spawn(async move { migrate(&mut operator).await.expect("applied") }));
    }
    let mut applied = Vec::new();
    for program in running {
        applied.extend(program.await.expect("it ends"));
    }
    applied.sort_unstable();
    assert_eq!(applied, [1, 2, 3, 4, 5]);
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn an_operator_without_superuser_migrates_and_enables() {
    let database = Database::alone(Contents::Nothing);
    let superuser = database.superuser().await;
    let sql = "CREATE ROLE operator LOGIN CREATEROLE; CREATE DATABASE tenants OWNER operator";
    for sql in sql.split(';') {
        superuser.batch_execute(sql).await.expect(sql);
    }
    let mut operator = connect(&config(&database.server.url("operator", "tenants"))).await;
    migrate(&mut operator).await.expect("a schema");
    add_key(&operator, &key()).await.expect("a key");
    operator
        .batch_execute("CREATE SCHEMA shop; CREATE TABLE shop.orders (id int); CREATE ROLE service LOGIN IN ROLE tenancy_app")
        .await
        .expect("a table");
    enable_table("shop.orders").run(&operator).await.expect("a tenants' table");
    let service = connect(&config(&database.server.url("service", "tenants"))).await;
    enter(&service, A).await;
    let sql = "INSERT INTO shop.orders VALUES (1) RETURNING id, tenant_id";
    assert_eq!(outcome(&service, sql).await, format!("1,{A}"));
    assert_eq!(
        outcome(&operator, "SELECT * FROM shop.orders").await,
        "ERROR 42501",
        "RLS is forced on its owner"
    );
    let blocked = revert(&mut operator, 4).await.expect_err("a transaction of a client is open");
    assert_eq!(code(&blocked), "ERROR 55P03");
    service.batch_execute("ROLLBACK").await.expect("it ends");
    let needed = revert(&mut operator, 0).await.expect_err("a table still calls tenancy.tenant_id()");
    assert_eq!(code(&needed), "ERROR 2BP01");
}

/// Otherwise a role that can create schemas would own the functions that every policy trusts.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn rejects_a_foreign_schema_and_a_role_that_bypasses_row_security() {
    let database = Database::alone(Contents::Nothing);
    let mut operator = database.superuser().await;
    operator.batch_execute("CREATE ROLE eve; CREATE SCHEMA tenancy AUTHORIZATION eve").await.expect("a trap");
    assert_eq!(code(&migrate(&mut operator).await.expect_err("eve's")), "ERROR 42P06");
    operator.batch_execute("DROP SCHEMA tenancy; CREATE ROLE tenancy_app BYPASSRLS").await.expect("a trap");
    assert_eq!(code(&migrate(&mut operator).await.expect_err("BYPASSRLS")), "ERROR 0P000");
    operator.batch_execute("ALTER ROLE tenancy_app NOBYPASSRLS").await.expect("mended");
    migrate(&mut operator).await.expect("a schema");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_tenant_has_its_own_rows() {
    let schema = Orders::start().await;
    let a = schema.entered(A).await;
    assert_eq!(outcome(&a, "SELECT tenancy.tenant_id()").await, A.to_string());
    assert_eq!(outcome(&a, "SELECT id, amount FROM orders").await, "1,11");
    assert_eq!(outcome(&a, "INSERT INTO orders VALUES (3, 33) RETURNING tenant_id").await, A.to_string());
    assert_eq!(outcome(&a, "UPDATE orders SET amount = amount + 1 RETURNING id, amount").await, "1,12;3,34");
    assert_eq!(outcome(&a, "SELECT count(*) FROM orders WHERE id = 2").await, "0");
    assert_eq!(outcome(&a, "DELETE FROM orders RETURNING id").await, "1;3");
    a.batch_execute("COMMIT").await.expect("committed");
    enter(&a, B).await;
    assert_eq!(
        outcome(&a, "SELECT id, amount FROM orders").await,
        "2,22",
        "the same connection, another tenant"
    );
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn keys_rotate() {
    let schema = Orders::start().await;
    let (old, new) = (key(), &[7; 100]);
    let key = SigningKey::new(2, new).expect("a key");
    let by_new = format!("BEGIN; {}; ROLLBACK", enter_sql(A, 2, LATER, &signature(new, A, 2, LATER)));
    let by_old = format!("BEGIN; {}; ROLLBACK", enter_as(A));
    let service = schema.service().await;
    assert_eq!(outcome(&service, &by_new).await, "ERROR 42501");
    service.batch_execute("ROLLBACK").await.expect("it ends");
    add_key(&schema.operator, &key).await.expect("added");
    add_key(&schema.operator, &key).await.expect("the same");
    for sql in [&by_new, &by_old] {
        assert_eq!(outcome(&service, sql).await, "", "both are good");
    }
    let other = SigningKey::new(2, SECRET).expect("a key");
    assert_eq!(code(&add_key(&schema.operator, &other).await.expect_err("taken")), "ERROR 23505");
    schema.operate("SELECT tenancy.retire_key(1, now() + interval '1 day')").await;
    assert_eq!(outcome(&service, &by_old).await, "", "until then");
    retire_key(&schema.operator, 1).await.expect("retired");
    schema.operate("SELECT tenancy.retire_key(1, now() + interval '1 day')").await;
    add_key(&schema.operator, &old).await.expect("the same");
    assert_eq!(outcome(&service, &by_old).await, "ERROR 42501", "and no later time brings it back");
    service.batch_execute("ROLLBACK").await.expect("it ends");
    assert_eq!(outcome(&service, &by_new).await, "");
    assert_eq!(code(&retire_key(&schema.operator, 3).await.expect_err("none")), "ERROR P0002");
    let short = "SELECT tenancy.add_key(3, '\\x00')";
    assert_eq!(outcome(&schema.operator, short).await, "ERROR 22023");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn fills_an_existing_table_in_batches() {
    let schema = Orders::start().await;
    // The rows are wide enough for more than one batch of 8 MiB.
    schema
        .operate(
            "CREATE TABLE old (id int, wide text); ALTER TABLE old ALTER wide SET STORAGE PLAIN; \
            INSERT INTO old SELECT n, repeat('x', 7000) FROM generate_series(1, 2500) n",
        )
        .await;
    let lacking = enable_table("old").run(&schema.operator).await.expect_err("rows without a tenant");
    assert_eq!(code(&lacking), "ERROR 23502");
    schema.operate(&format!("UPDATE old SET tenant_id = '{B}' WHERE id <= 10")).await;
    assert_eq!(enable_table("old").backfill(A).run(&schema.operator).await.expect("filled"), 2490);
    assert_eq!(enable_table("old").backfill(B).run(&schema.operator).await.expect("again"), 0);
    let service = schema.entered(A).await;
    assert_eq!(outcome(&service, "SELECT count(*), min(id) FROM old").await, "2490,11");
    let table = "SELECT attnotnull, pg_get_expr(adbin, adrelid) FROM pg_attribute a \
        JOIN pg_attrdef d ON adrelid = attrelid AND adnum = attnum WHERE attrelid = 'old'::regclass";
    let default = outcome(&schema.operator, table).await;
    assert!(
        default.starts_with("t,\nCASE") && default.contains("current_setting('tenancy.context'"),
        "{default}"
    );
    let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = 'old'::regclass";
    assert_eq!(outcome(&schema.operator, indexes).await, "1", "made once");
    let policies = "SELECT polname, polpermissive FROM pg_policy WHERE polrelid = 'old'::regclass ORDER BY 1";
    assert_eq!(outcome(&schema.operator, policies).await, "tenancy_access,t;tenancy_isolation,f");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn fills_and_protects_partitions_and_children() {
    let schema = Orders::start().await;
    schema
        .operate(
            "CREATE TABLE events (at int, id bigserial) PARTITION BY RANGE (at); \
            CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10) PARTITION BY RANGE (at); \
            CREATE TABLE events_1_1 PARTITION OF events_1 FOR VALUES FROM (0) TO (5); \
            CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20); \
            INSERT INTO events SELECT n FROM generate_series(0, 19) n WHERE n NOT BETWEEN 5 AND 9; \
            GRANT ALL ON events, events_2 TO tenancy_app, PUBLIC; \
            CREATE TABLE parent (id int); CREATE TABLE child () INHERITS (parent); \
            INSERT INTO child VALUES (1)",
        )
        .await;
    assert_eq!(enable_table("events").backfill(A).run(&schema.operator).await.expect("filled"), 15);
    assert_eq!(enable_table("parent").backfill(A).run(&schema.operator).await.expect("filled"), 1);
    let open = "SELECT relname FROM pg_class WHERE relname ~ '^(events|parent|child)' AND relkind IN ('r', 'p') \
        AND NOT (relrowsecurity AND relforcerowsecurity)";
    assert_eq!(outcome(&schema.operator, open).await, "");
    let granted = "SELECT relname FROM pg_class WHERE relname ~ '^(events_.|child)' AND relkind IN ('r', 'p') \
        AND has_table_privilege('service', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')";
    assert_eq!(outcome(&schema.operator, granted).await, "");
    let service = schema.entered(B).await;
    let sql = "INSERT INTO events VALUES (12) RETURNING id; SELECT at FROM events; SELECT id FROM parent";
    assert_eq!(outcome(&service, sql).await, "16;12");
    service.batch_execute("COMMIT").await.expect("its locks end");
    schema.operate("CREATE TABLE events_3 PARTITION OF events FOR VALUES FROM (20) TO (30)").await;
    let part = enable_table("events_3").run(&schema.operator).await.expect_err("a partition");
    assert_eq!(code(&part), "ERROR 42809");
    enable_table("events").run(&schema.operator).await.expect("again");
    assert_eq!(outcome(&schema.operator, open).await, "");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn quotes_table_names_and_rejects_other_objects() {
    let schema = Orders::start().await;
    schema
        .operate(
            r#"CREATE SCHEMA "sh'op"; CREATE TABLE "sh'op"."or""ders; DROP TABLE orders" (id serial);
            CREATE TABLE number (tenant_id int); CREATE VIEW view AS SELECT 1 AS x; CREATE TEMP TABLE gone (id int)"#,
        )
        .await;
    let odd = r#""sh'op"."or""ders; DROP TABLE orders""#;
    enable_table(odd).run(&schema.operator).await.expect("a tenants' table");
    schema.operate(&enable_table(odd).sql()).await;
    let service = schema.entered(A).await;
    let sql = format!("INSERT INTO {odd} DEFAULT VALUES RETURNING id; SELECT count(*) FROM orders");
    assert_eq!(outcome(&service, &sql).await, "1;1");
    for (name, expected) in [
        ("number", "ERROR 42804"),
        ("view", "ERROR 42809"),
        ("gone", "ERROR 42809"),
        ("pg_class", "ERROR 42501"),
        ("tenancy.keys", "ERROR 42501"),
        ("missing", "ERROR 42P01"),
        ("orders; DROP TABLE orders", "ERROR 42602"),
    ] {
        let error = enable_table(name).run(&schema.operator).await.expect_err(name);
        assert_eq!(code(&error), expected, "{name}");
    }
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn evaluates_the_context_once_per_statement() {
    let schema = Orders::start().await;
    schema
        .operate(&format!(
            "CREATE TABLE many (id int); INSERT INTO many SELECT generate_series(1, 20000); \
            SELECT tenancy.add_tenant_column('many'); \
            UPDATE many SET tenant_id = CASE WHEN id <= 100 THEN '{A}'::uuid ELSE '{B}' END; \
            SELECT tenancy.enable_table('many'); ANALYZE many"
        ))
        .await;
    let service = schema.entered(A).await;
    let plan = outcome(&service, "EXPLAIN SELECT * FROM many").await;
    assert!(plan.contains("InitPlan") && plan.contains("many_tenant_id_idx"), "{plan}");
    let plan = outcome(&service, "EXPLAIN SELECT * FROM many WHERE tenant_id = tenancy.tenant_id()").await;
    assert!(plan.contains("InitPlan"), "{plan}");
    // The leader evaluates the context, because it depends on the backend, and workers use its result.
    let parallel = "SET LOCAL max_parallel_workers_per_gather = 2; SET LOCAL parallel_setup_cost = 0; \
        SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0; \
        SET LOCAL enable_indexscan = off; SET LOCAL enable_bitmapscan = off;";
    service.batch_execute(parallel).await.expect("settings");
    let plan = outcome(&service, "EXPLAIN SELECT count(*) FROM many").await;
    assert!(plan.contains("Gather"), "{plan}");
    assert_eq!(outcome(&service, "SELECT count(*) FROM many").await, "100");
    let each = "SELECT count(*) FROM many WHERE tenancy.tenant_id() = tenant_id AND id % 2 = 0";
    assert_eq!(outcome(&service, each).await, "50");
}

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn validates_a_not_null_constraint_that_was_not() {
    let schema = Orders::start().await;
    if outcome(&schema.operator, "SELECT current_setting('server_version_num')::int < 180000").await == "t" {
        // Only Postgres 18 and later have such constraints.
        return;
    }
    let sql = "CREATE TABLE late (id int, tenant_id uuid); INSERT INTO late VALUES (1); \
        ALTER TABLE late ADD CONSTRAINT filled NOT NULL tenant_id NOT VALID";
    schema.operate(sql).await;
    let lacking = enable_table("late").run(&schema.operator).await.expect_err("a row without a tenant");
    assert_eq!(code(&lacking), "ERROR 23502");
    assert_eq!(enable_table("late").backfill(A).run(&schema.operator).await.expect("filled"), 1);
    let validated = "SELECT convalidated FROM pg_constraint WHERE conname = 'filled'";
    assert_eq!(outcome(&schema.operator, validated).await, "t");
    assert_eq!(outcome(&schema.entered(A).await, "SELECT id FROM late").await, "1");
}
