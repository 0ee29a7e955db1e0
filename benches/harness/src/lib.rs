//! Times a subject and its peers in alternation, so that a machine that slows down affects all of them alike.
//!
//! A benchmark program creates one [`Table`] and adds rows to it. Each row prints one Markdown line per peer. If the
//! environment variable `TENANCY_BENCH_JSON` names a file, the program also writes its figures to this file, as an
//! array of `{"name", "peer", "ratio", "low", "high", "target", "rounds"}`.
//!
//! Arguments of a program: names of figures, or folders of them (`id`, `id/parse`), and `--rounds N`.

use std::env;
use std::fmt;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};

/// The number of rounds, unless a row or the command line asks for fewer.
const ROUNDS: usize = 200;
/// The shortest duration of a turn, in nanoseconds. A turn takes at most twice as long, or one call.
const TURN: u128 = 500_000;
/// The number of stack depths at which a row is timed, one per round in turn.
///
/// The time of short code depends on where its stack lies, by a factor of two in places. All code of a round runs at the
/// same depth, and the median over the rounds is that over the depths.
const STACKS: usize = 64;
/// A run with fewer rounds than this is a smoke test.
const MEASUREMENT: usize = 10;
/// A smoke test uses this fraction of the data.
const SMOKE: u64 = 100;

/// Code to time.
pub struct Timed<'a> {
    peer: Peer,
    calls: Box<dyn FnMut(usize) + 'a>,
}

/// What a figure compares a row's subject with.
#[derive(Clone, Debug)]
struct Peer {
    name: &'static str,
    target: Option<f64>,
    figure: Option<String>,
}

/// Code that the subject of a row is compared with.
///
/// The body receives the number of the call, to vary its input by.
pub fn peer<'a>(name: &'static str, mut body: impl FnMut(usize) + 'a) -> Timed<'a> {
    // One call of the box makes many calls of the body, so that the box is not what is measured.
    let calls = move |count| {
        for at in 0..count {
            body(black_box(at));
        }
    };
    Timed { peer: Peer { name, target: None, figure: None }, calls: Box::new(calls) }
}

/// The subject of a row. It has the row's name.
pub fn subject<'a>(body: impl FnMut(usize) + 'a) -> Timed<'a> {
    peer("", body)
}

impl Timed<'_> {
    /// Sets the highest acceptable ratio of the subject's time to this peer's time, or removes it.
    #[must_use]
    pub fn target(mut self, target: impl Into<Option<f64>>) -> Self {
        self.peer.target = target.into();
        self
    }

    /// Also reports this peer's ratio to the row's first peer, as a figure of this name.
    #[must_use]
    pub fn figure(mut self, name: impl Into<String>) -> Self {
        self.peer.figure = Some(name.into());
        self
    }

    /// Times `count` calls on a stack that is `frames` deeper.
    fn time(&mut self, count: usize, frames: usize) -> u128 {
        deeper(frames, &mut || {
            let started = Instant::now();
            (self.calls)(count);
            started.elapsed().as_nanos()
        })
    }

    fn calls_per_turn(&mut self) -> usize {
        // The first call may do work that is done only once.
        self.time(1, 0);
        let mut count = 1;
        while self.time(count, 0) < TURN {
            count *= 2;
        }
        count
    }
}

impl fmt::Debug for Timed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timed").field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// The figures that were requested.
#[derive(Clone, Debug)]
pub struct Table {
    wanted: Arc<[String]>,
    /// The rounds of a row.
    rounds: usize,
    /// The rounds that the command line asks for.
    requested: Option<usize>,
    output: Arc<Output>,
}

#[derive(Debug)]
struct Output {
    file: Option<PathBuf>,
    figures: Mutex<Vec<Value>>,
}

