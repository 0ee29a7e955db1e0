//! The file format.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use anyhow::{Context, Result, anyhow, bail, ensure};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tenancy::TenantId;
use tenancy_agents::{Agent, AgentName};
use uuid::Uuid;

use crate::notes::Note;

const FORMAT: &str = "tenancy-gateway";
const VERSION: u64 = 1;
/// The valid revisions. The maximum leaves room for later changes in every store.
const REVISIONS: RangeInclusive<u64> = 1..=1 << 53;
/// The maximum time in the future. A later record would permanently be the last one.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The content of a file.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct File {
    pub(super) tenant: TenantId,
    /// Agents, from the second line on.
    pub(super) agents: Vec<Agent>,
    /// Notes, after the agents.
    pub(super) notes: Vec<Note>,
}

/// The members of every version.
#[derive(Deserialize)]
struct Version {
    format: String,
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: String,
    version: u64,
    tenant: TenantId,
    agents: usize,
    notes: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Agent(Box<Agent>),
    Note(NoteLine),
    /// The number of records. A file without this line is incomplete.
    End(usize),
}

/// A note. Unknown members are rejected, so that nothing is lost.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NoteLine {
    id: Uuid,
    text: String,
    created: Timestamp,
}

impl File {
    /// Returns the content as text.
    pub(super) fn to_text(&self) -> Result<String> {
        let (agents, notes) = (self.agents.len(), self.notes.len());
        let header =
            Header { format: FORMAT.to_owned(), version: VERSION, tenant: self.tenant, agents, notes };
        let mut text = serde_json::to_string(&header)? + "\n";
        let all = self.agents.iter().cloned().map(|agent| Line::Agent(Box::new(agent)));
        let all = all.chain(self.notes.iter().cloned().map(|note| Line::Note(note.into())));
        for line in all.chain([Line::End(agents + notes)]) {
            text.push_str(&serde_json::to_string(&line)?);
            text.push('\n');
        }
        Ok(text)
    }

    /// Returns the line number of an agent.
    pub(super) fn line_of_agent(place: usize) -> usize {
        place + 2
    }

    /// Returns the line number of a note.
    pub(super) fn line_of_note(&self, place: usize) -> usize {
        self.agents.len() + place + 2
    }

    /// Reads a text.
    ///
    /// # Errors
    ///
    /// If the text is not a complete export of the tenant in a known version. The error has the line number, and nothing
    /// of the line.
    pub(super) fn read(text: &str, tenant: TenantId) -> Result<Self> {
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let header = header(first, tenant).context("line 1")?;
        let mut file = Self { tenant, agents: Vec::new(), notes: Vec::new() };
        let (mut ids, mut names, mut end) = (HashSet::new(), HashSet::new(), None);
        for (place, line) in rest.lines().enumerate() {
            let taken = if end.is_some() {
                Err(anyhow!("record after the end"))
            } else {
                file.take(line, &mut ids, &mut names)
            };
            end = taken.with_context(|| format!("line {}", place + 2))?;
        }
        let end = end.context("the file is cut off: it has no end")?;
        let (agents, notes) = (file.agents.len(), file.notes.len());
        ensure!(
            end == agents + notes && header.agents == agents && header.notes == notes,
            "lines are missing, or too many: {} agents and {} notes are announced, and {agents} and {notes} there",
            header.agents,
            header.notes
        );
        Ok(file)
    }

