//! Objects that an operator adds to a database, and what A learns by them.

use super::{Case, Scene, case};

const OBJECTS: &str = "
CREATE TABLE spans (id int, span int4range, secret text, tenant_id uuid, EXCLUDE USING gist (span WITH &&));
CREATE TABLE parts (tenant_id uuid, at int, secret text) PARTITION BY LIST (at);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE parts_2 PARTITION OF parts DEFAULT;
CREATE TABLE made (id int, title text, big text GENERATED ALWAYS AS (upper(title)) STORED, CHECK (title <> 'bad'));
CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);
CREATE TABLE domains (id int, title short, tags text[]);
CREATE TABLE kids (title text) INHERITS (made);
SELECT tenancy.enable_table(name) FROM unnest(ARRAY['spans', 'parts', 'made', 'domains', 'kids']) name;
INSERT INTO spans VALUES (2, '[5,15)', 'Zq7', 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
INSERT INTO parts SELECT 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', n % 3, 'Zq7' FROM generate_series(1, 200) n;
INSERT INTO made (id, title, tenant_id) SELECT 1, 'Zq7 ' || n % 3, 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' FROM generate_series(1, 200) n;
INSERT INTO domains SELECT 1, 'Zq7', ARRAY['Zq7'], 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb' FROM generate_series(1, 99);
INSERT INTO kids (id, title, tenant_id) VALUES (1, 'Zq7', 'bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb');
CREATE INDEX made_lower ON made (lower(title));
CREATE STATISTICS made_both (mcv) ON title, big FROM made;
CREATE STATISTICS made_expression ON (title || 'x') FROM made;
CREATE PUBLICATION everything FOR ALL TABLES;
ANALYZE;
";

/// Reads what an error would show to its client.
macro_rules! diagnosed {
    ($sql:literal) => {
        concat!(
            "DO $d$DECLARE d text; m text; c text; h text; BEGIN ",
            $sql,
            "; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, m = MESSAGE_TEXT, \
            c = PG_EXCEPTION_CONTEXT, h = PG_EXCEPTION_HINT; \
            PERFORM set_config('my.seen', concat_ws(';', d, m, c, h), true); END$d$"
        )
    };
}

const SEEN: &str = "SELECT CASE WHEN current_setting('my.seen') LIKE '%[5,15)%' OR \
    current_setting('my.seen') ~ '(?i)zq7' THEN 'Zq7' ELSE left(current_setting('my.seen'), 40) END";

const CASES: &[Case] = &[
    case(
        "the detail of an exclusion",
        &[diagnosed!("INSERT INTO spans VALUES (1, '[10,11)', 'a')"), SEEN],
        "Key conflicts with existing key.;conflic / committed",
    ),
    case(
        "the detail of a unique key",
        &[diagnosed!("INSERT INTO notes (id, title) VALUES (2, 'a')"), SEEN],
        ";duplicate key value violates unique con / committed",
    ),
    case(
        "the detail of ON CONFLICT",
        &[
            diagnosed!(
                "INSERT INTO notes (id, title) VALUES (2, 'a') ON CONFLICT (id) DO UPDATE SET title = notes.title || 'a'"
            ),
            SEEN,
        ],
        ";new row violates row-level security pol / committed",
    ),
    case(
        "ON CONFLICT that returns",
        &[
            "INSERT INTO notes (id, title) VALUES (2, 'a') ON CONFLICT (id) DO UPDATE SET title = 'a' RETURNING title",
        ],
        "42501 / 25P02",
    ),
    case(
        "ON CONFLICT with a condition",
        &[
            "INSERT INTO notes (id, title) VALUES (2, 'a') ON CONFLICT (id) DO UPDATE SET title = 'a' WHERE notes.title LIKE 'Z%' RETURNING title",
        ],
        "42501 / 25P02",
    ),
    case(
        "ON CONFLICT DO NOTHING",
        &["INSERT INTO notes (id, title) VALUES (2, 'a') ON CONFLICT DO NOTHING RETURNING title"],
        " / committed",
    ),
    case(
        "a cast of a foreign value in an error",
        &[diagnosed!("PERFORM title::int FROM notes WHERE title LIKE 'Z%'"), SEEN],
        " / committed",
    ),
    case(
        "MERGE on a foreign key value",
        &[
            "MERGE INTO notes USING (SELECT 2 AS id) s ON notes.id = s.id WHEN MATCHED THEN UPDATE SET title = 'a' WHEN NOT MATCHED THEN DO NOTHING",
        ],
        " / committed",
    ),
    case(
        "MERGE with a source of all tables",
        &[
            "MERGE INTO made USING parts ON made.id = parts.at WHEN NOT MATCHED THEN INSERT (id, title) VALUES (1, parts.secret)",
            "SELECT count(*)::text FROM made",
        ],
        "0 / committed",
    ),
    case("a partition of the table by name", &["SELECT secret FROM parts_1"], "42501 / 25P02"),
    case(
        "a partition by TABLESAMPLE",
        &["SELECT secret FROM parts TABLESAMPLE BERNOULLI (100)"],
        " / committed",
    ),
    case(
        "a child by inheritance",
        &["SELECT title FROM ONLY made UNION ALL SELECT title FROM kids UNION ALL SELECT title FROM made"],
        " / committed",
    ),
    case(
        "a row moved to a partition",
        &["INSERT INTO parts (at, secret) VALUES (1, 'a')", "UPDATE parts SET at = 2 RETURNING secret"],
        "55000 / 25P02",
    ),
    case(
        "an update of all partitions",
        &["UPDATE parts SET secret = 'a' WHERE at = 2 AND secret <> 'a' RETURNING secret"],
        "55000 / 25P02",
    ),
    case("a generated column", &["SELECT big FROM made"], " / committed"),
    case(
        "a failed check",
        &[diagnosed!("INSERT INTO made (id, title) VALUES (1, 'bad')"), SEEN],
        ";new row for relation \"made\" violates ch / committed",
    ),
    case(
        "a domain's check",
        &[diagnosed!("INSERT INTO domains (id, title) VALUES (1, 'much too long')"), SEEN],
        ";value for domain short violates check c / committed",
    ),
    case(
        "pg_stats",
        &[
            "SELECT string_agg(concat(most_common_vals, histogram_bounds, most_common_elems), ',') FROM pg_stats WHERE schemaname = 'public'",
        ],
        "NULL / committed",
    ),
    case(
        "pg_stats of an index",
        &["SELECT count(*)::text FROM pg_stats WHERE tablename LIKE 'made_lower%'"],
        "0 / committed",
    ),
    case(
        "pg_stats_ext",
        &["SELECT string_agg(most_common_vals::text, ',') FROM pg_stats_ext"],
        "NULL / committed",
    ),
    case(
        "pg_stats_ext_exprs",
        &["SELECT string_agg(most_common_vals::text, ',') FROM pg_stats_ext_exprs"],
        "NULL / committed",
    ),
    case("pg_statistic_ext_data", &["SELECT 1 FROM pg_statistic_ext_data"], "42501 / 25P02"),
    case(
        "a leaky operator class's support",
        &[
            "CREATE FUNCTION pg_temp.cmp(text, text) RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION '%', $2; END$$",
            "CREATE OPERATOR CLASS pg_temp.o FOR TYPE text USING btree AS FUNCTION 1 pg_temp.cmp(text, text)",
        ],
        "42501 / 25P02",
    ),
    case(
        "a leaky aggregate",
        &[
            "CREATE FUNCTION pg_temp.step(text, text) RETURNS text LANGUAGE plpgsql AS $$BEGIN RETURN concat($1, $2); END$$",
            "CREATE AGGREGATE pg_temp.all_of(text) (SFUNC = pg_temp.step, STYPE = text)",
            "SELECT pg_temp.all_of(title) FROM notes",
        ],
        "of a / committed",
    ),
    case("COPY to the client", &["COPY notes TO STDOUT"], "Connection(Copy) / closed"),
    case(
        "COPY of a query",
        &["COPY (SELECT * FROM notes) TO STDOUT (FORMAT csv)"],
        "Connection(Copy) / closed",
    ),
    case("COPY in binary", &["COPY notes TO STDOUT (FORMAT binary)"], "Connection(Copy) / closed"),
    case("COPY from the client", &["COPY notes (title) FROM STDIN"], "0A000 / 25P02"),
    case("COPY TO PROGRAM", &["COPY (SELECT 1) TO PROGRAM 'true'"], "42501 / 25P02"),
    case("COPY from a file", &["COPY notes FROM '/etc/passwd'"], "42501 / 25P02"),
    case("TRUNCATE", &["TRUNCATE notes RESTART IDENTITY CASCADE"], "42501 / 25P02"),
    case("LOCK TABLE", &["LOCK TABLE notes IN SHARE ROW EXCLUSIVE MODE"], " / committed"),
    case("a rule of A's own", &["CREATE RULE r AS ON INSERT TO notes DO ALSO NOTHING"], "42501 / 25P02"),
    case("a publication of A's own", &["CREATE PUBLICATION mine FOR TABLE notes"], "42501 / 25P02"),
    case(
        "a replication slot",
        &["SELECT pg_create_logical_replication_slot('s', 'test_decoding')"],
        "42501 / 25P02",
    ),
    case(
        "a message in the write-ahead log",
        &["SELECT pg_logical_emit_message(true, 'a', 'b')::text IS NULL"],
        "? / committed",
    ),
    case(
        "the changes of a slot",
        &["SELECT data FROM pg_logical_slot_get_changes('s', NULL, NULL)"],
        "42501 / 25P02",
    ),
    case(
        "an event trigger",
        &["CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION pg_temp.f()"],
        "42501 / 25P02",
    ),
    case("a subscription", &["CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p"], "25001 / 25P02"),
    case(
        "a temporary child of notes",
        &["CREATE TEMP TABLE child (LIKE notes INCLUDING ALL)", "ALTER TABLE child INHERIT notes"],
        "42501 / 25P02",
    ),
    case(
        "a foreign key to notes",
        &["CREATE TEMP TABLE probe (id bigint REFERENCES notes)"],
        "42P16 / 25P02",
    ),
    case("statistics of A's own", &["CREATE STATISTICS mine ON id, title FROM notes"], "42501 / 25P02"),
    case("the size of a page", &["SELECT pg_relation_size('notes') > 0"], "? / committed"),
    case("a page", &["SELECT get_raw_page('notes', 0)"], "42883 / 25P02"),
    case("memory of the backend", &["SELECT 1 FROM pg_backend_memory_contexts"], "42501 / 25P02"),
    case("files in the log's folder", &["SELECT pg_ls_logdir()"], "42501 / 25P02"),
    case("a log's file", &["SELECT pg_current_logfile()"], "42501 / 25P02"),
    case("reload and rotate", &["SELECT pg_reload_conf(), pg_rotate_logfile()"], "42501 / 25P02"),
    case("dblink", &["SELECT dblink_connect('')"], "42883 / 25P02"),
    case(
        "XML of the schema",
        &["SELECT (database_to_xml(true, false, '')::text ~ 'Zq7')::text"],
        "false / committed",
    ),
    case(
        "a query by XML in another context",
        &[
            "SELECT query_to_xml($$SELECT set_config('tenancy.context', '', true), title FROM notes$$, true, false, '')",
        ],
        "escaped / escaped",
    ),
    case(
        "statistics by ts_stat",
        &["SELECT string_agg(word, ',') FROM ts_stat($$SELECT to_tsvector(title) FROM notes$$)"],
        "NULL / committed",
    ),
    case(
        "locks of others",
        &[
            "SELECT count(*)::text FROM pg_locks l JOIN pg_class c ON l.relation = c.oid WHERE relname = 'made'",
        ],
        "0 / committed",
    ),
    case(
        "a system column",
        &[
            "SELECT string_agg(title, ',') FROM notes WHERE ctid IN (SELECT format('(0,%s)', n)::tid FROM generate_series(1, 99) n)",
        ],
        "of a / committed",
    ),
    case(
        "a row by its whole-row text",
        &["SELECT string_agg(n::text, ',') ~ 'Z' FROM notes n"],
        "? / committed",
    ),
];

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn objects_of_an_operator_show_nothing_of_b() {
    let scene = Scene::start().await;
    scene.operate(OBJECTS).await;
    scene.play(CASES).await;
    let harmed = "SELECT concat((SELECT count(*) FROM spans WHERE secret = 'Zq7'), ' ', \
        (SELECT count(*) FROM parts WHERE secret = 'Zq7'), ' ', (SELECT count(*) FROM made WHERE title LIKE 'Zq7%'), \
        ' ', (SELECT count(*) FROM domains WHERE title = 'Zq7'))";
    let counts: String = scene.superuser.query_one(harmed, &[]).await.expect("counts").get(0);
    assert_eq!(counts, "1 200 201 99");
    scene.end().await;
}
