//! What stays in a session of A for B, after a commit, a rollback and an error.

use std::sync::Mutex;

use tenancy::TenantFutureExt;
use tenancy_postgres::{Error, Isolation, TxOptions};

use super::{Case, MARKER, OF_B, Scene, ask, case, name, one};
use crate::support::notes::notes;
use crate::support::{A, B};

/// Replaces each statement that the driver prepared by one of A.
const REPLACE: &str = "DO $$DECLARE p record; BEGIN FOR p IN SELECT name FROM pg_prepared_statements LOOP \
    EXECUTE format('DEALLOCATE %I', p.name); EXECUTE format('PREPARE %I AS DELETE FROM notes', p.name); END LOOP; END$$";

const REMOVE: &str = "DO $$DECLARE p record; BEGIN FOR p IN SELECT name FROM pg_prepared_statements LOOP \
    EXECUTE format('DEALLOCATE %I', p.name); END LOOP; END$$";

const CASES: &[Case] = &[
    case("the driver's statements replaced", &["SELECT 1", REPLACE], " / committed"),
    case(
        "the driver's statements replaced, and an error",
        &["SELECT 1", REPLACE, "SELECT 1 / 0"],
        "22012 / 25P02",
    ),
    case("the driver's statements removed", &[REMOVE], " / committed"),
    case("the driver's statements removed, and an error", &[REMOVE, "SELECT 1 / 0"], "22012 / 25P02"),
    case("DEALLOCATE ALL", &["DEALLOCATE ALL"], " / committed"),
    case("DEALLOCATE ALL, and an error", &["DEALLOCATE ALL", "SELECT 1 / 0"], "22012 / 25P02"),
    case("DISCARD PLANS", &["DISCARD PLANS"], " / committed"),
    case(
        "guessed names",
        &[
            "PREPARE tenancy_enter (int) AS SELECT $1",
            "PREPARE tenancy_0 AS DELETE FROM notes",
            "PREPARE tenancy_1 AS SELECT 1",
            "PREPARE s0 AS SELECT 1",
            "PREPARE tenancy_leave AS SELECT 1",
        ],
        " / committed",
    ),
    case(
        "a portal's guessed names",
        &[
            "DECLARE tenancy_portal_1 CURSOR WITH HOLD FOR SELECT 1",
            "DECLARE tenancy_portal_2 CURSOR WITH HOLD FOR SELECT 1",
        ],
        " / committed",
    ),
    case(
        "a cursor that its transaction outlives",
        &["DECLARE c CURSOR WITH HOLD FOR SELECT title, 1 / (length(title) - 4) FROM notes"],
        " / committed",
    ),
    case(
        "a cursor of a variable",
        &["DO $$DECLARE c refcursor := 'kept'; BEGIN OPEN c FOR SELECT 1; END$$", "FETCH kept"],
        "? / committed",
    ),
    case("a session lock", &["SELECT pg_advisory_lock(5)"], "? / committed"),
    case("a session lock, and an error", &["SELECT pg_advisory_lock(5)", "SELECT 1 / 0"], "22012 / 25P02"),
    case(
        "many session locks",
        &["SELECT count(pg_advisory_lock(n))::text FROM generate_series(1, 500) n"],
        "500 / committed",
    ),
    case(
        "a sequence's value, and an error",
        &["SELECT nextval('notes_id_seq')", "SELECT 1 / 0"],
        "22012 / 25P02",
    ),
    case("a sequence set", &["SELECT setval('notes_id_seq', 1)"], "42501 / 25P02"),
    case("a sequence reset", &["ALTER SEQUENCE notes_id_seq RESTART"], "42501 / 25P02"),
    case(
        "a temporary table that shadows notes",
        &[
            "CREATE TEMP TABLE notes (tenant_id uuid, id int, title \"char\")",
            "SELECT tenant_id, title FROM notes ORDER BY id",
            "SELECT tenant_id, title FROM notes ORDER BY id",
            "SELECT title FROM notes",
        ],
        " / committed",
    ),
    case(
        "a temporary view that shadows notes",
        &[
            "CREATE TEMP VIEW notes AS SELECT 1::bigint AS id, 'x'::text AS title, tenancy.tenant_id() AS tenant_id",
            "SELECT title FROM notes",
        ],
        "x / committed",
    ),
    case(
        "temporary objects named like the catalog's",
        &[
            "CREATE TEMP TABLE pg_prepared_statements (name text, from_sql bool)",
            "CREATE FUNCTION pg_temp.pg_advisory_unlock_all() RETURNS void LANGUAGE sql AS ''",
            "SET search_path = pg_temp, pg_catalog",
            "SELECT pg_catalog.pg_advisory_lock(6)",
            "PREPARE p AS SELECT 1",
        ],
        " / committed",
    ),
    case(
        "a temporary type named text",
        &[
            "CREATE DOMAIN pg_temp.text AS pg_catalog.text CHECK (VALUE <> 'x')",
            "SET search_path = pg_temp, public, pg_catalog",
            "SELECT 'y'::text",
        ],
        "y / committed",
    ),
    case(
        "a tiny statement_timeout at the scrub",
        &["SET statement_timeout = 1", "SELECT pg_advisory_lock(8)"],
        "? / committed",
    ),
    case(
        "a tiny idle timeout at the scrub",
        &["SELECT set_config('idle_session_timeout', '1', false)"],
        "1ms / committed",
    ),
    case("lock_timeout", &["SET lock_timeout = 1"], " / committed"),
    case(
        "SET SESSION CHARACTERISTICS",
        &["SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ ONLY, DEFERRABLE"],
        " / committed",
    ),
    case(
        "SET LOCAL ROLE",
        &["SET LOCAL ROLE tenancy_app", "SELECT current_user::text"],
        "tenancy_app / committed",
    ),
    case("session_replication_role", &["SET session_replication_role = replica"], "42501 / 25P02"),
    case("SESSION AUTHORIZATION", &["SET LOCAL SESSION AUTHORIZATION service"], " / committed"),
    case("LATIN1", &["SET client_encoding = 'LATIN1'", "SELECT chr(233)"], "? / committed"),
    case("SQL_ASCII", &["SET client_encoding = 'SQL_ASCII'", "SELECT chr(233)"], "é / committed"),
    case(
        "an encoding in which a backslash is a part",
        &["SET client_encoding = 'SJIS'", "SELECT 'x'"],
        "x / committed",
    ),
    case("UTF8 by another name", &["SET NAMES 'UNICODE'", "SELECT chr(233)"], "é / committed"),
    case(
        "formats",
        &[
            "SET DateStyle = 'German'",
            "SET IntervalStyle = 'sql_standard'",
            "SET bytea_output = 'escape'",
            "SET extra_float_digits = -15",
            "SELECT '2020-02-01'::date::text || 0.1::float8",
        ],
        "01.02.20200.1 / committed",
    ),
    case(
        "no standard strings",
        &["SET standard_conforming_strings = off", "SET backslash_quote = on", "SELECT 'a\\'b'"],
        "a'b / committed",
    ),
    case(
        "an INFO with the scrub's own code",
        &["DO $$BEGIN RAISE INFO 'x' USING ERRCODE = 'TN001'; END$$", "SELECT 'y'"],
        "y / committed",
    ),
    case(
        "an error with the scrub's own code",
        &["DO $$BEGIN RAISE EXCEPTION 'x' USING ERRCODE = 'TN001'; END$$"],
        "TN001 / 25P02",
    ),
    case(
        "an error with the code of a broken connection",
        &["DO $$BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '57P01'; END$$"],
        "57P01 / 25P02",
    ),
    case(
        "50,000 notices",
        &["DO $$BEGIN FOR i IN 1..50000 LOOP RAISE INFO 'a notice of no use'; END LOOP; END$$", "SELECT 'y'"],
        "y / committed",
    ),
    case(
        "a notice of 8 MB",
        &["DO $$BEGIN RAISE INFO '%', repeat('n', 8000000); END$$", "SELECT 'y'"],
        "y / committed",
    ),
    case("LISTEN and NOTIFY", &["LISTEN c", "SELECT pg_notify('c', repeat('p', 7999))"], "? / committed"),
    case("a payload that is too long", &["SELECT pg_notify('c', repeat('p', 8000))"], "22023 / 25P02"),
    case("two-phase commit", &["PREPARE TRANSACTION 'x'"], "escaped / escaped"),
    case("COMMIT PREPARED", &["COMMIT PREPARED 'x'"], "25001 / 25P02"),
    case("a COMMIT", &["SELECT pg_advisory_lock(9)", "COMMIT"], "escaped / escaped"),
    case("a COMMIT in a comment", &["SELECT 'y' -- ; COMMIT"], "y / committed"),
    case("BEGIN in the transaction", &["BEGIN", "SELECT 'y'"], "y / committed"),
    case(
        "many savepoints",
        &[
            "DO $$BEGIN FOR i IN 1..200 LOOP BEGIN PERFORM pg_advisory_xact_lock(i); EXCEPTION WHEN OTHERS THEN END; END LOOP; END$$",
        ],
        " / committed",
    ),
    case("setseed, and an error", &["SELECT setseed(0.5)", "SELECT 1 / 0"], "22012 / 25P02"),
    case("a large object's descriptor", &["SELECT lo_open(lo_create(0), 131072)::text"], "0 / committed"),
    case(
        "an extension's placeholder setting",
        &["SELECT set_config('plpgsql.extra_errors', 'all', false)", "SELECT set_config('a.b', 'c', false)"],
        "c / committed",
    ),
    case("a snapshot exported", &["SELECT count(pg_export_snapshot())::text"], "1 / committed"),
];

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn nothing_of_a_is_left_in_the_session_of_b() {
    let scene = Scene::start().await;
    // B's statements are prepared when A begins.
    for _ in 0..3 {
        assert_eq!(scene.harm().await, Ok(()));
    }
    scene.play(CASES).await;
    scene.end().await;
}

