//! The pragmas that a tenant's SQL may use.

/// What they tell is the file's own, and they change nothing. With a value they name a table, or count rows.
const ABOUT_A_TABLE: &[&str] = &[
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// The same; with a value they would change it. Full-text tables ask for `data_version` and `page_size`.
const WITHOUT_VALUE: &[&str] = &[
    "application_id",
    "collation_list",
    "compile_options",
    "data_version",
    "encoding",
    "foreign_keys",
    "freelist_count",
    "function_list",
    "module_list",
    "page_count",
    "page_size",
    "pragma_list",
    "schema_version",
    "user_version",
];

/// Ends with its transaction.
const WITH_VALUE: &[&str] = &["defer_foreign_keys"];

pub(crate) fn is_harmless(name: &str, value: Option<&str>) -> bool {
    let is_in = |list: &[&str]| list.iter().any(|harmless| harmless.eq_ignore_ascii_case(name));
    is_in(ABOUT_A_TABLE) || is_in(WITH_VALUE) || (value.is_none() && is_in(WITHOUT_VALUE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_may_and_what_writes_may_not() {
        assert!(is_harmless("Table_Info", Some("notes")));
        assert!(is_harmless("user_version", None));
        assert!(!is_harmless("user_version", Some("7")));
        assert!(!is_harmless("journal_mode", None));
        // It tells where the files are.
        assert!(!is_harmless("database_list", None));
    }
}
