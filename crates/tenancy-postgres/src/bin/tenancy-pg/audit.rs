//! The commands `audit` and `harden`.

mod summary;

use std::fs;
use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use serde_json::{Value, json};
use tenancy_postgres::{AdminDb, AuditPolicy, Finding, Severity};

use self::summary::{summary, total};
use crate::args::{AuditArgs, FailOn};
use crate::failure::Failure;
use crate::output::Output;

/// Returns the policy of the command line and of its file.
pub(crate) fn policy(arguments: &AuditArgs) -> Result<AuditPolicy, Failure> {
    let mut policy = AuditPolicy::new();
    if let Some(path) = &arguments.policy {
        let text = fs::read_to_string(path)
            .map_err(|error| Failure::Usage(format!("cannot read {}: {error}", path.display())))?;
        let of_file = text.parse().map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
        policy = policy.merge(of_file);
    }
    Ok(arguments.accept.iter().cloned().fold(policy, AuditPolicy::merge))
}

pub(crate) async fn audit(
    admin: &mut AdminDb,
    role: Option<&str>,
    policy: &AuditPolicy,
    fail_on: FailOn,
    all: bool,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let findings = admin.audit_with(role, policy).await?;
    report(&findings, fail_on, all, output)
}

/// Prints findings, and returns the exit code for them.
fn report(
    findings: &[Finding],
    fail_on: FailOn,
    all: bool,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    let lines = if all {
        findings.iter().map(ToString::to_string).chain(total(findings)).collect()
    } else {
        summary(findings)
    };
    let written =
        output.document(lines, || json!({ "findings": findings.iter().map(document).collect::<Vec<_>>() }));
    if findings.iter().any(|finding| finding.severity <= fail_on.severity()) {
        // The exit code counts, even if nothing reads the output.
        return Ok(ExitCode::from(1));
    }
    written?;
    if findings.is_empty() {
        output.aside("no findings");
    }
    Ok(ExitCode::SUCCESS)
}

fn document(finding: &Finding) -> Value {
    json!({
        "severity": finding.severity.as_str(),
        "kind": finding.kind.name(),
        "object": finding.object,
        "message": finding.kind.to_string(),
        "through": finding.through,
        "remedy": finding.remedy,
        "sql": finding.sql,
        "accepted": finding.accepted,
    })
}

/// What `harden` does.
#[derive(Debug)]
pub(crate) struct Harden {
    pub(crate) role: String,
    pub(crate) policy: AuditPolicy,
    pub(crate) only: FailOn,
    pub(crate) fail_on: FailOn,
}

/// Whether statements are applied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Confirm {
    Ask,
    Yes,
    Never,
}

impl Confirm {
    pub(crate) fn new(yes: bool, dry_run: bool) -> Self {
        match (yes, dry_run) {
            (true, _) => Self::Yes,
            (false, true) => Self::Never,
            (false, false) => Self::Ask,
        }
    }
}

impl Harden {
    pub(crate) async fn run(
        self,
        admin: &mut AdminDb,
        confirm: Confirm,
        output: &mut Output,
    ) -> Result<ExitCode, Failure> {
        if confirm == Confirm::Ask && output.is_json() {
            return Err(Failure::Usage("--json needs --yes or --dry-run".to_owned()));
        }
        let findings = admin.audit_with(Some(&self.role), &self.policy).await?;
        let steps = self.steps(&findings);
        let statements: Vec<_> = steps.iter().map(|(_, sql)| (*sql).clone()).collect();
        if confirm == Confirm::Never {
            let lines = steps.iter().flat_map(|(finding, sql)| [comment(finding), format!("{sql};")]);
            output.document(lines, || json!({ "statements": statements }))?;
            return Ok(self.code(&findings));
        }
        if statements.is_empty() {
            output.aside("no finding has SQL to apply");
            return report(&findings, self.fail_on, false, output);
        }
        if !output.is_json() {
            let lines = steps.iter().flat_map(|(finding, sql)| [comment(finding), format!("{sql};")]);
            output.document(lines, || Value::Null)?;
        }
        if confirm == Confirm::Ask && !ask(statements.len(), output)? {
            output.aside("nothing was changed");
            return Ok(self.code(&findings));
        }
        admin.harden(&statements).await?;
        output.aside(format_args!("{} statements applied", statements.len()));
        let left = admin.audit_with(Some(&self.role), &self.policy).await?;
        report(&left, self.fail_on, false, output)
    }

    /// Returns the statements to apply, each once, with the first finding that asks for it.
    fn steps<'a>(&self, findings: &'a [Finding]) -> Vec<(&'a Finding, &'a String)> {
        let mut steps: Vec<(&Finding, &String)> = Vec::new();
        for finding in findings.iter().filter(|finding| finding.severity <= self.only.severity()) {
            for sql in &finding.sql {
                if steps.iter().all(|(_, known)| *known != sql) {
                    steps.push((finding, sql));
                }
            }
        }
        steps
    }

    fn code(&self, findings: &[Finding]) -> ExitCode {
        let fails = findings.iter().any(|finding| finding.severity <= self.fail_on.severity());
        ExitCode::from(u8::from(fails))
    }
}

/// Returns a comment of SQL on one line: a name with a line break does not end it.
fn comment(finding: &Finding) -> String {
    let text = format!("-- {}: {}: {}", finding.severity, finding.object, finding.kind);
    text.chars().map(|symbol| if symbol.is_control() { ' ' } else { symbol }).collect()
}

/// Asks on stderr whether to apply the statements, and reads the answer from stdin.
fn ask(count: usize, output: &Output) -> Result<bool, Failure> {
    output.aside(format_args!("Apply these {count} statements in one transaction? [y/N]"));
    let _ = io::stderr().flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(0) | Err(_) => Err(Failure::Usage("cannot ask: stdin has no answer; use --yes".to_owned())),
        Ok(_) => Ok(matches!(answer.trim(), "y" | "Y" | "yes")),
    }
}

impl FailOn {
    fn severity(self) -> Severity {
        match self {
            Self::Critical => Severity::Critical,
            Self::Warning => Severity::Warning,
        }
    }
}
