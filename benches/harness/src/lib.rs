//! Times a subject and its peers in turn, so that a machine that slows down slows all of them.

use std::env;
use std::fmt;
use std::hint::black_box;
use std::time::Instant;

/// How often each one has its turn.
const ROUNDS: usize = 200;
/// How long a turn is at least, in nanoseconds; at most twice that, or one call.
const TURN: u128 = 500_000;

/// Something to time, and what is asked of the subject beside it.
pub struct Contender<'a> {
    name: &'static str,
    target: Option<f64>,
    calls: Box<dyn FnMut(usize) + 'a>,
}

/// Names what is timed; it is given the number of the call, to vary its input by.
pub fn contender<'a>(name: &'static str, mut body: impl FnMut(usize) + 'a) -> Contender<'a> {
    // Many calls for one through the box, so that the box is not what is measured.
    let calls = move |count| {
        for at in 0..count {
            body(black_box(at));
        }
    };
    Contender { name, target: None, calls: Box::new(calls) }
}

/// The subject of a row: it has the row's name.
pub fn subject<'a>(body: impl FnMut(usize) + 'a) -> Contender<'a> {
    contender("", body)
}

impl Contender<'_> {
    /// The most that the subject's time over this one's should be.
    #[must_use]
    pub fn target(self, target: f64) -> Self {
        Self { target: Some(target), ..self }
    }

    /// The same, without a target.
    #[must_use]
    pub fn without_target(self) -> Self {
        Self { target: None, ..self }
    }

    fn time(&mut self, count: usize) -> u128 {
        let started = Instant::now();
        (self.calls)(count);
        started.elapsed().as_nanos()
    }

    fn calls_a_turn(&mut self) -> usize {
        // The first call does what is done once.
        self.time(1);
        let mut count = 1;
        while self.time(count) < TURN {
            count *= 2;
        }
        count
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The rows that were asked for, as Markdown.
#[derive(Debug)]
pub struct Table {
    wanted: Vec<String>,
    rounds: usize,
}

impl Table {
    /// The rows whose name holds one of the program's arguments; all rows without any.
    pub fn from_args() -> Self {
        // cargo adds `--bench` of its own.
        let wanted = env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
        println!("| what | time | peer | its time | ratio (quartiles) | target | |");
        println!("| --- | --- | --- | --- | --- | --- | --- |");
        Self { wanted, rounds: ROUNDS }
    }

    /// The same table, whose rows take fewer rounds: for what takes seconds.
    #[must_use]
    pub fn rounds(&self, rounds: usize) -> Self {
        Self { wanted: self.wanted.clone(), rounds }
    }

    /// Times a subject and its peers.
    pub fn row<const N: usize>(&self, name: &str, subject: Contender<'_>, peers: [Contender<'_>; N]) {
        if self.wants(name) {
            let (mut contenders, targets) = lined_up(subject, peers);
            print(name, &measure(&mut contenders, self.rounds), &targets);
        }
    }

    /// Times what a subject and its peers add to something bare: their times less its time.
    pub fn added_row<const N: usize>(
        &self,
        name: &str,
        bare: Contender<'_>,
        subject: Contender<'_>,
        peers: [Contender<'_>; N],
    ) {
        if self.wants(name) {
            let (mut contenders, targets) = lined_up(subject, peers);
            contenders.push(bare);
            let mut times = measure(&mut contenders, self.rounds);
            let bare = times.pop().unwrap_or_default();
            for times in &mut times {
                times.iter_mut().zip(&bare).for_each(|(time, bare)| *time -= bare);
            }
            print(name, &times, &targets);
        }
    }

    /// Whether the row was asked for: what it needs may take a while to make.
    pub fn wants(&self, name: &str) -> bool {
        self.wanted.is_empty() || self.wanted.iter().any(|wanted| name.contains(wanted.as_str()))
    }
}

type Peer = (&'static str, Option<f64>);

fn lined_up<'a, const N: usize>(
    subject: Contender<'a>,
    peers: [Contender<'a>; N],
) -> (Vec<Contender<'a>>, [Peer; N]) {
    let names = peers.each_ref().map(|peer| (peer.name, peer.target));
    ([subject].into_iter().chain(peers).collect(), names)
}

/// Nanoseconds a call, of each contender in each round.
#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a turn are far below 2^52")]
fn measure(contenders: &mut [Contender<'_>], rounds: usize) -> Vec<Vec<f64>> {
    let counts: Vec<usize> = contenders.iter_mut().map(Contender::calls_a_turn).collect();
    let mut times = vec![Vec::with_capacity(rounds); contenders.len()];
    for _ in 0..rounds {
        for ((contender, count), times) in contenders.iter_mut().zip(&counts).zip(&mut times) {
            times.push(contender.time(*count) as f64 / *count as f64);
        }
    }
    times
}

/// A line a peer: the subject's time over the peer's, round by round.
fn print(name: &str, times: &[Vec<f64>], peers: &[Peer]) {
    let Some((subject, times)) = times.split_first() else { return };
    let own = quartiles(subject.clone())[1];
    for ((peer, target), times) in peers.iter().zip(times) {
        let [low, ratio, high] =
            quartiles(subject.iter().zip(times).map(|(subject, peer)| subject / peer).collect());
        let its = quartiles(times.clone())[1];
        let (target, verdict) = match target {
            Some(target) => (format!("{target:.2}"), if ratio <= *target { "ok" } else { "MISSED" }),
            None => (String::new(), ""),
        };
        println!(
            "| {name} | {own:.1} ns | {peer} | {its:.1} ns | {ratio:.2} ({low:.2}-{high:.2}) | {target} | {verdict} |"
        );
    }
}

/// The lower quartile, the median and the upper quartile.
fn quartiles(mut figures: Vec<f64>) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[figures.len() * quarter / 4])
}
