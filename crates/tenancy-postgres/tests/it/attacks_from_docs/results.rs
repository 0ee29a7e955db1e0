//! Rows of B that layer 3 does not stop, disguised as rows of A.

use tenancy::TenantFutureExt;
use tenancy_postgres::Error;

use super::{MARKER, Scene, ask, name, one, shown};
use crate::support::A;

/// A view that shows the notes of all tenants.
const LEAK: &str = "CREATE VIEW leak AS SELECT * FROM notes; GRANT SELECT ON leak TO tenancy_app; \
    CREATE FUNCTION leaks() RETURNS SETOF notes LANGUAGE sql SECURITY DEFINER AS 'SELECT * FROM public.notes'; \
    CREATE FUNCTION titles() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT title FROM public.notes'";

const OWN: &str = "'aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'::uuid AS tenant_id";

/// The check compares tenant columns. It does not follow expressions, nor the columns of a set operation, so SQL that
/// states its own tenant beside them passes: such rows are `SHOWN`, if layer 3 lets them pass.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn words_in_comments_and_texts_do_not_disguise_rows() {
    let scene = Scene::start().await;
    scene.operate(LEAK).await;
    let mut wrong = Vec::new();
    for (sql, answer) in [
        ("SELECT {own}, title FROM leak /* UNION */", "no tenant column"),
        ("SELECT {own}, title || '' AS title FROM leak -- UNION ALL", "no tenant column"),
        ("SELECT {own}, title || 'USING (tenant_id)' FROM leak", "no tenant column"),
        ("SELECT {own}, title || '' AS t, 'a UNION b' FROM leak", "no tenant column"),
        ("SELECT {own}, title || '' AS \"UNION\" FROM leak", "no tenant column"),
        ("SELECT {own}, title || $q$ EXCEPT $q$ FROM leak", "no tenant column"),
        (
            "WITH \"union\" AS (SELECT {own}, title || '' AS t FROM leak) SELECT * FROM \"union\"",
            "no tenant column",
        ),
        ("SELECT {own}, title || '' FROM leak JOIN notes USING (id, title)", "no tenant column"),
        ("SELECT {own}, titles() AS title", "no tenant column"),
        ("SELECT tenant_id, title FROM leaks()", "no tenant column"),
        ("SELECT n.tenant_id, l.title FROM notes n JOIN leak l ON true", "no tenant column"),
        ("SELECT n.tenant_id, l.title || '' FROM notes n JOIN leak l ON true", "SHOWN"),
        ("SELECT n.tenant_id, (SELECT string_agg(title, ',') FROM leak) FROM notes n", "SHOWN"),
        ("SELECT {own}, title FROM leak UNION ALL SELECT {own}, title FROM leak", "SHOWN"),
        ("SELECT {own}, title FROM leak INTERSECT SELECT {own}, title FROM leak", "SHOWN"),
        ("SELECT tenant_id, title FROM leak UNION ALL SELECT {own}, 'x'", "mismatch"),
        ("(SELECT tenant_id, title FROM leak) LIMIT 5", "mismatch"),
        ("TABLE leak", "mismatch"),
        ("VALUES ('aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa'::uuid)", "no tenant column"),
        (
            "UPDATE notes SET title = title RETURNING tenant_id, (SELECT string_agg(title, ',') FROM leak)",
            "25006",
        ),
        ("FETCH ALL FROM none", "34000"),
        ("EXPLAIN SELECT * FROM leak", "no tenant column"),
        ("SHOW tenancy.context", "no tenant column"),
    ] {
        let seen = one(&scene.db, A, &sql.replace("{own}", OWN)).await;
        let seen = if seen.contains(MARKER) { "SHOWN".to_owned() } else { seen };
        if seen != answer {
            wrong.push(format!("{sql}: {seen}, not {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// SQL can close the portal of a stream, and open another one of its name.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_stream_survives_what_sql_does_to_its_portal() {
    let scene = Scene::start().await;
    scene.operate(LEAK).await;
    for _ in 0..3 {
        let fill = "INSERT INTO notes (title) SELECT 'of a ' || n FROM generate_series(1, 3000) n";
        scene.db.execute(fill, &[]).in_tenant(A).await.expect("filled");
    }
    let mut answers = Vec::new();
    for sql in [
        &["CLOSE ALL"][..],
        &["COMMIT"],
        &["ROLLBACK"],
        &["SAVEPOINT s", "ROLLBACK TO s"],
        &["DISCARD PLANS"],
        &["DEALLOCATE ALL"],
        &["SELECT 1 / 0"],
        &["DO $$DECLARE c record; BEGIN FOR c IN SELECT name FROM pg_cursors WHERE name <> '' LOOP \
            EXECUTE format('MOVE 100 IN %I', c.name); END LOOP; END$$"],
        &["DO $$DECLARE c record; BEGIN FOR c IN SELECT name FROM pg_cursors WHERE name <> '' LOOP \
            EXECUTE format('CLOSE %I', c.name); \
            EXECUTE format('DECLARE %I CURSOR FOR SELECT tenant_id, title, title FROM leak', c.name); END LOOP; END$$"],
        &["DO $$DECLARE c record; BEGIN FOR c IN SELECT name FROM pg_cursors WHERE name <> '' LOOP \
            EXECUTE format('CLOSE %I', c.name); \
            EXECUTE format('DECLARE %I CURSOR FOR SELECT tenant_id FROM leak', c.name); END LOOP; END$$"],
        &["DO $$DECLARE c record; BEGIN FOR c IN SELECT name FROM pg_cursors WHERE name <> '' LOOP \
            EXECUTE format('CLOSE %I', c.name); \
            EXECUTE format('DECLARE %I CURSOR FOR SELECT tenant_id, title FROM leak', c.name); END LOOP; END$$"],
    ] {
        let tx = scene.db.begin_in(A).await.expect("a transaction");
        let mut stream = tx.query_stream("SELECT tenant_id, title FROM notes", &[]).await.expect("a stream");
        stream.next().await.expect("a row").expect("a row");
        let mut said = String::new();
        for sql in sql {
            said = ask(&tx, sql).await;
        }
        let mut rows = 1;
        let end = loop {
            match stream.next().await {
                Ok(Some(row)) => {
                    assert!(!shown(&[row]).contains(MARKER), "{sql:?}");
                    rows += 1;
                }
                Ok(None) => break "end".to_owned(),
                Err(error) => break name(&error),
            }
        };
        drop(stream);
        let committed = tx.commit().await.map_or_else(|error| name(&error), |()| "committed".to_owned());
        answers.push(format!("{said} / {rows} {end} / {committed}"));
        assert_eq!(scene.harm().await, Ok(()), "{sql:?}");
    }
    let expected = [
        " / 256 34000 / 25P02",
        "escaped / 256 escaped / escaped",
        "escaped / 256 escaped / escaped",
        " / 9001 end / committed",
        " / 9001 end / committed",
        " / 9001 end / committed",
        "22012 / 256 25P02 / 25P02",
        " / 8901 end / committed",
        "24000 / 256 25P02 / 25P02",
        "24000 / 256 25P02 / 25P02",
        "24000 / 256 25P02 / 25P02",
    ];
    assert_eq!(answers, expected);
}

/// One transaction of A can have a table of its own in front of `notes`.
#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn a_table_in_front_of_notes_concerns_only_its_transaction() -> Result<(), Error> {
    let scene = Scene::start().await;
    for commits in [true, false] {
        let tx = scene.db.begin_in(A).await?;
        tx.execute("CREATE TEMP TABLE notes (tenant_id uuid, title text)", &[]).await?;
        tx.execute("INSERT INTO pg_temp.notes VALUES ('bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb', 'x')", &[])
            .await?;
        for _ in 0..3 {
            let rows: Vec<serde_json::Value> = tx.table("notes").select("title").rows().await?;
            assert_eq!(rows.len(), 0, "the filter is in the statement");
            tx.table("notes").update(serde_json::json!({ "title": "y" })).eq("title", "x").execute().await?;
        }
        if commits {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        assert_eq!(scene.harm().await, Ok(()));
    }
    Ok(())
}