/// Sessions keep statements. Each tenant of the session can read their texts, and no parameter.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_session_shows_texts_of_statements_and_no_parameters() {
    let scene = Scene::start().await;
    for _ in 0..3 {
        let update = "UPDATE notes SET title = $1";
        scene.db.execute(update, &[&OF_B]).in_tenant(B).await.expect("updated");
    }
    let look = "SELECT string_agg(statement, ';') FROM pg_prepared_statements";
    for sql in [
        look,
        "SELECT string_agg(statement, ';') FROM pg_cursors",
        "SELECT string_agg(query, ';') FROM pg_stat_activity WHERE pid = pg_backend_pid()",
        "SELECT string_agg(name, ';') FROM pg_prepared_statements",
        "SELECT current_query()",
    ] {
        let seen = scene.db.tx_in(A, async |tx| Ok::<_, Error>(ask(tx, sql).await)).await.expect("an answer");
        assert!(!seen.contains(MARKER), "{sql}: {seen}");
    }
    for _ in 0..3 {
        let read = format!("SELECT tenant_id, title FROM notes WHERE title = '{OF_B}'");
        assert_ne!(one(&scene.db, B, &read).await, "");
    }
    let seen = scene.db.tx_in(A, async |tx| Ok::<_, Error>(ask(tx, look).await)).await.expect("an answer");
    assert!(seen.contains(MARKER), "a value in a text is shown: let it be a parameter");
}

/// Both tries run on one session.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_retry_begins_without_what_the_first_try_left() {
    let scene = Scene::start().await;
    let seen = Mutex::new(Vec::new());
    let options = TxOptions::new().isolation(Isolation::Serializable).retries(2);
    let tried = scene
        .db
        .tx_with(options, async |tx| {
            let left = ask(tx, super::LEFT).await;
            seen.lock().expect("what was seen").push(left);
            for sql in [
                "PREPARE p AS SELECT 1",
                "SELECT pg_advisory_lock(4)",
                "SELECT nextval('notes_id_seq')",
                REPLACE,
            ] {
                tx.query_unverified(sql, &[]).await?;
            }
            tx.execute("DO $$BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END$$", &[]).await
        })
        .in_tenant(A)
        .await;
    assert_eq!(tried.map_err(|error| name(&error)), Err("40001".to_owned()));
    assert_eq!(*seen.lock().expect("what was seen"), ["", "", ""]);
    assert_eq!(scene.harm().await, Ok(()));
    assert_eq!(notes(&scene.db, B).await, [OF_B]);
}