impl Table {
    /// Creates the table from the program's arguments and environment, and prints its head.
    ///
    /// # Panics
    ///
    /// If the arguments are invalid.
    pub fn from_args() -> Self {
        let (mut wanted, mut requested) = (Vec::new(), None);
        let mut arguments = env::args().skip(1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // cargo adds this one.
                "--bench" => {}
                "--rounds" => {
                    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
                    requested =
                        Some(rounds.filter(|rounds| *rounds > 0).expect("--rounds: a positive number"));
                }
                flag if flag.starts_with('-') => panic!("unknown option: {flag}"),
                _ => wanted.push(argument),
            }
        }
        println!("| figure | time | peer | its time | ratio (quartiles) | target | |");
        println!("| --- | --- | --- | --- | --- | --- | --- |");
        let file = env::var_os("TENANCY_BENCH_JSON").map(PathBuf::from);
        Self {
            wanted: wanted.into(),
            rounds: requested.unwrap_or(ROUNDS),
            requested,
            output: Arc::new(Output { file, figures: Mutex::default() }),
        }
    }

    /// The same table with fewer rounds per row, for calls that take long.
    #[must_use]
    pub fn rounds(&self, rounds: usize) -> Self {
        Self { rounds: self.requested.unwrap_or(rounds).min(rounds), ..self.clone() }
    }

    /// The amount of data to measure with: all of it, or a hundredth in a run of fewer than ten rounds.
    ///
    /// Such a run only shows that each figure is emitted.
    pub fn amount(&self, all: u64) -> u64 {
        if self.requested.is_some_and(|rounds| rounds < MEASUREMENT) { all / SMOKE } else { all }
    }

    /// Times a subject and its peers. The first peer is the main one.
    pub fn row<const N: usize>(&self, name: &str, subject: Timed<'_>, peers: [Timed<'_>; N]) {
        if self.wants_row(name, &peers) {
            let (mut lineup, peers) = line_up(subject, peers);
            self.report(name, &measure(&mut lineup, self.rounds), &peers);
        }
    }

    /// Times what a subject and its peers add to a bare call: the bare call's time is subtracted from theirs.
    pub fn added_row<const N: usize>(
        &self,
        name: &str,
        bare: Timed<'_>,
        subject: Timed<'_>,
        peers: [Timed<'_>; N],
    ) {
        if self.wants_row(name, &peers) {
            let (mut lineup, peers) = line_up(subject, peers);
            lineup.push(bare);
            let mut times = measure(&mut lineup, self.rounds);
            let bare = times.pop().unwrap_or_default();
            for times in &mut times {
                times.iter_mut().zip(&bare).for_each(|(time, bare)| *time -= bare);
            }
            self.report(name, &times, &peers);
        }
    }

    /// Whether any figure in this folder was requested. Its preparation may take long.
    pub fn wants_any(&self, folder: &str) -> bool {
        self.wants(folder) || self.wanted.iter().any(|wanted| is_in(wanted, folder))
    }

    /// Whether this figure was requested.
    fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| is_in(name, wanted))
    }

    fn wants_row(&self, name: &str, peers: &[Timed<'_>]) -> bool {
        self.wants(name)
            || peers.iter().filter_map(|timed| timed.peer.figure.as_deref()).any(|figure| self.wants(figure))
    }

    fn report(&self, name: &str, times: &[Vec<f64>], peers: &[Peer]) {
        let Some((subject, times)) = times.split_first() else { return };
        for (peer, of_peer) in peers.iter().zip(times) {
            if self.wants(name) {
                self.figure(name, subject, peer, of_peer);
            }
        }
        let (Some(main), Some(of_main)) = (peers.first(), times.first()) else { return };
        for (peer, of_peer) in peers.iter().zip(times) {
            if let Some(figure) = peer.figure.as_deref().filter(|figure| self.wants(figure)) {
                self.figure(figure, of_peer, &Peer { target: None, ..main.clone() }, of_main);
            }
        }
    }

    /// Prints one figure and stores it.
    fn figure(&self, name: &str, times: &[f64], peer: &Peer, of_peer: &[f64]) {
        let (own, its) = (quartiles(times.to_vec())[1], quartiles(of_peer.to_vec())[1]);
        let [low, ratio, high] =
            quartiles(times.iter().zip(of_peer).map(|(time, of_peer)| time / of_peer).collect());
        let (target, verdict) = match peer.target {
            Some(target) => (format!("{target:.2}"), if ratio <= target { "met" } else { "not met" }),
            None => (String::new(), ""),
        };
        let peer_name = peer.name;
        println!(
            "| {name} | {own:.1} ns | {peer_name} | {its:.1} ns | {ratio:.2} ({low:.2}-{high:.2}) | {target} | {verdict} |"
        );
        self.output.add(json!({
            "name": name, "peer": peer_name, "ratio": ratio, "low": low, "high": high,
            "target": peer.target, "rounds": times.len(),
        }));
    }
}

