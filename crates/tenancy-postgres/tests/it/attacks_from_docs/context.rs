//! The domains and functions of the context, reached by SQL.

use super::{Case, Scene, case};

const SEE: &str = "SELECT string_agg(title, ',') FROM notes";

const CASES: &[Case] = &[
    case(
        "a token as a parameter of EXECUTE",
        &["PREPARE p (tenancy.entering) AS SELECT 1", "EXECUTE p ('\\x00')"],
        "42501 / 25P02",
    ),
    case(
        "no token as a parameter of EXECUTE",
        &["PREPARE p (tenancy.entering) AS SELECT 1", "EXECUTE p (NULL)"],
        "42501 / 25P02",
    ),
    case("a cast to leaving", &["SELECT 0.5::tenancy.leaving"], "escaped / escaped"),
    case("a cast of null to leaving", &["SELECT NULL::tenancy.leaving"], "23514 / 25P02"),
    case("an array of leaving", &["SELECT ARRAY[0.5, 0.25]::tenancy.leaving[]"], "42501 / 25P02"),
    case("an array of entering", &["SELECT ARRAY['\\x00'::bytea]::tenancy.entering[]"], "42501 / 25P02"),
    case("an empty array of entering", &["SELECT '{}'::tenancy.entering[]", SEE], "of a / committed"),
    case(
        "a range over the cast in a CASE",
        &["SELECT CASE WHEN false THEN 0.5::tenancy.leaving END", SEE],
        "of a / committed",
    ),
    case(
        "a column of the domain",
        &["CREATE TEMP TABLE t (x tenancy.leaving)", "INSERT INTO t VALUES (0.5)"],
        "55006 / 25P02",
    ),
    case(
        "a default of the domain",
        &["CREATE TEMP TABLE t (n int, x tenancy.entering DEFAULT '\\x00')", "INSERT INTO t (n) VALUES (1)"],
        "42501 / 25P02",
    ),
    case(
        "a domain over the domain",
        &["CREATE DOMAIN pg_temp.d AS tenancy.entering", "SELECT '\\x00'::pg_temp.d"],
        "42501 / 25P02",
    ),
    case(
        "a composite with the domain",
        &[
            "CREATE TYPE pg_temp.c AS (t tenancy.entering)",
            "SELECT jsonb_populate_record(NULL::pg_temp.c, '{\"t\": \"\\\\x00\"}')",
        ],
        "42501 / 25P02",
    ),
    case(
        "a column definition list",
        &["SELECT x::text FROM json_to_record('{\"x\": 0.5}') AS r (x tenancy.leaving)"],
        "escaped / escaped",
    ),
    case("a variable of DO", &["DO $$DECLARE x tenancy.leaving := 0.5; BEGIN END$$"], "escaped / escaped"),
    case(
        "an argument of a function",
        &[
            "CREATE FUNCTION pg_temp.f(tenancy.leaving) RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "SELECT pg_temp.f(0.5)",
        ],
        "? / committed",
    ),
    case(
        "a result of a function",
        &[
            "CREATE FUNCTION pg_temp.f() RETURNS tenancy.leaving LANGUAGE plpgsql AS 'BEGIN RETURN 0.5; END'",
            "SELECT pg_temp.f()",
        ],
        "escaped / escaped",
    ),
    case(
        "XMLTABLE with the domain",
        &["SELECT x::text FROM xmltable('/r' PASSING '<r>0.5</r>' COLUMNS x tenancy.leaving PATH '.')"],
        "escaped / escaped",
    ),
    case(
        "a generated column that leaves",
        &["CREATE TEMP TABLE t (n float8, x bool GENERATED ALWAYS AS (tenancy.leave(n)) STORED)"],
        "42P17 / 25P02",
    ),
    case(
        "leaving in a check",
        &["CREATE TEMP TABLE t (n float8 CHECK (tenancy.leave(n)))", "INSERT INTO t VALUES (0.5)"],
        "55006 / 25P02",
    ),
    case(
        "leaving in an index",
        &["CREATE TEMP TABLE t (n float8)", "CREATE INDEX ON t (tenancy.leave(n))"],
        "42P17 / 25P02",
    ),
    case("leaving by call", &["SELECT tenancy.leave(0.5)"], "escaped / escaped"),
    case("leaving without a seed", &["SELECT tenancy.leave()"], "? / committed"),
    case(
        "leaving with NaN",
        &["DO $$BEGIN BEGIN PERFORM tenancy.leave('NaN'); EXCEPTION WHEN OTHERS THEN END; END$$", SEE],
        "of a / committed",
    ),
    case(
        "leaving in a block that is undone",
        &[
            "DO $$BEGIN BEGIN PERFORM tenancy.leave(0.5); RAISE division_by_zero; EXCEPTION WHEN division_by_zero THEN END; END$$",
            SEE,
        ],
        "of a / committed",
    ),
    case(
        "entering in a block that is undone",
        &["DO $$BEGIN BEGIN PERFORM '\\x00'::tenancy.entering; EXCEPTION WHEN OTHERS THEN END; END$$", SEE],
        "of a / committed",
    ),
    case(
        "leaving after a savepoint",
        &["SAVEPOINT s", "SELECT tenancy.leave(0.5)", "ROLLBACK TO s", SEE],
        "escaped / escaped",
    ),
    case(
        "the context kept over leaving",
        &[
            "DO $$DECLARE c text := current_setting('tenancy.context'); BEGIN PERFORM tenancy.leave(0.5); PERFORM set_config('tenancy.context', c, true); END$$",
            SEE,
        ],
        "of a / committed",
    ),
    case(
        "a context of the length of v2 for B",
        &[
            "SELECT set_config('tenancy.context', 'bbbbbbbbbbbb4bbb8bbbbbbbbbbbbbbb' || substr(current_setting('tenancy.context'), 33), true)",
            SEE,
        ],
        "escaped / escaped",
    ),
    case(
        "a definer's function of A's own that leaves",
        &[
            "CREATE FUNCTION pg_temp.f() RETURNS bool LANGUAGE sql SECURITY DEFINER AS 'SELECT tenancy.leave(0.5)'",
            "SELECT pg_temp.f()",
        ],
        "42501 / 25P02",
    ),
    case(
        "a trigger that leaves",
        &[
            "CREATE TEMP TABLE t (n int)",
            "CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM tenancy.leave(0.5); RETURN NEW; END'",
            "CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.f()",
            "INSERT INTO t VALUES (1)",
        ],
        "55006 / 25P02",
    ),
    case(
        "a deferred trigger that enters in the scrub",
        &[
            "CREATE TEMP TABLE t (n int)",
            "CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM '\\x00'::tenancy.entering; RETURN NEW; END$$",
            "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.f()",
            "INSERT INTO t VALUES (1)",
        ],
        " / escaped",
    ),
    case(
        "a deferred trigger that leaves in the scrub",
        &[
            "CREATE TEMP TABLE t (n int)",
            "CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM tenancy.leave(0.5); RETURN NEW; END$$",
            "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.f()",
            "INSERT INTO t VALUES (1)",
        ],
        " / 55006",
    ),
    case(
        "a deferred trigger that prepares in the scrub",
        &[
            "CREATE TEMP TABLE t (n int)",
            "CREATE FUNCTION pg_temp.f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN EXECUTE 'PREPARE late AS SELECT 1'; PERFORM pg_advisory_lock(77); RETURN NEW; END$$",
            "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.f()",
            "INSERT INTO t VALUES (1)",
        ],
        " / committed",
    ),
    case(
        "a shell type and a cast of A's own to the domain's base",
        &[
            "CREATE TYPE pg_temp.e AS ENUM ('x')",
            "CREATE FUNCTION pg_temp.b(pg_temp.e) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$SELECT '\\x00'::bytea$$",
            "CREATE CAST (pg_temp.e AS bytea) WITH FUNCTION pg_temp.b AS IMPLICIT",
        ],
        " / committed",
    ),
    case("the secrets by a whole row", &["SELECT s FROM tenancy.secrets s"], "42501 / 25P02"),
    case("the secrets by a locking clause", &["SELECT 1 FROM tenancy.keys FOR SHARE"], "42501 / 25P02"),
    case("the secrets by LOCK", &["LOCK TABLE tenancy.secrets IN ACCESS SHARE MODE"], "42501 / 25P02"),
    case(
        "the secrets by statistics",
        &["SELECT count(*)::text FROM pg_stats WHERE schemaname = 'tenancy'"],
        "0 / committed",
    ),
    case(
        "the parameters of a statement that fails",
        &["SET log_parameter_max_length_on_error = -1", "SELECT 1 / 0"],
        "22012 / 25P02",
    ),
    case(
        "the types of the driver's statements",
        &[
            "SELECT count(*)::text FROM pg_prepared_statements WHERE parameter_types::text LIKE '%tenancy.leaving%'",
        ],
        "0 / committed",
    ),
];

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn domains_and_functions_of_the_context_change_no_tenant() {
    let scene = Scene::start().await;
    scene.play(CASES).await;
    scene.end().await;
}
