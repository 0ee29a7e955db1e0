//! A model of a queue and its workers, explored exhaustively for small sizes.
//!
//! The queue delivers at least once. Workers crash, panic, fail and are cancelled; jobs take longer than their lease; an
//! attacker copies and forges entries; the clock is set back. The rules of the transports for Redis, Postgres and NATS
//! are those of [`Rules::OURS`]. Each wrong rule must be found.

use std::collections::{HashMap, HashSet, VecDeque};

/// Two jobs of two tenants: job 0 belongs to tenant 0, job 1 to tenant 1.
const JOBS: u8 = 2;
const WORKERS: usize = 2;
/// An entry for each job, and one of the attacker.
const ENTRIES: usize = 3;
const MAX_ATTEMPTS: u8 = 3;
/// The tokens of all jobs expire at this time.
const EXPIRY: u8 = 2;
/// The last time of the model.
const END: u8 = 4;
/// The clock may be set back by this much, and tokens are remembered for this much longer than they are valid.
const STEP: u8 = 1;

/// What a worker checks, and what it restores.
#[allow(clippy::struct_excessive_bools, reason = "each rule is on or off, independently of the others")]
#[derive(Clone, Copy, Debug)]
struct Rules {
    checks_token: bool,
    checks_seal: bool,
    checks_expiry: bool,
    /// The time does not go back for a worker while it runs.
    has_time_floor: bool,
    replay: Replay,
    /// Tokens are remembered for longer than they are valid.
    remembers_longer: bool,
    restores_after_success: bool,
    restores_after_panic: bool,
    restores_after_cancellation: bool,
    limits_attempts: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Replay {
    Unchecked,
    /// A token is accepted once: its retry is rejected too.
    Once,
    /// A token is accepted for the entry that used it first.
    OncePerEntry,
}

impl Rules {
    const OURS: Self = Self {
        checks_token: true,
        checks_seal: true,
        checks_expiry: true,
        has_time_floor: true,
        replay: Replay::OncePerEntry,
        remembers_longer: true,
        restores_after_success: true,
        restores_after_panic: true,
        restores_after_cancellation: true,
        limits_attempts: true,
    };
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// The job whose token the entry has.
    token: Option<u8>,
    /// The job whose payload the entry has.
    payload: u8,
    place: Place,
    attempts: u8,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Absent,
    Ready,
    /// A worker has started it, and has not completed it. It becomes ready again.
    Leased,
    Done,
    SetAside,
}

#[derive(Clone, Copy, Debug)]
struct Worker {
    /// The entry that the worker's handler runs.
    runs: Option<u8>,
    /// The current tenant of the worker's thread.
    context: Option<u8>,
    /// The newest time that the worker has seen.
    newest: u8,
}

#[derive(Clone, Copy, Debug)]
struct Remembered {
    entry: u8,
    /// The time at which it is forgotten.
    until: u8,
}

#[derive(Clone, Copy, Debug)]
struct State {
    entries: [Entry; ENTRIES],
    workers: [Worker; WORKERS],
    remembered: [Option<Remembered>; JOBS as usize],
    /// The entry that ran first with each token. Workers do not know it.
    first_run: [Option<u8>; JOBS as usize],
    time: u8,
    /// By how much the clock of the workers is behind.
    behind: u8,
}

/// A number with digits of different bases.
struct Digits(u64);

impl Digits {
    fn push(&mut self, digit: u8, base: u8) {
        assert!(digit < base, "{digit} is not below {base}");
        self.0 = self.0.checked_mul(base.into()).expect("few digits") + u64::from(digit);
    }
}

const IDLE: Worker = Worker { runs: None, context: None, newest: 0 };

impl State {
    fn first() -> Self {
        let absent = Entry { token: None, payload: 0, place: Place::Absent, attempts: 0 };
        Self {
            entries: [absent; ENTRIES],
            workers: [IDLE; WORKERS],
            remembered: [None; JOBS as usize],
            first_run: [None; JOBS as usize],
            time: 0,
            behind: 0,
        }
    }

    /// Returns a number that no other state has. It takes less memory and time than the state.
    fn number(&self) -> u64 {
        let mut number = Digits(0);
        for entry in self.entries {
            number.push(entry.token.unwrap_or(JOBS), JOBS + 1);
            number.push(entry.payload, JOBS);
            number.push(entry.place as u8, 5);
            number.push(entry.attempts, MAX_ATTEMPTS + 2);
        }
        for worker in self.workers {
            number.push(worker.runs.map_or(0, |entry| entry + 1), 4);
            number.push(worker.context.map_or(0, |tenant| tenant + 1), 3);
            number.push(worker.newest, END + 1);
        }
        for remembered in self.remembered {
            number.push(remembered.map_or(0, |first| first.entry + 1), 4);
            number.push(remembered.map_or(0, |first| first.until), END + EXPIRY + STEP + 1);
        }
        for first in self.first_run {
            number.push(first.map_or(0, |entry| entry + 1), 4);
        }
        number.push(self.time, END + 1);
        number.push(self.behind, STEP + 1);
        number.0
    }