    /// Adds the record of a line, or returns the number in the end marker.
    fn take(
        &mut self,
        line: &str,
        ids: &mut HashSet<Uuid>,
        names: &mut HashSet<AgentName>,
    ) -> Result<Option<usize>> {
        match json(line)? {
            Line::End(count) => return Ok(Some(count)),
            Line::Agent(agent) => {
                ensure!(agent.tenant == self.tenant, "the agent is another tenant's");
                ensure!(self.notes.is_empty(), "agent follows a note");
                ensure!(ids.insert(agent.id.as_uuid()), "duplicate id");
                ensure!(REVISIONS.contains(&agent.revision), "invalid revision");
                let times = [Some(agent.created_at), Some(agent.updated_at), agent.last_seen_at];
                let times = times.into_iter().flatten().map(|time| i64::try_from(time.0).unwrap_or(i64::MAX));
                ensure!(times.chain([made(agent.id.as_uuid())?]).all(is_past), "time in the future");
                ensure!(!agent.is_living() || names.insert(agent.name.clone()), "duplicate name");
                self.agents.push(*agent);
            }
            Line::Note(note) => {
                ensure!(
                    Note::is_text(&note.text),
                    "text of the note is too short or too long, or contains U+0000"
                );
                ensure!(ids.insert(note.id), "duplicate id");
                let times = [made(note.id)?, note.created.as_millisecond()];
                ensure!(times.into_iter().all(is_past), "time in the future");
                self.notes.push(note.into());
            }
        }
        Ok(None)
    }
}

/// Returns the time of an id in milliseconds since 1970. Lists are sorted by it.
fn made(id: Uuid) -> Result<i64> {
    let made = id.get_timestamp().filter(|_| id.get_version_num() == 7).context("id is not a UUIDv7")?;
    Ok(i64::try_from(made.to_unix().0).unwrap_or(i64::MAX).saturating_mul(1000))
}

/// Returns whether a time in milliseconds since 1970 is not in the future.
fn is_past(millis: i64) -> bool {
    millis <= (Timestamp::now() + AHEAD).as_millisecond()
}

fn header(line: &str, tenant: TenantId) -> Result<Header> {
    let Version { format, version } = json(line).context("this is no export")?;
    ensure!(format == FORMAT, "this is no export");
    if version > VERSION {
        bail!("the export is of version {version}, and this program knows those up to {VERSION}");
    }
    let header: Header = json(line)?;
    ensure!(header.tenant == tenant, "the export is of another tenant");
    Ok(header)
}

/// Parses a line. The error has the position only: the text may be confidential.
fn json<T: DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            anyhow!("a member is missing, not known or malformed, at column {}", error.column())
        }
        _ => anyhow!("invalid JSON at column {}", error.column()),
    })
}

impl From<Note> for NoteLine {
    fn from(Note { id, text, created }: Note) -> Self {
        Self { id, text, created }
    }
}

impl From<NoteLine> for Note {
    fn from(NoteLine { id, text, created }: NoteLine) -> Self {
        Self { id, text, created }
    }
}

#[cfg(test)]
mod tests {
    use tenancy::tenant_id;

    use super::*;

    const TENANT: TenantId = tenant_id!("550e8400-e29b-41d4-a716-446655440000");
    const AGENT: &str = r#"{"agent":{"id":"01925d50-7a00-7bab-abab-abababababab","tenant":"550e8400-e29b-41d4-a716-446655440000","name":"a","status":"deleted","revision":3,"created_at":"2026-01-01T00:00:00.001Z","updated_at":"2026-01-01T00:00:00Z","last_seen_at":null}}"#;
    const NOTE: &str = r#"{"note":{"id":"01925d50-7a00-7bab-abab-abababababac","text":"marker","created":"2026-01-01T00:00:00.123456789Z"}}"#;

    fn text() -> String {
        format!(
            "{{\"format\":\"tenancy-gateway\",\"version\":1,\"tenant\":\"{TENANT}\",\"agents\":1,\"notes\":1}}\n{AGENT}\n{NOTE}\n{{\"end\":2}}\n"
        )
    }

    #[test]
    fn reads_what_it_writes() {
        let file = File::read(&text(), TENANT).expect("a file");
        assert_eq!((file.agents.len(), file.notes.len()), (1, 1));
        assert_eq!(File::read(&file.to_text().expect("a text"), TENANT).expect("a file"), file);
        assert!(File::read(text().trim_end(), TENANT).is_ok(), "the last line feed is no matter");
    }

