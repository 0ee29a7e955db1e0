//! No setting of a session changes the context or the check of the context.

use crate::support::orders::{Orders, enter_as, hex, outcome};
use crate::support::{A, B};

const MARK: &str = "SELECT pg_catalog.concat(pg_catalog.current_setting('tenancy.context', true), ' ', \
    EXTRACT(epoch FROM CURRENT_TIMESTAMP))";

/// Settings that stop every statement, or are rejected together with any policy.
const STOPS: &[&str] = &["statement_timeout", "transaction_timeout", "row_security", "lock_timeout"];

/// Settings with text values, which the catalog does not list.
const TEXTS: &[(&str, &[&str])] = &[
    ("DateStyle", &["SQL, DMY", "German", "Postgres, MDY"]),
    ("TimeZone", &["Asia/Kathmandu", "UTC+14:59:59", "America/St_Johns", "Etc/GMT-14"]),
    ("client_encoding", &["LATIN1", "SJIS", "SQL_ASCII", "WIN1251"]),
    ("search_path", &["pg_temp", "pg_temp, public, pg_catalog", "nowhere", "information_schema, public"]),
    ("lc_numeric", &["C", "C.UTF-8"]),
    ("lc_time", &["C"]),
    ("lc_monetary", &["C"]),
    ("default_text_search_config", &["pg_catalog.simple"]),
    ("timezone_abbreviations", &["India"]),
    ("plpgsql.extra_errors", &["all"]),
    ("plpgsql.extra_warnings", &["all"]),
    ("plpgsql.variable_conflict", &["use_column"]),
    ("session_replication_role", &["replica"]),
    ("role", &["tenancy_app"]),
    ("tenancy.direct", &["on"]),
];

#[tokio::test]
#[ignore = "needs postgres; cargo xtask test runs it"]
async fn no_setting_changes_the_context() {
    let schema = Orders::start().await;
    let sql = "SELECT name, v FROM pg_settings, unnest(CASE vartype WHEN 'bool' THEN ARRAY['on', 'off'] \
        WHEN 'enum' THEN enumvals ELSE ARRAY[min_val, max_val] END) v \
        WHERE context = 'user' AND vartype <> 'string'";
    let mut settings: Vec<(String, String)> = schema
        .operator
        .query(sql, &[])
        .await
        .expect("settings")
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    settings.retain(|(name, _)| !STOPS.contains(&&**name));
    for (name, values) in TEXTS {
        settings.extend(values.iter().map(|value| ((*name).to_owned(), (*value).to_owned())));
    }
    assert!(settings.len() > 200, "{}", settings.len());
    let forged = format!("{}{}", hex(B.as_bytes()), "0".repeat(64));
    let own = outcome(&schema.entered(A).await, "SELECT tenancy.tenant_id()").await;
    let mut refused = Vec::new();
    for (name, value) in settings {
        let set = format!(
            "SET {name} = {}",
            if name == "search_path" { value.clone() } else { format!("'{value}'") }
        );
        // The setting is changed after the tenant is entered or before, each in a new session, because plans are kept.
        for is_first in [false, true] {
            let client = schema.service().await;
            if is_first {
                let _ = client.batch_execute(&set).await;
            }
            if client
                .batch_execute(&format!("BEGIN; {}", enter_as(A).replace("'\\x", "E'\\\\x")))
                .await
                .is_err()
            {
                refused.push(set.clone());
                continue;
            }
            let before = outcome(&client, MARK).await;
            let _ = client.batch_execute(&format!("SAVEPOINT s; {set}")).await;
            let _ = client.batch_execute("ROLLBACK TO s").await;
            if client.batch_execute(&set).await.is_err() {
                let _ = client.batch_execute("ROLLBACK TO s").await;
            }
            assert_eq!(outcome(&client, MARK).await, before, "{set}, {is_first}");
            assert_eq!(outcome(&client, "SELECT tenancy.tenant_id()").await, own, "{set}, {is_first}");
            assert_eq!(outcome(&client, "SELECT amount FROM public.orders").await, "11", "{set}, {is_first}");
            let sql = format!("SET LOCAL tenancy.context = '{forged}'; SELECT amount FROM public.orders");
            assert_eq!(outcome(&client, &sql).await, "ERROR 42501", "{set}, {is_first}");
        }
    }
    assert!(refused.is_empty(), "nobody can enter: {refused:#?}");
}