impl Output {
    /// Stores a figure. The file is written each time: a run that is stopped leaves what it has measured.
    fn add(&self, figure: Value) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.push(figure);
        if let Some(file) = &self.file {
            fs::write(file, format!("{:#}\n", Value::from(figures.clone())))
                .expect("the file can be written");
        }
    }
}

/// Whether a name is this folder or lies in it.
fn is_in(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn line_up<'a, const N: usize>(subject: Timed<'a>, peers: [Timed<'a>; N]) -> (Vec<Timed<'a>>, [Peer; N]) {
    let described = peers.each_ref().map(|timed| timed.peer.clone());
    ([subject].into_iter().chain(peers).collect(), described)
}

/// Measures the nanoseconds per call: a list per timed code, with an item per round.
#[allow(clippy::cast_precision_loss, reason = "the nanoseconds of a turn are far below 2^52")]
fn measure(lineup: &mut [Timed<'_>], rounds: usize) -> Vec<Vec<f64>> {
    let counts: Vec<usize> = lineup.iter_mut().map(Timed::calls_per_turn).collect();
    let mut times = vec![Vec::with_capacity(rounds); lineup.len()];
    for round in 0..rounds {
        for ((timed, count), times) in lineup.iter_mut().zip(&counts).zip(&mut times) {
            times.push(timed.time(*count, round % STACKS) as f64 / *count as f64);
        }
    }
    times
}

/// Calls `body` on a stack that is `frames` deeper.
#[inline(never)]
fn deeper(frames: usize, body: &mut dyn FnMut() -> u128) -> u128 {
    // The frame has an odd multiple of 16 bytes, so that the depths differ in where a cache line and a page begin.
    let frame = black_box([0_u64; 9]);
    let result = if frames == 0 { body() } else { deeper(frames - 1, body) };
    black_box(frame);
    result
}

/// The lower quartile, the median and the upper quartile.
fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[figures.len() * quarter / 4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(wanted: &[&str]) -> Table {
        Table {
            wanted: wanted.iter().map(ToString::to_string).collect(),
            rounds: 3,
            requested: Some(3),
            output: Arc::new(Output { file: None, figures: Mutex::default() }),
        }
    }

    fn names(table: &Table) -> Vec<(String, String)> {
        let figures = table.output.figures.lock().unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        figures.iter().map(|figure| (text(&figure["name"]), text(&figure["peer"]))).collect()
    }

    #[test]
    fn selects_figures_and_folders_by_whole_names() {
        let table = table(&["id/parse", "redis/get"]);
        assert!(table.wants("id/parse") && table.wants("id/parse/simple") && table.wants("redis/get"));
        assert!(!table.wants("id") && !table.wants("id/parsed") && !table.wants("redis/get10"));
        assert!(table.wants_any("id") && table.wants_any("redis") && !table.wants_any("postgres"));
    }

    #[test]
    fn compares_a_subject_with_each_peer_and_a_peer_with_the_first_one() {
        let table = table(&[]);
        let idle = |_| _ = black_box(1);
        table.row("a/raw", subject(idle), [peer("plain", idle), peer("other", idle).figure("a/other")]);
        let expected = [("a/raw", "plain"), ("a/raw", "other"), ("a/other", "plain")];
        assert_eq!(names(&table), expected.map(|(name, peer)| (name.to_owned(), peer.to_owned())));
    }

    #[test]
    fn times_a_row_for_the_figure_of_a_peer_alone() {
        let table = table(&["a/other"]);
        let idle = |_| _ = black_box(1);
        table.row("a/raw", subject(idle), [peer("plain", idle), peer("other", idle).figure("a/other")]);
        assert_eq!(names(&table), [("a/other".to_owned(), "plain".to_owned())]);
    }

    #[test]
    fn keeps_the_ratio_of_times() {
        let table = table(&[]);
        let target = Peer { name: "peer", target: Some(1.0), figure: None };
        table.report("a/b", &[vec![3.0, 8.0, 6.0], vec![2.0, 4.0, 4.0]], &[target]);
        let figures = table.output.figures.lock().unwrap();
        let expected = json!([{"name": "a/b", "peer": "peer", "ratio": 1.5, "low": 1.5, "high": 2.0,
            "target": 1.0, "rounds": 3}]);
        assert_eq!(Value::from(figures.clone()), expected);
    }
}