    fn clock(&self) -> u8 {
        self.time.saturating_sub(self.behind)
    }
}

/// What went wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Fault {
    /// A job ran in another tenant than its own, or in none.
    WrongTenant,
    /// A job ran although its worker had seen the time of its expiry.
    Expired,
    /// A second entry ran with the same token.
    Replayed,
    /// A worker without a job has a context.
    LeftContext,
    /// A job was started more often than allowed.
    TooOften,
}

/// A search for the states that the rules permit.
struct Search {
    rules: Rules,
    faults: HashMap<Fault, State>,
    /// Whether a job was started a second time.
    has_retried: bool,
}

impl Search {
    /// Explores all states, or all until the first fault if `is_mutant`.
    fn run(rules: Rules, is_mutant: bool) -> (Self, usize) {
        let mut search = Self { rules, faults: HashMap::new(), has_retried: false };
        let mut seen = HashSet::from([State::first().number()]);
        let mut queue = VecDeque::from([State::first()]);
        let mut next = Vec::new();
        while let Some(state) = queue.pop_front() {
            next.clear();
            search.steps(&state, &mut next);
            if is_mutant && !search.faults.is_empty() {
                break;
            }
            queue.extend(next.iter().filter(|state| seen.insert(state.number())));
        }
        (search, seen.len())
    }

    fn steps(&mut self, state: &State, next: &mut Vec<State>) {
        send(state, next);
        attack(state, next);
        pass_time(state, next);
        for (at, entry) in state.entries.iter().enumerate() {
            // A lease ends, also while its worker is still busy.
            if entry.place == Place::Leased {
                next.push(with_place(state, at, Place::Ready));
            }
        }
        for worker in 0..WORKERS {
            if let Some(entry) = state.workers[worker].runs {
                self.end(state, worker, usize::from(entry), next);
                continue;
            }
            if state.workers[worker].context.is_some() {
                self.fault(Fault::LeftContext, state);
            }
            for entry in (0..ENTRIES).filter(|entry| state.entries[*entry].place == Place::Ready) {
                next.push(self.take(state, worker, entry));
            }
        }
    }

    /// A worker takes an entry, and runs it or sets it aside.
    fn take(&mut self, state: &State, worker: usize, at: usize) -> State {
        let mut state = *state;
        let clock = state.clock();
        let entry = &mut state.entries[at];
        entry.attempts += 1;
        let seen = state.workers[worker].newest.max(clock);
        state.workers[worker].newest = seen;
        let now = if self.rules.has_time_floor { seen } else { clock };
        if !self.accepts(&mut state, at, now) {
            return with_place(&state, at, Place::SetAside);
        }
        let entry = state.entries[at];
        if entry.attempts > MAX_ATTEMPTS {
            if self.rules.limits_attempts {
                return with_place(&state, at, Place::SetAside);
            }
            self.fault(Fault::TooOften, &state);
            return with_place(&state, at, Place::Done);
        }
        // The scope of the token, if there is one.
        let running = &mut state.workers[worker];
        running.runs = Some(u8::try_from(at).expect("few entries"));
        running.context = entry.token.or(running.context);
        let (context, is_expired) = (running.context, seen >= EXPIRY);
        self.has_retried |= entry.attempts == 2;
        if context != Some(entry.payload) {
            self.fault(Fault::WrongTenant, &state);
        }
        if is_expired {
            self.fault(Fault::Expired, &state);
        }
        if let Some(token) = entry.token {
            let this = u8::try_from(at).expect("few entries");
            if *state.first_run[usize::from(token)].get_or_insert(this) != this {
                self.fault(Fault::Replayed, &state);
            }
        }
        with_place(&state, at, Place::Leased)
    }

    /// Verifies the token of an entry, and remembers it.
    fn accepts(&self, state: &mut State, at: usize, now: u8) -> bool {
        let entry = state.entries[at];
        let Some(token) = entry.token else { return !self.rules.checks_token };
        if self.rules.checks_seal && token != entry.payload {
            return false;
        }
        if self.rules.checks_expiry && now >= EXPIRY {
            return false;
        }
        let this = u8::try_from(at).expect("few entries");
        let remembered = &mut state.remembered[usize::from(token)];
        match (self.rules.replay, *remembered) {
            (Replay::Unchecked, _) => true,
            (Replay::Once, Some(_)) => false,
            (Replay::OncePerEntry, Some(first)) => first.entry == this,
            (_, None) => {
                let margin = if self.rules.remembers_longer { STEP } else { 0 };
                let until = state.time + EXPIRY.saturating_sub(now) + margin;
                *remembered = Some(Remembered { entry: this, until });
                true
            }
        }
    }