    /// Wherever the file is cut off.
    #[test]
    fn rejects_incomplete_files() {
        let whole = text();
        for end in 0..whole.trim_end().len() {
            if let Some(part) = whole.get(..end) {
                assert!(File::read(part, TENANT).is_err(), "{part}");
            }
        }
        for line in 0..4 {
            let kept = whole.lines().enumerate().filter(|(place, _)| *place != line);
            let kept: Vec<_> = kept.map(|(_, line)| line).collect();
            assert!(File::read(&kept.join("\n"), TENANT).is_err(), "{kept:#?}");
        }
    }

    #[test]
    fn errors_name_the_line_and_not_its_content() {
        let other = "6ba7b810-9dad-41d1-80b4-00c04fd430c8";
        let twice = format!("{AGENT}\n{AGENT}");
        let cases = [
            ("tenancy-gateway", "marker", "line 1: this is no export"),
            ("\"version\":1", "\"version\":2,\"marker\":1", "line 1: the export is of version 2"),
            ("\"version\":1", "\"version\":1,\"marker\":1", "line 1: a member"),
            ("\"agents\":1,\"notes\":1", "\"agents\":2,\"notes\":0", "lines are missing"),
            ("\"name\":\"a\"", "\"name\":\"Marker\"", "line 2: a member"),
            ("\"revision\":3", "\"revision\":3,\"marker\":1", "line 2: a member"),
            (AGENT, &twice, "line 3: duplicate id"),
            ("\"text\":\"marker\"", "\"text\":\"\"", "line 3: text of the note"),
            ("\"updated_at\":\"2026", "\"updated_at\":\"2999", "line 2: time in the future"),
            (
                "\"last_seen_at\":null",
                "\"last_seen_at\":\"2999-01-01T00:00:00Z\"",
                "line 2: time in the future",
            ),
            ("\"created\":\"2026", "\"created\":\"2999", "line 3: time in the future"),
            (
                "01925d50-7a00-7bab-abab-abababababab",
                "ffffffff-ffff-7bab-abab-abababababab",
                "line 2: time in",
            ),
            (
                "01925d50-7a00-7bab-abab-abababababab",
                "01925d50-7a00-4bab-abab-abababababab",
                "line 2: id is not a UUIDv7",
            ),
            (
                "01925d50-7a00-7bab-abab-abababababac",
                "ffffffff-ffff-7bab-abab-abababababac",
                "line 3: time in",
            ),
            ("01925d50-7a00-7bab-abab-abababababac", "ffffffff-ffff-ffff-ffff-ffffffffffff", "line 3: id is"),
            ("\"text\":\"marker\"", "\"text\":\"marker\",\"m\":1", "line 3: a member"),
            ("{\"note\"", "marker", "line 3: invalid JSON"),
            ("{\"end\":2}", "{\"end\":1}", "lines are missing"),
            ("{\"end\":2}", "{\"end\":2}\n{\"end\":2}", "line 5: record after the end"),
            ("{\"end\":2}", "{\"end\":2}\n", "line 5: record after the end"),
        ];
        for (old, new, expected) in cases {
            let error = File::read(&text().replacen(old, new, 1), TENANT).expect_err(expected);
            let told = format!("{error:#}");
            assert!(
                told.starts_with(expected) && !told.to_lowercase().contains("marker"),
                "{expected}: {told}"
            );
        }
        let foreign = text().replace(&TENANT.to_string(), other);
        let told = format!("{:#}", File::read(&foreign, TENANT).expect_err("foreign"));
        assert_eq!(told, "line 1: the export is of another tenant");
        let (first, rest) = foreign.split_once('\n').expect("lines");
        let mixed = format!("{}\n{rest}", first.replace(other, &TENANT.to_string()));
        let told = format!("{:#}", File::read(&mixed, TENANT).expect_err("foreign"));
        assert_eq!(told, "line 2: the agent is another tenant's");
    }
}
