//! A script of requests with recorded responses, which are the same on each store.

use std::fmt::Write as _;

use crate::support::agents::call;
use crate::support::call::{Answer, Call};
use crate::support::store::{Store, on_each_store};
use crate::support::{ALICE, BOB, OPERATOR, Who};

on_each_store![script_gives_the_recorded_responses];

const EXPECTED: &str = include_str!("script.txt");
const SCRIPT: &str = include_str!("script.in");

fn script_gives_the_recorded_responses(store: &Store) {
    let gateway = store.start();
    let (mut told, mut ids) = (String::new(), Vec::new());
    for line in SCRIPT.lines().filter(|line| !line.is_empty()) {
        let answer = request(&fill(line, &ids)).send(gateway.address);
        writeln!(told, "> {line}").unwrap();
        tell(&mut told, &answer, &mut ids);
    }
    if told != EXPECTED {
        let path = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("script.txt");
        std::fs::write(&path, &told).expect("written");
        let differs = told.lines().zip(EXPECTED.lines()).find(|(told, expected)| told != expected);
        panic!("{differs:#?}; all that was told is in {}", path.display());
    }
}

/// Parses a line such as `alice PATCH /path If-Match="1" {…}`.
fn request(line: &str) -> Call {
    let (head, body) =
        line.split_once(" {").map_or((line, None), |(head, body)| (head, Some(format!("{{{body}"))));
    let words: Vec<_> = head.split(' ').collect();
    let [who, method, path, fields @ ..] = &words[..] else { panic!("{line}") };
    let mut call = call(principal(who), method, path);
    for field in fields {
        let (name, value) = field.split_once('=').expect("a field");
        call = call.field(name, value);
    }
    body.map_or(call.clone(), |body| call.json(&body))
}

fn principal(name: &str) -> Who {
    match name {
        "alice" => ALICE,
        "bob" => BOB,
        "operator" => OPERATOR,
        other => panic!("{other}"),
    }
}

/// Replaces `#1` by the first id in the responses, and so on.
fn fill(line: &str, ids: &[String]) -> String {
    let numbered = ids.iter().enumerate().rev();
    numbered.fold(line.to_owned(), |line, (at, id)| line.replace(&format!("#{}", at + 1), id))
}

fn tell(told: &mut String, answer: &Answer, ids: &mut Vec<String>) {
    write!(told, "{}", answer.status).unwrap();
    for name in ["etag", "location", "content-type", "cache-control", "retry-after", "allow"] {
        if let Some(value) = answer.field(name) {
            write!(told, " {name}={}", number(value, ids)).unwrap();
        }
    }
    writeln!(told).unwrap();
    if !answer.body.is_empty() {
        writeln!(told, "{}", without_times(&number(&answer.body, ids))).unwrap();
    }
}

/// Replaces ids of agents, which are UUIDs of version 7, by `#1`, `#2` and so on.
fn number(text: &str, ids: &mut Vec<String>) -> String {
    let mut text = text.to_owned();
    let found = |text: &str| {
        let all = (0..text.len().saturating_sub(35)).filter_map(|at| text.get(at..at + 36));
        let mut ids = all.filter(|part| part.parse::<uuid::Uuid>().is_ok_and(|id| id.get_version_num() == 7));
        ids.next().map(str::to_owned)
    };
    while let Some(id) = found(&text) {
        let known = ids.iter().position(|known| *known == id);
        let at = known.unwrap_or_else(|| {
            ids.push(id.clone());
            ids.len() - 1
        });
        text = text.replace(&id, &format!("#{}", at + 1));
    }
    text
}

/// Replaces times in the format of RFC 3339 by `TIME`.
fn without_times(text: &str) -> String {
    let mut parts = text.split('"').map(str::to_owned).collect::<Vec<_>>();
    for part in &mut parts {
        if part.ends_with('Z') && part.parse::<jiff::Timestamp>().is_ok() {
            "TIME".clone_into(part);
        }
    }
    parts.join("\"")
}
