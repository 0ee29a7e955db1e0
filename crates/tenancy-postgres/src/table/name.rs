//! Names of schemas, tables, columns and types.

use crate::error::TableError;

const TENANT_ID: &str = "tenant_id";

/// Postgres truncates a longer name, which might then be another column's.
const LONGEST: usize = 63;

/// A name that is safe in a statement once it is quoted.
///
/// No identifier ends with `$`: the statements' own aliases do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Identifier(Box<str>);

impl Identifier {
    /// Parses a name as callers write it: bare, or in double quotes, in which `""` is one quote.
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        if let Some(inner) = text.strip_prefix('"') {
            return Self::raw(&unquote(inner).ok_or(TableError::InvalidIdentifier)?);
        }
        let mut characters = text.chars();
        let is_bare = characters.next().is_some_and(|first| first == '_' || first.is_alphabetic())
            && characters.all(|character| character == '_' || character.is_alphanumeric());
        if is_bare { Self::raw(text) } else { Err(TableError::InvalidIdentifier) }
    }

    /// Accepts any name that Postgres stores unchanged, such as a key of a JSON object.
    pub(super) fn raw(text: &str) -> Result<Self, TableError> {
        if text.is_empty() || text.len() > LONGEST || text.contains('\0') || text.ends_with('$') {
            return Err(TableError::InvalidIdentifier);
        }
        Ok(Self(text.into()))
    }

    /// Accepts a name as [`raw`](Self::raw) does, but not that of the tenant column.
    pub(super) fn raw_writable(text: &str) -> Result<Self, TableError> {
        let identifier = Self::raw(text)?;
        let bare = text.trim_matches(|character: char| character == '"' || character.is_whitespace());
        if bare.eq_ignore_ascii_case(TENANT_ID) {
            return Err(TableError::WritesTenantId);
        }
        Ok(identifier)
    }

    pub(super) fn is_tenant_id(&self) -> bool {
        *self.0 == *TENANT_ID
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the text before the closing quote, if that quote ends the text.
fn unquote(inner: &str) -> Option<String> {
    let inner = inner.strip_suffix('"')?;
    let without_pairs = inner.replace("\"\"", "");
    (!without_pairs.contains('"')).then(|| inner.replace("\"\"", "\""))
}

/// Splits a text at a separator that is outside of double quotes.
pub(super) fn split<'t>(text: &'t str, separator: &str) -> Vec<&'t str> {
    let (mut parts, mut start, mut is_quoted) = (Vec::new(), 0, false);
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        if character == '"' {
            is_quoted = !is_quoted;
        } else if !is_quoted && text[at..].starts_with(separator) {
            parts.push(&text[start..at]);
            at += separator.len();
            start = at;
            continue;
        }
        at += character.len_utf8();
    }
    parts.push(&text[start..]);
    parts
}

/// A table, function or type, with or without its schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct QualifiedName {
    pub(super) schema: Option<Identifier>,
    pub(super) name: Identifier,
}

impl QualifiedName {
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        match split(text, ".")[..] {
            [name] => Ok(Self { schema: None, name: Identifier::parse(name)? }),
            [schema, name] => {
                Ok(Self { schema: Some(Identifier::parse(schema)?), name: Identifier::parse(name)? })
            }
            _ => Err(TableError::InvalidIdentifier),
        }
    }

    /// Parses the name of a type that a cast may name.
    ///
    /// Quoted names are catalog names, so the grammar's own words are translated. The types of the schema `tenancy` run
    /// its functions when a value is cast to them; they are rejected.
    pub(super) fn parse_type(text: &str) -> Result<Self, TableError> {
        let name = Self::parse(text)?;
        let is_ours = |name: &Identifier| matches!(name.as_str(), "entering" | "leaving");
        match &name.schema {
            Some(schema) if schema.as_str() == "tenancy" => Err(TableError::InvalidIdentifier),
            Some(_) => Ok(name),
            None if is_ours(&name.name) => Err(TableError::InvalidIdentifier),
            None => Ok(built_in(name.name.as_str()).unwrap_or(name)),
        }
    }
}

fn built_in(word: &str) -> Option<QualifiedName> {
    let name = match word {
        "integer" | "int" => "int4",
        "bigint" => "int8",
        "smallint" => "int2",
        "boolean" => "bool",
        "real" => "float4",
        "float" => "float8",
        "decimal" => "numeric",
        "char" => "bpchar",
        "text" | "int4" | "int8" | "int2" | "bool" | "float4" | "float8" | "numeric" | "varchar" | "uuid"
        | "date" | "time" | "timestamp" | "timestamptz" | "json" | "jsonb" | "bytea" | "interval" => word,
        _ => return None,
    };
    Some(QualifiedName { schema: Some(Identifier("pg_catalog".into())), name: Identifier(name.into()) })
}

/// Parses columns that are separated by commas.
pub(super) fn list(text: &str) -> Result<Vec<Identifier>, TableError> {
    split(text, ",").into_iter().map(|name| Identifier::parse(name.trim_ascii())).collect()
}
