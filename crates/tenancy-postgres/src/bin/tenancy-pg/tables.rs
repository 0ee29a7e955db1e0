//! The commands on tables.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;
use tenancy::TenantId;
use tenancy_postgres::{AdminDb, Finding, Severity, enable_table};

use crate::args::FailOn;
use crate::failure::Failure;
use crate::output::Output;

/// How often progress is told.
const TELL: Duration = Duration::from_secs(1);

pub(crate) async fn enable(
    admin: &mut AdminDb,
    table: &str,
    backfill: Option<TenantId>,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut enable = enable_table(table);
    if let Some(tenant) = backfill {
        enable = enable.backfill(tenant);
    }
    let mut told: Option<Instant> = None;
    let filled = admin.enable_table(enable, |at| {
        if told.is_none_or(|told| told.elapsed() >= TELL) {
            told = Some(Instant::now());
            output.aside(format_args!("{} of about {} rows", at.rows, at.estimated));
        }
    });
    let filled = filled.await?;
    output.document(
        [format!("enabled {table}: {filled} rows got their tenant")],
        || json!({ "table": table, "filled": filled }),
    )
}

pub(crate) async fn share(admin: &mut AdminDb, table: &str, output: &mut Output) -> Result<(), Failure> {
    admin.share_table(table).await?;
    output.document([format!("shared {table}")], || json!({ "table": table, "shared": true }))
}

pub(crate) async fn audit(
    admin: &mut AdminDb,
    role: Option<&str>,
    fail_on: FailOn,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let findings = admin.audit(role).await?;
    let threshold = match fail_on {
        FailOn::Critical => Severity::Critical,
        FailOn::Warning => Severity::Warning,
    };
    let fails = findings.iter().any(|finding| finding.severity <= threshold);
    let written = output
        .document(&findings, || json!({ "findings": findings.iter().map(document).collect::<Vec<_>>() }));
    if fails {
        // Whoever stopped reading, it still has findings.
        return Ok(ExitCode::from(1));
    }
    written?;
    if findings.is_empty() {
        output.aside("no findings");
    }
    Ok(ExitCode::SUCCESS)
}

fn document(finding: &Finding) -> serde_json::Value {
    let severity = if finding.severity == Severity::Critical { "critical" } else { "warning" };
    json!({
        "severity": severity,
        "kind": format!("{:?}", finding.kind),
        "object": finding.object,
        "message": finding.kind.to_string(),
        "remedy": finding.remedy,
    })
}
