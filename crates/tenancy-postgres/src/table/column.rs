//! What is read of a row: columns, paths into JSON, aliases and casts.

use super::name::{Identifier, QualifiedName, split};
use crate::error::TableError;

/// A function accepts no more than 100 arguments, and each column takes two.
const MOST_BUILT: usize = 50;

/// A column, or a path into a column that holds JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Path {
    pub(super) column: Identifier,
    pub(super) steps: Vec<Step>,
}

/// One step of a path, and whether it results in text instead of JSON.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Step {
    pub(super) key: Key,
    pub(super) is_text: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Key {
    Index(i32),
    Name(Identifier),
}

impl Path {
    /// Parses `column`, `column->key`, `column->key->>key` or `column->0`.
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        let mut parts = split(text, "->").into_iter();
        let column = Identifier::parse(parts.next().unwrap_or_default().trim_ascii())?;
        let steps = parts.map(Step::parse).collect::<Result<Vec<_>, _>>()?;
        // Text has no members.
        if steps.iter().rev().skip(1).any(|step| step.is_text) {
            return Err(TableError::InvalidIdentifier);
        }
        Ok(Self { column, steps })
    }

    /// Whether the path ends in a JSON value.
    pub(super) fn is_json(&self) -> bool {
        self.steps.last().is_some_and(|step| !step.is_text)
    }

    /// The last name in the path.
    fn name(&self) -> &Identifier {
        let name = |step: &'_ Step| matches!(step.key, Key::Name(_));
        match self.steps.iter().rfind(|step| name(step)).map(|step| &step.key) {
            Some(Key::Name(name)) => name,
            _ => &self.column,
        }
    }
}

impl Step {
    fn parse(text: &str) -> Result<Self, TableError> {
        let (text, is_text) = match text.strip_prefix('>') {
            Some(text) => (text, true),
            None => (text, false),
        };
        let text = text.trim_ascii();
        let digits = text.strip_prefix('-').unwrap_or(text);
        let key = if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Key::Index(text.parse().map_err(|_| TableError::InvalidIdentifier)?)
        } else {
            let name = Identifier::parse(text)?;
            // A backslash would be special if a session had turned standard_conforming_strings off.
            if name.as_str().contains('\\') {
                return Err(TableError::InvalidIdentifier);
            }
            Key::Name(name)
        };
        Ok(Self { key, is_text })
    }
}

/// The columns of a result.
#[derive(Clone, Debug)]
pub(super) enum Columns {
    /// All but `tenant_id`.
    All,
    Listed(Vec<Output>),
}

/// One member of each row's JSON object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Output {
    pub(super) name: Identifier,
    pub(super) path: Path,
    pub(super) cast: Option<QualifiedName>,
}

impl Columns {
    /// Parses `*` or a list of `alias:path::type`, of which only the path is required.
    pub(super) fn parse(text: &str) -> Result<Self, TableError> {
        if text.trim_ascii() == "*" {
            return Ok(Self::All);
        }
        let mut listed: Vec<Output> = Vec::new();
        for part in split(text, ",") {
            let output = Output::parse(part)?;
            match listed.iter().find(|other| other.name == output.name) {
                None => listed.push(output),
                Some(other) if *other == output => {}
                Some(_) => return Err(TableError::DuplicateName),
            }
        }
        Ok(Self::Listed(listed))
    }

    /// Whether one call of `json_build_object` can write the row, with the names as plain texts.
    pub(super) fn can_be_built(listed: &[Output], others: usize) -> bool {
        let is_plain = |output: &Output| !output.name.as_str().contains('\\');
        listed.len() + others <= MOST_BUILT && listed.iter().all(is_plain)
    }
}

impl Output {
    fn parse(text: &str) -> Result<Self, TableError> {
        let (text, cast) = match split(text, "::")[..] {
            [text] => (text, None),
            [text, cast] => (text, Some(QualifiedName::parse_type(cast.trim_ascii())?)),
            _ => return Err(TableError::InvalidIdentifier),
        };
        let (alias, path) = match split(text, ":")[..] {
            [path] => (None, Path::parse(path)?),
            [alias, path] => (Some(Identifier::parse(alias.trim_ascii())?), Path::parse(path)?),
            _ => return Err(TableError::InvalidIdentifier),
        };
        let name = alias.unwrap_or_else(|| path.name().clone());
        Ok(Self { name, path, cast })
    }
}
