//! Properties of a statement that its text shows.

/// Returns the highest number of a parameter, `$1` to `$65535`, in the text.
///
/// Strings and comments count too, so the result is an upper bound.
pub(crate) fn highest_parameter(sql: &str) -> usize {
    let number = |after: &str| {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        after[..digits].parse().ok()
    };
    sql.split('$').skip(1).filter_map(number).max().unwrap_or_default()
}

/// Whether the statement has a `UNION`, an `INTERSECT` or an `EXCEPT`.
pub(crate) fn has_set_operation(sql: &str) -> bool {
    words(sql).any(|word| ["union", "intersect", "except"].iter().any(|of| word.eq_ignore_ascii_case(of)))
}

/// Whether the statement has a `USING (…)` that names `tenant_id`.
pub(crate) fn joins_by_tenant(sql: &str) -> bool {
    let mut is_using = false;
    for word in words(sql) {
        if word.eq_ignore_ascii_case("using") {
            is_using = true;
        } else if is_using {
            match word {
                "(" | "," => {}
                ")" => is_using = false,
                name if name.eq_ignore_ascii_case("tenant_id") || name == "\"tenant_id\"" => return true,
                // Another column of the list, or another `USING`.
                _ => {}
            }
        }
    }
    false
}

/// The words, quoted names and other characters of a statement, without comments and strings.
fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            rest = rest.trim_start();
            let first = rest.chars().next()?;
            let length = match first {
                '-' if rest.starts_with("--") => {
                    rest = rest.split_once('\n').map_or("", |(_, after)| after);
                    continue;
                }
                '/' if rest.starts_with("/*") => {
                    rest = after_comment(rest);
                    continue;
                }
                '\'' => {
                    rest = &rest[quoted(rest, '\'')..];
                    continue;
                }
                '$' if dollar_tag(rest).is_some() => {
                    let tag = dollar_tag(rest).unwrap_or_default();
                    let body = &rest[tag.len()..];
                    rest = body.split_once(tag).map_or("", |(_, after)| after);
                    continue;
                }
                '"' => quoted(rest, '"'),
                _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                other => other.len_utf8(),
            };
            let (word, after) = rest.split_at(length);
            rest = after;
            return Some(word);
        }
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// Returns the length of a quoted text. A doubled quote is read as the end of one text and the start of the next.
fn quoted(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

/// Returns the text after a comment. Comments can be nested.
fn after_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut rest = text;
    loop {
        let next =
            rest.find("/*").map_or(usize::MAX, |at| at).min(rest.find("*/").map_or(usize::MAX, |at| at));
        let Some(found) = rest.get(next..) else { return "" };
        depth = if found.starts_with("/*") { depth + 1 } else { depth.saturating_sub(1) };
        rest = &found[2..];
        if depth == 0 {
            return rest;
        }
    }
}

/// Returns the tag of a dollar-quoted string, with both dollars.
fn dollar_tag(text: &str) -> Option<&str> {
    let end = text[1..].find('$')? + 2;
    let tag = &text[..end];
    let name = &tag[1..end - 1];
    let is_tag = name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.starts_with(|c: char| c.is_ascii_digit());
    is_tag.then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_set_operations_outside_of_strings_and_comments() {
        for sql in [
            "SELECT 1 UNION SELECT 2",
            "(table a)except(table b)",
            "a /* b */ intersect all c",
            "x'--'\nunion",
        ] {
            assert!(has_set_operation(sql), "{sql}");
        }
        for sql in [
            "SELECT 'union'",
            "SELECT \"union\"",
            "SELECT 1 -- union",
            "SELECT 1 /* a /* b */ union */",
            "SELECT $a$ union $$ $a$",
            "SELECT reunion, union_id",
            "/* union",
            "'union",
            "$$ union",
        ] {
            assert!(!has_set_operation(sql), "{sql}");
        }
    }

    #[test]
    fn finds_the_highest_parameter() {
        for (sql, highest) in
            [("SELECT 1", 0), ("SELECT $1, $12, $2", 12), ("SELECT '$3' || $1", 3), ("$", 0), ("$$ $1", 1)]
        {
            assert_eq!(highest_parameter(sql), highest, "{sql}");
        }
    }

    #[test]
    fn finds_joins_by_tenant() {
        for sql in [
            "a JOIN b USING (tenant_id)",
            "a join b using(id, TENANT_ID)",
            "a JOIN b USING (\"tenant_id\", id)",
            "a JOIN b USING (id) JOIN c USING (tenant_id)",
        ] {
            assert!(joins_by_tenant(sql), "{sql}");
        }
        for sql in ["a JOIN b USING (id)", "a JOIN b USING (id) WHERE tenant_id = 1", "'using (tenant_id)'"] {
            assert!(!joins_by_tenant(sql), "{sql}");
        }
    }
}
