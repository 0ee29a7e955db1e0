//! Times a subject and its peers in turn, so that a machine that slows down slows all of them.

use std::hint::black_box;
use std::time::Instant;

/// How often each one has its turn.
const ROUNDS: usize = 200;
/// How long a turn is, about, in nanoseconds.
const TURN: u128 = 500_000;

/// Calls what is timed as often as it is told.
pub type Body<'a> = Box<dyn FnMut(usize) + 'a>;

/// Something to time; it is given the number of the call, to vary its input by.
#[derive(Debug)]
pub struct Contender<F> {
    name: &'static str,
    body: F,
}

/// Names what is timed.
pub fn contender<'a>(name: &'static str, body: impl FnMut(usize) + 'a) -> Contender<Body<'a>> {
    Contender { name, body: calls(body) }
}

/// Many calls for one through the box, so that the box is not what is measured.
fn calls<'a>(mut body: impl FnMut(usize) + 'a) -> Body<'a> {
    Box::new(move |count| {
        for at in 0..count {
            body(black_box(at));
        }
    })
}

/// Times them and prints a row for each peer: the subject's time over the peer's, as a median of all rounds with
/// its quartiles. The first peer's ratio is held against the target.
#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a turn are far below 2^52")]
pub fn row(name: &str, target: Option<f64>, contenders: &mut [Contender<Body<'_>>]) {
    let times = measure(contenders);
    let Some((subject, peers)) = times.split_first() else { return };
    for (at, (peer, contender)) in peers.iter().zip(&contenders[1..]).enumerate() {
        let mut ratios: Vec<f64> = subject.iter().zip(peer).map(|(subject, peer)| subject / peer).collect();
        let ratio = quartiles(&mut ratios);
        let aim = target.filter(|_| at == 0);
        let verdict = aim.map_or(String::new(), |aim| {
            format!("{aim:.2} {}", if ratio[1] <= aim { "ok" } else { "MISSED" })
        });
        println!(
            "| {name} | {:.1} ns | {} | {:.1} ns | {:.2} ({:.2}-{:.2}) | {verdict} |",
            quartiles(&mut subject.clone())[1],
            contender.name,
            quartiles(&mut peer.clone())[1],
            ratio[1],
            ratio[0],
            ratio[2],
        );
    }
}

/// Nanoseconds a call, of each contender in each round.
#[allow(clippy::cast_precision_loss, reason = "nanoseconds of a turn are far below 2^52")]
pub fn measure(contenders: &mut [Contender<Body<'_>>]) -> Vec<Vec<f64>> {
    let counts: Vec<usize> =
        contenders.iter_mut().map(|contender| calls_a_turn(&mut contender.body)).collect();
    let mut times = vec![Vec::with_capacity(ROUNDS); contenders.len()];
    for _ in 0..ROUNDS {
        for ((contender, count), times) in contenders.iter_mut().zip(&counts).zip(&mut times) {
            let started = Instant::now();
            (contender.body)(*count);
            times.push(started.elapsed().as_nanos() as f64 / *count as f64);
        }
    }
    times
}

fn calls_a_turn(body: &mut dyn FnMut(usize)) -> usize {
    let mut count = 64;
    loop {
        let started = Instant::now();
        body(count);
        if started.elapsed().as_nanos() >= TURN {
            return count;
        }
        count *= 2;
    }
}

/// The lower quartile, the median and the upper quartile.
pub fn quartiles(figures: &mut [f64]) -> [f64; 3] {
    figures.sort_by(f64::total_cmp);
    [1, 2, 3].map(|quarter| figures[figures.len() * quarter / 4])
}
