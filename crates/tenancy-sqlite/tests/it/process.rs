//! Several processes: a folder belongs to one of them, and acknowledged writes survive its kill.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rusqlite::Connection;
use tenancy::TenantContext;
use tenancy_sqlite::{Error, TenantFiles, TenantTx};
use tenancy_testkit::process::ChildGroup;

use crate::support::{A, B, config, count};

const FOLDER: &str = "TENANCY_SQLITE_TEST_FOLDER";

/// Writes pairs of rows until it is killed, and prints each acknowledged pair.
#[test]
#[ignore = "the child process of the other tests, which start it"]
fn child() {
    let Some(folder) = env::var_os(FOLDER).map(PathBuf::from) else { return };
    let mut out = std::io::stdout();
    let files = match TenantFiles::open(config(&folder).max_open(count(1))) {
        Ok(files) => files,
        Err(error) => return writeln!(out, "refused {error:?}").unwrap(),
    };
    let next = |file: &TenantTx<'_>| {
        let last: i64 = file.query_row("SELECT coalesce(max(id), 0) FROM notes", (), |row| row.get(0))?;
        for id in [last + 1, last + 2] {
            file.execute("INSERT INTO notes VALUES (?1, ?2)", (id, format!("{id} {}", "x".repeat(3000))))?;
        }
        Ok::<_, Error>(last + 2)
    };
    loop {
        for tenant in [A, A, A, B] {
            let last = TenantContext::scope(tenant, || files.write(next)).unwrap();
            writeln!(out, "wrote {tenant} {last}").unwrap();
            out.flush().unwrap();
        }
    }
}

fn start(folder: &Path) -> ChildGroup {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "process::child", "--ignored", "--nocapture"]).env(FOLDER, folder);
    ChildGroup::spawn(command.stdout(Stdio::piped()).stderr(Stdio::null())).unwrap()
}

/// Lets a child write for a while and kills it; returns the last acknowledged row of each tenant.
fn write_and_kill(folder: &Path, lines: usize) -> [i64; 2] {
    let mut child = start(folder);
    let mut last = [0; 2];
    let mut note = |line: &str| {
        // The first line begins with output of the test harness.
        let Some((_, told)) = line.split_once("wrote ") else { return };
        let (tenant, id) = told.split_once(' ').unwrap();
        last[usize::from(tenant == B.to_string())] = id.parse().unwrap();
    };
    let mut out = BufReader::new(child.take_stdout().unwrap());
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0, "the child ended by itself");
        note(line.trim_end());
    }
    child.kill();
    // Pairs printed during the kill are acknowledged too; the last line may be incomplete.
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    let rest = String::from_utf8(rest).unwrap();
    rest.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(str::trim_end).for_each(note);
    last
}

#[test]
fn acknowledged_writes_survive_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..25 {
        let told = write_and_kill(folder.path(), 8 + round * 5 % 37);
        let files = TenantFiles::open(config(folder.path())).unwrap();
        for (tenant, told) in [A, B].into_iter().zip(told) {
            let rows = TenantContext::scope(tenant, || {
                files.read(|file| {
                    file.query("SELECT id FROM notes ORDER BY id", (), |row| row.get::<_, i64>(0))
                })
            });
            let rows = rows.unwrap();
            let last = i64::try_from(rows.len()).unwrap();
            assert!(rows.iter().copied().eq(1..=last), "round {round}: rows are missing");
            assert!(
                last >= told && told > 0,
                "round {round}: {told} rows were acknowledged, and {last} are stored"
            );
            // Both rows of a pair, or none.
            assert_eq!(last % 2, 0, "round {round}");
        }
        drop(files);
        let file = Connection::open(folder.path().join(format!("{A}.sqlite"))).unwrap();
        let check: String = file.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(check, "ok");
    }
}

#[test]
fn second_process_is_rejected_while_the_first_lives() {
    let folder = tempfile::tempdir().unwrap();
    let files = TenantFiles::open(config(folder.path())).unwrap();
    assert!(matches!(TenantFiles::open(config(folder.path())), Err(Error::FolderTaken)));
    let mut second = start(folder.path());
    let mut told = String::new();
    second.take_stdout().unwrap().read_to_string(&mut told).unwrap();
    assert!(told.contains("refused FolderTaken"), "{told}");
    // A clone keeps the folder.
    let clone = files.clone();
    drop(files);
    assert!(matches!(TenantFiles::open(config(folder.path())), Err(Error::FolderTaken)));
    drop(clone);

    let mut child = start(folder.path());
    let mut out = BufReader::new(child.take_stdout().unwrap());
    let mut line = String::new();
    while !line.contains("wrote") {
        line.clear();
        assert_ne!(out.read_line(&mut line).unwrap(), 0);
    }
    assert!(matches!(TenantFiles::open(config(folder.path())), Err(Error::FolderTaken)));
    drop(child);
    TenantFiles::open(config(folder.path())).unwrap();
}