    /// The handler of a worker ends. It may have set another tenant before.
    fn end(&mut self, state: &State, worker: usize, at: usize, next: &mut Vec<State>) {
        let own = state.workers[worker].context;
        for left in [own, Some(1 - state.entries[at].payload)] {
            let ended = |restores: bool| {
                let mut state = *state;
                state.workers[worker].runs = None;
                state.workers[worker].context = if restores { None } else { left };
                state
            };
            // Success. If another worker has started the job meanwhile, both complete it.
            next.push(with_place(&ended(self.rules.restores_after_success), at, Place::Done));
            // Failure and panic, and cancellation: the lease stays.
            next.push(ended(self.rules.restores_after_panic));
            next.push(ended(self.rules.restores_after_cancellation));
        }
        // A crash: the process starts again, and has forgotten the time.
        let mut crashed = *state;
        crashed.workers[worker] = IDLE;
        next.push(crashed);
    }

    fn fault(&mut self, fault: Fault, state: &State) {
        self.faults.entry(fault).or_insert(*state);
    }
}

fn with_place(state: &State, at: usize, place: Place) -> State {
    let mut state = *state;
    // What is done or set aside is no longer in the queue.
    if !matches!(state.entries[at].place, Place::Done | Place::SetAside) {
        state.entries[at].place = place;
    }
    state
}

/// The senders of both tenants add their job.
fn send(state: &State, next: &mut Vec<State>) {
    for job in 0..JOBS {
        let at = usize::from(job);
        if state.entries[at].place == Place::Absent {
            let mut state = *state;
            state.entries[at] = Entry { token: Some(job), payload: job, place: Place::Ready, attempts: 0 };
            next.push(state);
        }
    }
}

/// The attacker adds an entry with any payload, and with a token of any job that was sent, or with none.
fn attack(state: &State, next: &mut Vec<State>) {
    let at = ENTRIES - 1;
    if state.entries[at].place != Place::Absent {
        return;
    }
    let sent = (0..JOBS).filter(|job| state.entries[usize::from(*job)].place != Place::Absent);
    for token in sent.map(Some).chain([None]) {
        for payload in 0..JOBS {
            let mut state = *state;
            state.entries[at] = Entry { token, payload, place: Place::Ready, attempts: 0 };
            next.push(state);
        }
    }
}

/// Time passes, tokens are forgotten, and the clock is set back.
fn pass_time(state: &State, next: &mut Vec<State>) {
    if state.time < END {
        let mut later = *state;
        later.time += 1;
        for remembered in &mut later.remembered {
            *remembered = remembered.filter(|remembered| remembered.until > later.time);
        }
        next.push(later);
    }
    if state.behind < STEP {
        next.push(State { behind: STEP, ..*state });
    }
}

#[test]
fn rules_permit_no_fault_in_more_than_a_million_states() {
    let (search, states) = Search::run(Rules::OURS, false);
    println!("{states} states");
    assert!(search.faults.is_empty(), "{:#?}", search.faults);
    assert!(search.has_retried, "no job runs again");
    assert!(states >= 1_000_000, "{states}");
}

/// Returns the faults that the rules permit, of those that are found first.
fn faults(rules: Rules) -> Vec<Fault> {
    let (search, _) = Search::run(rules, true);
    let mut faults: Vec<_> = search.faults.into_keys().collect();
    faults.sort();
    faults
}

#[test]
fn each_wrong_rule_is_found() {
    use Fault::{Expired, LeftContext, Replayed, TooOften, WrongTenant};
    let ours = Rules::OURS;
    for (rules, fault) in [
        (Rules { checks_token: false, ..ours }, WrongTenant),
        (Rules { checks_seal: false, ..ours }, WrongTenant),
        (Rules { checks_expiry: false, ..ours }, Expired),
        (Rules { has_time_floor: false, ..ours }, Expired),
        (Rules { replay: Replay::Unchecked, ..ours }, Replayed),
        (Rules { remembers_longer: false, ..ours }, Replayed),
        (Rules { restores_after_success: false, ..ours }, LeftContext),
        (Rules { restores_after_panic: false, ..ours }, LeftContext),
        (Rules { restores_after_cancellation: false, ..ours }, LeftContext),
        (Rules { limits_attempts: false, ..ours }, TooOften),
    ] {
        assert_eq!(faults(rules), [fault], "{rules:?}");
    }
}

/// A guard that accepts each token once is safe, but a job whose worker crashed never runs again.
#[test]
fn accepting_each_token_once_loses_retries() {
    let (search, _) = Search::run(Rules { replay: Replay::Once, ..Rules::OURS }, false);
    assert!(search.faults.is_empty() && !search.has_retried);
}
