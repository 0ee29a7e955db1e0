//! The pragmas that a tenant's SQL may use.

/// Pragmas that read the file and change nothing. Their value is the name of a table, or a number of rows.
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

/// Pragmas that read without a value, and would write with one. Full-text tables use `data_version` and `page_size`.
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

/// Pragmas whose effect ends with the transaction.
const WITH_VALUE: &[&str] = &["defer_foreign_keys"];

pub(crate) fn is_harmless(name: &str, value: Option<&str>) -> bool {
    let is_in = |list: &[&str]| list.iter().any(|harmless| harmless.eq_ignore_ascii_case(name));
    is_in(ABOUT_A_TABLE) || is_in(WITH_VALUE) || (value.is_none() && is_in(WITHOUT_VALUE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_pragmas_that_read_and_denies_those_that_write() {
        assert!(is_harmless("Table_Info", Some("notes")));
        assert!(is_harmless("user_version", None));
        assert!(!is_harmless("user_version", Some("7")));
        assert!(!is_harmless("journal_mode", None));
        // It shows the path of the files.
        assert!(!is_harmless("database_list", None));
    }
}
